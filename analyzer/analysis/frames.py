"""Drives the two WebSocket walks over the spans of a chunk, and fills FRAMES, MESSAGES and their NOTES."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analyzer.analysis.observations import Observations
from analyzer.analysis.openings import Agreed
from analyzer.analysis.recovery import Recovery
from analyzer.capture.records import Source
from analyzer.limits import Limits
from dissectors.notes import Note
from dissectors.schemas import FRAMES, MESSAGES
from dissectors.tables import Array, Strings, Table
from dissectors.websocket.frame_walk import Directions, Events, FrameRows, NoteRows, Parked, begin_span, resume
from dissectors.websocket.frame_walk import walk as walk_frames
from dissectors.websocket.message_walk import Folds, MessageRows
from dissectors.websocket.message_walk import resume as resume_messages
from dissectors.websocket.message_walk import walk as walk_messages
from dissectors.websocket.modes import AHEAD, HEADER, LOOK, LOST, MANY, PAYLOAD, UNASKED, UNSTARTED
from dissectors.websocket.scanner import frame_columns


@dataclass(frozen=True, slots=True)
class Run:
    """Spans to walk, one item each, whose octets all stand in `octets` at their position."""

    octets: memoryview
    slot: npt.NDArray[np.int64]
    kind: npt.NDArray[np.uint8]
    offset: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    position: npt.NDArray[np.int64]
    packet: npt.NDArray[np.int64]
    time: npt.NDArray[np.int64]
    release: npt.NDArray[np.int64]
    at: npt.NDArray[np.int64]
    """Where the octets stand in the capture."""


class Framing:
    """The WebSocket layer of one analysis. A connection's slots are 2n and 2n + 1, by physical direction."""

    def __init__(self, tables: Mapping[str, Table], strings: Strings, notes: Observations, source: Source,
                 limits: Limits) -> None:  # fmt: skip
        self.frames = tables[FRAMES.name]
        self.messages = tables[MESSAGES.name]
        self.notes = notes
        self.directions = Directions()
        self.directions.searching = 1
        self.recovery = Recovery(self.directions, source, limits.look_ahead)
        self.folds = Folds(strings, limits.inflated)
        self.channels = array("i")
        self.found: dict[int, int] = {}
        """By slot: the packet with which frames went on last, behind octets that could not be read."""
        self._frame_rows = FrameRows()
        self._events = Events()
        self._message_rows = MessageRows()
        self._note_rows = NoteRows()
        self._parked = Parked()

    def open(self, agreed: Agreed) -> int:
        """Sessions begin. Returns the number n of the first."""
        number = len(self.channels)
        self.channels.frombytes(agreed.channel.astype(np.intc).tobytes())
        slot = 2 * number
        of_client = np.column_stack([agreed.client == 0, agreed.client == 1]).ravel()
        deflate, defined = np.repeat(agreed.deflate, 2), np.repeat(agreed.defined, 2)
        self.directions.extend(agreed.starts.ravel(), of_client, deflate, defined)
        self.folds.reserve(2 * len(self.channels))
        self.folds.begin(slot, deflate, agreed.takeover.ravel())
        if agreed.unseen.any():
            self._search(slot + np.flatnonzero(agreed.unseen.ravel()))
        return number

    def _search(self, slots: npt.NDArray[np.int64]) -> None:
        """In these directions it is not known where a frame begins, and messages may have crossed before."""
        state = self.directions.whole
        state["mode"][slots] = LOST
        state["lost_from"][slots] = state["at"][slots]
        state["ripe"][slots] = state["at"][slots] + LOOK
        self.folds.whole["holes"][slots] = UNSTARTED | UNASKED | AHEAD
        self.folds.whole["lost"][slots] = 1

    def feed(self, runs: Sequence[Run]) -> None:
        """Walk spans, in the order of delivery."""
        if not self.channels:
            return
        self.folds.reserve(2 * len(self.channels))
        for run in runs:
            self._walk([(run, 0)])
        self._append()

    def finish(self, release: int) -> None:
        """The capture ended: a last look at directions whose framing is lost."""
        for slot in self.recovery.waiting():
            rest: list[tuple[Run, int]] = []
            while slot in self.recovery.held:
                self._look(slot, release, rest)
                self._walk(rest)
        self._append()

    def _walk(self, rest: list[tuple[Run, int]]) -> None:
        """Walk runs, the last first, and look for frames wherever a direction has become ripe for it."""
        while rest:
            run, at = rest.pop()
            at = walk_frames(
                self.directions, self._frame_rows, self._events, self._note_rows, self._parked, run.octets,
                run.slot.data, run.kind.data, run.offset.data, run.length.data, run.position.data,
                run.packet.data, run.time.data, run.release.data, run.at.data, at,
            )  # fmt: skip
            walk_messages(self.folds, self._events, self._message_rows, self._note_rows, run.octets)
            self._events.clear()
            if self._frame_rows.count >= MANY or self._note_rows.count >= MANY:
                self._append()
            if at < len(run.slot):
                rest.append((run, at))
            if self._parked.count:
                ripe = self.recovery.park(self._parked)
                self._parked.clear()
                if ripe >= 0:
                    self._look(ripe, self._events.now, rest)

    def _look(self, slot: int, release: int, rest: list[tuple[Run, int]]) -> None:
        """Look for frames in what is parked of a direction; where they go on, there is more to walk."""
        found = self.recovery.look(slot, release)
        if found is None:
            return
        begin_span(self._events, self._note_rows, release)
        self.found[slot] = found.packet
        resume_messages(self.folds, self._message_rows, self._note_rows, slot, found.packet, found.time)
        resume(self.directions, self._note_rows, slot, found.at, found.reach, found.bits, found.packet, found.time)
        rest.append((Run(**found.run), 0))

    def _append(self) -> None:
        rows = self._frame_rows
        if self._note_rows.count:
            _into_payload(self._note_rows, rows)
        if rows.count:
            cell = rows.column
            slot, missing = cell("slot"), cell("missing")
            self.frames.append(
                frame_columns(rows)
                | {
                    "channel": self._channel(slot),
                    "direction": slot & 1,
                    "complete": missing == 0,
                    "first_packet": cell("first_packet"),
                    "last_packet": cell("packet"),
                    "first_time": cell("first_time"),
                    "time": cell("time"),
                }
            )
            rows.clear()
        messages = self._message_rows
        if messages.count:
            cell = messages.column
            slot = cell("slot")
            self.messages.append(
                {"channel": self._channel(slot), "direction": slot & 1, "close_reason": cell("reason")}
                | {name: cell(name) for name in _SAME}
            )
            messages.clear()
        notes = self._note_rows
        if notes.count:
            cell = notes.column
            slot = cell("slot")
            self.notes.append(
                cell("code"), self._channel(slot), slot & 1, cell("offset"), cell("length"), cell("packet"),
                cell("time"), cell("release"), cell("turn"),
            )  # fmt: skip
            notes.clear()

    def _channel(self, slot: Array) -> Array:
        """Channels of slots. A view, for a copy would cost each chunk what all sessions so far amount to."""
        found: Array = np.frombuffer(self.channels, np.intc)[slot >> 1]
        return found

    def hidden(self, slot: int, packet: int) -> bool:
        """Whether what a direction sent after a packet is not known in full: its framing was lost then, or is."""
        return bool(self.directions.whole["mode"][slot] == LOST) or packet <= self.found.get(slot, -1)

    def unfinished_frames(self) -> list[dict[str, int]]:
        """Frames that were begun and not completed, with the octets seen: for the open view at the end."""
        state = self.directions.whole
        begun = np.flatnonzero((state["mode"] == PAYLOAD) | ((state["mode"] == HEADER) & (state["filled"] > 0)))
        return [
            {name: int(values[slot]) for name, values in state.items()} | {"slot": int(slot)}
            for slot in begun
            if slot < self.directions.count
        ]


OF_PAYLOAD = (Note.CLOSE_ONE_OCTET, Note.CLOSE_CODE_FORBIDDEN, Note.CLOSE_REASON_NOT_UTF8)
"""Codes about octets of a Close frame's payload, which the message walk tells by where the frame starts."""


def _into_payload(notes: NoteRows, frames: FrameRows) -> None:
    """Move these notes from the start of their frame to the octets that they are about; such frames end in the walk
    that tells of them."""
    codes, slots, offsets, lengths = (notes.column(name) for name in ("code", "slot", "offset", "length"))
    rows = np.flatnonzero(np.isin(codes, OF_PAYLOAD))
    if not len(rows):
        return
    slot, offset, header = (frames.column(name) for name in ("slot", "offset", "header_length"))
    # sorted together, each note stands behind its frame: peers choose how many of both there are
    order = np.lexsort((np.concatenate([offset, offsets[rows]]), np.concatenate([slot, slots[rows]])))
    place = np.arange(len(order))
    of_frame = order < len(slot)
    frame = np.empty(len(order), np.int64)
    frame[order] = order[np.maximum.accumulate(np.where(of_frame, place, 0))]
    found = frame[len(slot) :]
    assert (slot[found] == slots[rows]).all()
    assert (offset[found] == offsets[rows]).all()
    behind = np.where(codes[rows] == Note.CLOSE_REASON_NOT_UTF8, 2, 0)
    offsets[rows] += header[found] + behind
    lengths[rows] -= behind


_SAME = ("opcode", "first_frame", "last_frame", "frames", "length", "inflated", "compressed", "inflate", "utf8",
         "complete", "close_code", "answers", "first_time", "time", "recovered")  # fmt: skip
