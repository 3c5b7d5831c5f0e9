"""Starts the identifier: `facestream identifier`."""

from __future__ import annotations

from collections.abc import Sequence

from identifier.assembly import build_service, open_knowledge
from identifier.person_topics import PersonTopics
from identifier.settings import IdentifierSettings
from identifier.snapshot import Snapshot
from services.kafka.topics import dlq_topic, ensure_topics_when_up
from services.lifecycle.health import Health
from services.lifecycle.service import running
from services.status.reporter import reporting


def main(argv: Sequence[str] = ()) -> int:
    """Run until SIGTERM.

    Raises:
        FatalError: the process cannot go on.
    """
    settings = IdentifierSettings.load(argv)
    of_one = settings.person is not None
    health = Health("partitions", *(() if of_one else ("database", "gallery", "memory")))
    with running(settings, health) as stop, reporting(settings, health) as status:
        wanted = [settings.topic_processed, dlq_topic(settings.topic_processed)]
        if not of_one:
            wanted += [settings.topic_identified, settings.topic_events]
            wanted.append(dlq_topic(settings.topic_events))
        ensure_topics_when_up(settings, wanted, stop)
        topics = PersonTopics(settings)
        with open_knowledge(settings, topics, health) as knowledge:
            status.ask(lambda: about(knowledge.gallery.snapshot, settings.model_pack))
            build_service(settings, knowledge, topics, health).run(stop)
    return 0


def about(gallery: Snapshot, model_pack: str) -> dict[str, str]:
    """What the identifier says of itself with every status report."""
    return {
        "model_pack": model_pack,
        "gallery_version": gallery.version,
        "gallery_references": str(gallery.references),
        "gallery_people": str(len(gallery.slugs)),
    }
