"""Whether cost stays linear on hard captures: `python -m tests.bench.linear [--only NAME] [--repeat N]`.

Reordered packets against the clean capture; one stream in tiny segments and one huge message, each in three sizes;
other traffic around ten WebSocket connections. Prints Markdown tables of medians, ratios and memory. Asserts nothing.
The captures are large (10,000,000 packets are 1 GB), and deleted one by one.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.run import peak_anonymous, timed
from tests.bench.surroundings import SHAPES, write
from tests.bench.workloads import ACK, CLOSE, FIN, PSH, TEXT, Link, Writer, frame, write_all

TINY = 7
SUPER = 45 * 1448
"""Octets of data in a record that a network card will cut into segments (TSO)."""
AHEAD = 3
"""By how many segments of its own direction a reordered one comes late, at most."""


def reorder(clean: Path, path: Path, share: float) -> None:
    """Write a capture in which this share of packets come after later ones of their own direction. Their places and
    times stay those of the direction."""
    rng = random.Random(1)
    octets = clean.read_bytes()
    heads, bodies, places = [], [], {}
    at = 24
    while at < len(octets):
        length = struct.unpack_from("<I", octets, at + 8)[0]
        body = octets[at + 16 : at + 16 + length]
        places.setdefault(body[26:38], []).append(len(bodies))
        heads.append(octets[at : at + 8])
        bodies.append(body)
        at += 16 + length
    with path.open("wb") as file:
        file.write(octets[:24])
        order = list(range(len(bodies)))
        for mine in places.values():
            late = [place + (rng.randint(1, AHEAD) + 0.5) * (number > 3 and rng.random() < share)
                    for number, place in enumerate(range(len(mine)))]  # fmt: skip
            for place, taken in zip(mine, sorted(range(len(mine)), key=late.__getitem__), strict=True):
                order[place] = mine[taken]
        for head, taken in zip(heads, order, strict=True):
            body = bodies[taken]
            file.write(head + struct.pack("<II", len(body), len(body)) + body)


def tiny(path: Path, count: int) -> None:
    """One connection whose client sends texts of 100 octets in segments of `TINY`."""
    writer = Writer(path, count)
    link = Link(writer, 0)
    link.open()
    link.upgrade()
    message = frame(TEXT, b"x" * 99 + b"\n", b"\1\2\3\4")
    stream = message * (count * TINY // len(message))
    for at in range(0, len(stream), TINY):
        link.segment(0, PSH | ACK, stream[at : at + TINY])
        if at % (TINY * 100) == 0:
            link.segment(1, ACK)
    _leave(link)


def huge(path: Path, size: int) -> None:
    """One connection whose client sends one masked text of so many octets in one frame."""
    writer = Writer(path, size)
    link = Link(writer, 0)
    link.open()
    link.upgrade()
    link.segment(0, PSH | ACK, struct.pack(">BBQ", 0x80 | TEXT, 0xFF, size) + b"\1\2\3\4")
    body = bytes(97 ^ octet for octet in b"\1\2\3\4") * (SUPER // 4)
    for left in range(size, 0, -SUPER):
        link.segment(0, PSH | ACK, body[:left])
        link.segment(1, ACK)
    _leave(link)


def _leave(link: Link) -> None:
    for side, key in ((0, b"\1\2\3\4"), (1, b"")):
        link.segment(side, PSH | ACK, frame(CLOSE, b"\x03\xe8", key))
    for side in range(2):
        link.segment(side, FIN | ACK)
    link.writer.file.close()


def measured(framescope: str, path: Path, repeat: int) -> tuple[float, int]:
    """Median seconds and peak anonymous octets of a summary; the capture is deleted."""
    command = [framescope, "summary", str(path)]
    took = statistics.median(timed(command) for _ in range(repeat))
    peak = peak_anonymous(command)
    path.unlink()
    return took, peak


def reordered(framescope: str, folder: Path, repeat: int) -> None:
    """The ratio of times, run in turn."""
    print("| 500,000 packets, 20 % reordered | clean | reordered | ratio |\n|---|---|---|---|")
    names = ["small", "bulk", "deflate", "hidden"]
    for name, clean in zip(names, write_all(folder, 500_000, names), strict=True):
        damaged = folder / f"reordered-{name}.pcap"
        reorder(clean, damaged, 0.2)
        times: dict[Path, list[float]] = {clean: [], damaged: []}
        for _ in range(repeat):
            for path in times:
                times[path].append(timed([framescope, "summary", str(path)]))
        damaged.unlink()
        before, after = (statistics.median(values) for values in times.values())
        print(f"| {name} | {before:.2f} s | {after:.2f} s | {after / before:.2f} |", flush=True)


def sizes(label: str, unit: str, make: Callable[[Path, int], None], counts: tuple[int, ...]
          ) -> Callable[[str, Path, int], None]:  # fmt: skip
    """A table of three sizes of the same capture."""

    def run(framescope: str, folder: Path, repeat: int) -> None:
        print(f"\n| {label} | time | peak anonymous | {unit} |\n|---|---|---|---|")
        for count in counts:
            path = folder / "size.pcap"
            make(path, count)
            took, peak = measured(framescope, path, repeat)
            print(f"| {count:,} | {took:.2f} s | {peak / 1e6:.0f} MB | {took / count * 1e9:.1f} ns |", flush=True)

    return run


def others(framescope: str, folder: Path, repeat: int, packets: int, shapes: list[str]) -> None:
    """Memory and time amid other traffic."""
    print(f"\n| other traffic, {packets:,} packets | streams | time | peak anonymous |\n|---|---|---|---|")
    for name in shapes:
        path = folder / "surroundings.pcap"
        write(path, packets, SHAPES[name])
        start = time.perf_counter()
        peak = peak_anonymous([framescope, "summary", str(path)])
        took = time.perf_counter() - start
        path.unlink()
        print(f"| {name} | {SHAPES[name].streams:,} | {took:.1f} s | {peak / 1e6:.0f} MB |", flush=True)


FIGURES: dict[str, Callable[[str, Path, int], None]] = {
    "reordered": reordered,
    "tiny": sizes("segments of 7 octets", "a segment", tiny, (250_000, 500_000, 1_000_000)),
    "huge": sizes("octets of one message", "an octet", huge, (256 << 20, 512 << 20, 1 << 30)),
}


def main() -> None:
    """Run what is asked for."""
    beside = shutil.which("framescope", path=str(Path(sys.executable).parent)) or "framescope"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[*FIGURES, "others"], action="append")
    parser.add_argument("--shape", choices=SHAPES, action="append", help="of other traffic")
    parser.add_argument("--packets", type=int, default=10_000_000, help="of other traffic")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--data", type=Path, default=Path(__file__).parent / "data")
    parser.add_argument("--framescope", default=beside, help="the command, for comparing installations")
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    names = options.only or [*FIGURES, "others"]
    for name, figure in FIGURES.items():
        if name in names:
            figure(options.framescope, options.data, options.repeat)
    if "others" in names:
        others(options.framescope, options.data, options.repeat, options.packets, options.shape or list(SHAPES))


if __name__ == "__main__":
    main()
