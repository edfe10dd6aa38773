"""A TCP connection written down as what each side sends, and turned into packets; and ways to damage its packets that
TCP repairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha1
from random import Random

from tests.wire.frames import frame
from tests.wire.handshakes import request, response
from tests.wire.packets import ACK, FIN, PSH, RST, SYN, ethernet, tcp_packet

START = 1_700_000_000_000_000_000
KEY = b"\x11\x22\x33\x44"


@dataclass(frozen=True)
class Segment:
    """A TCP segment. `side` 0 is the client."""

    time: int
    side: int
    seq: int
    ack: int
    flags: int
    payload: bytes = b""


class Talk:
    """One connection. Sides are written C and S."""

    def __init__(self, client: tuple[str, int] = ("10.0.0.1", 40000), server: tuple[str, int] = ("10.0.0.2", 80),
                 seq: tuple[int, int] = (1000, 5000), start: int = START, step: int = 1_000_000) -> None:  # fmt: skip
        self.ends = (client, server)
        self.next = list(seq)
        self.time = start
        self.step = step
        self.segments: list[Segment] = []
        self.marks: list[tuple[str, int, int]] = []
        self.keys = 0

    def segment(self, side: int, flags: int, payload: bytes = b"") -> Talk:
        """One segment."""
        ack = self.next[1 - side] if flags & ACK else 0
        self.segments.append(Segment(self.time, side, self.next[side], ack, flags, payload))
        self.next[side] = (self.next[side] + len(payload) + bool(flags & (SYN | FIN))) & 0xFFFFFFFF
        self.time += self.step
        return self

    def open(self) -> Talk:
        """The three-way handshake."""
        return self.segment(0, SYN).segment(1, SYN | ACK).segment(0, ACK)

    def send(self, side: str, octets: bytes, mss: int = 1448) -> Talk:
        """Data, in segments."""
        for at in range(0, len(octets), mss):
            self.segment("CS".index(side), PSH | ACK, octets[at : at + mss])
        return self

    def upgrade(self, asked: tuple[tuple[str, str], ...] = (), agreed: tuple[tuple[str, str], ...] = ()) -> Talk:
        """An opening handshake that succeeds."""
        return self.send("C", request(headers=asked)).send("S", response(headers=agreed))

    def frame(self, side: str, opcode: int, payload: bytes | str = b"", fin: bool = True, rsv: int = 0) -> Talk:
        """A frame, masked if the client sends it, with a fresh key as RFC 6455 §5.3 asks."""
        return self.send(side, frame(opcode, payload, fin, rsv, self.key() if side == "C" else None))

    def key(self) -> bytes:
        """The next masking key."""
        self.keys += 1
        return sha1(b"%d" % self.keys).digest()[:4] if self.keys > 1 else KEY

    def here(self, side: str) -> Talk:
        """Remember where the next octets of a side will stand: in its stream, and in which packet."""
        sent = sum(len(segment.payload) for segment in self.segments if segment.side == "CS".index(side))
        self.marks.append(("client" if side == "C" else "server", sent, len(self.segments) + 1))
        return self

    def wait(self, seconds: float) -> Talk:
        """Silence."""
        self.time += int(seconds * 1_000_000_000)
        return self

    def ack(self, side: str) -> Talk:
        """A bare acknowledgment."""
        return self.segment("CS".index(side), ACK)

    def fin(self, side: str) -> Talk:
        """The side ends its direction."""
        return self.segment("CS".index(side), FIN | ACK)

    def rst(self, side: str) -> Talk:
        """The side resets the connection."""
        return self.segment("CS".index(side), RST | ACK)

    def packets(self, segments: list[Segment] | None = None) -> list[tuple[int, bytes]]:
        """Ethernet packets with their times."""
        return [self.packet(segment) for segment in (self.segments if segments is None else segments)]

    def packet(self, segment: Segment) -> tuple[int, bytes]:
        """One segment as a packet."""
        source, destination = self.ends[segment.side], self.ends[1 - segment.side]
        packet = tcp_packet(*source, *destination, segment.seq, segment.ack, segment.flags, segment.payload)
        return segment.time, ethernet(packet, reverse=bool(segment.side))


def resegment(segments: list[Segment], random: Random) -> list[Segment]:
    """The same octets, cut at other places."""
    out = []
    for segment in segments:
        rest = segment
        while len(rest.payload) > 1 and random.random() < 0.7:
            cut = random.randrange(1, len(rest.payload))
            out.append(replace(rest, payload=rest.payload[:cut], flags=rest.flags & ~FIN))
            rest = replace(rest, payload=rest.payload[cut:], seq=rest.seq + cut & 0xFFFFFFFF)
        out.append(rest)
    return _timed(out, segments)


def duplicate(segments: list[Segment], random: Random) -> list[Segment]:
    """Some segments twice, the second time with octets of the one before it."""
    out: list[Segment] = []
    for segment in segments:
        out.append(segment)
        if random.random() < 0.3:
            earlier = [old for old in out[:-1] if old.side == segment.side and old.payload]
            joined = earlier[-1:] if earlier and segment.payload else []
            if joined and joined[0].seq + len(joined[0].payload) & 0xFFFFFFFF == segment.seq:
                out.append(replace(segment, seq=joined[0].seq, payload=joined[0].payload + segment.payload))
            else:
                out.append(segment)
    return _timed(out, segments)


def shuffle_within(segments: list[Segment], random: Random, window: int) -> list[Segment]:
    """Each segment up to `window` places off its place."""
    keyed = [(index + random.random() * window, index, segment) for index, segment in enumerate(segments)]
    return _timed([segment for _, _, segment in sorted(keyed, key=lambda item: item[:2])], segments)


def _timed(out: list[Segment], segments: list[Segment]) -> list[Segment]:
    start, step = segments[0].time, 100_000
    return [replace(segment, time=start + index * step) for index, segment in enumerate(out)]
