"""WebSocket behind PROXY headers and inside CONNECT tunnels, cut in every way."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from analyzer.analysis.contents import Contents
from analyzer.views import View
from tests.outcome import everything, snapshot_of, story
from tests.wire.captures import pcap
from tests.wire.frames import CLOSE, TEXT, close_payload
from tests.wire.handshakes import request, response
from tests.wire.proxies import SIGNATURE, client_hello, proxy_binary, proxy_text
from tests.wire.talks import Talk, duplicate, resegment, shuffle_within

CLIENT, SERVER = ("203.0.113.7", 51234), ("192.0.2.1", 443)
CONNECT = request("chat.example:80", method="CONNECT", upgrade=False, host="chat.example:80")
CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"
HEADERS = {"v1": proxy_text(CLIENT, SERVER), "v2": proxy_binary(CLIENT, SERVER, [(2, b"chat.example")])}


def chat(talk: Talk) -> Talk:
    """A short WebSocket session."""
    talk.upgrade().frame("C", TEXT, "hello").frame("S", TEXT, "hello yourself")
    talk.frame("C", CLOSE, close_payload(1000)).frame("S", CLOSE, close_payload(1000))
    return talk.fin("S").fin("C")


def tunnelled(depth: int = 1) -> Talk:
    """A session inside CONNECT tunnels."""
    talk = Talk().open()
    for level in range(depth):
        talk.send("C", CONNECT.replace(b"chat.example", b"proxy%d.example" % level)).send("S", CONNECTED)
    return chat(talk)


def rows(octets: bytes, table: str, chunk: int = 4 << 20) -> list[dict[str, Any]]:
    view = View(snapshot_of(octets, chunk), table)
    return [view.record(place) for place in range(len(view))]


def codes(octets: bytes) -> list[str]:
    return [note["code"] for note in rows(octets, "notes")]


def test_a_session_in_a_tunnel_is_read() -> None:
    octets = pcap(tunnelled().packets())
    (connection,) = rows(octets, "connections")
    assert (connection["verdict"], connection["close_code"]) == ("clean", 1000)
    assert connection["connect_target"] == "proxy0.example:80"
    assert (connection["client_frames"], connection["server_frames"]) == (2, 2)
    assert [exchange["method"] for exchange in rows(octets, "exchanges")] == ["CONNECT", "GET"]
    outer, inner = snapshot_of(octets)["channels"]
    assert (outer["kind"], outer["parent"], inner["kind"], inner["parent"]) == (0, -1, 1, 0)
    assert (inner["start_0"], inner["start_1"]) == (len(CONNECT) + 4, len(CONNECTED))
    assert not codes(octets)


def test_payload_in_a_tunnel_is_found_again() -> None:
    snapshot = snapshot_of(pcap(tunnelled(2).packets()))
    contents = Contents(snapshot)
    assert [contents.message_payload(row).octets for row in (0, 1)] == [b"hello", b"hello yourself"]


@pytest.mark.parametrize("depth", [1, 2, 8])
def test_tunnels_in_tunnels_are_read_down_to_the_limit(depth: int) -> None:
    octets = pcap(tunnelled(depth).packets())
    (connection,) = rows(octets, "connections")
    assert connection["connect_target"] == f"proxy{depth - 1}.example:80"
    assert connection["verdict"] == "clean"
    assert not codes(octets)


def test_more_tunnels_than_the_limit_are_told() -> None:
    octets = pcap(tunnelled(9).packets())
    assert not rows(octets, "connections")
    assert codes(octets) == ["tunnel-limit"]


@pytest.mark.parametrize("status", [403, 407])
def test_a_refused_connect_is_no_tunnel(status: int) -> None:
    talk = Talk().open().send("C", CONNECT).send("S", response(status=status, body=b"no"))
    talk.send("C", CONNECT).send("S", CONNECTED)
    octets = pcap(chat(talk).packets())
    assert [exchange["status"] for exchange in rows(octets, "exchanges")] == [status, 200, 101]
    assert rows(octets, "connections")[0]["verdict"] == "clean"


def test_what_a_client_sends_before_the_answer_is_inside() -> None:
    talk = Talk().open().send("C", CONNECT + request()).send("S", CONNECTED + response())
    talk.frame("C", TEXT, "x").fin("C")
    for chunk in (4 << 20, 150):
        (connection,) = rows(pcap(talk.packets()), "connections", chunk)
        assert (connection["state"], connection["client_frames"]) == ("died", 1)


def test_tls_in_a_tunnel_is_encrypted_and_named() -> None:
    talk = Talk().open().send("C", CONNECT).send("S", CONNECTED).send("C", client_hello("chat.example")).fin("C")
    (encrypted,) = rows(pcap(talk.packets()), "encrypted")
    assert (encrypted["server_name"], encrypted["connect_target"]) == ("chat.example", "chat.example:80")


def test_a_target_in_absolute_form_is_an_ordinary_upgrade() -> None:
    talk = Talk().open().send("C", request("http://chat.example/room")).send("S", response()).frame("C", TEXT, "x")
    octets = pcap(talk.packets())
    assert rows(octets, "connections")[0]["path"] == "http://chat.example/room"
    assert not codes(octets)


@pytest.mark.parametrize("version", HEADERS)
def test_a_proxy_header_names_the_client(version: str) -> None:
    octets = pcap(chat(Talk().open().send("C", HEADERS[version])).packets())
    (connection,) = rows(octets, "connections")
    assert (connection["proxied_source"], connection["verdict"]) == ("203.0.113.7:51234", "clean")
    assert connection["client_address"] == "10.0.0.1"
    assert not codes(octets)
    (channel,) = rows(octets, "channels")
    assert channel["proxied_destination"] == "192.0.2.1:443"
    assert channel["proxied_details"] == ("authority chat.example" if version == "v2" else None)


@pytest.mark.parametrize("version", HEADERS)
@pytest.mark.parametrize("mss", [1, 2, 7, 50, 1448])
def test_a_proxy_header_is_read_however_it_is_cut(version: str, mss: int) -> None:
    talk = Talk().open().send("C", HEADERS[version] + request(), mss=mss).send("S", response()).frame("C", TEXT, "x")
    octets = pcap(talk.packets())
    for chunk in (4 << 20, 150):
        (connection,) = rows(octets, "connections", chunk)
        assert (connection["proxied_source"], connection["client_frames"]) == ("203.0.113.7:51234", 1)


@pytest.mark.parametrize("mss", [1, 6, 1448])
def test_tls_behind_a_proxy_header_is_encrypted(mss: int) -> None:
    talk = Talk().open().send("C", HEADERS["v2"]).send("C", client_hello("chat.example"), mss=mss).fin("C")
    if mss == 1:
        talk = Talk().open().send("C", HEADERS["v2"], mss=1).send("C", client_hello("chat.example")).fin("C")
    (encrypted,) = rows(pcap(talk.packets()), "encrypted")
    assert (encrypted["server_name"], encrypted["proxied_source"]) == ("chat.example", "203.0.113.7:51234")


def test_a_wrong_proxy_header_is_noted_and_passed_over() -> None:
    octets = pcap(chat(Talk().open().send("C", b"PROXY TCP4 nobody nowhere 1 2\r\n")).packets())
    (note,) = rows(octets, "notes")
    assert (note["code"], note["severity"], note["packet"]) == ("proxy-header-bad", "must", 4)
    assert note["connection"] is not None
    assert rows(octets, "connections")[0]["verdict"] == "clean"


@pytest.mark.parametrize("header", [b"PROXY TCP4 " + b"9" * 200, SIGNATURE + b"\x21\x11\xff\xff" + bytes(50)])
def test_a_proxy_header_without_an_end_is_noted(header: bytes) -> None:
    assert codes(pcap(chat(Talk().open().send("C", header)).packets())) == ["proxy-header-bad"]


def both(seed: int) -> Talk:
    """A PROXY header, a refused CONNECT, two tunnels, and early data in the inner one."""
    talk = Talk().open().send("C", HEADERS["v2"] + CONNECT).send("S", response(status=407))
    talk.send("C", CONNECT).send("S", CONNECTED).send("C", CONNECT + request()).send("S", CONNECTED + response())
    for number in range(seed + 2):
        talk.frame("C", TEXT, f"message {number}").frame("S", TEXT, f"answer {number}")
    return talk.frame("S", CLOSE, close_payload(1001)).frame("C", CLOSE, close_payload(1001)).fin("S").fin("C")


@pytest.mark.parametrize("seed", range(6))
def test_neither_cuts_nor_order_change_the_story(seed: int) -> None:
    random, talk = Random(seed), both(seed)
    expected = story(pcap(talk.packets()))
    assert len(expected["messages"]) == 2 * seed + 6
    damaged = shuffle_within(duplicate(resegment(talk.segments, random), random), random, 4)
    assert story(pcap(talk.packets(damaged))) == expected


@pytest.mark.parametrize("seed", range(3))
def test_chunks_do_not_show(seed: int) -> None:
    random, talk = Random(seed), both(seed)
    octets = pcap(talk.packets(shuffle_within(resegment(talk.segments, random), random, 5)))
    whole = everything(octets)
    assert len(whole["tables"]["connections"]) == 1
    assert len(whole["tables"]["channels"]) >= 3
    for chunk in (150, 400, 1000):
        assert everything(octets, chunk) == whole
