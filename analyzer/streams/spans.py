# cython: wraparound=False, initializedcheck=False, annotation_typing=False
"""Rows of SPANS as the walks deliver them."""

from __future__ import annotations

import numpy as np

from dissectors.columns import widened
from dissectors.tables import Array


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
        self.slot = widened(self.slot, self.room)
        self.kind = widened(self.kind, self.room)
        self.offset = widened(self.offset, self.room)
        self.length = widened(self.length, self.room)
        self.packet = widened(self.packet, self.room)
        self.at = widened(self.at, self.room)
        self.position = widened(self.position, self.room)
        self.time = widened(self.time, self.room)
        self.release = widened(self.release, self.room)

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


def move(spans: Spans, row: int, to: int) -> None:
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
