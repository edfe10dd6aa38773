"""The story of one connection in rungs: requests, frames or messages, silences, notes, TCP's end. Columns, not objects:
a connection may have a million frames, and a rung costs 17 octets."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from analyzer.analysis.losses import lost_gaps
from analyzer.api import Capture
from analyzer.schemas import GAP
from analyzer.tui.entries import Entries, Entry
from dissectors.schemas import NO_TIME
from dissectors.tables import Array, Table
from dissectors.websocket.opcodes import PONG

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
    ENCRYPTED = 10  # ENCRYPTED: all that crossed


class Show(IntEnum):
    """Which frames are shown."""

    ALL = 0
    DATA = 1
    CONTROL = 2


NONE = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Rungs:
    """One item a rung, in order."""

    kind: npt.NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    ref: npt.NDArray[np.int64] = field(default_factory=lambda: NONE)
    time: npt.NDArray[np.int64] = field(default_factory=lambda: NONE)
    """ns since 1970, NO_TIME where not known."""
    trips: tuple[Array, Array] = (NONE, NONE)
    """Pings that were answered and their pongs, ascending: the same rows as `ref`; and after how many ns."""
    joins: tuple[tuple[Array, Array], tuple[Array, Array]] = ((NONE, NONE), (NONE, NONE))
    """By direction, of messages in several frames where frames are shown: the rungs of their first and their last."""
    lost: Array = field(default_factory=lambda: NONE)
    """Gaps that are capture loss: the same rows as `ref`."""

    def __len__(self) -> int:
        return len(self.kind)

    def find(self, kind: Kind, ref: int) -> int:
        """Where a rung stands, -1 if it is not there."""
        found = np.flatnonzero(self.ref == ref)
        found = found[self.kind[found] == kind]
        return int(found[0]) if len(found) else -1

    def trip(self, ref: int) -> int:
        """The round trip of a ping or pong, in ns; -1 where none is known."""
        at = int(np.searchsorted(self.trips[0], ref))
        return int(self.trips[1][at]) if at < len(self.trips[0]) and int(self.trips[0][at]) == ref else -1

    def joined(self, direction: int, number: int) -> tuple[bool, bool] | None:
        """Of the fragmented message of a direction that a rung stands in: whether it is the first, the last; None where
        it stands in none."""
        first, last = self.joins[direction]
        at = int(np.searchsorted(first, number, side="right")) - 1
        if at < 0 or number > int(last[at]):
            return None
        return number == int(first[at]), number == int(last[at])


def places_of(capture: Capture, entries: Entries, entry: Entry, frames: bool, show: Show, expression: str = "",
              among: Array | None = None) -> npt.NDArray[np.int64]:  # fmt: skip
    """Places in FRAMES or MESSAGES that are shown of a connection; `among` are the rows for which `expression` holds,
    where that is known.

    Raises: FilterError where `expression`, a filter on messages or frames, does not compile.
    """
    name = "frames" if frames else "messages"
    places = entries.rows_of(name, entry.connection)
    if show is not Show.ALL:
        control = capture.snapshot[name]["opcode"][places] >= CONTROL
        places = places[control if show is Show.CONTROL else ~control]
    if among is not None:
        return places[np.isin(_rows(capture.snapshot[name], places), among, assume_unique=True)]
    return capture.view(name).choose(expression, places) if expression else places


def rungs_of(capture: Capture, entries: Entries, entry: Entry, frames: bool, show: Show, expression: str = "",
             among: Array | None = None) -> Rungs:  # fmt: skip
    """The story of a connection. `frames`: every frame a rung, else every message; `among` as of `places_of`.

    Raises: FilterError where `expression`, a filter on messages or frames, does not compile.
    """
    parts = [*_http(capture, entries, entry), _gaps(capture, entry), _ends(capture, entry)]
    crossed = _part(Kind.ENCRYPTED, NONE, NONE, NONE)
    if entry.encrypted >= 0:
        crossed = _part(Kind.ENCRYPTED, np.array([entry.encrypted]), np.array([entry.first]), np.array([0]))
    if entry.connection >= 0:
        places = places_of(capture, entries, entry, frames, show, expression, among)
        crossed = _crossed(capture, frames, places)
        parts += [_notes(capture, entries.rows_of("notes", entry.connection))]
    elif entry.channel >= 0:
        parts += [_notes(capture, np.flatnonzero(capture.snapshot["notes"]["channel"] == entry.channel))]
    kind, ref, time = _with_silences(*_merged(crossed, parts))
    tables = capture.snapshot.tables
    lost = tables["spans"].rows()[lost_gaps(tables, capture.snapshot.source.losses, entry.stream)]
    if entry.connection < 0:
        return Rungs(kind, ref, time, lost=lost)
    trips = _trips(capture, entries, entry, frames)
    joins = _joins(capture, kind, ref) if frames else ((NONE, NONE), (NONE, NONE))
    return Rungs(kind, ref, time, trips, joins, lost)


Part = tuple[Array, Array, Array, Array]
LATE = 2**62
"""The packet of what has none: it stands at the end."""


def _part(kind: Kind, ref: Array, time: Array, packet: Array) -> Part:
    packets = packet.astype(np.int64, copy=False)
    if len(packets) and int(packets.min()) < 0:
        packets = np.where(packets < 0, LATE, packets)
    times = time.astype(np.int64, copy=False)
    return np.full(len(ref), kind, np.uint8), ref.astype(np.int64, copy=False), times, packets


def _merged(crossed: Part, parts: list[Part]) -> tuple[Array, Array, Array]:
    """Frames or messages are many, and stand in the order of their packets already: the others are put between."""
    if (crossed[3][1:] < crossed[3][:-1]).any():
        order = np.argsort(crossed[3], kind="stable")
        crossed = crossed[0][order], crossed[1][order], crossed[2][order], crossed[3][order]
    kind, ref, time, packet = (np.concatenate([part[index] for part in parts]) for index in range(4))
    order = np.lexsort((kind, packet))
    kind, ref, time, packet = kind[order], ref[order], time[order], packet[order]
    before = np.searchsorted(crossed[3], packet, side="left")
    at = np.where(kind < Kind.MESSAGE, before, np.searchsorted(crossed[3], packet, side="right"))
    return np.insert(crossed[0], at, kind), np.insert(crossed[1], at, ref), np.insert(crossed[2], at, time)


def _http(capture: Capture, entries: Entries, entry: Entry) -> list[Part]:
    table = capture.snapshot["exchanges"]
    places = entries.exchanges_of(entry.channel)
    answered, rows = places[table["response_packet"][places] >= 0], table.rows()
    parts = [
        _part(Kind.REQUEST, rows[places], table["request_time"][places], table["request_packet"][places]),
        _part(Kind.RESPONSE, rows[answered], table["response_time"][answered], table["response_packet"][answered]),
    ]
    if entry.connection >= 0:
        cells = capture.snapshot["connections"].row(entry.connection)
        shake = capture.snapshot.handshake(cells)
        if shake["client_start"] >= 0:
            ref, time, packet = (np.array([shake[name]]) for name in ("exchange", "last_time", "last_packet"))
            parts.append(_part(Kind.BORDER, ref, time, packet))
    return parts


def _crossed(capture: Capture, frames: bool, places: Array) -> Part:
    table = capture.snapshot["frames" if frames else "messages"]
    run = _run(places)
    time = table["time"][run]
    rows = _rows(table, places)
    if frames:
        return _part(Kind.FRAME, rows, time, table["last_packet"][run])
    last = table["last_frame"][run]
    if len(last) and int(last.min()) < 0:
        last = np.where(last >= 0, last, table["first_frame"][run])
    return _part(Kind.MESSAGE, rows, time, _cells(capture.snapshot["frames"], "last_packet", last))


def _rows(table: Table, places: Array) -> Array:
    """Row numbers of places: the same where no row was left out."""
    return places if sum(map(len, table.blocks)) == len(table) else table.rows()[places]


def _run(places: Array) -> Array | slice:
    """Places that follow one another as a slice: nothing is copied then."""
    if len(places) and int(places[-1]) - int(places[0]) == len(places) - 1:
        return slice(int(places[0]), int(places[-1]) + 1)
    return places


def _cells(table: Table, name: str, rows: Array) -> Array:
    """`Table.take`, with one look at each cell where all rows are there: this is what a key waits for."""
    column = table[name]
    if len(rows) and len(column) == len(table) and int(rows.min()) >= 0 and int(rows.max()) < len(column):
        return column[rows]
    return table.take(name, rows)


def _notes(capture: Capture, places: Array) -> Part:
    table = capture.snapshot["notes"]
    return _part(Kind.NOTE, table.rows()[places], table["time"][places], table["packet"][places])


def _gaps(capture: Capture, entry: Entry) -> Part:
    spans = capture.snapshot["spans"]
    places = np.flatnonzero((spans["kind"] == GAP) & (spans["stream"] == entry.stream))
    if not len(places):
        return _part(Kind.GAP, NONE, NONE, NONE)
    packet = spans["packet"][places]
    return _part(Kind.GAP, spans.rows()[places], capture.snapshot["packets"].take("time", packet), packet)


def _ends(capture: Capture, entry: Entry) -> Part:
    table = capture.snapshot["endings"]
    rows = np.flatnonzero(table["stream"] == entry.stream)
    if len(rows):
        return _part(Kind.END, rows, table["time"][rows], table["packet"][rows])
    last = capture.snapshot.traffic.last_time
    kind, ref, time, packet = _part(Kind.CAPTURE_END, np.zeros(1), np.array([last]), np.array([-1]))
    return kind, ref, time, packet + 1


def _with_silences(kind: Array, ref: Array, time: Array) -> tuple[Array, Array, Array]:
    known = np.flatnonzero((time != NO_TIME) & (kind != Kind.NOTE))
    waits = np.diff(time[known])
    long = np.flatnonzero(waits >= SILENCE)
    if len(long) and len(waits) >= 8:
        long = long[waits[long] >= USUAL * max(int(np.median(waits)), 0)]
    if not len(long):
        return kind, ref, time
    before = known[long + 1]
    return (
        np.insert(kind, before, np.uint8(Kind.SILENCE)),
        np.insert(ref, before, waits[long]),
        np.insert(time, before, time[known[long]]),
    )


def _trips(capture: Capture, entries: Entries, entry: Entry, frames: bool) -> tuple[Array, Array]:
    """Pings and pongs with their round trips."""
    table = capture.snapshot["messages"]
    pongs = np.flatnonzero((table["opcode"] == PONG) & (table["channel"] == entry.channel))
    pongs = pongs[table["answers"][pongs] >= 0]
    pings = table["answers"][pongs]
    times = table.take("time", pings), table["time"][pongs]
    known = (times[0] != NO_TIME) & (times[1] != NO_TIME)
    rows = np.concatenate([pings[known], _rows(table, pongs[known])])
    took = np.tile((times[1] - times[0])[known], 2)
    rows = table.take("first_frame", rows) if frames else rows
    order = np.argsort(rows, kind="stable")
    return rows[order], took[order]


def _joins(capture: Capture, kind: Array, ref: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Where messages in several frames begin and end among the rungs (RFC 6455 §5.4)."""
    frames = capture.snapshot["frames"]
    whole = frames["opcode"]
    parts = (whole < CONTROL) & ((whole == 0) | (frames["fin"] == 0))
    if not parts.any():
        return (NONE, NONE), (NONE, NONE)
    by_row = np.zeros(len(frames), bool)
    by_row[frames.rows()[parts]] = True
    at = np.flatnonzero(kind == Kind.FRAME)
    at = at[by_row[ref[at]]]
    opcode, direction = (frames.take(name, ref[at]) for name in ("opcode", "direction"))
    found = []
    for side in (0, 1):
        mine = at[direction == side]
        begins = np.flatnonzero(opcode[direction == side] != 0)
        ends = np.append(begins[1:], len(mine)) - 1
        found.append((mine[begins], mine[ends]) if len(begins) else (NONE, NONE))
    return found[0], found[1]


def frame_and_message(capture: Capture, kind: Kind, ref: int) -> tuple[int, int]:
    """The frame and the message that a rung is about, -1 for none. Of a fragmented message the first frame."""
    messages = capture.snapshot["messages"]
    if kind is Kind.MESSAGE:
        return messages.row(ref)["first_frame"], ref
    if kind is not Kind.FRAME:
        return -1, -1
    cells = capture.snapshot["frames"].row(ref)
    found = np.flatnonzero((messages["first_frame"] <= ref) & (messages["last_frame"] >= ref))
    found = found[(messages["channel"][found] == cells["channel"])
                  & (messages["direction"][found] == cells["direction"])
                  & ((messages["opcode"][found] >= CONTROL) == (cells["opcode"] >= CONTROL))]  # fmt: skip
    return ref, int(messages.rows()[found[0]]) if len(found) else -1
