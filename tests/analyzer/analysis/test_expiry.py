"""What a ring drops leaves the tables; numbers, counts, states and verdicts stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analyzer.analysis.contents import EXPIRED, Contents
from analyzer.analysis.pipeline import Analysis, analyze
from analyzer.capture.files import open_source
from analyzer.capture.growing import GrowingCapture
from analyzer.limits import Limits
from tests.wire.captures import interface, packet_block, section
from tests.wire.frames import CLOSE, TEXT, Deflater
from tests.wire.talks import Talk

COUNT = 600
THINNED = ("packets", "spans", "frames", "messages")
EQUAL = ("connections", "closes", "handshakes", "exchanges", "channels", "streams", "endings")


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
