"""HTTP/1.1 conversations: requests and responses paired, until the connection is upgraded (RFC 9112, RFC 9110 §7.8).

Theory of operation. A dialogue is fed the octets of both directions in any interleaving, and its result does not depend
on that. Each side is a small machine: it gathers a head, then passes over content (`wanted` tells the caller from
which stream offset on it wants octets, so content of known length is never handed over), then gathers the next head.
Two things tie the sides together. How long a response is depends on its request (HEAD, CONNECT), so a response head
waits for its request. What follows a request with Upgrade is HTTP if it is refused and frames if it is accepted, so
the client's side waits for the final response.

`mark` is the caller's own number for "when": it only comes back in rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from dissectors.http.head import LIMIT, FieldLines, Head, content_length, end_of, is_chunked, read_head
from dissectors.http.upgrade import OF_BOTH, Handshake, Offer, handshake_of
from dissectors.notes import Note

INFINITE = 2**62
"""A stream offset that no stream reaches: nothing more is wanted."""
HEAD, SIZED, CHUNK_LINE, CHUNK_DATA, TRAILERS, UNTIL_CLOSE, WAITING, LOST = range(8)
"""States of a side."""
HELD = 256 << 10
"""Octets held of a side that waits for the other: more than the largest initial flight (RFC 6928) many times over."""
PIPELINED = 1000
"""Requests without a response; clients that pipeline keep to tens, HTTP/2 servers to 100 streams (RFC 9113 §6.5.2)."""
SAMPLE = 64 << 10
"""Octets of a refusal's content that are read for its reason."""
PLAIN, UPGRADE, CONNECT, LONG_POLL, WEBHOOK = range(5)
"""Codes of `schemas.STYLES`."""
HOOK_FIELDS = frozenset(
    ("x-hub-signature", "x-hub-signature-256", "x-github-event", "x-gitlab-event", "x-gitlab-token", "stripe-signature",
     "x-shopify-topic", "x-slack-signature", "x-twilio-signature", "webhook-id", "webhook-signature", "ce-type")
)  # fmt: skip
"""Header fields that webhook senders put into their POSTs; the last three by Standard Webhooks and CloudEvents."""


class Observation(NamedTuple):
    """One observation, with the mark at which it was made."""

    note: Note
    direction: int
    offset: int
    length: int
    mark: int
    detail: str = ""


class Exchange(NamedTuple):
    """A request with its final response; marks are -1 where the octets never came."""

    direction: int
    style: int
    method: str
    target: str
    host: str
    user_agent: str
    status: int
    reason: str
    server: str
    protocol: str
    interim: int
    request_offset: int
    request_head: int
    request_body: int
    response_offset: int
    response_head: int
    response_body: int
    complete: bool
    request_mark: int
    response_mark: int
    last_mark: int
    handshake: Handshake | None


class Upgrade(NamedTuple):
    """The connection left HTTP: for which protocol, and where each physical direction's octets of it start."""

    protocol: str
    starts: tuple[int, int]
    mark: int
    handshake: Handshake | None
    assumed: bool = False
    """Half of the handshake was not seen."""
    tunnel: str | None = None
    """Of a CONNECT that succeeded: what it asked for (RFC 9110 §9.3.6)."""


@dataclass(slots=True)
class _Asked:
    """A request whose exchange is not complete."""

    head: Head
    offset: int
    length: int
    mark: int
    style: int
    offer: Offer | None
    end: int = -1
    body: int = -1
    interim: int = 0
    damaged: bool = False
    last_mark: int = -1
    answer: Head | None = None
    answer_offset: int = -1
    answer_length: int = 0
    answer_mark: int = -1
    answer_body: int = -1
    answered: bool = False
    sample: bytes = b""


class Dialogue:
    """One connection's HTTP. `client` is the physical direction of requests, `starts` are the stream offsets at which
    it begins, by physical direction: not 0 behind a PROXY header and inside a tunnel; `lines` are header lines that
    the same analysis read before. The caller takes finished `exchanges` and `notes` out; `upgrade` is set once."""

    __slots__ = ("_asked", "_closed", "_end", "_feeds", "_held", "_hidden", "_lines", "_searched", "_start", "_state",
                 "client", "exchanges", "notes", "upgrade", "wanted")  # fmt: skip

    def __init__(self, client: int, starts: tuple[int, int] = (0, 0), lines: FieldLines | None = None) -> None:
        self.client = client
        self._lines = FieldLines() if lines is None else lines
        self.wanted = list(starts)
        self.exchanges: list[Exchange] = []
        self.notes: list[Observation] = []
        self.upgrade: Upgrade | None = None
        self._asked: list[_Asked] = []
        self._state = [HEAD, HEAD]
        self._held = [b"", b""]
        self._start = list(starts)  # stream offset of the first held octet
        self._searched = [0, 0]  # stream offset before which no end of a head or line stands: else octets that come
        # one by one would be searched from the start each time
        self._end = [0, 0]  # where sized content ends
        self._feeds: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        self._closed = [False, False]
        self._hidden = False  # octets are missing where an Upgrade would be answered

    def feed(self, direction: int, offset: int, octets: bytes, mark: int) -> None:
        """The octets of a direction that stand at `offset`, which is the next or `wanted`."""
        state = self._state[direction]
        if state == LOST or self.upgrade is not None:
            return
        self._feeds[direction].append((offset, mark))
        if self._held[direction]:
            self._held[direction] += octets
        else:
            self._held[direction] = octets
            self._start[direction] = offset
        self._run(mark)

    def gap(self, direction: int, offset: int, length: int, mark: int) -> None:
        """Octets that the capture does not hold. Inside content they only damage the exchange."""
        if self._state[direction] == LOST or self.upgrade is not None:
            return
        inside = self._state[direction] in (SIZED, CHUNK_DATA) and offset + length <= self._end[direction]
        if inside or self._state[direction] == UNTIL_CLOSE:
            for asked in self._asked:
                asked.damaged = True
            if inside and offset + length == self._end[direction]:
                self.feed(direction, offset + length, b"", mark)
            return
        if direction != self.client and self._asked and self._asked[-1].offer is not None:
            self._hidden = True
        self._lose(direction)

    def close(self, direction: int, offset: int, mark: int) -> None:
        """A direction ended at `offset`."""
        if self._closed[direction] or self.upgrade is not None:
            return
        self._closed[direction] = True
        if direction != self.client and self._state[direction] == UNTIL_CLOSE:
            asked = self._asked[0]
            asked.answer_body = offset - self._end[direction]
            self._state[direction] = HEAD
            self._start[direction] = offset
            self._answered(asked, mark)
            self._run(mark)
        if all(self._closed):
            self.finish(mark)

    def blind(self, direction: int) -> None:
        """What a direction has not said by now is not in the capture: nothing is laid to it."""
        if self.upgrade is None:
            self._lose(direction)

    def finish(self, mark: int) -> None:
        """Nothing follows: what is unfinished comes out as it is."""
        if self.upgrade is not None:
            return
        server = 1 - self.client
        if not self._asked and self._held[server] and self._state[server] == HEAD:
            self._unasked(mark)
        for asked in self._asked:
            if asked.answer is None and self._state[server] != LOST:
                self._note(Note.HTTP_UNANSWERED, self.client, asked.offset, asked.length, mark)
            self._emit(asked, False, mark)
        self._asked = []
        for direction in (0, 1):
            self._lose(direction)

    # -- halves of a handshake: the caller asks where it has a reason to think that the rest was not captured ----------

    @property
    def unasked(self) -> bool:
        """Something of a response is there, and no octet of a request."""
        return not self._asked and bool(self._held[1 - self.client]) and not self._held[self.client]

    @property
    def backlog(self) -> int:
        """Octets that a client sent behind an Upgrade that was not answered."""
        return len(self._held[self.client]) if self._state[self.client] == WAITING else 0

    def lone_answer(self) -> bool:
        """Whether a whole 101 to WebSocket is there that no captured request asked for."""
        server = 1 - self.client
        if self._asked or self.upgrade is not None or self._state[server] != HEAD:
            return False
        end = end_of(self._held[server])
        head = read_head(self._held[server][:end]) if 0 < end <= LIMIT else None
        return head is not None and head.second == "101" and "websocket" in head.tokens("upgrade")

    def lone_offer(self) -> tuple[int, int] | None:
        """Where frames would start, by physical direction, where a request to upgrade has no answer, and the client
        went on or octets of the server are missing."""
        client, server = self.client, 1 - self.client
        if len(self._asked) != 1 or self.upgrade is not None or self._state[client] != WAITING:
            return None
        asked = self._asked[0]
        if asked.offer is None or asked.answer is not None or not (self._held[client] or self._hidden):
            return None
        if self._state[server] == LOST and not self._hidden:
            return None
        starts = asked.end, self._start[server]
        return starts if client == 0 else (starts[1], starts[0])

    def assume(self, mark: int) -> None:
        """Take the half of a handshake that is there for a whole one."""
        server = 1 - self.client
        starts = self.lone_offer()
        if starts is not None:
            asked = self._asked.pop()
        else:
            end = end_of(self._held[server])
            asked = _Asked(Head("", "", "", {}), -1, 0, -1, UPGRADE, Offer(Head("", "", "", {})))
            asked.answer_offset, asked.answer_mark = self._start[server], self._first_mark(server)
            mark = max(fed for offset, fed in self._feeds[server] if offset < self._start[server] + end)
            asked.answer, asked.answer_length = read_head(self._take(server, end)), end
            starts = (self._start[0], self._start[1])
        exchange = self._emit(asked, False, mark)
        self.upgrade = Upgrade("websocket", starts, mark, exchange.handshake, True)
        self._held = [b"", b""]

    # -- the machines ------------------------------------------------------------------------------------------------

    def _run(self, mark: int) -> None:
        """Let both sides go on as long as one of them moves."""
        moved = True
        while moved and self.upgrade is None:
            moved = self._step(self.client, mark)
            if self.upgrade is None and self._step(1 - self.client, mark):
                moved = True
        for direction in (0, 1):
            self.wanted[direction] = self._wants(direction)

    def _wants(self, direction: int) -> int:
        state = self._state[direction]
        reached = self._start[direction] + len(self._held[direction])
        if state == LOST and direction == self.client and self.upgrade is None and self._opening():
            return reached  # what follows may be frames, which are read once the 101 comes
        if state in (UNTIL_CLOSE, LOST) or self.upgrade is not None:
            return INFINITE
        skipping = state in (SIZED, CHUNK_DATA) and not self._sampled(direction)
        return max(reached, self._end[direction]) if skipping else reached

    def _opening(self) -> bool:
        """Whether an Upgrade waits for its response."""
        return any(asked.offer is not None for asked in self._asked)

    def _sampled(self, direction: int) -> bool:
        """Whether content is kept: the start of what a refused upgrade says."""
        if direction == self.client or not self._asked:
            return False
        return self._asked[0].offer is not None and len(self._asked[0].sample) < SAMPLE

    def _step(self, direction: int, mark: int) -> bool:
        state = self._state[direction]
        if state == HEAD:
            return self._head(direction, mark)
        if state in (SIZED, CHUNK_DATA):
            return self._content(direction, mark)
        if state in (CHUNK_LINE, TRAILERS):
            return self._chunk(direction, mark)
        if state == WAITING and len(self._held[direction]) > HELD:
            self._note(Note.HTTP_LIMIT, direction, self._start[direction], len(self._held[direction]), mark)
            self._held[direction] = b""
            self._end[direction] = -1  # what was held is gone: if the upgrade is refused, the side is lost
        return False

    def _take(self, direction: int, length: int) -> bytes:
        held = self._held[direction]
        taken, self._held[direction] = held[:length], held[length:]
        self._start[direction] += length
        self._pass_feeds(direction)
        return taken

    def _first_mark(self, direction: int) -> int:
        """The mark of the feed that brought the first held octet."""
        self._pass_feeds(direction)
        return self._feeds[direction][0][1]

    def _pass_feeds(self, direction: int) -> None:
        """Forget the feeds before the one that brought the first held octet, all at once: there may be one an octet."""
        feeds, passed = self._feeds[direction], 0
        while passed + 1 < len(feeds) and feeds[passed + 1][0] <= self._start[direction]:
            passed += 1
        if passed:
            del feeds[:passed]

    def _unsearched(self, direction: int) -> int:
        """How many of the held octets were searched in vain."""
        return max(self._searched[direction] - self._start[direction], 0)

    def _head(self, direction: int, mark: int) -> bool:
        held = self._held[direction]
        if not held:
            return False
        if held[0] in b"\r\n" and direction == self.client:
            # RFC 9112 §2.2: empty lines before a request line are passed over
            self._take(direction, len(held) - len(held.lstrip(b"\r\n")))
            return True
        server = direction != self.client
        if server and not self._asked:
            if len(held) > HELD:
                self._note(Note.HTTP_LIMIT, direction, self._start[direction], len(held), mark)
                self._lose(direction)
            return False
        end = end_of(held, self._unsearched(direction))
        if end < 0 or end > LIMIT:
            self._searched[direction] = self._start[direction] + len(held)
            if len(held) > LIMIT:
                self._note(Note.HTTP_LIMIT, direction, self._start[direction], len(held), mark)
                self._lose(direction)
            return False
        offset, first = self._start[direction], self._first_mark(direction)
        head = read_head(self._take(direction, end), self._lines)
        if head.problem:
            self._note(Note.HTTP_MALFORMED, direction, offset, end, mark, head.problem)
        if server:
            self._response(direction, head, offset, end, first, mark)
        else:
            self._request(direction, head, offset, end, first, mark)
        return True

    def _request(self, direction: int, head: Head, offset: int, length: int, first: int, mark: int) -> None:
        if not head.third.startswith("HTTP/1.") or not head.first:
            self._note(Note.HTTP_MALFORMED, direction, offset, length, mark, "not a request line")
            self._lose(direction)
            return
        offer = Offer.of(head)
        style = UPGRADE if "upgrade" in head.headers else CONNECT if head.first == "CONNECT" else _style(head)
        asked = _Asked(head, offset, length, first, style, offer)
        self._asked.append(asked)
        if len(self._asked) > PIPELINED:
            self._note(Note.HTTP_LIMIT, direction, offset, length, mark, "too many requests without a response")
            self._lose(direction)
            return
        self._framing(direction, head, asked, mark, content_length(head), is_chunked(head))

    def _response(self, direction: int, head: Head, offset: int, length: int, first: int, mark: int) -> None:
        asked = self._asked[0]
        status = _status(head)
        if not head.first.startswith("HTTP/1.") or not 100 <= status < 1000:
            self._note(Note.HTTP_MALFORMED, direction, offset, length, mark, "not a status line")
            self._lose(direction)
            return
        if status < 200 and status != 101:
            asked.interim += 1
            return
        asked.answer, asked.answer_offset, asked.answer_length, asked.answer_mark = head, offset, length, first
        connected = asked.head.first == "CONNECT" and status < 300
        if status == 101 or connected:
            self._leave(asked, "" if connected else head.get("upgrade"), mark, asked.head.second if connected else None)
            return
        if asked.head.first == "HEAD" or status in (204, 304):
            size, chunked = 0, False
        else:
            size, chunked = content_length(head), is_chunked(head)
        if size == -1 and not chunked:
            # RFC 9112 §6.3: until the server closes
            self._state[direction] = UNTIL_CLOSE
            self._end[direction] = offset + length
            self._held[direction] = b""
            return
        self._framing(direction, head, asked, mark, size, chunked)

    def _framing(self, direction: int, head: Head, asked: _Asked, mark: int, size: int, chunked: bool) -> None:
        """How long the content is (RFC 9112 §6.3); chunked overrides Content-Length."""
        if size == -2 and not chunked:
            self._note(
                Note.HTTP_MALFORMED, direction, self._start[direction], 0, mark, "Content-Length is not a number"
            )
            self._lose(direction)
            return
        self._count(direction, asked, 0)
        if chunked:
            self._state[direction] = CHUNK_LINE
        elif size > 0:
            self._state[direction] = SIZED
            self._end[direction] = self._start[direction] + size
        else:
            self._complete(direction, mark)

    def _count(self, direction: int, asked: _Asked, octets: int) -> None:
        """Add to the length of the content; -1 says that there was none yet."""
        if direction == self.client:
            asked.body = max(asked.body, 0) + octets
        else:
            asked.answer_body = max(asked.answer_body, 0) + octets

    def _current(self, direction: int) -> _Asked:
        return self._asked[-1] if direction == self.client else self._asked[0]

    def _content(self, direction: int, mark: int) -> bool:
        """Pass over content, or, of a refused upgrade, keep the start of it."""
        end = self._end[direction]
        start = self._start[direction]
        reached = start + len(self._held[direction])
        asked = self._current(direction)
        if self._sampled(direction):
            taken = self._take(direction, min(len(self._held[direction]), end - start))
            asked.sample = (asked.sample + taken)[:SAMPLE]
        elif reached >= end:
            self._held[direction] = self._held[direction][max(end - start, 0) :]
        else:
            self._held[direction] = b""
        if reached < end:
            self._start[direction] = reached
            return False
        self._start[direction] = end
        if self._state[direction] == SIZED:
            self._count(direction, asked, 0)
            size = end - (asked.offset + asked.length if direction == self.client else
                          asked.answer_offset + asked.answer_length)  # fmt: skip
            self._count(direction, asked, size)
            self._complete(direction, mark)
        else:
            self._state[direction] = CHUNK_LINE
        return True

    def _chunk(self, direction: int, mark: int) -> bool:
        """A chunk's line, or a line of the trailer section (RFC 9112 §7.1)."""
        held = self._held[direction]
        end = held.find(b"\n", self._unsearched(direction))
        if end < 0:
            self._searched[direction] = self._start[direction] + len(held)
            if len(held) > LIMIT:
                self._note(Note.HTTP_LIMIT, direction, self._start[direction], len(held), mark)
                self._lose(direction)
            return False
        offset = self._start[direction]
        line = self._take(direction, end + 1).strip()
        if self._state[direction] == TRAILERS:
            if not line:
                self._complete(direction, mark)
            return True
        if not line:
            return True  # the line end behind a chunk's data
        digits = line.partition(b";")[0].strip()
        if not digits or len(digits) > 15 or not all(digit in b"0123456789abcdefABCDEF" for digit in digits):
            self._note(Note.HTTP_MALFORMED, direction, offset, end + 1, mark, "not a chunk size")
            self._lose(direction)
            return True
        size = int(digits, 16)
        self._count(direction, self._current(direction), size)
        if size:
            self._state[direction] = CHUNK_DATA
            self._end[direction] = self._start[direction] + size
        else:
            self._state[direction] = TRAILERS
        return True

    def _complete(self, direction: int, mark: int) -> None:
        """A request or a response is whole."""
        asked = self._current(direction)
        if direction != self.client:
            self._state[direction] = HEAD
            self._answered(asked, mark)
            return
        asked.end = self._start[direction]
        asked.last_mark = max(asked.last_mark, mark)
        self._state[direction] = WAITING if asked.style in (UPGRADE, CONNECT) else HEAD
        self._end[direction] = 0
        if asked.answered:
            self._release(asked)

    def _answered(self, asked: _Asked, mark: int) -> None:
        asked.answered = True
        asked.last_mark = max(asked.last_mark, mark)
        if asked.end >= 0:
            self._release(asked)

    def _release(self, asked: _Asked) -> None:
        """Both halves are whole: the exchange is done, and a client that waited for it goes on with HTTP."""
        self._asked.remove(asked)
        self._emit(asked, not asked.damaged, asked.last_mark)
        if self._state[self.client] == WAITING and asked.style in (UPGRADE, CONNECT):
            if self._end[self.client] < 0:
                self._lose(self.client)
            else:
                self._state[self.client] = HEAD

    def _leave(self, asked: _Asked, protocol: str, mark: int, tunnel: str | None) -> None:
        """The connection is not HTTP any more."""
        client, server = self.client, 1 - self.client
        if asked.end < 0:
            asked.end = asked.offset + asked.length
            mark = max(mark, asked.mark)
        starts = [0, 0]
        starts[client], starts[server] = asked.end, self._start[server]
        if asked.offer is not None or "websocket" in protocol.lower():
            early = [feed for feed in self._feeds[client] if feed[0] + 1 > asked.end and feed[1] < mark]
            held = self._start[client] + len(self._held[client]) > asked.end
            if held and (early or self._feeds[client][0][1] < mark):
                self._note(Note.CLIENT_EARLY, client, asked.end, 0, mark)
        self._asked.remove(asked)
        exchange = self._emit(asked, True, mark)
        self.upgrade = Upgrade(protocol, (starts[0], starts[1]), mark, exchange.handshake, tunnel=tunnel)
        self._held = [b"", b""]

    def _unasked(self, mark: int) -> None:
        """A response that no request asked for, such as 408 (RFC 9112 §9.2)."""
        server = 1 - self.client
        held = self._held[server]
        end = end_of(held)
        if end < 0:
            return
        head = read_head(held[:end], self._lines)
        if not head.first.startswith("HTTP/1.") or not _status(head):
            self._note(Note.HTTP_MALFORMED, server, self._start[server], end, mark, "not a status line")
            return
        self._note(Note.HTTP_UNASKED, server, self._start[server], end, mark)
        empty = _Asked(Head("", "", "", {}), -1, 0, -1, PLAIN, None)
        empty.answer, empty.answer_offset, empty.answer_length = head, self._start[server], end
        empty.answer_mark = self._first_mark(server)
        self._emit(empty, False, mark)

    def _emit(self, asked: _Asked, complete: bool, mark: int) -> Exchange:
        head, answer = asked.head, asked.answer
        handshake = None
        if asked.offer is not None:
            handshake, notes = handshake_of(asked.offer, answer, asked.sample)
            if asked.offset < 0:
                notes = [finding for finding in notes if finding[1] and finding[0] not in OF_BOTH]
            for note, side, detail in notes:
                direction, offset, length = (
                    (self.client, asked.offset, asked.length)
                    if side == 0
                    else (1 - self.client, asked.answer_offset, asked.answer_length)
                )
                self.notes.append(Observation(note, direction, offset, length, mark, detail))
        headers = head.headers
        exchange = Exchange(
            self.client, asked.style, head.first, head.second, headers.get("host", ""), headers.get("user-agent", ""),
            _status(answer) if answer else 0, answer.third if answer else "",
            answer.get("server") if answer else "", answer.get("upgrade") if answer and answer.second == "101" else "",
            min(asked.interim, 255), asked.offset, asked.length, asked.body,
            asked.answer_offset, asked.answer_length, asked.answer_body, complete, asked.mark, asked.answer_mark, mark,
            handshake,
        )  # fmt: skip
        self.exchanges.append(exchange)
        return exchange

    def _lose(self, direction: int) -> None:
        self._state[direction] = LOST
        self.wanted[direction] = self._wants(direction)
        self._held[direction] = b""

    def _note(self, note: Note, direction: int, offset: int, length: int, mark: int, detail: str = "") -> None:
        self.notes.append(Observation(note, direction, offset, length, mark, detail))


def _status(head: Head) -> int:
    """The status code of a response, 0 where it is none (RFC 9112 §4)."""
    code = head.second
    return int(code) if len(code) == 3 and code.isascii() and code.isdigit() else 0


def _style(head: Head) -> int:
    """Plain, or a guess: a webhook by the fields that its sender adds, or by its path."""
    if head.first != "POST":
        return PLAIN
    named = not HOOK_FIELDS.isdisjoint(head.headers) or "hook" in head.get("user-agent").lower()
    return WEBHOOK if named or "hook" in head.second.lower() else PLAIN
