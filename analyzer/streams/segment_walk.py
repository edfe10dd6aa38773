# cython: wraparound=False, initializedcheck=False, annotation_typing=False
"""The scalar walk from TCP segments to delivered spans: reassembly (RFC 9293 §3.4, §3.10.7.4).

Theory of operation. A *slot* is one direction of a connection (2 * stream + direction). Each slot knows the sequence
number of its first octet (`base`) and how many octets were delivered (`next`), a 64-bit offset, so sequence numbers
may wrap. A segment that starts at `next` is delivered at once, one that starts before it is trimmed to what is new,
one that starts behind it is held. What is held are spans, never octets. Delivery means a row of `Spans`: rows stand in
the order of delivery, and `release` is the packet that made the delivery possible.

A slot whose SYN was not seen does not know its first octet, unless the other side, having sent its SYN and nothing
else, acknowledges it. Otherwise what comes is held until a SYN turns up (captured late) or `START_PACKETS` packets of
the connection have passed; then the lowest sequence number is the start.

A hole is given up, as a gap of known length, by rules that look at the sequence of packets and at capture time only:
once its end was acknowledged (the receiver has the octets, the capture does not) and `LOST_PACKETS` more packets or
`LOST_TIME` have passed; where the other direction was not captured at all, after `LOST_BLIND` packets; when
`HELD_LIMIT` segments of one direction or `HELD_TOTAL` of all are held; and at the end. Octets that come for a gap
already given up are `late` rows. Before a hole is given up for `HELD_TOTAL`, directions that wait for their start are
settled, that which has waited longest first: many short connections whose SYNs were not captured would hold all.

Each side's octets are delivered after those that it acknowledges, so that a Pong never stands before its Ping where
only the Ping waits for a hole, or was captured later. What acknowledges octets that have not come is *withheld*, in
the order of its own direction, until they have, or are given up; where no hole is seen, because nothing stands behind
it yet, for `LOST_PACKETS` or `LOST_TIME`. Sequence numbers, figures and endings do not wait: rows do. Whatever is
delivered in one direction lets pass at once what waits for it in the other, so two directions cannot wait for each
other.

The first copy of an octet is delivered. Other copies are rows of kind overlap, so that somebody may compare them; a
keep-alive's one octet (RFC 9293 §3.8.4 lets it be garbage) is not. What is unusual in a direction is counted in a row
of `figures`, which only directions that need one get; where something of a kind was first seen stands there as well.

A copy is a *duplicate*, not a retransmission, where the capture holds one packet twice (a mirror port, or both sides of
a router): it has the IP identification of the first, or, where that is zero, follows within `COPY_TIME`. Recent
segments stand in a small table, in which a later one may take an earlier one's place.

A RST counts if its sequence number may be the next one that the receiver expects (RFC 9293 §3.10.7.4, RFC 5961 §3.2):
not below what was acknowledged, and not so far ahead that lost packets cannot explain it. Any other leaves the
connection as it is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from heapq import heappop, heappush

import numpy as np

from dissectors.columns import wider
from dissectors.schemas import NO_TIME
from dissectors.tables import Array

DATA, GAP, OVERLAP, LATE, STREAM_END, STREAM_RESET = 0, 1, 2, 3, 4, 5

INFERRED = 2
"""A value of `settled`: by the other side's acknowledgment, which a SYN that is captured late may still correct."""
FIN_DELIVERED = 4
"""A bit of `ended`, beside 1 for a FIN seen and 2 for a RST seen."""

START_PACKETS = 16
"""As many packets as a SYN may be late by; an initial window has ten segments (RFC 6928)."""
LOST_PACKETS = 64
LOST_BLIND = 1024
LOST_TIME = 1_000_000_000
"""ns. The initial retransmission timeout (RFC 6298 §2.1): what was acknowledged is not sent again anyway."""
HELD_LIMIT = 65536
HELD_TOTAL = 1 << 18
"""At some 300 octets each they take 80 MB."""
FAR = 1 << 30
"""Octets. The largest window (RFC 7323 §2.3): what stands further ahead is stray."""
RESET_AHEAD = 1 << 20
"""Octets that the capture may have lost before a RST. Forged numbers are nearly always further off."""
REORDERED = 3_000_000
"""ns that a hole stays open by reordering where no round trip is known; Wireshark has the same number."""
FOREVER = 1 << 62
COPY_TIME = 50_000
"""ns. Two copies of a packet that has no IP identification; the shortest retransmission timeouts are 1000 times it."""
LOST_RANGES = 1024
"""Gaps of a direction, the latest, that are remembered for octets that come late: a retransmission comes within a few
round trips."""
RECENT = 1024
"""Segments remembered for telling duplicates; must be a power of two."""

UNTIMED = NO_TIME
HALF, LAST = 0x80000000, 0xFFFFFFFF
"""Typed copies: Cython makes objects of literals that 32 bits do not hold."""

FIGURES = (
    "retransmitted", "out_of_order", "duplicates", "keepalives", "probes", "stalls", "stalled", "longest_stall",
    "shut_since", "urgent", "urgent_packet", "urgent_offset", "beyond", "beyond_packet", "beyond_offset", "resets",
    "reset_packet", "reset_offset", "early", "early_packet",
)  # fmt: skip
"""Columns of `figures`: packets, but octets for beyond (behind the FIN) and early (with the SYN), ns for stalled and
longest_stall (zero window)."""
(
    RETRANSMITTED, OUT_OF_ORDER, DUPLICATES, KEEPALIVES, PROBES, STALLS, STALLED, LONGEST_STALL, SHUT_SINCE, URGENT,
    URGENT_PACKET, URGENT_OFFSET, BEYOND, BEYOND_PACKET, BEYOND_OFFSET, RESETS, RESET_PACKET, RESET_OFFSET, EARLY,
    EARLY_PACKET,
) = range(len(FIGURES))  # fmt: skip


class Spans:
    """The delivered rows of one chunk, as columns that grow. The room is kept from chunk to chunk."""

    def __init__(self) -> None:
        self.count = 0
        self.room = 4096
        self.slot = np.empty(4096, np.int64).data
        self.kind = np.empty(4096, np.uint8).data
        self.offset = np.empty(4096, np.int64).data
        self.length = np.empty(4096, np.int64).data
        self.packet = np.empty(4096, np.int64).data
        self.at = np.empty(4096, np.int64).data
        self.position = np.empty(4096, np.int64).data
        self.time = np.empty(4096, np.int64).data
        self.release = np.empty(4096, np.int64).data

    def grow(self) -> None:
        """Double the room."""
        self.room *= 2
        self.slot = _wider(self.slot, self.room, 0)
        self.kind = _wider(self.kind, self.room, 0)
        self.offset = _wider(self.offset, self.room, 0)
        self.length = _wider(self.length, self.room, 0)
        self.packet = _wider(self.packet, self.room, 0)
        self.at = _wider(self.at, self.room, 0)
        self.position = _wider(self.position, self.room, 0)
        self.time = _wider(self.time, self.room, 0)
        self.release = _wider(self.release, self.room, 0)

    def column(self, name: str) -> Array:
        """One column of the rows delivered, as an array that the next chunk does not touch."""
        whole = {
            "slot": self.slot,
            "kind": self.kind,
            "offset": self.offset,
            "length": self.length,
            "packet": self.packet,
            "at": self.at,
            "position": self.position,
            "time": self.time,
            "release": self.release,
        }[name]
        return np.asarray(whole)[: self.count].copy()


class Segments:
    """What reassembly remembers: per slot, and (`packets`) per connection. `highest` is the end of what was seen behind
    a hole; `waiting` are slots that began to hold before they were settled, in that order."""

    def __init__(self) -> None:
        self.chunk = 0
        self.slots = 0
        self.room = 512
        self.settled = np.zeros(512, np.uint8).data
        self.base = np.full(512, -1, np.int64).data
        self.next = np.zeros(512, np.int64).data
        self.acked = np.zeros(512, np.int64).data
        self.seen = np.zeros(512, np.uint8).data
        self.ended = np.zeros(512, np.uint8).data
        self.holding = np.zeros(512, np.uint8).data
        self.fin = np.full(512, -1, np.int64).data
        self.hole_packets = np.zeros(512, np.int64).data
        self.hole_time = np.zeros(512, np.int64).data
        self.highest = np.zeros(512, np.int64).data
        self.data_packet = np.full(512, -1, np.int64).data
        self.data_time = np.full(512, NO_TIME, np.int64).data
        self.quiet_since = np.full(512, NO_TIME, np.int64).data
        self.missing = np.zeros(512, np.int64).data
        self.repeated = np.zeros(512, np.int64).data
        self.stray = np.zeros(512, np.int64).data
        self.packets = np.zeros(256, np.int64).data
        self.last_packet = np.full(256, -1, np.int64).data
        self.last_time = np.zeros(256, np.int64).data
        self.shut = np.zeros(512, np.uint8).data
        self.timed = np.full(512, -1, np.int64).data
        self.timed_since = np.zeros(512, np.int64).data
        self.trip = np.full(512, -1, np.int64).data
        self.shaking = np.zeros(256, np.uint8).data
        self.opened = np.zeros(256, np.int64).data
        self.opening_trip = np.full(256, -1, np.int64).data
        self.figure_of = np.full(512, -1, np.int32).data
        self.figures = np.zeros((64, len(FIGURES)), np.int64).data
        self.figured = 0
        self.recent_place = np.full(RECENT, -1, np.int64).data
        self.recent_look = np.zeros(RECENT, np.int64).data
        self.recent_time = np.zeros(RECENT, np.int64).data
        self.holding_all = 0
        self.withholding = np.zeros(512, np.uint8).data
        self.withheld_all = 0
        self.withheld: dict[int, deque[tuple[int, ...]]] = {}
        self.waiting: deque[int] = deque()
        self.corrections: dict[int, list[tuple[int, int, int, int, int]]] = {}
        self.held: dict[int, list[tuple[int, ...]]] = {}
        self.lost: dict[int, list[tuple[int, int]]] = {}
        self.gaps: dict[int, tuple[int, int, int]] = {}
        """By slot: where its first gap is, the packet that showed it (that had it given up, or was cut short), how many
        gaps there are."""
        self.finished = 0
        self.resets: dict[int, tuple[int, int]] = {}
        """By slot: packet and time of a RST that waits for what was sent before it."""
        self.endings: list[tuple[int, int, int]] = []

    def reserve(self, streams: int) -> None:
        """Make room for so many connections."""
        self.slots = 2 * streams
        if self.slots <= self.room:
            return
        old = self.room
        self.room = max(self.slots, 2 * old)
        self.settled = _wider(self.settled, self.room, 0)
        self.base = _wider(self.base, self.room, -1)
        self.next = _wider(self.next, self.room, 0)
        self.acked = _wider(self.acked, self.room, 0)
        self.seen = _wider(self.seen, self.room, 0)
        self.ended = _wider(self.ended, self.room, 0)
        self.holding = _wider(self.holding, self.room, 0)
        self.withholding = _wider(self.withholding, self.room, 0)
        self.fin = _wider(self.fin, self.room, -1)
        self.hole_packets = _wider(self.hole_packets, self.room, 0)
        self.hole_time = _wider(self.hole_time, self.room, 0)
        self.highest = _wider(self.highest, self.room, 0)
        self.data_packet = _wider(self.data_packet, self.room, -1)
        self.data_time = _wider(self.data_time, self.room, NO_TIME)
        self.quiet_since = _wider(self.quiet_since, self.room, NO_TIME)
        self.missing = _wider(self.missing, self.room, 0)
        self.repeated = _wider(self.repeated, self.room, 0)
        self.stray = _wider(self.stray, self.room, 0)
        self.packets = _wider(self.packets, self.room // 2, 0)
        self.last_packet = _wider(self.last_packet, self.room // 2, -1)
        self.last_time = _wider(self.last_time, self.room // 2, 0)
        self.shut = _wider(self.shut, self.room, 0)
        self.timed = _wider(self.timed, self.room, -1)
        self.timed_since = _wider(self.timed_since, self.room, 0)
        self.trip = _wider(self.trip, self.room, -1)
        self.shaking = _wider(self.shaking, self.room // 2, 0)
        self.opened = _wider(self.opened, self.room // 2, 0)
        self.opening_trip = _wider(self.opening_trip, self.room // 2, -1)
        self.figure_of = _wider(self.figure_of, self.room, -1)

    def widen(self) -> None:
        """Double the room for figures."""
        wide = np.zeros((2 * self.figured, len(FIGURES)), np.int64)
        wide[: self.figured] = np.asarray(self.figures)
        self.figures = wide.data

    def tally(self, name: str) -> Array:
        """A column of `figures`, per slot."""
        row_of = np.asarray(self.figure_of)[: self.slots]
        column = np.append(np.asarray(self.figures)[: self.figured, FIGURES.index(name)], 0)
        found: Array = column[row_of]
        return found

    def figured_slots(self) -> list[int]:
        """Slots in which something unusual was seen."""
        slots: list[int] = np.flatnonzero(np.asarray(self.figure_of)[: self.slots] >= 0).tolist()
        return slots

    def places(self, above: int) -> list[tuple[int, int]]:
        """Where the octets of what is held or withheld stand, as ranges of numbers from `above` on, ascending."""
        found = [(item[4], item[4] + item[3]) for heap in self.held.values() for item in heap if item[4] >= above]
        found += [(item[7], item[7] + item[5]) for queue in self.withheld.values() for item in queue
                  if item[7] >= above]  # fmt: skip
        return sorted(found)

    def column(self, name: str) -> Array:
        """One column of the state, as an array: per slot, or per connection."""
        whole = {
            "missing": self.missing,
            "repeated": self.repeated,
            "stray": self.stray,
            "data_packet": self.data_packet,
            "data_time": self.data_time,
            "quiet_since": self.quiet_since,
            "next": self.next,
            "base": self.base,
            "acked": self.acked,
            "fin": self.fin,
            "settled": self.settled,
            "heard": self.seen,
            "last_packet": self.last_packet,
            "last_time": self.last_time,
            "trip": self.trip,
            "opening_trip": self.opening_trip,
        }[name]
        by_stream = name in ("last_packet", "last_time", "opening_trip")
        return np.asarray(whole)[: self.slots // 2 if by_stream else self.slots].copy()


def _wider(old: memoryview, room: int, fill: int) -> memoryview:
    return wider(np.asarray(old), room, fill).data


def distance(number: int) -> int:
    """A 32-bit difference as a signed number: the one definition of sequence arithmetic (RFC 9293 §3.4)."""
    return ((number + HALF) & LAST) - HALF


def emit(spans: Spans, slot: int, kind: int, offset: int, length: int, packet: int, at: int, position: int,
         time: int, release: int) -> None:  # fmt: skip
    """Append a row."""
    if spans.count == spans.room:
        spans.grow()
    row = spans.count
    spans.slot[row] = slot
    spans.kind[row] = kind
    spans.offset[row] = offset
    spans.length[row] = length
    spans.packet[row] = packet
    spans.at[row] = at
    spans.position[row] = position
    spans.time[row] = time
    spans.release[row] = release
    spans.count = row + 1


def part(spans: Spans, slot: int, kind: int, offset: int, low: int, high: int, packet: int, at: int, position: int,
         time: int, release: int) -> None:  # fmt: skip
    """Append what stands from `low` to `high` of a segment that starts at `offset`."""
    skip = low - offset
    emit(spans, slot, kind, low, high - low, packet, at + skip, position + skip if position >= 0 else -1, time, release)


def copy(segments: Segments, spans: Spans, slot: int, offset: int, length: int, packet: int, at: int, position: int,
         time: int, release: int) -> None:  # fmt: skip
    """Append a copy that was not delivered, without what of it was; or what it has for gaps."""
    if slot in segments.lost and late(segments, spans, slot, offset, length, packet, at, position, time):
        return
    low = offset
    end_at = offset + length
    if segments.corrections and slot in segments.corrections:
        ranges = segments.corrections[slot]
        for place in range(max(bisect_left(ranges, (offset + 1,)) - 1, 0), len(ranges)):
            start, stop, winner, _, _ = ranges[place]
            if start >= end_at:
                break
            if winner == packet and stop > low:
                if start > low:
                    part(spans, slot, OVERLAP, offset, low, start, packet, at, position, time, release)
                low = stop
    if low < end_at:
        part(spans, slot, OVERLAP, offset, low, end_at, packet, at, position, time, release)


def correct(segments: Segments, spans: Spans, slot: int, offset: int, length: int, packet: int, at: int, position: int,
            time: int, release: int) -> None:  # fmt: skip
    """Deliver octets for parts of which another copy is the right one."""
    low = offset
    end_at = offset + length
    ranges = segments.corrections[slot]
    for place in range(max(bisect_left(ranges, (offset + 1,)) - 1, 0), len(ranges)):
        start, stop, winner, other, when = ranges[place]
        if start >= end_at:
            break
        high = min(stop, end_at)
        start_at = max(start, low)
        if start_at < high and winner != packet:
            if low < start_at:
                part(spans, slot, DATA, offset, low, start_at, packet, at, position, time, release)
            emit(spans, slot, DATA, start_at, high - start_at, winner, other + start_at - start, -1, when, release)
            part(spans, slot, OVERLAP, offset, start_at, high, packet, at, position, time, release)
            low = high
    if low < end_at:
        part(spans, slot, DATA, offset, low, end_at, packet, at, position, time, release)


def needed(segments: Segments, slot: int, ack: int) -> int:
    """How far the other side must have come before what acknowledges `ack` (-1 for nothing) of it is delivered; 0 where
    it has, or where that is no number that it can have reached."""
    other = slot ^ 1
    if ack < 0 or not segments.settled[other] or not segments.seen[other]:
        return 0
    ahead = distance(ack - segments.base[other] - segments.next[other])
    if ahead <= 0 or ahead > RESET_AHEAD or segments.next[other] + ahead <= reached(segments, other):
        return 0
    return segments.next[other] + ahead


def reached(segments: Segments, slot: int) -> int:
    """How far a slot has come, its FIN included, as acknowledgments count it."""
    return segments.next[slot] + (1 if segments.ended[slot] & FIN_DELIVERED else 0)


def withhold(segments: Segments, spans: Spans, slot: int, first: int, need: int) -> None:
    """Take back the rows from `first` on, which were just appended for a slot, until the other side has come to `need`;
    copies of octets are compared in the end, and need not wait."""
    if not segments.withholding[slot]:
        segments.withholding[slot] = 1
        segments.withheld[slot] = deque()
    queue = segments.withheld[slot]
    since = segments.packets[slot >> 1]
    kept = first
    for row in range(first, spans.count):
        if spans.kind[row] == OVERLAP:
            emit_again(spans, row, kept)
            kept += 1
            continue
        queue.append((need, since, segments.last_time[slot >> 1], spans.kind[row], spans.offset[row], spans.length[row],
                      spans.packet[row], spans.at[row], spans.position[row], spans.time[row],
                      segments.chunk))  # fmt: skip
        segments.withheld_all += 1
        segments.holding_all += 1
    spans.count = kept


def emit_again(spans: Spans, row: int, to: int) -> None:
    """Move a row to an earlier place."""
    spans.slot[to] = spans.slot[row]
    spans.kind[to] = spans.kind[row]
    spans.offset[to] = spans.offset[row]
    spans.length[to] = spans.length[row]
    spans.packet[to] = spans.packet[row]
    spans.at[to] = spans.at[row]
    spans.position[to] = spans.position[row]
    spans.time[to] = spans.time[row]
    spans.release[to] = spans.release[row]


def let_pass(segments: Segments, spans: Spans, slot: int, reach: int, release: int) -> None:
    """Deliver what is withheld of a slot and needs no more than `reach` of the other side."""
    queue = segments.withheld[slot]
    while queue and queue[0][0] <= reach:
        _, _, _, kind, offset, length, packet, at, position, time, chunk = queue.popleft()
        segments.withheld_all -= 1
        segments.holding_all -= 1
        emit(spans, slot, kind, offset, length, packet, at, position if chunk == segments.chunk else -1, time, release)
    if not queue:
        del segments.withheld[slot]
        segments.withholding[slot] = 0


def expire(segments: Segments, spans: Spans, slot: int, time: int, release: int) -> None:
    """Deliver what was withheld for so long that what it acknowledges is not in the capture. While the other side waits
    for a hole that was acknowledged, its rules say how long."""
    other = slot ^ 1
    while segments.withholding[slot]:
        if (
            segments.holding[other]
            and segments.holding_all <= HELD_TOTAL
            and len(segments.withheld[slot]) <= HELD_LIMIT
            and segments.acked[other] >= segments.held[other][0][0]
        ):
            return
        need, since, began = segments.withheld[slot][0][:3]
        waited = segments.packets[slot >> 1] - since
        if waited < LOST_PACKETS and not overdue(began, time) and segments.holding_all <= HELD_TOTAL:
            return
        let_pass(segments, spans, slot, max(need, reached(segments, other)), release)


def deliver(segments: Segments, spans: Spans, slot: int, offset: int, length: int, captured: int, packet: int, at: int,
            position: int, time: int, release: int, need: int) -> None:  # fmt: skip
    """Deliver a segment that starts at or before `next` and ends behind it, once the other side has come to `need`;
    what the capture cut off is a gap. Where the other side waits for a part of it only (a copy joins octets of several
    segments), that comes first."""
    while segments.withholding[slot ^ 1]:
        stop = segments.withheld[slot ^ 1][0][0]
        if stop <= segments.next[slot] or stop >= offset + length:
            break
        size = stop - offset
        deliver_part(segments, spans, slot, offset, size, min(captured, size), packet, at, position, time, release, 0)
        offset = stop
        length -= size
        captured = max(captured - size, 0)
        at += size
        if position >= 0:
            position += size
    deliver_part(segments, spans, slot, offset, length, captured, packet, at, position, time, release, need)


def deliver_part(segments: Segments, spans: Spans, slot: int, offset: int, length: int, captured: int, packet: int,
                 at: int, position: int, time: int, release: int, need: int) -> None:  # fmt: skip
    """Deliver a segment, or a part of one."""
    before = spans.count
    skip = segments.next[slot] - offset
    segments.next[slot] = offset + length
    if skip:
        segments.repeated[slot] += skip
        if captured > 0:
            copy(segments, spans, slot, offset, min(skip, captured), packet, at, position, time, release)
        offset += skip
        length -= skip
        captured -= skip
        at += skip
        if position >= 0:
            position += skip
    if captured > 0 and segments.corrections and slot in segments.corrections:
        correct(segments, spans, slot, offset, captured, packet, at, position, time, release)
    elif captured > 0:
        emit(spans, slot, DATA, offset, captured, packet, at, position, time, release)
    else:
        captured = 0
    if captured < length:
        cut(segments, spans, slot, offset + captured, offset + length, packet, time, release)
    if need or segments.withheld_all:
        pass_on(segments, spans, slot, before, need, release)


def cut(segments: Segments, spans: Spans, slot: int, low: int, end_at: int, packet: int, time: int,
        release: int) -> None:  # fmt: skip
    """The capture cut a segment short: deliver what a later copy has of the rest, if that is known; what none has is a
    gap."""
    if segments.corrections and slot in segments.corrections:
        ranges = segments.corrections[slot]
        for place in range(max(bisect_left(ranges, (low + 1,)) - 1, 0), len(ranges)):
            start, stop, winner, other, when = ranges[place]
            if start >= end_at:
                break
            high = min(stop, end_at)
            start_at = max(start, low)
            if start_at < high:
                if low < start_at:
                    gap(segments, spans, slot, low, start_at, packet, time, release, packet)
                emit(spans, slot, DATA, start_at, high - start_at, winner, other + start_at - start, -1, when, release)
                low = high
    if low < end_at:
        gap(segments, spans, slot, low, end_at, packet, time, release, packet)


def gap(segments: Segments, spans: Spans, slot: int, start: int, stop: int, packet: int, time: int, release: int,
        place: int) -> None:  # fmt: skip
    """Deliver that octets are missing, and remember where: they may come late. `place` is the packet that shows it."""
    # a row's length has 32 bits; `FAR` bounds a hole far below
    emit(spans, slot, GAP, start, stop - start, packet, -1, -1, time, release)
    segments.missing[slot] += stop - start
    ranges = segments.lost.setdefault(slot, [])
    if len(ranges) >= LOST_RANGES:
        del ranges[: LOST_RANGES // 2]
    ranges.append((start, stop))
    if slot in segments.gaps:
        first_at, first_place, count = segments.gaps[slot]
        segments.gaps[slot] = (first_at, first_place, count + 1)
    else:
        segments.gaps[slot] = (start, place, 1)


def pass_on(segments: Segments, spans: Spans, slot: int, first: int, need: int, release: int) -> None:
    """Rows from `first` on were appended for a slot, which has come further: withhold them where they have to wait, and
    let pass what waited for them."""
    if need or segments.withholding[slot]:
        withhold(segments, spans, slot, first, need)
    if segments.withholding[slot ^ 1]:
        let_pass(segments, spans, slot ^ 1, reached(segments, slot), release)


def unhold(segments: Segments, spans: Spans, slot: int, release: int) -> None:
    """Deliver what is held and no longer has a hole before it."""
    heap = segments.held[slot]
    while heap and heap[0][0] <= segments.next[slot]:
        offset, packet, length, captured, at, position, time, chunk, ack = heappop(heap)
        segments.holding_all -= 1
        here = position if chunk == segments.chunk else -1
        if offset + length <= segments.next[slot]:
            segments.repeated[slot] += length
            if captured > 0:
                copy(segments, spans, slot, offset, captured, packet, at, here, time, release)
        else:
            need = needed(segments, slot, ack)
            deliver(segments, spans, slot, offset, length, captured, packet, at, here, time, release, need)
    if not heap:
        del segments.held[slot]
        segments.holding[slot] = 0


def give_up(segments: Segments, spans: Spans, slot: int, release: int) -> None:
    """Turn the first hole into a gap, and go on behind it."""
    start = segments.next[slot]
    stop = segments.held[slot][0][0]
    if stop > start:
        packet = segments.held[slot][0][1]
        time = segments.held[slot][0][6]
        before = spans.count
        gap(segments, spans, slot, start, stop, packet, time, release, packet if segments.finished else release)
        segments.next[slot] = stop
        pass_on(segments, spans, slot, before, 0, release)
    unhold(segments, spans, slot, release)


def settle(segments: Segments, spans: Spans, slot: int, release: int) -> None:
    """Decide where a slot without a SYN starts: at its lowest sequence number. If the other one waits for that too it
    is settled with it, so that their octets are delivered after each other."""
    other = slot ^ 1
    both = segments.holding[other] and not segments.settled[other]
    start(segments, slot)
    if both:
        start(segments, other)
    while segments.waiting and segments.settled[segments.waiting[0]]:
        segments.waiting.popleft()
    if segments.holding[slot]:
        unhold(segments, spans, slot, release)
    if both:
        unhold(segments, spans, other, release)
        end(segments, spans, other, release, segments.data_time[other], release)
    end(segments, spans, slot, release, segments.data_time[slot], release)


def start(segments: Segments, slot: int) -> None:
    """The lowest sequence number held is the first of this slot."""
    segments.settled[slot] = 1
    if not segments.holding[slot]:
        return
    heap = segments.held[slot]
    lowest = heap[0][0]
    segments.base[slot] = (segments.base[slot] + lowest) & LAST
    segments.highest[slot] -= lowest
    segments.held[slot] = [(item[0] - lowest, *item[1:]) for item in heap]


def begin_at(segments: Segments, spans: Spans, slot: int, start: int, release: int) -> None:
    """A slot starts at the sequence number behind its SYN, which was not captured."""
    if segments.holding[slot]:
        behind = distance(start - segments.base[slot])
        heap = segments.held[slot]
        if heap[0][0] < behind:
            return  # it had been sending before that acknowledgment: `settle` decides
        segments.held[slot] = [(item[0] - behind, *item[1:]) for item in heap]
        segments.highest[slot] -= behind
    segments.base[slot] = start
    segments.settled[slot] = INFERRED
    if segments.holding[slot]:
        unhold(segments, spans, slot, release)


def relieve(segments: Segments, spans: Spans, release: int) -> None:
    """Too much is held: settle directions that wait for their start, the oldest first."""
    while segments.waiting and segments.holding_all > HELD_TOTAL:
        slot = segments.waiting.popleft()
        if not segments.settled[slot]:
            settle(segments, spans, slot, release)


def overdue(since: int, time: int) -> bool:
    """Whether `LOST_TIME` has passed, as far as the capture has times."""
    return since != UNTIMED and time != UNTIMED and time - since >= LOST_TIME


def end(segments: Segments, spans: Spans, slot: int, packet: int, time: int, release: int) -> None:
    """Deliver a FIN once all before it is delivered, and a RST once nothing is held that was sent before it."""
    if segments.holding[slot]:
        return
    before = spans.count
    if (
        segments.ended[slot] & 5 == 1
        and segments.settled[slot]
        and distance(segments.fin[slot] - segments.base[slot] - segments.next[slot]) <= 0
    ):
        segments.ended[slot] |= FIN_DELIVERED
        emit(spans, slot, STREAM_END, segments.next[slot], 0, packet, -1, -1, time, release)
    if segments.ended[slot] & 2 and slot in segments.resets:
        packet, time = segments.resets.pop(slot)
        if segments.withholding[slot ^ 1]:
            let_pass(segments, spans, slot ^ 1, FOREVER, release)  # what that waits for does not come any more
            before = spans.count
        emit(spans, slot, STREAM_RESET, segments.next[slot], 0, packet, -1, -1, time, release)
    if spans.count > before:
        pass_on(segments, spans, slot, before, 0, release)


def late(segments: Segments, spans: Spans, slot: int, offset: int, length: int, packet: int, at: int,
         position: int, time: int) -> int:  # fmt: skip
    """Octets for a gap that was given up; returns how many."""
    octets = 0
    ranges = segments.lost[slot]
    for place in range(max(bisect_left(ranges, (offset + 1,)) - 1, 0), len(ranges)):
        start, stop = ranges[place]
        if start >= offset + length:
            break
        low = max(start, offset)
        high = min(stop, offset + length)
        if low < high:
            part(spans, slot, LATE, offset, low, high, packet, at, position, time, packet)
            octets += high - low
    return octets


def figure(segments: Segments, slot: int) -> int:
    """The row of `figures` of a slot, a new one where it has none."""
    row = segments.figure_of[slot]
    if row < 0:
        row = segments.figured
        if row == len(segments.figures):
            segments.widen()
        segments.figured = row + 1
        segments.figure_of[slot] = row
        segments.figures[row, SHUT_SINCE] = UNTIMED
    return row


def first(segments: Segments, slot: int, kind: int, amount: int, packet: int, offset: int) -> None:
    """Count something of a kind whose first packet and offset stand in the next two columns."""
    row = figure(segments, slot)
    if not segments.figures[row, kind]:
        segments.figures[row, kind + 1] = packet
        segments.figures[row, kind + 2] = offset
    segments.figures[row, kind] += amount


def again(segments: Segments, slot: int, ahead: int, length: int, duplicate: bool) -> None:
    """Count a segment all of which came before."""
    row = figure(segments, slot)
    if duplicate:
        segments.figures[row, DUPLICATES] += 1
        return
    if length == 1 and segments.shut[slot ^ 1]:
        segments.figures[row, PROBES] += 1
    elif length == 1 and ahead == -1 and segments.acked[slot] >= segments.next[slot]:
        segments.figures[row, KEEPALIVES] += 1
    else:
        segments.figures[row, RETRANSMITTED] += 1
        # an acknowledgment may be for either copy (RFC 6298 §3, Karn's algorithm)
        segments.timed[slot] = -1


def filled(segments: Segments, slot: int, time: int) -> None:
    """Count a segment that came after one that stands behind it: sent again, unless it is too early for that."""
    row = figure(segments, slot)
    since = segments.hole_time[slot]
    age = time - since if time != UNTIMED and since != UNTIMED else 0
    trip = segments.opening_trip[slot >> 1]
    if age >= (trip if trip > 0 else REORDERED):
        segments.figures[row, RETRANSMITTED] += 1
    else:
        segments.figures[row, OUT_OF_ORDER] += 1
    segments.timed[slot] = -1


def window(segments: Segments, slot: int, size: int, time: int) -> None:
    """A window shut, or opened again."""
    row = figure(segments, slot)
    segments.shut[slot] = size == 0
    if size == 0:
        segments.figures[row, STALLS] += 1
        segments.figures[row, SHUT_SINCE] = time
        return
    since = segments.figures[row, SHUT_SINCE]
    segments.figures[row, SHUT_SINCE] = UNTIMED
    if since != UNTIMED and time > since:
        segments.figures[row, STALLED] += time - since
        if time - since > segments.figures[row, LONGEST_STALL]:
            segments.figures[row, LONGEST_STALL] = time - since


def handshake(segments: Segments, stream: int, slot: int, bits: int, time: int) -> None:
    """The round trip from a SYN to the acknowledgment of the SYN that answers it, where each was sent once. `shaking`
    is 0 before and after, then 2 * (step) + the direction of the first SYN."""
    step = segments.shaking[stream]
    if bits & 2 and not bits & 16:
        segments.shaking[stream] = 2 + (slot & 1) if not segments.opened[stream] and time != UNTIMED else 0
        segments.opened[stream] = time
    elif bits & 2:
        segments.shaking[stream] = step + 2 if step in (2, 3) and step & 1 != slot & 1 else 0
    elif step >= 4 and step & 1 == slot & 1:
        segments.shaking[stream] = 0
        if time != UNTIMED and time >= segments.opened[stream]:
            segments.opening_trip[stream] = time - segments.opened[stream]


def valid_reset(segments: Segments, slot: int, begin: int) -> bool:
    """Whether the receiver may expect this sequence number next."""
    if not segments.settled[slot]:
        return True
    ahead = distance(begin - segments.base[slot] - segments.next[slot])
    behind = min(segments.acked[slot], segments.next[slot]) - segments.next[slot]
    return behind <= ahead <= RESET_AHEAD


def known(segments: Segments, slot: int, seq: int, length: int, identification: int, time: int) -> bool:
    """Whether this is a packet that was captured before; remembers it."""
    at = (seq ^ (seq >> 11) ^ (slot * 977)) & (RECENT - 1)
    place = slot << 32 | seq
    look = length << 16 | identification
    same = segments.recent_place[at] == place and segments.recent_look[at] == look
    if same and identification == 0:
        since = segments.recent_time[at]
        same = time == UNTIMED or since == UNTIMED or -COPY_TIME <= time - since <= COPY_TIME
    segments.recent_place[at] = place
    segments.recent_look[at] = look
    segments.recent_time[at] = time
    return same


def walk(
    segments: Segments,
    spans: Spans,
    stream_of: memoryview,
    direction_of: memoryview,
    seq: memoryview,
    ack: memoryview,
    flags: memoryview,
    window_of: memoryview,
    identification_of: memoryview,
    captured_of: memoryview,
    length_of: memoryview,
    at_of: memoryview,
    position_of: memoryview,
    time_of: memoryview,
    number_of: memoryview,
) -> None:
    """Deliver a chunk of TCP packets. `at_of` is the virtual offset of the data, `position_of` where it stands in the
    chunk's octets, `number_of` the packet's row. FIN and RST go to `segments.endings` as (slot, kind, packet)."""
    for packet in range(len(stream_of)):
        stream = stream_of[packet]
        slot = 2 * stream + direction_of[packet]
        other = slot ^ 1
        bits = flags[packet]
        number = number_of[packet]
        begin = seq[packet]
        length = length_of[packet]
        segments.packets[stream] += 1
        segments.last_packet[stream] = number
        segments.last_time[stream] = time_of[packet]
        segments.seen[slot] = 1
        if bits & 4 and not valid_reset(segments, slot, begin):
            first(segments, slot, RESETS, 1, number, segments.next[slot])
            continue
        if bits & 2 or segments.shaking[stream]:
            handshake(segments, stream, slot, bits, time_of[packet])
        if (window_of[packet] == 0) != segments.shut[slot] and not bits & 7:
            window(segments, slot, window_of[packet], time_of[packet])
        if bits & 32:
            first(segments, slot, URGENT, 1, number, segments.next[slot])
        if bits & 5 and not segments.ended[slot] and not segments.ended[other]:
            # the first sign of TCP's end: how long had it been quiet?
            segments.quiet_since[slot] = time_of[packet] if length and bits & 1 else segments.data_time[slot]
            segments.quiet_since[other] = segments.data_time[other]
        if bits & 7:
            if bits & 4:
                length = 0
                if segments.ended[slot] & 2 == 0:
                    segments.ended[slot] |= 2
                    segments.endings.append((slot, 2, number))
                    segments.resets[slot] = (number, time_of[packet])
                    if segments.fin[slot] < 0:
                        segments.fin[slot] = begin  # what stands before it was sent, captured or not
            elif bits & 2:
                begin = (begin + 1) & LAST
                if length:
                    row = figure(segments, slot)
                    segments.figures[row, EARLY] += length
                    segments.figures[row, EARLY_PACKET] = number
                if not segments.settled[slot] or (segments.settled[slot] == INFERRED and not segments.next[slot]):
                    if segments.holding[slot]:
                        segments.held[slot] = [
                            (item[0] + distance(segments.base[slot] - begin), *item[1:]) for item in segments.held[slot]
                        ]
                    segments.settled[slot] = 1
                    segments.base[slot] = begin
                    segments.acked[slot] = 0
                    if segments.holding[slot]:
                        unhold(segments, spans, slot, number)
            if bits & 1 and segments.ended[slot] & 1 == 0:
                segments.ended[slot] |= 1
                segments.endings.append((slot, 1, number))
                segments.fin[slot] = (begin + length) & LAST
        need = 0
        if bits & 20 == 16 and not segments.settled[other] and segments.settled[slot] and not segments.next[slot]:
            begin_at(segments, spans, other, ack[packet], number)
        if bits & 16 and segments.settled[other]:
            reach = segments.next[other] + distance(ack[packet] - segments.base[other] - segments.next[other])
            if reach > segments.next[other]:
                need = needed(segments, slot, ack[packet])
            if reach > segments.acked[other]:
                segments.acked[other] = reach
                if segments.timed[other] >= 0 and reach >= segments.timed[other]:
                    segments.timed[other] = -1
                    trip = time_of[packet] - segments.timed_since[other] if time_of[packet] != UNTIMED else -1
                    if trip >= 0 and (segments.trip[other] < 0 or trip < segments.trip[other]):
                        segments.trip[other] = trip
        if not length and bits & 7 == 0 and segments.settled[slot] and not segments.ended[slot]:
            probe = (segments.base[slot] + segments.next[slot] - 1) & LAST
            if begin == probe:
                row = figure(segments, slot)
                segments.figures[row, PROBES if segments.shut[other] else KEEPALIVES] += 1
        if length:
            duplicate = known(segments, slot, begin, length, identification_of[packet], time_of[packet])
            captured = captured_of[packet]
            if segments.ended[slot] & 1:
                ahead = distance(begin + length - segments.fin[slot])
                if ahead > 0:
                    first(segments, slot, BEYOND, min(ahead, length), number, segments.next[slot])
                    if ahead > length and segments.ended[slot] & FIN_DELIVERED:
                        length = 0  # §3.10.7.4: in CLOSE-WAIT and after, a receiver ignores it
            segments.data_packet[slot] = number
            segments.data_time[slot] = time_of[packet]
            if segments.settled[slot]:
                ahead = distance(begin - segments.base[slot] - segments.next[slot])
                if ahead <= 0:
                    offset = segments.next[slot] + ahead
                    if ahead + length > 0:
                        if segments.holding[slot]:
                            filled(segments, slot, time_of[packet])
                        elif ahead == 0:
                            if (
                                segments.timed[slot] < 0
                                and segments.acked[slot] < length + offset
                                and time_of[packet] != UNTIMED
                            ):
                                segments.timed[slot] = length + offset
                                segments.timed_since[slot] = time_of[packet]
                        elif ahead < -1:
                            again(segments, slot, ahead, length, False)
                        if segments.withheld_all:
                            deliver(segments, spans, slot, offset, length, captured, number, at_of[packet],
                                    position_of[packet], time_of[packet], number, need)  # fmt: skip
                        else:
                            deliver_part(segments, spans, slot, offset, length, captured, number, at_of[packet],
                                         position_of[packet], time_of[packet], number, need)  # fmt: skip
                        if segments.holding[slot]:
                            unhold(segments, spans, slot, number)
                    else:
                        segments.repeated[slot] += length
                        found = 0
                        if slot in segments.lost:
                            found = late(segments, spans, slot, offset, captured, number, at_of[packet],
                                         position_of[packet], time_of[packet])  # fmt: skip
                        if not found:
                            again(segments, slot, ahead, length, duplicate)
                            if (length > 1 or ahead < -1) and captured and offset + captured > 0:
                                skip = max(-offset, 0)
                                copy(segments, spans, slot, offset + skip, captured - skip, number,
                                     at_of[packet] + skip, position_of[packet] + skip, time_of[packet],
                                     number)  # fmt: skip
                    length = 0
                elif ahead > FAR:
                    segments.stray[slot] += length
                    length = 0
            else:
                if segments.base[slot] < 0:
                    segments.base[slot] = begin
                ahead = distance(begin - segments.base[slot])
            if length:
                if not segments.holding[slot]:
                    segments.holding[slot] = 1
                    segments.held[slot] = []
                    segments.hole_packets[slot] = segments.packets[stream]
                    segments.hole_time[slot] = time_of[packet]
                    segments.highest[slot] = segments.next[slot] + ahead
                    if not segments.settled[slot]:
                        segments.waiting.append(slot)
                offset = segments.next[slot] + ahead
                if offset + length > segments.highest[slot]:
                    segments.highest[slot] = offset + length
                elif duplicate:
                    row = figure(segments, slot)
                    segments.figures[row, DUPLICATES] += 1
                elif segments.settled[slot]:
                    filled(segments, slot, time_of[packet])
                segments.holding_all += 1
                heappush(segments.held[slot], (offset, number, length, captured, at_of[packet], position_of[packet],
                                               time_of[packet], segments.chunk,
                                               ack[packet] if bits & 16 else -1))  # fmt: skip
                if segments.holding_all > HELD_TOTAL:
                    relieve(segments, spans, number)
        if segments.ended[slot] and not segments.holding[slot]:
            end(segments, spans, slot, number, time_of[packet], number)
        if segments.holding[slot] or segments.holding[other]:
            for side in range(2):
                at = 2 * stream + side
                if not segments.holding[at]:
                    continue
                waited = segments.packets[stream] - segments.hole_packets[at]
                if not segments.settled[at]:
                    if waited >= START_PACKETS and (
                        segments.settled[at ^ 1]
                        or not segments.holding[at ^ 1]
                        or segments.packets[stream] - segments.hole_packets[at ^ 1] >= START_PACKETS
                    ):
                        settle(segments, spans, at, number)
                    continue
                heap = segments.held[at]
                if (
                    (
                        segments.acked[at] >= heap[0][0]
                        and (waited >= LOST_PACKETS or overdue(segments.hole_time[at], time_of[packet]))
                    )
                    or (not segments.seen[at ^ 1] and waited >= LOST_BLIND)
                    or len(heap) > HELD_LIMIT
                    or segments.holding_all > HELD_TOTAL
                ):
                    give_up(segments, spans, at, number)
                    segments.hole_packets[at] = segments.packets[stream]
                    segments.hole_time[at] = time_of[packet]
                    end(segments, spans, at, number, time_of[packet], number)
        if segments.withheld_all:
            expire(segments, spans, slot, time_of[packet], number)
            expire(segments, spans, other, time_of[packet], number)


def finish(segments: Segments, spans: Spans, release: int) -> None:
    """The capture ended: deliver what is held, with gaps where octets are missing."""
    segments.finished = 1
    for slot in sorted(segments.held):
        if not segments.settled[slot]:
            settle(segments, spans, slot, release)
        while segments.holding[slot]:
            give_up(segments, spans, slot, release)
        end(segments, spans, slot, release, segments.data_time[slot], release)
    for slot in sorted(segments.withheld):
        if segments.withholding[slot]:
            let_pass(segments, spans, slot, FOREVER, release)
