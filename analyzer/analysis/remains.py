"""What is unfinished when the capture ends: frames and messages in the middle, pings and Closes without an answer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from analyzer.analysis.channels import innermost
from analyzer.analysis.frames import Framing
from analyzer.analysis.observations import Observations
from analyzer.analysis.unseen import unseen_ends
from analyzer.schemas import LATE
from analyzer.streams.assembly import Assembly
from dissectors.notes import Note
from dissectors.schemas import FRAMES, MESSAGES, NO_TIME
from dissectors.tables import Table
from dissectors.websocket.opcodes import TEXT
from dissectors.websocket.outcomes import INVALID, NOT_TEXT, PLAIN, UNKNOWN

UNFINISHED = 5
"""The code of `schemas.INFLATES`."""


def append_remains(tables: Mapping[str, Table], framing: Framing, assembly: Assembly,
                   number_of: npt.NDArray[np.int64], notes: Observations) -> None:  # fmt: skip
    """Append the open frames and messages as rows that are not complete, and note what got no answer."""
    _frames(tables, framing, notes)
    _messages(tables, framing, notes)
    _control(tables, framing, assembly, number_of, notes)
    _gaps(tables, assembly, notes)
    _late(tables, notes)


def _frames(tables: Mapping[str, Table], framing: Framing, notes: Observations) -> None:
    rows = []
    for state in framing.unfinished_frames():
        slot = state["slot"]
        channel, direction = framing.channels[slot >> 1], slot & 1
        seen = state["at"] - state["start"]
        packet, time = state["first_packet"], state["first_time"]
        notes.one(Note.FRAME_CUT, channel, direction, state["start"], seen, packet, time)
        if state["mode"] == 0:
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
    folds = framing.folds
    ended = np.zeros(len(framing.channels), np.bool_)
    numbers = number_of[tables["endings"]["stream"]]
    ended[numbers[numbers >= 0]] = True
    if any(folds.pings):
        _pings(tables, framing, ended, notes)
    rows = folds.whole["close_row"][: 2 * len(framing.channels)]
    bare = (rows >= 0) & (rows.reshape(-1, 2)[:, ::-1].ravel() < 0) & np.repeat(ended, 2)
    alone = np.flatnonzero(bare & ~_cut_short(tables, framing, assembly))
    for slot in alone.tolist():
        close = tables["messages"].row(int(rows[slot]))
        frame = tables["frames"].row(close["last_frame"])
        if framing.hidden(slot ^ 1, frame["last_packet"]):
            continue
        length = frame["header_length"] + frame["payload_length"]
        notes.one(Note.CLOSE_NOT_ANSWERED, framing.channels[slot >> 1], slot & 1, frame["offset"], length,
                  frame["last_packet"], close["time"])  # fmt: skip


def _cut_short(tables: Mapping[str, Table], framing: Framing, assembly: Assembly) -> npt.NDArray[np.bool_]:
    """Slots whose other side is not known to its end: an answer may stand in what is missing there."""
    count = 2 * len(framing.channels)
    streams = tables["channels"]["stream"].astype(np.int64)[np.array(framing.channels, np.int64)]
    ends = unseen_ends(assembly)[np.stack([2 * streams, 2 * streams + 1], axis=1).ravel()]
    short = (ends > 0) | (framing.directions.whole["mode"][:count] == 2)
    other: npt.NDArray[np.bool_] = short.reshape(-1, 2)[:, ::-1].ravel()
    return other


def _pings(tables: Mapping[str, Table], framing: Framing, ended: npt.NDArray[np.bool_], notes: Observations) -> None:
    """Pings that wait for their Pong. RFC 6455 §5.5.2 asks for none from a side that had received a Close, §7.1.7 for
    none from one that fails the connection; and where the capture ends before that side said anything more, its Pong
    may be on the way."""
    messages = tables["messages"]
    last = np.full(2 * (max(framing.channels) + 1), -1, np.int64)
    last[2 * messages["channel"].astype(np.int64) + messages["direction"]] = messages.rows()  # the last row stays
    closes = framing.folds.whole["close_row"]
    for slot, waiting in enumerate(framing.folds.pings):
        for _, number, offset, packet, time in waiting or ():
            channel, direction = framing.channels[slot >> 1], slot & 1
            mine, theirs = closes[slot], closes[slot ^ 1]
            closed = 0 <= mine < number or (theirs >= 0 and not 0 <= mine < theirs)
            if (
                not closed
                and not framing.hidden(slot ^ 1, packet)
                and (ended[slot >> 1] or last[2 * channel + 1 - direction] > number)
            ):
                notes.one(Note.PING_NOT_ANSWERED, channel, direction, offset, 0, packet, time)


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


def _gaps(tables: Mapping[str, Table], assembly: Assembly, notes: Observations) -> None:
    """One note a direction of a channel: how much of it the capture does not hold."""
    missing = assembly.segments.column("missing")
    if not missing.any():
        return
    streams = tables["channels"]["stream"].astype(np.int64)
    inside = innermost(tables)[streams] == np.arange(len(streams))
    for direction in (0, 1):
        octets = missing[2 * streams + direction] * inside
        for channel in np.flatnonzero(octets).tolist():
            notes.one(Note.TCP_GAP, channel, direction, -1, int(octets[channel]))
