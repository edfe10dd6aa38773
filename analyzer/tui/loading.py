"""Reads a capture in a thread, and publishes how things stand while it goes on."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from analyzer.analysis.pipeline import Analysis
from analyzer.analysis.snapshot import Snapshot
from analyzer.capture.records import Source
from analyzer.limits import Limits

FIRST, OFTEN = 0.1, 0.3
"""Seconds until the first snapshot, and between later ones."""
CHUNK = 512 << 10
"""Octets taken at a time: the compiled walks hold the interpreter while they run, and keys wait for it."""
BREATH = 0.002
"""Seconds between chunks that belong to the screen."""
HOLD = 0.03
"""Seconds that reading waits for what a key does. Who holds a key down gets a chunk read for each time it repeats."""
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
        self.limits = limits or Limits(chunk=CHUNK)
        self._publish = publish
        self._failed = failed
        self._stopping = threading.Event()
        self._held = 0.0

    def hold(self) -> None:
        """Somebody typed: wait before the next chunk, so that the screen answers first."""
        self._held = time.monotonic() + HOLD

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
            analysis.feed(records)
            time.sleep(max(min(self._held - time.monotonic(), HOLD), BREATH))
            now = time.monotonic()
            if now >= due:
                self._publish(analysis.snapshot(), self._progress(now - started))
                took = time.monotonic() - now
                due = now + took + max(OFTEN, SHARE * took)
        if not self._stopping.is_set():
            self._publish(analysis.finish(), self._progress(time.monotonic() - started))

    def _progress(self, took: float) -> Progress:
        done, total = self.source.position(), self.source.size
        left = took * (total - done) / done if done and total >= done else -1.0
        return Progress(done, total, left)
