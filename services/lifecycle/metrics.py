"""Every metric of every service, named once; docs/metrics.md is made from here."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128)

FRAMES_IN = Counter(
    "facestream_frames_in", "Frames read from a topic or a source.", ["camera"], registry=REGISTRY
)
FRAMES_OUT = Counter(
    "facestream_frames_out", "Frames published, acknowledged.", ["camera"], registry=REGISTRY
)
BYTES_IN = Counter("facestream_in_bytes", "Bytes of record values read.", registry=REGISTRY)
BYTES_OUT = Counter("facestream_out_bytes", "Bytes of record values published.", registry=REGISTRY)
FACES = Counter("facestream_faces", "Faces found or matched.", ["camera"], registry=REGISTRY)
BATCH_SIZE = Histogram(
    "facestream_batch_frames", "Frames per batch.", buckets=_BATCH, registry=REGISTRY
)
STAGE_SECONDS = Histogram(
    "facestream_stage_seconds",
    "Seconds spent in one stage: decode, analyse, encode, settle (worker), match (identifier), "
    "draw (viewer).",
    ["stage"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
END_TO_END_SECONDS = Histogram(
    "facestream_end_to_end_seconds",
    "Seconds from `captured-at` to this service's publishing.",
    ["camera"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
DROPS = Counter(
    "facestream_drops",
    "Frames left out on purpose; reason: stale (worker), producer-queue, too-large, undecodable "
    "(producer), duplicate (identifier), late, undrawable (viewer).",
    ["camera", "reason"],
    registry=REGISTRY,
)
LATE_FRAMES = Counter(
    "facestream_late_frames",
    "Frames released after a later frame of their camera.",
    ["camera"],
    registry=REGISTRY,
)
DEAD_LETTERS = Counter(
    "facestream_dead_letters",
    "Records sent to a dead-letter topic.",
    ["topic", "reason", "camera"],
    registry=REGISTRY,
)
CONSUMER_LAG = Gauge(
    "facestream_consumer_lag_records",
    "Records between this consumer's position and the end of the partition.",
    ["topic", "partition"],
    registry=REGISTRY,
)
RECONNECTS = Counter(
    "facestream_reconnects", "Times a live source was opened again.", ["camera"], registry=REGISTRY
)
WATCHERS = Gauge("facestream_viewer_watchers", "Browsers watching a stream now.", registry=REGISTRY)
DRAWN = Counter(
    "facestream_viewer_drawn_frames", "Frames drawn and encoded for viewers.", registry=REGISTRY
)
GALLERY_REFERENCES = Gauge(
    "facestream_gallery_references", "Reference photos that are matched against.", registry=REGISTRY
)
DELIVERIES = Counter(
    "facestream_deliveries",
    "Events delivered to others; kind: webhook, mqtt; outcome: delivered, retried, dead-lettered.",
    ["kind", "outcome"],
    registry=REGISTRY,
)
AUTOSCALER_WORKERS = Gauge(
    "facestream_autoscaler_workers",
    "Worker containers; state: ready (takes frames), starting, draining.",
    ["state"],
    registry=REGISTRY,
)
AUTOSCALER_WANTED = Gauge(
    "facestream_autoscaler_wanted_workers", "Workers there should be.", registry=REGISTRY
)
AUTOSCALER_LAG = Gauge(
    "facestream_autoscaler_lag_seconds",
    "How far the workers are behind the cameras.",
    registry=REGISTRY,
)
