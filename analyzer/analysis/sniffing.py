"""What a TCP connection that is not HTTP looks like, told by its first octets: for counting, never for decoding."""

from __future__ import annotations

from dissectors.websocket.opcodes import plausible_frames

SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x16\x03", "tls"),
    (b"\x17\x03", "tls"),
    (b"PRI * HTTP/2.0", "http2"),
    (b"SSH-", "ssh"),
)
"""First octets (RFC 8446 §5.1: handshake and application data records; RFC 9113 §3.4; RFC 4253 §4.2)."""


def protocol_of(octets: bytes, middle: bool) -> str:
    """A word of `Traffic.protocols`. `middle`: the connection's start is not in the capture."""
    for signature, name in SIGNATURES:
        if octets.startswith(signature):
            return name
    if middle and plausible_frames(octets):
        return "websocket-middle"
    return "other"
