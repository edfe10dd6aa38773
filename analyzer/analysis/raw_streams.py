"""The octets of one WebSocket connection without packets: what each side sent, as two files.

Theory of operation. The same walks read them as read a capture; only packets and times are absent, and stay absent:
rows name no packet and no time. How the two directions interleaved is not known either. So they are walked in an order
that they allow: an opening handshake first, then frames in turn, a Pong behind the Ping that it answers, Closes last.
Nothing that depends on the order is told: no verdict on the connection, nor which Close answers which. Where a side is
missing, nothing is told of what it may have answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from analyzer.analysis.conversations import WEBSOCKET
from analyzer.analysis.observations import LAST
from analyzer.analysis.openings import Agreed
from analyzer.analysis.pipeline import Analysis
from analyzer.analysis.remains import append_remains
from analyzer.analysis.snapshot import Snapshot, Traffic
from analyzer.capture.records import Comment, InterfaceStatistics, Loss, Records
from analyzer.limits import Limits
from analyzer.schemas import DATA, END, SPANS
from analyzer.streams.assembly import Delivered
from dissectors.http.dialogue import Dialogue
from dissectors.http.head import Head, end_of, read_head
from dissectors.http.parameters import DEFLATE, Deflate, extension_list, permessage_deflate
from dissectors.http.sniff import Claim, sniff
from dissectors.http.upgrade import Finding, Offer, handshake_of
from dissectors.notes import Note
from dissectors.schemas import ACCEPTED, NO_TIME
from dissectors.tables import Array, Table
from dissectors.websocket.masking import unmask
from dissectors.websocket.opcodes import CLOSE, PING, PONG
from dissectors.websocket.scanner import FrameScanner

CLIENT, SERVER = 0, 1
BOTH = (Note.PING_NOT_ANSWERED, Note.CLOSE_NOT_ANSWERED, Note.PONG_UNASKED, Note.HTTP_UNANSWERED, Note.HTTP_UNASKED)
"""Codes that compare the two sides."""


@dataclass(slots=True)
class Octets:
    """What each side sent, as a `Source`; the client's octets stand before the server's."""

    sides: tuple[bytes, bytes]
    names: tuple[str, ...]
    problems: list[str] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    dropped: int | None = None
    statistics: tuple[InterfaceStatistics, ...] = ()
    losses: list[Loss] = field(default_factory=list)
    expired: int = 0
    starts: tuple[int, ...] = (0,)
    whole: bytes = field(init=False)
    """Both sides, one behind the other."""

    def __post_init__(self) -> None:
        self.whole = self.sides[CLIENT] + self.sides[SERVER]

    @property
    def size(self) -> int:
        """Octets in all."""
        return len(self.whole)

    def chunks(self, size: int) -> Iterator[Records]:
        """There are no records."""
        return iter(())

    def position(self) -> int:
        """All has been read."""
        return self.size

    def read(self, offset: int, length: int) -> bytes:
        """Octets by virtual offset."""
        return self.whole[offset : offset + length]

    def again(self) -> bool:
        """Nothing is ever read twice."""
        return False

    def close(self) -> None:
        """Nothing to let go of."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Where each side's frames start and how they are to be read."""

    starts: tuple[int, int] = (0, 0)
    deflate: Deflate = Deflate()  # noqa: RUF009 - a named tuple does not change
    defined: int = 0
    findings: tuple[Finding, ...] = ()
    lengths: tuple[int, int] = (0, 0)
    """Octets of the heads."""
    whole: bool = False
    """Both heads are there: the HTTP layer reads them itself."""
    why: str = ""
    """Why it is no WebSocket."""


def decode(octets: Octets, both: bool, deflate: Deflate | None, limits: Limits | None = None) -> Snapshot:
    """Read them. `both`: neither side is missing. `deflate`: what was agreed, where the handshake does not say it or is
    to be overruled."""
    analysis = Analysis(octets, limits or Limits())
    _append(analysis, "streams", 1, first_packet=-1, first_time=NO_TIME)
    analysis.conversations.reserve(1)
    analysis.assembly.segments.reserve(1)
    opened = opening(octets)
    if opened.why:
        octets.problems.append(opened.why)
    cuts = _cuts(octets.sides, opened.starts)
    if not opened.whole:
        _append(analysis, "channels", 1, client=CLIENT)
        _open(analysis, opened, deflate)
    _walk(analysis, octets, cuts, opened)
    analysis.conversations.finish(len(analysis.tables["spans"]) - 1, np.zeros(2, np.bool_))
    analysis.framing.finish(LAST)
    if both:
        _append(analysis, "endings", 2, direction=np.arange(2), packet=-1, time=NO_TIME)
    append_remains(analysis.tables, analysis.framing, analysis.assembly, analysis.conversations.number, analysis.notes)
    analysis.notes.flush()
    return _snapshot(analysis, both)


def _append(analysis: Analysis, table: str, count: int, **cells: int | Array) -> None:
    """Rows whose other columns are 0."""
    columns = {column.name: np.zeros(count, column.dtype) for column in analysis.tables[table].schema.columns}
    analysis.tables[table].append(columns | {name: np.full(count, cell) for name, cell in cells.items()})


def opening(octets: Octets) -> Opened:
    """The opening handshake, as far as it is there. Streams that do not begin with HTTP begin with frames."""
    client, server = octets.sides
    asks, answers = sniff(client) is Claim.REQUEST, sniff(server) is Claim.RESPONSE
    if asks and answers:
        return _dialogue(client, server)
    if asks:
        return _request(client)
    if answers:
        return _response(server)
    return Opened()


def _dialogue(client: bytes, server: bytes) -> Opened:
    """Both sides begin with HTTP."""
    dialogue = Dialogue(CLIENT)
    dialogue.feed(CLIENT, 0, client, 0)
    dialogue.feed(SERVER, 0, server, 0)
    dialogue.finish(0)
    upgrade = dialogue.upgrade
    if upgrade is None or upgrade.handshake is None or upgrade.handshake.result != ACCEPTED:
        return Opened((len(client), len(server)), whole=True, why="no WebSocket was opened")
    shake = upgrade.handshake
    return Opened(upgrade.starts, shake.deflate, shake.defined, whole=True)


def _request(client: bytes) -> Opened:
    """A request without its response: what it offers is taken for agreed, as a refused client would send no frames."""
    end = end_of(client)
    head = read_head(client[:end]) if end > 0 else None
    offer = Offer.of(head) if head else None
    if head is None or offer is None:
        return Opened((len(client), 0), why="the client's request does not ask for WebSocket")
    offered = any(name == DEFLATE for name, _ in extension_list(head.get("sec-websocket-extensions")))
    findings = tuple(handshake_of(offer, None, b"")[1])
    return Opened((end, 0), Deflate(offered), 4 * offered, findings, (end, 0))


def _response(server: bytes) -> Opened:
    """A response without its request."""
    end = end_of(server)
    head = read_head(server[:end]) if end > 0 else Head("", "", "", {})
    if head.second != "101":
        return Opened((0, len(server)), why=f"the server's response is {head.second or 'cut'}, not 101")
    deflate, defined = Deflate(), 0
    for name, parameters in extension_list(head.get("sec-websocket-extensions")):
        if name == DEFLATE:
            deflate, defined = permessage_deflate(parameters)[0], defined | 4
        else:
            defined = 7
    return Opened((0, end), deflate, defined, lengths=(0, end))


def _open(analysis: Analysis, opened: Opened, told: Deflate | None) -> None:
    """A session whose handshake is not there in full."""
    deflate = opened.deflate if told is None else told
    defined = opened.defined if told is None else opened.defined & 3 | 4 * told.agreed
    takeover = np.array([[deflate.client_takeover, deflate.server_takeover]], np.int64)
    agreed = Agreed(
        np.array([0]), np.array([CLIENT]), np.array([opened.starts]), np.array([int(deflate.agreed)]), takeover,
        np.array([defined]), np.zeros((1, 2), np.int64),
    )  # fmt: skip
    analysis.conversations.number[0] = analysis.framing.open(agreed)
    analysis.conversations.phase[0] = WEBSOCKET
    for note, side, detail in opened.findings:
        analysis.notes.one(note, 0, side, 0, opened.lengths[side], detail=detail, release=0)


@dataclass(frozen=True, slots=True)
class _Cut:
    """A run of data frames, or one control frame."""

    start: int
    stop: int
    opcode: int = 0
    payload: bytes = b""


def _cuts(sides: tuple[bytes, bytes], starts: tuple[int, int]) -> tuple[list[_Cut], list[_Cut]]:
    return _cut(sides[CLIENT], starts[CLIENT]), _cut(sides[SERVER], starts[SERVER])


def _cut(octets: bytes, start: int) -> list[_Cut]:
    """A direction cut at its control frames: they alone are tied to the other direction."""
    scanner = FrameScanner(client=True)
    rows = scanner.scan(memoryview(octets)[start:], start, scanner.begin(start)).rows
    names = ("opcode", "offset", "header_length", "payload_length", "mask_key")
    cuts, at = [], start
    for place in np.flatnonzero(rows["opcode"] >= CLOSE).tolist():
        opcode, offset, header, length, key = (int(rows[name][place]) for name in names)
        if offset > at:
            cuts.append(_Cut(at, offset))
        at = offset + header + length
        payload = unmask(memoryview(octets), offset + header, at, key, 0, False)
        cuts.append(_Cut(offset, at, opcode, bytes(payload)))
    return [*cuts, _Cut(at, len(octets))] if at < len(octets) else cuts


def _order(cuts: tuple[list[_Cut], list[_Cut]]) -> Iterator[tuple[int, _Cut]]:
    """An order that the two sides may have had."""
    at = [0, 0]
    pings = [Counter(cut.payload for cut in side if cut.opcode == PING) for side in cuts]

    def waits(side: int) -> bool:
        cut, peer = cuts[side][at[side]], 1 - side
        if cut.opcode == PONG:
            return pings[peer][cut.payload] > 0
        more = at[peer] < len(cuts[peer])
        return cut.opcode == CLOSE and more and cuts[peer][at[peer]].opcode != CLOSE

    while left := [side for side in (CLIENT, SERVER) if at[side] < len(cuts[side])]:
        side = next((side for side in left if not waits(side)), left[0])
        cut = cuts[side][at[side]]
        at[side] += 1
        if cut.opcode == PING:
            pings[side][cut.payload] -= 1
        yield side, cut


def _walk(analysis: Analysis, octets: Octets, cuts: tuple[list[_Cut], list[_Cut]], opened: Opened) -> None:
    """Hand everything to the walks, as spans of no packet."""
    base = (0, len(octets.sides[CLIENT]))
    heads = [(side, _Cut(0, opened.starts[side])) for side in (CLIENT, SERVER) if opened.whole]
    spans = [(side, DATA, cut.start, cut.stop) for side, cut in (*heads, *_order(cuts)) if cut.stop > cut.start]
    if opened.why and opened.whole:
        spans += [(side, END, len(octets.sides[side]), len(octets.sides[side])) for side in (CLIENT, SERVER)]
    side, kind, start, stop = np.array(spans, np.int64).reshape(-1, 4).T
    at = start + np.array(base)[side]
    none = np.full(len(side), -1, np.int64)
    columns: dict[str, Array] = {"kind": kind.astype(np.uint8), "offset": start, "length": stop - start, "packet": none,
                                 "at": at}  # fmt: skip
    first = analysis.tables[SPANS.name].append({"stream": np.zeros(len(side)), "direction": side, **columns})
    delivered = Delivered(
        first_row=first, slot=side, position=at, time=np.full(len(side), NO_TIME), release=np.arange(len(side)),
        **columns,
    )  # fmt: skip
    analysis.dissect(delivered, memoryview(octets.whole))


def _snapshot(analysis: Analysis, both: bool) -> Snapshot:
    tables = {name: table.freeze() for name, table in analysis.tables.items()}
    tables["messages"] = _with(tables["messages"], "answers", np.where(_closes(tables["messages"]), -1,
                                                                       tables["messages"]["answers"]))  # fmt: skip
    if not both:
        notes = tables["notes"]
        tables["notes"] = _chosen(notes, ~np.isin(notes["code"], BOTH))
    channels = analysis.framing.channels
    windows = tuple(
        (2 * channels[slot >> 1] + (slot & 1), row, window) for slot, row, window in analysis.framing.folds.windows
    )
    return Snapshot(tables, analysis.strings, analysis.addresses, analysis.source, Traffic(), True, windows)


def _closes(messages: Table) -> Array:
    """Which Close answers which is not known."""
    closes: Array = messages["opcode"] == CLOSE
    return closes


def _with(table: Table, name: str, values: Array) -> Table:
    made = Table(table.schema)
    made.append({column.name: table[column.name] for column in table.schema.columns} | {name: values})
    return made


def _chosen(table: Table, kept: Array) -> Table:
    made = Table(table.schema)
    made.append({column.name: table[column.name][kept] for column in table.schema.columns})
    return made


__all__ = ["Octets", "decode"]
