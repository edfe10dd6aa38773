"""TLS connections that cannot be read: what shows of their ends all the same.

Theory of operation. The ClientHello tells the server's name and the protocols offered. After it, nobody looks at the
octets: packets and spans of the connection are let go. Of each direction the last two deliveries are remembered, in
whole columns once per chunk, because TLS ends with an alert, which is no sign of life: how long it had been idle is
counted from the delivery before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.analysis.causes import common_causes, incidents, judge
from analyzer.analysis.closes import tcp_ends
from analyzer.analysis.facts import Facts
from analyzer.analysis.unseen import unheard, unseen_octets
from analyzer.capture.records import Source
from analyzer.schemas import BOTH, BY_NOTHING, BY_REQUEST, BY_SYN, CLIENT_ALONE, MIDDLE, SERVER_ALONE, SYN
from analyzer.streams.assembly import Assembly, Delivered
from dissectors.schemas import NO_TIME
from dissectors.tables import Array, Strings, Table
from dissectors.tls import LONGEST_ALERT, ClientHello, Tail, tail

QUIET = 100_000_000
"""ns. A closing handshake leaves records right before the end: where none crossed for so long, there was none."""
UNREAD = 4
"""A `result` that no handshake has: patterns on what was opened do not speak of what cannot be read."""


class Hello(NamedTuple):
    """A connection that speaks TLS. `client` is a physical direction, -1 where its first octets do not tell."""

    stream: int
    client: int
    server_name: int
    protocols: int
    target: int
    source: int


class Encrypted:
    """The TLS connections of one analysis."""

    def __init__(self, strings: Strings, source: Source) -> None:
        self.strings = strings
        self.source = source
        self.hellos: list[Hello] = []
        self._last = np.full((6, 512), NO_TIME, np.int64)
        self._known: dict[tuple[int, int], tuple[Tail, int, int]] = {}

    def add(self, stream: int, client: int, hello: ClientHello, target: str, source: str) -> None:
        """A connection turned out to be TLS; `target` is that of a CONNECT around it, `source` the client that a PROXY
        header names."""
        intern = self.strings.intern
        self.hellos.append(
            Hello(stream, client, intern(hello.server_name), intern(",".join(hello.protocols)), intern(target),
                  intern(source))
        )  # fmt: skip

    def feed(self, spans: Delivered, mine: npt.NDArray[np.bool_]) -> None:
        """Remember the last two deliveries of each direction; `mine` says which spans are data of TLS connections."""
        rows = np.flatnonzero(mine)
        if not len(rows):
            return
        room = int(spans.slot[rows].max()) + 1
        if room > self._last.shape[1]:
            more = np.full((6, max(room, 2 * self._last.shape[1]) - self._last.shape[1]), NO_TIME, np.int64)
            self._last = np.concatenate([self._last, more], axis=1)
        order = rows[np.argsort(spans.slot[rows], kind="stable")]
        slot = spans.slot[order]
        last = np.flatnonzero(np.diff(slot, append=-1))
        alone = np.append(True, slot[1:] != slot[:-1])[last]
        before = np.maximum(last - 1, 0)
        old = self._last[:3, slot[last]]
        new = np.stack([spans.time[order], spans.at[order], spans.length[order]])
        self._last[3:, slot[last]] = np.where(alone, old, new[:, before])
        self._last[:3, slot[last]] = new[:, last]

    def ends(self, slots: Array, wanted: Array) -> tuple[Array, Array, Array, Array]:
        """By slot, where it is wanted: what it ends in, a fatal alert in the clear or -1, the time of that end, and of
        the octets before."""
        slots = np.minimum(slots, self._last.shape[1] - 1)
        time, at, length, before = (self._last[row, slots] for row in range(4))
        kinds, alerts, alone = (np.zeros(len(slots), np.int64) for _ in range(3))
        alerts -= 1
        for place in np.flatnonzero(wanted & (time != NO_TIME)).tolist():
            start, count = int(at[place]), int(length[place])
            key = (start, count)
            if key not in self._known:
                step = min(count, LONGEST_ALERT)
                self._known[key] = tail(self.source.read(start + count - step, step))
            kind, size, alerts[place] = self._known[key]
            kinds[place], alone[place] = kind, size == count
        return kinds, alerts, time, np.where((alone == 1) & (before != NO_TIME), before, time)


def encrypted_columns(tables: Mapping[str, Table], encrypted: Encrypted, assembly: Assembly,
                      first_incident: int) -> tuple[dict[str, Array], dict[str, Array]]:  # fmt: skip
    """The rows of ENCRYPTED, and those of INCIDENTS that they make."""
    hellos = np.array(encrypted.hellos, np.int64).reshape(-1, len(Hello._fields))
    stream, told, names, protocols, targets, sources = hellos.T
    streams = tables["streams"]
    opening = streams["opening"][stream].astype(np.int64)
    ports = streams["port_0"][stream], streams["port_1"][stream]
    by_opening = np.where(opening == MIDDLE, (ports[0] < ports[1]).astype(np.int64), opening - SYN)
    client = np.where(told >= 0, told, by_opening)
    columns: dict[str, Array] = {
        "key": streams["first_offset"][stream], "stream": stream, "client_direction": client,
        "tunnel": streams["tunnel"][stream],
        "known_by": np.where(told >= 0, BY_REQUEST, np.where(opening == MIDDLE, BY_NOTHING, BY_SYN)),
        "server_name": names, "protocols": protocols, "connect_target": targets, "proxied_source": sources,
        "first_time": streams["first_time"][stream],
        "last_time": assembly.segments.column("last_time")[stream],
    }  # fmt: skip
    unseen = unseen_octets(assembly)
    missing, reach = assembly.segments.column("missing"), assembly.segments.column("next")
    for name, side in (("client", client), ("server", 1 - client)):
        slot = 2 * stream + side
        columns[f"{name}_address"] = np.where(side == 0, streams["address_0"][stream], streams["address_1"][stream])
        columns[f"{name}_port"] = np.where(side == 0, *ports)
        columns[f"{name}_seen"] = np.maximum(reach[slot] - missing[slot], 0)
        columns[f"{name}_unseen"] = unseen[slot]
    absent = unheard(assembly, streams)
    no_client, no_server = absent[2 * stream + client], absent[2 * stream + 1 - client]
    columns["captured"] = np.select([no_client, no_server], [SERVER_ALONE, CLIENT_ALONE], BOTH)
    columns |= tcp_ends(tables, stream, client)
    columns |= _ends(encrypted, columns, stream, client)
    facts = _facts(columns, encrypted.strings)
    eligible = (columns["end"] > 0) & (columns["client_unseen"] == 0) & (columns["server_unseen"] == 0)
    eligible &= columns["captured"] == BOTH
    found = incidents(columns["server_address"], columns["server_port"], facts, columns["first_time"], eligible)
    facts = Facts(facts.count, {**facts.columns, "together": found["together"], "same_idle": found["same_idle"]},
                  facts.strings)  # fmt: skip
    columns |= judge(facts, eligible)
    found |= common_causes(found["of"], columns, len(found["kind"]))
    columns["incident"] = np.where(found["of"] >= 0, found["of"] + first_incident, -1)
    return columns, found


def _ends(encrypted: Encrypted, columns: Mapping[str, Array], stream: Array, client: Array) -> dict[str, Array]:
    """Alerts, and the idle time of each side before the first sign of the end: an alert, FIN or RST."""
    sign = columns["end_time"]
    over = (columns["end"] > 0) & (sign != NO_TIME)
    ends = [encrypted.ends(2 * stream + side, over) for side in (client, 1 - client)]
    for kind, _, time, _ in ends:
        sign = np.where(over & (kind != Tail.DATA) & (time < sign), time, sign)
    found = {"alert": np.maximum(ends[0][1], ends[1][1]), "sign": sign}
    for (kind, _, _, last), name in zip(ends, ("client", "server"), strict=True):
        found[f"{name}_tail"] = kind
        found[f"{name}_idle"] = np.where(over & (last != NO_TIME), np.maximum(sign - last, 0), -1)
    return found


def _facts(columns: Mapping[str, Array], strings: Strings) -> Facts:
    idle = columns["client_idle"], columns["server_idle"]
    silence = np.where(idle[0] < 0, idle[1], np.where(idle[1] < 0, idle[0], np.minimum(*idle)))
    count, ender = len(silence), columns["end_by"]
    last = np.where(ender == 0, columns["client_tail"], columns["server_tail"])
    life = np.where(columns["sign"] == NO_TIME, -1, columns["sign"] - columns["first_time"])
    return Facts(
        count,
        {
            "tls": np.ones(count, np.int64), "result": np.full(count, UNREAD), "end": columns["end"].astype(np.int64),
            "end_by": ender, "bare": ((columns["end"] > 0) & (silence >= QUIET)).astype(np.int64),
            "client_idle": idle[0], "server_idle": idle[1], "silence": silence, "lifetime": life,
            "sign": columns["sign"], "alert": columns["alert"], "close_notify": (last != Tail.DATA).astype(np.int64),
        },
        strings,
    )  # fmt: skip
