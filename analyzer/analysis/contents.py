"""The way back from a row to its octets: fetched from the capture, unmasked and inflated when somebody looks.

Theory of operation. A channel's direction is found in SPANS: the rows of its stream and direction, in stream order,
say where in the capture each piece stands. An index of SPANS is made for the slots that are looked at, one by one; for
all of them at once where many are. What the capture does not hold reads as nothing, and the result says so.

A compressed message with context takeover needs the 32 KiB that were inflated before it. Messages are usually read one
after the other, so the inflater of each direction is kept at the message that it has reached; a message further back
starts again from the front, or from the nearest window that the analysis kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from analyzer.analysis.snapshot import Snapshot
from analyzer.schemas import DATA
from dissectors.websocket.deflate import Inflater
from dissectors.websocket.masking import unmask
from dissectors.websocket.opcodes import CLOSE
from dissectors.websocket.outcomes import CONTEXT_LOST

LOOK = 64 << 20
"""Octets of one message that a look returns unless the caller asks for more: the largest default of any server is
100 MiB (ws), the usual one 1 MiB (websockets)."""
CACHE = 32 << 20
"""Octets of inflated messages kept."""
FEW = 16
"""Slots that are indexed one by one. Each costs a comparison of all spans, 3 ms for a million; sorting them all costs
as much as a hundred of those, which a view of one connection must not wait for."""
CUT = "cut at the limit"
EXPIRED = "expired: the ring has dropped these octets"

Index = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Offsets of the spans of a slot, ascending, and the places of those in SPANS."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A message's octets, unmasked and inflated. `whole` is false where some are missing or left out; `why` says it."""

    octets: bytes
    whole: bool
    why: str = ""


class Contents:
    """Octets of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._inflaters: dict[int, tuple[int, Inflater, str]] = {}
        self._cache: OrderedDict[int, Payload] = OrderedDict()
        self._held = 0
        self._slots: dict[int, Index] = {}
        self.expired = snapshot.source.expired
        """Virtual offset before which the octets had left when this was made."""

    def go_on(self, earlier: Contents) -> None:
        """Take the inflaters of an earlier snapshot of the same capture, which stand where it was read to."""
        if self.snapshot.source.expired == earlier.expired:
            self._inflaters = earlier._inflaters

    @cached_property
    def _spans(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Slot of every span, and the order that sorts spans by slot and offset; the first copy of octets is kept."""
        spans = self.snapshot["spans"]
        slot = spans["stream"].astype(np.int64) * 2 + spans["direction"]
        order = np.lexsort((spans["offset"], slot))
        order = order[spans["kind"][order] == DATA]
        return slot[order], spans["offset"][order], order

    def _index(self, channel: int, direction: int) -> Index:
        """The spans of a channel's direction."""
        stream = int(self.snapshot["channels"]["stream"][channel])
        slot = 2 * stream + direction
        if slot not in self._slots and len(self._slots) < FEW and "_spans" not in self.__dict__:
            spans = self.snapshot["spans"]
            mine = (spans["stream"] == stream) & (spans["direction"] == direction) & (spans["kind"] == DATA)
            places = np.flatnonzero(mine)
            offsets = spans["offset"][places]
            if (offsets[1:] < offsets[:-1]).any():
                order = np.argsort(offsets, kind="stable")
                places, offsets = places[order], offsets[order]
            self._slots[slot] = (offsets, places)
        if slot in self._slots:
            return self._slots[slot]
        slots, offsets, order = self._spans
        low, high = np.searchsorted(slots, [slot, slot + 1])
        return offsets[low:high], order[low:high]

    def pieces(self, channel: int, direction: int, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """(stream offset, virtual offset, length) of what the capture holds of the range, in stream order."""
        offsets, places = self._index(channel, direction)
        first = max(int(np.searchsorted(offsets, start, side="right")) - 1, 0)
        spans = self.snapshot["spans"]
        lengths, ats = spans["length"], spans["at"]
        for index in range(first, len(offsets)):
            offset = int(offsets[index])
            if offset >= stop:
                return
            length = int(lengths[places[index]])
            skip = max(start - offset, 0)
            if skip < length:
                yield offset + skip, int(ats[places[index]]) + skip, min(length, stop - offset) - skip

    def packet_of(self, channel: int, direction: int, offset: int) -> int:
        """The packet (row of PACKETS) that carried an octet of a channel's direction, -1 where the capture has none."""
        offsets, places = self._index(channel, direction)
        at = int(np.searchsorted(offsets, offset, side="right")) - 1
        if at < 0:
            return -1
        spans = self.snapshot["spans"]
        inside = offset < int(offsets[at]) + int(spans["length"][places[at]])
        return int(spans["packet"][places[at]]) if inside else -1

    def octets(self, channel: int, direction: int, start: int, stop: int) -> tuple[bytes, bool]:
        """The octets of a range of a channel's direction; False where some are missing. Those before others read as
        zeros, those at the end are left out."""
        out = bytearray()
        held = 0
        for offset, at, length in self.pieces(channel, direction, start, stop):
            octets = self.read(at, length)
            out += bytes(offset - start - len(out))
            out += octets
            held += len(octets)
        return bytes(out), held == stop - start

    def read(self, at: int, length: int) -> bytes:
        """Octets of the capture by virtual offset."""
        return self.snapshot.source.read(at, length)

    def frame_wire(self, row: int, limit: int | None = None) -> bytes:
        """A frame's octets as they crossed the wire, header first, with at most `limit` of its payload."""
        frame = self.snapshot["frames"].row(row)
        length = min(frame["payload_length"], LOOK if limit is None else limit)
        stop = frame["offset"] + frame["header_length"] + length
        return self.octets(frame["channel"], frame["direction"], frame["offset"], stop)[0]

    def frame_payload(self, row: int, limit: int | None = None) -> bytes:
        """A frame's payload, unmasked, not inflated; at most `limit` octets."""
        return self._payload(row, limit)[0]

    def _payload(self, row: int, limit: int | None) -> tuple[bytes, bool]:
        frame = self.snapshot["frames"].row(row)
        start = frame["offset"] + frame["header_length"]
        length = min(frame["payload_length"], LOOK if limit is None else limit)
        octets, whole = self.octets(frame["channel"], frame["direction"], start, start + length)
        if frame["mask_key"]:
            octets = bytes(unmask(memoryview(octets), 0, len(octets), frame["mask_key"], 0, False))
        return octets, whole and length == frame["payload_length"]

    def message_payload(self, row: int, limit: int | None = None) -> Payload:
        """A message's payload: fragments joined, unmasked and inflated; at most `limit` octets (`LOOK` unless said)."""
        bound = LOOK if limit is None else limit
        message = self.snapshot["messages"].row(row)
        if not message["compressed"]:
            octets, whole = self._joined(message, bound)
            why = "" if whole else self._lacking(message) or "octets are missing or left out"
            return Payload(octets, whole, why)
        payload = self._cached(row, message)
        if len(payload.octets) > bound:
            return Payload(payload.octets[:bound], False, CUT)
        return payload

    def _lacking(self, message: dict[str, int]) -> str:
        """Whether a ring has dropped where a message began."""
        expired = self.snapshot.source.expired
        if not expired or message["first_frame"] < 0:
            return ""
        frames, packets = self.snapshot["frames"], self.snapshot["packets"]
        first = frames.take("first_packet", np.array([message["first_frame"]]))
        return EXPIRED if int(packets.take("offset", first)[0]) < expired else ""

    def _began_expired(self, channel: int) -> bool:
        """Whether a ring has dropped where a channel's first messages may have stood."""
        expired = self.snapshot.source.expired
        if not expired:
            return False
        shakes = self.snapshot["handshakes"]
        last = shakes["last_packet"][shakes["channel"] == channel][-1:]
        if not len(last):
            return True
        return int(self.snapshot["packets"].take("offset", last)[0]) < expired

    def _joined(self, message: dict[str, int], bound: int) -> tuple[bytes, bool]:
        """The wire payload of all fragments, unmasked."""
        out = bytearray()
        whole = message["complete"] == 1
        for row in self._fragments(message):
            octets, seen = self._payload(row, bound - len(out))
            out += octets
            whole = whole and seen
        return bytes(out), whole

    def _fragments(self, message: dict[str, int]) -> Iterator[int]:
        """Rows of FRAMES: the data frames of the direction from the first to the last."""
        first, last = message["first_frame"], message["last_frame"]
        if first < 0:
            return
        if message["frames"] == 1 or first == last:
            yield first
            return
        frames = self.snapshot["frames"]
        rows = frames.rows()
        low = int(np.searchsorted(rows, first))
        high = int(np.searchsorted(rows, last, side="right")) if last >= 0 else len(rows)
        pick = slice(low, high)
        mine = (
            (frames["channel"][pick] == message["channel"])
            & (frames["direction"][pick] == message["direction"])
            & (frames["opcode"][pick] < CLOSE)
        )
        yield from rows[pick][mine][: message["frames"]].tolist()

    def _cached(self, row: int, message: dict[str, int]) -> Payload:
        if row in self._cache:
            self._cache.move_to_end(row)
            return self._cache[row]
        payload = self._inflate(row, message)
        self._cache[row] = payload
        self._held += len(payload.octets)
        while self._held > CACHE and len(self._cache) > 1:
            self._held -= len(self._cache.popitem(last=False)[1].octets)
        return payload

    @cached_property
    def _compressed(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Slots and rows of all compressed messages, sorted by slot, then by row."""
        messages = self.snapshot["messages"]
        places = np.flatnonzero(messages["compressed"])
        slot = messages["channel"][places].astype(np.int64) * 2 + messages["direction"][places]
        order = np.lexsort((places, slot))
        return slot[order], messages.rows()[places[order]]

    def _takeover(self, message: dict[str, int]) -> bool:
        shakes = self.snapshot["handshakes"]
        rows = np.flatnonzero((shakes["channel"] == message["channel"]) & (shakes["deflate"] == 1))
        if not len(rows):
            return True  # no handshake says it; a window that is kept serves a sender that does not use it too
        shake = shakes.row(int(rows[-1]))
        return bool(shake["client_takeover" if message["direction"] == shake["direction"] else "server_takeover"])

    def _inflate(self, row: int, message: dict[str, int]) -> Payload:
        if not self._takeover(message):
            return self._one(message, Inflater())
        if message["inflate"] == CONTEXT_LOST:
            return Payload(b"", False, "an earlier part of the compression context is missing")
        slot = 2 * message["channel"] + message["direction"]
        slots, rows = self._compressed
        low, high = np.searchsorted(slots, [slot, slot + 1])
        mine = rows[low:high]
        target = int(np.searchsorted(mine, row))
        at, inflater, lost = self._resume(slot, mine, target)
        payload = Payload(b"", False, "")
        for index in range(at, target + 1):
            earlier = self.snapshot["messages"].row(int(mine[index]))
            if earlier["inflate"] == CONTEXT_LOST:
                inflater, lost = Inflater(), ""  # as the analysis did, where one that inflates follows
                continue
            if lost:
                told = "an earlier part of the compression context is missing" if lost != EXPIRED else EXPIRED
                payload = Payload(b"", False, told)
                break
            payload = self._one(earlier, inflater)
            lost = "" if payload.whole or payload.why == CUT else payload.why
        self._inflaters[slot] = (target + 1, inflater, lost)
        return payload

    def _resume(self, slot: int, mine: npt.NDArray[np.int64], target: int) -> tuple[int, Inflater, str]:
        """The message to start at, an inflater that stands there, and why the context is lost, if it is."""
        front = EXPIRED if self._began_expired(slot >> 1) else ""
        at, inflater, lost = self._inflaters.get(slot, (0, Inflater(), front))
        if at > target:
            at, inflater, lost = 0, Inflater(), front
        for kept_slot, row, window in self.snapshot.windows:
            if kept_slot == slot:
                behind = int(np.searchsorted(mine, row, side="right"))
                if (at < behind or lost) and behind <= target:
                    at, inflater, lost = behind, Inflater(window), ""
        return at, inflater, lost

    def _one(self, message: dict[str, int], inflater: Inflater) -> Payload:
        octets, whole = self._joined(message, max(LOOK, message["length"]))
        if not whole:
            return Payload(b"", False, self._lacking(message) or "octets are missing from the capture")
        out, more, why = inflater.message(octets, LOOK)
        why = why or (CUT if more else "")
        return Payload(out, not why, why)
