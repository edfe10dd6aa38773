"""What actions are about: the row under the cursor, and the rows that a screen shows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.api import Capture
from analyzer.tui.entries import Entry
from analyzer.tui.rungs import Kind
from dissectors.websocket.opcodes import CLOSE

Key = tuple[str, int, int]
"""Name of a connection, kind of a rung (-1: the connection itself), row: the same whenever a capture is opened."""
WHOLE = -1


class Subject(NamedTuple):
    """A row: a connection, or a rung of one."""

    entry: Entry
    kind: Kind | None = None
    ref: int = -1

    @property
    def key(self) -> Key:
        """What marks know it by."""
        return (self.entry.key, WHOLE if self.kind is None else int(self.kind), self.ref)


class Shown(NamedTuple):
    """Rows of a table, by their places in its view."""

    table: str
    places: npt.NDArray[np.int64]


def message_of(capture: Capture, kind: Kind | None, ref: int) -> int:
    """The row of MESSAGES that a rung is, or is a frame of; -1 for none. A frame belongs to the first message of its
    channel, direction and kind that ends with it or later."""
    if kind is Kind.MESSAGE:
        return ref
    if kind is not Kind.FRAME:
        return -1
    frame = capture.snapshot["frames"].row(ref)
    messages = capture.snapshot["messages"]
    mine = (messages["first_frame"] <= ref) & (messages["last_frame"] >= ref)
    mine &= (messages["channel"] == frame["channel"]) & (messages["direction"] == frame["direction"])
    found = messages.rows()[mine & ((messages["opcode"] >= CLOSE) == (frame["opcode"] >= CLOSE))]
    return int(found[0]) if len(found) else -1
