"""`framescope save`, and listings for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

import analyzer
from analyzer.cli.main import main
from analyzer.escape import cell, file_name
from tests.conftest import SAMPLES
from tests.wire.captures import Packets, pcap, pcapng
from tests.wire.frames import TEXT
from tests.wire.talks import Talk

TOUR = str(SAMPLES / "tour.pcapng")


def two() -> Packets:
    talks = [Talk(client=("10.0.0.1", 4000 + number)).open().upgrade().frame("C", TEXT, f"I am {number}").fin("S")
             for number in range(2)]  # fmt: skip
    return sorted(packet for talk in talks for packet in talk.packets())


def test_a_connection_is_a_capture_that_opens_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "one.pcapng")
    assert main(["save", "--connection", "c4084", "-o", path, TOUR]) == 0
    assert "39 packets of c4084 saved" in capsys.readouterr().err
    with analyzer.open(path) as one, analyzer.open(TOUR) as whole:
        (mine,), chat = one.connections, whole.connections["c4084"]
        assert mine.close.verdict == chat.close.verdict
        assert mine.frames.values("payload") == chat.frames.values("payload")
        stream = whole.table("connections")["stream"][chat.row]
        packets = whole.table("packets")
        theirs = packets["stream"] == stream
        for name in ("time", "captured", "wire", "seq", "ack", "flags"):
            assert one.table("packets")[name].tolist() == packets[name][theirs].tolist()


@pytest.mark.parametrize("form", [pcap, pcapng])
def test_several_connections_of_either_form(
    form: Callable[[Packets], bytes], save: Callable[..., str], tmp_path: Path
) -> None:
    source, path = save(form(two())), str(tmp_path / "both.pcapng")
    with analyzer.open(source) as whole:
        keys = [connection.key for connection in whole.connections]
    assert main(["save", "-q", "--connection", keys[1], "--connection", keys[0], "-o", path, source]) == 0
    with analyzer.open(path) as both:
        assert [message.text for message in both.messages] == ["I am 0", "I am 1"]
    assert main(["save", "-q", "--connection", keys[1], "-o", path, source]) == 0
    with analyzer.open(path) as one:
        assert [message.text for message in one.messages] == ["I am 1"]


def test_packets_without_times_and_of_tunnels_are_saved(save: Callable[..., str], tmp_path: Path) -> None:
    from tests.wire.captures import SIMPLE

    path = str(tmp_path / "out.pcapng")
    source = save(pcapng(two(), kind=SIMPLE))
    with analyzer.open(source) as whole:
        key = whole.connections[0].key
    assert main(["save", "-q", "--connection", key, "-o", path, source]) == 0
    with analyzer.open(path) as one:
        assert [message.text for message in one.messages] == ["I am 0"]
        assert one.messages.values("time") == [None]
    tunnels = str(SAMPLES / "tunnels.pcapng")
    with analyzer.open(tunnels) as whole:
        keys = [connection.key for connection in whole.connections]
        said = [connection.messages.values("payload") for connection in whole.connections]
    for key, payloads in zip(keys, said, strict=True):
        assert main(["save", "-q", "--connection", key, "-o", path, tunnels]) == 0
        with analyzer.open(path) as one:
            assert payloads in [connection.messages.values("payload") for connection in one.connections]


def test_a_payload_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "body.bin"
    assert main(["save", "-q", "--message", "1", "-o", str(path), TOUR]) == 0
    assert path.read_bytes() == b"hello"


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["save", TOUR], 2, "say what to save"),
        (["save", "--connection", "c4084", "--message", "1", TOUR], 2, "say what to save"),
        (["save", "--connection", "c1", "-o", "x", TOUR], 2, "there is no connection 'c1'"),
        (["save", "--message", "999", "-o", "x", TOUR], 2, "there is no message 999"),
        (["save", "--message", "1", "-o", "/none/x", TOUR], 5, "cannot be written"),
        (["save", "--message", "1", "-o", "x", "none.pcap"], 3, "does not exist"),
        (["frames", "--csv", "--json", TOUR], 2, "two forms"),
    ],
)
def test_what_cannot_be_saved_is_said(words: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str],
                                      tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(words) == status
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_csv_has_the_fields_of_json_lines_and_runs_nothing(
    save: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    talk = Talk().open().upgrade().frame("C", TEXT, '=cmd|"/c calc"!A1').frame("C", TEXT, 'a,\n"b"\x1b[2J')
    assert main(["messages", "--csv", "--payload", "text", save(pcap(talk.packets()))]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["payload"] for row in rows] == ['\'=cmd|"/c calc"!A1', 'a,\\n"b"\\e[2J']
    assert rows[0]["opcode"] == "text"
    assert rows[0]["close_code"] == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a", "a"),
        ("", ""),
        ("=1", "'=1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@a", "'@a"),
        ("\t=1", "'\\t=1"),
        ("\r=", "'\\r="),
    ],
)
def test_cells(text: str, shown: str) -> None:
    assert cell(text) == shown


@pytest.mark.parametrize(
    ("text", "name"),
    [("../../etc/passwd", "etc-passwd"), ("-rf", "rf"), (".hidden", "hidden"), ("", "capture"), ("\x1b]0;x", "0-x"),
     ("a b/c", "a-b-c"), ("..", "capture"), ("x" * 300, "x" * 80), ("c24.pcapng", "c24.pcapng"), ("漢", "capture")],
)  # fmt: skip
def test_file_names(text: str, name: str) -> None:
    assert file_name(text) == name
