"""What can be said of a TLS connection that cannot be read: sentences for the rows that are shown."""

from __future__ import annotations

from analyzer.analysis.patterns import CAPTURE_ENDED, PACKETS_LOST
from analyzer.analysis.snapshot import Snapshot
from analyzer.analysis.verdicts import (
    SIDES,
    TCP_ENDS,
    Evidence,
    Telling,
    absent_side,
    causes_of,
    duration,
    fellows,
    incident_sentence,
)
from dissectors.tls import ALERTS, Tail

TAILS = {
    Tail.DATA: "the {}'s octets end in data, not in an alert",
    Tail.ALERT: "the {}'s octets end in an alert",
    Tail.PERHAPS: "the {}'s octets end in a record as long as an alert: perhaps close_notify",
}


def tell_encrypted(snapshot: Snapshot, row: int) -> Telling:
    """The verdict on row `row` of ENCRYPTED."""
    cells = snapshot["encrypted"].row(row)
    found = causes_of(cells["cause"], cells["confidence"], cells["patterns"])
    incident = cells["incident"]
    return Telling(
        _sentence(cells), tuple(_evidence(cells)), *found, unclaimed=_unclaimed(cells),
        incident=incident_sentence(snapshot, incident) if incident >= 0 else "",
        fellow=fellows(snapshot, "encrypted", incident, row),
    )  # fmt: skip


def _sentence(cells: dict[str, int]) -> str:
    absent = absent_side(cells)
    if not cells["end"]:
        lacking = f", which holds nothing of the {absent}" if absent else ""
        return f"encrypted; no end of TCP before the capture ended{lacking}"
    idle = [cells[f"{side}_idle"] for side in SIDES if cells[f"{side}_idle"] >= 0]
    silence = f" after {duration(min(idle))} of silence" if idle and not absent else ""
    alert = cells["alert"]
    failed = f"TLS failed: fatal alert {alert} ({ALERTS.get(alert, 'not assigned')}); " if alert >= 0 else ""
    heard = f"; nothing of the {absent} was captured" if absent else ""
    ended = f"{SIDES[cells['end_by']]} {TCP_ENDS[cells['end']]}{'' if absent else ' first'}"
    return f"{failed}{ended}{silence}{heard}; close code: encrypted, unknown"


def _evidence(cells: dict[str, int]) -> list[Evidence]:
    found = []
    sides = [side for side in SIDES if side != absent_side(cells)]
    if cells["end"]:
        found = [Evidence(f"{SIDES[cells['end_by']]} {TCP_ENDS[cells['end']]}", cells["end_packet"])]
        found += [Evidence(TAILS[Tail(cells[f"{side}_tail"])].format(side)) for side in sides]
    if cells["other_end"]:
        found.append(
            Evidence(f"{SIDES[1 - cells['end_by']]} {TCP_ENDS[cells['other_end']]}", cells["other_end_packet"])
        )
    found += [
        Evidence(f"{duration(cells[f'{side}_idle'])} since the last octet of the {side}")
        for side in sides
        if cells[f"{side}_idle"] >= 0
    ]
    return found


def _unclaimed(cells: dict[str, int]) -> str:
    if cells["cause"]:
        return ""
    if absent := absent_side(cells):
        return f"no cause is claimed: nothing of the {absent} was captured"
    if not cells["end"]:
        return CAPTURE_ENDED
    if cells["client_unseen"] or cells["server_unseen"]:
        return PACKETS_LOST
    return "no cause can be told without keys"
