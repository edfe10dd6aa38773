"""Ranges that another copy is delivered for, against octet by octet."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from analyzer.streams.corrections import Range, apart

RANGES = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12)), max_size=20)


@given(RANGES)
def test_of_several_the_one_named_last_counts(given_ranges: list[tuple[int, int]]) -> None:
    named: list[Range] = [
        (start, start + length, packet, 1000 * packet, packet)
        for packet, (start, length) in enumerate(given_ranges)
    ]  # fmt: skip
    expected = {
        octet: (packet, at + octet - start) for start, stop, packet, at, _ in named for octet in range(start, stop)
    }
    found = apart(named)
    told = {octet: (packet, at + octet - start) for start, stop, packet, at, _ in found for octet in range(start, stop)}
    assert told == expected
    assert all(one[1] <= other[0] for one, other in pairwise(found))


def test_many_ranges_of_one_place_take_no_square() -> None:
    named: list[Range] = [(0, 100_000 - step, step, 0, 0) for step in range(50_000)]
    assert len(apart(named)) == 50_000
