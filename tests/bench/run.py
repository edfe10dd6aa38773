"""Times framescope against tshark, whole processes in turn: `python -m tests.bench.run [--only NAME] [--repeat N]`.

Prints a Markdown table of medians and ratios, memory by packet and frame, and start-up times. Asserts nothing.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.bench.workloads import WORKLOADS, write_all
from tests.wire.captures import pcap
from tests.wire.frames import TEXT
from tests.wire.talks import Talk

FIELDS = ("frame.number", "tcp.stream", "websocket.opcode", "websocket.payload_length", "websocket.fin")


def timed(command: list[str]) -> float:
    """Wall seconds of a whole process, its output thrown away."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def peak_anonymous(command: list[str]) -> int:
    """The highest anonymous memory of a process, octets, sampled every 5 ms."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                return
            for line in status.splitlines():
                if line.startswith("RssAnon"):
                    peak = max(peak, int(line.split()[1]) * 1024)
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    status = process.wait()
    watcher.join()
    if status:
        raise subprocess.CalledProcessError(status, command)
    return peak


def compare(framescope: str, path: Path, repeat: int) -> dict[str, float]:
    """Medians of the commands, run in turn."""
    tshark = ["tshark", "-r", str(path), "-Y", "websocket", "-T", "fields"]
    commands = {
        "summary": [framescope, "summary", str(path)],
        "json": [framescope, "frames", "--json", str(path)],
        "tshark": [*tshark, *(word for field in FIELDS for word in ("-e", field))],
    }
    if not shutil.which("tshark"):
        del commands["tshark"]
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeat):
        for name, command in commands.items():
            times[name].append(timed(command))
    return {name: statistics.median(values) for name, values in times.items()}


def speed(framescope: str, folder: Path, names: list[str], packets: int, repeat: int) -> None:
    """The table of speeds."""
    print(f"| workload, {packets:,} packets | summary | frames --json | tshark | summary ratio | json ratio |")
    print("|---|---|---|---|---|---|")
    for name, path in zip(names, write_all(folder, packets, names), strict=True):
        took = compare(framescope, path, repeat)
        tshark = took.get("tshark", float("nan"))
        print(
            f"| {name} | {took['summary']:.2f} s | {took['json']:.2f} s | {tshark:.2f} s "
            f"| {tshark / took['summary']:.1f} | {tshark / took['json']:.1f} |",
            flush=True,
        )


def memory(framescope: str, folder: Path, names: list[str], packets: int) -> None:
    """What a packet more costs, from two sizes."""
    print("\n| workload | peak anonymous | octets for each further packet |")
    print("|---|---|---|")
    for name in names:
        small, large = (next(iter(write_all(folder, count, [name]))) for count in (packets // 5, packets))
        low, high = (peak_anonymous([framescope, "summary", str(path)]) for path in (small, large))
        print(f"| {name} | {high / 1e6:.0f} MB | {(high - low) / (packets - packets // 5):.0f} |", flush=True)


def start_up(framescope: str, folder: Path) -> None:
    """Help, and a small capture: medians of ten."""
    talk = Talk().open().upgrade()
    while len(talk.segments) < 30:
        talk.frame("C", TEXT, b"hello")
    path = folder / "small.pcap"
    path.write_bytes(pcap(talk.packets()))
    print("\n| start-up | median of ten |")
    print("|---|---|")
    for label, command in (
        ("--help", [framescope, "--help"]),
        ("summary of 30 packets", [framescope, "summary", str(path)]),
    ):
        print(f"| {label} | {statistics.median(timed(command) for _ in range(10)) * 1000:.0f} ms |", flush=True)


def main() -> None:
    """Run what is asked for."""
    beside = shutil.which("framescope", path=str(Path(sys.executable).parent)) or "framescope"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=WORKLOADS, action="append")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--packets", type=int, default=500_000)
    parser.add_argument("--data", type=Path, default=Path(__file__).parent / "data")
    parser.add_argument("--framescope", default=beside, help="the command, for comparing installations")
    options = parser.parse_args()
    names = options.only or list(WORKLOADS)
    version = subprocess.run([options.framescope, "--version"], capture_output=True, text=True, check=True).stdout
    print(version.strip(), f"(Python {sys.version.split()[0]})\n", flush=True)
    speed(options.framescope, options.data, names, options.packets, options.repeat)
    memory(options.framescope, options.data, names, options.packets)
    start_up(options.framescope, options.data)


if __name__ == "__main__":
    main()
