"""Segments whose octets stand in several places of the capture: they came in IP fragments.

Theory of operation. Reassembly knows where a segment's octets stand by one number, `at`. A scattered segment gets a
range of numbers from `SCATTERED` on, above every virtual offset, and goes through the walk like any other. Of what the
walk then delivers, in whichever chunk, the rows in that range are cut into one row a piece, with the packet, time and
place of each. Their octets are read from the capture, whichever chunk they are in.

Where the capture cut fragments short, a segment has holes inside. The walk knows octets missing at a segment's end
only, so such a segment goes in as several, one for each run of octets up to the next hole.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from analyzer.packets.layouts import FIN, RST, SYN, URG
from analyzer.packets.pieces import Piece
from analyzer.streams.segments import Segments
from dissectors.tables import Array

SCATTERED = 1 << 62
FIRST_LOOK = 4096
"""Pieces before the first look at which of them are still needed: some 0.4 MB."""


class Scattered:
    """The pieces of scattered segments that are not delivered yet."""

    def __init__(self) -> None:
        self._next = SCATTERED
        self._starts: list[int] = []
        self._pieces: list[Piece] = []
        self._look = FIRST_LOOK

    def spread(self, columns: dict[str, Array], rows: npt.NDArray[np.int64],
               pieces: Mapping[int, Sequence[Piece]]) -> dict[str, Array]:  # fmt: skip
        """The columns of the segment walk with scattered segments in them. `rows` are the rows of the chunk that the
        columns are about, ascending; `pieces` are told by those."""
        places = np.searchsorted(rows, sorted(pieces)).tolist()
        runs = {}
        for place in places:
            whole = bool(columns["flags"][place] & RST)
            found = _runs(pieces[int(rows[place])], int(columns["length"][place]))
            runs[place] = found[:1] if whole else found
        counts = np.ones(len(rows), np.int64)
        counts[places] = [len(runs[place]) for place in places]
        first = np.cumsum(counts) - counts
        spread = {name: np.repeat(column, counts) for name, column in columns.items()}
        for place in places:
            self._fill(spread, int(first[place]), runs[place], int(columns["flags"][place]))
        return spread

    def _fill(self, columns: dict[str, Array], row: int, runs: list[tuple[int, int, list[Piece]]], flags: int) -> None:
        seq = int(columns["seq"][row])
        for index, (start, length, pieces) in enumerate(runs):
            # a SYN has a sequence number of its own (RFC 9293 §3.4)
            before = start + (1 if index and flags & SYN else 0)
            last = index == len(runs) - 1
            columns["seq"][row + index] = (seq + before) & 0xFFFFFFFF
            columns["flags"][row + index] = flags & ~(SYN | URG if index else 0) & ~(0 if last else FIN)
            columns["length"][row + index] = length
            columns["captured"][row + index] = sum(piece.length for piece in pieces)
            columns["at"][row + index] = self._keep(pieces)
            columns["position"][row + index] = -1

    def _keep(self, pieces: Sequence[Piece]) -> int:
        at = self._next
        for piece in pieces:
            self._starts.append(self._next)
            self._pieces.append(piece)
            self._next += piece.length
        return at

    def resolve(self, columns: dict[str, Array]) -> dict[str, Array]:
        """Delivered rows with those of scattered segments cut into one a piece."""
        rows = np.flatnonzero(columns["at"] >= SCATTERED)
        if not len(rows):
            return columns
        parts = {
            row: self._parts(at, length)
            for row, at, length in zip(
                rows.tolist(), columns["at"][rows].tolist(), columns["length"][rows].tolist(), strict=True
            )
        }
        counts = np.ones(len(columns["at"]), np.int64)
        counts[rows] = [len(found) for found in parts.values()]
        first = (np.cumsum(counts) - counts)[rows].tolist()
        cut = {name: np.repeat(column, counts) for name, column in columns.items()}
        for start, found in zip(first, parts.values(), strict=True):
            for index, (skip, piece) in enumerate(found):
                row = start + index
                cut["offset"][row] += skip
                cut["length"][row] = piece.length
                cut["packet"][row], cut["time"][row], cut["at"][row] = piece.packet, piece.time, piece.offset
                cut["position"][row] = -1
        return cut

    def _parts(self, at: int, length: int) -> list[tuple[int, Piece]]:
        """The pieces of a range, each with its distance from `at`."""
        found = []
        place = bisect_right(self._starts, at) - 1
        stop = at + length
        while place < len(self._starts) and self._starts[place] < stop:
            start, piece = self._starts[place], self._pieces[place]
            low, high = max(start, at), min(start + piece.length, stop)
            found.append((low - at, piece._replace(length=high - low, offset=piece.offset + low - start)))
            place += 1
        return found

    def prune(self, segments: Segments) -> None:
        """Forget what was delivered. Where something is held all the time, look whenever as many pieces came as were
        kept, so that the cost stays linear."""
        if not segments.holding_all:
            self._starts.clear()
            self._pieces.clear()
        elif len(self._starts) >= self._look:
            needed = segments.places(SCATTERED)
            kept = [
                place for place, (start, piece) in enumerate(zip(self._starts, self._pieces, strict=True))
                if _among(needed, start, start + piece.length)
            ]  # fmt: skip
            self._starts = [self._starts[place] for place in kept]
            self._pieces = [self._pieces[place] for place in kept]
            self._look = max(2 * len(kept), FIRST_LOOK)


def _among(needed: Sequence[tuple[int, int]], start: int, stop: int) -> bool:
    """Whether one of these ranges, which are apart and ascending, has something of start:stop."""
    place = bisect_right(needed, (start, SCATTERED << 1))
    return (place < len(needed) and needed[place][0] < stop) or (place > 0 and needed[place - 1][1] > start)


def _runs(pieces: Sequence[Piece], length: int) -> list[tuple[int, int, list[Piece]]]:
    """Start, length and pieces of each run of captured octets, holes behind it included."""
    runs: list[tuple[int, list[Piece]]] = []
    reach = 0
    for piece in pieces:
        if not runs or piece.start > reach:
            if not runs and piece.start:
                runs.append((0, []))
            runs.append((piece.start, []))
        runs[-1][1].append(piece)
        reach = piece.start + piece.length
    stops = [*(start for start, _ in runs[1:]), length]
    return [(start, stop - start, found) for (start, found), stop in zip(runs, stops, strict=True)]
