"""The TCP and IPv4 checksums of one captured packet (RFC 9293 §3.1, RFC 791 §3.1).

A sending host's own capture mostly holds checksums that its network card was to fill in: zero, or the sum of the pseudo
header alone. Those are told apart from wrong ones. The headers are found from TCP's data backwards, so that whatever
stands around them (tags, tunnels) does not matter: a place counts if its sequence and acknowledgment numbers are right.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Checksum(IntEnum):
    """What a packet's checksums say."""

    UNKNOWN = 0
    """The capture does not hold the whole packet, or its headers were not found."""
    RIGHT = 1
    PARTIAL = 2
    """Left to the network card."""
    WRONG = 3
    IP_WRONG = 4
    """The IPv4 header's own."""


def total(octets: bytes) -> int:
    """The one's complement sum of 16-bit words (RFC 1071), not inverted."""
    padded = octets + b"\0" if len(octets) & 1 else octets
    found = int(np.frombuffer(padded, ">u2").sum(dtype=np.uint64))
    while found > 0xFFFF:
        found = (found & 0xFFFF) + (found >> 16)
    return found


def judge(octets: bytes, data: int, length: int, numbers: bytes) -> Checksum:
    """Of a record whose TCP data is `octets[data : data + length]`; `numbers`: its sequence and acknowledgment numbers
    as eight octets."""
    if data + length > len(octets):
        return Checksum.UNKNOWN
    for tcp in range(data - 20, data - 64, -4):
        if tcp >= 20 and octets[tcp + 4 : tcp + 12] == numbers and (octets[tcp + 12] >> 4) * 4 == data - tcp:
            return _judge(octets, tcp, data + length)
    return Checksum.UNKNOWN


def _judge(octets: bytes, tcp: int, stop: int) -> Checksum:
    for size in range(20, 64, 4):
        ip = tcp - size
        if ip >= 0 and octets[ip] == 0x40 | size // 4 and octets[ip + 9] == 6:
            # zero as well: the network card fills it in together with the lengths of the parts
            if octets[ip + 10 : ip + 12] != b"\0\0" and total(octets[ip:tcp]) != 0xFFFF:
                return Checksum.IP_WRONG
            return _compare(octets, tcp, stop, octets[ip + 12 : ip + 20])
    ip = tcp - 40
    if ip >= 0 and octets[ip] >> 4 == 6 and octets[ip + 6] == 6:
        return _compare(octets, tcp, stop, octets[ip + 8 : ip + 40])
    return Checksum.UNKNOWN


def _compare(octets: bytes, tcp: int, stop: int, addresses: bytes) -> Checksum:
    short = addresses + b"\0\6"
    pseudo = short + (stop - tcp).to_bytes(4, "big")
    said = int.from_bytes(octets[tcp + 16 : tcp + 18], "big")
    if total(pseudo + octets[tcp:stop]) == 0xFFFF:
        return Checksum.RIGHT
    # a segment that is to be cut up carries the sum without its length
    return Checksum.PARTIAL if said in (0, total(pseudo), total(short)) else Checksum.WRONG
