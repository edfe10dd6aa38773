"""The layers that packets are wrapped in, one function each: from its header to the layer that follows.

Theory of operation. A `Walk` stands at `at`. Headers are read before `end`: up to there octets are captured without a
hole, and belong to all layers passed. `stop` is where the innermost layer says that it ends; the capture, or a layer
around it (`limit`), may end before. A layer reads its header, moves on, and returns the next layer, or a kind: then the
walk is over. A header that does not fit raises `struct.error`, which means malformed. Tables name what follows what.
Each layer but reassembly uses octets up, and `DEPTH` bounds the rest, so that every walk ends.

What identifies a tunnel must be the same in both directions, or the two halves of a connection would not meet:

| tunnel | identified by | since |
|---|---|---|
| VXLAN | VNI | it names one segment whatever the endpoints: hosts move, addresses are shared (RFC 7348 §4) |
| GRE | both endpoints, unordered, and the key | RFC 2890 §2.1 has one key for a flow, without saying for which way |
| ERSPAN | both endpoints and the session | one switch mirrors both directions in one session |
| IP in IP | both endpoints | there is nothing else |
| GTP-U | both endpoints | each side chooses the TEID of what it receives (TS 29.281 §5.1): the two differ |
| PPPoE | session | both sides use the same (RFC 2516 §4) |
| MPLS | nothing | labels are of one direction, and the last hop but one may pop them (RFC 3031 §3.16) |

So a connection that runs on while its phone moves to another base station shows as two. VLAN tags identify nothing.
dpkt declares the headers that it knows. Its packet classes are not used: they parse what is inside at once, without
a bound on nesting, lose where it stood, and take twenty times as long.
"""

from __future__ import annotations

from struct import Struct, error
from typing import Any, Protocol

from dpkt.ethernet import ETH_TYPE_MPLS as ETH_TYPE_MPLS_UCAST
from dpkt.ethernet import ETH_TYPE_MPLS_MCAST, ETH_TYPE_PPPoE_DISC
from dpkt.ethernet import ETH_TYPE_PPPoE as ETH_TYPE_PPPOE
from dpkt.gre import GRE as DPKT_GRE
from dpkt.gre import GRE_CP, GRE_KP, GRE_RP, GRE_SP
from dpkt.ip import (
    IP,
    IP_PROTO_GRE,
    IP_PROTO_ICMP,
    IP_PROTO_ICMP6,
    IP_PROTO_IP6,
    IP_PROTO_IPIP,
    IP_PROTO_TCP,
    IP_PROTO_UDP,
)
from dpkt.ip6 import IP6
from dpkt.pppoe import PPPoE
from dpkt.udp import UDP as DPKT_UDP

from analyzer.packets.fragments import Fragments
from analyzer.packets.layouts import AUTHENTICATION, EXTENSIONS, FRAGMENT_HEADER, GTP_PORT, VXLAN_PORT
from analyzer.packets.link import VLAN_TAGS
from analyzer.packets.pieces import Buffer
from analyzer.schemas import (
    ARP,
    FRAGMENT,
    ICMP,
    MALFORMED,
    NOT_IP,
    OTHER_IP,
    TCP,
    TUNNEL_CONTROL,
    TUNNEL_DEEP,
    TUNNEL_OTHER,
    UDP,
)

DEPTH = 16
"""Tunnels and reassemblies inside each other that are followed: Suricata's decoder.max-layers."""

_IPV4, _IPV6 = Struct(IP.__hdr_fmt__), Struct(IP6.__hdr_fmt__)
_UDP, _GRE, _PPPOE = Struct(DPKT_UDP.__hdr_fmt__), Struct(DPKT_GRE.__hdr_fmt__), Struct(PPPoE.__hdr_fmt__)
_OCTET, _TWO, _PAIR, _LONG = Struct(">B"), Struct(">BB"), Struct(">H"), Struct(">I")
_VXLAN, _GTP, _FRAGMENT = Struct(">B3xI"), Struct(">BBHI"), Struct(">BxHI")

Tunnel = tuple[str, bytes, bytes, int]
"""Name, lower and higher endpoint (empty: they do not matter), number (-1: none)."""


class Layer(Protocol):
    """One layer."""

    def __call__(self, walk: Walk, /) -> int | Layer: ...


class Deep(Exception):
    """Too many tunnels inside each other."""


class Walk:
    """Where the walk through one record stands."""

    __slots__ = (
        "at", "buffer", "destination", "end", "fragments", "identification", "limit", "octets", "overlap", "packet",
        "source", "stop", "time", "tunnels", "turns",
    )  # fmt: skip

    def __init__(self, buffer: Buffer, fragments: Fragments, packet: int, time: int) -> None:
        self.fragments = fragments
        self.packet = packet
        self.time = time
        self.source = self.destination = b""
        self.tunnels: tuple[Tunnel, ...] = ()
        self.turns = 0
        self.identification = 0
        self.overlap = ""
        self._stand(buffer)

    def _stand(self, buffer: Buffer) -> None:
        self.buffer = buffer
        self.at = 0
        self.octets = buffer.octets
        self.end = buffer.head()
        self.stop = self.limit = buffer.length

    def take(self, header: Struct) -> tuple[Any, ...]:
        """The fields of a header; moves behind it."""
        fields = self.peek(header, self.at)
        self.at += header.size
        return fields

    def peek(self, header: Struct, at: int) -> tuple[Any, ...]:
        """The fields of a header at a place."""
        if at + header.size > self.end:
            raise error
        return header.unpack_from(self.octets, at)

    def bound(self, stop: int) -> None:
        """A layer says where it ends. It may say more than the layers around it have."""
        self.stop = stop
        self.limit = min(self.limit, stop)
        self.end = min(self.end, stop)

    def enter(self, name: str, ends: bool = False, number: int = -1) -> None:
        """Go into a tunnel."""
        low, high = sorted((self.source, self.destination)) if ends else (b"", b"")
        self.tunnels += ((name, low, high, number),)
        self.turn()

    def turn(self) -> None:
        """Count a tunnel or a reassembly."""
        self.turns += 1
        if self.turns > DEPTH:
            raise Deep

    def put_together(self, version: int, number: int, place: int, protocol: int, stop: int) -> int | Layer:
        """A fragment: goes on in the datagram that it completes. `place` has the offset and, lowest, more fragments;
        what it carries stands from `at` to `stop`."""
        start, more, length = place & 0xFFF8, bool(place & 1), stop - self.at
        # RFC 791 §3.2, RFC 8200 §4.5: in units of 8 octets but for the last, and no datagram above 65,535
        if length <= 0 or (more and length % 8) or start + length > 0xFFFF:
            return MALFORMED
        payload = self.buffer.cut(self.at, max(min(stop, self.limit), self.at), length)
        identity = tuple(tunnel for tunnel in self.tunnels if tunnel[0] != "MPLS")
        key = (identity, version, self.source, self.destination, number, protocol if version == 4 else -1)
        whole = self.fragments.add(key, start, more, payload, protocol, self.time, self.packet)
        if whole is None:
            return FRAGMENT
        self.turn()
        self.overlap = self.overlap or whole.overlap
        self._stand(whole.buffer)
        return _chain(self, whole.protocol) if version == 6 else _transport(whole.protocol)


def follow(walk: Walk, layer: int | Layer) -> int:
    """Go through all layers from one on; returns the kind in which it ends."""
    try:
        while not isinstance(layer, int):
            layer = layer(walk)
    except error:
        return MALFORMED
    except Deep:
        return TUNNEL_DEEP
    return layer


def by_ether(ether: int) -> int | Layer:
    """What an EtherType stands for."""
    return ETHERTYPES.get(ether, TUNNEL_OTHER)


def ethernet(walk: Walk) -> int | Layer:
    """IEEE 802.3, tags passed over; LLC with SNAP."""
    walk.at += 12
    (ether,) = walk.take(_PAIR)
    while ether in VLAN_TAGS:
        walk.at += 2
        (ether,) = walk.take(_PAIR)
    if ether < 1536:
        if walk.octets[walk.at : min(walk.at + 3, walk.end)] != b"\xaa\xaa\x03":
            return NOT_IP
        walk.at += 6
        (ether,) = walk.take(_PAIR)
    return ETHERTYPES.get(ether, NOT_IP)


def ipv4(walk: Walk) -> int | Layer:
    """RFC 791 §3.1."""
    start = walk.at
    first, _, total, number, place, _, protocol, _, walk.source, walk.destination = walk.take(_IPV4)
    size = (first & 15) * 4
    # total length 0: the kernel left it to the network card to cut the segment up (TSO)
    total = total or walk.stop - start
    if first >> 4 != 4 or size < 20 or total < size:
        return MALFORMED
    walk.at = start + size
    walk.identification = number
    if place & 0x3FFF:
        return walk.put_together(4, number, (place & 0x1FFF) << 3 | place >> 13 & 1, protocol, start + total)
    walk.bound(start + total)
    return _transport(protocol)


def ipv6(walk: Walk) -> int | Layer:
    """RFC 8200 §3."""
    first, length, following, _, walk.source, walk.destination = walk.take(_IPV6)
    if first >> 28 != 6:
        return MALFORMED
    walk.identification = 0
    if length:
        walk.bound(walk.at + length)
    return _chain(walk, following)


def _chain(walk: Walk, following: int) -> int | Layer:
    """Extension headers passed over (RFC 8200 §4, RFC 4302)."""
    while following in EXTENSIONS:
        if following == FRAGMENT_HEADER:
            following, place, number = walk.take(_FRAGMENT)
            # offset 0 and no more fragments: an atomic fragment is a whole packet (RFC 6946)
            if place & 0xFFF9:
                return walk.put_together(6, number, place, following, walk.stop)
            continue
        after, size = walk.peek(_TWO, walk.at)
        walk.at += (size + 2) * 4 if following == AUTHENTICATION else (size + 1) * 8
        following = after
    return MALFORMED if walk.at > walk.stop else _transport(following)


def _transport(protocol: int) -> int | Layer:
    return PROTOCOLS.get(protocol, OTHER_IP)


def _udp(walk: Walk) -> int | Layer:
    if walk.at + 8 > walk.end:
        return UDP
    start = walk.at
    _, port, length, _ = walk.peek(_UDP, start)
    if port not in PORTS:
        return UDP
    walk.at += 8
    if length >= 8:
        walk.bound(min(start + length, walk.stop))
    return PORTS[port]


def vxlan(walk: Walk) -> int | Layer:
    """RFC 7348 §5."""
    flags, number = walk.take(_VXLAN)
    if not flags & 8:
        return UDP
    walk.enter("VXLAN", number=number >> 8)
    return ethernet


def gtp(walk: Walk) -> int | Layer:
    """GTP-U (3GPP TS 29.281 §5)."""
    flags, kind, length, _ = walk.take(_GTP)
    if flags >> 4 != 3:
        return UDP
    if kind != 255:
        return TUNNEL_CONTROL
    walk.bound(min(walk.at + length, walk.stop))
    if flags & 7:
        walk.at += 3
        (following,) = walk.take(_OCTET)
        while following:
            (size,) = walk.peek(_OCTET, walk.at)
            if not size:
                return MALFORMED
            walk.at += 4 * size
            (following,) = walk.peek(_OCTET, walk.at - 1)
    walk.enter("GTP-U", ends=True)
    return _version(walk)


def gre(walk: Walk) -> int | Layer:
    """RFC 2784, RFC 2890; version 1 is PPTP's, which is mostly encrypted."""
    flags, kind = walk.take(_GRE)
    if flags & 7:
        return TUNNEL_OTHER
    number = -1
    if flags & (GRE_CP | GRE_RP):
        walk.take(_LONG)
    if flags & GRE_KP:
        (number,) = walk.take(_LONG)
    if flags & GRE_SP:
        walk.take(_LONG)
    if flags & GRE_RP and not _routed(walk):
        return MALFORMED
    if kind in ERSPAN:
        return _erspan(walk, kind, bool(flags & GRE_SP))
    walk.enter("GRE", ends=True, number=number)
    if not kind:
        return TUNNEL_CONTROL  # a keepalive, as routers send it
    return ethernet if kind == 0x6558 else by_ether(kind)


def _routed(walk: Walk) -> bool:
    """Pass over source route entries (RFC 1701); False where they do not end."""
    while walk.at + 4 <= walk.end:
        (entry,) = walk.take(_LONG)
        if not entry & 0xFF:
            return True
        walk.at += entry & 0xFF
    return False


def _erspan(walk: Walk, kind: int, numbered: bool) -> int | Layer:
    """draft-foschiano-erspan: type I has no header, II has 8 octets, III has 12 and perhaps 8 more."""
    session = -1
    if numbered or kind == 0x22EB:
        session = walk.take(_LONG)[0] & 0x3FF
        walk.take(_LONG)
        if kind == 0x22EB and walk.take(_LONG)[0] & 1:
            walk.at += 8
    walk.enter("ERSPAN", ends=True, number=session)
    return ethernet


def _ip_in_ip(name: str, inner: Layer) -> Layer:
    def layer(walk: Walk) -> int | Layer:
        walk.enter(f"{name}in{4 if len(walk.source) == 4 else 6}", ends=True)
        return inner

    return layer


def pppoe(walk: Walk) -> int | Layer:
    """RFC 2516 §4, RFC 1661 §2."""
    version, code, session, length = walk.take(_PPPOE)
    if version != 0x11:
        return MALFORMED
    if code:
        return TUNNEL_CONTROL
    walk.bound(min(walk.at + length, walk.stop))
    (kind,) = walk.take(_OCTET)
    if not kind & 1:
        kind = kind << 8 | walk.take(_OCTET)[0]
    walk.enter("PPPoE", number=session)
    # from 0x4000 on: link and network control protocols (RFC 1661 §2)
    return PPP.get(kind, TUNNEL_CONTROL if kind >= 0x4000 else TUNNEL_OTHER)


def mpls(walk: Walk) -> int | Layer:
    """RFC 3032 §2.1. What follows the last label is not said: IP by its version, or Ethernet of a pseudowire with or
    without a control word (RFC 4385 §3, RFC 4448)."""
    (entry,) = walk.take(_LONG)
    while not entry & 0x100:
        (entry,) = walk.take(_LONG)
    walk.enter("MPLS")
    (first,) = walk.peek(_OCTET, walk.at)
    if first >> 4 == 1:
        return TUNNEL_CONTROL  # an associated channel (RFC 5586)
    if first >> 4 == 0 and _is_ethernet(walk, walk.at + 4):
        walk.at += 4
        return ethernet
    return _version(walk)


def _version(walk: Walk) -> int | Layer:
    """IP by its version, unless its lengths cannot be, or Ethernet."""
    (first,) = walk.peek(_OCTET, walk.at)
    if first >> 4 == 4 and (first & 15) >= 5 and walk.at + 20 <= walk.end:
        total = walk.peek(_PAIR, walk.at + 2)[0]
        if not total or total >= (first & 15) * 4:
            return ipv4
    if first >> 4 == 6 and walk.at + 40 <= walk.end:
        return ipv6
    if _is_ethernet(walk, walk.at):
        return ethernet
    return MALFORMED if first >> 4 in (4, 6) else TUNNEL_OTHER


def _is_ethernet(walk: Walk, at: int) -> bool:
    if at + 14 > walk.end:
        return False
    ether = walk.peek(_PAIR, at + 12)[0]
    return ether in ETHERTYPES or ether in VLAN_TAGS


ETHERTYPES: dict[int, int | Layer] = {
    0x0800: ipv4, 0x86DD: ipv6, 0x0806: ARP, ETH_TYPE_MPLS_UCAST: mpls, ETH_TYPE_MPLS_MCAST: mpls,
    ETH_TYPE_PPPOE: pppoe, ETH_TYPE_PPPoE_DISC: TUNNEL_CONTROL,
}  # fmt: skip
PROTOCOLS: dict[int, int | Layer] = {
    IP_PROTO_TCP: TCP, IP_PROTO_UDP: _udp, IP_PROTO_ICMP: ICMP, IP_PROTO_ICMP6: ICMP, IP_PROTO_GRE: gre,
    IP_PROTO_IPIP: _ip_in_ip("4", ipv4), IP_PROTO_IP6: _ip_in_ip("6", ipv6), 137: mpls,
}  # fmt: skip
PORTS: dict[int, Layer] = {VXLAN_PORT: vxlan, GTP_PORT: gtp}
"""Where they are sent to."""
PPP: dict[int, Layer] = {0x21: ipv4, 0x57: ipv6, 0x281: mpls, 0x283: mpls}
ERSPAN = (0x88BE, 0x22EB)
