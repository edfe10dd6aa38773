"""The Python API."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import analyzer
from analyzer import views
from analyzer.views import fields_of
from tests.conftest import ROOT, SAMPLES
from tests.wire.captures import pcap
from tests.wire.handshakes import request, response
from tests.wire.talks import START, Talk


@pytest.fixture(scope="module")
def tour() -> Iterator[analyzer.Capture]:
    with analyzer.open(SAMPLES / "tour.pcapng") as capture:
        yield capture


def test_a_capture_is_walked(tour: analyzer.Capture) -> None:
    _, chat, died = tour.connections
    assert chat.key.startswith("c")
    assert chat.subprotocol == "chat.v1"
    assert (chat.close.code, chat.close.by, chat.close.reported_by_server) == (1000, "client", 1000)
    assert died.close.reported_by_client == 1006
    texts = [message.text for message in chat.messages.where("opcode == text and sender == client")]
    assert texts[:2] == ["hello", "grüße an alle"]
    assert "a message in three fragments" in texts
    assert texts[-1] == "compressible " * 150
    for frame in chat.frames:
        assert len(frame.wire) == frame.header_length + frame.payload_length
        assert len(frame.payload) == frame.payload_length
    with pytest.raises(AttributeError):
        _ = tour.frames[0].nonsense


def test_the_handshake_has_both_heads(tour: analyzer.Capture) -> None:
    refused, chat, _ = tour.connections
    assert chat.handshake.accept_verdict == "right"
    assert chat.handshake.request.startswith(f"GET {chat.handshake.target} HTTP/1.1\r\n".encode())
    assert chat.handshake.request.endswith(b"\r\n\r\n")
    assert chat.handshake.response.startswith(b"HTTP/1.1 101 ")
    assert refused.handshake.response.startswith(b"HTTP/1.1 403 ")
    for exchange in tour.exchanges:
        assert exchange.request.startswith(f"{exchange.method} {exchange.target} ".encode())
        assert exchange.response.startswith(f"HTTP/1.1 {exchange.status} ".encode())


def test_evidence_leads_to_packets_and_frames(tour: analyzer.Capture) -> None:
    chat = tour.connections[1]
    first = chat.close.evidence[0]
    assert first.frame is not None
    assert (first.frame.opcode, first.frame.sender) == ("close", chat.close.by)
    assert first.packet == first.frame.packet
    assert first.frame in list(chat.frames)
    for connection in tour.connections:
        for item in connection.close.evidence:
            assert item.packet is None or 1 <= item.packet <= tour.snapshot.traffic.packets


def test_names_that_are_none_say_what_was_meant(tour: analyzer.Capture) -> None:
    for look, near in (
        (lambda: tour.table("frame"), "'frames'"), (lambda: tour.table("frames")["opcod"], "'opcode'"),
        (lambda: tour.frames.column("payload_len"), "'payload_length'"), (lambda: tour.frames.values("sendr"), "'sender'"),
        (lambda: tour.view("notes").column("severty"), "'severity'"), (lambda: tour.view("notes").values("cod", np.arange(1)), "'code'"),
    ):  # fmt: skip
        with pytest.raises(KeyError) as caught:
            look()
        assert f"did you mean {near}?" in str(caught.value)
    with pytest.raises(analyzer.UnknownName, match=r"^there is no table 'frame'; did you mean 'frames'\?$"):
        tour.table("frame")
    assert issubclass(analyzer.UnknownName, analyzer.FramescopeError)


def test_connections_are_found_by_key(tour: analyzer.Capture) -> None:
    assert tour.connections["c4084"] == tour.connection("c4084") == tour.connections[1]
    assert tour.connections[1:]["c9336"].path == "/feed"
    for look in (
        lambda: tour.connections["c4085"],
        lambda: tour.connections[:1]["c4084"],
        lambda: tour.connections["x"],
    ):
        with pytest.raises(KeyError, match="there is no connection"):
            look()


def test_rows_show_themselves_in_a_line(tour: analyzer.Capture) -> None:
    assert repr(tour.connections[1]) == "<Connection 1 c4084 /chat?token=*** closed>"
    assert repr(tour.frames.where("opcode == close")[0]).endswith(" c4084 client close 16 1000>")
    assert repr(tour.messages[0]).startswith("<Message 0 c4084 server text ")
    assert repr(tour.table("messages")) == f"<Table messages: {len(tour.messages)} rows, 18 columns>"


def test_a_session_leads_to_its_legs() -> None:
    with analyzer.open("sample:proxy-chain") as capture:
        first, middle, last = (capture.connections[key] for key in ("c144", "c828", "c1884"))
        assert [leg.key for leg in middle.legs] == ["c144", "c828", "c1884"]
        assert first.legs == middle.legs == last.legs
        assert (middle.client_leg, middle.server_leg, middle.other_view) == (first, last, None)
        assert (first.client_leg, last.server_leg) == (None, None)
        assert (first.proxied_source, middle.proxied_source) == (None, "127.0.0.1:50754")
        assert first.tunnel is None
    with analyzer.open("sample:tunnels") as capture:
        assert [connection.connect_target for connection in capture.connections] == [None, "localhost:8311"]
    with analyzer.open("sample:tour") as capture:
        assert [len(connection.legs) for connection in capture.connections] == [1, 1, 1]


def test_rows_are_sequences(tour: analyzer.Capture) -> None:
    frames = tour.frames
    assert list(frames[2:5]) == [frames[2], frames[3], frames[4]]
    assert frames[-1] == frames[len(frames) - 1]
    assert frames[0] != frames[1]
    assert len({*frames, *frames}) == len(frames)
    assert repr(frames) == f"<{len(frames)} frames>"
    assert list(frames.where("opcode == close")) == [frame for frame in frames if frame.opcode == "close"]
    assert frames.numbered(frames[3].row) == frames[3]
    assert frames.numbered(-1) is None
    assert frames.numbered(len(frames)) is None
    with pytest.raises(IndexError):
        _ = frames[len(frames)]


def test_rows_belong_to_their_connection(tour: analyzer.Capture) -> None:
    assert sum(len(connection.frames) for connection in tour.connections) == len(tour.frames)
    for connection in tour.connections:
        assert {frame.connection for frame in connection.frames} <= {connection.key}
        assert {message.connection for message in connection.messages} <= {connection.key}
        assert tour.connection(connection.key) == connection
        closes = tour.frames.where("opcode == close").of(connection)
        assert list(closes) == list(connection.frames.where("opcode == close"))


def test_rows_cannot_be_changed(tour: analyzer.Capture) -> None:
    for rows in (tour.connections, tour.frames, tour.messages, tour.handshakes, tour.exchanges):
        for name in ("payload_length", "nonsense", "_place"):
            with pytest.raises(AttributeError):
                setattr(rows[0], name, 1)


@pytest.mark.parametrize("table", ["connections", "frames", "messages", "handshakes", "exchanges", "notes"])
def test_every_field_is_a_documented_property(table: str) -> None:
    with analyzer.open("sample:policy") as capture:
        rows = getattr(capture, table)
        assert len(rows)
        record = rows[0].record()
        for name in fields_of(table):
            assert getattr(type(rows[0]), name).__doc__, name
            assert name in dir(rows[0])
            value = getattr(rows[0], name)
            if name in record and (table, name) not in (("connections", "handshake"), ("connections", "notes")):
                assert value == record[name] == rows.values(name)[0]


def test_columns_are_numpy(tour: analyzer.Capture) -> None:
    whole = tour.table("frames")["payload_length"]
    assert isinstance(whole, np.ndarray)
    assert int(whole.sum()) == sum(frame.payload_length for frame in tour.frames)
    chat = tour.connections[1]
    assert chat.frames.column("packet").tolist() == [frame.packet for frame in chat.frames]
    assert chat.frames.values("payload") == [frame.payload for frame in chat.frames]
    assert tour.table("packets")["offset"].tolist()
    assert len(tour.view("packets").record(0)) > 5


def test_notes_say_what_they_are() -> None:
    with analyzer.open("sample:policy") as capture:
        assert len(capture.notes)
        for note in capture.notes:
            assert note.sentence[0].islower()
            assert note.source
        with_notes = [connection for connection in capture.connections if len(connection.notes)]
        assert sum(len(connection.notes) for connection in with_notes) == len(capture.notes.where("connection"))
        for connection in with_notes:
            assert connection.record()["notes"] == len(connection.notes.where("severity != odd"))


def test_a_refused_try_has_none_of_the_frames_of_the_next(save: Callable[..., str]) -> None:
    talk = Talk().open().send("C", request()).send("S", response(status=401))
    talk.upgrade().frame("C", 1, "hello").fin("C")
    with analyzer.open(save(pcap(talk.packets()))) as capture:
        refused, opened = capture.connections
        assert (len(refused.frames), len(opened.frames)) == (0, 1)
        assert (len(refused.messages), len(opened.messages)) == (0, 1)
        assert (refused.handshake.status, opened.handshake.status) == (401, 101)
        assert opened.messages[0].text == "hello"


def test_a_filter_looks_at_the_rows_chosen_alone(tour: analyzer.Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    fetch = views.message_payloads
    monkeypatch.setattr(
        views, "message_payloads", lambda contents, rows: asked.extend(rows.tolist()) or fetch(contents, rows)
    )
    chat = tour.connections[1]
    chosen = chat.messages.where("payload contains hello")
    assert chosen[0].text == "hello"
    assert set(asked) == {message.row for message in chat.messages}


def test_several_files_are_one_capture(save: Callable[..., str]) -> None:
    talk = Talk().open().upgrade().frame("C", 1, "hello").frame("S", 1, "world")
    packets = talk.packets()
    paths = [save(pcap(packets[5:])), save(pcap(packets[:5]))]
    with analyzer.open(*paths) as capture:
        (connection,) = capture.connections
        assert [message.text for message in connection.messages] == ["hello", "world"]
        assert connection.time == f"{np.datetime64(START, 'ns')}Z"


def test_octets_cannot_be_fetched_after_closing() -> None:
    capture = analyzer.open("sample:tour")
    frame, message, shake = capture.frames[0], capture.messages[0], capture.handshakes[0]
    capture.close()
    capture.close()
    assert frame.opcode == "text"
    for fetch in (
        lambda: frame.payload, lambda: frame.wire, lambda: message.text, lambda: shake.request,
        lambda: capture.frames.where("payload ~ /x/"), lambda: capture.frames.values("payload"),
    ):  # fmt: skip
        with pytest.raises(analyzer.FramescopeError, match="closed"):
            fetch()


def test_errors_are_one_family(tour: analyzer.Capture) -> None:
    with pytest.raises(analyzer.CaptureError):
        analyzer.open("/nowhere")
    with pytest.raises(analyzer.CaptureError):
        analyzer.open()
    wrong: tuple[Callable[[], object], ...] = (
        lambda: tour.frames.where("nonsense == 1"), lambda: tour.frames.column("nonsense"),
        lambda: tour.frames.column("payload"), lambda: tour.frames.column("host"), lambda: tour.table("nonsense"),
        lambda: tour.view("nonsense"), lambda: tour.connection("c1"), lambda: tour.connection('c1" or packet'),
    )  # fmt: skip
    for mistake in wrong:
        with pytest.raises(analyzer.FramescopeError):
            mistake()


def test_importing_costs_nothing() -> None:
    code = "import sys, analyzer; print('numpy' in sys.modules, 'open' in dir(analyzer), 'numpy' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, env=environment)
    assert done.stdout.split() == ["False", "True", "False"]


def test_every_public_name_is_there() -> None:
    for name in analyzer.__all__:
        assert getattr(analyzer, name) is not None
    assert len(analyzer.__all__) == len(set(analyzer.__all__))
    with pytest.raises(AttributeError):
        _ = analyzer.nonsense


def test_standard_input_is_a_capture() -> None:
    code = "import analyzer; print(len(analyzer.open('-').connections))"
    with Path(SAMPLES / "tour.pcapng").open("rb") as tour:
        done = subprocess.run(
            [sys.executable, "-c", code], stdin=tour, capture_output=True, check=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert done.stdout == b"3\n"
