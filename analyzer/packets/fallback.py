"""Packets that the columns do not cover, one by one through dpkt, into the same columns."""

from __future__ import annotations

import struct
from typing import Any

TCP, UDP, ICMP, OTHER_IP, FRAGMENT, NOT_IP, MALFORMED = 0, 1, 2, 4, 5, 6, 7
"""Codes of `schemas.KINDS`."""
SNAP = b"\xaa\xaa\x03"
VLAN_TAGS = (b"\x81\x00", b"\x88\xa8", b"\x91\x00")
KINDS = {6: TCP, 17: UDP, 1: ICMP, 58: ICMP}


def decode_one(link: int, octets: bytes, wire: int) -> dict[str, int | bytes]:
    """The columns of one record: `kind`, and for TCP all others, addresses packed. Never raises on octets."""
    network = _network(octets) if link == 1 else 0
    if network < 0:
        return {"kind": NOT_IP}
    import dpkt

    version = octets[network] >> 4 if network < len(octets) else 0
    try:
        if version == 4:
            packet = dpkt.ip.IP(octets[network:])
        elif version == 6:
            packet = dpkt.ip6.IP6(octets[network:])
        else:
            return {"kind": NOT_IP}
        return _transport(packet, version, octets, network, wire)
    except (dpkt.dpkt.Error, struct.error, ValueError, IndexError, KeyError, AttributeError, TypeError):
        return {"kind": MALFORMED}


def _network(octets: bytes) -> int:
    """Where IP starts in an Ethernet frame with any number of tags, or with LLC and SNAP; -1 for neither."""
    at = 12
    while octets[at : at + 2] in VLAN_TAGS:
        at += 4
    kind = octets[at : at + 2]
    if kind in (b"\x08\x00", b"\x86\xdd"):
        return at + 2
    if octets[at + 2 : at + 5] == SNAP and octets[at + 8 : at + 10] in (b"\x08\x00", b"\x86\xdd"):
        return at + 10
    return -1


def _transport(packet: Any, version: int, octets: bytes, network: int, wire: int) -> dict[str, int | bytes]:
    missing = max(wire - len(octets), 0)
    if version == 4:
        header, protocol = packet.hl * 4, packet.p
        stop = network + (packet.len or len(octets) - network + missing)
        fragment = bool(packet._flags_offset & 0x3FFF)
    else:
        extensions = packet.all_extension_headers
        header, protocol = 40 + sum(extension.length for extension in extensions), packet.p
        stop = network + 40 + packet.plen if packet.plen else len(octets) + missing
        fragment = any(getattr(extension, "frag_off", 0) or getattr(extension, "m_flag", 0) for extension in extensions)
    if fragment:
        return {"kind": FRAGMENT}
    if protocol != 6:
        return {"kind": KINDS.get(protocol, OTHER_IP)}
    at = network + header
    if at + 20 > min(len(octets), stop):
        return {"kind": MALFORMED}
    source_port, destination_port, seq, ack, offset, flags, window = struct.unpack_from(">HHIIBBH", octets, at)
    data = at + (offset >> 4) * 4
    if data < at + 20 or data > stop:
        return {"kind": MALFORMED}
    return {
        "kind": TCP, "source": packet.src, "destination": packet.dst, "source_port": source_port,
        "destination_port": destination_port, "seq": seq, "ack": ack, "flags": flags, "window": window,
        "payload_at": min(data, len(octets)), "payload_length": max(min(stop, len(octets)) - data, 0),
        "segment_length": stop - data,
    }  # fmt: skip
