"""The builders of synthetic traffic, read back by dpkt, wsproto and zlib."""

from __future__ import annotations

import zlib
from io import BytesIO
from itertools import pairwise
from random import Random

import dpkt
import pytest
from wsproto.frame_protocol import FrameProtocol

from tests.bench.workloads import WORKLOADS, write_all
from tests.wire.captures import ENHANCED, OLD_PACKET, pcap, pcapng
from tests.wire.frames import BINARY, CLOSE, PING, TAIL, TEXT, Deflater, close_payload, deflate, frame, mask_octets
from tests.wire.handshakes import KEY, accept_value
from tests.wire.packets import checksum, ip_packet, tcp_packet, udp_packet
from tests.wire.talks import Segment, Talk, duplicate, resegment, shuffle_within

V4, V6 = ("10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::2")
PAYLOADS = (b"", b"x", b"odd", b"even" * 100, bytes(range(256)) * 5 + b"!")


def chat() -> Talk:
    """A short conversation whose sequence numbers wrap."""
    talk = Talk(seq=(2**32 - 40, 2**32 - 90)).open().upgrade()
    talk.frame("C", TEXT, "hello" * 40).frame("S", BINARY, bytes(5000)).ack("C").frame("C", PING, "x")
    return talk.frame("S", CLOSE, close_payload(1000)).fin("S").fin("C")


def streams(segments: list[Segment]) -> list[bytes]:
    """What TCP delivers on each side: every octet at its place, and the same wherever it was sent twice."""
    out = []
    for side in (0, 1):
        start = next(segment.seq for segment in segments if segment.side == side and segment.flags & 2) + 1
        held: dict[int, int] = {}
        for segment in (segment for segment in segments if segment.side == side):
            at = (segment.seq - start) & 0xFFFFFFFF
            for index, octet in enumerate(segment.payload):
                assert held.setdefault(at + index, octet) == octet
        assert sorted(held) == list(range(len(held)))
        out.append(bytes(held[at] for at in range(len(held))))
    return out


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("ends", [V4, V6], ids=["IPv4", "IPv6"])
def test_checksums_are_those_of_dpkt(ends: tuple[str, str], payload: bytes) -> None:
    for packet in (
        tcp_packet(ends[0], 40000, ends[1], 80, 7, 9, 24, payload, tcp_options=b"\x02\x04\x05\xb4\x01"),
        udp_packet(ends[0], 40000, ends[1], 443, payload),
    ):
        ip = (dpkt.ip.IP if ends is V4 else dpkt.ip6.IP6)(packet)
        assert bytes(ip.data.data) == payload
        stated = ip.data.sum
        ip.data.sum = 0
        if ends is V4:
            assert checksum(packet[:20]) == 0
            ip.sum = 0  # dpkt fills in what is zero
            again = dpkt.ip.IP(bytes(ip))
        else:
            again = dpkt.ip6.IP6(bytes(ip))
        assert again.data.sum == stated


def test_headers_with_options_and_extensions() -> None:
    optioned = dpkt.ip.IP(ip_packet(*V4, 6, b"", options=b"\x94\x04\x00\x00"))
    assert (optioned.hl, optioned.opts) == (6, b"\x94\x04\x00\x00")
    chained = dpkt.ip6.IP6(ip_packet(*V6, 17, bytes(8), extensions=((0, bytes(8)), (60, bytes(8)))))
    assert [chained.nxt, *(header.nxt for header in chained.all_extension_headers)] == [0, 60, 17]


@pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536])
@pytest.mark.parametrize("mask", [None, b"\x01\x02\x03\x04"])
def test_frames_are_read_by_wsproto(length: int, mask: bytes | None) -> None:
    reader = FrameProtocol(client=mask is None, extensions=[])
    reader.receive_bytes(frame(BINARY, bytes(length), mask=mask))
    assert b"".join(bytes(part.payload) for part in reader.received_frames()) == bytes(length)


def test_wrong_frames_are_written_as_told() -> None:
    assert frame(TEXT, "a", length_form=16) == b"\x81\x7e\x00\x01a"
    assert frame(TEXT, "a", length_form=64) == b"\x81\x7f" + bytes(7) + b"\x01a"
    assert frame(TEXT, b"", fin=False, rsv=5, length=2**63) == b"\x51\x7f\x80" + bytes(7)
    assert mask_octets(mask_octets(b"hello", b"abcd"), b"abcd") == b"hello"


def test_accept_value_of_the_standard() -> None:
    assert accept_value(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 §1.3


@pytest.mark.parametrize("takeover", [True, False])
def test_deflated_messages_inflate(takeover: bool) -> None:
    deflater = Deflater(takeover)
    inflater = zlib.decompressobj(-15)
    for message in (b"Hello", b"Hello", b"", b"tick" * 99):
        if not takeover:
            inflater = zlib.decompressobj(-15)
        assert inflater.decompress(deflater.piece(message) + TAIL) == message
    assert deflate("Hello") == bytes.fromhex("f248cdc9c90700")  # RFC 7692 §7.2.3.1
    final = zlib.decompressobj(-15)
    assert final.decompress(deflater.final(b"") + TAIL) == b""
    assert final.eof


@pytest.mark.parametrize("nanos", [True, False])
@pytest.mark.parametrize("big", [True, False])
def test_pcap_is_read_by_dpkt(nanos: bool, big: bool) -> None:
    packets = chat().packets()
    read = [(time, octets) for time, octets in dpkt.pcap.Reader(BytesIO(pcap(packets, nanos=nanos, big=big)))]
    assert [octets for _, octets in read] == [octets for _, octets in packets]
    assert [int(time * 1_000_000) for time, _ in read] == [time // 1000 for time, _ in packets]


@pytest.mark.parametrize("kind", [ENHANCED, OLD_PACKET])
@pytest.mark.parametrize("big", [True, False])
def test_pcapng_is_read_by_dpkt(kind: int, big: bool) -> None:
    packets = chat().packets()
    read = list(dpkt.pcapng.Reader(BytesIO(pcapng(packets, kind=kind, big=big))))
    assert [octets for _, octets in read] == [octets for _, octets in packets]


@pytest.mark.parametrize("seed", range(20))
def test_damage_that_tcp_repairs_keeps_the_octets(seed: int) -> None:
    random = Random(seed)
    original = chat().segments
    cut = resegment(original, random)
    for segments in (cut, duplicate(cut, random), shuffle_within(cut, random, 4)):
        assert streams(segments) == streams(original)
        assert all(a.time < b.time for a, b in pairwise(segments))
    assert resegment(original, Random(seed)) == resegment(original, Random(seed))


@pytest.mark.parametrize("name", WORKLOADS)
def test_workloads_are_valid_tcp(name: str, tmp_path: object) -> None:
    (path,) = write_all(tmp_path, 2000, [name])  # type: ignore[arg-type]
    expected: dict[tuple[bytes, int, int], int] = {}
    count = 0
    for _, octets in dpkt.pcap.Reader(BytesIO(path.read_bytes())):
        packet = dpkt.ethernet.Ethernet(octets).data
        tcp = packet.data
        assert checksum(octets[14:34]) == 0
        assert packet.len == len(octets) - 14
        key = (packet.src, tcp.sport, tcp.dport)
        assert expected.setdefault(key, tcp.seq) == tcp.seq
        expected[key] = (tcp.seq + len(tcp.data) + bool(tcp.flags & 3)) & 0xFFFFFFFF
        if tcp.flags & 16:
            assert tcp.ack == expected[packet.dst, tcp.dport, tcp.sport]
        count += 1
    assert count >= 2000
