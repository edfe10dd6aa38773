"""CONNECTIONS and CLOSES: everything that is known of a WebSocket session so far, on whole columns.

A row for every handshake, in their order: opened, refused, unanswered, or switched to another protocol; then one for
every session whose handshake is not in the capture. For these HANDSHAKES are given rows here that say nothing, which
nobody else sees; and a request whose response was not captured counts as accepted where frames followed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from analyzer.analysis.causes import common_causes, incidents, judge
from analyzer.analysis.closes import (
    LOST,
    NO_RESPONSE,
    OPEN,
    OTHER_PROTOCOL,
    REFUSED_VERDICT,
    close_columns,
)
from analyzer.analysis.encrypted import Encrypted, encrypted_columns
from analyzer.analysis.evidence import websocket_facts
from analyzer.analysis.facts import Facts
from analyzer.analysis.frames import Framing
from analyzer.analysis.legs import twin_columns
from analyzer.analysis.transport import transport_columns
from analyzer.analysis.unacknowledged import unacknowledged_columns
from analyzer.analysis.unseen import acknowledged, unheard, unseen_octets
from analyzer.schemas import BOTH, CLIENT_ALONE, SERVER_ALONE
from analyzer.streams.assembly import Assembly
from dissectors.notes import Severity
from dissectors.schemas import ACCEPTED, NO_TIME, OTHER, REFUSED
from dissectors.tables import Array, Strings, Table
from dissectors.websocket.opcodes import PONG


def conclude(tables: Mapping[str, Table], framing: Framing, assembly: Assembly,
             number_of: npt.NDArray[np.int64], strings: Strings, encrypted: Encrypted,
             starts: Sequence[int]) -> dict[str, Table]:  # fmt: skip
    """CONNECTIONS, CLOSES and INCIDENTS, as they stand. `number_of`: the framing's number of the WebSocket session
    on a TCP connection, -1 for none. `starts`: virtual offsets at which files begin."""
    made = {name: Table(tables[name].schema) for name in ("connections", "closes", "encrypted", "incidents")}
    if len(tables["handshakes"]) or framing.channels:
        _sessions(made, tables, framing, assembly, number_of, strings, starts)
    if encrypted.hellos:
        columns, found = encrypted_columns(tables, encrypted, assembly, len(made["incidents"]))
        made["encrypted"].append(columns)
        made["incidents"].append(found)
    return made


def _sessions(made: Mapping[str, Table], tables: Mapping[str, Table], framing: Framing, assembly: Assembly,
              number_of: npt.NDArray[np.int64], strings: Strings, starts: Sequence[int]) -> None:  # fmt: skip
    """The rows of WebSocket sessions."""
    seen = len(tables["handshakes"])
    shakes = _with_unseen(tables, framing)
    tables = {**tables, "handshakes": shakes}
    channel = shakes["channel"]
    stream = tables["channels"]["stream"][channel]
    client = shakes["direction"].astype(np.int64)
    accepted = shakes["result"] == ACCEPTED
    number = np.where(accepted, number_of[stream], -1)
    absent = unheard(assembly, tables["streams"])
    closes = close_columns(tables, framing, assembly, stream, client, number, absent)
    connections = _columns(tables, framing, assembly, channel, stream, client, number, closes)
    connections |= twin_columns(tables, assembly, connections, starts)
    facts = websocket_facts(tables, framing, strings, connections, closes, number)
    no_client, no_server = absent[2 * stream + client], absent[2 * stream + 1 - client]
    both = ~(no_client | no_server)
    closes |= unacknowledged_columns(tables, assembly, stream, client, both)
    if not both.all():
        _one_sided(connections, closes, no_client, no_server)
        for name, rows, side in (("client", no_client, client), ("server", no_server, 1 - client)):
            connections[f"{name}_unseen"][rows] = acknowledged(tables["packets"], (2 * stream + side)[rows])
    made["incidents"].append(_causes(facts, connections, closes, both))
    connections["handshake"] = np.where(connections["handshake"] < seen, connections["handshake"], -1)
    made["connections"].append(connections)
    made["closes"].append({name: closes[name] for name in made["closes"].schema.by_name})


def _one_sided(connections: dict[str, Array], closes: dict[str, Array], no_client: Array, no_server: Array) -> None:
    """Nothing is said of what a side did, or did not do, of which no packet was captured."""
    for name, peer, absent in (("client", "server", no_client), ("server", "client", no_server)):
        closes[f"{name}_idle"] = np.where(absent, -1, closes[f"{name}_idle"])
        closes[f"{peer}_reported"] = np.where(absent, -1, closes[f"{peer}_reported"])
        connections[f"{peer}_unanswered"] = np.where(absent, 0, connections[f"{peer}_unanswered"])
    connections["captured"] = np.select([no_client, no_server], [SERVER_ALONE, CLIENT_ALONE], BOTH)


def _with_unseen(tables: Mapping[str, Table], framing: Framing) -> Table:
    """HANDSHAKES, with an accepted one for every session."""
    shakes, channels = tables["handshakes"], tables["channels"]
    without = np.zeros(len(channels), np.bool_)
    without[np.array(framing.channels, np.int64)] = True
    without[shakes["channel"][shakes["result"] == ACCEPTED]] = False
    unseen = np.flatnonzero(without)
    if not len(unseen):
        return shakes
    result, last_time = shakes["result"].copy(), shakes["last_time"].copy()
    last = np.full(len(channels), -1, np.int64)
    last[shakes["channel"]] = np.arange(len(shakes))  # the last assignment wins
    half = last[unseen]
    half = half[half >= 0]
    result[half], last_time[half] = ACCEPTED, NO_TIME
    none = unseen[last[unseen] < 0]
    known = {"result": result, "last_time": last_time}
    empty = {"channel": none, "direction": channels["client"][none], "result": ACCEPTED}
    whole = Table(shakes.schema)
    whole.append({
        column.name: np.concatenate([
            known.get(column.name, shakes[column.name]),
            np.broadcast_to(np.asarray(empty.get(column.name, column.null or 0), column.dtype), len(none)),
        ])
        for column in shakes.schema.columns
    })  # fmt: skip
    return whole


def _causes(facts: Facts, connections: Mapping[str, Array], closes: dict[str, Array],
            both: Array) -> dict[str, Array]:  # fmt: skip
    """Fill the columns of CLOSES about causes; returns INCIDENTS. Where octets are missing, not `both` sides were
    captured, or the capture ended before the connection did, none is claimed."""
    whole = both & (connections["client_unseen"] == 0) & (connections["server_unseen"] == 0)
    whole &= ~closes["end_unseen"] | (closes["close_message"] >= 0)
    eligible = whole & ~np.isin(closes["verdict"], (OPEN, NO_RESPONSE, OTHER_PROTOCOL, LOST))
    found = incidents(
        connections["server_address"], connections["server_port"], facts, connections["opened"],
        eligible & (closes["verdict"] != REFUSED_VERDICT),
    )  # fmt: skip
    facts = Facts(facts.count, {**facts.columns, **{name: found[name] for name in GROUPED}}, facts.strings)
    closes |= judge(facts, eligible)
    closes["incident"] = found["of"]
    return found | common_causes(found["of"], closes, len(found["kind"]))


GROUPED = ("together", "same_idle")


def _columns(tables: Mapping[str, Table], framing: Framing, assembly: Assembly, channel: Array, stream: Array,
             client: Array, number: Array, closes: Mapping[str, Array]) -> dict[str, Array]:  # fmt: skip
    shakes, streams = tables["handshakes"], tables["streams"]
    folds, directions = framing.folds, framing.directions
    result = shakes["result"]
    sides = {"client": client, "server": 1 - client}
    columns: dict[str, Array] = {
        "key": _keys(tables, stream), "channel": channel, "stream": stream,
        "handshake": np.arange(len(shakes)), "client_direction": client,
        "known_by": tables["channels"]["known_by"][channel], "tunnel": streams["tunnel"][stream],
        "connect_target": tables["channels"]["connect_target"][channel],
        "proxied_source": tables["channels"]["proxied_source"][channel],
        "state": _states(result, closes), "opened": np.where(number >= 0, shakes["last_time"], NO_TIME),
        "captured": np.full(len(stream), BOTH), "first_time": streams["first_time"][stream],
        "last_time": assembly.segments.column("last_time")[stream],
        "round_trip": _round_trips(tables)[channel], "notes": _note_counts(tables)[channel],
    }  # fmt: skip
    waiting = np.array([len(pings) if pings else 0 for pings in folds.pings] or [0], np.int64)
    missing, unseen = assembly.segments.column("missing"), unseen_octets(assembly)
    reach = assembly.segments.column("next")
    for name, side in sides.items():
        columns[f"{name}_address"] = np.where(side == 0, streams["address_0"][stream], streams["address_1"][stream])
        columns[f"{name}_port"] = np.where(side == 0, streams["port_0"][stream], streams["port_1"][stream])
        slot = 2 * number + side

        def tally(values: Array, slot: Array = slot) -> Array:
            if not len(values):
                return np.zeros(len(slot), np.int64)
            return np.where(number >= 0, values[np.maximum(slot, 0)], 0)

        columns[f"{name}_frames"] = tally(directions.whole["frames"])
        columns[f"{name}_messages"] = tally(folds.whole["messages"])
        columns[f"{name}_octets"] = tally(folds.whole["octets"])
        columns[f"{name}_inflated"] = tally(folds.whole["inflated_octets"])
        columns[f"{name}_pings"] = tally(folds.whole["ping_count"])
        columns[f"{name}_unanswered"] = tally(waiting)
        columns[f"{name}_seen"] = np.maximum(reach[2 * stream + side] - missing[2 * stream + side], 0)
        columns[f"{name}_unseen"] = unseen[2 * stream + side]
    return columns | transport_columns(assembly, stream, client)


def _keys(tables: Mapping[str, Table], stream: Array) -> Array:
    """The virtual offset of the first packet of the TCP connection; of the request's first packet where an earlier
    handshake on the same TCP connection has that already."""
    first = np.zeros(len(stream), np.bool_)
    first[np.unique(stream, return_index=True)[1]] = True
    keys = tables["streams"]["first_offset"][stream].copy()
    if not first.all():
        again = np.flatnonzero(~first)
        keys[again] = tables["packets"].take("offset", tables["handshakes"]["first_packet"][again])
    return keys


def _states(result: Array, closes: Mapping[str, Array]) -> Array:
    """Codes of `schemas.STATES`."""
    opened = np.where(closes["close_message"] >= 0, 2, np.where(closes["end"] > 0, 3, 1))
    return np.select([result == ACCEPTED, result == REFUSED, result == OTHER], [opened, 4, 5], 0)


def _round_trips(tables: Mapping[str, Table]) -> Array:
    """The median ping round trip of each channel, -1 for none."""
    out = np.full(len(tables["channels"]), -1, np.int64)
    messages = tables["messages"]
    times = messages["time"]
    answered = (messages["opcode"] == PONG) & (messages["answers"] >= 0) & (times != NO_TIME)
    pongs = np.flatnonzero(answered)
    asked = messages.take("time", messages["answers"][pongs])
    pongs, asked = pongs[asked != NO_TIME], asked[asked != NO_TIME]
    if not len(pongs):
        return out
    trip = times[pongs] - asked
    channel = messages["channel"][pongs]
    order = np.lexsort((trip, channel))
    channels, first, count = np.unique(channel[order], return_index=True, return_counts=True)
    out[channels] = trip[order][first + (count - 1) // 2]
    return out


def _note_counts(tables: Mapping[str, Table]) -> Array:
    """Observations of severity should or must, by channel."""
    notes = tables["notes"]
    bad = (notes["severity"] >= Severity.SHOULD) & (notes["channel"] >= 0)
    return np.bincount(notes["channel"][bad], minlength=len(tables["channels"]))
