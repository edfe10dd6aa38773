# cython: wraparound=False, initializedcheck=False, annotation_typing=False
"""Withholding: each side's octets are delivered after those that it acknowledges.

Theory of operation. So a Pong never stands before its Ping where only the Ping waits for a hole, or was captured later.
What acknowledges octets that have not come is withheld, in the order of its own direction, until they have, or are
given up; where no hole is seen, because nothing stands behind it yet, for `LOST_PACKETS` or `LOST_TIME`. Sequence
numbers, figures and endings do not wait: rows do, which are taken back when they have been appended. Whatever is
delivered in one direction lets pass at once what waits for it in the other, so two directions cannot wait for each
other.
"""

from __future__ import annotations

from collections import deque

from analyzer import schemas
from analyzer.streams import rules
from analyzer.streams.segments import Segments
from analyzer.streams.sequence import distance
from analyzer.streams.spans import Spans, emit, move
from dissectors.schemas import NO_TIME

# typed copies
OVERLAP = schemas.OVERLAP
FIN_DELIVERED, RESET_AHEAD = rules.FIN_DELIVERED, rules.RESET_AHEAD
LOST_PACKETS, LOST_TIME = rules.LOST_PACKETS, rules.LOST_TIME
HELD_LIMIT, HELD_TOTAL = rules.HELD_LIMIT, rules.HELD_TOTAL
UNTIMED = NO_TIME


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
            move(spans, row, kept)
            kept += 1
            continue
        queue.append((need, since, segments.last_time[slot >> 1], spans.kind[row], spans.offset[row], spans.length[row],
                      spans.packet[row], spans.at[row], spans.position[row], spans.time[row],
                      segments.chunk))  # fmt: skip
        segments.withheld_all += 1
        segments.holding_all += 1
    spans.count = kept


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


def pass_on(segments: Segments, spans: Spans, slot: int, first: int, need: int, release: int) -> None:
    """Rows from `first` on were appended for a slot, which has come further: withhold them where they have to wait, and
    let pass what waited for them."""
    if need or segments.withholding[slot]:
        withhold(segments, spans, slot, first, need)
    if segments.withholding[slot ^ 1]:
        let_pass(segments, spans, slot ^ 1, reached(segments, slot), release)


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


def overdue(since: int, time: int) -> bool:
    """Whether `LOST_TIME` has passed, as far as the capture has times."""
    return since != UNTIMED and time != UNTIMED and time - since >= LOST_TIME
