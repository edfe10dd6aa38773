"""Decodes records to TCP header columns: link layer, IPv4 or IPv6, TCP.

Theory of operation. Each step works on the rows that reached it, and gathers each header once, as a structured array.
A row that a step does not understand gets its kind and drops out; a row whose header is cut off is malformed.
Nothing is read behind a record's end. Rows that need more than columns can do (tunnels, fragments, SNAP, more than
`TAGS` VLAN tags, long chains of IPv6 extension headers) go one by one through `unwrapping`, in the order of the
capture.
"""

from __future__ import annotations

import numpy as np

from analyzer.capture.records import Records
from analyzer.packets.addresses import AddressBook
from analyzer.packets.decoded import Decoded
from analyzer.packets.layouts import (
    AUTHENTICATION,
    EXTENSIONS,
    FRAGMENT_HEADER,
    GTP_PORT,
    IPV4,
    IPV4_TCP,
    IPV6,
    TCP,
    VXLAN_PORT,
)
from analyzer.packets.link import ARP, LINKS, NOT_IP, UNDECIDED, WRAPPERS, Octets
from analyzer.packets.link import IPV4 as ETHER_IPV4
from analyzer.packets.link import IPV6 as ETHER_IPV6
from analyzer.packets.unwrapping import Unwrapping
from analyzer.schemas import ARP as ARP_KIND
from analyzer.schemas import FRAGMENT, ICMP, LINK_TYPE, MALFORMED, OTHER_IP, QUIC, UDP
from analyzer.schemas import NOT_IP as NOT_IP_KIND
from analyzer.schemas import TCP as TCP_KIND
from dissectors.tables import Array, distinct

TUNNELS = (4, 41, 47, 137)
"""IP protocols that carry packets: IPv4, IPv6, GRE, MPLS."""
CHAIN = 4
"""Extension headers followed on columns."""
QUIC_VERSIONS = (1, 0x6B3343CF)
"""RFC 9000, RFC 9369."""


class _Rows:
    """The columns under construction."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.kind = np.full(count, NOT_IP_KIND, np.uint8)
        self.source = np.zeros(count, np.int64)
        self.destination = np.zeros(count, np.int64)
        self.seq = np.zeros(count, np.uint32)
        self.ack = np.zeros(count, np.uint32)
        self.flags = np.zeros(count, np.uint8)
        self.window = np.zeros(count, np.uint16)
        self.identification = np.zeros(count, np.uint16)
        self.payload_at = np.zeros(count, np.uint32)
        self.payload_length = np.zeros(count, np.uint32)
        self.segment_length = np.zeros(count, np.uint32)

    def put(self, mine: Array, **columns: Array) -> None:
        """Fill columns at the rows `mine`, ascending. Where they are all rows, nothing needs to be moved."""
        for name, values in columns.items():
            column = getattr(self, name)
            if len(mine) == self.count:
                setattr(self, name, values.astype(column.dtype))
            else:
                column[mine] = values


def decode(records: Records, book: AddressBook, unwrapping: Unwrapping | None = None) -> Decoded:
    """Header columns of a chunk of records. `unwrapping` carries fragments from chunk to chunk, and what of this chunk
    does not fit columns. Never raises on octets."""
    count = len(records)
    rows = _Rows(count)
    octets = Octets(records.octets)
    alone: list[tuple[Array, Array, int]] = []
    links = distinct(records.link)
    for link in links:
        mine = np.arange(count) if len(links) == 1 else np.flatnonzero(records.link == link)
        if link not in LINKS:
            rows.kind[mine] = LINK_TYPE
            continue
        at = records.at[mine]
        end = at + records.captured[mine]
        network, ether = LINKS[link](octets, at, end)
        rows.kind[mine[ether < NOT_IP]] = MALFORMED
        rows.kind[mine[ether == ARP]] = ARP_KIND
        if not (ether == ETHER_IPV4).all():
            alone += (
                (mine[pick], network[pick] - at[pick], max(kind, -1))
                for kind in (UNDECIDED, *WRAPPERS)
                for pick in (ether == kind,)
            )
        # octets on the wire that the capture cut off the end of the record
        cut = records.wire[mine].astype(np.int64) - records.captured[mine]
        for wanted, step in ((ETHER_IPV4, _ipv4), (ETHER_IPV6, _ipv6)):
            if (ether == wanted).all():
                alone.append((*step(rows, octets, book, mine, at, network, end, np.maximum(cut, 0)), wanted))
            elif (pick := ether == wanted).any():
                cells = (column[pick] for column in (mine, at, network, end, np.maximum(cut, 0)))
                alone.append((*step(rows, octets, book, *cells), wanted))
    unwrapping = unwrapping or Unwrapping()
    unwrapping.start()
    if any(len(part) for part, _, _ in alone):
        _one_by_one(rows, records, book, alone, unwrapping)
    unwrapping.packets += count
    return Decoded(**{name: getattr(rows, name) for name in Decoded.__slots__})


def _one_by_one(rows: _Rows, records: Records, book: AddressBook, alone: list[tuple[Array, Array, int]],
                unwrapping: Unwrapping) -> None:  # fmt: skip
    """Decode the rows that columns do not cover, in their order: fragments belong together. Each part of `alone` has
    rows, where in the record a layer starts, and its EtherType."""
    mine = np.concatenate([part for part, _, _ in alone])
    start = np.concatenate([at for _, at, _ in alone])
    ether = np.repeat([kind for _, _, kind in alone], [len(part) for part, _, _ in alone])
    order = np.argsort(mine, kind="stable")
    columns = (mine, start, ether, *(column[mine] for column in (records.at, records.captured, records.wire,
                                                                  records.offset, records.time)))  # fmt: skip
    for row, place, kind, at, captured, wire, offset, time in zip(
        *(column[order].tolist() for column in columns), strict=True
    ):
        octets = bytes(records.octets[at : at + captured])
        found = unwrapping.decode(row, octets, wire, offset, time, place, kind, book)
        if isinstance(found, int):
            rows.kind[row] = found
            continue
        for name, value in zip(found._fields, found, strict=True):
            getattr(rows, name)[row] = value


def _ipv4(rows: _Rows, octets: Octets, book: AddressBook, mine: Array, at: Array, network: Array, end: Array,
          cut: Array) -> tuple[Array, Array]:  # fmt: skip
    """IPv4 (RFC 791), options passed over. Returns the rows that are more than columns can do, and where in the record
    each of their headers stands."""
    fits = network + 20 <= end
    if not fits.all():
        rows.kind[mine[~fits]] = MALFORMED
        mine, at, network, end, cut = (column[fits] for column in (mine, at, network, end, cut))
    if not len(mine):
        return mine, mine
    both = octets.window(network, end, IPV4_TCP) if (network + 40 <= end).all() else None
    header = both["ip"] if both is not None else octets.window(network, end, IPV4)
    size = (header["version_ihl"] & 15).astype(np.int64) * 4
    total = header["total_length"].astype(np.int64)
    # total length 0: the kernel left it to the network card to cut the segment up (TSO)
    total = np.where(total == 0, end + cut - network, total)
    bad = (header["version_ihl"] >> 4 != 4) | (size < 20) | (total < size)
    fragment = (header["fragment"] & 0x3FFF) != 0
    protocol = header["protocol"]
    tcp = ~bad & ~fragment & (protocol == 6)
    whole = bool(tcp.all())
    segment = None
    kind = np.zeros(len(mine), np.uint8) if whole else np.select(
        [bad, fragment, tcp, protocol == 17, protocol == 1], [MALFORMED, FRAGMENT, TCP_KIND, UDP, ICMP], OTHER_IP
    )  # fmt: skip
    rows.put(mine, kind=kind)
    transport, stop = network + size, network + total
    left = mine[:0], mine[:0]
    if whole:
        source, destination = header["source"].astype(np.int64), header["destination"].astype(np.int64)
        rows.identification[mine] = header["identification"]
        if both is not None and (size == 20).all():
            segment = both["tcp"]
    else:
        _quic(rows, octets, mine, kind, transport, end)
        pick = kind == TCP_KIND
        alone = (kind == FRAGMENT) | _wrapped(octets, kind, protocol, transport, end)
        left = mine[alone], network[alone] - at[alone]
        source, destination = header["source"][pick].astype(np.int64), header["destination"][pick].astype(np.int64)
        mine, at, transport, stop, end = (column[pick] for column in (mine, at, transport, stop, end))
        rows.identification[mine] = header["identification"][pick]
    _tcp(rows, octets, mine, at, transport, stop, end, source, destination, segment)
    return left


def _wrapped(octets: Octets, kind: Array, protocol: Array, transport: Array, end: Array) -> Array:
    """Which rows carry packets inside."""
    found: Array = (kind == OTHER_IP) & np.isin(protocol, TUNNELS)
    udp = np.flatnonzero(kind == UDP)
    if len(udp):
        found[udp] = np.isin(octets.pairs(transport[udp] + 2, end[udp]), (VXLAN_PORT, GTP_PORT))
    return found


def _ipv6(rows: _Rows, octets: Octets, book: AddressBook, mine: Array, at: Array, network: Array, end: Array,
          cut: Array) -> tuple[Array, Array]:  # fmt: skip
    """IPv6 (RFC 8200), extension headers passed over. Returns the rows that are more than columns can do, and where in
    the record each of their headers stands."""
    fits = network + 40 <= end
    if not fits.all():
        rows.kind[mine[~fits]] = MALFORMED
        mine, at, network, end, cut = (column[fits] for column in (mine, at, network, end, cut))
    if not len(mine):
        return mine, mine
    header = octets.window(network, end, IPV6)
    length = header["payload_length"].astype(np.int64)
    # payload length 0: TSO, or a jumbogram (RFC 2675), which says its length in an option
    stop = np.where(length == 0, end + cut, network + 40 + length)
    following, transport, fragment, short = _chain(octets, header["next_header"].astype(np.int64), network + 40, end)
    bad = (header["version"] >> 28 != 6) | short | (transport > stop)
    kind = np.select(
        [bad, fragment, following == 6, following == 17, following == 58],
        [MALFORMED, FRAGMENT, TCP_KIND, UDP, ICMP], OTHER_IP,
    )  # fmt: skip
    rows.kind[mine] = kind
    long = ~bad & ~fragment & np.isin(following, EXTENSIONS)
    _quic(rows, octets, mine, kind, transport, end)
    pick = kind == TCP_KIND
    if pick.any():
        source = _intern(header["source"][pick], book)
        destination = _intern(header["destination"][pick], book)
        _tcp(rows, octets, mine[pick], at[pick], transport[pick], stop[pick], end[pick], source, destination)
    if not pick.all():
        long |= (kind == FRAGMENT) | _wrapped(octets, kind, following, transport, end)
    return mine[long], network[long] - at[long]


def _chain(octets: Octets, following: Array, at: Array, end: Array) -> tuple[Array, Array, Array, Array]:
    """Pass over extension headers: what follows them, where, whether it is a fragment, whether one is cut off."""
    fragment = np.zeros(len(at), np.bool_)
    short = np.zeros(len(at), np.bool_)
    for _ in range(CHAIN):
        extension = np.isin(following, EXTENSIONS) & ~short & ~fragment
        if not extension.any():
            break
        pair = octets.pairs(at, end)
        short |= extension & (pair < 0)
        size = np.select(
            [following == FRAGMENT_HEADER, following == AUTHENTICATION],
            [8, ((pair & 0xFF) + 2) * 4], ((pair & 0xFF) + 1) * 8,
        )  # fmt: skip
        place = octets.pairs(at + 2, end)
        is_fragment = extension & (following == FRAGMENT_HEADER)
        # offset 0 and no more fragments: an atomic fragment is a whole packet (RFC 6946)
        fragment |= is_fragment & (place >= 0) & (place & 0xFFF9 != 0)
        short |= is_fragment & (place < 0)
        following = np.where(extension & ~short, pair >> 8, following)
        at = np.where(extension & ~short, at + size, at)
    return following, at, fragment, short


def _intern(addresses: Array, book: AddressBook) -> Array:
    """Numbers of 16-octet addresses: once per distinct one."""
    distinct, inverse = np.unique(addresses, return_inverse=True)
    numbers = np.array([book.intern(bytes(address)) for address in distinct.tolist()], np.int64)
    return numbers[inverse.reshape(-1)]


def _quic(rows: _Rows, octets: Octets, mine: Array, kind: Array, transport: Array, end: Array) -> None:
    """Mark UDP to or from port 443 with a QUIC long header (RFC 9000 §17.2) of a known version."""
    udp = kind == UDP
    if not udp.any():
        return
    at, stop = transport[udp], end[udp]
    port = (octets.pairs(at, stop) == 443) | (octets.pairs(at + 2, stop) == 443)
    first = octets.pairs(at + 8, stop)
    version = octets.pairs(at + 9, stop).astype(np.int64) << 16 | octets.pairs(at + 11, stop)
    known = np.isin(version, QUIC_VERSIONS) | (version >> 8 == 0xFF0000)
    rows.kind[mine[udp][port & (first >= 0xC000) & (version >= 0) & known]] = QUIC


def _tcp(rows: _Rows, octets: Octets, mine: Array, at: Array, transport: Array, stop: Array, end: Array,
         source: Array, destination: Array, header: Array | None = None) -> None:  # fmt: skip
    """TCP (RFC 9293 §3.1), options passed over. `header`: read already."""
    fits = (transport + 20 <= end) & (transport + 20 <= stop)
    if not fits.all():
        rows.kind[mine[~fits]] = MALFORMED
        mine, at, transport, stop, end = (column[fits] for column in (mine, at, transport, stop, end))
        source, destination = source[fits], destination[fits]
        header = None
    if not len(mine):
        return
    if header is None:
        header = octets.window(transport, end, TCP)
    data = transport + (header["offset"] >> 4).astype(np.int64) * 4
    bad = (data < transport + 20) | (data > stop)
    if bad.any():
        rows.kind[mine[bad]] = MALFORMED
        good = ~bad
        mine, at, data, stop, end = (column[good] for column in (mine, at, data, stop, end))
        header, source, destination = header[good], source[good], destination[good]
    length = stop - data
    captured = np.clip(np.minimum(stop, end) - data, 0, None)
    rows.put(
        mine, source=source << 16 | header["source_port"], destination=destination << 16 | header["destination_port"],
        seq=header["seq"], ack=header["ack"], flags=header["flags"], window=header["window"],
        payload_at=np.minimum(data, end) - at, payload_length=captured, segment_length=length,
    )  # fmt: skip
