"""The tab that tells why a connection closed: the verdict, its causes, what to try, the evidence as links."""

from __future__ import annotations

from analyzer.analysis.leg_verdicts import tell_legs, tell_views
from analyzer.analysis.verdicts import ended_itself
from analyzer.api import Capture
from analyzer.tui.body import Row, Target
from analyzer.tui.entries import Entry
from analyzer.tui.lines import Piece
from analyzer.tui.looks import STATE_STYLES
from analyzer.tui.panel import safe, telling_of
from dissectors.websocket.opcodes import close_code_name


def why(capture: Capture, entry: Entry) -> list[Row]:
    """Its rows."""
    telling = telling_of(capture, entry)
    if telling is None:
        return [Row([Piece(entry.verdict)])]
    rows = [Row([Piece(entry.verdict, STATE_STYLES.get(entry.state, "plain"))])]
    rows += _titled("likely cause", [(telling.likely, "odd" if telling.cause else "dim")])
    if telling.incident:
        rows += _titled("not it alone", [(telling.incident, "bad")])
    rows += _titled("or else", [(other, "plain") for other in telling.alternatives])
    rows += _titled("what to try", [(attempt, "plain") for attempt in telling.tries])
    rows += _titled("evidence", [])
    for item in telling.evidence:
        where = f"packet {item.packet + 1}" if item.packet >= 0 else ""
        target = Target(item.packet, item.frame) if item.packet >= 0 or item.frame >= 0 else None
        rows.append(Row([Piece(f"{where:<14}", "dim"), Piece(safe(item.text))], target=target))
    if entry.connection < 0:
        return rows
    rows += _reported(capture, entry)
    contents = capture._contents
    rows += _titled("across the proxies", [(told, "plain") for told in
                                           tell_legs(capture.snapshot, entry.connection, contents)])  # fmt: skip
    return rows + _titled(
        "the other view", [(told, "plain") for told in tell_views(capture.snapshot, entry.connection)]
    )


def _titled(title: str, items: list[tuple[str, str]]) -> list[Row]:
    """A title with what stands below it; nothing where nothing does, but for the evidence."""
    if not items and title != "evidence":
        return []
    return [Row([]), Row([Piece(title, "bold")]), *(Row([Piece(safe(text), style)]) for text, style in items)]


def _reported(capture: Capture, entry: Entry) -> list[Row]:
    close = capture.snapshot["closes"].row(entry.connection)
    rows = [Row([]), Row([Piece("what each side's API reports (RFC 6455 §7.1.5)", "bold")])]
    for side in ("client", "server"):
        code = close[f"{side}_reported"]
        told = f"{code} {close_code_name(code)}" if code >= 0 else "not known: still open, or packets are missing"
        if code >= 0 and ended_itself(close, side):
            told = f"would be {told}: it ended TCP itself"
        rows.append(Row([Piece(f"{side:<14}", side), Piece(told)]))
    return rows
