"""How the framing of a direction stands: codes of the column `mode`, and bits of `holes`. They stand here because what
a compiled walk declares for itself is not to be seen from Python."""

from __future__ import annotations

HEADER, PAYLOAD, LOST = range(3)
"""Where a direction's next octet belongs; from LOST on nobody knows."""

LOOK = 512
"""Octets behind a loss at which the first look is taken: some frames of a chat, a third of a full segment."""

MANY = 1 << 16
"""Events that one walk makes, unless one span makes more, and rows that are gathered before they go into tables: those
of a frame of two octets take hundreds."""

UNSTARTED, UNASKED, AHEAD = 1, 2, 4
"""What is missing before a place of a direction may be: the start of a message, so that no continuation is judged; a
Ping, so that no Pong of the other side is; and it is still searched for, so that a Pong may be ahead of its Ping."""
