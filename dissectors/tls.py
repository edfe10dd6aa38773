"""What TLS says in the clear: the ClientHello's server name and protocols, and alerts (RFC 8446 §4.1.2, §5.1, §6)."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

ALERT, HANDSHAKE, DATA = 21, 22, 23
"""Record types."""
CLIENT_HELLO = 1
SERVER_NAME, ALPN = 0, 16
"""Extensions (RFC 6066 §3, RFC 7301 §3.1)."""
HELLO_LIMIT = 1 << 14
"""Octets of a ClientHello that are waited for: one record's worth; those with post-quantum key shares have 1.8 kB."""
LONGEST_ALERT = 31
"""Octets of the longest record that holds an alert: explicit nonce and tag around it (RFC 5288 §3)."""
FATAL = 2
ALERTS: dict[int, str] = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow", 40: "handshake_failure",
    42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired",
    46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error",
    51: "decrypt_error", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
    86: "inappropriate_fallback", 90: "user_canceled", 109: "missing_extension", 110: "unsupported_extension",
    112: "unrecognized_name", 113: "bad_certificate_status_response", 115: "unknown_psk_identity",
    116: "certificate_required", 120: "no_application_protocol",
}  # fmt: skip
"""Alert descriptions (RFC 8446 §6, and its registry)."""


class ClientHello(NamedTuple):
    """What a client says in the clear. `complete`: no octet that comes later can add to it."""

    server_name: str
    protocols: tuple[str, ...]
    complete: bool


class Tail(IntEnum):
    """What the end of a direction looks like."""

    DATA = 0
    ALERT = 1
    PERHAPS = 2
    """A record of TLS 1.3 as long as an alert: its type is encrypted (RFC 8446 §5.2)."""


NOTHING = ClientHello("", (), True)


def client_hello(octets: bytes) -> ClientHello:
    """The ClientHello that a direction starts with, as far as it is there. Never raises on octets."""
    body = bytearray()
    at = 0
    while at + 5 <= len(octets):
        if octets[at] != HANDSHAKE or octets[at + 1] != 3:
            return NOTHING if not body else _hello(bytes(body), True)
        stop = at + 5 + int.from_bytes(octets[at + 3 : at + 5], "big")
        body += octets[at + 5 : stop]
        if body and body[0] != CLIENT_HELLO:
            return NOTHING
        if len(body) >= 4 and len(body) - 4 >= int.from_bytes(body[1:4], "big"):
            return _hello(bytes(body), True)
        at = stop
    full = len(octets) >= HELLO_LIMIT
    return _hello(bytes(body), full)


def _hello(body: bytes, complete: bool) -> ClientHello:
    """`body` is a handshake message, perhaps cut."""
    at = 4 + 2 + 32  # header, version, random
    at += 1 + _number(body, at, 1)  # session
    at += 2 + _number(body, at, 2)  # cipher suites
    at += 1 + _number(body, at, 1)  # compression
    stop = min(at + 2 + _number(body, at, 2), 4 + _number(body, 1, 3))
    server_name = ""
    protocols: tuple[str, ...] = ()
    for kind, value in _vectors(body[at + 2 : stop], 2, 2):
        if kind == SERVER_NAME and not server_name:
            server_name = next((_text(name) for of, name in _vectors(value[2:], 1, 2) if of == 0), "")
        elif kind == ALPN and not protocols:
            protocols = tuple(_text(name) for _, name in _vectors(value[2:], 0, 1))
    return ClientHello(server_name, protocols, complete)


def _number(octets: bytes, at: int, size: int) -> int:
    return int.from_bytes(octets[at : at + size], "big")


def _vectors(octets: bytes, kind: int, length: int) -> Iterator[tuple[int, bytes]]:
    """Whole items of a list: a number of `kind` octets, a length of `length` octets, and as many octets."""
    at = 0
    while at + kind + length <= len(octets):
        start = at + kind + length
        stop = start + _number(octets, at + kind, length)
        if stop > len(octets):
            return
        yield _number(octets, at, kind), octets[start:stop]
        at = stop


def _text(octets: bytes) -> str:
    return octets.decode("ascii", "backslashreplace")


def tail(octets: bytes) -> tuple[Tail, int, int]:
    """What a direction ends in, told by its last octets: what, how many of them are that record, and the description
    of a fatal alert in the clear, -1 for none."""
    for length in (7, LONGEST_ALERT, 24):
        record = octets[-length:]
        if len(record) < length or record[1] != 3 or _number(record, 3, 2) != length - 5:
            continue
        if record[0] == ALERT:
            fatal = length == 7 and record[5] == FATAL
            return Tail.ALERT, length, record[6] if fatal else -1
        if record[0] == DATA and length == 24:
            return Tail.PERHAPS, length, -1
    return Tail.DATA, 0, -1
