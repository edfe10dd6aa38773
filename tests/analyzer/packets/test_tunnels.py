"""Conversations in tunnels and in fragments against the same conversation plain; cut anywhere; against tshark, scapy."""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import analyzer
from analyzer.analysis.snapshot import Snapshot
from analyzer.cli.main import main
from analyzer.packets.addresses import AddressBook
from analyzer.packets.decode import decode
from analyzer.packets.unwrapping import Unwrapping
from analyzer.schemas import KINDS
from tests.analyzer.packets.test_decode import records_of, rows
from tests.outcome import everything, snapshot_of, story
from tests.wire.captures import pcap
from tests.wire.frames import BINARY, PING, PONG, TEXT, close_payload
from tests.wire.packets import ethernet, ip_packet, tcp_packet, udp_packet
from tests.wire.talks import Talk
from tests.wire.tunnels import (
    ENDS_6,
    Wrapper,
    erspan,
    fragments,
    framed,
    gre,
    gtp,
    in_ip,
    mpls,
    pppoe,
    vxlan,
)  # fmt: skip

ENDS = {4: (("10.0.0.1", 40000), ("10.0.0.2", 80)), 6: (("2001:db8::1", 40000), ("2001:db8::2", 80))}
WRAPPERS: dict[str, tuple[Wrapper, str]] = {
    "4 in 4": (in_ip(("192.0.2.1", "192.0.2.2")), "4in4 192.0.2.1-192.0.2.2"),
    "4 in 6": (in_ip(ENDS_6), "4in6 2001:db8:ff::1-2001:db8:ff::2"),
    "6 in 4": (in_ip(("192.0.2.1", "192.0.2.2")), "6in4 192.0.2.1-192.0.2.2"),
    "6 in 6": (in_ip(ENDS_6), "6in6 2001:db8:ff::1-2001:db8:ff::2"),
    "GRE": (gre(), "GRE 192.0.2.1-192.0.2.2"),
    "GRE over IPv6": (gre(ends=ENDS_6), "GRE 2001:db8:ff::1-2001:db8:ff::2"),
    "GRE, all fields": (gre(key=7, number=9, checked=True), "GRE 192.0.2.1-192.0.2.2 key 7"),
    "GRE, bridged": (gre(key=7, bridged=True), "GRE 192.0.2.1-192.0.2.2 key 7"),
    "ERSPAN I": (erspan(5, 1), "ERSPAN 192.0.2.1-192.0.2.2"),
    "ERSPAN II": (erspan(5), "ERSPAN 192.0.2.1-192.0.2.2 session 5"),
    "ERSPAN III": (erspan(5, 3), "ERSPAN 192.0.2.1-192.0.2.2 session 5"),
    "VXLAN": (vxlan(42), "VXLAN 42"),
    "VXLAN over IPv6": (vxlan(42, ENDS_6), "VXLAN 42"),
    "GTP-U": (gtp(), "GTP-U 192.0.2.1-192.0.2.2"),
    "GTP-U, extensions": (gtp(2), "GTP-U 192.0.2.1-192.0.2.2"),
    "MPLS": (mpls(1), "MPLS"),
    "MPLS, ten labels": (mpls(10), "MPLS"),
    "MPLS, pseudowire": (mpls(2, pseudowire=True), "MPLS"),
    "MPLS, pseudowire without control word": (mpls(2, pseudowire=True, control=False), "MPLS"),
    "PPPoE": (pppoe(17), "PPPoE 17"),
}  # fmt: skip
STACKS = {
    "GTP-U in VXLAN in PPPoE": ((gtp(1), vxlan(9), pppoe(3)), "PPPoE 3, VXLAN 9, GTP-U 192.0.2.1-192.0.2.2"),
    "GRE in 4 in 6 in MPLS": (
        (gre(key=1), in_ip(ENDS_6), mpls(3)), "MPLS, 4in6 2001:db8:ff::1-2001:db8:ff::2, GRE 192.0.2.1-192.0.2.2 key 1"
    ),
    "VXLAN in VXLAN": ((vxlan(1), vxlan(2, ENDS_6)), "VXLAN 2, VXLAN 1"),
}  # fmt: skip


def conversation(version: int = 4, first: int = 0) -> Talk:
    """Frames of all kinds, and a proper close."""
    client, server = ENDS[version]
    talk = Talk((client[0], client[1] + first), server).open().upgrade()
    talk.frame("C", TEXT, "hello").frame("S", TEXT, "h" * 3000).frame("S", PING, b"x").frame("C", PONG, b"x")
    talk.frame("C", BINARY, bytes(range(256)) * 9).frame("S", 8, close_payload(1000, "done")).frame(
        "C", 8, close_payload(1000)
    )
    return talk.fin("S").fin("C").ack("S")


def wrapped(talk: Talk, *wrappers: Wrapper) -> list[tuple[int, bytes]]:
    """Its packets in tunnels, innermost first."""
    found = []
    for (time, frame), segment in zip(talk.packets(), talk.segments, strict=True):
        packet, reverse = frame[14:], bool(segment.side)
        for wrap in wrappers:
            packet = wrap(packet, reverse)
        found.append((time, framed(packet, reverse)))
    return found


def fragmented(packets: list[tuple[int, bytes]], size: int, random: Random | None = None) -> list[tuple[int, bytes]]:
    """The IP packets of Ethernet frames in fragments; `random` shuffles and repeats those of one packet."""
    found = []
    for number, (time, frame) in enumerate(packets):
        parts = fragments(frame[14:], size, number + 1)
        if random:
            parts = [*parts, *random.sample(parts, len(parts) // 2)] if len(parts) > 1 else parts
            random.shuffle(parts)
        found += [(time + place, frame[:14] + part) for place, part in enumerate(parts)]
    return found


def of_version(name: str) -> int:
    return 6 if name.startswith("6") else 4


def tunnels_of(snapshot: Snapshot) -> list[str]:
    return [snapshot.text(code) for code in snapshot["connections"]["tunnel"].tolist()]


@pytest.mark.parametrize("name", [*WRAPPERS, *STACKS])
def test_a_wrapped_conversation_is_the_same(name: str) -> None:
    talk = conversation(of_version(name))
    layers, told = STACKS[name] if name in STACKS else ((WRAPPERS[name][0],), WRAPPERS[name][1])
    octets = pcap(wrapped(talk, *layers))
    assert story(octets) == story(pcap(talk.packets()))
    found = snapshot_of(octets)
    assert tunnels_of(found) == [told]
    assert found["closes"]["verdict"].tolist() == [1]
    assert found.traffic.kinds == {"tcp": len(talk.segments)}
    assert (
        found["frames"]["last_packet"].tolist() == snapshot_of(pcap(talk.packets()))["frames"]["last_packet"].tolist()
    )
    assert everything(octets, 150) == everything(octets)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("size", [8, 16, 48, 512, 1400])
def test_fragments_are_put_together(version: int, size: int) -> None:
    talk = conversation(version)
    plain = story(pcap(talk.packets()))
    for random in (None, Random(1), Random(2)):
        octets = pcap(fragmented(talk.packets(), size, random))
        assert story(octets) == plain
        assert everything(octets, 150) == everything(octets)
        traffic, same = snapshot_of(octets).traffic, snapshot_of(octets, 150).traffic
        assert (traffic.datagrams, traffic.fragments_repeated) == (same.datagrams, same.fragments_repeated)
        assert (traffic.fragments_lost, traffic.unseen, traffic.kinds["tcp"]) == (0, 0, len(talk.segments))


@pytest.mark.parametrize("name", ["VXLAN", "GTP-U, extensions", "GRE, bridged", "4 in 6", "6 in 4", "VXLAN over IPv6"])
def test_fragments_inside_and_outside_of_tunnels(name: str) -> None:
    talk = conversation(of_version(name))
    plain = story(pcap(talk.packets()))
    wrap = WRAPPERS[name][0]
    outside = fragmented(wrapped(talk, wrap), 104, Random(3))
    inside = [
        (time + place, framed(wrap(part, bool(segment.side)), bool(segment.side)))
        for number, ((time, frame), segment) in enumerate(zip(talk.packets(), talk.segments, strict=True))
        for place, part in enumerate(fragments(frame[14:], 200, number + 1))
    ]
    for packets in (outside, inside, fragmented(inside, 64, Random(4))):
        octets = pcap(packets)
        assert story(octets) == plain
        assert everything(octets, 150) == everything(octets)


def test_a_segment_of_k_fragments_is_k_spans() -> None:
    talk = Talk().open().upgrade().frame("S", BINARY, bytes(1000))
    packets = talk.packets()
    parts = fragments(packets[-1][1][14:], 256, 9)
    parts = [parts[2], parts[0], parts[3], parts[1]]
    packets = [*packets[:-1], *((packets[-1][0] + place, ethernet(part)) for place, part in enumerate(parts))]
    first = len(packets) - 4
    found = snapshot_of(pcap(packets))
    spans = found["spans"]
    mine = np.flatnonzero(spans["packet"] >= first)
    # the frame of 1,004 octets; 20 octets of TCP header stand in the first fragment
    assert spans["length"][mine].tolist() == [236, 256, 256, 256]
    assert spans["packet"][mine].tolist() == [first + place for place in (1, 3, 0, 2)]
    assert [KINDS[kind] for kind in found["packets"]["kind"][first:].tolist()] == ["fragment"] * 3 + ["tcp"]
    row = found["packets"].row(first + 3)
    assert (row["payload_length"], row["segment_length"]) == (1004, 1004)
    frame = found["frames"].row(0)
    assert (frame["first_packet"], frame["last_packet"], frame["missing"]) == (first + 1, first + 2, 0)


def test_fragmented_segments_out_of_order_and_across_chunks() -> None:
    talk = conversation()
    packets = talk.packets()
    packets[4:9] = reversed(packets[4:9])
    octets = pcap(
        fragmented([(1_700_000_000_000_000_000 + place, frame) for place, (_, frame) in enumerate(packets)], 64)
    )
    assert {key: cells for key, cells in story(octets).items() if key != "close"} == {
        key: cells for key, cells in story(pcap(talk.packets())).items() if key != "close"
    }
    assert everything(octets, 100) == everything(octets, 999) == everything(octets)


def test_cut_fragments_are_holes_of_known_length() -> None:
    talk = Talk().open().upgrade().frame("S", BINARY, b"\7" * 1000).fin("S").fin("C")
    packets = fragmented(talk.packets(), 256)
    cut = pcap(packets, snaplen=234)

    def lost(some: list[tuple[int, bytes]]) -> int:
        return sum(max(len(frame) - 234, 0) for _, frame in some)

    found = snapshot_of(cut)
    assert found.traffic.unseen == lost(packets)
    frame = found["frames"].row(0)
    # framing goes on behind each hole: what is missing is what was cut off, no more
    assert frame["missing"] == lost(fragmented([talk.packets()[5]], 256))
    assert frame["payload_length"] == 1000
    spans = found["spans"]
    mine = spans["offset"] >= frame["offset"]
    assert spans["kind"][mine & (spans["direction"] == 1)].tolist() == [0, 1] * 4 + [4]
    assert everything(cut, 150) == everything(cut)


def test_overlapping_fragments_first_copy_wins(capsys: pytest.CaptureFixture[str]) -> None:
    talk = Talk().open().upgrade().frame("S", TEXT, "a" * 600).fin("S").fin("C")
    packets = talk.packets()
    time, frame = packets[5]
    one, two, three = fragments(frame[14:], 256, 9)
    source, destination = "10.0.0.2", "10.0.0.1"
    evil = ip_packet(source, destination, 6, b"z" * 248, identification=9, fragment=0x2000 | 264 >> 3)
    for parts, note in (
        ([one, evil, two, three], False),
        ([one, two, evil, three], True),
        ([one, two, one, two, three], None),
    ):
        mine = [*packets[:5], *((time + place, ethernet(part)) for place, part in enumerate(parts)), *packets[6:]]
        found = snapshot_of(pcap(mine))
        octets = story(pcap(mine))["messages"][0][-1]
        codes = found["notes"]["code"].tolist()
        assert codes.count(25) == (note is not None)
        if note is not False:
            assert octets == b"a" * 600
        else:
            assert b"z" in octets
            assert octets.startswith(b"a")


def test_fragments_that_never_complete_are_bounded_and_counted() -> None:
    lonely = [
        (1_700_000_000_000_000_000 + number, ethernet(ip_packet("10.0.0.1", "10.0.0.2", 6, bytes(64), identification=number, fragment=0x2000)))
        for number in range(6000)
    ]  # fmt: skip
    talk = conversation()
    found = snapshot_of(pcap([*lonely, *talk.packets()]))
    assert found.traffic.fragments_lost == 6000
    assert story(pcap([*lonely, *talk.packets()])) == story(pcap(talk.packets()))
    unwrapping = Unwrapping()
    decode(records_of([frame for _, frame in lonely]), AddressBook(), unwrapping)
    assert len(unwrapping.fragments._open) <= 4096
    big = [frame[:20] + bytes([frame[20] | 0x20]) + frame[21:] + bytes(1400) for _, frame in lonely]
    unwrapping = Unwrapping()
    decode(records_of(big), AddressBook(), unwrapping)
    assert unwrapping.fragments.held <= 4 << 20


def test_an_identification_used_again_is_another_datagram() -> None:
    """Half a datagram, and 31 s later a whole one with the same identification."""
    talk = Talk().open().upgrade().frame("S", TEXT, "a" * 600)
    packets = talk.packets()
    time, frame = packets[-1]
    old = fragments(tcp_packet("10.0.0.2", 80, "10.0.0.1", 40000, 1, payload=b"old" * 200), 256, 9)[0]
    later = time + 31_000_000_000
    new = [(later + place, ethernet(part)) for place, part in enumerate(fragments(frame[14:], 256, 9))]
    octets = pcap([*packets[:-1], (time, ethernet(old)), *new])
    assert story(octets)["messages"][0][-1] == b"a" * 600
    assert snapshot_of(octets).traffic.fragments_lost == 1


def test_tunnels_keep_equal_endpoints_apart_and_directions_together() -> None:
    pairs: list[tuple[Wrapper, Wrapper]] = [
        (vxlan(1), vxlan(2)), (gre(key=1), gre(key=2)), (gre(), gre(ends=("192.0.2.1", "192.0.2.3"))),
        (gtp(), gtp(ends=("192.0.2.1", "192.0.2.3"))), (pppoe(1), pppoe(2)), (erspan(1), erspan(2)),
        (in_ip(("192.0.2.1", "192.0.2.2")), in_ip(ENDS_6)), (gre(), lambda packet, reverse: packet),
    ]  # fmt: skip
    for one, other in pairs:
        packets = [
            pair
            for both in zip(wrapped(conversation(), one), wrapped(conversation(), other), strict=True)
            for pair in both
        ]
        found = snapshot_of(pcap(packets))
        assert len(found["streams"]) == 2
        assert found["closes"]["verdict"].tolist() == [1, 1]
    # a VLAN tag is no tunnel
    tagged = [(time, frame[:12] + b"\x81\0\0\5" + frame[12:] if place % 2 else frame)
              for place, (time, frame) in enumerate(conversation().packets())]  # fmt: skip
    assert len(snapshot_of(pcap(tagged))["streams"]) == 1


def test_what_is_not_understood_is_counted_by_kind(save: Callable[..., str]) -> None:
    inner = ethernet(b"\0" * 28, ethertype=0x0806)
    deep = tcp_packet("10.0.0.1", 1, "10.0.0.2", 2, 3)
    for _ in range(17):
        deep = in_ip(("192.0.2.1", "192.0.2.2"))(deep, False)
    packets = {
        "arp": udp_packet("192.0.2.1", 5, "192.0.2.2", 4789, b"\x08\0\0\0\0\0\1\0" + inner),
        "udp": gre()(udp_packet("10.0.0.1", 5, "10.0.0.2", 53, b"x"), False),
        "tunnel-control": udp_packet("192.0.2.1", 2152, "192.0.2.2", 2152, b"\x32\1\0\4\0\0\0\0\0\1\0\0"),
        "tunnel-other": ip_packet("192.0.2.1", "192.0.2.2", 47, b"\x30\1\x88\x0b" + bytes(30)),
        "tunnel-deep": deep,
        "malformed": gre()(tcp_packet("10.0.0.1", 1, "10.0.0.2", 2, 3)[:30], False),
    }  # fmt: skip
    found = decode(records_of([ethernet(packet) for packet in packets.values()]), AddressBook())
    assert [KINDS[kind] for kind in found.kind.tolist()] == list(packets)
    with analyzer.open(save(pcap([(1, ethernet(packet)) for packet in packets.values()]))) as capture:
        ignored = capture.completeness.ignored
        assert ignored["too many tunnels inside each other"] == 1
        assert ignored["in a tunnel, of a kind without a decoder"] == 1
        assert ignored["messages of a tunnel itself"] == 1
        assert not capture.completeness.whole


@pytest.mark.parametrize("name", [*WRAPPERS, *STACKS])
def test_cut_anywhere(name: str) -> None:
    talk = conversation(of_version(name))
    layers = STACKS[name][0] if name in STACKS else (WRAPPERS[name][0],)
    for index in (0, 5):
        whole = wrapped(talk, *layers)[index][1]
        length = len(talk.segments[index].payload)
        head = len(whole) - length
        for stop in range(len(whole) + 1):
            (row,) = rows(decode(records_of([whole[:stop]], 1, [len(whole)]), AddressBook()))
            assert row[7] + row[8] <= stop
            if row[0] == 0:
                assert (row[9], row[8]) == (length, max(stop - head, 0))
            else:
                assert stop < head


@given(st.data())
def test_hostile_octets_never_raise(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*WRAPPERS]))
    packets = wrapped(conversation(of_version(name)), WRAPPERS[name][0])[:8]
    if data.draw(st.booleans()):
        packets = fragmented(
            [
                (0, framed(p[14:], False))
                if p[12:14] in (b"\x08\0", b"\x86\xdd")
                else (0, ethernet(tcp_packet("10.0.0.1", 1, "10.0.0.2", 2, 3, payload=bytes(99))))
                for _, p in packets
            ],
            40,
        )[:40]
    changed = []
    for time, packet in packets:
        octets = bytearray(packet)
        for _ in range(data.draw(st.integers(0, 3))):
            octets[data.draw(st.integers(0, min(len(octets), 120) - 1))] = data.draw(st.integers(0, 255))
        changed.append(
            (time, bytes(octets[: data.draw(st.integers(0, len(octets)))] if data.draw(st.booleans()) else octets))
        )
    octets_of = pcap(changed)
    assert everything(octets_of, 100) == everything(octets_of)


@given(
    st.lists(st.binary(min_size=0, max_size=90), max_size=4),
    st.sampled_from([0x8847, 0x8864, 4, 41, 47, 137, 4789, 2152]),
)
def test_random_octets_behind_tunnel_headers_never_raise(packets: list[bytes], kind: int) -> None:
    made = [
        ethernet(octets, ethertype=kind) if kind > 0x8000
        else ethernet(udp_packet("10.0.0.1", 1, "10.0.0.2", kind, octets)) if kind > 1000
        else ethernet(ip_packet("10.0.0.1", "10.0.0.2", kind, octets))
        for octets in packets
    ]  # fmt: skip
    decode(records_of(made), AddressBook())


def test_a_thousand_nested_headers_end() -> None:
    inner = ip_packet("10.0.0.1", "10.0.0.2", 4, b"")[:20]
    nested = b"".join(inner[:2] + (20 * (3000 - place)).to_bytes(2, "big") + inner[4:] for place in range(3000))
    labels = bytes(4) * 15000
    found = decode(records_of([ethernet(nested), ethernet(labels, ethertype=0x8847)]), AddressBook())
    assert [KINDS[kind] for kind in found.kind.tolist()] == ["tunnel-deep", "malformed"]


def scapy_layers() -> dict[str, Any]:
    """The same encapsulations as scapy builds them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer
        from scapy.contrib.mpls import MPLS, EoMCW
        from scapy.layers.inet import IP, UDP
        from scapy.layers.inet6 import IPv6
        from scapy.layers.l2 import GRE, Ether
        from scapy.layers.ppp import PPP, PPPoE
        from scapy.layers.vxlan import VXLAN
    outer = Ether() / IP(src="192.0.2.1", dst="192.0.2.2")
    return {
        "4 in 4": lambda packet: outer / IP(packet), "4 in 6": lambda packet: Ether() / IPv6(src=ENDS_6[0], dst=ENDS_6[1]) / IP(packet),
        "GRE, all fields": lambda packet: outer / GRE(key_present=1, key=7, seqnum_present=1, chksum_present=1) / IP(packet),
        "GRE, bridged": lambda packet: outer / GRE(key_present=1, key=7, proto=0x6558) / Ether(ethernet(packet)),
        "VXLAN": lambda packet: outer / UDP(sport=5, dport=4789) / VXLAN(vni=42, flags=8) / Ether(ethernet(packet)),
        "GTP-U, extensions": lambda packet: outer / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=5, E=1, next_ex=0x85)
        / GTPPDUSessionContainer(type=0, QFI=1) / IP(packet),
        "MPLS": lambda packet: Ether(type=0x8847) / MPLS(label=5, s=0) / MPLS(label=6, s=1) / IP(packet),
        "MPLS, pseudowire": lambda packet: Ether(type=0x8847) / MPLS(label=5, s=1) / EoMCW() / Ether(ethernet(packet)),
        "PPPoE": lambda packet: Ether(type=0x8864) / PPPoE(sessionid=17) / PPP(proto=0x21) / IP(packet),
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_scapy_builds_the_same() -> None:
    packet = tcp_packet("10.0.0.1", 40000, "10.0.0.2", 80, 7, 8, payload=b"payload")
    for name, build in scapy_layers().items():
        book, unwrapping = AddressBook(), Unwrapping()
        octets = bytes(build(packet))
        (row,) = rows(decode(records_of([octets]), book, unwrapping))
        assert (KINDS[row[0]], row[3:5], row[8:10]) == ("tcp", (7, 8), (7, 7)), name
        assert octets[row[7] : row[7] + 7] == b"payload"
        assert unwrapping.tunnels == {0: WRAPPERS[name][1]}


TSHARK = [name for name in [*WRAPPERS, *STACKS] if name not in ("ERSPAN I",)]


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
@pytest.mark.parametrize("name", [*TSHARK, "fragments", "IPv6 fragments"])
def test_tshark_sees_the_same_frames(name: str, save: Callable[..., str]) -> None:
    talk = conversation(6 if name.startswith(("6", "IPv6")) else 4)
    if name in ("fragments", "IPv6 fragments"):
        packets = fragmented(talk.packets(), 512)
    else:
        packets = wrapped(talk, *(STACKS[name][0] if name in STACKS else (WRAPPERS[name][0],)))
    path = save(pcap(packets))
    # what a label carries is configured, not said
    carried = {"MPLS, pseudowire": "pwethcw", "MPLS, pseudowire without control word": "pwethnocw"}.get(name)
    told = [word for label in (101, 150) for word in ("-d", f"mpls.label=={label},{carried}")] if carried else []
    command = ["tshark", "-r", path, *told, "-o", "ip.defragment:TRUE", "-Y", "websocket", "-T", "fields",
               "-e", "frame.number", "-e", "tcp.stream", "-e", "websocket.opcode"]  # fmt: skip
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    theirs = [
        (int(number), int(stream), int(opcode))
        for number, stream, opcodes in (line.split("\t") for line in out.splitlines())
        for opcode in opcodes.split(",")
    ]
    with analyzer.open(path) as capture:
        ours = [(frame.packet, frame.stream, frame.row) for frame in capture.frames]
        opcodes = capture.snapshot["frames"]["opcode"].tolist()
    assert [(packet, stream, opcode) for (packet, stream, _), opcode in zip(ours, opcodes, strict=True)] == theirs


def test_views_say_in_which_tunnel(save: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    path = save(pcap(wrapped(conversation(), vxlan(42))))
    for verb in ("summary", "explain", "connections"):
        assert main([verb, path]) == 0
        assert re.search(r"(in|inside) +VXLAN 42", capsys.readouterr().out)
    assert main(["connections", "--json", "--filter", "tunnel contains 'VXLAN 42'", path]) == 0
    assert '"tunnel":"VXLAN 42"' in capsys.readouterr().out.replace(" :", ":").replace('": "', '":"')
    assert main(["summary", save(pcap(fragmented(conversation().packets(), 512)))]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "put together from fragments" in out
    assert "complete:" in out
    assert "not complete" not in out
