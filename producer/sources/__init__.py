"""Sources of frames: each kind in a module, chosen by address."""

from __future__ import annotations

from producer.addresses import local_path, source_kind
from producer.sources.device import DeviceSource
from producer.sources.frames import CapturedFrame, FrameSource, SourceLost, SourceOptions
from producer.sources.http import HttpSource
from producer.sources.images import ImageSource
from producer.sources.rtsp import RtspSource
from producer.sources.video import VideoFileSource

__all__ = ["CapturedFrame", "FrameSource", "SourceLost", "SourceOptions", "open_source"]


def open_source(uri: str, options: SourceOptions) -> FrameSource:
    """Open what an address names.

    Raises:
        SourceError: a file that is not there, or holds no picture or video.
        SourceLost: a camera that does not answer.
    """
    match source_kind(uri):
        case "rtsp":
            return RtspSource(uri, options)
        case "http":
            return HttpSource(uri, options)
        case "device":
            return DeviceSource(uri)
        case "images":
            return ImageSource(local_path(uri), options.images_fps)
        case "file":
            return VideoFileSource(local_path(uri))
