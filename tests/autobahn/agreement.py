"""Holds what framescope says of recorded cases against the endpoints' logs and against what the suite expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analyzer.analysis.contents import Contents
from analyzer.analysis.pipeline import analyze
from analyzer.analysis.snapshot import Snapshot
from analyzer.capture.files import open_source
from analyzer.views import View
from dissectors.notes import code_name
from tests.autobahn.cases import Case
from tests.autobahn.play import Log
from tests.wire.frames import BINARY

Seen = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """What is to be told of a case."""

    number: str
    expects: str
    codes: list[str]
    frames: str
    close: str
    reported: str
    differences: list[str]
    """Between framescope and the endpoints, or the codes that the case is about."""
    server: str
    """Where the server did not do what the suite expects."""


def compare(cases: Sequence[Case], logs: Mapping[str, Log], path: Path) -> list[Line]:
    """One line a case."""
    snapshot = analyze(open_source([path]))
    seen = _seen(snapshot)
    lines = [_line(case, logs[case.number], seen.get(case.number)) for case in cases]
    snapshot.source.close()
    return lines


def _seen(snapshot: Snapshot) -> dict[str, Seen]:
    """What framescope says, by case."""
    contents = Contents(snapshot)
    views = {name: View(snapshot, name, contents) for name in ("connections", "frames", "messages", "notes")}
    found: dict[str, Seen] = {}
    by_key: dict[str, Seen] = {}
    for row in range(len(views["connections"])):
        record = views["connections"].record(row)
        seen: Seen = {"connection": record, "frames": {"client": [], "server": []}, "notes": [],
                      "messages": {"client": [], "server": []}}  # fmt: skip
        found[record["path"].rpartition("/")[2]] = by_key[record["connection"]] = seen
    for name in ("frames", "messages"):
        view = views[name]
        for place, row in enumerate(view.rows.tolist()):
            record = view.record(place)
            octets = contents.frame_payload(row) if name == "frames" else contents.message_payload(row).octets
            by_key[record["connection"]][name][record["sender"]].append((record, octets))
    for place in np.arange(len(views["notes"])).tolist():
        record = views["notes"].record(place)
        by_key[record["connection"]]["notes"].append((record["sender"], record["code"]))
    return found


def _line(case: Case, log: Log, seen: Seen | None) -> Line:
    expects = _expects(case)
    if seen is None:
        return Line(case.number, expects, [], "-", "-", "-", ["no connection found"], _server(case, log))
    connection = seen["connection"]
    codes = sorted({code for sender, code in seen["notes"] if sender == "client"})
    return Line(
        case.number, expects, codes, f"{len(seen['frames']['client'])}/{len(seen['frames']['server'])}",
        f"{connection['close_by']} {'without code' if connection['close_code'] is None else connection['close_code']}", str(connection["server_reported"]),
        _differences(case, log, seen, codes), _server(case, log),
    )  # fmt: skip


def _expects(case: Case) -> str:
    parts = [f"{len(case.messages)} echoed"] if case.messages else []
    parts += [f"{len(case.pongs)} pongs"] if case.pongs else []
    parts += [f"Close {' or '.join(map(str, case.codes))}" if case.codes else "any Close"]
    return ", ".join(parts)


def _differences(case: Case, log: Log, seen: Seen, codes: list[str]) -> list[str]:
    """Where framescope and the endpoints, or the case's own codes, part."""
    connection, found = seen["connection"], []
    expected = sorted(code_name(note) for note in case.notes)
    if codes != expected:
        found.append(f"codes {codes}, expected {expected}")
    blamed = sorted({code for sender, code in seen["notes"] if sender != "client"})
    if blamed:
        found.append(f"codes of the server {blamed}")
    for sender, ours in (("client", log.sent), ("server", log.received)):
        frames = [(opcode_of(record), octets) for record, octets in seen["frames"][sender]]
        if frames != ours:
            found.append(f"{len(frames)} frames of the {sender}, its log has {len(ours)}")
    messages = [
        (opcode_of(record), octets) for record, octets in seen["messages"]["server"] if record["complete"]
        and opcode_of(record) <= BINARY
    ]  # fmt: skip
    if messages != log.messages:
        found.append(f"{len(messages)} messages of the server, the client put {len(log.messages)} together")
    sent = [octets for record, octets in seen["messages"]["client"] if record["complete"]
            and opcode_of(record) <= BINARY]  # fmt: skip
    if sent[: len(log.delivered)] != log.delivered:
        found.append("messages of the client are not those that the server's API returned")
    if log.close_received is not None:
        verdict = "unanswered-close" if log.close_sent is None else "clean"
        if connection["verdict"] != verdict:
            found.append(f"the verdict is {connection['verdict']}, by the logs {verdict}")
        first = log.close_received if connection["close_by"] == "server" else log.close_sent
        if (1005 if connection["close_code"] is None else connection["close_code"]) != first:
            found.append(f"the first Close says {connection['close_code']}, by the logs {first}")
    for side, told in (("client", log.close_received), ("server", log.reported)):
        if told is not None and connection[f"{side}_reported"] != told:
            found.append(f"the {side} was told {connection[f'{side}_reported']}, it says {told}")
    return found


def opcode_of(record: Mapping[str, Any]) -> int:
    """The number of an opcode's word."""
    words = {"continuation": 0, "text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}
    word = record["opcode"]
    return words[word] if word in words else int(word.removeprefix("data").removeprefix("control"))


def _server(case: Case, log: Log) -> str:
    """What the server did otherwise than the suite expects."""
    wrong = []
    if log.messages != list(case.messages) and (case.strict or log.messages):
        wrong.append(f"{len(log.messages)} messages echoed")
    if log.pongs != list(case.pongs):
        wrong.append(f"{len(log.pongs)} pongs")
    if case.codes and log.close_received not in case.codes:
        wrong.append(f"Close {log.close_received}")
    return ", ".join(wrong)
