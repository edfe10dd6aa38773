"""Tables as people ask for them: declared columns, what is joined to them, and rows as plain values.

A `View` is one table of a snapshot. Its names are the declared columns and derived ones: the connection, sender,
addresses, path and verdict of a frame are looked up in the tables of their own layers. Everything is a whole column,
computed when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, tzinfo
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.analysis.contents import Contents
from analyzer.analysis.snapshot import Snapshot
from analyzer.analysis.verdicts import tell
from analyzer.query.compile import select
from analyzer.query.fields import Field, Kind, kind_of
from analyzer.schemas import STATES, TABLES, VERDICTS
from dissectors.schemas import NO_TIME
from dissectors.tables import Array, Column

SENDERS = {0: "client", 1: "server"}
BY_CHANNEL = ("exchanges", "handshakes", "frames", "messages", "notes")
"""Tables whose rows belong to a channel, and through it to a connection."""
PACKET_ROW = "row of PACKETS"
"""The unit of columns that name packets. People count packets from 1, as Wireshark's frame.number does."""
SCHEMAS = {schema.name: schema for schema in TABLES}

JOINED: tuple[Field, ...] = (
    Field("connection", Kind.CONNECTION, "the connection's stable key, as c24", null=-1),
    Field("stream", Kind.NUMBER, "TCP connection, Wireshark's tcp.stream", null=-1),
    Field("packet", Kind.NUMBER, "packet that completed it, Wireshark's frame.number", null=0),
    Field("sender", Kind.WORD, "who sent it", words=SENDERS),
    Field("host", Kind.ADDRESS, "either end's address", null=-1, parts=("client", "server")),
    Field("client", Kind.ADDRESS, "the client's address", null=-1),
    Field("server", Kind.ADDRESS, "the server's address", null=-1),
    Field("port", Kind.NUMBER, "either end's port", null=0, parts=("client_port", "server_port")),
    Field("client_port", Kind.NUMBER, "the client's port", null=0),
    Field("server_port", Kind.NUMBER, "the server's port", null=0),
    Field("path", Kind.TEXT, "request target of the handshake or exchange", null=0),
    Field("http_host", Kind.TEXT, "Host of the request", null=0),
    Field("origin", Kind.TEXT, "Origin of the handshake", null=0),
    Field("user_agent", Kind.TEXT, "User-Agent of the request", null=0),
    Field("subprotocol", Kind.TEXT, "subprotocol chosen", null=0),
    Field("state", Kind.WORD, "how the connection stands at the end", words=STATES),
    Field("verdict", Kind.WORD, "what happened to the connection", words=VERDICTS),
    Field("close_code", Kind.NUMBER, "code of the first Close on the wire", null=-1),
    Field("close_reason", Kind.TEXT, "reason of the first Close", null=0),
    Field("close_by", Kind.WORD, "who sent the first Close", null=-1, words=SENDERS),
    Field("reported_code", Kind.NUMBER, "code that either side's API reports", null=-1,
          parts=("client_reported", "server_reported")),
    Field("client_reported", Kind.NUMBER, "code that the client's API reports", null=-1),
    Field("server_reported", Kind.NUMBER, "code that the server's API reports", null=-1),
    Field("end_by", Kind.WORD, "who ended TCP first", null=-1, words=SENDERS),
    Field("idle", Kind.DURATION, "silence before the first sign of the end", null=-1),
    Field("duration", Kind.DURATION, "from first to last octet", null=-1),
    Field("length", Kind.OCTETS, "payload on the wire; a connection's: both ways"),
    Field("round_trip", Kind.DURATION, "of a pong: since its ping; of a connection: the median", null=-1),
    Field("compressed", Kind.FLAG, "permessage-deflate: of a message used, else agreed"),
    Field("sentence", Kind.TEXT, "the verdict in words", null=0),
    Field("payload", Kind.PAYLOAD, "the payload, unmasked, of a message inflated"),
)  # fmt: skip
"""Derived fields. A declared column of the same name goes before."""


ALSO: dict[str, tuple[str, ...]] = {
    "connections": (
        "path", "subprotocol", "compressed", "verdict", "close_code", "close_reason", "close_by", "client_reported",
        "server_reported", "end_by", "idle", "duration", "sentence",
    ),
    "messages": ("round_trip",),
}  # fmt: skip
"""Derived fields that a table's records have behind the declared ones."""
ONLY_FOR: dict[str, tuple[str, ...]] = {
    "payload": ("frames", "messages"),
    "sender": BY_CHANNEL,
    "sentence": ("connections",),
    "length": ("frames", "messages", "connections", "exchanges", "notes"),
    "round_trip": ("messages", "connections"),
    "duration": ("messages", "connections", "exchanges", "frames", "handshakes"),
}
"""Tables that have a derived field; others are for all tables."""


def fields_of(table: str) -> dict[str, Field]:
    """The fields of a table by name."""
    declared = {
        column.name: Field(
            column.name, kind_of(column), column.doc, 0 if column.unit == PACKET_ROW else column.null, column.values
        )
        for column in SCHEMAS[table].columns
    }
    joined = {field.name: field for field in JOINED if table in ONLY_FOR.get(field.name, (table,))}
    return joined | declared


class View:
    """One table of a snapshot."""

    def __init__(self, snapshot: Snapshot, table: str, contents: Contents | None = None) -> None:
        self.snapshot = snapshot
        self.name = table
        self.table = snapshot[table]
        self.contents = contents or Contents(snapshot)
        self._cache: dict[str, Array] = {}

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

    # -- columns -----------------------------------------------------------------------------------------------------

    def column(self, name: str) -> Array:
        """One value a row: declared, or derived."""
        declared = self.table.schema.by_name.get(name)
        if declared is not None:
            return self.table[name] + 1 if declared.unit == PACKET_ROW else self.table[name]
        if name not in self._cache:
            derive = DERIVED.get(name)
            self._cache[name] = derive(self) if derive else self._of_connection(name)
        return self._cache[name]

    @cached_property
    def connection_rows(self) -> npt.NDArray[np.int64]:
        """Row of CONNECTIONS for each row, -1 for none."""
        if self.name == "connections":
            return self.rows
        if self.name == "handshakes":
            return np.arange(len(self), dtype=np.int64)
        channels = len(self.snapshot["channels"])
        by_channel = np.full(channels + 1, -1, np.int64)  # the last item stands for channel -1
        connections = self.snapshot["connections"]
        by_channel[connections["channel"]] = np.arange(len(connections))
        if self.name == "exchanges":
            by_exchange = np.full(len(self), -1, np.int64)
            own = self.snapshot["handshakes"]["exchange"]
            by_exchange[own] = np.arange(len(own))
            return np.where(by_exchange >= 0, by_exchange, by_channel[self.table["channel"]])
        return by_channel[self.table["channel"]]

    def _of_connection(self, name: str) -> Array:
        """A column of the connection, its close or its handshake."""
        source = {"client": "client_address", "server": "server_address"}.get(name, name)
        for table in ("connections", "closes", "handshakes"):
            if source in SCHEMAS[table].by_name:
                return self.snapshot[table].take(source, self.connection_rows)
        raise AssertionError(f"no column {name}")

    def text(self, code: int) -> str:
        """The text of a code."""
        return self.snapshot.text(code)

    def address(self, number: int) -> str:
        """The address of a number."""
        return self.snapshot.address(number)

    def first_time(self) -> int:
        """The time of the capture's first packet."""
        return max(self.snapshot.traffic.first_time, 0)

    def payloads(self, rows: npt.NDArray[np.int64]) -> Iterator[bytes]:
        """Payloads of rows, by their place."""
        for row in self.rows[rows].tolist():
            if self.name == "frames":
                yield self.contents.frame_payload(row)
            else:
                yield self.contents.message_payload(row).octets

    # -- selection and values ----------------------------------------------------------------------------------------

    def select(self, text: str, zone: tzinfo = UTC) -> npt.NDArray[np.bool_]:
        """The mask of a filter."""
        return select(text, self, zone)

    def output(self) -> list[str]:
        """The columns of a record, in order: what places it first, then what is declared."""
        first = [name for name in ("connection", "stream", "packet", "sender") if name in self._fields]
        hidden = {"channel", *(() if self.name != "connections" else ("key",))}
        declared = (name for name in self.table.schema.by_name if name not in hidden and name not in first)
        return [*first, *declared, *ALSO.get(self.name, ())]

    def values(self, name: str, places: npt.NDArray[np.int64]) -> list[Any]:
        """Plain values of a column: words, texts, addresses, ISO 8601 times, None for absent."""
        field = self._fields[name]
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


def iso_times(column: Array) -> list[str | None]:
    """Times in UTC with nanoseconds."""
    texts = np.datetime_as_string(column.view("datetime64[ns]"), unit="ns")
    return [None if time == NO_TIME else f"{text}Z" for time, text in zip(column.tolist(), texts.tolist(), strict=True)]


def _sender(view: View) -> Array:
    channels = view.snapshot["channels"]
    client = np.append(channels["client"], np.uint8(0))[view.table["channel"]]
    sender: Array = np.not_equal(view.table["direction"], client).astype(np.uint8)
    return sender


def _packet(view: View) -> Array:
    if view.name == "messages":
        frames = view.snapshot["frames"]
        last = np.where(view.table["last_frame"] >= 0, view.table["last_frame"], view.table["first_frame"])
        return frames.take("last_packet", last) + 1
    if view.name == "connections":
        return view.snapshot["streams"].take("first_packet", view.table["stream"].astype(np.int64)) + 1
    return view.table["packet" if view.name == "notes" else "last_packet"] + 1


def _stream(view: View) -> Array:
    streams = np.append(view.snapshot["channels"]["stream"], np.int32(-1))
    return streams[view.table["channel"]]


def _connection(view: View) -> Array:
    keys = np.append(view.snapshot["connections"]["key"], -1)
    return keys[view.connection_rows]


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
    pong = (view.table["opcode"] == 10) & (answers >= 0)
    return np.where(pong, times - view.table.take("time", answers), -1)


def _sentence(view: View) -> Array:
    # told when somebody asks; the pool only ever grows, so codes given before stay what they are
    strings = view.snapshot.strings
    return np.array([strings.intern(tell(view.snapshot, row).sentence) for row in view.rows.tolist()], np.int64)


def _path(view: View) -> Array:
    return view.table["target"] if view.name == "exchanges" else view._of_connection("target")


def _compressed(view: View) -> Array:
    return view._of_connection("deflate")


DERIVED: dict[str, Callable[[View], Array]] = {
    "connection": _connection, "sender": _sender, "packet": _packet, "stream": _stream,
    "client": lambda view: _end(view, "client"), "server": lambda view: _end(view, "server"),
    "client_port": lambda view: _end(view, "client_port"), "server_port": lambda view: _end(view, "server_port"),
    "idle": _idle, "duration": _duration, "length": _length, "round_trip": _round_trip, "path": _path,
    "sentence": _sentence,
    "compressed": _compressed,
}  # fmt: skip
"""How derived columns are computed; other joined names are columns of the connection's own tables."""


def json_schema(table: str) -> dict[str, Any]:
    """The JSON Schema of a table's records, generated from the declarations."""
    schema = SCHEMAS[table]
    properties: dict[str, Any] = {}
    for field in JOINED[:4]:
        if field.name == "sender" and table == "connections":
            continue
        properties[field.name] = _json_type(field.kind, field.null, field.words) | {"description": field.doc}
    for column in schema.columns:
        if column.name == "channel" or (column.name == "key" and table == "connections"):
            continue
        properties.setdefault(column.name, _json_column(column))
    for name in ALSO.get(table, ()):
        field = fields_of(table)[name]
        properties[name] = _json_type(field.kind, field.null, field.words) | {"description": field.doc}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": table,
        "description": f"One line is {schema.row}.",
        "type": "object",
        "properties": properties,
    }


def _json_column(column: Column) -> dict[str, Any]:
    described = column.doc + (f" ({column.unit})" if column.unit else "")
    described += f"; {column.source}" if column.source else ""
    return _json_type(kind_of(column), column.null, column.values) | {"description": described}


def _json_type(kind: Kind, null: int | None, words: Any) -> dict[str, Any]:
    if kind is Kind.FLAG:
        return {"type": "boolean"}
    if kind in (Kind.TEXT, Kind.ADDRESS, Kind.CONNECTION, Kind.TIME, Kind.WORD):
        found: dict[str, Any] = {"type": "string"}
    else:
        found = {"type": "integer"}
    if kind is Kind.TIME:
        found["format"] = "date-time"
    if null is not None:
        found["type"] = [found["type"], "null"]
    if kind is Kind.WORD and words and len(words) < 20:
        found["enum"] = [*words.values(), *([None] if null is not None else [])]
    return found
