"""Saves a live capture: all of it, or the packets of some connections."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Literal

import numpy as np
import numpy.typing as npt

from analyzer.analysis.snapshot import Snapshot
from analyzer.capture.pcap import MAGICS
from analyzer.capture.pcapng import MAGIC
from analyzer.errors import OutputError
from analyzer.schemas import FRAGMENT

PACKET_BLOCKS = {2: 28, 3: 12, 6: 28}
"""Types of pcapng's packet blocks, and how far into them their octets stand."""
PCAP_HEADER = 24


def save(paths: Sequence[str], target: str, reached: int = -1) -> int:
    """Copy files into one capture, of the last `reached` octets where it is still written to; returns its octets.

    Raises: OutputError where it cannot be written.
    """
    with _writing(target) as stream:
        for path in paths:
            with open(path, "rb") as source:
                if path == paths[-1] and reached >= 0:
                    stream.write(source.read(reached))
                else:
                    shutil.copyfileobj(source, stream, 1 << 20)
        return stream.tell()


def save_some(parts: Iterable[tuple[str, int]], target: str, offsets: npt.NDArray[np.int64]) -> int:
    """Copy the packets whose octets stand at these virtual offsets, and all that is no packet; returns the octets.
    `parts`: files with the virtual offset that each begins at.

    Raises: OutputError where it cannot be written.
    """
    wanted = set(offsets.tolist())
    with _writing(target) as stream:
        for path, base in parts:
            with open(path, "rb") as source:
                head = source.read(PCAP_HEADER)
                source.seek(0)
                walk = _blocks(source) if head[:4] == MAGIC else _records(source, head)
                stream.writelines(octets for at, octets in walk if at < 0 or base + at in wanted)
        return stream.tell()


def packets_of(snapshot: Snapshot, connections: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Virtual offsets of all packets of some connections, rows of CONNECTIONS. Fragments of IP datagrams are packets
    of no connection of their own, and come with any."""
    packets = snapshot["packets"]
    streams = snapshot["connections"]["stream"][np.asarray(connections, np.int64)]
    mine: npt.NDArray[np.int64] = packets["offset"][np.isin(packets["stream"], streams) | (packets["kind"] == FRAGMENT)]
    return mine


def _blocks(source: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Where the octets of each packet stand, -1 for blocks that hold none, and the block."""
    order: Literal["big", "little"] = "little"
    at = 0
    while len(head := source.read(12)) == 12:
        if head[:4] == MAGIC:
            order = "big" if head[8:] == b"\x1a\x2b\x3c\x4d" else "little"
        kind, length = (int.from_bytes(head[start : start + 4], order) for start in (0, 4))
        rest = source.read(length - 12) if length >= 12 else b""
        if len(rest) < length - 12 or length < 12:
            return  # what is still being written
        yield at + PACKET_BLOCKS[kind] if kind in PACKET_BLOCKS else -1, head + rest
        at += length


def _records(source: IO[bytes], head: bytes) -> Iterator[tuple[int, bytes]]:
    """The same of a pcap file, whose header counts as no packet."""
    big, _, size = MAGICS[head[:4]]
    yield -1, source.read(PCAP_HEADER)
    at = PCAP_HEADER
    while len(record := source.read(size)) == size:
        captured = int.from_bytes(record[8:12], "big" if big else "little")
        octets = source.read(captured)
        if len(octets) < captured:
            return
        yield at + size, record + octets
        at += size + captured


@contextmanager
def _writing(target: str) -> Iterator[IO[bytes]]:
    """A file. What a new one takes the place of stays until it is whole."""
    aside = f"{target}.part" if not os.path.exists(target) or os.path.isfile(target) else target
    try:
        with open(aside, "wb") as stream:
            yield stream
        if aside != target:
            os.replace(aside, target)
    except OSError as error:
        if aside != target and os.path.exists(aside):
            os.unlink(aside)
        raise OutputError(
            f"{target} cannot be written: {error.strerror or error}", "the capture is kept: framescope recover lists it"
        ) from None
