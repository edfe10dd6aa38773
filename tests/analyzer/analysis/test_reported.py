"""Which code each side's API reports. What endpoints themselves say is held against it by tests/autobahn."""

from __future__ import annotations

import pytest

from tests.outcome import snapshot_of
from tests.wire.captures import pcap
from tests.wire.frames import CLOSE, TEXT, close_payload, frame
from tests.wire.talks import Talk


def reported(talk: Talk) -> tuple[int, int]:
    row = snapshot_of(pcap(talk.fin("S").fin("C").packets()))["closes"].row(0)
    return row["client_reported"], row["server_reported"]


def closed(talk: Talk, side: str, code: int) -> Talk:
    return talk.frame(side, CLOSE, close_payload(code)).frame("SC"[side == "S"], CLOSE, close_payload(code))


@pytest.mark.parametrize("code", [1002, 1007])
def test_who_fails_a_connection_reads_no_answer(code: int) -> None:
    broken = Talk().open().upgrade().send("C", frame(TEXT, b"\xff", mask=b"abcd"))
    assert reported(closed(broken, "S", code)) == (code, 1006)


@pytest.mark.parametrize("code", [1000, 1002, 1007, 4000])
def test_an_application_that_closes_so_reads_the_answer(code: int) -> None:
    fine = Talk().open().upgrade().frame("C", TEXT, "fine").frame("S", TEXT, "fine")
    assert reported(closed(fine, "C", code)) == (code, code)
    own = Talk().open().upgrade().send("C", frame(TEXT, b"\xff", mask=b"abcd"))
    assert reported(closed(own, "C", code)) == (code, code)  # what it sent itself is no reason


def test_a_message_that_is_too_big_fails_the_connection_too() -> None:
    assert reported(closed(Talk().open().upgrade().frame("C", TEXT, "x" * 200), "S", 1009)) == (1009, 1006)
    assert reported(closed(Talk().open().upgrade(), "C", 1009)) == (1009, 1009)
