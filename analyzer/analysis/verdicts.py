"""The verdict on a connection as a sentence that a tired engineer understands, and the evidence for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from analyzer.analysis.causes import SAME_IDLE
from analyzer.analysis.closes import LOST, NO_RESPONSE, OPEN
from analyzer.analysis.losses import WORD, lost_octets
from analyzer.analysis.patterns import BY_NUMBER, CAPTURE_ENDED, PACKETS_LOST, PATTERNS, PERHAPS_DEAD
from analyzer.analysis.snapshot import Snapshot
from analyzer.schemas import CAUSES, CLIENT_ALONE, CONFIDENCES, FIN, RST, SERVER_ALONE
from analyzer.times import count
from dissectors.notes import MEANINGS, Layer, Note, Severity
from dissectors.schemas import ACCEPTED, NO_TIME
from dissectors.websocket.opcodes import PING, PONG, close_code_name

SIDES = ("client", "server")
TCP_ENDS = {FIN: "closed TCP (FIN)", RST: "reset TCP (RST)"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was seen. `packet` is a row of PACKETS, `frame` a row of FRAMES; -1: none."""

    text: str
    packet: int = -1
    frame: int = -1


@dataclass(frozen=True, slots=True)
class Telling:
    """What happened, in one sentence, and what shows it."""

    sentence: str
    evidence: tuple[Evidence, ...]
    cause: str = ""
    """The likely cause in words; empty where none is claimed."""
    confidence: str = "none"
    """high, medium or low, which is a guess; none where no cause is claimed."""
    alternatives: tuple[str, ...] = ()
    tries: tuple[str, ...] = ()
    """What to try."""
    unclaimed: str = ""
    """Why no cause is claimed."""
    incident: str = ""
    """What it shares with other connections, in words."""
    fellow: str = ""
    """The names of these connections."""

    @property
    def likely(self) -> str:
        """The cause with its confidence, in one line; a guess says that it is one."""
        if not self.cause:
            return self.unclaimed
        return f"{self.cause} ({CONFIDENCE_WORDS[self.confidence]})"


CONFIDENCE_WORDS = {"high": "confidence high", "medium": "confidence medium", "low": "a guess: confidence low"}


@dataclass(frozen=True, slots=True)
class Case:
    """A connection's rows, as the sentences need them."""

    snapshot: Snapshot
    connection: dict[str, int]
    close: dict[str, int]
    handshake: dict[str, int]

    def text(self, code: int) -> str:
        """The text that a code stands for."""
        return self.snapshot.text(code)

    @property
    def silence(self) -> int:
        """ns from the last octet of either side to the first sign of the end, -1 if not known."""
        idle = [self.close[f"{side}_idle"] for side in SIDES if self.close[f"{side}_idle"] >= 0]
        return min(idle) if idle else -1

    @property
    def absent(self) -> str:
        """The side of which no packet was captured; empty where there is none."""
        return absent_side(self.connection)

    def elapsed(self, time: int) -> str:
        """Since the connection's first octet: `+1.204 s`."""
        if NO_TIME in (time, self.connection["first_time"]):
            return ""
        return f" at +{duration(time - self.connection['first_time'])}"


def absent_side(record: Mapping[str, int]) -> str:
    """The side of a row of CONNECTIONS or ENCRYPTED of which no packet was captured; empty where there is none."""
    return {CLIENT_ALONE: "server", SERVER_ALONE: "client"}.get(record["captured"], "")


def ended_itself(close: dict[str, int], side: str) -> bool:
    """Whether a side ended TCP first, and no Close was sent: as far as it is known, its process may be gone, and
    nothing be told to anybody there."""
    return close["close_message"] < 0 and close["end"] > 0 and SIDES[close["end_by"]] == side


def duration(ns: int) -> str:
    """A time span for people: three significant digits or so, with its unit."""
    if ns < 1_000:
        return f"{ns} ns"
    if ns < 1_000_000:
        return f"{ns / 1_000:.0f} µs"
    if ns < 1_000_000_000:
        return f"{ns / 1_000_000:.1f} ms" if ns < 100_000_000 else f"{ns / 1_000_000:.0f} ms"
    seconds = ns / 1_000_000_000
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def tell(snapshot: Snapshot, row: int) -> Telling:
    """The verdict on connection `row`."""
    connection = snapshot["connections"].row(row)
    case = Case(snapshot, connection, snapshot["closes"].row(row), snapshot.handshake(connection))
    found = causes_of(int(case.close["cause"]), int(case.close["confidence"]), int(case.close["patterns"]))
    incident = case.close["incident"]
    sentence = SENTENCES[case.close["verdict"]](case) + _unheard(case)
    return Telling(
        sentence, tuple(_evidence(case)), *found, unclaimed=_unclaimed(case),
        incident=incident_sentence(snapshot, incident) if incident >= 0 else "",
        fellow=fellows(snapshot, "closes", incident, row),
    )  # fmt: skip


def causes_of(cause: int, confidence: int, patterns: int) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
    """Cause, confidence, alternatives and what to try, of the numbers in a row."""
    if not cause:
        return "", "none", (), ()
    likely = BY_NUMBER[cause]
    others = [pattern.cause for pattern in PATTERNS if patterns >> pattern.number & 1 and pattern is not likely]
    return likely.cause, CONFIDENCES[confidence], (*likely.alternatives, *others), likely.tries


def _unclaimed(case: Case) -> str:
    """Why no cause is claimed, where none is."""
    if case.close["cause"]:
        return ""
    if case.close["verdict"] in (OPEN, NO_RESPONSE) and not case.close["end"]:
        return f"{CAPTURE_ENDED}{PERHAPS_DEAD if case.close['resent'] >= TOLD_AGAIN else ''}"
    if case.absent:
        return f"no cause is claimed: nothing of the {case.absent} was captured"
    if case.close["end_unseen"] and case.close["close_message"] < 0:
        return "no cause is claimed: who ended TCP first is not in the capture"
    unseen = any(case.connection[f"{side}_unseen"] or not case.connection[f"{side}_seen"] for side in SIDES)
    if case.close["verdict"] == LOST or unseen:
        return PACKETS_LOST
    return "no cause but what was said: it matches no known pattern"


FELLOWS_TOLD = 12


def fellows(snapshot: Snapshot, table: str, incident: int, row: int) -> str:
    """The connections that share an incident with one, by name: `c24, c4084`. `table`: closes or encrypted."""
    if incident < 0:
        return ""
    rows = np.flatnonzero(snapshot[table]["incident"] == incident)
    keys = snapshot["connections" if table == "closes" else table]["key"][rows[rows != row]].tolist()
    more = f" and {len(keys) - FELLOWS_TOLD} more" if len(keys) > FELLOWS_TOLD else ""
    return ", ".join(f"c{key}" for key in keys[:FELLOWS_TOLD]) + more


def incident_sentence(snapshot: Snapshot, row: int) -> str:
    """`41 connections of 10.0.0.5:8080 ended within 0.3 s`, and what that looks like."""
    cells = snapshot["incidents"].row(row)
    address = snapshot.address(cells["server_address"])
    server = f"[{address}]:{cells['server_port']}" if ":" in address else f"{address}:{cells['server_port']}"
    if cells["kind"] == SAME_IDLE:
        spread = f", within {duration(cells['spread'])}" if cells["spread"] else ""
        silence = f"the same silence of {duration(cells['idle'])}{spread}"
        told = f"{cells['count']} connections of {server} ended after {silence}"
    else:
        took = duration(cells["last_time"] - cells["first_time"])
        told = f"{cells['count']} connections of {server} ended within {took}, of {cells['stood']} that stood"
    how = f"Close {cells['code']}" if cells["code"] >= 0 else ""
    if not how and cells["end"]:
        how = f"{SIDES[cells['ended_by']]} {TCP_ENDS[cells['end']]}"
    told += f" ({how})" if how else ""
    if not cells["cause"]:
        return told
    return f"{told}: {BY_NUMBER[cells['cause']].cause} ({CONFIDENCE_WORDS[CONFIDENCES[cells['confidence']]]})"


def code_phrase(case: Case, code: int, reason: int, row: int) -> str:
    """What a Close says: `1000 (normal closure) "bye"`. `row` is its row of MESSAGES."""
    length = case.snapshot["messages"].row(row)["length"] if code < 0 <= row else 0
    if code < 0 and length == 0:
        return "no code (an empty Close; APIs report 1005)"
    if code < 0:
        return "one octet, which is no code" if length == 1 else "a code that was not captured"
    said = f' "{case.text(reason)}"' if reason else ""
    return f"{code} ({close_code_name(code)}){said}"


def _open(case: Case) -> str:
    last = case.snapshot.traffic.last_time - case.connection["last_time"]
    since = f"; its last packet came {duration(last)} before" if last > 0 else ""
    if case.absent:
        return f"no end before the capture ended, which holds nothing of the {case.absent}{since}"
    return f"still open when the capture ended{since}"


def _closed(case: Case) -> str:
    close = case.close
    who = SIDES[close["close_by"]]
    other = SIDES[1 - close["close_by"]]
    said = code_phrase(case, close["close_code"], close["close_reason"], close["close_message"])
    if case.absent == other:
        sentence = f"{who} sent Close {said}; nothing of the {other} was captured, so who was first is not known"
        return f"{sentence}{_tcp_end(case)}"
    sentence = f"{who} closed with {said}"
    if close["answer_message"] >= 0:
        after = f" after {duration(close['answered_after'])}" if close["answered_after"] >= 0 else ""
        return f"{sentence}; {other} answered{after}{_tcp_end(case)}"
    if close["verdict"] == LOST:
        lost = f"octets of the {other} are missing, so whether it sent one too, and who was first, is not known"
        return f"{who} sent Close {said}; {lost}{_tcp_end(case)}"
    return f"{sentence}; {other} did not answer{_tcp_end(case)}"


TOLD_AGAIN = 2
"""So often is something sent again before a sentence speaks of it: once is what TCP's probe for a lost tail does."""


def _unheard(case: Case) -> str:
    """What is sent again and again, without an acknowledgment in the capture: no more than that is certain."""
    close = case.close
    if close["resent"] < TOLD_AGAIN:
        return ""
    packets = case.snapshot["packets"]
    first, last = (packets.row(close[name])["time"] for name in ("unacknowledged_packet", "resent_packet"))
    side = SIDES[close["unacknowledged_by"]]
    other = SIDES[1 - close["unacknowledged_by"]]
    since = close["heard_since"]
    heard = f"the {count(since, 'packet')} of the {other} since acknowledge none of them"
    return (
        f"; {count(close['unacknowledged'], 'octet')} of the {side} have no acknowledgment in the capture, the first of"
        f" them sent {close['resent'] + 1} times in {duration(last - first)}; "
        + (heard if since else f"nothing of the {other} was captured after that")
    )


def _tcp_end(case: Case) -> str:
    close = case.close
    if not close["end"]:
        return "; no end of TCP was captured" if case.absent else "; TCP was still open when the capture ended"
    first = "" if case.absent or close["end_unseen"] else " first"
    return f"; {SIDES[close['end_by']]} {TCP_ENDS[close['end']]}{first}{_other_unseen(case)}"


def _died(case: Case) -> str:
    close = case.close
    verb = "closed TCP" if close["end"] == FIN else "reset TCP (RST)"
    silence = f" after {duration(case.silence)} of silence" if case.silence >= 0 else ""
    ended = f"{SIDES[close['end_by']]} {verb} without a Close frame{silence} (browsers report 1006)"
    return f"{ended}{_other_unseen(case)}"


def _other_unseen(case: Case) -> str:
    other = SIDES[1 - case.close["end_by"]]
    return f", the {other} too, unseen: who was first is not known" if case.close["end_unseen"] else ""


def _lost(case: Case) -> str:
    if case.close["close_message"] >= 0:
        return _closed(case)
    end = case.close["end"]
    ended = f"{SIDES[case.close['end_by']]} {TCP_ENDS[end]}" if end else "the capture ended"
    lacking = "octets are missing from the capture"
    if case.absent:
        lacking = f"nothing of the {case.absent} was captured"
    if case.handshake["result"] != ACCEPTED:
        if not case.absent:
            lacking = f"{count(case.connection['server_unseen'], 'octet')} of the server are not in the capture"
        return f"unknown whether the upgrade was answered: {lacking}; {ended}"
    return f"unknown: {lacking}, a Close frame may be among {'it' if case.absent else 'them'}; then {ended}"


def _refused(case: Case) -> str:
    shake = case.handshake
    why = f": {case.text(shake['refusal'])}" if shake["refusal"] else ""
    return f"server refused the upgrade with {shake['status']}{why}"


def _unanswered(case: Case) -> str:
    close = case.close
    if close["end"]:
        return f"the upgrade got no answer; {SIDES[close['end_by']]} {TCP_ENDS[close['end']]}"
    return "the upgrade had no answer yet when the capture ended"


def _other(case: Case) -> str:
    return f"the server switched to another protocol: {case.text(case.handshake['protocol']) or 'not named'}"


SENTENCES: tuple[Callable[[Case], str], ...] = (
    _open, _closed, _closed, _died, _died, _refused, _unanswered, _other, _lost,
)  # fmt: skip
"""By code of `schemas.VERDICTS`."""


def _evidence(case: Case) -> list[Evidence]:
    close, found = case.close, []
    messages = case.snapshot["messages"]
    for name, what in (("close_message", "Close"), ("answer_message", "Close in answer")):
        if close[name] < 0:
            continue
        message = messages.row(close[name])
        who = SIDES[0 if message["direction"] == case.connection["client_direction"] else 1]
        frame = case.snapshot["frames"].row(message["last_frame"])
        said = code_phrase(case, message["close_code"], message["close_reason"], close[name])
        found.append(
            Evidence(
                f"{what} from {who}: {said}{case.elapsed(message['time'])}", frame["last_packet"], message["last_frame"]
            )
        )
    found += [
        Evidence(f"{duration(close[f'{side}_idle'])} since the last octet of the {side}")
        for side in SIDES
        if close[f"{side}_idle"] >= 0
    ]
    if close["end"]:
        who = SIDES[close["end_by"]]
        found.append(Evidence(f"{who} {TCP_ENDS[close['end']]}{case.elapsed(close['end_time'])}", close["end_packet"]))
    if close["other_end"]:
        other = SIDES[1 - close["end_by"]]
        found.append(Evidence(f"{other} {TCP_ENDS[close['other_end']]}", close["other_end_packet"]))
    if close["resent"]:
        side = SIDES[close["unacknowledged_by"]]
        found.append(Evidence(f"the {side} sends what nothing acknowledges", close["unacknowledged_packet"]))
        found.append(Evidence(f"the same, for the last of {close['resent'] + 1} times", close["resent_packet"]))
    found += _offence(case)
    for side in SIDES:
        pings = case.connection[f"{side}_unanswered"]
        if pings:
            found.append(Evidence(f"{pings} ping{'s' * (pings > 1)} from the {side} not answered"))
        unseen = case.connection[f"{side}_unseen"]
        if unseen:
            least = "at least " if side == case.absent else ""
            told = f"{least}{count(unseen, 'octet')} from the {side} are not in the capture{_of_capture(case, side)}"
            found.append(Evidence(told))
    return found


def _of_capture(case: Case, side: str) -> str:
    """What of a side's missing octets the capture itself lost."""
    losses = case.snapshot.source.losses
    if not losses:
        return ""
    direction = case.connection["client_direction"] ^ SIDES.index(side)
    stream = case.connection["stream"]
    octets = lost_octets(case.snapshot.tables, losses, stream).get((stream, direction), 0)
    return f" ({WORD}: {octets} of them while it dropped packets)" if octets else ""


def _offence(case: Case) -> list[Evidence]:
    """What the cause is about: the frame that broke the protocol, the message that was too big, the Ping unanswered."""
    pointer = POINTERS.get(CAUSES[case.close["cause"]])
    return pointer(case) if pointer else []


def _broken(case: Case) -> list[Evidence]:
    notes = case.snapshot["notes"]
    mine = notes["channel"] == case.connection["channel"]
    bad = np.flatnonzero(
        mine & (notes["severity"] == Severity.MUST) & np.isin(notes["layer"], (Layer.FRAME, Layer.MESSAGE))
    )
    if not len(bad):
        return []
    note = notes.row(int(notes.rows()[bad[0]]))
    frames = case.snapshot["frames"]
    at = np.flatnonzero(
        (frames["channel"] == note["channel"]) & (frames["direction"] == note["direction"])
        & (frames["offset"] <= note["offset"])
    )  # fmt: skip
    frame = int(frames.rows()[at[-1]]) if len(at) else -1
    meaning = MEANINGS[Note(note["code"])]
    return [Evidence(f"before it: {meaning.sentence} ({meaning.source})", note["packet"], frame)]


def _largest(case: Case) -> list[Evidence]:
    frames, sender = case.snapshot["frames"], 1 - case.close["close_by"]
    direction = case.connection["client_direction"] ^ sender
    mine = np.flatnonzero((frames["channel"] == case.connection["channel"]) & (frames["direction"] == direction)
                          & (frames["opcode"] < 8))  # fmt: skip
    if not len(mine):
        return []
    row = int(frames.rows()[mine[-1]])
    cells = frames.row(row)
    text = f"the {SIDES[sender]}'s last frame carries {cells['payload_length']} octets on the wire"
    return [Evidence(text, cells["first_packet"], row)]


def _ping(case: Case) -> list[Evidence]:
    messages, frames = case.snapshot["messages"], case.snapshot["frames"]
    mine = np.flatnonzero((messages["channel"] == case.connection["channel"]) & (messages["opcode"] == PING))
    answered = messages["answers"][np.flatnonzero(messages["opcode"] == PONG)]
    rows = messages.rows()[mine]
    rows = rows[~np.isin(rows, answered)]
    if not len(rows):
        return []
    message = messages.row(int(rows[0]))
    frame = message["last_frame"]
    packet = frames.row(frame)["last_packet"] if frame >= 0 else -1
    return [Evidence(f"a Ping that was not answered{case.elapsed(message['time'])}", packet, frame)]


def _no_upgrade(case: Case) -> list[Evidence]:
    """The requests before and behind the proxy, or the one that is there."""
    shakes, connections = case.snapshot["handshakes"], case.snapshot["connections"]
    front, back = (case.connection[f"{side}_leg"] for side in SIDES)
    own = case.connection["handshake"]
    if front < 0 and back < 0:
        return [Evidence("the request that was answered so", int(shakes["first_packet"][own]))]
    before = own if back >= 0 else int(connections["handshake"][front])
    behind = int(connections["handshake"][back]) if back >= 0 else own
    return [
        Evidence("the request before the proxy", int(shakes["first_packet"][before])),
        Evidence("the request behind it", int(shakes["first_packet"][behind])),
    ]


POINTERS: dict[str, Callable[[Case], list[Evidence]]] = {
    "protocol-error": _broken, "message-too-big": _largest, "keepalive-ping-timeout": _ping, "heartbeat-timeout": _ping,
    "proxy-drops-upgrade": _no_upgrade,
}  # fmt: skip
"""By name of the cause."""
