"""The story of one connection in rungs: requests, frames or messages, silences, notes, TCP's end. Columns, not objects:
a connection may have a million frames."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from analyzer.api import Capture
from analyzer.tui.entries import Entries, Entry
from dissectors.schemas import NO_TIME
from dissectors.tables import Array

SILENCE = 1_000_000_000
"""ns without a rung that are drawn as a silence, at least; and at least this much more than is usual on the
connection."""
USUAL = 4
CONTROL = 8
"""Opcodes from here on are control frames (RFC 6455 §5.5)."""


class Kind(IntEnum):
    """What a rung is. `ref` is a row of the table named."""

    REQUEST = 0  # EXCHANGES
    RESPONSE = 1  # EXCHANGES
    BORDER = 2  # EXCHANGES: HTTP ends and WebSocket begins
    MESSAGE = 3  # MESSAGES
    FRAME = 4  # FRAMES
    NOTE = 5  # NOTES
    SILENCE = 6  # length in ns
    GAP = 7  # SPANS: octets that the capture does not hold
    END = 8  # ENDINGS
    CAPTURE_END = 9


class Show(IntEnum):
    """Which frames are shown."""

    ALL = 0
    DATA = 1
    CONTROL = 2


@dataclass(frozen=True, slots=True)
class Rungs:
    """One item a rung, in order."""

    kind: npt.NDArray[np.uint8]
    ref: npt.NDArray[np.int64]
    time: npt.NDArray[np.int64]
    """ns since 1970, NO_TIME where not known."""

    def __len__(self) -> int:
        return len(self.kind)

    def find(self, kind: Kind, ref: int) -> int:
        """Where a rung stands, -1 if it is not there."""
        found = np.flatnonzero((self.kind == kind) & (self.ref == ref))
        return int(found[0]) if len(found) else -1


def rungs_of(capture: Capture, entries: Entries, entry: Entry, frames: bool, show: Show,
             expression: str = "") -> Rungs:  # fmt: skip
    """The story of a connection. `frames`: every frame a rung, else every message.

    Raises: FilterError where `expression`, a filter on messages or frames, does not compile.
    """
    parts = [*_http(capture, entries, entry)]
    if entry.connection >= 0:
        parts += [_crossed(capture, entry, frames, show, expression)]
        parts += [_notes(capture, entry), _gaps(capture, entry)]
    parts += [_ends(capture, entry)]
    kind, ref, time, packet = (np.concatenate([part[index] for part in parts]) for index in range(4))
    order = np.lexsort((kind, packet))
    return _with_silences(kind[order], ref[order], time[order], capture)


Part = tuple[Array, Array, Array, Array]
LATE = 2**62
"""The packet of what has none: it stands at the end."""


def _part(kind: Kind, ref: Array, time: Array, packet: Array) -> Part:
    packets = np.where(packet < 0, LATE, packet).astype(np.int64)
    return np.full(len(ref), kind, np.uint8), ref.astype(np.int64), time.astype(np.int64), packets


def _http(capture: Capture, entries: Entries, entry: Entry) -> list[Part]:
    table = capture.snapshot["exchanges"]
    rows = entries.exchanges_of(entry.channel)
    answered = rows[table["response_packet"][rows] >= 0]
    parts = [
        _part(Kind.REQUEST, rows, table["request_time"][rows], table["request_packet"][rows]),
        _part(Kind.RESPONSE, answered, table["response_time"][answered], table["response_packet"][answered]),
    ]
    if entry.connection >= 0:
        cells = capture.snapshot["connections"].row(entry.connection)
        shake = capture.snapshot.handshake(cells)
        if shake["client_start"] >= 0:
            ref, time, packet = (np.array([shake[name]]) for name in ("exchange", "last_time", "last_packet"))
            parts.append(_part(Kind.BORDER, ref, time, packet))
    return parts


def _crossed(capture: Capture, entry: Entry, frames: bool, show: Show, expression: str) -> Part:
    name = "frames" if frames else "messages"
    view = capture.view(name)
    table = capture.snapshot[name]
    places = capture._places_of(name, entry.connection)
    if show is not Show.ALL:
        control = table["opcode"][places] >= CONTROL
        places = places[control if show is Show.CONTROL else ~control]
    if expression:
        places = view.choose(expression, places)
    packet = view.column("packet")[places] - 1
    kind = Kind.FRAME if frames else Kind.MESSAGE
    return _part(kind, view.rows[places], table["time"][places], packet)


def _notes(capture: Capture, entry: Entry) -> Part:
    table = capture.snapshot["notes"]
    places = capture._places_of("notes", entry.connection)
    return _part(Kind.NOTE, table.rows()[places], table["time"][places], table["packet"][places])


def _gaps(capture: Capture, entry: Entry) -> Part:
    spans = capture.snapshot["spans"]
    stream = int(capture.snapshot["channels"]["stream"][entry.channel])
    rows = np.flatnonzero((spans["kind"] == 1) & (spans["stream"] == stream))
    packet = spans["packet"][rows]
    return _part(Kind.GAP, rows, capture.snapshot["packets"].take("time", packet), packet)


def _ends(capture: Capture, entry: Entry) -> Part:
    table = capture.snapshot["endings"]
    stream = int(capture.snapshot["channels"]["stream"][entry.channel])
    rows = np.flatnonzero(table["stream"] == stream)
    if len(rows):
        return _part(Kind.END, rows, table["time"][rows], table["packet"][rows])
    last = capture.snapshot.traffic.last_time
    kind, ref, time, packet = _part(Kind.CAPTURE_END, np.zeros(1), np.array([last]), np.array([-1]))
    return kind, ref, time, packet + 1


def _with_silences(kind: Array, ref: Array, time: Array, capture: Capture) -> Rungs:
    known = np.flatnonzero((time != NO_TIME) & (kind != Kind.NOTE))
    if len(known) < 2:
        return Rungs(kind, ref, time)
    waits = np.diff(time[known])
    usual = int(np.median(waits))
    long = np.flatnonzero((waits >= SILENCE) & (waits >= USUAL * max(usual, 0)))
    if len(waits) < 8:
        long = np.flatnonzero(waits >= SILENCE)
    before = known[long + 1]
    return Rungs(
        np.insert(kind, before, np.uint8(Kind.SILENCE)),
        np.insert(ref, before, waits[long]),
        np.insert(time, before, time[known[long]]),
    )
