"""`framescope decode`: octets without packets, with and without handshake, either side missing."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from analyzer.cli.main import main
from tests.wire.frames import CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, deflate, frame
from tests.wire.handshakes import request, response

DEFLATE = {"Sec-WebSocket-Extensions": "permessage-deflate"}
KEYS = (b"\x01\x92\x33\x04", b"\x70\x06\x47\x88", b"\x39\x0a\x0b\xcc", b"\x0d\xee\x0f\x21")
CLIENT = b"".join(
    (frame(TEXT, "hi", mask=KEYS[0]), frame(PING, "p", mask=KEYS[1]), frame(TEXT, deflate("x" * 50), rsv=4, mask=KEYS[2]),
     frame(CLOSE, close_payload(1000), mask=KEYS[3]))
)  # fmt: skip
SERVER = b"".join(
    (frame(TEXT, "a", fin=False), frame(PONG, "p"), frame(CONTINUATION, "b"), frame(TEXT, b"\xff"),
     frame(CLOSE, close_payload(1000)))
)  # fmt: skip


def files(folder: Path, handshake: bool = True) -> tuple[str, str]:
    """The two sides."""
    heads = (request(headers=DEFLATE), response(headers=DEFLATE)) if handshake else (b"", b"")
    paths = folder / "client.bin", folder / "server.bin"
    for path, head, octets in zip(paths, heads, (CLIENT, SERVER), strict=True):
        path.write_bytes(head + octets)
    return str(paths[0]), str(paths[1])


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("handshake", [True, False])
def test_messages_are_told_without_packets_and_times(
    handshake: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client, server = files(tmp_path, handshake)
    more = [] if handshake else ["--deflate"]
    assert (
        main(["decode", "messages", "--client", client, "--server", server, "--json", "--payload", "text", *more]) == 0
    )
    rows = lines(capsys)
    payloads = [(row["sender"], row["payload"]) for row in rows if row["opcode"] in ("text", "pong")]
    assert sorted(payloads) == sorted(
        [("client", "hi"), ("client", "x" * 50), ("server", "p"), ("server", "ab"), ("server", "\\xff")]
    )
    assert {row[name] for row in rows for name in ("packet", "time", "first_time", "connection", "round_trip")} == {
        None
    }
    assert [row["answers"] for row in rows if row["opcode"] == "close"] == [None, None]
    pings = {row["row"]: row["opcode"] for row in rows}
    (pong,) = (row for row in rows if row["opcode"] == "pong")
    assert pings[pong["answers"]] == "ping"


def test_check_tells_the_place_in_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    client, server = files(tmp_path)
    both = ["decode", "check", "--client", client, "--server", server]
    assert main(both) == 1
    at = (tmp_path / "server.bin").read_bytes().index(frame(TEXT, b"\xff"))
    assert f"octets {at}+1 of the server" in capsys.readouterr().out
    assert main([*both, "--role", "client"]) == 0
    capsys.readouterr()
    assert main([*both, "--format", "sarif"]) == 1
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"].endswith("server.bin")
    assert place["region"] == {"byteOffset": at, "byteLength": 1}
    assert main([*both, "--format", "junit"]) == 1
    (suite,) = Xml.fromstring(capsys.readouterr().out)
    assert (suite.get("failures"), suite.get("name")) == ("1", f"{client}, {server}")
    assert main([*both, "--format", "junit", "--role", "client"]) == 0
    (suite,) = Xml.fromstring(capsys.readouterr().out)
    assert (suite.get("tests"), suite[0].get("name")) == ("1", "nothing to note")


@pytest.mark.parametrize("handshake", [True, False])
def test_a_missing_side_is_not_blamed(handshake: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    client, server = files(tmp_path, handshake)
    assert main(["decode", "check", "--client", client, *([] if handshake else ["--deflate"]), "--fail-on", "odd"]) == 0
    assert main(["decode", "check", "--server", server, "--json", "--fail-on", "odd"]) == 1
    assert capsys.readouterr().out.count('"text-not-utf8"') == 1


def test_standard_input_and_mistakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Stdin:
        buffer = io.BytesIO(frame(TEXT, "not masked"))

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert main(["decode", "check", "--client", "-"]) == 1
    assert "client-unmasked" in capsys.readouterr().out
    assert main(["decode"]) == 2
    assert main(["decode", "--client", "-", "--server", "-"]) == 2
    assert main(["decode", "--client", str(tmp_path / "absent")]) == 3
    assert main(["decode", "frames", "--client", "-", "--role", "client"]) == 2
    refused = tmp_path / "refused.bin"
    refused.write_bytes(response(status=403))
    assert main(["decode", "--server", str(refused)]) == 4


def test_files_without_octets_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty, some = tmp_path / "empty.bin", tmp_path / "some.bin"
    empty.write_bytes(b"")
    some.write_bytes(frame(TEXT, "x"))
    for what in ("frames", "messages", "check"):
        assert main(["decode", what, "--client", str(empty)]) == 3
        assert "nothing to decode" in capsys.readouterr().err
    assert main(["decode", "--client", str(empty), "--server", str(some)]) == 0
