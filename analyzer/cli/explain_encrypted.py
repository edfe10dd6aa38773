"""A TLS connection that cannot be read, told in full: what shows of its opening and of its end."""

from __future__ import annotations

from dataclasses import replace

from analyzer.analysis.encrypted_verdicts import tell_encrypted
from analyzer.analysis.verdicts import SIDES, duration
from analyzer.cli.explain import seen
from analyzer.cli.listing import Manner, endpoint
from analyzer.cli.page import Page
from analyzer.cli.story import Story
from analyzer.schemas import BY_NOTHING, BY_SYN
from analyzer.times import clock
from analyzer.views import View
from dissectors.schemas import NO_TIME

KNOWN_BY = {
    BY_NOTHING: "the ClientHello is not in the capture: which side is the client is a guess by the ports",
    BY_SYN: "the ClientHello is not in the capture: the client is the side that sent the SYN",
}


def write(view: View, place: int, page: Page, manner: Manner, markdown: bool) -> None:
    """Tell the connection at `place` of the view of ENCRYPTED."""
    told = Story(page, markdown)
    row = int(view.rows[place])
    record = view.table.row(row)
    ends = " → ".join(endpoint(view.address(record[f"{side}_address"]), record[f"{side}_port"]) for side in SIDES)
    told.title(f"TLS c{record['key']}: {ends} {manner.text(view.text(record['server_name'])) or '(no server name)'}")
    if record["tunnel"]:
        told.item(f"inside {view.text(record['tunnel'])}")
    telling = tell_encrypted(view.snapshot, row)
    own = replace(manner, secrets=True)  # these sentences quote no peer, and their `close code: …` is no secret
    told.verdict(telling, own)
    told.item("whether it was a WebSocket, what crossed it and how it was closed cannot be read without the keys")
    told.cause(telling, own)
    _opening(view, record, told, manner)
    seen(record, told)
    told.part("Elsewhere")
    told.item(f"Wireshark: tcp.stream == {record['stream']}")


def _opening(view: View, record: dict[str, int], told: Story, manner: Manner) -> None:
    told.part("Opening")
    if record["first_time"] != NO_TIME:
        lasted = duration(record["last_time"] - record["first_time"])
        told.item(f"first packet at {clock(record['first_time'], manner.zone, True)}, the last {lasted} later")
    if record["known_by"] in KNOWN_BY:
        told.item(KNOWN_BY[record["known_by"]])
    else:
        told.item(f"server name asked for (SNI): {manner.text(view.text(record['server_name'])) or 'none'}")
        told.item(f"protocols offered (ALPN): {manner.text(view.text(record['protocols'])) or 'none'}")
    if record["connect_target"]:
        told.item(f"inside a CONNECT tunnel to {manner.text(view.text(record['connect_target']))}")
    if record["proxied_source"]:
        told.item(f"for {manner.text(view.text(record['proxied_source']))}, as a PROXY header says")
