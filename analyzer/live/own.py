"""Our own backend, through scapy: it opens the sockets, attaches the kernel filter and reads raw packets.

Scapy's sniff() takes every packet apart and loses nine in ten at 100,000 a second; its `recv_raw` costs 4 to 7 µs a
packet and loses none at 50,000, given a large buffer. Scapy asks for 64 KiB (`conf.bufsize`), and the system caps what
it grants (net.core.rmem_max) unless it is asked by force. A socket is read until it is empty whenever it has
something, so nothing waits on an idle link.
"""

from __future__ import annotations

import errno
import logging
import socket
import time
from struct import Struct
from typing import Any

import psutil

from analyzer.errors import CaptureError
from analyzer.live.blocks import interface, packet, section
from analyzer.live.request import BUFFER, Drops, Request

FORCED_BUFFER = 33
"""SO_RCVBUFFORCE of socket(7): beyond the system's cap, for whoever may administer the network."""
PACKET_LEVEL, STATISTICS, IGNORE_OUTGOING = 263, 6, 23
"""SOL_PACKET and its options, of packet(7) and linux/if_packet.h."""
COUNTS = Struct("=II")
"""Packets, and those of them that were dropped, since the statistics were asked for last."""
ETHERNET, RAW, LOOPBACK = 1, 101, 772
LINKS = {1: 1, LOOPBACK: ETHERNET, 65534: RAW, 512: RAW, 519: RAW, 768: RAW, 769: RAW, 776: RAW}
"""LINKTYPE by ARPHRD of linux/if_arp.h; what has no header of its own delivers IP."""
LARGEST = 65536 + 64
"""Octets of the largest packet: an IP packet and a link header. More would make every read map memory anew."""
AT_ONCE = 4096
"""Packets taken before others have their turn."""
SETTLE = 0.1
"""Seconds in which a socket is emptied of what came before it was set up."""


class Tap:
    """One interface."""

    def __init__(self, number: int, name: str, expression: str, conf: Any) -> None:
        self.number, self.name = number, name
        self._socket = conf.L2listen(iface=name, filter=expression or None)
        self.plain: socket.socket = self._socket.ins
        kind = self.plain.getsockname()[3]
        if kind not in LINKS:
            raise CaptureError(f"{name} is of a kind that is not read here (ARPHRD {kind})", "try --backend tcpdump")
        self.description = interface(LINKS[kind], LARGEST, name, expression)
        self.received = self.dropped = 0
        self._missed = self._missed_so_far()
        self.plain.setblocking(False)
        try:
            self.plain.setsockopt(socket.SOL_SOCKET, FORCED_BUFFER, BUFFER)
        except PermissionError:
            self.plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        if kind == LOOPBACK:  # what leaves comes back in, and would be seen twice
            self.plain.setsockopt(PACKET_LEVEL, IGNORE_OUTGOING, 1)
        self._empty()

    def read(self) -> tuple[bytes, int] | None:
        """A packet and its time in ns; None where there is none now.

        Raises: OSError where the interface is down or gone.
        """
        try:
            _, octets, stamp = self._socket.recv_raw(LARGEST)
        except BlockingIOError:
            return None
        return octets, int(stamp * 1e9)

    def count(self) -> None:
        """Ask the kernel for what it dropped since it was asked last."""
        received, dropped = COUNTS.unpack(self.plain.getsockopt(PACKET_LEVEL, STATISTICS, COUNTS.size))
        self.received += received
        self.dropped += dropped

    @property
    def missed(self) -> int:
        """Packets that the interface had no room for, since the capture began."""
        return self._missed_so_far() - self._missed

    def exists(self) -> bool:
        """Whether the interface is still there."""
        return any(name == self.name for _, name in socket.if_nameindex())

    def _missed_so_far(self) -> int:
        try:
            with open(f"/sys/class/net/{self.name}/statistics/rx_missed_errors", "rb") as count:
                return int(count.read())
        except (OSError, ValueError):
            return 0

    def _empty(self) -> None:
        until = time.monotonic() + SETTLE
        while time.monotonic() < until and self.read() is not None:
            pass
        self.count()
        self.received = self.dropped = 0


class Own:
    """A socket for each interface; `any` is every interface that is up when it begins."""

    name = "scapy"
    grace = 0.05

    def __init__(self, request: Request) -> None:
        conf, failure = scapy_configuration()
        self._taps: dict[int, Tap] = {}
        self._counted: list[Tap] = []
        self._reason = ""
        self._read = 0
        try:
            for number, name in enumerate(_names(request.interfaces)):
                tap = Tap(number, name, request.expression, conf)
                self._taps[tap.plain.fileno()] = tap
                self._counted.append(tap)
        except (CaptureError, OSError, ValueError, failure) as error:  # names, filters and rights, in several kinds
            raise CaptureError(f"scapy: {_words(error, request)}") from None
        self.head = section("framescope, scapy") + b"".join(tap.description for tap in self._counted)
        self._open = list(self._taps)

    def descriptors(self) -> list[int]:
        """Its sockets."""
        return self._open

    def take(self, descriptor: int) -> bytes:
        """Packets, until there are none."""
        tap, parts = self._taps[descriptor], []
        try:
            for _ in range(AT_ONCE):
                found = tap.read()
                if found is None:
                    break
                octets, stamp = found
                parts.append(packet(tap.number, stamp, octets, len(octets)))
        except OSError as error:
            if error.errno != errno.ENETDOWN or not tap.exists():
                if descriptor in self._open:  # not where it is asked for its last packets
                    self._open.remove(descriptor)
                self._reason = f"{tap.name} is gone" if not tap.exists() else f"{tap.name}: {error.strerror}"
        self._read += len(parts)
        return b"".join(parts)

    def ask(self) -> None:
        """Asked whenever drops are told."""

    def received(self) -> int:
        """Packets that were read."""
        return self._read

    def counts(self) -> list[Drops]:
        """What the kernel says."""
        for tap in self._counted:
            if tap.plain.fileno() >= 0:
                tap.count()
        return [Drops(tap.received, tap.dropped, tap.missed) for tap in self._counted]

    def stop(self) -> None:
        """Read no more."""
        self._open.clear()

    def finish(self) -> tuple[bytes, str]:
        """What the sockets still hold."""
        rest = b"".join(self.take(descriptor) for descriptor in self._taps)
        return rest, self._reason


def scapy_configuration() -> tuple[Any, type[Exception]]:
    """Scapy's settings, and what it raises of its own.

    Raises: CaptureError where it is not installed.
    """
    try:
        # layers.l2 registers the kinds of link, without which opening a socket warns
        import scapy.layers.l2  # noqa: F401
        from scapy.config import conf
        from scapy.error import Scapy_Exception
    except ImportError:
        raise CaptureError(
            "scapy is not installed", "pip install scapy, or try --backend dumpcap, or tcpdump"
        ) from None
    logging.getLogger("scapy").setLevel(logging.CRITICAL)  # what goes wrong is raised as well
    return conf, Scapy_Exception


def _names(wanted: tuple[str, ...]) -> list[str]:
    """The interfaces that are meant, each once."""
    there = [name for name, state in psutil.net_if_stats().items() if state.isup]
    return list(dict.fromkeys(name for word in wanted for name in (there if word == "any" else [word])))


def _words(error: Exception, request: Request) -> str:
    """What went wrong."""
    there = {name for _, name in socket.if_nameindex()}
    unknown = [name for name in request.interfaces if name != "any" and name not in there]
    if isinstance(error, PermissionError):
        return f"no permission to capture on {', '.join(request.interfaces)}"
    if unknown:
        return f"there is no interface named {unknown[0]}"
    return error.message if isinstance(error, CaptureError) else str(error)
