# cython: wraparound=False, annotation_typing=False
"""The scalar walk from the octets of WebSocket directions to frames (RFC 6455 §5.2).

Theory of operation. A *slot* is one direction of one connection; nothing is shared between slots. The walk takes spans
of any slots in any mixture, in the order of delivery, and so does all connections of a chunk in one call. Per slot it
knows which stream offset comes next and stands in one of three modes: gathering a header (at most 14 octets, kept in
`head`), inside a payload (only a count of what remains), or lost. Payload octets are skipped, never copied: a frame of
2^40 octets costs as much as an empty one.

Two kinds of rows come out. A row of `Frames` for every frame, when its last octet was seen. A row of `Events` for
every piece of payload that the message walk must look into (text, compressed data, control frames), and for the
begin and end of every frame: a frame that lies in one span is one event. Where the length has its top bit set
(RFC 6455 §5.2 forbids it), the frame is taken to be as long as a stream can be.

A gap inside a payload only makes the frame incomplete: its end is still known. A gap over a header loses the framing
of the direction: the rest is opaque, and counted.
"""

from __future__ import annotations

import numpy as np

from dissectors.columns import Growing, wider
from dissectors.notes import Note
from dissectors.tables import Array

BEGIN, END, HOLE = 1, 2, 4
"""Bits of an event: it holds the first octet of a frame, the last, or octets that are missing."""

HEADER, PAYLOAD, LOST = 0, 1, 2


class FrameRows(Growing):
    """Complete frames."""

    NAMES = ("slot", "first", "second", "key", "header_length", "length", "missing", "offset", "first_packet",
             "first_time", "packet", "time")  # fmt: skip


class Events(Growing):
    """What the message walk reads. `first` is the first octet of the frame's header; `position:position + length` the
    piece in the octets of this walk, `phase` how much of the payload came before; `total` the frame's payload length,
    `frame` the row of the frame where the event ends it, else -1. `release` is the packet that delivered the piece;
    `now` holds it while a span is walked."""

    NAMES = ("slot", "bits", "first", "key", "phase", "position", "length", "total", "frame", "offset", "packet",
             "time", "release")  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.now = 0


class NoteRows(Growing):
    """Observations: the span of octets that they are about, the packet and time at which they were made, and the packet
    that delivered the octets, which orders them."""

    NAMES = ("code", "slot", "offset", "length", "packet", "time", "release")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0


class Directions:
    """The state of all slots."""

    def __init__(self) -> None:
        self.count = 0
        self.room = 256
        self.whole = {name: np.zeros(256, np.int64) for name in _STATE}
        self.head = np.zeros(256 * 14, np.uint8).data
        self._bind()

    def _bind(self) -> None:
        whole = self.whole
        self.at = whole["at"].data
        self.mode = whole["mode"].data
        self.filled = whole["filled"].data
        self.start = whole["start"].data
        self.length = whole["length"].data
        self.remaining = whole["remaining"].data
        self.missing = whole["missing"].data
        self.passed = whole["passed"].data
        self.key = whole["key"].data
        self.header_length = whole["header_length"].data
        self.first_packet = whole["first_packet"].data
        self.first_time = whole["first_time"].data
        self.wanted = whole["wanted"].data
        self.wanted_message = whole["wanted_message"].data
        self.closed = whole["closed"].data
        self.client = whole["client"].data
        self.deflate = whole["deflate"].data
        self.defined = whole["defined"].data
        self.frames = whole["frames"].data
        self.opaque = whole["opaque"].data

    def extend(self, at: Array, client: Array, deflate: Array, defined: Array) -> None:
        """New slots, one item each: whose first frames start at the stream offsets `at`; `defined` holds the reserved
        bits that the agreed extensions define (4 is RSV1)."""
        first, stop = self.count, self.count + len(at)
        if stop > self.room:
            self.room = max(stop, 2 * self.room)
            for name, column in self.whole.items():
                self.whole[name] = wider(column, self.room)
            self.head = wider(np.asarray(self.head), 14 * self.room).data
            self._bind()
        self.count = stop
        for name, values in (("at", at), ("client", client), ("deflate", deflate), ("defined", defined)):
            self.whole[name][first:stop] = values

    def column(self, name: str) -> Array:
        """One column of the state, as an array."""
        return self.whole[name][: self.count]


_STATE = ("at", "mode", "filled", "start", "length", "remaining", "missing", "passed", "key", "header_length",
          "first_packet", "first_time", "wanted", "wanted_message", "closed", "client", "deflate", "defined",
          "frames", "opaque")  # fmt: skip


def note(notes: NoteRows, code: int, slot: int, offset: int, length: int, packet: int, time: int) -> None:
    """Append an observation."""
    row = notes.count
    if row == notes.room:
        notes.grow()
    notes.cells[0, row] = code
    notes.cells[1, row] = slot
    notes.cells[2, row] = offset
    notes.cells[3, row] = length
    notes.cells[4, row] = packet
    notes.cells[5, row] = time
    notes.cells[6, row] = notes.now
    notes.count = row + 1


def event(events: Events, directions: Directions, slot: int, bits: int, phase: int, position: int, length: int,
          frame: int, packet: int, time: int) -> None:  # fmt: skip
    """Append an event of the frame that the slot stands in."""
    row = events.count
    if row == events.room:
        events.grow()
    events.cells[0, row] = slot
    events.cells[1, row] = bits
    events.cells[2, row] = directions.head[14 * slot]
    events.cells[3, row] = directions.key[slot]
    events.cells[4, row] = phase
    events.cells[5, row] = position
    events.cells[6, row] = length
    events.cells[7, row] = directions.length[slot]
    events.cells[8, row] = frame
    events.cells[9, row] = directions.start[slot]
    events.cells[10, row] = packet
    events.cells[11, row] = time
    events.cells[12, row] = events.now
    events.count = row + 1


def finish_frame(rows: FrameRows, directions: Directions, slot: int, packet: int, time: int) -> int:
    """Append the frame that the slot stands in, and go back to headers. Returns its row."""
    row = rows.count
    if row == rows.room:
        rows.grow()
    rows.cells[0, row] = slot
    rows.cells[1, row] = directions.head[14 * slot]
    rows.cells[2, row] = directions.head[14 * slot + 1]
    rows.cells[3, row] = directions.key[slot]
    rows.cells[4, row] = directions.header_length[slot]
    rows.cells[5, row] = directions.length[slot]
    rows.cells[6, row] = directions.missing[slot]
    rows.cells[7, row] = directions.start[slot]
    rows.cells[8, row] = directions.first_packet[slot]
    rows.cells[9, row] = directions.first_time[slot]
    rows.cells[10, row] = packet
    rows.cells[11, row] = time
    rows.count = row + 1
    directions.mode[slot] = 0
    directions.filled[slot] = 0
    directions.frames[slot] += 1
    return rows.base + row


def read_header(directions: Directions, notes: NoteRows, slot: int, packet: int, time: int) -> None:
    """Read the gathered header (RFC 6455 §5.2), note what is wrong with it, and step into the payload."""
    at = 14 * slot
    first = directions.head[at]
    second = directions.head[at + 1]
    masked = second >> 7
    brief = second & 127
    opcode = first & 15
    rsv = (first >> 4) & 7
    size = directions.filled[slot]
    start = directions.start[slot]
    length = brief
    extended = 0
    if brief == 126:
        extended = 2
        length = directions.head[at + 2] << 8 | directions.head[at + 3]
    elif brief == 127:
        extended = 8
        length = directions.head[at + 2]
        if length > 127:
            length -= 256
        for index in range(3, 10):
            length = length * 256 + directions.head[at + index]
    key = 0
    if masked:
        for index in range(4):
            key = key * 256 + directions.head[at + 2 + extended + index]
    directions.key[slot] = key
    directions.length[slot] = length
    directions.header_length[slot] = size
    directions.missing[slot] = 0
    directions.passed[slot] = 0
    directions.remaining[slot] = length if length >= 0 else 0x7FFFFFFFFFFFFFFF
    directions.mode[slot] = 1
    if (extended == 2 and length < 126) or (extended == 8 and 0 <= length < 65536):
        note(notes, Note.LENGTH_NOT_MINIMAL, slot, start, size, packet, time)
    if length < 0:
        note(notes, Note.LENGTH_TOP_BIT, slot, start, size, packet, time)
    if directions.client[slot]:
        if not masked:
            note(notes, Note.CLIENT_UNMASKED, slot, start, size, packet, time)
        elif key == 0:
            note(notes, Note.MASK_KEY_ZERO, slot, start, size, packet, time)
    elif masked:
        note(notes, Note.SERVER_MASKED, slot, start, size, packet, time)
    if directions.closed[slot]:
        note(notes, Note.AFTER_CLOSE, slot, start, size, packet, time)
    if rsv & ~directions.defined[slot]:
        note(notes, Note.RSV_NOT_NEGOTIATED, slot, start, size, packet, time)
    elif rsv & 4 and directions.deflate[slot]:
        if opcode == 0:
            note(notes, Note.RSV1_ON_CONTINUATION, slot, start, size, packet, time)
        elif opcode > 7:
            note(notes, Note.RSV1_ON_CONTROL, slot, start, size, packet, time)
    if opcode > 7:
        directions.wanted[slot] = 1 if opcode < 11 else 0
        if opcode > 10:
            note(notes, Note.OPCODE_RESERVED, slot, start, size, packet, time)
        if length > 125 or length < 0:
            note(notes, Note.CONTROL_TOO_LONG, slot, start, size, packet, time)
        if first < 128:
            note(notes, Note.CONTROL_FRAGMENTED, slot, start, size, packet, time)
        if opcode == 8:
            directions.closed[slot] = 1
        return
    if opcode > 2:
        note(notes, Note.OPCODE_RESERVED, slot, start, size, packet, time)
    if opcode:
        compressed = rsv & 4 and directions.deflate[slot]
        directions.wanted_message[slot] = 1 if opcode == 1 or (opcode == 2 and compressed) else 0
    directions.wanted[slot] = directions.wanted_message[slot]


def lose(directions: Directions, notes: NoteRows, slot: int, offset: int, length: int, packet: int, time: int) -> None:
    """A gap hides a header: from here on the direction is opaque."""
    directions.mode[slot] = 2
    directions.filled[slot] = 0
    note(notes, Note.FRAMING_LOST, slot, offset, length, packet, time)


def walk(
    directions: Directions,
    rows: FrameRows,
    events: Events,
    notes: NoteRows,
    octets: memoryview,
    slot_of: memoryview,
    kind_of: memoryview,
    offset_of: memoryview,
    length_of: memoryview,
    position_of: memoryview,
    packet_of: memoryview,
    time_of: memoryview,
    release_of: memoryview,
) -> None:
    """Walk spans, in the order of delivery. Kind 0 is data, which stands in `octets` at its position; kind 1 is a gap;
    others are passed over. Spans of one slot may repeat offsets; where they leave some out, framing is lost."""
    for span in range(len(slot_of)):
        slot = slot_of[span]
        kind = kind_of[span]
        if kind > 1:
            continue
        offset = offset_of[span]
        length = length_of[span]
        stop = offset + length
        known = directions.at[slot]
        if stop <= known:
            continue
        position = position_of[span]
        if offset < known:
            length = stop - known
            position += known - offset
            offset = known
        directions.at[slot] = stop
        packet = packet_of[span]
        time = time_of[span]
        events.now = notes.now = release_of[span]
        if offset > known and directions.mode[slot] != 2:
            # spans that were never handed over: nothing may be read across them
            lose(directions, notes, slot, known, offset - known, packet, time)
            directions.opaque[slot] += offset - known
        if directions.mode[slot] == 2:
            directions.opaque[slot] += length
            continue
        if kind == 1:
            if directions.mode[slot] == 0:
                lose(directions, notes, slot, offset, length, packet, time)
                directions.opaque[slot] += length
                continue
            taken = directions.remaining[slot]
            if taken > length:
                taken = length
            phase = directions.passed[slot]
            directions.remaining[slot] -= taken
            directions.passed[slot] = phase + taken
            directions.missing[slot] += taken
            if directions.remaining[slot]:
                event(events, directions, slot, 4, phase, 0, taken, -1, packet, time)
                continue
            frame = finish_frame(rows, directions, slot, packet, time)
            event(events, directions, slot, 6, phase, 0, taken, frame, packet, time)
            if taken < length:
                lose(directions, notes, slot, offset + taken, length - taken, packet, time)
                directions.opaque[slot] += length - taken
            continue
        end = position + length
        if position < 0 or end > len(octets):
            raise IndexError("a span is not inside the octets")
        while position < end:
            bits = 0
            if directions.mode[slot] == 0:
                filled = directions.filled[slot]
                if filled == 0:
                    directions.start[slot] = stop - (end - position)
                    directions.first_packet[slot] = packet
                    directions.first_time[slot] = time
                need = 2
                if filled > 1:
                    need = header_length(directions.head[14 * slot + 1])
                while filled < need and position < end:
                    directions.head[14 * slot + filled] = octets[position]
                    position += 1
                    filled += 1
                    if filled == 2:
                        need = header_length(directions.head[14 * slot + 1])
                directions.filled[slot] = filled
                if filled < need or filled < 2:
                    break
                read_header(directions, notes, slot, packet, time)
                bits = 1
            taken = directions.remaining[slot]
            if taken > end - position:
                taken = end - position
            phase = directions.passed[slot]
            directions.remaining[slot] -= taken
            directions.passed[slot] = phase + taken
            if directions.remaining[slot]:
                if bits or directions.wanted[slot]:
                    event(events, directions, slot, bits, phase, position, taken, -1, packet, time)
            else:
                frame = finish_frame(rows, directions, slot, packet, time)
                event(events, directions, slot, bits | 2, phase, position, taken, frame, packet, time)
            position += taken


def header_length(second: int) -> int:
    """Octets of the header, told by its second octet: 2, extended length 2 or 8, masking key 4 (RFC 6455 §5.2)."""
    length = 2
    if second & 127 == 126:
        length = 4
    elif second & 127 == 127:
        length = 10
    if second & 128:
        length += 4
    return length
