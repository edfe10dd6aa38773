# cython: wraparound=False, initializedcheck=False, annotation_typing=False
"""Counts what is unusual in a direction, and times its round trips.

Theory of operation. Most directions need no row of `figures`; one that does gets it from `figure`. Where something of
a kind was first seen stands in the columns behind its count.

A copy of a segment is a *duplicate*, not a retransmission, where the capture holds one packet twice (a mirror port, or
both sides of a router): it has the IP identification of the first, or, where that is zero, follows within `COPY_TIME`.
Recent segments stand in a small table, in which a later one may take an earlier one's place.

A round trip is timed on a segment that was sent once and is acknowledged, for an acknowledgment of one that was sent
again may be for either copy (RFC 6298 §3, Karn's algorithm); and, for both directions together, from a SYN to the
acknowledgment of the SYN that answers it.
"""

from __future__ import annotations

from analyzer.streams import rules
from analyzer.streams.segments import FIGURES, Segments
from dissectors.schemas import NO_TIME

# typed copies
REORDERED, COPY_TIME, RECENT = rules.REORDERED, rules.COPY_TIME, rules.RECENT
UNTIMED = NO_TIME
(
    RETRANSMITTED, OUT_OF_ORDER, DUPLICATES, KEEPALIVES, PROBES, STALLS, STALLED, LONGEST_STALL, SHUT_SINCE, URGENT,
    URGENT_PACKET, URGENT_OFFSET, BEYOND, BEYOND_PACKET, BEYOND_OFFSET, RESETS, RESET_PACKET, RESET_OFFSET, EARLY,
    EARLY_PACKET,
) = range(len(FIGURES))  # fmt: skip


def figure(segments: Segments, slot: int) -> int:
    """The row of `figures` of a slot, a new one where it has none."""
    row = segments.figure_of[slot]
    if row < 0:
        row = segments.figured
        if row == len(segments.figures):
            segments.widen()
        segments.figured = row + 1
        segments.figure_of[slot] = row
        segments.figures[row, SHUT_SINCE] = UNTIMED
    return row


def first(segments: Segments, slot: int, kind: int, amount: int, packet: int, offset: int) -> None:
    """Count something of a kind whose first packet and offset stand in the next two columns."""
    row = figure(segments, slot)
    if not segments.figures[row, kind]:
        segments.figures[row, kind + 1] = packet
        segments.figures[row, kind + 2] = offset
    segments.figures[row, kind] += amount


def urgent(segments: Segments, slot: int, packet: int) -> None:
    """Count a segment with urgent data."""
    first(segments, slot, URGENT, 1, packet, segments.next[slot])


def invalid_reset(segments: Segments, slot: int, packet: int) -> None:
    """Count a RST that the receiver does not expect."""
    first(segments, slot, RESETS, 1, packet, segments.next[slot])


def beyond(segments: Segments, slot: int, octets: int, packet: int) -> None:
    """Count octets behind the FIN."""
    first(segments, slot, BEYOND, octets, packet, segments.next[slot])


def early(segments: Segments, slot: int, octets: int, packet: int) -> None:
    """Count octets that came with the SYN."""
    row = figure(segments, slot)
    segments.figures[row, EARLY] += octets
    segments.figures[row, EARLY_PACKET] = packet


def probe(segments: Segments, slot: int) -> None:
    """Count an empty segment before the next octet: what that is depends on the peer's window."""
    row = figure(segments, slot)
    segments.figures[row, PROBES if segments.shut[slot ^ 1] else KEEPALIVES] += 1


def again(segments: Segments, slot: int, ahead: int, length: int, duplicate: bool) -> None:
    """Count a segment all of which came before."""
    if duplicate:
        copied(segments, slot)
        return
    row = figure(segments, slot)
    if length == 1 and segments.shut[slot ^ 1]:
        segments.figures[row, PROBES] += 1
    elif length == 1 and ahead == -1 and segments.acked[slot] >= segments.next[slot]:
        segments.figures[row, KEEPALIVES] += 1
    else:
        segments.figures[row, RETRANSMITTED] += 1
        segments.timed[slot] = -1


def copied(segments: Segments, slot: int) -> None:
    """Count a packet that the capture holds twice."""
    row = figure(segments, slot)
    segments.figures[row, DUPLICATES] += 1


def filled(segments: Segments, slot: int, time: int) -> None:
    """Count a segment that came after one that stands behind it: sent again, unless it is too early for that."""
    row = figure(segments, slot)
    since = segments.hole_time[slot]
    age = time - since if time != UNTIMED and since != UNTIMED else 0
    trip = segments.opening_trip[slot >> 1]
    if age >= (trip if trip > 0 else REORDERED):
        segments.figures[row, RETRANSMITTED] += 1
    else:
        segments.figures[row, OUT_OF_ORDER] += 1
    segments.timed[slot] = -1


def window(segments: Segments, slot: int, size: int, time: int) -> None:
    """A window shut, or opened again."""
    row = figure(segments, slot)
    segments.shut[slot] = size == 0
    if size == 0:
        segments.figures[row, STALLS] += 1
        segments.figures[row, SHUT_SINCE] = time
        return
    since = segments.figures[row, SHUT_SINCE]
    segments.figures[row, SHUT_SINCE] = UNTIMED
    if since != UNTIMED and time > since:
        segments.figures[row, STALLED] += time - since
        if time - since > segments.figures[row, LONGEST_STALL]:
            segments.figures[row, LONGEST_STALL] = time - since


def handshake(segments: Segments, stream: int, slot: int, bits: int, time: int) -> None:
    """The round trip from a SYN to the acknowledgment of the SYN that answers it, where each was sent once. `shaking`
    is 0 before and after, then 2 * (step) + the direction of the first SYN."""
    step = segments.shaking[stream]
    if bits & 2 and not bits & 16:
        segments.shaking[stream] = 2 + (slot & 1) if not segments.opened[stream] and time != UNTIMED else 0
        segments.opened[stream] = time
    elif bits & 2:
        segments.shaking[stream] = step + 2 if step in (2, 3) and step & 1 != slot & 1 else 0
    elif step >= 4 and step & 1 == slot & 1:
        segments.shaking[stream] = 0
        if time != UNTIMED and time >= segments.opened[stream]:
            segments.opening_trip[stream] = time - segments.opened[stream]


def timed(segments: Segments, slot: int, stop: int, time: int) -> None:
    """A segment that ends at `stop` was sent for the first time: wait for its acknowledgment, unless another waits."""
    if segments.timed[slot] < 0 and segments.acked[slot] < stop and time != UNTIMED:
        segments.timed[slot] = stop
        segments.timed_since[slot] = time


def acknowledged(segments: Segments, slot: int, reach: int, time: int) -> None:
    """The peer has everything before `reach`: that may end a round trip."""
    if segments.timed[slot] < 0 or reach < segments.timed[slot]:
        return
    segments.timed[slot] = -1
    trip = time - segments.timed_since[slot] if time != UNTIMED else -1
    if trip >= 0 and (segments.trip[slot] < 0 or trip < segments.trip[slot]):
        segments.trip[slot] = trip


def known(segments: Segments, slot: int, seq: int, length: int, identification: int, time: int) -> bool:
    """Whether this is a packet that was captured before; remembers it."""
    at = (seq ^ (seq >> 11) ^ (slot * 977)) & (RECENT - 1)
    place = slot << 32 | seq
    look = length << 16 | identification
    same = segments.recent_place[at] == place and segments.recent_look[at] == look
    if same and identification == 0:
        since = segments.recent_time[at]
        same = time == UNTIMED or since == UNTIMED or -COPY_TIME <= time - since <= COPY_TIME
    segments.recent_place[at] = place
    segments.recent_look[at] = look
    segments.recent_time[at] = time
    return same
