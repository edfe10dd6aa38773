"""What the list of connections shows: WebSocket connections, those that TLS hides, and plain HTTP ones, as columns,
sorted, chosen and grouped."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from analyzer.analysis.encrypted_verdicts import tell_encrypted
from analyzer.analysis.leg_verdicts import legs_of
from analyzer.analysis.snapshot import Snapshot
from analyzer.analysis.verdicts import tell
from analyzer.api import Capture
from analyzer.errors import FilterError
from analyzer.escape import printable
from analyzer.schemas import STATES, VERDICTS
from dissectors.http.secrets import mask_target, mask_text
from dissectors.schemas import NO_TIME
from dissectors.tables import Array

Places = npt.NDArray[np.int64]
BINS = 48
"""Equal parts of the capture's time, for the activity of connections: as many as the widest column has."""
STANDING = tuple(code for code, word in STATES.items() if word in ("connecting", "open"))
MANY = 20_000
"""Connections whose activity is counted in one go: the counts take 4 MB."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the list. `connection` is a row of CONNECTIONS, -1 where it is none; `encrypted` one of ENCRYPTED. A
    connection with plain HTTP only has neither; `channel` is -1 where it has none."""

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
    encrypted: int = -1
    stream: int = -1
    around: str = ""
    """Its place among the legs and views of its session, in a word or two."""


def _around(snapshot: Snapshot, cells: dict[str, int]) -> str:
    """The tunnel that a connection runs in, in words."""
    return f" in {snapshot.text(cells['tunnel'])}" if cells["tunnel"] else ""


class Entries:
    """The rows of one snapshot: WebSocket first as they stand in the capture, then encrypted ones, then plain HTTP."""

    def __init__(self, capture: Capture, plain: bool = True) -> None:
        self.capture = capture
        self.snapshot = capture.snapshot
        self.sockets = len(self.snapshot["connections"])
        self.hidden = len(self.snapshot["encrypted"])
        self._plain = self._plain_channels() if plain else np.empty(0, np.int64)

    def __len__(self) -> int:
        return self.sockets + self.hidden + len(self._plain)

    def _plain_channels(self) -> Places:
        """Channels with exchanges, none of which is a handshake."""
        exchanges = self.snapshot["exchanges"]["channel"]
        seen = np.zeros(int(exchanges.max(initial=-1)) + 1, bool)
        seen[exchanges] = True
        seen[self.snapshot["handshakes"]["channel"]] = False
        return np.flatnonzero(seen)

    # -- one row -----------------------------------------------------------------------------------------------------

    def entry(self, place: int) -> Entry:
        """The row at a place."""
        if place < self.sockets:
            return self._socket(place)
        if place < self.sockets + self.hidden:
            return self._encrypted(place - self.sockets)
        return self._http(int(self._plain[place - self.sockets - self.hidden]))

    def identity(self, place: int) -> tuple[int, int]:
        """What a row is, which another snapshot can be asked for."""
        if place < self.sockets:
            return 0, place
        if place < self.sockets + self.hidden:
            return 1, place - self.sockets
        return 2, int(self._plain[place - self.sockets - self.hidden])

    def place(self, identity: tuple[int, int]) -> int:
        """Where a row stands in this snapshot, -1 if it does not."""
        kind, row = identity
        if kind == 2:
            at = int(np.searchsorted(self._plain, row))
            there = at < len(self._plain) and int(self._plain[at]) == row
            return self.sockets + self.hidden + at if there else -1
        return row + kind * self.sockets if row < (self.sockets, self.hidden)[kind] else -1

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
            self._sentence(row, cells), cells["notes"], stream=cells["stream"],
            around=self._relatives(row, cells),
        )  # fmt: skip

    def _sentence(self, row: int, cells: dict[str, int]) -> str:
        if not self.snapshot.finished and cells["state"] in STANDING:
            return "stands as far as the capture is read"
        return printable(mask_text(tell(self.snapshot, row).sentence))

    def _relatives(self, row: int, cells: dict[str, int]) -> str:
        told = []
        if cells["client_leg"] >= 0 or cells["server_leg"] >= 0:
            legs = legs_of(self.snapshot, row)
            told.append(f"leg {legs.index(row) + 1}/{len(legs)}")
        if cells["other_view"] >= 0 or cells["places"] > 1:
            told.append("seen twice")
        if cells["connect_target"]:
            told.append("in CONNECT")
        return ", ".join(told)

    def _encrypted(self, row: int) -> Entry:
        snapshot = self.snapshot
        cells = snapshot["encrypted"].row(row)
        times = (cells["first_time"], cells["last_time"])
        return Entry(
            -1, -1, f"c{cells['key']}", "encrypted",
            endpoint(snapshot.address(cells["client_address"]), cells["client_port"]),
            endpoint(snapshot.address(cells["server_address"]), cells["server_port"]) + _around(snapshot, cells),
            printable(snapshot.text(cells["server_name"])), printable(snapshot.text(cells["protocols"])), False, (0, 0),
            (cells["client_seen"], cells["server_seen"]), times[0],
            -1 if NO_TIME in times else max(times[1] - times[0], 0),
            printable(tell_encrypted(snapshot, row).sentence), 0, encrypted=row, stream=cells["stream"],
            around="in CONNECT" if cells["connect_target"] else "",
        )  # fmt: skip

    def _compressed(self, row: int, cells: dict[str, int], shake: dict[str, int]) -> bool:
        """Whether it was agreed; where nobody saw that, whether a message is."""
        if shake["status"] or cells["state"] == 0:
            return bool(shake["deflate"])
        return bool(self.snapshot["messages"]["compressed"][self.rows_of("messages", row)].any())

    def _http(self, channel: int) -> Entry:
        snapshot, exchanges = self.snapshot, self.snapshot["exchanges"]
        rows = self.exchanges_of(channel)
        first, last = (exchanges.row(int(exchanges.rows()[place])) for place in (rows[0], rows[-1]))
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
            printable(f"{snapshot.text(first['method'])} {status}{style}{more}"), 0, stream=where["stream"],
        )  # fmt: skip

    @cached_property
    def _owners(self) -> dict[int, int]:
        """By channel, the connection that what crossed it belongs to: the last one (a 401, then another try)."""
        return dict(zip(self.snapshot["connections"]["channel"].tolist(), range(self.sockets), strict=True))

    def rows_of(self, table: str, connection: int) -> Places:
        """Places of a connection's rows in a table whose rows have a channel. One look at a column is a hundred times
        cheaper than to sort the table, and a snapshot is overtaken by the next one."""
        channel = int(self.snapshot["connections"]["channel"][connection])
        if self._owners[channel] != connection:
            return np.empty(0, np.int64)
        return np.flatnonzero(self.snapshot[table]["channel"] == channel)

    @cached_property
    def _exchange_order(self) -> tuple[Places, Array]:
        channel = self.snapshot["exchanges"]["channel"]
        order = np.argsort(channel, kind="stable")
        return order, channel[order]

    def exchanges_of(self, channel: int) -> Places:
        """Places of a channel's exchanges in EXCHANGES."""
        order, channels = self._exchange_order
        low, high = np.searchsorted(channels, [channel, channel + 1])
        found: Places = order[low:high]
        return found

    def place_of(self, entry: Entry) -> int:
        """Where a row stands; -1 where it does not."""
        if entry.connection >= 0:
            return self.place((0, entry.connection))
        return self.place((1, entry.encrypted) if entry.encrypted >= 0 else (2, entry.channel))

    def named(self, key: str) -> Entry | None:
        """The row of a connection's name; None where there is none."""
        word, _, number = key.rpartition(" ")
        if word == "tcp" and number.isdecimal():
            streams = self.snapshot["channels"]["stream"][self._plain]
            found = np.flatnonzero(streams == int(number)) + self.sockets + self.hidden
        elif key[:1] == "c" and key[1:].isdecimal():
            keys = np.concatenate([self.snapshot[table]["key"] for table in ("connections", "encrypted")])
            found = np.flatnonzero(keys == int(key[1:]))
        else:
            return None
        return self.entry(int(found[0])) if len(found) else None

    # -- activity ----------------------------------------------------------------------------------------------------

    @cached_property
    def span(self) -> tuple[int, int]:
        """The capture's time, ns since 1970."""
        traffic = self.snapshot.traffic
        return (traffic.first_time, max(traffic.last_time, traffic.first_time + 1))

    @cached_property
    def _counts(self) -> Array | None:
        """Messages by channel and part of the capture's time; None where there are too many channels."""
        channels = len(self.snapshot["channels"])
        if channels > MANY:
            return None
        messages = self.snapshot["messages"]
        known = messages["time"] != NO_TIME
        bins = self._bins(messages["time"], BINS)
        cells = np.bincount((messages["channel"].astype(np.int64) * BINS + bins)[known], minlength=channels * BINS)
        return cells.astype(np.uint32).reshape(channels, BINS)

    def _bins(self, times: Array, bins: int) -> Array:
        start, stop = self.span
        found: Array = np.clip((times - start) // max((stop - start) // bins, 1), 0, bins - 1)
        return found

    def activity(self, entry: Entry, bins: int) -> list[int]:
        """Messages (of plain HTTP: exchanges) in equal parts of the capture's time, at most `BINS`."""
        if entry.encrypted >= 0:
            return [0] * bins
        if entry.connection >= 0 and self._counts is not None:
            fine = self._counts[entry.channel] * (self._owners[entry.channel] == entry.connection)
            found: list[int] = np.add.reduceat(fine, np.arange(bins) * BINS // bins).tolist()
            return found
        if entry.connection >= 0:
            times = self.snapshot["messages"]["time"][self.rows_of("messages", entry.connection)]
        else:
            times = self.snapshot["exchanges"]["request_time"][self.exchanges_of(entry.channel)]
        counts: list[int] = np.bincount(self._bins(times[times != NO_TIME], bins), minlength=bins).tolist()
        return counts

    def warm(self) -> None:
        """Compute what showing the list will ask for: in the reading thread, so that the screen does not wait."""
        if self.sockets:
            self._counts  # noqa: B018

    # -- order and choice --------------------------------------------------------------------------------------------

    def choose(self, expression: str, plain: bool) -> Places:
        """Places that a filter holds for. Plain HTTP has none of the columns of connections: a filter leaves it out;
        and encrypted ones too, where it asks for a column that they lack.

        Raises: FilterError where it does not compile.
        """
        if not expression:
            return np.arange(len(self) if plain else self.sockets + self.hidden)
        found = [np.flatnonzero(self.capture.view("connections").select(expression))]
        if self.hidden:
            with suppress(FilterError):
                found.append(self.sockets + np.flatnonzero(self.capture.view("encrypted").select(expression)))
        return np.concatenate(found)

    def order(self, places: Places, by: str, reverse: bool) -> Places:
        """Places sorted by a column of `ORDERS`; equal ones stay in the order of the capture."""
        keys = ORDERS[by](self)[places]
        order = np.argsort(keys, kind="stable")
        if reverse:
            order = np.argsort(-order_of(keys), kind="stable")
        return places[order]

    def numbers(self, name: str, fill: int = 0) -> Array:
        """A column of CONNECTIONS as the view has it, or of ENCRYPTED, `fill` where a row has none."""
        column = self.capture.view("connections").column(name).astype(np.int64)
        hidden = np.full(self.hidden, fill, np.int64)
        if self.hidden and self.capture.view("encrypted").field(name) is not None:
            hidden = self.capture.view("encrypted").column(name).astype(np.int64)
        return np.concatenate([column, hidden, np.full(len(self._plain), fill, np.int64)])

    def octets(self) -> Array:
        """Octets both ways; of encrypted connections those of TCP."""
        sockets = self.numbers("client_octets") + self.numbers("server_octets")
        return sockets + np.where(np.arange(len(self)) < self.sockets, 0,
                                  self.numbers("client_seen") + self.numbers("server_seen"))  # fmt: skip

    def texts(self, name: str) -> Array:
        """The rank of each row's text."""
        return order_of(np.array(self.words(name)))

    def words(self, name: str) -> list[str]:
        """Each row's text, empty where it has none."""
        values = [str(value or "") for value in self.capture.view("connections").values(name, np.arange(self.sockets))]
        hidden = [""] * self.hidden
        if self.hidden and name in ("client", "server"):
            numbers = self.snapshot["encrypted"][f"{name}_address"].tolist()
            hidden = [self.snapshot.address(number) for number in numbers]
        elif self.hidden and name in HIDDEN_NAMES:
            codes = self.snapshot["encrypted"][HIDDEN_NAMES[name]].tolist()
            hidden = [self.snapshot.text(code) for code in codes]
        return [*values, *hidden, *[""] * len(self._plain)]

    def deflate(self) -> Array:
        """Whether compression was agreed."""
        agreed = self.snapshot["handshakes"].take("deflate", self.snapshot["connections"]["handshake"])
        return np.concatenate([agreed.astype(np.int64), np.zeros(len(self) - self.sockets, np.int64)])

    def verdict(self, entry: Entry) -> str:
        """The kind of a row's end, in a few words."""
        if entry.connection < 0:
            return entry.state if entry.encrypted >= 0 else "plain HTTP"
        cells = self.snapshot["closes"].row(entry.connection)
        code = f" {cells['close_code']}" if cells["close_code"] >= 0 else ""
        return VERDICTS[cells["verdict"]].replace("-", " ") + code

    # -- groups ------------------------------------------------------------------------------------------------------

    def groups(self, places: Places, by: str) -> list[tuple[str, Places]]:
        """Places by what they share, in the order of the first of each; places of a group keep their order."""
        _, first, which = np.unique(GROUPS[by][0](self)[places], return_index=True, return_inverse=True)
        order = np.argsort(which, kind="stable")
        parts = np.split(places[order], np.cumsum(np.bincount(which))[:-1]) if len(places) else []
        named = [(int(at), GROUPS[by][1](self, self.entry(int(part[0]))), part)
                 for at, part in zip(first.tolist(), parts, strict=True)]  # fmt: skip
        return [(name, part) for _, name, part in sorted(named, key=lambda group: group[0])]

    def servers(self) -> Array:
        """One number for each server's address and port."""
        known = [self.snapshot[table][f"server_{part}"].astype(np.int64)
                 for part in ("address", "port") for table in ("connections", "encrypted")]  # fmt: skip
        channels, streams = self.snapshot["channels"], self.snapshot["streams"]
        stream = channels["stream"][self._plain].astype(np.int64)
        second = channels["client"][self._plain] == 0
        plain = [np.where(second, streams.take(f"{part}_1", stream), streams.take(f"{part}_0", stream)).astype(np.int64)
                 for part in ("address", "port")]  # fmt: skip
        found: Array = np.concatenate([*known[:2], plain[0]]) << 16 | np.concatenate([*known[2:], plain[1]])
        return found

    def verdicts(self) -> Array:
        """One number for each kind of end with its code."""
        closes = self.snapshot["closes"]
        sockets = closes["verdict"].astype(np.int64) << 16 | closes["close_code"] & 0xFFFF
        return np.concatenate([sockets, np.full(self.hidden, -2), np.full(len(self._plain), -1)])


HIDDEN_NAMES = {"path": "server_name", "subprotocol": "protocols"}
"""What the list shows of encrypted connections instead."""
GROUPS: dict[str, tuple[Callable[[Entries], Array], Callable[[Entries, Entry], str]]] = {
    "server": (Entries.servers, lambda entries, entry: entry.server),
    "path": (
        lambda entries: order_of(np.array([word.partition("?")[0] for word in entries.words("path")])),
        lambda entries, entry: entry.path.partition("?")[0] if entry.encrypted >= 0 or entry.connection >= 0 else "",
    ),
    "verdict": (Entries.verdicts, lambda entries, entry: entries.verdict(entry)),
}
"""What the list can be grouped by: a number for each row, and the name of a row's group."""


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
    "deflate": Entries.deflate,
    "messages": lambda entries: entries.numbers("client_messages") + entries.numbers("server_messages"),
    "octets": Entries.octets,
    "lasted": lambda entries: entries.numbers("duration", -1),
    "activity": lambda entries: entries.numbers("last_time", 2**62),
    "verdict": lambda entries: entries.numbers("verdict", 99),
    "notes": lambda entries: entries.numbers("notes"),
}
"""Columns that the list can be sorted by; activity is by the last sign of life."""


def endpoint(address: str, port: int) -> str:
    """An address with its port (RFC 3986 §3.2.2)."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
