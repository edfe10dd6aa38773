"""Octets that lie in several places of a capture: a datagram put together from fragments, or one record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Piece(NamedTuple):
    """Captured octets, in one row in the capture."""

    start: int
    """Where they stand in the buffer."""
    length: int
    offset: int
    """Their virtual offset."""
    packet: int
    """The record (row of PACKETS) that carried them."""
    time: int
    """Its time."""


class Buffer(NamedTuple):
    """Octets with their origin. Where no piece stands, the capture holds nothing and `octets` reads as zero."""

    octets: bytes
    pieces: tuple[Piece, ...]
    """Ascending, without overlap."""
    length: int
    """Octets on the wire; `octets` may be shorter."""

    def cut(self, start: int, stop: int, length: int) -> Buffer:
        """What stands in `start:stop`, as a buffer of `length` octets on the wire."""
        return Buffer(self.octets[start:stop], tuple(cut(self.pieces, start, stop)), length)

    def head(self) -> int:
        """Octets before the first hole."""
        at = 0
        for piece in self.pieces:
            if piece.start > at:
                break
            at = piece.start + piece.length
        return at


def cut(pieces: Iterable[Piece], start: int, stop: int) -> list[Piece]:
    """The parts of pieces that stand in `start:stop`, counted from `start`."""
    found = []
    for piece in pieces:
        low, high = max(piece.start, start), min(piece.start + piece.length, stop)
        if low < high:
            found.append(piece._replace(start=low - start, length=high - low, offset=piece.offset + low - piece.start))
    return found


def joined(parts: Iterable[tuple[int, Buffer]], length: int) -> Buffer:
    """One buffer of parts at ascending places."""
    octets = bytearray(length)
    pieces: list[Piece] = []
    for start, part in parts:
        octets[start : start + len(part.octets)] = part.octets
        pieces += (piece._replace(start=piece.start + start) for piece in part.pieces)
    return Buffer(bytes(octets), tuple(pieces), length)
