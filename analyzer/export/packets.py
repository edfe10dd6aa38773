"""One connection's packets as a capture of its own, which opens again: pcapng (draft-ietf-opsawg-pcapng).

The capture is read once more from its front, because packets know where they stand, but not of which link type they
are. Packets keep their times and lengths; fragments that a segment came in are packets of the connection too.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import pack
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from analyzer.analysis.snapshot import Snapshot
from analyzer.capture.records import Records
from analyzer.errors import FramescopeError
from analyzer.live.blocks import block, interface, packet, section
from dissectors.schemas import NO_TIME

CHUNK = 4 << 20
SIMPLE = 3
"""Type of the block for a packet without a time (§4.4)."""


def write(snapshot: Snapshot, streams: npt.NDArray[np.int64], stream: BinaryIO,
          tell: Callable[[int], None] = lambda packets: None) -> int:  # fmt: skip
    """Write the packets of some TCP connections (rows of STREAMS); returns how many. `tell` hears how many were
    written so far. The snapshot's source is read once more: nobody else may read on in it meanwhile.

    Raises: FramescopeError where the source cannot be read once more.
    """
    wanted = offsets(snapshot, streams)
    source = snapshot.source
    if not source.again():
        raise FramescopeError("the capture cannot be read once more", "save it, and open the saved file")
    stream.write(section("framescope"))
    links: dict[int, int] = {}
    written = 0
    for records in source.chunks(CHUNK):
        for index in np.flatnonzero(np.isin(records.offset, wanted)).tolist():
            link = int(records.link[index])
            if link not in links:
                links[link] = len(links)
                stream.write(interface(link, 0, "framescope"))
            stream.write(_block(records, index, links[link]))
            written += 1
        tell(written)
        if written == len(wanted):
            break
    return written


def offsets(snapshot: Snapshot, streams: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Virtual offsets of the packets of some TCP connections."""
    packets, spans = snapshot["packets"], snapshot["spans"]
    own = packets.rows()[np.isin(packets["stream"], streams)]
    carried = spans["packet"][np.isin(spans["stream"], streams)]
    numbers = np.unique(np.concatenate([own, carried[carried >= 0]]))
    found: npt.NDArray[np.int64] = np.unique(packets.take("offset", numbers))
    return found


def _block(records: Records, index: int, number: int) -> bytes:
    at, captured = int(records.at[index]), int(records.captured[index])
    octets = bytes(records.octets[at : at + captured])
    time, wire = int(records.time[index]), int(records.wire[index])
    if time == NO_TIME and not number and captured == wire:
        return block(SIMPLE, pack("=I", wire) + octets + bytes(-captured % 4))
    return packet(number, max(time, 0), octets, wire)
