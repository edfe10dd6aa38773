"""The declarations of tables: codes that stand beside them, or in a walk, are those of the words."""

from __future__ import annotations

import pytest

from analyzer import schemas
from analyzer.analysis import causes, closes, pipeline
from analyzer.packets import decode
from analyzer.schemas import TABLES
from analyzer.streams import segment_walk
from dissectors import schemas as floor
from dissectors import tls
from dissectors.http import dialogue, upgrade
from dissectors.websocket import message_walk, scanner

CODES: dict[str, tuple[dict[int, str], dict[int, str]]] = {
    "kinds of records": (
        schemas.KINDS,
        {decode.TCP_KIND: "tcp", decode.UDP: "udp", decode.ICMP: "icmp", decode.ARP_KIND: "arp",
         decode.OTHER_IP: "other-ip", decode.FRAGMENT: "fragment", decode.NOT_IP_KIND: "not-ip",
         decode.MALFORMED: "malformed", decode.LINK_TYPE: "link-type", decode.QUIC: "quic",
         pipeline.LINK_TYPE: "link-type"},
    ),
    "span kinds of the segment walk": (
        schemas.SPAN_KINDS,
        {segment_walk.DATA: "data", segment_walk.GAP: "gap", segment_walk.LATE: "late",
         segment_walk.STREAM_END: "end", segment_walk.STREAM_RESET: "reset"},
    ),
    "span kinds of the frame scanner": (schemas.SPAN_KINDS, {scanner.DATA: "data", scanner.GAP: "gap"}),
    "verdicts": (
        schemas.VERDICTS,
        {closes.OPEN: "open-at-end", closes.CLEAN: "clean", closes.UNANSWERED_CLOSE: "unanswered-close",
         closes.FIN: "fin-without-close", closes.RST: "rst-without-close", closes.REFUSED_VERDICT: "refused",
         closes.NO_RESPONSE: "unanswered-handshake", closes.OTHER_PROTOCOL: "other-protocol",
         closes.LOST: "packets-lost"},
    ),
    "incidents": (schemas.INCIDENT_KINDS, {causes.TOGETHER: "ended-together", causes.SAME_IDLE: "same-idle"}),
    "tails": (schemas.TAILS, {tls.Tail.DATA: "data", tls.Tail.ALERT: "alert", tls.Tail.PERHAPS: "perhaps-alert"}),
    "accept values": (
        floor.ACCEPTS,
        {upgrade.UNKNOWN: "unknown", upgrade.RIGHT: "right", upgrade.WRONG: "wrong", upgrade.MISSING: "missing"},
    ),
    "styles": (
        floor.STYLES,
        {dialogue.PLAIN: "plain", dialogue.UPGRADE: "upgrade", dialogue.CONNECT: "connect",
         dialogue.LONG_POLL: "long-poll", dialogue.WEBHOOK: "webhook"},
    ),
    "UTF-8": (
        floor.VERDICTS,
        {message_walk.NOT_TEXT: "not-text", message_walk.VALID: "valid", message_walk.INVALID: "invalid",
         message_walk.UNKNOWN: "unknown"},
    ),
    "inflation": (
        floor.INFLATES,
        {message_walk.PLAIN: "plain", message_walk.INFLATED: "inflated", message_walk.FAILED: "failed",
         message_walk.CONTEXT_LOST: "context-lost", message_walk.OVER_LIMIT: "over-limit"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CODES)
def test_codes_are_those_of_the_words(name: str) -> None:
    words, codes = CODES[name]
    assert codes.items() <= words.items()


def test_every_column_is_declared_in_full() -> None:
    """One sentence, a null that its dtype holds, and words for codes that it holds."""
    for schema in TABLES:
        assert schema.row
        for column in schema.columns:
            assert column.doc, (schema.name, column.name)
            for code in (*(column.values or ()), *([] if column.null is None else [column.null])):
                assert schema.empty()[column.name].dtype.type(code) == code, (schema.name, column.name)
