"""The facts of each WebSocket connection that patterns ask for, from the tables, on whole columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analyzer.analysis.facts import SECOND, Facts
from analyzer.analysis.frames import Framing
from analyzer.packets.layouts import ACK, FIN, RST, SYN
from analyzer.streams.sequence import distances
from dissectors.notes import Layer, Note, Severity
from dissectors.schemas import NO_TIME, REFUSED
from dissectors.tables import Array, Strings, Table
from dissectors.websocket.opcodes import NO_STATUS, PING

Columns = Mapping[str, Array]
AT_ONCE = 50_000_000
"""ns within which a proxy ends both of its legs; nginx and HAProxy take 0.1 ms on loopback."""


def websocket_facts(tables: Mapping[str, Table], framing: Framing, strings: Strings, connections: Columns,
                    closes: Columns, number: Array) -> Facts:  # fmt: skip
    """Facts, one item per row of CONNECTIONS."""
    shakes = tables["handshakes"]
    stream = connections["stream"].astype(np.int64)
    client = connections["client_direction"].astype(np.int64)
    ender = closes["end_by"].astype(np.int64)
    closer = np.where(closes["close_by"] >= 0, closes["close_by"], ender)
    closed = closes["close_message"] >= 0
    sign = np.where(closed, closes["close_time"], closes["end_time"])
    idle = [closes["client_idle"], closes["server_idle"]]
    silence = np.where(idle[0] < 0, idle[1], np.where(idle[1] < 0, idle[0], np.minimum(*idle)))
    found: dict[str, Array] = {name: shakes[name].astype(np.int64) for name in TEXTS}
    found |= {
        "result": shakes["result"].astype(np.int64), "end": closes["end"].astype(np.int64), "end_by": ender,
        "bare": (~closed & (closes["end"] > 0)).astype(np.int64),
        "close_by": closes["close_by"].astype(np.int64),
        "close_reason": closes["close_reason"].astype(np.int64),
        "code": np.where(closed & (closes["close_code"] < 0), NO_STATUS, closes["close_code"]),
        "answered": (closes["answer_message"] >= 0).astype(np.int64),
        "closer_ends": (closed & (closes["close_by"] == ender)).astype(np.int64),
        "end_after_close": _span(closes["close_time"], closes["end_time"], closed),
        "client_idle": idle[0], "server_idle": idle[1], "silence": silence,
        "lifetime": _span(connections["opened"], sign, number >= 0), "sign": sign,
        "frames": connections["client_frames"] + connections["server_frames"],
        "peer_spoke_last": np.where(ender == 0, idle[1] < idle[0], idle[0] < idle[1]).astype(np.int64),
    }  # fmt: skip
    found |= _legs(connections, closes)
    found |= {name: shakes[name].astype(np.int64) for name in ("status", "version", "accept_verdict")}
    found["upgrade_lost"] = _upgrade_lost(tables, connections)
    found |= _violations(tables, connections, closer)
    found |= _pings(framing, number, client, ender, closes["end_time"])
    found |= _last_messages(tables, connections, closes)
    found |= _transport(tables, stream, client, ender, closes, found["bare"] == 1)
    found["left_before"] = _left_before(tables, connections, found["sign"], silence)
    return Facts(len(stream), found, strings)


TEXTS = ("server_software", "user_agent", "intermediaries", "subprotocol", "target", "http_host", "refusal")


def _span(start: Array, stop: Array, known: Array) -> Array:
    there = known & (start != NO_TIME) & (stop != NO_TIME)
    found: Array = np.where(there, np.maximum(np.where(there, stop, 0) - np.where(there, start, 0), 0), -1)
    return found


def _legs(connections: Columns, closes: Columns) -> dict[str, Array]:
    """`middle` is 1 where the proxy between two legs ended both within `AT_ONCE`: it is the first leg's server, and the
    second leg's client."""
    front = np.flatnonzero(connections["server_leg"] >= 0)
    back = connections["server_leg"][front]
    middle = (
        (closes["end_by"][front] == 1) & (closes["end_by"][back] == 0)
        & (closes["close_message"][front] < 0) & (closes["close_message"][back] < 0)
        & (np.abs(closes["end_time"][front] - closes["end_time"][back]) <= AT_ONCE)
    )  # fmt: skip
    found = {name: np.full(len(connections["stream"]), -1, np.int64) for name in ("middle", "front_end", "back_end")}
    # in a chain of proxies a leg has two neighbours: the one that ended both is told of
    order = np.argsort(middle, kind="stable")
    for rows in (front[order], back[order]):
        found["middle"][rows] = middle[order]
        found["front_end"][rows] = closes["end"][front[order]]
        found["back_end"][rows] = closes["end"][back[order]]
    return found


LACKING, BY_PROXY, ON_THE_WAY = 1, 2, 3
"""Of a request with a key and without Upgrade: it is; it is as a proxy writes it; the same request had it before."""


def _upgrade_lost(tables: Mapping[str, Table], connections: Columns) -> Array:
    """Codes above for refused requests, 0 for those that ask as RFC 6455 §4.1 wants it; -1 where none was captured."""
    shakes, exchanges, notes = (tables[name] for name in ("handshakes", "exchanges", "notes"))
    found = np.where(shakes["first_packet"] >= 0, 0, -1)
    refused = np.flatnonzero((shakes["result"] == REFUSED) & (shakes["key"] > 0) & (found == 0))
    wrong = np.isin(notes["code"], (Note.UPGRADE_HEADER_BAD, Note.CONNECTION_HEADER_BAD, Note.HTTP_VERSION_LOW))
    if not len(refused) or not wrong.any():
        return found
    cells = zip(*(notes[name][wrong].tolist() for name in ("channel", "direction", "offset", "code")), strict=True)
    told = set(cells)
    offsets = exchanges["request_offset"][shakes["exchange"][refused]].tolist()
    ends = zip(shakes["channel"][refused].tolist(), shakes["direction"][refused].tolist(), offsets, strict=True)
    for row, end in zip(refused.tolist(), ends, strict=True):
        if (*end, Note.UPGRADE_HEADER_BAD) in told or (*end, Note.CONNECTION_HEADER_BAD) in told:
            found[row] = BY_PROXY if (*end, Note.HTTP_VERSION_LOW) in told else LACKING
    back = np.flatnonzero((found >= LACKING) & (connections["client_leg"] >= 0))
    back = back[found[connections["client_leg"][back]] == 0]
    found[back] = found[connections["client_leg"][back]] = ON_THE_WAY
    return found


def _violations(tables: Mapping[str, Table], connections: Columns, closer: Array) -> dict[str, Array]:
    """Broken MUSTs of frames and messages, by the side that did not close."""
    notes = tables["notes"]
    bad = (notes["severity"] >= Severity.MUST) & (notes["channel"] >= 0)
    bad &= (notes["layer"] == Layer.FRAME) | (notes["layer"] == Layer.MESSAGE)
    slot = 2 * notes["channel"][bad].astype(np.int64) + notes["direction"][bad]
    counts = np.bincount(slot, minlength=2 * len(tables["channels"]))
    client = connections["client_direction"].astype(np.int64)
    peer = np.where(closer == 0, 1 - client, client)
    return {"violation": counts[2 * connections["channel"].astype(np.int64) + peer]}


def _pings(framing: Framing, number: Array, client: Array, ender: Array, end_time: Array) -> dict[str, Array]:
    """How old the oldest unanswered Ping of the side that ended TCP was."""
    oldest = np.full(2 * max(len(framing.channels), 1), NO_TIME, np.int64)
    for slot, waiting in enumerate(framing.folds.pings):
        if waiting:
            oldest[slot] = min((time for *_, time, excused in waiting if not excused), default=NO_TIME)
    slot = np.maximum(2 * number + np.where(ender == 0, client, 1 - client), 0)
    return {"ender_ping_age": _span(oldest[slot], end_time, (number >= 0) & (ender >= 0))}


def _last_messages(tables: Mapping[str, Table], connections: Columns, closes: Columns) -> dict[str, Array]:
    """Before the first Close: the length of the server's last data message, whether the client has said anything since,
    and the time between the server's last two Pings."""
    messages = tables["messages"]
    channels = len(tables["channels"])
    channel, client = messages["channel"].astype(np.int64), tables["channels"]["client"]
    of_server = messages["direction"] != client[channel]
    bound = np.full(channels, 2**62, np.int64)
    closed = closes["close_message"] >= 0
    bound[connections["channel"][closed]] = closes["close_message"][closed]
    data = np.flatnonzero(messages["opcode"] < 8)
    data = data[messages.rows()[data] < bound[channel[data]]]
    last = np.full(2 * channels, -1, np.int64)
    last[2 * channel[data] + of_server[data]] = data  # the last assignment wins
    pings = np.flatnonzero((messages["opcode"] == PING) & of_server)
    order = pings[np.argsort(channel[pings], kind="stable")]
    apart = np.full(channels, -1, np.int64)
    pairs = np.flatnonzero(np.diff(channel[order]) == 0)
    apart[channel[order[pairs]]] = messages["time"][order[pairs + 1]] - messages["time"][order[pairs]]
    mine = connections["channel"].astype(np.int64)
    by_client, by_server = last[2 * mine], last[2 * mine + 1]
    length = messages["length"].astype(np.int64)
    sizes = np.append(length, -1)
    return {
        "server_last": sizes[by_server], "client_silent_since": (by_server > by_client).astype(np.int64),
        "server_ping_interval": apart[mine],
    }  # fmt: skip


def _transport(tables: Mapping[str, Table], stream: Array, client: Array, ender: Array, closes: Columns,
               bare: Array) -> dict[str, Array]:  # fmt: skip
    """What TCP shows: windows that stayed shut, data sent again and never acknowledged, data after the other's FIN. All
    but the first is asked of connections that died without a Close only."""
    packets = tables["packets"]
    slots = 2 * len(tables["streams"])
    found = {"stalled": _stalled(packets, slots, stream, closes["end_time"])}
    died = np.zeros(slots // 2 + 1, np.bool_)  # the last item stands for packets of no stream
    died[stream[bare]] = True
    kept = np.flatnonzero(died[packets["stream"]])
    slot = 2 * packets["stream"][kept].astype(np.int64) + packets["direction"][kept]
    time, flags = packets["time"][kept], packets["flags"][kept]
    seq, length = packets["seq"][kept], packets["segment_length"][kept]
    numbers = packets.rows()[kept] if len(kept) else kept
    of_client, of_server = 2 * stream + client, 2 * stream + 1 - client
    again, quiet = _sent_again(seq, slot, time, length, slots)
    owed = _owed(seq, packets["ack"][kept], slot, length, flags, slots)
    lost = np.where(owed[of_client] > owed[of_server], of_client, of_server)
    found |= {
        "unacknowledged": owed[lost], "retransmitted": again[lost],
        "quiet_before_retransmission": np.where(again[lost] > 0, quiet[lost], -1),
    }  # fmt: skip
    end_packet = np.full(slots // 2, 2**62, np.int64)
    ended = closes["end_packet"] >= 0
    end_packet[stream[ended]] = closes["end_packet"][ended]
    ends = np.full(slots // 2, -1, np.int64)
    ends[stream] = np.where(ender < 0, -1, np.where(ender == 0, client, 1 - client))
    behind = numbers > end_packet[slot >> 1]
    after = behind & (length > 0) & (ends[slot >> 1] == 1 - (slot & 1))
    reset = behind & (flags & RST != 0) & (ends[slot >> 1] == (slot & 1))
    sent = np.bincount(slot[after] >> 1, weights=length[after], minlength=slots // 2)
    found["sent_after_fin"] = sent.astype(np.int64)[stream]
    found["other_reset"] = (np.bincount(slot[reset] >> 1, minlength=slots // 2) > 0).astype(np.int64)[stream]
    return found


def _stalled(packets: Table, slots: int, stream: Array, end_time: Array) -> Array:
    """How long the window of either side had been zero when TCP ended, -1 where it was open."""
    window = packets["window"]
    shut = np.flatnonzero((window == 0) & (packets["flags"] & (FIN | SYN | RST) == 0) & (packets["stream"] >= 0))
    if not len(shut):
        return np.full(len(stream), -1, np.int64)
    slot = 2 * packets["stream"].astype(np.int64) + packets["direction"]
    time = packets["time"]
    opened = np.full(slots, -1, np.int64)
    opens = np.flatnonzero((window > 0) & (packets["flags"] & (FIN | SYN | RST) == 0) & (slot >= 0))
    opened[slot[opens]] = opens
    still = shut[shut > opened[slot[shut]]][::-1]
    since = np.full(slots, NO_TIME, np.int64)
    since[slot[still]] = time[still]  # reversed: the earliest assignment stands
    found: Array = np.maximum(
        _span(since[2 * stream], end_time, end_time != NO_TIME),
        _span(since[2 * stream + 1], end_time, end_time != NO_TIME),
    )
    return found


def _sent_again(seq: Array, slot: Array, time: Array, length: Array, slots: int) -> tuple[Array, Array]:
    """How often each side's last new octets were sent again, and for how long it had been quiet before them."""
    data = np.flatnonzero(length > 1)
    order = data[np.argsort(slot[data], kind="stable")]
    of = slot[order]
    again, quiet = np.zeros(slots, np.int64), np.full(slots, -1, np.int64)
    if not len(order):
        return again, quiet
    repeats = np.append(False, (of[1:] == of[:-1]) & (seq[order][1:] == seq[order][:-1]))
    fresh = np.flatnonzero(~repeats)
    lengths = np.diff(fresh, append=len(order))
    again[of[fresh]] = lengths - 1  # the last run of a slot stands
    before = np.append(-1, np.where(of[1:] == of[:-1], time[order][1:] - time[order][:-1], -1))
    quiet[of[fresh]] = before[fresh]
    return again, quiet


def _owed(seq: Array, ack: Array, slot: Array, length: Array, flags: Array, slots: int) -> Array:
    """Octets of each side's last data that the other never acknowledged; 0 where it sent nothing that says so."""
    stop = np.zeros(slots, np.int64)
    data = np.flatnonzero(length > 0)
    sent = np.zeros(slots, np.bool_)
    stop[slot[data]] = seq[data].astype(np.int64) + length[data]
    sent[slot[data]] = True
    acks = np.flatnonzero(flags & (ACK | RST) == ACK)
    reach = np.full(slots, -1, np.int64)
    reach[slot[acks] ^ 1] = ack[acks]
    owed: Array = np.where(sent & (reach >= 0), np.maximum(distances(stop - reach), 0), 0)
    return owed


def _left_before(tables: Mapping[str, Table], connections: Columns, sign: Array, silence: Array) -> Array:
    """ns from the last page that the same client loaded, after the connection's last octet, to its end."""
    exchanges, channels, streams = tables["exchanges"], tables["channels"], tables["streams"]
    found = np.full(len(sign), -1, np.int64)
    pages = (exchanges["style"] == 0) & (exchanges["status"] == 200) & (exchanges["request_time"] != NO_TIME)
    pages = np.flatnonzero(pages)
    if not len(pages):
        return found
    channel = exchanges["channel"][pages]
    stream = channels["stream"][channel]
    address = np.where(channels["client"][channel] == 0, streams["address_0"][stream], streams["address_1"][stream])
    time = exchanges["request_time"][pages]
    order = np.lexsort((time, address))
    address, time = address[order], time[order]
    known = np.flatnonzero((sign != NO_TIME) & (silence > SECOND))
    own = connections["client_address"][known]
    # the client's latest page before the end: by address, then by time, in one sorted column
    low, high = np.searchsorted(address, own, "left"), np.searchsorted(address, own, "right")
    for row, start, stop in zip(known.tolist(), low.tolist(), high.tolist(), strict=True):
        at = start + int(np.searchsorted(time[start:stop], sign[row])) - 1
        if at >= start and sign[row] - time[at] < silence[row]:
            found[row] = sign[row] - time[at]
    return found
