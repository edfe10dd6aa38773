"""Drives the HTTP dissector over delivered spans until a connection upgrades.

Fills CHANNELS, EXCHANGES and HANDSHAKES.

Theory of operation. Each TCP connection stands in one of three phases. In the first its octets go to a `Dialogue`,
span by span in the order of delivery, from the stream offset on that the dialogue wants: bodies of known length are
skipped by comparing whole columns, so that a download costs next to nothing. In the second, after a 101 to WebSocket,
its spans belong to the frame walk. In the third nobody wants them: it is not HTTP, or its framing is lost.

A client may send frames before it has seen the 101 (RFC 6455 §4.1 forbids it, software does it). Their spans were
delivered before anybody could know what they are; they are handed to the frame walk as if the packet that completed
the 101 had delivered them.

A connection whose first packet is no SYN, or whose first octets were lost, and which begins with octets of no protocol
that is known, may be WebSocket already under way: `Middle` judges it by evidence. Where a request to upgrade was
captured but not its response, it does too; a 101 without its request is believed as it stands, once its client says
something that is no request. What was agreed is then not known, and each direction's first frame is searched for.

A connection may begin more than once: behind a PROXY header, and behind each CONNECT that succeeded. Then `Talk.starts`
moves on, its first octets are judged anew, and what follows CONNECT is another channel. Offsets stay those of the TCP
connection, so that nothing else need know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from analyzer.analysis.encrypted import Encrypted
from analyzer.analysis.exchanges import Place, exchange_row, handshake_row
from analyzer.analysis.frames import Framing
from analyzer.analysis.gathered import Gathered
from analyzer.analysis.middle import ASKED, Middle, Piece
from analyzer.analysis.observations import LAST, Observations
from analyzer.analysis.openings import Agreed, Batch, Order, gather
from analyzer.analysis.sniffing import protocol_of
from analyzer.analysis.talks import Talk
from analyzer.analysis.upgrades import UNKNOWN_DEFLATE, Left, Upgraded, agreed_of, deflate_of
from analyzer.capture.records import Source
from analyzer.limits import Limits
from analyzer.schemas import (
    BY_MASK,
    BY_REQUEST,
    BY_RESPONSE,
    CHANNELS,
    DATA,
    END,
    GAP,
    MIDDLE,
    RESET,
)
from analyzer.streams.assembly import Delivered
from dissectors.columns import wider
from dissectors.http.dialogue import HELD, Dialogue, Exchange, Upgrade
from dissectors.http.head import FieldLines
from dissectors.http.openings import Openings
from dissectors.http.sniff import Claim, sniff
from dissectors.notes import Note
from dissectors.proxy import Broken, Passed, proxy_header
from dissectors.schemas import ACCEPTED, EXCHANGES, HANDSHAKES
from dissectors.tables import Array, Strings, Table
from dissectors.tls import HELLO_LIMIT, NOTHING, client_hello

HTTP, WEBSOCKET, OPAQUE, ENCRYPTED = 0, 1, 2, 3
"""Phases. From OPAQUE on, rows of packets and spans are let go."""
TLS_RECORDS = (b"\x16\x03", b"\x17\x03")
"""First octets of TLS: records of handshake, or of data where the capture began later (RFC 8446 §5.1)."""
TLS_OR_PROXY = (b"\x16", b"\x17", b"P", b"\r")
"""First octets that begin TLS, or a PROXY header of either version: whoever begins so is asked further."""


class Conversations:
    """The HTTP layer of one analysis."""

    def __init__(self, tables: Mapping[str, Table], strings: Strings, notes: Observations, framing: Framing,
                 source: Source, limits: Limits) -> None:  # fmt: skip
        self.tables = tables
        self.strings = strings
        self.notes = notes
        self.framing = framing
        self.source = source
        self.limits = limits
        self.phase = np.zeros(256, np.uint8)
        self.wanted = np.zeros(512, np.int64)
        self.number = np.full(256, -1, np.int64)
        self.protocols: Counter[str] = Counter()
        self.encrypted = Encrypted(strings, source)
        self.talks: dict[int, Talk] = {}
        self._lines = FieldLines()
        self._openings = Openings(self._lines)
        self._channels = Gathered(tables[CHANNELS.name], strings)
        self._exchanges = Gathered(tables[EXCHANGES.name], strings)
        self._handshakes = Gathered(tables[HANDSHAKES.name], strings)
        self._upgrades: list[Left] = []
        self._at = 0
        self._left: dict[int, int] = {}
        self._moved: dict[int, int] = {}
        self._first_mark = 0
        self._now = LAST
        self.ahead: dict[int, int] = {}
        """Times of packets whose octets are delivered before they were captured (`overlaps.Correction`)."""
        self._spans: Delivered | None = None

    def reserve(self, streams: int) -> None:
        """Make room for so many connections."""
        room = len(self.phase)
        if streams > room:
            room = max(streams, 2 * room)
            self.phase = wider(self.phase, room)
            self.number = wider(self.number, room, -1)
            self.wanted = wider(self.wanted, 2 * room)

    def feed(self, spans: Delivered, octets: memoryview, streams: int) -> list[Upgraded]:
        """Take a chunk's spans in; returns the connections that became WebSocket."""
        self.reserve(streams)
        stream = spans.slot >> 1
        wanted = (spans.offset + spans.length >= self.wanted[spans.slot]) | (spans.kind >= END)
        plain = (spans.kind <= GAP) | (spans.kind >= END)
        rows = np.flatnonzero((self.phase[stream] == HTTP) & wanted & plain)
        if not len(rows):
            return []
        batch = gather(spans, octets, rows, self.talks, self._openings)
        if batch is not None:
            known = np.zeros(len(self.phase), np.bool_)
            known[batch.stream] = True
            rows = rows[~known[stream[rows]]]
            self._channels.expect(np.sort(batch.request))
            self._exchanges.expect(batch.response)
            self._handshakes.expect(batch.response)
        self._first_mark = spans.first_row
        self._spans = spans
        columns = (spans.slot, spans.kind, spans.offset, spans.length, spans.packet, spans.at, spans.time)
        cells = [column[rows].tolist() for column in columns]
        cells += [(rows + spans.first_row).tolist(), spans.release[rows].tolist()]
        streams_of = stream[rows].tolist()
        positions = spans.position[rows].tolist()
        talks = self.talks
        left = self._left
        for number, position, cell in zip(streams_of, positions, zip(*cells, strict=True), strict=True):
            if number in left:
                continue
            piece = Piece._make(cell)
            self._at = piece.mark - spans.first_row
            self._now = piece.release
            talk = talks.get(number)
            if talk is None:
                talk = talks[number] = Talk(number)
            self._take(talk, piece, octets, position)
        self._settle()
        return self._open(spans, batch)

    def finish(self, mark: int, lacking: Array) -> list[Upgraded]:
        """The capture ended; returns the connections that turn out to be WebSocket now that nothing follows. `lacking`
        says by slot where octets at the end, or all of them, were not captured."""
        self._now = LAST
        self._first_mark, self._spans = mark + 1, None
        for stream in sorted(self.talks):
            talk = self.talks[stream]
            if talk.dialogue is not None and talk.middle is None:
                self._suspect(talk, talk.dialogue, None, True)
            if stream in self._left or (talk.middle is not None and self._judge(talk, talk.middle.finish())):
                continue
            if talk.dialogue is None:
                self._tell_fault(talk)
                self.protocols["nothing" if not any(talk.head) else "other"] += 1
                continue
            self.protocols["http"] += 1
            for side in (0, 1):
                if lacking[2 * stream + side]:
                    talk.dialogue.blind(side)
            talk.dialogue.finish(talk.last)
            self._collect(talk, talk.dialogue)
        self.talks.clear()
        self._settle()
        upgraded = self._open(None, None)
        for gathered in (self._channels, self._exchanges, self._handshakes):
            gathered.append()
        return upgraded

    def _octets(self, piece: Piece, start: int, octets: memoryview, position: int) -> bytes:
        """The octets of a piece from stream offset `start` on."""
        skip = start - piece.offset
        if position >= 0:
            return bytes(octets[position + skip : position + piece.length])
        return self.source.read(piece.at + skip, piece.length - skip)

    def _take(self, talk: Talk, piece: Piece, octets: memoryview, position: int) -> None:
        dialogue = talk.dialogue
        # whole columns leave out what was not wanted when the chunk began, which must not show
        if dialogue is None or piece.kind >= END or piece.offset + piece.length >= dialogue.wanted[piece.slot & 1]:
            talk.last = max(talk.last, piece.mark)
        if talk.middle is not None:
            talk.seen.append(piece)
            self._judge(talk, talk.middle.take(piece))
        elif talk.dialogue is None:
            self._decide(talk, piece, octets, position)
        else:
            self._feed(talk, talk.dialogue, piece, octets, position)

    def _again(self, talk: Talk, piece: Piece, octets: memoryview, position: int) -> None:
        """Look at kept pieces again, the last of which is `piece`: it is now known what they are."""
        seen, talk.seen = talk.seen, []
        for earlier in seen:
            if talk.stream in self._left:
                return
            self._take(talk, earlier, octets, position if earlier is piece else -1)

    def _restart(self, talk: Talk, piece: Piece, octets: memoryview, position: int) -> None:
        """A response told what the connection is, and now its client may begin with a PROXY header. Nothing was read
        yet: a response waits for its request."""
        talk.waits, talk.dialogue, talk.head = piece.slot & 1, None, [b"", b""]
        self._moved[piece.slot] = talk.starts[talk.waits]
        self._moved[piece.slot ^ 1] = talk.starts[1 - talk.waits]
        talk.seen.append(piece)
        self._again(talk, piece, octets, position)

    def _decide(self, talk: Talk, piece: Piece, octets: memoryview, position: int) -> None:
        """Find out from its first octets whether a connection speaks HTTP, and which side is the client."""
        side = piece.slot & 1
        if piece.kind == DATA:
            start = max(piece.offset, talk.starts[side])
            talk.head[side] += self._octets(piece, start, octets, position)[:HELLO_LIMIT]
            claim = sniff(talk.head[side])
            if talk.head[side].startswith(TLS_OR_PROXY):
                claim = self._prefixed(talk, side, piece, claim)
        elif piece.kind == GAP:
            claim = Claim.NO
        else:
            return
        if claim is Claim.RESPONSE and talk.waits == 1 - side:
            claim = Claim.UNDECIDED
        talk.seen.append(piece)
        if claim is Claim.UNDECIDED and len(talk.seen) - talk.since < self.limits.undecided_spans:
            return
        if claim is Claim.REQUEST or claim is Claim.RESPONSE:
            client = side if claim is Claim.REQUEST else 1 - side
            known_by = BY_REQUEST if claim is Claim.REQUEST else BY_RESPONSE
            talk.channel = self._channels.add(self._at, talk.row(client, known_by))
            talk.dialogue = Dialogue(client, (talk.starts[0], talk.starts[1]), self._lines)
            self._tell_fault(talk)
            self._again(talk, piece, octets, position)
            return
        if piece.kind == DATA and talk.head[side].startswith(TLS_RECORDS):
            hello = client_hello(talk.head[side])
            if not hello.complete and len(talk.seen) - talk.since < self.limits.undecided_spans:
                return
            self.protocols["tls"] += 1
            source = talk.passed.source if talk.passed else ""
            self.encrypted.add(talk.stream, side if hello is not NOTHING else -1, hello, talk.target, source)
            self._tell_fault(talk)
            self._leave(talk, ENCRYPTED)
            return
        unseen = piece.kind == GAP or self.tables["streams"].row(talk.stream)["opening"] == MIDDLE
        middle = unseen and not talk.targets
        protocol = protocol_of(talk.head[side], middle)
        if middle and not talk.passed and protocol in ("other", "websocket-middle"):
            self._watch(talk, Middle(self.source, self.limits.early_spans))
            return
        self.protocols[protocol] += 1
        self._tell_fault(talk)
        self._leave(talk, OPAQUE)

    # -- handshakes that are not there, or not all of them -----------------------------------------------------------

    def _watch(self, talk: Talk, middle: Middle) -> None:
        """From now on evidence decides, beginning with the pieces that were kept."""
        talk.middle = middle
        self._moved[2 * talk.stream] = self._moved[2 * talk.stream + 1] = 0
        for piece in list(talk.seen):
            if self._judge(talk, middle.take(piece)) or talk.stream in self._left:
                return

    def _judge(self, talk: Talk, found: bool) -> bool:
        """Act on what the evidence says so far; returns whether it is WebSocket."""
        middle = talk.middle
        assert middle is not None
        if found and talk.dialogue is not None:
            self._assume(talk, talk.dialogue)
        elif found:
            client = middle.known()
            self.protocols["websocket"] += 1
            talk.channel = self._channels.add(self._at, talk.row(client, BY_MASK))
            self._begin(talk, client, (0, 0), UNKNOWN_DEFLATE, (1, 1), self._now)
        elif middle.over and talk.dialogue is not None:
            talk.middle = None
            talk.dialogue.finish(talk.last)
            self._collect(talk, talk.dialogue)
        elif middle.over:
            self.protocols[protocol_of(max(talk.head, key=len), True)] += 1
            self._leave(talk, OPAQUE)
        return found

    def _suspect(self, talk: Talk, dialogue: Dialogue, piece: Piece | None, over: bool = False) -> None:
        """Half of a handshake may stand alone: a 101 is believed, behind a request evidence decides. `piece` is one
        that is not kept yet; `over` says that nothing follows."""
        answered = dialogue.lone_answer()
        starts = None if answered else dialogue.lone_offer()
        if not answered and starts is None:
            return
        if piece is not None:
            talk.seen.append(piece)
        if starts is None:
            self._assume(talk, dialogue)
            return
        self._watch(talk, Middle(self.source, self.limits.early_spans, starts, dialogue.client, ASKED))
        if over and talk.middle is not None and talk.stream not in self._left:
            self._judge(talk, talk.middle.finish())

    def _assume(self, talk: Talk, dialogue: Dialogue) -> None:
        """A half of a handshake is taken for a whole one."""
        talk.middle = None
        dialogue.assume(talk.last)
        self._collect(talk, dialogue)

    def _begin(self, talk: Talk, client: int, starts: tuple[int, int], deflate: tuple[int, tuple[int, int], int],
               unseen: tuple[int, int], release: int) -> None:  # fmt: skip
        """A connection belongs to the frame walk from now on. `deflate`: agreed, takeovers, defined reserved bits."""
        early = tuple(
            piece
            for piece in talk.seen
            if piece.mark < self._first_mark and piece.offset + piece.length > starts[piece.slot & 1]
        )
        agreed, takeover, defined = deflate
        self._upgrades.append(
            Left(self._at, talk.stream, talk.channel, client, starts, agreed, takeover, defined, unseen, release,
                  early)
        )  # fmt: skip
        self._leave(talk, WEBSOCKET)

    def _prefixed(self, talk: Talk, side: int, piece: Piece, claim: Claim) -> Claim:
        """What a direction is that may begin with a PROXY header, or with TLS of which one octet is there."""
        head = talk.head[side]
        if len(head) == 1 and claim is Claim.NO:
            return Claim.UNDECIDED
        if talk.passed is not None or talk.fault is not None:
            return claim
        found = proxy_header(head)
        if found is False:
            return claim
        talk.since = len(talk.seen)
        if found is True:
            # the header bounds its own octets; the other side's are bounded here
            return Claim.UNDECIDED if len(talk.seen) < self.limits.early_spans else Claim.NO
        if isinstance(found, Broken):
            talk.fault = side, talk.starts[side], piece.mark, found.problem
            return Claim.NO
        assert isinstance(found, Passed)
        if found.problem:
            talk.fault = side, talk.starts[side], piece.mark, found.problem
        talk.passed = found
        talk.starts[side] += found.length
        talk.head[side] = head[found.length :]
        rest = sniff(talk.head[side])
        one = len(talk.head[side]) == 1 and talk.head[side].startswith(TLS_OR_PROXY)
        return Claim.UNDECIDED if one else rest

    def _tell_fault(self, talk: Talk) -> None:
        """A PROXY header was wrong."""
        if talk.fault is not None and talk.fault[3]:
            side, offset, mark, problem = talk.fault
            length = talk.passed.length if talk.passed else 0
            packet, time = self._place(mark)
            self.notes.one(Note.PROXY_HEADER_BAD, talk.channel, side, offset, length, packet, time, problem, self._now)
            talk.fault = *talk.fault[:3], ""

    def _leave(self, talk: Talk, phase: int) -> None:
        self._left[talk.stream] = phase
        self.talks.pop(talk.stream, None)

    def _settle(self) -> None:
        """Write down what the chunk changed, in whole columns: single writes into arrays cost more than a parse."""
        if self._moved:
            slots = np.fromiter(self._moved, np.int64, len(self._moved))
            self.wanted[slots] = np.fromiter(self._moved.values(), np.int64, len(self._moved))
            self._moved.clear()
        if self._left:
            streams = np.fromiter(self._left, np.int64, len(self._left))
            self.phase[streams] = np.fromiter(self._left.values(), np.uint8, len(self._left))
            self._left.clear()

    def _feed(self, talk: Talk, dialogue: Dialogue, piece: Piece, octets: memoryview, position: int) -> None:
        side = piece.slot & 1
        start = dialogue.wanted[side]
        if piece.kind >= END:
            self._suspect(talk, dialogue, piece)
            if talk.dialogue is not dialogue or talk.middle is not None or talk.stream in self._left:
                return
        if piece.kind == DATA:
            if piece.offset + piece.length < start:
                return
            start = max(start, piece.offset)
            fed = self._octets(piece, start, octets, position)
            if side == dialogue.client and dialogue.unasked and sniff(fed) is Claim.NO:
                self._suspect(talk, dialogue, piece)
                if talk.stream in self._left:
                    return
            if side == dialogue.client and not talk.head[side] and fed.startswith(TLS_OR_PROXY) and talk.waits < 0:
                self._restart(talk, piece, octets, position)
                return
            dialogue.feed(side, start, fed, piece.mark)
            if len(talk.seen) < self.limits.early_spans:
                # beyond the limit the frame walk finds offsets left out, and says that framing is lost
                talk.seen.append(piece)
            if dialogue.backlog > HELD // 2 or (dialogue.backlog and len(talk.seen) >= self.limits.undecided_spans):
                self._suspect(talk, dialogue, None)  # no client sends so much unanswered: the answer is not captured
        elif piece.kind == GAP:
            dialogue.gap(side, piece.offset, piece.length, piece.mark)
            if len(talk.seen) < self.limits.early_spans:
                talk.seen.append(piece)
            self._suspect(talk, dialogue, None)
        else:
            dialogue.close(side, piece.offset, piece.mark)
            if piece.kind == RESET:
                dialogue.close(1 - side, dialogue.wanted[1 - side], piece.mark)
        if talk.middle is not None or talk.stream in self._left:
            return
        if dialogue.exchanges or dialogue.notes or dialogue.upgrade is not None:
            self._collect(talk, dialogue)
        if talk.dialogue is None:
            self._moved[piece.slot], self._moved[piece.slot ^ 1] = talk.starts[side], talk.starts[1 - side]
            self._again(talk, piece, octets, position)
            return
        self._moved[piece.slot] = dialogue.wanted[side]
        self._moved[piece.slot ^ 1] = dialogue.wanted[1 - side]

    def _collect(self, talk: Talk, dialogue: Dialogue) -> None:
        """Take out of a dialogue what it has found."""
        for observation in dialogue.notes:
            packet, time = self._place(observation.mark)
            self.notes.one(observation.note, talk.channel, observation.direction, observation.offset,
                           observation.length, packet, time, observation.detail, self._now)  # fmt: skip
        dialogue.notes.clear()
        upgrade = dialogue.upgrade
        for exchange in dialogue.exchanges:
            self._exchange(talk, exchange)
            if upgrade is None:
                talk.forget(exchange)
        dialogue.exchanges.clear()
        if upgrade is not None:
            self._upgrade(talk, upgrade)

    def _exchange(self, talk: Talk, exchange: Exchange) -> None:
        """Append an exchange, and its handshake if it is one."""
        request, response, last = (
            self._place(mark) for mark in (exchange.request_mark, exchange.response_mark, exchange.last_mark)
        )
        row = self._exchanges.add(self._at, exchange_row(exchange, talk.channel, request, response, last))
        if exchange.handshake is not None:
            shake = handshake_row(exchange, exchange.handshake, talk.channel, row, request, last)
            self._handshakes.add(self._at, shake)

    def _upgrade(self, talk: Talk, upgrade: Upgrade) -> None:
        """The connection left HTTP."""
        if upgrade.tunnel is not None:
            self._enter(talk, upgrade, upgrade.tunnel)
            return
        shake = upgrade.handshake
        self.protocols["http"] += 1
        if shake is None or (shake.result != ACCEPTED and not upgrade.assumed) or talk.dialogue is None:
            self._leave(talk, OPAQUE)
            return
        client, deflate, unseen, release = talk.dialogue.client, deflate_of(shake), (0, 0), -1
        if upgrade.assumed:
            unsure = client if shake.result == ACCEPTED else 1 - client
            unseen, release = (1 - unsure, unsure), self._now
        elif self._spans is not None and upgrade.mark >= self._first_mark:
            release = int(self._spans.release[upgrade.mark - self._first_mark])
        self._begin(talk, client, upgrade.starts, deflate, unseen, release)

    def _enter(self, talk: Talk, upgrade: Upgrade, target: str) -> None:
        """A CONNECT succeeded: what follows begins anew, in a channel of its own (RFC 9110 §9.3.6)."""
        self.protocols["connect-tunnel"] += 1
        full = len(talk.seen) >= self.limits.early_spans
        if full or len(talk.targets) >= self.limits.tunnels:
            packet, time = self._place(upgrade.mark)
            why = "packets before its answer" if full else f"inside {len(talk.targets)} others"
            self.notes.one(Note.TUNNEL_LIMIT, talk.channel, 0, -1, 0, packet, time, why, self._now)
            self._leave(talk, OPAQUE)
            return
        talk.parent, talk.channel = talk.channel, -1
        talk.targets.append(target)
        talk.starts = list(upgrade.starts)
        talk.dialogue, talk.head, talk.fault, talk.since, talk.waits = None, [b"", b""], None, 0, -1
        talk.seen = [piece for piece in talk.seen if piece.offset + piece.length > talk.starts[piece.slot & 1]]

    def _open(self, spans: Delivered | None, batch: Batch | None) -> list[Upgraded]:
        """Append the rows of the chunk, and hand the connections that left HTTP for WebSocket to the frame walk."""
        left, self._upgrades = self._upgrades, []
        agreed = agreed_of(left)
        streams = np.array([upgrade.stream for upgrade in left], np.int64)
        if batch is None or spans is None:
            for gathered in (self._channels, self._exchanges, self._handshakes):
                gathered.append()
        else:
            by_request = np.argsort(batch.request)
            channel = np.empty(len(batch), np.int64)
            channel[by_request] = self._channels.append(
                self._channels.absent(len(batch))
                | {"kind": np.zeros(len(batch)), "stream": batch.stream[by_request],
                   "client": batch.client[by_request], "known_by": np.full(len(batch), BY_REQUEST)}
            )  # fmt: skip
            exchange = channel
            for gathered in (self._exchanges, self._handshakes):
                exchange = gathered.append(batch.columns(gathered.table.schema, self.strings, spans, channel, exchange))
            self.protocols["http"] += len(batch)
            self.phase[batch.stream] = WEBSOCKET
            order, _stands = Order(batch.response).merge(np.array([upgrade.place for upgrade in left], np.int64))
            agreed = Agreed(*(
                np.concatenate(columns)[order] for columns in zip(agreed, batch.agreed(channel), strict=True)
            ))  # fmt: skip
            streams = np.concatenate([streams, batch.stream])[order]
        if not len(streams):
            return []
        first = self.framing.open(agreed)
        self.number[streams] = np.arange(first, first + len(streams))
        numbers = (self.number[upgrade.stream] for upgrade in left)
        return [
            Upgraded(int(number), upgrade.release, upgrade.early) for number, upgrade in zip(numbers, left, strict=True)
        ]

    def _place(self, mark: int) -> Place:
        """Packet and time of a mark, which is a row of SPANS."""
        at = mark - self._first_mark
        if self._spans is not None and 0 <= at < len(self._spans):
            return Place(int(self._spans.packet[at]), int(self._spans.time[at]))
        if mark < 0:
            return Place()
        try:
            packet = self.tables["spans"].row(mark)["packet"]
            if packet in self.ahead:
                return Place(packet, self.ahead[packet])
            return Place(packet, self.tables["packets"].row(packet)["time"])
        except IndexError:
            return Place()  # a ring has dropped it since
