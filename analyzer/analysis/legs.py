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

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from analyzer.streams.assembly import Assembly
from dissectors.schemas import NO_TIME
from dissectors.tables import Array, Table

Columns = Mapping[str, Array]
Rows = npt.NDArray[np.int64]
MOST = 64
"""Connections with one key beyond which it is a script's, and nothing is said of them."""
COMPARED = 2000
"""Pairs of views whose clocks are compared: a comparison takes 0.2 ms, and all views of one place share its clock."""
NAMES = ("client_leg", "server_leg", "other_view")
"""Columns of CONNECTIONS that hold rows of it."""


class Packets:
    """The packets of each TCP connection. `starts` are the virtual offsets at which the capture's files begin."""

    def __init__(self, tables: Mapping[str, Table], starts: Sequence[int]) -> None:
        self._packets = tables["packets"]
        self._starts = np.array(starts, np.int64)

    @cached_property
    def _order(self) -> tuple[Rows, Array]:
        stream = self._packets["stream"]
        order = np.argsort(stream, kind="stable")
        return order, stream[order]

    @cached_property
    def places(self) -> Rows:
        """The file that each packet was captured in."""
        return np.searchsorted(self._starts, self._packets["offset"], side="right") - 1

    def at_two_places(self, streams: Rows) -> Rows:
        """Those of some TCP connections whose packets are in more than one file."""
        if len(self._starts) < 2:
            return streams[:0]
        order, stream = self._order
        place = self.places[order]
        change = (np.diff(stream) == 0) & (np.diff(place) != 0)
        found: Rows = streams[np.isin(streams, stream[1:][change])]
        return found

    def of(self, view: View) -> tuple[Array, Array, Array]:
        """Packets each once: what tells them apart, times, and rows of PACKETS. Sequence number, acknowledgment, length
        and flags are the same wherever a packet is captured; of one sent again the first copy counts."""
        order, stream = self._order
        low, high = np.searchsorted(stream, [view.stream, view.stream + 1])
        mine = order[low:high]
        mine = mine[self._packets["direction"][mine] == view.direction]
        if view.place >= 0:
            mine = mine[self.places[mine] == view.place]
        names = ("seq", "ack", "segment_length", "flags")
        seq, ack, length, flags = (self._packets[name][mine].astype(np.uint64) for name in names)
        mixed = ack * np.uint64(0x9E3779B1) ^ length * np.uint64(0x85EBCA6B) ^ flags * np.uint64(0xC2B2AE35)
        label, first = np.unique(mixed << np.uint64(32) | seq, return_index=True)
        return label, self._packets["time"][mine][first], self._packets.rows()[mine][first]

    def two_places(self, stream: int) -> list[int]:
        """The first two files that hold packets of a TCP connection."""
        order, streams = self._order
        low, high = np.searchsorted(streams, [stream, stream + 1])
        place = self.places[order[low:high]]
        values, first = np.unique(place, return_index=True)
        found: list[int] = values[np.argsort(first)][:2].tolist()
        return found


class View(NamedTuple):
    """A direction of a TCP connection, as one place saw it; -1: every place."""

    stream: int
    direction: int
    place: int = -1


Pair: TypeAlias = tuple[View, View]


def twin_columns(tables: Mapping[str, Table], assembly: Assembly, connections: Columns,
                 starts: Sequence[int]) -> dict[str, Array]:  # fmt: skip
    """The columns of `NAMES`, at how many places each was captured, and what the other place's clock shows."""
    count = len(connections["stream"])
    found: dict[str, Array] = {name: np.full(count, -1, np.int64) for name in NAMES}
    found["clock_offset"] = np.full(count, NO_TIME, np.int64)
    found["clock_error"] = np.full(count, -1, np.int64)
    found["places"] = np.ones(count, np.uint8)
    packets = Packets(tables, starts)
    _same_key(tables, assembly, connections, found)
    for row in np.flatnonzero(found["other_view"] > np.arange(count))[:COMPARED].tolist():
        other = int(found["other_view"][row])
        offset, error, _ = clock_offset(packets, *views_of(connections, row, other))
        found["clock_error"][[row, other]] = error
        if error >= 0:
            found["clock_offset"][[row, other]] = offset, -offset
    twice = packets.at_two_places(connections["stream"].astype(np.int64))
    for row in np.flatnonzero(np.isin(connections["stream"], twice))[:COMPARED].tolist():
        offset, error, _ = clock_offset(packets, *views_of(connections, row, row, packets))
        if error >= 0:
            found["places"][row] = 2
            found["clock_offset"][row], found["clock_error"][row] = offset, error
    return found


def views_of(connections: Columns, row: int, other: int, packets: Packets | None = None) -> tuple[Pair, Pair]:
    """Two views, each its client's and its server's packets: of two rows, or of two files that hold one."""
    places = packets.two_places(int(connections["stream"][row])) if packets is not None else [-1, -1]
    first, second = (
        (View(stream, client, place), View(stream, 1 - client, place))
        for at, place in zip((row, other), places, strict=True)
        for stream, client in ((int(connections["stream"][at]), int(connections["client_direction"][at])),)
    )
    return first, second


def _same_key(tables: Mapping[str, Table], assembly: Assembly, connections: Columns,
              found: dict[str, Array]) -> None:  # fmt: skip
    """Pair the connections that have one key."""
    shakes = tables["handshakes"]
    key = shakes["key"][connections["handshake"]]
    times = np.bincount(key)[key]
    rows = np.flatnonzero((key > 0) & (times > 1) & (times <= MOST))
    if not len(rows):
        return
    rows = rows[np.lexsort((shakes["first_time"][rows], key[rows]))]
    base = np.asarray(assembly.segments.column("base"))
    for group in np.split(rows, np.flatnonzero(np.diff(key[rows])) + 1):
        _views(group.tolist(), connections, base, found)
        _legs(group.tolist(), connections, shakes, found)


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


def clock_offset(packets: Packets, first: Pair, second: Pair) -> tuple[int, int, int]:
    """By how many ns the clock of the second view is ahead of the first's, how wrong that may be, and which view is
    nearer to the client: 0 the first, 1 the second. -1 for the second where the views do not share packets both ways,
    at least half of those of one of them: files that follow one another, or a tap that spreads packets."""
    spans = []
    for view, other in zip(first, second, strict=True):
        here, there = packets.of(view), packets.of(other)
        _, at, at_other = np.intersect1d(here[0], there[0], return_indices=True)
        known = (here[1][at] != NO_TIME) & (there[1][at_other] != NO_TIME)
        if not known.any() or 2 * len(at) < min(len(here[0]), len(there[0])):
            return 0, -1, 0
        ahead = there[1][at_other][known] - here[1][at][known]
        spans.append((int(ahead.min()), int(ahead.max())))
    (client_least, client_most), (server_least, server_most) = spans
    # a packet is seen later at the far place, so its difference bounds the offset: from above one way, below the other
    bounds = (server_most, client_least), (client_most, server_least)
    nearer = int(bounds[1][1] - bounds[1][0] > bounds[0][1] - bounds[0][0])
    low, high = bounds[nearer]
    return (low + high) // 2, (abs(high - low) + 1) // 2, nearer
