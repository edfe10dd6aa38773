"""What is known of one connection, in a few lines: who, how it ended, why, its legs and views, the evidence."""

from __future__ import annotations

from datetime import tzinfo

from analyzer.analysis.encrypted_verdicts import tell_encrypted
from analyzer.analysis.leg_verdicts import leg_phrase, view_phrase
from analyzer.analysis.verdicts import Evidence, Telling, tell
from analyzer.api import Capture
from analyzer.escape import printable
from analyzer.times import clock, count
from analyzer.tui.entries import Entry
from analyzer.tui.lines import Line, Piece
from analyzer.tui.looks import STATE_STYLES, Signs
from dissectors.http.secrets import mask_text


def safe(text: str) -> str:
    """Words that may hold what peers sent."""
    return printable(mask_text(text))


def telling_of(capture: Capture, entry: Entry) -> Telling | None:
    """The verdict on a connection; plain HTTP has none."""
    if entry.connection >= 0:
        return tell(capture.snapshot, entry.connection)
    return tell_encrypted(capture.snapshot, entry.encrypted) if entry.encrypted >= 0 else None


def relatives(capture: Capture, entry: Entry) -> list[str]:
    """The tunnels around a connection, its legs through proxies, and where it was captured too; a line each."""
    if entry.connection < 0 and entry.encrypted < 0:
        return []
    snapshot, told = capture.snapshot, []
    row = entry.connection if entry.connection >= 0 else entry.encrypted
    cells = snapshot["connections" if entry.connection >= 0 else "encrypted"].row(row)
    if cells["connect_target"]:
        told.append(f"inside a CONNECT tunnel to {snapshot.text(cells['connect_target'])}")
    if cells["proxied_source"]:
        told.append(f"for {snapshot.text(cells['proxied_source'])}, as its PROXY header says")
    if entry.connection >= 0:
        told += [phrase for phrase in (leg_phrase(snapshot, row), view_phrase(snapshot, row)) if phrase]
    return told


def about(capture: Capture, entry: Entry, signs: Signs, zone: tzinfo) -> list[Line]:
    """The lines, the most telling first."""
    style = STATE_STYLES.get(entry.state, "plain")
    lines: list[Line] = [
        [Piece(f"{entry.key}  ", "dim"), Piece(entry.client, "client"), Piece(f" {signs.right} ", "line"),
         Piece(entry.server, "server"), Piece(f"  {entry.path}", "bold")],
        [Piece(entry.verdict, style)],
    ]  # fmt: skip
    telling = telling_of(capture, entry)
    if telling is None:
        exchanges = count(entry.messages[0], "exchange")
        return [*lines, [Piece(f"  plain HTTP, {exchanges}, from {clock(entry.first, zone, True)}", "dim")]]
    lines.append([Piece("  likely: ", "dim"), Piece(safe(telling.likely), "odd" if telling.cause else "dim")])
    if telling.incident:
        lines.append([Piece(f"  {safe(telling.incident)}", "bad")])
    lines += [[Piece(f"  {safe(phrase)}", "note")] for phrase in relatives(capture, entry)]
    return lines + [evidence_line(item) for item in telling.evidence]


def evidence_line(item: Evidence) -> Line:
    """One thing that was seen, and where."""
    where = f"packet {item.packet + 1}: " if item.packet >= 0 else ""
    return [Piece(f"  {where}", "dim"), Piece(safe(item.text))]
