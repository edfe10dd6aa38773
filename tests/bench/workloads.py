"""Writes the five capture files of the benchmark: `python -m tests.bench.workloads [--packets N] FOLDER`.

Deterministic: the same count gives the same octets. Ethernet, IPv4, TCP; IP checksums are right, TCP checksums are left
zero, as network cards with checksum offload leave them in captures of the sending host.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MSS = 1448
FIN, SYN, PSH, ACK = 1, 2, 8, 16
TEXT, BINARY, CLOSE = 1, 2, 8


class Writer:
    """A pcap file (nanoseconds, little-endian, Ethernet) of at most `limit` packets, 20 µs apart."""

    def __init__(self, path: Path, limit: int) -> None:
        self.file = path.open("wb", buffering=1 << 20)
        self.file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        self.limit = limit
        self.count = 0
        self.time = 1_700_000_000_000_000_000

    def packet(self, octets: bytes) -> None:
        """Write one."""
        self.time += 20_000
        seconds, nanos = divmod(self.time, 1_000_000_000)
        self.file.write(struct.pack("<IIII", seconds, nanos, len(octets), len(octets)) + octets)
        self.count += 1

    @property
    def full(self) -> bool:
        """Whether the limit is reached."""
        return self.count >= self.limit


class Link:
    """A TCP connection that writes its packets; side 0 is the client. Every second data segment is acknowledged."""

    def __init__(self, writer: Writer, number: int, port: int = 80) -> None:
        self.writer = writer
        client = struct.pack(">I", 0x0A000001 + number // 20000)
        server = struct.pack(">I", 0x0A640001)
        ports = (10000 + number % 20000, port)
        self.fixed = [
            (client + server, struct.pack(">HH", *ports)),
            (server + client, struct.pack(">HH", *ports[::-1])),
        ]
        self.seq = [number * 7919 & 0xFFFFFFFF, number * 104729 & 0xFFFFFFFF]
        self.unacknowledged = [0, 0]

    def segment(self, side: int, flags: int, payload: bytes = b"") -> None:
        """One packet."""
        addresses, ports = self.fixed[side]
        head = struct.pack(">BBHIBBH", 0x45, 0, 40 + len(payload), 0x00004000, 64, 6, 0)
        total = sum(struct.unpack(">10H", head + addresses))
        total = (total & 0xFFFF) + (total >> 16)
        checksum = 0xFFFF - ((total & 0xFFFF) + (total >> 16))
        acknowledged = self.seq[1 - side] if flags & ACK else 0
        tcp = ports + struct.pack(">IIBBHHH", self.seq[side], acknowledged, 0x50, flags, 502, 0, 0)
        self.writer.packet(ETHERNET + head[:10] + struct.pack(">H", checksum) + addresses + tcp + payload)
        self.seq[side] = self.seq[side] + len(payload) + (1 if flags & (SYN | FIN) else 0) & 0xFFFFFFFF

    def open(self) -> None:
        """The three-way handshake."""
        self.segment(0, SYN)
        self.segment(1, SYN | ACK)
        self.segment(0, ACK)

    def send(self, side: int, octets: bytes) -> None:
        """Data, in segments of at most `MSS`."""
        for at in range(0, len(octets), MSS):
            self.segment(side, PSH | ACK, octets[at : at + MSS])
            self.unacknowledged[side] += 1
            if self.unacknowledged[side] == 2:
                self.segment(1 - side, ACK)
                self.unacknowledged[side] = 0

    def upgrade(self, extra: str = "", agreed: str = "") -> None:
        """An opening handshake with the headers of a browser."""
        key = base64.b64encode(hashlib.md5(str(self.fixed).encode()).digest())
        self.segment(0, PSH | ACK, REQUEST % (key, extra.encode()))
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        self.segment(1, PSH | ACK, RESPONSE % (accept, agreed.encode()))


ETHERNET = bytes.fromhex("020000000002020000000001" + "0800")
REQUEST = (
    b"GET /stream?channel=ticks HTTP/1.1\r\nHost: ws.example.test\r\nConnection: Upgrade\r\nPragma: no-cache\r\n"
    b"Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0\r\n"
    b"Upgrade: websocket\r\nOrigin: https://app.example.test\r\nSec-WebSocket-Version: 13\r\n"
    b"Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.9\r\nSec-WebSocket-Key: %b\r\n%b\r\n"
)
RESPONSE = (
    b"HTTP/1.1 101 Switching Protocols\r\nServer: nginx/1.28.0\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %b\r\n%b\r\n"
)
OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
AGREED = "Sec-WebSocket-Extensions: permessage-deflate\r\n"


def frame(opcode: int, payload: bytes, key: bytes = b"", rsv1: bool = False) -> bytes:
    """A whole message in one frame; masked where there is a key."""
    head = bytes([0x80 | 0x40 * rsv1 | opcode])
    bit = 0x80 if key else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 1 << 16:
        head += struct.pack(">BH", bit | 126, len(payload))
    else:
        head += struct.pack(">BQ", bit | 127, len(payload))
    if not key:
        return head + payload
    pad = (key * (len(payload) // 4 + 1))[: len(payload)]
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(len(payload), "big")
    return head + key + masked


def tick(rng: random.Random, extra: int) -> bytes:
    """A small JSON text."""
    return json.dumps(
        {
            "type": "tick", "id": rng.randrange(10**9), "price": round(rng.random() * 1000, 2),
            "side": rng.choice(("buy", "sell")), "note": "x" * extra,
        }
    ).encode()  # fmt: skip


def _links(writer: Writer, count: int, extra: str = "", agreed: str = "") -> list[Link]:
    links = [Link(writer, number) for number in range(count)]
    for link in links:
        link.open()
        link.upgrade(extra, agreed)
    return links


def small(writer: Writer, rng: random.Random) -> None:
    """Small JSON texts both ways on 200 connections."""
    links = _links(writer, 200)
    while not writer.full:
        side = rng.randrange(2)
        key = b"" if side else rng.randbytes(4)
        rng.choice(links).send(side, frame(TEXT, tick(rng, rng.randrange(320)), key))


def bulk(writer: Writer, rng: random.Random) -> None:
    """Binary messages of 64 KiB on four connections."""
    links = _links(writer, 4)
    body = rng.randbytes(1 << 16)
    while not writer.full:
        side = rng.randrange(2)
        rng.choice(links).send(side, frame(BINARY, body, b"" if side else rng.randbytes(4)))


def deflate(writer: Writer, rng: random.Random) -> None:
    """Compressed JSON ticks with context takeover on 200 connections."""
    links = _links(writer, 200, OFFER, AGREED)
    deflaters = [[zlib.compressobj(wbits=-15) for _ in range(2)] for _ in links]
    while not writer.full:
        number, side = rng.randrange(len(links)), rng.randrange(2)
        deflater = deflaters[number][side]
        payload = (deflater.compress(tick(rng, rng.randrange(40))) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
        links[number].send(side, frame(TEXT, payload, b"" if side else rng.randbytes(4), rsv1=True))


def hidden(writer: Writer, rng: random.Random) -> None:
    """One packet in ten is WebSocket, the rest downloads over HTTP, TLS records and a binary protocol."""
    links = _links(writer, 40)
    others = [Link(writer, 1000 + number, port=443 if number % 3 else 8080) for number in range(60)]
    body = rng.randbytes(1 << 16)
    for number, link in enumerate(others):
        link.open()
        if number % 3 == 0:
            link.send(0, b"GET /file/%d HTTP/1.1\r\nHost: files.example.test\r\n\r\n" % number)
            link.send(1, b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n")
        elif number % 3 == 1:
            link.send(0, b"\x16\x03\x01\x02\x00\x01\x00" + rng.randbytes(500))
    while not writer.full:
        if rng.random() < 0.55:
            side = rng.randrange(2)
            key = b"" if side else rng.randbytes(4)
            rng.choice(links).send(side, frame(TEXT, tick(rng, rng.randrange(320)), key))
        else:
            at = rng.randrange(1 << 15)
            rng.choice(others).send(1, body[at : at + MSS * 5])


def short(writer: Writer, rng: random.Random) -> None:
    """Connections of ten packets each."""
    number = 0
    while not writer.full:
        link = Link(writer, number)
        number += 1
        link.open()
        link.upgrade()
        link.segment(0, PSH | ACK, frame(TEXT, tick(rng, 20), rng.randbytes(4)))
        link.segment(1, PSH | ACK, frame(TEXT, tick(rng, 20)) + frame(CLOSE, b"\x03\xe8"))
        link.segment(0, PSH | ACK, frame(CLOSE, b"\x03\xe8", rng.randbytes(4)))
        link.segment(1, FIN | ACK)
        link.segment(0, FIN | ACK)


WORKLOADS: dict[str, Callable[[Writer, random.Random], None]] = {
    "small": small, "bulk": bulk, "deflate": deflate, "hidden": hidden, "short": short,
}  # fmt: skip


def write_all(folder: Path, packets: int, names: list[str] | None = None) -> Iterator[Path]:
    """Write the files that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or list(WORKLOADS):
        path = folder / f"{name}-{packets}.pcap"
        if not path.exists():
            writer = Writer(path.with_suffix(".part"), packets)
            WORKLOADS[name](writer, random.Random(name))
            writer.file.close()
            path.with_suffix(".part").rename(path)
        yield path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--packets", type=int, default=500_000)
    options = parser.parse_args()
    for written in write_all(options.folder, options.packets):
        print(written)
