"""What live streams, where it stops, what it alerts, and what it saves; on captures that grow, without any rights."""

from __future__ import annotations

import argparse
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from analyzer.analysis.pipeline import analyze
from analyzer.capture.files import open_source
from analyzer.cli.events import Events
from analyzer.live import spool
from analyzer.live.alerts import Alerts
from analyzer.live.request import Drops
from analyzer.live.session import Moment
from tests.analyzer.analysis.test_expiry import Turning
from tests.wire.captures import interface, packet_block, pcap, section
from tests.wire.frames import CLOSE, TEXT
from tests.wire.talks import START, Talk

COMMAND = [sys.executable, "-m", "analyzer", "live"]


@pytest.fixture(autouse=True)
def spools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(spool.SPOOL_FOLDER, str(tmp_path / "spools"))
    return tmp_path / "spools"


def two_talks() -> list[tuple[int, bytes]]:
    """One connection that closes with 1000, one that is reset."""
    clean = Talk(("10.0.0.1", 40001)).open().upgrade()
    for number in range(5):
        clean.frame("C", TEXT, f"clean {number}")
    clean.frame("C", CLOSE, b"\x03\xe8").frame("S", CLOSE, b"\x03\xe8").fin("S").fin("C")
    died = Talk(("10.0.0.1", 40002), start=START + 500).open().upgrade().frame("S", TEXT, "last words").rst("S")
    return sorted(clean.packets() + died.packets())


def run(octets: bytes, *words: str) -> tuple[list[dict[str, object]], str, int]:
    done = subprocess.run([*COMMAND, "--json", *words, "-"], input=octets, capture_output=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode(), done.returncode


def pcapng(packets: list[tuple[int, bytes]]) -> bytes:
    return section() + interface() + b"".join(packet_block(octets, time // 1000) for time, octets in packets)


def test_frames_messages_and_verdicts_are_streamed() -> None:
    rows, told, status = run(pcap(two_talks()))
    tables = [row["table"] for row in rows]
    assert [tables.count(name) for name in ("frames", "messages", "connections")] == [8, 8, 2]
    assert status == 0
    assert "reading a pipe" in told
    assert "deleted" in told


def test_count_is_of_frames_that_are_shown() -> None:
    rows, _, _ = run(pcap(two_talks()), "--count", "2", "--filter", "payload ~ /clean/")
    frames = [row for row in rows if row["table"] == "frames"]
    assert len(frames) == 2
    assert len({row["connection"] for row in frames}) == 1


def test_until_ends_with_the_row_that_it_holds_for() -> None:
    rows, _, _ = run(pcap(two_talks()), "--until", "opcode == close")
    assert rows[-1]["opcode"] == "close"
    assert [row["opcode"] for row in rows].count("close") == 1


def test_a_wrong_filter_is_told_before_anything_starts(spools: Path) -> None:
    for option in ("--filter", "--until", "--alert"):
        rows, told, status = run(b"", option, "opcode == closing")
        assert (rows, status) == ([], 2)
        assert "closing" in told
    assert not spools.exists()


def test_alerts_are_told_once_a_connection_and_run_a_command(tmp_path: Path) -> None:
    log = tmp_path / "alerts"
    words = (
        "--alert",
        "reported_code == 1006",
        "--alert",
        "opcode == close",
        "--alert-command",
        f"cat >> {log}",
    )
    _, told, _ = run(pcap(two_talks()), *words)
    lines = [line for line in told.splitlines() if "alert: " in line]
    assert len([line for line in lines if "reported_code == 1006" in line]) == 1
    assert len([line for line in lines if "opcode == close" in line]) == 2
    for _ in range(50):
        if log.exists() and log.read_text().count("\n") == 3:
            break
        subprocess.run(["sleep", "0.1"], check=True)
    alerts = [json.loads(line) for line in log.read_text().split("\n") if line.startswith("{")]
    assert {alert["alert"] for alert in alerts} == {"reported_code == 1006", "opcode == close"}


@pytest.mark.parametrize("form", [pcap, pcapng])
def test_only_the_connections_shown_are_saved(form: Callable[[list[tuple[int, bytes]]], bytes], tmp_path: Path) -> None:
    whole, shown = tmp_path / "whole.pcap", tmp_path / "shown.pcap"
    octets = form(two_talks())
    run(octets, "--filter", "payload ~ /last words/", "-w", str(whole), "--write-shown", str(shown))
    assert whole.read_bytes() == octets
    snapshot = analyze(open_source([str(shown)]))
    assert len(snapshot["connections"]) == 1
    assert snapshot.traffic.packets == 7
    assert not snapshot.problems


def test_a_target_that_cannot_be_written_leaves_the_spool(spools: Path) -> None:
    _, told, status = run(pcap(two_talks()), "-w", "/nonexistent/x.pcap")
    assert status == 5
    assert "cannot be written" in told
    assert len(list(spools.iterdir())) == 1


def test_a_spool_that_reaches_its_limit_is_kept(spools: Path) -> None:
    octets = pcapng(two_talks() * 300)
    _, told, status = run(octets, "--spool-limit", "20KB")
    assert status == 4
    assert "limit" in told
    assert "framescope recover" in told
    (folder,) = spools.iterdir()
    assert sum(Path(path).stat().st_size for path in spool.files(folder)) <= 20_000


def test_rows_that_leave_the_ring_before_their_turn_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turning = Turning(tmp_path, 2)
    talk = Talk().open().upgrade().frame("C", TEXT, b"the first")
    options = argparse.Namespace(quiet=False, filter=None, count=None, until=None, json=True, payload=None)
    out = io.StringIO()
    events = Events(options, out, Alerts([]))
    begun = 0
    for _ in range(2):
        turning.feed(talk.packets(talk.segments[begun:]))
        events.take(Moment(turning.analysis.snapshot(), (0, 0), Drops(), 0, False))
        begun = len(talk.segments)
        for number in range(1000):
            talk.frame("C", TEXT, f"message {number}")
    events.take(Moment(turning.analysis.snapshot(), (0, 0), Drops(), 0, True))
    written = len([line for line in out.getvalue().splitlines() if '"table": "frames"' in line])
    assert written < 1001
    assert f"{2 * (1001 - written)} rows left the ring" in capsys.readouterr().err.replace(
        "\N{NARROW NO-BREAK SPACE}", ""
    )


def test_an_alert_rings_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    words = [*COMMAND, "--json", "--alert", "opcode == close", "-"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        assert process.stdin is not None
        process.stdin.write(pcap(two_talks()))
        process.stdin.close()
        told = b""
        with suppress(OSError):  # EIO: the other end is closed
            while octets := os.read(ours, 1 << 16):
                told += octets
    os.close(ours)
    assert b"alert: opcode == close" in told
    assert b"\a" in told
