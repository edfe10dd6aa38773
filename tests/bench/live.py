"""How much a live capture loses, how far its analysis falls behind, and how soon a frame is told: needs root.

`python -m tests.bench.live [--rates 50000,100000,200000] [--seconds 10] [--backends dumpcap,tcpdump,scapy]`

A sender in one network namespace sends WebSocket traffic over a veth pair (64 connections; 35 % acknowledgments, small
frames, some of a whole segment; 258 octets on average); in the other, framescope captures it, and `tcpdump -w` beside
it. What the interface received is the truth. `--latency` sends a frame now and then over a link that is idle
otherwise; `--ring SECONDS` measures the memory of the analysis while a ring of 50 MB turns: with dumpcap at 50,000
packets a second, on two cores that others used as well, between 91 and 169 MB over nine million packets, without a
trend.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

import numpy as np

from tests.wire.frames import TEXT, frame
from tests.wire.packets import ACK, PSH, ethernet, tcp_packet
from tests.wire.talks import Talk

FLOWS, BATCH, AT_ONCE = 64, 8192, 64
HERE, THERE = f"fsb{os.getpid()}a", f"fsb{os.getpid()}b"
SEQ, ACKED = 14 + 20 + 4, 14 + 20 + 8


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("vectors", ctypes.c_void_p), ("count", ctypes.c_size_t),
        ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int), ("sent", ctypes.c_uint),
    )  # fmt: skip


class Load:
    """Packets in one buffer, whose sequence numbers go on from batch to batch."""

    def __init__(self) -> None:
        random = Random(1)
        self.talks = [
            Talk((f"10.1.0.{flow}", 40000 + flow), ("10.2.0.1", 80)).open().upgrade() for flow in range(FLOWS)
        ]
        self.opening = [octets for talk in self.talks for _, octets in talk.packets()]
        parts, flows, sides = [], [], []
        for number in range(BATCH):
            talk, side = self.talks[number % FLOWS], random.randrange(2)
            kind = random.random()
            size = 0 if kind < 0.35 else random.randrange(6, 120) if kind < 0.82 else random.randrange(600, 1440)
            payload = frame(TEXT, b"x" * size, mask=b"\1\2\3\4" if side == 0 else None) if size else b""
            source, destination = talk.ends[side], talk.ends[1 - side]
            packet = tcp_packet(
                *source, *destination, talk.next[side], talk.next[1 - side], ACK | PSH if size else ACK, payload
            )
            parts.append(ethernet(packet))
            talk.next[side] += len(payload)
            flows.append(number % FLOWS)
            sides.append(side)
        self.lengths = np.array([len(part) for part in parts])
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.buffer = np.frombuffer(bytearray(b"".join(parts)), np.uint8)
        self._step(np.array(flows), np.array(sides))
        base = self.buffer.ctypes.data
        self._vectors = (_Vector * BATCH)(
            *((base + start, length) for start, length in zip(self.starts.tolist(), self.lengths.tolist(), strict=True))
        )
        size = ctypes.sizeof(_Vector)
        at = ctypes.addressof(self._vectors)
        self.headers = (_Header * BATCH)(*((None, 0, at + size * number, 1, None, 0, 0, 0) for number in range(BATCH)))

    def _step(self, flows: np.ndarray, sides: np.ndarray) -> None:
        sent = np.array([[talk.next[side] for side in (0, 1)] for talk in self.talks])
        begun = np.zeros((FLOWS, 2), np.int64)
        for flow in range(FLOWS):
            fresh = Talk((f"10.1.0.{flow}", 40000 + flow), ("10.2.0.1", 80)).open().upgrade()
            begun[flow] = fresh.next
        grown = sent - begun
        self._seq_by, self._ack_by = grown[flows, sides].astype(np.uint32), grown[flows, 1 - sides].astype(np.uint32)

    def turn(self) -> None:
        """The next batch."""
        for at, by in ((SEQ, self._seq_by), (ACKED, self._ack_by)):
            places = self.starts[:, None] + at + np.arange(4)
            self.buffer[places] = (
                (self.buffer[places].copy().view(">u4")[:, 0] + by).astype(">u4").view(np.uint8).reshape(-1, 4)
            )


def send(name: str, rate: int, seconds: float) -> None:
    """Send at a rate, in ticks of a millisecond."""
    load = Load()
    libc = ctypes.CDLL(None)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as plain:
        plain.bind((name, 0))
        for octets in load.opening:
            plain.send(octets)
        started, sent, at = time.monotonic(), 0, 0
        while (passed := time.monotonic() - started) < seconds:
            due = int(passed * rate) - sent
            while due > 0:
                count = min(due, AT_ONCE, BATCH - at)
                done = libc.sendmmsg(plain.fileno(), ctypes.byref(load.headers, at * ctypes.sizeof(_Header)), count, 0)
                if done <= 0:
                    break
                at, sent, due = at + done, sent + done, due - done
                if at == BATCH:
                    load.turn()
                    at = 0
            time.sleep(0.0005)


def within(space: str, *words: str) -> list[str]:
    return ["ip", "netns", "exec", space, *words]


def received() -> int:
    done = subprocess.run(
        within(THERE, "cat", "/sys/class/net/fsb/statistics/rx_packets"), capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def spaces() -> None:
    for name in (HERE, THERE):
        subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(
        ["ip", "link", "add", "fsa", "netns", HERE, "type", "veth", "peer", "name", "fsb", "netns", THERE], check=True
    )
    for space, name in ((HERE, "fsa"), (THERE, "fsb")):
        subprocess.run(["ip", "-n", space, "link", "set", name, "up"], check=True)
        subprocess.run(within(space, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"), check=False)
    time.sleep(0.5)


def live(*words: str, **more: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        within(THERE, sys.executable, "-m", "analyzer", "live", "-i", "fsb", *words, "tcp"),
        stderr=subprocess.PIPE,
        **more,
    )  # type: ignore[call-overload,no-any-return]


def ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None
    while b"capturing on" not in (line := process.stderr.readline()):
        assert line, "the capture did not begin"
    time.sleep(1)


def sender(rate: int, seconds: float) -> subprocess.Popen[bytes]:
    code = f"from tests.bench.live import send; send('fsa', {rate}, {seconds})"
    return subprocess.Popen(within(HERE, sys.executable, "-c", code))


def loss(backend: str, rate: int, seconds: float) -> None:
    """One line a run."""
    before = received()
    beside = subprocess.Popen(
        within(THERE, "tcpdump", "-i", "fsb", "-B", "65536", "-w", "/dev/null", "tcp"), stderr=subprocess.PIPE
    )
    process = live("--backend", backend, "--json", stdout=subprocess.DEVNULL)
    ready(process)
    sender(rate, seconds).wait()
    truth = received() - before
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    stopped = time.monotonic()
    _, told = process.communicate()
    behind = time.monotonic() - stopped
    beside.send_signal(signal.SIGINT)
    other = int(re.search(rb"(\d+) packets captured", beside.communicate()[1])[1])  # type: ignore[index]
    mine = int(re.search(rb"fsb  (\d[\d ]*) packets", told)[1].replace(b" ", b""))  # type: ignore[index]
    print(
        f"{backend:<8} asked {rate:>7}/s  sent {truth / seconds:>8.0f}/s  captured {mine}/{truth}, lost {100 * (truth - mine) / truth:.2f} %"
        f"  tcpdump -w beside it lost {100 * (truth - other) / truth:.2f} %  analysis done {behind:.1f} s after the end",
        flush=True,
    )


def latency(backend: str) -> None:
    """From a frame on an idle link to its line of JSON."""
    process = live("--backend", backend, "--json", stdout=subprocess.PIPE)
    ready(process)
    code = (
        "import socket,sys,time\nfrom tests.bench.live import Talk, TEXT\n"
        "s=socket.socket(17,3); s.bind(('fsa',0)); t=Talk(('10.1.0.1',40000),('10.2.0.1',80)).open().upgrade()\n"
        "[s.send(o) for _,o in t.packets()]\n"
        "for n in range(12):\n time.sleep(.777); a=len(t.segments); t.frame('S',TEXT,'%.6f'%time.time()); [s.send(o) for _,o in t.packets(t.segments[a:])]\n"
    )
    waits = []
    sending = subprocess.Popen(within(HERE, sys.executable, "-c", code))
    assert process.stdout is not None
    deadline = time.time() + 16
    while time.time() < deadline and len(waits) < 12:
        if select.select([process.stdout], [], [], 0.5)[0]:
            line = json.loads(process.stdout.readline())
            if line["table"] == "frames":
                stamp = np.datetime64(line["time"].rstrip("Z")).astype("datetime64[ns]").astype(np.int64)
                waits.append(time.time() - int(stamp) / 1e9)
    sending.wait()
    process.send_signal(signal.SIGINT)
    process.communicate()
    waits.sort()
    print(
        f"{backend:<8} wire to line: median {1000 * waits[len(waits) // 2]:.0f} ms, worst {1000 * waits[-1]:.0f} ms of {len(waits)}",
        flush=True,
    )


def ring(backend: str, rate: int, seconds: float) -> None:
    """Memory while a ring turns."""
    process = live("--backend", backend, "--json", "--ring", "50MB", stdout=subprocess.DEVNULL)
    ready(process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    number = int(children[0]) if "python" not in Path(f"/proc/{process.pid}/cmdline").read_text() else process.pid
    sending, figures = sender(rate, seconds), []
    while sending.poll() is None:
        time.sleep(seconds / 12)
        resident = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{number}/status").read_text())
        figures.append(int(resident[1]) >> 10 if resident else 0)
    process.send_signal(signal.SIGINT)
    process.communicate()
    print(
        f"{backend:<8} ring of 50 MB at {rate}/s: memory of the analysis in MB every {seconds / 12:.0f} s: {figures}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", default="50000,100000,200000")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--backends", default="dumpcap,tcpdump,scapy")
    parser.add_argument("--latency", action="store_true")
    parser.add_argument("--ring", type=float, metavar="SECONDS", default=0)
    options = parser.parse_args()
    backends = options.backends.split(",")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FRAMESCOPE_SPOOL"] = folder
        spaces()
        try:
            for backend in backends:
                if options.latency:
                    latency(backend)
                elif options.ring:
                    ring(backend, int(options.rates.split(",")[0]), options.ring)
                else:
                    for rate in options.rates.split(","):
                        loss(backend, int(rate), options.seconds)
        finally:
            for name in (HERE, THERE):
                subprocess.run(["ip", "netns", "del", name], check=False)


if __name__ == "__main__":
    main()
