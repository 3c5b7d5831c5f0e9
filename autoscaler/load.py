"""From what Kafka counts to frames per second: how much comes, how much is done, how far behind."""

from __future__ import annotations

from dataclasses import dataclass, field

_LEAST_FPS = 0.01
# Frames that wait besides those that workers may have in hand, and have not committed yet.
_BATCH, _WAITING_S = 8, 0.5


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the topic of frames and the group that reads it.

    Attributes:
        at_s: when, on a clock that never goes back.
        written: sum of the partitions' end offsets.
        done: sum of the offsets where the group goes on.
        skipped: frames of `done` that were left out as too old, since some beginning.
        partitions: of the topic.
        members: those of the group that hold partitions.
        settled: whether the group is not sharing them out anew just now.
    """

    at_s: float
    written: int
    done: int
    partitions: int
    members: frozenset[str] = frozenset()
    skipped: int = 0
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Load:
    """What the last few samples say together.

    Attributes:
        at_s: time of the newest.
        lag_frames: written, not yet done.
        arriving_fps: frames/s that are written.
        newest_fps: the same between the last two samples alone.
        done_fps: frames/s that are truly processed.
        busy_fps: the same while frames were always waiting: more they cannot do. None where they
            were not, or not for two samples.
        skipped_fps: frames/s left out because they were too old.
        partitions: of the topic.
        taking: workers that hold partitions.
        settled: whether all samples had the same workers, and none was in the middle of a change.
    """

    at_s: float
    lag_frames: int
    arriving_fps: float
    newest_fps: float
    done_fps: float
    busy_fps: float | None
    skipped_fps: float
    partitions: int
    taking: int
    settled: bool

    @property
    def peak_fps(self) -> float:
        """Frames/s to be ready for: a burst counts from its first sample on."""
        return max(self.arriving_fps, self.newest_fps)

    @property
    def lag_s(self) -> float:
        """How far the workers are behind the cameras; 0 where no frame waits.

        While more arrives than is done, about the age of the oldest frame; else the time until
        the last one that waits is done.
        """
        waiting = self.lag_frames - max(1, self.taking)  # each worker has one in hand
        return max(0, waiting) / max(self.peak_fps, self.done_fps, _LEAST_FPS)


@dataclass(slots=True)
class History:
    """The samples of the last `window_s` seconds, two at least.

    A topic that was made anew, or has more partitions than before, begins a new history.
    """

    window_s: float
    _samples: list[Sample] = field(default_factory=list)

    def forget(self) -> None:
        """Begin anew, as after a time without answers."""
        self._samples.clear()

    def add(self, sample: Sample) -> None:
        """Take the newest sample."""
        if self._samples and _is_another_topic(self._samples[-1], sample):
            self.forget()
        self._samples.append(sample)
        edge_s = sample.at_s - self.window_s
        while len(self._samples) > 2 and self._samples[1].at_s <= edge_s:
            self._samples.pop(0)

    def load(self) -> Load | None:
        """What they say; None until there are two."""
        if len(self._samples) < 2:
            return None
        first, before, last = self._samples[0], self._samples[-2], self._samples[-1]
        seconds = last.at_s - first.at_s
        return Load(
            at_s=last.at_s,
            lag_frames=_lag(last),
            arriving_fps=(last.written - first.written) / seconds,
            newest_fps=(last.written - before.written) / (last.at_s - before.at_s),
            done_fps=_done_fps(first, last),
            busy_fps=self._busy_fps(),
            skipped_fps=max(0, last.skipped - first.skipped) / seconds,
            partitions=last.partitions,
            taking=len(last.members),
            settled=all(s.settled and s.members == last.members for s in self._samples),
        )

    def _busy_fps(self) -> float | None:
        last = self._samples[-1]
        in_hand = _BATCH * max(1, len(last.members))
        waiting = in_hand + _WAITING_S * _done_fps(self._samples[-2], last)
        first = None
        for sample in reversed(self._samples):
            if _lag(sample) < waiting:
                break
            first = sample
        return None if first is None or first is last else _done_fps(first, last)


def _done_fps(first: Sample, last: Sample) -> float:
    skipped = max(0, last.skipped - first.skipped)
    return max(0, last.done - first.done - skipped) / (last.at_s - first.at_s)


def _lag(sample: Sample) -> int:
    return max(0, sample.written - sample.done)


def _is_another_topic(before: Sample, now: Sample) -> bool:
    return (
        now.partitions != before.partitions
        or now.written < before.written
        or now.done < before.done
        or now.at_s <= before.at_s
    )
