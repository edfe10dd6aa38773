"""What is unfinished when the capture ends: frames and messages in the middle, pings and Closes without an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from analyzer.analysis.channels import innermost
from analyzer.analysis.dues import Dues
from analyzer.analysis.frames import Framing
from analyzer.analysis.losses import WORD, lost_octets
from analyzer.analysis.observations import Observations
from analyzer.analysis.transport import time_of
from analyzer.capture.records import Loss
from analyzer.schemas import LATE
from analyzer.streams.assembly import Assembly
from dissectors.notes import Note
from dissectors.schemas import FRAMES, MESSAGES, NO_TIME
from dissectors.tables import Table
from dissectors.websocket.modes import HEADER
from dissectors.websocket.opcodes import TEXT
from dissectors.websocket.outcomes import INVALID, NOT_TEXT, PLAIN, UNKNOWN

SURE = 3
"""Of `schemas.RECOVERED`: from here on a frame found by evidence may accuse somebody."""
UNFINISHED = 5
"""The code of `schemas.INFLATES`."""


def append_remains(tables: Mapping[str, Table], framing: Framing, assembly: Assembly,
                   number_of: npt.NDArray[np.int64], notes: Observations,
                   losses: Sequence[Loss] = ()) -> None:  # fmt: skip
    """Append the open frames and messages as rows that are not complete, and note what got no answer."""
    _frames(tables, framing, notes)
    _messages(tables, framing, notes)
    _control(tables, framing, assembly, number_of, notes)
    _gaps(tables, assembly, notes, losses)
    _late(tables, notes)


def _frames(tables: Mapping[str, Table], framing: Framing, notes: Observations) -> None:
    rows = []
    for state in framing.unfinished_frames():
        slot = state["slot"]
        channel, direction = framing.channels[slot >> 1], slot & 1
        seen = state["at"] - state["start"]
        packet, time = state["first_packet"], state["first_time"]
        notes.one(Note.FRAME_CUT, channel, direction, state["start"], seen, packet, time)
        if state["mode"] == HEADER:
            continue  # its header is cut, and says nothing yet
        first, second = framing.directions.head[14 * slot], framing.directions.head[14 * slot + 1]
        cells = {
            "channel": channel, "direction": direction, "opcode": first & 15, "fin": first >> 7,
            "rsv": first >> 4 & 7, "masked": second >> 7, "mask_key": state["key"],
            "header_length": state["header_length"], "payload_length": state["length"] & (2**64 - 1),
            "missing": state["missing"] + state["remaining"], "complete": 0, "recovered": state["recovered"],
            "offset": state["start"],
            "first_packet": packet, "last_packet": -1, "first_time": time, "time": NO_TIME,
        }  # fmt: skip
        rows.append([cells[column.name] for column in FRAMES.columns])
    tables["frames"].append(FRAMES.pack(rows))


def _messages(tables: Mapping[str, Table], framing: Framing, notes: Observations) -> None:
    rows = []
    state = framing.folds.whole
    for slot in np.flatnonzero(state["open"]).tolist():
        channel, direction = framing.channels[slot >> 1], slot & 1
        opcode = int(state["opcode"][slot])
        length, first_time = int(state["length"][slot]), int(state["first_time"][slot])
        invalid = opcode == TEXT and state["text"][slot] < 0
        if invalid:
            notes.one(Note.TEXT_NOT_UTF8, channel, direction, int(state["start"][slot]), length, time=first_time)
        first_frame = int(state["first_frame"][slot])
        packet = tables["frames"].row(first_frame)["first_packet"] if first_frame >= 0 else -1
        notes.one(Note.MESSAGE_UNFINISHED, channel, direction, int(state["start"][slot]), length, packet, first_time)
        cells = {
            "channel": channel, "direction": direction, "opcode": opcode,
            "first_frame": first_frame, "last_frame": -1, "frames": int(state["frames"][slot]),
            "length": length, "inflated": -1, "compressed": int(state["compressed"][slot]),
            "inflate": UNFINISHED if state["compressed"][slot] else PLAIN,
            "utf8": INVALID if invalid else UNKNOWN if opcode == TEXT else NOT_TEXT,
            "complete": 0, "recovered": int(state["recovered"][slot]),
            "close_code": -1, "close_reason": 0, "answers": -1,
            "first_time": first_time, "time": NO_TIME,
        }  # fmt: skip
        rows.append([cells[column.name] for column in MESSAGES.columns])
    tables["messages"].append(MESSAGES.pack(rows))


def _control(tables: Mapping[str, Table], framing: Framing, assembly: Assembly, number_of: npt.NDArray[np.int64],
             notes: Observations) -> None:  # fmt: skip
    """Pings and Closes that got no answer, where one was due."""
    folds = framing.folds
    rows = folds.whole["close_row"][: 2 * len(framing.channels)]
    bare = np.flatnonzero((rows >= 0) & (rows.reshape(-1, 2)[:, ::-1].ravel() < 0)).tolist()
    if not bare and not any(folds.pings):
        return
    dues = Dues(tables, framing, assembly, number_of)
    _pings(tables, framing, dues, notes)
    for slot in bare:
        close = tables["messages"].row(int(rows[slot]))
        if dues.ended[slot >> 1] and not 0 < close["recovered"] < SURE and dues.due(slot, int(rows[slot])):
            frame = tables["frames"].row(close["last_frame"])
            length = frame["header_length"] + frame["payload_length"]
            notes.one(Note.CLOSE_NOT_ANSWERED, framing.channels[slot >> 1], slot & 1, frame["offset"], length,
                      frame["last_packet"], close["time"])  # fmt: skip


def _pings(tables: Mapping[str, Table], framing: Framing, dues: Dues, notes: Observations) -> None:
    """Pings that wait for their Pong. RFC 6455 §5.5.2 asks for none from a side that had received a Close, §7.1.7 for
    none from one that fails the connection."""
    closes = framing.folds.whole["close_row"]
    for slot, waiting in enumerate(framing.folds.pings):
        for _, number, offset, packet, time, excused in waiting or ():
            mine, theirs = closes[slot], closes[slot ^ 1]
            closed = 0 <= mine < number or (theirs >= 0 and not 0 <= mine < theirs)
            if not closed and not excused and dues.due(slot, number):
                notes.one(Note.PING_NOT_ANSWERED, framing.channels[slot >> 1], slot & 1, offset, 0, packet, time)


def _late(tables: Mapping[str, Table], notes: Observations) -> None:
    """Octets that came for a hole which had been given up."""
    spans = tables["spans"]
    rows = np.flatnonzero(spans["kind"] == LATE)
    if not len(rows):
        return
    channel_of = innermost(tables)
    for row in rows.tolist():
        channel = int(channel_of[spans["stream"][row]])
        if channel >= 0:
            direction, offset, length, packet = (
                int(spans[name][row]) for name in ("direction", "offset", "length", "packet")
            )
            notes.one(Note.TCP_LATE, channel, direction, offset, length, packet)


def _gaps(tables: Mapping[str, Table], assembly: Assembly, notes: Observations, losses: Sequence[Loss]) -> None:
    """One note a direction of a channel: how much of it the capture does not hold, where that begins to show, and how
    much of it the capture lost."""
    if not assembly.segments.gaps:
        return
    channel_of, missing = innermost(tables), assembly.segments.column("missing")
    lost = lost_octets(tables, losses)
    for slot, (offset, packet, count) in sorted(assembly.segments.gaps.items()):
        channel = int(channel_of[slot >> 1])
        if channel >= 0:
            of_capture = lost.get((slot >> 1, slot & 1), 0)
            told = [f"{count} gaps; the first one is told"] if count > 1 else []
            told += [f"{WORD}: {of_capture} octets of it while the capture dropped packets"] if of_capture else []
            notes.one(Note.TCP_GAP, channel, slot & 1, offset, int(missing[slot]), packet,
                      time_of(tables["packets"], packet), "; ".join(told))  # fmt: skip
