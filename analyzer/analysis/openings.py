"""Openings of a chunk that are known at sight (`dissectors.http.openings`), and their rows by whole columns.

Theory of operation. Where the first two spans of a connection are a request head and a 101, one each way, and the pair
was seen before but for its key, no dialogue is needed. Such connections are taken out of the chunk in one go; the rest
is read span by span. Both append to the same tables, and rows stand in the order of the spans that completed them
whichever way they were read: so a reader span by span asks how many rows the batch puts before its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.analysis.exchanges import Place, exchange_row, handshake_row
from analyzer.schemas import DATA
from analyzer.streams.assembly import Delivered
from dissectors.http.openings import LONGEST, Opening, Openings
from dissectors.schemas import EXCHANGES, HANDSHAKES
from dissectors.tables import Array, Schema, Strings

SHORTEST = 64
"""Octets. A request with the fields that RFC 6455 §4.1 asks for has over a hundred, its response over eighty."""

Rows = npt.NDArray[np.int64]


class Agreed(NamedTuple):
    """How the frames of sessions are to be read, one item a session; pairs are by physical direction."""

    channel: Array
    client: Array
    starts: Array
    deflate: Array
    takeover: Array
    defined: Array
    unseen: Array
    """1 where its first frame's place is not known."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Openings, one item each, in the order of their responses. `request` and `response` are places in the spans of
    the chunk."""

    request: Rows
    response: Rows
    stream: Rows
    client: Rows
    openings: Sequence[Opening]
    """The different ones."""
    kind: Rows
    """Place of each in them."""
    keys: Sequence[str]
    accepts: Sequence[str]

    def __len__(self) -> int:
        return len(self.response)

    def columns(self, schema: Schema, strings: Strings, spans: Delivered, channel: Array,
                exchange: Array) -> dict[str, Array]:  # fmt: skip
        """Rows of EXCHANGES or HANDSHAKES; `channel` and `exchange` are the numbers of those of each."""
        none = Place()
        ends = {"last": self.response}
        if schema is EXCHANGES:
            rows = [exchange_row(opening.exchange, 0, none, none, none) for opening in self.openings]
            ends |= {"request": self.request, "response": self.response}
        else:
            rows = [handshake_row(opening.exchange, opening.handshake, 0, 0, none, none) for opening in self.openings]
            ends |= {"first": self.request}
        columns = {name: column[self.kind] for name, column in schema.pack(rows, strings).items()}
        columns |= {"channel": channel, "direction": self.client}
        for name, at in ends.items():
            columns |= {f"{name}_packet": spans.packet[at], f"{name}_time": spans.time[at]}
        if schema is HANDSHAKES:
            columns |= {
                "exchange": exchange,
                "key": np.array(strings.codes_of(self.keys), np.int32),
                "accept": np.array(strings.codes_of(self.accepts), np.int32),
            }
        return columns

    def agreed(self, channel: Array) -> Agreed:
        """What the frame walk needs to know."""
        cells = [
            (opening.exchange.request_head, opening.exchange.response_head, shake.deflate.agreed,
             shake.deflate.client_takeover, shake.deflate.server_takeover, shake.defined)
            for opening in self.openings
            for shake in (opening.handshake,)
        ]  # fmt: skip
        client_start, server_start, deflate, client_takeover, server_takeover, defined = (
            np.array(column, np.int64)[self.kind] for column in zip(*cells, strict=True)
        )
        return Agreed(
            channel, self.client, by_direction(self.client, client_start, server_start), deflate,
            by_direction(self.client, client_takeover, server_takeover), defined, np.zeros((len(channel), 2), np.int64),
        )  # fmt: skip


class Order:
    """Merges rows that were read span by span with those of a batch, both told by their places in the spans of a
    chunk, ascending."""

    def __init__(self, batch: Rows) -> None:
        self.batch = batch
        self._batch = batch.tolist()

    def before(self, place: int) -> int:
        """Rows of the batch that stand before a place."""
        return bisect_left(self._batch, place)

    def merge(self, single: Rows) -> tuple[Rows, Rows]:
        """The order of the rows of `single` followed by the batch's, and where each of the batch comes to stand."""
        order = np.argsort(np.concatenate([single, self.batch]), kind="stable")
        stands = np.empty_like(order)
        stands[order] = np.arange(len(order))
        return order, stands[len(single) :]


def by_direction(client: Array, of_client: Array, of_server: Array) -> Array:
    """Pairs of values of client and server, turned to physical directions."""
    pairs = np.column_stack([of_client, of_server])
    turned = client == 1
    pairs[turned] = pairs[turned][:, ::-1]
    return pairs


def gather(spans: Delivered, octets: memoryview, rows: Rows, begun: Collection[int], known: Openings) -> Batch | None:
    """Openings in the chunk `octets` among the connections of `rows`, places in `spans`, but not in `begun`."""
    order = np.argsort(spans.slot[rows] >> 1, kind="stable")
    rows = rows[order]
    stream = spans.slot[rows] >> 1
    begins = np.flatnonzero(np.diff(stream, prepend=-1))
    begins = begins[begins + 1 < len(rows)]
    begins = begins[stream[begins + 1] == stream[begins]]
    first, second = rows[begins], rows[begins + 1]
    length = spans.length
    fit = (
        (spans.kind[first] == DATA) & (spans.kind[second] == DATA)
        & (spans.offset[first] == 0) & (spans.offset[second] == 0)
        & (spans.position[first] >= 0) & (spans.position[second] >= 0)
        & (spans.slot[first] ^ spans.slot[second] == 1)
        & (length[first] >= SHORTEST) & (length[second] >= SHORTEST) & (length[first] < LONGEST)
    )  # fmt: skip
    first, second = first[fit], second[fit]
    by_response = np.argsort(second)
    first, second = first[by_response], second[by_response]
    if begun:
        fresh = np.array([stream not in begun for stream in (spans.slot[first] >> 1).tolist()], np.bool_)
        first, second = first[fresh], second[fresh]
    found = known.read_all(octets, spans.position[first], length[first], spans.position[second],
                           np.minimum(length[second], LONGEST))  # fmt: skip
    if found is None:
        return None
    first, second = first[found.places], second[found.places]
    return Batch(first, second, spans.slot[first] >> 1, spans.slot[first] & 1, found.openings, found.kinds, found.keys,
                 found.accepts)  # fmt: skip
