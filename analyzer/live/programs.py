"""The capture programs as backends: dumpcap, and tcpdump."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess

from analyzer.errors import CaptureError
from analyzer.live.blocks import Cutter, Expander, section
from analyzer.live.request import BUFFER, Drops, Request

STEP = 1 << 20
LAST_WORDS = 5.0
"""Seconds that a capture program has to end after it was asked to."""
TOLD = re.compile(rb"(\d+) packets? (captured|received by filter|dropped by kernel|dropped by interface)")


class Child:
    """A capture program and its two pipes."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.out, self.err = self.process.stdout.fileno(), self.process.stderr.fileno()
        os.set_blocking(self.err, False)
        self.said = b""
        self.asked_to_end = False

    def listen(self) -> bytes:
        """Everything that it has said so far on standard error; the last 64 KiB."""
        try:
            while words := os.read(self.err, 1 << 16):
                self.said = (self.said + words)[-(1 << 16) :]
        except BlockingIOError:
            pass
        return self.said

    def end(self) -> None:
        """Ask it to end."""
        self.asked_to_end = True
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def wait(self) -> None:
        """Wait until it has ended; kill it where it does not."""
        try:
            self.process.wait(LAST_WORDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.listen()

    def reason(self) -> str:
        """Why it ended, where nobody asked it to."""
        if self.asked_to_end:
            return ""
        lines = [line for line in self.said.decode("utf-8", "replace").splitlines() if line.strip()]
        noise = ("listening on", "packets", "Capturing on", "verbose output", "File:", "cap_set_proc", "data link type")
        told = [line.strip() for line in lines if not any(word in line for word in noise)]
        return told[0] if told else f"{self.command[0]} ended with status {self.process.returncode}"


class Piped:
    """What is read from pipes until they end."""

    def __init__(self, *pipes: int) -> None:
        self._open = list(pipes)

    def descriptors(self) -> list[int]:
        """The pipes that have not ended."""
        return self._open

    def read(self, descriptor: int) -> bytes:
        """Octets as they come, nothing at the end."""
        octets = os.read(descriptor, STEP)
        if not octets:
            self._open.remove(descriptor)
        return octets


class Tcpdump(Piped):
    """One tcpdump for each interface. It tells its drops when it gets SIGUSR1."""

    name = "tcpdump"
    grace = 1.2  # its buffer times out after 1 s, and SIGINT does not empty it

    def __init__(self, request: Request) -> None:
        program = shutil.which("tcpdump")
        if program is None:
            raise CaptureError("tcpdump is not installed", "install tcpdump, or try --backend dumpcap, or scapy")
        self.head = b""
        self.children: dict[int, Child] = {}
        self.expanders: dict[int, Expander] = {}
        self._early: list[bytes] = []
        for number, name in enumerate(request.interfaces):
            command = [
                program, "-U", "-n", "-i", name, "-s", str(request.snaplen), "-B", str(BUFFER >> 10),
                "--time-stamp-precision=nano", "-w", "-", *([request.expression] if request.expression else []),
            ]  # fmt: skip
            child = Child(command)
            self.children[child.out] = child
            self.expanders[child.out] = Expander(number, name, request.expression)
        super().__init__(*self.children)

    def take(self, descriptor: int) -> bytes:
        """Packets, as blocks; what comes before every interface has begun waits for that."""
        octets = self.read(descriptor)
        blocks = self.expanders[descriptor].feed(octets) if octets else b""
        if not self.head and octets:
            self._early.append(blocks)
            described = [expander.description for expander in self.expanders.values()]
            if not all(described):
                return b""
            self.head = section("framescope, tcpdump") + b"".join(described)
            blocks, self._early = b"".join(self._early), []
        return blocks

    def ask(self) -> None:
        """SIGUSR1."""
        for child in self.children.values():
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGUSR1)

    def received(self) -> int:
        """Packets that came through the pipes."""
        return sum(expander.packets for expander in self.expanders.values())

    def counts(self) -> list[Drops]:
        """What each said last."""
        return [_counts(child.listen()) for child in self.children.values()]

    def stop(self) -> None:
        """SIGINT: each writes what it holds."""
        for child in self.children.values():
            child.end()

    def finish(self) -> tuple[bytes, str]:
        """They have handed over everything."""
        for child in self.children.values():
            child.wait()
        return b"", next((reason for child in self.children.values() if (reason := child.reason())), "")


def _counts(said: bytes) -> Drops:
    told = {what.decode(): int(number) for number, what in TOLD.findall(said)}
    return Drops(*(told.get(name, 0) for name in ("received by filter", "dropped by kernel", "dropped by interface")))


class Dumpcap(Piped):
    """dumpcap writes pcapng, and its statistics when it ends."""

    name = "dumpcap"
    grace = 0.4  # it polls every 250 ms

    def __init__(self, request: Request) -> None:
        program = shutil.which("dumpcap")
        if program is None:
            raise CaptureError(
                "dumpcap is not installed", "it comes with Wireshark; or try --backend tcpdump, or scapy"
            )
        command = [program, "-q", "-n", "-w", "-", "-B", str(BUFFER >> 20), "-s", str(request.snaplen)]
        if request.expression:
            command += ["-f", request.expression]
        for name in request.interfaces:
            command += ["-i", name]
        self.child = Child(command)
        self.cutter = Cutter()
        self.head = b""
        super().__init__(self.child.out)

    def take(self, descriptor: int) -> bytes:
        """Packets."""
        octets = self.read(descriptor)
        blocks = self.cutter.feed(octets) if octets else b""
        if not self.head and self.cutter.head:
            # on an idle link nothing follows the head, and it is written at once
            self.head = self.cutter.head
        return blocks

    def ask(self) -> None:
        """It tells at the end only."""

    def received(self) -> int:
        """Packets that came through the pipe."""
        return self.cutter.packets

    def counts(self) -> list[Drops]:
        """It tells at the end only."""
        return []

    def stop(self) -> None:
        """SIGINT."""
        self.child.end()

    def finish(self) -> tuple[bytes, str]:
        """Its statistics came with the packets."""
        self.child.wait()
        return b"", self.child.reason()
