"""The way of a frame: read, put in order, match, track, publish, commit.

At least once: the offset of a frame moves when every record made of it is acknowledged and the
memory has the tracks that are in it. What is
held or under way when a partition is taken away, or when the process ends, is read again by the
next owner.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from identifier import handover
from identifier.checkpoints import Checkpoints
from identifier.identify import Frame, identify, people_in, read_frame
from identifier.load import Load
from identifier.offsets import OffsetLedger, Ticket
from identifier.person_topics import PersonTopics
from identifier.publisher import Publisher
from identifier.reorder import Reorderer
from identifier.sequence import Order, Released
from identifier.snapshot import SnapshotSource
from identifier.tracks.identity import Named, TrackIdentities
from services.errors import BrokerError, RecordError
from services.kafka.closing import close_within
from services.kafka.outputs import OutRecord
from services.lifecycle import metrics
from services.lifecycle.backoff import Backoff
from services.lifecycle.health import Health
from services.lifecycle.stopping import StopSignal
from services.records import identified as identified_records

log = structlog.get_logger()

_BATCH = 32
_IDLE_POLL_S = 0.1
_BUSY_POLL_S = 0.02  # acknowledgements are taken in between two polls
_COMMIT_EVERY_S = 0.1
_LAG_EVERY_S = 2.0
_FLUSH_S = 3.0
_REMEMBERED_S = 2.0
_COMMITTED_S = 2.0
_CLOSE_S = 2.5

Waiting = tuple[Ticket, Frame]


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is published where.

    Attributes:
        processed_topic: read from.
        identified_topic: every frame goes there; None in a service that looks for one person.
        person_topics: frames go there by who is in them; None when nobody wants that.
        max_record_bytes: the largest record Kafka takes.
    """

    processed_topic: str
    identified_topic: str | None
    person_topics: PersonTopics | None
    max_record_bytes: int


class IdentifierService:
    """Runs until told to end; every part it needs is passed in.

    Args:
        consumer: of the identifier's group, not subscribed yet.
        publisher: sends records and keeps the ledger.
        ledger: which offsets may be committed.
        reorderer: the window.
        tracks: decides who is who, track by track.
        checkpoints: between the tracks and the memory.
        gallery: who can be recognised.
        default_threshold: of a model pack, by name.
        outputs: see there.
        health: told about partitions, and that the loop turns.
        load: told how far behind it is.
    """

    def __init__(
        self,
        consumer: Consumer,
        publisher: Publisher,
        ledger: OffsetLedger,
        reorderer: Reorderer[Waiting],
        tracks: TrackIdentities[Ticket],
        checkpoints: Checkpoints,
        gallery: SnapshotSource,
        default_threshold: Callable[[str], float],
        outputs: Outputs,
        health: Health,
        load: Load,
    ) -> None:
        self._consumer = consumer
        self._publisher = publisher
        self._ledger = ledger
        self._reorderer = reorderer
        self._tracks = tracks
        self._checkpoints = checkpoints
        self._gallery = gallery
        self._default_threshold = default_threshold
        self._outputs = outputs
        self._health = health
        self._load = load
        self._owned: set[int] = set()
        self._ending = False
        self._committed_s = self._lag_seen_s = 0.0
        self._overflows = 0
        self._unmatched: set[str] = set()
        self._backoff = Backoff(first_s=0.2, most_s=5.0)

    def run(self, stop: StopSignal) -> None:
        """Work until `stop`, then flush, commit and leave the group.

        Raises:
            BrokerError: the process cannot go on.
        """
        self._consumer.subscribe(
            [self._outputs.processed_topic],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )
        try:
            while not stop.stopped:
                self._turn(stop)
        finally:
            self._hand_over()
            self._ending = True
            close_within(self._consumer, _CLOSE_S)

    def _turn(self, stop: StopSignal) -> None:
        self._health.beat()
        released: list[Released[Waiting]] = []
        for message in self._read():
            released += self._receive(message)
        released += self._reorderer.due()
        self._publish([*self._name(released), *self._tracks.due(self._reorderer.waiting())])
        self._publisher.poll()
        self._checkpoints.turn()
        if self._publisher.failed:
            self._read_again(stop)
        now_s = time.monotonic()
        if now_s - self._committed_s >= _COMMIT_EVERY_S:
            self._commit()
            self._committed_s = now_s
        if now_s - self._lag_seen_s >= _LAG_EVERY_S:
            self._observe()
            self._lag_seen_s = now_s

    def _read(self) -> list[Message]:
        wait_s = _BUSY_POLL_S if self._publisher.in_flight else _IDLE_POLL_S
        for due_in_s in (self._reorderer.wait_s(), self._tracks.wait_s()):
            if due_in_s is not None:
                wait_s = min(wait_s, due_in_s)
        first = self._consumer.poll(wait_s)
        if first is None:
            return []
        return [m for m in [first, *self._consumer.consume(_BATCH - 1, 0)] if _is_record(m)]

    def _receive(self, message: Message) -> list[Released[Waiting]]:
        partition = message.partition() or 0
        if partition not in self._owned:
            return []  # taken away while this batch was being read
        ticket = self._ledger.take(partition, message.offset() or 0)
        metrics.BYTES_IN.inc(len(message.value() or b""))
        try:
            frame = read_frame(message, self._outputs.max_record_bytes)
        except RecordError as error:
            self._publisher.dead_letter(ticket, message, error)
            return []
        metrics.FRAMES_IN.labels(camera=frame.key.camera).inc()
        size_bytes = len(message.value() or b"")
        return self._reorderer.push(partition, frame.key, (ticket, frame), size_bytes)

    def _name(self, released: Sequence[Released[Waiting]]) -> list[Named[Ticket]]:
        going: list[tuple[Ticket, Frame, bool]] = []
        for release in released:
            ticket, frame = release.item
            if not self._ledger.is_open(ticket):
                continue  # its partition was taken away
            if release.order is Order.DUPLICATE:
                metrics.DROPS.labels(camera=frame.key.camera, reason="duplicate").inc()
                self._ledger.done(ticket)
            else:
                going.append((ticket, frame, release.order is Order.LATE))
        if not going:
            return []
        frames, snapshot = [frame for _, frame, _ in going], self._gallery.snapshot
        with metrics.STAGE_SECONDS.labels("match").time():
            identified = identify(frames, snapshot, self._default_threshold)
        named: list[Named[Ticket]] = []
        for (ticket, frame, late), result in zip(going, identified, strict=True):
            camera = frame.key.camera
            result.late = late
            if late:
                metrics.LATE_FRAMES.labels(camera=camera).inc()
            metrics.FACES.labels(camera=camera).inc(len(result.faces))
            self._note_strange_models(frame)
            named += self._tracks.push(
                ticket, frame, result, snapshot, late=late, partition=ticket.partition
            )
        return named

    def _publish(self, named: Sequence[Named[Ticket]]) -> None:
        for each in named:
            if each.tracks:
                self._checkpoints.released(each.item)
            key, records = each.frame.key, self._records(each)
            self._publisher.frame(each.item, key.camera, key.captured_at, records)

    def _records(self, named: Named[Ticket]) -> list[OutRecord]:
        frame, result = named.frame, named.result
        topics = [] if self._outputs.identified_topic is None else [self._outputs.identified_topic]
        if self._outputs.person_topics is not None:
            topics += [self._outputs.person_topics.of(slug) for slug in people_in(result)]
        if not topics:
            return []
        headers = identified_records.to_headers(result)
        key = frame.key.camera.encode()
        return [OutRecord(topic, key, frame.record.jpeg, headers) for topic in topics]

    def _commit(self) -> None:
        """Commit what is through, without waiting; what fails is made good by the next one."""
        if news := self._ledger.news():
            self._backoff.reset()
            topic = self._outputs.processed_topic
            self._send_offsets([TopicPartition(topic, *moved) for moved in news.items()])

    def _hand_over(self) -> None:
        """Publish what is under way, commit, and tell the next owner how far each camera is.

        Everything here gives up after a few seconds: the broker or the database may be gone.
        """
        self._publish(self._tracks.let_go())
        self._publisher.flush(_FLUSH_S)
        remembered = self._checkpoints.flush(_REMEMBERED_S)
        topic = self._outputs.processed_topic
        self._send_offsets(
            [
                TopicPartition(topic, number, at, self._word_to_the_next(number, remembered))
                for number, at in self._ledger.positions().items()
            ]
        )
        # A commit that waits has no timeout. This question has one, and is answered after it.
        if owned := [TopicPartition(topic, number) for number in self._owned]:
            try:
                self._consumer.committed(owned, timeout=_COMMITTED_S)
            except KafkaException as failure:
                log.warning("offsets not confirmed", error=failure.args[0].str())

    def _send_offsets(self, offsets: list[TopicPartition]) -> None:
        mine = [at for at in offsets if at.partition in self._owned]
        if not mine:
            return
        try:
            self._consumer.commit(offsets=mine, asynchronous=True)
        except KafkaException as failure:
            error: KafkaError = failure.args[0]
            if error.fatal():
                raise BrokerError(f"offsets cannot be committed: {error.str()}") from None
            log.warning("offsets not committed", error=error.str())

    def _word_to_the_next(self, partition: int, remembered: bool) -> str:
        if self._publisher.in_flight or not remembered:
            return ""  # what is not through may have to be published again, in order
        return handover.encode(self._reorderer.marks(partition))

    def _resume(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            committed = consumer.committed(partitions, timeout=_COMMITTED_S)
        except KafkaException as failure:
            log.warning("last owner's word not read", error=failure.args[0].str())
            return
        for at in committed:
            self._reorderer.resume(at.partition, handover.decode(at.metadata))

    def _read_again(self, stop: StopSignal) -> None:
        """Go back to what is not through, after Kafka refused something."""
        self._publisher.flush(_FLUSH_S)
        stop.wait(self._backoff.next_s())
        for partition, position in self._ledger.positions().items():
            self._forget(partition)
            if partition in self._owned:
                topic = self._outputs.processed_topic
                self._consumer.seek(TopicPartition(topic, partition, position))
                log.warning("frames are read again", partition=partition, offset=position)
        self._publisher.forgive()

    def _forget(self, partition: int) -> None:
        self._reorderer.drop(partition)
        self._tracks.drop(partition)
        self._ledger.drop(partition)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._owned |= {p.partition for p in partitions}
        self._resume(consumer, partitions)
        self._rebalanced("partitions assigned", consumer, partitions)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if not self._ending:
            self._hand_over()
        self._on_lost(consumer, partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for p in partitions:
            self._owned.discard(p.partition)
            self._forget(p.partition)
            metrics.CONSUMER_LAG.labels(p.topic, str(p.partition)).set(0)
        self._rebalanced("partitions revoked", consumer, partitions)

    def _rebalanced(self, event: str, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.info(
            event,
            partitions=sorted(f"{p.topic}/{p.partition}" for p in partitions),
            owned=len(self._owned),
            member=consumer.memberid(),
        )
        self._health.ready("partitions", ok=True, detail=f"{len(self._owned)} owned")

    def _observe(self) -> None:
        behind = 0
        for partition in self._consumer.position(self._consumer.assignment()):
            low_high = self._consumer.get_watermark_offsets(partition, cached=True)
            if low_high is not None and partition.offset >= 0 and low_high[1] >= 0:
                lag = max(0, low_high[1] - partition.offset)
                behind += lag
                metrics.CONSUMER_LAG.labels(partition.topic, str(partition.partition)).set(lag)
        self._load.frames_behind = behind
        if (overflows := self._reorderer.overflows) > self._overflows:
            log.warning("frames went early for want of memory", frames=overflows - self._overflows)
            self._overflows = overflows

    def _note_strange_models(self, frame: Frame) -> None:
        sha, snapshot = frame.recogniser_sha256, self._gallery.snapshot
        if sha in self._unmatched or sha in snapshot.matrices:
            return
        if len(frame.faces) and snapshot.matrices:
            self._unmatched.add(sha)
            log.warning(
                "no reference was made by the models of these frames: nobody can be named",
                camera=frame.key.camera,
                pack=frame.record.models.name,
            )


def _is_record(message: Message) -> bool:
    error = message.error()
    if error is None:
        return True
    if error.fatal():
        raise BrokerError(f"the consumer cannot go on: {error.str()}")
    if error.code() != KafkaError._PARTITION_EOF:
        log.warning("consumer", error=error.str())
    return False
