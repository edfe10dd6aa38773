"""Views: joined columns, absent values and plain values, on a small hand-made snapshot and on samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.analysis.contents import Contents
from analyzer.analysis.snapshot import Snapshot, Traffic
from analyzer.capture.records import Comment, Records
from analyzer.errors import FilterError
from analyzer.packets.addresses import AddressBook
from analyzer.query.fields import Kind
from analyzer.schemas import TABLES
from analyzer.views import BY_CHANNEL, SCHEMAS, View, description, fields_of, iso_times, json_schema, output_of
from dissectors.notes import Note
from dissectors.schemas import NO_TIME
from dissectors.tables import Strings, Table
from tests.outcome import snapshot_of
from tests.wire.captures import pcap
from tests.wire.handshakes import request, response
from tests.wire.talks import Talk

SHOWN = (*BY_CHANNEL, "connections")
START = 1_700_000_000_000_000_000  # 2023-11-14 22:13:20 UTC
SECOND = 10**9
V6 = bytes.fromhex("20010db8" + "00" * 11 + "01")


@dataclass
class NoSource:
    """A source of nothing."""

    names: tuple[str, ...] = ()
    size: int = 0
    problems: list[str] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    dropped: int | None = None
    losses: list[Any] = field(default_factory=list)
    expired: int = 0
    statistics: tuple[Any, ...] = ()

    def chunks(self, size: int) -> Iterator[Records]:
        return iter(())

    def position(self) -> int:
        return 0

    def read(self, offset: int, length: int) -> bytes:
        return b""

    def close(self) -> None:
        pass


class Fetched(Contents):
    """Octets by row, and which were asked for."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(snapshot)
        self.frames: list[int] = []

    def frame_payload(self, row: int, limit: int | None = None) -> bytes:
        self.frames.append(row)
        return b"payload %d" % row


def rows(table: str, *given: dict[str, int]) -> dict[str, np.ndarray[Any, Any]]:
    """Columns in which all that is not given is absent, or 0."""
    return {
        column.name: np.array([cells.get(column.name, column.null or 0) for cells in given], column.dtype)
        for column in SCHEMAS[table].columns
    }


def made() -> Snapshot:
    """Three channels: two tries of a handshake, of which the second is accepted (10.0.0.1:1000 to 10.0.0.2:80); a plain
    exchange between IPv6 ends; and a session in which the server sent the first packet, closed with 1001."""
    tables = {schema.name: Table(schema) for schema in TABLES}
    strings, book = Strings(), AddressBook()
    one, two, v6 = (book.intern(packed) for packed in (b"\x0a\0\0\x01", b"\x0a\0\0\x02", V6))
    chat, bye, done = strings.intern("/chat"), strings.intern("bye"), strings.intern("done")

    def append(table: str, *given: dict[str, int]) -> None:
        tables[table].append(rows(table, *given))

    append("packets", *({"time": START + n * SECOND, "offset": 100 * n} for n in range(10)))
    append(
        "streams",
        {"address_0": one, "port_0": 1000, "address_1": two, "port_1": 80, "first_packet": 0},
        {"address_0": v6, "port_0": 1001, "address_1": v6, "port_1": 80, "first_packet": 1},
        {"address_0": two, "port_0": 80, "address_1": one, "port_1": 1002, "first_packet": 2},
    )
    append("channels", {"stream": 0}, {"stream": 1}, {"stream": 2, "client": 1})
    append("exchanges", {"channel": 0, "target": chat, "status": 401, "last_packet": 3, "request_time": START,
                         "last_time": START + SECOND},
           {"channel": 1, "target": chat, "status": 200, "request_time": START + 5 * SECOND},
           {"channel": 0, "target": chat, "status": 101}, {"channel": 2, "direction": 1})  # fmt: skip
    append("handshakes", {"channel": 0, "exchange": 0, "result": 2, "target": chat},
           {"channel": 0, "exchange": 2, "result": 1, "target": chat, "deflate": 1},
           {"channel": 2, "direction": 1, "exchange": 3, "result": 1})  # fmt: skip
    append("frames", {"channel": 0, "opcode": 1, "payload_length": 5, "last_packet": 6, "time": START + 6 * SECOND},
           {"channel": 2, "direction": 0, "opcode": 8, "last_packet": 7, "time": NO_TIME, "mask_key": 2**32 - 1},
           {"channel": 0, "direction": 1, "opcode": 15, "payload_length": 2**64 - 1})  # fmt: skip
    append("messages", {"channel": 0, "opcode": 9, "first_frame": 0, "last_frame": 0, "time": START},
           {"channel": 0, "direction": 1, "opcode": 10, "first_frame": 2, "answers": 0, "time": START + 3_000_000},
           {"channel": 2, "opcode": 10, "answers": 3, "time": START}, {"channel": 2, "opcode": 9},
           {"channel": 2, "opcode": 8, "first_frame": 1, "last_frame": 1, "close_code": 1000,
            "close_reason": done})  # fmt: skip
    append("notes", {"code": Note.TCP_GAP, "severity": 1, "channel": -1},
           {"code": Note.RSV_NOT_NEGOTIATED, "severity": 3, "channel": 2, "direction": 1, "packet": 7})  # fmt: skip
    ends = {"client_address": one, "server_address": two, "server_port": 80}
    append("connections", {"key": 0, "channel": 0, "stream": 0, "handshake": 0, "state": 4, "client_port": 1000, **ends},
           {"key": 300, "channel": 0, "stream": 0, "handshake": 1, "state": 1, "client_port": 1000, **ends},
           {"key": 200, "channel": 2, "stream": 2, "handshake": 2, "state": 2, "client_port": 1002, **ends,
            "client_octets": 5, "server_octets": 6})  # fmt: skip
    append("closes", {"verdict": 5}, {"verdict": 0},
           {"verdict": 2, "close_code": 1001, "close_by": 1, "close_reason": bye, "client_reported": 1001,
            "server_reported": 1006, "client_idle": 7, "server_idle": 4})  # fmt: skip
    source = NoSource()
    traffic = Traffic(packets=10, first_time=START, last_time=START + 9 * SECOND)
    return Snapshot(tables, strings, book, source, traffic, finished=True)


def values(view: View, name: str) -> list[Any]:
    return view.values(name, np.arange(len(view)))


JOINS: dict[tuple[str, str], list[Any]] = {
    ("frames", "connection"): ["c300", "c200", "c300"],
    ("frames", "stream"): [0, 2, 0],
    ("frames", "packet"): [7, 8, None],
    ("frames", "last_packet"): [7, 8, None],
    ("frames", "sender"): ["client", "server", "server"],
    ("frames", "opcode"): ["text", "close", "control15"],
    ("frames", "length"): [5, 0, 2**64 - 1],
    ("frames", "mask_key"): [0, 2**32 - 1, 0],
    ("frames", "client_port"): [1000, 1002, 1000],
    ("frames", "host"): [("10.0.0.1", "10.0.0.2")] * 3,
    ("frames", "path"): ["/chat", None, "/chat"],
    ("frames", "target"): ["/chat", None, "/chat"],
    ("frames", "state"): ["open", "closed", "open"],
    ("frames", "verdict"): ["open-at-end", "unanswered-close", "open-at-end"],
    ("frames", "close_code"): [None, 1000, None],
    ("frames", "close_reason"): [None, "done", None],
    ("frames", "connection_close_code"): [None, 1001, None],
    ("frames", "connection_close_reason"): [None, "bye", None],
    ("frames", "close_by"): [None, "server", None],
    ("frames", "reported_code"): [(None, None), (1001, 1006), (None, None)],
    ("frames", "compressed"): [True, False, True],
    ("frames", "idle"): [None, 4, None],
    ("frames", "time"): ["2023-11-14T22:13:26.000000000Z", None, None],
    ("messages", "packet"): [7, None, None, None, 8],
    ("messages", "round_trip"): [None, 3_000_000, None, None, None],
    ("messages", "close_code"): [None] * 4 + [1000],
    ("messages", "close_reason"): [None] * 4 + ["done"],
    ("messages", "connection_close_code"): [None, None, 1001, 1001, 1001],
    ("exchanges", "close_code"): [None, None, None, 1001],
    ("exchanges", "connection"): ["c0", None, "c300", "c200"],
    ("exchanges", "state"): ["refused", None, "open", "closed"],
    ("exchanges", "verdict"): ["refused", None, "open-at-end", "unanswered-close"],
    ("exchanges", "client"): ["10.0.0.1", "2001:db8::1", "10.0.0.1", "10.0.0.1"],
    ("exchanges", "path"): ["/chat", "/chat", "/chat", None],
    ("exchanges", "compressed"): [False, False, True, False],
    ("exchanges", "duration"): [SECOND, None, None, None],
    ("exchanges", "time"): ["2023-11-14T22:13:20.000000000Z", "2023-11-14T22:13:25.000000000Z", None, None],
    ("handshakes", "connection"): ["c0", "c300", "c200"],
    ("handshakes", "exchange"): [0, 2, 3],
    ("handshakes", "sender"): ["client"] * 3,
    ("connections", "connection"): ["c0", "c300", "c200"],
    ("connections", "packet"): [1, 1, 3],
    ("connections", "length"): [0, 0, 11],
    ("connections", "port"): [(1000, 80), (1000, 80), (1002, 80)],
    ("connections", "close_reason"): [None, None, "bye"],
    ("connections", "compressed"): [False, True, False],
    ("notes", "connection"): [None, "c200"],
    ("notes", "stream"): [None, 2],
    ("notes", "packet"): [None, 8],
    ("notes", "sender"): [None, "client"],
    ("notes", "client"): [None, "10.0.0.1"],
    ("notes", "client_port"): [None, 1002],
    ("notes", "by"): [None, "client"],
    ("notes", "close_code"): [None, 1001],
    ("notes", "code"): ["tcp-gap", "rsv-not-negotiated"],
    ("notes", "severity"): ["odd", "must"],
    ("notes", "verdict"): [None, "unanswered-close"],
}


@pytest.mark.parametrize(("table", "name"), JOINS)
def test_fields_are_joined(table: str, name: str) -> None:
    assert values(View(made(), table), name) == JOINS[table, name]


FILTERS: dict[tuple[str, str], list[int]] = {
    ("frames", "sender == server"): [1, 2],
    ("frames", "connection == c300 and opcode == text"): [0],
    ("frames", "packet == 8"): [1],
    ("frames", "host == 10.0.0.0/30"): [0, 1, 2],
    ("frames", "reported_code == 1006"): [1],
    ("frames", "websocket.payload.close.status_code == 1000"): [1],
    ("frames", "close_code == 1001"): [],
    ("frames", "close_code"): [1],
    ("frames", "opcode == close and close_code != 1000"): [],
    ("frames", "opcode == close and connection_close_code != 1000"): [1],
    ("frames", "time > 5s"): [0],
    ("exchanges", "verdict == open-at-end"): [2],
    ("exchanges", "state == connecting"): [],
    ("exchanges", "verdict == none"): [1],
    ("exchanges", "host == 2001:db8::/32"): [1],
    ("exchanges", "time > 4s"): [1],
    ("connections", "idle < 5ns"): [2],
    ("connections", "sentence ~ /1001/"): [2],
    ("connections", "sentence contains refused"): [0],
    ("notes", "sender == none"): [0],
    ("notes", "by == client"): [1],
    ("notes", "by == none"): [0],
    ("messages", "round_trip < 1s"): [1],
}


@pytest.mark.parametrize(("table", "text"), FILTERS)
def test_filters_read_joined_fields(table: str, text: str) -> None:
    view = View(made(), table)
    expected = FILTERS[table, text]
    assert np.flatnonzero(view.select(text)).tolist() == expected
    for places in ([], [0], [1, 0], list(range(len(view)))):
        some = np.array(places, np.int64)
        assert view.choose(text, some).tolist() == [place for place in places if place in expected]


def test_payload_is_fetched_for_the_rows_asked_for() -> None:
    snapshot = made()
    contents = Fetched(snapshot)
    view = View(snapshot, "frames", contents)
    assert view.choose("payload ~ /1/", np.array([0, 1])).tolist() == [1]
    assert contents.frames == [0, 1]
    assert view.values("payload", np.array([2])) == [b"payload 2"]
    assert view.choose("opcode == close and payload contains pay", np.array([0, 1])).tolist() == [1]
    assert contents.frames == [0, 1, 2, 1]


def test_thinned_rows_stay_absent() -> None:
    snapshot = made()
    snapshot["frames"].thin(0, np.array([False, True, True]))
    snapshot["exchanges"].thin(0, np.array([True, False, True, True]))
    frames, exchanges = View(snapshot, "frames"), View(snapshot, "exchanges")
    assert frames.rows.tolist() == [1, 2]
    assert values(frames, "connection") == ["c200", "c300"]
    assert values(frames, "packet") == [8, None]
    assert values(exchanges, "connection") == ["c0", "c300", "c200"]
    assert values(View(snapshot, "messages"), "packet") == [None] * 4 + [8]
    assert values(frames, "close_code") == [1000, None]


@pytest.mark.parametrize("table", SHOWN)
def test_an_unfinished_snapshot_has_no_connections_yet(table: str) -> None:
    snapshot = made()
    tables = dict(snapshot.tables) | {name: Table(SCHEMAS[name]) for name in ("connections", "closes")}
    view = View(Snapshot(tables, snapshot.strings, snapshot.addresses, snapshot.source, Traffic(), False), table)
    assert set(values(view, "connection")) <= {None}
    for name in fields_of(table):
        assert len(values(view, name)) == len(view)


@pytest.mark.parametrize("table", SHOWN)
def test_a_table_without_rows(table: str) -> None:
    tables = {schema.name: Table(schema) for schema in TABLES}
    view = View(Snapshot(tables, Strings(), AddressBook(), made().source, Traffic(), True), table)
    assert len(view) == 0
    for name in fields_of(table):
        assert values(view, name) == []
        if view._fields[name].kind is not Kind.PAYLOAD:
            assert len(view.select(name)) == 0


@pytest.mark.parametrize("table", SHOWN)
def test_records_follow_the_schema(table: str) -> None:
    view = View(made(), table)
    schema = json_schema(table)
    types = {"string": str, "integer": int, "boolean": bool, "null": type(None)}
    assert schema["required"] == list(schema["properties"]) == view.output()
    for place in range(len(view)):
        record = view.record(place)
        assert list(record) == view.output()
        for name, value in record.items():
            found = schema["properties"][name]
            allowed = found["type"] if isinstance(found["type"], list) else [found["type"]]
            assert type(value) in [types[kind] for kind in allowed], name
            assert value in found.get("enum", [value])
            assert value == values(view, name)[place]


@pytest.mark.parametrize("table", [schema.name for schema in TABLES])
def test_every_field_is_described_and_every_column_shown(table: str) -> None:
    fields = fields_of(table)
    for name in fields:
        assert description(table, name)
    hidden = {"channel"} | ({"key"} if table in ("connections", "encrypted") else set())
    assert set(SCHEMAS[table].by_name) - set(output_of(table)) <= hidden
    assert len(output_of(table)) == len(set(output_of(table)))
    assert len(values(View(made(), table), next(iter(SCHEMAS[table].by_name)))) == len(made()[table])


def test_descriptions_have_units_and_sections() -> None:
    assert description("frames", "first_packet") == "packet with its first octet (Wireshark's frame.number)"
    assert description("frames", "header_length").endswith("(octets); RFC 6455 §5.2")
    assert description("connections", "idle").endswith("(ns)")
    assert description("frames", "time") == "time of its last octet (ISO 8601, UTC)"


def test_names_that_are_none_are_refused() -> None:
    with pytest.raises(FilterError):
        View(made(), "connections").select("sender == client")


def test_sentences_do_not_touch_the_shared_pool() -> None:
    snapshot = made()
    held = len(snapshot.strings)
    view = View(snapshot, "connections")
    assert view.select('sentence == "x"').sum() == 0
    assert view.text(int(view.column("sentence")[2])) == values(view, "sentence")[2]
    assert view.text(1) == snapshot.text(1)
    assert len(snapshot.strings) == held


def test_a_second_try_on_the_same_connection(save: Callable[..., str]) -> None:
    talk = Talk().open().send("C", request()).send("S", response(status=401))
    talk.upgrade().frame("C", 1, "hello").frame("S", 8, b"\x03\xe8").fin("S")
    snapshot = snapshot_of(pcap(talk.packets()))
    first, second = values(View(snapshot, "connections"), "connection")
    assert first != second
    assert values(View(snapshot, "handshakes"), "connection") == [first, second]
    assert values(View(snapshot, "exchanges"), "connection") == [first, second]
    assert values(View(snapshot, "frames"), "connection") == [second, second]
    assert values(View(snapshot, "exchanges"), "verdict") == ["refused", "unanswered-close"]


TIMES = st.integers(-(2**63) + 1, 2**63 - 1)


@given(st.lists(st.one_of(TIMES, st.integers(0, 2 * SECOND), st.just(NO_TIME))))
def test_times_are_what_numpy_says(times: list[int]) -> None:
    column = np.array(times, np.int64)
    expected = np.datetime_as_string(column.view("datetime64[ns]"), unit="ns").tolist()
    assert iso_times(column) == [None if text == "NaT" else f"{text}Z" for text in expected]


def test_times_are_iso_8601() -> None:
    (text,) = iso_times(np.array([START + 123_456_789]))
    assert text == "2023-11-14T22:13:20.123456789Z"
    assert datetime.fromisoformat(text) == datetime.fromtimestamp(START // SECOND, UTC).replace(microsecond=123456)
