"""What the list of connections shows: WebSocket connections and plain HTTP ones, as columns, sorted and chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from analyzer.analysis.snapshot import Snapshot
from analyzer.analysis.verdicts import tell
from analyzer.api import Capture
from analyzer.escape import printable
from analyzer.schemas import STATES
from dissectors.http.secrets import mask_target, mask_text
from dissectors.schemas import NO_TIME
from dissectors.tables import Array

Places = npt.NDArray[np.int64]
BINS = 512
"""Of the capture's time, for the activity of connections."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the list. `connection` is a row of CONNECTIONS, -1 for a connection with plain HTTP only."""

    connection: int
    channel: int
    key: str
    state: str
    client: str
    server: str
    path: str
    subprotocol: str
    compressed: bool
    messages: tuple[int, int]
    octets: tuple[int, int]
    first: int
    """ns since 1970."""
    lasted: int
    """ns, -1 where not known."""
    verdict: str
    notes: int


def _around(snapshot: Snapshot, cells: dict[str, int]) -> str:
    """The tunnel that a connection runs in, in words."""
    return f" in {snapshot.text(cells['tunnel'])}" if cells["tunnel"] else ""


class Entries:
    """The rows of one snapshot, WebSocket first as they stand in the capture, then plain HTTP connections."""

    def __init__(self, capture: Capture, plain: bool = True) -> None:
        self.capture = capture
        self.snapshot = capture.snapshot
        self.sockets = len(self.snapshot["connections"])
        self._plain = self._plain_channels() if plain else np.empty(0, np.int64)

    def __len__(self) -> int:
        return self.sockets + len(self._plain)

    def _plain_channels(self) -> Places:
        """Channels with exchanges, none of which is a handshake."""
        channels = np.unique(self.snapshot["exchanges"]["channel"]).astype(np.int64)
        found: Places = np.setdiff1d(channels, self.snapshot["handshakes"]["channel"])
        return found

    # -- one row -----------------------------------------------------------------------------------------------------

    def entry(self, place: int) -> Entry:
        """The row at a place."""
        return self._socket(place) if place < self.sockets else self._http(int(self._plain[place - self.sockets]))

    def _socket(self, row: int) -> Entry:
        snapshot = self.snapshot
        cells = snapshot["connections"].row(row)
        shake = snapshot.handshake(cells)
        times = (cells["first_time"], cells["last_time"])
        return Entry(
            row, cells["channel"], f"c{cells['key']}", STATES[cells["state"]],
            endpoint(snapshot.address(cells["client_address"]), cells["client_port"]),
            endpoint(snapshot.address(cells["server_address"]), cells["server_port"]) + _around(snapshot, cells),
            printable(mask_target(snapshot.text(shake["target"]))), printable(snapshot.text(shake["subprotocol"])),
            self._compressed(row, cells, shake), (cells["client_messages"], cells["server_messages"]),
            (cells["client_octets"], cells["server_octets"]), times[0],
            -1 if NO_TIME in times else max(times[1] - times[0], 0),
            printable(mask_text(tell(snapshot, row).sentence)), cells["notes"],
        )  # fmt: skip

    def _compressed(self, row: int, cells: dict[str, int], shake: dict[str, int]) -> bool:
        """Whether it was agreed; where nobody saw that, whether a message is."""
        if shake["status"] or cells["state"] == 0:
            return bool(shake["deflate"])
        return bool(self.snapshot["messages"]["compressed"][self.capture._places_of("messages", row)].any())

    def _http(self, channel: int) -> Entry:
        snapshot, exchanges = self.snapshot, self.snapshot["exchanges"]
        rows = self.exchanges_of(channel)
        first, last = exchanges.row(int(rows[0])), exchanges.row(int(rows[-1]))
        where = snapshot["channels"].row(channel)
        stream = snapshot["streams"].row(where["stream"])
        ends = [endpoint(snapshot.address(stream[f"address_{side}"]), stream[f"port_{side}"]) for side in (0, 1)]
        status = str(first["status"]) if first["status"] else "no response"
        style = {3: ", long poll by its wait", 4: ", webhook by its headers"}.get(first["style"], "")
        more = f", {len(rows) - 1} more" if len(rows) > 1 else ""
        times = (first["request_time"], last["last_time"])
        octets = [int(np.maximum(exchanges[name][rows], 0).sum()) for name in ("request_body", "response_body")]
        return Entry(
            -1, channel, f"tcp {where['stream']}", "http", ends[where["client"]], ends[1 - where["client"]],
            printable(mask_target(snapshot.text(first["target"]))), "", False, (len(rows), len(rows)),
            (octets[0], octets[1]), times[0], -1 if NO_TIME in times else max(times[1] - times[0], 0),
            printable(f"{snapshot.text(first['method'])} {status}{style}{more}"), 0,
        )  # fmt: skip

    @cached_property
    def _exchange_order(self) -> tuple[Places, Array]:
        channel = self.snapshot["exchanges"]["channel"]
        order = np.argsort(channel, kind="stable")
        return order, channel[order]

    def exchanges_of(self, channel: int) -> Places:
        """Rows of EXCHANGES of a channel."""
        order, channels = self._exchange_order
        low, high = np.searchsorted(channels, [channel, channel + 1])
        found: Places = order[low:high]
        return found

    def place(self, entry: Entry) -> int:
        """Where a row stands; -1 where it does not."""
        if entry.connection >= 0:
            return entry.connection
        found = np.flatnonzero(self._plain == entry.channel)
        return self.sockets + int(found[0]) if len(found) else -1

    def named(self, key: str) -> Entry | None:
        """The row of a connection's name; None where there is none."""
        word, _, number = key.rpartition(" ")
        if word == "tcp" and number.isdecimal():
            streams = self.snapshot["channels"]["stream"][self._plain]
            found = np.flatnonzero(streams == int(number)) + self.sockets
        elif key[:1] == "c" and key[1:].isdecimal():
            found = np.flatnonzero(self.snapshot["connections"]["key"] == int(key[1:]))
        else:
            return None
        return self.entry(int(found[0])) if len(found) else None

    # -- activity ----------------------------------------------------------------------------------------------------

    @cached_property
    def span(self) -> tuple[int, int]:
        """The capture's time, ns since 1970."""
        traffic = self.snapshot.traffic
        return (traffic.first_time, max(traffic.last_time, traffic.first_time + 1))

    def activity(self, entry: Entry, bins: int) -> list[int]:
        """Messages (of plain HTTP: exchanges) in equal parts of the capture's time."""
        table = self.snapshot["messages" if entry.connection >= 0 else "exchanges"]
        rows = (
            self.capture._places_of("messages", entry.connection)
            if entry.connection >= 0
            else self.exchanges_of(entry.channel)
        )
        times = table["time" if entry.connection >= 0 else "request_time"][rows]
        times = times[times != NO_TIME]
        counts, _ = np.histogram(times - self.span[0], bins=bins, range=(0, self.span[1] - self.span[0]))
        return [int(count) for count in counts]

    # -- order and choice --------------------------------------------------------------------------------------------

    def choose(self, expression: str, plain: bool) -> Places:
        """Places that a filter holds for. Plain HTTP has none of the columns of connections: a filter leaves it out.

        Raises: FilterError where it does not compile.
        """
        if expression:
            return np.flatnonzero(self.capture.view("connections").select(expression))
        return np.arange(len(self) if plain else self.sockets)

    def order(self, places: Places, by: str, reverse: bool) -> Places:
        """Places sorted by a column of `ORDERS`; equal ones stay in the order of the capture."""
        keys = ORDERS[by](self)[places]
        order = np.argsort(keys, kind="stable")
        if reverse:
            order = np.argsort(-order_of(keys), kind="stable")
        return places[order]

    def numbers(self, name: str, fill: int = 0) -> Array:
        """A column of CONNECTIONS as the view has it, `fill` for plain HTTP."""
        column = self.capture.view("connections").column(name).astype(np.int64)
        return np.concatenate([column, np.full(len(self._plain), fill, np.int64)])

    def texts(self, name: str) -> Array:
        """The rank of each row's text."""
        values = [str(value or "") for value in self.capture.view("connections").values(name, np.arange(self.sockets))]
        _, ranks = np.unique(np.array([*values, *[""] * len(self._plain)]), return_inverse=True)
        return ranks


def order_of(keys: Array) -> Array:
    """Ranks, so that any key can be turned round."""
    _, ranks = np.unique(keys, return_inverse=True)
    return ranks


ORDERS: dict[str, Callable[[Entries], Array]] = {
    "start": lambda entries: entries.numbers("first_time", 2**62),
    "state": lambda entries: entries.numbers("state", 99),
    "client": lambda entries: entries.texts("client"),
    "server": lambda entries: entries.texts("server"),
    "path": lambda entries: entries.texts("path"),
    "subprotocol": lambda entries: entries.texts("subprotocol"),
    "messages": lambda entries: entries.numbers("client_messages") + entries.numbers("server_messages"),
    "octets": lambda entries: entries.numbers("client_octets") + entries.numbers("server_octets"),
    "lasted": lambda entries: entries.numbers("duration", -1),
    "verdict": lambda entries: entries.numbers("verdict", 99),
    "notes": lambda entries: entries.numbers("notes"),
}
"""Columns that the list can be sorted by."""


def endpoint(address: str, port: int) -> str:
    """An address with its port (RFC 3986 §3.2.2)."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
