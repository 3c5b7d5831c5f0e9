"""Which cameras a producer is to run: all of them evenly over all producers, moved seldom."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence


def share_of(
    me: str,
    holders: Mapping[str, str | None],
    producers: Collection[str],
    unavailable: Collection[str],
) -> list[str]:
    """The cameras that one producer is to run from now on.

    Everyone runs as many as everyone else, or one more. A producer keeps what it has, gives up
    what is more than its share, and takes what nobody has up to its share; what it gives up
    another one takes at its own next report.

    Args:
        me: the producer that asks.
        holders: every camera that is to run, in a fixed order, and who holds it, None for nobody.
        producers: all that report, the one that asks among them.
        unavailable: cameras that nobody holds and that may not be taken yet.

    Returns:
        Names of cameras, in the order of `holders`.
    """
    least, larger = divmod(len(holders), len(producers))
    counts = dict.fromkeys(producers, 0)
    for holder in holders.values():
        if holder in counts:
            counts[holder] += 1
    mine = [name for name, holder in holders.items() if holder == me]
    with_more = sum(count > least for name, count in counts.items() if name != me)
    share = least + (with_more < larger)
    free = (name for name, holder in holders.items() if holder is None and name not in unavailable)
    return _in_order([*mine[:share], *_first(free, share - len(mine))], holders)


def _first(names: Iterable[str], count: int) -> list[str]:
    return [name for name, _ in zip(names, range(max(0, count)), strict=False)]


def _in_order(names: Sequence[str], order: Mapping[str, str | None]) -> list[str]:
    return [name for name in order if name in names]
