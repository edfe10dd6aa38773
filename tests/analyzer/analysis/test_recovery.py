"""Frames behind a lost header, against the undamaged truth: none that was never sent, none lost that the chain reaches,
the same however the capture is cut into chunks."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from analyzer.analysis.contents import Contents
from analyzer.views import View
from dissectors.notes import Note
from tests.outcome import everything, snapshot_of
from tests.wire.captures import pcap
from tests.wire.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Deflater, close_payload, frame
from tests.wire.talks import Segment, Talk, resegment, shuffle_within

DEFLATE = (("Sec-WebSocket-Extensions", "permessage-deflate"),)
WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "the",
    "lazy",
    "dog",
    "and",
    "does",
    "it",
    "again",
    "with",
    "a",
    "longer",
    "sentence,",
    "naïvely",
]


def busy(random: Random, count: int = 40) -> Talk:
    """A conversation of both sides: text, binary, pings, and fragments; some frames share a segment."""
    talk = Talk(step=1_000_000).open().upgrade()
    waiting = {"C": b"", "S": b""}
    for number in range(count):
        side = random.choice("CS")
        key = random.randbytes(4) if side == "C" else None
        text = f"{number} " + " ".join(random.choices(WORDS, k=random.randrange(1, 40)))
        kind = random.randrange(6)
        if kind < 3:
            octets = frame(TEXT, text, mask=key)
        elif kind == 3:
            octets = frame(BINARY, b"%d " % number + random.randbytes(random.randrange(1, 3000)), mask=key)
        elif kind == 4:
            octets = frame(random.choice((PING, PONG)), b"%d" % number, mask=key)
        else:
            octets = frame(TEXT, text, fin=False, mask=key) + frame(CONTINUATION, " and so on", mask=key)
        waiting[side] += octets
        if random.random() < 0.8:
            talk.send(side, waiting[side])
            talk.ack("S" if side == "C" else "C")
            waiting[side] = b""
    for side in "CS":
        talk.send(side, waiting[side] + frame(CLOSE, close_payload(1000), mask=b"\1\2\3\4" if side == "C" else None))
    return talk.ack("C").ack("S").fin("C").fin("S")


def frames_of(octets: bytes) -> list[tuple[object, ...]]:
    """Frames with what identifies them, whether they were found by evidence, and whether they are whole."""
    snapshot = snapshot_of(octets)
    contents = Contents(snapshot)
    view = View(snapshot, "frames", contents)
    found = [
        ((row["direction"], row["offset"], row["opcode"], row["fin"], row["payload_length"], row["mask_key"]),
         row["recovered"], row["complete"], contents.frame_payload(number))
        for number, row in zip(view.rows.tolist(), snapshot["frames"], strict=True)
    ]  # fmt: skip
    snapshot.source.close()
    return found


def drop(talk: Talk, random: Random, rate: float) -> list[Segment]:
    """Data segments lost behind the handshake."""
    return [
        segment for at, segment in enumerate(talk.segments)
        if at < 6 or not segment.payload or random.random() >= rate
    ]  # fmt: skip


@given(st.integers(0, 2**32), st.sampled_from((0.02, 0.1, 0.3)))
def test_nothing_is_made_up_and_nothing_whole_is_lost(seed: int, rate: float) -> None:
    random = Random(seed)
    talk = busy(random)
    truth = {cells[0]: cells[3] for cells in frames_of(pcap(talk.packets()))}
    kept = drop(talk, random, rate)
    found = frames_of(pcap(talk.packets(kept)))
    for identity, _, complete, payload in found:
        assert identity in truth
        assert not complete or payload == truth[identity]
    # every segment here begins with a header or goes on with a frame that began in an earlier one: what stands whole
    # in a kept segment that begins with a header is shown, but for a frame or two too short to be believed
    offsets = {(cells[0][0], cells[0][1]) for cells in found}
    base = [talk.segments[0].seq + 1, talk.segments[1].seq + 1]
    missed = total = 0
    starts = sorted((identity[0], identity[1]) for identity in truth)
    for segment in kept:
        start = segment.seq - base[segment.side]
        if (segment.side, start) not in starts:
            continue
        stop = start + len(segment.payload)
        whole = [identity for identity in truth if identity[0] == segment.side and start <= identity[1]
                 and identity[1] + 2 + len(truth[identity]) <= stop]  # fmt: skip
        total += len(whole)
        missed += sum((identity[0], identity[1]) not in offsets for identity in whole)
    assert missed <= min(2, total // 10)


@given(st.integers(0, 2**32), st.integers(150, 3000))
def test_chunks_do_not_show(seed: int, chunk: int) -> None:
    random = Random(seed)
    talk = busy(random)
    capture = pcap(talk.packets(drop(talk, random, 0.15)))
    assert everything(capture, chunk) == everything(capture)


def lost(talk: Talk, at: int) -> bytes:
    """A capture without the segment `at` of those with data."""
    data = [place for place, segment in enumerate(talk.segments) if segment.payload]
    return pcap(talk.packets([segment for place, segment in enumerate(talk.segments) if place != data[at]]))


def test_frames_behind_are_marked_and_octets_passed_over_are_counted() -> None:
    talk = Talk().open().upgrade().frame("S", TEXT, "before")
    talk.send("S", frame(TEXT, "x" * 3000))
    for number in range(8):
        talk.frame("S", TEXT, f"behind, number {number}")
    snapshot = snapshot_of(lost(talk.ack("C").fin("S").fin("C"), 3))
    messages = list(snapshot["messages"])
    assert [row["recovered"] > 0 for row in messages] == [False] + [True] * 8
    notes = {row["code"]: row for row in snapshot["notes"]}
    assert notes[Note.FRAMING_LOST]["length"] == 1448
    assert notes[Note.FRAMING_FOUND]["offset"] == notes[Note.FRAMING_LOST]["offset"] + 3004


def test_compressed_messages_behind_are_not_guessed() -> None:
    deflater = Deflater()
    talk = Talk().open().upgrade(DEFLATE, DEFLATE)
    for number in range(12):
        talk.frame("S", TEXT, deflater.piece(f"message number {number}".encode()), rsv=4)
    snapshot = snapshot_of(lost(talk.ack("C"), 5))
    contents = Contents(snapshot)
    inflates = [row["inflate"] for row in snapshot["messages"]]
    assert inflates == [1] * 3 + [3] * 8
    assert [contents.message_payload(row).octets for row in range(11)][3:] == [b""] * 8
    assert [row["utf8"] for row in snapshot["messages"]][3:] == [3] * 8


def test_a_continuation_behind_accuses_nobody() -> None:
    talk = Talk().open().upgrade().frame("S", TEXT, "begun " * 30, fin=False)
    for number in range(6):
        talk.frame("S", CONTINUATION, f"piece {number} ", fin=number == 5)
    talk.frame("S", TEXT, "whole again")
    snapshot = snapshot_of(lost(talk.ack("C").fin("S").fin("C"), 2))
    assert [(row["opcode"], row["complete"], row["utf8"]) for row in snapshot["messages"]] == [(0, 0, 3), (1, 1, 1)]
    codes = {row["code"] for row in snapshot["notes"]}
    assert not codes & {Note.CONTINUATION_WITHOUT_START, Note.MESSAGE_INSIDE_MESSAGE}


def test_a_header_that_does_not_fit_loses_the_framing_again() -> None:
    talk = Talk().open().upgrade().frame("S", TEXT, "before")
    for number in range(6):
        talk.frame("S", TEXT, f"behind, number {number} " * 10)
    talk.send("S", b"\xff" * 100)
    snapshot = snapshot_of(lost(talk.ack("C"), 3))
    codes = [row["code"] for row in snapshot["notes"]]
    assert codes.count(Note.FRAMING_LOST) == 2
    assert Note.OPCODE_RESERVED not in codes
    assert Note.RSV_NOT_NEGOTIATED not in codes


def test_one_direction_alone_goes_on_too() -> None:
    talk = busy(Random(5))
    kept = [replace(segment) for at, segment in enumerate(talk.segments) if at < 6 or segment.side == 1]
    kept = [segment for at, segment in enumerate(kept) if at != 9]
    truth = {cells[0] for cells in frames_of(pcap(talk.packets()))}
    found = frames_of(pcap(talk.packets(kept)))
    assert {cells[0] for cells in found} <= truth
    assert sum(recovered > 0 for (side, *_), recovered, _, _ in found if side == 1) > 10


@given(st.integers(0, 2**32))
def test_tiny_segments_behind_losses_are_looked_at_alike_in_any_chunk(seed: int) -> None:
    random = Random(seed)
    talk = busy(random)
    segments = shuffle_within(resegment(talk.segments[5:], random), random, 30)
    kept = [*talk.segments[:5], *(segment for segment in segments if random.random() > 0.1)]
    octets = pcap(talk.packets(kept))
    assert everything(octets, 150) == everything(octets)
