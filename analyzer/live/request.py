"""What a live capture is asked for, and what it tells: values that cross from process to process as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass

from analyzer.errors import FramescopeError

SNAPLEN = 262144
"""Octets of a packet that are kept, MAXIMUM_SNAPLEN of libpcap: a frame that is cut can be neither unmasked nor
inflated, and offloading makes packets of 64 KiB."""
BUFFER = 64 << 20
"""Octets of kernel buffer: 0.8 s of 200,000 small packets a second, and no loss at that rate was ever measured."""
SPOOL_LIMIT = 64 << 30
"""Octets that a spool may have."""
FILES_IN_RING = 16
"""A ring is dropped by sixteenths."""
LEAST_FILE, LARGEST_FILE = 1 << 20, 256 << 20
"""Octets of a spool file in a ring."""
SIZES = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30, "ti": 1 << 40}
SPELLS = {"ms": 10**-3, "s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Ring:
    """How much is kept: octets or seconds, 0 for no bound."""

    octets: int = 0
    seconds: float = 0.0

    @property
    def file_octets(self) -> int:
        """Octets after which a new file begins; 0: never."""
        if not self.octets:
            return LARGEST_FILE if self.seconds else 0
        return min(max(self.octets // FILES_IN_RING, LEAST_FILE), LARGEST_FILE)

    @property
    def file_seconds(self) -> float:
        """Seconds after which a new file begins; 0: never."""
        return self.seconds / FILES_IN_RING


@dataclass(frozen=True, slots=True)
class Request:
    """What to capture, and into which folder."""

    folder: str
    interfaces: tuple[str, ...] = ()
    expression: str = ""
    """A BPF filter."""
    backend: str = "auto"
    snaplen: int = SNAPLEN
    ring: Ring = Ring()
    limit: int = SPOOL_LIMIT
    pipe: int = -1
    """Descriptor to read instead of interfaces."""
    first: str = ""
    """What was already read of it, in hexadecimal digits."""

    def dump(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Request:
        """From JSON."""
        cells = json.loads(text)
        cells["interfaces"], cells["ring"] = tuple(cells["interfaces"]), Ring(**cells["ring"])
        return cls(**cells)


@dataclass(frozen=True, slots=True)
class Drops:
    """Packets since the capture began, as far as the backend knows them while it runs."""

    received: int = 0
    kernel: int = 0
    """Dropped because the buffer was full."""
    interface: int = 0
    """Dropped by the interface or its driver."""

    def __sub__(self, other: Drops) -> Drops:
        return Drops(self.received - other.received, self.kernel - other.kernel, self.interface - other.interface)

    @property
    def total(self) -> int:
        """All that were dropped."""
        return self.kernel + self.interface


def spell(text: str) -> float:
    """Seconds of `60s`, `10min`, `1.5h`.

    Raises: FramescopeError where it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)", text.strip().lower())
    if not match or not float(match[1]):
        raise FramescopeError(f"{text!r} is no length of time", "for example 30s, 10min, 2h")
    return float(match[1]) * SPELLS[match[2]]


def octets(text: str) -> int:
    """Octets of `500MB`, `2GiB`.

    Raises: FramescopeError where it is no size.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]i?)b?", text.strip().lower())
    if not match or not float(match[1]):
        raise FramescopeError(f"{text!r} is no size", "for example 500MB, 2GB, 1GiB")
    return int(float(match[1]) * SIZES[match[2]])


def ring(text: str) -> Ring:
    """A ring by its time or its size.

    Raises: FramescopeError where it is neither.
    """
    try:
        return Ring(seconds=spell(text))
    except FramescopeError:
        pass
    try:
        return Ring(octets=octets(text))
    except FramescopeError:
        raise FramescopeError(f"{text!r} is neither a time nor a size", "for example 10min, 2GB") from None
