"""Live capture on loopback, against a real client and server, and following without any rights."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import numpy as np
import pytest
import websockets

from analyzer.analysis.pipeline import analyze
from analyzer.capture.files import open_source
from analyzer.capture.growing import GrowingCapture
from analyzer.errors import FilterError, FramescopeError
from analyzer.live import spool
from analyzer.live.blocks import Cutter, Expander, statistics
from analyzer.live.filters import check
from analyzer.live.recorder import Recorder
from analyzer.live.request import Drops, Request, Ring, octets, ring, spell
from analyzer.live.session import Session
from analyzer.live.spool import Full, Spool
from tests.conftest import SAMPLES
from tests.wire.captures import interface, packet_block, pcap, section
from tests.wire.frames import TEXT
from tests.wire.talks import Talk

TOUR = (SAMPLES / "tour.pcapng").read_bytes()
BACKENDS = ("dumpcap", "tcpdump", "scapy")
PORT = 18765
COMMAND = [sys.executable, "-m", "analyzer", "live"]
TABLES = (
    "packets",
    "streams",
    "spans",
    "exchanges",
    "handshakes",
    "frames",
    "messages",
    "notes",
    "connections",
    "closes",
)


def needs(backend: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs the right to capture: run as root")
    if backend != "scapy" and shutil.which(backend) is None:
        pytest.skip(f"{backend} is not installed")


@pytest.fixture(autouse=True)
def spools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(spool.SPOOL_FOLDER, str(tmp_path / "spools"))
    return tmp_path / "spools"


def talk(count: int) -> None:
    async def echo(socket: websockets.ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    async def main() -> None:
        async with websockets.serve(echo, "127.0.0.1", PORT), websockets.connect(f"ws://127.0.0.1:{PORT}/x") as client:
            for number in range(count):
                await client.send(f"message {number}")
                await client.recv()

    asyncio.run(main())


def begin(*words: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    if "-i" in words:
        line = process.stderr.readline()
        assert "capturing on lo" in line, line + process.stderr.read()
        time.sleep(0.5)
    return process


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_live_tells_is_what_the_saved_file_tells(backend: str, tmp_path: Path, spools: Path) -> None:
    needs(backend)
    saved = str(tmp_path / "saved.pcapng")
    process = begin("-i", "lo", "--json", "--backend", backend, "-w", saved, "tcp", "port", str(PORT))
    talk(20)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "server answered" in err
    assert list(spools.iterdir()) == []
    live = [json.loads(line) for line in out.splitlines()]
    for table in ("frames", "messages", "connections"):
        done = subprocess.run(
            [sys.executable, "-m", "analyzer", table, "--json", saved], capture_output=True, text=True, check=True
        )
        told = [{"table": table} | json.loads(line) for line in done.stdout.splitlines()]
        assert told
        assert told == [
            {**row}
            for row in ({k: v for k, v in row.items() if k != "payload"} for row in live if row["table"] == table)
        ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_killed_analysis_leaves_what_was_captured(backend: str, spools: Path) -> None:
    needs(backend)
    process = begin("-i", "lo", "--json", "--backend", backend, "tcp", "port", str(PORT))
    killer = Timer(random.random(), process.kill)  # before, amid or after what crosses
    killer.start()
    talk(20)
    killer.join()
    process.communicate()
    deadline = time.monotonic() + 15
    while not (found := list(spool.orphans(spools))):
        assert time.monotonic() < deadline, "the recorder did not end"
        time.sleep(0.1)
    files = spool.files(found[0].folder)
    assert os.stat(files[0]).st_mode & 0o777 == 0o600
    snapshot = analyze(open_source(files))
    assert int(snapshot["connections"]["client_messages"][0]) == 20


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_idle_link_does_not_hang(backend: str) -> None:
    needs(backend)
    process = begin("-i", "lo", "--json", "--backend", backend, "tcp", "port", "1")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=15)
    assert process.returncode == 0


def test_a_pipe_is_told_before_it_ends(tmp_path: Path) -> None:
    conversation = Talk().open().upgrade().frame("C", TEXT, b"hello")
    process = subprocess.Popen(
        [*COMMAND, "--json", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(pcap(conversation.packets()))
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["table"] == "frames"
    assert process.poll() is None
    process.communicate(timeout=15)
    assert process.returncode == 0


def test_a_capture_that_grows_tells_what_the_whole_file_tells(tmp_path: Path) -> None:
    path = tmp_path / "growing.pcapng"
    path.touch()
    session = Session.follow(str(path))
    session.start()
    with path.open("ab", buffering=0) as stream:
        for start in range(0, len(TOUR), 777):
            stream.write(TOUR[start : start + 777])
    session.stop()
    while not ((moment := session.poll()) and moment.finished):
        pass
    whole = analyze(open_source([str(SAMPLES / "tour.pcapng")]))
    for name in TABLES:
        for column in whole[name].schema.by_name:
            assert np.array_equal(moment.snapshot[name][column], whole[name][column]), (name, column)
    assert not moment.snapshot.problems


def request(tmp_path: Path, **cells: object) -> Request:
    return Request(str(tmp_path / "spool"), **cells)  # type: ignore[arg-type]


def test_a_ring_drops_whole_files_and_offsets_stay(tmp_path: Path) -> None:
    head = section() + interface()
    block = packet_block(bytes(65536), 0)
    written = Spool(request(tmp_path, ring=Ring(octets=4 << 20)), head, "")
    capture = GrowingCapture("ring", lambda: spool.files(tmp_path / "spool"))
    records = offset = 0
    for _ in range(200):
        written.write(block)
        while (taken := capture.take(1 << 16)) is not None:
            records += len(taken)
            offset = int(taken.offset[-1])
        capture.expire()
    kept = sum(os.stat(path).st_size for path in spool.files(tmp_path / "spool"))
    assert records == 200
    assert kept <= (4 << 20) + 2 * len(block)
    assert 0 < capture.expired < offset
    assert capture.read(offset, 4) == bytes(4)
    assert capture.read(100, 4) == b""


def test_a_spool_that_is_full_keeps_whole_blocks(tmp_path: Path) -> None:
    head = section() + interface()
    block = packet_block(bytes(1000), 0)
    written = Spool(request(tmp_path, limit=5000), head, "")
    for _ in range((5000 - len(head)) // len(block)):
        written.write(block)
    with pytest.raises(Full):
        written.write(block)
    written.close()
    snapshot = analyze(open_source(spool.files(tmp_path / "spool")))
    assert snapshot.traffic.packets == (5000 - len(head)) // len(block)
    assert not snapshot.problems


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_pcap_expands_to_the_same_packets(step: int, save) -> None:  # type: ignore[no-untyped-def]
    octets_ = pcap(Talk().open().upgrade().frame("C", TEXT, b"hello").packets())
    expander = Expander(0, "lo", "tcp")
    blocks = b"".join(expander.feed(octets_[start : start + step]) for start in range(0, len(octets_), step))
    path = save(section() + expander.description + blocks, "expanded.pcapng")
    before, after = (analyze(open_source([name])) for name in (save(octets_), path))
    for column in ("time", "captured", "wire", "seq", "payload_length"):
        assert np.array_equal(before["packets"][column], after["packets"][column])


@pytest.mark.parametrize("step", [1, 13, 100_000])
def test_pcapng_is_cut_where_blocks_end(step: int) -> None:
    octets_ = section() + interface() + packet_block(b"12345", 1) * 3
    cutter = Cutter()
    parts = [cutter.feed(octets_[start : start + step]) for start in range(0, len(octets_), step)]
    assert cutter.head == section() + interface()
    assert all(len(part) % len(packet_block(b"12345", 1)) == 0 for part in parts)
    assert b"".join(parts) == packet_block(b"12345", 1) * 3


def test_drops_are_told_with_their_spell(save) -> None:  # type: ignore[no-untyped-def]
    source = open_source([save(section() + interface() + statistics(0, 9, 0) + statistics(0, 90, 7, 1), "x.pcapng")])
    list(source.chunks(1 << 16))
    assert source.dropped == 8
    assert [loss.packets for loss in source.losses] == [8]
    assert source.losses[0].start <= source.losses[0].stop


@pytest.mark.parametrize(
    ("expression", "word"), [("tcp prot 80", "prot"), ("tcp port 80 or foo", "foo"), ("tcp and and udp", "and udp")]
)
def test_a_wrong_capture_filter_is_shown_at_its_place(expression: str, word: str) -> None:
    if shutil.which("tcpdump") is None:
        pytest.skip("tcpdump is not installed")
    with pytest.raises(FilterError) as raised:
        check(expression)
    assert expression[raised.value.at :].startswith(word)
    check("tcp port 80")


def test_times_and_sizes() -> None:
    assert (spell("10min"), octets("2GB"), ring("2GiB").octets, ring("60s").seconds) == (600, 2 * 10**9, 2 << 30, 60)
    with pytest.raises(FramescopeError):
        ring("soon")


class Drip:
    """A backend of which somebody else says what it dropped."""

    def __init__(self) -> None:
        self.told = Drops()

    def counts(self) -> list[Drops]:
        return [self.told]

    def received(self) -> int:
        return 0

    def ask(self) -> None:
        pass


def test_drops_are_stored_with_their_spell_once_in_each_file_of_a_ring(tmp_path: Path) -> None:
    block = packet_block(bytes(65536), 0)
    recorder = object.__new__(Recorder)
    recorder.backend, recorder.trouble = Drip(), ""
    recorder.stored, recorder.base, recorder.file, recorder.looked = [], [], 0, time.time_ns()
    recorder.spool = Spool(request(tmp_path, ring=Ring(octets=64 << 20)), section() + interface(), "")
    for number in range(120):
        recorder.spool.write(block)
        recorder.backend.told = Drops(number, number // 10)
        recorder._account()
    recorder._account(at_the_end=True)
    paths = spool.files(tmp_path / "spool")
    assert len(paths) > 1
    for several in (paths, [save_joined(paths, tmp_path / "joined.pcapng")]):
        snapshot = analyze(open_source(several))
        assert snapshot.source.dropped == 11
        assert sum(loss.packets for loss in snapshot.source.losses) == 11
        assert all(loss.stop - loss.start < 10**9 for loss in snapshot.source.losses if loss.start > 0)


def save_joined(paths: list[str], target: Path) -> str:
    target.write_bytes(b"".join(Path(path).read_bytes() for path in paths))
    return str(target)


def test_a_file_that_is_begun_anew_is_followed(tmp_path: Path) -> None:
    first = Talk(("10.0.0.1", 40001)).open().upgrade().frame("C", TEXT, b"one").packets()
    second = Talk(("10.0.0.1", 40002)).open().upgrade().packets()
    path = tmp_path / "ring0"
    capture = GrowingCapture("ring", lambda: [str(path)])
    path.write_bytes(pcap(first))
    assert sum(len(capture.take(1 << 16) or ()) for _ in range(3)) == len(first)
    path.write_bytes(pcap(second))
    taken = [records for _ in range(3) if (records := capture.take(1 << 16)) is not None]
    assert sum(map(len, taken)) == len(second)
    assert int(taken[0].offset[0]) > len(pcap(first))
    assert capture.read(int(taken[0].offset[0]), 6) == second[0][1][:6]
    assert capture.read(100, 4) == b""
    assert not capture.problems


def test_a_folder_of_rotating_files_is_one_capture(tmp_path: Path) -> None:
    conversation = Talk().open().upgrade()
    for number in range(20):
        conversation.frame("C", TEXT, f"message {number}")
    packets = conversation.packets()
    folder = tmp_path / "rotating"
    folder.mkdir()
    session = Session.follow(str(folder))
    session.start()
    for number, start in enumerate(range(0, len(packets), 10)):
        (folder / f"out_{number:05}.pcap").write_bytes(pcap(packets[start : start + 10]))
        os.utime(folder / f"out_{number:05}.pcap", (number + 1, number + 1))
        while (moment := session.poll()) is None or moment.snapshot.traffic.packets < min(start + 10, len(packets)):
            pass
    session.stop()
    while not ((moment := session.poll()) and moment.finished):
        pass
    assert int(moment.snapshot["connections"]["client_messages"][0]) == 20
    assert not moment.snapshot.problems


@pytest.mark.parametrize(
    "module", ["analyzer.cli.main", "analyzer.cli.live", "analyzer.live.recorder", "analyzer.tui.live"]
)
def test_scapy_is_imported_for_its_own_backend_alone(module: str) -> None:
    code = f"import sys, {module}; print(any(name.split('.')[0] == 'scapy' for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_of_a_batch_what_there_is_room_for_is_kept(tmp_path: Path) -> None:
    head, block = section() + interface(), packet_block(bytes(1000), 0)
    written = Spool(request(tmp_path, limit=5000), head, "")
    with pytest.raises(Full):
        written.write(block * 100)
    written.close()
    (path,) = spool.files(tmp_path / "spool")
    assert Path(path).read_bytes() == head + block * ((5000 - len(head)) // len(block))


def test_while_nothing_comes_no_snapshot_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "growing.pcap"
    packets = Talk().open().upgrade().frame("C", TEXT, b"one").packets()
    path.write_bytes(pcap(packets[:-1]))
    session = Session.follow(str(path))
    session.start()
    while (first := session.poll()) is None or first.snapshot.traffic.packets < len(packets) - 1:
        pass
    again = session.poll()
    assert again is not None
    assert again is not first
    assert again.snapshot is first.snapshot
    path.write_bytes(pcap(packets))
    while (later := session.poll()) is None or later.snapshot.traffic.packets < len(packets):
        pass
    assert later.snapshot is not first.snapshot
    session.stop()
