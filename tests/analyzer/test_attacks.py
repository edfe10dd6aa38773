"""Captures that broke something once."""

from __future__ import annotations

import gc
import gzip
import io
import json
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

import analyzer
from analyzer.cli.main import main
from analyzer.errors import FilterError
from analyzer.escape import printable
from analyzer.limits import Limits
from dissectors.http.head import REMEMBERED, SHORT, FieldLines, read_head
from dissectors.schemas import NO_TIME
from tests.outcome import everything
from tests.wire.captures import interface, packet_block, pcap, section
from tests.wire.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Deflater, close_payload, frame
from tests.wire.handshakes import request, response
from tests.wire.packets import ethernet, udp_packet
from tests.wire.talks import KEY, Talk

DEFLATE = (("Sec-WebSocket-Extensions", "permessage-deflate"),)


def opened(tmp_path: Path, octets: bytes, limits: Limits | None = None) -> analyzer.Capture:
    path = tmp_path / "attack.pcap"
    path.write_bytes(octets)
    return analyzer.open(path, limits=limits)


@pytest.mark.parametrize("digits", ["9" * 23, "9" * 5000, "", "abc", "12"])
def test_a_response_that_nobody_asked_for_may_have_any_status(tmp_path: Path, digits: str) -> None:
    talk = Talk().open().send("S", f"HTTP/1.1 {digits} x\r\nA: b\r\n\r\n".encode()).fin("S").fin("C")
    with opened(tmp_path, pcap(talk.packets())) as capture:
        assert "http-malformed" in capture.notes.values("code")


def test_what_is_unfinished_at_the_end_belongs_to_its_own_packets() -> None:
    asking = Talk().open().send("C", b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    other = Talk(client=("10.0.0.9", 9)).open().send("C", b"SSH-2.0-x\r\n" * 40, mss=11)
    filler = udp_packet("10.1.0.1", 5000, "10.1.0.2", 5001, b"u" * 400)
    packets = [packet for _, packet in asking.packets()] + [packet for _, packet in other.packets()]
    packets += [ethernet(filler)] * 60
    octets = pcap([(1_700_000_000_000_000_000 + 1000 * number, packet) for number, packet in enumerate(packets)])
    whole = everything(octets)
    assert whole["tables"]["exchanges"][0]["last_packet"] == 3
    assert everything(octets, 300) == whole


@pytest.mark.parametrize("chunk", [4 << 20, 600, 150])
def test_early_frames_survive_an_earlier_exchange(tmp_path: Path, chunk: int) -> None:
    talk = Talk().open().send("C", b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n").send("C", request())
    talk.send("C", frame(TEXT, "early", True, 0, KEY)).send("C", frame(TEXT, "bird", True, 0, KEY))
    talk.send("S", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").send("S", response()).fin("S").fin("C")
    with opened(tmp_path, pcap(talk.packets()), Limits(chunk=chunk)) as capture:
        assert [message.text for message in capture.messages] == ["early", "bird"]
        assert capture.connections[0].close.code is None
        assert "unknown" not in capture.connections[0].close.verdict


@pytest.mark.parametrize("chunk", [4 << 20, 150])
def test_compressed_data_behind_a_reset_is_no_violation(tmp_path: Path, chunk: int) -> None:
    deflater = Deflater()
    talk = Talk().open().upgrade(DEFLATE, DEFLATE).frame("S", TEXT, deflater.piece(b"hello " * 6), rsv=4)
    talk.rst("S").frame("S", TEXT, deflater.piece(b"hello " * 6), rsv=4)
    with opened(tmp_path, pcap(talk.packets()), Limits(chunk=chunk)) as capture:
        assert "inflate-failed" not in capture.notes.values("code")


def test_a_close_that_the_capture_cut_is_not_called_empty(tmp_path: Path) -> None:
    talk = Talk().open().upgrade().frame("S", CLOSE, close_payload(1011, "x" * 100)).fin("S").fin("C")
    packets = talk.packets()
    cut = [(moment, packet[:56] if index == 5 else packet) for index, (moment, packet) in enumerate(packets)]
    path = tmp_path / "cut.pcap"
    path.write_bytes(_with_lengths(cut, packets))
    with analyzer.open(path) as capture:
        close = capture.connections[0].close
        assert "empty" not in close.verdict
        assert close.reported_by_client is None


def _with_lengths(cut: list[tuple[int, bytes]], whole: list[tuple[int, bytes]]) -> bytes:
    import struct

    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1)]
    for (moment, packet), (_, full) in zip(cut, whole, strict=True):
        out.append(struct.pack("<IIII", *divmod(moment, 1_000_000_000), len(packet), len(full)) + packet)
    return b"".join(out)


@pytest.mark.parametrize("payload", [b"\x03", close_payload(1005), close_payload(999), b"\x03\xe8\xff"])
def test_a_close_that_fails_its_receiver_is_reported_as_1006(tmp_path: Path, payload: bytes) -> None:
    talk = Talk().open().upgrade().frame("S", CLOSE, payload).fin("S").fin("C")
    with opened(tmp_path, pcap(talk.packets())) as capture:
        assert capture.connections[0].close.reported_by_client == 1006


def test_no_code_is_reported_where_there_was_no_websocket(tmp_path: Path) -> None:
    talk = Talk().open().send("C", request()).send("S", response(status=403)).fin("S").fin("C")
    with opened(tmp_path, pcap(talk.packets())) as capture:
        close = capture.connections[0].close
        assert (close.reported_by_client, close.reported_by_server) == (1006, None)


def test_pings_alike_are_answered_in_order(tmp_path: Path) -> None:
    talk = Talk(step=0).open().upgrade()
    for _ in range(3):
        talk.wait(1).frame("C", PING)
    for _ in range(3):
        talk.frame("S", PONG)
    with opened(tmp_path, pcap(talk.packets())) as capture:
        assert len(capture.notes) == 0
        trips = [trip for trip in capture.messages.values("round_trip") if trip is not None]
        assert trips == [2_000_000_000, 1_000_000_000, 0]


def test_pings_alike_that_nobody_answers_are_counted_each(tmp_path: Path) -> None:
    talk = Talk().open().upgrade()
    for _ in range(3):
        talk.frame("C", PING)
    with opened(tmp_path, pcap(talk.fin("C").fin("S").packets())) as capture:
        assert capture.connections[0].client_unanswered == 3


def test_more_pings_than_are_remembered_make_no_violations(tmp_path: Path) -> None:
    talk = Talk().open().upgrade()
    for number in range(1500):
        talk.frame("C", PING, str(number))
    for number in range(1500):
        talk.frame("S", PONG, str(number))
    with opened(tmp_path, pcap(talk.packets())) as capture:
        assert "pong-unasked" not in capture.notes.values("code")


def test_a_segment_of_empty_lines_costs_no_more_than_its_octets(tmp_path: Path) -> None:
    def took(octets: int) -> float:
        talk = Talk().open().send("C", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").send("C", b"\r\n" * octets, mss=1 << 15)
        raw = pcap(talk.packets())
        before = time.process_time()
        everything(raw)
        return time.process_time() - before

    took(1 << 12)
    assert took(1 << 18) < 5  # four million times slower when each octet was taken by itself


def test_a_pipe_whose_first_write_is_small_is_read(tmp_path: Path) -> None:
    octets = pcap(Talk().open().upgrade().frame("C", TEXT, "hello").packets())
    with subprocess.Popen(
        [sys.executable, "-m", "analyzer", "messages", "--json", "--payload", "text", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(octets[:10])
        process.stdin.flush()
        time.sleep(0.2)
        process.stdin.write(octets[10:])
        process.stdin.close()
        assert json.loads(process.stdout.read())["payload"] == "hello"


def test_what_stands_before_damage_in_gzip_is_shown(tmp_path: Path) -> None:
    octets = pcap(Talk().open().upgrade().frame("C", TEXT, "hello").packets())
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        file.write(octets)
    path = tmp_path / "crc.pcap.gz"
    path.write_bytes(packed.getvalue()[:-8] + b"\0" * 8)
    with analyzer.open(path) as capture:
        assert [message.text for message in capture.messages] == ["hello"]
        assert capture.problems
    assert main(["summary", str(path)]) == 4


NINES = "9" * 5000


@pytest.mark.parametrize(
    "text",
    [
        f"length > {NINES}", f"length > 1.{NINES}", f"time > {NINES}", f"time > 12:00:00.{NINES}", f"idle > {NINES}s",
        f"time > 2026-01-01T00:00:00.{NINES}x", "payload ~ /\\u00e9/", "payload ~ /(?u)a/", "payload ~ /\ud800/",
        "payload contains '\ud800'", "payload ~ /a{99999999999}/", "close_reason ~ /a{99999999999}/",
    ],
)  # fmt: skip
def test_a_filter_that_cannot_be_read_is_the_users_fault(text: str) -> None:
    with analyzer.open("sample:tour") as capture, pytest.raises(FilterError) as error:
        capture.messages.where(text)
    assert 0 <= error.value.at <= len(text)


def test_an_octet_of_the_command_line_that_is_no_text_is_looked_for_as_it_is(tmp_path: Path) -> None:
    talk = Talk().open().upgrade().send("S", frame(BINARY, b"a\xff")).send("S", frame(BINARY, "a\u00ff"))
    with opened(tmp_path, pcap(talk.packets())) as capture:
        for text in ("payload contains 'a\udcff'", "payload ~ /a\udcff$/", "payload == 'a\udcff'"):
            assert [message.payload for message in capture.messages.where(text)] == [b"a\xff"]


def test_an_output_whose_name_cannot_be_is_the_users_fault() -> None:
    assert main(["summary", "-o", "a\0b", "sample:tour"]) == 5


@pytest.mark.parametrize("cut", range(1, 7))
def test_a_final_block_may_be_cut_from_its_padding_anywhere(tmp_path: Path, cut: int) -> None:
    deflater = Deflater()
    whole = deflater.final(b"hello")
    talk = Talk().open().upgrade(DEFLATE, DEFLATE)
    talk.frame("S", TEXT, whole[:-1], fin=False, rsv=4).frame("S", CONTINUATION, whole[-1:], fin=False)
    talk.frame("S", CONTINUATION, b"").frame("S", TEXT, whole[:cut], fin=False, rsv=4)
    talk.frame("S", CONTINUATION, whole[cut:], fin=False).frame("S", CONTINUATION, b"")
    talk.frame("S", TEXT, deflater.piece(b"good"), rsv=4)
    with opened(tmp_path, pcap(talk.packets())) as capture:
        assert capture.messages.values("inflate") == ["inflated"] * 3
        assert [message.text for message in capture.messages] == ["hello", "hello", "good"]


@pytest.mark.parametrize(("ticks", "resolution", "offset"), [
    (2**64 - 1, 0, 0), (2**64 - 1, 9, 0), (2**40, 0, 0), (2**40, 128, 0), (2**63 - 1, 9, 1), (2**63, 9, 0),
])  # fmt: skip
def test_a_time_that_no_clock_shows_is_none(tmp_path: Path, ticks: int, resolution: int, offset: int) -> None:
    packets = Talk().open().upgrade().packets()
    blocks = [packet_block(packet, ticks) for _, packet in packets]
    octets = section() + interface(resolution=resolution, offset=offset) + b"".join(blocks)
    with opened(tmp_path, octets) as capture:
        assert set(capture.table("packets")["time"].tolist()) == {NO_TIME}


def _zstd(octets: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(write_checksum=True).compress(octets)


@pytest.mark.parametrize("end", ["short", "checksum", "garbage"])
def test_what_stands_before_damage_in_zstd_is_shown(tmp_path: Path, end: str) -> None:
    octets = pcap(Talk().open().upgrade().frame("C", TEXT, "hello").send("C", Random(1).randbytes(1 << 18)).packets())
    packed = _zstd(octets)
    damaged = {"short": packed[:-4], "checksum": packed[:-4] + b"\0\0\0\0", "garbage": packed + b"garbage"}[end]
    with opened(tmp_path, damaged) as capture:
        assert [message.text for message in capture.messages][:1] == ["hello"]
        assert any("expanded" in problem for problem in capture.problems)


def test_a_line_that_is_kept_is_short() -> None:
    lines = FieldLines()
    for number in range(20):
        head = f"GET / HTTP/1.1\r\nX-{number}: {'long ' * 2000}\r\nY-{number}: short\r\n\r\n"
        read_head(head.encode(), lines)
    assert len(lines) == 20
    assert max(map(len, lines)) <= SHORT


def test_lines_that_are_kept_are_few() -> None:
    lines = FieldLines()
    for number in range(REMEMBERED + 10):
        read_head(f"GET / HTTP/1.1\r\nX-{number}: y\r\n\r\n".encode(), lines)
    assert len(lines) == 10


def test_an_analysis_keeps_its_header_lines_to_itself(tmp_path: Path) -> None:
    secret = "Authorization: Bearer of-one-capture-alone"
    talk = Talk().open().send("C", f"GET / HTTP/1.1\r\nHost: a\r\n{secret}\r\n\r\n".encode())
    with opened(tmp_path, pcap(talk.packets())) as capture:
        assert len(capture.exchanges) == 1
        gc.collect()
        assert not [kept for kept in gc.get_objects() if isinstance(kept, dict) and secret in kept]


def test_letters_without_a_shape_are_shown() -> None:
    assert printable("a\u206a\u3164\u115f") == "a\\u{206a}\\u{3164}\\u{115f}"
