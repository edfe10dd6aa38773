"""Capture files: every format against dpkt and scapy, damage, compression, several files as one."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import dpkt
import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from scapy.utils import RawPcapNgReader, RawPcapReader

from analyzer.capture.files import open_source
from analyzer.capture.pcapng import nanoseconds
from analyzer.errors import CaptureError
from dissectors.schemas import NO_TIME
from tests.wire.captures import (
    ENHANCED,
    OLD_PACKET,
    SIMPLE,
    block,
    interface,
    packet_block,
    pcap,
    pcapng,
    section,
    ticks,
)

START = 1_700_000_000_123_456_789
PACKETS = [(START + number * 1_000_003, bytes([number]) * (20 + 7 * number)) for number in range(12)]


def read(*paths: str, chunk: int = 4 << 20) -> tuple[list[tuple[int, bytes, int, int]], Any]:
    """Times, octets, wire lengths and link types; and the source."""
    source = open_source(list(paths))
    rows = []
    for records in source.chunks(chunk):
        for at, offset, captured, wire, time, link in zip(
            records.at.tolist(), records.offset.tolist(), records.captured.tolist(), records.wire.tolist(),
            records.time.tolist(), records.link.tolist(), strict=True,
        ):  # fmt: skip
            octets = bytes(records.octets[at : at + captured])
            assert source.read(offset, captured) == octets
            rows.append((time, octets, wire, link))
    source.close()
    return rows, source


@pytest.mark.parametrize("nanos", [True, False])
@pytest.mark.parametrize("big", [True, False])
@pytest.mark.parametrize("chunk", [64, 200, 4 << 20])
def test_pcap_agrees_with_dpkt_and_scapy(save: Callable[..., str], nanos: bool, big: bool, chunk: int) -> None:
    octets = pcap(PACKETS, nanos=nanos, big=big, snaplen=70)
    rows, source = read(save(octets), chunk=chunk)
    unit = 1 if nanos else 1000
    assert [(time, data) for time, data, _, _ in rows] == [(time // unit * unit, data[:70]) for time, data in PACKETS]
    assert [data for _, data, _, _ in rows] == [data for _, data in dpkt.pcap.Reader(io.BytesIO(octets))]
    theirs = [(data, meta.wirelen) for data, meta in RawPcapReader(io.BytesIO(octets))]
    assert [(data, wire) for _, data, wire, _ in rows] == theirs
    assert source.problems == []


@pytest.mark.parametrize("kind", [ENHANCED, OLD_PACKET, SIMPLE])
@pytest.mark.parametrize("big", [True, False])
@pytest.mark.parametrize(("resolution", "offset"), [(9, 0), (None, 0), (6, 1000), (0x80 | 20, 0), (12, 0), (3, -5)])
def test_pcapng_agrees_with_itself_and_scapy(
    save: Callable[..., str], kind: int, big: bool, resolution: int | None, offset: int
) -> None:
    packets = [(time % 10**15 + 10**13, data) for time, data in PACKETS]
    octets = pcapng(packets, big=big, resolution=resolution, offset=offset, kind=kind)
    for chunk in (100, 4 << 20):
        rows, source = read(save(octets), chunk=chunk)
        assert [data for _, data, _, _ in rows] == [data for _, data in packets]
        assert source.problems == []
        if kind == SIMPLE:
            assert {time for time, *_ in rows} == {NO_TIME}
            continue
        step = (
            10**9 // 2**20 + 1
            if resolution == 0x80 | 20
            else 10 ** max(9 - (6 if resolution is None else resolution), 0)
        )
        for (time, *_), (expected, _) in zip(rows, packets, strict=True):
            assert 0 <= expected - time < step
    if kind == ENHANCED:
        assert [data for data, _ in RawPcapNgReader(io.BytesIO(octets))] == [data for _, data in packets]


@given(st.integers(0, 2**64 - 1), st.integers(0, 255))
def test_ticks_never_overflow_into_an_exception(count: int, resolution: int) -> None:
    found = int(nanoseconds(np.array([count], np.uint64), resolution, 0)[0])
    exponent = resolution & 127
    exact = count * 10**9 // (2**exponent if resolution & 128 else 10**exponent)
    if exact < 2**63 and (not resolution & 128 or exponent <= 34):
        assert found == exact


def test_sections_interfaces_comments_and_drops(save: Callable[..., str]) -> None:
    statistics = block(5, (0).to_bytes(4, "little") + bytes(8) + b"\x05\0\x08\0" + (7).to_bytes(8, "little") + bytes(4))
    first = section(comment="a day at the office") + interface(1) + interface(113, resolution=6)
    first += packet_block(b"one" * 5, ticks(START), 0, comment="look here") + packet_block(b"two", ticks(START, 6), 1)
    second = section(big=True) + interface(101, big=True) + packet_block(b"three", ticks(START), 0, big=True)
    rows, source = read(save(first + statistics + block(0x0BAD, b"unknown") + second))
    assert [(data, link) for _, data, _, link in rows] == [(b"one" * 5, 1), (b"two", 113), (b"three", 101)]
    assert [(comment.packet, comment.text) for comment in source.comments] == [
        (-1, "a day at the office"),
        (0, "look here"),
    ]
    assert source.dropped == 7


def test_a_packet_of_an_unknown_interface_is_kept(save: Callable[..., str]) -> None:
    rows, _ = read(save(section() + interface() + packet_block(b"x", 1, number=9)))
    assert rows == [(NO_TIME, b"x", 1, -1)]


@pytest.mark.parametrize("octets", [pcap(PACKETS[:3]), pcapng(PACKETS[:3], comment="c")], ids=["pcap", "pcapng"])
def test_cut_anywhere_the_whole_records_are_read(save: Callable[..., str], octets: bytes) -> None:
    whole, _ = read(save(octets))
    seen = set()
    for stop in range(24, len(octets)):
        try:
            rows, source = read(save(octets[:stop], "cut"))
        except CaptureError:
            assert stop < 28
            continue
        assert rows == whole[: len(rows)]
        seen.add(len(rows))
        assert len(source.problems) <= 1
    assert seen >= {0, 1, 2}
    assert read(save(octets[:-1]))[1].problems


def test_rubbish_behind_records_is_told(save: Callable[..., str]) -> None:
    rows, source = read(save(pcap(PACKETS) + b"\xff" * 100))
    assert len(rows) == len(PACKETS)
    assert "impossible length" in source.problems[0]


@given(st.binary(max_size=300), st.sampled_from([pcap([])[:24], pcapng([])]))
def test_random_octets_never_raise(tail: bytes, head: bytes) -> None:
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile() as file:
        file.write(head + tail)
        file.flush()
        read(file.name)


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_compressed_files_are_told_by_content(save: Callable[..., str], compress: Callable[[bytes], bytes]) -> None:
    octets = pcap(PACKETS)
    assert read(save(compress(octets), "x.txt"))[0] == read(save(octets))[0]
    halves = compress(octets[:300]) + compress(octets[300:])
    assert read(save(halves))[0] == read(save(octets))[0]


def test_a_truncated_gzip_gives_what_it_holds(save: Callable[..., str]) -> None:
    packets = [(START + n, bytes(np.random.default_rng(n).bytes(500))) for n in range(200)]
    rows, source = read(save(gzip.compress(pcap(packets))[:60_000]))
    assert 50 < len(rows) < 200
    assert any("expanded" in problem for problem in source.problems)


BAD = {
    "": "is empty", "\x1f\x8bxx": "cannot be expanded", '{"log": {}}': "HAR", "hello there": "text",
    "\x7fELF....": "a program",
}  # fmt: skip


@pytest.mark.parametrize("content", BAD)
def test_what_is_no_capture_is_refused_in_one_line(save: Callable[..., str], content: str) -> None:
    with pytest.raises(CaptureError) as caught:
        open_source([save(content.encode("latin-1"))])
    assert BAD[content] in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path, what in ((tmp_path / "none", "does not exist"), (tmp_path, "is a folder")):
        with pytest.raises(CaptureError, match=what):
            open_source([path])


def test_files_are_ordered_and_merged_by_time(save: Callable[..., str]) -> None:
    thirds = [save(pcap(PACKETS[:5])), save(pcap(PACKETS[5:9])), save(pcap(PACKETS[9:]))]
    expected = [time for time, _ in PACKETS]
    for order in permutations(thirds):
        assert [time for time, *_ in read(*order)[0]] == expected
    mixed = [save(pcap(PACKETS[::2])), save(pcapng(PACKETS[1::2]))]
    for chunk in (64, 150, 4 << 20):
        assert [time for time, *_ in read(*mixed, chunk=chunk)[0]] == expected
        assert [time for time, *_ in read(*mixed[::-1], chunk=chunk)[0]] == expected


@given(st.lists(st.lists(st.integers(0, 50), max_size=12), min_size=2, max_size=4), st.integers(40, 400))
def test_merging_does_not_depend_on_chunks(times: list[list[int]], chunk: int) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        paths = []
        for number, stamps in enumerate(times):
            packets = [(stamp, bytes([number, index])) for index, stamp in enumerate(stamps)]
            path = Path(folder) / f"{number}.pcap"
            path.write_bytes(pcap(packets))
            paths.append(str(path))
        whole, _ = read(*paths)
        assert read(*paths, chunk=chunk)[0] == whole
        assert sorted(data for _, data, *_ in whole) == sorted(
            bytes([number, index]) for number, stamps in enumerate(times) for index in range(len(stamps))
        )
