"""The fields of one frame's header with their bits (RFC 6455 §5.2): what a teacher points at."""

from __future__ import annotations

from typing import NamedTuple

from dissectors.schemas import OPCODES

SECTION = "RFC 6455 §5.2"


class Field(NamedTuple):
    """A field: `bit` counts from the first bit of the frame."""

    name: str
    bit: int
    bits: int
    value: int
    meaning: str
    source: str = SECTION


def fields(octets: bytes, compressed: bool = False) -> list[Field]:
    """The fields of the header that `octets` begin with, as far as they reach. `compressed`: permessage-deflate was
    agreed, which gives RSV1 a meaning (RFC 7692 §6)."""
    found: list[Field] = []
    if len(octets) < 1:
        return found
    first = octets[0]
    found.append(
        Field("FIN", 0, 1, first >> 7, "last fragment of its message" if first >> 7 else "more fragments follow")
    )
    rsv1 = "not compressed"
    if first & 0x40:
        rsv1 = "the message is compressed" if compressed else "set, but no extension defines it"
    source = "RFC 7692 §6" if compressed else SECTION
    found.append(
        Field(
            "RSV1", 1, 1, first >> 6 & 1, rsv1 if compressed or first & 0x40 else "0 as no extension is agreed", source
        )
    )
    for number in (2, 3):
        bit = first >> (7 - number) & 1
        found.append(
            Field(
                f"RSV{number}", number, 1, bit, "set, but no extension defines it" if bit else "0: no extension uses it"
            )
        )
    opcode = first & 15
    found.append(Field("opcode", 4, 4, opcode, OPCODES.get(opcode, "reserved")))
    if len(octets) < 2:
        return found
    second = octets[1]
    masked = second >> 7
    found.append(Field("MASK", 8, 1, masked, "masked, as clients must" if masked else "not masked, as servers must"))
    length = second & 127
    meaning = f"{length} octets" if length < 126 else f"the next {2 if length == 126 else 8} octets hold the length"
    found.append(Field("payload length", 9, 7, length, meaning))
    at = 2
    size = {126: 2, 127: 8}.get(length, 0)
    if size and len(octets) >= at + size:
        value = int.from_bytes(octets[at : at + size], "big")
        found.append(Field("extended payload length", 8 * at, 8 * size, value, f"{value} octets"))
    at += size
    if masked and len(octets) >= at + 4:
        key = int.from_bytes(octets[at : at + 4], "big")
        found.append(Field("masking key", 8 * at, 32, key, f"{key:08x}", "RFC 6455 §5.3"))
    return found
