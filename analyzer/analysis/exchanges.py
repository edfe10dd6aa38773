"""Rows of EXCHANGES and HANDSHAKES from what a dialogue found."""

from __future__ import annotations

from typing import NamedTuple

from dissectors.http.dialogue import LONG_POLL, PLAIN, Exchange
from dissectors.http.upgrade import Handshake
from dissectors.schemas import ACCEPTED, NO_TIME

LONG = 1_000_000_000
"""ns. A response that lets its client wait this long is taken for a long poll: a guess, shown as one."""


class Place(NamedTuple):
    """Where and when an octet was seen."""

    packet: int = -1
    time: int = NO_TIME


def exchange_row(exchange: Exchange, channel: int, request: Place, response: Place,
                 last: Place) -> tuple[int | str, ...]:  # fmt: skip
    """A row of EXCHANGES; `request` and `response` are the first octets, `last` is the one that completed it."""
    style = exchange.style
    if style == PLAIN and NO_TIME not in (request.time, response.time) and response.time - request.time >= LONG:
        style = LONG_POLL
    return (
        channel, exchange.direction, style, exchange.method, exchange.target, exchange.host, exchange.user_agent,
        exchange.status, exchange.reason, exchange.server, exchange.protocol, exchange.interim,
        exchange.request_offset, exchange.request_head, exchange.request_body,
        exchange.response_offset, exchange.response_head, exchange.response_body, exchange.complete,
        request.packet, response.packet, last.packet, request.time, response.time, last.time,
    )  # fmt: skip


def handshake_row(exchange: Exchange, shake: Handshake, channel: int, row: int, first: Place,
                  last: Place) -> tuple[int | str, ...]:  # fmt: skip
    """A row of HANDSHAKES; `row` is that of its exchange."""
    accepted = shake.result == ACCEPTED
    client_start = exchange.request_offset + exchange.request_head + max(exchange.request_body, 0)
    server_start = exchange.response_offset + exchange.response_head
    deflate = shake.deflate
    return (
        channel, exchange.direction, row, shake.result, shake.status, shake.refusal, shake.host, shake.target,
        shake.origin, shake.user_agent, shake.server, shake.intermediaries, shake.key, shake.accept,
        shake.accept_verdict, shake.version, shake.protocol, shake.subprotocols, shake.subprotocol,
        shake.extensions_offered, shake.extensions, deflate.agreed, deflate.client_takeover, deflate.server_takeover,
        deflate.client_window_bits, deflate.server_window_bits, client_start if accepted else -1,
        server_start if accepted else -1, first.packet, last.packet, first.time, last.time,
    )  # fmt: skip
