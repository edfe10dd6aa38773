"""The Python API: a capture, its connections, their frames and messages, as objects for people.

    capture = analyzer.open("capture.pcapng")
    for connection in capture.connections:
        print(connection.key, connection.path, connection.close.verdict)

Objects are made when somebody asks for them. Loops over many rows belong on columns: `capture.table("frames")`, or
`capture.frames.column("payload_length")`.

The fields of each kind of row are properties that are made from the table declarations; `help(analyzer.Frame)` lists
them with their units and sections of the standards.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

import numpy as np

from analyzer.analysis.completeness import Completeness, completeness
from analyzer.analysis.contents import Contents, Payload
from analyzer.analysis.leg_verdicts import legs_of
from analyzer.analysis.pipeline import analyze
from analyzer.analysis.snapshot import Snapshot
from analyzer.analysis.verdicts import tell
from analyzer.bundled import resolve
from analyzer.capture.files import open_source
from analyzer.errors import FramescopeError, UnknownName
from analyzer.escape import printable
from analyzer.limits import Limits
from analyzer.query.fields import Kind as FieldKind
from analyzer.views import View, description, fields_of
from dissectors.http.secrets import mask_target
from dissectors.notes import MEANINGS
from dissectors.notes import Note as Code
from dissectors.tables import Array, Table


@dataclass(frozen=True, repr=False)
class Row:
    """One row of a table. Its fields are plain values: words for codes, texts, addresses, ISO 8601 times in UTC,
    durations in nanoseconds, packets numbered as Wireshark's frame.number; None where a value is absent."""

    # dataclass(slots=True) would do, but then Python 3.11 answers an assignment with a TypeError about super()
    __slots__ = ("_capture", "_place", "_view")
    _capture: Capture
    _view: View
    _place: int

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __repr__(self) -> str:
        names = SHOWN.get(self._view.name, ())
        cells = ((name, self._view.values(name, np.array([self._place]))[0]) for name in names)
        told = [printable(mask_target(str(cell)))[:LONGEST] for _, cell in cells if cell is not None]
        return f"<{' '.join([type(self).__name__, str(self.row), *told])}>"

    @property
    def row(self) -> int:
        """Its number in its table, which other rows refer to."""
        return int(self._view.rows[self._place])

    def record(self) -> dict[str, Any]:
        """Its fields as JSON Lines has them."""
        return self._view.record(self._place)

    def _cells(self) -> dict[str, int]:
        return self._view.table.row(self.row)

    def _octets(self, offset: int, length: int, direction: int) -> bytes:
        if offset < 0:
            return b""
        channel = int(self._view.table["channel"][self._place])
        return self._view.contents.octets(channel, direction, offset, offset + length)[0]


Kind = TypeVar("Kind", bound=Row)
SHOWN = {
    "connections": ("connection", "path", "state"),
    "exchanges": ("connection", "method", "path", "status"),
    "handshakes": ("connection", "path", "result", "status"),
    "frames": ("connection", "sender", "opcode", "payload_length", "close_code"),
    "messages": ("connection", "sender", "opcode", "length", "close_code"),
    "notes": ("connection", "severity", "code", "by"),
}
"""Fields that a row shows of itself, by table; `record` has all."""
LONGEST = 60
"""Characters of one of them."""


def _fields(table: str) -> Callable[[type[Kind]], type[Kind]]:
    """Gives a class a property for each field of a table that it does not define itself."""

    def declare(kind: type[Kind]) -> type[Kind]:
        for name, field in fields_of(table).items():
            if field.kind is not FieldKind.PAYLOAD and not hasattr(kind, name):
                setattr(kind, name, _property(name, f"{description(table, name)}."))
        return kind

    return declare


def _property(name: str, doc: str) -> property:
    def value(row: Row) -> Any:
        return row._view.values(name, np.array([row._place]))[0]

    return property(value, doc=doc[0].upper() + doc[1:])


@_fields("frames")
class Frame(Row):
    """A WebSocket frame (RFC 6455 §5.2). Wireshark's frame.number is its `packet`."""

    __slots__ = ()

    @property
    def payload(self) -> bytes:
        """The payload, unmasked, not inflated. What the capture does not hold is left out, or zeros.

        Raises: FramescopeError where the capture was closed.
        """
        return self._view.contents.frame_payload(self.row)

    @property
    def wire(self) -> bytes:
        """The frame as it crossed the wire, header first.

        Raises: FramescopeError where the capture was closed.
        """
        return self._view.contents.frame_wire(self.row)


@_fields("messages")
class Message(Row):
    """A message or control frame: fragments joined, inflated (RFC 6455 §5.4, RFC 7692)."""

    __slots__ = ()

    @property
    def content(self) -> Payload:
        """The payload, whether it is whole, and if not, why.

        Raises: FramescopeError where the capture was closed.
        """
        return self._view.contents.message_payload(self.row)

    @property
    def payload(self) -> bytes:
        """The payload, unmasked and inflated; `content` says whether it is whole.

        Raises: FramescopeError where the capture was closed.
        """
        return self.content.octets

    @property
    def text(self) -> str:
        """The payload as text; what is not UTF-8 is replaced.

        Raises: FramescopeError where the capture was closed.
        """
        return self.payload.decode("utf-8", "replace")


@_fields("exchanges")
class Exchange(Row):
    """An HTTP request with its response (RFC 9112)."""

    __slots__ = ()

    @property
    def request(self) -> bytes:
        """The head of the request as it crossed the wire: request line and header section. Nothing is masked.

        Raises: FramescopeError where the capture was closed.
        """
        cells = self._cells()
        return self._octets(cells["request_offset"], cells["request_head"], cells["direction"])

    @property
    def response(self) -> bytes:
        """The head of the final response as it crossed the wire; empty where there was none.

        Raises: FramescopeError where the capture was closed.
        """
        cells = self._cells()
        return self._octets(cells["response_offset"], cells["response_head"], 1 - cells["direction"])


@_fields("handshakes")
class Handshake(Row):
    """A WebSocket opening handshake (RFC 6455 §4)."""

    __slots__ = ()

    @property
    def request(self) -> bytes:
        """The head of its request as it crossed the wire. Nothing is masked.

        Raises: FramescopeError where the capture was closed.
        """
        found = self._exchange()
        return found.request if found else b""

    @property
    def response(self) -> bytes:
        """The head of its response as it crossed the wire; empty where there was none.

        Raises: FramescopeError where the capture was closed.
        """
        found = self._exchange()
        return found.response if found else b""

    def _exchange(self) -> Exchange | None:
        return self._capture.exchanges.numbered(self._cells()["exchange"])


@_fields("notes")
class Note(Row):
    """One observation: a violation of a standard, an oddity, or damage of the capture."""

    __slots__ = ()

    @property
    def sentence(self) -> str:
        """What the code says."""
        return MEANINGS[Code(self._cells()["code"])].sentence

    @property
    def source(self) -> str:
        """The section of the standard that it is about."""
        return MEANINGS[Code(self._cells()["code"])].source


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was seen."""

    text: str
    packet: int | None
    """The packet that shows it, Wireshark's frame.number."""
    frame: Frame | None
    """The frame that it is about."""


@dataclass(frozen=True, slots=True)
class Close:
    """How a connection ended. Codes are those of RFC 6455 §7.4; None is absent."""

    verdict: str
    """One sentence."""
    evidence: tuple[Evidence, ...]
    code: int | None
    """Of the first Close frame, as on the wire: never 1005, 1006 or 1015."""
    reason: str
    """Of the first Close frame (RFC 6455 §7.1.6)."""
    by: str | None
    """Who sent the first Close frame: client or server."""
    reported_by_client: int | None
    """What the client's API reports (RFC 6455 §7.1.5); None while the connection is open, or where nobody can know."""
    reported_by_server: int | None
    """What the server's API reports."""
    cause: str | None
    """The likely cause, in words; None where none is claimed."""
    confidence: str | None
    """high, medium or low; low is a guess. None where no cause is claimed."""
    alternatives: tuple[str, ...]
    """What else it may have been."""
    tries: tuple[str, ...]
    """What to try."""
    incident: str | None
    """What it shares with other connections of its server: ended together, or after the same silence."""


@_fields("connections")
class Connection(Row):
    """A WebSocket session, opened, refused or left unanswered."""

    __slots__ = ()

    @property
    def key(self) -> str:
        """Its stable name, as `c24`: the same under filters and reruns."""
        return str(self.connection)

    @property
    def close(self) -> Close:
        """How it ended, or how it stands where the capture ended first."""
        cells = self._view.snapshot["closes"].row(self.row)
        told = tell(self._view.snapshot, self.row)
        frames = self._capture.frames

        def known(name: str) -> int | None:
            return None if cells[name] < 0 else cells[name]

        evidence = tuple(
            Evidence(item.text, item.packet + 1 if item.packet >= 0 else None, frames.numbered(item.frame))
            for item in told.evidence
        )
        return Close(
            told.sentence, evidence, known("close_code"), self._view.text(cells["close_reason"]), self.close_by,
            known("client_reported"), known("server_reported"), told.cause or None,
            told.confidence if told.cause else None, told.alternatives, told.tries, told.incident or None,
        )  # fmt: skip

    @property
    def handshake(self) -> Handshake | None:
        """Its opening handshake; None where the capture began after it."""
        return self._capture.handshakes.numbered(self._cells()["handshake"])

    @property
    def tunnel(self) -> str | None:
        """Network tunnels that it runs in (VXLAN, GRE and so on), outermost first; None for none."""
        return self._text("tunnel")

    @property
    def connect_target(self) -> str | None:
        """What the CONNECT around it asked for, host and port (RFC 9110 §9.3.6); None where there is none."""
        return self._text("connect_target")

    @property
    def proxied_source(self) -> str | None:
        """The real client's address and port, as a PROXY header says (PROXY protocol §2); None where there is none."""
        return self._text("proxied_source")

    @property
    def legs(self) -> tuple[Connection, ...]:
        """The legs of its session through proxies, from the client to the server; itself alone where none shows."""
        found = (self._capture.connections.numbered(row) for row in legs_of(self._view.snapshot, self.row))
        return tuple(leg for leg in found if leg is not None)

    @property
    def client_leg(self) -> Connection | None:
        """The same session before the proxy, nearer to the client; None where there is none. The field of that name
        in records is its row."""
        return self._capture.connections.numbered(self._cells()["client_leg"])

    @property
    def server_leg(self) -> Connection | None:
        """The same session behind the proxy, nearer to the server; None where there is none."""
        return self._capture.connections.numbered(self._cells()["server_leg"])

    @property
    def other_view(self) -> Connection | None:
        """The same TCP connection, captured elsewhere; None where it was not."""
        return self._capture.connections.numbered(self._cells()["other_view"])

    def _text(self, name: str) -> str | None:
        return self._view.text(self._cells()[name]) or None

    @property
    def frames(self) -> Rows[Frame]:
        """Its frames, in the order in which they were complete."""
        return self._capture.frames.of(self)

    @property
    def messages(self) -> Rows[Message]:
        """Its messages and control frames, in the order in which they were complete."""
        return self._capture.messages.of(self)

    @property
    def notes(self) -> Rows[Note]:
        """What was observed of it. The field of that name in records counts those of severity should or must."""
        return self._capture.notes.of(self)


class Rows(Sequence[Kind]):
    """The rows of a table, or some of them."""

    def __init__(self, capture: Capture, table: str, kind: type[Kind], places: Array | None = None) -> None:
        self._capture = capture
        self._table = table
        self._kind = kind
        self._view = capture.view(table)
        self._places = np.arange(len(self._view)) if places is None else places

    def __len__(self) -> int:
        return len(self._places)

    def __repr__(self) -> str:
        return f"<{len(self)} {self._table}>"

    @overload
    def __getitem__(self, index: int) -> Kind: ...

    @overload
    def __getitem__(self, index: slice) -> Rows[Kind]: ...

    def __getitem__(self, index: int | slice) -> Kind | Rows[Kind]:
        if isinstance(index, slice):
            return self._some(self._places[index])
        return self._kind(self._capture, self._view, int(self._places[index]))

    def __iter__(self) -> Iterator[Kind]:
        return (self._kind(self._capture, self._view, place) for place in self._places.tolist())

    def _some(self, places: Array) -> Rows[Kind]:
        return Rows(self._capture, self._table, self._kind, places)

    def where(self, text: str) -> Rows[Kind]:
        """The rows for which a filter holds, such as `opcode == close and close_code != 1000`.

        Raises: FilterError where it does not compile; FramescopeError where it asks for payload of a closed capture.
        """
        return self._some(self._view.choose(text, self._places))

    def of(self, connection: Connection) -> Rows[Kind]:
        """The rows that belong to a connection."""
        mine = self._capture._places_of(self._table, connection.row)
        return self._some(mine if len(self) == len(self._view) else np.intersect1d(mine, self._places))

    def numbered(self, row: int) -> Kind | None:
        """The row of a number, as other rows refer to it; None where there is none, or it was left out."""
        place = int(np.searchsorted(self._view.rows, row))
        there = place < len(self._view) and int(self._view.rows[place]) == row
        return self._kind(self._capture, self._view, place) if there else None

    def column(self, name: str) -> Array:
        """One number a row, declared or derived: codes of words and texts, times in ns since 1970, and the field's own
        value for what is absent. `capture.snapshot` knows what codes stand for.

        Raises: UnknownName where there is no such field, or it is no single column.
        """
        column: Array = self._view.column(self._known(name, columns=True))[self._places]
        return column

    def values(self, name: str) -> list[Any]:
        """One plain value a row, as the rows' own properties have them.

        Raises: UnknownName where there is no such field; FramescopeError where it asks for payload of a closed capture.
        """
        return self._view.values(self._known(name), self._places)

    def _known(self, name: str, columns: bool = False) -> str:
        field = self._view.field(name)
        if field is None or (columns and (field.parts or field.kind is FieldKind.PAYLOAD)):
            what = "column" if columns else "field"
            raise UnknownName.among(self._view.names(), name, f"{self._table} have no {what} {name!r}")
        return name


class Connections(Rows[Connection]):
    """Connections, by place or by key: `connections[0]`, `connections["c24"]`."""

    @overload
    def __getitem__(self, index: int | str) -> Connection: ...

    @overload
    def __getitem__(self, index: slice) -> Connections: ...

    def __getitem__(self, index: int | slice | str) -> Connection | Rows[Connection]:
        if not isinstance(index, str):
            return super().__getitem__(index)
        found = self.where(f'connection == "{index}"') if index.removeprefix("c").isdecimal() else ()
        if not found:
            known = ", ".join(self[:8].values("connection")) or "none"
            more = " …" if len(self) > 8 else ""
            raise UnknownName(f"there is no connection {index!r}", f"connections: {known}{more}")
        return found[0]

    def _some(self, places: Array) -> Connections:
        return Connections(self._capture, self._table, self._kind, places)


class _OpenContents(Contents):
    """Octets until the capture is closed."""

    closed = False

    def octets(self, channel: int, direction: int, start: int, stop: int) -> tuple[bytes, bool]:
        self._check()
        return super().octets(channel, direction, start, stop)

    def read(self, at: int, length: int) -> bytes:
        self._check()
        return super().read(at, length)

    def _check(self) -> None:
        if self.closed:
            raise FramescopeError("the capture is closed", "read payloads before it is, inside the with block")


class Capture:
    """An analysed capture. Closing it closes the files: rows and columns stay, octets cannot be fetched any more."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._contents = _OpenContents(snapshot)
        self._views: dict[str, View] = {}
        self._orders: dict[str, tuple[Array, Array]] = {}

    def view(self, table: str) -> View:
        """A table with its derived fields.

        Raises: UnknownName where there is no such table.
        """
        if table not in self._views:
            self._views[table] = View(self.snapshot, self._known(table), self._contents)
        return self._views[table]

    def _known(self, table: str) -> str:
        if table not in self.snapshot.tables:
            raise UnknownName.among(self.snapshot.tables, table, f"there is no table {table!r}")
        return table

    def _places_of(self, table: str, connection: int) -> Array:
        """Places of a connection's rows in a table. The table is sorted by connection once."""
        if table not in self._orders:
            whole = self.view(table).connection_rows
            order = np.argsort(whole, kind="stable")
            self._orders[table] = (order, whole[order])
        order, connections = self._orders[table]
        low, high = np.searchsorted(connections, [connection, connection + 1])
        found: Array = order[low:high]
        return found

    def table(self, name: str) -> Table:
        """A table: `table["column"]` is a numpy array over all its rows, or a KeyError that names the nearest. Cells
        are as they are stored: codes of words and texts, and packets as rows of the table `packets`, from 0 on, where
        rows of `frames` and the command line tell their numbers, from 1 on.

        Raises: UnknownName where there is no such table.
        """
        return self.snapshot[self._known(name)]

    def connection(self, key: str) -> Connection:
        """The connection of a key such as `c24`; `connections["c24"]` is the same.

        Raises: UnknownName where there is none.
        """
        return self.connections[key]

    @cached_property
    def connections(self) -> Connections:
        """WebSocket connections."""
        return Connections(self, "connections", Connection)

    @cached_property
    def frames(self) -> Rows[Frame]:
        """WebSocket frames of all connections."""
        return Rows(self, "frames", Frame)

    @cached_property
    def messages(self) -> Rows[Message]:
        """WebSocket messages of all connections."""
        return Rows(self, "messages", Message)

    @cached_property
    def handshakes(self) -> Rows[Handshake]:
        """WebSocket opening handshakes."""
        return Rows(self, "handshakes", Handshake)

    @cached_property
    def exchanges(self) -> Rows[Exchange]:
        """HTTP requests with their responses."""
        return Rows(self, "exchanges", Exchange)

    @cached_property
    def notes(self) -> Rows[Note]:
        """Observations."""
        return Rows(self, "notes", Note)

    @property
    def completeness(self) -> Completeness:
        """Octets seen and missing, packets ignored and why, drops that the file itself reports."""
        return completeness(self.snapshot)

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be read of the capture, one line each."""
        return self.snapshot.problems

    def close(self) -> None:
        """Close the files."""
        if not self._contents.closed:
            self._contents.closed = True
            self.snapshot.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_capture(*paths: str | os.PathLike[str], limits: Limits | None = None) -> Capture:
    """Read a capture, or several as one, to the end. `sample:tour` opens a bundled one, `-` is standard input.

    Raises: CaptureError where one is missing, unreadable, empty or not a capture.
    """
    source = open_source([resolve(os.fspath(path)) for path in paths])
    with ExitStack() as cleaning:
        cleaning.callback(source.close)
        capture = Capture(analyze(source, limits=limits))
        cleaning.pop_all()
    return capture
