"""What the services counted, read from the metrics files they leave at exit."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families


@dataclass
class Counts:
    """Counters added up over every process of a run, by camera.

    Attributes:
        taken: frames the producer took from the source, published or not.
        dropped: frames left out on purpose, by reason; what a viewer did not draw is not lost.
        dead_letters: records sent to a dead-letter topic, anywhere.
    """

    taken: Counter[str] = field(default_factory=Counter)
    dropped: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    dead_letters: Counter[str] = field(default_factory=Counter)


def read_counts(folder: Path) -> Counts:
    """Add up every `*.prom` of a folder; only a producer's are named `producer-*`."""
    counts = Counts()
    for path in sorted(folder.glob("*.prom")):
        for family in text_string_to_metric_families(path.read_text()):
            for sample in family.samples:
                camera = sample.labels.get("camera", "")
                match sample.name:
                    case "facestream_frames_out_total" if path.name.startswith("producer"):
                        counts.taken[camera] += int(sample.value)
                    case "facestream_drops_total" if not path.name.startswith("viewer"):
                        if path.name.startswith("producer"):
                            counts.taken[camera] += int(sample.value)
                        counts.dropped[camera][sample.labels["reason"]] += int(sample.value)
                    case "facestream_dead_letters_total":
                        counts.dead_letters[camera] += int(sample.value)
    return counts
