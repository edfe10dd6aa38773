"""The TCP walks: compiled and plain give the same; sequence numbers wrap; holes are given up by rule."""

from __future__ import annotations

import sys
from importlib import import_module
from random import Random
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.streams import rules
from analyzer.streams.sequence import distance, distances
from dissectors.schemas import NO_TIME
from tests.conftest import PlainWalks, module_is_plain

DATA, GAP, OVERLAP, LATE, END, RESET = 0, 1, 2, 3, 4, 5
SYN, ACK, FIN, RST, PSH = 2, 16, 1, 4, 8


class Walks(NamedTuple):
    """The modules that a test drives, compiled or plain."""

    flow: ModuleType
    segment: ModuleType
    segments: ModuleType
    spans: ModuleType


NAMES = tuple(f"analyzer.streams.{name}" for name in ("flow_walk", "segment_walk", "segments", "spans"))


def plain() -> Walks:
    """The walks as their sources stand, which call each other's sources."""
    imported = {name: sys.modules.pop(name, None) for name in PlainWalks.NAMES}
    sys.meta_path.insert(0, PlainWalks)  # type: ignore[arg-type]
    try:
        return Walks(*map(import_module, NAMES))
    finally:
        sys.meta_path.remove(PlainWalks)  # type: ignore[arg-type]
        for name, module in imported.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module
                package, _, last = name.rpartition(".")
                setattr(sys.modules[package], last, module)


IMPORTED = Walks(*map(import_module, NAMES))
PLAIN = plain()


def test_the_plain_walks_are_plain_throughout() -> None:
    assert all(module_is_plain(module) for module in PLAIN)
    assert all(isinstance(function, FunctionType) for function in (PLAIN.segment.deliver, PLAIN.segment.distance))
    assert PLAIN.segments.Segments is PLAIN.segment.Segments
    assert import_module("analyzer.streams.segments") is IMPORTED.segments


def flows(module: ModuleType, packets: list[tuple[int, int, int, int]], first: int = 2049) -> list[tuple[int, int]]:
    """Stream and direction of packets (source, destination, seq, flags), fed in two chunks."""
    state = module.Flows(first, 3001)
    out: list[tuple[int, int]] = []
    for part in (packets[: len(packets) // 2], packets[len(packets) // 2 :]):
        source, destination = (np.array([p[i] for p in part], np.int64) for i in (0, 1))
        seq = np.array([p[2] for p in part], np.uint32)
        flags = np.array([p[3] for p in part], np.uint8)
        stream, direction = np.zeros(len(part), np.int32), np.zeros(len(part), np.uint8)
        state.reserve(len(part))
        opened = np.zeros(len(part), np.int64)
        module.walk(
            state, source.data, destination.data, seq.data, flags.data, stream.data, direction.data, opened.data
        )
        out += zip(stream.tolist(), direction.tolist(), strict=True)
    return out


PACKETS = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.integers(1, 4),
        st.integers(0, 2**32 - 1),
        st.sampled_from([SYN, SYN | ACK, ACK, FIN | ACK, RST]),
    ),
    max_size=40,
)


@given(PACKETS, st.integers(0, 1000))
def test_flows_agree_and_do_not_depend_on_the_hash(packets: list[tuple[int, int, int, int]], odd: int) -> None:
    assert flows(IMPORTED.flow, packets) == flows(PLAIN.flow, packets) == flows(IMPORTED.flow, packets, 2 * odd + 1)


def test_many_flows_stay_apart() -> None:
    packets = [(number, 10**6, 1, SYN) for number in range(5000)] * 2
    found = flows(IMPORTED.flow, packets)
    assert [stream for stream, _ in found] == [*range(5000)] * 2


def test_port_reuse_and_late_syns() -> None:
    open_, data = (1, 2, 100, SYN), (1, 2, 101, ACK)
    assert flows(IMPORTED.flow, [open_, data, open_, (1, 2, 900, SYN), (2, 1, 5, SYN | ACK)]) == [
        (0, 0),
        (0, 0),
        (0, 0),
        (1, 0),
        (1, 1),
    ]
    assert flows(IMPORTED.flow, [data, open_, data]) == [(0, 0)] * 3


@given(st.lists(st.integers(-(2**33), 2**33)))
def test_sequence_arithmetic_is_the_same_for_one_and_for_many(numbers: list[int]) -> None:
    expected = [distance(number) for number in numbers]
    assert distances(np.array(numbers, np.int64)).tolist() == expected
    assert all(-(2**31) <= number < 2**31 for number in expected)


class Feed:
    """One stream's segments, walked one call each."""

    def __init__(self, walks: Walks) -> None:
        self.walks = walks
        self.state: Any = walks.segments.Segments()
        self.state.reserve(1)
        self.count = 0

    def __call__(
        self,
        side: int,
        seq: int,
        length: int,
        flags: int = ACK,
        ack: int = 0,
        time: int = 0,
        captured: int | None = None,
        window: int = 1000,
        identification: int = 0,
    ) -> list[tuple[int, ...]]:
        spans = self.walks.spans.Spans()
        one = lambda value, dtype: np.array([value], dtype).data  # noqa: E731
        self.walks.segment.walk(
            self.state, spans, one(0, "i4"), one(side, "u1"), one(seq & 0xFFFFFFFF, "u4"), one(ack & 0xFFFFFFFF, "u4"),
            one(flags, "u1"), one(window, "u2"), one(identification, "u2"), one(length if captured is None else captured, "u4"), one(length, "u4"),
            one(1000 * self.count, "i8"), one(0, "i8"), one(time or self.count, "i8"), one(self.count, "i8"),
        )  # fmt: skip
        self.count += 1
        return self.rows(spans)

    def finish(self) -> list[tuple[int, ...]]:
        spans = self.walks.spans.Spans()
        self.walks.segment.finish(self.state, spans, self.count)
        return self.rows(spans)

    def rows(self, spans: Any) -> list[tuple[int, ...]]:
        return list(zip(*(spans.column(name).tolist() for name in ("slot", "kind", "offset", "length")), strict=True))


@pytest.fixture(params=["imported", "plain"])
def feed(request: pytest.FixtureRequest) -> Feed:
    return Feed(IMPORTED if request.param == "imported" else PLAIN)


@pytest.mark.parametrize("isn", [0, 1, 1000, 2**31 - 5, 2**32 - 1, 2**32 - 11])
def test_order_repetition_and_wrap(feed: Feed, isn: int) -> None:
    feed(0, isn, 0, SYN)
    base = isn + 1
    assert feed(0, base, 10) == [(0, DATA, 0, 10)]
    assert feed(0, base + 20, 10) == []
    assert feed(0, base + 30, 5) == []
    assert feed(0, base, 10) == [(0, OVERLAP, 0, 10)]
    assert feed(0, base + 5, 15) == [(0, OVERLAP, 5, 5), (0, DATA, 10, 10), (0, DATA, 20, 10), (0, DATA, 30, 5)]
    assert feed(0, base + 25, 20) == [(0, OVERLAP, 25, 10), (0, DATA, 35, 10)]
    assert feed(0, base + 45, 0, FIN | ACK) == [(0, END, 45, 0)]


def test_cut_segments_are_gaps_of_known_size(feed: Feed) -> None:
    feed(0, 0, 0, SYN)
    assert feed(0, 1, 100, captured=40) == [(0, DATA, 0, 40), (0, GAP, 40, 60)]
    assert feed(0, 101, 5) == [(0, DATA, 100, 5)]


def test_a_fin_waits_for_what_is_before_it(feed: Feed) -> None:
    feed(0, 0, 0, SYN)
    assert feed(0, 11, 0, FIN | ACK) == []
    assert feed(0, 1, 10) == [(0, DATA, 0, 10), (0, END, 10, 0)]


def test_a_reset_is_told_at_once(feed: Feed) -> None:
    feed(0, 0, 0, SYN)
    assert feed(1, 0, 0, RST) == [(1, RESET, 0, 0)]


def test_a_middle_start_waits_for_a_syn_and_then_takes_the_lowest(feed: Feed) -> None:
    assert feed(0, 110, 10) == []
    assert feed(0, 99, 0, SYN) == []
    assert feed(0, 100, 10) == [(0, DATA, 0, 10), (0, DATA, 10, 10)]
    other = Feed(feed.walks)
    rows: list[tuple[int, ...]] = []
    for number in range(20):
        rows += other(0, 500 + 10 * (number ^ 1), 10)
    assert rows[0] == (0, DATA, 0, 10)
    assert sum(row[3] for row in rows) == 200


def test_an_acknowledged_hole_is_given_up_and_what_comes_later_is_late(feed: Feed) -> None:
    feed(0, 0, 0, SYN)
    feed(0, 1, 10)
    feed(0, 21, 10)
    rows = []
    for _ in range(70):
        rows += feed(1, 500, 0, ACK, ack=31)
    assert rows == [(0, GAP, 10, 10), (0, DATA, 20, 10)]
    assert feed(0, 11, 10) == [(0, LATE, 10, 10)]


def test_an_unacknowledged_hole_waits_for_the_end(feed: Feed) -> None:
    feed(0, 0, 0, SYN)
    feed(0, 11, 10)
    for number in range(100):
        assert feed(1, 500 + number, 0, ACK, ack=1) == []
    assert feed.finish() == [(0, GAP, 0, 10), (0, DATA, 10, 10)]


def opened(feed: Feed) -> Feed:
    """Behind the three-way handshake; octets of side 0 start at 1, those of side 1 at 501."""
    feed(0, 0, 0, SYN)
    feed(1, 500, 0, SYN | ACK, ack=1)
    feed(0, 1, 0, ACK, ack=501)
    return feed


def test_an_answer_stands_behind_what_it_acknowledges(feed: Feed) -> None:
    opened(feed)
    assert feed(1, 501, 5, ack=11) == []  # captured before its question
    assert feed(1, 506, 5, ack=11) == []
    assert feed(0, 1, 10, ack=501) == [(0, DATA, 0, 10), (1, DATA, 0, 5), (1, DATA, 5, 5)]
    assert feed(0, 21, 10, ack=511) == []  # behind a hole
    assert feed(1, 511, 5, ack=31) == []
    assert feed(0, 31, 10, ack=516) == []
    assert feed(0, 11, 10, ack=511) == [
        (0, DATA, 10, 10), (0, DATA, 20, 10), (1, DATA, 10, 5), (0, DATA, 30, 10),
    ]  # fmt: skip
    assert not feed.state.withheld
    assert feed.state.holding_all == 0


def test_what_is_acknowledged_and_never_comes_is_not_waited_for(feed: Feed) -> None:
    opened(feed)
    assert feed(1, 501, 5, ack=11) == []
    rows = [row for _ in range(rules.LOST_PACKETS) for row in feed(1, 506, 0, ack=11)]
    assert rows == [(1, DATA, 0, 5)]
    assert feed(1, 506, 5, ack=21, time=100) == []
    assert feed(1, 511, 0, ack=21, time=100 + rules.LOST_TIME) == [(1, DATA, 5, 5)]
    assert feed(1, 511, 5, ack=1 + 2**30) == [(1, DATA, 10, 5)]  # no number that a window allows
    assert feed(1, 516, 5, ack=31) == []
    assert feed(1, 521, 0, FIN | ACK, ack=31) == []
    assert feed.finish() == [(1, DATA, 15, 5), (1, END, 20, 0)]


def test_an_acknowledged_fin_is_not_waited_for(feed: Feed) -> None:
    opened(feed)
    assert feed(0, 1, 0, FIN | ACK, ack=501) == [(0, END, 0, 0)]
    assert feed(1, 501, 5, ack=2) == [(1, DATA, 0, 5)]


def test_a_copy_that_joins_segments_is_cut_where_an_answer_stands_between(feed: Feed) -> None:
    opened(feed)
    assert feed(1, 501, 5, ack=11) == []
    assert feed(0, 1, 20, ack=506) == [(0, DATA, 0, 10), (1, DATA, 0, 5), (0, DATA, 10, 10)]


def test_a_reset_stands_behind_what_was_sent_before_it(feed: Feed) -> None:
    opened(feed)
    assert feed(0, 11, 10, ack=501) == []
    assert feed(0, 21, 0, RST) == []
    assert feed(0, 1, 10, ack=501) == [(0, DATA, 0, 10), (0, DATA, 10, 10), (0, RESET, 20, 0)]


def test_a_lost_syn_is_told_by_acknowledgments(feed: Feed) -> None:
    feed(1, 500, 0, SYN | ACK, ack=1)
    assert feed(0, 1, 10, ack=501) == [(0, DATA, 0, 10)]
    other = Feed(feed.walks)
    other(0, 0, 0, SYN)
    other(0, 1, 0, ack=501)
    assert other(1, 501, 5, ack=1) == [(1, DATA, 0, 5)]


def test_a_later_copy_of_what_was_cut_is_late(feed: Feed) -> None:
    opened(feed)
    feed(0, 1, 100, captured=40)
    assert feed(0, 31, 70) == [(0, LATE, 40, 60)]
    assert feed.state.gaps == {0: (40, 3, 1)}


def test_gaps_that_are_remembered_are_bounded(feed: Feed) -> None:
    opened(feed)
    for number in range(2000):
        feed(0, 1 + 10 * number, 10, captured=4)
    assert len(feed.state.lost[0]) <= rules.LOST_RANGES
    assert feed(0, 1 + 10 * 1999, 10) == [(0, LATE, 19994, 6)]
    assert feed.state.gaps[0][2] == 2000


UNTIMED = NO_TIME


@pytest.mark.parametrize(("held", "later"), [(5, UNTIMED), (UNTIMED, 2 * 10**9), (UNTIMED, UNTIMED)])
def test_a_missing_time_does_not_pass_for_a_long_one(feed: Feed, held: int, later: int) -> None:
    feed(0, 0, 0, SYN)
    feed(0, 11, 10, time=held)
    assert feed(1, 500, 0, ACK, ack=21, time=later) == []
    assert feed(1, 500, 0, ACK, ack=21, time=held) == []
    timed = Feed(feed.walks)
    timed(0, 0, 0, SYN)
    timed(0, 11, 10, time=5)
    assert timed(1, 500, 0, ACK, ack=21, time=2 * 10**9) == [(0, GAP, 0, 10), (0, DATA, 10, 10)]


def test_short_connections_without_a_start_hold_no_more_than_the_limit() -> None:
    limit = rules.HELD_TOTAL
    streams = 30_000
    state: Any = IMPORTED.segments.Segments()
    state.reserve(streams)
    stream = np.arange(streams, dtype=np.int32)
    zeros = {dtype: np.zeros(streams, dtype) for dtype in ("u1", "u2", "u4", "i8")}
    delivered = {}
    rounds = 12
    for turn in range(rounds):
        spans = IMPORTED.spans.Spans()
        # the second packet of each stands before the first
        seq = np.full(streams, 1000 + 10 * (turn ^ 1), np.uint32)
        number = np.arange(turn * streams, (turn + 1) * streams)
        IMPORTED.segment.walk(
            state, spans, stream.data, zeros["u1"].data, seq.data, zeros["u4"].data, (zeros["u1"] + ACK).data,
            zeros["u2"].data, zeros["u2"].data, (zeros["u4"] + 10).data, (zeros["u4"] + 10).data, zeros["i8"].data,
            zeros["i8"].data, zeros["i8"].data, number.data,
        )  # fmt: skip
        assert state.holding_all <= limit
        if spans.count:
            delivered[turn] = spans.column("slot")
    assert state.holding_all + sum(len(slots) for slots in delivered.values()) == rounds * streams > limit
    # those that have waited longest, in order, each with what it held; the ninth waits for the tenth
    assert delivered[8][:16].tolist() == [0] * 8 + [2] * 8
    assert (np.diff(delivered[8]) >= 0).all()


def test_far_ahead_costs_nothing(feed: Feed) -> None:
    feed(0, 0, 0, SYN)
    assert feed(0, 2**31 - 5, 10) == []
    assert feed.finish() == []
    assert feed.state.column("stray").tolist()[0] == 10


@given(st.integers(0, 2**32))
def test_compiled_and_plain_agree(seed: int) -> None:
    random = Random(seed)
    feeds = Feed(IMPORTED), Feed(PLAIN)
    for _ in range(60):
        length = random.randrange(30)
        step = (
            random.randrange(2),
            random.randrange(300),
            length,
            random.choice([ACK, ACK, ACK, SYN, FIN | ACK, RST]),
            random.randrange(400),
            random.randrange(10**10),
            random.choice([length, length // 2]),
        )
        assert feeds[0](*step) == feeds[1](*step)
    assert feeds[0].finish() == feeds[1].finish()
