"""The interfaces of this machine, with their addresses and what crossed them."""

from __future__ import annotations

import psutil


def busy() -> list[tuple[str, str]]:
    """Interfaces that are up, the busiest first, each with its addresses."""
    addresses, states = psutil.net_if_addrs(), psutil.net_if_stats()
    counters = psutil.net_io_counters(pernic=True)
    found = []
    for name, state in states.items():
        if state.isup:
            packets = counters[name].packets_recv + counters[name].packets_sent if name in counters else 0
            here = [item.address.split("%")[0] for item in addresses.get(name, ())
                    if item.family.name.startswith("AF_INET")]  # fmt: skip
            found.append((-packets, name, f"{packets} packets so far  {', '.join(here)}"))
    return [(name, story) for _, name, story in sorted(found)]


def listed() -> str:
    """One line an interface, the busiest first."""
    addresses, states = psutil.net_if_addrs(), psutil.net_if_stats()
    counters = psutil.net_io_counters(pernic=True)
    rows = []
    for name, state in states.items():
        packets = counters[name].packets_recv + counters[name].packets_sent if name in counters else 0
        here = [
            item.address.split("%")[0] for item in addresses.get(name, ()) if item.family.name.startswith("AF_INET")
        ]
        rows.append((not state.isup, -packets, name, "up" if state.isup else "down", ", ".join(here)))
    lines = [
        f"{name:<16} {state:<5} {-packets:>12} packets  {here}".rstrip()
        for _, packets, name, state, here in sorted(rows)
    ]
    return "\n".join([*lines, "any              all of them (Linux)", "", "framescope live -i NAME [FILTER]", ""])
