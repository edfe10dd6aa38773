"""Wraps packets in tunnels, and cuts IP packets into fragments. `reverse` is the direction from the server."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from struct import pack

from tests.wire.packets import UDP, ethernet, ip_packet, udp_packet

ENDS_4, ENDS_6 = ("192.0.2.1", "192.0.2.2"), ("2001:db8:ff::1", "2001:db8:ff::2")
Wrapper = Callable[[bytes, bool], bytes]
"""From an IP packet to one that carries it: IP, or (for what is no IP) an Ethernet frame."""


def _outer(protocol: int, payload: bytes, reverse: bool, ends: tuple[str, str] = ENDS_4) -> bytes:
    source, destination = reversed(ends) if reverse else ends
    return ip_packet(source, destination, protocol, payload)


def _udp(port: int, payload: bytes, reverse: bool, ends: tuple[str, str] = ENDS_4) -> bytes:
    source, destination = reversed(ends) if reverse else ends
    return udp_packet(source, 50000 + reverse, destination, port, payload)


def _kind(packet: bytes) -> int:
    return 0x86DD if packet[0] >> 4 == 6 else 0x0800


def in_ip(ends: tuple[str, str]) -> Wrapper:
    """IP in IP (RFC 2003, RFC 4213, RFC 2473)."""
    return lambda packet, reverse: _outer(41 if packet[0] >> 4 == 6 else 4, packet, reverse, ends)


def gre(key: int | None = None, number: int | None = None, checked: bool = False, bridged: bool = False,
        ends: tuple[str, str] = ENDS_4) -> Wrapper:  # fmt: skip
    """GRE (RFC 2784, RFC 2890); `bridged` puts Ethernet inside."""

    def wrap(packet: bytes, reverse: bool) -> bytes:
        flags = 0x8000 * checked | 0x2000 * (key is not None) | 0x1000 * (number is not None)
        head = pack(">HH", flags, 0x6558 if bridged else _kind(packet)) + (pack(">HH", 0xBEEF, 0) if checked else b"")
        head += b"".join(pack(">I", value) for value in (key, number) if value is not None)
        return _outer(47, head + (ethernet(packet, reverse=reverse) if bridged else packet), reverse, ends)

    return wrap


def erspan(session: int, kind: int = 2) -> Wrapper:
    """ERSPAN: a mirror, whose packets all go one way."""

    def wrap(packet: bytes, reverse: bool) -> bytes:
        head = {
            1: pack(">HH", 0, 0x88BE),
            2: pack(">HHIHHI", 0x1000, 0x88BE, 7, 0x1000, session, 0),
            3: pack(">HHIHHII", 0x1000, 0x22EB, 7, 0x2000, session, 0, 1) + bytes(8),
        }[kind]
        return _outer(47, head + ethernet(packet, reverse=reverse), False)

    return wrap


def vxlan(number: int, ends: tuple[str, str] = ENDS_4) -> Wrapper:
    """VXLAN (RFC 7348)."""
    return lambda packet, reverse: _udp(
        4789, pack(">II", 8 << 24, number << 8) + ethernet(packet, reverse=reverse), reverse, ends
    )


def gtp(extensions: int = 0, ends: tuple[str, str] = ENDS_4) -> Wrapper:
    """GTP-U (TS 29.281) with PDU session containers; each direction has its own TEID."""

    def wrap(packet: bytes, reverse: bool) -> bytes:
        more = b"\0\1\0" + b"".join(b"\x85\1\x10\1" for _ in range(extensions)) + b"\0" if extensions else b""
        head = pack(">BBHI", 0x34 if extensions else 0x30, 255, len(more) + len(packet), 2222 if reverse else 1111)
        return _udp(2152, head + more + packet, reverse, ends)

    return wrap


def framed(packet: bytes, reverse: bool) -> bytes:
    """Plain Ethernet around IP; an Ethernet frame stays as it is."""
    return ethernet(packet, reverse=reverse) if packet[0] >> 4 in (4, 6) and packet[0] != 0x02 else packet


def mpls(depth: int, pseudowire: bool = False, control: bool = True) -> Wrapper:
    """MPLS (RFC 3032); labels differ by direction, and the way back has one less. `pseudowire` carries Ethernet."""

    def wrap(packet: bytes, reverse: bool) -> bytes:
        labels = [100 + 50 * reverse + place for place in range(max(depth - reverse, 1))]
        stack = b"".join(
            pack(">I", label << 12 | (place == len(labels) - 1) << 8 | 64) for place, label in enumerate(labels)
        )
        inner = (b"\0" * 4 if control else b"") + ethernet(packet, reverse=reverse) if pseudowire else packet
        return ethernet(stack + inner, reverse=reverse, ethertype=0x8847)

    return wrap


def pppoe(session: int) -> Wrapper:
    """PPPoE (RFC 2516)."""

    def wrap(packet: bytes, reverse: bool) -> bytes:
        protocol = pack(">H", 0x57 if packet[0] >> 4 == 6 else 0x21)
        head = pack(">BBHH", 0x11, 0, session, 2 + len(packet))
        return ethernet(head + protocol + packet, reverse=reverse, ethertype=0x8864)

    return wrap


def fragments(packet: bytes, size: int, identification: int) -> list[bytes]:
    """An IP packet as fragments that carry `size` octets each, a multiple of 8."""
    version = packet[0] >> 4
    head = (packet[0] & 15) * 4 if version == 4 else 40
    source, destination = (
        (str(ip_address(packet[12:16])), str(ip_address(packet[16:20]))) if version == 4
        else (str(ip_address(packet[8:24])), str(ip_address(packet[24:40])))
    )  # fmt: skip
    protocol = packet[9] if version == 4 else packet[6]
    body = packet[head:]
    found = []
    for at in range(0, len(body), size):
        more = at + size < len(body)
        part = body[at : at + size]
        if version == 4:
            place = more << 13 | at >> 3
            found.append(ip_packet(source, destination, protocol, part, identification=identification, fragment=place))
        else:
            header = pack(">BBHI", 0, 0, at | more, identification)
            found.append(ip_packet(source, destination, protocol, part, extensions=((44, header),)))
    return found


__all__ = ["UDP", "Wrapper", "erspan", "fragments", "framed", "gre", "gtp", "in_ip", "mpls", "pppoe", "vxlan"]
