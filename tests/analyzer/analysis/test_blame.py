"""A damaged capture of correct traffic blames nobody: no violation of a MUST is told that the whole capture does not show."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissectors.notes import OF_NEITHER, Note, Severity
from tests.outcome import snapshot_of
from tests.wire.captures import pcap
from tests.wire.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Deflater, close_payload, frame
from tests.wire.talks import Segment, Talk, duplicate, resegment, shuffle_within

DEFLATE = (("Sec-WebSocket-Extensions", "permessage-deflate"),)


def correct(random: Random, count: int = 50) -> Talk:
    """A conversation without fault: every Ping is answered, soon or after other frames, and a Close that one side or
    both begin ends it."""
    talk = Talk(step=random.choice((1_000_000, 20_000_000))).open()
    talk = talk.upgrade(DEFLATE, DEFLATE) if (compressed := random.random() < 0.4) else talk.upgrade()
    deflaters = {"C": Deflater(), "S": Deflater()}
    owed: dict[str, list[bytes]] = {"C": [], "S": []}

    def masked(side: str) -> bytes | None:
        return random.randbytes(4) if side == "C" else None

    def pay(side: str) -> None:
        for payload in owed[side]:
            talk.frame(side, PONG, payload)
        owed[side].clear()

    for number in range(count):
        side = random.choice("CS")
        other = "S" if side == "C" else "C"
        if random.random() < 0.6:
            pay(side)
        kind = random.randrange(7)
        words = f"{number} " + "and so on " * random.randrange(8)
        if kind < 2:
            payload = random.choice((b"", b"%d" % number))
            talk.frame(side, PING, payload)
            owed[other].append(payload)
        elif kind == 2:
            talk.send(side, frame(TEXT, words, fin=False, mask=masked(side)))
            pay(side)
            talk.send(side, frame(CONTINUATION, "end", mask=masked(side)))
        elif kind == 3:
            talk.frame(side, BINARY, random.randbytes(random.choice((5, 130, 1500, 4000))))
        elif kind == 4 and compressed:
            talk.frame(side, TEXT, deflaters[side].piece(words.encode()), rsv=4)
        elif kind == 5:
            talk.ack(side)
        else:
            talk.frame(side, TEXT, words)
    for side in random.choice(("CS", "SC")):
        pay(side)
        talk.frame(side, CLOSE, close_payload(1000, "bye"))
    if random.random() < 0.7:
        return talk.fin("S").ack("C").fin("C").ack("S")
    return talk.rst(random.choice("CS"))


def blamed(octets: bytes) -> set[tuple[str, int, int]]:
    """Violations of a MUST by one of the sides: what, and where."""
    snapshot = snapshot_of(octets)
    found = {
        (Note(row["code"]).name, row["direction"], row["offset"])
        for row in snapshot["notes"]
        if row["severity"] == Severity.MUST and row["code"] not in OF_NEITHER
    }
    snapshot.source.close()
    return found


def dropped(rate: float, first: int = 5) -> Callable[[list[Segment], Random], list[Segment]]:
    """Packets of any kind lost at random, from the `first` on."""
    return lambda segments, random: [
        segment for at, segment in enumerate(segments) if at < first or random.random() >= rate
    ]


def disordered(segments: list[Segment], random: Random) -> list[Segment]:
    """Captured out of order, some of it twice or cut at other places."""
    tail = segments[3:]
    if random.random() < 0.5:
        tail = duplicate(resegment(tail, random), random)
    return [*segments[:3], *shuffle_within(tail, random, random.choice((2, 6)))]


def ended(segments: list[Segment], random: Random) -> list[Segment]:
    """A capture that stops early."""
    return segments[: random.randrange(5, len(segments))]


DAMAGES: dict[str, tuple[Callable[[list[Segment], Random], list[Segment]], ...]] = {
    "drop 1 %": (dropped(0.01),),
    "drop 5 %": (dropped(0.05),),
    "drop 5 %, the opening too": (dropped(0.05, 0),),
    "drop 20 %": (dropped(0.2),),
    "reorder": (disordered,),
    "reorder and drop": (disordered, dropped(0.05)),
    "end": (ended,),
    "end and drop": (ended, dropped(0.03)),
    "end, reorder and drop": (ended, disordered, dropped(0.03)),
    "one direction": (lambda segments, _: [s for at, s in enumerate(segments) if at < 5 or s.side],),
}


def damaged(talk: Talk, damage: str, random: Random) -> bytes:
    """The capture of a conversation, damaged."""
    segments = talk.segments
    for step in DAMAGES[damage]:
        segments = step(segments, random)
    return pcap(talk.packets(segments))


@pytest.mark.parametrize("damage", DAMAGES)
@given(seed=st.integers(0, 2**32))
def test_damage_is_blamed_on_nobody(damage: str, seed: int) -> None:
    random = Random(seed)
    talk = correct(random)
    assert blamed(pcap(talk.packets())) == set()
    assert blamed(damaged(talk, damage, random)) == set()
