"""Reads a capture in a thread, and publishes how things stand while it goes on.

Theory of operation. Only one thread has the interpreter, and Python knows no priorities: each call into numpy or a walk
keeps it for some milliseconds, and a key passes through a dozen turns of the event loop, waiting in each. So the
reading stands aside as a whole from when a key came until the screen shows what it did. It looks whether it should
between chunks, and, while somebody types, at every call that it makes (a profile function is the only place where a
thread can be stopped between two of them; it costs up to a third of a capture's end, and nothing while nobody types).
Who holds a key down gets a turn of reading for each time that it repeats.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from analyzer.analysis.pipeline import Analysis
from analyzer.analysis.snapshot import Snapshot
from analyzer.capture.records import Source
from analyzer.limits import Limits

FIRST, OFTEN = 0.1, 0.3
"""Seconds until the first snapshot, and between later ones."""
BREATH = 0.002
"""Seconds between chunks that belong to the screen, while somebody types."""
HOLD = 0.05
"""Seconds that the reading waits for what a key does, at most: keys may do nothing that is drawn."""
TURN = 0.005
"""Seconds that it then goes on at least, whatever is typed."""
TYPING = 3.0
"""Seconds after a key for which somebody types."""
SWITCH = 0.0005
"""Seconds after which a thread that waits for the interpreter gets it, ten times as often as Python does by itself: a
key passes through a dozen turns of the event loop, and waits in each."""
SHARE = 10
"""Of the time that reading takes, at most one in so many goes into snapshots that are overtaken."""


class Progress(NamedTuple):
    """How far the reading is, in octets of the capture; `left` is an estimate in seconds, negative where none can be
    made."""

    done: int
    total: int
    left: float


class Reading(threading.Thread):
    """One capture being read. `publish` is called from this thread, with a snapshot and the progress; the last one is
    finished. `failed` is called where reading ended with an exception."""

    def __init__(self, source: Source, publish: Callable[[Snapshot, Progress], None],
                 failed: Callable[[BaseException], None], limits: Limits | None = None) -> None:  # fmt: skip
        super().__init__(name="reading", daemon=True)
        self.source = source
        self.limits = limits or Limits()
        self._publish = publish
        self._failed = failed
        self._stopping = threading.Event()
        self._drawn = threading.Event()
        self._asked = False
        self._typed = self._turn = 0.0
        """Times: of the last key; and until when this thread needs not stand aside."""

    def hold(self) -> None:
        """Somebody typed: stand aside, so that the screen answers first."""
        self._typed = time.monotonic()
        self._drawn.clear()
        self._asked = True

    def release(self) -> None:
        """The screen has answered."""
        if self._asked:
            self._asked = False
            self._drawn.set()

    def stop(self) -> None:
        """End without a last snapshot."""
        self._stopping.set()

    def run(self) -> None:
        """The thread."""
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH)
        try:
            self._read()
        except BaseException as error:  # it belongs to whoever shows the capture
            if not self._stopping.is_set():
                self._failed(error)
        finally:
            sys.setswitchinterval(before)

    def _read(self) -> None:
        analysis: Analysis | None = Analysis(self.source, self.limits)
        while analysis is not None:
            self._follow(analysis)
            analysis = None if self._stopping.is_set() else analysis.corrected()

    def _follow(self, analysis: Analysis) -> None:
        started = time.monotonic()
        due = started + FIRST
        for records in self.source.chunks(self.limits.chunk):
            if self._stopping.is_set():
                return
            self._yielding(analysis.feed, records)
            self._aside()
            now = time.monotonic()
            if now - self._typed < TYPING:
                time.sleep(BREATH)
            if now >= due:
                self._yielding(self._show, analysis.snapshot, now - started)
                took = time.monotonic() - now
                due = now + took + max(OFTEN, SHARE * took)
        if not self._stopping.is_set():
            self._yielding(self._show, analysis.finish, time.monotonic() - started)

    def _show(self, made: Callable[[], Snapshot], took: float) -> None:
        self._publish(made(), self._progress(took))

    def _yielding(self, work: Callable[..., None], *arguments: Any) -> None:
        """Do something, and stand aside in the midst of it while somebody types."""
        typing = time.monotonic() - self._typed < TYPING
        before = sys.getprofile()
        if typing and before is None:
            sys.setprofile(self._aside)
        try:
            work(*arguments)
        finally:
            if typing and before is None:
                sys.setprofile(None)

    def _aside(self, *_: object) -> None:
        """Let the screen answer, if it has something to answer."""
        if self._asked and time.monotonic() >= self._turn:
            typed = self._typed
            if not self._drawn.wait(HOLD) and typed == self._typed:  # another key has a wait of its own
                self._asked = False
            self._turn = time.monotonic() + TURN

    def _progress(self, took: float) -> Progress:
        done, total = self.source.position(), self.source.size
        left = took * (total - done) / done if done and total >= done else -1.0
        return Progress(done, total, left)
