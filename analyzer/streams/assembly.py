"""From decoded packets to connections and delivered spans: drives the two TCP walks over whole chunks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.capture.records import Records
from analyzer.packets.decoded import Decoded
from analyzer.packets.layouts import ACK, SYN
from analyzer.packets.pieces import Piece
from analyzer.schemas import ENDINGS, OVERLAP, PACKETS, SPANS, STREAMS, TCP
from analyzer.streams import flow_walk, segment_walk
from analyzer.streams.corrections import Range, apart
from analyzer.streams.scattered import Scattered
from analyzer.streams.segments import Segments
from analyzer.streams.spans import Spans
from dissectors.tables import Array, Strings, Table

NONE: Mapping[int, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Delivered:
    """The spans that a chunk delivered, in the order of delivery; one item each. `position` is where the octets stand
    in the chunk, or -1 where they came in an earlier one (or are missing): then `at` finds them in the capture."""

    first_row: int
    """Row of SPANS that the first one has."""
    slot: npt.NDArray[np.int64]
    """2 * stream + direction."""
    kind: npt.NDArray[np.uint8]
    offset: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    packet: npt.NDArray[np.int64]
    at: npt.NDArray[np.int64]
    position: npt.NDArray[np.int64]
    time: npt.NDArray[np.int64]
    release: npt.NDArray[np.int64]
    """The packet that made the delivery possible."""

    def __len__(self) -> int:
        return len(self.slot)


class Assembly:
    """Fills PACKETS, STREAMS, ENDINGS and SPANS."""

    def __init__(self, tables: Mapping[str, Table], strings: Strings,
                 corrections: Sequence[tuple[int, int, int, int, int, int]] = ()) -> None:  # fmt: skip
        """`corrections`: (slot, start, stop, packet, at, time) of ranges that another copy is delivered for; of
        several that hold an octet the one named last counts."""
        self.strings = strings
        self.packets = tables[PACKETS.name]
        self.streams = tables[STREAMS.name]
        self.endings = tables[ENDINGS.name]
        self.spans = tables[SPANS.name]
        # odd multipliers below 2^12, see flow_walk
        first, second = (int.from_bytes(os.urandom(2), "big") % 1024 * 2 + 2049 for _ in range(2))
        self.flows = flow_walk.Flows(first, second)
        self.segments = Segments()
        self.scattered = Scattered()
        named: dict[int, list[Range]] = {}
        for slot, *found in corrections:
            named.setdefault(slot, []).append((found[0], found[1], found[2], found[3], found[4]))
        self.segments.corrections = {slot: apart(ranges) for slot, ranges in named.items()}
        self.copies = False
        """Some octets came more than once."""
        self._spans = Spans()
        self.last_number = -1

    def feed(self, records: Records, decoded: Decoded, pieces: Mapping[int, Sequence[Piece]] = NONE,
             tunnels: Mapping[int, str] = NONE) -> Delivered:  # fmt: skip
        """Take a chunk in. By row of it: `pieces` of segments that came in fragments, `tunnels` around packets."""
        first = len(self.packets)
        count = len(records)
        tcp = np.flatnonzero(decoded.kind == TCP)
        whole = len(tcp) == count

        def of(column: Array, dtype: str) -> Array:
            return np.ascontiguousarray(column if whole else column[tcp], dtype)

        stream = np.full(count, -1, np.int32)
        direction = np.zeros(count, np.uint8)
        tcp_stream = np.empty(len(tcp), np.int32)
        tcp_direction = np.empty(len(tcp), np.uint8)
        opened = np.empty(len(tcp), np.int64)
        flags = of(decoded.flags, "u1")
        seq = of(decoded.seq, "u4")
        known = self.flows.count
        self.flows.reserve(len(tcp))
        flow_walk.walk(
            self.flows, of(decoded.source, "i8").data, of(decoded.destination, "i8").data, seq.data, flags.data,
            tcp_stream.data, tcp_direction.data, opened.data,
        )  # fmt: skip
        new = tcp[opened[: self.flows.count - known]]
        stream[tcp] = tcp_stream
        direction[tcp] = tcp_direction

        spans = self._spans
        spans.count = 0
        segments = self.segments
        segments.reserve(self.flows.count)
        segments.chunk += 1
        position = records.at + decoded.payload_at
        columns: dict[str, Array] = {
            "stream": tcp_stream, "direction": tcp_direction, "seq": seq, "ack": of(decoded.ack, "u4"), "flags": flags,
            "window": of(decoded.window, "u2"), "identification": of(decoded.identification, "u2"),
            "captured": of(decoded.payload_length, "u4"), "length": of(decoded.segment_length, "u4"),
            "at": of(records.offset + decoded.payload_at, "i8"), "position": of(position, "i8"),
            "time": of(records.time, "i8"), "number": tcp + first,
        }  # fmt: skip
        if pieces:
            columns = self.scattered.spread(columns, tcp, pieces)
        segment_walk.walk(segments, spans, *(column.data for column in columns.values()))
        self._append(records, decoded, stream, direction, new, first, tunnels)
        if count:
            self.last_number = first + count - 1
        return self._deliver(spans)

    def finish(self) -> Delivered:
        """The capture ended: deliver what is held."""
        spans = self._spans
        spans.count = 0
        self.segments.chunk += 1
        segment_walk.finish(self.segments, spans, self.last_number)
        return self._deliver(spans)

    def _append(self, records: Records, decoded: Decoded, stream: npt.NDArray[np.int32],
                direction: npt.NDArray[np.uint8], new: npt.NDArray[np.int64], first: int,
                tunnels: Mapping[int, str]) -> None:  # fmt: skip
        self.packets.append(
            {
                "time": records.time,
                "offset": records.offset,
                "captured": records.captured,
                "wire": records.wire,
                "kind": decoded.kind,
                "stream": stream,
                "direction": direction,
                "seq": decoded.seq,
                "ack": decoded.ack,
                "flags": decoded.flags,
                "window": decoded.window,
                "payload_at": decoded.payload_at,
                "payload_length": decoded.payload_length,
                "segment_length": decoded.segment_length,
            }
        )
        if len(new):
            flags = decoded.flags[new]
            opening = np.where(flags & SYN, np.where(flags & ACK, 2, 1), 0)
            around = [tunnels.get(row, "") for row in new.tolist()] if tunnels else [""] * len(new)
            self.streams.append(
                {
                    "address_0": decoded.source[new] >> 16,
                    "port_0": decoded.source[new] & 0xFFFF,
                    "address_1": decoded.destination[new] >> 16,
                    "port_1": decoded.destination[new] & 0xFFFF,
                    "tunnel": np.array(self.strings.codes_of(around), np.int32),
                    "opening": opening,
                    "first_packet": new + first,
                    "first_offset": records.offset[new],
                    "first_time": records.time[new],
                }
            )
        endings = self.segments.endings
        if endings:
            packets = np.array([packet for _, _, packet in endings], np.int64)
            slots = np.array([slot for slot, _, _ in endings], np.int64)
            self.endings.append(
                {
                    "stream": slots >> 1,
                    "direction": slots & 1,
                    "kind": np.array([kind for _, kind, _ in endings]),
                    "packet": packets,
                    "time": records.time[packets - first],
                }
            )
            self.segments.endings = []

    def _deliver(self, spans: Spans) -> Delivered:
        columns = {
            name: spans.column(name)
            for name in ("slot", "kind", "offset", "length", "packet", "at", "position", "time", "release")
        }
        columns = self.scattered.resolve(columns)
        self.scattered.prune(self.segments)
        slot = columns["slot"]
        self.copies = self.copies or bool((columns["kind"] == OVERLAP).any())
        first_row = self.spans.append(
            {
                "stream": slot >> 1,
                "direction": slot & 1,
                "kind": columns["kind"],
                "offset": columns["offset"],
                "length": columns["length"],
                "packet": columns["packet"],
                "at": columns["at"],
            }
        )
        return Delivered(first_row=first_row, **columns)
