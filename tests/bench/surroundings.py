"""Other traffic around ten WebSocket connections, written by whole columns: ten million packets in half a minute.

Every round, each stream sends one packet of `PAYLOAD` octets, in a random order, so that all streams stay in progress
at once for as long as the capture lasts: the worst case for whoever must remember something of a stream.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dissectors.tables import Array
from tests.bench.workloads import ACK, CLOSE, ETHERNET, FIN, PSH, SYN, TEXT, Link, Writer, frame

PAYLOAD = 20
OTHER = b"\x05" * PAYLOAD
"""Neither HTTP nor TLS nor frames."""
HEAD = np.dtype([
    ("seconds", "<u4"), ("nanos", "<u4"), ("captured", "<u4"), ("wire", "<u4"), ("ethernet", "V14"), ("version", ">u2"),
    ("total", ">u2"), ("fragment", ">u4"), ("ttl", "u1"), ("protocol", "u1"), ("checksum", ">u2"), ("source", ">u4"),
    ("destination", ">u4"), ("source_port", ">u2"), ("destination_port", ">u2"), ("seq", ">u4"), ("ack", ">u4"),
    ("offset", "u1"), ("flags", "u1"), ("window", ">u2"), ("rest", ">u4"), ("payload", f"V{PAYLOAD}"),
])  # fmt: skip
BLIND, TCP, UDP = 0, 6, 17


@dataclass(frozen=True, slots=True)
class Shape:
    """What other traffic is like: so many streams, whether their beginning was captured, both sides or one."""

    streams: int
    opened: tuple[int, ...] = (0, 1)
    """Sides whose SYN was captured."""
    sides: int = 2
    protocol: int = TCP


SHAPES = {
    "downloads": Shape(100),
    "opened": Shape(100_000),
    "middle": Shape(100_000, ()),
    "unanswered": Shape(100_000, (0,)),
    "one side": Shape(100_000, (0,), 1),
    "short": Shape(1_000_000),
    "datagrams": Shape(100_000, (), 2, UDP),
}  # fmt: skip
"""`unanswered`: the SYN of one side was lost. `short`: ten packets a stream, where there are ten million."""


class Surroundings:
    """The streams of one shape, and how far each side of them is."""

    def __init__(self, writer: Writer, shape: Shape) -> None:
        self.writer = writer
        self.shape = shape
        self.random = np.random.default_rng(1)
        self.seq = self.random.integers(0, 1 << 32, (shape.streams, 2)).astype(np.uint32)

    def round(self, side: int | None = None, flags: int = PSH | ACK, limit: int | None = None) -> None:
        """One packet of each stream: data of a random side, or a SYN of `side`."""
        streams = self.random.permutation(self.shape.streams)[:limit]
        sides = self.random.integers(0, self.shape.sides, len(streams)) if side is None else np.full(len(streams), side)
        rows = self._rows(streams, sides, flags)
        octets = np.ascontiguousarray(rows).view(np.uint8)
        self.writer.file.write(octets.data)
        self.writer.count += len(streams)
        self.writer.time += 1_000 * len(streams)
        self.seq[streams, sides] += np.uint32(1 if flags & SYN else PAYLOAD)

    def _rows(self, streams: Array, sides: Array, flags: int) -> Array:
        rows = np.zeros(len(streams), HEAD)
        times = self.writer.time + 1_000 * np.arange(len(streams))
        rows["seconds"], rows["nanos"] = times // 10**9, times % 10**9
        rows["ethernet"] = np.frombuffer(ETHERNET, "V14")[0]
        rows["version"], rows["fragment"], rows["ttl"], rows["protocol"] = 0x4500, 0x4000, 64, self.shape.protocol
        client, server = 0x0B000000 + streams // 50_000, 0x0A640002
        port = 10_000 + streams % 50_000
        rows["source"], rows["destination"] = np.where(sides, server, client), np.where(sides, client, server)
        rows["source_port"], rows["destination_port"] = np.where(sides, 9000, port), np.where(sides, port, 9000)
        rows["total"], rows["payload"] = HEAD.itemsize - 30, np.frombuffer(OTHER, f"V{PAYLOAD}")[0]
        rows["captured"] = rows["wire"] = HEAD.itemsize - 16
        if self.shape.protocol == TCP:
            rows["seq"], rows["ack"] = self.seq[streams, sides], self.seq[streams, 1 - sides]
            rows["offset"], rows["flags"], rows["window"] = 0x50, flags, 502
            if flags & SYN:
                rows["total"] -= PAYLOAD
        return rows


def write(path: Path, packets: int, shape: Shape) -> int:
    """Write a capture; returns how many packets it has. Ten WebSocket connections say something all the while."""
    writer = Writer(path, packets)
    rng = random.Random(1)
    links = [Link(writer, number) for number in range(10)]
    for link in links:
        link.open()
        link.upgrade()
    around = Surroundings(writer, shape)
    for side in shape.opened:
        around.round(side, SYN | ACK * side)
    while not writer.full:
        around.round(limit=packets - writer.count)
        for link in links:
            link.send(0, frame(TEXT, b"still here", rng.randbytes(4)))
    for link in links:
        link.send(0, frame(CLOSE, b"\x03\xe8", rng.randbytes(4)))
        link.send(1, frame(CLOSE, b"\x03\xe8"))
        link.segment(0, FIN | ACK)
    writer.file.close()
    return writer.count
