"""Causes end to end: on captures of real software, on built ones with their timings, and never on ordinary closes."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import analyzer
from analyzer.analysis.contents import Contents
from analyzer.analysis.leg_verdicts import tell_legs
from analyzer.analysis.patterns import BY_NAME
from analyzer.analysis.snapshot import Snapshot
from analyzer.analysis.verdicts import Telling, incident_sentence, tell
from analyzer.schemas import CAUSES, VERDICTS
from tests.outcome import everything, snapshot_of
from tests.wire.captures import pcap
from tests.wire.frames import CLOSE, PING, TEXT, close_payload
from tests.wire.handshakes import request, response
from tests.wire.packets import ACK, RST
from tests.wire.talks import START, Talk

REAL: dict[str, list[str | None]] = {
    "nginx-idle": ["proxy-idle-timeout"] * 2,
    "haproxy-idle": ["haproxy-tunnel-timeout"] * 2,
    "keepalive-1011": ["keepalive-ping-timeout"],
    "aiohttp-heartbeat": [None, "heartbeat-timeout"],
    "killed": ["server-dropped", "unread-data"],
    "chromium-chat": [None, "chromium-navigation"],
    "node-ws": [None, "message-too-big", "server-dropped"],
    "slow-consumer": ["slow-consumer"],
    "socketio-timeout": ["socketio-ping-timeout"],
    "closings": ["server-exception", "authentication", "close-ignored"],
    "refused": [
        "request-faulty",
        "credentials-refused",
        "origin-refused",
        "path-unknown",
        "upgrade-refused",
        "redirected",
        "not-ready",
        "upgrade-refused",
    ],
    "no-upgrade": ["proxy-drops-upgrade"] * 4,
    "subprotocols": [None, None, None, "request-faulty"],
    "websockets-deflate": [None],
}
"""By sample: the cause of each connection, in the order of their first packets."""
PROXIES = {name for name in CAUSES.values() if any(word in name for word in (
    "proxy", "nginx", "haproxy", "balancer", "cloud", "heroku", "envoy", "google", "front-door", "idle-timeout",
    "gateway", "forgotten", "reload"))}  # fmt: skip


def cause(snapshot: Snapshot, row: int = 0) -> str:
    return CAUSES[snapshot["closes"].row(row)["cause"]]


def analysed(*talks: Talk) -> Snapshot:
    packets = sorted((packet for talk in talks for packet in talk.packets()), key=lambda item: item[0])
    return snapshot_of(pcap(packets))


def told(talk: Talk) -> Telling:
    return tell(analysed(talk), 0)


def client(number: int, start: int = START) -> Talk:
    return (
        Talk(client=(f"10.0.{number >> 8}.{number & 255}", 40000), start=start).open().upgrade().frame("C", TEXT, "x")
    )


@pytest.mark.parametrize("sample", REAL)
def test_real_software_is_recognised(sample: str) -> None:
    with analyzer.open(f"sample:{sample}") as capture:
        rows = sorted(capture.connections, key=lambda row: row.first_time)
        if sample.endswith("-idle"):
            assert {row.confidence for row in rows} == {"medium"}
        assert [row.cause for row in rows] == REAL[sample]


def test_a_restart_is_told_once() -> None:
    with analyzer.open("sample:restart") as capture:
        stopped, killed = sorted(capture.table("incidents"), key=lambda row: row["first_time"])
        assert (CAUSES[stopped["cause"]], stopped["code"], stopped["count"]) == ("server-restart", 1001, 12)
        assert (CAUSES[killed["cause"]], killed["code"], killed["count"]) == ("server-gone", -1, 12)
        close = next(row.close for row in capture.connections if row.incident == 0)
        assert close.incident
        assert close.cause
        assert close.confidence
        assert close.tries


def test_forty_one_connections_that_fall_together() -> None:
    talks = [client(number, START + number * 900_000_000) for number in range(41)]
    for number, talk in enumerate(talks):
        talk.time = START + 60_000_000_000 + number * 7_000_000
        talk.fin("S").fin("C")
    snapshot = analysed(*talks)
    assert {cause(snapshot, row) for row in range(41)} == {"server-gone"}
    sentence = incident_sentence(snapshot, 0)
    assert len(snapshot["incidents"]) == 1
    assert sentence.startswith("41 connections of 10.0.0.2:80 ended within 280 ms, of 41 that stood")


def test_a_busy_server_has_no_burst() -> None:
    talks = []
    for number in range(120):
        talk = client(number, START + number * 50_000_000).wait(3 + number % 7)
        talks.append(talk.fin("S").fin("C"))
    snapshot = analysed(*talks)
    assert not len(snapshot["incidents"])
    assert "server-gone" not in {cause(snapshot, row) for row in range(120)}


@pytest.mark.parametrize("seed", range(4))
def test_deaths_at_random_share_nothing(seed: int) -> None:
    random = Random(seed)
    talks = []
    for number in range(400):
        start = START + int(random.uniform(0, 20) * 1e9)
        talks.append(client(number, start).wait(random.uniform(0.5, 40)).fin("S").fin("C"))
    snapshot = analysed(*talks)
    assert not len(snapshot["incidents"])


def test_the_same_idle_time_at_several() -> None:
    talks = [client(number, START + number * 2_000_000_000).wait(7.5).fin("S").fin("C") for number in range(4)]
    snapshot = analysed(*talks)
    assert {cause(snapshot, row) for row in range(4)} == {"common-idle-timeout"}
    assert "after the same silence of 7.5 s" in incident_sentence(snapshot, 0)


def test_sixty_seconds_alone_are_a_guess_that_says_so() -> None:
    telling = told(client(1).wait(60).fin("S").fin("C"))
    assert telling.confidence == "low"
    assert "a guess" in telling.likely
    assert telling.alternatives


def unheard(answer: bool = False) -> Talk:
    """A server that sends again what nobody acknowledges, as Linux doubles its timer (RFC 6298 §5.5)."""
    talk = client(1).ack("S")
    last = talk.next[1]
    talk.frame("S", TEXT, "nobody hears this")
    for wait in (0.2, 0.4, 0.8, 1.6, 3.2):
        talk.wait(wait)
        talk.next[1] = last
        if answer:
            talk.ack("C")
        talk.frame("S", TEXT, "nobody hears this")
    return talk


def test_a_dead_path() -> None:
    snapshot = analysed(unheard().wait(6.4).segment(1, RST | ACK))
    assert cause(snapshot) == "dead-path"
    assert "sent 6 times in 6.2 s" in tell(snapshot, 0).sentence


@pytest.mark.parametrize("answer", [False, True])
def test_a_path_that_may_be_dead_when_the_capture_ends(answer: bool) -> None:
    snapshot = analysed(unheard(answer))
    close, telling = snapshot["closes"].row(0), tell(snapshot, 0)
    assert cause(snapshot) == "none"
    assert (close["unacknowledged"], close["unacknowledged_by"], close["resent"]) == (19, 1, 5)
    assert close["heard_since"] == (5 if answer else 0)
    assert telling.sentence.startswith("still open when the capture ended; 19 octets of the server have no ack")
    assert telling.sentence.endswith("acknowledge none of them" if answer else "was captured after that")
    assert "begins like this" in telling.likely
    assert [item.packet for item in telling.evidence if "acknowledges" in item.text] == [close["unacknowledged_packet"]]


def test_what_was_sent_again_and_then_acknowledged_is_not_told() -> None:
    talk = unheard().ack("C")
    assert analysed(talk)["closes"].row(0)["resent"] == 0
    assert "acknowledg" not in told(talk).sentence


def test_packets_captured_twice_are_not_sent_again() -> None:
    talk = client(1).ack("S").frame("S", TEXT, "once")
    copies = [*talk.packets(), *((time + 20_000, packet) for time, packet in talk.packets())]
    assert snapshot_of(pcap(sorted(copies, key=lambda item: item[0])))["closes"].row(0)["resent"] == 0


def test_a_half_closed_peer() -> None:
    talk = client(1).wait(2).fin("S").wait(1).frame("C", TEXT, "still here?").rst("S")
    snapshot = analysed(talk)
    assert cause(snapshot) == "half-closed"


def test_the_offending_frame_is_evidence() -> None:
    with analyzer.open("sample:policy") as capture:
        broken = next(row for row in capture.connections if row.close.code == 1007)
        shown = [item for item in broken.close.evidence if "not valid UTF-8" in item.text]
        assert shown
        assert shown[0].frame is not None
        assert shown[0].frame.opcode == "text"


def test_missing_packets_claim_no_cause() -> None:
    talk = client(1).frame("S", TEXT, "a" * 50).frame("S", TEXT, "b" * 50).ack("C").wait(60).fin("S").fin("C")
    whole = analysed(talk)
    assert cause(whole) == "nginx-read-timeout"
    segments = [segment for segment in talk.segments if not segment.payload.endswith(b"a" * 50)]
    snapshot = snapshot_of(pcap(talk.packets(segments)))
    telling = tell(snapshot, 0)
    assert (cause(snapshot), telling.cause, telling.confidence) == ("none", "", "none")
    assert "octets are missing" in telling.unclaimed


def test_a_close_lost_before_the_fin_is_not_a_death_without_close() -> None:
    talk = client(1).wait(60).frame("S", CLOSE, close_payload(1001)).ack("C").fin("S").fin("C")
    kept = [segment for segment in talk.segments if not segment.payload.startswith(b"\x88")]
    snapshot = snapshot_of(pcap(talk.packets(kept)))
    assert snapshot["connections"].row(0)["server_unseen"] == 4
    assert (cause(snapshot), VERDICTS[snapshot["closes"].row(0)["verdict"]]) == ("none", "packets-lost")


def test_the_end_of_the_capture_claims_no_cause() -> None:
    telling = told(client(1).wait(60).frame("S", PING, b"?"))
    assert telling.cause == ""
    assert "the capture ended before" in telling.unclaimed


@given(
    st.sampled_from([1000, 1001, 1003, 1013, 4000, 4999]), st.sampled_from("CS"), st.floats(0, 700), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_ordinary_closes_blame_no_proxy(code: int, side: str, idle: float, answered: bool, pinged: bool) -> None:
    talk = client(1)
    if pinged:
        talk.frame("S", PING, b"1").frame("C", 10, b"1")
    talk.wait(idle).frame(side, CLOSE, close_payload(code, "done"))
    other = "S" if side == "C" else "C"
    if answered:
        talk.frame(other, CLOSE, close_payload(code))
    talk.fin("S").fin("C")
    assert cause(analysed(talk)) not in PROXIES


@given(st.lists(st.tuples(st.floats(0.01, 44), st.sampled_from("CS")), min_size=1, max_size=6))
def test_single_deaths_at_no_known_time_blame_no_proxy(deaths: Iterable[tuple[float, str]]) -> None:
    talks = []
    for number, (idle, side) in enumerate(deaths):
        # every connection has a server of its own: nothing can be shared
        talk = Talk(client=("10.1.0.1", 1000 + number), server=(f"10.2.0.{number + 1}", 80)).open().upgrade()
        talks.append(talk.frame("C", TEXT, "x").wait(idle).fin(side))
    snapshot = analysed(*talks)
    assert not {cause(snapshot, row) for row in range(len(talks))} & PROXIES
    assert not len(snapshot["incidents"])


@pytest.mark.parametrize("chunk", [700, 4000])
def test_causes_do_not_depend_on_chunks(chunk: int) -> None:
    for sample in ("haproxy-idle", "tls-endings", "slow-consumer"):
        with analyzer.open(f"sample:{sample}") as capture:
            octets = capture.snapshot.source.read(0, 1 << 20)
        assert everything(octets, chunk) == everything(octets)


BARE = (("Upgrade", None), ("Connection", "close"))
"""Fields of a request that a proxy passed on which knows nothing of WebSocket."""
MISSING = b"Failed to open a WebSocket connection: missing Connection header.\n"


@pytest.mark.parametrize(
    ("asked", "old", "answered", "expected", "sure"),
    [
        (BARE, True, response(status=400), "proxy-drops-upgrade", "high"),
        (BARE, False, response(status=200, body=b"<html>"), "proxy-drops-upgrade", "medium"),
        ((), False, response(status=426, body=b"Upgrade Required"), "proxy-drops-upgrade", "medium"),
        ((), False, response(status=400, body=MISSING), "proxy-drops-upgrade", "high"),
        ((), False, response(status=400, body=b"no such room"), "request-faulty", "medium"),
        ((), False, response((), {"Sec-WebSocket-Version": "13"}, 426), "upgrade-refused", "medium"),
    ],
)
def test_an_upgrade_that_a_proxy_did_not_pass_on(
    asked: tuple[tuple[str, str | None], ...], old: bool, answered: bytes, expected: str, sure: str
) -> None:
    head = request(headers=asked)
    if old:
        head = head.replace(b"HTTP/1.1", b"HTTP/1.0")
    talk = Talk().open().send("C", head).send("S", answered).fin("S").fin("C")
    telling = told(talk)
    assert (cause(analysed(talk)), telling.confidence) == (expected, sure)
    if asked:  # without another leg, and without the mark of a proxy, it is told as what else it may be
        assert BY_NAME["proxy-drops-upgrade"].cause in (telling.cause, *telling.alternatives)


def test_the_requests_on_both_sides_of_a_proxy_are_evidence() -> None:
    with analyzer.open("sample:no-upgrade") as capture:
        snapshot, contents = capture.snapshot, Contents(capture.snapshot)
        for row in range(4):
            items = {item.text: item.packet for item in tell(snapshot, row).evidence}
            before, behind = items["the request before the proxy"], items["the request behind it"]
            shakes = [snapshot["handshakes"].row(number) for number in range(4)]
            fields = {shake["first_packet"]: shake for shake in shakes}
            assert {before, behind} < set(fields)
            assert fields[before]["key"] == fields[behind]["key"]
            assert before < behind
        lines = [line for row in capture.connections for line in tell_legs(snapshot, row.row, contents)]
        assert lines.count("request upgrade taken out: websocket") == 4
        assert "client's side: the upgrade was answered with 505" in lines
