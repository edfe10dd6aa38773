"""Addresses as numbers: an IPv4 address outside any tunnel is its own 32-bit value, every other one is interned.

So flow keys compare whole columns of integers, and a tunnel, once one is decoded, is part of the address's identity.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

INTERNED = 1 << 32
"""Numbers from here on are rows of the book."""


class AddressBook:
    """The interned addresses of one capture."""

    def __init__(self) -> None:
        self._packed: list[tuple[bytes, str]] = []
        self._numbers: dict[tuple[bytes, str], int] = {}

    def intern(self, packed: bytes, tunnel: str = "") -> int:
        """The number of an address of 4 or 16 octets, inside a tunnel or (the empty name) outside of any."""
        if len(packed) == 4 and not tunnel:
            return int.from_bytes(packed, "big")
        known = self._numbers.get((packed, tunnel))
        if known is None:
            known = INTERNED + len(self._packed)
            self._packed.append((packed, tunnel))
            self._numbers[packed, tunnel] = known
        return known

    def address(self, number: int) -> IPv4Address | IPv6Address:
        """The address that a number stands for."""
        if number < INTERNED:
            return IPv4Address(number)
        return ip_address(self._packed[number - INTERNED][0])

    def tunnel(self, number: int) -> str:
        """The tunnel that an address is in; empty outside of any."""
        return "" if number < INTERNED else self._packed[number - INTERNED][1]

    def __len__(self) -> int:
        return len(self._packed)
