"""What a name in a filter stands for: its kind decides which values it can be compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dissectors.tables import Array, Column


class Kind(Enum):
    """What kind of value a field holds."""

    NUMBER = "a number"
    OCTETS = "a number of octets"
    DURATION = "a duration"
    TIME = "a time"
    WORD = "a word"
    FLAG = "yes or no"
    TEXT = "a text"
    ADDRESS = "an address"
    CONNECTION = "a connection"
    PAYLOAD = "octets"


@dataclass(frozen=True, slots=True)
class Field:
    """A field: one column, or several of which any may match (both ends of a connection)."""

    name: str
    kind: Kind
    doc: str
    null: int | None = None
    words: Mapping[int, str] | None = None
    parts: tuple[str, ...] = ()
    """The columns that stand for it; empty: its own."""


class Columns(Protocol):
    """The rows that a filter is asked about."""

    def __len__(self) -> int: ...

    def field(self, name: str) -> Field | None:
        """The field of a name."""

    def names(self) -> Iterable[str]:
        """All names."""

    def elsewhere(self, name: str) -> Sequence[str]:
        """Other tables that have a field of a name."""

    def column(self, name: str) -> Array:
        """One value a row."""

    def text(self, code: int) -> str:
        """The text of a code."""

    def address(self, number: int) -> str:
        """The address of a number."""

    def payloads(self, rows: npt.NDArray[np.int64]) -> Iterator[bytes]:
        """The octets of rows (by their place in the columns)."""

    def first_time(self) -> int:
        """The time of the capture's first packet, ns since 1970."""


def kind_of(column: Column) -> Kind:
    """The kind of a declared column."""
    if column.text:
        return Kind.TEXT
    if column.flag:
        return Kind.FLAG
    if column.values is not None:
        return Kind.WORD
    return {
        "octets": Kind.OCTETS, "ns": Kind.DURATION, "ns since 1970": Kind.TIME, "address": Kind.ADDRESS,
    }.get(column.unit, Kind.NUMBER)  # fmt: skip


ALIASES: dict[str, str] = {
    "websocket.opcode": "opcode",
    "websocket.fin": "fin",
    "websocket.rsv": "rsv",
    "websocket.mask": "masked",
    "websocket.masking_key": "mask_key",
    "websocket.payload_length": "length",
    "websocket.payload": "payload",
    "websocket.payload.text": "payload",
    "websocket.payload.close.status_code": "close_code",
    "websocket.payload.close.reason": "close_reason",
    "tcp.stream": "stream",
    "tcp.port": "port",
    "ip.addr": "host",
    "ipv6.addr": "host",
    "frame.number": "packet",
    "frame.time_epoch": "time",
    "http.request.uri": "path",
    "http.request.method": "method",
    "http.response.code": "status",
    "http.host": "http_host",
    "http.user_agent": "user_agent",
    "http.sec_websocket_protocol": "subprotocol",
}
"""Wireshark's names for what has another name here."""
