# cython: wraparound=False, initializedcheck=False, annotation_typing=False
"""The scalar walk from frames to messages: a fold per direction (RFC 6455 §5.4), with what a verdict needs.

Theory of operation. The frame walk's events come in the order of delivery, slots mixed. Data frames open, continue and
end the one message that a slot may have open; control frames stand between them and never touch it. Octets are looked
at once, as they pass, and not kept: text runs through the UTF-8 state machine, compressed messages through the slot's
inflater, piece by piece, the payload of a control frame (at most 125 octets, RFC 6455 §5.5) into a buffer.

Compression (RFC 7692). A message is compressed where its first frame has RSV1 and permessage-deflate was agreed. After
the last fragment 00 00 FF FF is fed to the slot's inflater (`inflating`). Above `limit` octets the message is given up,
and with it the context. Where octets are missing the context is lost: with takeover for the rest of the direction,
without it for this message only. A message whose context is lost is counted, never guessed.

Where nobody saw what was agreed, deflate is tried (`TRIED`). The first message is inflated without a context, and so
is each one behind a message that could not be. Blocks hold their own codes, and zlib refuses a distance that reaches
behind what it has put out: so what inflates is what was sent, whoever keeps a context, and what does not inflate needed
octets that are missing. A text that is not UTF-8 counts as the latter until a message of the direction has inflated.

Behind octets whose framing was lost (`resume`) messages are missing: one that is open never ends, the first one may go
on with one that began there, and what a Pong answers may have been there. While frames are searched for, the other
direction runs ahead: a Pong without a Ping is remembered, for that Ping may be found later. Of a frame that is a guess
(below high confidence) nobody is accused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dissectors.columns import Growing, wider
from dissectors.notes import Note
from dissectors.schemas import NO_TIME
from dissectors.tables import Array, Strings
from dissectors.websocket import modes, outcomes
from dissectors.websocket.frame_walk import Events, NoteRows, note
from dissectors.websocket.inflating import Inflating
from dissectors.websocket.masking import unmask, utf8

# typed copies
NOT_TEXT, VALID, INVALID, UNKNOWN = outcomes.NOT_TEXT, outcomes.VALID, outcomes.INVALID, outcomes.UNKNOWN
PLAIN, INFLATED, FAILED = outcomes.PLAIN, outcomes.INFLATED, outcomes.FAILED
CONTEXT_LOST, OVER_LIMIT, FINAL_BLOCK = outcomes.CONTEXT_LOST, outcomes.OVER_LIMIT, outcomes.FINAL_BLOCK
TRIED, PROVEN = outcomes.TRIED, outcomes.PROVEN
NO_TEXT = outcomes.NO_TEXT
UNSTARTED, UNASKED, AHEAD = modes.UNSTARTED, modes.UNASKED, modes.AHEAD

PINGS = 1024
"""Pings of one direction that may wait for their pong at once, and Pongs that may wait for their Ping."""
CHECKPOINT = 1 << 20
"""Octets inflated between two kept windows, so that a later look into a long stream need not start at its front."""
CHECKPOINTS = 2048
"""Windows kept in all, 64 MiB; every second one is let go when they are full."""


class MessageRows(Growing):
    """Messages and control frames; `reason` is a code of the string pool."""

    NAMES = ("slot", "opcode", "first_frame", "last_frame", "frames", "length", "inflated", "compressed", "inflate",
             "utf8", "complete", "close_code", "reason", "answers", "first_time", "time", "recovered")  # fmt: skip


class Folds:
    """The state of all slots, that of each together in memory. Slots 2n and 2n + 1 are the two directions of one
    connection."""

    def __init__(self, strings: Strings, limit: int) -> None:
        self.strings = strings
        self.limit = limit
        self.room = 0
        self.state = np.zeros((0, len(_STATE)), np.int64)
        self.whole = {name: self.state[:, at] for at, name in enumerate(_STATE)}
        self.inflaters: list[Any] = []
        self.control: list[Any] = []
        self.pings: list[Any] = []
        self.ahead: list[Any] = []
        """By slot: Pongs that came while the other direction's framing was lost, and what packets delivered them."""
        self.windows: list[tuple[int, int, bytes]] = []

    def reserve(self, slots: int) -> None:
        """Make room for so many slots."""
        if slots <= self.room:
            return
        more = max(slots, 2 * self.room, 256) - self.room
        self.state = wider(self.state, self.room + more)
        for objects in (self.inflaters, self.control, self.pings, self.ahead):
            objects.extend([None] * more)
        self.room += more
        whole = self.whole = {name: self.state[:, at] for at, name in enumerate(_STATE)}
        self.open = whole["open"].data
        self.opcode = whole["opcode"].data
        self.compressed = whole["compressed"].data
        self.frames = whole["frames"].data
        self.length = whole["length"].data
        self.inflated = whole["inflated"].data
        self.inflate = whole["inflate"].data
        self.text = whole["text"].data
        self.missing = whole["missing"].data
        self.first_frame = whole["first_frame"].data
        self.first_time = whole["first_time"].data
        self.start = whole["start"].data
        self.takeover = whole["takeover"].data
        self.deflate = whole["deflate"].data
        self.lost = whole["lost"].data
        self.control_missing = whole["control_missing"].data
        self.control_time = whole["control_time"].data
        self.close_row = whole["close_row"].data
        self.close_packet = whole["close_packet"].data
        self.messages = whole["messages"].data
        self.octets = whole["octets"].data
        self.inflated_octets = whole["inflated_octets"].data
        self.since = whole["since"].data
        self.ping_count = whole["ping_count"].data
        self.last_time = whole["last_time"].data
        self.recovered = whole["recovered"].data
        self.holes = whole["holes"].data

    def begin(self, slot: int, deflate: Array, takeover: Array) -> None:
        """Set new slots up, from `slot` on."""
        chosen = slice(slot, slot + len(deflate))
        for name, values in (("deflate", deflate), ("takeover", takeover), ("close_row", -1), ("last_time", NO_TIME)):
            self.whole[name][chosen] = values

    def let_go(self, slot: int) -> None:
        """The direction ended: its inflater is not needed any more."""
        self.inflaters[slot] = None
        # where octets follow nevertheless (behind a RST that was not the peer's), the window before them is gone
        self.lost[slot] = 1

    def column(self, name: str) -> Array:
        """One column of the state, as an array."""
        return self.whole[name]


_STATE = ("open", "opcode", "compressed", "frames", "length", "inflated", "inflate", "text", "missing", "first_frame",
          "first_time", "start", "takeover", "deflate", "lost", "control_missing", "control_time", "close_row",
          "messages", "octets", "inflated_octets", "since", "ping_count", "last_time", "recovered", "holes",
          "close_packet")  # fmt: skip


def checkpoint(folds: Folds, slot: int, row: int) -> None:
    """Keep the window that stands behind message `row`."""
    folds.since[slot] = 0
    folds.windows.append((slot, row, folds.inflaters[slot].window()))
    if len(folds.windows) > CHECKPOINTS:
        del folds.windows[::2]


def inflate(folds: Folds, slot: int, octets: memoryview, start: int, stop: int, key: int, phase: int,
            tail: int) -> None:  # fmt: skip
    """Inflate a piece of the open message, and count what comes out."""
    inflater = folds.inflaters[slot]
    if inflater is None:
        inflater = Inflating()
        folds.inflaters[slot] = inflater
    text = folds.text[slot] if folds.opcode[slot] == 1 else NO_TEXT
    outcome = inflater.feed(octets, start, stop, key, phase, tail, text, folds.limit - folds.inflated[slot])
    if outcome == FAILED:
        folds.inflate[slot] = FAILED if folds.takeover[slot] < TRIED else CONTEXT_LOST
        folds.lost[slot] = 1
        return
    if outcome == OVER_LIMIT:
        folds.inflate[slot] = OVER_LIMIT
        folds.lost[slot] = 1
        return
    folds.inflated[slot] += inflater.produced
    if text != NO_TEXT:
        folds.text[slot] = inflater.text
        if inflater.text < 0 and folds.takeover[slot] == TRIED:
            unproven(folds, slot)
            return
    if outcome == FINAL_BLOCK:
        folds.inflate[slot] = FINAL_BLOCK


def unproven(folds: Folds, slot: int) -> None:
    """What came out of a trial is no text: nothing is claimed of it."""
    folds.inflate[slot] = CONTEXT_LOST
    folds.text[slot] = 0
    folds.lost[slot] = 1


def begin_message(folds: Folds, rows: MessageRows, notes: NoteRows, slot: int, first: int, offset: int,
                  packet: int, time: int, recovered: int) -> None:  # fmt: skip
    """A data frame begins: open a message, or go on with the one that is open (RFC 6455 §5.4)."""
    opcode = first & 15
    if opcode == 0 and folds.open[slot]:
        folds.frames[slot] += 1
        return
    if opcode == 0 and not folds.holes[slot] & UNSTARTED and not guess(recovered):
        note(notes, Note.CONTINUATION_WITHOUT_START, slot, offset, 0, packet, time)
    elif opcode and folds.open[slot]:
        if not guess(recovered) and not guess(folds.recovered[slot]):
            note(notes, Note.MESSAGE_INSIDE_MESSAGE, slot, offset, 0, packet, time)
        end_message(folds, rows, notes, slot, 0, -1, packet, time)
    folds.open[slot] = 1
    folds.holes[slot] &= UNASKED
    folds.recovered[slot] = recovered
    folds.opcode[slot] = opcode
    folds.compressed[slot] = 1 if first & 64 and folds.deflate[slot] and opcode else 0
    folds.frames[slot] = 1
    folds.length[slot] = 0
    folds.inflated[slot] = 0
    folds.text[slot] = 0
    folds.missing[slot] = 0
    folds.first_frame[slot] = -1
    folds.first_time[slot] = time
    folds.start[slot] = offset
    folds.inflate[slot] = PLAIN
    if folds.compressed[slot]:
        folds.inflate[slot] = INFLATED
        if folds.lost[slot]:
            if folds.takeover[slot] == 1:
                folds.inflate[slot] = CONTEXT_LOST
            else:
                folds.lost[slot] = 0
                folds.inflaters[slot] = None
        elif not folds.takeover[slot]:
            folds.inflaters[slot] = None


def end_message(folds: Folds, rows: MessageRows, notes: NoteRows, slot: int, complete: int, frame: int, packet: int,
                time: int) -> None:  # fmt: skip
    """Append the open message, with its verdicts."""
    row = rows.count
    if row == rows.room:
        rows.grow()
    if folds.takeover[slot] > 1 and folds.compressed[slot] and complete:
        if folds.takeover[slot] == 2 and folds.text[slot]:
            unproven(folds, slot)
        elif folds.inflate[slot] == INFLATED or folds.inflate[slot] == FINAL_BLOCK:
            folds.takeover[slot] = PROVEN
    state = folds.inflate[slot]
    length = folds.length[slot]
    inflated = length
    start = folds.start[slot]
    if folds.missing[slot] or folds.opcode[slot] == 0:
        complete = 0
    if folds.compressed[slot]:
        inflated = folds.inflated[slot]
        if state == FINAL_BLOCK:
            note(notes, Note.DEFLATE_FINAL_BLOCK, slot, start, length, packet, time)
            state = INFLATED
        elif state == FAILED and not guess(folds.recovered[slot]):
            note(notes, Note.INFLATE_FAILED, slot, start, length, packet, time)
        elif state == OVER_LIMIT:
            note(notes, Note.INFLATE_LIMIT, slot, start, length, packet, time)
        elif state == CONTEXT_LOST:
            note(notes, Note.CONTEXT_LOST, slot, start, length, packet, time)
        if state != INFLATED:
            inflated = -1
    verdict = NOT_TEXT
    if folds.opcode[slot] == 1:
        if folds.text[slot] < 0:
            verdict = INVALID
        elif not complete or state > INFLATED:
            verdict = UNKNOWN
        elif folds.text[slot]:
            verdict = INVALID
        else:
            verdict = VALID
        if verdict == INVALID and not guess(folds.recovered[slot]):
            note(notes, Note.TEXT_NOT_UTF8, slot, start, length, packet, time)
    elif folds.opcode[slot] == 0 and folds.recovered[slot]:
        verdict = UNKNOWN  # its start, which says whether it is text, was not seen
    folds.open[slot] = 0
    folds.messages[slot] += 1
    folds.octets[slot] += length
    if inflated >= 0:
        folds.inflated_octets[slot] += inflated
        if folds.compressed[slot] and folds.takeover[slot]:
            folds.since[slot] += inflated
            if folds.since[slot] >= CHECKPOINT:
                checkpoint(folds, slot, rows.base + row)
    rows.cells[0, row] = slot
    rows.cells[1, row] = folds.opcode[slot]
    rows.cells[2, row] = folds.first_frame[slot]
    rows.cells[3, row] = frame if frame >= 0 else folds.first_frame[slot]
    rows.cells[4, row] = folds.frames[slot]
    rows.cells[5, row] = length
    rows.cells[6, row] = inflated
    rows.cells[7, row] = folds.compressed[slot]
    rows.cells[8, row] = state
    rows.cells[9, row] = verdict
    rows.cells[10, row] = complete
    rows.cells[11, row] = -1
    rows.cells[12, row] = 0
    rows.cells[13, row] = -1
    rows.cells[14, row] = folds.first_time[slot]
    rows.cells[15, row] = time
    rows.cells[16, row] = folds.recovered[slot]
    rows.count = row + 1


def close_payload(folds: Folds, notes: NoteRows, slot: int, payload: Any, offset: int, packet: int,
                  time: int) -> tuple[int, int]:  # fmt: skip
    """Code and reason of a Close frame (RFC 6455 §5.5.1, §7.4)."""
    if not payload:
        return -1, 0
    if len(payload) == 1:
        note(notes, Note.CLOSE_ONE_OCTET, slot, offset, 1, packet, time)
        return -1, 0
    code = payload[0] << 8 | payload[1]
    if code < 1000 or code in (1004, 1005, 1006, 1015) or 1016 <= code < 3000 or code > 4999:
        note(notes, Note.CLOSE_CODE_FORBIDDEN, slot, offset, 2, packet, time)
    reason = bytes(payload[2:])
    if not reason:
        return code, 0
    if utf8(memoryview(reason), 0, len(reason), 0, 0, 0) != 0:
        note(notes, Note.CLOSE_REASON_NOT_UTF8, slot, offset, len(payload), packet, time)
    return code, folds.strings.intern(reason.decode("utf-8", "replace"))


def end_control(folds: Folds, rows: MessageRows, notes: NoteRows, slot: int, first: int, total: int, offset: int,
                frame: int, packet: int, time: int, recovered: int) -> None:  # fmt: skip
    """Append a control frame, and match it with what it answers."""
    row = rows.count
    if row == rows.room:
        rows.grow()
    number = rows.base + row
    opcode = first & 15
    payload = folds.control[slot] or b""
    folds.control[slot] = None
    complete = 0 if folds.control_missing[slot] else 1
    code = -1
    reason = 0
    answers = -1
    if opcode == 8 and complete:
        told = notes.count
        code, reason = close_payload(folds, notes, slot, payload, offset, packet, time)
        if guess(recovered):
            notes.count = told
    if opcode == 8:
        if folds.close_row[slot] < 0:
            folds.close_row[slot] = number
            folds.close_packet[slot] = packet
            if folds.close_packet[slot ^ 1] <= packet:  # the other direction may have been read first
                answers = folds.close_row[slot ^ 1]
    elif opcode == 9 and not complete:
        folds.holes[slot] |= UNASKED  # a Pong may carry what is missing
    elif opcode == 9:
        folds.ping_count[slot] += 1
        if not guess(recovered) and not early_pong(folds, slot ^ 1, payload, packet):
            waiting = folds.pings[slot]
            if waiting is None:
                waiting = []
                folds.pings[slot] = waiting
            if len(waiting) >= PINGS:
                del waiting[0]
            waiting.append((bytes(payload), number, offset, packet, time, False))
    elif opcode == 10 and not complete:
        folds.pings[slot ^ 1] = None  # it may answer any
    elif opcode == 10:
        waiting = folds.pings[slot ^ 1]
        found = -1
        if waiting:
            for index, ping in enumerate(waiting):
                if ping[0] == payload:
                    if found < 0:
                        found = index
                    if not folds.holes[slot]:
                        break
                    # the answer to the first may be among what is missing, and this one that of any
                    waiting[index] = (*ping[:5], True)
        if found >= 0:
            answers = waiting[found][1]
            # RFC 6455 §5.5.3: a pong may answer the latest of several pings only
            del waiting[: found + 1]
        elif folds.ping_count[slot ^ 1] <= PINGS and not folds.holes[slot ^ 1]:
            # beyond that the ping may be one that was not remembered, and behind a hole one that was not seen
            note(notes, Note.PONG_UNASKED, slot, offset, 0, packet, time)
        if folds.holes[slot ^ 1] & AHEAD:
            run_ahead(folds, slot, payload, notes.now)
    rows.cells[0, row] = slot
    rows.cells[1, row] = opcode
    rows.cells[2, row] = frame
    rows.cells[3, row] = frame
    rows.cells[4, row] = 1
    rows.cells[5, row] = total
    rows.cells[6, row] = total
    rows.cells[7, row] = 0
    rows.cells[8, row] = PLAIN
    rows.cells[9, row] = NOT_TEXT
    rows.cells[10, row] = complete
    rows.cells[11, row] = code
    rows.cells[12, row] = reason
    rows.cells[13, row] = answers
    rows.cells[14, row] = folds.control_time[slot]
    rows.cells[15, row] = time
    rows.cells[16, row] = recovered
    rows.count = row + 1


def guess(recovered: int) -> bool:
    """Whether a frame was found by evidence that is not of high confidence."""
    return 0 < recovered < 3


def run_ahead(folds: Folds, slot: int, payload: Any, release: int) -> None:
    """Remember a Pong whose Ping may be found later."""
    ahead = folds.ahead[slot]
    if ahead is None:
        ahead = []
        folds.ahead[slot] = ahead
    if len(ahead) >= PINGS:
        del ahead[0]
    ahead.append((bytes(payload), release))


def early_pong(folds: Folds, slot: int, payload: Any, packet: int) -> bool:
    """Whether an answer to a Ping was delivered before it, though no earlier than its packet; Pings before that one are
    then answered too (RFC 6455 §5.5.3). It may be that of several alike, of which others are missing."""
    for told, release in folds.ahead[slot] or ():
        if told == payload and release >= packet:
            folds.pings[slot ^ 1] = None
            return True
    return False


def resume(folds: Folds, rows: MessageRows, notes: NoteRows, slot: int, packet: int, time: int) -> None:
    """Frames of a direction were missed: end the message that is open, and the compression context."""
    if folds.open[slot]:
        end_message(folds, rows, notes, slot, 0, -1, packet, time)
    folds.holes[slot] = UNSTARTED | UNASKED
    folds.lost[slot] = 1


def walk(folds: Folds, events: Events, rows: MessageRows, notes: NoteRows, octets: memoryview) -> None:
    """Fold a walk's events into messages. `octets` are those of the frame walk that made the events."""
    for at in range(events.count):
        slot = events.cells[0, at]
        bits = events.cells[1, at]
        first = events.cells[2, at]
        length = events.cells[6, at]
        position = events.cells[5, at]
        offset = events.cells[9, at]
        packet = events.cells[10, at]
        time = events.cells[11, at]
        notes.now = events.cells[12, at]
        notes.turn = events.cells[14, at]
        if bits & 24:
            if bits & 8:
                folds.holes[slot] |= UNASKED | AHEAD
            else:
                folds.let_go(slot)
            continue
        if first & 15 != 8 and folds.close_row[slot] < 0 and folds.close_row[slot ^ 1] < 0:
            folds.last_time[slot] = time
        if first & 8:
            if bits & 1:
                folds.control[slot] = None
                folds.control_missing[slot] = 0
                folds.control_time[slot] = time
            if bits & 4:
                folds.control_missing[slot] += length
            elif length and events.cells[4, at] < 125:
                piece = unmask(octets, position, position + length, events.cells[3, at], events.cells[4, at], False)
                held = folds.control[slot]
                folds.control[slot] = piece[:125] if held is None else (held + piece)[:125]
            if bits & 2:
                end_control(folds, rows, notes, slot, first, events.cells[7, at], offset, events.cells[8, at], packet,
                            time, events.cells[13, at])  # fmt: skip
            continue
        if bits & 1:
            begin_message(folds, rows, notes, slot, first, offset, packet, time, events.cells[13, at])
        last = bits & 2 and first & 128
        if bits & 4:
            folds.missing[slot] += length
            if folds.compressed[slot] and folds.inflate[slot] != CONTEXT_LOST:
                folds.inflate[slot] = CONTEXT_LOST
                folds.lost[slot] = 1
        elif folds.compressed[slot]:
            whole = folds.length[slot] + events.cells[7, at]
            if (length or (last and whole)) and (folds.inflate[slot] == INFLATED or folds.inflate[slot] == FINAL_BLOCK):
                inflate(folds, slot, octets, position, position + length, events.cells[3, at], events.cells[4, at],
                        last != 0)  # fmt: skip
        elif length and folds.opcode[slot] == 1 and folds.text[slot] >= 0 and not folds.missing[slot]:
            folds.text[slot] = utf8(octets, position, position + length, events.cells[3, at], events.cells[4, at],
                                    folds.text[slot])  # fmt: skip
        if bits & 2:
            folds.length[slot] += events.cells[7, at]
            if folds.first_frame[slot] < 0:
                folds.first_frame[slot] = events.cells[8, at]
            if last:
                end_message(folds, rows, notes, slot, 1, events.cells[8, at], packet, time)
