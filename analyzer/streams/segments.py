# cython: wraparound=False, initializedcheck=False, annotation_typing=False
"""What reassembly remembers of each direction: the columns that its walks share."""

from __future__ import annotations

from collections import deque

import numpy as np

from analyzer.streams.rules import RECENT
from dissectors.columns import widened
from dissectors.schemas import NO_TIME
from dissectors.tables import Array

FIGURES = (
    "retransmitted", "out_of_order", "duplicates", "keepalives", "probes", "stalls", "stalled", "longest_stall",
    "shut_since", "urgent", "urgent_packet", "urgent_offset", "beyond", "beyond_packet", "beyond_offset", "resets",
    "reset_packet", "reset_offset", "early", "early_packet",
)  # fmt: skip
"""Columns of `figures`: packets, but octets for beyond (behind the FIN) and early (with the SYN), ns for stalled and
longest_stall (zero window)."""


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
        self.settled = widened(self.settled, self.room, 0)
        self.base = widened(self.base, self.room, -1)
        self.next = widened(self.next, self.room, 0)
        self.acked = widened(self.acked, self.room, 0)
        self.seen = widened(self.seen, self.room, 0)
        self.ended = widened(self.ended, self.room, 0)
        self.holding = widened(self.holding, self.room, 0)
        self.withholding = widened(self.withholding, self.room, 0)
        self.fin = widened(self.fin, self.room, -1)
        self.hole_packets = widened(self.hole_packets, self.room, 0)
        self.hole_time = widened(self.hole_time, self.room, 0)
        self.highest = widened(self.highest, self.room, 0)
        self.data_packet = widened(self.data_packet, self.room, -1)
        self.data_time = widened(self.data_time, self.room, NO_TIME)
        self.quiet_since = widened(self.quiet_since, self.room, NO_TIME)
        self.missing = widened(self.missing, self.room, 0)
        self.repeated = widened(self.repeated, self.room, 0)
        self.stray = widened(self.stray, self.room, 0)
        self.packets = widened(self.packets, self.room // 2, 0)
        self.last_packet = widened(self.last_packet, self.room // 2, -1)
        self.last_time = widened(self.last_time, self.room // 2, 0)
        self.shut = widened(self.shut, self.room, 0)
        self.timed = widened(self.timed, self.room, -1)
        self.timed_since = widened(self.timed_since, self.room, 0)
        self.trip = widened(self.trip, self.room, -1)
        self.shaking = widened(self.shaking, self.room // 2, 0)
        self.opened = widened(self.opened, self.room // 2, 0)
        self.opening_trip = widened(self.opening_trip, self.room // 2, -1)
        self.figure_of = widened(self.figure_of, self.room, -1)

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
