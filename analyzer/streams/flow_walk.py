# cython: wraparound=False, initializedcheck=False, annotation_typing=False
"""The scalar walk from packets to TCP connections.

Theory of operation. A flow is an unordered pair of endpoints, kept in an open-addressing table (linear probing, at
most half full); its entry names the connection that runs on it now. A packet belongs to that connection, unless it is
a SYN that opens another one on the same ports: a SYN whose sequence number is not the one that this side started with
(RFC 9293 §3.10.7.4; Wireshark numbers connections by the same rule). A SYN that was captured after the data that it
opens (reordering in the capture) stays with it: it stands just before the lowest sequence number seen, and few packets
have passed.

The multipliers of the hash come from the caller, drawn anew for each analysis, so that no capture can be made whose
flows collide. What the walk returns does not depend on them.
"""

from __future__ import annotations

import numpy as np

from analyzer.streams import rules

LATE_PACKETS = 16
"""A SYN counts as captured late only this early in a connection; an initial window has ten segments (RFC 6928)."""
LATE_OCTETS = 1 << 20
"""And only this far before the lowest sequence number seen."""
BEHIND, LAST = 0x7FFFFFFF, rules.LAST
"""A difference above BEHIND is negative."""


class Flows:
    """The bucket table, and per connection what the walk must remember. `base` and `opened` have two items per
    connection, one per direction."""

    def __init__(self, first: int, second: int) -> None:
        self.first = first
        self.second = second
        self.count = 0
        self.low = np.zeros(1024, np.int64).data
        self.high = np.zeros(1024, np.int64).data
        self.stream = np.full(1024, -1, np.int64).data
        self.sender = np.zeros(256, np.int64).data
        self.packets = np.zeros(256, np.int64).data
        self.base = np.full(512, -1, np.int64).data
        self.opened = np.zeros(512, np.uint8).data

    def reserve(self, packets: int) -> None:
        """Make room for `packets` packets, each of which may open a connection."""
        room = len(self.sender)
        wanted = self.count + packets
        if wanted > room:
            room = max(wanted, room + room // 2)
            self.sender = np.resize(np.asarray(self.sender), room).data
            self.packets = np.resize(np.asarray(self.packets), room).data
            self.base = np.resize(np.asarray(self.base), 2 * room).data
            self.opened = np.resize(np.asarray(self.opened), 2 * room).data
        buckets = len(self.stream)
        if 2 * wanted > buckets:
            while 2 * wanted > buckets:
                buckets *= 2
            old_low, old_high, old_stream = self.low, self.high, self.stream
            self.low = np.zeros(buckets, np.int64).data
            self.high = np.zeros(buckets, np.int64).data
            self.stream = np.full(buckets, -1, np.int64).data
            rehash(self, old_low, old_high, old_stream)


def bucket_of(low: int, high: int, first: int, second: int) -> int:
    """Where the search for a flow starts. Endpoints are below 2^50 and multipliers below 2^12, so that no product
    leaves 63 bits."""
    mixed = (low * first) ^ (high * second)
    return mixed ^ (mixed >> 23) ^ (mixed >> 41)


def rehash(flows: Flows, low: memoryview, high: memoryview, stream: memoryview) -> None:
    """Enter old buckets into the table of `flows`, which is larger and empty."""
    mask = len(flows.stream) - 1
    for old in range(len(stream)):
        if stream[old] < 0:
            continue
        bucket = bucket_of(low[old], high[old], flows.first, flows.second) & mask
        while flows.stream[bucket] >= 0:
            bucket = (bucket + 1) & mask
        flows.low[bucket] = low[old]
        flows.high[bucket] = high[old]
        flows.stream[bucket] = stream[old]


def walk(
    flows: Flows,
    source: memoryview,
    destination: memoryview,
    seq: memoryview,
    flags: memoryview,
    stream_of: memoryview,
    direction_of: memoryview,
    first_of: memoryview,
) -> None:
    """Give every TCP packet its connection and direction.

    `first_of[i]` becomes the packet that opens the i-th connection that is new; `flows.count` grows by their number.
    `flows.reserve` must have made room.
    """
    known = flows.count
    mask = len(flows.stream) - 1
    for packet in range(len(source)):
        sender = source[packet]
        low = sender
        high = destination[packet]
        if low > high:
            low, high = high, low
        bucket = bucket_of(low, high, flows.first, flows.second) & mask
        while flows.stream[bucket] >= 0 and (flows.low[bucket] != low or flows.high[bucket] != high):
            bucket = (bucket + 1) & mask
        stream = flows.stream[bucket]
        side = 0
        number = seq[packet]
        syn = flags[packet] & 2
        fresh = stream < 0
        if not fresh:
            side = 0 if flows.sender[stream] == sender else 1
            base = flows.base[2 * stream + side]
            if syn and not flags[packet] & 16 and base >= 0 and base != number:
                before = (base - number - 1) & LAST
                late = not flows.opened[2 * stream + side] and flows.packets[stream] < LATE_PACKETS
                fresh = not (late and before < LATE_OCTETS)
        if fresh:
            stream = flows.count
            flows.count += 1
            first_of[stream - known] = packet
            flows.low[bucket] = low
            flows.high[bucket] = high
            flows.stream[bucket] = stream
            flows.sender[stream] = sender
            flows.packets[stream] = 0
            flows.base[2 * stream] = -1
            flows.base[2 * stream + 1] = -1
            flows.opened[2 * stream] = 0
            flows.opened[2 * stream + 1] = 0
            side = 0
        at = 2 * stream + side
        if syn and not flows.opened[at]:
            flows.opened[at] = 1
            flows.base[at] = number
        elif not flows.opened[at] and (flows.base[at] < 0 or ((number - flows.base[at]) & LAST) > BEHIND):
            flows.base[at] = number
        flows.packets[stream] += 1
        stream_of[packet] = stream
        direction_of[packet] = side
