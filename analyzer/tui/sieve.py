"""A filter that looks into payloads, applied apart from the interface.

Rows never change, so while a capture is still read a sieve goes on with those that came since. What a filter asks of
connections may: when all is read, everything is looked at once more.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.api import Capture
from analyzer.tui.apart import Apart, Tell
from analyzer.tui.rungs import NONE

STEP = 4096
"""Rows looked at between two tellings, at most."""
OCTETS = 4 << 20
"""And octets."""
SOON = 1 << 20
"""Octets of payload that are looked at at once: a key does not wait for them."""
FAR = 1 << 40
ROW = 1 << 9
"""Octets that looking at a row costs at least."""


def costs_of(capture: Capture, name: str, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """What it costs to look into the payloads of rows, in octets."""
    table = capture.snapshot[name]
    octets = table["payload_length" if name == "frames" else "length"][places]
    octets = np.minimum(octets, FAR).astype(np.int64)  # a frame may say that it has 2^63 octets and more
    return np.maximum(octets, table["inflated"][places]) + ROW if name == "messages" else octets + ROW


class Sieve:
    """One filter on rows of FRAMES or MESSAGES. `take` keeps what came since."""

    def __init__(self, expression: str, name: str) -> None:
        self.expression, self.name = expression, name
        self.rows: npt.NDArray[np.int64] = NONE
        """Those for which it held when all were looked at last, ascending."""
        self.complete = False
        """All that there were have been looked at."""
        self.failure = ""
        self.done = self.total = 0
        self._next = 0
        self._found: list[npt.NDArray[np.int64]] = []
        self._whole = False
        self._apart: Apart | None = None

    @property
    def running(self) -> bool:
        """Whether it still looks."""
        return self._apart is not None

    @property
    def matches(self) -> int:
        """Rows found so far."""
        return sum(map(len, self._found))

    def go_on(self, capture: Capture, places: npt.NDArray[np.int64]) -> None:
        """Look at those of some rows, by their places, that were not looked at yet."""
        if self.running or self._whole or self.failure:
            return
        if capture.snapshot.finished:
            self._whole, self._next, self._found = True, 0, []
        rows = capture.snapshot[self.name].rows()[places]
        behind = int(np.searchsorted(rows, self._next))
        places = places[behind:]
        if not len(places):
            self._end()
            return
        self._next = int(rows[-1]) + 1
        ends = np.cumsum(costs_of(capture, self.name, places))
        self.done, self.total = 0, int(ends[-1])
        name, expression = self.name, self.expression
        self._apart = Apart(lambda tell: _sift(Capture(capture.snapshot), name, expression, places, ends, tell))

    def take(self) -> bool:
        """Keep what was told; returns whether anything was."""
        if self._apart is None:
            return False
        told = self._apart.told()
        for done, rows in told:
            self.done = done
            self._found.append(rows)
        if not self._apart.running:
            self.failure = self._apart.failure
            self._apart = None
            if not self.failure:
                self._end()
        return bool(told) or self._apart is None

    def _end(self) -> None:
        self.rows = np.concatenate([NONE, *self._found])
        self._found = [self.rows]
        self.complete = True

    def stop(self) -> None:
        """End it."""
        if self._apart is not None:
            self._apart.stop()
            self._apart = None


class Sieves:
    """The filter on payloads that holds on a screen, and the one that will once all was looked at."""

    def __init__(self) -> None:
        self.holding: Sieve | None = None
        self.coming: Sieve | None = None

    @property
    def among(self) -> npt.NDArray[np.int64] | None:
        """Rows for which the filter holds; None where none on payloads does."""
        return self.holding.rows if self.holding is not None else None

    def holds(self, expression: str) -> bool:
        """Whether this is the filter that holds."""
        return self.holding is not None and self.holding.expression == expression

    def begin(self, expression: str, name: str, capture: Capture, places: npt.NDArray[np.int64]) -> None:
        """Another filter; the one that holds stays meanwhile."""
        if self.coming is not None and self.coming.expression == expression and not self.coming.failure:
            return
        self.stop()
        self.coming = Sieve(expression, name)
        self.coming.go_on(capture, places)

    def go_on(self, capture: Capture, places: npt.NDArray[np.int64]) -> None:
        """There are more rows."""
        for sieve in (self.holding, self.coming):
            if sieve is not None:
                sieve.go_on(capture, places)

    def take(self) -> Sieve | None:
        """Keep what came since; returns the sieve that there is something new of."""
        told = None
        for sieve in (self.holding, self.coming):
            if sieve is not None and sieve.take():
                told = sieve
        if self.coming is not None and self.coming.complete:
            if self.holding is not None:
                self.holding.stop()
            told, self.holding, self.coming = self.coming, self.coming, None
        return told

    def stop(self) -> bool:
        """End the one that does not hold yet; returns whether there was one."""
        sieve, self.coming = self.coming, None
        if sieve is not None:
            sieve.stop()
        return sieve is not None and not sieve.failure

    def clear(self) -> None:
        """No filter on payloads."""
        self.stop()
        if self.holding is not None:
            self.holding.stop()
        self.holding = None

    def words(self) -> str:
        """How far the one is that does not hold yet; empty where there is none."""
        sieve = self.coming
        if sieve is None or not sieve.running:
            return ""
        return f"looking, {sieve.done / max(sieve.total, 1):.0%}, {sieve.matches} so far: Esc stops"


def _sift(capture: Capture, name: str, expression: str, places: npt.NDArray[np.int64], ends: npt.NDArray[np.int64],
          tell: Tell) -> None:  # fmt: skip
    view, start = capture.view(name), 0
    while start < len(places):
        before = int(ends[start - 1]) if start else 0
        stop = min(max(int(np.searchsorted(ends, before + OCTETS)), start + 1), start + STEP)
        tell((int(ends[min(stop, len(ends)) - 1]), view.rows[view.choose(expression, places[start:stop])]))
        start = stop
