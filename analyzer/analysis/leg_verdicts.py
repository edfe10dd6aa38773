"""Legs and views of one session told as one story: who ended which leg first, what the proxy changed, what got lost."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from analyzer.analysis.contents import Contents
from analyzer.analysis.legs import Packets, clock_offset, views_of
from analyzer.analysis.snapshot import Snapshot
from analyzer.analysis.verdicts import SIDES, TCP_ENDS, duration
from dissectors.http.head import Head, read_head
from dissectors.http.secrets import mask_field
from dissectors.schemas import ACCEPTED, NO_TIME
from dissectors.tables import Array

HOP_BY_HOP = frozenset(("connection", "upgrade", "keep-alive", "te", "transfer-encoding", "proxy-connection", "date"))
"""Fields that every hop writes anew (RFC 9110 §7.6.1), and the time."""
MATTER = ("sec-websocket-extensions", "sec-websocket-protocol", "origin", "host", "forwarded", "x-forwarded-for",
          "x-forwarded-proto", "x-real-ip", "via")  # fmt: skip
"""Fields that are told first."""
TOLD = 12
"""Differences of header fields that are told of one head."""
LONGEST = 80
"""Characters of a value."""
LOST_TOLD = 5


def legs_of(snapshot: Snapshot, row: int) -> list[int]:
    """Rows of CONNECTIONS: the legs of a session, from the client to the server; one where no proxy shows."""
    legs = [row]
    for name, at in (("client_leg", 0), ("server_leg", -1)):
        column = snapshot["connections"][name]
        while (other := int(column[legs[at]])) >= 0:
            legs.insert(0 if at == 0 else len(legs), other)
    return legs


def leg_phrase(snapshot: Snapshot, row: int) -> str:
    """Which leg of its session a connection is, and which the others are; empty for one alone."""
    legs = legs_of(snapshot, row)
    if len(legs) == 1:
        return ""
    place, last = legs.index(row), len(legs) - 1
    others = [f"c{int(snapshot['connections']['key'][leg])}" for leg in legs if leg != row]
    proxies = "a proxy" if last == 1 else f"{last} proxies"
    here = "both ends here" if 0 < place < last else f"{'one is ' * (last > 1)}the {SIDES[place == 0]} here"
    return (
        f"leg {place + 1} of {len(legs)} through {proxies} ({here}); other leg{'s' * (last > 1)}: {', '.join(others)}"
    )


def view_phrase(snapshot: Snapshot, row: int) -> str:
    """That a connection was captured elsewhere too, and how the clocks differ; empty where it was not."""
    record = snapshot["connections"].row(row)
    if record["other_view"] < 0 and record["places"] < 2:
        return ""
    told = "this TCP connection was captured at two places; the times shown are of both"
    if record["other_view"] >= 0:
        key = snapshot["connections"].row(record["other_view"])["key"]
        told = f"the same TCP connection was captured elsewhere as c{key}"
    if record["clock_error"] < 0:
        return f"{told}; the clocks cannot be compared"
    ahead = "ahead" if record["clock_offset"] >= 0 else "behind"
    return (
        f"{told}; the other clock is {duration(abs(record['clock_offset']))} {ahead}"
        f" (give or take {duration(record['clock_error'])})"
    )


def tell_legs(snapshot: Snapshot, row: int, contents: Contents) -> list[str]:
    """What happened across the proxies of a session, a line each."""
    legs = legs_of(snapshot, row)
    told: list[str] = []
    for front, back in pairwise(legs):
        records = [snapshot["connections"].row(leg) for leg in (front, back)]
        names = [f"c{record['key']}" for record in records]
        told.append(f"client's side {names[0]}, server's side {names[1]}:")
        told += _ends(snapshot, front, back)
        told += _delay(snapshot, records)
        told += _heads(snapshot, records, contents)
    return told


ENDS = (("the client", "the proxy"), ("the proxy", "the server"))
"""Who the client and the server of a leg are: of the one before a proxy, and of the one behind it."""


def _signs(snapshot: Snapshot, row: int, ends: tuple[str, str]) -> tuple[int, str]:
    """The first sign of a leg's end: when, and what."""
    close = snapshot["closes"].row(row)
    if close["close_message"] >= 0:
        time = snapshot["messages"].row(close["close_message"])["time"]
        return time, f"{ends[close['close_by']]} sent Close {_code(close['close_code'])}"
    if close["end"]:
        return close["end_time"], f"{ends[close['end_by']]} {TCP_ENDS[close['end']]} without a Close"
    return NO_TIME, "still open"


def _answer(shake: dict[str, int]) -> str:
    if shake["result"] == ACCEPTED:
        return "the upgrade was accepted"
    return f"the upgrade was answered with {shake['status']}" if shake["status"] else "the upgrade has no answer"


def _code(code: int) -> str:
    return str(code) if code >= 0 else "without a code"


def _ends(snapshot: Snapshot, front: int, back: int) -> list[str]:
    """Which leg ended first, and whether the close code travelled."""
    sides = ("client's side", "server's side")
    shakes = [snapshot.handshake(snapshot["connections"].row(row)) for row in (front, back)]
    if any(shake["result"] != ACCEPTED for shake in shakes):
        return [f"{side}: {_answer(shake)}" for side, shake in zip(sides, shakes, strict=True)]
    signs = [_signs(snapshot, row, ends) for row, ends in zip((front, back), ENDS, strict=True)]
    closes = [snapshot["closes"].row(row) for row in (front, back)]
    if NO_TIME in (signs[0][0], signs[1][0]):
        return [f"{side}: {sign}" for side, (_, sign) in zip(sides, signs, strict=True)]
    first = int(signs[1][0] < signs[0][0])
    apart = duration(abs(signs[0][0] - signs[1][0]))
    later = f"the {sides[1 - first]} {apart} later: {signs[1 - first][1]}"
    told = [f"the {sides[first]} ended first: {signs[first][1]}; {later}"]
    has = [close["close_message"] >= 0 for close in closes]
    codes = [_code(close["close_code"]) for close in closes]
    if all(has):
        same = codes[0] == codes[1]
        told.append(f"Close {codes[0]} crossed the proxy unchanged" if same else
                    f"Close {codes[first]} became {codes[1 - first]} behind the proxy")  # fmt: skip
    elif any(has):
        with_one = has.index(True)
        told.append(f"Close {codes[with_one]} stands on the {sides[with_one]} alone: the proxy did not pass it on")
    elif closes[0]["end_by"] == 1 and closes[1]["end_by"] == 0:
        told.append("the proxy ended both: neither the client nor the server did")
    return told


def _delay(snapshot: Snapshot, records: list[dict[str, int]]) -> list[str]:
    """How much time the proxy added: to the handshake, and to messages each way (the median)."""
    told = []
    shakes = [snapshot.handshake(record) for record in records]
    took = [shake["last_time"] - shake["first_time"] for shake in shakes if shake["status"]]
    if len(took) == 2 and NO_TIME not in (shakes[0]["first_time"], shakes[1]["first_time"]):
        told.append(f"the proxy added {duration(max(took[0] - took[1], 0))} to the handshake of {duration(took[1])}")
    for side, name in enumerate(SIDES):
        front, back = (_messages(snapshot, record, side) for record in records)
        if not len(front[0]) or not np.array_equal(front[0], back[0]) or not np.array_equal(front[1], back[1]):
            continue
        ways = (back[2] - front[2]) if side == 0 else (front[2] - back[2])
        told.append(f"messages of the {name} took {duration(max(int(np.median(ways)), 0))} through it, in the median")
    return told


def _messages(snapshot: Snapshot, record: dict[str, int], side: int) -> tuple[Array, Array, Array]:
    """Opcode, length and time of a side's data messages."""
    messages = snapshot["messages"]
    mine = (messages["channel"] == record["channel"]) & (messages["opcode"] < 8) & (messages["time"] != NO_TIME)
    mine &= messages["direction"] == record["client_direction"] ^ side
    length = np.where(messages["inflated"] >= 0, messages["inflated"], messages["length"].astype(np.int64))
    return messages["opcode"][mine], length[mine], messages["time"][mine]


def _heads(snapshot: Snapshot, records: list[dict[str, int]], contents: Contents) -> list[str]:
    """What the proxy changed in the heads of the handshake."""
    told = []
    for what, side in (("request", 0), ("response", 1)):
        front, back = (_head(snapshot, record, what, side, contents) for record in records)
        if front is None or back is None:
            continue
        came, went = (front, back) if side == 0 else (back, front)
        if side == 0 and came.second != went.second:
            told.append(f"request target changed: {came.second[:LONGEST]} to {went.second[:LONGEST]}")
        names = [name for name in {**came.headers, **went.headers} if name not in HOP_BY_HOP]
        changed = [name for name in names if came.headers.get(name) != went.headers.get(name)]
        changed.sort(key=lambda name: MATTER.index(name) if name in MATTER else len(MATTER))
        if side == 0 and "upgrade" in came.headers and "upgrade" not in went.headers:
            changed.insert(0, "upgrade")  # every hop writes it anew, and this one did not
        told += [f"{what} {_change(name, came, went)}" for name in changed[:TOLD]]
        told += [f"and {len(changed) - TOLD} more fields of the {what}"] if len(changed) > TOLD else []
    return told


def _change(name: str, came: Head, went: Head) -> str:
    old, new = (
        mask_field(name, head.headers[name])[:LONGEST] if name in head.headers else None for head in (came, went)
    )
    if old is None:
        return f"{name} added: {new}"
    return f"{name} taken out: {old}" if new is None else f"{name} changed: {old} to {new}"


def _head(snapshot: Snapshot, record: dict[str, int], what: str, side: int, contents: Contents) -> Head | None:
    """A head of the handshake, None where it is not there."""
    exchange = snapshot["exchanges"].row(snapshot["handshakes"].row(record["handshake"])["exchange"])
    start, length = exchange[f"{what}_offset"], exchange[f"{what}_head"]
    if start < 0:
        return None
    octets, whole = contents.octets(record["channel"], record["client_direction"] ^ side, start, start + length)
    return read_head(octets) if whole else None


def tell_views(snapshot: Snapshot, row: int) -> list[str]:
    """How the other view of a connection differs, a line each; nothing where there is none."""
    record = snapshot["connections"].row(row)
    other = record["other_view"]
    if other < 0 and record["places"] < 2:
        return []
    packets = Packets(snapshot.tables, snapshot.source.starts)
    columns = {name: snapshot["connections"][name] for name in ("stream", "client_direction")}
    first, second = views_of(columns, row, other) if other >= 0 else views_of(columns, row, row, packets)
    told = [view_phrase(snapshot, row)]
    error, nearer = clock_offset(packets, first, second)[1:]
    if error >= 0:
        told.append(f"the first is the one nearer to the {SIDES[nearer]}" if other < 0 else
                    f"this view is the one nearer to the {SIDES[nearer]}")  # fmt: skip
    where = ("at the first and not at the second", "at the second and not at the first")
    where = where if other < 0 else ("here and not there", "there and not here")
    for name, here, there in zip(SIDES, first, second, strict=True):
        seen = packets.of(here), packets.of(there)
        for (labels, _, rows), (others, _, _), told_where in zip(seen, seen[::-1], where, strict=True):
            lost = np.sort(rows[~np.isin(labels, others)]) + 1
            if len(lost):
                more = f" and {len(lost) - LOST_TOLD} more" if len(lost) > LOST_TOLD else ""
                which = ", ".join(map(str, lost[:LOST_TOLD].tolist()))
                told.append(f"packets of the {name} seen {told_where}: {which}{more}")
    return told
