"""What of a capture comes back when it is opened again: marks, notes, filter, order, times; and the filters typed
before in any capture. What was kept by another version, or is damaged, is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analyzer.errors import FilterError
from analyzer.query.language import parse
from analyzer.tui import state
from analyzer.tui.entries import ORDERS
from analyzer.tui.page import TIMES

if TYPE_CHECKING:
    from analyzer.tui.app import FramescopeApp

HISTORY = "filters"
"""Where filters are kept; captures stand beside it under their identities."""
FILTERS = 500
"""Filters kept: as many as bash keeps commands (HISTSIZE)."""


class Memory:
    """What is kept of one capture; `identity` is empty where it cannot be told from others, as standard input."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self._before: dict[str, Any] = {}

    def restore(self, app: FramescopeApp) -> None:
        """Take it back, before anything is shown."""
        if not self.identity:
            return
        past = state.load(HISTORY).get("filters", [])
        app.filters += [text for text in past if isinstance(text, str)] if isinstance(past, list) else []
        kept = self._before = state.load(self.identity)
        app.marks.restore(kept.get("marks"))
        if kept.get("times") in range(len(TIMES)):
            app.times = kept["times"]
        page = app.list
        if kept.get("by") in ORDERS:
            page.by = kept["by"]
        page.reversed = kept.get("reversed") is True
        page.plain = kept.get("plain") is not False
        page.expression = _filter(kept.get("filter"))
        page.wanted = str(kept.get("connection", ""))

    def save(self, app: FramescopeApp) -> None:
        """Keep it."""
        if not self.identity:
            return
        page = app.list
        values = {
            "marks": app.marks.kept(), "times": app.times, "by": page.by, "reversed": page.reversed,
            "plain": page.plain, "filter": page.expression, "connection": page.last,
        }  # fmt: skip
        if values != self._before:
            state.save(self.identity, values)
            self._before = values
        if app.filters:
            state.save(HISTORY, {"filters": app.filters[-FILTERS:]})


def _filter(text: object) -> str:
    """A filter that still parses."""
    if not isinstance(text, str) or not text:
        return ""
    try:
        parse(text)
    except FilterError:
        return ""
    return text
