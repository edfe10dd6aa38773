"""Legs of a session through proxies are paired, and views of one connection; scripts with a fixed key are neither."""

from __future__ import annotations

from pathlib import Path

import pytest

import analyzer
from analyzer.analysis.contents import Contents
from analyzer.analysis.leg_verdicts import leg_phrase, legs_of, tell_legs, tell_views, view_phrase
from analyzer.analysis.pipeline import analyze
from analyzer.analysis.snapshot import Snapshot
from analyzer.capture.files import open_source
from analyzer.limits import Limits
from dissectors.schemas import NO_TIME
from tests.outcome import everything, snapshot_of
from tests.wire.captures import SIMPLE, pcap, pcapng
from tests.wire.frames import CLOSE, TEXT, close_payload
from tests.wire.handshakes import request, response
from tests.wire.talks import START, Segment, Talk

CLIENT, PROXY, INSIDE, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 80), ("10.0.1.2", 50000), ("10.0.1.3", 8080)
MS = 1_000_000


def through(codes: tuple[int, int] = (1000, 1000)) -> tuple[Talk, Talk]:
    """A client's leg and a server's leg behind it: the proxy takes 2 ms each way, and strips extensions."""
    front, back = Talk(CLIENT, PROXY, step=0), Talk(INSIDE, SERVER, (7, 9), step=0)
    offered = (("Sec-WebSocket-Extensions", "permessage-deflate"), ("Origin", "https://a.example"))
    added = (("Origin", "https://a.example"), ("X-Forwarded-For", "10.0.0.1"), ("Cookie", "sid=secret"))
    front.open().send("C", request(headers=offered))
    back.wait(0.002).open().send("C", request(headers=added)).wait(0.003).send("S", response())
    front.wait(0.009).send("S", response())
    front.wait(0.001).frame("C", TEXT, "hello")
    back.time = START + 12 * MS
    back.frame("C", TEXT, "hello").wait(0.1)
    back.frame("S", CLOSE, close_payload(codes[1])).fin("S")
    front.time = back.time + 2 * MS
    front.frame("S", CLOSE, close_payload(codes[0])).fin("S")
    return front, back


def analysed(*talks: Talk, chunk: int = 4 << 20) -> Snapshot:
    return snapshot_of(capture(*talks), chunk)


def capture(*talks: Talk) -> bytes:
    return pcap(sorted((packet for talk in talks for packet in talk.packets()), key=lambda packet: packet[0]))


def leg_rows(snapshot: Snapshot) -> list[list[int]]:
    """Ports of the servers of each connection's legs."""
    ports = snapshot["connections"]["server_port"]
    return [[int(ports[leg]) for leg in legs_of(snapshot, row)] for row in range(len(snapshot["connections"]))]


def test_both_legs_are_one_story() -> None:
    snapshot = analysed(*through())
    assert leg_rows(snapshot) == [[80, 8080]] * 2
    front = int(snapshot["connections"]["server_port"].tolist().index(80))
    assert leg_phrase(snapshot, front).startswith("leg 1 of 2 through a proxy")
    told = tell_legs(snapshot, front, Contents(snapshot))
    assert told == tell_legs(snapshot, 1 - front, Contents(snapshot))
    assert told[1:] == [
        "the server's side ended first: the server sent Close 1000; the client's side 2.0 ms later: the proxy sent"
        " Close 1000",
        "Close 1000 crossed the proxy unchanged",
        "the proxy added 6.0 ms to the handshake of 3.0 ms",
        "messages of the client took 2.0 ms through it, in the median",
        "request sec-websocket-extensions taken out: permessage-deflate",
        "request x-forwarded-for added: 10.0.0.1",
        "request cookie added: ***",
    ]


def test_a_code_that_the_proxy_changes_is_told() -> None:
    snapshot = analysed(*through((1001, 1011)))
    assert "Close 1011 became 1001 behind the proxy" in tell_legs(snapshot, 0, Contents(snapshot))


def test_a_proxy_that_ends_both_is_told() -> None:
    front, back = Talk(CLIENT, PROXY), Talk(INSIDE, SERVER, (7, 9), step=1000)
    front.open().send("C", request())
    back.time = front.time
    back.open().upgrade()
    front.wait(1).send("S", response()).wait(60)
    back.time = front.time + 1000
    front.fin("S")
    back.fin("C")
    snapshot = analysed(front, back)
    told = tell_legs(snapshot, 0, Contents(snapshot))
    assert "the proxy ended both: neither the client nor the server did" in told


def test_a_chain_of_proxies_is_followed() -> None:
    with analyzer.open("sample:proxy-chain") as opened:
        rows = leg_rows(opened.snapshot)
        assert sorted(map(tuple, rows)) == [(8300, 8302, 8303)] * 3 + [(8301, 8302, 8303)] * 3
        sources = {row["proxied_source"] for row in map(opened.view("connections").record, range(6))} - {None}
        clients = {f"127.0.0.1:{row['client_port']}" for row in opened.snapshot["connections"]
                   if row["server_port"] in (8300, 8301)}  # fmt: skip
        assert sources == clients
        assert not list(opened.notes)


def test_scripts_with_a_fixed_key_are_no_legs() -> None:
    """Many at the same server, one after the other or at once, and more with one key than proxies make."""
    after = [Talk(("10.0.0.1", 40000 + n), start=START + n * 100 * MS).open().upgrade() for n in range(3)]
    assert leg_rows(analysed(*after)) == [[80]] * 3
    outer = Talk(("10.0.0.1", 1)).open().send("C", request()).wait(1).send("S", response())
    inner = Talk(("10.0.0.1", 2), start=START + 100 * MS).open().upgrade()
    assert leg_rows(analysed(outer, inner)) == [[80]] * 2
    many = [Talk(("10.0.0.1", 1 + n), ("10.0.0.2", 80 + n), start=START + n * MS, step=10_000).open()
            .send("C", request()).wait(1 - n / 100).send("S", response()) for n in range(65)]  # fmt: skip
    assert {len(legs) for legs in leg_rows(analysed(*many))} == {1}


def test_a_proxy_that_makes_its_own_key_is_not_guessed_at() -> None:
    front, back = through()
    other = "AAAAAAAAAAAAAAAAAAAAAA=="
    back = (
        Talk(INSIDE, SERVER, step=0, start=START + 2 * MS)
        .open()
        .send("C", request(key=other))
        .send("S", response(other))
    )
    assert leg_rows(analysed(front, back)) == [[8080], [80]]


def translated(talk: Talk, way: int, back: int, offset: int, lost: tuple[int, ...] = ()) -> Talk:
    """The same connection behind an address translation: `way` ns further on, by a clock `offset` ns ahead."""
    other = Talk(("192.0.2.9", 61000), talk.ends[1])
    other.segments = [
        Segment(segment.time + offset + (way if segment.side == 0 else -back), segment.side, segment.seq, segment.ack,
                segment.flags, segment.payload)
        for number, segment in enumerate(talk.segments)
        if number not in lost
    ]  # fmt: skip
    return other


@pytest.mark.parametrize("offset", [0, 250 * MS, -3_000 * MS])
@pytest.mark.parametrize("swap", [False, True])
def test_two_views_are_one_connection_and_their_clocks_are_compared(offset: int, swap: bool) -> None:
    near = Talk(step=20 * MS).open().upgrade().frame("C", TEXT, "x").frame("S", TEXT, "y").fin("C").fin("S")
    far = translated(near, 5 * MS, 3 * MS, offset)
    snapshot = analysed(*((far, near) if swap else (near, far)))
    connections = snapshot["connections"]
    assert connections["other_view"].tolist() == [1, 0]
    assert leg_rows(snapshot) == [[80]] * 2
    of_near = int(connections["client_port"].tolist().index(40000))
    ahead, error = int(connections["clock_offset"][of_near]), int(connections["clock_error"][of_near])
    assert abs(ahead - offset) <= error == 4 * MS
    assert ahead == -int(connections["clock_offset"][1 - of_near])
    assert "this view is the one nearer to the client" in tell_views(snapshot, of_near)
    assert "this view is the one nearer to the server" in tell_views(snapshot, 1 - of_near)


def test_what_one_view_saw_and_the_other_did_not_is_told() -> None:
    near = Talk(step=20 * MS).open().upgrade().frame("C", TEXT, "x").frame("S", TEXT, "y").ack("C").fin("C")
    snapshot = analysed(near, translated(near, 5 * MS, 3 * MS, 0, lost=(7,)))
    told = tell_views(snapshot, 0) if snapshot["connections"]["client_port"][0] == 40000 else tell_views(snapshot, 1)
    assert any(line.startswith("packets of the client seen here and not there: ") for line in told)
    assert not any("server seen" in line for line in told)


def test_without_times_clocks_are_not_compared() -> None:
    near = Talk(step=20 * MS).open().upgrade().frame("C", TEXT, "x").frame("S", TEXT, "y").fin("C").fin("S")
    packets = sorted(near.packets() + translated(near, 5 * MS, 3 * MS, 0).packets(), key=lambda packet: packet[0])
    snapshot = snapshot_of(pcapng(packets, kind=SIMPLE))
    assert snapshot["connections"]["other_view"].tolist() == [1, 0]
    assert snapshot["connections"]["clock_offset"].tolist() == [NO_TIME] * 2
    assert view_phrase(snapshot, 0).endswith("; the clocks cannot be compared")


def test_of_one_view_alone_nothing_is_said() -> None:
    snapshot = analysed(Talk().open().upgrade())
    assert snapshot["connections"]["clock_offset"].tolist() == [NO_TIME]
    assert view_phrase(snapshot, 0) == ""


def two_files(folder: Path, *talks: Talk, chunk: int = 4 << 20) -> Snapshot:
    paths = [folder / f"{number}.pcap" for number in range(len(talks))]
    for path, talk in zip(paths, talks, strict=True):
        path.write_bytes(capture(talk))
    return analyze(open_source(paths), limits=Limits(chunk=chunk))


@pytest.mark.parametrize("chunk", [4 << 20, 150])
@pytest.mark.parametrize("offset", [0, 40 * MS])
def test_two_files_of_one_connection_are_two_views(tmp_path: Path, offset: int, chunk: int) -> None:
    near = Talk(step=20 * MS).open().upgrade().frame("C", TEXT, "x").frame("S", TEXT, "y").fin("C").fin("S")
    far = translated(near, 5 * MS, 3 * MS, offset, lost=(5,))
    far.ends = near.ends
    snapshot = two_files(tmp_path, near, far, chunk=chunk)
    (connection,) = snapshot["connections"]
    assert (connection["places"], connection["other_view"]) == (2, -1)
    assert abs(connection["clock_offset"] - offset) <= connection["clock_error"] == 4 * MS
    assert len(snapshot["frames"]) == 2
    told = tell_views(snapshot, 0)
    assert told[1] == "the first is the one nearer to the client"
    assert [line.partition(":")[0] for line in told[2:]] == [
        "packets of the client seen at the first and not at the second"
    ]


def test_files_that_follow_one_another_are_one_view(tmp_path: Path) -> None:
    talk = Talk().open().upgrade().frame("C", TEXT, "x").frame("S", TEXT, "y").fin("C").fin("S")
    first, second = Talk(), Talk()
    first.segments, second.segments = talk.segments[:5], talk.segments[5:]
    (connection,) = two_files(tmp_path, first, second)["connections"]
    assert (connection["places"], connection["clock_error"]) == (1, -1)


def test_a_tap_with_a_file_for_each_direction_is_one_view(tmp_path: Path) -> None:
    talk = Talk().open().upgrade().frame("C", TEXT, "x").frame("S", TEXT, "y").fin("C").fin("S")
    halves = Talk(), Talk()
    for side in (0, 1):
        halves[side].segments = [segment for segment in talk.segments if segment.side == side]
    (connection,) = two_files(tmp_path, *halves)["connections"]
    assert (connection["places"], connection["clock_error"]) == (1, -1)


def test_chunks_do_not_show() -> None:
    near = Talk(step=20 * MS).open().upgrade().frame("C", TEXT, "x").fin("C").fin("S")
    octets = capture(*through(), near, translated(near, 5 * MS, 3 * MS, 0))
    assert everything(octets, 150) == everything(octets)
