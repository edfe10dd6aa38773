"""Alerts: a filter that is asked of what is new, and what is done where it holds.

A filter of which connections have all fields is asked of connections, each of which alerts once; any other of messages,
frames and observations as they come.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.analysis.contents import Contents
from analyzer.analysis.snapshot import Snapshot
from analyzer.errors import FilterError
from analyzer.views import View

ASKED = ("connections", "messages", "frames", "notes")
"""The first of these that has all fields of a filter is asked."""
AT_ONCE = 8
"""Commands that run at the same time; beyond them alerts are only told."""
NOBODY = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Alert:
    """One row for which a filter holds."""

    expression: str
    table: str
    record: dict[str, Any]

    def sentence(self) -> str:
        """In one line."""
        record = self.record
        said = record.get("sentence") or record.get("opcode") or record.get("detail") or record.get("code") or ""
        return f"{self.expression}: {record.get('connection') or ''} {said}".strip()


class Alerts:
    """All filters of a session."""

    def __init__(self, expressions: list[str], command: str = "") -> None:
        self.expressions = expressions
        self.command = command
        self.held_back = 0
        """Alerts whose command was not run, because too many ran."""
        self._tables: dict[str, str] = {}
        self._done: dict[str, int] = {}
        self._told: dict[str, set[int]] = {}
        self._running: list[subprocess.Popen[bytes]] = []

    def check(self, snapshot: Snapshot) -> None:
        """Find out what each filter is asked of; `snapshot` may be empty.

        Raises: FilterError where one does not compile.
        """
        for expression in self.expressions:
            self._tables[expression] = table_of(expression, snapshot)

    def take(self, snapshot: Snapshot, contents: Contents) -> Iterator[Alert]:
        """What holds for the first time. A snapshot's rows are asked once, its connections until they alert."""
        for expression in self.expressions:
            table = self._tables[expression]
            view = View(snapshot, table, contents, 0 if table == "connections" else self._done.get(expression, 0))
            self._done[expression] = len(view.table)
            told = self._told.setdefault(expression, set())
            places = view.choose(expression, np.arange(len(view)))
            for place, row in zip(places.tolist(), view.rows[places].tolist(), strict=True):
                if row not in told:
                    yield Alert(expression, table, view.record(place))
                if table == "connections":
                    told.add(row)

    def run(self, alert: Alert) -> None:
        """Run the command, with the row as JSON on its standard input: what peers sent is no part of its words."""
        self._running = [process for process in self._running if process.poll() is None]
        if not self.command:
            return
        if len(self._running) >= AT_ONCE:
            self.held_back += 1
            return
        process = subprocess.Popen(
            self.command, shell=True, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        )
        self._running.append(process)
        assert process.stdin is not None
        try:
            line = json.dumps({"alert": alert.expression, "table": alert.table} | alert.record)
            process.stdin.write(line.encode() + b"\n")
            process.stdin.close()
        except BrokenPipeError:
            pass  # it does not read it


def table_of(expression: str, snapshot: Snapshot) -> str:
    """The table that a filter is asked of.

    Raises: FilterError where it does not compile for any.
    """
    failure: FilterError | None = None
    for table in ASKED:
        try:
            View(snapshot, table).choose(expression, NOBODY)
        except FilterError as error:
            failure = failure if failure and not failure.message.startswith("there is no field") else error
        else:
            return table
    assert failure is not None
    raise failure


def chosen(view: View, expression: str, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Those of some places for which a filter holds; none in a table that lacks one of its fields."""
    try:
        return view.choose(expression, places)
    except FilterError as error:
        if not error.message.startswith("there is no field"):
            raise
        return places[:0]
