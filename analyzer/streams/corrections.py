"""Which copy of an octet is delivered where that is not the first one that passes."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import pairwise

Range = tuple[int, int, int, int, int]
"""Start, stop, packet that has the better copy, where its octet at `start` stands in the capture, its time."""


def apart(named: Sequence[Range]) -> list[Range]:
    """The ranges without overlap, ascending: each octet belongs to the range named last of those that hold it. Takes
    n log n steps, for peers choose how many there are and how they overlap."""
    order = sorted(range(len(named)), key=lambda place: named[place][0])
    begun: list[tuple[int, int]] = []
    found: list[Range] = []
    owner = -1
    at = 0
    for low, high in pairwise(sorted({edge for one in named for edge in one[:2]})):
        while at < len(order) and named[order[at]][0] == low:
            heappush(begun, (-order[at], named[order[at]][1]))
            at += 1
        while begun and begun[0][1] <= low:
            heappop(begun)
        if not begun:
            continue
        place = -begun[0][0]
        start, _, packet, offset, time = named[place]
        if place == owner and found[-1][1] == low:
            found[-1] = (found[-1][0], high, *found[-1][2:])
        else:
            found.append((low, high, packet, offset + low - start, time))
        owner = place
    return found
