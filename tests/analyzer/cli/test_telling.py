"""What the verbs say in words: of connections that cannot be read, of what was found by evidence, of what is not there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from analyzer.cli.main import main
from analyzer.errors import ExitStatus
from tests.analyzer.analysis.test_encrypted import ALERT, DATA, secret
from tests.wire.captures import pcap
from tests.wire.frames import TEXT, frame
from tests.wire.talks import Talk

Save = Callable[..., str]
Out = pytest.CaptureFixture[str]


def said(capsys: Out, *words: str) -> str:
    """What a command that succeeds writes, on one line."""
    assert main(list(words)) == ExitStatus.OK
    return re.sub(r"\s+", " ", capsys.readouterr().out)


def test_a_connection_that_cannot_be_read_is_explained(save: Save, capsys: Out) -> None:
    path = save(pcap(secret().send("C", DATA).wait(1).send("S", DATA).wait(60).send("S", ALERT).fin("S").packets()))
    told = said(capsys, "explain", path)
    for part in (
        "TLS c40: 10.0.0.1:50000 → 10.9.0.1:443 chat.example", "server closed TCP (FIN) first after 60.0 s of silence",
        "close code: encrypted, unknown", "cannot be read without the keys", "61.0 s since the last octet of the client",
        "nginx proxy_read_timeout of 60 s, the default (a guess: confidence low)", "or: another component",
        "What to try", "protocols offered (ALPN): h2,http/1.1",
    ):  # fmt: skip
        assert part in told
    assert said(capsys, "explain", "--connection", "c40", path) == told
    assert said(capsys, "explain", "--md", path).startswith("## TLS c40")
    main(["explain", "--json", path])
    assert json.loads(capsys.readouterr().out)["server_name"] == "chat.example"


def test_who_fell_together_is_named(capsys: Out) -> None:
    told = said(capsys, "explain", "--connection", "c140", "sample:tls-endings")
    assert "those that ended with it: c4408, c8672, c12936, c17200, c21464, c25728, c29992" in told
    restarted = said(capsys, "explain", "--connection", "c148", "sample:restart")
    assert re.search(r"those that ended with it: (c\d+, ){10}c\d+ ", restarted)
    assert said(capsys, "encrypted", "--connection", "c140", "sample:tls-endings").count("chat.example") == 1


def test_a_name_that_is_none_tells_those_that_are(capsys: Out) -> None:
    assert main(["explain", "--connection", "c1", "sample:tls-endings"]) == ExitStatus.USAGE
    assert "connections: c140, c4408," in capsys.readouterr().err
    assert main(["explain", "sample:tls-endings"]) == ExitStatus.USAGE
    assert "the capture holds 10 connections: say which" in capsys.readouterr().err


def test_frames_found_by_evidence_say_so(save: Save, capsys: Out) -> None:
    talk = Talk().open().upgrade().frame("S", TEXT, "before").send("S", frame(TEXT, "x" * 3000))
    for number in range(8):
        talk.frame("S", TEXT, f"behind, number {number}")
    segments = talk.ack("C").fin("S").fin("C").segments
    data = [segment for segment in segments if segment.payload]
    path = save(pcap(talk.packets([segment for segment in segments if segment is not data[3]])))
    for verb in ("explain", "frames", "messages"):
        told = said(capsys, verb, path)
        assert len(re.findall(r"recovered \(confidence (low|medium|high)\)", told)) == 8, verb
    assert "recovered" not in said(capsys, "frames", "sample:tour")


def test_a_frame_that_is_not_all_there_says_so(save: Save, capsys: Out) -> None:
    talk = Talk().open().upgrade().send("S", frame(TEXT, "x" * 4000)).ack("C")
    gone = [segment for segment in talk.segments if len(segment.payload) == 1448][1]
    path = save(pcap(talk.packets([segment for segment in talk.segments if segment is not gone])))
    assert "1.4 kB missing" in said(capsys, "frames", path)
