"""Packets that the columns do not cover, one by one into the same columns: tunnels, fragments, odd link headers.

What does not fit a column of a chunk stands beside it, by row: the tunnel that a packet came through, and the pieces
of a segment that came in fragments. The layers are loaded when the first such packet comes: dpkt, which declares their
headers, takes longer to load (0.2 s) than most captures to read.
"""

from __future__ import annotations

from ipaddress import ip_address
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from analyzer.packets.addresses import AddressBook
from analyzer.packets.fragments import Fragments
from analyzer.packets.pieces import Buffer, Piece, cut
from analyzer.schemas import MALFORMED, TCP

if TYPE_CHECKING:
    from analyzer.packets.layers import Tunnel, Walk

_TCP = Struct(">HHIIBBH4x")
IDENTIFIES_NOTHING = "MPLS"


class Segment(NamedTuple):
    """A TCP segment: values of the columns of `Decoded`."""

    kind: int
    source: int
    destination: int
    seq: int
    ack: int
    flags: int
    window: int
    identification: int
    payload_at: int
    payload_length: int
    segment_length: int


class Unwrapping:
    """The state of the one-by-one decoder, and what it found beside the columns of the last chunk."""

    def __init__(self, fragments: Fragments | None = None) -> None:
        self.fragments = fragments or Fragments()
        self.packets = 0
        """Records before the chunk."""
        self.pieces: dict[int, list[Piece]] = {}
        """By row of the chunk: where the data of a segment stands that is not in one row in its own record."""
        self.tunnels: dict[int, str] = {}
        """By row of the chunk: the tunnels around a segment, in words, outermost first."""
        self.overlaps: list[tuple[int, str]] = []
        """Packets that completed a datagram whose fragments overlap, and how; of the whole capture."""
        self._names: dict[tuple[Tunnel, ...], tuple[str, str]] = {}

    def start(self) -> None:
        """A chunk begins."""
        self.pieces = {}
        self.tunnels = {}

    def decode(self, row: int, octets: bytes, wire: int, offset: int, time: int, at: int, ether: int,
               book: AddressBook) -> Segment | int:  # fmt: skip
        """One record: its segment, or the kind of what it is instead. `at` is where the layer of EtherType `ether`
        stands; a negative `ether` means Ethernet from the start. Never raises on octets."""
        from analyzer.packets import layers

        packet = self.packets + row
        piece = Piece(0, len(octets), offset, packet, time)
        walk = layers.Walk(Buffer(octets, (piece,), max(wire, len(octets))), self.fragments, packet, time)
        if ether >= 0:
            walk.at = at
        kind = layers.follow(walk, layers.ETHERTYPES[ether] if ether >= 0 else layers.ethernet)
        if kind != TCP:
            return kind
        segment = self._segment(row, walk, offset, book)
        if isinstance(segment, Segment) and walk.overlap:
            self.overlaps.append((packet, walk.overlap))
        return segment

    def _segment(self, row: int, walk: Walk, offset: int, book: AddressBook) -> Segment | int:
        """TCP (RFC 9293 §3.1)."""
        at = walk.at
        if at + _TCP.size > walk.end:
            return MALFORMED
        source_port, destination_port, seq, ack, size, flags, window = _TCP.unpack_from(walk.octets, at)
        data = at + (size >> 4) * 4
        if data < at + 20 or data > walk.stop:
            return MALFORMED
        pieces = cut(walk.buffer.pieces, data, min(walk.stop, walk.limit))
        payload_at, captured = self._place(row, pieces, data, walk, offset)
        identity, told = self._name(walk.tunnels)
        if told:
            self.tunnels[row] = told
        return Segment(
            TCP, book.intern(walk.source, identity) << 16 | source_port,
            book.intern(walk.destination, identity) << 16 | destination_port, seq, ack, flags, window,
            walk.identification, payload_at, captured, walk.stop - data,
        )  # fmt: skip

    def _place(self, row: int, pieces: list[Piece], data: int, walk: Walk, offset: int) -> tuple[int, int]:
        """Where a segment's data starts in its own record, and how many octets of it are captured anywhere."""
        own = self.packets + row
        if not pieces:
            return (min(data, walk.end) if walk.buffer.pieces[0].packet == own else 0), 0
        if len(pieces) > 1 or pieces[0].start or pieces[0].packet != own:
            self.pieces[row] = pieces
        here = [piece.offset - offset for piece in pieces if piece.packet == own]
        return (here[0] if here else 0), sum(piece.length for piece in pieces)

    def _name(self, tunnels: tuple[Tunnel, ...]) -> tuple[str, str]:
        """What identifies a stack of tunnels, and all of it, in words."""
        if not tunnels:
            return "", ""
        known = self._names.get(tunnels)
        if known is None:
            words = [(tunnel[0], _words(tunnel)) for tunnel in tunnels]
            identity = ", ".join(text for name, text in words if name != IDENTIFIES_NOTHING)
            known = self._names[tunnels] = (identity, ", ".join(text for _, text in words))
        return known


def _words(tunnel: Tunnel) -> str:
    name, low, high, number = tunnel
    ends = f" {ip_address(low)}-{ip_address(high)}" if low else ""
    label = {"GRE": " key", "ERSPAN": " session"}.get(name, "")
    return f"{name}{ends}{f'{label} {number}' if number >= 0 else ''}"
