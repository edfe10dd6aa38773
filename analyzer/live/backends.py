"""The backends there are, and which is taken: what this machine has, and this user may use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec

from analyzer.errors import CaptureError
from analyzer.live import rights
from analyzer.live.contract import Backend
from analyzer.live.programs import Dumpcap, Piped, Tcpdump
from analyzer.live.request import Drops, Request


class Pipe(Piped):
    """Somebody else's capture, octet for octet."""

    name = "pipe"
    grace = 0.0

    def __init__(self, request: Request) -> None:
        super().__init__(request.pipe)
        self.head = b""
        self._first = bytes.fromhex(request.first)

    def take(self, descriptor: int) -> bytes:
        """Octets as they come."""
        first, self._first = self._first, b""
        return first + self.read(descriptor)

    def ask(self) -> None:
        """Nobody to ask."""

    def received(self) -> int:
        """Nobody counts here."""
        return 0

    def counts(self) -> list[Drops]:
        """What the capture tells stands in it."""
        return []

    def stop(self) -> None:
        """Read no more."""
        self._open.clear()

    def finish(self) -> tuple[bytes, str]:
        """Nothing more."""
        return b"", ""


def own(request: Request) -> Backend:
    """Our own, whose module is imported with it alone."""
    from analyzer.live.own import Own

    return Own(request)


PROGRAMS = ("dumpcap", "tcpdump")
"""Backends that are programs: they inherit the right to capture."""
BACKENDS: dict[str, Callable[[Request], Backend]] = {"dumpcap": Dumpcap, "tcpdump": Tcpdump, "scapy": own}
"""In the order of preference: dumpcap shows a packet soonest, our own costs the most a packet."""


def open_backend(request: Request) -> Backend:
    """The backend that was asked for, or else the first that this machine has and this user may use; once it is open,
    this process has no rights any more, and is the user's who called.

    Raises: CaptureError where there is none, or it does not open.
    """
    user = rights.caller()
    name = "" if request.pipe >= 0 else request.backend if request.backend != "auto" else preferred()
    opens_itself = name not in PROGRAMS
    if user and not opens_itself:
        rights.become(user, keep=True)
    backend = Pipe(request) if request.pipe >= 0 else BACKENDS[name](request)
    if user and opens_itself:
        rights.become(user, keep=False)
    rights.let_go()
    return backend


def preferred() -> str:
    """The name of the backend that is taken where none was asked for.

    Raises: CaptureError where there is none.
    """
    there = [name for name in BACKENDS if is_there(name)]
    if not there:
        raise CaptureError("there is nothing to capture with", "install dumpcap, tcpdump or scapy")
    return next((name for name in there if may_capture(name)), there[0])


def is_there(name: str) -> bool:
    """Whether this machine has a backend."""
    return find_spec("scapy") is not None if name == "scapy" else shutil.which(name) is not None


def may_capture(name: str) -> bool:
    """Whether a backend seems to have the right to capture: root has, and a program that was given capabilities."""
    program = shutil.which(name)
    if os.geteuid() == 0:
        return True
    if program is None or not hasattr(os, "listxattr"):
        return False
    try:
        return "security.capability" in os.listxattr(program) or bool(os.stat(program).st_mode & 0o4000)
    except OSError:
        return False
