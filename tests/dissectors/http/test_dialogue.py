"""HTTP dialogues: RFC vectors, any cutting and interleaving, damage."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissectors.http.dialogue import HELD, INFINITE, Dialogue
from dissectors.http.head import LIMIT, end_of
from dissectors.http.sniff import Claim, sniff
from dissectors.http.upgrade import REFUSABLE, accept_of
from dissectors.notes import Note
from tests.wire.handshakes import KEY, request, response

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nwiki\r\n5\r\npedia\r\n0\r\nTrailer: 1\r\n\r\n"
GET = request("/a", upgrade=False)
TALKS: dict[str, tuple[bytes, bytes, list[tuple[Any, ...]]]] = {
    "one": (GET, response(status=200, body=b"hello"), [("GET", "/a", 200, -1, 5, 0)]),
    "keep-alive and pipelining": (
        GET + request("/b", upgrade=False) + request("/c", upgrade=False, method="POST", body=b"12345"),
        response(status=200, body=b"x") + response(status=404) + response(status=204),
        [("GET", "/a", 200, 0, 1, 0), ("GET", "/b", 404, 0, 0, 0), ("POST", "/c", 204, 5, 0, 0)],
    ),
    "chunked": (GET + GET, CHUNKED + response(status=200), [("GET", "/a", 200, 0, 9, 0), ("GET", "/a", 200, 0, 0, 0)]),
    "HEAD": (
        request("/h", upgrade=False, method="HEAD") + GET,
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + response(status=200, body=b"x"),
        [("HEAD", "/h", 200, 0, 0, 0), ("GET", "/a", 200, 0, 1, 0)],
    ),
    "100 and 103 first": (
        request("/p", upgrade=False, method="POST", body=b"x"),
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + response(status=200),
        [("POST", "/p", 200, 1, 0, 2)],
    ),
    "304": (GET + GET, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n" + response(status=200),
            [("GET", "/a", 304, 0, 0, 0), ("GET", "/a", 200, 0, 0, 0)]),
    "until close": (GET, b"HTTP/1.0 200 OK\r\n\r\neverything until the end", [("GET", "/a", 200, 0, 24, 0)]),
    "bare line feeds": (b"GET /lf HTTP/1.1\nHost: x\n\n", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", [("GET", "/lf", 200, 0, 2, 0)]),
    "refused upgrade": (request("/no") + GET, response(status=403, body=b"no") + response(status=200),
                        [("GET", "/no", 403, 0, 2, 0), ("GET", "/a", 200, 0, 0, 0)]),
    "accepted": (GET + request("/ws") + b"\x81\x80....", response(status=200) + response() + b"\x81\x01x",
                 [("GET", "/a", 200, 0, 0, 0), ("GET", "/ws", 101, 0, -1, 0)]),
}  # fmt: skip


def play(pieces: list[tuple[int, bytes]], finish: bool = True) -> Dialogue:
    """Feed pieces as the analysis does: from `wanted` on, gone content left out."""
    dialogue = Dialogue(0)
    offsets = [0, 0]
    for mark, (side, octets) in enumerate(pieces):
        stop = offsets[side] + len(octets)
        start = max(offsets[side], dialogue.wanted[side])
        if stop >= dialogue.wanted[side]:
            dialogue.feed(side, start, octets[start - offsets[side] :], mark)
        offsets[side] = stop
    if finish:
        dialogue.close(1, offsets[1], len(pieces))
        dialogue.close(0, offsets[0], len(pieces))
        dialogue.finish(len(pieces))
    return dialogue


def found(dialogue: Dialogue) -> Any:
    """What a dialogue says, marks aside."""
    exchanges = [
        (e.method, e.target, e.status, max(e.request_body, 0), e.response_body, e.interim, e.complete, e.request_offset,
         e.response_offset, e.request_head, e.response_head, e.handshake)
        for e in dialogue.exchanges
    ]  # fmt: skip
    upgrade = dialogue.upgrade and (dialogue.upgrade.protocol, dialogue.upgrade.starts, dialogue.upgrade.handshake)
    early = Note.CLIENT_EARLY
    return exchanges, upgrade, [note[:4] for note in dialogue.notes if note.note is not early]


@pytest.mark.parametrize("name", TALKS)
def test_conversations(name: str) -> None:
    client, server, expected = TALKS[name]
    dialogue = play([(0, client), (1, server)])
    rows = [(e.method, e.target, e.status, e.request_body, e.response_body, e.interim) for e in dialogue.exchanges]
    assert [(*row[:3], max(row[3], 0), *row[4:]) for row in rows] == [
        (*row[:3], max(row[3], 0), *row[4:]) for row in expected
    ]
    assert all(e.complete for e in dialogue.exchanges)


@pytest.mark.parametrize("name", TALKS)
@given(seed=st.integers(0, 2**32))
def test_any_cutting_and_interleaving_gives_the_same(name: str, seed: int) -> None:
    client, server, _ = TALKS[name]
    random = Random(seed)
    whole = found(play([(0, client), (1, server)]))
    sides = []
    for octets in (client, server):
        cuts = sorted(random.randrange(len(octets) + 1) for _ in range(random.randrange(8)))
        sides.append([octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True)])
    pieces = []
    while any(sides):
        side = random.choice([side for side in (0, 1) if sides[side]])
        pieces.append((side, sides[side].pop(0)))
    assert found(play(pieces)) == whole


def test_octet_by_octet() -> None:
    for client, server, _ in TALKS.values():
        pieces = [(0, bytes([o])) for o in client] + [(1, bytes([o])) for o in server]
        assert found(play(pieces)) == found(play([(0, client), (1, server)]))


def test_content_is_passed_over() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    dialogue = play([(0, GET), (1, head + b"start")], finish=False)
    assert dialogue.wanted[1] == len(head) + 1_000_000
    dialogue.feed(1, dialogue.wanted[1], b"", 9)
    assert (dialogue.exchanges[0].response_body, dialogue.exchanges[0].last_mark) == (1_000_000, 9)


def test_a_gap_inside_content_damages_only_the_exchange() -> None:
    dialogue = play([(0, GET), (1, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")], finish=False)
    dialogue.gap(1, 41, 50, 5)
    dialogue.feed(1, dialogue.wanted[1], b"", 6)
    assert [(e.status, e.complete) for e in dialogue.exchanges] == [(200, False)]


def test_a_gap_in_a_head_loses_the_side() -> None:
    dialogue = play([(0, GET)], finish=False)
    dialogue.gap(1, 0, 10, 5)
    assert dialogue.wanted[1] == INFINITE


def test_unanswered_and_unasked_are_said() -> None:
    assert [note.note for note in play([(0, GET)]).notes] == [Note.HTTP_UNANSWERED]
    dialogue = play([(1, response(status=408))])
    assert [note.note for note in dialogue.notes] == [Note.HTTP_UNASKED]
    assert dialogue.exchanges[0].status == 408


def test_what_is_held_is_bounded() -> None:
    dialogue = Dialogue(0)
    for number in range(40):
        dialogue.feed(0, number * LIMIT // 8, b"GET /" + b"x" * (LIMIT // 8 - 5), number)
    assert dialogue.wanted[0] == INFINITE
    dialogue = Dialogue(0)
    for number in range(60):
        dialogue.feed(1, number * (HELD // 20), b"y" * (HELD // 20), number)
    assert dialogue.wanted[1] == INFINITE
    assert {note.note for note in dialogue.notes} == {Note.HTTP_LIMIT}


@pytest.mark.parametrize("name", sorted(TALKS))
def test_octets_that_come_one_by_one_are_searched_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []

    def watched(octets: bytes, searched: int = 0) -> int:
        looked.append(len(octets) - searched)
        return end_of(octets, searched)

    client, server, _ = TALKS[name]
    whole = found(play([(0, client), (1, server)]))
    monkeypatch.setattr("dissectors.http.dialogue.end_of", watched)
    pieces = [(side, bytes([octet])) for side, octets in enumerate((client, server)) for octet in octets]
    assert found(play(pieces)) == whole
    assert sum(looked) <= len(pieces)


@given(st.binary(max_size=12).map(lambda octets: bytes(b"\r\n\n\nx"[octet % 5] for octet in octets)), st.data())
def test_the_end_of_a_head_is_found_wherever_the_search_goes_on(octets: bytes, data: st.DataObject) -> None:
    searched = data.draw(st.integers(0, len(octets)))
    if end_of(octets[:searched]) < 0:
        assert end_of(octets, searched) == end_of(octets)


@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=60)), max_size=10), st.booleans())
def test_random_octets_never_raise(pieces: list[tuple[int, bytes]], started: bool) -> None:
    play([*([(0, GET)] if started else []), *pieces])


@given(
    st.sampled_from(sorted(TALKS)),
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 600), st.integers(0, 255)), max_size=8),
)
def test_mutated_conversations_never_raise(name: str, changes: list[tuple[int, int, int]]) -> None:
    sides = [bytearray(octets) for octets in TALKS[name][:2]]
    for side, at, value in changes:
        sides[side][at % len(sides[side])] = value
    play([(0, bytes(sides[0])), (1, bytes(sides[1]))])


@pytest.mark.parametrize(
    ("octets", "claim"),
    [
        (b"GET / HTTP/1.1\r\n", Claim.REQUEST), (b"G", Claim.UNDECIDED), (b"HTTP/1.1 200", Claim.RESPONSE),
        (b"HTT", Claim.UNDECIDED), (b"\x16\x03\x01", Claim.NO), (b"SSH-2.0-OpenSSH", Claim.NO),
        (b"PRI * HTTP/2.0\r\n", Claim.NO), (b"FROB /x HTTP/1.1\r\n", Claim.REQUEST), (b"HELO mail\r\n", Claim.NO),
        (b"\r\nGET / ", Claim.REQUEST), (b"\x81\x05hello", Claim.NO),
    ],
)  # fmt: skip
def test_sniffing(octets: bytes, claim: Claim) -> None:
    assert sniff(octets) is claim


def handshake(
    asked: dict[str, str | None], answered: dict[str, str | None], status: int = 101, body: bytes = b""
) -> Any:
    """The handshake that heads make, and the notes on it."""
    dialogue = play([(0, request(headers=asked)), (1, response(headers=answered, status=status, body=body))])
    return dialogue.exchanges[-1].handshake, [note.note for note in dialogue.notes]


def test_the_key_of_the_rfc() -> None:
    assert accept_of("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    shake, notes = handshake({}, {})
    assert (shake.result, shake.accept_verdict, shake.key, shake.version, notes) == (1, 1, KEY, 13, [])


OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
BAD_SHAKES: dict[str, tuple[dict[str, str | None], dict[str, str | None], Note]] = {
    "wrong accept": ({}, {"Sec-WebSocket-Accept": "AAAA"}, Note.ACCEPT_WRONG),
    "no accept": ({}, {"Sec-WebSocket-Accept": None}, Note.ACCEPT_MISSING),
    "short key": ({"Sec-WebSocket-Key": "AAAA"}, {"Sec-WebSocket-Accept": accept_of("AAAA")}, Note.KEY_BAD),
    "no key": ({"Sec-WebSocket-Key": None}, {}, Note.KEY_MISSING),
    "version 8": ({"Sec-WebSocket-Version": "8"}, {}, Note.VERSION_OTHER),
    "no version": ({"Sec-WebSocket-Version": None}, {}, Note.VERSION_MISSING),
    "no host": ({"Host": None}, {}, Note.HOST_MISSING),
    "another upgrade": ({"Upgrade": "h2c"}, {}, Note.UPGRADE_HEADER_BAD),
    "no connection": ({"Connection": None}, {}, Note.CONNECTION_HEADER_BAD),
    "subprotocol out of nowhere": ({}, {"Sec-WebSocket-Protocol": "mqtt"}, Note.SUBPROTOCOL_NOT_OFFERED),
    "two subprotocols": ({"Sec-WebSocket-Protocol": "a, b"}, {"Sec-WebSocket-Protocol": "a, b"}, Note.SUBPROTOCOL_SEVERAL),
    "extension out of nowhere": ({}, {"Sec-WebSocket-Extensions": "permessage-deflate"}, Note.EXTENSION_NOT_OFFERED),
    "extension of another make": ({"Sec-WebSocket-Extensions": "x-other"}, {"Sec-WebSocket-Extensions": "x-other"}, Note.EXTENSION_UNKNOWN),
    "window of 7": (OFFER, {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits=7"}, Note.EXTENSION_PARAMETER_BAD),
    "value where none is": (OFFER, {"Sec-WebSocket-Extensions": "permessage-deflate; server_no_context_takeover=1"}, Note.EXTENSION_PARAMETER_BAD),
}  # fmt: skip


def test_an_upgrade_is_asked_for_with_get() -> None:
    dialogue = play([(0, request(method="POST")), (1, response())])
    assert [note.note for note in dialogue.notes] == [Note.METHOD_NOT_GET, Note.REQUEST_WRONGLY_ACCEPTED]


@pytest.mark.parametrize("name", BAD_SHAKES)
def test_bad_handshakes_are_noted(name: str) -> None:
    asked, answered, note = BAD_SHAKES[name]
    # a server that answers a request with 101 which it must refuse is told of too
    accepted = [Note.REQUEST_WRONGLY_ACCEPTED] if note in REFUSABLE else []
    assert handshake(asked, answered)[1] == [note, *accepted]


def test_extensions_over_several_lines_and_quoted() -> None:
    asked = [("Sec-WebSocket-Extensions", "x-other"), ("Sec-WebSocket-Extensions", "permessage-deflate")]
    agreed = [
        ("Sec-WebSocket-Extensions", 'permessage-deflate; server_max_window_bits="10"; client_no_context_takeover')
    ]
    dialogue = play([(0, request(headers=asked)), (1, response(headers=agreed))])
    shake = dialogue.exchanges[0].handshake
    assert shake is not None
    assert shake.deflate == (True, False, True, 15, 10)
    assert dialogue.notes == []


def test_refusals_say_why() -> None:
    shake, _ = handshake(
        {}, {"WWW-Authenticate": "Bearer x", "Content-Type": "text/plain"}, 401, b"token expired\nmore"
    )
    assert (shake.result, shake.status) == (2, 401)
    assert shake.refusal == 'Unauthorized, asks for authentication (Bearer), "token expired"'
    assert "supports version 13" in handshake({}, {"Sec-WebSocket-Version": "13"}, 426)[0].refusal
    assert "redirects to /login" in handshake({}, {"Location": "/login"}, 302)[0].refusal


def test_another_protocol_is_named() -> None:
    asked = request("/", upgrade=False, headers={"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings"})
    dialogue = play([(0, asked), (1, response(headers={"Upgrade": "h2c", "Sec-WebSocket-Accept": None}))])
    assert dialogue.upgrade is not None
    assert (dialogue.upgrade.protocol, dialogue.upgrade.handshake) == ("h2c", None)
