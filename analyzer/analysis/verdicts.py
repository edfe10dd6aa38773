"""The verdict on a connection as a sentence that a tired engineer understands, and the evidence for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analyzer.analysis.snapshot import Snapshot
from dissectors.schemas import NO_TIME
from dissectors.websocket.opcodes import close_code_name

SIDES = ("client", "server")
TCP_ENDS = {1: "closed TCP (FIN)", 2: "reset TCP (RST)"}


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

    def elapsed(self, time: int) -> str:
        """Since the connection's first octet: `+1.204 s`."""
        if NO_TIME in (time, self.connection["first_time"]):
            return ""
        return f" at +{duration(time - self.connection['first_time'])}"


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
    case = Case(snapshot, connection, snapshot["closes"].row(row), snapshot["handshakes"].row(connection["handshake"]))
    return Telling(SENTENCES[case.close["verdict"]](case), tuple(_evidence(case)))


def code_phrase(case: Case, code: int, reason: int) -> str:
    """`1000 (normal closure) "bye"`."""
    if code < 0:
        return "no code (an empty Close; APIs report 1005)"
    said = f' "{case.text(reason)}"' if reason else ""
    return f"{code} ({close_code_name(code)}){said}"


def _open(case: Case) -> str:
    last = case.snapshot.traffic.last_time - case.connection["last_time"]
    since = f"; its last packet came {duration(last)} before" if last > 0 else ""
    return f"still open when the capture ended{since}"


def _closed(case: Case) -> str:
    close = case.close
    who = SIDES[close["close_by"]]
    other = SIDES[1 - close["close_by"]]
    sentence = f"{who} closed with {code_phrase(case, close['close_code'], close['close_reason'])}"
    if close["answer_message"] >= 0:
        return f"{sentence}; {other} answered after {duration(close['answered_after'])}{_tcp_end(case)}"
    return f"{sentence}; {other} did not answer{_tcp_end(case)}"


def _tcp_end(case: Case) -> str:
    close = case.close
    if not close["end"]:
        return "; TCP was still open when the capture ended"
    return f"; {SIDES[close['end_by']]} {TCP_ENDS[close['end']]} first"


def _died(case: Case) -> str:
    close = case.close
    verb = "closed TCP" if close["end"] == 1 else "reset TCP (RST)"
    silence = f" after {duration(case.silence)} of silence" if case.silence >= 0 else ""
    return f"{SIDES[close['end_by']]} {verb} without a Close frame{silence} (browsers report 1006)"


def _lost(case: Case) -> str:
    end = case.close["end"]
    ended = f"{SIDES[case.close['end_by']]} {TCP_ENDS[end]}" if end else "the capture ended"
    return f"unknown: octets are missing from the capture, a Close frame may be among them; then {ended}"


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
        said = code_phrase(case, message["close_code"], message["close_reason"])
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
    for side in SIDES:
        pings = case.connection[f"{side}_unanswered"]
        if pings:
            found.append(Evidence(f"{pings} ping{'s' * (pings > 1)} from the {side} not answered"))
        unseen = case.connection[f"{side}_unseen"]
        if unseen:
            found.append(Evidence(f"{unseen} octets from the {side} are not in the capture"))
    return found
