"""Puts IP fragments together (RFC 791 §3.2, RFC 8200 §4.5).

Theory of operation. A datagram in progress is a list of parts without overlap: of octets that come twice the first copy
stays, whatever the second says, as with TCP. It is complete once its last fragment is known and no hole is left. What
is held is bounded by octets and by the number of datagrams: the oldest goes first. One that is not complete
`LOST_TIME` of capture time or `LOST_PACKETS` records after its first fragment is given up, when the next fragment
comes: both are facts of the capture, so that chunks and clocks do not matter. Every fragment counts: as part of a
datagram that was completed, as lost, or as repeated.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Hashable
from operator import itemgetter
from typing import NamedTuple

from analyzer.packets.pieces import Buffer, joined
from dissectors.schemas import NO_TIME

LOST_TIME = 30_000_000_000
"""ns. Linux's ipfrag_time; RFC 8200 allows 60 s, and RFC 4963 shows why less is better."""
LOST_PACKETS = 1 << 15
"""An identification has 16 bits (RFC 6864 §3): 65,536 packets later it may mean another datagram."""
HELD_OCTETS = 4 << 20
"""Linux's ipfrag_high_thresh."""
HELD_DATAGRAMS = 4096
PART = 256
"""Octets that keeping a part costs beside its own, about as Linux's truesize counts them."""
PARTS = 1366
"""Parts of one datagram: 65,535 octets in the smallest fragments that RFC 791 §3.2 asks for, 48 octets each."""
DONE = 1024
"""Completed datagrams that are remembered, to tell a repeated fragment from a lonely one."""


class Whole(NamedTuple):
    """A completed datagram: what stands behind its IP header."""

    buffer: Buffer
    protocol: int
    overlap: str
    """What its fragments disagree about; empty where nothing."""


class _Datagram:
    """One in progress."""

    __slots__ = ("again", "covered", "fragments", "held", "overlap", "packet", "parts", "protocol", "time", "total")

    def __init__(self, time: int, packet: int, again: bool) -> None:
        self.time = time
        self.packet = packet
        self.again = again
        self.parts: list[tuple[int, Buffer]] = []
        self.protocol = -1
        self.total = -1
        self.covered = 0
        self.fragments = 0
        self.held = 0
        self.overlap = ""

    @property
    def reach(self) -> int:
        """Where its last part stops."""
        return self.parts[-1][0] + self.parts[-1][1].length if self.parts else 0


class Fragments:
    """The datagrams of one capture that are not complete yet."""

    def __init__(self, octets: int = HELD_OCTETS, datagrams: int = HELD_DATAGRAMS) -> None:
        self.limits = (octets, datagrams)
        self.held = 0
        self.completed = 0
        """Datagrams put together."""
        self.repeated = 0
        """Fragments that came again."""
        self.overlapping = 0
        """Completed datagrams whose fragments overlap."""
        self._lost = 0
        self._open: OrderedDict[Hashable, _Datagram] = OrderedDict()
        self._done: OrderedDict[Hashable, tuple[int, int]] = OrderedDict()

    @property
    def lost(self) -> int:
        """Fragments of datagrams that were given up, or are not complete so far."""
        return self._lost + sum(one.fragments for one in self._open.values() if not one.again)

    def add(self, key: Hashable, start: int, more: bool, payload: Buffer, protocol: int, time: int,
            packet: int) -> Whole | None:  # fmt: skip
        """Take a fragment in: `payload` belongs at `start`; `more` is its flag. Returns the datagram that it
        completes. `protocol` counts where `start` is 0."""
        self._expire(time, packet)
        datagram = self._open.get(key)
        if datagram is None:
            done = self._done.get(key)
            again = done is not None and not _old(*done, time, packet)
            datagram = self._open[key] = _Datagram(time, packet, again)
        datagram.fragments += 1
        if start == 0 and datagram.protocol < 0:
            datagram.protocol = protocol
        stop = start + payload.length
        if not more and datagram.total < 0 and stop >= datagram.reach:
            datagram.total = stop
        if (datagram.total >= 0 and stop > datagram.total) or (not more and stop != datagram.total):
            datagram.overlap = "two lengths of one datagram"
        else:
            self._take(datagram, start, stop, payload)
        if datagram.covered == datagram.total:
            return self._complete(key, datagram, time, packet)
        while self.held > self.limits[0] or len(self._open) > self.limits[1]:
            self._give_up(next(iter(self._open)))
        return None

    def _take(self, datagram: _Datagram, start: int, stop: int, payload: Buffer) -> None:
        """Keep of a fragment what no earlier one has."""
        parts = datagram.parts
        place = bisect_left(parts, start, key=itemgetter(0))
        if place and parts[place - 1][0] + parts[place - 1][1].length > start:
            place -= 1
        free, at = [], start
        while place < len(parts) and parts[place][0] < stop:
            low, part = parts[place]
            high = low + part.length
            if low > at:
                free.append((at, low))
            _compare(datagram, start, stop, payload, low, high, part)
            at = high
            place += 1
        if at < stop:
            free.append((at, stop))
        elif not free:
            self.repeated += 1
        for low, high in free:
            if len(parts) < PARTS:
                part = payload.cut(low - start, high - start, high - low)
                insort(parts, (low, part), key=itemgetter(0))
                datagram.covered += high - low
                datagram.held += len(part.octets) + PART
                self.held += len(part.octets) + PART

    def _complete(self, key: Hashable, datagram: _Datagram, time: int, packet: int) -> Whole:
        del self._open[key]
        self.held -= datagram.held
        self.completed += 1
        self.overlapping += bool(datagram.overlap)
        self._done[key] = (time, packet)
        self._done.move_to_end(key)
        if len(self._done) > DONE:
            self._done.popitem(last=False)
        return Whole(joined(datagram.parts, datagram.total), datagram.protocol, datagram.overlap)

    def _give_up(self, key: Hashable) -> None:
        datagram = self._open.pop(key)
        self.held -= datagram.held
        if datagram.again:
            self.repeated += datagram.fragments
        else:
            self._lost += datagram.fragments

    def _expire(self, time: int, packet: int) -> None:
        """Give up what waits too long. Datagrams stand in the order of their first fragments."""
        while self._open:
            key, oldest = next(iter(self._open.items()))
            if not _old(oldest.time, oldest.packet, time, packet):
                return
            self._give_up(key)


def _old(since: int, first: int, time: int, packet: int) -> bool:
    timed = NO_TIME not in (since, time)
    return packet - first > LOST_PACKETS or (timed and time - since > LOST_TIME)


def _compare(datagram: _Datagram, start: int, stop: int, payload: Buffer, low: int, high: int, part: Buffer) -> None:
    """Say how a fragment at `start:stop` overlaps with the part at `low:high`. Repeating it is no overlap."""
    first, last = max(start, low), min(stop, high)
    ours, theirs = part.octets[first - low : last - low], payload.octets[first - start : last - start]
    shorter = min(len(ours), len(theirs))
    if ours[:shorter] != theirs[:shorter]:
        datagram.overlap = "with other octets"
    elif (start, stop) != (low, high) and not datagram.overlap:
        datagram.overlap = "with the same octets"
