"""Which offsets may be committed: up to the first record that is not dealt with."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ticket:
    """A record that was read and is not dealt with yet.

    Attributes:
        partition: it was read from.
        offset: in the partition.
        epoch: of the partition's ownership; a ticket of an earlier one counts no more.
    """

    partition: int
    offset: int
    epoch: int


@dataclass(slots=True)
class _Partition:
    epoch: int
    after: int
    reported: int
    open: dict[int, int] = field(default_factory=dict)  # what each waits for; ascending

    @property
    def position(self) -> int:
        return next(iter(self.open), self.after)


class OffsetLedger:
    """Follows records from being read to being dealt with, in any order.

    The offset of a partition moves only past records that are all dealt with; it is this class
    that says how far.
    """

    def __init__(self) -> None:
        self._epoch = 0
        self._partitions: dict[int, _Partition] = {}

    def take(self, partition: int, offset: int) -> Ticket:
        """A record was read; offsets of a partition ascend."""
        known = self._partitions.get(partition)
        if known is None:
            self._epoch += 1
            known = self._partitions[partition] = _Partition(self._epoch, offset, offset)
        known.open[offset] = 1
        known.after = offset + 1
        return Ticket(partition, offset, known.epoch)

    def wait_for_another(self, ticket: Ticket) -> None:
        """One `done` more is needed for this record."""
        if self.is_open(ticket):
            self._partitions[ticket.partition].open[ticket.offset] += 1

    def done(self, ticket: Ticket) -> None:
        """One thing a record waited for has come; the first, unless more are waited for.

        It is published and acknowledged, dead-lettered or left out; or remembered.
        """
        if not self.is_open(ticket):
            return
        open_ = self._partitions[ticket.partition].open
        open_[ticket.offset] -= 1
        if not open_[ticket.offset]:
            del open_[ticket.offset]

    def is_open(self, ticket: Ticket) -> bool:
        """Whether the record is not dealt with, and still ours."""
        known = self._partitions.get(ticket.partition)
        return known is not None and known.epoch == ticket.epoch and ticket.offset in known.open

    def positions(self) -> dict[int, int]:
        """The first offset not dealt with, of every partition that something was read of."""
        return {number: partition.position for number, partition in self._partitions.items()}

    def news(self) -> dict[int, int]:
        """Positions that moved since the last call, by partition."""
        moved = {
            number: partition.position
            for number, partition in self._partitions.items()
            if partition.position != partition.reported
        }
        for number, position in moved.items():
            self._partitions[number].reported = position
        return moved

    def drop(self, partition: int) -> None:
        """The partition was taken away, or is read again: its open tickets count no more."""
        self._partitions.pop(partition, None)

    @property
    def open_records(self) -> int:
        """Records read and not dealt with."""
        return sum(len(partition.open) for partition in self._partitions.values())
