"""The frame walk: RFC vectors whole, octet by octet and with a tail; the contract of stream dissectors."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameDecoder

from dissectors.contract import Observation, Reason
from dissectors.notes import Note
from dissectors.websocket.scanner import FrameScanner
from tests.wire.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

KEY = bytes.fromhex("37fa213d")
VECTORS: dict[str, tuple[bytes, list[tuple[Any, ...]]]] = {
    "unmasked text": (bytes.fromhex("810548656c6c6f"), [(1, 1, 0, 0, 0, 2, 5, 0)]),
    "masked text": (bytes.fromhex("818537fa213d7f9f4d5158"), [(1, 1, 0, 1, 0x37FA213D, 6, 5, 0)]),
    "fragmented text": (bytes.fromhex("010348656c80026c6f"), [(1, 0, 0, 0, 0, 2, 3, 0), (0, 1, 0, 0, 0, 2, 2, 5)]),
    "ping": (bytes.fromhex("890548656c6c6f"), [(9, 1, 0, 0, 0, 2, 5, 0)]),
    "masked pong": (bytes.fromhex("8a8537fa213d7f9f4d5158"), [(10, 1, 0, 1, 0x37FA213D, 6, 5, 0)]),
    "256 octets": (bytes.fromhex("827e0100") + bytes(256), [(2, 1, 0, 0, 0, 4, 256, 0)]),
    "64 KiB": (bytes.fromhex("827f0000000000010000") + bytes(65536), [(2, 1, 0, 0, 0, 10, 65536, 0)]),
}
"""RFC 6455 §5.7. opcode, fin, rsv, masked, key, header, length, offset."""
COLUMNS = ("opcode", "fin", "rsv", "masked", "mask_key", "header_length", "payload_length", "offset")


def scan(octets: bytes, cuts: list[int], scanner: FrameScanner) -> tuple[list[tuple[int, ...]], list[Observation]]:
    """Rows and notes of octets given in pieces."""
    state = scanner.begin(0)
    rows: list[tuple[int, ...]] = []
    notes: list[Observation] = []
    edges = [0, *sorted(cuts), len(octets)]
    for start, stop in itertools.pairwise(edges):
        found = scanner.scan(memoryview(octets[start:stop]), start, state)
        rows += zip(*(found.rows[name].tolist() for name in COLUMNS), strict=True)
        notes += found.notes
        assert found.consumed == stop - start
        assert found.need > 0
    notes += scanner.close(state, Reason.END).notes
    return rows, notes


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_three_ways(name: str) -> None:
    octets, expected = VECTORS[name]
    scanner = FrameScanner(client=bool(octets[1] & 0x80))
    assert scan(octets, [], scanner) == (expected, [])
    # of the longest ones the first octets one by one: those of the payload are all alike
    assert scan(octets, list(range(1, min(len(octets), 1000))), scanner) == (expected, [])
    for stop in range(1, min(len(octets), 300)):
        rows, notes = scan(octets[:stop], [], scanner)
        assert len(rows) < len(expected)
        assert [note.note for note in notes] in ([Note.FRAME_CUT], [])
    rows, notes = scan(octets + b"\x01", [], scanner)
    assert rows == expected
    assert [note.note for note in notes] == [Note.FRAME_CUT]


FRAMES = st.builds(
    frame,
    st.sampled_from([CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG, 3, 11]),
    st.binary(max_size=300),
    st.booleans(),
    st.integers(0, 7),
    st.sampled_from([None, KEY, bytes(4)]),
    st.sampled_from([None, 64]),
)


@given(st.lists(FRAMES, max_size=8), st.data())
def test_any_cutting_gives_the_same(frames: list[bytes], data: st.DataObject) -> None:
    octets = b"".join(frames)
    cuts = data.draw(st.lists(st.integers(0, len(octets)), max_size=12))
    for scanner in (FrameScanner(True, True), FrameScanner(False)):
        whole = scan(octets, [], scanner)
        assert scan(octets, cuts, scanner) == whole
        assert len(whole[0]) == len(frames)
        offset = 0
        for row, octets_of in zip(whole[0], frames, strict=True):
            assert row[7] == offset
            assert row[5] + row[6] == len(octets_of)
            offset += len(octets_of)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_random_octets_never_raise_and_are_explained_once(octets: bytes, cuts: list[int]) -> None:
    cuts = [cut for cut in cuts if cut <= len(octets)]
    rows, notes = scan(octets, cuts, FrameScanner(True))
    assert (rows, notes) == scan(octets, [], FrameScanner(True))
    explained = sum(row[5] + row[6] for row in rows)
    cut = [note.length for note in notes if note.note is Note.FRAME_CUT]
    assert explained + sum(cut) == len(octets)


@given(st.lists(st.tuples(st.sampled_from([TEXT, BINARY, PING]), st.binary(max_size=120)), max_size=6))
def test_wsproto_sees_the_same(frames: list[tuple[int, bytes]]) -> None:
    octets = b"".join(frame(opcode, payload) for opcode, payload in frames)
    decoder = FrameDecoder(client=True)
    decoder.receive_bytes(octets)
    other = []
    while (decoded := decoder.process_buffer()) is not None:
        other.append((int(decoded.opcode), bytes(decoded.payload)))
    rows, _ = scan(octets, [], FrameScanner(False))
    mine = [(row[0], octets[row[7] + row[5] : row[7] + row[5] + row[6]]) for row in rows]
    assert mine == [(opcode, payload) for opcode, payload in other]


VIOLATIONS: dict[str, tuple[bytes, bool, Note]] = {
    "client not masked": (frame(TEXT, b"x"), True, Note.CLIENT_UNMASKED),
    "server masked": (frame(TEXT, b"x", mask=KEY), False, Note.SERVER_MASKED),
    "rsv2": (frame(TEXT, b"x", rsv=2), False, Note.RSV_NOT_NEGOTIATED),
    "rsv1 without deflate": (frame(TEXT, b"x", rsv=4), False, Note.RSV_NOT_NEGOTIATED),
    "reserved data opcode": (frame(5, b"x"), False, Note.OPCODE_RESERVED),
    "reserved control opcode": (frame(13, b"x"), False, Note.OPCODE_RESERVED),
    "long ping": (frame(PING, bytes(126)), False, Note.CONTROL_TOO_LONG),
    "fragmented ping": (frame(PING, b"", fin=False), False, Note.CONTROL_FRAGMENTED),
    "16 bits for 5": (frame(TEXT, b"hello", length_form=16), False, Note.LENGTH_NOT_MINIMAL),
    "64 bits for 300": (frame(TEXT, bytes(300), length_form=64), False, Note.LENGTH_NOT_MINIMAL),
    "top bit": (frame(TEXT, b"x", length_form=64, length=2**63 + 1), False, Note.LENGTH_TOP_BIT),
    "zero key": (frame(TEXT, b"x", mask=bytes(4)), True, Note.MASK_KEY_ZERO),
    "after close": (frame(CLOSE) + frame(TEXT, b"x"), False, Note.AFTER_CLOSE),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_are_noted(name: str) -> None:
    octets, client, note = VIOLATIONS[name]
    _, notes = scan(octets, [], FrameScanner(client))
    assert [found.note for found in notes if found.note is not Note.FRAME_CUT] == [note]


def test_rsv1_where_deflate_was_agreed() -> None:
    scanner = FrameScanner(False, deflate=True)
    assert scan(frame(TEXT, b"x", rsv=4), [], scanner)[1] == []
    assert scan(frame(PING, b"x", rsv=4), [], scanner)[1][0].note is Note.RSV1_ON_CONTROL
    octets = frame(TEXT, b"x", fin=False, rsv=4) + frame(CONTINUATION, b"x", rsv=4)
    assert scan(octets, [], scanner)[1][0].note is Note.RSV1_ON_CONTINUATION


def test_a_gap_inside_a_payload_keeps_the_framing() -> None:
    scanner = FrameScanner(False)
    state = scanner.begin(0)
    octets = frame(BINARY, bytes(1000)) + frame(TEXT, b"after")
    assert not len(scanner.scan(memoryview(octets[:100]), 0, state).rows["offset"])
    scanner.gap(500, 100, state)
    found = scanner.scan(memoryview(octets[600:]), 600, state)
    assert found.rows["missing"].tolist() == [500, 0]
    assert found.rows["payload_length"].tolist() == [1000, 5]


def test_a_gap_over_a_header_is_the_end_of_framing() -> None:
    scanner = FrameScanner(False)
    state = scanner.begin(0)
    scanner.scan(memoryview(b"\x81"), 0, state)
    assert [note.note for note in scanner.gap(10, 1, state).notes] == [Note.FRAMING_LOST]
    assert not len(scanner.scan(memoryview(frame(TEXT, b"x")), 11, state).rows["offset"])
