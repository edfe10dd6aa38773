"""Openings that are known at sight give the rows that reading them in full gives."""

from __future__ import annotations

import base64
from random import Random

import pytest

from dissectors.http.openings import Openings
from tests.outcome import everything
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
    monkeypatch.setattr(Openings, "read", lambda *_: None)
    expected = everything(octets)
    assert len(expected["tables"]["handshakes"]) > 60
    for chunk, found in seen.items():
        assert found == expected, chunk


def test_most_are_known_at_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[bool] = []
    read = Openings.read

    def watched(self: Openings, request: bytes, response: bytes) -> object:
        found = read(self, request, response)
        answers.append(found is not None)
        return found

    monkeypatch.setattr(Openings, "read", watched)
    everything(capture(0))
    assert answers.count(True) > 40
    assert answers.count(False) > 5


def test_a_key_or_accept_value_that_is_wrong_is_not_known() -> None:
    openings = Openings()
    good, other = key_of(1), key_of(2)
    assert openings.read(request(key=good), response(good)) is not None
    assert openings.read(request(key=other), response(other)) is not None
    assert openings.read(request(key=other), response(good)) is None
    bad = "!" * 24
    assert openings.read(request(key=bad), response(bad)) is None
    assert openings.read(request(key=good) + b"\x81\x80abcd", response(good)) is None
