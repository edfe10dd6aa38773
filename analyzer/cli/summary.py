"""The face of the tool: what is in a capture, and for each connection how it opened, what crossed it, why it closed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from analyzer.absence import reasons
from analyzer.analysis.completeness import BLIND, completeness
from analyzer.analysis.encrypted_verdicts import tell_encrypted
from analyzer.analysis.leg_verdicts import leg_phrase, legs_of, view_phrase
from analyzer.analysis.snapshot import Snapshot
from analyzer.analysis.verdicts import CONFIDENCE_WORDS, SIDES, absent_side, duration, incident_sentence, tell
from analyzer.cli.listing import Manner, endpoint
from analyzer.cli.page import Page
from analyzer.escape import printable
from analyzer.schemas import STATES, VERDICTS
from analyzer.times import clock, count, size
from analyzer.views import View
from dissectors.http.upgrade import RIGHT
from dissectors.notes import MEANINGS, Note, Severity, code_name
from dissectors.schemas import ACCEPTED, NO_TIME

INFLATED = 1
"""The code of `schemas.INFLATES`."""

SIGNS = {"connecting": "○", "open": "○", "closed": "✓", "died": "✗", "refused": "✗", "other-protocol": "·"}
COLOURS = {"closed": "good", "died": "bad", "refused": "bad"}
PROTOCOLS = {"connect-tunnel": "CONNECT tunnel", "tls": "TLS connection", "http2": "HTTP/2 connection",
             "ssh": "SSH connection", "nothing": "empty TCP connection",
             "other": "other TCP connection",
             "websocket-middle": "undecided TCP connection"}  # fmt: skip
"""Nouns for words of `Traffic.protocols`; others are told as they are."""
MANY = 40
"""Connections that are told one by one unless `--limit` says otherwise."""
SOME_EXCHANGES = 12
SOME_INCIDENTS = 8
LABEL = 11
LATER = 100_000_000
"""ns; an upgrade that comes later on its TCP connection is told with its own time."""


Rows = npt.NDArray[np.int64]


def write(snapshot: Snapshot, view: View, places: Rows, page: Page, manner: Manner, limit: int | None,
          beside: Mapping[str, Rows] | None = None) -> None:  # fmt: skip
    """Write the summary of the connections at `places`. `beside`: places in other tables to tell of; None for all."""
    others = ("incidents", "encrypted", "exchanges", "notes")
    rows = beside or {name: np.arange(len(snapshot[name].rows())) for name in others}
    _header(snapshot, page, manner)
    if not len(places):
        page.line()
        whole = not len(view)
        for line in reasons(snapshot) if whole else ["no connection matches"]:
            _wrapped(page, line, 0)
    _incidents(snapshot, rows["incidents"], page)
    bound = len(places) if limit == 0 else (limit or MANY)
    if len(places) > bound:
        _totals(view, places, page)
    for place in _grouped(view, places[:bound]):
        page.line()
        _connection(view, place, page, manner)
    if len(places) > bound:
        page.line()
        page.line(
            f"… {len(places) - bound:,} more connections: --limit 0 tells all, --filter chooses".replace(",", " ")
        )
    _encrypted(snapshot, rows["encrypted"], page, manner)
    _exchanges(snapshot, rows["exchanges"], page, manner)
    _notes(snapshot, rows["notes"], page, beside is None)


def _header(snapshot: Snapshot, page: Page, manner: Manner) -> None:
    traffic = snapshot.traffic
    names = ", ".join(printable(name.rpartition("/")[2]) for name in snapshot.source.names)
    parts = [count(traffic.packets, "packet")]
    if traffic.first_time != NO_TIME:
        parts.append(
            f"{duration(traffic.last_time - traffic.first_time)} from {clock(traffic.first_time, manner.zone, True)}"
        )
    page.line(f"{page.style(names, 'bold')}  {', '.join(parts)}")
    plain = len(snapshot["exchanges"]) - len(snapshot["handshakes"])
    inside = [count(len(snapshot["connections"]), "WebSocket connection"), count(max(plain, 0), "other HTTP exchange")]
    inside += [count(number, PROTOCOLS[name]) if name in PROTOCOLS else f"{number} {name}"
               for name, number in traffic.protocols.items() if name not in ("http", "websocket")]  # fmt: skip
    inside += [f"{number} {kind} packets" for kind, number in traffic.kinds.items() if kind != "tcp"]
    inside += [f"{count(traffic.datagrams, 'datagram')} put together from fragments"] if traffic.datagrams else []
    _wrapped(page, ", ".join(inside), 0)
    _complete(snapshot, page, manner)
    for comment in snapshot.comments[:5]:
        where = f"packet {comment.packet + 1}" if comment.packet >= 0 else "capture"
        _wrapped(page, f"comment on {where}: {manner.text(comment.text)}", 0)


def _complete(snapshot: Snapshot, page: Page, manner: Manner) -> None:
    """What was seen, and what was not."""
    found = completeness(snapshot)
    lost = f" ({size(found.octets_lost)} of it capture loss)" if found.octets_lost else ""
    lacking = [f"{size(found.octets_missing)} of TCP data missing{lost}"] if found.octets_missing else []
    if found.one_sided:
        lacking.append(f"of {count(found.one_sided, 'TCP connection')} one direction was captured")
    if found.unopened:
        lacking.append(f"the opening handshake, or half of it, of {count(found.unopened, 'connection')}")
    lacking += [f"{count(found.packets_cut, 'packet')} cut short by the capture"] if found.packets_cut else []
    if found.dropped:
        named = [f"{item.dropped} at {manner.text(item.name or str(item.interface))}"
                 for item in found.interfaces if item.dropped]  # fmt: skip
        where = f" ({', '.join(named)})" if named else ""
        lacking.append(f"{count(found.dropped, 'packet')} dropped while capturing, as the file itself reports{where}")
    lacking += [printable(problem) for problem in snapshot.problems]
    lacking += [f"{count(number, 'packet')} not read: {why}" for why, number in found.ignored.items() if why in BLIND]
    if lacking:
        _wrapped(page, page.style("not complete: ", "bad") + ", ".join(lacking), 0)
    elif found.packets:
        drops = "" if found.dropped is None else ", and no packet dropped as the file itself reports"
        _wrapped(page, f"complete: {size(found.octets_seen)} of TCP data, none known to be missing{drops}", 0)


def _incidents(snapshot: Snapshot, rows: Rows, page: Page) -> None:
    """What happened to several connections at once, told once: the largest first."""
    counts = snapshot["incidents"]["count"][rows]
    for index, row in enumerate(rows[np.argsort(-counts, kind="stable")][:SOME_INCIDENTS].tolist()):
        if not index:
            page.line()
            page.line(page.style("together", "bold"))
        _wrapped(page, f"  {incident_sentence(snapshot, row)}", 4)
    if len(counts) > SOME_INCIDENTS:
        page.line(f"  … {len(counts) - SOME_INCIDENTS} more")


def _totals(view: View, places: npt.NDArray[np.int64], page: Page) -> None:
    closes = view.snapshot["closes"]
    verdicts = Counter(closes["verdict"][places].tolist())
    codes = closes["close_code"][places]
    page.line()
    page.line(page.style("how they ended", "bold"))
    for verdict, number in verdicts.most_common():
        mine = codes[closes["verdict"][places] == verdict]
        common = Counter(mine[mine >= 0].tolist()).most_common(4)
        told = ", ".join(f"{code} ({times})" for code, times in common)
        page.line(f"  {number:>9}  {VERDICTS[verdict].replace('-', ' ')}{': ' + told if told else ''}")


def _connection(view: View, place: int, page: Page, manner: Manner) -> None:
    row = int(view.rows[place])
    record = view.table.row(row)
    shake = view.snapshot.handshake(record)
    state = STATES[record["state"]]
    sign = page.style(f"{SIGNS[state]} {state}", COLOURS.get(state, "odd"))
    ends = " → ".join(endpoint(view.address(record[f"{side}_address"]), record[f"{side}_port"]) for side in SIDES)
    target = manner.target(view.text(shake["target"])) or "(path not captured)"
    key = f"c{record['key']}"
    page.line(f"{page.style(key, 'key')}  {ends}  {page.style(target, 'bold')}  {sign}")
    for label, text in _story(view, row, record, shake, manner):
        shown = page.style(text, "bold") if label == "verdict" and len(text) + LABEL <= page.width else text
        _wrapped(page, f"  {label:<{LABEL - 2}}{shown}", LABEL + 2 * (label in ("", "evidence")))


def _grouped(view: View, places: npt.NDArray[np.int64]) -> list[int]:
    """The same places, the legs of one session together, from the client to the server."""
    table = view.table
    if not len(places) or ((table["client_leg"] < 0).all()):
        return list(places.tolist())
    place_of = {int(view.rows[place]): place for place in places.tolist()}
    legs = {leg: None for row in list(place_of) for leg in legs_of(view.snapshot, row)}
    return [place_of[leg] for leg in legs if leg in place_of]


def _story(view: View, row: int, record: dict[str, int], shake: dict[str, int],
           manner: Manner) -> Iterator[tuple[str, str]]:  # fmt: skip
    if record["tunnel"]:
        yield "inside", view.text(record["tunnel"])
    yield "opened", _opened(view, record, shake, manner)
    if shake["result"] == ACCEPTED:
        yield "crossed", crossed(record)
    for phrase in (leg_phrase(view.snapshot, row), view_phrase(view.snapshot, row)):
        if phrase:
            yield "proxy" if phrase.startswith("leg") else "view", phrase
    telling = tell(view.snapshot, row)
    yield "verdict", manner.text(telling.sentence)
    if telling.likely:
        yield "cause", manner.text(telling.likely)
    shown = [item for item in telling.evidence if item.packet >= 0]
    for index, item in enumerate(shown):
        yield "" if index else "evidence", f"packet {item.packet + 1}: {manner.text(item.text)}"
    if record["notes"]:
        yield "notes", f"{_violations(view, row)}: framescope notes --connection c{record['key']} FILE"


def _violations(view: View, row: int) -> str:
    """`2 violations by the client, 1 by the server`."""
    found = view.violations.get(row, {})
    told = [f"{found[side]:,} by the {name}" for side, name in enumerate(SIDES) if side in found]
    told += [f"{found[-1]:,} of neither side"] if -1 in found else []
    first, _, rest = ", ".join(told).partition(" ")
    return f"{first} violation{'s' * (first != '1')} {rest}"


def _opened(view: View, record: dict[str, int], shake: dict[str, int], manner: Manner) -> str:
    text = view.text
    parts = [_asked_at(record, shake, manner)]
    if partial := unseen_part(record, shake):
        parts = [f"{partial} is not in the capture", f"first packet at {parts[0]}"]
    if shake["status"]:
        timed = shake["first_packet"] >= 0 and NO_TIME not in (shake["last_time"], shake["first_time"])
        parts[0] += f", {shake['status']}"
        parts[0] += f" after {duration(shake['last_time'] - shake['first_time'])}" if timed else ""
    if shake["status"] and shake["result"] == ACCEPTED:
        parts.append(
            f"subprotocol {manner.text(text(shake['subprotocol']))}" if shake["subprotocol"] else "no subprotocol"
        )
        parts.append(compression(shake))
        if shake["accept_verdict"] != RIGHT:
            parts.append(f"accept value {('unknown', 'right', 'WRONG', 'MISSING')[shake['accept_verdict']]}")
    elif partial:
        parts.append(tried(view, record))
    if record["proxied_source"]:
        parts.append(f"for {manner.text(text(record['proxied_source']))} (PROXY header)")
    if record["connect_target"]:
        parts.append(f"in a CONNECT tunnel to {manner.text(text(record['connect_target']))}")
    if shake["origin"]:
        parts.append(f"origin {manner.text(text(shake['origin']))}")
    if shake["user_agent"]:
        parts.append(manner.text(text(shake["user_agent"])))
    return ", ".join(parts)


def _asked_at(record: dict[str, int], shake: dict[str, int], manner: Manner) -> str:
    """When the upgrade was asked for, which need not be when TCP began: other requests may come before it."""
    began, asked = record["first_time"], shake["first_time"]
    if NO_TIME in (began, asked) or shake["first_packet"] < 0 or asked - began < LATER:
        return clock(began, manner.zone)
    return f"{clock(asked, manner.zone)} (+{duration(asked - began)} on a connection in use)"


def unseen_part(record: dict[str, int], shake: dict[str, int]) -> str:
    """What of an opened connection's handshake was not captured."""
    if shake["result"] != ACCEPTED:
        return ""
    if record["handshake"] < 0:
        return "the opening handshake"
    return ("" if shake["first_packet"] >= 0 else "the request") if shake["status"] else "the response"


def tried(view: View, record: dict[str, int]) -> str:
    """What shows of the compression of a connection of which nobody saw what was agreed."""
    messages = view.snapshot["messages"]
    states = messages["inflate"][(messages["channel"] == record["channel"]) & (messages["compressed"] == 1)]
    if not len(states):
        return "no message compressed"
    inflated = int(np.count_nonzero(states == INFLATED))
    return f"RSV1 taken for permessage-deflate: {inflated} of {count(len(states), 'message')} could be inflated"


def compression(shake: dict[str, int]) -> str:
    """What was agreed on compression, in words."""
    if not shake["deflate"]:
        return "not compressed"
    without = [side for side in SIDES if not shake[f"{side}_takeover"]]
    return "permessage-deflate" + (f" ({' and '.join(without)} without context takeover)" if without else "")


def crossed(record: dict[str, int]) -> str:
    parts = []
    for side in SIDES:
        if absent_side(record) == side:
            parts.append(f"{side} not captured")
            continue
        wire, inflated = record[f"{side}_octets"], record[f"{side}_inflated"]
        told = f"{side} {count(record[f'{side}_messages'], 'message')}, {size(wire)}"
        parts.append(told + (f" ({size(inflated)} inflated)" if inflated > wire else ""))
    pings = record["client_pings"] + record["server_pings"]
    if pings:
        trip = f", round trip {duration(record['round_trip'])}" if record["round_trip"] >= 0 else ""
        missed = record["client_unanswered"] + record["server_unanswered"]
        parts.append(f"{count(pings, 'ping')}{trip}{f', {missed} not answered' if missed else ''}")
    if NO_TIME not in (record["last_time"], record["first_time"]):
        parts.append(f"in {duration(max(record['last_time'] - record['first_time'], 0))}")
    return "; ".join(parts)


def _encrypted(snapshot: Snapshot, rows: Rows, page: Page, manner: Manner) -> None:
    """TLS connections that cannot be read, in brief."""
    view = View(snapshot, "encrypted")
    if not len(rows):
        return
    page.line()
    page.line(page.style("encrypted", "bold"))
    places = rows[:SOME_EXCHANGES]
    names = ("connection", "client_address", "client_port", "server_address", "server_port", "server_name", "protocols")
    for place, *values in zip(places.tolist(), *(view.values(name, places) for name in names), strict=True):
        key, *ends, server_name, protocols = values
        told = tell_encrypted(snapshot, int(view.rows[place]))
        offered = f" offering {manner.text(protocols)}" if protocols else ""
        name = manner.text(server_name or "no server name")
        target = view.text(int(view.table["connect_target"][place]))
        tunnel = f" in a CONNECT tunnel to {manner.text(target)}" if target else ""
        source = view.text(int(view.table["proxied_source"][place]))
        passed = f" for {manner.text(source)} (PROXY header)" if source else ""
        _wrapped(page, f"  {key}  {endpoint(*ends[:2])} → {endpoint(*ends[2:])}  {name}{offered}{tunnel}{passed}", 4)
        cause = f"; {told.cause} ({CONFIDENCE_WORDS[told.confidence]})" if told.cause else ""
        cause = "; together with others, see above" if told.incident else cause
        _wrapped(page, f"    {told.sentence}{cause}", 6)
    if len(rows) > len(places):
        page.line(f"  … {len(rows) - len(places)} more: framescope encrypted FILE")


def _exchanges(snapshot: Snapshot, chosen: Rows, page: Page, manner: Manner) -> None:
    """The HTTP exchanges that are no handshake, in brief."""
    exchanges = snapshot["exchanges"]
    rows = exchanges.rows()
    plain = chosen[~np.isin(rows[chosen], snapshot["handshakes"]["exchange"])]
    if not len(plain):
        return
    view = View(snapshot, "exchanges")
    page.line()
    page.line(page.style("other HTTP", "bold"))
    for place in plain[:SOME_EXCHANGES].tolist():
        cells = exchanges.row(int(rows[place]))
        took = view.values("duration", np.array([place]))[0]
        style = {0: "", 3: "  long poll, by its wait", 4: "  webhook, by its headers"}.get(cells["style"], "")
        status = f"{cells['status']} {manner.text(view.text(cells['reason']))}"
        status += f" to {manner.text(view.text(cells['protocol']))}" if cells["protocol"] else ""
        if not cells["status"]:
            status, took = "no response in the capture", None
        asked = f"{manner.text(view.text(cells['method']))} {manner.target(view.text(cells['target']))}"
        if cells["request_offset"] < 0:
            asked = "(request not captured)"
        line = (
            f"  {clock(cells['request_time'], manner.zone)}  {asked}  {status}"
            f"{f' after {duration(took)}' if took is not None else ''}{style}"
        )
        _wrapped(page, line, 4)
    if len(plain) > SOME_EXCHANGES:
        page.line(f"  … {len(plain) - SOME_EXCHANGES} more: framescope exchanges FILE")


def _notes(snapshot: Snapshot, rows: Rows, page: Page, whole: bool) -> None:
    if not len(rows):
        return
    page.line()
    page.line(page.style("notes", "bold"))
    codes, numbers = np.unique(snapshot["notes"]["code"][rows], return_counts=True)
    found = sorted(
        zip(codes.tolist(), numbers.tolist(), strict=True), key=lambda item: -MEANINGS[Note(item[0])].severity
    )
    for code, number in found:
        meaning = MEANINGS[Note(code)]
        colour = {Severity.MUST: "bad", Severity.SHOULD: "odd"}.get(meaning.severity, "dim")
        severity = page.style(f"{meaning.severity.name.lower():<6}", colour)
        _wrapped(page, f"  {severity} {number:>6}  {code_name(Note(code))}: {meaning.sentence} ({meaning.source})", 17)
    if whole and snapshot.traffic.notes_left_out:
        page.line(f"  and {snapshot.traffic.notes_left_out} more of the same, counted only")


def _wrapped(page: Page, text: str, indent: int) -> None:
    """Write a text in lines of the page's width. A styled text fits already."""
    for line in [text] if "\x1b" in text else page.wrapped(text, indent):
        page.line(line)
