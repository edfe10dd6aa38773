# cython: wraparound=False, initializedcheck=False, annotation_typing=False
"""Copies: octets that the capture has more than once.

Theory of operation. The first copy of an octet is delivered while it passes. Others are rows of kind overlap, so that
somebody may compare them. Where that shows that another copy is the right one, the capture is read once more with
`corrections`: ranges of a slot, apart and ascending (see `corrections.py`), each with the packet whose copy is to be
delivered. That copy then stands in the place of the first, which becomes the overlap.
"""

from __future__ import annotations

from analyzer import schemas
from analyzer.streams.gaps import gap, late
from analyzer.streams.ranges import within
from analyzer.streams.segments import Segments
from analyzer.streams.spans import Spans, emit, part

# typed copies
DATA, OVERLAP = schemas.DATA, schemas.OVERLAP


def copy(segments: Segments, spans: Spans, slot: int, offset: int, length: int, packet: int, at: int, position: int,
         time: int, release: int) -> None:  # fmt: skip
    """Append a copy that was not delivered, without what of it was; or what it has for gaps."""
    if slot in segments.lost and late(segments, spans, slot, offset, length, packet, at, position, time):
        return
    low = offset
    if segments.corrections and slot in segments.corrections:
        for start, stop, right in within(segments.corrections[slot], offset, offset + length):
            if right[2] == packet:
                if start > low:
                    part(spans, slot, OVERLAP, offset, low, start, packet, at, position, time, release)
                low = stop
    if low < offset + length:
        part(spans, slot, OVERLAP, offset, low, offset + length, packet, at, position, time, release)


def correct(segments: Segments, spans: Spans, slot: int, offset: int, length: int, packet: int, at: int, position: int,
            time: int, release: int) -> None:  # fmt: skip
    """Deliver octets for parts of which another copy is the right one."""
    low = offset
    for start, stop, right in within(segments.corrections[slot], offset, offset + length):
        if right[2] != packet:
            if low < start:
                part(spans, slot, DATA, offset, low, start, packet, at, position, time, release)
            correction(spans, slot, start, stop, right, release)
            part(spans, slot, OVERLAP, offset, start, stop, packet, at, position, time, release)
            low = stop
    if low < offset + length:
        part(spans, slot, DATA, offset, low, offset + length, packet, at, position, time, release)


def correction(spans: Spans, slot: int, start: int, stop: int, right: tuple[int, ...], release: int) -> None:
    """Deliver the right copy."""
    begin, _, packet, at, time = right
    emit(spans, slot, DATA, start, stop - start, packet, at + start - begin, -1, time, release)


def cut(segments: Segments, spans: Spans, slot: int, low: int, end_at: int, packet: int, time: int,
        release: int) -> None:  # fmt: skip
    """The capture cut a segment short: deliver what a later copy has of the rest, if that is known; what none has is a
    gap."""
    if segments.corrections and slot in segments.corrections:
        for start, stop, right in within(segments.corrections[slot], low, end_at):
            if low < start:
                gap(segments, spans, slot, low, start, packet, time, release, packet)
            correction(spans, slot, start, stop, right, release)
            low = stop
    if low < end_at:
        gap(segments, spans, slot, low, end_at, packet, time, release, packet)
