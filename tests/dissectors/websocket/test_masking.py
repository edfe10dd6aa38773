"""Unmasking and the UTF-8 verdict, compared with Python's own."""

from __future__ import annotations

import codecs
import itertools

from hypothesis import given
from hypothesis import strategies as st

from dissectors.websocket.masking import unmask, utf8
from tests.wire.frames import mask_octets

KEYS = st.binary(min_size=4, max_size=4)


@given(st.binary(max_size=200), KEYS, st.integers(0, 200), st.booleans())
def test_unmasking_may_be_cut_anywhere(octets: bytes, key: bytes, cut: int, tail: bool) -> None:
    masked = memoryview(mask_octets(octets, key))
    number = int.from_bytes(key, "big")
    cut = min(cut, len(octets))
    first = unmask(masked, 0, cut, number, 0, False)
    second = unmask(masked, cut, len(octets), number, cut, tail)
    assert first + second == octets + b"\0\0\xff\xff" * tail


def expected(octets: bytes) -> int:
    """1: valid, 0: cut inside a character, -1: invalid."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(octets)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return 0 if error.reason == "unexpected end of data" else -1
    return 1


@given(st.one_of(st.binary(max_size=40), st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass"))),
       KEYS, st.lists(st.integers(0, 40), max_size=4), st.binary(max_size=2))  # fmt: skip
def test_utf8_agrees_with_python(octets: bytes, key: bytes, cuts: list[int], end: bytes) -> None:
    octets += end
    masked = memoryview(mask_octets(octets, key))
    state = 0
    edges = [0, *sorted(min(cut, len(octets)) for cut in cuts), len(octets)]
    for start, stop in itertools.pairwise(edges):
        state = utf8(masked, start, stop, int.from_bytes(key, "big"), start, state)
    verdict = -1 if state < 0 else 0 if state else 1
    wanted = expected(octets)
    # Python calls a truncated character that could never become valid invalid a moment earlier or later than we do
    assert verdict == wanted or {verdict, wanted} == {0, -1}
    assert (verdict == 1) == (wanted == 1)


def test_the_limits_of_unicode() -> None:
    for text, valid in ((b"\xf4\x8f\xbf\xbf", 1), (b"\xf4\x90\x80\x80", -1), (b"\xed\x9f\xbf", 1), (b"\xed\xa0\x80", -1),
                        (b"\xc0\x80", -1), (b"\xe0\x80\x80", -1), (b"\xf0\x8f\xbf\xbf", -1), (b"\xef\xbf\xbf", 1)):  # fmt: skip
        state = utf8(memoryview(text), 0, len(text), 0, 0, 0)
        assert (state == 0) == (valid == 1)
