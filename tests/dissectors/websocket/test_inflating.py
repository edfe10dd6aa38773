"""The two ways to inflate, by zlib's own functions and by Python's zlib, tell the same of every stream."""

from __future__ import annotations

import zlib
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from dissectors.websocket.deflate import PIECE, TAIL, WINDOW
from dissectors.websocket.inflating import Inflating
from dissectors.websocket.outcomes import FAILED, FINAL_BLOCK, INFLATED, NO_TEXT, OVER_LIMIT
from tests.dissectors.websocket.test_deflate import STYLES, WORDS, Sender

LIMIT = 1 << 30


def told(inflating: Inflating, octets: bytes, tail: bool = True, text: int = NO_TEXT,
         room: int = LIMIT) -> tuple[int, int, int, bytes]:  # fmt: skip
    """What a piece, masked, makes of an inflater."""
    key = bytes([1, 2, 3, 4])
    masked = bytes(octet ^ key[at & 3] for at, octet in enumerate(octets))
    outcome = inflating.feed(memoryview(b"??" + masked + b"?"), 2, 2 + len(octets), 0x01020304, 0, tail, text, room)
    return outcome, inflating.produced, inflating.text, inflating.window()


@given(
    st.lists(st.tuples(WORDS, st.sampled_from(STYLES), st.integers(0, 40), st.booleans()), max_size=8),
    st.binary(max_size=8),
)
def test_both_tell_the_same(messages: list[tuple[bytes, str, int, bool]], rubbish: bytes) -> None:
    sender = Sender()
    ways = Inflating(), Inflating(native=False)
    sent = b""
    for words, style, cut, text in messages:
        octets = sender.message(words, style)
        if not octets:  # the walk does not feed an empty message
            continue
        for piece, tail in ((octets[:cut], False), (octets[cut:], True)):
            found = [told(way, piece, tail, 0 if text else NO_TEXT) for way in ways]
            assert found[0] == found[1]
            assert found[0][0] in (INFLATED, FINAL_BLOCK)
        sent += words
        assert found[0][3] == sent[-WINDOW:]
    found = [told(way, rubbish) for way in ways]
    assert found[0][0] == found[1][0]
    assert found[0][0] == FAILED or found[0][:3] == found[1][:3]


def test_a_limit_ends_it_and_rubbish_fails() -> None:
    bomb = zlib.compress(bytes(4 * PIECE), wbits=-15).removesuffix(TAIL)
    for way in (Inflating(), Inflating(native=False)):
        outcome, produced, _, _ = told(way, bomb, room=PIECE)
        assert outcome == OVER_LIMIT
        assert PIECE < produced <= 3 * PIECE
    for way in (Inflating(), Inflating(native=False)):
        assert told(way, b"\xff\xff\xff")[0] == FAILED


def test_text_is_judged_across_pieces_of_output() -> None:
    text = ("ä€𝄞" * 40_000).encode()
    octets = zlib.compressobj(wbits=-15)
    whole = (octets.compress(text) + octets.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)
    for way in (Inflating(), Inflating(native=False)):
        assert told(way, whole, text=0)[:3] == (INFLATED, len(text), 0)
    broken = zlib.compressobj(wbits=-15)
    whole = (broken.compress(text[:-1]) + broken.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)
    first, second = (told(way, whole, text=0)[2] for way in (Inflating(), Inflating(native=False)))
    assert first == second > 0, "a character is due"


def test_a_window_that_wraps_is_the_last_that_came_out() -> None:
    random = Random(1)
    deflater = zlib.compressobj(wbits=-15)
    ways = Inflating(), Inflating(native=False)
    sent = b""
    for _ in range(40):
        piece = random.randbytes(random.randrange(9000))
        sent += piece
        octets = (deflater.compress(piece) + deflater.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)
        for way in ways:
            assert told(way, octets)[3] == sent[-WINDOW:]
