"""One connection told in full: for a terminal, or as Markdown for a ticket."""

from __future__ import annotations

import numpy as np

from analyzer.analysis.leg_verdicts import leg_phrase, tell_legs, tell_views
from analyzer.analysis.losses import WORD, lost_gaps
from analyzer.analysis.snapshot import Snapshot
from analyzer.analysis.verdicts import SIDES, absent_side, duration, ended_itself, tell
from analyzer.cli.listing import Manner, close_words, endpoint, found_by_evidence, payload_writer
from analyzer.cli.page import Page
from analyzer.cli.story import Story
from analyzer.cli.summary import compression, crossed, tried, unseen_part
from analyzer.schemas import BY_MASK, BY_REQUEST, GAP
from analyzer.times import clock, count, size
from analyzer.views import View
from dissectors.http.upgrade import WRONG, accept_of
from dissectors.notes import MEANINGS, Note
from dissectors.schemas import ACCEPTED, NO_TIME

FRAMES_TOLD = 200
"""Lines of traffic told in full; a longer story leaves out its middle."""
LAST = 2**62
"""Where what no packet completed stands among packets."""
OFFERED = {
    "http_host": "host", "origin": "origin", "user_agent": "user agent", "subprotocols": "subprotocols offered",
    "extensions_offered": "extensions offered",
}  # fmt: skip
"""What of a request is told, where it is there."""


def write(view: View, place: int, page: Page, manner: Manner, markdown: bool) -> None:
    """Tell the connection at `place` of the view of CONNECTIONS."""
    told = Story(page, markdown)
    row = int(view.rows[place])
    record = view.table.row(row)
    shake = view.snapshot.handshake(record)
    ends = " → ".join(endpoint(view.address(record[f"{side}_address"]), record[f"{side}_port"]) for side in SIDES)
    path = manner.target(view.text(shake["target"])) or "(path not captured)"
    told.title(f"WebSocket c{record['key']}: {ends} {path}")
    if record["tunnel"]:
        told.item(f"inside {view.text(record['tunnel'])}")
    telling = tell(view.snapshot, row)
    told.verdict(telling, manner)
    _reported(record, view.snapshot["closes"].row(row), told)
    told.cause(telling, manner)
    _opening(view, record, shake, told, manner)
    for title, lines in (
        ("Through the proxy", _legs(view, row)),
        ("Captured at two places", tell_views(view.snapshot, row)),
    ):
        if lines:
            told.part(title)
        for line in lines:
            told.item(manner.text(line))
    if shake["result"] == 1:
        told.part("Crossed")
        told.item(crossed(record))
        told.block(_traffic(view, record, manner))
    _notes(view, record, told, manner)
    seen(record, told)
    _transport(record, view.snapshot.traffic.checksums, told)
    told.part("Elsewhere")
    told.item(f"Wireshark: tcp.stream == {record['stream']}" + (" && websocket" if shake["result"] == 1 else ""))


def seen(record: dict[str, int], told: Story) -> None:
    """How much of a connection the capture holds; the record is of CONNECTIONS or ENCRYPTED."""
    told.part("Seen")
    for side in SIDES:
        if absent_side(record) == side:
            known = count(record[f"{side}_unseen"], "octet")
            acknowledged = (
                f": {known} at least, by the other side's acknowledgments" if record[f"{side}_unseen"] else ""
            )
            told.item(f"nothing from the {side}{acknowledged}")
            continue
        unseen = record[f"{side}_unseen"]
        lacking = f", {unseen} octets of it are not in the capture" if unseen else ", nothing of it known to be missing"
        told.item(f"{size(record[f'{side}_seen'])} from the {side}{lacking}")


def _legs(view: View, row: int) -> list[str]:
    phrase = leg_phrase(view.snapshot, row)
    return [f"this is {phrase}", *tell_legs(view.snapshot, row, view.contents)] if phrase else []


COUNTED = {
    "retransmitted": "sent again", "out_of_order": "captured after later ones", "duplicates": "captured twice",
    "keepalives": "keep-alive probes", "probes": "zero-window probes",
}  # fmt: skip
"""What of TCP is counted in packets."""


def _transport(record: dict[str, int], checksums: tuple[int, int, int], told: Story) -> None:
    """What TCP did beside carrying octets, where it did anything."""
    lines = []
    if record["handshake_round_trip"] >= 0:
        lines.append(f"handshake: round trip {duration(record['handshake_round_trip'])}")
    for side in SIDES:
        after = record[f"{side}_acknowledged_after"]
        parts = [f"acknowledged after {duration(after)} at best"] if after >= 0 else []
        parts += [f"{record[f'{side}_{name}']} {words}" for name, words in COUNTED.items() if record[f"{side}_{name}"]]
        if parts:
            lines.append(f"packets of the {side}: {', '.join(parts)}")
        if stalls := record[f"{side}_stalls"]:
            total, longest = record[f"{side}_stalled"], record[f"{side}_longest_stall"]
            lines.append(
                f"the {side}'s window was shut {count(stalls, 'time')}, for {duration(total)} in all,"
                f" {duration(longest)} at most"
            )
    judged, partial, wrong = checksums
    if 2 * (partial + wrong) > judged:
        lines.append(
            f"checksums are left to the network card: {partial + wrong} of {judged} looked at in the capture, as hosts"
            " record what they send"
        )
    if lines:
        told.part("TCP")
    for line in lines:
        told.item(line)


def _reported(record: dict[str, int], close: dict[str, int], told: Story) -> None:
    """What applications are told; a proxy, which is an end of a leg, is none."""
    for side, proxied in zip(SIDES, ("client_leg", "server_leg"), strict=True):
        code = close[f"{side}_reported"]
        if code < 0 or record[proxied] >= 0:
            continue
        if ended_itself(close, side):
            told.item(f"the {side}'s API would report {code}, were it still there: that side ended TCP itself")
        else:
            told.item(f"the {side}'s API reports {code}")


def _opening(view: View, record: dict[str, int], shake: dict[str, int], told: Story, manner: Manner) -> None:
    text = view.text
    told.part("Opening handshake")
    if record["proxied_source"]:
        channel = view.snapshot["channels"].row(record["channel"])
        details = f" ({manner.text(text(channel['proxied_details']))})" if channel["proxied_details"] else ""
        source = manner.text(text(record["proxied_source"]))
        told.item(f"for {source}, as a PROXY header of version {channel['proxied_version']} says{details}")
    if record["connect_target"]:
        told.item(f"inside a CONNECT tunnel to {manner.text(text(record['connect_target']))}")
    partial = unseen_part(record, shake)
    if partial:
        by = {BY_MASK: "the one side masks its frames, the other does not", BY_REQUEST: "one sent the request"}
        told.item(f"{partial} is not in the capture; client and server are known since "
                  f"{by.get(record['known_by'], 'one sent the response')}")  # fmt: skip
        if not shake["status"]:
            told.item(tried(view, record))
    if record["handshake"] < 0:
        return
    sent = clock(shake["first_time"], manner.zone, True)
    if shake["first_packet"] >= 0:
        told.item(f"packet {shake['first_packet'] + 1}: request for {manner.target(text(shake['target']))} at {sent}")
    for name, label in OFFERED.items():
        if shake[name]:
            told.item(f"{label}: {manner.text(text(shake[name]))}")
    if shake["version"] >= 0:
        told.item(f"version: {shake['version']}")
    if not shake["status"]:
        if not partial:
            told.item("no response")
        return
    took = shake["last_time"] - shake["first_time"]
    after = f" after {duration(took)}" if NO_TIME not in (shake["last_time"], shake["first_time"]) else ""
    told.item(f"packet {shake['last_packet'] + 1}: response {shake['status']}{after}")
    if shake["refusal"]:
        told.item(f"refused: {manner.text(text(shake['refusal']))}")
    if shake["result"] != ACCEPTED:
        return
    key, accept = manner.text(text(shake["key"])), manner.text(text(shake["accept"]))
    verdict = ("cannot be judged", "is right", "is WRONG", "is MISSING")[shake["accept_verdict"]]
    expected = f", expected {accept_of(text(shake['key']))}" if shake["accept_verdict"] == WRONG else ""
    told.item(f"key {key or '-'}: accept value {accept or '-'} {verdict}{expected}")
    told.item(f"subprotocol: {manner.text(text(shake['subprotocol'])) or 'none'}")
    agreed = f"extensions: {manner.text(text(shake['extensions'])) or 'none'}"
    told.item(agreed if shake["deflate"] else f"{agreed}, {compression(shake)}")


def _traffic(view: View, record: dict[str, int], manner: Manner) -> list[str]:
    """Every message, control frame and gap, a line each; of a long story the start and the end."""
    messages = View(view.snapshot, "messages", view.contents)
    mine = np.flatnonzero(messages.table["channel"] == record["channel"])
    # rows stand where they were read: those behind a hole late, so that the sides would not interleave
    numbers = [LAST if packet is None else packet for packet in messages.values("packet", mine)]
    mine = mine[np.argsort(numbers, kind="stable")]
    left_out = max(len(mine) - FRAMES_TOLD, 0)
    picked = mine if not left_out else np.concatenate([mine[: FRAMES_TOLD // 2], mine[-FRAMES_TOLD // 2 :]])
    show = manner.payload or payload_writer("text", manner.secrets, 60)
    assert show is not None
    told: list[tuple[int, str]] = []
    names = (
        "opcode", "length", "inflate", "inflated", "frames", "close_code", "close_reason", "round_trip", "complete",
        "recovered",
    )  # fmt: skip
    columns = [messages.values(name, picked) for name in names]
    packets = messages.values("packet", picked)
    senders, times = messages.column("sender")[picked].tolist(), messages.table["time"][picked].tolist()
    for index, (opcode, length, inflate, inflated, frames, code, reason, trip, complete, recovered) in enumerate(
        zip(*columns, strict=True)
    ):
        if left_out and index == FRAMES_TOLD // 2:
            after = told[-1][0] if told else 0
            told.append((after, f"… {count(left_out, 'message')} left out: framescope messages --connection"
                                f" c{record['key']} FILE"))  # fmt: skip
        arrow = "client ← server" if senders[index] else "client → server"
        since = duration(times[index] - record["first_time"]) if times[index] != NO_TIME else "-"
        parts = [f"{size(length)}"]
        parts += [f"{frames} frames"] if frames > 1 else []
        parts += [f"inflates to {size(inflated)}"] if inflate == "inflated" else []
        parts += [inflate] if inflate not in ("plain", "inflated") else []
        parts += ["not complete"] if not complete else []
        parts += [f"round trip {duration(trip)}"] if trip is not None else []
        parts += found_by_evidence(recovered)
        if opcode == "close":
            body = close_words(code, manner.text(reason or ""), length)
        else:
            body = next(iter(show(octets) for octets in messages.payloads(picked[index : index + 1])))
        packet = packets[index] if packets[index] is not None else "-"
        line = f"+{since:<10} {packet!s:>7}  {arrow}  {opcode:<12} {', '.join(parts)}  {body}".rstrip()
        told.append((LAST if packets[index] is None else packets[index], line))
    gaps = _gaps(view.snapshot, record)
    # behind a gap stands what the same packet completed
    return [line for _, line in sorted(gaps + told, key=lambda item: item[0])]


def _gaps(snapshot: Snapshot, record: dict[str, int]) -> list[tuple[int, str]]:
    """The first gaps of a connection: behind which packet each was found, and a line that says whose it is."""
    spans, packets = snapshot["spans"], snapshot["packets"]
    places = np.flatnonzero((spans["kind"] == GAP) & (spans["stream"] == record["stream"]))[:FRAMES_TOLD]
    lost = set(lost_gaps(snapshot.tables, snapshot.source.losses, record["stream"]).tolist())
    times = packets.take("time", spans["packet"][places]).tolist()
    lines = []
    for place, time in zip(places.tolist(), times, strict=True):
        client = spans["direction"][place] == record["client_direction"]
        since = duration(time - record["first_time"]) if time != NO_TIME else "-"
        why = f"{WORD}, the capture dropped packets then" if place in lost else "not captured"
        number = int(spans["packet"][place]) + 1
        lines.append((number, f"+{since:<10} {number!s:>7}  {'client → server' if client else 'client ← server'}"
                              f"  {'gap':<12} {size(int(spans['length'][place]))}  {why}"))  # fmt: skip
    return lines


def _notes(view: View, record: dict[str, int], told: Story, manner: Manner) -> None:
    notes = view.snapshot["notes"]
    mine = np.flatnonzero(notes["channel"] == record["channel"])
    if not len(mine):
        return
    told.part("Notes")
    rows = notes.rows()
    for row in rows[mine][:FRAMES_TOLD].tolist():
        cells = notes.row(row)
        meaning = MEANINGS[Note(cells["code"])]
        detail = f": {manner.text(view.text(cells['detail']))}" if cells["detail"] else ""
        where = f"packet {cells['packet'] + 1}: " if cells["packet"] >= 0 else ""
        told.item(f"{meaning.severity.name.lower()}: {where}{meaning.sentence} ({meaning.source}){detail}")
