"""What views read: every table as it stood at one moment, and the way back to the octets. Nothing here changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analyzer.capture.records import Comment, Source
from analyzer.packets.addresses import AddressBook
from analyzer.schemas import STATES
from dissectors.schemas import ACCEPTED, HANDSHAKES
from dissectors.tables import Strings, Table

OPENED = tuple(code for code, word in STATES.items() if word in ("open", "closed", "died"))


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the capture holds besides WebSocket, for answering why a connection is not shown."""

    packets: int = 0
    """Captured records of any kind."""
    first_time: int = 0
    last_time: int = 0
    """Capture time of the first and the last record that has one, in ns since 1970; 0 where none has."""
    kinds: Mapping[str, int] = field(default_factory=dict)
    """Records by kind (words of `schemas.KINDS`)."""
    links: Mapping[int, int] = field(default_factory=dict)
    """Records by LINKTYPE number that has no decoder."""
    protocols: Mapping[str, int] = field(default_factory=dict)
    """TCP connections by what their first octets look like: http, websocket (its handshake is not in
    the capture), websocket-middle (perhaps), tls, http2, ssh, nothing, other."""
    cut_packets: int = 0
    """TCP packets whose data the capture cut off (snaplen)."""
    seen: int = 0
    """Octets of TCP streams that the capture holds, each once."""
    unseen: int = 0
    """Octets of TCP streams known to be missing."""
    one_sided: int = 0
    """TCP connections of which one direction was captured."""
    repeated: int = 0
    """Octets of TCP streams that came again: retransmissions, and packets captured twice."""
    stray: int = 0
    """Octets so far from their stream that they cannot belong to it."""
    datagrams: int = 0
    """IP datagrams put together from fragments."""
    fragments_lost: int = 0
    """IP fragments whose datagram is not complete."""
    fragments_repeated: int = 0
    """IP fragments that came again."""
    checksums: tuple[int, int, int] = (0, 0, 0)
    """Of a sample of data packets: how many checksums were judged, how many of them the sender had left to its network
    card, and how many are wrong."""
    let_go: int = 0
    """Packets of no interest whose rows were left out."""
    notes_left_out: int = 0
    """Observations that were counted but have no row: a direction that is wrong in the same way over and over."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Tables by name, and what their codes stand for."""

    tables: Mapping[str, Table]
    strings: Strings
    addresses: AddressBook
    source: Source
    traffic: Traffic
    finished: bool
    """The capture was read to its end."""
    windows: tuple[tuple[int, int, bytes], ...] = ()
    """(2 * channel + direction, row of MESSAGES, the octets inflated last before the next message): places from which
    inflation can start in a long compressed stream."""

    def __getitem__(self, name: str) -> Table:
        return self.tables[name]

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be read of the capture, one line each."""
        return tuple(self.source.problems)

    @property
    def comments(self) -> tuple[Comment, ...]:
        """Comments that the capture file carries."""
        return tuple(self.source.comments)

    def text(self, code: int) -> str:
        """The text that a code stands for."""
        return self.strings[code]

    def handshake(self, connection: Mapping[str, int]) -> dict[str, int]:
        """The opening handshake of a row of CONNECTIONS: a row that says nothing where none was captured. Accepted
        where WebSocket followed, whether or not the response was captured."""
        row = connection["handshake"]
        shakes = self.tables["handshakes"]
        cells = shakes.row(row) if row >= 0 else {column.name: column.null or 0 for column in HANDSHAKES.columns}
        return cells | {"result": ACCEPTED} if connection["state"] in OPENED else cells

    def address(self, number: int) -> str:
        """The address that a number stands for."""
        return str(self.addresses.address(number))
