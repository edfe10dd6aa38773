# cython: wraparound=False, initializedcheck=False, annotation_typing=False
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
of the direction: what follows is opaque, and counted. Where the caller searches (`header_search`), such spans are
parked, and the walk stops at the span that makes the slot ripe for a look: at a number of octets that is told before
(`ripe`), at the next gap, or at the end of the direction. So where frames go on depends on the direction's octets
alone. Frames behind such a place carry a level of confidence, which grows with every header that fits; a header that
does not fit loses the framing again, and is no violation of anybody.
"""

from __future__ import annotations

import numpy as np

from dissectors.columns import Growing, wider
from dissectors.notes import Note
from dissectors.tables import Array
from dissectors.websocket import modes

BEGIN, END, HOLE, ADRIFT, OVER = 1, 2, 4, 8, 16
"""Bits of an event: it holds the first octet of a frame, the last, or octets that are missing; or it says that the
framing is lost, or that the direction has ended."""

# typed copies
HEADER, PAYLOAD, LOST = modes.HEADER, modes.PAYLOAD, modes.LOST
LOOK, MANY = modes.LOOK, modes.MANY

MEDIUM, HIGH = 32, 64
"""Bits of evidence from which on frames behind a loss have medium and high confidence."""
GOOD = 6
"""Bits that a header which fits adds to them (`header_search`)."""
LAST, TOP = 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF
"""Typed: Cython makes objects of literals that 32 bits do not hold."""


class FrameRows(Growing):
    """Complete frames."""

    NAMES = ("slot", "first", "second", "key", "header_length", "length", "missing", "offset", "first_packet",
             "first_time", "packet", "time", "recovered")  # fmt: skip


class Parked(Growing):
    """Spans of directions whose framing is lost. `at` is the virtual offset of their octets."""

    NAMES = ("slot", "kind", "offset", "length", "at", "packet", "time")


class Events(Growing):
    """What the message walk reads. `first` is the first octet of the frame's header; `position:position + length` the
    piece in the octets of this walk, `phase` how much of the payload came before; `total` the frame's payload length,
    `frame` the row of the frame where the event ends it, else -1. `release` is the packet that delivered the piece;
    `now` holds it while a span is walked, and `turn` counts the spans: what one of them shows stands together,
    whichever walk tells it."""

    NAMES = ("slot", "bits", "first", "key", "phase", "position", "length", "total", "frame", "offset", "packet",
             "time", "release", "recovered", "turn")  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.turn = 0


class NoteRows(Growing):
    """Observations: the span of octets that they are about, the packet and time at which they were made; the packet
    that delivered the octets, and the turn of their span among all: these order them."""

    NAMES = ("code", "slot", "offset", "length", "packet", "time", "release", "turn")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.turn = 0


class Directions:
    """The state of all slots. What belongs to one slot stands together in memory: a walk goes from slot to slot, and
    takes most columns of each."""

    def __init__(self) -> None:
        self.count = 0
        self.room = 256
        self.searching = 0
        self.head = np.zeros(256 * 14, np.uint8).data
        self._bind(np.zeros((256, len(_STATE)), np.int64))

    def _bind(self, state: Array) -> None:
        self.state = state
        whole = self.whole = {name: state[:, at] for at, name in enumerate(_STATE)}
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
        self.lost_from = whole["lost_from"].data
        self.ripe = whole["ripe"].data
        self.recovered = whole["recovered"].data
        self.evidence = whole["evidence"].data
        self.proven = whole["proven"].data
        self.last_key = whole["last_key"].data
        self.key_step = whole["key_step"].data
        self.key_told = whole["key_told"].data

    def extend(self, at: Array, client: Array, deflate: Array, defined: Array) -> None:
        """New slots, one item each: whose first frames start at the stream offsets `at`; `defined` holds the reserved
        bits that the agreed extensions define (4 is RSV1)."""
        first, stop = self.count, self.count + len(at)
        if stop > self.room:
            self.room = max(stop, 2 * self.room)
            self.head = wider(np.asarray(self.head), 14 * self.room).data
            self._bind(wider(self.state, self.room))
        self.count = stop
        for name, values in (("at", at), ("client", client), ("deflate", deflate), ("defined", defined)):
            self.whole[name][first:stop] = values

    def column(self, name: str) -> Array:
        """One column of the state, as an array."""
        return self.whole[name][: self.count]


_STATE = ("at", "mode", "filled", "start", "length", "remaining", "missing", "passed", "key", "header_length",
          "first_packet", "first_time", "wanted", "wanted_message", "closed", "client", "deflate", "defined",
          "frames", "opaque", "lost_from", "ripe", "recovered", "evidence", "proven", "last_key", "key_step",
          "key_told")  # fmt: skip


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
    notes.cells[7, row] = notes.turn
    notes.count = row + 1


def begin_span(events: Events, notes: NoteRows, release: int) -> None:
    """The next span is walked, or looked for frames in."""
    events.now = notes.now = release
    events.turn += 1
    notes.turn = events.turn


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
    events.cells[13, row] = directions.recovered[slot]
    events.cells[14, row] = events.turn
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
    rows.cells[12, row] = directions.recovered[slot]
    rows.count = row + 1
    directions.mode[slot] = HEADER
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
    directions.remaining[slot] = length if length >= 0 else TOP
    directions.mode[slot] = PAYLOAD
    if directions.recovered[slot]:
        fits = masked == (1 if directions.client[slot] else 0) and not rsv & ~directions.defined[slot]
        if length < 0 or (opcode > 2 and opcode < 8) or opcode > 10 or (opcode > 7 and (length > 125 or first < 128)):
            fits = False
        if (extended == 2 and length < 126) or (extended == 8 and length < 65536):
            fits = False
        if not fits:
            lose(directions, notes, slot, start, size, start + size, packet, time)
            directions.opaque[slot] += size
            return
        evidence = directions.evidence[slot]
        if start >= directions.proven[slot]:
            evidence += GOOD
            directions.evidence[slot] = evidence
        directions.recovered[slot] = 1 if evidence < MEDIUM else 2 if evidence < HIGH else 3
    if (extended == 2 and length < 126) or (extended == 8 and 0 <= length < 65536):
        note(notes, Note.LENGTH_NOT_MINIMAL, slot, start, size, packet, time)
    if length < 0:
        note(notes, Note.LENGTH_TOP_BIT, slot, start, size, packet, time)
    if directions.client[slot]:
        if not masked:
            note(notes, Note.CLIENT_UNMASKED, slot, start, size, packet, time)
        elif key == 0:
            note(notes, Note.MASK_KEY_ZERO, slot, start, size, packet, time)
        elif length and directions.key_told[slot] == 0:
            compare_key(directions, notes, slot, key, packet, time)
    elif masked:
        note(notes, Note.SERVER_MASKED, slot, start, size, packet, time)
    if directions.closed[slot]:
        note(notes, Note.CONTROL_AFTER_CLOSE if opcode > 7 else Note.AFTER_CLOSE, slot, start, size, packet, time)
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
        if opcode == 8 and (directions.recovered[slot] == 0 or directions.recovered[slot] == 3):
            directions.closed[slot] = 1  # a guess must not make violations of all that follows
        return
    if opcode > 2:
        note(notes, Note.OPCODE_RESERVED, slot, start, size, packet, time)
    if opcode:
        compressed = rsv & 4 and directions.deflate[slot]
        directions.wanted_message[slot] = 1 if opcode == 1 or (opcode == 2 and compressed) else 0
    directions.wanted[slot] = directions.wanted_message[slot]


def compare_key(directions: Directions, notes: NoteRows, slot: int, key: int, packet: int, time: int) -> None:
    """RFC 6455 §5.3: a key must not tell the next. Keys that mask nothing do not count, and a sender is told of once.
    Three keys at equal distance come by chance once in 2^32."""
    step = (key - directions.last_key[slot]) & LAST
    code = 0
    if step == 0:
        code = Note.MASK_KEY_REPEATED
    elif step == directions.key_step[slot]:
        code = Note.MASK_KEY_PREDICTABLE
    if code:
        directions.key_told[slot] = 1
        note(notes, code, slot, directions.start[slot], directions.header_length[slot], packet, time)
    directions.key_step[slot] = step if directions.last_key[slot] else 0
    directions.last_key[slot] = key


def lose(directions: Directions, notes: NoteRows, slot: int, offset: int, length: int, behind: int, packet: int,
         time: int) -> None:  # fmt: skip
    """A gap hides a header: from `behind` on the direction is opaque."""
    if directions.mode[slot] == HEADER:
        directions.opaque[slot] += directions.filled[slot]  # the part of a header before the gap
    directions.mode[slot] = LOST
    directions.filled[slot] = 0
    directions.recovered[slot] = 0
    directions.last_key[slot] = 0
    directions.key_step[slot] = 0
    directions.lost_from[slot] = behind
    directions.ripe[slot] = behind + LOOK
    note(notes, Note.FRAMING_LOST, slot, offset, length, packet, time)


def resume(directions: Directions, notes: NoteRows, slot: int, at: int, reach: int, bits: int, packet: int,
           time: int) -> None:  # fmt: skip
    """Frames go on at `at`, by `bits` of evidence in the octets before `reach`: those from `at` on are to be walked."""
    note(notes, Note.FRAMING_FOUND, slot, at, 0, packet, time)
    directions.mode[slot] = HEADER
    directions.at[slot] = at
    directions.proven[slot] = reach
    directions.evidence[slot] = bits
    directions.recovered[slot] = 1


def park(directions: Directions, parked: Parked, slot: int, kind: int, offset: int, length: int, at: int, packet: int,
         time: int) -> bool:  # fmt: skip
    """Keep a span of a direction whose framing is lost. Returns whether it is time for a look."""
    directions.opaque[slot] += length
    if not directions.searching:
        return False
    row = parked.count
    if row == parked.room:
        parked.grow()
    parked.cells[0, row] = slot
    parked.cells[1, row] = kind
    parked.cells[2, row] = offset
    parked.cells[3, row] = length
    parked.cells[4, row] = at
    parked.cells[5, row] = packet
    parked.cells[6, row] = time
    parked.count = row + 1
    return kind > 0 or offset + length >= directions.ripe[slot]


def walk(
    directions: Directions,
    rows: FrameRows,
    events: Events,
    notes: NoteRows,
    parked: Parked,
    octets: memoryview,
    slot_of: memoryview,
    kind_of: memoryview,
    offset_of: memoryview,
    length_of: memoryview,
    position_of: memoryview,
    packet_of: memoryview,
    time_of: memoryview,
    release_of: memoryview,
    at_of: memoryview,
    first: int,
) -> int:
    """Walk spans from the `first` on, in the order of delivery. Kind 0 is data, which stands in `octets` at its
    position; kind 1 is a gap; 4 and 5 end a direction; others are passed over. Spans of one slot may repeat offsets;
    where they leave some out, framing is lost. Returns how far it came: behind the last span, where a span made its
    slot ripe for a look, or before one where there are `MANY` events."""
    for span in range(first, len(slot_of)):
        if events.count >= MANY:
            return span
        slot = slot_of[span]
        kind = kind_of[span]
        if kind > 1:
            if kind > 3:
                begin_span(events, notes, release_of[span])
                event(events, directions, slot, 16, 0, 0, 0, -1, packet_of[span], time_of[span])
                if directions.mode[slot] == LOST:
                    park(directions, parked, slot, kind, offset_of[span], 0, -1, packet_of[span], time_of[span])
                    if directions.searching:
                        return span + 1
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
        begin_span(events, notes, release_of[span])
        if offset > known and directions.mode[slot] == LOST and directions.searching:
            # the search must not take octets for neighbours that are none: the span is walked again behind the hole
            directions.at[slot] = offset
            park(directions, parked, slot, 1, known, offset - known, -1, packet, time)
            return span
        if offset > known and directions.mode[slot] != LOST:
            # spans that were never handed over: nothing may be read across them
            lose(directions, notes, slot, known, offset - known, offset, packet, time)
            directions.opaque[slot] += offset - known
            event(events, directions, slot, 8, 0, 0, 0, -1, packet, time)
        if directions.mode[slot] == LOST:
            if park(directions, parked, slot, kind, offset, length, at_of[span] + length_of[span] - length, packet,
                    time):  # fmt: skip
                return span + 1
            continue
        if kind == 1:
            if directions.mode[slot] == HEADER:
                lose(directions, notes, slot, offset, length, stop, packet, time)
                directions.opaque[slot] += length
                event(events, directions, slot, 8, 0, 0, 0, -1, packet, time)
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
                lose(directions, notes, slot, offset + taken, length - taken, stop, packet, time)
                directions.opaque[slot] += length - taken
                event(events, directions, slot, 8, 0, 0, 0, -1, packet, time)
            continue
        end = position + length
        if position < 0 or end > len(octets):
            raise IndexError("a span is not inside the octets")
        while position < end:
            bits = 0
            if directions.mode[slot] == HEADER:
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
                if directions.mode[slot] == LOST:
                    event(events, directions, slot, 8, 0, 0, 0, -1, packet, time)
                    break
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
        if position < end and directions.mode[slot] == LOST:
            length = end - position
            if park(directions, parked, slot, 0, stop - length, length, at_of[span] + length_of[span] - length, packet,
                    time):  # fmt: skip
                return span + 1
    return len(slot_of)


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
