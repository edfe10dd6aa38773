# cython: wraparound=False, initializedcheck=False, annotation_typing=False
"""Finds where frames go on in octets whose framing is lost: by chains of plausible headers (RFC 6455 §5.2).

Theory of operation. Each octet may be the first of a header. A candidate is followed from header to header, each
telling where the next must stand, until the octets end or a header cannot be: an opcode that is reserved, a mask bit
that this direction does not set, reserved bits that no extension defines, a length not in its shortest form, a control
frame that is fragmented or too long, fragments out of order, text that is not UTF-8, a close code that must not be
sent. A chain that meets such a header is no chain. One that does not is worth the sum of its headers in bits, each the
negative logarithm of how often other octets look like it: a final frame's two octets 6 (of 65,536 pairs 9/256 of the
first octets and half of the second), one that is not final only 2, since 00, 01 and 02 are the commonest octets of
binary data; more for readable text, a valid close code, a header at the start of a segment, and an end of the last
frame where the direction ends.

A candidate `c` octets behind the start is believed from `BASE` + log2(c + 1) bits on: so the expected number of false
beginnings is of the order of 2^-BASE for random octets, however long the search goes on. A false header may lead to a
true one by chance; therefore the first header must also carry itself, or the chain begins with its second.

What follows from a header depends on its place and on whether a message is open, so each such state is looked at once:
the search is linear in its octets. No rule tells frames from a payload that itself consists of frames.
"""

from __future__ import annotations

import numpy as np

from dissectors.websocket.masking import unmask, utf8

BASE = 16
"""Bits that a chain at the very start must carry: one false beginning in 65,536 searches of random octets."""
FIRST = 8
"""Bits that its first header must carry by itself, besides log2 of its distance: a final frame without anything that
speaks for it (6) does not, unless it stands where a segment starts, or leads exactly to the next."""
SURE = 12
"""Bits from which on it does so beyond doubt: below, confidence begins at the lowest level whatever follows."""
LANDED = 7
"""Bits of a header whose length leads exactly to the next one: lengths have seven bits, or more."""
LONGEST = 1 << 30
"""Octets. A payload above 1 GiB is not believed: servers accept 100 MiB at most by default (ws)."""
ENDED = 6
"""Bits of an end of the last frame where the direction ends."""
TEXT = 1024
"""Octets of a text that are looked at, so that the search stays linear."""
NEVER, UNKNOWN = -2, -1


class Found:
    """The state of a search, and where it found that frames go on: `at`, -1 for nowhere; `bits` of evidence for the
    chain less what its distance asks for, `sure`: the first header carries itself."""

    def __init__(self, length: int) -> None:
        self.at = -1
        self.bits = 0
        self.sure = 0
        self.worth = np.full(3 * length + 3, UNKNOWN, np.int32).data
        self.size = 0
        self.open = 0


def log2(number: int) -> int:
    """Of a number above 0, rounded down."""
    bits = 0
    while number > 1:
        number >>= 1
        bits += 1
    return bits


def header(found: Found, octets: memoryview, at: int, stop: int, client: int, defined: int, opened: int) -> int:
    """Bits of the header at `at`, `NEVER` where it cannot be; sets `size`, of the whole frame, 0 where the octets end
    inside the header. `opened`: 0 no message is open, 1 one is, 2 not known."""
    found.size = 0
    found.open = opened
    first = octets[at]
    opcode = first & 15
    rsv = (first >> 4) & 7
    if rsv & ~defined or (opcode > 2 and opcode < 8) or opcode > 10 or (rsv and (opcode == 0 or opcode > 7)):
        return -2
    if opcode > 7:
        if first < 128:
            return -2
    else:
        if (opcode == 0 and opened == 0) or (opcode and opened == 1):
            return -2
        found.open = 0 if first & 128 else 1
    if at + 2 > stop:
        return 0
    second = octets[at + 1]
    if (second >> 7) != client:
        return -2
    length = second & 127
    size = 2
    if length > 125:
        if opcode > 7:
            return -2
        size = 4 if length == 126 else 10
        if at + size > stop:
            return 0
        least = 126 if length == 126 else 65536
        length = 0
        for index in range(2, size):
            length = length * 256 + octets[at + index]
            if length > LONGEST:
                return -2
        if length < least:
            return -2
    key = 0
    if client:
        if at + size + 4 > stop:
            return 0
        for index in range(4):
            key = key * 256 + octets[at + size + index]
        size += 4
    found.size = size + length
    bits = 6 if first & 128 else 2
    if length == 0 and not client:
        bits = 3 if first & 128 else 0
    if client and first == octets[at + 4] and second == octets[at + 5]:
        bits = 0  # one octet over and over, masked, repeats with the four octets of the key
    start = at + size
    have = min(length, stop - start)
    if opcode == 8 and length:
        if length == 1:
            return -2
        if have > 1:
            told = unmask(octets, start, start + 2, key, 0, False)
            code = told[0] << 8 | told[1]
            if code < 1000 or code > 4999 or (code > 1014 and code < 3000) or (code > 1003 and code < 1007):
                return -2
            bits += 4
    elif opcode == 1 and not rsv and have:
        state = utf8(octets, start, start + min(have, TEXT), key, 0, 0)
        if state < 0 or (state > 0 and have == length and have <= TEXT and first & 128):
            return -2
        bits += readable(octets, start, min(have, 16), key)
    return bits


def readable(octets: memoryview, start: int, length: int, key: int) -> int:
    """Bits of text without control characters; two texts masked alike give them when XORed."""
    text = unmask(octets, start, start + length, key, 0, False)
    for index in range(length):
        octet = text[index]
        if octet < 32 and octet != 9 and octet != 10 and octet != 13:
            return 0
    return length // 2


def chain(found: Found, octets: memoryview, starts: memoryview, at: int, stop: int, client: int, defined: int,
          ended: int) -> int:  # fmt: skip
    """Bits of the chain that begins at `at`, `NEVER` where it meets a header that cannot be."""
    path: list[tuple[int, int]] = []
    total = 0
    opened = 2
    while True:
        if at >= stop:
            total = ENDED if ended and at == stop and path else 0
            break
        place = 3 * at + opened
        known = found.worth[place]
        if known != -1:
            total = known
            break
        bits = header(found, octets, at, stop, client, defined, opened)
        if bits == -2:
            found.worth[place] = -2
            total = -2
            break
        if bits and starts[at]:
            bits += 4
        path.append((place, bits))
        if not found.size:
            break
        at += found.size
        opened = found.open
    for place, bits in reversed(path):
        if total != -2:
            total += bits
        found.worth[place] = total
    return total


def search(octets: memoryview, starts: memoryview, client: int, defined: int, ended: int) -> Found:
    """Look for frames in `octets`, which are one piece of a direction; `starts` is 1 where a segment starts. `client`:
    the sender masks; `defined`: reserved bits that may be set; `ended`: the direction ends behind the octets, or octets
    are missing there."""
    stop = len(octets)
    if len(starts) != stop:
        raise IndexError("starts do not match the octets")
    found = Found(stop)
    for at in range(stop):
        if octets[at] & 112 & ~(defined << 4) or (at + 1 < stop and octets[at + 1] >> 7 != client):
            continue
        bits = chain(found, octets, starts, at, stop, client, defined, ended)
        if bits < BASE:
            continue
        distance = log2(at + 1)
        if bits < BASE + distance:
            continue
        own = header(found, octets, at, stop, client, defined, 2) + 4 * starts[at]
        follower = at + found.size
        if follower < stop and bits - own > 5:
            own += LANDED
        if own < FIRST + distance and follower < stop and bits - own + LANDED >= BASE:
            at = follower
            own = SURE + distance
        found.at = at
        found.bits = bits - distance
        found.sure = 1 if own >= SURE + distance else 0
        break
    return found


def weigh(octets: memoryview, starts: memoryview, client: int, defined: int, ended: int) -> int:
    """Bits by which `octets`, of a direction of which nothing is known, are frames; the arguments are those of
    `search`. Only final frames count: a protocol of records behind a length of two octets (DNS, RFC 1035 §4.2.2) makes
    a faultless chain of fragments without an end. A first header that does not carry itself does not count."""
    stop = len(octets)
    found = search(octets, starts, client, defined, ended)
    if found.at < 0:
        return 0
    at = found.at
    total = -log2(at + 1)
    opened = 2
    while at < stop:
        bits = header(found, octets, at, stop, client, defined, opened)
        if bits > 0 and octets[at] & 128 and (at > found.at or found.sure):
            total += bits + 4 * starts[at]
        if not found.size:
            return max(total, 0)
        at += found.size
        opened = found.open
    if ended and at == stop:
        total += ENDED
    return max(total, 0)
