"""Judges by evidence whether a connection whose start is not in the capture is WebSocket, and which side is the client.

Theory of operation. Every direction is looked at as that of a client, whose frames are masked, and as that of a server,
whose frames are not (RFC 6455 §5.1); `header_search.weigh` says how many bits its octets carry for each. Looks are
taken at `FIRST` octets, at four times as many and so on, and where the direction ends or octets are missing: so a
result depends on the connection's own octets, not on how they were cut into chunks. The bits of both directions add up,
as one side must mask and the other must not. From `ENOUGH` on it is WebSocket; where a direction has shown `MOST`
octets without that, it is not, and nobody looks again. Until then pieces are held, which are spans, no octets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from analyzer.capture.records import Source
from analyzer.schemas import DATA, END, GAP, RESET
from dissectors.websocket.header_search import weigh

FIRST, MOST = 512, 32 << 10
"""Octets of a direction, between two gaps and in all."""
ENOUGH = 32
"""Bits. Random octets have so many once in 2^32 searches; two short texts from one side in segments of their own, or a
Ping with its Pong and the Closes, have more."""
ASKED = 16
"""Bits for a request to upgrade whose response is not in the capture: most are granted."""
RSV1 = 4
"""The reserved bit that may be set: permessage-deflate is the one extension in use (RFC 7692)."""


class Piece(NamedTuple):
    """A delivered span, as one value."""

    slot: int
    kind: int
    offset: int
    length: int
    packet: int
    at: int
    time: int
    mark: int
    release: int


@dataclass(slots=True)
class _Side:
    """A direction: its pieces since the last gap, and the bits that it carries as a server's and as a client's."""

    start: int
    reach: int
    ripe: int = FIRST
    spent: int = 0
    held: list[Piece] = field(default_factory=list)
    earlier: list[int] = field(default_factory=lambda: [0, 0])
    bits: list[int] = field(default_factory=lambda: [0, 0])
    ended: bool = False
    looked: int = 0


class Middle:
    """One connection under judgement. `starts`: where each direction's octets begin; `client`: who that is, where a
    handshake says it, with the bits that it is worth."""

    def __init__(self, source: Source, pieces: int, starts: tuple[int, int] = (0, 0), client: int = -1,
                 worth: int = 0) -> None:  # fmt: skip
        self.source = source
        self.client = client
        self.worth = worth
        self.over = False
        """It is none."""
        self._left = pieces
        self._sides = [_Side(start, start) for start in starts]

    def take(self, piece: Piece) -> bool:
        """Take a piece in; returns whether the connection is WebSocket, as far as is known."""
        side = self._sides[piece.slot & 1]
        self._left -= 1
        stop = piece.offset + piece.length
        if piece.kind == DATA:
            if stop <= side.reach:
                return False
            if piece.offset > side.reach:
                self._gap(side, piece.offset)
            side.held.append(piece)
            side.reach = stop
            while side.reach - side.start >= side.ripe and side.spent + side.ripe <= MOST:
                self._look(side, side.ripe, False)
                side.ripe *= 4
        elif piece.kind == GAP:
            self._gap(side, max(stop, side.reach))
        elif piece.kind == RESET:
            return self.finish()
        elif piece.kind == END:
            self._look(side, side.reach - side.start, True)
            side.ended = True
        if self.known() >= 0:
            return True
        if self._left <= 0 or side.spent + side.ripe > MOST or all(side.ended for side in self._sides):
            return self.finish(all(side.ended for side in self._sides))
        return False

    def finish(self, ended: bool = True) -> bool:
        """Look at everything that is there: nothing more is awaited."""
        for side in self._sides:
            self._look(side, side.reach - side.start, ended)
        self.over = self.known() < 0
        return not self.over

    def known(self) -> int:
        """The client's direction, -1 where it is not known to be WebSocket."""
        totals = [self.worth * (self.client == client) + self._sides[client].bits[1] + self._sides[1 - client].bits[0]
                  for client in (0, 1)]  # fmt: skip
        best = self.client if self.client >= 0 else int(totals[1] > totals[0])
        return best if totals[best] >= ENOUGH else -1

    def _gap(self, side: _Side, behind: int) -> None:
        """Octets are missing: what stands before them was all of it."""
        self._look(side, side.reach - side.start, True)
        side.earlier = list(side.bits)
        side.spent += side.reach - side.start
        side.held.clear()
        side.start = side.reach = behind
        side.ripe, side.looked = FIRST, 0

    def _look(self, side: _Side, size: int, ended: bool) -> None:
        """Weigh the first octets since the last gap."""
        size = min(size, MOST)
        if side.ended or not side.held or (size <= side.looked and not ended):
            return
        side.looked = size
        octets = bytearray()
        starts = np.zeros(size, np.uint8)
        for piece in side.held:
            skip = side.start + len(octets) - piece.offset
            if skip == 0:
                starts[len(octets)] = 1
            octets += self.source.read(piece.at + skip, piece.length - skip).ljust(piece.length - skip, b"\0")
            if len(octets) >= size:
                break
        whole = ended and size == side.reach - side.start
        for client in (0, 1):
            worth = weigh(memoryview(octets)[:size], starts.data, client, RSV1, whole)
            side.bits[client] = side.earlier[client] + worth
