"""What a backend does: it brings packets from interfaces, or a pipe, to the recorder, always as whole pcapng blocks."""

from __future__ import annotations

from typing import Protocol

from analyzer.live.request import Drops


class Backend(Protocol):
    """An open capture."""

    name: str
    grace: float
    """Seconds in which everything that has crossed the interface by now will have come."""
    head: bytes
    """Section and interface blocks, once all interfaces have begun."""

    def descriptors(self) -> list[int]:
        """What to wait on; none left: it has ended."""

    def take(self, descriptor: int) -> bytes:
        """Whole blocks that have come on a descriptor."""

    def received(self) -> int:
        """Packets so far, as far as known."""

    def counts(self) -> list[Drops]:
        """Of each interface since the capture began, as far as known; empty where only the end of the capture tells,
        which then holds its statistics."""

    def ask(self) -> None:
        """Ask for news of drops, which come later."""

    def stop(self) -> None:
        """Have it end: what it still holds comes first."""

    def finish(self) -> tuple[bytes, str]:
        """The last blocks, and why it ended by itself, if so."""
