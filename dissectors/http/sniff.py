"""Tells from the first octets of a direction whether it speaks HTTP/1, and which side it is (RFC 9112 §3, §4)."""

from __future__ import annotations

from enum import Enum

METHODS = frozenset(
    (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PROPFIND",
     b"PROPPATCH", b"MKCOL", b"COPY", b"MOVE", b"LOCK", b"UNLOCK", b"REPORT", b"SEARCH", b"QUERY")
)  # fmt: skip
"""Methods that need no look at the rest of the line (RFC 9110 §9, RFC 5789, RFC 4918, RFC 3253)."""
LONGEST_METHOD = 24
LINE = 1 << 13
"""Octets of a start line that are waited for: Apache httpd's LimitRequestLine and nginx's buffers are 8 KiB."""


class Claim(Enum):
    """What the octets are."""

    REQUEST = "request"
    RESPONSE = "response"
    UNDECIDED = "undecided"
    NO = "no"


def sniff(octets: bytes) -> Claim:
    """Judge the first octets of a direction."""
    octets = octets.lstrip(b"\r\n")
    if octets.startswith(b"HTTP/1."):
        return Claim.RESPONSE
    if len(octets) < 7 and b"HTTP/1."[: len(octets)] == octets:
        return Claim.UNDECIDED
    method, space, _ = octets[: LONGEST_METHOD + 1].partition(b" ")
    if not space:
        fits = len(octets) <= LONGEST_METHOD and _is_method(octets)
        return Claim.UNDECIDED if fits else Claim.NO
    if method in METHODS:
        return Claim.REQUEST
    if not _is_method(method) or method == b"PRI":
        return Claim.NO
    line, end, _ = octets.partition(b"\n")
    if not end:
        return Claim.UNDECIDED if len(octets) < LINE else Claim.NO
    return Claim.REQUEST if b" HTTP/1." in line else Claim.NO


def _is_method(octets: bytes) -> bool:
    return octets.replace(b"-", b"").replace(b"_", b"").isalpha() and octets == octets.upper()
