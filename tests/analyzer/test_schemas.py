"""The declarations of tables: codes that stand beside them, or in a walk, are those of the words."""

from __future__ import annotations

import pytest

from analyzer import schemas
from analyzer.analysis import causes, closes, remains
from analyzer.schemas import TABLES
from dissectors import schemas as floor
from dissectors import tls
from dissectors.http import dialogue, upgrade
from dissectors.websocket import outcomes, scanner

CODES: dict[str, tuple[dict[int, str], dict[int, str]]] = {
    "kinds of records": (
        schemas.KINDS,
        {getattr(schemas, word.upper().replace("-", "_")): word for word in schemas.KINDS.values()},
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
        {outcomes.NOT_TEXT: "not-text", outcomes.VALID: "valid", outcomes.INVALID: "invalid",
         outcomes.UNKNOWN: "unknown"},
    ),
    "inflation": (
        floor.INFLATES,
        {outcomes.PLAIN: "plain", outcomes.INFLATED: "inflated", outcomes.FAILED: "failed",
         outcomes.CONTEXT_LOST: "context-lost", outcomes.OVER_LIMIT: "over-limit",
         remains.UNFINISHED: "unfinished"},
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
