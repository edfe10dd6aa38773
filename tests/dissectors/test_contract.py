"""The contract of `dissectors.contract` for what the other tests of a dissector do not ask: purity, directions apart,
gaps, bounds."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dissectors
from dissectors.contract import Reason
from dissectors.http.dialogue import HELD, SAMPLE, Dialogue
from dissectors.notes import Note
from dissectors.websocket.frame_walk import Directions, Events, FrameRows, NoteRows, Parked, walk
from dissectors.websocket.scanner import FrameScanner
from tests.dissectors.http.test_dialogue import TALKS, play
from tests.wire.frames import BINARY, CLOSE, PING, TEXT, frame

SOURCES = sorted(Path(str(dissectors.__file__)).parent.rglob("*.py"))
PURE = frozenset(
    ("__future__", "ast", "base64", "binascii", "bisect", "collections", "dataclasses", "difflib", "dissectors", "enum",
     "hashlib", "ipaddress", "numpy", "re", "threading", "typing", "zlib")
)  # fmt: skip
"""What dissectors may import: nothing here reads a clock, a file or the environment."""
MORE = {"inflating": {"ctypes"}}
"""It calls the functions of zlib that Python's `zlib` stands on."""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_it_uses_no_clock_file_environment_or_global(path: Path) -> None:
    pure = PURE | MORE.get(path.stem, set())
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            assert {name.name.partition(".")[0] for name in node.names} <= pure
        elif isinstance(node, ast.ImportFrom):
            assert str(node.module).partition(".")[0] in pure
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "exec", "eval", "input", "print", "hash", "id")
        assert not isinstance(node, ast.Global)


COLUMNS = ("first", "second", "key", "header_length", "length", "missing", "offset")
OCTETS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=20),
        st.builds(frame, st.sampled_from([TEXT, BINARY, PING, CLOSE]), st.binary(max_size=140), st.booleans(),
                  st.just(0), st.sampled_from([None, b"mask"])),
    ),
    max_size=5,
).map(b"".join)  # fmt: skip


def walked(spans: list[tuple[int, int, bytes]], slots: int = 2) -> list[tuple[list[Any], list[Any], int]]:
    """Rows, notes and opaque octets of each slot. A span is slot, kind and octets: 0 is data, 1 a gap of so many."""
    directions, rows, events, notes = Directions(), FrameRows(), Events(), NoteRows()
    at = np.zeros(slots, np.int64)
    directions.extend(at, at == 0, at, at)
    for slot, kind, octets in spans:
        cells = [np.array([value]).data for value in (slot, at[slot], len(octets), 0, 0, 0, 0, 0)]
        walk(directions, rows, events, notes, Parked(), memoryview(octets if kind == 0 else b""), cells[0],
             np.array([kind], np.uint8).data, *cells[1:], 0)  # fmt: skip
        at[slot] += len(octets)
    found = []
    for slot in range(slots):
        mine, said = rows.column("slot") == slot, notes.column("slot") == slot
        cells = [rows.column(name)[mine].tolist() for name in COLUMNS]
        told = [notes.column(name)[said].tolist() for name in ("code", "offset", "length")]
        opaque = int(directions.column("opaque")[slot])
        found.append((list(zip(*cells, strict=True)), list(zip(*told, strict=True)), opaque))
    return found


@given(OCTETS, OCTETS, st.data())
def test_directions_are_kept_apart(first: bytes, second: bytes, data: st.DataObject) -> None:
    queues = []
    for slot, octets in enumerate((first, second)):
        cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=5)))
        queues.append([(slot, 0, octets[a:b]) for a, b in itertools.pairwise([0, *cuts, len(octets)])])
    order = data.draw(st.permutations([0] * len(queues[0]) + [1] * len(queues[1])))
    mixed = walked([queues[slot].pop(0) for slot in order])
    assert mixed == [walked([(0, 0, first)])[0], walked([(1, 0, second)])[1]]


@given(OCTETS, st.lists(st.tuples(st.integers(0, 600), st.integers(1, 300)), max_size=3))
def test_after_a_gap_every_octet_is_explained_once(octets: bytes, gaps: list[tuple[int, int]]) -> None:
    """By a frame, as opaque, or as the frame that was cut; and framing that is lost is said once."""
    scanner = FrameScanner(True)
    state = scanner.begin(0)
    notes, explained, at = [], 0, 0
    lost = sorted({place for start, length in gaps for place in range(start, start + length) if place < len(octets)})
    for missing, places in itertools.groupby(range(len(octets)), key=set(lost).__contains__):
        size = len(list(places))
        found = scanner.gap(size, at, state) if missing else scanner.scan(memoryview(octets[at : at + size]), at, state)
        explained += int((found.rows["header_length"] + found.rows["payload_length"].astype(np.int64)).sum())
        notes += found.notes
        at += size
    notes += scanner.close(state, Reason.CAPTURE).notes
    opaque = int(state.column("opaque")[0])
    cut = [note.length for note in notes if note.note is Note.FRAME_CUT]
    assert [note.note for note in notes].count(Note.FRAMING_LOST) == (opaque > 0)
    # a header that was being gathered when framing was lost is in none of them
    assert 0 <= len(octets) - (explained + opaque + sum(cut)) < (14 if opaque else 1)


def test_what_a_direction_holds_does_not_grow() -> None:
    scanner = FrameScanner(True)
    state = scanner.begin(0)
    room, size = state.column("at").nbytes, len(state.head)
    at = 0
    for _ in range(200):
        octets = frame(BINARY, bytes(5000), mask=b"mask") + b"\x81"
        scanner.scan(memoryview(octets[:-1]), at, state)
        at += len(octets) - 1
    assert (state.column("at").nbytes, len(state.head)) == (room, size)


@pytest.mark.parametrize("name", TALKS)
@given(st.data())
def test_a_dialogue_with_gaps_never_raises_and_explains_no_octet_twice(name: str, data: st.DataObject) -> None:
    dialogue, at = Dialogue(0), [0, 0]
    queues = []
    for side, octets in enumerate(TALKS[name][:2]):
        cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=4)))
        queues.append([(side, octets[a:b]) for a, b in itertools.pairwise([0, *cuts, len(octets)])])
    for mark, side in enumerate(data.draw(st.permutations([0] * len(queues[0]) + [1] * len(queues[1])))):
        _, octets = queues[side].pop(0)
        start, stop = at[side], at[side] + len(octets)
        if octets and data.draw(st.integers(0, 3)) == 0:
            dialogue.gap(side, start, len(octets), mark)
        elif stop >= dialogue.wanted[side]:
            skip = max(dialogue.wanted[side] - start, 0)
            dialogue.feed(side, start + skip, octets[skip:], mark)
        at[side] = stop
    dialogue.finish(99)
    for spans in zip(*(_spans(exchange) for exchange in dialogue.exchanges), strict=True):
        known = sorted(span for span in spans if span[0] >= 0)
        assert all(start <= stop for start, stop in known)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(known))


def _spans(exchange: Any) -> list[tuple[int, int]]:
    """Heads of request and response, as start and stop."""
    return [
        (exchange.request_offset, exchange.request_offset + exchange.request_head),
        (exchange.response_offset, exchange.response_offset + exchange.response_head),
    ]


def test_a_dialogue_holds_no_more_than_its_limits() -> None:
    """Of a side that waits, and of what a refusal says."""
    request = TALKS["refused upgrade"][0]
    dialogue = play([(0, request)], finish=False)
    for number in range(2 * HELD // 1000):
        dialogue.feed(0, len(request) + 1000 * number, bytes(1000), number)
    assert len(dialogue._held[0]) <= HELD + 1000
    head = b"HTTP/1.1 403 No\r\nContent-Length: 10000000\r\n\r\n"
    dialogue.feed(1, 0, head, 500)
    for number in range(2 * SAMPLE // 1000):
        dialogue.feed(1, len(head) + 1000 * number, bytes(1000), 501 + number)
    assert len(dialogue._asked[0].sample) == SAMPLE
