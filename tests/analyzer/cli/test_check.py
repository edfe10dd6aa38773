"""`framescope check`: what is wrong, in four forms."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np
import pytest

import analyzer
from analyzer.cli.check import write
from analyzer.cli.listing import Manner
from analyzer.cli.main import main
from analyzer.cli.page import Page
from analyzer.errors import ExitStatus
from tests.conftest import SAMPLES
from tests.wire.captures import pcap
from tests.wire.frames import CLOSE, PONG, TEXT, close_payload, frame
from tests.wire.talks import KEY, Talk


@pytest.fixture
def bad(tmp_path: Path) -> str:
    """A client that does not mask, a server that does, an odd pong."""
    talk = Talk().open().upgrade().send("C", frame(TEXT, "bare")).send("S", frame(TEXT, "masked", True, 0, KEY))
    talk.frame("C", PONG, "\x1b[31m").frame("C", CLOSE, close_payload(1000)).frame("S", CLOSE, close_payload(1000))
    path = tmp_path / "bad.pcap"
    path.write_bytes(pcap(talk.fin("S").fin("C").packets()))
    return str(path)


@pytest.fixture
def good(tmp_path: Path) -> str:
    """Nothing wrong."""
    talk = Talk().open().upgrade().frame("C", TEXT, "fine").frame("C", CLOSE, close_payload(1000))
    path = tmp_path / "good.pcap"
    path.write_bytes(pcap(talk.frame("S", CLOSE, close_payload(1000)).fin("S").fin("C").packets()))
    return str(path)


def test_text_is_grouped_with_the_worst_first(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", bad]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")][:3] == ["must", "must", "odd"]
    assert "RFC 6455 §5.1" in lines[0]
    assert "packet" in lines[1]
    assert lines[-1] == "3 observations on 1 connection: 2 must, 0 should, 1 odd"


def test_a_role_is_judged_alone(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--role", "server", "--format", "json", bad]) == 1
    assert [json.loads(line)["sender"] for line in capsys.readouterr().out.splitlines()] == ["server"]


def test_severity_decides_the_exit_status(bad: str, good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", good]) == 0
    assert main(["check", "--filter", "severity == odd", bad]) == 0
    assert main(["check", "--filter", "severity == odd", "--fail-on", "odd", bad]) == 1
    assert "0 observations" in capsys.readouterr().out


def test_junit_has_a_suite_a_connection(bad: str, good: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "--format", "junit", bad])
    root = Xml.fromstring(capsys.readouterr().out)
    (suite,) = root
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    assert [len(case.findall("failure")) for case in suite] == [1, 1, 0]
    assert all("\x1b" not in (text or "") for text in root.itertext())
    main(["check", "--format", "junit", good])
    (suite,) = Xml.fromstring(capsys.readouterr().out)
    assert (suite.get("failures"), suite[0].get("name")) == ("0", "nothing to note")


def test_sarif_names_rules_and_places(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "--format", "sarif", bad])
    log = json.loads(capsys.readouterr().out)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert log["version"] == "2.1.0"
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].endswith("bad.pcap")
    assert sorted(result["level"] for result in run["results"]) == ["error", "error", "note"]
    assert [result["properties"]["by"] for result in run["results"]] == ["client", "server", "client"]


def test_the_summary_says_which_side_broke_what(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    for path, told in ((bad, "1 violation by the client, 1 by the server:"),
                       (str(SAMPLES / "keepalive-1011.pcapng"), "2 violations by the client:")):  # fmt: skip
        main(["summary", path])
        (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  notes")]
        assert told in line


def test_the_listing_and_filters_know_the_offender(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["notes", "--filter", "by == server", bad])
    title, line = capsys.readouterr().out.splitlines()
    assert line[title.index(" by ") + 1 :].split()[0] == "server"


def test_damage_is_of_neither_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk = Talk().open().upgrade().frame("C", TEXT, "a").frame("C", TEXT, "b" * 90).frame("C", TEXT, "c")
    packets = talk.ack("S").fin("C").fin("S").packets()
    path = tmp_path / "lost.pcap"
    path.write_bytes(pcap([packet for number, packet in enumerate(packets) if number != 6]))
    main(["notes", "--json", str(path)])
    told = {note["code"]: note for note in map(json.loads, capsys.readouterr().out.splitlines())}
    assert (told["tcp-gap"]["sender"], told["tcp-gap"]["by"]) == ("client", None)
    assert main(["check", "--role", "client", "--fail-on", "odd", str(path)]) == 0


def test_what_was_left_undone_is_laid_to_the_side_that_owed_it(capsys: pytest.CaptureFixture[str]) -> None:
    def codes(role: str) -> list[str]:
        main(["check", "--role", role, "--format", "json", str(SAMPLES / "keepalive-1011.pcapng")])
        return sorted(json.loads(line)["code"] for line in capsys.readouterr().out.splitlines())

    assert codes("client") == ["close-not-answered", "ping-not-answered"]
    assert codes("server") == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_text_fits_a_terminal() -> None:
    with analyzer.open("sample:policy") as capture:
        view = capture.view("notes")
        told = {}
        for stream in (Terminal(), io.StringIO()):
            page = Page(stream, 60, False, True)
            write("text", view, np.arange(len(view)), page, Manner(UTC, False, None), {"": "x"})
            told[stream.isatty()] = stream.getvalue()
    assert max(map(len, told[True].splitlines())) <= 60 < max(map(len, told[False].splitlines()))
    assert re.sub(r"\s", "", told[True]) == re.sub(r"\s", "", told[False])


@pytest.mark.parametrize("octets", [pcap([]), pcap(Talk().open().fin("C").packets())])
def test_a_check_of_nothing_is_no_success(
    octets: bytes, save: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", save(octets)]) == ExitStatus.INPUT
    assert "nothing was checked, no WebSocket connection found" in capsys.readouterr().err
    assert main(["check", "-q", save(octets)]) == ExitStatus.INPUT
    assert not capsys.readouterr().err
