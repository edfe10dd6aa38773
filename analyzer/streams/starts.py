# cython: wraparound=False, initializedcheck=False, annotation_typing=False
"""Starts: where the first octet of a direction stands.

Theory of operation. A slot whose SYN was not seen does not know its first octet, unless the other side, having sent its
SYN and nothing else, acknowledges it. Otherwise what comes is held until a SYN turns up (captured late) or
`START_PACKETS` packets of the connection have passed; then the lowest sequence number is the start. Offsets of what is
held count from the first sequence number that was seen, and are moved when the start is known.

Many short connections whose SYNs were not captured would hold all that may be held: `relieve` settles those that have
waited longest, before any hole is given up for their sake.
"""

from __future__ import annotations

from analyzer.streams import rules
from analyzer.streams.delivery import end, unhold
from analyzer.streams.segments import Segments
from analyzer.streams.sequence import distance
from analyzer.streams.spans import Spans

# typed copies
INFERRED, HELD_TOTAL, LAST = rules.INFERRED, rules.HELD_TOTAL, rules.LAST


def open_at(segments: Segments, spans: Spans, slot: int, begin: int, release: int) -> None:
    """A SYN says where its side starts, which may have been guessed while nothing was delivered."""
    if segments.settled[slot] and (segments.settled[slot] != INFERRED or segments.next[slot]):
        return
    if segments.holding[slot]:
        shift(segments, slot, distance(segments.base[slot] - begin))
    segments.settled[slot] = 1
    segments.base[slot] = begin
    segments.acked[slot] = 0
    if segments.holding[slot]:
        unhold(segments, spans, slot, release)


def shift(segments: Segments, slot: int, by: int) -> None:
    """Count the offsets of what is held from another start."""
    segments.held[slot] = [(item[0] + by, *item[1:]) for item in segments.held[slot]]


def begin_at(segments: Segments, spans: Spans, slot: int, start: int, release: int) -> None:
    """A slot starts at the sequence number behind its SYN, which was not captured."""
    if segments.holding[slot]:
        behind = distance(start - segments.base[slot])
        if segments.held[slot][0][0] < behind:
            return  # it had been sending before that acknowledgment: `settle` decides
        shift(segments, slot, -behind)
        segments.highest[slot] -= behind
    segments.base[slot] = start
    segments.settled[slot] = INFERRED
    if segments.holding[slot]:
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
    lowest = segments.held[slot][0][0]
    segments.base[slot] = (segments.base[slot] + lowest) & LAST
    segments.highest[slot] -= lowest
    shift(segments, slot, -lowest)


def relieve(segments: Segments, spans: Spans, release: int) -> None:
    """Too much is held: settle directions that wait for their start, the oldest first."""
    while segments.waiting and segments.holding_all > HELD_TOTAL:
        slot = segments.waiting.popleft()
        if not segments.settled[slot]:
            settle(segments, spans, slot, release)
