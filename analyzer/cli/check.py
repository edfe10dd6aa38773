"""What is wrong, for CI jobs and for marking student work: as text, JSON Lines, JUnit XML or SARIF."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as Xml

import numpy as np
import numpy.typing as npt

from analyzer.cli.listing import Manner
from analyzer.cli.page import Page
from analyzer.export import jsonl
from analyzer.times import count
from analyzer.views import View
from dissectors.notes import MEANINGS, Note, Severity, code_name

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {Severity.MUST: "error", Severity.SHOULD: "warning"}
"""SARIF 2.1.0 §3.27.10; all else is a note."""
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 §2.2 has no place for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation, ready to be told."""

    note: Note
    connection: str
    sender: str
    by: str
    packet: int | None
    offset: int
    length: int
    detail: str

    @property
    def where(self) -> str:
        """Its place."""
        parts = [self.connection] if self.connection else []
        parts += [f"packet {self.packet}"] if self.packet else []
        parts += (
            [f"octets {self.offset}+{self.length} of the {self.sender}"] if self.offset >= 0 and self.sender else []
        )
        return ", ".join(parts) or "outside of WebSocket connections"

    @property
    def sentence(self) -> str:
        """What it says."""
        meaning = MEANINGS[self.note]
        return f"{meaning.sentence} ({meaning.source}){': ' + self.detail if self.detail else ''}"


def findings(view: View, places: npt.NDArray[np.int64], manner: Manner) -> Iterator[Finding]:
    """The rows of NOTES at some places."""
    names = ("connection", "sender", "by", "packet", "detail")
    told = zip(*(view.values(name, places) for name in names), strict=True)
    cells = zip(*(view.table[name][places].tolist() for name in ("code", "offset", "length")), strict=True)
    for (connection, sender, by, packet, detail), (code, offset, length) in zip(told, cells, strict=True):
        yield Finding(
            Note(code), connection or "", sender or "", by or "", packet, offset, length, manner.text(detail or "")
        )


def write(form: str, view: View, places: npt.NDArray[np.int64], page: Page, manner: Manner,
          files: Mapping[str, str]) -> None:  # fmt: skip
    """Write the rows in a form of `FORMS`, or as JSON Lines. `files` is the file of each sender's octets; that of a
    capture stands under the empty name."""
    if form == "json":
        jsonl.write(view, places, page.stream, None)
        return
    FORMS[form](list(findings(view, places, manner)), view, page, files)


def _text(found: list[Finding], view: View, page: Page, files: Mapping[str, str]) -> None:
    """Grouped by what it is, the worst first."""
    groups: dict[Note, list[Finding]] = {}
    for finding in found:
        groups.setdefault(finding.note, []).append(finding)
    for note, group in sorted(groups.items(), key=lambda item: (-MEANINGS[item[0]].severity, item[0])):
        meaning = MEANINGS[note]
        colour = {Severity.MUST: "bad", Severity.SHOULD: "odd"}.get(meaning.severity, "dim")
        severity = meaning.severity.name.lower()
        for line in _lines(f"{severity} {code_name(note)}: {meaning.sentence} ({meaning.source})", page, 4):
            page.line(line.replace(severity, page.style(severity, colour), 1) if line.startswith(severity) else line)
        for finding in group:
            for line in _lines(f"    {finding.where}{': ' + finding.detail if finding.detail else ''}", page, 6):
                page.line(line)
    left_out = view.snapshot.traffic.notes_left_out
    more = f"; {left_out} more of the same were counted only" if left_out else ""
    worst = {severity: sum(MEANINGS[finding.note].severity == severity for finding in found) for severity in Severity}
    told = ", ".join(f"{number} {severity.name.lower()}" for severity, number in sorted(worst.items(), reverse=True))
    connections = len(view.snapshot["connections"])
    of = f" on {count(connections, 'connection')}" if connections or view.snapshot.traffic.packets else ""
    for line in _lines(f"{count(len(found), 'observation')}{of}: {told}{more}", page, 4):
        page.line(line)


def _lines(text: str, page: Page, indent: int) -> list[str]:
    """A text in lines that a terminal has room for; files and pipes get it in one."""
    return page.wrapped(text, indent) if page.stream.isatty() else [text]


def _subject(files: Mapping[str, str]) -> str:
    """What is judged where no connection has a name: the capture, or the files of the sides."""
    return "capture" if "" in files else ", ".join(files.values())


def _junit(found: list[Finding], view: View, page: Page, files: Mapping[str, str]) -> None:
    """A suite a connection, a case a kind of observation; must and should are failures, what is odd is told. Octets
    without packets are one connection, which has the names of their files."""
    connections = View(view.snapshot, "connections").values("connection", np.arange(len(view.snapshot["connections"])))
    suites = Xml.Element("testsuites", name="framescope check")
    subject = _subject(files)
    names = connections if subject == "capture" else [""]
    told: dict[str, dict[Note, list[Finding]]] = {connection: {} for connection in names}
    for finding in found:
        told.setdefault(finding.connection, {}).setdefault(finding.note, []).append(finding)
    for connection, groups in told.items():
        bad = [note for note in groups if MEANINGS[note].severity >= Severity.SHOULD]
        suite = Xml.SubElement(
            suites, "testsuite", name=_xml(connection or subject), tests=str(max(len(groups), 1)),
            failures=str(len(bad)), errors="0", skipped="0",
        )  # fmt: skip
        if not groups:
            Xml.SubElement(suite, "testcase", classname=_xml(connection or subject), name="nothing to note")
        for note, group in groups.items():
            case = Xml.SubElement(suite, "testcase", classname=_xml(connection or subject), name=code_name(note))
            lines = "\n".join(f"{finding.where}: {finding.sentence}" for finding in group)
            if note in bad:
                failure = Xml.SubElement(
                    case, "failure", type=MEANINGS[note].severity.name.lower(), message=_xml(group[0].sentence)
                )
                failure.text = _xml(lines)
            else:
                Xml.SubElement(case, "system-out").text = _xml(lines)
    Xml.indent(suites)
    page.stream.write(Xml.tostring(suites, encoding="unicode", xml_declaration=True) + "\n")


def _xml(text: str) -> str:
    return NOT_XML.sub("\ufffd", text)


def _sarif(found: list[Finding], view: View, page: Page, files: Mapping[str, str]) -> None:
    """SARIF 2.1.0, for code scanning: a rule a code, a result an observation."""
    from importlib.metadata import version

    used = sorted({finding.note for finding in found})
    rules = [
        {
            "id": code_name(note), "shortDescription": {"text": MEANINGS[note].sentence},
            "help": {"text": MEANINGS[note].source},
            "defaultConfiguration": {"level": LEVELS.get(MEANINGS[note].severity, "note")},
        }
        for note in used
    ]  # fmt: skip
    results = [
        {
            "ruleId": code_name(finding.note), "ruleIndex": used.index(finding.note),
            "level": LEVELS.get(MEANINGS[finding.note].severity, "note"),
            "message": {"text": f"{finding.where}: {finding.sentence}"},
            "locations": [
                {
                    "physicalLocation": _physical(finding, files),
                    "logicalLocations": [{"name": finding.connection or _subject(files), "kind": "resource"}],
                }
            ],
            "properties": {"packet": finding.packet, "sender": finding.sender or None, "by": finding.by or None},
        }
        for finding in found
    ]  # fmt: skip
    driver = {"name": "framescope", "version": version("framescope"), "rules": rules}
    log = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
    page.stream.write(json.dumps(log, indent=2, ensure_ascii=False) + "\n")


def _physical(finding: Finding, files: Mapping[str, str]) -> dict[str, Any]:
    """Where it is: octets of a side's file (SARIF 2.1.0 §3.30.11), or only the capture: a stream has no one
    place in it."""
    if finding.sender not in files:
        return {"artifactLocation": {"uri": _uri(files.get("") or next(iter(files.values())))}}
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(files[finding.sender])}}
    if finding.offset >= 0:
        place["region"] = {"byteOffset": finding.offset, "byteLength": finding.length}
    return place


def _uri(path: str) -> str:
    """A URI reference (RFC 3986 §4.2); a colon in the first segment of a relative one would end a scheme."""
    from urllib.parse import quote

    return quote(path, safe="/", errors="surrogateescape")


FORMS: dict[str, Callable[[list[Finding], View, Page, Mapping[str, str]], None]] = {
    "text": _text, "junit": _junit, "sarif": _sarif,
}  # fmt: skip
