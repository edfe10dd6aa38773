"""What is promised of a damaged capture, without tolerance, against the undamaged truth.

Of each direction, behind its opening handshake: a header is *known* if it is the first, or if the one before it was
shown and all octets of its own are in the capture. Every frame whose header is known is shown; with its payload if all
octets of that are there. A message all of whose frames are so is shown whole. Behind a header that is not there nothing is
promised, until a frame is shown again. No frame is shown, and no message as complete, that was never sent: without
exception where it is not marked as recovered. What is so marked is a guess; how often it is wrong is counted here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.analysis.contents import Contents
from dissectors.notes import Note
from tests.analyzer.analysis.test_recovery import busy
from tests.outcome import snapshot_of
from tests.wire.captures import pcap
from tests.wire.frames import TEXT
from tests.wire.talks import Segment, Talk, duplicate, resegment, shuffle_within

HANDSHAKE = 5
"""Segments of it: they are kept."""
HEADERS = 14 + 20 + 20
Shown = dict[tuple[int, int], tuple[tuple[object, ...], bytes]]


@dataclass
class Story:
    """What an analysis shows: frames by direction and offset, which of them are complete, and complete messages by
    direction and offset of the first frame."""

    frames: Shown
    lengths: dict[tuple[int, int], tuple[int, int]]
    complete: set[tuple[int, int]]
    messages: Shown
    recovered: set[tuple[int, int]]
    """Frames, and messages by their first frame, that are marked so."""
    members: dict[tuple[int, int], list[tuple[int, int]]]


def told(octets: bytes) -> Story:
    """The story of a capture."""
    snapshot = snapshot_of(octets)
    contents = Contents(snapshot)
    frames = list(snapshot["frames"])
    story = Story({}, {}, set(), {}, set(), {})
    for number, row in enumerate(frames):
        place = row["direction"], row["offset"]
        assert place not in story.frames
        head = row["opcode"], row["fin"], row["rsv"], row["payload_length"], row["mask_key"]
        story.frames[place] = head, contents.frame_payload(number)
        story.lengths[place] = row["header_length"], row["payload_length"]
        if row["recovered"]:
            story.recovered.add(place)
        if row["complete"]:
            story.complete.add(place)
    for number, row in enumerate(snapshot["messages"]):
        if row["complete"]:
            members = [
                (frame["direction"], frame["offset"])
                for frame in frames[row["first_frame"] : row["last_frame"] + 1]
                if frame["direction"] == row["direction"] and (frame["opcode"] < 8) == (row["opcode"] < 8)
            ]
            if row["recovered"]:
                story.recovered.add(members[0])
            story.messages[members[0]] = (row["opcode"], row["length"]), contents.message_payload(number).octets
            story.members[members[0]] = members
    snapshot.source.close()
    return story


def kept_octets(talk: Talk, segments: list[Segment], snaplen: int) -> list[bytearray]:
    """Which octets of each direction a capture holds."""
    masks = [bytearray((talk.next[side] - talk.segments[side].seq) & 0xFFFFFFFF) for side in (0, 1)]
    for segment in segments:
        start = segment.seq - talk.segments[segment.side].seq - 1
        length = min(len(segment.payload), max(snaplen - HEADERS, 0))
        if length:
            masks[segment.side][start : start + length] = b"\1" * length
    return masks


def check(truth: Story, found: Story, masks: list[bytearray]) -> Counter[str]:
    """Hold what is promised; returns how often something was."""
    counts: Counter[str] = Counter()
    for place, (head, payload) in found.frames.items():
        counts["recovered"] += place in found.recovered
        if place in found.recovered and place not in truth.frames:
            counts["made up"] += 1
            continue
        assert truth.frames[place][0] == head
        assert place not in found.complete or truth.frames[place][1] == payload
    for place, message in found.messages.items():
        if place in found.recovered and place not in truth.frames:
            continue
        assert truth.messages[place] == message
        assert truth.members[place] == found.members[place]
    whole = set()
    for side in (0, 1):
        known = True
        for place in sorted(place for place in truth.frames if place[0] == side):
            header, length = truth.lengths[place]
            start = place[1]
            known = known and all(masks[side][start : start + header])
            if known:
                assert place in found.frames
                counts["frames"] += 1
                if all(masks[side][start : start + header + length]):
                    assert place in found.complete
                    whole.add(place)
            known = known or place in found.frames
            counts["found again"] += place in found.frames and not all(masks[side][:start])
    for place, members in truth.members.items():
        if whole.issuperset(members):
            assert place in found.messages
            counts["messages"] += 1
    return counts


def dropped(rate: float) -> Callable[[list[Segment], Random], list[Segment]]:
    """Data lost at random."""
    return lambda segments, random: [
        segment for at, segment in enumerate(segments)
        if at < HANDSHAKE or not segment.payload or random.random() >= rate
    ]  # fmt: skip


def one_way(segments: list[Segment], random: Random) -> list[Segment]:
    """Nothing of one side behind the handshake."""
    side = random.randrange(2)
    return [segment for at, segment in enumerate(segments) if at < HANDSHAKE or segment.side == side]


def ended(segments: list[Segment], random: Random) -> list[Segment]:
    """A capture that stops early."""
    return segments[: random.randrange(HANDSHAKE, len(segments))]


def disordered(segments: list[Segment], random: Random) -> list[Segment]:
    """Cut at other places, repeated and reordered."""
    tail = shuffle_within(duplicate(resegment(segments[HANDSHAKE:], random), random), random, 6)
    return [*segments[:HANDSHAKE], *tail]


def both(*steps: Callable[[list[Segment], Random], list[Segment]]) -> Callable[[list[Segment], Random], list[Segment]]:
    """One kind of damage after the other."""

    def run(segments: list[Segment], random: Random) -> list[Segment]:
        for step in steps:
            segments = step(segments, random)
        return segments

    return run


WHOLE = 262144
DAMAGES: dict[str, tuple[Callable[[list[Segment], Random], list[Segment]], int]] = {
    "drop 1 %": (dropped(0.01), WHOLE),
    "drop 10 %": (dropped(0.1), WHOLE),
    "drop 30 %": (dropped(0.3), WHOLE),
    "reorder": (disordered, WHOLE),
    "reorder and drop": (both(disordered, dropped(0.05)), WHOLE),
    "snaplen": (lambda segments, _: segments, 400),
    "one direction": (one_way, WHOLE),
    "one direction with drops": (both(one_way, dropped(0.05)), WHOLE),
    "end": (ended, WHOLE),
    "snaplen and drop": (dropped(0.05), 1000),
    "all but snaplen": (both(disordered, dropped(0.05), ended), WHOLE),
    "snaplen and copies": (disordered, 400),
    "all": (both(disordered, dropped(0.05), ended), 700),
}


@pytest.mark.parametrize("damage", DAMAGES)
@given(seed=st.integers(0, 2**32))
def test_nothing_promised_is_lost_and_nothing_is_made_up(damage: str, seed: int) -> None:
    random = Random(seed)
    talk = busy(random)
    damaged, snaplen = DAMAGES[damage]
    kept = damaged(talk.segments, random)
    truth = told(pcap(talk.packets()))
    found = told(pcap(talk.packets(kept), snaplen=snaplen))
    counts = check(truth, found, kept_octets(talk, kept, snaplen))
    if damage == "reorder":
        assert counts["messages"] == len(truth.messages) == len(found.messages)


def test_the_promise_is_not_empty() -> None:
    counts: Counter[str] = Counter()
    for seed in range(10):
        random = Random(seed)
        talk = busy(random)
        kept = dropped(0.05)(talk.segments, random)
        counts += check(told(pcap(talk.packets())), told(pcap(talk.packets(kept))), kept_octets(talk, kept, WHOLE))
    assert counts["messages"] > 150
    assert counts["found again"] > 20


def test_few_recovered_frames_are_made_up() -> None:
    counts: Counter[str] = Counter()
    for seed in range(30):
        random = Random(seed)
        talk = busy(random)
        kept = dropped(0.1)(talk.segments, random)
        counts += check(told(pcap(talk.packets())), told(pcap(talk.packets(kept))), kept_octets(talk, kept, WHOLE))
    # of 22,051 in 1000 such conversations it was none
    assert counts["recovered"] > 500
    assert counts["made up"] == 0


def test_octets_that_the_capture_cut_off_are_filled_by_a_whole_copy() -> None:
    talk = Talk().open().upgrade().frame("S", TEXT, "whole again " * 90).ack("C").frame("S", TEXT, "next").ack("C")
    packets = talk.packets()
    whole = pcap(packets)
    # the first copy cut, and a whole one behind it
    again = [*packets[:5], (packets[5][0], packets[5][1][:300]), *packets[6:], (packets[-1][0] + 1, packets[5][1])]
    records = bytearray(pcap(again))
    at = 24
    for _ in range(5):
        at += 16 + int.from_bytes(records[at + 8 : at + 12], "little")
    records[at + 12 : at + 16] = len(packets[5][1]).to_bytes(4, "little")
    found, truth = told(bytes(records)), told(whole)
    assert (found.frames, found.messages) == (truth.frames, truth.messages)
    assert not len(snapshot_of(bytes(records))["notes"])


def test_a_gap_is_told_where_it_shows() -> None:
    talk = Talk().open().upgrade().frame("S", TEXT, "a" * 5000).ack("C").frame("S", TEXT, "b").ack("C")
    kept = [segment for at, segment in enumerate(talk.segments) if at != 6]
    (note,) = snapshot_of(pcap(talk.packets(kept)))["notes"]
    offset = len(talk.segments[4].payload) + 1448
    # nothing gave the hole up before the capture ended: the packet behind it shows it
    assert (note["code"], note["offset"], note["length"], note["packet"]) == (Note.TCP_GAP, offset, 1448, 6)
    assert note["time"] == kept[6].time
    late = talk.wait(2).ack("S")
    kept = [segment for at, segment in enumerate(late.segments) if at != 6]
    (note,) = snapshot_of(pcap(talk.packets(kept)))["notes"]
    assert (note["packet"], note["time"]) == (len(kept) - 1, kept[-1].time)
