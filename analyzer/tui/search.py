"""A search in the payloads of all messages: done apart from the interface, its hits taken as they come.

A hit is a message with at least one match. Rows of MESSAGES never change, so a search that began while the capture was
still being read goes on with the rows that came since.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.analysis.contents import Contents
from analyzer.analysis.payloads import message_payloads
from analyzer.analysis.snapshot import Snapshot
from analyzer.tui.apart import Apart, Tell
from analyzer.tui.needles import Find, Needle

OFTEN = 0.05
"""Seconds between two tellings of the process."""
MOST = 100_000
"""Hits that are kept; the search ends there. (VS Code ends at 20,000: search.maxResults.)"""
BEFORE, BEHIND = 24, 72
"""Octets of a message kept around its first match, to be shown."""
MESSAGE = 1 << 10
"""Octets that looking into a message costs at least, for the estimate."""


class Hit(NamedTuple):
    """A message with a match. `text` begins at `start`."""

    row: int
    at: int
    length: int
    start: int
    text: bytes


class Search:
    """One search. `take` keeps what came since."""

    def __init__(self, snapshot: Snapshot, needle: Needle, text: str, mode: str, most: int = MOST) -> None:
        self.needle, self.text, self.mode, self.most = needle, text, mode, most
        self.hits: list[Hit] = []
        self.full = False
        self.stopped = False
        self.failure = ""
        self.done = self.total = 0.0
        self.left = -1.0
        """Seconds that it will still take, negative where nobody can say."""
        self._next = 0
        self._apart: Apart | None = None
        self._begun = time.monotonic()
        self.go_on(snapshot)

    @property
    def running(self) -> bool:
        """Whether it still searches."""
        return self._apart is not None

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """Rows of MESSAGES that are hits, ascending."""
        return np.array([hit.row for hit in self.hits], np.int64)

    def go_on(self, snapshot: Snapshot) -> None:
        """Search what this snapshot has beyond what was searched."""
        messages = snapshot["messages"]
        rows = messages.rows()
        rows = rows[np.searchsorted(rows, self._next) :]
        if self.running or self.full or self.stopped or self.failure or not len(rows):
            return
        self._next = int(rows[-1]) + 1
        costs = np.maximum(messages["inflated"], messages["length"].astype(np.int64))[-len(rows) :] + MESSAGE
        self.total += float(costs.sum())
        find, most = self.needle.find, self.most - len(self.hits)
        self._apart = Apart(lambda tell: _search(snapshot, rows, costs, find, most, tell))

    def take(self) -> bool:
        """Keep what was told; returns whether anything was."""
        if self._apart is None:
            return False
        told = self._apart.told()
        for cost, hits in told:
            self.done += cost
            self.hits += hits
        took = time.monotonic() - self._begun
        self.left = took * (self.total - self.done) / self.done if self.done else -1.0
        if not self._apart.running:
            self.failure = self._apart.failure
            self._apart = None
        self.full = len(self.hits) >= self.most
        return bool(told) or self._apart is None

    def stop(self) -> None:
        """End it; the hits stay."""
        if self._apart is not None:
            self._apart.stop()
            self._apart = None
            self.stopped = True

    def beside(self, row: int, step: int) -> int:
        """The index of the next hit behind a message, or before it; round the ends. -1 where there is no hit."""
        if not self.hits:
            return -1
        rows = self.rows
        place = int(np.searchsorted(rows, row, side="right")) if step > 0 else int(np.searchsorted(rows, row)) - 1
        return place % len(rows)


def _search(snapshot: Snapshot, rows: npt.NDArray[np.int64], costs: npt.NDArray[np.int64], find: Find, most: int,
            tell: Tell) -> None:  # fmt: skip
    hits: list[Hit] = []
    cost, due = 0, time.monotonic() + OFTEN
    payloads = message_payloads(Contents(snapshot), rows)
    for octets, row, price in zip(payloads, rows.tolist(), costs.tolist(), strict=True):
        at, length = find(octets)
        if at >= 0:
            start = max(at - BEFORE, 0)
            hits.append(Hit(row, at, length, start, octets[start : at + BEHIND]))
            most -= 1
        cost += price
        now = time.monotonic()
        if now >= due or not most:
            tell((cost, hits))
            hits, cost, due = [], 0, now + OFTEN
            if not most:
                return
    tell((cost, hits))
