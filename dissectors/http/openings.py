"""WebSocket openings that differ from an earlier one in their key alone: what thousands of clients of one service send.

Theory of operation. Reading a request head and its 101 costs more than all the rest of a short connection. So a pair of
heads that made a faultless opening is remembered without its Sec-WebSocket-Key and Sec-WebSocket-Accept, and a pair
with the same octets otherwise needs those two looked at only. The pairs seen last are compared octet by octet, which is
cheapest; behind them stands a dictionary. It changes no result: what is not remembered, or has a wrong key or accept
value, is read by a `Dialogue` like any other.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from hashlib import sha1
from typing import NamedTuple

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
RECENT = 4
"""Pairs that are compared octet by octet: clients of one service come in few makes."""


class Opening(NamedTuple):
    """A faultless opening. Marks are 0 for the request and 1 for the response; client is direction 0."""

    number: int
    """Counts the different ones."""
    exchange: Exchange
    handshake: Handshake


class _Pair(NamedTuple):
    """The octets of an opening: of each head, where its value stands, and what stands before and behind it."""

    opening: Opening
    at: int
    answer_at: int
    before: bytes
    behind: bytes
    answer_before: bytes
    answer_behind: bytes


class Openings:
    """The openings of one analysis; `lines` are header lines that it read before."""

    def __init__(self, lines: FieldLines | None = None) -> None:
        self._lines = FieldLines() if lines is None else lines
        self._known: dict[tuple[bytes, bytes], Opening] = {}
        self._recent: list[_Pair] = []
        self._count = 0

    def read(self, request: bytes, response: bytes) -> tuple[Opening, str, str] | None:
        """An opening with its key and its accept value: `request` is a head and nothing else, `response` begins with
        one, and nothing is wrong with them. Else None."""
        for number, (opening, at, answer_at, before, behind, answer_before, answer_behind) in enumerate(self._recent):
            if (
                len(request) - at - KEY == len(behind) and request.endswith(behind) and request.startswith(before)
                and response.startswith(answer_before) and response.startswith(answer_behind, answer_at + ACCEPT)
            ):  # fmt: skip
                if number:
                    self._recent.insert(0, self._recent.pop(number))
                key, accept = request[at : at + KEY], response[answer_at : answer_at + ACCEPT]
                return (opening, key.decode(), accept.decode()) if _right(key, accept) else None
        return self._look_up(request, response)

    def _look_up(self, request: bytes, response: bytes) -> tuple[Opening, str, str] | None:
        at, answer_at = _behind(request, KEY_FIELDS), _behind(response, ACCEPT_FIELDS)
        end = response.find(b"\r\n\r\n") + 4
        if at < 0 or answer_at < 0 or not answer_at < end <= LONGEST - len(request):
            return None
        stop, answer_stop = at + KEY, answer_at + ACCEPT
        key, accept = request[at:stop], response[answer_at:answer_stop]
        if request[stop : stop + 2] != b"\r\n" or not _right(key, accept):
            return None
        kind = request[:at] + request[stop:], response[:answer_at] + response[answer_stop:end]
        opening = self._known.get(kind) or self._learn(kind, request, response[:end])
        if opening is None:
            return None
        pair = _Pair(opening, at, answer_at, request[:at], request[stop:], response[:answer_at],
                     response[answer_stop:end])  # fmt: skip
        self._recent = [pair, *self._recent[: RECENT - 1]]
        return opening, key.decode(), accept.decode()

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
        if upgrade.starts != (len(request), len(response)):
            return None
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        opening = Opening(self._count, dialogue.exchanges[0], handshake)
        self._count += 1
        self._known[kind] = opening
        return opening


def _right(key: bytes, accept: bytes) -> bool:
    """The key is 16 octets in base64, and the accept value answers it (RFC 6455 §4.2.2)."""
    if b2a_base64(sha1(key + GUID, usedforsecurity=False).digest(), newline=False) != accept:
        return False
    try:
        return len(a2b_base64(key, strict_mode=True)) == 16
    except Base64Error:
        return False


def _behind(head: bytes, fields: tuple[bytes, bytes]) -> int:
    """Where the value of a field starts, -1 where it is not there."""
    for field in fields:
        at = head.find(field)
        if at >= 0:
            return at + len(field)
    return -1
