"""Starts the identifier: `facestream identifier`."""

from __future__ import annotations

from collections.abc import Sequence

from identifier.assembly import build_service, open_gallery
from identifier.person_topics import PersonTopics
from identifier.settings import IdentifierSettings
from services.kafka.topics import dlq_topic, ensure_topics_when_up
from services.lifecycle.health import Health
from services.lifecycle.service import running


def main(argv: Sequence[str] = ()) -> int:
    """Run until SIGTERM.

    Raises:
        FatalError: the process cannot go on.
    """
    settings = IdentifierSettings.load(argv)
    parts = ("partitions",) if settings.person is not None else ("partitions", "database")
    health = Health(*parts)
    with running(settings, health) as stop:
        wanted = [settings.topic_processed, dlq_topic(settings.topic_processed)]
        if settings.person is None:
            wanted.append(settings.topic_identified)
        ensure_topics_when_up(settings, wanted, stop)
        topics = PersonTopics(settings)
        with open_gallery(settings, topics, health) as gallery:
            build_service(settings, gallery, topics, health).run(stop)
    return 0
