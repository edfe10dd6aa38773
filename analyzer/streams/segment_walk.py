# cython: wraparound=False, initializedcheck=False, annotation_typing=False
"""The scalar walk from TCP segments to delivered spans: reassembly (RFC 9293 §3.4, §3.10.7.4).

Theory of operation. A *slot* is one direction of a connection (2 * stream + direction). Each slot knows the sequence
number of its first octet (`base`) and how many octets were delivered (`next`), a 64-bit offset, so sequence numbers
may wrap. Delivery means a row of `Spans`: rows stand in the order of delivery, and `release` is the packet that made
the delivery possible. The walk takes each packet once and decides what it is; the ideas have files of their own:

- `starts`: where a direction's first octet stands, if its SYN was not captured or comes late
- `delivery`: what comes next becomes rows; what stands behind a hole is held
- `gaps`: a hole that was given up, and octets that come for it late
- `copies`: octets that come more than once
- `withholding`: each side's octets come after those that it acknowledges
- `figures`: what is unusual is counted, round trips are timed
- `rules`: for how long, and how much

A hole is given up by rules that look at the sequence of packets and at capture time only: once its end was acknowledged
(the receiver has the octets, the capture does not) and `LOST_PACKETS` more packets or `LOST_TIME` have passed; where
the other direction was not captured at all, after `LOST_BLIND` packets; when `HELD_LIMIT` segments of one direction or
`HELD_TOTAL` of all are held; and at the end.

A RST counts if its sequence number may be the next one that the receiver expects (RFC 9293 §3.10.7.4, RFC 5961 §3.2):
not below what was acknowledged, and not so far ahead that lost packets cannot explain it. Any other leaves the
connection as it is.
"""

from __future__ import annotations

from analyzer.streams import rules
from analyzer.streams.copies import copy
from analyzer.streams.delivery import deliver, deliver_apart, end, give_up, hold, unhold
from analyzer.streams.figures import (
    acknowledged,
    again,
    beyond,
    copied,
    early,
    filled,
    handshake,
    invalid_reset,
    known,
    probe,
    timed,
    urgent,
    window,
)
from analyzer.streams.gaps import late
from analyzer.streams.segments import Segments
from analyzer.streams.sequence import distance
from analyzer.streams.spans import Spans
from analyzer.streams.starts import begin_at, open_at, relieve, settle
from analyzer.streams.withholding import expire, let_pass, needed, overdue

# typed copies
FIN_DELIVERED, FOREVER = rules.FIN_DELIVERED, rules.FOREVER
START_PACKETS, LOST_PACKETS, LOST_BLIND = rules.START_PACKETS, rules.LOST_PACKETS, rules.LOST_BLIND
HELD_LIMIT, HELD_TOTAL = rules.HELD_LIMIT, rules.HELD_TOTAL
FAR, RESET_AHEAD, LAST = rules.FAR, rules.RESET_AHEAD, rules.LAST


def valid_reset(segments: Segments, slot: int, begin: int) -> bool:
    """Whether the receiver may expect this sequence number next."""
    if not segments.settled[slot]:
        return True
    ahead = distance(begin - segments.base[slot] - segments.next[slot])
    behind = min(segments.acked[slot], segments.next[slot]) - segments.next[slot]
    return behind <= ahead <= RESET_AHEAD


def quiet(segments: Segments, slot: int, carries: bool, time: int) -> None:
    """The first sign of TCP's end: how long had it been quiet? `carries`: it has octets itself."""
    segments.quiet_since[slot] = time if carries else segments.data_time[slot]
    segments.quiet_since[slot ^ 1] = segments.data_time[slot ^ 1]


def reset(segments: Segments, slot: int, begin: int, packet: int, time: int) -> None:
    """A RST, the first of its direction counts."""
    if segments.ended[slot] & 2:
        return
    segments.ended[slot] |= 2
    segments.endings.append((slot, 2, packet))
    segments.resets[slot] = (packet, time)
    if segments.fin[slot] < 0:
        segments.fin[slot] = begin  # what stands before it was sent, captured or not


def fin(segments: Segments, slot: int, at: int, packet: int) -> None:
    """A FIN, the first of its direction counts."""
    if segments.ended[slot] & 1:
        return
    segments.ended[slot] |= 1
    segments.endings.append((slot, 1, packet))
    segments.fin[slot] = at & LAST


def acknowledge(segments: Segments, spans: Spans, slot: int, ack: int, resets: bool, packet: int, time: int) -> int:
    """Take an acknowledgment of the other side's octets; returns what `needed` says of it. `resets`: on a RST."""
    other = slot ^ 1
    if not segments.settled[other]:
        if resets or not segments.settled[slot] or segments.next[slot]:
            return 0
        begin_at(segments, spans, other, ack, packet)
        if not segments.settled[other]:
            return 0
    need = 0
    reach = segments.next[other] + distance(ack - segments.base[other] - segments.next[other])
    if reach > segments.next[other]:
        need = needed(segments, slot, ack)
    if reach > segments.acked[other]:
        segments.acked[other] = reach
        if segments.timed[other] >= 0:
            acknowledged(segments, other, reach, time)
    return need


def advance(segments: Segments, spans: Spans, slot: int, ahead: int, length: int, captured: int, packet: int, at: int,
            position: int, time: int, need: int) -> None:  # fmt: skip
    """A segment with the next octet: `ahead` of it by nothing, or less."""
    offset = segments.next[slot] + ahead
    if segments.holding[slot]:
        filled(segments, slot, time)
    elif ahead == 0:
        if segments.timed[slot] < 0:
            timed(segments, slot, offset + length, time)
    elif ahead < -1:
        again(segments, slot, ahead, length, False)
    if segments.withheld_all:
        deliver_apart(segments, spans, slot, offset, length, captured, packet, at, position, time, packet, need)
    else:
        deliver(segments, spans, slot, offset, length, captured, packet, at, position, time, packet, need)
    if segments.holding[slot]:
        unhold(segments, spans, slot, packet)


def repeat(segments: Segments, spans: Spans, slot: int, ahead: int, length: int, captured: int, packet: int, at: int,
           position: int, time: int, duplicate: bool) -> None:  # fmt: skip
    """A segment all of which came before: it is for a gap, or a copy. A keep-alive's one octet is none, for it may be
    garbage (RFC 9293 §3.8.4)."""
    offset = segments.next[slot] + ahead
    segments.repeated[slot] += length
    if slot in segments.lost and late(segments, spans, slot, offset, captured, packet, at, position, time):
        return
    again(segments, slot, ahead, length, duplicate)
    if (length > 1 or ahead < -1) and captured and offset + captured > 0:
        skip = max(-offset, 0)
        copy(segments, spans, slot, offset + skip, captured - skip, packet, at + skip, position + skip, time, packet)


def wait(segments: Segments, spans: Spans, slot: int, packet: int, time: int) -> None:
    """A direction that holds octets has seen one more packet: is its start decided, or its hole given up?"""
    stream = slot >> 1
    waited = segments.packets[stream] - segments.hole_packets[slot]
    if not segments.settled[slot]:
        if waited >= START_PACKETS and (
            segments.settled[slot ^ 1]
            or not segments.holding[slot ^ 1]
            or segments.packets[stream] - segments.hole_packets[slot ^ 1] >= START_PACKETS
        ):
            settle(segments, spans, slot, packet)
        return
    if (
        (
            segments.acked[slot] >= segments.held[slot][0][0]
            and (waited >= LOST_PACKETS or overdue(segments.hole_time[slot], time))
        )
        or (not segments.seen[slot ^ 1] and waited >= LOST_BLIND)
        or len(segments.held[slot]) > HELD_LIMIT
        or segments.holding_all > HELD_TOTAL
    ):
        give_up(segments, spans, slot, packet)
        segments.hole_packets[slot] = segments.packets[stream]
        segments.hole_time[slot] = time
        end(segments, spans, slot, packet, time, packet)


def walk(
    segments: Segments,
    spans: Spans,
    stream_of: memoryview,
    direction_of: memoryview,
    seq: memoryview,
    ack: memoryview,
    flags: memoryview,
    window_of: memoryview,
    identification_of: memoryview,
    captured_of: memoryview,
    length_of: memoryview,
    at_of: memoryview,
    position_of: memoryview,
    time_of: memoryview,
    number_of: memoryview,
) -> None:
    """Deliver a chunk of TCP packets. `at_of` is the virtual offset of the data, `position_of` where it stands in the
    chunk's octets, `number_of` the packet's row. FIN and RST go to `segments.endings` as (slot, kind, packet)."""
    for packet in range(len(stream_of)):
        stream = stream_of[packet]
        slot = 2 * stream + direction_of[packet]
        other = slot ^ 1
        bits = flags[packet]
        number = number_of[packet]
        begin = seq[packet]
        length = length_of[packet]
        segments.packets[stream] += 1
        segments.last_packet[stream] = number
        time = time_of[packet]
        segments.last_time[stream] = time
        segments.seen[slot] = 1
        if bits & 4 and not valid_reset(segments, slot, begin):
            invalid_reset(segments, slot, number)
            continue
        if bits & 2 or segments.shaking[stream]:
            handshake(segments, stream, slot, bits, time)
        if (window_of[packet] == 0) != segments.shut[slot] and not bits & 7:
            window(segments, slot, window_of[packet], time)
        if bits & 32:
            urgent(segments, slot, number)
        if bits & 7:
            if bits & 5 and not segments.ended[slot] and not segments.ended[other]:
                quiet(segments, slot, length > 0 and bits & 1 > 0, time)
            if bits & 4:
                length = 0
                reset(segments, slot, begin, number, time)
            elif bits & 2:
                begin = (begin + 1) & LAST
                if length:
                    early(segments, slot, length, number)
                open_at(segments, spans, slot, begin, number)
            if bits & 1:
                fin(segments, slot, begin + length, number)
        need = 0
        if bits & 16:
            need = acknowledge(segments, spans, slot, ack[packet], bits & 4 > 0, number, time)
        if (
            not length
            and bits & 7 == 0
            and segments.settled[slot]
            and not segments.ended[slot]
            and begin == (segments.base[slot] + segments.next[slot] - 1) & LAST
        ):
            probe(segments, slot)
        if length:
            duplicate = known(segments, slot, begin, length, identification_of[packet], time)
            if segments.ended[slot] & 1:
                ahead = distance(begin + length - segments.fin[slot])
                if ahead > 0:
                    beyond(segments, slot, min(ahead, length), number)
                    if ahead > length and segments.ended[slot] & FIN_DELIVERED:
                        length = 0  # §3.10.7.4: in CLOSE-WAIT and after, a receiver ignores it
            segments.data_packet[slot] = number
            segments.data_time[slot] = time
            if segments.settled[slot]:
                ahead = distance(begin - segments.base[slot] - segments.next[slot])
            else:
                if segments.base[slot] < 0:
                    segments.base[slot] = begin
                ahead = distance(begin - segments.base[slot])
            if segments.settled[slot] and ahead + length > 0 >= ahead:
                advance(segments, spans, slot, ahead, length, captured_of[packet], number, at_of[packet],
                        position_of[packet], time, need)  # fmt: skip
            elif segments.settled[slot] and ahead <= 0:
                repeat(segments, spans, slot, ahead, length, captured_of[packet], number, at_of[packet],
                       position_of[packet], time, duplicate)  # fmt: skip
            elif segments.settled[slot] and ahead > FAR:
                segments.stray[slot] += length
            elif length:
                behind = hold(segments, slot, segments.next[slot] + ahead, length, captured_of[packet], number,
                              at_of[packet], position_of[packet], time, ack[packet] if bits & 16 else -1)  # fmt: skip
                if behind and duplicate:
                    copied(segments, slot)
                elif behind and segments.settled[slot]:
                    filled(segments, slot, time)
                if segments.holding_all > HELD_TOTAL:
                    relieve(segments, spans, number)
        if segments.ended[slot] and not segments.holding[slot]:
            end(segments, spans, slot, number, time, number)
        if segments.holding[slot] or segments.holding[other]:
            for side in range(2 * stream, 2 * stream + 2):
                if segments.holding[side]:
                    wait(segments, spans, side, number, time)
        if segments.withheld_all:
            expire(segments, spans, slot, time, number)
            expire(segments, spans, other, time, number)


def finish(segments: Segments, spans: Spans, release: int) -> None:
    """The capture ended: deliver what is held, with gaps where octets are missing."""
    segments.finished = 1
    for slot in sorted(segments.held):
        if not segments.settled[slot]:
            settle(segments, spans, slot, release)
        while segments.holding[slot]:
            give_up(segments, spans, slot, release)
        end(segments, spans, slot, release, segments.data_time[slot], release)
    for slot in sorted(segments.withheld):
        if segments.withholding[slot]:
            let_pass(segments, spans, slot, FOREVER, release)
