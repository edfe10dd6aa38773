"""Whether the answer to a Ping or a Close was due, so that its absence may be laid to somebody.

Theory of operation. Acknowledgments say what a side had received when it sent a packet. An answer was due from a side
that had received what asks for it, if it said or ended something later, and could not have hidden the answer: all that
it sent from then on is in the capture, and its framing is known there. A side that ended its direction had its time.
One that did not, had it if `SOON` after the question the other side still ended the connection, or it said something
that acknowledges the question. Where packets have no times only an end decides; octets from files have no packets, and
are known to be whole.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from analyzer.analysis.frames import Framing
from analyzer.analysis.unseen import unseen_ends
from analyzer.streams.assembly import Assembly
from analyzer.streams.sequence import distances
from dissectors.schemas import NO_TIME
from dissectors.tables import Table
from dissectors.websocket.modes import LOST

SOON = 500_000_000
"""ns. An acknowledgment is delayed for less (RFC 1122 §4.2.3.2): by then an answer that came has shown itself."""


class Dues:
    """The ends of all sessions. Slots are those of the framing, 2n and 2n + 1."""

    def __init__(self, tables: Mapping[str, Table], framing: Framing, assembly: Assembly,
                 number_of: npt.NDArray[np.int64]) -> None:  # fmt: skip
        self.tables = tables
        self.framing = framing
        count = 2 * len(framing.channels)
        streams = tables["channels"]["stream"].astype(np.int64)[np.array(framing.channels, np.int64)]
        self._slots = np.stack([2 * streams, 2 * streams + 1], axis=1).ravel()
        column = assembly.segments.column
        self._base, self._next, self._acked = (column(name)[self._slots] for name in ("base", "next", "acked"))
        self._short = (unseen_ends(assembly)[self._slots] > 0) | (framing.directions.whole["mode"][:count] == LOST)
        self._ends = np.full(count, NO_TIME, np.int64)
        self._over = np.zeros(count, np.bool_)
        endings = tables["endings"]
        number = number_of[endings["stream"]]
        slot = (2 * number + endings["direction"])[number >= 0]
        self._over[slot] = True
        np.maximum.at(self._ends, slot, endings["time"][number >= 0])
        self.ended = self._over[0::2] | self._over[1::2]
        """By session: one side ended it."""
        self._last: dict[int, tuple[int, int]] = {}

    def due(self, slot: int, row: int) -> bool:
        """Whether the other side owed an answer to a message of this slot by the end of the capture."""
        message = self.tables["messages"].row(row)
        frame = self.tables["frames"].row(message["last_frame"])
        packet, time = frame["last_packet"], message["time"]
        if packet < 0:
            return bool(self.ended[slot >> 1])
        stop = frame["offset"] + frame["header_length"] + frame["payload_length"]
        other = slot ^ 1
        if self._acked[slot] < stop or self._short[other] or self._hidden(slot, stop):
            return False
        if self._over[other]:
            return True
        if time == NO_TIME:
            return False
        later, acknowledged = self._last_said(other)
        return self._ends[slot] >= time + SOON or (later >= time + SOON and acknowledged >= stop)

    def _hidden(self, slot: int, stop: int) -> bool:
        """Whether what the other side sent once it knew this slot's octets before `stop` may be among octets that could
        not be read: then it knew them already where its frames were found again."""
        found = self.framing.found.get(slot ^ 1, -1)
        return found >= 0 and self._knew(slot, found) >= stop

    def _knew(self, slot: int, packet: int) -> int:
        """How far a slot's octets are acknowledged by a packet of the other one."""
        ack = np.int64(self.tables["packets"].row(packet)["ack"])
        return int(self._next[slot] + distances(np.array([ack - self._base[slot] - self._next[slot]]))[0])

    def _last_said(self, slot: int) -> tuple[int, int]:
        """When a slot's last frame ended, and how much of the other side's octets it acknowledges."""
        if not self._last:
            frames = self.tables["frames"]
            whole = np.flatnonzero(frames["last_packet"] >= 0)
            of = 2 * frames["channel"][whole].astype(np.int64) + frames["direction"][whole]
            said = zip(frames["last_packet"][whole].tolist(), frames["time"][whole].tolist(), strict=True)
            self._last = dict(zip(of.tolist(), said, strict=True))  # the last one stays
        packet, time = self._last.get(2 * self.framing.channels[slot >> 1] + (slot & 1), (-1, NO_TIME))
        return time, self._knew(slot ^ 1, packet) if packet >= 0 else -1
