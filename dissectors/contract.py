"""The contracts that every dissector keeps, built in or from a plugin.

A stream dissector sees one direction of octets and nothing else. For every one of them holds, and is tested:

- it never raises on octets; what is wrong becomes a note, and reading goes on;
- rows and notes are the same however the octets are cut into calls of `scan`;
- every octet is explained once: by a row, or as opaque;
- it makes progress: it consumes octets, or says how many it needs;
- what it does in one direction does not depend on the other;
- every row leads back to its octets by offset and length;
- it uses no clock, file, environment or global;
- after a gap it goes on where it can, and says so where it cannot;
- what it holds is bounded.

A dialogue dissector (HTTP) is fed both directions, in any interleaving, with the same result. A message dissector looks
at one whole payload on demand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, NamedTuple, Protocol, TypeVar

from dissectors.notes import Note
from dissectors.tables import Array, Schema

State = TypeVar("State")


class Reason(Enum):
    """Why a direction ended."""

    END = "FIN"
    RESET = "RST"
    CAPTURE = "the capture ended"


class Observation(NamedTuple):
    """One observation of a dissector; `offset` and `length` in octets of the direction."""

    note: Note
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Scan(Generic[State]):
    """What a call of `scan` found. `consumed` octets of the data need not be given again; `need` more octets, at
    least, must follow before there can be another row."""

    rows: Mapping[str, Array]
    notes: tuple[Observation, ...]
    consumed: int
    need: int
    state: State


class StreamDissector(Protocol[State]):
    """Reads one direction."""

    name: str
    schema: Schema

    def begin(self, at: int) -> State:
        """The state at stream offset `at`, before any octet."""

    def scan(self, data: memoryview, at: int, state: State) -> Scan[State]:
        """Read the octets that stand at stream offset `at`. The state passes from call to call and is not to be used
        twice."""

    def gap(self, length: int, at: int, state: State) -> Scan[State]:
        """`length` octets at `at` are missing."""

    def close(self, state: State, reason: Reason) -> Scan[State]:
        """Nothing follows: whatever is unfinished becomes rows or notes."""


@dataclass(frozen=True, slots=True)
class Field:
    """A node of a dissected payload: a name, a value for people, and the octets `start:stop` that it stands for."""

    name: str
    value: str
    start: int
    stop: int
    children: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Dissection:
    """What a message dissector says of a payload."""

    summary: str
    fields: tuple[Field, ...] = ()
    notes: tuple[Observation, ...] = field(default=())


class MessageDissector(Protocol):
    """Reads one payload, when somebody looks."""

    name: str

    def claim(self, context: Mapping[str, str], sample: bytes) -> float:
        """How sure it is that payloads are its own: below 0 not at all, 1 where the handshake says so."""

    def dissect(self, payload: bytes, context: Mapping[str, str]) -> Dissection:
        """What the payload says."""
