"""The packet decoder against dpkt, over link types, tags, versions, options; cut anywhere; random octets."""

from __future__ import annotations

from ipaddress import ip_address

import dpkt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.capture.records import Records
from analyzer.packets.addresses import AddressBook
from analyzer.packets.decode import decode
from analyzer.packets.decoded import Decoded
from analyzer.packets.link import LINKS
from analyzer.schemas import KINDS
from tests.wire.packets import ACK, PSH, ethernet, ip_packet, link_packet, tcp_packet, udp_packet

V4, V6 = ("10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::2")


def records_of(packets: list[bytes], link: int | list[int] = 1, wire: list[int] | None = None) -> Records:
    """A chunk of records with rubbish between them."""
    parts, at = [], []
    for packet in packets:
        parts.append(b"\xee" * 16)
        at.append(sum(map(len, parts)))
        parts.append(packet)
    octets = b"".join(parts)
    count = len(packets)
    links = [link] * count if isinstance(link, int) else link
    lengths = np.array([len(packet) for packet in packets], np.uint32)
    return Records(
        memoryview(octets), np.array(at, np.int64), np.array(at, np.int64), lengths,
        lengths if wire is None else np.array(wire, np.uint32), np.zeros(count, np.int64), np.array(links, np.int32),
    )  # fmt: skip


def rows(decoded: Decoded) -> list[tuple[int, ...]]:
    """One tuple a record."""
    return list(zip(*(getattr(decoded, name).tolist() for name in Decoded.__slots__), strict=True))


def tcp(ends: tuple[str, str], payload: bytes = b"payload", **more: object) -> bytes:
    """A segment."""
    return tcp_packet(ends[0], 1234, ends[1], 80, 100, 200, PSH | ACK, payload, window=77, **more)  # type: ignore[arg-type]


EXTENSIONS = {
    "none": (), "hop by hop": ((0, b"\0" * 8),), "routing and destination": ((43, b"\0" * 8), (60, b"\0\1" + b"\0" * 14)),
    "atomic fragment": ((44, b"\0" * 8),), "authentication": ((51, b"\0\4" + b"\0" * 22),),
    "six": ((0, b"\0" * 8), (60, b"\0" * 8), (43, b"\0" * 8), (60, b"\0" * 8), (60, b"\0" * 8), (60, b"\0" * 8)),
}  # fmt: skip


@pytest.mark.parametrize("link", sorted(LINKS))
@pytest.mark.parametrize("ends", [V4, V6], ids=["IPv4", "IPv6"])
def test_every_link_type(link: int, ends: tuple[str, str]) -> None:
    builder = {12: 101, 14: 101}.get(link, link)
    if (link, ends) in ((228, V6), (229, V4)):
        pytest.skip("this link type carries the other version only")
    packet = link_packet(tcp(ends), builder)
    book = AddressBook()
    (row,) = rows(decode(records_of([packet], link), book))
    head = len(packet) - len(b"payload")
    source, destination = (book.intern(ip_address(end).packed) for end in ends)
    assert row == (0, source << 16 | 1234, destination << 16 | 80, 100, 200, PSH | ACK, 77, head, 7, 7, 0)
    assert row[1] >> 16 == (int(ip_address(ends[0])) if ends is V4 else 1 << 32)


@pytest.mark.parametrize("tags", [0, 1, 2, 3, 12])
def test_stacked_tags(tags: int) -> None:
    packet = ethernet(tcp(V4), vlans=range(tags))
    (row,) = rows(decode(records_of([packet]), AddressBook()))
    assert (row[0], row[3], row[7], row[8]) == (0, 100, 14 + 4 * tags + 40, 7)


@pytest.mark.parametrize("name", EXTENSIONS)
def test_ipv6_extension_headers(name: str) -> None:
    packet = ethernet(tcp(V6, extensions=EXTENSIONS[name]))
    (row,) = rows(decode(records_of([packet]), AddressBook()))
    assert (row[0], row[3], row[8], row[9]) == (0, 100, 7, 7)
    assert packet[row[7] :] == b"payload"


def test_options_padding_and_offload() -> None:
    with_options = ethernet(tcp(V4, options=b"\x01" * 12, tcp_options=b"\x01" * 20))
    padded = ethernet(tcp(V4, b"")) + b"\0" * 6
    huge = ethernet(tcp(V4, bytes(70_000)))
    found = rows(decode(records_of([with_options, padded, huge]), AddressBook()))
    assert [(row[0], row[8], row[9]) for row in found] == [(0, 7, 7), (0, 0, 0), (0, 70_000, 70_000)]


def test_kinds() -> None:
    quic = udp_packet(V4[0], 5, V4[1], 443, b"\xc0\0\0\0\1" + bytes(20))
    packets = {
        "udp": ethernet(udp_packet(V4[0], 5, V4[1], 53, b"x")), "quic": ethernet(quic),
        "icmp": ethernet(ip_packet(*V4, 1, bytes(8))), "other-ip": ethernet(ip_packet(*V4, 50, bytes(8))),
        "fragment": ethernet(ip_packet(*V4, 6, bytes(40), fragment=0x2000)),
        "arp": ethernet(b"\0" * 28, ethertype=0x0806), "not-ip": ethernet(b"\0" * 40, ethertype=0x88CC),
        "malformed": ethernet(tcp(V4))[:40],
    }  # fmt: skip
    found = decode(records_of(list(packets.values())), AddressBook()).kind.tolist()
    assert [KINDS[kind] for kind in found] == list(packets)
    assert KINDS[int(decode(records_of([b"x" * 60], 147), AddressBook()).kind[0])] == "link-type"


def test_snap_goes_through_dpkt() -> None:
    packet = tcp(V4)
    llc = b"\x02" * 12 + (len(packet) + 8).to_bytes(2, "big") + b"\xaa\xaa\x03\0\0\0\x08\x00" + packet
    (row,) = rows(decode(records_of([llc]), AddressBook()))
    assert (row[0], row[3], row[8]) == (0, 100, 7)


@pytest.mark.parametrize("link", sorted(LINKS))
@pytest.mark.parametrize("ends", [V4, V6], ids=["IPv4", "IPv6"])
def test_cut_anywhere(link: int, ends: tuple[str, str]) -> None:
    whole = link_packet(tcp(ends), {12: 101, 14: 101}.get(link, link))
    cuts = [whole[:stop] for stop in range(len(whole) + 1)]
    found = decode(records_of(cuts, link, [len(whole)] * len(cuts)), AddressBook())
    for packet, row in zip(cuts, rows(found), strict=True):
        assert row[7] + row[8] <= len(packet)
        if row[0] == 0:
            assert (row[9], row[8]) == (7, max(len(packet) - (len(whole) - 7), 0))


@given(st.lists(st.binary(max_size=90), max_size=6), st.sampled_from([*sorted(LINKS), 147]))
def test_random_octets_never_raise(packets: list[bytes], link: int) -> None:
    found = decode(records_of(packets, link), AddressBook())
    for packet, row in zip(packets, rows(found), strict=True):
        assert row[7] + row[8] <= len(packet)
        assert row[8] <= row[9]


@given(st.data())
def test_mutations_agree_with_one_by_one(data: st.DataObject) -> None:
    packets = []
    for _ in range(data.draw(st.integers(1, 5))):
        packet = bytearray(
            ethernet(tcp(data.draw(st.sampled_from([V4, V6]))), vlans=range(data.draw(st.integers(0, 2))))
        )
        for _ in range(data.draw(st.integers(0, 3))):
            packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
        packets.append(bytes(packet))
    book = AddressBook()
    together = rows(decode(records_of(packets), book))
    assert together == [row for packet in packets for row in rows(decode(records_of([packet]), book))]


@given(st.binary(max_size=100), st.binary(max_size=8).map(lambda o: o[: len(o) // 4 * 4]))
def test_dpkt_sees_the_same(payload: bytes, options: bytes) -> None:
    packet = ethernet(tcp(V4, payload, options=options))
    theirs = dpkt.ethernet.Ethernet(packet).data.data
    (row,) = rows(decode(records_of([packet]), AddressBook()))
    assert row[3:7] == (theirs.seq, theirs.ack, theirs.flags, theirs.win)
    assert packet[row[7] : row[7] + row[8]] == theirs.data == payload
