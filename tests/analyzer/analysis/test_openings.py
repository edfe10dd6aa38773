"""Openings that are known at sight give the rows that reading them in full gives."""

from __future__ import annotations

import base64
from random import Random

import numpy as np
import pytest

from dissectors.http.openings import Found, Openings, Places
from tests.outcome import everything, snapshot_of
from tests.wire.captures import pcap
from tests.wire.frames import CLOSE, TEXT, close_payload
from tests.wire.handshakes import request, response
from tests.wire.talks import Talk

DEFLATE = (("Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover"),)
SUBPROTOCOL = (("Sec-WebSocket-Protocol", "chat"),)


def key_of(number: int) -> str:
    """A key of 16 octets."""
    return base64.b64encode(number.to_bytes(16, "big")).decode()


def talk_of(number: int, random: Random) -> Talk:
    """A short connection; now and then one whose opening is unlike the others or wrong."""
    talk = Talk(client=(f"10.0.{number // 200}.9", 1000 + number)).open()
    key = key_of(number)
    style = random.randrange(12)
    offered, agreed = random.choice([((), ()), (DEFLATE, DEFLATE), (SUBPROTOCOL, SUBPROTOCOL), (DEFLATE, ())])
    if style == 0:
        return talk.send("C", request(key=key)).send("S", response(key, status=403)).fin("S")
    if style == 1:
        return talk.send("C", b"GET / HTTP/1.1\r\nHost: plain\r\n\r\n").send("S", b"HTTP/1.1 204 No\r\n\r\n").fin("C")
    if style == 2:
        talk.send("C", request(key=key, headers=offered)).send("S", response(key_of(number + 1), agreed))
    elif style == 3:
        talk.send("C", request(key="short", headers=offered)).send("S", response("short", agreed))
    elif style == 4:
        key = key[:-3] + "B=="  # not the canonical form
        talk.send("C", request(key=key, headers=offered)).send("S", response(key, agreed))
    elif style == 5:
        talk.send("C", request(key=key, headers=offered), mss=50).send("S", response(key, agreed), mss=60)
    else:
        talk.send("C", request(key=key, headers=offered)).send(
            "S", response(key, agreed) + b"\x81\x02hi" * (style == 6)
        )
    talk.frame("C", TEXT, f"text {number}").frame("S", CLOSE, close_payload(1000))
    return talk.fin("S")


def capture(seed: int) -> bytes:
    """80 connections, their packets interleaved."""
    random = Random(seed)
    queues = [talk_of(number, random).packets() for number in range(80)]
    packets: list[tuple[int, bytes]] = []
    active = [list(reversed(queue)) for queue in queues]
    while active:
        queue = random.choice(active[:6])
        packets.append((1_700_000_000_000_000_000 + 1000 * len(packets), queue.pop()[1]))
        if not queue:
            active.remove(queue)
    return pcap(packets)


@pytest.mark.parametrize("seed", range(4))
def test_rows_are_those_of_reading_in_full(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    octets = capture(seed)
    seen = {chunk: everything(octets, chunk) for chunk in (4 << 20, 20_000, 3_000)}
    monkeypatch.setattr(Openings, "read_all", lambda *_: None)
    expected = everything(octets)
    assert len(expected["tables"]["handshakes"]) > 60
    for chunk, found in seen.items():
        assert found == expected, chunk


def test_most_are_known_at_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, known = [], []
    read_all = Openings.read_all

    def watched(self: Openings, octets: memoryview, requests: Places, *rest: Places) -> Found | None:
        found = read_all(self, octets, requests, *rest)
        asked.append(len(requests))
        known.append(len(found.places) if found else 0)
        return found

    monkeypatch.setattr(Openings, "read_all", watched)
    everything(capture(0))
    assert sum(known) > 40
    assert sum(asked) - sum(known) > 5


def read_all(openings: Openings, *pairs: tuple[bytes, bytes]) -> list[tuple[int, int, str]]:
    """Pairs of heads, one behind the other in one buffer: of those that are known their place, the number of their
    opening, and the key."""
    octets, cells = b"", []
    for asked, answer in pairs:
        cells.append((len(octets), len(asked), len(octets) + len(asked), len(answer)))
        octets += asked + answer
    found = openings.read_all(memoryview(octets), *np.array(cells, np.int64).T)
    if found is None:
        return []
    numbers = [found.openings[kind].number for kind in found.kinds.tolist()]
    return list(zip(found.places.tolist(), numbers, found.keys, strict=True))


def test_a_key_or_accept_value_that_is_wrong_is_not_known() -> None:
    openings = Openings()
    good, other = key_of(1), key_of(2)
    bad = "!" * 24
    pairs = [
        (request(key=good), response(good)), (request(key=other), response(other)), (request(key=other), response(good)),
        (request(key=bad), response(bad)), (request(key=good) + b"\x81\x80abcd", response(good)),
        (request(key=other), response(other) + b"\x81\x02hi"),
    ]  # fmt: skip
    expected = [(0, 0, good), (1, 0, other), (5, 0, other)]
    assert read_all(openings, *pairs) == expected
    assert read_all(openings, *pairs) == expected, "what was learnt before"
    assert [found for pair in pairs for found in read_all(Openings(), pair)] == [
        (0, 0, good),
        (0, 0, other),
        (0, 0, other),
    ]


def test_many_kinds_among_each_other_keep_their_order() -> None:
    pairs = [
        (request(key=key_of(at), headers=(("Cookie", f"kind={at % 40}"),)), response(key_of(at))) for at in range(200)
    ]
    found = read_all(Openings(), *pairs)
    assert [(place, key) for place, _, key in found] == [(at, key_of(at)) for at in range(200)]
    assert [number for _, number, _ in found] == [found[at % 40][1] for at in range(200)]
    assert len({number for _, number, _ in found}) == 40


@pytest.mark.parametrize("value", ["", "x", "short", "[bold]\x1b[5mno"])
def test_an_accept_value_may_be_shorter_than_all_that_is_left(value: str) -> None:
    answer = f"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {value}\r\n\r\n"
    assert read_all(Openings(), (request(), answer.encode())) == []


def test_frames_start_behind_the_content_of_a_request() -> None:
    talks = [
        Talk(client=("10.0.0.9", 1000 + number)).open().send("C", request(key=key_of(number), body=b"abc"))
        .send("S", response(key_of(number))).frame("C", TEXT, "hi").fin("C").fin("S")
        for number in range(3)
    ]  # fmt: skip
    snapshot = snapshot_of(pcap(sorted(packet for talk in talks for packet in talk.packets())))
    assert snapshot["frames"]["payload_length"].tolist() == [2, 2, 2]
    assert not len(snapshot["notes"])
