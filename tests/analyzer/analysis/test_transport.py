"""What TCP does beside delivering: copies that differ, checksums, resets, probes, stalls, round trips, duplicates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import analyzer
from analyzer.analysis.pipeline import analyze
from analyzer.analysis.snapshot import Snapshot
from analyzer.capture.files import open_source
from analyzer.cli.main import main
from analyzer.limits import Limits
from analyzer.packets.checksum import Checksum, judge
from dissectors.notes import Note
from tests.outcome import everything, snapshot_of, story
from tests.wire.captures import interface, packet_block, pcap, section
from tests.wire.frames import CLOSE, TEXT, close_payload, frame
from tests.wire.handshakes import request, response
from tests.wire.packets import ACK, PSH, RST, SYN, URG, ethernet, tcp_packet
from tests.wire.talks import START, Segment, Talk

Save = Callable[..., str]
Packet = tuple[int, bytes]
MS = 1_000_000
CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 80)


def packet(
    segment: Segment, window: int = 65535, identification: int = 0, ttl: int = 64, broken: bool = False
) -> Packet:
    source, destination = (CLIENT, SERVER) if segment.side == 0 else (SERVER, CLIENT)
    octets = tcp_packet(
        *source, *destination, segment.seq, segment.ack, segment.flags, segment.payload, window,
        identification=identification, ttl=ttl,
    )  # fmt: skip
    if broken:
        octets = octets[:36] + bytes([octets[36] ^ 0x55]) + octets[37:]
    return segment.time, ethernet(octets, reverse=bool(segment.side))


def opened() -> Talk:
    return Talk().open().upgrade()


def ended(talk: Talk) -> Talk:
    return talk.ack("C").fin("S").fin("C").ack("S")


def codes(snapshot: Snapshot) -> list[Note]:
    return [Note(code) for code in snapshot["notes"]["code"].tolist() if code < 30]


def connection(snapshot: Snapshot) -> dict[str, int]:
    return snapshot["connections"].row(0)


def texts(octets: bytes, save: Save, **limits: object) -> tuple[list[str], list[Note], list[str]]:
    """Text of messages, codes of TCP's notes, their details."""
    with analyzer.open(save(octets), limits=Limits(**limits)) as capture:  # type: ignore[arg-type]
        said = [message.text for message in capture.messages]
        notes = capture.snapshot["notes"]
        return said, codes(capture.snapshot), [capture.snapshot.text(code) for code in notes["detail"].tolist()]


def forged(mine: str = "real", other: str = "fake", **how: object) -> tuple[Talk, list[Packet]]:
    """A text message whose packet comes twice, with other octets the second time."""
    talk = opened()
    talk.frame("S", TEXT, mine)
    again = replace(talk.segments[-1], payload=frame(TEXT, other), time=talk.time)
    talk.time += MS
    ended(talk)
    packets = [packet(segment) for segment in talk.segments]
    return talk, [*packets[:6], packet(again, **how), *packets[6:]]  # type: ignore[arg-type]


def test_the_first_copy_counts_and_the_other_is_kept(save: Save) -> None:
    _, packets = forged()
    said, found, details = texts(pcap(packets), save)
    assert said == ["real"]
    assert found == [Note.TCP_OVERLAP_DIFFERS]
    assert "packet 7, whose checksum is right; delivered: packet 6, whose checksum is right" in details
    snapshot = snapshot_of(pcap(packets))
    spans = snapshot["spans"]
    (copy,) = [row for row in spans if row["kind"] == 2]
    assert (copy["packet"], copy["length"]) == (6, 6)
    note = next(row for row in snapshot["notes"] if row["code"] == Note.TCP_OVERLAP_DIFFERS)
    start = copy["offset"] + 2
    assert (note["offset"], note["length"], note["packet"]) == (start, 4, 6)


def test_the_last_copy_counts_where_that_is_asked_for(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    _, packets = forged()
    said, found, _ = texts(pcap(packets), save, overlap="last")
    assert (said, found) == (["fake"], [Note.TCP_OVERLAP_DIFFERS])
    path = save(pcap(packets))
    for policy, text in (("first", "real"), ("last", "fake")):
        main(["messages", "--json", "--payload", "text", "--overlap", policy, path])
        assert text in capsys.readouterr().out


def test_a_checksum_decides_between_copies(save: Save) -> None:
    talk, packets = forged()
    broken = [*packets[:5], packet(talk.segments[5], broken=True), *packets[6:]]
    for policy in ("first", "last"):
        said, found, _ = texts(pcap(broken), save, overlap=policy)
        assert said == ["fake"]
        assert Note.TCP_OVERLAP_DIFFERS in found
        assert found.count(Note.TCP_CHECKSUM_WRONG) == 1
    _, packets = forged(broken=True)
    for policy in ("first", "last"):
        assert texts(pcap(packets), save, overlap=policy)[0] == ["real"]


def test_copies_beyond_the_limit_are_counted_once(save: Save) -> None:
    talk = opened().frame("S", TEXT, "real")
    fake = replace(talk.segments[-1], payload=frame(TEXT, "fake"), time=talk.time)
    packets = [packet(segment) for segment in ended(talk).segments]
    capture = pcap([*packets[:6], *[packet(fake)] * 5, *packets[6:]])
    said, found, details = texts(capture, save, overlaps=2)
    assert (said, found) == (["real"], [Note.TCP_OVERLAP_DIFFERS] * 2 + [Note.TCP_NOT_COMPARED])
    assert details[-1] == "copies: 3"
    assert Note.TCP_NOT_COMPARED not in texts(capture, save, overlaps=5)[1]


@pytest.mark.parametrize("chunk", [150, 700])
@pytest.mark.parametrize("policy", ["first", "last"])
def test_a_correction_does_not_depend_on_chunks(save: Save, chunk: int, policy: str) -> None:
    talk, packets = forged()
    broken = [*packets[:5], packet(talk.segments[5], broken=True), *packets[6:]]
    for capture in (packets, broken):
        path = save(pcap(capture))
        found = []
        for size in (chunk, 4 << 20):
            source = open_source([path])
            snapshot = analyze(source, limits=Limits(chunk=size, overlap=policy))  # type: ignore[arg-type]
            found.append([list(snapshot[name]) for name in ("spans", "frames", "messages", "notes", "connections")])
            source.close()
        assert found[0] == found[1]


def test_a_repeat_with_the_same_octets_says_nothing(save: Save) -> None:
    _, packets = forged("same", "same")
    said, found, _ = texts(pcap(packets), save)
    assert (said, found) == (["same"], [])
    assert connection(snapshot_of(pcap(packets)))["server_retransmitted"] == 1


def test_partial_overlaps_are_compared_where_they_overlap(save: Save) -> None:
    talk = opened()
    whole = frame(TEXT, "a" * 60)
    talk.send("S", whole, mss=20)
    first = talk.segments[-4]
    bad = replace(first, seq=first.seq + 10, payload=whole[10:18] + b"XY" + whole[20:28], time=talk.time)
    ended(talk)
    packets = [packet(segment) for segment in talk.segments]
    said, found, _ = texts(pcap([*packets[:9], packet(bad), *packets[9:]]), save)
    assert said == ["a" * 60]
    assert found == [Note.TCP_OVERLAP_DIFFERS]


def test_resets_that_the_receiver_does_not_accept(save: Save) -> None:
    for ahead in (2**20 + 5, 2**30 + 5, 2**31):
        talk = opened()
        talk.segments.append(Segment(talk.time, 1, (talk.next[1] + ahead) & 0xFFFFFFFF, talk.next[0], RST | ACK))
        ended(talk.frame("S", TEXT, "goes on"))
        with analyzer.open(save(pcap(talk.packets()))) as capture:
            assert [message.text for message in capture.messages] == ["goes on"]
            assert codes(capture.snapshot) == [Note.TCP_RESET_OUT_OF_WINDOW]
            assert capture.snapshot["closes"].row(0)["end"] == 1


def test_a_reset_behind_what_was_acknowledged() -> None:
    talk = opened().frame("S", TEXT, "one").ack("C")
    talk.segments.append(Segment(talk.time, 1, talk.next[1] - 4, talk.next[0], RST))
    ended(talk)
    snapshot = snapshot_of(pcap(talk.packets()))
    assert codes(snapshot) == [Note.TCP_RESET_OUT_OF_WINDOW]
    assert snapshot["closes"].row(0)["end"] == 1


def test_a_reset_in_place_ends_the_connection() -> None:
    snapshot = snapshot_of(pcap(opened().frame("S", TEXT, "one").rst("S").packets()))
    assert codes(snapshot) == []
    assert snapshot["closes"].row(0)["end"] == 2


def test_data_after_a_fin() -> None:
    talk = opened().fin("S")
    talk.send("S", b"\x81\x01a").fin("C")
    assert codes(snapshot_of(pcap(talk.packets()))) == [Note.TCP_DATA_AFTER_FIN]


def test_data_with_the_syn(save: Save) -> None:

    talk = Talk()
    talk.segment(0, SYN, request()).segment(1, SYN | ACK).segment(0, ACK).send("S", response())
    ended(talk.frame("S", TEXT, "fast"))
    said, found, _ = texts(pcap(talk.packets()), save)
    assert (said, found) == (["fast"], [Note.TCP_DATA_WITH_SYN])


def test_urgent_data_is_told_once(save: Save) -> None:
    talk = opened()
    for word in ("one", "two"):
        talk.segment(1, PSH | ACK | URG, frame(TEXT, word))
    said, found, details = texts(pcap(ended(talk).packets()), save)
    assert (said, found) == (["one", "two"], [Note.TCP_URGENT])
    assert "2 packets" in details


def test_keepalives_are_not_retransmissions() -> None:
    talk = opened().frame("S", TEXT, "x").ack("C").wait(60)
    before = talk.next[1] - 1
    for octets in (b"\x00", b""):
        talk.segments.append(Segment(talk.time, 1, before, talk.next[0], ACK, octets))
        talk.ack("C").wait(60)
    snapshot = snapshot_of(pcap(ended(talk).packets()))
    row = connection(snapshot)
    assert (row["server_keepalives"], row["server_retransmitted"], codes(snapshot)) == (2, 0, [])


def test_a_shut_window_and_its_probes(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    talk = opened().frame("S", TEXT, "x")
    packets = [packet(segment) for segment in talk.segments]
    time, ack, seq = talk.time, talk.next[1], talk.next[0]
    for start, length in ((0, 300), (1000, 700)):
        shut = Segment(time + start * MS, 0, seq, ack, ACK)
        probe = Segment(time + (start + 200) * MS, 1, ack - 1, seq, ACK)
        packets += [packet(shut, 0), packet(probe), packet(replace(shut, time=probe.time + 1), 0)]
        packets += [packet(replace(shut, time=time + (start + length) * MS))]
    row = connection(snapshot_of(pcap(packets)))
    assert (row["client_stalls"], row["client_stalled"], row["client_longest_stall"]) == (2, 1000 * MS, 700 * MS)
    assert (row["server_probes"], row["server_keepalives"], row["server_retransmitted"]) == (2, 0, 0)
    still = connection(snapshot_of(pcap(packets[:-1])))
    assert still["client_longest_stall"] == 300 * MS
    main(["explain", save(pcap(packets))])
    assert "the client's window was shut 2 times, for 1.0 s in all, 700 ms at most" in capsys.readouterr().out


def test_a_packet_captured_twice_is_a_duplicate_and_one_sent_again_is_not() -> None:
    for same, later, expected in ((True, 5 * MS, (1, 0)), (False, 300 * MS, (0, 1)), (False, 5 * MS, (0, 1))):
        talk = opened().frame("S", TEXT, "x")
        packets = [packet(segment, identification=n + 1) for n, segment in enumerate(talk.segments)]
        last = replace(talk.segments[-1], time=talk.segments[-1].time + later)
        packets.append(packet(last, identification=6 if same else 99, ttl=63))
        row = connection(snapshot_of(pcap(packets)))
        assert (row["server_duplicates"], row["server_retransmitted"]) == expected


def test_a_whole_capture_doubled_by_a_mirror(save: Save) -> None:
    talk = ended(opened().frame("C", TEXT, "up").frame("S", TEXT, "down"))
    once = talk.packets()
    twice = [copy for time, octets in once for copy in ((time, octets), (time + 3000, octets))]
    assert story(pcap(twice)) == story(pcap(once))
    row = connection(snapshot_of(pcap(twice)))
    assert (row["client_duplicates"], row["server_duplicates"]) == (2, 2)
    assert (row["client_retransmitted"], row["server_retransmitted"]) == (0, 0)


def test_reordering_is_not_retransmission() -> None:
    talk = opened()
    talk.send("S", frame(TEXT, "a" * 3000))
    talk.ack("C")
    segments = [*talk.segments[:5], *talk.segments[6:7], talk.segments[5], *talk.segments[7:]]
    soon = [replace(segment, time=START + n * 100_000) for n, segment in enumerate(segments)]
    row = connection(snapshot_of(pcap(talk.packets(soon))))
    assert (row["server_out_of_order"], row["server_retransmitted"]) == (1, 0)
    late = [replace(segment, time=segment.time + (500 * MS if n >= 6 else 0)) for n, segment in enumerate(segments)]
    row = connection(snapshot_of(pcap(talk.packets(late))))
    assert (row["server_out_of_order"], row["server_retransmitted"]) == (0, 1)


def test_round_trips() -> None:
    talk = Talk(step=0).segment(0, SYN).wait(0.03).segment(1, SYN | ACK).wait(0.001).segment(0, ACK)
    talk.upgrade().frame("S", TEXT, "x").wait(0.02).ack("C").frame("S", TEXT, "y").wait(0.05).ack("C")
    row = connection(snapshot_of(pcap(talk.packets())))
    assert row["handshake_round_trip"] == 31 * MS
    assert row["server_acknowledged_after"] == 20 * MS
    # Karn: sent again, an acknowledgment may be for either
    again = Talk(step=MS).open().upgrade().ack("C").frame("S", TEXT, "x")
    again.segments.append(replace(again.segments[-1], time=again.time + 400 * MS))
    again.wait(0.401).ack("C")
    row = connection(snapshot_of(pcap(again.packets())))
    assert (row["server_retransmitted"], row["server_acknowledged_after"]) == (1, MS)
    twice = Talk().segment(0, SYN)
    twice.segments.append(replace(twice.segments[0], time=twice.time + 1000 * MS))
    twice.wait(1.1).segment(1, SYN | ACK).segment(0, ACK).upgrade()
    assert connection(snapshot_of(pcap(twice.packets())))["handshake_round_trip"] == -1


def test_times_that_go_back_change_no_octet(save: Save) -> None:
    talk = ended(opened().frame("S", TEXT, "a" * 4000).frame("C", TEXT, "b"))
    back = [replace(segment, time=START - n * MS) for n, segment in enumerate(talk.segments)]
    assert story(pcap(talk.packets(back))) == story(pcap(talk.packets()))
    row = connection(snapshot_of(pcap(talk.packets(back))))
    assert (row["handshake_round_trip"], row["server_acknowledged_after"]) == (-1, -1)


def test_far_ahead_is_told() -> None:
    talk = opened()
    talk.segments.append(Segment(talk.time, 1, (talk.next[1] + 2**30 + 9) & 0xFFFFFFFF, talk.next[0], ACK, b"far"))
    assert codes(snapshot_of(pcap(ended(talk).packets()))) == [Note.TCP_STRAY]


def test_segments_of_seven_octets_in_any_order() -> None:
    talk = opened()
    talk.send("S", frame(TEXT, "word " * 3000), mss=7)
    ended(talk)
    body = talk.segments[5:-4]
    Random(7).shuffle(body)
    shuffled = [*talk.segments[:5], *body, *talk.segments[-4:]]
    assert story(pcap(talk.packets(shuffled))) == story(pcap(talk.packets()))


@pytest.mark.parametrize("ip", ["10.0.0.1 10.0.0.2", "2001:db8::1 2001:db8::2"])
def test_checksums(ip: str) -> None:
    source, destination = ip.split()
    octets = ethernet(tcp_packet(source, 1, destination, 2, 77, 88, ACK, b"payload", tcp_options=b"\x01" * 12))
    data, numbers = len(octets) - 7, (77).to_bytes(4, "big") + (88).to_bytes(4, "big")
    at = data - 32 + 16

    def said(octets: bytes) -> Checksum:
        return judge(octets, data, 7, numbers)

    assert said(octets) is Checksum.RIGHT
    assert said(octets + b"pad") is Checksum.RIGHT
    assert said(octets[:-1]) is Checksum.UNKNOWN
    assert said(octets[:at] + b"\0\0" + octets[at + 2 :]) is Checksum.PARTIAL
    assert said(octets[:at] + b"\x12\x34" + octets[at + 2 :]) is Checksum.WRONG
    assert judge(octets, data, 7, b"other no") is Checksum.UNKNOWN
    if "." in ip:
        assert said(octets[:22] + b"\x07" + octets[23:]) is Checksum.IP_WRONG


def test_a_sender_that_leaves_checksums_to_its_card_is_told_once(
    save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = ended(opened().frame("S", TEXT, "x"))
    packets = [(time, octets[:50] + b"\0\0" + octets[52:]) for time, octets in talk.packets()]
    path = save(pcap(packets))
    with analyzer.open(path) as capture:
        assert codes(capture.snapshot) == []
        assert capture.completeness.checksums == (3, 3, 0)
    main(["explain", path])
    assert "checksums are left to the network card: 3 of 3 looked at" in capsys.readouterr().out


def test_a_wrong_checksum_among_right_ones_is_told(save: Save) -> None:
    talk = ended(opened().frame("S", TEXT, "x").frame("S", TEXT, "y"))
    packets = [packet(segment, broken=n == 5) for n, segment in enumerate(talk.segments)]
    said, found, _ = texts(pcap(packets), save)
    assert (said, found) == (["x", "y"], [Note.TCP_CHECKSUM_WRONG])


def noisy(random: Random) -> list[Packet]:
    """A conversation with every kind of noise that does not change its octets."""
    talk = ended(opened().frame("C", TEXT, "up " * 50).frame("S", TEXT, "down " * 900).frame("C", TEXT, "again"))
    packets: list[Packet] = []
    for n, segment in enumerate(talk.segments):
        packets.append(packet(segment, identification=n))
        kind = random.randrange(8)
        time = segment.time + random.randrange(1, 10**9)
        if kind == 0:
            packets.append((segment.time + 2000, packets[-1][1]))
        elif kind == 1:
            packets.append(packet(replace(segment, time=time), identification=n + 500))
        elif kind == 2:
            packets.append(packet(replace(segment, time=time, flags=ACK, payload=b"")))
        elif kind == 3 and n > 4:
            packets.append(packet(Segment(time, segment.side, (segment.seq - 2**29) & 0xFFFFFFFF, 0, RST)))
        elif kind == 4:
            packets.append(packet(Segment(time, segment.side, segment.seq, segment.ack, ACK), 0))
    return packets


@given(st.integers(0, 2**32))
def test_noise_changes_neither_frames_nor_messages(seed: int) -> None:
    clean = ended(opened().frame("C", TEXT, "up " * 50).frame("S", TEXT, "down " * 900).frame("C", TEXT, "again"))
    found, expected = story(pcap(noisy(Random(seed)))), story(pcap(clean.packets()))
    assert (found["frames"], found["messages"]) == (expected["frames"], expected["messages"])


@given(st.integers(0, 2**32), st.sampled_from([200, 900]))
def test_noise_and_chunks(seed: int, chunk: int) -> None:
    octets = pcap(noisy(Random(seed)))
    assert everything(octets, chunk) == everything(octets)


def test_thousands_of_corrections_of_one_segment_and_of_one_octet(save: Save) -> None:
    talk = opened()
    start = talk.next[1]
    talk.send("S", frame(TEXT, "-" * 9000), mss=9004)
    whole = talk.segments[-1]
    for number in range(2000):
        talk.segments.append(replace(whole, seq=start + 4 + 4 * number, payload=b"ab", time=talk.time))
    for letter in b"xyz":
        talk.segments.append(replace(whole, seq=start + 4 + 8990, payload=bytes([letter]), time=talk.time))
    packets = [packet(segment) for segment in ended(talk).segments]
    said, _, _ = texts(pcap(packets), save, overlap="last")
    assert said == ["ab--" * 2000 + "-" * 990 + "z" + "-" * 9]


def test_what_tcp_did_is_told_where_its_packets_were_let_go() -> None:
    other = response(headers=(("Upgrade", "other"), ("Sec-WebSocket-Accept", None)))
    talk = Talk().open().send("C", request()).send("S", other)
    urgent = [
        replace(segment, flags=segment.flags | URG) if at == 3 else segment for at, segment in enumerate(talk.segments)
    ]
    for number in range(200):
        talk.send("CS"[number % 2], b"not websocket")
    octets = pcap(talk.packets([*urgent, *talk.segments[5:]]))
    for chunk in (4 << 20, 150):
        snapshot = snapshot_of(octets, chunk)
        assert snapshot.traffic.let_go == 205
        assert [row["packet"] for row in snapshot["notes"] if row["code"] == Note.TCP_URGENT] == [3]
        snapshot.source.close()


COOKED = 113
"""LINKTYPE_LINUX_SLL, what the pseudo-interface "any" delivers."""


def views(talk: Talk, lag: int) -> tuple[list[tuple[int, int, bytes]], list[tuple[int, int, bytes]]]:
    """Packets as two interfaces of one capture see them: time, number of the interface, octets."""
    first = [(time, 0, octets) for time, octets in talk.packets()]
    header = b"\0\0\0\1\0\6\2\0\0\0\0\1\0\0"
    return first, [(time + lag, 1, header + octets[12:]) for time, _, octets in first]


def two_interfaces(packets: list[tuple[int, int, bytes]], snaplen: int = 0) -> bytes:
    """A pcapng of an Ethernet and a cooked interface; the former keeps `snaplen` octets of a packet."""
    blocks = (packet_block(octets, time, number, snaplen=0 if number else snaplen) for time, number, octets in packets)
    return section() + interface(1) + interface(COOKED) + b"".join(blocks)


def unseen(snapshot: Snapshot) -> int:
    row = connection(snapshot)
    return row["client_unseen"] + row["server_unseen"]


def conversation() -> Talk:
    talk = opened()
    for number in range(6):
        talk.frame("C", TEXT, f"question {number} " * 9).frame("S", TEXT, f"answer {number} " * 90).ack("C")
    return ended(talk.frame("S", CLOSE, close_payload(1001)).frame("C", CLOSE, close_payload(1001)))


@pytest.mark.parametrize("lag", [0, 3_000, 40_000, -3_000])
def test_what_two_interfaces_saw_is_one_connection(lag: int) -> None:
    talk = conversation()
    alone = story(pcap(talk.packets()))
    first, second = views(talk, lag)
    for packets in (sorted(first + second), first + second, second + first):
        octets = two_interfaces(packets)
        assert story(octets) == alone
        snapshot = snapshot_of(octets)
        assert len(snapshot["streams"]) == len(snapshot["connections"]) == 1
        assert len(snapshot["notes"]) == unseen(snapshot) == 0
    row = connection(snapshot_of(two_interfaces(sorted(first + second))))
    sent = [sum(bool(segment.payload) for segment in talk.segments if segment.side == side) for side in (0, 1)]
    assert [row["client_duplicates"], row["server_duplicates"]] == sent
    assert row["client_retransmitted"] == row["server_retransmitted"] == 0


def test_what_one_of_two_interfaces_dropped_or_cut_the_other_has() -> None:
    talk = conversation()
    alone = story(pcap(talk.packets()))
    first, second = views(talk, 3_000)
    dropped = [seen for at, seen in enumerate(first) if at % 3 != 1] + [
        seen for at, seen in enumerate(second) if at % 3 != 2
    ]
    for octets in (two_interfaces(sorted(dropped)), two_interfaces(sorted(first + second), snaplen=80)):
        assert story(octets) == alone
        assert unseen(snapshot_of(octets)) == 0
