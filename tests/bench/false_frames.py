"""How often frames are found where none are: `python -m tests.bench.false_frames [--searches N]`.

Payloads of many kinds, as a hole in the middle of a large frame leaves them: the search runs over 16 KiB of each. A
false beginning is one that the search believes; its confidence is what frames behind it would carry. Then the same
payloads, and those of other protocols, as connections of which the capture does not hold the start.
"""

from __future__ import annotations

import argparse
import json
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from random import Random

import numpy as np

from dissectors.websocket.header_search import search
from tests.analyzer.analysis.test_middle import OTHERS
from tests.outcome import snapshot_of
from tests.wire.captures import pcap
from tests.wire.frames import BINARY, TEXT, frame, mask_octets
from tests.wire.talks import Talk

SIZE = 16 << 10
MEDIUM, HIGH = 32, 64
"""As in `dissectors.websocket.frame_walk`, whose own are not to be seen from Python where it is compiled."""
WORDS = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "temperature",
    "pressure",
    "user",
    "message",
    "order",
    "price",
    "status",
    "active",
    "12",
    "7",
    "2026",
]
RUSSIAN = ["сеть", "работает", "быстро", "и", "проверяет", "каждый", "раз", "все", "сообщения", "тестов"]


def _json(random: Random) -> bytes:
    rows = [{"id": random.randrange(10**6), random.choice(WORDS): random.choice(WORDS)} for _ in range(700)]
    return json.dumps(rows).encode()


def _capture(random: Random) -> bytes:
    talk = Talk().open().upgrade()
    while sum(len(segment.payload) for segment in talk.segments) < SIZE:
        talk.frame(random.choice("CS"), TEXT, " ".join(random.choices(WORDS, k=random.randrange(1, 30))))
    return pcap(talk.packets())


def _deflated(random: Random) -> bytes:
    return zlib.compress(" ".join(random.choices(WORDS, k=60000)).encode(), 6)


PAYLOADS: dict[str, Callable[[Random], bytes]] = {
    "random": lambda random: random.randbytes(SIZE),
    "zeros": lambda random: bytes(SIZE),
    "one octet repeated": lambda random: bytes([random.randrange(256)]) * SIZE,
    "English text": lambda random: " ".join(random.choices(WORDS, k=4000)).encode(),
    "Russian text": lambda random: " ".join(random.choices(RUSSIAN, k=2000)).encode(),
    "JSON": _json,
    "DEFLATE": _deflated,
    "small 32-bit integers": lambda random: struct.pack("<4096I", *(random.randrange(1000) for _ in range(4096))),
    "16-bit samples": lambda random: struct.pack("<8192h", *(int(random.gauss(0, 300)) for _ in range(8192))),
    "32-bit floats": lambda random: struct.pack("<4096f", *(random.gauss(0, 1) for _ in range(4096))),
    "random octets below 16": lambda random: bytes(random.randrange(16) for _ in range(SIZE)),
    "a WebSocket capture file": _capture,
    "tunnelled server frames": lambda random: b"".join(
        frame(BINARY, random.randbytes(random.randrange(200))) for _ in range(200)
    ),
    "tunnelled client frames": lambda random: b"".join(
        frame(BINARY, random.randbytes(random.randrange(200)), mask=random.randbytes(4)) for _ in range(200)
    ),
}


def rate(make: Callable[[Random], bytes], client: int, defined: int, searches: int) -> Counter[str]:
    """Outcomes of searches in one kind of payload."""
    found: Counter[str] = Counter()
    for seed in range(searches):
        random = Random(seed)
        octets = make(random)[random.randrange(64) :][:SIZE]
        if client:
            octets = mask_octets(octets, random.randbytes(4))
        starts = np.zeros(len(octets), np.uint8)
        starts[::1448] = 1
        told = search(memoryview(octets), starts.data, client, defined, seed % 2)
        bits = told.bits if told.sure else 0
        found["none" if told.at < 0 else "high" if bits >= HIGH else "medium" if bits >= MEDIUM else "low"] += 1
    return found


def middle_rate(make: Callable[[Random], bytes], searches: int) -> float:
    """How often a connection that carries one kind of payload both ways, and whose start is not in the capture, is taken
    for WebSocket."""
    found = 0
    for seed in range(searches):
        random = Random(seed)
        talk = Talk()
        for side in "SC":
            talk.send(side, make(random)[random.randrange(64) :][: SIZE if side == "S" else 2000])
        snapshot = snapshot_of(pcap(talk.fin("C").fin("S").packets()))
        found += bool(len(snapshot["connections"]))
        snapshot.source.close()
    return found / searches


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=200)
    options = parser.parse_args()
    print(f"{'payload':26} {'sender':7} {'deflate':8} {'false':>7}   low medium high   of {options.searches} searches")
    for name, make in PAYLOADS.items():
        for client in (0, 1):
            for defined in (0, 4):
                found = rate(make, client, defined, options.searches)
                false = 1 - found["none"] / options.searches
                sender, agreed = ("server", "client")[client], ("no", "agreed")[defined // 4]
                levels = f"{found['low']:5} {found['medium']:6} {found['high']:4}"
                print(f"{name:26} {sender:7} {agreed:8} {false:7.1%} {levels}")
    print(f"\n{'capture begins in the middle of':34} taken for WebSocket, of {options.searches} connections")
    for name, make in (PAYLOADS | OTHERS).items():
        print(f"{name:34} {middle_rate(make, options.searches):7.1%}")


if __name__ == "__main__":
    main()
