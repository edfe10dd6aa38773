"""The way back to octets: any order, long compressed streams, what is missing."""

from __future__ import annotations

from random import Random

import pytest

from analyzer.analysis.contents import Contents
from analyzer.analysis.snapshot import Snapshot
from tests.outcome import snapshot_of
from tests.wire.captures import pcap
from tests.wire.frames import BINARY, CONTINUATION, PING, TEXT, Deflater
from tests.wire.talks import Talk

DEFLATE = (("Sec-WebSocket-Extensions", "permessage-deflate"),)
NO_TAKEOVER = (("Sec-WebSocket-Extensions", "permessage-deflate; client_no_context_takeover"),)


def long_stream(agreed: tuple[tuple[str, str], ...], takeover: bool) -> tuple[Snapshot, list[bytes]]:
    random = Random(3)
    deflater = Deflater(takeover)
    talk = Talk().open().upgrade(DEFLATE, agreed)
    texts = []
    for number in range(60):
        text = b"%d " % number + bytes(random.choice(b"abc ") for _ in range(random.randrange(120_000)))
        texts.append(text)
        talk.frame("C", BINARY, deflater.piece(text), rsv=4)
    return snapshot_of(pcap(talk.packets())), texts


def test_one_index_for_all_directions_gives_what_one_each_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Talk().open().upgrade()
    for number in range(50):
        talk.frame("CS"[number % 2], BINARY, b"%d" % number * 900)
    segments = [segment for place, segment in enumerate(talk.segments) if place not in (9, 20)]
    snapshot = snapshot_of(pcap(talk.packets(segments)))
    frames = range(len(snapshot["frames"]))
    one_by_one = [Contents(snapshot).frame_wire(row) for row in frames]
    packets = [Contents(snapshot).packet_of(0, way, at) for way in (0, 1) for at in range(0, 30_000, 701)]
    monkeypatch.setattr("analyzer.analysis.contents.FEW", 0)
    assert [Contents(snapshot).frame_wire(row) for row in frames] == one_by_one
    assert [Contents(snapshot).packet_of(0, way, at) for way in (0, 1) for at in range(0, 30_000, 701)] == packets
    assert -1 in packets


@pytest.mark.parametrize(("agreed", "takeover"), [(DEFLATE, True), (NO_TAKEOVER, False)])
def test_messages_are_read_in_any_order(agreed: tuple[tuple[str, str], ...], takeover: bool) -> None:
    snapshot, texts = long_stream(agreed, takeover)
    assert bool(snapshot.windows) == takeover
    order = list(range(len(texts)))
    Random(4).shuffle(order)
    contents = Contents(snapshot)
    for row in order:
        payload = contents.message_payload(row)
        assert payload.whole
        assert payload.octets == texts[row]
    assert Contents(snapshot).message_payload(59).octets == texts[59]


def test_a_late_look_starts_at_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, texts = long_stream(DEFLATE, True)
    contents = Contents(snapshot)
    looked: list[int] = []
    whole = contents._one
    monkeypatch.setattr(contents, "_one", lambda message, inflater: looked.append(1) or whole(message, inflater))
    assert contents.message_payload(len(texts) - 1).octets == texts[-1]
    assert len(looked) < len(texts) // 2


def test_wire_payload_and_limits() -> None:
    talk = (
        Talk()
        .open()
        .upgrade()
        .frame("C", TEXT, b"hello ", fin=False)
        .frame("C", PING, b"?")
        .frame("C", CONTINUATION, b"there")
    )
    contents = Contents(snapshot_of(pcap(talk.packets())))
    assert contents.frame_payload(0) == b"hello "
    assert contents.frame_payload(0, limit=2) == b"he"
    assert contents.frame_wire(0)[:2] == b"\x01\x86"
    assert [contents.message_payload(row).octets for row in (0, 1)] == [b"?", b"hello there"]
    cut = contents.message_payload(1, limit=7)
    assert (cut.octets, cut.whole) == (b"hello t", False)


def test_missing_octets_are_zeros_and_said() -> None:
    talk = Talk().open().upgrade().send("S", b"\x82\x7e\x0b\xb8" + b"x" * 3000).ack("C").fin("S")
    data = [i for i, segment in enumerate(talk.segments) if len(segment.payload) > 1000]
    kept = [segment for i, segment in enumerate(talk.segments) if i != data[1]]
    contents = Contents(snapshot_of(pcap(talk.packets(kept))))
    payload = contents.message_payload(0)
    assert not payload.whole
    assert payload.octets == b"x" * 1444 + bytes(1448) + b"x" * 108
    assert contents.frame_wire(0) == b"\x82\x7e\x0b\xb8" + payload.octets
