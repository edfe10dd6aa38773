"""Messages folded from frames: RFC 7692's vectors, fragments, control frames between, verdicts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, TextMessage
from wsproto.extensions import PerMessageDeflate

from analyzer.analysis.contents import Contents
from dissectors.notes import Note
from tests.outcome import snapshot_of
from tests.wire.captures import pcap
from tests.wire.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, frame
from tests.wire.talks import Talk

DEFLATE = (("Sec-WebSocket-Extensions", "permessage-deflate"),)
HELLO = bytes.fromhex("f248cdc9c90700")
VECTORS: dict[str, list[tuple[bytes, int]]] = {
    "one block (7.2.3.1)": [(HELLO, 5)],
    "sharing the window (7.2.3.2)": [(HELLO, 5), (bytes.fromhex("f200110000"), 5)],
    "no compression (7.2.3.3)": [(bytes.fromhex("000500faff48656c6c6f00"), 5)],
    "BFINAL (7.2.3.4)": [(bytes.fromhex("f348cdc9c9070000"), 5), (HELLO, 5)],
    "two blocks (7.2.3.5)": [(bytes.fromhex("f248050000 00ffffcac9c90700".replace(" ", "")), 5)],
    "empty (7.2.3.6)": [(b"\0", 0), (HELLO, 5)],
}


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize("mss", [1448, 1], ids=["whole", "octet by octet"])
@pytest.mark.parametrize("fragments", [1, 2])
@pytest.mark.parametrize("tail", [b"", b"\x81"], ids=["alone", "with a tail"])
def test_rfc_7692_vectors(name: str, mss: int, fragments: int, tail: bytes) -> None:
    talk = Talk().open().upgrade(DEFLATE, DEFLATE)
    for payload, _ in VECTORS[name]:
        cut = len(payload) // 2 if fragments == 2 else len(payload)
        octets = frame(TEXT, payload[:cut], fragments == 1, rsv=4)
        talk.send("S", octets + frame(CONTINUATION, payload[cut:]) * (fragments == 2), mss)
    snapshot = snapshot_of(pcap(talk.send("S", tail, mss).packets()))
    contents = Contents(snapshot)
    rows = list(snapshot["messages"])
    assert [row["inflated"] for row in rows] == [length for _, length in VECTORS[name]]
    assert [contents.message_payload(row).octets for row in range(len(rows))] == [
        b"Hello"[:length] for _, length in VECTORS[name]
    ]
    assert {(row["utf8"], row["frames"]) for row in rows} == {(1, fragments)}
    noted = [row["code"] for row in snapshot["notes"]]
    finals = [Note.DEFLATE_FINAL_BLOCK] * name.startswith("BFINAL")
    assert noted == [*finals, *([Note.FRAME_CUT] if tail else [])]


def messages(talk: Talk) -> tuple[list[dict[str, int]], list[int]]:
    """Rows of MESSAGES, and the codes of NOTES."""
    snapshot = snapshot_of(pcap(talk.packets()))
    return list(snapshot["messages"]), [row["code"] for row in snapshot["notes"]]


def test_control_frames_stand_between_fragments() -> None:
    talk = Talk().open().upgrade().frame("S", TEXT, "grü".encode()[:3], fin=False).frame("S", PING, b"x")
    talk.frame("C", PONG, b"x").frame("S", CONTINUATION, "grüße".encode()[3:])
    rows, notes = messages(talk)
    assert [(row["opcode"], row["frames"], row["utf8"]) for row in rows] == [(9, 1, 0), (10, 1, 0), (1, 2, 1)]
    assert rows[1]["answers"] == 0
    assert notes == []


def test_both_directions_may_fragment_at_once() -> None:
    talk = Talk().open().upgrade()
    talk.frame("S", TEXT, b"a", fin=False).frame("C", BINARY, b"b", fin=False)
    talk.frame("S", CONTINUATION, b"a").frame("C", CONTINUATION, b"b")
    assert [(row["opcode"], row["frames"], row["length"]) for row in messages(talk)[0]] == [(1, 2, 2), (2, 2, 2)]


@pytest.mark.parametrize(
    ("frames", "note"),
    [
        ([(CONTINUATION, b"x", True)], Note.CONTINUATION_WITHOUT_START),
        ([(TEXT, b"x", False), (TEXT, b"y", True)], Note.MESSAGE_INSIDE_MESSAGE),
        ([(TEXT, b"\xff", True)], Note.TEXT_NOT_UTF8),
        ([(TEXT, b"\xc3", False), (CONTINUATION, b"x", True)], Note.TEXT_NOT_UTF8),
        ([(TEXT, b"\xc3", True)], Note.TEXT_NOT_UTF8),
        ([(CLOSE, b"\x03", True)], Note.CLOSE_ONE_OCTET),
        ([(CLOSE, close_payload(1005), True)], Note.CLOSE_CODE_FORBIDDEN),
        ([(CLOSE, close_payload(999), True)], Note.CLOSE_CODE_FORBIDDEN),
        ([(CLOSE, b"\x03\xe8\xff", True)], Note.CLOSE_REASON_NOT_UTF8),
        ([(PONG, b"nobody asked", True)], Note.PONG_UNASKED),
        ([(TEXT, b"x", False)], Note.MESSAGE_UNFINISHED),
    ],
)
def test_violations_are_noted(frames: list[tuple[int, bytes, bool]], note: Note) -> None:
    talk = Talk().open().upgrade()
    for opcode, payload, fin in frames:
        talk.frame("S", opcode, payload, fin)
    assert messages(talk)[1] == [note]


def test_garbage_that_does_not_inflate_is_said() -> None:
    talk = (
        Talk()
        .open()
        .upgrade(DEFLATE, DEFLATE)
        .frame("S", TEXT, b"\xff\xff\xff\xff", rsv=4)
        .frame("S", TEXT, HELLO, rsv=4)
    )
    rows, notes = messages(talk)
    assert [row["inflate"] for row in rows] == [2, 3]
    assert notes == [Note.INFLATE_FAILED, Note.CONTEXT_LOST]


def test_a_pong_may_answer_only_the_latest_ping() -> None:
    talk = Talk().open().upgrade().frame("S", PING, b"1").frame("S", PING, b"2").frame("C", PONG, b"2")
    rows, notes = messages(talk)
    assert rows[2]["answers"] == 1
    assert notes == []


def test_a_close_that_nobody_answers_is_said_once_tcp_has_ended() -> None:
    talk = Talk().open().upgrade().frame("S", CLOSE, close_payload(1000))
    assert messages(talk)[1] == []
    assert messages(talk.fin("C"))[1] == [Note.CLOSE_NOT_ANSWERED]


@given(st.lists(st.tuples(st.booleans(), st.one_of(st.text(max_size=200), st.binary(max_size=400))), max_size=8))
def test_what_wsproto_sends_is_read(sent: list[tuple[bool, str | bytes]]) -> None:
    """Both directions, masked and not, compressed with context takeover by an independent encoder."""
    sides = {}
    for from_client, kind in ((True, ConnectionType.CLIENT), (False, ConnectionType.SERVER)):
        extension = PerMessageDeflate()
        extension.finalize("permessage-deflate")
        sides[from_client] = Connection(kind, extensions=[extension])
    talk = Talk().open().upgrade(DEFLATE, DEFLATE)
    for from_client, data in sent:
        event = TextMessage(data) if isinstance(data, str) else BytesMessage(data)
        talk.send("C" if from_client else "S", sides[from_client].send(event))
    snapshot = snapshot_of(pcap(talk.packets()))
    contents = Contents(snapshot)
    rows = list(snapshot["messages"])
    assert [(row["direction"] == 0, row["opcode"] == TEXT) for row in rows] == [
        (from_client, isinstance(data, str)) for from_client, data in sent
    ]
    payloads = [contents.message_payload(row) for row in range(len(rows))]
    assert [(payload.octets, payload.whole) for payload in payloads] == [
        (data.encode() if isinstance(data, str) else data, True) for _, data in sent
    ]
    assert not len(snapshot["notes"])
