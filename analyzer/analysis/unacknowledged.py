"""What a side sent again and again, and the capture shows no acknowledgment of: how a dead path begins.

Only directions that owe something, and in which TCP sent anything again, are looked at: in most captures none. What is
said is what shows until the capture ends. Whether the path is dead, nobody can tell before a side gives up.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analyzer.streams.assembly import Assembly
from analyzer.streams.sequence import distances
from dissectors.schemas import NO_TIME
from dissectors.tables import Array, Table

APART = 10_000_000
"""ns. Sendings closer than that are one, captured twice: TCP's shortest timer is longer (RFC 8985 §7.2)."""
NAMES = ("unacknowledged", "resent", "unacknowledged_by", "unacknowledged_packet", "resent_packet", "heard_since")


def unacknowledged_columns(tables: Mapping[str, Table], assembly: Assembly, stream: Array, client: Array,
                           both: Array) -> dict[str, Array]:  # fmt: skip
    """The columns of `NAMES`, of the side that sent more often; `both` sides were captured."""
    found: dict[str, Array] = {name: np.full(len(stream), -1, np.int64) for name in NAMES}
    found["unacknowledged"][:] = found["resent"][:] = found["heard_since"][:] = 0
    owed = assembly.segments.column("next") - assembly.segments.column("acked")
    suspect = (owed > 0) & (assembly.segments.tally("retransmitted") > 0)
    rows = np.flatnonzero(both & (suspect[2 * stream] | suspect[2 * stream + 1]))
    if not len(rows):
        return found
    packets = tables["packets"]
    order = np.argsort(packets["stream"], kind="stable")
    edges = (
        np.searchsorted(packets["stream"][order], stream[rows]),
        np.searchsorted(packets["stream"][order], stream[rows], "right"),
    )
    for row, low, high in zip(rows.tolist(), *(edge.tolist() for edge in edges), strict=True):
        for direction in (0, 1):
            slot = 2 * int(stream[row]) + direction
            if suspect[slot]:
                start = int(assembly.segments.column("base")[slot] + assembly.segments.column("acked")[slot])
                _look(found, row, packets, order[low:high], direction, start, int(owed[slot]))
        if found["unacknowledged_by"][row] >= 0:
            found["unacknowledged_by"][row] ^= int(client[row])
    return found


def _look(found: dict[str, Array], row: int, packets: Table, mine: Array, direction: int, start: int,
          owed: int) -> None:  # fmt: skip
    """Fill in what a direction shows, if that was sent more often than what stands there. `start` is the sequence
    number of the first octet that nobody acknowledged."""
    of = packets["direction"][mine]
    behind = distances(start - packets["seq"][mine].astype(np.int64))
    holds = (of == direction) & (behind >= 0) & (behind < packets["segment_length"][mine])
    time = packets["time"][mine[holds]]
    if len(time) < 2 or (time == NO_TIME).any():
        return
    resent = int(np.count_nonzero(np.diff(time) >= APART))
    if resent <= found["resent"][row]:
        return
    sent = mine[holds]
    cells = (owed, resent, direction, *packets.rows()[sent[[0, -1]]], np.count_nonzero(mine[of != direction] > sent[0]))
    for name, cell in zip(NAMES, cells, strict=True):
        found[name][row] = cell
