"""Tables as people ask for them: declared columns, what is joined to them, and rows as plain values.

A `View` is one table of a snapshot. Its names are the declared columns and derived ones: the connection, sender,
addresses, path and verdict of a frame are looked up in the tables of their own layers. Everything is a whole column,
computed when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, tzinfo
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.analysis.contents import Contents
from analyzer.analysis.encrypted_verdicts import tell_encrypted
from analyzer.analysis.payloads import frame_payloads, message_payloads
from analyzer.analysis.snapshot import Snapshot
from analyzer.analysis.verdicts import causes_of, tell
from analyzer.errors import UnknownName
from analyzer.query.fields import Field, Kind, kind_of
from analyzer.schemas import CAUSES, CONFIDENCES, STATES, TABLES, VERDICTS
from dissectors.notes import OF_NEITHER, OF_PEER, Severity
from dissectors.schemas import NO_TIME
from dissectors.tables import Array
from dissectors.websocket.opcodes import CLOSE, PONG

SENDERS = {0: "client", 1: "server"}
BY_CHANNEL = ("exchanges", "handshakes", "frames", "messages", "notes")
"""Tables whose rows belong to a channel, and through it to a connection."""
PACKET_ROW = "row of PACKETS"
"""The unit of columns that name packets. People count packets from 1, as Wireshark's frame.number does."""
SHOWN_UNITS = {PACKET_ROW: "Wireshark's frame.number", "ns since 1970": "ISO 8601, UTC", "address": ""}
"""Units of columns whose values are shown as something else."""
SCHEMAS = {schema.name: schema for schema in TABLES}
COLUMN_OF = {"path": "target", "compressed": "deflate"}
"""Columns that have another name as a field."""
OWN_TEXTS = 1 << 31
"""Codes from here on are texts that a view made itself: the pool's codes are 32-bit and signed."""

JOINED: tuple[Field, ...] = (
    Field("row", Kind.NUMBER, "its number in its table, which first_frame, answers, exchange and the like refer to"),
    Field("connection", Kind.CONNECTION, "the connection's stable key, as c24", null=-1),
    Field("stream", Kind.NUMBER, "TCP connection, Wireshark's tcp.stream", null=-1),
    Field("packet", Kind.NUMBER, "packet that completed it, Wireshark's frame.number", null=0),
    Field("sender", Kind.WORD, "who sent it", null=-1, words=SENDERS),
    Field("by", Kind.WORD, "whose doing or omission it is; absent: neither side's", null=-1, words=SENDERS),
    Field("host", Kind.ADDRESS, "either end's address", null=-1, parts=("client", "server")),
    Field("client", Kind.ADDRESS, "the client's address", null=-1),
    Field("server", Kind.ADDRESS, "the server's address", null=-1),
    Field("port", Kind.NUMBER, "either end's port", null=0, parts=("client_port", "server_port")),
    Field("client_port", Kind.NUMBER, "the client's port", null=0),
    Field("server_port", Kind.NUMBER, "the server's port", null=0),
    Field("time", Kind.TIME, "when it began", null=NO_TIME),
    Field("path", Kind.TEXT, "request target of the handshake or exchange", null=0),
    Field("target", Kind.TEXT, "another name of path", null=0),
    Field("http_host", Kind.TEXT, "Host of the request", null=0),
    Field("origin", Kind.TEXT, "Origin of the handshake", null=0),
    Field("user_agent", Kind.TEXT, "User-Agent of the request", null=0),
    Field("subprotocol", Kind.TEXT, "subprotocol chosen", null=0),
    Field("state", Kind.WORD, "how the connection stands at the end", null=-1, words=STATES),
    Field("verdict", Kind.WORD, "what happened to the connection", null=-1, words=VERDICTS),
    Field("close_code", Kind.NUMBER, "code of the connection's first Close on the wire", null=-1),
    Field("close_reason", Kind.TEXT, "reason of the connection's first Close", null=0),
    Field("connection_close_code", Kind.NUMBER, "code of the connection's first Close on the wire", null=-1),
    Field("connection_close_reason", Kind.TEXT, "reason of the connection's first Close", null=0),
    Field("close_by", Kind.WORD, "who sent the first Close", null=-1, words=SENDERS),
    Field("reported_code", Kind.NUMBER, "code that either side's API reports", null=-1,
          parts=("client_reported", "server_reported")),
    Field("client_reported", Kind.NUMBER, "code that the client's API reports", null=-1),
    Field("server_reported", Kind.NUMBER, "code that the server's API reports", null=-1),
    Field("cause", Kind.WORD, "likely cause of the end, by name; absent: none is claimed", null=0, words=CAUSES),
    Field("confidence", Kind.WORD, "how sure the cause is; low is a guess", null=0, words=CONFIDENCES),
    Field("alternatives", Kind.TEXT, "what else it may have been, in words", null=0),
    Field("tries", Kind.TEXT, "what to try, in words", null=0),
    Field("incident", Kind.NUMBER, "what it shares with others, row of INCIDENTS", null=-1),
    Field("end_by", Kind.WORD, "who ended TCP first", null=-1, words=SENDERS),
    Field("unacknowledged", Kind.OCTETS, "what one side sent again, and no captured packet acknowledges"),
    Field("unacknowledged_by", Kind.WORD, "which side that is", null=-1, words=SENDERS),
    Field("resent", Kind.NUMBER, "how often it sent the first of these octets again"),
    Field("idle", Kind.DURATION, "silence before the first sign of the end", null=-1),
    Field("duration", Kind.DURATION, "from first to last octet", null=-1),
    Field("length", Kind.OCTETS, "payload on the wire; a connection's: both ways"),
    Field("round_trip", Kind.DURATION, "of a pong: since its ping; of a connection: the median", null=-1),
    Field("compressed", Kind.FLAG, "permessage-deflate: of a message used, else agreed"),
    Field("sentence", Kind.TEXT, "the verdict in words", null=0),
    Field("payload", Kind.PAYLOAD, "the payload, unmasked, of a message inflated"),
)  # fmt: skip
"""Derived fields. A declared column of the same name goes before."""


OF_FRAMES: tuple[Field, ...] = (
    Field("close_code", Kind.NUMBER, "status code of this Close, as on the wire; absent: it is no Close", null=-1),
    Field("close_reason", Kind.TEXT, "reason of this Close", null=0),
)
"""What a frame has of its own message, where other tables have it of the connection."""
OF_ENCRYPTED: tuple[Field, ...] = (
    Field("connection", Kind.CONNECTION, "its stable key, as c24"),
    Field("host", Kind.ADDRESS, "either end's address", null=-1, parts=("client_address", "server_address")),
    Field("sentence", Kind.TEXT, "what can be said of its end, in words", null=0),
    Field("alternatives", Kind.TEXT, "what else it may have been, in words", null=0),
    Field("tries", Kind.TEXT, "what to try, in words", null=0),
)
"""Derived fields of TLS connections that cannot be read."""
ALSO: dict[str, tuple[str, ...]] = {
    "connections": (
        "path", "subprotocol", "compressed", "verdict", "close_code", "close_reason", "close_by", "client_reported",
        "server_reported", "end_by", "unacknowledged", "unacknowledged_by", "resent", "idle", "duration", "sentence",
        "cause", "confidence", "alternatives", "tries", "incident",
    ),
    "frames": ("close_code", "close_reason"),
    "messages": ("round_trip",),
    "notes": ("by",),
    "encrypted": ("sentence", "alternatives", "tries"),
}  # fmt: skip
"""Derived fields that a table's records have behind the declared ones."""
ONLY_FOR: dict[str, tuple[str, ...]] = {
    "payload": ("frames", "messages"),
    "sender": BY_CHANNEL,
    "by": ("notes",),
    "connection_close_code": ("frames", "messages"),
    "connection_close_reason": ("frames", "messages"),
    "unacknowledged": ("connections",),
    "unacknowledged_by": ("connections",),
    "resent": ("connections",),
    "sentence": ("connections",),
    "alternatives": ("connections",),
    "tries": ("connections",),
    "time": ("connections", "exchanges", "handshakes"),
    "length": ("frames", "messages", "connections", "exchanges", "notes"),
    "round_trip": ("messages", "connections"),
    "duration": ("messages", "connections", "exchanges", "frames", "handshakes"),
}
"""Tables that have a derived field; others are for every table of connections and what crossed them."""
NEVER_ABSENT: dict[str, tuple[str, ...]] = {
    "sender": ("exchanges", "handshakes", "frames", "messages"),
    "verdict": ("connections",),
}
"""Tables in which a derived field always has a value."""


@cache
def fields_of(table: str) -> dict[str, Field]:
    """The fields of a table by name, shared by all who ask. Tables below connections, such as packets, have their
    declared ones alone."""
    declared = {
        column.name: Field(
            column.name, kind_of(column), column.doc, 0 if column.unit == PACKET_ROW else column.null, column.values
        )
        for column in SCHEMAS[table].columns
    }
    if table == "encrypted":
        return declared | {field.name: field for field in OF_ENCRYPTED}
    if table not in BY_CHANNEL and table != "connections":
        return declared
    joined = {
        field.name: replace(field, null=None) if table in NEVER_ABSENT.get(field.name, ()) else field
        for field in JOINED
        if table in ONLY_FOR.get(field.name, (table,))
    }
    own = {field.name: field for field in OF_FRAMES} if table == "frames" else {}
    return joined | own | declared


def output_of(table: str) -> list[str]:
    """The fields of a table's records, in order: what places a row first, then what is declared, then what is told."""
    known, declared = fields_of(table), SCHEMAS[table].by_name
    first = [name for name in ("row", "connection", "stream", "packet", "sender") if name in known]
    hidden = {"channel", *first, *(("key",) if table in ("connections", "encrypted") else ())}
    return [*first, *(name for name in declared if name not in hidden), *ALSO.get(table, ())]


def description(table: str, name: str) -> str:
    """One sentence on a field as people get it: what it is, its unit, the section of the standard behind it."""
    field, column = fields_of(table)[name], SCHEMAS[table].by_name.get(name)
    unit = column.unit if column else {Kind.DURATION: "ns", Kind.OCTETS: "octets"}.get(field.kind, "")
    unit = SHOWN_UNITS.get(unit, unit)
    source = column.source if column else ""
    return f"{field.doc}{f' ({unit})' if unit else ''}{f'; {source}' if source else ''}"


class View:
    """One table of a snapshot, or its rows from a number on."""

    def __init__(self, snapshot: Snapshot, table: str, contents: Contents | None = None, first: int = 0) -> None:
        self.snapshot = snapshot
        self.name = table
        self.table = snapshot[table].tail(first) if first else snapshot[table]
        self.contents = contents or Contents(snapshot)
        self._cache: dict[str, Array] = {}
        self._texts: list[str] = []

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def rows(self) -> npt.NDArray[np.int64]:
        """Row numbers, ascending."""
        return self.table.rows()

    # -- names -------------------------------------------------------------------------------------------------------

    @cached_property
    def _fields(self) -> dict[str, Field]:
        return fields_of(self.name)

    def field(self, name: str) -> Field | None:
        """The field of a name."""
        return self._fields.get(name)

    def names(self) -> Iterable[str]:
        """All names."""
        return self._fields

    def elsewhere(self, name: str) -> list[str]:
        """Other tables that have a field of a name."""
        return [table for table in ("connections", *BY_CHANNEL) if table != self.name and name in fields_of(table)]

    def _known(self, name: str) -> Field:
        if name not in self._fields:
            raise UnknownName.among(self._fields, name, f"{self.name} have no field {name!r}")
        return self._fields[name]

    # -- columns -----------------------------------------------------------------------------------------------------

    def column(self, name: str) -> Array:
        """One value a row: declared, or derived.

        Raises: UnknownName where there is no such field.
        """
        declared = self.table.schema.by_name.get(name)
        if declared is not None and declared.unit != PACKET_ROW:
            return self.table[name]
        if name not in self._cache:
            self._known(name)
            self._cache[name] = self.table[name] + 1 if declared else self._derived(name)
        return self._cache[name]

    def _derived(self, name: str) -> Array:
        if COLUMN_OF.get(name) in self.table.schema.by_name:
            return self.table[COLUMN_OF[name]]
        if name == "connection" and self.name == "encrypted":
            return self.table["key"]
        if name in TOLD:
            self._texts += TOLD[name](self, self.rows)
            return np.arange(OWN_TEXTS + len(self._texts) - len(self), OWN_TEXTS + len(self._texts), dtype=np.int64)
        derive = DERIVED.get(name)
        return derive(self) if derive else self._of_connection(name)

    @cached_property
    def connection_rows(self) -> npt.NDArray[np.int64]:
        """Row of CONNECTIONS for each row, -1 for none. Where several handshakes crossed one channel, such as a 401 and
        then another try, what crossed the channel belongs to the last: nothing but frames follows one that succeeds."""
        connections = self.snapshot["connections"]
        numbers = connections.rows()
        if self.name == "connections":
            return numbers
        if self.name == "handshakes":
            return _last_with(self.rows, connections["handshake"], numbers)
        of_channel = _last_with(self.table["channel"], connections["channel"], numbers)
        if self.name != "exchanges":
            return of_channel
        shakes = self.snapshot["handshakes"]
        shake = _last_with(self.rows, shakes["exchange"], shakes.rows())
        own = _last_with(shake, connections["handshake"], numbers)
        return np.where(own >= 0, own, of_channel)

    @cached_property
    def violations(self) -> dict[int, dict[int, int]]:
        """By row of CONNECTIONS: how many notes of severity should or must are whose, by code of `SENDERS`; -1 for
        neither side's."""
        notes = View(self.snapshot, "notes", self.contents)
        bad = (notes.table["severity"] >= Severity.SHOULD) & (notes.connection_rows >= 0)
        whose = np.stack([notes.connection_rows[bad], notes.column("by")[bad]])
        found: dict[int, dict[int, int]] = {}
        for (row, by), number in zip(*_counted(whose), strict=True):
            found.setdefault(row, {})[by] = number
        return found

    def _of_connection(self, name: str) -> Array:
        """A column of the connection, its close or its handshake."""
        rows = self.connection_rows
        source = COLUMN_OF.get(name, name).removeprefix("connection_")
        table = next(table for table in ("connections", "closes", "handshakes") if source in SCHEMAS[table].by_name)
        if table == "handshakes":
            rows = np.where(rows < 0, -1, self.snapshot["connections"].take("handshake", rows))
        cells = self.snapshot[table].take(source, rows).astype(np.int64)
        null = self._fields[name].null
        return cells if null is None else np.where(rows < 0, null, cells)

    def text(self, code: int) -> str:
        """The text of a code."""
        return self._texts[code - OWN_TEXTS] if code >= OWN_TEXTS else self.snapshot.text(code)

    def address(self, number: int) -> str:
        """The address of a number."""
        return self.snapshot.address(number)

    def first_time(self) -> int:
        """The time of the capture's first packet."""
        return max(self.snapshot.traffic.first_time, 0)

    def payloads(self, rows: npt.NDArray[np.int64]) -> Iterator[bytes]:
        """Payloads of rows, by their place."""
        found = frame_payloads if self.name == "frames" else message_payloads
        yield from found(self.contents, self.rows[rows])

    # -- selection and values ----------------------------------------------------------------------------------------

    def select(self, text: str, zone: tzinfo = UTC) -> npt.NDArray[np.bool_]:
        """The mask of a filter.

        Raises: FilterError where it does not compile.
        """
        from analyzer.query.compile import select

        return select(text, self, zone)

    def choose(self, text: str, places: npt.NDArray[np.int64], zone: tzinfo = UTC) -> npt.NDArray[np.int64]:
        """Those of some places for which a filter holds; no other row is looked at.

        Raises: FilterError where it does not compile.
        """
        from analyzer.query.compile import select

        return places[select(text, _Part(self, places), zone)]

    def output(self) -> list[str]:
        """The columns of a record, in order."""
        return output_of(self.name)

    def values(self, name: str, places: npt.NDArray[np.int64]) -> list[Any]:
        """Plain values of a field: words, texts, addresses, ISO 8601 times, octets, None for absent; a tuple where the
        field is either side's."""
        field = self._known(name)
        if field.parts:
            return list(zip(*(self.values(part, places) for part in field.parts), strict=True))
        if field.kind is Kind.PAYLOAD:
            return list(self.payloads(places))
        if name in TOLD:
            return list(TOLD[name](self, self.rows[places]))
        column = self.column(name)[places]
        if field.kind is Kind.TIME:
            return iso_times(column)
        if field.kind is Kind.FLAG:
            return list(column.astype(bool).tolist())
        cells: list[Any] = column.tolist()
        plain: Callable[[int], Any]
        if field.kind is Kind.TEXT:
            plain = self.text
        elif field.kind is Kind.WORD and field.words is not None:
            words = field.words
            plain = lambda code: words.get(code, str(code))  # noqa: E731
        elif field.kind is Kind.ADDRESS:
            plain = self.address
        elif field.kind is Kind.CONNECTION:
            plain = "c{}".format
        else:
            if field.null is None:
                return cells
            null = field.null
            return [None if cell == null else cell for cell in cells]
        known = {cell: None if cell == field.null else plain(cell) for cell in np.unique(column).tolist()}
        return [known[cell] for cell in cells]

    def record(self, place: int) -> dict[str, Any]:
        """One row as plain values."""
        return {name: self.values(name, np.array([place]))[0] for name in self.output()}


class _Part:
    """Some rows of a view: what a filter sees that is asked about them alone."""

    def __init__(self, view: View, places: npt.NDArray[np.int64]) -> None:
        self.places = places
        self.view = view
        self.field, self.names, self.elsewhere = view.field, view.names, view.elsewhere
        self.text, self.address, self.first_time = view.text, view.address, view.first_time

    def __len__(self) -> int:
        return len(self.places)

    def column(self, name: str) -> Array:
        part: Array = self.view.column(name)[self.places]
        return part

    def payloads(self, rows: npt.NDArray[np.int64]) -> Iterator[bytes]:
        return self.view.payloads(self.places[rows])


def iso_times(column: Array) -> list[str | None]:
    """Times in UTC with nanoseconds, as 2026-11-24T08:59:51.488935239Z.

    Dates are made once for each distinct second, and digits on whole columns: numpy's own formatting of nanoseconds
    takes three times as long.
    """
    absent = column == NO_TIME
    seconds, nanoseconds = np.divmod(np.where(absent, 0, column), 10**9)
    distinct, inverse = np.unique(seconds, return_inverse=True)
    dates = np.datetime_as_string(distinct.view("datetime64[s]"), unit="s").astype("U19")
    characters = np.full((len(column), 30), ord("Z"), np.uint32)
    characters[:, :19] = dates.view(np.uint32).reshape(-1, 19)[inverse.reshape(-1)]
    characters[:, 19] = ord(".")
    for at in range(28, 19, -1):
        nanoseconds, digit = np.divmod(nanoseconds, 10)
        characters[:, at] = digit + ord("0")
    texts: list[str | None] = characters.view("U30").reshape(-1).tolist()
    for place in np.flatnonzero(absent).tolist():
        texts[place] = None
    return texts


def _last_with(wanted: Array, keys: Array, values: Array) -> npt.NDArray[np.int64]:
    """For each wanted key the value of the last row that has it, -1 where none has. Negative keys are absent."""
    found = np.full(max(int(wanted.max(initial=-1)), int(keys.max(initial=-1))) + 2, -1, np.int64)
    found[keys] = values
    found[-1] = -1  # where negative keys stand
    return found[wanted]


def _counted(pairs: Array) -> tuple[list[list[int]], list[int]]:
    """The distinct columns of two rows, and how often each is there."""
    distinct, numbers = np.unique(pairs, axis=1, return_counts=True)
    return distinct.T.tolist(), numbers.tolist()


def _sender(view: View) -> Array:
    channel = view.table["channel"]
    client = np.append(view.snapshot["channels"]["client"], np.uint8(0))[channel]
    return np.where(channel < 0, np.int8(-1), np.not_equal(view.table["direction"], client).astype(np.int8))


def _by(view: View) -> Array:
    """Who did what a note tells, or left it undone."""
    sender, code = view.column("sender"), view.table["code"]
    neither = (sender < 0) | np.isin(code, sorted(OF_NEITHER))
    return np.where(neither, np.int8(-1), sender ^ np.isin(code, sorted(OF_PEER)))


def _of_close(name: str) -> Callable[[View], Array]:
    """A column of the Close that a frame is; of frames alone, messages have their own."""

    def column(view: View) -> Array:
        messages = view.snapshot["messages"]
        closes = messages["opcode"] == CLOSE
        own = _last_with(view.rows, messages["last_frame"][closes], messages.rows()[closes])
        return messages.take(name, own) if view.name == "frames" else view._of_connection(name)

    return column


def _packet(view: View) -> Array:
    if view.name == "messages":
        last = np.where(view.table["last_frame"] >= 0, view.table["last_frame"], view.table["first_frame"])
        return view.snapshot["frames"].take("last_packet", last) + 1
    if view.name == "connections":
        return view.snapshot["streams"].take("first_packet", view.table["stream"].astype(np.int64)) + 1
    return view.column("last_packet")


def _stream(view: View) -> Array:
    streams = np.append(view.snapshot["channels"]["stream"], np.int32(-1))
    return streams[view.table["channel"]]


def _connection(view: View) -> Array:
    rows = view.connection_rows
    return np.where(rows < 0, -1, view.snapshot["connections"].take("key", rows))


def _end(view: View, which: str) -> Array:
    """An end's address or port: the connection's, or where there is none, that of the channel's stream."""
    side, _, port = which.partition("_")
    if view.name == "connections":
        return view.table[f"{side}_{'port' if port else 'address'}"]
    channels, streams = view.snapshot["channels"], view.snapshot["streams"]
    absent = view.table["channel"] < 0
    channel = np.where(absent, 0, view.table["channel"])
    if not len(channels):
        return np.full(len(view), 0 if port else -1, np.int64)
    stream = channels["stream"][channel]
    first = channels["client"][channel] == (0 if side == "client" else 1)
    kind = "port" if port else "address"
    ends = np.where(first, streams[f"{kind}_0"][stream], streams[f"{kind}_1"][stream]).astype(np.int64)
    return np.where(absent, 0 if port else -1, ends)


def _idle(view: View) -> Array:
    closes = view.snapshot["closes"]
    client, server = (closes.take(f"{side}_idle", view.connection_rows) for side in ("client", "server"))
    return np.where(client < 0, server, np.where(server < 0, client, np.minimum(client, server)))


def _duration(view: View) -> Array:
    start = "request_time" if view.name == "exchanges" else "first_time"
    stop = "time" if view.name in ("frames", "messages") else "last_time"
    first, last = view.table[start], view.table[stop]
    return np.where((first == NO_TIME) | (last == NO_TIME), -1, last - first)


def _length(view: View) -> Array:
    if view.name == "frames":
        return view.table["payload_length"]
    if view.name == "exchanges":
        return np.maximum(view.table["response_body"], 0)
    return view.table["client_octets"] + view.table["server_octets"]


def _round_trip(view: View) -> Array:
    answers, times = view.table["answers"], view.table["time"]
    asked = view.snapshot[view.name].take("time", answers)
    known = (view.table["opcode"] == PONG) & (answers >= 0) & (times != NO_TIME) & (asked != NO_TIME)
    return np.where(known, times - asked, -1)


def _sentences(view: View, rows: npt.NDArray[np.int64]) -> list[str]:
    told = tell_encrypted if view.name == "encrypted" else tell
    return [told(view.snapshot, row).sentence for row in rows.tolist()]


AND = "; "


def _causes(view: View, rows: npt.NDArray[np.int64]) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    closes = view.snapshot["encrypted" if view.name == "encrypted" else "closes"]
    cells = [closes.take(name, rows).tolist() for name in ("cause", "confidence", "patterns")]
    return [causes_of(*cell) for cell in zip(*cells, strict=True)]


def _time(view: View) -> Array:
    return view.table["request_time" if view.name == "exchanges" else "first_time"]


DERIVED: dict[str, Callable[[View], Array]] = {
    "row": lambda view: view.rows, "connection": _connection, "sender": _sender, "packet": _packet, "stream": _stream,
    "client": lambda view: _end(view, "client"), "server": lambda view: _end(view, "server"),
    "client_port": lambda view: _end(view, "client_port"), "server_port": lambda view: _end(view, "server_port"),
    "idle": _idle, "duration": _duration, "length": _length, "round_trip": _round_trip, "time": _time,
    "by": _by, "close_code": _of_close("close_code"), "close_reason": _of_close("close_reason"),
}  # fmt: skip
"""How derived columns are computed; other joined names are columns of the connection's own tables."""
TOLD: dict[str, Callable[[View, npt.NDArray[np.int64]], list[str]]] = {
    "sentence": _sentences,
    "alternatives": lambda view, rows: [AND.join(found[2]) for found in _causes(view, rows)],
    "tries": lambda view, rows: [AND.join(found[3]) for found in _causes(view, rows)],
}
"""Texts that are made for the rows asked for: a sentence takes 50 µs."""


def json_schema(table: str) -> dict[str, Any]:
    """The JSON Schema of a table's records, generated from the declarations."""
    fields, names = fields_of(table), output_of(table)
    asked = "; with --payload it also has its payload, as a string" if "payload" in fields else ""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": table,
        "description": f"One line is {SCHEMAS[table].row}{asked}.",
        "type": "object",
        "properties": {name: _json_type(fields[name]) | {"description": description(table, name)} for name in names},
        "required": names,
    }


def _json_type(field: Field) -> dict[str, Any]:
    if field.kind is Kind.FLAG:
        return {"type": "boolean"}
    texts = (Kind.TEXT, Kind.ADDRESS, Kind.CONNECTION, Kind.TIME, Kind.WORD)
    kind = "string" if field.kind in texts else "integer"
    found: dict[str, Any] = {"type": kind if field.null is None else [kind, "null"]}
    if field.kind is Kind.TIME:
        found["format"] = "date-time"
    if field.kind is Kind.WORD and field.words and len(field.words) < 20:
        found["enum"] = [*field.words.values(), *([None] if field.null is not None else [])]
    return found
