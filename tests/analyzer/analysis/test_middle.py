"""Captures that begin in the middle of a connection, or hold half of its handshake, against the truth of the whole."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from random import Random

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.analysis.contents import Contents
from analyzer.analysis.snapshot import Snapshot
from analyzer.bundled import resolve
from analyzer.cli.main import main
from analyzer.schemas import BY_MASK, BY_REQUEST, BY_RESPONSE
from analyzer.views import View
from dissectors.notes import Note
from dissectors.schemas import OPCODES
from tests.analyzer.analysis.test_recovery import DEFLATE, WORDS, busy
from tests.analyzer.tui.stage import play
from tests.outcome import everything, snapshot_of
from tests.wire.captures import pcap
from tests.wire.frames import BINARY, CLOSE, PING, PONG, TEXT, Deflater, close_payload, frame
from tests.wire.talks import Segment, Talk

Told = tuple[object, ...]


def story(octets: bytes) -> tuple[list[Told], list[Told]]:
    """Frames and messages by side, with what they carry; not where they stand, as a capture that begins later
    counts offsets from elsewhere."""
    snapshot = snapshot_of(octets)
    contents = Contents(snapshot)
    sides = [int(row["client_direction"]) for row in snapshot["connections"]]
    frames, messages = View(snapshot, "frames", contents), View(snapshot, "messages", contents)
    found: tuple[list[Told], list[Told]] = ([], [])
    for number, row in zip(frames.rows.tolist(), snapshot["frames"], strict=True):
        found[0].append((row["direction"] ^ sides[0], row["opcode"], row["fin"], row["payload_length"],
                         row["mask_key"], row["complete"], contents.frame_payload(number)))  # fmt: skip
    for number, row in zip(messages.rows.tolist(), snapshot["messages"], strict=True):
        payload = contents.message_payload(number)
        found[1].append((row["direction"] ^ sides[0], row["opcode"], row["frames"], row["length"], row["complete"],
                         payload.octets if payload.whole else None))  # fmt: skip
    snapshot.source.close()
    return found


def one(segments: list[Segment], talk: Talk) -> Snapshot:
    """What these segments of a talk make."""
    return snapshot_of(pcap(talk.packets(segments)))


def ends_with(part: list[Told], whole: list[Told]) -> bool:
    """Whether what a side is shown to have sent is the end of what it sent."""
    return all(
        [cells for cells in whole if cells[0] == side][
            len([cells for cells in whole if cells[0] == side]) - len(mine) :
        ]
        == mine
        for side in (0, 1)
        for mine in ([cells for cells in part if cells[0] == side],)
    )


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(3, 60))
def test_cut_at_any_packet_the_frames_behind_are_those_of_the_whole(seed: int, cut: int) -> None:
    talk = busy(Random(seed))
    whole = story(pcap(talk.packets()))
    part = story(pcap(talk.packets(talk.segments[cut:])))
    assert ends_with(part[0], whole[0])
    # the first message may lack its start
    assert ends_with([cells for cells in part[1] if cells[1]], whole[1])
    kept = sum(len(segment.payload) > 0 for segment in talk.segments[cut:])
    assert len(part[0]) >= kept - 12  # no side begins with a frame of 2900 octets and a chain too short more than once


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(3, 50), st.integers(150, 3000), st.sampled_from((None, 0, 1)))
def test_chunks_do_not_show(seed: int, cut: int, chunk: int, side: int | None) -> None:
    talk = busy(Random(seed))
    kept = [segment for segment in talk.segments[cut:] if side is None or segment.side == side]
    capture = pcap(talk.packets(kept))
    assert everything(capture, chunk) == everything(capture)


@pytest.mark.parametrize("side", [0, 1])
def test_one_direction_is_enough_and_nobody_is_blamed(side: int) -> None:
    talk = busy(Random(5))
    snapshot = one([segment for segment in talk.segments[9:] if segment.side == side], talk)
    row = snapshot["connections"].row(0)
    assert (row["known_by"], row["client_direction"], row["handshake"]) == (BY_MASK, side, -1)
    assert row[("client", "server")[side] + "_frames"] > 10
    assert row["client_port"] == 40000
    codes = set(snapshot["notes"]["code"].tolist())
    assert not codes & {Note.PING_NOT_ANSWERED, Note.CLOSE_NOT_ANSWERED, Note.PONG_UNASKED}
    assert snapshot["closes"].row(0)["cause"] == 0


def test_compression_is_tried_and_what_needs_what_is_missing_is_not_guessed() -> None:
    talk = Talk().open().upgrade(DEFLATE, DEFLATE)
    texts = ["the first message tells of apples", "the first message tells of pears", "0123456789 zyxwv",
             "0123456789 zyxwv once more", "and the first message tells of apples"]  # fmt: skip
    deflater = Deflater()
    for text in texts:
        talk.frame("S", TEXT, deflater.piece(text.encode()), rsv=4).frame("C", TEXT, "plain text says nothing")
    snapshot = one(talk.segments[7:], talk)
    rows = [row for row in snapshot["messages"] if row["compressed"]]
    contents = Contents(snapshot)
    told = [contents.message_payload(number) for number, row in enumerate(snapshot["messages"]) if row["compressed"]]
    words = [row["inflate"] for row in rows]
    assert [payload.octets.decode() if payload.whole else None for payload in told] == [
        None, texts[2], texts[3], None,
    ]  # fmt: skip
    assert words == [3, 1, 1, 3]
    assert snapshot["notes"]["code"].tolist().count(Note.CONTEXT_LOST) == 2
    assert Note.INFLATE_FAILED not in snapshot["notes"]["code"]


def test_the_request_is_missing() -> None:
    talk = busy(Random(3))
    snapshot = one(talk.segments[4:], talk)
    row, shake = snapshot["connections"].row(0), snapshot["handshakes"].row(0)
    assert (row["known_by"], row["handshake"], row["client_port"]) == (BY_RESPONSE, 0, 40000)
    assert (shake["status"], shake["result"], shake["first_packet"], shake["accept_verdict"]) == (101, 1, -1, 0)
    assert ends_with(story(pcap(talk.packets(talk.segments[4:])))[0], story(pcap(talk.packets()))[0])


@pytest.mark.parametrize("seen", [True, False])
def test_the_response_is_missing(seen: bool) -> None:
    talk = busy(Random(3))
    kept = [s for at, s in enumerate(talk.segments) if (at != 4 if seen else s.side == 0)]
    snapshot = one(kept, talk)
    row, shake = snapshot["connections"].row(0), snapshot["handshakes"].row(0)
    assert (row["known_by"], row["handshake"]) == (BY_REQUEST, 0)
    assert (shake["status"], snapshot.text(shake["target"])) == (0, "/chat")
    assert row["client_frames"] == len([cells for cells in story(pcap(talk.packets()))[0] if cells[0] == 0])
    assert bool(row["server_frames"]) == seen
    assert everything(pcap(talk.packets(kept)), 300) == everything(pcap(talk.packets(kept)))


def test_the_whole_handshake_is_lost_behind_the_syn() -> None:
    talk = busy(Random(3))
    kept = [segment for at, segment in enumerate(talk.segments) if at not in (3, 4)]
    snapshot = one(kept, talk)
    row = snapshot["connections"].row(0)
    assert (row["known_by"], row["handshake"], row["client_port"]) == (BY_MASK, -1, 40000)
    assert ends_with(story(pcap(talk.packets(kept)))[0], story(pcap(talk.packets()))[0])
    assert everything(pcap(talk.packets(kept)), 300) == everything(pcap(talk.packets(kept)))


def test_a_request_that_nobody_answers_opens_nothing() -> None:
    for behind in (b"", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00" + bytes(300)):
        talk = Talk().open().upgrade()
        talk.segments.pop()
        talk.send("C", behind) if behind else talk.ack("C")
        snapshot = one(talk.fin("C").fin("S").segments, talk)
        assert [row["state"] for row in snapshot["connections"]] == [0]
        assert not len(snapshot["frames"])


def test_the_response_was_recorded_before_the_request() -> None:
    talk = busy(Random(3))
    swapped = list(talk.segments)
    swapped[3], swapped[4] = swapped[4], swapped[3]
    assert story(pcap(talk.packets(swapped)))[0] == story(pcap(talk.packets()))[0]
    assert one(swapped, talk)["handshakes"].row(0)["accept_verdict"] == 1


def mysql(random: Random) -> bytes:
    rows = b""
    for number in range(400):
        row = b"".join(bytes([len(word)]) + word.encode() for word in random.choices(WORDS, k=random.randrange(1, 9)))
        rows += struct.pack("<I", len(row))[:3] + bytes([number & 255]) + row
    return rows


def mqtt(random: Random) -> bytes:
    out = b""
    for number in range(400):
        body = struct.pack(">H", 11) + b"sensor/temp" + b"%d" % random.randrange(100)
        out += bytes([0x30, len(body)]) + body + struct.pack(">BBH", 0x40, 2, number) + b"\xd0\0"
    return out


def http2(random: Random) -> bytes:
    return b"".join(
        struct.pack(">I", size)[1:] + bytes([kind, random.choice((0, 1, 4))]) + struct.pack(">I", random.randrange(99))
        + random.randbytes(size)
        for size, kind in ((random.randrange(300), random.choice((0, 0, 1, 8, 3))) for _ in range(200))
    )  # fmt: skip


def dns(random: Random) -> bytes:
    messages = (random.randbytes(random.randrange(20, 120)) for _ in range(300))
    return b"".join(struct.pack(">H", len(message)) + message for message in messages)


OTHERS = {
    "MySQL": mysql, "MQTT": mqtt, "HTTP/2": http2, "DNS": dns,
    "Redis": lambda random: b"".join(
        b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in random.choices(WORDS, k=999)
    ),
    "random": lambda random: random.randbytes(40000),
    "zeros": lambda random: bytes(40000),
    "text": lambda random: " ".join(random.choices(WORDS, k=7000)).encode(),
    "TLS": lambda random: random.randbytes(300) + b"".join(b"\x17\3\3\4\0" + random.randbytes(1024) for _ in range(40)),
    "gRPC": lambda random: b"".join(struct.pack(">BI", 0, 40) + random.randbytes(40) for _ in range(400)),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_other_protocols_are_not_taken_for_it(name: str) -> None:
    for seed in range(6):
        random = Random(seed)
        talk = Talk()
        octets, back = (OTHERS[name](random)[random.randrange(40) :] for _ in "CS")
        for at in range(0, len(octets), 1448):
            talk.send("S", octets[at : at + 1448]).send("C", back[at : at + random.randrange(1, 400)])
        snapshot = one(talk.fin("C").fin("S").segments, talk)
        assert not len(snapshot["connections"]), name
        assert not len(snapshot["frames"])


def test_a_download_is_let_go() -> None:
    talk = Talk()
    for seed in range(100):
        talk.send("S", Random(seed).randbytes(1448))
    snapshot = one(talk.segments, talk)
    assert snapshot.traffic.let_go == 100


def test_the_first_octets_may_be_the_middle_of_a_frame() -> None:
    talk = Talk()
    octets = frame(BINARY, Random(1).randbytes(2000)) + frame(TEXT, "after it comes text")
    talk.send("S", octets[700:]).frame("S", PING, b"are you there").frame("C", PONG, b"are you there")
    talk.frame("S", CLOSE, close_payload(1001, "bye")).frame("C", CLOSE, close_payload(1001, "bye"))
    snapshot = one(talk.fin("S").fin("C").segments, talk)
    told = sorted((row["direction"], OPCODES[row["opcode"]]) for row in snapshot["frames"])
    assert told == [(0, "close"), (0, "ping"), (0, "text"), (1, "close"), (1, "pong")]
    assert snapshot["closes"].row(0)["close_code"] == 1001


def recorded(name: str) -> tuple[int, list[tuple[int, bytes]]]:
    """Link type and packets of a sample."""
    with Path(resolve(f"sample:{name}")).open("rb") as file:
        reader = dpkt.pcapng.Reader(file)
        return reader.datalink(), [(round(time * 1e6) * 1000, octets) for time, octets in reader]


def by_client(octets: bytes) -> dict[object, tuple[list[Told], list[object]]]:
    """Frames by the client's port, and the payloads of messages that are known."""
    snapshot = snapshot_of(octets)
    contents = Contents(snapshot)
    found: dict[object, tuple[list[Told], list[object]]] = {}
    at = {row["channel"]: (found.setdefault(row["client_port"], ([], [])), row["client_direction"])
          for row in snapshot["connections"]}  # fmt: skip
    for name, index in (("frames", 0), ("messages", 1)):
        for number, row in zip(snapshot[name].rows().tolist(), snapshot[name], strict=True):
            told, client = at[row["channel"]]
            if index:
                payload = contents.message_payload(number)
                told[1].extend([(row["direction"] ^ client, payload.octets)] * payload.whole)
            else:
                told[0].append((row["direction"] ^ client, row["opcode"], row["payload_length"], row["mask_key"],
                                contents.frame_payload(number)))  # fmt: skip
    snapshot.source.close()
    return found


@pytest.mark.parametrize("name", ["node-ws", "websockets-deflate", "chromium-chat", "closings", "socketio", "policy"])
def test_samples_cut_in_the_middle_show_what_was_sent(name: str) -> None:
    link, packets = recorded(name)
    whole = by_client(pcap(packets, link=link))
    shown = 0
    for part in (3, 5, 7):
        for port, (frames, payloads) in by_client(pcap(packets[len(packets) * part // 10 :], link=link)).items():
            assert port in whole
            assert ends_with(frames, whole[port][0])
            assert all(payload in whole[port][1] for payload in payloads)
            shown += len(frames)
    assert shown


def test_every_view_says_what_was_not_captured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk = busy(Random(3))
    path = tmp_path / "middle.pcap"
    path.write_bytes(pcap(talk.packets(talk.segments[8:])))
    told = {}
    for verb in ("summary", "explain", "connections", "frames", "messages", "handshakes", "notes", "check"):
        main([verb, str(path)])
        told[verb] = capsys.readouterr().out
    assert "the opening handshake is not in the capture" in told["summary"]
    assert "the one side masks its frames" in " ".join(told["explain"].split())
    assert told["handshakes"].count("\n") <= 1
    main(["connections", "--json", str(path)])
    row = json.loads(capsys.readouterr().out)
    assert (row["handshake"], row["known_by"], row["state"]) == (None, "mask", "closed")
    assert "closed" in play(path)
    assert "not captured" in play(path, ("enter", "down", "enter", "5"))
