"""Frames as tshark sees them, on the samples that it reads right. Skips where tshark is not installed."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

import analyzer
from analyzer.bundled import folder, names

pytestmark = pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
FIELDS = ("tcp.stream", "websocket.opcode", "websocket.fin", "websocket.payload_length")

MISSED = {"ipv6-early": (0, 1, 1, 24), "tunnels": (0, 1, 1, 5)}
"""Samples with frames that tshark 4 does not show, and one of them: sent before the 101, or inside a CONNECT tunnel."""


def theirs(path: Path) -> Counter[tuple[int, ...]]:
    """(stream, opcode, fin, length) of every frame. tshark gives one line a packet, values joined by commas."""
    command = ["tshark", "-r", str(path), "-o", "tcp.reassemble_out_of_order:TRUE", "-Y", "websocket", "-T", "fields"]
    for field in (*FIELDS, "websocket.payload_length_ext_16", "websocket.payload_length_ext_64"):
        command += ["-e", field]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found: Counter[tuple[int, ...]] = Counter()
    for line in lines:
        stream, opcodes, fins, lengths, ext16, ext64 = (cell.split(",") for cell in line.split("\t"))
        longer = iter([*filter(None, ext16), *filter(None, ext64)])
        for opcode, fin, brief in zip(opcodes, fins, lengths, strict=True):
            length = int(next(longer)) if int(brief) in (126, 127) else int(brief)
            found[int(stream[0]), int(opcode), int(fin in ("1", "True")), length] += 1
    return found


def ours(path: Path) -> Counter[tuple[int, ...]]:
    """The same from framescope."""
    with analyzer.open(path) as capture:
        view = capture.view("frames")
        columns = [view.column(name).tolist() for name in ("stream", "opcode", "fin", "payload_length")]
        return Counter(zip(*columns, strict=True))


@pytest.mark.parametrize("name", [name for name in names() if name not in MISSED])
def test_frames_agree(name: str) -> None:
    path = folder() / f"{name}.pcapng"
    assert ours(path) == theirs(path)


@pytest.mark.parametrize("name", MISSED)
def test_what_tshark_misses_is_there(name: str) -> None:
    path = folder() / f"{name}.pcapng"
    assert not theirs(path) - ours(path)
    assert MISSED[name] in ours(path) - theirs(path)


def test_packets_and_streams_have_wiresharks_numbers() -> None:
    path = folder() / "policy.pcapng"
    command = [
        "tshark",
        "-r",
        str(path),
        "-Y",
        "websocket.opcode == 8",
        "-T",
        "fields",
        "-e",
        "frame.number",
        "-e",
        "tcp.stream",
    ]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    with analyzer.open(path) as capture:
        closes = capture.frames.where("opcode == close")
        assert [f"{frame.packet}\t{frame.stream}" for frame in closes] == out.split("\n")[:-1]
