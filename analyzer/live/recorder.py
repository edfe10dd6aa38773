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
        ask, ending = time.monotonic() + ASK, 0.0
        self._begin(False)
        with selectors.DefaultSelector() as selector:
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

    def _write(self, blocks: bytes) -> None:
        assert self.spool is not None
        if self.trouble:
            return
        try:
            self.spool.write(blocks)
        except Full as error:
            self.trouble = str(error)
            self.stop()

    def _ask(self) -> None:
        drops = self.backend.drops()
        if drops != self.told:
            if drops.total > self.told.total and self.backend.counts and self.spool is not None:
                self._write(self.backend.counted())
            self.told = drops
            self.tell("drops", received=drops.received, kernel=drops.kernel, interface=drops.interface)
        self.backend.ask()

    def _finish(self) -> None:
        blocks, reason = self.backend.finish()
        if blocks and self.spool is not None:
            self._write(blocks)
        drops = self.backend.drops()
        self.tell("drops", received=drops.received, kernel=drops.kernel, interface=drops.interface)
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
