"""TLS connections that cannot be read: what shows of their ends."""

from __future__ import annotations

from typing import Any

import pytest

import analyzer
from analyzer.analysis.encrypted_verdicts import tell_encrypted
from analyzer.views import View
from tests.dissectors.test_tls import in_records, real_hello
from tests.outcome import everything, snapshot_of
from tests.wire.captures import pcap
from tests.wire.talks import START, Talk

DATA = b"\x17\x03\x03\x00\x40" + bytes(64)
ALERT = b"\x17\x03\x03\x00\x13" + bytes(19)
FATAL = b"\x15\x03\x03\x00\x02\x02\x30"


def secret(number: int = 1, hello: bytes | None = None) -> Talk:
    talk = Talk(client=(f"10.0.0.{number}", 50000), server=("10.9.0.1", 443), start=START + number * 2_000_000_000)
    return talk.open().send("C", hello or real_hello()).send("S", b"\x16\x03\x03\x00\x04" + bytes(4) + DATA)


def rows(*talks: Talk) -> list[dict[str, Any]]:
    packets = sorted((packet for talk in talks for packet in talk.packets()), key=lambda item: item[0])
    view = View(snapshot_of(pcap(packets)), "encrypted")
    return [view.record(place) for place in range(len(view))]


def test_names_idle_time_and_end() -> None:
    (row,) = rows(secret().send("C", DATA).wait(1).send("S", DATA).wait(60).send("S", ALERT).fin("S").fin("C"))
    assert (row["server_name"], row["protocols"], row["end_by"], row["end"]) == (
        "chat.example",
        "h2,http/1.1",
        "server",
        "FIN",
    )
    assert row["server_tail"] == "perhaps-alert"
    assert 60_000_000_000 <= row["server_idle"] < 60_010_000_000
    assert 61_000_000_000 <= row["client_idle"] < 61_010_000_000
    assert (row["cause"], row["confidence"]) == ("nginx-read-timeout", "low")
    assert row["sentence"].endswith("close code: encrypted, unknown")


def test_the_client_is_known_where_the_hello_is_not() -> None:
    talk = Talk(client=("10.0.0.1", 50000), server=("10.9.0.1", 443)).send("S", DATA).send("C", DATA).fin("C")
    (row,) = rows(talk)
    assert (row["known_by"], row["client_port"], row["end_by"]) == ("unknown", 50000, "client")


def test_who_fell_together() -> None:
    talks = [secret(number).wait(number % 3) for number in range(1, 13)]
    for number, talk in enumerate(talks):
        talk.time = START + 90_000_000_000 + number * 3_000_000
        talk.fin("S").fin("C")
    assert {(row["cause"], row["incident"]) for row in rows(*talks)} == {("server-gone", 0)}


def test_a_fatal_alert_names_itself() -> None:
    (row,) = rows(Talk().open().send("C", real_hello()).send("S", DATA).send("C", FATAL).fin("C").fin("S"))
    assert (row["alert"], row["cause"], row["confidence"]) == (48, "tls-alert", "high")
    assert "unknown_ca" in row["sentence"]


def test_a_hello_in_pieces_is_read_whatever_the_chunks() -> None:
    talk = secret(1, in_records(real_hello()[5:], 90))
    pieces = Talk().open()
    for at in range(0, len(real_hello()), 100):
        pieces.send("C", real_hello("pieces.example")[at : at + 100])
    pieces.wait(3).send("S", ALERT).fin("S").fin("C")
    capture = pcap([*talk.packets(), *pieces.packets()])
    assert everything(capture, 300) == everything(capture)
    view = View(snapshot_of(capture), "encrypted")
    assert view.values("server_name", view.rows) == ["chat.example", "pieces.example"]


def test_missing_octets_and_the_end_of_the_capture_claim_no_cause() -> None:
    talk = secret().send("C", DATA).send("S", DATA).ack("C").wait(60).fin("S").fin("C")
    lost = [segment for at, segment in enumerate(talk.segments) if at != 5]
    snapshot = snapshot_of(pcap(talk.packets(lost)))
    assert snapshot["encrypted"].row(0)["cause"] == 0
    assert "octets are missing" in tell_encrypted(snapshot, 0).unclaimed
    snapshot = snapshot_of(pcap(secret().wait(60).send("C", DATA).packets()))
    assert "the capture ended" in tell_encrypted(snapshot, 0).unclaimed


def test_real_software() -> None:
    with analyzer.open("sample:tls-endings") as capture:
        view = capture.view("encrypted")
        records = [view.record(place) for place in range(len(view))]
        assert [row["cause"] for row in records[:8]] == ["server-gone"] * 8
        idle, distrusting = records[8:]
        assert idle["server_tail"] == "alert"
        assert idle["server_idle"] == pytest.approx(3_000_000_000, abs=100_000_000)
        assert (distrusting["end_by"], distrusting["cause"]) == ("client", "tls-truncated")
