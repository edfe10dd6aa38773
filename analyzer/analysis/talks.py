"""A connection in its HTTP phase, as long as it is not known to be WebSocket or of no interest."""

from __future__ import annotations

from dataclasses import dataclass, field

from analyzer.analysis.middle import Middle, Piece
from analyzer.schemas import CONNECT_CHANNEL, TCP_CHANNEL
from dissectors.http.dialogue import Dialogue, Exchange
from dissectors.proxy import Passed


@dataclass(slots=True)
class Talk:
    """A connection in its HTTP phase. `dialogue` is None while its first octets do not tell yet; `seen` holds the
    pieces that may have to be looked at again."""

    stream: int
    dialogue: Dialogue | None = None
    channel: int = -1
    last: int = -1
    """Row of SPANS of its last piece."""
    seen: list[Piece] = field(default_factory=list)
    head: list[bytes] = field(default_factory=lambda: [b"", b""])
    starts: list[int] = field(default_factory=lambda: [0, 0])
    """Stream offsets at which what it says now begins."""
    passed: Passed | None = None
    """The PROXY header before it."""
    fault: tuple[int, int, int, str] | None = None
    """What is wrong with that: direction, offset, row of SPANS, in words."""
    targets: list[str] = field(default_factory=list)
    """What the CONNECTs around it asked for."""
    parent: int = -1
    waits: int = -1
    """The direction that must be heard first: the client's, where a response was captured before its PROXY header."""
    since: int = 0
    """Pieces of `seen` that came before its first octets could be judged."""
    middle: Middle | None = None
    """Judges it where its handshake is not in the capture, or not all of it."""

    @property
    def target(self) -> str:
        """What the innermost CONNECT around it asked for; empty outside of tunnels."""
        return self.targets[-1] if self.targets else ""

    def row(self, client: int, known_by: int) -> tuple[int | str, ...]:
        """Its row of CHANNELS."""
        passed = self.passed or Passed(0, 0)
        kind = CONNECT_CHANNEL if self.targets else TCP_CHANNEL
        return (kind, self.stream, client, known_by, self.parent, *self.starts, self.target, passed.source,
                passed.version, passed.destination, passed.details)  # fmt: skip

    def forget(self, exchange: Exchange) -> None:
        """Pieces that an exchange used up need not be looked at again; what a client sent behind it may be frames."""
        request = exchange.request_offset + exchange.request_head + max(exchange.request_body, 0)
        response = exchange.response_offset + exchange.response_head + max(exchange.response_body, 0)
        ends = (request, response) if exchange.direction == 0 else (response, request)
        self.seen = [piece for piece in self.seen if piece.offset + piece.length > ends[piece.slot & 1]]
