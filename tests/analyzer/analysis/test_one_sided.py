"""What is said where one direction, or an answer, was not captured: that it was not, and nothing of what it held."""

from __future__ import annotations

from dataclasses import replace

import pytest

import analyzer
from analyzer.analysis.completeness import completeness
from analyzer.analysis.snapshot import Snapshot
from analyzer.analysis.verdicts import tell
from analyzer.schemas import CAPTURED, VERDICTS
from analyzer.views import View
from dissectors.notes import Note
from tests.analyzer.analysis.test_encrypted import DATA, secret
from tests.outcome import everything, snapshot_of, story
from tests.wire.captures import pcap
from tests.wire.frames import CLOSE, TEXT, close_payload
from tests.wire.handshakes import request, response
from tests.wire.talks import START, Talk


def closed() -> Talk:
    talk = Talk().open().upgrade().frame("C", TEXT, "hi").frame("S", TEXT, "there").ack("C")
    return talk.frame("C", CLOSE, close_payload(1000)).frame("S", CLOSE, close_payload(1000)).fin("S").fin("C")


def dropped() -> Talk:
    talk = Talk().open().upgrade().frame("C", TEXT, "hi").frame("C", TEXT, "hello").frame("S", TEXT, "there")
    return talk.ack("C").fin("C").fin("S").ack("C")


def of_side(talk: Talk, side: int) -> bytes:
    return pcap(talk.packets([segment for segment in talk.segments if segment.side == side]))


def verdict(snapshot: Snapshot) -> tuple[str, str]:
    telling = tell(snapshot, 0)
    return VERDICTS[snapshot["closes"].row(0)["verdict"]], f"{telling.sentence}. {telling.likely}"


@pytest.mark.parametrize("side", [0, 1])
def test_of_one_direction_nothing_is_said_of_the_other(side: int) -> None:
    here, gone = ("client", "server")[side], ("server", "client")[side]
    capture = of_side(closed(), side)
    snapshot = snapshot_of(capture)
    record = snapshot["connections"].row(0)
    told, sentence = verdict(snapshot)
    assert CAPTURED[record["captured"]] == here
    sent = sum(len(segment.payload) for segment in closed().segments if segment.side != side)
    assert sent - 1 <= record[f"{gone}_unseen"] <= sent
    assert told == "packets-lost"
    assert f"{here} sent Close 1000 (normal closure); nothing of the {gone} was captured, so who was first" in sentence
    assert sentence.endswith(f"{here} closed TCP (FIN). no cause is claimed: nothing of the {gone} was captured")
    found = completeness(snapshot)
    assert (found.one_sided, found.whole) == (1, False)
    assert everything(capture, 150) == everything(capture)


@pytest.mark.parametrize("side", [0, 1])
def test_a_close_that_the_other_side_may_have_sent_is_not_called_absent(side: int) -> None:
    gone = ("server", "client")[side]
    told, sentence = verdict(snapshot_of(of_side(dropped(), side)))
    assert told == "packets-lost"
    assert sentence.startswith(f"unknown: nothing of the {gone} was captured, a Close frame may be among it; then")


def test_an_answer_that_was_not_captured_is_not_called_absent() -> None:
    talk = Talk().open().upgrade().ack("C").fin("C").ack("S")
    answer = next(segment for segment in talk.segments if segment.side and segment.payload)
    snapshot = snapshot_of(pcap(talk.packets([segment for segment in talk.segments if segment is not answer])))
    told, sentence = verdict(snapshot)
    assert told == "packets-lost"
    assert sentence.startswith(f"unknown whether the upgrade was answered: {len(answer.payload) - 1} octets of the")
    assert not [row for row in snapshot["notes"] if row["code"] == Note.HTTP_UNANSWERED]
    alone = snapshot_of(of_side(Talk().open().upgrade().ack("C"), 0))
    assert verdict(alone)[1].startswith("unknown whether the upgrade was answered: nothing of the server was captured")
    assert not len(alone["notes"])


def test_an_answer_that_never_came_is_told_as_such() -> None:
    talk = Talk().open()
    talk.upgrade().segments.pop()
    talk.next[1] = 5001
    talk.ack("S").wait(30).fin("C")
    snapshot = snapshot_of(pcap(talk.packets()))
    assert verdict(snapshot)[0] == "unanswered-handshake"
    assert verdict(snapshot)[1].startswith("the upgrade got no answer; client closed TCP (FIN)")
    assert [row["code"] for row in snapshot["notes"]] == [Note.HTTP_UNANSWERED]


def test_a_side_that_only_acknowledges_was_captured() -> None:
    talk = closed()
    late = [segment for segment in talk.segments if segment.time > START + 5_000_000]
    silent = [segment for segment in late if segment.side == 1 or not segment.payload]
    snapshot = snapshot_of(pcap(talk.packets(silent)))
    assert completeness(snapshot).one_sided == 0


def test_one_direction_of_tls() -> None:
    talk = secret().send("C", DATA).wait(2).fin("C").fin("S").ack("C")
    snapshot = snapshot_of(of_side(talk, 0))
    record = View(snapshot, "encrypted").record(0)
    assert (record["captured"], record["cause"]) == ("client", None)
    assert record["sentence"] == (
        "client closed TCP (FIN); nothing of the server was captured; close code: encrypted, unknown"
    )


@pytest.mark.parametrize("name", ["tour", "tls-endings", "proxy-chain"])
def test_whole_captures_have_no_such_connection(name: str) -> None:
    with analyzer.open(f"sample:{name}") as capture:
        assert capture.completeness.one_sided == 0


@pytest.mark.parametrize("lost", [[0], [1], [2], [0, 2], [1, 2]])
def test_a_packet_of_tcps_own_handshake_matters_to_nothing(lost: list[int]) -> None:
    """What the other side acknowledges behind its own SYN says where a side starts."""
    talk = closed()
    kept = [segment for number, segment in enumerate(talk.segments) if number not in lost]
    capture = pcap(talk.packets(kept))
    assert story(capture) == story(pcap(talk.packets()))
    shake = snapshot_of(capture)["handshakes"].row(0)
    assert (shake["status"], shake["target"] > 0) == (101, True)
    assert everything(capture, 150) == everything(capture)


def test_an_answer_behind_a_lost_syn_is_counted_as_missing() -> None:
    talk = closed()
    answer = next(segment for segment in talk.segments if segment.payload.startswith(b"HTTP/1.1 101"))
    kept = [segment for segment in talk.segments if segment not in (talk.segments[1], answer)]
    record = snapshot_of(pcap(talk.packets(kept)))["connections"].row(0)
    assert record["server_unseen"] == len(answer.payload)


def test_a_syn_that_is_captured_late_corrects_a_wrong_acknowledgment() -> None:
    talk = closed()
    stray = replace(talk.segments[2], ack=77)
    capture = pcap(talk.packets([talk.segments[0], stray, *talk.segments[1:]]))
    assert story(capture) == story(pcap(talk.packets()))


@pytest.mark.parametrize("close", [False, True])
def test_who_ended_tcp_first_is_not_said_where_an_end_was_lost(close: bool) -> None:
    talk = Talk().open().upgrade().frame("C", TEXT, "hi").frame("S", TEXT, "there").ack("C")
    if close:
        talk.frame("S", CLOSE, close_payload(4401)).frame("C", CLOSE, close_payload(4401))
    talk.fin("S").fin("C").ack("S")
    kept = [segment for number, segment in enumerate(talk.segments) if number != len(talk.segments) - 3]
    snapshot = snapshot_of(pcap(talk.packets(kept)))
    told, sentence = verdict(snapshot)
    assert snapshot["closes"].row(0)["end_unseen"] == 1
    assert told == ("clean" if close else "fin-without-close")
    assert "the server too, unseen: who was first is not known" in sentence
    assert ("no cause is claimed: who ended TCP first" in sentence) is not close
    whole = snapshot_of(pcap(talk.packets()))
    assert whole["closes"].row(0)["end_unseen"] == 0
    assert "server closed TCP" in verdict(whole)[1]


def test_an_opening_that_is_not_captured_makes_a_capture_incomplete() -> None:
    talk = closed()
    late = talk.segments[5:]
    found = completeness(snapshot_of(pcap(talk.packets(late))))
    assert (found.unopened, found.whole) == (1, False)
    found = completeness(snapshot_of(pcap(talk.packets())))
    assert (found.unopened, found.whole) == (0, True)


@pytest.mark.filterwarnings("error")
def test_responses_without_requests_have_no_time_to_be_compared() -> None:
    page = Talk(client=("10.0.0.1", 40001)).open().send("C", request(upgrade=False)).send("S", response(status=200))
    talk = Talk(start=START + 1_000_000_000).open().upgrade().frame("S", TEXT, "x").wait(5).fin("S").fin("C")
    packets = [*page.packets([segment for segment in page.segments if segment.side]), *talk.packets()]
    assert len(snapshot_of(pcap(packets))["exchanges"]) == 2
