"""The recorder: a process that moves packets from a backend to the spool, and does nothing else.

It tells JSON Lines on standard output: `ready`, `drops`, `ended`. It stops when standard input ends or says so, on
SIGTERM, when the backend ends, or when there is no room; what the backend still holds is written first.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import time

from analyzer.errors import CaptureError
from analyzer.live.backends import open_backend
from analyzer.live.blocks import statistics
from analyzer.live.contract import Backend
from analyzer.live.request import Drops, Request
from analyzer.live.spool import Full, Spool

TURN = 0.25
ASK = 1.0
"""Seconds between two questions for drops."""
DRAIN = 6.0
"""Seconds that a backend has to hand over what it holds."""


class Recorder:
    """One capture."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.backend: Backend = open_backend(request)
        self.spool: Spool | None = None
        self.stopping = 0.0
        self.trouble = ""
        self.told = Drops()
        self.stored: list[Drops] = []
        self.base: list[Drops] = []
        self.file = 0
        self.looked = time.time_ns()

    def tell(self, event: str, **cells: object) -> None:
        """Tell the analysis, which may be gone."""
        try:
            os.write(1, json.dumps({"event": event, **cells}).encode() + b"\n")
        except OSError:
            self.stop()

    def stop(self, *_: object) -> None:
        """End after what the backend still holds."""
        if not self.stopping:
            self.stopping = time.monotonic() + self.backend.grace

    def run(self) -> None:
        """Until the end."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        ask, look, ending = time.monotonic() + ASK, 0.0, 0.0
        self._begin(False)
        # poll, which unlike epoll takes a file that stands in for a pipe
        with selectors.PollSelector() as selector:
            selector.register(0, selectors.EVENT_READ)
            for descriptor in self.backend.descriptors():
                selector.register(descriptor, selectors.EVENT_READ)
            while self.backend.descriptors():
                for key, _ in selector.select(TURN):
                    if key.fd:
                        self._take(key.fd)
                        if key.fd not in self.backend.descriptors():
                            selector.unregister(key.fd)
                    else:
                        selector.unregister(0)  # closed, or told to stop: both mean the same
                        self.stop()
                now = time.monotonic()
                if self.stopping and now >= self.stopping and not ending:
                    ending = now + DRAIN
                    self.backend.stop()
                if ending and now > ending:
                    break
                if now >= ask:
                    ask = now + ASK
                    self._ask()
                if now >= look:
                    look = now + TURN
                    self._account()
                if self.spool is not None:
                    self.spool.turn()
        self._finish()

    def _take(self, descriptor: int) -> None:
        try:
            blocks = self.backend.take(descriptor)
        except ValueError as error:
            self.trouble = f"the backend writes what is no capture: {error}"
            self.stop()
            return
        self._begin(bool(blocks))
        if blocks:
            self._write(blocks)

    def _begin(self, came: bool) -> None:
        """Begin the spool once the capture has begun."""
        if self.spool is None and (self.backend.head or (self.request.pipe >= 0 and came)):
            what = ", ".join(self.request.interfaces) or "a pipe"
            self.spool = Spool(self.request, self.backend.head, f"{what} {self.request.expression}".strip())
            self.tell("ready", backend=self.backend.name)

    def _write(self, blocks: bytes, here: bool = False) -> None:
        assert self.spool is not None
        if self.trouble:
            return
        try:
            self.spool.write(blocks, here)
        except Full as error:
            self.trouble = str(error)
            self.stop()

    def _ask(self) -> None:
        """Tell what was dropped, and ask for more of it."""
        self._account()
        counts = self.backend.counts()
        total = Drops(
            max(sum(count.received for count in counts), self.backend.received()),
            sum(count.kernel for count in counts), sum(count.interface for count in counts),
        )  # fmt: skip
        if total != self.told:
            self.told = total
            self.tell("drops", received=total.received, kernel=total.kernel, interface=total.interface)
        self.backend.ask()

    def _account(self, at_the_end: bool = False) -> None:
        """Store statistics where packets were dropped since the last look: as they stood then, and as they stand now,
        which is the spell in which it happened. They count from the beginning of their file."""
        counts, now = self.backend.counts(), time.time_ns()
        if self.spool is None or not counts:
            return
        known = self.stored or [Drops()] * len(counts)
        if at_the_end or any(count.total > old.total for count, old in zip(counts, known, strict=True)):
            self.spool.turn()
            if self.spool.number != self.file:
                self.file, self.base = self.spool.number, known
            base = self.base or [Drops()] * len(counts)
            for moment, stamp in ((known, self.looked), (counts, now)):
                since = [count - old for count, old in zip(moment, base, strict=True)]
                self._write(
                    b"".join(
                        statistics(number, count.received, count.kernel, count.interface, stamp)
                        for number, count in enumerate(since)
                    ), here=True,
                )  # fmt: skip
            self.stored = counts
        self.looked = now

    def _finish(self) -> None:
        blocks, reason = self.backend.finish()
        if blocks and self.spool is not None:
            self._write(blocks)
        self._account(at_the_end=True)
        self._ask()
        if self.spool is not None:
            self.spool.close()
        self.tell("ended", reason=self.trouble or reason, began=self.spool is not None)


def main() -> None:
    """The process."""
    request = Request.load(sys.argv[1])
    try:
        recorder = Recorder(request)
    except CaptureError as error:
        print(json.dumps({"event": "ended", "reason": error.message, "hint": error.hint, "began": False}))
        return
    try:
        recorder.run()
    except OSError as error:
        recorder.tell("ended", reason=f"the spool cannot be written: {error}", began=False)
        recorder.backend.stop()
