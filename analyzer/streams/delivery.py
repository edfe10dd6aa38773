# cython: wraparound=False, initializedcheck=False, annotation_typing=False
"""Delivery: what comes next in a direction becomes rows, its end too.

Theory of operation. A segment that starts at `next` is delivered at once, one that starts before it is trimmed to what
is new; what of it came before is a copy, and what the capture cut off it a gap. One that starts behind `next` is held,
ordered by its offset, until the hole before it is filled or given up. What is held are spans, never octets.

A FIN is delivered once all before it is, a RST once nothing is held that was sent before it.
"""

from __future__ import annotations

from heapq import heappop, heappush

from analyzer import schemas
from analyzer.streams import rules
from analyzer.streams.copies import copy, correct, cut
from analyzer.streams.gaps import gap
from analyzer.streams.segments import Segments
from analyzer.streams.sequence import distance
from analyzer.streams.spans import Spans, emit
from analyzer.streams.withholding import let_pass, needed, pass_on

# typed copies
DATA, STREAM_END, STREAM_RESET = schemas.DATA, schemas.END, schemas.RESET
FIN_DELIVERED, FOREVER = rules.FIN_DELIVERED, rules.FOREVER


def deliver_apart(segments: Segments, spans: Spans, slot: int, offset: int, length: int, captured: int, packet: int,
                  at: int, position: int, time: int, release: int, need: int) -> None:  # fmt: skip
    """Deliver a segment where the other side may wait for a part of it only (a copy joins octets of several segments):
    that comes first."""
    while segments.withholding[slot ^ 1]:
        stop = segments.withheld[slot ^ 1][0][0]
        if stop <= segments.next[slot] or stop >= offset + length:
            break
        size = stop - offset
        deliver(segments, spans, slot, offset, size, min(captured, size), packet, at, position, time, release, 0)
        offset = stop
        length -= size
        captured = max(captured - size, 0)
        at += size
        if position >= 0:
            position += size
    deliver(segments, spans, slot, offset, length, captured, packet, at, position, time, release, need)


def deliver(segments: Segments, spans: Spans, slot: int, offset: int, length: int, captured: int, packet: int, at: int,
            position: int, time: int, release: int, need: int) -> None:  # fmt: skip
    """Deliver a segment that starts at or before `next` and ends behind it, once the other side has come to `need`;
    what the capture cut off is a gap."""
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


def hold(segments: Segments, slot: int, offset: int, length: int, captured: int, packet: int, at: int, position: int,
         time: int, ack: int) -> bool:  # fmt: skip
    """Keep a segment that has a hole before it. Returns whether another stands behind it."""
    if not segments.holding[slot]:
        segments.holding[slot] = 1
        segments.held[slot] = []
        segments.hole_packets[slot] = segments.packets[slot >> 1]
        segments.hole_time[slot] = time
        segments.highest[slot] = offset
        if not segments.settled[slot]:
            segments.waiting.append(slot)
    segments.holding_all += 1
    heappush(segments.held[slot], (offset, packet, length, captured, at, position, time, segments.chunk, ack))
    if offset + length <= segments.highest[slot]:
        return True
    segments.highest[slot] = offset + length
    return False


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
            deliver_apart(segments, spans, slot, offset, length, captured, packet, at, here, time, release, need)
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
