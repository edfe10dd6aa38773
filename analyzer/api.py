"""The Python API: a capture, its connections, their frames and messages, as objects for people.

    capture = analyzer.open("capture.pcapng")
    for connection in capture.connections:
        print(connection.key, connection.path, connection.close.verdict)

Objects are made when somebody asks for them. Loops over many rows belong on columns: `capture.table("frames")`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, Self, TypeVar, overload

import numpy as np

from analyzer.analysis.contents import Contents, Payload
from analyzer.analysis.pipeline import analyze
from analyzer.analysis.snapshot import Snapshot
from analyzer.analysis.verdicts import Evidence, tell
from analyzer.bundled import resolve
from analyzer.capture.files import open_source
from analyzer.views import View
from dissectors.tables import Array, Table


class Row:
    """One row of a table: every declared or derived field is an attribute (see `framescope filters`), as a plain value;
    absent values are None."""

    __slots__ = ("_capture", "_place", "_view")

    def __init__(self, capture: Capture, view: View, place: int) -> None:
        self._capture = capture
        self._view = view
        self._place = place

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or self._view.field(name) is None:
            raise AttributeError(f"{self._view.name} have no {name!r}")
        return self._view.values(name, np.array([self._place]))[0]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._view.names()]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._view.record(self._place)}>"

    @property
    def row(self) -> int:
        """Its number in its table."""
        return int(self._view.rows[self._place])

    def record(self) -> dict[str, Any]:
        """All fields as JSON Lines has them."""
        return self._view.record(self._place)


class Frame(Row):
    """A WebSocket frame (RFC 6455 §5.2)."""

    @property
    def payload(self) -> bytes:
        """The payload, unmasked, not inflated."""
        return self._view.contents.frame_payload(self.row)

    @property
    def wire(self) -> bytes:
        """The frame as it crossed the wire, header first."""
        return self._view.contents.frame_wire(self.row)


class Message(Row):
    """A message or control frame: fragments joined, inflated (RFC 6455 §5.4, RFC 7692)."""

    @property
    def content(self) -> Payload:
        """The payload, and whether it is whole."""
        return self._view.contents.message_payload(self.row)

    @property
    def payload(self) -> bytes:
        """The payload, unmasked and inflated."""
        return self.content.octets

    @property
    def text(self) -> str:
        """The payload as text; what is not UTF-8 is replaced."""
        return self.payload.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Close:
    """How a connection ended. Codes are those of RFC 6455 §7.4; None is absent."""

    verdict: str
    """One sentence."""
    evidence: tuple[Evidence, ...]
    code: int | None
    """Of the first Close frame, as on the wire."""
    reason: str
    by: str | None
    """Who sent the first Close frame: client or server."""
    reported_by_client: int | None
    """What the client's API reports: 1005 and 1006 included, which never are on the wire."""
    reported_by_server: int | None


class Connection(Row):
    """A WebSocket session."""

    @property
    def key(self) -> str:
        """Its stable name, as `c24`."""
        return str(self.connection)

    @property
    def close(self) -> Close:
        """How it ended."""
        row = self._view.snapshot["closes"].row(self.row)
        told = tell(self._view.snapshot, self.row)

        def known(name: str) -> int | None:
            return None if row[name] < 0 else row[name]

        return Close(
            told.sentence, told.evidence, known("close_code"), self._view.text(row["close_reason"]), self.close_by,
            known("client_reported"), known("server_reported"),
        )  # fmt: skip

    @property
    def handshake(self) -> Row:
        """Its opening handshake."""
        return Row(self._capture, self._capture.view("handshakes"), self.row)

    @property
    def frames(self) -> Rows[Frame]:
        """Its frames, in the order in which they were complete."""
        return Rows(self._capture, "frames", Frame, self._capture.places("frames", self._channel))

    @property
    def messages(self) -> Rows[Message]:
        """Its messages and control frames, likewise."""
        return Rows(self._capture, "messages", Message, self._capture.places("messages", self._channel))

    @property
    def _channel(self) -> int:
        return int(self._view.table["channel"][self._place])


Kind = TypeVar("Kind", bound=Row)


class Rows(Sequence[Kind]):
    """The rows of a table, or those that a filter holds for."""

    def __init__(self, capture: Capture, table: str, kind: type[Kind], places: Array | None = None) -> None:
        self._capture = capture
        self._table = table
        self._kind = kind
        self._view = capture.view(table)
        self._places = np.arange(len(self._view)) if places is None else places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Kind: ...

    @overload
    def __getitem__(self, index: slice) -> Rows[Kind]: ...

    def __getitem__(self, index: int | slice) -> Kind | Rows[Kind]:
        if isinstance(index, slice):
            return Rows(self._capture, self._table, self._kind, self._places[index])
        return self._kind(self._capture, self._view, int(self._places[index]))

    def where(self, text: str) -> Rows[Kind]:
        """The rows for which a filter holds.

        Raises: FilterError where it does not compile.
        """
        mask = self._view.select(text)
        return Rows(self._capture, self._table, self._kind, self._places[mask[self._places]])


class Capture:
    """An analysed capture. Closing it closes the files; what was not fetched before cannot be fetched after."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._contents = Contents(snapshot)
        self._views: dict[str, View] = {}
        self._orders: dict[str, tuple[Array, Array]] = {}

    def view(self, table: str) -> View:
        """A table with its derived fields."""
        if table not in self._views:
            self._views[table] = View(self.snapshot, table, self._contents)
        return self._views[table]

    def places(self, table: str, channel: int) -> Array:
        """Places of a channel's rows in a table. The table is sorted by channel once."""
        if table not in self._orders:
            whole = self.snapshot[table]["channel"]
            order = np.argsort(whole, kind="stable")
            self._orders[table] = (order, whole[order])
        order, channels = self._orders[table]
        low, high = np.searchsorted(channels, [channel, channel + 1])
        found: Array = order[low:high]
        return found

    def table(self, name: str) -> Table:
        """A table: `table["column"]` is a numpy array over all its rows."""
        return self.snapshot[name]

    @property
    def connections(self) -> Rows[Connection]:
        """WebSocket connections."""
        return Rows(self, "connections", Connection)

    @property
    def frames(self) -> Rows[Frame]:
        """WebSocket frames of all connections."""
        return Rows(self, "frames", Frame)

    @property
    def messages(self) -> Rows[Message]:
        """WebSocket messages of all connections."""
        return Rows(self, "messages", Message)

    @property
    def handshakes(self) -> Rows[Row]:
        """WebSocket opening handshakes."""
        return Rows(self, "handshakes", Row)

    @property
    def exchanges(self) -> Rows[Row]:
        """HTTP requests with their responses."""
        return Rows(self, "exchanges", Row)

    @property
    def notes(self) -> Rows[Row]:
        """Observations."""
        return Rows(self, "notes", Row)

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """What could not be read of the capture."""
        return self.snapshot.problems

    def close(self) -> None:
        """Close the files."""
        self.snapshot.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_capture(*paths: str | os.PathLike[str]) -> Capture:
    """Read a capture, or several as one, to the end. `sample:tour` opens a bundled one.

    Raises: CaptureError where one is missing, unreadable, empty or not a capture.
    """
    return Capture(analyze(open_source([resolve(os.fspath(path)) for path in paths])))
