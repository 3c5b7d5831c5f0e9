"""A first look at each input: what cannot be read is told about and costs only itself."""

from __future__ import annotations

from producer.sources.images import load_image
from producer.sources.video import VideoFileSource
from services.cli.tag.inputs import Input
from services.errors import FacestreamError


def try_to_read(each: Input) -> str:
    """Why an input cannot be tagged; empty when it can, as far as its beginning tells."""
    try:
        if each.kind == "picture":
            load_image(each.path, each.path.read_bytes())
        else:
            video = VideoFileSource(each.path)
            try:
                next(video.frames())
            finally:
                video.close()
    except (FacestreamError, OSError) as error:
        return str(error)
    except StopIteration:
        return f"{each.path}: no frame in it"
    return ""
