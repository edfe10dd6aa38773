"""A gap that falls into a spell of drops is capture loss; one that does not is the path's."""

from __future__ import annotations

import sys

import pytest

from analyzer.analysis.pipeline import analyze
from analyzer.analysis.snapshot import Snapshot
from analyzer.analysis.verdicts import tell
from analyzer.api import Capture
from analyzer.capture.files import open_source
from analyzer.cli import explain
from analyzer.cli.listing import Manner
from analyzer.cli.page import Page
from analyzer.live.blocks import interface, packet, section, statistics
from analyzer.times import zone_of
from analyzer.tui.arrows import Drawing
from analyzer.tui.entries import Entries
from analyzer.tui.looks import UNICODE
from analyzer.tui.rungs import Kind, Show, rungs_of
from analyzer.views import View
from tests.wire.frames import TEXT
from tests.wire.talks import START, Talk

SECOND = 1_000_000_000


def talk() -> list[tuple[int, bytes]]:
    """Ten messages a second apart, of which the fifth was not captured."""
    conversation = Talk(step=SECOND).open().upgrade()
    for number in range(10):
        conversation.frame("C", TEXT, f"message {number}")
    packets = conversation.fin("C").fin("S").packets()
    del packets[9]
    return packets


def told(save, *spell: tuple[float, int]) -> Snapshot:  # type: ignore[no-untyped-def]
    """`spell`: statistics, by seconds since the start and packets dropped so far."""
    blocks = [(time, packet(0, time, octets, len(octets))) for time, octets in talk()]
    for seconds, dropped in spell:
        stamp = START + int(seconds * SECOND)
        blocks.append((stamp, statistics(0, 100, dropped, 0, stamp)))
    blocks.sort(key=lambda block: block[0])
    head = section("test") + interface(1, 0, "lo")
    return analyze(open_source([save(head + b"".join(octets for _, octets in blocks), "lost.pcapng")]))


def details(snapshot: Snapshot) -> list[str]:
    notes = snapshot["notes"]
    return [snapshot.text(code) for code in notes["detail"][notes["code"] == 10].tolist()]


@pytest.mark.parametrize(
    ("spell", "lost"),
    [
        (((8.5, 0), (9.5, 3)), True),
        (((9.5, 3),), True),  # only the end of the spell is told
        (((0.5, 0), (1.5, 3), (20, 3)), False),
        (((11.5, 0), (12.5, 3)), False),
        (((8.5, 0), (9.5, 0)), False),
        ((), False),
    ],
)
def test_a_gap_amid_drops_is_capture_loss(spell: tuple[tuple[float, int], ...], lost: bool, save) -> None:  # type: ignore[no-untyped-def]
    snapshot = told(save, *spell)
    assert int(snapshot["connections"]["client_unseen"][0]) == 15
    assert details(snapshot) == (["capture loss: 15 octets of it while the capture dropped packets"] if lost else [""])
    evidence = " ".join(item.text for item in tell(snapshot, 0).evidence)
    assert "15 octets from the client are not in the capture" in evidence
    assert ("capture loss" in evidence) is lost


@pytest.mark.parametrize("lost", [True, False])
def test_explain_and_the_ladder_say_it_at_the_gap(lost: bool, save, capsys) -> None:  # type: ignore[no-untyped-def]
    snapshot = told(save, *(((8.5, 0), (9.5, 3)) if lost else ()))
    view = View(snapshot, "connections")
    explain.write(view, 0, Page.of(sys.stdout), Manner(zone_of("UTC"), False, None), False)
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if " gap " in line)
    assert ("15 B  capture loss" if lost else "15 B  not captured") in lines[at]
    assert "message 3" in lines[at - 1]
    assert "message 5" in lines[at + 1]
    capture = Capture(snapshot)
    entries = Entries(capture)
    rungs = rungs_of(capture, entries, entries.entry(0), False, Show.ALL)
    gaps = rungs.ref[rungs.kind == Kind.GAP].tolist()
    assert len(gaps) == 1
    assert rungs.lost.tolist() == (gaps if lost else [])
    drawing = Drawing(capture, entries.entry(0), rungs, UNICODE, 0, 40)
    line = "".join(piece.text for piece in drawing.gap(gaps[0], 0))
    assert ("capture loss" in line) is lost
    assert ("not captured" in line) is not lost
