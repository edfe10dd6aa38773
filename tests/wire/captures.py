"""Capture files: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from struct import pack

Packets = Iterable[tuple[int, bytes]]

SECTION, INTERFACE, OLD_PACKET, SIMPLE, ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
COMMENT, TSRESOL, TSOFFSET = 1, 9, 14


def pcap(packets: Packets, link: int = 1, nanos: bool = True, big: bool = False, snaplen: int = 262144) -> bytes:
    """A pcap file; packets longer than `snaplen` are cut."""
    order = ">" if big else "<"
    magic, unit = (0xA1B23C4D, 1) if nanos else (0xA1B2C3D4, 1000)
    parts = [pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link)]
    for time, octets in packets:
        second, rest = divmod(time, 1_000_000_000)
        kept = octets[:snaplen]
        parts += (pack(order + "IIII", second, rest // unit, len(kept), len(octets)), kept)
    return b"".join(parts)


def option(code: int, value: bytes | str, big: bool = False) -> bytes:
    """A pcapng option, padded. Options of a block are joined and ended by `option(0, b"")`."""
    octets = value.encode() if isinstance(value, str) else value
    return pack((">" if big else "<") + "HH", code, len(octets)) + octets + b"\x00" * (-len(octets) % 4)


def block(kind: int, body: bytes, big: bool = False) -> bytes:
    """A pcapng block, padded."""
    order = ">" if big else "<"
    body += b"\x00" * (-len(body) % 4)
    length = pack(order + "I", len(body) + 12)
    return pack(order + "I", kind) + length + body + length


def section(big: bool = False, comment: str = "") -> bytes:
    """A section header block of unknown length."""
    options = option(COMMENT, comment, big) + option(0, b"", big) if comment else b""
    return block(SECTION, pack((">" if big else "<") + "IHHq", 0x1A2B3C4D, 1, 0, -1) + options, big)


def interface(link: int = 1, big: bool = False, resolution: int | None = 9, offset: int = 0, snaplen: int = 0) -> bytes:
    """An interface description block. `resolution` is the octet if_tsresol (None: left out, microseconds)."""
    order = ">" if big else "<"
    options = b"" if resolution is None else option(TSRESOL, bytes([resolution]), big)
    options += option(TSOFFSET, pack(order + "q", offset), big) if offset else b""
    return block(
        INTERFACE, pack(order + "HHI", link, 0, snaplen) + (options + option(0, b"", big) if options else b""), big
    )


def ticks(time: int, resolution: int | None = 9, offset: int = 0) -> int:
    """A time in the units of an interface."""
    units = 10**6 if resolution is None else 2 ** (resolution & 127) if resolution & 128 else 10**resolution
    return (time - offset * 1_000_000_000) * units // 1_000_000_000


def packet_block(
    octets: bytes,
    stamp: int,
    number: int = 0,
    kind: int = ENHANCED,
    big: bool = False,
    comment: str = "",
    snaplen: int = 0,
) -> bytes:
    """A packet in a block of that kind; `number` is the interface's, `stamp` is in its units."""
    order = ">" if big else "<"
    kept = octets[:snaplen] if snaplen else octets
    padded = kept + b"\x00" * (-len(kept) % 4)
    if kind == SIMPLE:
        return block(kind, pack(order + "I", len(octets)) + padded, big)
    if comment:
        padded += option(COMMENT, comment, big) + option(0, b"", big)
    interface_field = pack(order + "HH", number, 0xFFFF) if kind == OLD_PACKET else pack(order + "I", number)
    head = interface_field + pack(order + "IIII", stamp >> 32 & 0xFFFFFFFF, stamp & 0xFFFFFFFF, len(kept), len(octets))
    return block(kind, head + padded, big)


def pcapng(
    packets: Packets, link: int = 1, big: bool = False, resolution: int | None = 9, offset: int = 0,
    kind: int = ENHANCED, comment: str = "", comments: Mapping[int, str] | None = None, snaplen: int = 0,
) -> bytes:  # fmt: skip
    """One section with one interface; results of several calls may be joined. `comments` are packets', by number
    from 0; `comment` is the section's."""
    parts = [section(big, comment), interface(link, big, resolution, offset, snaplen)]
    parts += [
        packet_block(octets, ticks(time, resolution, offset), 0, kind, big, (comments or {}).get(number, ""), snaplen)
        for number, (time, octets) in enumerate(packets)
    ]
    return b"".join(parts)
