"""The arrow as one readable function: records, packets, spans, exchanges, frames, messages, connections, closes.

Nothing here depends on where chunks were cut: every layer keeps what it needs for the next chunk, and rows stand in
the order of the packets that completed them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush

import numpy as np

from analyzer.analysis.connections import conclude
from analyzer.analysis.conversations import ENCRYPTED, HTTP, OPAQUE, Conversations
from analyzer.analysis.datagrams import note_overlaps
from analyzer.analysis.expiry import expire
from analyzer.analysis.frames import Framing, Run
from analyzer.analysis.middle import Piece
from analyzer.analysis.observations import LAST, Observations
from analyzer.analysis.overlaps import Copies, Correction, Sample
from analyzer.analysis.remains import append_remains
from analyzer.analysis.snapshot import Snapshot, Traffic
from analyzer.analysis.transport import note_transport
from analyzer.analysis.unseen import unheard, unseen_ends, unseen_octets
from analyzer.analysis.upgrades import Upgraded
from analyzer.capture.records import Records, Source
from analyzer.limits import Limits
from analyzer.packets.addresses import AddressBook
from analyzer.packets.decode import decode
from analyzer.packets.fragments import Fragments
from analyzer.packets.unwrapping import Unwrapping
from analyzer.schemas import DATA, FRAGMENT, KINDS, LINK_TYPE, TABLES
from analyzer.streams.assembly import Assembly, Delivered
from dissectors.schemas import NO_TIME
from dissectors.tables import Array, Strings, Table

UNSEALED = 2
"""Blocks at the end of a table that still keep the rows of traffic of no interest: what a stream is shows soon. Where
it did not, a block is looked at again each time its age has doubled."""
JOINED_AT = 256
"""Blocks that a table gains before small ones are joined."""
JOINED_ROWS = 1 << 16
"""Rows of a joined block: 6 MB of packets, which are copied every time that more is joined to them."""


def analyze(source: Source, *, limits: Limits | None = None,
            progress: Callable[[int, int], None] | None = None) -> Snapshot:  # fmt: skip
    """Read a capture to its end. `progress` is told octets read and octets in all after every chunk."""
    limits = limits or Limits()
    analysis = Analysis(source, limits)
    snapshot = _read(analysis, progress)
    while corrected := analysis.corrected():
        analysis = corrected
        snapshot = _read(analysis, progress)
    return snapshot


def _read(analysis: Analysis, progress: Callable[[int, int], None] | None) -> Snapshot:
    for records in analysis.source.chunks(analysis.limits.chunk):
        analysis.feed(records)
        if progress is not None:
            progress(analysis.source.position(), analysis.source.size)
    return analysis.finish()


class Analysis:
    """One analysis under way: owns the growing tables."""

    def __init__(self, source: Source, limits: Limits, corrections: Sequence[Correction] = ()) -> None:
        self.source = source
        self.limits = limits
        self.tables = {schema.name: Table(schema) for schema in TABLES}
        self.strings = Strings(limits.strings)
        self.addresses = AddressBook()
        self.notes = Observations(self.tables["notes"], self.strings, limits)
        self.unwrapping = Unwrapping(Fragments(limits.fragment_octets, limits.fragment_datagrams))
        self.assembly = Assembly(self.tables, self.strings, corrections)
        self.framing = Framing(self.tables, self.strings, self.notes, source, limits)
        self.conversations = Conversations(self.tables, self.strings, self.notes, self.framing, source, limits)
        self.conversations.ahead = {correction.packet: correction.time for correction in corrections}
        self.corrections = list(corrections)
        self._wanted: list[Correction] = []
        self.sample = Sample()
        self.kinds = np.zeros(len(KINDS), np.int64)
        self.links: Counter[int] = Counter()
        self.cut_packets = 0
        self.first_time = NO_TIME
        self.last_time = NO_TIME
        self.let_go = 0
        self.expired = 0
        """Virtual offset before which rows have been let go."""
        self._sealed = {"packets": 0, "spans": 0}
        self._joined = dict.fromkeys(self.tables, 0)
        """Blocks of each table when small ones were joined last."""
        self._undecided: dict[str, list[tuple[int, int]]] = {"packets": [], "spans": []}
        """Heaps of sealed blocks with rows of streams that may turn out to be of no interest: when to look again, as a
        number of blocks, and which."""

    def feed(self, records: Records) -> None:
        """Take a chunk in."""
        decoded = decode(records, self.addresses, self.unwrapping)
        self._count(records, decoded.kind)
        self.cut_packets += int(np.count_nonzero(decoded.payload_length < decoded.segment_length))
        spans = self.assembly.feed(records, decoded, self.unwrapping.pieces, self.unwrapping.tunnels)
        self.dissect(spans, records.octets)
        self._seal(UNSEALED)
        self._join()

    def expire(self) -> None:
        """Let go of the rows whose octets the source has let go; what is derived from them stays."""
        expire(self.tables, self.framing, self.source.expired)
        self.expired = self.source.expired

    def finish(self) -> Snapshot:
        """The capture ended."""
        spans = self.assembly.finish()
        self.dissect(spans, memoryview(b""))
        lacking = unheard(self.assembly, self.tables["streams"]) | (unseen_ends(self.assembly) > 0)
        if upgraded := self.conversations.finish(len(self.tables["spans"]) - 1, lacking):
            self.framing.feed(self._runs(spans, memoryview(b""), np.empty(0, np.int64), upgraded))
        self.framing.finish(LAST)
        self._seal(0)
        losses = self.source.losses
        append_remains(self.tables, self.framing, self.assembly, self.conversations.number, self.notes, losses)
        note_overlaps(self.tables, self.unwrapping.overlaps, self.notes)
        note_transport(self.tables, self.assembly, self.notes)
        copies = Copies(self.tables, self.source, self.limits)
        if self.assembly.copies:
            copies.compare(self.notes)
        if self.cut_packets:
            copies.fill()
        self._wanted = copies.corrections
        self.sample = copies.sample(self.notes)
        self.notes.flush()
        return self.snapshot(finished=True)

    def corrected(self) -> Analysis | None:
        """The analysis with which to read once more where a later copy of octets is to be delivered; None where the
        first reading stands, or was the second."""
        if self.corrections or not self._wanted or not self.source.again():
            return None
        return Analysis(self.source, self.limits, self._wanted)

    def snapshot(self, finished: bool = False) -> Snapshot:
        """Everything as it stands. CONNECTIONS, CLOSES and INCIDENTS say how things stand, and are made anew."""
        traffic = Traffic(
            packets=len(self.tables["packets"]),
            first_time=self.first_time,
            last_time=self.last_time,
            kinds={KINDS[kind]: int(count) for kind, count in enumerate(self.kinds) if count},
            links=dict(self.links),
            protocols=dict(self.conversations.protocols),
            cut_packets=self.cut_packets,
            checksums=(self.sample.judged, self.sample.partial, self.sample.wrong),
            seen=int((self.assembly.segments.column("next") - self.assembly.segments.column("missing")).sum()),
            repeated=int(self.assembly.segments.column("repeated").sum()),
            stray=int(self.assembly.segments.column("stray").sum()),
            unseen=int(unseen_octets(self.assembly).sum()),
            one_sided=int(np.count_nonzero(unheard(self.assembly, self.tables["streams"]))),
            let_go=self.let_go,
            datagrams=self.unwrapping.fragments.completed,
            fragments_lost=self.unwrapping.fragments.lost,
            fragments_repeated=self.unwrapping.fragments.repeated,
            notes_left_out=self.notes.left_out.total(),
        )
        tables = {name: table.freeze() for name, table in self.tables.items()}
        tables |= conclude(
            tables,
            self.framing,
            self.assembly,
            self.conversations.number,
            self.strings,
            self.conversations.encrypted,
            self.source.starts,
        )
        channels = self.framing.channels
        windows = tuple(
            (2 * channels[slot >> 1] + (slot & 1), row, window) for slot, row, window in self.framing.folds.windows
        )
        return Snapshot(tables, self.strings, self.addresses, self.source, traffic, finished, windows)

    def _count(self, records: Records, kind: Array) -> None:
        self.kinds += np.bincount(kind, minlength=len(self.kinds))
        if self.kinds[LINK_TYPE]:
            links, counts = np.unique(records.link[kind == LINK_TYPE], return_counts=True)
            self.links.update(dict(zip(links.tolist(), counts.tolist(), strict=True)))
        times = records.time[records.time != NO_TIME]
        if len(times):
            low, high = int(times.min()), int(times.max())
            self.first_time = low if self.first_time == NO_TIME else min(low, self.first_time)
            self.last_time = high if self.last_time == NO_TIME else max(high, self.last_time)

    def dissect(self, spans: Delivered, octets: memoryview) -> None:
        """Take delivered spans in, whose octets stand in `octets` at their position."""
        conversations = self.conversations
        streams = len(self.tables["streams"])
        conversations.reserve(streams)  # also of SYNs alone, which deliver nothing
        if not len(spans):
            return
        upgraded = conversations.feed(spans, octets, streams)
        if conversations.encrypted.hellos:
            tls = conversations.phase[spans.slot >> 1] == ENCRYPTED
            conversations.encrypted.feed(spans, tls & (spans.kind == DATA))
        number = conversations.number[spans.slot >> 1]
        rows = np.flatnonzero(number >= 0)
        runs = self._runs(spans, octets, rows, upgraded)
        if runs:
            self.framing.feed(runs)
        self.notes.flush()

    def _runs(self, spans: Delivered, octets: memoryview, rows: Array, upgraded: list[Upgraded]) -> list[Run]:
        """The spans of WebSocket connections as runs of one buffer each, in the order of delivery."""
        number = self.conversations.number
        columns = {
            "slot": 2 * number[spans.slot[rows] >> 1] + (spans.slot[rows] & 1),
            "kind": spans.kind[rows], "offset": spans.offset[rows], "length": spans.length[rows],
            "position": spans.position[rows], "packet": spans.packet[rows], "time": spans.time[rows],
            "release": spans.release[rows],
        }  # fmt: skip
        at = spans.at[rows]
        if upgraded:
            columns, at = _with_early(columns, at, upgraded)
        if not len(at):
            return []
        elsewhere = (columns["position"] < 0) & (columns["kind"] == DATA)
        if not elsewhere.any():
            return [Run(octets, at=at, **columns)]
        parts = [
            self.source.read(start, length).ljust(length, b"\0")
            for start, length in zip(at[elsewhere].tolist(), columns["length"][elsewhere].tolist(), strict=True)
        ]
        lengths = columns["length"][elsewhere]
        columns["position"][elsewhere] = np.cumsum(lengths) - lengths
        buffers = (memoryview(b"".join(parts)), octets)
        cuts = np.flatnonzero(np.diff(elsewhere)) + 1
        return [
            Run(buffers[0] if elsewhere[start] else buffers[1], at=at[start:stop],
                **{name: column[start:stop] for name, column in columns.items()})
            for start, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), len(at)], strict=True)
        ]  # fmt: skip

    def _seal(self, unsealed: int) -> None:
        """Leave rows of no interest out of blocks that are old enough. 0: the capture has ended."""
        for name, undecided in self._undecided.items():
            count = len(self.tables[name].blocks)
            while undecided and (undecided[0][0] <= count or not unsealed):
                self._thin(name, heappop(undecided)[1], unsealed)
            while self._sealed[name] < count - unsealed:
                self._thin(name, self._sealed[name], unsealed)
                self._sealed[name] += 1

    def _join(self) -> None:
        """Join small blocks now and then: a live capture makes several a second, and each costs some KiB."""
        for name, table in self.tables.items():
            count = len(table.blocks)
            if count < self._joined[name] + JOINED_AT:
                continue
            places = table.join(self._sealed.get(name, count), JOINED_ROWS)
            self._joined[name] = len(table.blocks)
            if name in self._sealed:
                left_out = count - len(table.blocks)
                self._sealed[name] -= left_out
                sooner: dict[int, int] = {}
                for due, index in self._undecided[name]:
                    place = places[index]
                    sooner[place] = min(due - left_out, sooner.get(place, due))
                self._undecided[name] = [(due, place) for place, due in sooner.items()]
                heapify(self._undecided[name])

    def _thin(self, name: str, index: int, unsealed: int) -> None:
        """Leave rows of no interest out of one block."""
        table = self.tables[name]
        block = table.blocks[index]
        stream = block.columns["stream"]
        phase = np.where(stream >= 0, self.conversations.phase[np.maximum(stream, 0)], OPAQUE)
        keep = phase < OPAQUE
        if name == "packets":
            # whose segment a fragment belongs to may be known blocks later, and spans name it
            keep |= block.columns["kind"] == FRAGMENT
            self.let_go += len(keep) - int(np.count_nonzero(keep))
        table.thin(index, keep)
        if unsealed and (phase == HTTP).any():
            count = len(table.blocks)
            heappush(self._undecided[name], (2 * count - index, index))


def _with_early(columns: dict[str, Array], at: Array,
                upgraded: list[Upgraded]) -> tuple[dict[str, Array], Array]:  # fmt: skip
    """Bring the spans of connections that upgraded in this chunk in, as if the packet that completed the 101 had
    delivered what came before it."""
    floors = np.zeros(int(columns["slot"].max(initial=0) >> 1) + 1, np.int64)
    for upgrade in upgraded:
        if upgrade.number < len(floors):
            floors[upgrade.number] = upgrade.release
    columns["release"] = np.maximum(columns["release"], floors[columns["slot"] >> 1])
    early: list[tuple[Upgraded, Piece]] = [(upgrade, piece) for upgrade in upgraded for piece in upgrade.early]
    if early:
        extra = {
            "slot": [2 * upgrade.number + (piece.slot & 1) for upgrade, piece in early],
            "kind": [piece.kind for _, piece in early], "offset": [piece.offset for _, piece in early],
            "length": [piece.length for _, piece in early], "position": [-1] * len(early),
            "packet": [piece.packet for _, piece in early], "time": [piece.time for _, piece in early],
            "release": [upgrade.release for upgrade, _ in early],
        }  # fmt: skip
        columns = {
            name: np.concatenate([np.array(extra[name], column.dtype), column]) for name, column in columns.items()
        }
        at = np.concatenate([np.array([piece.at for _, piece in early], np.int64), at])
    order = np.argsort(columns["release"], kind="stable")
    return {name: column[order] for name, column in columns.items()}, at[order]
