"""WebSocket openings that differ from an earlier one in their key alone: what thousands of clients of one service send.

Theory of operation. Reading a request head and its 101 costs more than all the rest of a short connection. So a pair
of heads that made a faultless opening is remembered without its Sec-WebSocket-Key and Sec-WebSocket-Accept, and a pair
with the same octets otherwise needs those two looked at only. `read_all` takes the openings of a whole chunk: each of
the pairs seen last is laid over all of them at once, as columns of octets; what fits none is looked up alone, in a
dictionary, and may become such a pair. It changes no result: what is not remembered, or has a wrong key or accept
value, is read by a `Dialogue` like any other.
"""

from __future__ import annotations

from binascii import b2a_base64
from hashlib import sha1
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dissectors.http.dialogue import Dialogue, Exchange
from dissectors.http.head import FieldLines
from dissectors.http.upgrade import GUID, RIGHT, Handshake
from dissectors.schemas import ACCEPTED

KEY, ACCEPT = 24, 28
"""Octets of a key (16 in base64) and of an accept value (20 in base64); RFC 6455 §4.1, §4.2.2."""
KEY_FIELDS = (b"\nSec-WebSocket-Key: ", b"\nsec-websocket-key: ")
ACCEPT_FIELDS = (b"\nSec-WebSocket-Accept: ", b"\nsec-websocket-accept: ")
"""As browsers, servers and libraries write them; others are read in full."""
REMEMBERED, LONGEST = 1024, 8 << 10
"""Pairs, and the octets of one: 8 MiB at most."""
RECENT = 8
"""Pairs that are laid over a chunk: clients of one service come in few makes."""
_BASE64 = np.zeros(256, np.bool_)
_BASE64[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")] = True

Places = npt.NDArray[np.int64]
Octets = npt.NDArray[np.uint8]
"""A matrix: one row a head."""


class Opening(NamedTuple):
    """A faultless opening. Marks are 0 for the request and 1 for the response; client is direction 0."""

    number: int
    """Counts the different ones."""
    exchange: Exchange
    handshake: Handshake


class Found(NamedTuple):
    """Openings of a chunk, one item each: its place in what was asked, its opening, its key and its accept value."""

    places: Places
    openings: list[Opening]
    """The different ones."""
    kinds: Places
    """Which of them each is."""
    keys: list[str]
    accepts: list[str]


class _Pair(NamedTuple):
    """The octets of an opening, and where key and accept value stand in them."""

    opening: Opening
    request: Octets
    at: int
    response: Octets
    answer_at: int


class _Heads:
    """Pairs of heads of a chunk, and which of them are openings. `room` is how long the responses may be at most."""

    def __init__(self, octets: memoryview, requests: Places, lengths: Places, responses: Places,
                 room: Places) -> None:  # fmt: skip
        self.octets = octets
        self.requests = requests
        self.lengths = lengths
        self.responses = responses
        self.room = room
        self.parts: list[tuple[Places, Opening, Octets, Octets]] = []

    def request(self, one: int) -> bytes:
        """The octets of a request."""
        start = int(self.requests[one])
        return bytes(self.octets[start : start + int(self.lengths[one])])

    def response(self, one: int) -> bytes:
        """What begins with a response."""
        start = int(self.responses[one])
        return bytes(self.octets[start : start + int(self.room[one])])

    def take(self, pair: _Pair, one: int) -> None:
        """A pair was found in one place."""
        key = pair.request[:, pair.at : pair.at + KEY]
        accept = pair.response[:, pair.answer_at : pair.answer_at + ACCEPT]
        self.parts.append((np.array([one]), pair.opening, key, accept))

    def lay(self, pair: _Pair, rest: Places) -> Places:
        """Take what fits a pair. Returns what does not; what fits with a wrong key is not asked again."""
        length, answer = pair.request.shape[1], pair.response.shape[1]
        fit = (self.lengths[rest] == length) & (self.room[rest] >= answer)
        tried: Places = rest[fit]
        if not len(tried):
            return rest
        heads = _rows(self.octets, self.requests[tried], length)
        answers = _rows(self.octets, self.responses[tried], answer)
        same = _same(heads, pair.request, pair.at, KEY) & _same(answers, pair.response, pair.answer_at, ACCEPT)
        keys = heads[same, pair.at : pair.at + KEY]
        accepts = answers[same, pair.answer_at : pair.answer_at + ACCEPT]
        right = _right(keys, accepts)
        self.parts.append((tried[same][right], pair.opening, keys[right], accepts[right]))
        fit[np.flatnonzero(fit)[~same]] = False
        left: Places = rest[~fit]
        return left


class Openings:
    """The openings of one analysis; `lines` are header lines that it read before."""

    def __init__(self, lines: FieldLines | None = None) -> None:
        self._lines = FieldLines() if lines is None else lines
        self._known: dict[tuple[bytes, bytes], Opening] = {}
        self._recent: list[_Pair] = []
        self._count = 0

    def read_all(self, octets: memoryview, requests: Places, lengths: Places, responses: Places,
                 room: Places) -> Found | None:  # fmt: skip
        """The openings among pairs of a request head and what begins with a response head: where they start in
        `octets`, and how long they are. None where there are none."""
        heads = _Heads(octets, requests, lengths, responses, room)
        rest: Places = np.arange(len(requests))
        for pair in list(self._recent):
            rest = heads.lay(pair, rest)
        while len(rest):
            one, rest = int(rest[0]), rest[1:]
            learnt = self._look_up(heads.request(one), heads.response(one))
            if learnt is None:
                continue
            heads.take(learnt, one)
            if len(heads.parts) < 2 * RECENT:  # where all differ, laying each over the rest would cost the square
                rest = heads.lay(learnt, rest)
        return _found(heads.parts)

    def _look_up(self, request: bytes, response: bytes) -> _Pair | None:
        """A pair of heads with nothing wrong in them, as `Dialogue` reads them; it comes to stand first of the recent
        ones. `request` is a head and nothing else, `response` begins with one."""
        at, answer_at = _behind(request, KEY_FIELDS), _behind(response, ACCEPT_FIELDS)
        end = response.find(b"\r\n\r\n") + 4
        if at < 0 or answer_at < 0 or not answer_at < end <= LONGEST - len(request):
            return None
        stop, answer_stop = at + KEY, answer_at + ACCEPT
        key, accept = request[at:stop], response[answer_at:answer_stop]
        if request[stop : stop + 2] != b"\r\n" or len(accept) < ACCEPT:  # a short value at the end of all there is
            return None
        if not _right(_matrix(key), _matrix(accept)).all():
            return None
        kind = request[:at] + request[stop:], response[:answer_at] + response[answer_stop:end]
        opening = self._known.get(kind) or self._learn(kind, request, response[:end])
        if opening is None:
            return None
        pair = _Pair(opening, _matrix(request), at, _matrix(response[:end]), answer_at)
        self._recent = [pair, *self._recent[: RECENT - 1]]
        return pair

    def _learn(self, kind: tuple[bytes, bytes], request: bytes, response: bytes) -> Opening | None:
        dialogue = Dialogue(0, lines=self._lines)
        dialogue.feed(0, 0, request, 0)
        dialogue.feed(1, 0, response, 1)
        upgrade = dialogue.upgrade
        if upgrade is None or upgrade.handshake is None or dialogue.notes or len(dialogue.exchanges) != 1:
            return None
        handshake = upgrade.handshake
        if handshake.result != ACCEPTED or handshake.accept_verdict != RIGHT:
            return None
        if upgrade.starts != (len(request), len(response)) or dialogue.exchanges[0].request_head != len(request):
            return None  # content stands behind a head
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        opening = Opening(self._count, dialogue.exchanges[0], handshake)
        self._count += 1
        self._known[kind] = opening
        return opening


def _found(parts: list[tuple[Places, Opening, Octets, Octets]]) -> Found | None:
    """What was found, in the order of the places."""
    places = np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)])
    if not len(places):
        return None
    openings = list({opening.number: opening for _, opening, _, _ in parts}.values())
    kind_of = {opening.number: kind for kind, opening in enumerate(openings)}
    kinds = np.repeat([kind_of[opening.number] for _, opening, _, _ in parts], [len(part[0]) for part in parts])
    order = np.argsort(places)
    keys, accepts = (_texts(np.concatenate([part[at] for part in parts])[order]) for at in (2, 3))
    return Found(places[order], openings, kinds[order], keys, accepts)


def _rows(octets: memoryview, starts: Places, length: int) -> Octets:
    """Pieces of one length as the rows of a matrix: whole pieces are copied, not octets one by one."""
    every = np.ndarray((max(len(octets) - length + 1, 0),), f"V{length}", octets, strides=(1,))
    return every[starts].view(np.uint8).reshape(-1, length)


def _matrix(octets: bytes) -> Octets:
    return np.frombuffer(octets, np.uint8).reshape(1, -1)


def _texts(rows: Octets) -> list[str]:
    """Rows of ASCII as texts."""
    texts: list[str] = np.ascontiguousarray(rows).view(f"S{rows.shape[1]}").ravel().astype(np.str_).tolist()
    return texts


def _same(rows: Octets, pattern: Octets, at: int, length: int) -> npt.NDArray[np.bool_]:
    """Which rows are the pattern but for `at:at + length`."""
    alike = rows == pattern
    alike[:, at : at + length] = True
    same: npt.NDArray[np.bool_] = alike.all(axis=1)
    return same


def _right(keys: Octets, accepts: Octets) -> npt.NDArray[np.bool_]:
    """Whose key is 16 octets in base64, and whose accept value answers it (RFC 6455 §4.2.2). A 21st octet of zero lets
    all digests be encoded at once, and turns up as A where the padding stands."""
    joined = keys.tobytes()
    asked = (joined[at : at + KEY] + GUID for at in range(0, len(joined), KEY))
    digests = [sha1(octets, usedforsecurity=False).digest() + b"\0" for octets in asked]
    expected = np.frombuffer(b2a_base64(b"".join(digests), newline=False), np.uint8).reshape(-1, ACCEPT)
    padding = ord("=")
    right: npt.NDArray[np.bool_] = (
        (accepts[:, :-1] == expected[:, :-1]).all(axis=1) & (accepts[:, -1] == padding)
        & _BASE64[keys[:, :-2]].all(axis=1) & (keys[:, -2:] == padding).all(axis=1)
    )  # fmt: skip
    return right


def _behind(head: bytes, fields: tuple[bytes, bytes]) -> int:
    """Where the value of a field starts, -1 where it is not there."""
    for field in fields:
        at = head.find(field)
        if at >= 0:
            return at + len(field)
    return -1
