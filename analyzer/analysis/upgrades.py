"""Connections that left HTTP for WebSocket, and how their frames are to be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from analyzer.analysis.middle import RSV1, Piece
from analyzer.analysis.openings import Agreed, by_direction
from dissectors.http.upgrade import Handshake
from dissectors.schemas import ACCEPTED
from dissectors.websocket.outcomes import TRIED

UNKNOWN_DEFLATE = 1, (TRIED, TRIED), RSV1
"""What was agreed where nobody saw it."""


class Upgraded(NamedTuple):
    """A connection that became WebSocket in this chunk, by its number there; `early` are pieces that were delivered
    before."""

    number: int
    release: int
    early: tuple[Piece, ...]


class Left(NamedTuple):
    """An upgrade of this chunk that was read span by span."""

    place: int
    stream: int
    channel: int
    client: int
    starts: tuple[int, int]
    deflate: int
    takeover: tuple[int, int]
    """Of client and server."""
    defined: int
    unseen: tuple[int, int]
    """1 for directions whose first frame's place is not known."""
    release: int
    early: tuple[Piece, ...]


def deflate_of(shake: Handshake) -> tuple[int, tuple[int, int], int]:
    """Whether deflate was agreed, the takeovers, and the reserved bits that are defined; of a request without its
    response, what it offers is tried."""
    if shake.result == ACCEPTED:
        deflate = shake.deflate
        return int(deflate.agreed), (int(deflate.client_takeover), int(deflate.server_takeover)), shake.defined
    return UNKNOWN_DEFLATE if "permessage-deflate" in shake.extensions_offered else (0, (0, 0), 0)


def agreed_of(left: Sequence[Left]) -> Agreed:
    """How the frames of these are to be read."""
    client, deflate, defined, channel = (
        np.array([getattr(upgrade, name) for upgrade in left], np.int64)
        for name in ("client", "deflate", "defined", "channel")
    )
    takeover, starts, unseen = (
        np.array([getattr(upgrade, name) for upgrade in left], np.int64).reshape(-1, 2)
        for name in ("takeover", "starts", "unseen")
    )
    takeover = by_direction(client, takeover[:, 0], takeover[:, 1])
    return Agreed(channel, client, starts, deflate, takeover, defined, unseen)
