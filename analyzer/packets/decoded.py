"""What the packet decoder returns for a chunk of records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Decoded:
    """Header columns, one item per record of the chunk; all but `kind` are 0 where `kind` is not TCP."""

    kind: npt.NDArray[np.uint8]
    """Code of `schemas.KINDS`."""
    source: npt.NDArray[np.int64]
    """Endpoint: number of the source address (`AddressBook`) << 16 | port."""
    destination: npt.NDArray[np.int64]
    """Endpoint of the destination, likewise."""
    seq: npt.NDArray[np.uint32]
    ack: npt.NDArray[np.uint32]
    flags: npt.NDArray[np.uint8]
    """CWR ECE URG ACK PSH RST SYN FIN, CWR highest."""
    window: npt.NDArray[np.uint16]
    payload_at: npt.NDArray[np.uint32]
    """Where TCP's data starts, counted from the record's first octet."""
    payload_length: npt.NDArray[np.uint32]
    """Octets of TCP data that were captured (never Ethernet padding)."""
    segment_length: npt.NDArray[np.uint32]
    """Octets of TCP data as the IP header says; above `payload_length` where the capture cut the packet."""
    identification: npt.NDArray[np.uint16]
    """Of the IPv4 header (RFC 791 §3.1); the innermost one; 0 for IPv6."""
