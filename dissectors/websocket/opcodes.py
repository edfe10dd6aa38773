"""Opcodes and close codes (RFC 6455 §5.2, §7.4) as tables."""

from __future__ import annotations

CONTINUATION, TEXT, BINARY = 0, 1, 2
CLOSE, PING, PONG = 8, 9, 10
"""Of control frames, which have the highest of the four bits set (RFC 6455 §5.5)."""
CLOSE_CODES: dict[int, str] = {
    1000: "normal closure",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1004: "reserved",
    1005: "no status received",
    1006: "abnormal closure",
    1007: "invalid payload data",
    1008: "policy violation",
    1009: "message too big",
    1010: "mandatory extension",
    1011: "internal error",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
    1015: "TLS handshake failure",
    3000: "unauthorized",
    3003: "forbidden",
    3008: "timeout",
}
"""Names of the WebSocket Close Code Number Registry (RFC 6455 §7.4.1, §11.7)."""

NO_STATUS, ABNORMAL = 1005, 1006
"""Reported by APIs, never on the wire (RFC 6455 §7.4.1)."""


def close_code_name(code: int) -> str:
    """The registered name of a close code, or which range it is in (RFC 6455 §7.4.2)."""
    if code in CLOSE_CODES:
        return CLOSE_CODES[code]
    if 3000 <= code < 4000:
        return "registered by a library or framework"
    if 4000 <= code < 5000:
        return "private use"
    return "not assigned"


def plausible_frames(octets: bytes) -> bool:
    """Whether octets look like whole frames from their first to their last one: known opcodes, RSV2 and RSV3 clear,
    shortest lengths. A guess."""
    at = 0
    count = 0
    while at + 2 <= len(octets):
        first, second = octets[at], octets[at + 1]
        if first & 0x30 or first & 15 not in (0, 1, 2, 8, 9, 10):
            return False
        length = second & 127
        size = 2
        if length >= 126:
            more = 2 if length == 126 else 8
            length = int.from_bytes(octets[at + 2 : at + 2 + more], "big")
            size += more
            if length < (126 if more == 2 else 65536):
                return False
        if first & 8 and length > 125:
            return False
        at += size + (4 if second & 128 else 0) + length
        count += 1
    return count > 0 and (at == len(octets) or count > 2)
