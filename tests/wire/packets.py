"""TCP and UDP packets with right checksums, in IPv4 or IPv6, in the link layers that captures have."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from struct import pack, unpack

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128
TCP, UDP = 6, 17
MAC_0, MAC_1 = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
NULL, ETHERNET, RAW, LOOP, SLL, IPV4, IPV6, SLL2 = 0, 1, 101, 108, 113, 228, 229, 276


def checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = octets + b"\x00" * (len(octets) % 2)
    total = sum(unpack(f">{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_packet(
    source: str, destination: str, protocol: int, payload: bytes, options: bytes = b"",
    extensions: Sequence[tuple[int, bytes]] = (), identification: int = 0, fragment: int = 0x4000, ttl: int = 64,
) -> bytes:  # fmt: skip
    """An IP packet. `options` are IPv4's, a multiple of four octets; `extensions` are IPv6's, each the number and
    the whole header, whose first octet is overwritten; `fragment` is IPv4's flags and offset."""
    a, b = ip_address(source).packed, ip_address(destination).packed
    if len(a) == 4:
        first, total = 0x45 + len(options) // 4, 20 + len(options) + len(payload)
        # Segmentation offload records packets above 65,535 octets with a total length of 0.
        total = total if total < 1 << 16 else 0
        header = pack(">BBHHHBBH4s4s", first, 0, total, identification, fragment, ttl, protocol, 0, a, b) + options
        return header[:10] + pack(">H", checksum(header)) + header[12:] + payload
    following = [*(number for number, _ in extensions[1:]), protocol]
    chain = b"".join(bytes([after]) + octets[1:] for after, (_, octets) in zip(following, extensions, strict=False))
    first_header = extensions[0][0] if extensions else protocol
    return pack(">IHBB16s16s", 6 << 28, len(chain) + len(payload), first_header, ttl, a, b) + chain + payload


def _summed(source: str, destination: str, protocol: int, octets: bytes, at: int) -> bytes:
    """`octets` with the transport checksum written at `at` (RFC 9293 §3.1, RFC 8200 §8.1)."""
    a, b = ip_address(source).packed, ip_address(destination).packed
    pseudo = (
        a + b + (pack(">BBH", 0, protocol, len(octets) & 0xFFFF) if len(a) == 4 else pack(">II", len(octets), protocol))
    )
    return octets[:at] + pack(">H", checksum(pseudo + octets)) + octets[at + 2 :]


def tcp_packet(
    source: str, source_port: int, destination: str, destination_port: int, seq: int, ack: int = 0, flags: int = ACK,
    payload: bytes = b"", window: int = 65535, tcp_options: bytes = b"", **ip: object,
) -> bytes:  # fmt: skip
    """An IP packet with a TCP segment; further arguments go to `ip_packet`."""
    tcp_options += b"\x01" * (-len(tcp_options) % 4)
    offset = (5 + len(tcp_options) // 4) << 4
    ports = pack(">HH", source_port, destination_port)
    rest = pack(">IIBBHHH", seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, offset, flags, window, 0, 0)
    segment = _summed(source, destination, TCP, ports + rest + tcp_options + payload, 16)
    return ip_packet(source, destination, TCP, segment, **ip)  # type: ignore[arg-type]


def udp_packet(
    source: str, source_port: int, destination: str, destination_port: int, payload: bytes, **ip: object
) -> bytes:
    """An IP packet with a UDP datagram; further arguments go to `ip_packet`."""
    datagram = pack(">HHHH", source_port, destination_port, 8 + len(payload), 0) + payload
    return ip_packet(source, destination, UDP, _summed(source, destination, UDP, datagram, 6), **ip)  # type: ignore[arg-type]


def ethernet(packet: bytes, vlans: Sequence[int] = (), reverse: bool = False, ethertype: int | None = None) -> bytes:
    """An Ethernet frame; `vlans` are the identifiers of stacked 802.1Q tags, outermost first."""
    macs = MAC_0 + MAC_1 if reverse else MAC_1 + MAC_0
    tags = b"".join(
        pack(">HH", 0x88A8 if number + 1 < len(vlans) else 0x8100, identifier)
        for number, identifier in enumerate(vlans)
    )
    return macs + tags + pack(">H", _ethertype(packet) if ethertype is None else ethertype) + packet


def _ethertype(packet: bytes) -> int:
    return 0x86DD if packet[0] >> 4 == 6 else 0x0800


def link_packet(packet: bytes, link: int = ETHERNET, reverse: bool = False, big: bool = False) -> bytes:
    """An IP packet in the link layer of that LINKTYPE number; `big` is the byte order of NULL's address family."""
    kind = _ethertype(packet)
    if link == ETHERNET:
        return ethernet(packet, reverse=reverse)
    if link in (NULL, LOOP):
        family = 2 if kind == 0x0800 else 30
        return family.to_bytes(4, "big" if big or link == LOOP else "little") + packet
    if link == SLL:
        return pack(">HHH8sH", 4 if reverse else 0, 1, 6, MAC_0 + b"\x00\x00", kind) + packet
    if link == SLL2:
        return pack(">HHIHBB8s", kind, 0, 1, 1, 4 if reverse else 0, 6, MAC_0 + b"\x00\x00") + packet
    assert link in (RAW, IPV4, IPV6), f"no builder for link type {link}"
    return packet
