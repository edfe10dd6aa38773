"""Work that takes long, in a process of its own, so that no key waits for it.

The walks and Python itself hold the interpreter while they run; a thread would make keys wait. The process is a fork:
it has the snapshot's tables without a copy, and its own way to the octets. It never writes to the terminal, and is
killed where it is no longer wanted. Where forks are not safe (they are on Linux), a thread does the work, and rests
whenever it tells something.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

Tell = Callable[[Any], None]
Work = Callable[[Tell], None]
REST = 0.002
"""Seconds that a thread leaves to the screen each time it tells something."""
NICE = 5
"""How far the process stands back behind the interface."""


class _Stopped(Exception):
    """The work is no longer wanted."""


class Apart:
    """Work that has begun. `told` is what it told since the last time; `running` ends when all of it was taken."""

    def __init__(self, work: Work, fork: bool = sys.platform == "linux") -> None:
        self.failure = ""
        self.running = True
        self._hand: _Process | _Thread = _Process(work) if fork else _Thread(work)

    def told(self) -> list[Any]:
        """Take what was told."""
        ended, taken = not self._hand.alive(), self._hand.take()
        items = [item for kind, item in taken if kind == "told"]
        for kind, item in taken:
            if kind == "failed":
                self.failure = item
        if ended or any(kind != "told" for kind, _ in taken):
            self.running = False
            self._hand.end()
            if ended and not taken and not self._hand.finished:
                self.failure = self.failure or "its process died"
        return items

    def stop(self) -> None:
        """End it at once."""
        self.running = False
        self._hand.end()


def _guarded(work: Work, tell: Callable[[tuple[str, Any]], None]) -> None:
    with suppress(_Stopped):
        try:
            work(lambda item: tell(("told", item)))
            tell(("ended", None))
        except _Stopped:
            raise
        except Exception as error:
            tell(("failed", f"{type(error).__name__}: {error}"))


class _Process:
    """A fork."""

    def __init__(self, work: Work) -> None:
        context = multiprocessing.get_context("fork")
        self.finished = False
        self._receiver, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=_child, args=(work, sender, os.getpid()), daemon=True)
        with warnings.catch_warnings():
            # that other threads may hold locks: the child takes none that they use
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        sender.close()

    def alive(self) -> bool:
        return self._process.is_alive()

    def take(self) -> list[tuple[str, Any]]:
        items: list[tuple[str, Any]] = []
        try:
            while not self._receiver.closed and self._receiver.poll():
                items.append(self._receiver.recv())
        except (EOFError, OSError):
            pass
        self.finished = self.finished or any(kind != "told" for kind, _ in items)
        return items

    def end(self) -> None:
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._receiver.close()


def _child(work: Work, sender: Any, parent: int) -> None:
    signal.set_wakeup_fd(-1)  # the parent's event loop listens at its other end
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
    os.nice(NICE)

    def tell(item: tuple[str, Any]) -> None:
        if os.getppid() != parent:
            raise _Stopped
        try:
            sender.send(item)
        except (BrokenPipeError, EOFError):
            raise _Stopped from None  # nobody listens any more; a pipe that the work writes to is another matter

    _guarded(work, tell)


class _Thread:
    """A thread."""

    finished = True

    def __init__(self, work: Work) -> None:
        self._items: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=_guarded, args=(work, self._tell), name="apart", daemon=True)
        self._thread.start()

    def _tell(self, item: tuple[str, Any]) -> None:
        if self._stop.is_set():
            raise _Stopped
        self._items.put(item)
        time.sleep(REST)

    def alive(self) -> bool:
        return self._thread.is_alive()

    def take(self) -> list[tuple[str, Any]]:
        items = []
        while not self._items.empty():
            items.append(self._items.get())
        return items

    def end(self) -> None:
        self._stop.set()
