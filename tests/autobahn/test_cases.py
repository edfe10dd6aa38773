"""The short cases of the Autobahn list as synthetic packets: the codes that each is about, and no others.

The whole list is played against a real server by `python -m tests.autobahn.run`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.analysis.pipeline import analyze
from analyzer.capture.files import open_source
from analyzer.views import View
from dissectors.notes import Note
from tests.autobahn.cases import Case, Part, every
from tests.wire.captures import pcap
from tests.wire.frames import CLOSE, PING, PONG, close_payload, frame
from tests.wire.talks import Talk

GROUPS = ("2", "3", "4", "5", "6", "7")
SHORT = [case for case in every() if case.number.split(".")[0] in GROUPS and case.number != "7.1.6"]


def talk_of(case: Case) -> Talk:
    """The case with a server that does what the suite expects."""
    talk = Talk().open().upgrade()
    parts = [*case.parts]
    if case.codes == (1000,) and all(part.opcode != CLOSE for part in parts):
        parts.append(Part(CLOSE, close_payload(1000)))
    for part in parts:
        talk.send("C", frame(part.opcode, part.payload, part.fin, part.rsv, talk.key()))
        if part.opcode == PING and part.payload in case.pongs:
            talk.frame("S", PONG, part.payload)
    for opcode, payload in case.messages:
        talk.frame("S", opcode, payload)
    talk.frame("S", CLOSE, close_payload(case.codes[0] if case.codes else 1002))
    if parts[-1].opcode != CLOSE and all(part.opcode != CLOSE for part in parts):
        talk.frame("C", CLOSE, close_payload(case.codes[0]))
    return talk.fin("S").fin("C")


def test_the_list_is_whole() -> None:
    numbers = [case.number for case in every()]
    assert len(numbers) == len(set(numbers)) == 516


@pytest.mark.parametrize("group", GROUPS)
def test_codes_are_those_that_the_case_is_about(group: str, tmp_path: Path) -> None:
    for case in SHORT:
        if case.number.split(".")[0] != group:
            continue
        path = tmp_path / f"{case.number}.pcap"
        path.write_bytes(pcap(talk_of(case).packets()))
        view = View(analyze(open_source([path])), "notes")
        told = {
            (sender, Note(code))
            for sender, code in zip(view.values("sender", view.rows), view.table["code"], strict=True)
        }
        assert told == {("client", note) for note in case.notes}, case.number
