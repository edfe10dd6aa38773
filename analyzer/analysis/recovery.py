"""Where the framing of a direction is lost: what is held of it, and the search for where frames go on.

Theory of operation. The frame walk parks the spans of such a direction, and stops when it is ripe for a look: `LOOK`
octets behind the loss, then at twice as many each time, so that a quiet chat goes on after a few messages and the cost
is at most twice that of the last look; from `look_ahead` on half of the octets are given up at each look. A gap, the
end of the direction and the end of the capture make it ripe too. Each look reads exactly as many octets as it was told
to, however they were cut into packets and chunks. What is held are spans; their octets are read from the capture.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from analyzer.capture.records import Source
from analyzer.schemas import DATA
from dissectors.websocket.frame_walk import Directions, Parked
from dissectors.websocket.header_search import search
from dissectors.websocket.modes import LOOK


class Held(NamedTuple):
    """A parked span."""

    kind: int
    offset: int
    length: int
    at: int
    packet: int
    time: int

    def behind(self, offset: int) -> Held:
        """What of it stands from `offset` on."""
        skip = max(offset - self.offset, 0)
        at = self.at + skip if self.at >= 0 else -1
        return self._replace(offset=self.offset + skip, length=self.length - skip, at=at)


class Going(NamedTuple):
    """Frames go on at `at`, by `bits` of evidence before `reach`; the packet and time of that octet, and the spans to
    walk again as the columns of a run."""

    at: int
    reach: int
    bits: int
    packet: int
    time: int
    run: dict[str, Any]


class Recovery:
    """What is held of all directions."""

    def __init__(self, directions: Directions, source: Source, look_ahead: int) -> None:
        self.directions = directions
        self.source = source
        self.look_ahead = look_ahead
        self.held: dict[int, list[Held]] = {}

    def waiting(self) -> list[int]:
        """Slots of which something is held."""
        return sorted(self.held)

    def park(self, parked: Parked) -> int:
        """Take parked spans in. Returns the slot of the last one where that is ripe for a look, else -1: the walk may
        have come to the end of its spans."""
        slot, last = -1, None
        for slot, *cells in parked.matrix[:, : parked.count].T.tolist():
            last = Held(*cells)
            self.held.setdefault(slot, []).append(last)
        ripe = last is not None and (last.kind > 0 or last.offset + last.length >= self.directions.whole["ripe"][slot])
        return slot if ripe else -1

    def look(self, slot: int, release: int) -> Going | None:
        """Search what is held of a direction, as far as it is due; `release` is the packet that made it so."""
        state = self.directions.whole
        held = self.held.pop(slot, [])
        start, ripe = int(state["lost_from"][slot]), int(state["ripe"][slot])
        data = [span for span in held if span.kind == DATA]
        # the last span ends what is searched if it is no data; without one, and not ripe, the capture ended
        reach = data[-1].offset + data[-1].length if data else start
        ended = not held or held[-1].kind != DATA or reach < ripe
        found = None
        if data:
            octets, starts = self._octets(data, start)
            while found is None:
                size = ripe - start
                whole = ended and size >= reach - start
                if not whole and size > reach - start:
                    break
                stop = reach if whole else ripe
                begin = start - data[0].offset
                found = self._search(slot, octets, starts, begin, begin + stop - start, whole)
                if found is not None or whole:
                    break
                if size >= self.look_ahead:
                    start += self.look_ahead // 2
                ripe = start + min(2 * size, self.look_ahead)
        if found is not None:
            at, bits = found[0] + data[0].offset, found[1]
            return self._going(slot, held, at, stop, bits, release)
        if ended:
            start = held[-1].offset + held[-1].length if held else reach
            ripe = start + LOOK
        else:
            self.held[slot] = [span.behind(start) for span in data if span.offset + span.length > start]
        state["lost_from"][slot], state["ripe"][slot] = start, ripe
        return None

    def _octets(self, data: list[Held], start: int) -> tuple[bytes, Any]:
        parts = [self.source.read(span.at, span.length).ljust(span.length, b"\0") for span in data]
        starts = np.zeros(data[-1].offset + data[-1].length - data[0].offset, np.uint8)
        starts[[span.offset - data[0].offset for span in data]] = 1
        return b"".join(parts), starts

    def _search(self, slot: int, octets: bytes, starts: Any, start: int, stop: int,
                ended: bool) -> tuple[int, int] | None:  # fmt: skip
        """Where frames go on between two places of the octets, and the bits for it."""
        state = self.directions.whole
        client, defined = int(state["client"][slot]), int(state["defined"][slot])
        found = search(memoryview(octets)[start:stop], starts[start:stop].data, client, defined, ended)
        return (start + found.at, found.bits if found.sure else 0) if found.at >= 0 else None

    def _going(self, slot: int, held: list[Held], at: int, reach: int, bits: int, release: int) -> Going:
        """What is to be walked again from `at` on; the gap behind it comes with it."""
        again = [span.behind(at) for span in held if span.offset + span.length > at]
        self.directions.whole["opaque"][slot] -= sum(span.length for span in again)
        lengths = np.array([span.length if span.kind == DATA else 0 for span in again], np.int64)
        count = len(again)
        columns = dict(zip(Held._fields, (np.array(cells, np.int64) for cells in zip(*again, strict=True)),
                           strict=True))  # fmt: skip
        octets = b"".join(self.source.read(span.at, span.length).ljust(span.length, b"\0") for span in again
                          if span.kind == DATA)  # fmt: skip
        run = columns | {
            "octets": memoryview(octets), "slot": np.full(count, slot), "kind": columns["kind"].astype(np.uint8),
            "position": np.cumsum(lengths) - lengths, "release": np.full(count, release),
        }  # fmt: skip
        return Going(at, reach, bits, again[0].packet, again[0].time, run)
