"""How each connection ended: the Close frames, TCP's end, what each side's API reports, and the verdict's code."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analyzer.analysis.frames import Framing
from analyzer.analysis.unseen import unseen_ends, unseen_fins
from analyzer.streams.assembly import Assembly
from dissectors.notes import Layer, Note, Severity
from dissectors.schemas import ACCEPTED, NO_TIME, OTHER, REFUSED
from dissectors.tables import Array, Table
from dissectors.websocket.opcodes import ABNORMAL, CLOSE, NO_STATUS

FAILING = (Note.CLOSE_ONE_OCTET, Note.CLOSE_CODE_FORBIDDEN, Note.CLOSE_REASON_NOT_UTF8)
"""What is wrong with a Close that its receiver cannot take for one."""
FAILING_FRAME = (Note.RSV_NOT_NEGOTIATED, Note.RSV1_ON_CONTROL, Note.CONTROL_TOO_LONG, Note.CONTROL_FRAGMENTED)
"""The same of a frame, where that frame is the Close."""
FAILED = (1002, 1007)
"""Codes of a Close that its sender fails the connection with, on octets that it cannot accept (RFC 6455 §7.4.1): where
the other side's frames show why. Without that it is an application that sent them, and waits for the answer."""
TOO_BIG = 1009
"""The same on a message that is longer than it takes: where there was one, as no octets show it to be wrong."""
OPEN, CLEAN, UNANSWERED_CLOSE, FIN, RST, REFUSED_VERDICT, NO_RESPONSE, OTHER_PROTOCOL, LOST = range(9)
"""Codes of `schemas.VERDICTS`."""


def close_columns(tables: Mapping[str, Table], framing: Framing, assembly: Assembly, stream: Array, client: Array,
                  number: Array, absent: Array) -> dict[str, Array]:  # fmt: skip
    """The columns of CLOSES, one item per handshake; `number` is -1 where no WebSocket was opened, `absent` says by
    slot of what nothing was captured."""
    columns = _close_frames(tables, framing, client, number)
    columns |= tcp_ends(tables, stream, client)
    other = np.where(columns["end_by"] == 0, 1 - client, client)
    columns["end_unseen"] = (
        (columns["end"] > 0) & (columns["other_end"] == 0) & unseen_fins(assembly)[2 * stream + other]
    )
    ends = unseen_ends(assembly)
    slots = [2 * stream + side for side in (client, 1 - client)]
    halves = [_lost(framing, number, slot & 1) | (ends[slot] > 0) | absent[slot] for slot in slots]
    lost = halves[0] | halves[1]
    columns |= _reported(tables, columns, lost)
    columns |= _idle(tables, framing, assembly, columns, stream, client, number)
    result = tables["handshakes"]["result"]
    died = np.where(lost, LOST, np.select([columns["end"] == 1, columns["end"] == 2], [FIN, RST], OPEN))
    unknown = np.where(columns["close_by"] == 1, *halves)
    closed = np.where(columns["answer_message"] >= 0, CLEAN, np.where(unknown, LOST, UNANSWERED_CLOSE))
    opened = np.where(columns["close_message"] >= 0, closed, died)
    columns["verdict"] = np.select(
        [result == ACCEPTED, result == REFUSED, result == OTHER],
        [opened, REFUSED_VERDICT, OTHER_PROTOCOL],
        np.where(halves[1] | (assembly.segments.column("missing")[slots[1]] > 0), LOST, NO_RESPONSE),
    )
    return columns


def _at(values: Array, number: Array, side: Array, absent: int) -> Array:
    """State by slot, for the sessions that were opened."""
    if not len(values):
        return np.full(len(number), absent, np.int64)
    return np.where(number >= 0, values[np.maximum(2 * number + side, 0)], absent)


def _close_frames(tables: Mapping[str, Table], framing: Framing, client: Array, number: Array) -> dict[str, Array]:
    """The first Close each way (RFC 6455 §7.1.1), and which was first."""
    rows = framing.folds.whole["close_row"]
    by_client = _at(rows, number, client, -1)
    by_server = _at(rows, number, 1 - client, -1)
    # rows of a direction that waited for lost octets stand behind those of the other
    frames = tables["frames"]
    place = [frames.take("last_packet", tables["messages"].take("last_frame", row)) for row in (by_client, by_server)]
    earlier = np.where(place[0] == place[1], by_server < by_client, place[1] < place[0])
    server_first = (by_server >= 0) & ((by_client < 0) | earlier)
    first = np.where(server_first, by_server, by_client)
    answer = np.where(first >= 0, np.where(server_first, by_client, by_server), -1)
    messages = tables["messages"]
    time, answered = messages.take("time", first), messages.take("time", answer)
    return {
        "client_close": by_client, "server_close": by_server,
        "client_code": messages.take("close_code", by_client), "server_code": messages.take("close_code", by_server),
        "close_message": first, "answer_message": answer,
        "close_code": messages.take("close_code", first), "close_reason": messages.take("close_reason", first),
        "close_by": np.where(first < 0, -1, server_first), "close_time": np.where(first >= 0, time, NO_TIME),
        "answered_after": np.where((answer >= 0) & (time != NO_TIME) & (answered != NO_TIME), answered - time, -1),
    }  # fmt: skip


def tcp_ends(tables: Mapping[str, Table], stream: Array, client: Array) -> dict[str, Array]:
    """The first FIN or RST, and the first of the other side."""
    endings = tables["endings"]
    streams = len(tables["streams"])
    first = np.full(streams, -1, np.int64)
    by_side = np.full((2, streams), -1, np.int64)
    rows = np.arange(len(endings))[::-1]
    of = endings["stream"][::-1]
    first[of] = rows  # the last assignment wins, which is the earliest row
    side = endings["direction"][::-1]
    for direction in (0, 1):
        by_side[direction, of[side == direction]] = rows[side == direction]
    begin = first[stream]
    who = endings.take("direction", begin).astype(np.int64)
    other = np.where(begin >= 0, by_side[1 - who, stream], -1)
    return {
        "end": endings.take("kind", begin), "end_packet": endings.take("packet", begin),
        "end_by": np.where(begin < 0, -1, who != client), "end_time": endings.take("time", begin),
        "other_end": endings.take("kind", other), "other_end_packet": endings.take("packet", other),
    }  # fmt: skip


def _lost(framing: Framing, number: Array, side: Array) -> Array:
    """Sessions of which this side lost its framing: a Close may have been missed."""
    state = framing.directions.whole
    mode = np.where(state["opaque"] > 0, state["mode"], 0)  # of a direction that said nothing, nothing is lost
    lost: Array = _at(mode, number, side, 0) == 2
    return lost


def _reported(tables: Mapping[str, Table], columns: Mapping[str, Array], lost: Array) -> dict[str, Array]:
    """What each side's API reports: the code of the first Close that it received, 1005 where that had none
    (RFC 6455 §7.1.5), 1006 where the connection ended without one, or with one that fails it (§7.1.7). Who fails it
    with a Close of its own reads nothing after that, and reports 1006 too: so do browsers, websockets and ws. Null
    while it is open, where nobody can know, and where that side never had a WebSocket."""
    reported = {}
    ended = columns["end"] > 0
    result = tables["handshakes"]["result"]
    messages, notes = tables["messages"], tables["notes"]
    bad = notes["channel"][np.isin(notes["code"], FAILING)], notes["direction"][np.isin(notes["code"], FAILING)]
    failing = set(zip(bad[0].tolist(), bad[1].tolist(), strict=True))
    frames = np.flatnonzero(np.isin(notes["code"], FAILING_FRAME))
    wrong = set(zip(*(notes[name][frames].tolist() for name in ("channel", "direction", "offset")), strict=True))
    for number, (side, peer) in enumerate((("client", "server"), ("server", "client"))):
        row, code = columns[f"{peer}_close"], columns[f"{peer}_code"]
        received = np.where(code >= 0, code, np.where(messages.take("length", row) == 0, NO_STATUS, -1))
        if failing:
            ends = zip(messages.take("channel", row).tolist(), messages.take("direction", row).tolist(), strict=True)
            received = np.where([end in failing for end in ends], ABNORMAL, received)
        if wrong:
            at = tables["frames"].take("offset", messages.take("last_frame", row)).tolist()
            places = zip(
                messages.take("channel", row).tolist(), messages.take("direction", row).tolist(), at, strict=True
            )
            received = np.where([place in wrong for place in places], ABNORMAL, received)
        told = np.where(row >= 0, received, np.where(ended & ~lost, ABNORMAL, -1))
        failed = (columns["close_by"] == number) & np.isin(columns[f"{side}_code"], (*FAILED, TOO_BIG))
        if failed.any():
            failed &= _offended(tables, columns[f"{side}_close"], columns[f"{side}_code"])
        told = np.where(failed, ABNORMAL, told)
        had = (result == ACCEPTED) | ((side == "client") & (result != OTHER))
        reported[f"{side}_reported"] = np.where(had, told, -1)
    return reported


def _offended(tables: Mapping[str, Table], closes: Array, codes: Array) -> Array:
    """Whether the other side's frames gave a reason for Closes, which are rows of MESSAGES: they broke a MUST, or there
    was data that may have been too big."""
    messages, notes, frames = tables["messages"], tables["notes"], tables["frames"]
    bad = (notes["severity"] == Severity.MUST) & np.isin(notes["layer"], (Layer.FRAME, Layer.MESSAGE, Layer.CLOSE))
    offenders = np.unique(2 * notes["channel"][bad].astype(np.int64) + notes["direction"][bad])
    peers = 2 * messages.take("channel", closes).astype(np.int64) + 1 - messages.take("direction", closes)
    found: Array = np.isin(peers, offenders)
    if (codes == TOO_BIG).any():
        data = frames["opcode"] < CLOSE
        senders = np.unique(2 * frames["channel"][data].astype(np.int64) + frames["direction"][data])
        found = np.where(codes == TOO_BIG, np.isin(peers, senders), found)
    return found


def _idle(tables: Mapping[str, Table], framing: Framing, assembly: Assembly, columns: Mapping[str, Array],
          stream: Array, client: Array, number: Array) -> dict[str, Array]:  # fmt: skip
    """From each side's last octet to the first sign of the end: a Close frame, else TCP's end."""
    close_time, end_time = columns["close_time"], columns["end_time"]
    closed = columns["close_message"] >= 0
    sign = np.where(closed, close_time, end_time)
    known = (closed | (columns["end"] > 0)) & (sign != NO_TIME)
    last_frame = framing.folds.whole["last_time"]
    holed = closed & ((assembly.segments.column("missing")[np.stack([2 * stream, 2 * stream + 1])] > 0).any(axis=0))
    last_octet = assembly.segments.column("quiet_since")
    opened = tables["handshakes"]["last_time"]
    idle = {}
    for name, side in (("client", client), ("server", 1 - client)):
        frame = _at(last_frame, number, side, NO_TIME)
        frame = _before_close(tables, columns, side, np.flatnonzero(holed), frame)
        before_close = np.where(frame == NO_TIME, opened, frame)
        last = np.where(closed, before_close, last_octet[2 * stream + side])
        idle[f"{name}_idle"] = np.where(known & (number >= 0) & (last != NO_TIME), np.maximum(sign - last, 0), -1)
    return idle


def _before_close(tables: Mapping[str, Table], columns: Mapping[str, Array], side: Array, rows: Array,
                  times: Array) -> Array:  # fmt: skip
    """`times` with those of `rows` told anew. A walk stops to count at the first Close that it meets; behind a hole,
    that of one side comes before frames of the other that crossed earlier."""
    if not len(rows):
        return times
    times, messages, frames = times.copy(), tables["messages"], tables["frames"]
    close = columns["close_message"][rows]
    channel = messages.take("channel", close).astype(np.int64)
    until = np.full((len(tables["channels"]), 2), -1, np.int64)
    until[channel, side[rows]] = frames.take("last_packet", messages.take("last_frame", close))
    place = frames["channel"].astype(np.int64), frames["direction"].astype(np.int64)
    packet = frames["last_packet"]
    before = (packet >= 0) & (packet <= until[place]) & (frames["opcode"] != CLOSE)
    last = np.full(until.shape, NO_TIME, np.int64)
    np.maximum.at(last, (place[0][before], place[1][before]), frames["time"][before])
    times[rows] = last[channel, side[rows]]
    return times
