"""The interfaces of this machine, with their addresses and what crosses them."""

from __future__ import annotations

import time

import psutil

from analyzer.escape import printable
from analyzer.live.backends import BACKENDS, is_there, may_capture, preferred

WATCHED = 0.4
"""Seconds in which activity is watched."""


def busy() -> list[tuple[str, str]]:
    """Interfaces that are up, the busiest first, each with its addresses."""
    addresses, packets = _addresses(), _packets()
    up = [name for name, state in psutil.net_if_stats().items() if state.isup]
    up.sort(key=lambda name: (-packets.get(name, 0), name))
    return [(name, f"{packets.get(name, 0)} packets so far  {addresses.get(name, '')}") for name in up]


def listed() -> str:
    """One line an interface, the busiest first, and what would capture."""
    addresses, before = _addresses(), _packets()
    time.sleep(WATCHED)
    after = _packets()
    rows = []
    for name, state in psutil.net_if_stats().items():
        rate = (after.get(name, 0) - before.get(name, 0)) / WATCHED
        rows.append((not state.isup, -rate, -after.get(name, 0), name, addresses.get(name, "")))
    lines = [f"{'interface':<16} {'':<5} {'now':>9}  {'since boot':>14}  addresses"]
    lines += [
        f"{printable(name):<16} {'down' if down else 'up':<5} {-rate:>7.0f}/s  {-total:>6} packets  {here}".rstrip()
        for down, rate, total, name, here in sorted(rows)
    ]
    return "\n".join(
        [*lines, f"{'any':<16} all that are up (Linux)", "", *_backends(), "framescope live -i NAME [FILTER]", ""]
    )


def _addresses() -> dict[str, str]:
    """The addresses of each interface, as they are shown."""
    return {
        name: ", ".join(item.address.split("%")[0] for item in items if item.family.name.startswith("AF_INET"))
        for name, items in psutil.net_if_addrs().items()
    }


def _packets() -> dict[str, int]:
    return {
        name: count.packets_recv + count.packets_sent for name, count in psutil.net_io_counters(pernic=True).items()
    }


def _backends() -> list[str]:
    """What there is to capture with."""
    there = [name for name in BACKENDS if is_there(name)]
    if not there:
        return ["nothing to capture with: install dumpcap, tcpdump or scapy"]
    taken = preferred()
    if not may_capture(taken):
        return ["no right to capture: framescope live -i NAME says what grants it"]
    others = [name for name in there if name != taken]
    return [f"captures with {taken}" + (f"; --backend {' or '.join(others)} would do too" if others else "")]
