"""The PROXY protocol: what a load balancer writes before the first octet of a connection that it passes on.

Theory of operation. Version 1 is a line of text of 107 octets at most, version 2 a binary header that says its own
length (HAProxy's proxy-protocol.txt, §2.1 and §2.2). Both name the addresses of the connection on the balancer's other
side; what stands behind the header is the connection itself. A header that is wrong inside but whose end is known is
passed over and its faults are told; one whose end cannot be known is no header.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

TEXT_START = b"PROXY "
TEXT_LIMIT = 107
"""Octets of the longest version 1 line, its line end included (§2.1)."""
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
"""§2.2: chosen so that no HTTP, SMTP or TLS server takes it for its own protocol."""
FIXED = 16
"""Octets of a version 2 header before its addresses."""
LIMIT = 4096
"""Octets of a version 2 header: nginx takes as many (NGX_PROXY_PROTOCOL_MAX_HEADER), senders write 16 to 600."""
LOCAL, PROXY = 0, 1
"""Commands (§2.2)."""
SIZES = {1: 4, 2: 16}
"""Octets of an address, by family: IPv4, IPv6."""
UNIX = 3
PATH = 108
"""Octets of a path in the family AF_UNIX."""
ALPN, AUTHORITY, CRC32C, NOOP, UNIQUE_ID, SSL = 1, 2, 3, 4, 5, 0x20
SSL_VERSION = 0x21
NAMED = {ALPN: "ALPN", AUTHORITY: "authority", UNIQUE_ID: "unique ID"}
"""Values that are told as text (§2.2.1, §2.2.2, §2.2.5)."""


class Passed(NamedTuple):
    """A header. `source` and `destination` are `address:port`, empty where it names none."""

    version: int
    length: int
    """Octets of the whole header."""
    source: str = ""
    destination: str = ""
    details: str = ""
    """What else it says, in words."""
    problem: str = ""
    """What is wrong with it."""


class Broken(NamedTuple):
    """It begins like a header, and nobody can tell where it ends."""

    problem: str


def proxy_header(octets: bytes) -> Passed | Broken | bool:
    """The header that a direction begins with: True where more octets must tell, False where there is none. Never
    raises on octets."""
    if octets.startswith(TEXT_START):
        return _text(octets)
    if octets.startswith(SIGNATURE):
        return _binary(octets)
    return TEXT_START.startswith(octets) or SIGNATURE.startswith(octets)


def _text(octets: bytes) -> Passed | Broken | bool:
    """Version 1 (§2.1): `PROXY TCP4 source destination port port`, or `PROXY UNKNOWN` and anything."""
    end = octets.find(b"\r\n", 0, TEXT_LIMIT)
    if end < 0:
        return Broken(f"no line end in {TEXT_LIMIT} octets") if len(octets) >= TEXT_LIMIT else True
    words = octets[len(TEXT_START) : end].decode("latin-1").split(" ")
    if words[0] == "UNKNOWN":
        return Passed(1, end + 2)
    if words[0] not in ("TCP4", "TCP6") or len(words) != 5:
        return Passed(1, end + 2, problem="not TCP4 or TCP6 with two addresses and two ports")
    version = int(words[0][3])
    ends = [_endpoint(words[at], words[at + 2], version) for at in (1, 2)]
    if not all(ends):
        return Passed(1, end + 2, problem="an address or a port is not valid")
    return Passed(1, end + 2, *ends)


def _endpoint(address: str, port: str, version: int) -> str:
    """`address:port`, empty where either is not valid."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else -1
    # no leading zeros (§2.1)
    if found.version != version or not 0 <= number < 1 << 16 or str(number) != port:
        return ""
    return _shown(str(found), number)


def _shown(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _binary(octets: bytes) -> Passed | Broken | bool:
    """Version 2 (§2.2)."""
    if len(octets) < FIXED:
        return True
    version, command = octets[12] >> 4, octets[12] & 15
    length = FIXED + int.from_bytes(octets[14:16], "big")
    if version != 2:
        return Broken(f"version {version}")
    if length > LIMIT:
        return Broken(f"{length} octets, above the limit")
    if len(octets) < length:
        return True
    if command not in (LOCAL, PROXY):
        return Passed(2, length, problem=f"command {command}")
    family = octets[13] >> 4
    body = octets[FIXED:length]
    size = SIZES.get(family, 0)
    used = 2 * PATH if family == UNIX else 2 * size + 4 if size else 0
    if used > len(body):
        return Passed(2, length, problem="its addresses are cut off")
    problem = "" if family <= UNIX else f"address family {family}"
    details, wrong = _values(octets[:length], FIXED + used) if not problem else ("", "")
    if command == LOCAL or problem or not family:
        return Passed(2, length, details=details, problem=problem or wrong)
    if family == UNIX:
        ends = [_path(body[at : at + PATH]) for at in (0, PATH)]
    else:
        ends = [
            _shown(str(ip_address(body[side * size : side * size + size])),
                   int.from_bytes(body[2 * size + 2 * side : 2 * size + 2 * side + 2], "big"))
            for side in (0, 1)
        ]  # fmt: skip
    return Passed(2, length, ends[0], ends[1], details, wrong)


def _path(octets: bytes) -> str:
    return octets.partition(b"\0")[0].decode("utf-8", "backslashreplace")


def _values(header: bytes, start: int) -> tuple[str, str]:
    """What the type-length-value triples tell, and what is wrong with them (§2.2)."""
    told, wrong = [], ""
    stop = start
    for kind, value_at, stop in _triples(header, start):
        value = header[value_at:stop]
        if kind in NAMED:
            printable = value.isascii() and all(octet >= 32 for octet in value)
            told.append(f"{NAMED[kind]} {value.decode('ascii') if printable else value.hex()}")
        elif kind == SSL:
            told.append(_tls(value))
        elif kind == CRC32C:
            blank = header[:value_at] + bytes(len(value)) + header[stop:]
            if len(value) != 4 or crc32c(blank) != int.from_bytes(value, "big"):
                wrong = "its CRC32c does not match"
    if stop != len(header):
        wrong = wrong or "a value in it is cut off"
    return ", ".join(told), wrong


def _triples(octets: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Kind, start and stop of every whole value."""
    while at + 3 <= len(octets):
        stop = at + 3 + int.from_bytes(octets[at + 1 : at + 3], "big")
        if stop > len(octets):
            return
        yield octets[at], at + 3, stop
        at = stop


def _tls(value: bytes) -> str:
    """That the balancer's own client spoke TLS, and which version (§2.2.6)."""
    versions = [value[start:stop] for kind, start, stop in _triples(value, 5) if kind == SSL_VERSION]
    name = versions[0].decode("ascii", "backslashreplace") if versions else "TLS"
    return f"its client speaks {name}" if value[:1] and value[0] & 1 else "its client does not speak TLS"


def _table() -> tuple[int, ...]:
    rows = []
    for octet in range(256):
        for _ in range(8):
            octet = octet >> 1 ^ (0x82F63B78 if octet & 1 else 0)
        rows.append(octet)
    return tuple(rows)


_CRC = _table()


def crc32c(octets: bytes) -> int:
    """CRC32c (RFC 9260 appendix A)."""
    found = 0xFFFFFFFF
    for octet in octets:
        found = found >> 8 ^ _CRC[(found ^ octet) & 255]
    return found ^ 0xFFFFFFFF
