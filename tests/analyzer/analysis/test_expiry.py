"""What a ring drops leaves the tables; numbers, counts, states and verdicts stay."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analyzer.analysis.contents import EXPIRED, Contents
from analyzer.analysis.pipeline import Analysis, analyze
from analyzer.capture.files import open_source
from analyzer.capture.growing import GrowingCapture
from analyzer.limits import Limits
from analyzer.live.blocks import statistics
from tests.wire.captures import interface, packet_block, section
from tests.wire.frames import CLOSE, TEXT, Deflater
from tests.wire.talks import Talk

COUNT = 600
THINNED = ("packets", "spans", "frames", "messages")
EQUAL = ("connections", "closes", "handshakes", "exchanges", "channels", "streams", "endings")
HELD_OCTETS = 250
"""Of tables, for each packet that a ring holds: its row, those of its spans and frames, and what is not joined yet."""


def conversation() -> Talk:
    talk = Talk().open().upgrade()
    for number in range(COUNT):
        talk.frame("C" if number % 2 else "S", TEXT, f"message {number}".encode())
    return talk.frame("C", CLOSE, b"\x03\xe8").frame("S", CLOSE, b"\x03\xe8").fin("C").fin("S")


@pytest.fixture
def ring(tmp_path: Path) -> Callable[[Talk, int], tuple[Analysis, list[str]]]:
    """Feeds a conversation in files of 50 packets, of which only `held` are kept."""

    def run(talk: Talk, held: int) -> tuple[Analysis, list[str]]:
        paths: list[str] = []
        capture = GrowingCapture("ring", lambda: paths[-held:])
        analysis = Analysis(capture, Limits())
        packets = [packet_block(octets, time // 1000) for time, octets in talk.packets()]
        for start in range(0, len(packets), 50):
            path = tmp_path / f"{start:05}.pcapng"
            path.write_bytes(section() + interface() + b"".join(packets[start : start + 50]))
            paths.append(str(path))
            while (records := capture.take(1000)) is not None:
                analysis.feed(records)
            capture.expire()
            analysis.expire()
        capture.finish()
        return analysis, paths

    return run


def test_rows_leave_and_nothing_else_changes(ring) -> None:  # type: ignore[no-untyped-def]
    analysis, paths = ring(conversation(), 4)
    snapshot = analysis.finish()
    whole = analyze(open_source(paths))
    for name in THINNED:
        assert len(snapshot[name]) == len(whole[name])
        assert len(snapshot[name].rows()) < len(whole[name].rows()) / 2, name
        rows = snapshot[name].rows()
        for column in snapshot[name].schema.by_name:
            assert np.array_equal(snapshot[name][column], whole[name].take(column, rows)), (name, column)
    for name in EQUAL:
        for column in snapshot[name].schema.by_name:
            assert np.array_equal(snapshot[name][column], whole[name][column]), (name, column)
    assert int(snapshot["connections"]["client_messages"][0]) == COUNT // 2


def test_a_message_that_left_reads_as_expired(ring) -> None:  # type: ignore[no-untyped-def]
    analysis, paths = ring(conversation(), 4)
    early = analysis.snapshot()
    assert Contents(early).message_payload(int(early["messages"].rows()[-3])).octets.startswith(b"message")
    whole = analyze(open_source(paths))
    # a view may still hold an older snapshot, whose rows are all there
    stale = Contents(type(early)(whole.tables, whole.strings, whole.addresses, early.source, whole.traffic, False))
    assert stale.message_payload(0).why == EXPIRED
    assert not stale.message_payload(0).octets


def test_small_blocks_are_joined_and_snapshots_stay(ring) -> None:  # type: ignore[no-untyped-def]
    analysis, _ = ring(conversation(), 1000)
    assert len(analysis.tables["frames"].blocks) < 300
    before = analysis.tables["frames"].freeze()
    offsets = before["offset"].copy()
    analysis.tables["frames"].join(len(before.blocks), 1 << 20)
    assert len(analysis.tables["frames"].blocks) == 1
    assert np.array_equal(before["offset"], offsets)
    assert np.array_equal(analysis.tables["frames"]["offset"], offsets)


DEFLATE = (("Sec-WebSocket-Extensions", "permessage-deflate"),)


def test_compressed_messages_are_read_although_what_they_refer_to_left(ring) -> None:  # type: ignore[no-untyped-def]
    talk = Talk().open().upgrade(DEFLATE, DEFLATE)
    deflater = Deflater()
    for number in range(COUNT):
        talk.frame("S", TEXT, deflater.piece(b"the same words again and again, number %d" % number), rsv=4)
    analysis, _ = ring(talk, 4)
    snapshot = analysis.snapshot()
    contents = Contents(snapshot)
    rows = snapshot["messages"].rows()
    told = {row: contents.message_payload(row) for row in rows.tolist()}
    readable = [row for row, payload in told.items() if payload.whole]
    assert all(told[row].octets.endswith(b"number %d" % row) for row in readable)
    assert all(payload.why == EXPIRED for row, payload in told.items() if row not in readable)
    # a window is kept whenever files leave: only what precedes the first one that is left cannot be read
    assert len(readable) > len(rows) // 2
    later = Contents(snapshot)
    later.go_on(contents)
    assert later.message_payload(int(rows[-1])).octets == told[int(rows[-1])].octets


def octets(analysis: Analysis) -> int:
    """What all tables hold."""
    blocks = [block for table in analysis.tables.values() for block in table.blocks]
    columns = sum(column.nbytes for block in blocks for column in block.columns.values())
    return columns + sum(block.numbers.nbytes for block in blocks if block.numbers is not None)


class Turning:
    """A ring of `held` files of 200 packets, fed with as much as is asked for."""

    def __init__(self, folder: Path, held: int) -> None:
        self.folder, self.held = folder, held
        self.paths: list[str] = []
        self.capture = GrowingCapture("ring", lambda: self.paths)
        self.analysis = Analysis(self.capture, Limits())

    def feed(self, packets: list[tuple[int, bytes]]) -> None:
        for start in range(0, len(packets), 200):
            path = self.folder / f"{self.capture.size:012}.pcapng"
            blocks = (packet_block(octets, time // 1000) for time, octets in packets[start : start + 200])
            path.write_bytes(section() + interface() + b"".join(blocks))
            self.paths.append(str(path))
            while (records := self.capture.take(1 << 16)) is not None:
                self.analysis.feed(records)
            for left in self.paths[: -self.held]:
                os.unlink(left)
            del self.paths[: -self.held]
            self.capture.expire()
            self.analysis.expire()


def test_tables_of_a_long_capture_hold_what_the_ring_does(tmp_path: Path) -> None:
    turning, talk, sizes = Turning(tmp_path, 4), Talk().open().upgrade(), []
    for turn in range(8):
        begun = len(talk.segments) if turn else 0
        for number in range(1500):
            talk.frame("C" if number % 2 else "S", TEXT, b"message")
        turning.feed(talk.packets(talk.segments[begun:]))
        sizes.append(octets(turning.analysis))
    assert len(turning.analysis.tables["frames"]) == 8 * 1500
    assert max(sizes) < HELD_OCTETS * 4 * 200, sizes
    assert len(turning.capture.parts()) == 4
    assert len(turning.capture._parts) <= 4 + 1


def test_exchanges_and_closes_of_a_long_connection_leave(tmp_path: Path) -> None:
    turning = Turning(tmp_path, 2)
    polls, talk = Talk(("10.0.0.3", 40003)).open(), Talk().open().upgrade()
    for _ in range(400):
        polls.send("C", b"GET /poll HTTP/1.1\r\nHost: h\r\n\r\n")
        polls.send("S", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        talk.frame("C", CLOSE, b"\x03\xe8")
    turning.feed(polls.packets() + talk.packets())
    snapshot = turning.analysis.snapshot()
    assert len(snapshot["exchanges"]) == 401
    assert len(snapshot["exchanges"].rows()) == 1, "the handshake's"
    assert snapshot["exchanges"].row(int(snapshot["handshakes"]["exchange"][0]))["status"] == 101
    assert int(snapshot["closes"]["close_code"][0]) == 1000
    assert len(snapshot["messages"].rows()) <= 400


def test_what_files_that_left_told_of_drops_is_summed_up(tmp_path: Path) -> None:
    paths: list[str] = []
    capture = GrowingCapture("ring", lambda: paths[-2:])
    for number in range(20):
        path = tmp_path / f"{number:02}.pcapng"
        path.write_bytes(section() + interface() + packet_block(bytes(60), number) + statistics(0, 10, 3))
        paths.append(str(path))
        while capture.take(1 << 16) is not None:
            pass
        capture.expire()
    assert capture.dropped == 60
    assert sum(told.received or 0 for told in capture.statistics) == 200
    assert len(capture.statistics) <= 4
    assert len(capture.losses) <= 3


def test_a_file_that_leaves_while_it_is_read_is_closed_behind_its_reader(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{number}.pcapng") for number in range(2)]
    for path in paths:
        Path(path).write_bytes(section() + interface() + packet_block(b"octets", 0))
    listed = list(paths)
    capture = GrowingCapture("ring", lambda: listed)
    while capture.take(1 << 16) is not None:
        pass
    reading = capture._parts[0].supply
    assert reading is not None
    del listed[0]
    capture.expire()
    assert capture.read(0, 4) == b""
    assert reading.read(0, 4) == section()[:4], "another thread is still at it"
    descriptor = reading.descriptor
    del reading
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_windows_are_of_their_own_direction(tmp_path: Path) -> None:
    """A Close that is kept for ever keeps no window of another direction, and a quiet direction keeps its last one."""
    turning, deflaters = Turning(tmp_path, 2), [Deflater(), Deflater()]
    talks = [Talk(("10.0.0.1", 40001 + number)).open().upgrade(DEFLATE, DEFLATE) for number in range(2)]
    closed = Talk(("10.0.0.1", 40003)).open().upgrade().frame("C", CLOSE, b"\x03\xe8")
    turning.feed(closed.packets())
    told: list[tuple[int, int]] = []

    def say(number: int, count: int) -> None:
        begun = len(talks[number].segments) if any(slot == number for slot, _ in told) else 0
        for _ in range(count):
            octets = deflaters[number].piece(b"of %d: the same words, number %d" % (number, len(told)))
            talks[number].frame("S", TEXT, octets, rsv=4)
            told.append((number, len(told)))
        turning.feed(talks[number].packets(talks[number].segments[begun:]))

    say(0, 50)
    say(1, 1500)
    say(0, 50)
    snapshot = turning.analysis.snapshot()
    contents, rows = Contents(snapshot), snapshot["messages"].rows()
    compressed = rows[snapshot["messages"]["compressed"] > 0]
    assert 100 < len(compressed) < 700
    for row in compressed.tolist():
        payload = contents.message_payload(row)
        number, place = told[row - 1]
        assert payload.why or payload.octets == b"of %d: the same words, number %d" % (number, place), row
        assert payload.whole or number, "the one that was quiet is read from its window"
