"""Link layers: for each LINKTYPE, where the network layer starts and what it is, on whole columns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dissectors.tables import Array

IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
NOT_IP, UNDECIDED = 0, -2
"""What stands for an EtherType where there is none: nothing that is decoded, or a header that only the packet-by-packet
decoder understands. Other negative numbers: the record ends inside the header."""
VLAN_TAGS = (0x8100, 0x88A8, 0x9100)
"""IEEE 802.1Q, 802.1ad, and the value that was used for stacking before it."""
WRAPPERS = (0x8847, 0x8848, 0x8863, 0x8864)
"""EtherTypes of what carries packets: MPLS (RFC 5332), PPPoE (RFC 2516 §4)."""
TAGS = 8
"""Stacked tags followed; more go to the packet-by-packet decoder."""


class Octets:
    """The octets of a chunk, read at columns of positions. What lies behind a record's end reads as zero."""

    def __init__(self, octets: memoryview) -> None:
        self.array = np.frombuffer(octets, np.uint8)

    def pairs(self, at: Array, end: Array) -> Array:
        """16-bit numbers in network order; -1 where the record ends before."""
        inside = at + 2 <= end
        if inside.all():
            whole: Array = (self.array[at].astype(np.int32) << 8) | self.array[at + 1]
            return whole
        safe = np.where(inside, at, 0)
        if not len(self.array):
            return np.full(len(at), -1, np.int32)
        high = self.array[safe].astype(np.int32) << 8
        low = self.array[np.minimum(safe + 1, len(self.array) - 1)]
        return np.where(inside, high | low, -1)

    def window(self, at: Array, end: Array, dtype: np.dtype[np.void]) -> Array:
        """Headers of a structured dtype at positions, all of which lie inside their records."""
        size = dtype.itemsize
        # overlapping items of one octet's stride: gathered as a whole, three times as fast as octet by octet
        whole: Array = np.ndarray((max(len(self.array) - size + 1, 0),), f"V{size}", self.array, strides=(1,))
        return whole[at].view(dtype)


def ethernet(octets: Octets, at: Array, end: Array) -> tuple[Array, Array]:
    """IEEE 802.3 with any number of VLAN tags."""
    ether = octets.pairs(at + 12, end)
    network = at + 14
    for _ in range(TAGS):
        tagged = np.isin(ether, VLAN_TAGS) if not (ether == IPV4).all() else np.zeros(len(ether), np.bool_)
        if not tagged.any():
            break
        network = np.where(tagged, network + 4, network)
        ether = np.where(tagged, octets.pairs(network - 2, end), ether)
    else:
        ether = np.where(np.isin(ether, VLAN_TAGS), UNDECIDED, ether)
    # below 1536 it is a length, and LLC follows: SNAP may carry IP
    length = (ether >= 0) & (ether < 1536)
    if length.any():
        snap = octets.pairs(network, end) == 0xAAAA
        ether = np.where(length, np.where(snap, UNDECIDED, NOT_IP), ether)
    return network, ether


def cooked_v1(octets: Octets, at: Array, end: Array) -> tuple[Array, Array]:
    """Linux cooked capture."""
    return _tagged(octets, at + 16, end, octets.pairs(at + 14, end))


def cooked_v2(octets: Octets, at: Array, end: Array) -> tuple[Array, Array]:
    """Linux cooked capture, version 2."""
    return _tagged(octets, at + 20, end, octets.pairs(at, end))


def _tagged(octets: Octets, network: Array, end: Array, ether: Array) -> tuple[Array, Array]:
    for _ in range(TAGS):
        tagged = np.isin(ether, VLAN_TAGS)
        if not tagged.any():
            break
        ether = np.where(tagged, octets.pairs(network + 2, end), ether)
        network = np.where(tagged, network + 4, network)
    return network, ether


FAMILIES: dict[int, int] = {2: IPV4, 10: IPV6, 24: IPV6, 28: IPV6, 30: IPV6}
"""Address families of NULL and LOOP headers: AF_INET everywhere, AF_INET6 on Linux, NetBSD and OpenBSD, FreeBSD,
Darwin."""


def loopback(octets: Octets, at: Array, end: Array) -> tuple[Array, Array]:
    """BSD NULL (byte order of the machine) and LOOP (network order): a family of 32 bits."""
    high, low = octets.pairs(at, end), octets.pairs(at + 2, end)
    family = np.where(high == 0, low, np.where(low == 0, (high & 0xFF) << 8 | high >> 8, -1))
    ether = np.zeros(len(at), np.int32)
    for number, kind in FAMILIES.items():
        ether[family == number] = kind
    return at + 4, np.where(octets.pairs(at + 2, end) < 0, -3, ether)


def raw(octets: Octets, at: Array, end: Array) -> tuple[Array, Array]:
    """No link header: the version nibble tells."""
    first = octets.pairs(at, end) >> 12
    return at, np.select([first == 4, first == 6, first < 0], [IPV4, IPV6, -3], NOT_IP)


LINKS: dict[int, Callable[[Octets, Array, Array], tuple[Array, Array]]] = {
    0: loopback, 1: ethernet, 12: raw, 14: raw, 101: raw, 108: loopback, 113: cooked_v1, 228: raw, 229: raw,
    276: cooked_v2,
}  # fmt: skip
"""By LINKTYPE number."""
