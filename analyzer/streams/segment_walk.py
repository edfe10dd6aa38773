# cython: wraparound=False, annotation_typing=False
"""The scalar walk from TCP segments to delivered spans: reassembly (RFC 9293 §3.4, §3.10.7.4).

Theory of operation. A *slot* is one direction of a connection (2 * stream + direction). Each slot knows the sequence
number of its first octet (`base`) and how many octets were delivered (`next`), a 64-bit offset, so sequence numbers
may wrap. A segment that starts at `next` is delivered at once, one that starts before it is trimmed to what is new,
one that starts behind it is held. What is held are spans, never octets. Delivery means a row of `Spans`: rows stand in
the order of delivery, and `release` is the packet that made the delivery possible.

A slot whose SYN was not seen does not know its first octet. What comes is held until a SYN turns up (captured late) or
`START_PACKETS` packets of the connection have passed; then the lowest sequence number is the start.

A hole is given up, as a gap of known length, by rules that look at the sequence of packets and at capture time only:
once its end was acknowledged (the receiver has the octets, the capture does not) and `LOST_PACKETS` more packets or
`LOST_TIME` have passed; where the other direction was not captured at all, after `LOST_BLIND` packets; when
`HELD_LIMIT` segments are held; and at the end. Octets that come for a gap already given up are `late` rows.
"""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np

from dissectors.columns import wider
from dissectors.schemas import NO_TIME
from dissectors.tables import Array

DATA, GAP, _, LATE, STREAM_END, STREAM_RESET = 0, 1, 2, 3, 4, 5

FIN_DELIVERED = 4
"""A bit of `ended`, beside 1 for a FIN seen and 2 for a RST seen."""

START_PACKETS = 16
"""As many packets as a SYN may be late by; an initial window has ten segments (RFC 6928)."""
LOST_PACKETS = 64
LOST_BLIND = 1024
LOST_TIME = 1_000_000_000
"""ns. The initial retransmission timeout (RFC 6298 §2.1): what was acknowledged is not sent again anyway."""
HELD_LIMIT = 65536
FAR = 1 << 30
"""Octets. The largest window (RFC 7323 §2.3): what stands further ahead is stray."""


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
    """What reassembly remembers: per slot, and (`packets`) per connection."""

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
        self.data_packet = np.full(512, -1, np.int64).data
        self.data_time = np.full(512, NO_TIME, np.int64).data
        self.quiet_since = np.full(512, NO_TIME, np.int64).data
        self.missing = np.zeros(512, np.int64).data
        self.repeated = np.zeros(512, np.int64).data
        self.stray = np.zeros(512, np.int64).data
        self.packets = np.zeros(256, np.int64).data
        self.last_packet = np.full(256, -1, np.int64).data
        self.last_time = np.zeros(256, np.int64).data
        self.held: dict[int, list[tuple[int, ...]]] = {}
        self.lost: dict[int, list[tuple[int, int]]] = {}
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
        self.fin = _wider(self.fin, self.room, -1)
        self.hole_packets = _wider(self.hole_packets, self.room, 0)
        self.hole_time = _wider(self.hole_time, self.room, 0)
        self.data_packet = _wider(self.data_packet, self.room, -1)
        self.data_time = _wider(self.data_time, self.room, NO_TIME)
        self.quiet_since = _wider(self.quiet_since, self.room, NO_TIME)
        self.missing = _wider(self.missing, self.room, 0)
        self.repeated = _wider(self.repeated, self.room, 0)
        self.stray = _wider(self.stray, self.room, 0)
        self.packets = _wider(self.packets, self.room // 2, 0)
        self.last_packet = _wider(self.last_packet, self.room // 2, -1)
        self.last_time = _wider(self.last_time, self.room // 2, 0)

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
            "last_packet": self.last_packet,
            "last_time": self.last_time,
        }[name]
        return np.asarray(whole)[: self.slots // 2 if name.startswith("last") else self.slots].copy()


def _wider(old: memoryview, room: int, fill: int) -> memoryview:
    return wider(np.asarray(old), room, fill).data


def distance(number: int) -> int:
    """A 32-bit difference as a signed number: the one definition of sequence arithmetic (RFC 9293 §3.4)."""
    return ((number + 0x80000000) & 0xFFFFFFFF) - 0x80000000


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


def deliver(segments: Segments, spans: Spans, slot: int, offset: int, length: int, captured: int, packet: int, at: int,
            position: int, time: int, release: int) -> None:  # fmt: skip
    """Deliver a segment that starts at or before `next` and ends behind it; what the capture cut off is a gap."""
    skip = segments.next[slot] - offset
    segments.next[slot] = offset + length
    if skip:
        segments.repeated[slot] += skip
        offset += skip
        length -= skip
        captured -= skip
        at += skip
        if position >= 0:
            position += skip
    if captured > 0:
        emit(spans, slot, DATA, offset, captured, packet, at, position, time, release)
    else:
        captured = 0
    if captured < length:
        segments.missing[slot] += length - captured
        emit(spans, slot, GAP, offset + captured, length - captured, packet, -1, -1, time, release)


def unhold(segments: Segments, spans: Spans, slot: int, release: int) -> None:
    """Deliver what is held and no longer has a hole before it."""
    heap = segments.held[slot]
    while heap and heap[0][0] <= segments.next[slot]:
        offset, packet, length, captured, at, position, time, chunk = heappop(heap)
        if offset + length <= segments.next[slot]:
            segments.repeated[slot] += length
        else:
            here = position if chunk == segments.chunk else -1
            deliver(segments, spans, slot, offset, length, captured, packet, at, here, time, release)
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
        # a row's length has 32 bits; `FAR` bounds a hole far below
        emit(spans, slot, GAP, start, stop - start, packet, -1, -1, time, release)
        segments.missing[slot] += stop - start
        segments.next[slot] = stop
        ranges = segments.lost.setdefault(slot, [])
        if len(ranges) < 1024:
            ranges.append((start, stop))
    unhold(segments, spans, slot, release)


def settle(segments: Segments, spans: Spans, slot: int, release: int) -> None:
    """Decide where a slot without a SYN starts: at its lowest sequence number."""
    segments.settled[slot] = 1
    if not segments.holding[slot]:
        return
    heap = segments.held[slot]
    lowest = heap[0][0]
    segments.base[slot] = (segments.base[slot] + lowest) & 0xFFFFFFFF
    segments.held[slot] = [(item[0] - lowest, *item[1:]) for item in heap]
    unhold(segments, spans, slot, release)


def end(segments: Segments, spans: Spans, slot: int, packet: int, time: int, release: int) -> None:
    """Deliver a FIN once all before it is delivered."""
    if segments.ended[slot] & 5 != 1 or not segments.settled[slot] or segments.holding[slot]:
        return
    if distance(segments.fin[slot] - segments.base[slot] - segments.next[slot]) <= 0:
        segments.ended[slot] |= FIN_DELIVERED
        emit(spans, slot, STREAM_END, segments.next[slot], 0, packet, -1, -1, time, release)


def late(segments: Segments, spans: Spans, slot: int, offset: int, length: int, packet: int, at: int,
         position: int, time: int) -> None:  # fmt: skip
    """Octets for a gap that was given up."""
    for start, stop in segments.lost[slot]:
        low = max(start, offset)
        high = min(stop, offset + length)
        if low < high:
            emit(spans, slot, LATE, low, high - low, packet, at + low - offset, position + low - offset, time, packet)


def walk(
    segments: Segments,
    spans: Spans,
    stream_of: memoryview,
    direction_of: memoryview,
    seq: memoryview,
    ack: memoryview,
    flags: memoryview,
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
                    emit(spans, slot, STREAM_RESET, segments.next[slot], 0, number, -1, -1, time_of[packet], number)
            elif bits & 2:
                begin = (begin + 1) & 0xFFFFFFFF
                if not segments.settled[slot]:
                    if segments.holding[slot]:
                        segments.held[slot] = [
                            (item[0] + distance(segments.base[slot] - begin), *item[1:]) for item in segments.held[slot]
                        ]
                    segments.settled[slot] = 1
                    segments.base[slot] = begin
                    if segments.holding[slot]:
                        unhold(segments, spans, slot, number)
            if bits & 1 and segments.ended[slot] & 1 == 0:
                segments.ended[slot] |= 1
                segments.endings.append((slot, 1, number))
                segments.fin[slot] = (begin + length) & 0xFFFFFFFF
        if bits & 16 and segments.settled[other]:
            reach = segments.next[other] + distance(ack[packet] - segments.base[other] - segments.next[other])
            if reach > segments.acked[other]:
                segments.acked[other] = reach
        if length:
            captured = captured_of[packet]
            segments.data_packet[slot] = number
            segments.data_time[slot] = time_of[packet]
            if segments.settled[slot]:
                ahead = distance(begin - segments.base[slot] - segments.next[slot])
                if ahead <= 0:
                    offset = segments.next[slot] + ahead
                    if ahead + length > 0:
                        deliver(segments, spans, slot, offset, length, captured, number, at_of[packet],
                                position_of[packet], time_of[packet], number)  # fmt: skip
                        if segments.holding[slot]:
                            unhold(segments, spans, slot, number)
                    else:
                        segments.repeated[slot] += length
                        if slot in segments.lost:
                            late(segments, spans, slot, offset, captured, number, at_of[packet], position_of[packet],
                                 time_of[packet])  # fmt: skip
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
                offset = segments.next[slot] + ahead
                heappush(segments.held[slot], (offset, number, length, captured, at_of[packet], position_of[packet],
                                               time_of[packet], segments.chunk))  # fmt: skip
        if segments.ended[slot] == 1 and not segments.holding[slot]:
            end(segments, spans, slot, number, time_of[packet], number)
        if segments.holding[slot] or segments.holding[other]:
            for side in range(2):
                at = 2 * stream + side
                if not segments.holding[at]:
                    continue
                waited = segments.packets[stream] - segments.hole_packets[at]
                if not segments.settled[at]:
                    if waited >= START_PACKETS:
                        settle(segments, spans, at, number)
                    continue
                heap = segments.held[at]
                if (
                    (
                        segments.acked[at] >= heap[0][0]
                        and (waited >= LOST_PACKETS or time_of[packet] - segments.hole_time[at] >= LOST_TIME)
                    )
                    or (not segments.seen[at ^ 1] and waited >= LOST_BLIND)
                    or len(heap) > HELD_LIMIT
                ):
                    give_up(segments, spans, at, number)
                    segments.hole_packets[at] = segments.packets[stream]
                    segments.hole_time[at] = time_of[packet]
                    end(segments, spans, at, number, time_of[packet], number)


def finish(segments: Segments, spans: Spans, release: int) -> None:
    """The capture ended: deliver what is held, with gaps where octets are missing."""
    for slot in sorted(segments.held):
        if not segments.settled[slot]:
            settle(segments, spans, slot, release)
        while segments.holding[slot]:
            give_up(segments, spans, slot, release)
        end(segments, spans, slot, release, segments.data_time[slot], release)
