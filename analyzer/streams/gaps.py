# cython: wraparound=False, initializedcheck=False, annotation_typing=False
"""Gaps: octets that the capture does not have.

Theory of operation. A hole that is given up, and what the capture cut off a segment, is delivered as a gap of known
length, so that a stream's offsets stay right behind it. The latest gaps of a direction are remembered: octets that come
for one are rows of kind late, at their own offsets, and are not delivered a second time.
"""

from __future__ import annotations

from analyzer import schemas
from analyzer.streams import rules
from analyzer.streams.ranges import within
from analyzer.streams.segments import Segments
from analyzer.streams.spans import Spans, emit, part

# typed copies
GAP, LATE = schemas.GAP, schemas.LATE
LOST_RANGES = rules.LOST_RANGES


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


def late(segments: Segments, spans: Spans, slot: int, offset: int, length: int, packet: int, at: int,
         position: int, time: int) -> int:  # fmt: skip
    """Octets for a gap that was given up; returns how many."""
    octets = 0
    for low, high, _ in within(segments.lost[slot], offset, offset + length):
        part(spans, slot, LATE, offset, low, high, packet, at, position, time, packet)
        octets += high - low
    return octets
