"""Connections that are one session: the legs of it on either side of a proxy, and one leg captured at two places.

Theory of operation. A proxy that passes the Upgrade on passes Sec-WebSocket-Key on, 16 random octets; so connections
with one key are one session, or a script that always sends the same. They are legs where the second was asked for and
answered inside the first, which is how a proxy does it, and where they do not lead to the same server. They are two
views of one connection where both sides chose the same initial sequence numbers, 64 random bits that address
translation leaves alone; a TCP of its own, which a proxy has, chooses others.

The clock of the second view is compared as NTP does it (RFC 5905 §8). A packet that the first place saw and then the
second differs in time by the way between them plus the offset of the clocks, a packet the other way by the offset minus
the way. No way takes less than no time: the least difference of the packets that went there bounds the offset from
above, the greatest of those that came back from below. The middle is the estimate, half of the width its uncertainty.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from analyzer.streams.assembly import Assembly
from dissectors.schemas import NO_TIME
from dissectors.tables import Array, Table

Columns = Mapping[str, Array]
Rows = npt.NDArray[np.int64]
MOST = 64
"""Connections with one key beyond which it is a script's, and nothing is said of them."""
NAMES = ("client_leg", "server_leg", "other_view")
"""Columns of CONNECTIONS that hold rows of it."""


def twin_columns(tables: Mapping[str, Table], assembly: Assembly, connections: Columns) -> dict[str, Array]:
    """The columns of `NAMES`, and what the other view's clock shows."""
    count = len(connections["stream"])
    found: dict[str, Array] = {name: np.full(count, -1, np.int64) for name in NAMES}
    found["clock_offset"] = np.full(count, NO_TIME, np.int64)
    found["clock_error"] = np.full(count, -1, np.int64)
    shakes = tables["handshakes"]
    key = shakes["key"][connections["handshake"]]
    times = np.bincount(key)[key]
    rows = np.flatnonzero((key > 0) & (times > 1) & (times <= MOST))
    if not len(rows):
        return found
    rows = rows[np.lexsort((shakes["first_time"][rows], key[rows]))]
    base = np.asarray(assembly.segments.column("base"))
    for group in np.split(rows, np.flatnonzero(np.diff(key[rows])) + 1):
        _views(group.tolist(), connections, base, found)
        _legs(group.tolist(), connections, shakes, found)
    for row in np.flatnonzero(found["other_view"] > np.arange(count)).tolist():
        other = int(found["other_view"][row])
        offset, error, _ = clock_offset(tables, connections, row, other)
        found["clock_error"][[row, other]] = error
        if error >= 0:
            found["clock_offset"][[row, other]] = offset, -offset
    return found


def _views(group: list[int], connections: Columns, base: Array, found: dict[str, Array]) -> None:
    """Pair connections whose sequence numbers begin alike both ways."""
    known: dict[tuple[int, int], int] = {}
    for row in group:
        slot = 2 * int(connections["stream"][row]) + int(connections["client_direction"][row])
        start = int(base[slot]), int(base[slot ^ 1])
        other = known.setdefault(start, row)
        same = connections["stream"][other] == connections["stream"][row]
        if other != row and not same and min(start) >= 0 and found["other_view"][other] < 0:
            found["other_view"][other], found["other_view"][row] = row, other


def _legs(group: list[int], connections: Columns, shakes: Table, found: dict[str, Array]) -> None:
    """Pair connections that are nested in time, as brackets are."""
    asked, answered = (shakes[name][connections["handshake"][group]].tolist() for name in ("first_time", "last_time"))
    around: list[tuple[int, int]] = []
    for row, start, stop in zip(group, asked, answered, strict=True):
        if start == NO_TIME:
            continue
        while around and around[-1][1] <= stop:
            around.pop()
        front = around[-1][0] if around else row
        views = front in (row, found["other_view"][row])
        if not views and _lead_elsewhere(connections, front, row) and found["server_leg"][front] < 0:
            found["server_leg"][front], found["client_leg"][row] = row, front
        around.append((row, stop))


def _lead_elsewhere(connections: Columns, front: int, back: int) -> bool:
    return any(connections[name][front] != connections[name][back] for name in ("server_address", "server_port"))


def clock_offset(tables: Mapping[str, Table], connections: Columns, first: int, second: int) -> tuple[int, int, int]:
    """By how many ns the clock of the second view is ahead of the first's, how wrong that may be (-1 where the views do
    not share packets of both ways), and which view is nearer to the client: 0 the first, 1 the second."""
    spans = []
    for side in (0, 1):
        here, there = (view_packets(tables, connections, row, side) for row in (first, second))
        _, at, at_other = np.intersect1d(here[0], there[0], return_indices=True)
        known = (here[1][at] != NO_TIME) & (there[1][at_other] != NO_TIME)
        if not known.any():
            return 0, -1, 0
        ahead = there[1][at_other][known] - here[1][at][known]
        spans.append((int(ahead.min()), int(ahead.max())))
    (client_least, client_most), (server_least, server_most) = spans
    # a packet is seen later at the far place, so its difference bounds the offset: from above one way, below the other
    bounds = (server_most, client_least), (client_most, server_least)
    nearer = int(bounds[1][1] - bounds[1][0] > bounds[0][1] - bounds[0][0])
    low, high = bounds[nearer]
    return (low + high) // 2, (abs(high - low) + 1) // 2, nearer


def view_packets(tables: Mapping[str, Table], connections: Columns, row: int, side: int) -> tuple[Array, Array, Array]:
    """Of one side's packets in a view, each once: what tells them apart, times, and rows of PACKETS. Sequence number,
    acknowledgment, length and flags are the same wherever a packet is captured."""
    packets = tables["packets"]
    direction = int(connections["client_direction"][row]) ^ side
    mine = np.flatnonzero((packets["stream"] == connections["stream"][row]) & (packets["direction"] == direction))
    seq, ack, length, flags = (packets[name][mine].astype(np.uint64) for name in
                               ("seq", "ack", "segment_length", "flags"))  # fmt: skip
    # 32 bits of each would not fit: acknowledgments and flags are folded into the upper half
    folded = (
        ack * np.uint64(0x9E3779B1) ^ length * np.uint64(0x85EBCA6B) ^ flags * np.uint64(0xC2B2AE35)
    ) << np.uint64(32)
    # a packet sent again looks alike: its first copy stands for it
    label, first = np.unique(folded | seq, return_index=True)
    return label, packets["time"][mine][first], packets.rows()[mine][first]
