# cython: wraparound=False, boundscheck=False, initializedcheck=False, annotation_typing=False
"""Octet kernels: unmasking (RFC 6455 §5.3) and the UTF-8 verdict (RFC 3629) over masked octets.

`key` is the masking key with its first octet highest, 0 for none; `phase` is how many octets of the payload came
before `start`, so that a payload may be cut anywhere. Bounds are checked once at the top, not at each octet.

The UTF-8 state is a number: 0 between characters, -1 after the first octet that cannot be, else the continuation
octets that are still due | the lowest next octet << 8 | the highest << 16 (RFC 3629 §4 narrows the second octet after
E0, ED, F0 and F4).
"""

from __future__ import annotations

PLAIN = __file__.endswith(".py")
"""The source runs as it stands: then operations on whole bytes and integers are fast, and loops are not."""


def unmask_whole(octets: memoryview, key: int, phase: int) -> bytes:
    """Octets unmasked as one large integer."""
    length = len(octets)
    turned = (key << 8 * (phase & 3) | key >> 32 - 8 * (phase & 3)) & 0xFFFFFFFF if phase & 3 else key
    pad = turned.to_bytes(4, "big") * (length // 4 + 1)
    whole = int.from_bytes(octets, "big") ^ int.from_bytes(pad[:length], "big")
    return whole.to_bytes(length, "big")


def unmask(octets: memoryview, start: int, stop: int, key: int, phase: int, tail: int) -> bytearray:
    """The octets `start:stop` unmasked; with `tail`, followed by 00 00 FF FF (RFC 7692 §7.2.2)."""
    out = bytearray(max(stop - start, 0) + (4 if tail else 0))
    unmask_into(out, octets, start, stop, key, phase, tail)
    return out


def unmask_into(out: bytearray, octets: memoryview, start: int, stop: int, key: int, phase: int, tail: int) -> int:
    """The same into the front of an array, which grows where it is too short; returns how many octets that are."""
    if start < 0 or stop < start or stop > len(octets):
        raise IndexError("not inside the octets")
    size = stop - start + (4 if tail else 0)
    if len(out) < size:
        out.extend(bytes(size - len(out)))
    if PLAIN:
        out[: stop - start] = unmask_whole(octets[start:stop], key, phase) if key else octets[start:stop]
    elif stop > start:
        unmask_words(out, octets, start, stop - start, key, phase)
    if tail:
        out[size - 4] = 0
        out[size - 3] = 0
        out[size - 2] = 255
        out[size - 1] = 255
    return size


def utf8(octets: memoryview, start: int, stop: int, key: int, phase: int, state: int) -> int:
    """The UTF-8 state after the octets `start:stop`, unmasked on the fly."""
    if start < 0 or stop < start or stop > len(octets):
        raise IndexError("not inside the octets")
    if state < 0:
        return -1
    if PLAIN and stop - start > 8:
        piece = unmask_whole(octets[start:stop], key, phase) if key else bytes(octets[start:stop])
        if state == 0 and piece.isascii():
            return 0
        octets, start, stop, key = memoryview(piece), 0, stop - start, 0
    k0 = (key >> 24) & 255
    k1 = (key >> 16) & 255
    k2 = (key >> 8) & 255
    k3 = key & 255
    at = start
    turn = phase & 3
    while at < stop:
        if not PLAIN and state == 0 and turn == 0:
            at += ascii_words(octets, at, stop, key)
            if at >= stop:
                break
        octet = octets[at]
        if turn == 0:
            octet ^= k0
        elif turn == 1:
            octet ^= k1
        elif turn == 2:
            octet ^= k2
        else:
            octet ^= k3
        at += 1
        turn = (turn + 1) & 3
        if state == 0:
            if octet < 128:
                continue
            if octet < 0xC2 or octet > 0xF4:
                return -1
            low = 0x80
            high = 0xBF
            if octet < 0xE0:
                due = 1
            elif octet < 0xF0:
                due = 2
                if octet == 0xE0:
                    low = 0xA0
                elif octet == 0xED:
                    high = 0x9F
            else:
                due = 3
                if octet == 0xF0:
                    low = 0x90
                elif octet == 0xF4:
                    high = 0x8F
            state = due | low << 8 | high << 16
        else:
            if octet < (state >> 8) & 255 or octet > state >> 16:
                return -1
            due = (state & 255) - 1
            state = due | 0x80 << 8 | 0xBF << 16 if due else 0
    return state
