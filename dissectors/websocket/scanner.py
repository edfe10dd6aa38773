"""The frame walk as a stream dissector: one direction of octets, cut anywhere (see `dissectors.contract`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dissectors.contract import Observation, Reason, Scan
from dissectors.notes import Note
from dissectors.schemas import FRAMES
from dissectors.tables import Array
from dissectors.websocket.frame_walk import Directions, Events, FrameRows, NoteRows, Parked, walk
from dissectors.websocket.modes import HEADER, PAYLOAD

COLUMNS = ("opcode", "fin", "rsv", "masked", "mask_key", "header_length", "payload_length", "missing", "offset",
           "recovered")  # fmt: skip
"""The columns of FRAMES that one direction's octets tell."""
DATA, GAP = 0, 1


@dataclass(frozen=True, slots=True)
class FrameScanner:
    """Reads the frames of one direction (RFC 6455 §5.2). `client`: the sender is the client; `defined`: reserved bits
    that the agreed extensions define, 4 is RSV1."""

    client: bool
    deflate: bool = False
    defined: int = 0

    name = "websocket-frames"
    schema = FRAMES

    def begin(self, at: int) -> Directions:
        """The state before the first octet."""
        state = Directions()
        cells = (at, self.client, self.deflate, self.defined | 4 * self.deflate)
        state.extend(*(np.array([cell]) for cell in cells))
        return state

    def scan(self, data: memoryview, at: int, state: Directions) -> Scan[Directions]:
        """Frames that end in `data`, which stands at stream offset `at`."""
        return self._walk(data, DATA, at, len(data), state)

    def gap(self, length: int, at: int, state: Directions) -> Scan[Directions]:
        """`length` octets are missing at `at`."""
        return self._walk(memoryview(b""), GAP, at, length, state)

    def close(self, state: Directions, reason: Reason) -> Scan[Directions]:
        """The direction ended: a frame that is not complete becomes a note."""
        cells = {name: int(values[0]) for name, values in state.whole.items()}
        if cells["mode"] == PAYLOAD or (cells["mode"] == HEADER and cells["filled"]):
            start = cells["start"]
            notes: tuple[Observation, ...] = (Observation(Note.FRAME_CUT, start, cells["at"] - start),)
        else:
            notes = ()
        return Scan({name: np.empty(0, FRAMES[name].dtype) for name in COLUMNS}, notes, 0, 0, state)

    def _walk(self, data: memoryview, kind: int, at: int, length: int, state: Directions) -> Scan[Directions]:
        rows, events, notes = FrameRows(), Events(), NoteRows()

        def one(value: int, dtype: str = "i8") -> memoryview:
            return np.array([value], dtype).data

        walk(
            state,
            rows,
            events,
            notes,
            Parked(),
            data,
            one(0),
            one(kind, "u1"),
            one(at),
            one(length),
            one(0),
            one(0),
            one(0),
            one(0),
            one(0),
            0,
        )
        found = tuple(
            Observation(Note(code), offset, size)
            for code, offset, size in zip(
                notes.column("code").tolist(), notes.column("offset").tolist(), notes.column("length").tolist(),
                strict=True,
            )
        )  # fmt: skip
        mode = int(state.whole["mode"][0])
        need = max(int(state.whole["remaining"][0]), 1) if mode == PAYLOAD else 1
        return Scan(frame_columns(rows), found, length, need, state)


def frame_columns(rows: FrameRows) -> dict[str, Array]:
    """The columns of FRAMES that a walk's rows tell."""
    first, second = rows.column("first"), rows.column("second")
    columns = {
        "opcode": first & 15, "fin": first >> 7, "rsv": (first >> 4) & 7, "masked": second >> 7,
        "mask_key": rows.column("key"), "header_length": rows.column("header_length"),
        "payload_length": rows.column("length").view(np.uint64), "missing": rows.column("missing"),
        "offset": rows.column("offset"), "recovered": rows.column("recovered"),
    }  # fmt: skip
    return {name: column.astype(FRAMES[name].dtype) for name, column in columns.items()}
