"""Who has which rights, and what becomes of a capture whose disk is full or whose interface goes: needs root."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.analysis.pipeline import analyze
from analyzer.capture.files import open_source
from analyzer.live import spool

BACKENDS = ("dumpcap", "tcpdump", "scapy")
COMMAND = [sys.executable, "-m", "analyzer", "live"]
NOBODY = 65534
SPACE = f"framescope-{os.getpid()}"
PORT = str(18766 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]))
"""Loopback is one: what another worker sends is not to be captured here."""


@pytest.fixture(autouse=True)
def spools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if os.geteuid() != 0:
        pytest.skip("needs the right to capture: run as root")
    monkeypatch.setenv(spool.SPOOL_FOLDER, str(tmp_path / "spools"))
    for name in ("SUDO_UID", "PKEXEC_UID", "DOAS_USER"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "spools"


def needs(program: str) -> None:
    if program != "scapy" and shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


@pytest.fixture
def space() -> Iterator[str]:
    """A network namespace with an interface of its own."""
    needs("ip")
    made = subprocess.run(["ip", "netns", "add", SPACE], capture_output=True)
    if made.returncode:
        pytest.skip(f"no network namespace can be made: {made.stderr.decode().strip()}")
    for words in (
        "link set lo up",
        "link add fs0 type veth peer name fs1",
        "link set fs0 up",
        "link set fs1 up",
        "addr add 10.99.0.1/24 dev fs0",
    ):
        done = subprocess.run(["ip", "-n", SPACE, *words.split()], capture_output=True)
        if done.returncode:
            subprocess.run(["ip", "netns", "del", SPACE], check=True)
            pytest.skip(f"ip {words}: {done.stderr.decode().strip()}")
    yield SPACE
    subprocess.run(["ip", "netns", "del", SPACE], check=True)


def begin(*words: str, before: tuple[str, ...] = (), **environment: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [*before, *COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "capturing on" in line, line + process.stderr.read()
    return process


def status_of(process: int) -> dict[str, str]:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def family(process: int) -> list[int]:
    """A process and all below it."""
    found = [process]
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        found += family(int(child))
    return found


def flood(count: int, size: int = 1000) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        for _ in range(count):
            plain.sendto(bytes(size), ("127.0.0.1", int(PORT)))
            time.sleep(0.0002)


@pytest.mark.parametrize("backend", BACKENDS)
def test_only_the_recorder_has_rights_and_it_is_the_caller(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    needs(backend)
    # a folder that is theirs: others may not enter those that pytest makes
    theirs = Path(tempfile.mkdtemp(prefix="framescope-"))
    os.chown(theirs, NOBODY, NOBODY)
    monkeypatch.setenv(spool.SPOOL_FOLDER, str(theirs))
    process = begin("-i", "lo", "--json", "--backend", backend, "udp", "port", PORT, SUDO_UID=str(NOBODY))
    statuses = {number: status_of(number) for number in family(process.pid)}
    flood(20)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 0, told
    assert "20 packets" in told
    theirs.rmdir()  # nothing is left in it
    for number, status in statuses.items():
        assert status["Uid"].split() == [str(NOBODY)] * 4, status
        held = int(status["CapEff"], 16)
        if number == process.pid or status["Name"].startswith("python"):
            assert held == 0, "neither the analysis nor the recorder has any once it is open"
        assert held & ~(1 << 12 | 1 << 13) == 0, "a capture program has what it needs, and no more"


@pytest.mark.parametrize("backend", BACKENDS)
def test_who_may_not_is_told_what_would(backend: str) -> None:
    needs(backend)
    needs("setpriv")
    # root without its capabilities: another user may not even enter the folders that this runs from
    nothing = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--"]
    words = [*nothing, *COMMAND, "-i", "lo", "--backend", backend, "(tcp port 80)"]
    done = subprocess.run(words, capture_output=True, text=True, cwd="/")
    assert done.returncode == 3
    assert "does not begin" in done.stderr
    assert f"sudo {Path(sys.executable).parent}/framescope live -i lo '(tcp' port '80)'" in done.stderr
    assert "live -\n" in done.stderr


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_full_disk_ends_the_capture_and_keeps_it(backend: str, spools: Path) -> None:
    needs(backend)
    spools.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(spools)], capture_output=True
    ).returncode:
        pytest.skip("no file system can be mounted")
    try:
        process = begin("-i", "lo", "--json", "--backend", backend, "udp", "port", PORT)
        flood(1500)
        _, told = process.communicate(timeout=30)
        assert process.returncode == 4
        assert "the spool cannot be written: No space left on device" in told
        assert "framescope recover" in told
        (orphan,) = spool.orphans(spools)
        source = open_source(spool.files(orphan.folder))
        snapshot = analyze(source)
        source.close()
        assert 100 < snapshot.traffic.packets < 1500
        assert not snapshot.problems
    finally:
        subprocess.run(["umount", str(spools)], check=True)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_interface_that_goes_ends_the_capture(backend: str, space: str) -> None:
    needs(backend)
    process = begin("-i", "fs0", "--json", "--backend", backend, before=("ip", "netns", "exec", space))
    subprocess.run(["ip", "-n", space, "link", "del", "fs0"], check=True)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 4, told
    assert told.strip().splitlines()[-1] != "", told


@pytest.mark.parametrize("backend", BACKENDS)
def test_any_is_all_of_them(backend: str, space: str) -> None:
    needs(backend)
    process = begin(
        "-i", "any", "--json", "--backend", backend, "--for", "6s", "icmp", before=("ip", "netns", "exec", space)
    )
    ping = "import socket,time\ns=socket.socket(2,3,1)\nfor _ in range(3): s.sendto(b'\\x08\\0\\xf7\\xff\\0\\0\\0\\0',('127.0.0.1',0)); time.sleep(.1)"
    subprocess.run(["ip", "netns", "exec", space, sys.executable, "-c", ping], check=True)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "6 packets" in told
