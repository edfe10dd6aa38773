"""Ranges of stream offsets, apart and ascending, as tuples that begin with start and stop."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


def within(ranges: Sequence[tuple[int, ...]], low: int, high: int) -> list[tuple[int, int, tuple[int, ...]]]:
    """What of the ranges stands in low:high, as start, stop and the range that it is of."""
    found = []
    for place in range(max(bisect_left(ranges, (low + 1,)) - 1, 0), len(ranges)):
        one = ranges[place]
        if one[0] >= high:
            break
        start, stop = max(one[0], low), min(one[1], high)
        if start < stop:
            found.append((start, stop, one))
    return found
