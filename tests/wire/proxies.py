"""What proxies write: PROXY headers of both versions (HAProxy's proxy-protocol.txt), and a ClientHello to tunnel."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from struct import pack

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def proxy_text(source: tuple[str, int], destination: tuple[str, int]) -> bytes:
    """A header of version 1."""
    version = ip_address(source[0]).version
    return f"PROXY TCP{version} {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n".encode()


def proxy_binary(source: tuple[str, int], destination: tuple[str, int], values: Sequence[tuple[int, bytes]] = (),
                 command: int = 1) -> bytes:  # fmt: skip
    """A header of version 2 with type-length-value triples; an empty one of type 3 becomes its CRC32c."""
    family = 0x11 if ip_address(source[0]).version == 4 else 0x21
    body = ip_address(source[0]).packed + ip_address(destination[0]).packed + pack(">HH", source[1], destination[1])
    for kind, value in values:
        body += pack(">BH", kind, len(value)) + value
    return SIGNATURE + pack(">BBH", 0x20 | command, family, len(body)) + body


def client_hello(name: str) -> bytes:
    """A ClientHello that asks for a server by name (RFC 8446 §4.1.2, RFC 6066 §3)."""
    host = pack(">HBH", len(name) + 3, 0, len(name)) + name.encode()
    extensions = pack(">HH", 0, len(host)) + host
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" + pack(">H", len(extensions))
    body += extensions
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + pack(">H", len(message)) + message
