"""Capture loss: gaps in a stream that fall into a spell in which the capture says that it dropped packets.

Such octets crossed the wire, and no peer is to blame for them. A gap lies between the packets before and behind it in
its direction; a spell lies between two statistics of an interface (draft-ietf-opsawg-pcapng §4.6), and is the whole
capture where only its end tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analyzer.capture.records import Loss
from analyzer.schemas import DATA, GAP
from dissectors.schemas import NO_TIME
from dissectors.tables import Array, Table

WORD = "capture loss"


def lost_gaps(tables: Mapping[str, Table], losses: Sequence[Loss], stream: int = -1) -> Array:
    """Places in SPANS of the gaps that are capture loss, of one TCP connection or of all."""
    if not losses:
        return np.empty(0, np.int64)
    spans, packets = tables["spans"], tables["packets"]
    gap = spans["kind"] == GAP
    gaps = np.flatnonzero(gap if stream < 0 else gap & (spans["stream"] == stream))
    if not len(gaps):
        return gaps
    until = packets.take("time", spans["packet"][gaps])
    since = packets.take("time", spans["packet"][_before(spans, gaps)])
    known = until != NO_TIME
    found = np.zeros(len(gaps), np.bool_)
    for loss in losses:
        stop = loss.stop if loss.stop != NO_TIME else np.iinfo(np.int64).max
        found |= known & (loss.start <= until) & (since <= stop)
    return gaps[found]


def lost_octets(tables: Mapping[str, Table], losses: Sequence[Loss], stream: int = -1) -> dict[tuple[int, int], int]:
    """Octets that are capture loss, by stream and direction."""
    spans, octets = tables["spans"], dict[tuple[int, int], int]()
    for row in lost_gaps(tables, losses, stream).tolist():
        slot = int(spans["stream"][row]), int(spans["direction"][row])
        octets[slot] = octets.get(slot, 0) + int(spans["length"][row])
    return octets


def _before(spans: Table, gaps: Array) -> Array:
    """The data that stands before each gap in its direction; the gap itself where nothing does."""
    slot = 2 * spans["stream"].astype(np.int64) + spans["direction"]
    data = np.flatnonzero((spans["kind"] == DATA) & np.isin(slot, slot[gaps]))
    order = data[np.lexsort((spans["offset"][data], slot[data]))]
    before = gaps.copy()
    for index, gap in enumerate(gaps.tolist()):
        low, high = np.searchsorted(slot[order], [slot[gap], slot[gap] + 1])
        at = low + int(np.searchsorted(spans["offset"][order[low:high]], spans["offset"][gap])) - 1
        if at >= low:
            before[index] = order[at]
    return before
