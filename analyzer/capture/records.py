"""What every capture reader returns: chunks of records as columns, and a way back to the octets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

RECORD_LIMIT = 16 << 20
"""Octets. A longer classic record means that the file is damaged: tools write at most 256 KiB (MAXIMUM_SNAPLEN of
libpcap), USB and D-Bus captures at most 128 MiB, none of which carries TCP."""
BLOCK_LIMIT = 64 << 20
"""Octets of one pcapng block."""


@dataclass(frozen=True, slots=True)
class Records:
    """Consecutive captured records. `octets` holds them (with file headers between) and is valid until the next chunk
    is asked for; all columns have one item per record."""

    octets: memoryview
    """The chunk's octets, unsigned, contiguous."""
    at: npt.NDArray[np.int64]
    """Where in `octets` each record's captured octets start."""
    offset: npt.NDArray[np.int64]
    """Virtual offset of the same octet: `Source.read` finds it again."""
    captured: npt.NDArray[np.uint32]
    """Octets captured. `at + captured` is always inside `octets`."""
    wire: npt.NDArray[np.uint32]
    """Octets on the wire."""
    time: npt.NDArray[np.int64]
    """Nanoseconds since 1970-01-01 UTC, or `NO_TIME`."""
    link: npt.NDArray[np.int32]
    """LINKTYPE number of the interface."""

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment that the capture file carries; `packet` is -1 for one about a section or an interface."""

    packet: int
    text: str


@dataclass(frozen=True, slots=True)
class InterfaceStatistics:
    """What a capture file says of one of its interfaces; None where it does not say."""

    interface: int
    """Its number in its section."""
    name: str
    received: int | None
    """Packets that the interface received (isb_ifrecv)."""
    dropped_by_interface: int | None
    """Of them, dropped for want of room (isb_ifdrop)."""
    accepted: int | None
    """Accepted by the capture filter (isb_filteraccept)."""
    dropped_by_system: int | None
    """Dropped by the operating system (isb_osdrop)."""
    delivered: int | None
    """Delivered to the program that captured (isb_usrdeliv)."""

    @property
    def dropped(self) -> int | None:
        """Packets dropped anywhere, as far as it says."""
        known = [count for count in (self.dropped_by_interface, self.dropped_by_system) if count is not None]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class Loss:
    """A spell in which the capture dropped packets: between two statistics of an interface, in ns since 1970."""

    start: int
    stop: int
    packets: int


class Source(Protocol):
    """An open capture: one file, or several read as one."""

    @property
    def names(self) -> tuple[str, ...]:
        """The files, in the order in which they are read."""

    @property
    def starts(self) -> tuple[int, ...]:
        """Virtual offsets at which captures begin that may overlap in time; one where there is one."""

    @property
    def size(self) -> int:
        """Octets of the input in all, for progress; 0 where nobody knows."""

    @property
    def problems(self) -> list[str]:
        """What could not be read, one line each, in the order of discovery."""

    @property
    def comments(self) -> list[Comment]:
        """Comments met so far."""

    @property
    def dropped(self) -> int | None:
        """Packets that the capture file itself reports as dropped, if it reports any figure."""

    @property
    def statistics(self) -> tuple[InterfaceStatistics, ...]:
        """What the capture file itself says of its interfaces."""

    @property
    def losses(self) -> list[Loss]:
        """When packets were dropped, as far as the capture tells."""

    @property
    def expired(self) -> int:
        """Virtual offset before which a ring has dropped the octets; 0 where all are there."""

    def chunks(self, size: int) -> Iterator[Records]:
        """Records in the order of the capture, about `size` octets at a time. Never raises on octets."""

    def again(self) -> bool:
        """Make ready for reading from the start once more; False where that cannot be."""

    def position(self) -> int:
        """Octets read so far, for progress."""

    def read(self, offset: int, length: int) -> bytes:
        """Octets by virtual offset; shorter where the capture has since been truncated."""

    def close(self) -> None:
        """Let go of files and spools."""
