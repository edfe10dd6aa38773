"""The filter language: trees, masks against a naive reading, absent values, units, errors at their place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.errors import FilterError
from analyzer.query.compile import select
from analyzer.query.fields import Field, Kind
from analyzer.query.language import parse

WORDS = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping"}
TEXTS = ["", "/chat", "/admin", "mqtt"]
FIRST = 1_700_000_000_000_000_000  # 2023-11-14 22:13:20 UTC
FIELDS = {
    field.name: field
    for field in (
        Field("opcode", Kind.WORD, "", words=WORDS), Field("length", Kind.OCTETS, ""),
        Field("close_code", Kind.NUMBER, "", null=-1), Field("fin", Kind.FLAG, ""), Field("path", Kind.TEXT, "", null=0),
        Field("time", Kind.TIME, "", null=-(2**63)), Field("idle", Kind.DURATION, "", null=-1),
        Field("host", Kind.ADDRESS, "", null=-1, parts=("client", "server")), Field("client", Kind.ADDRESS, "", null=-1),
        Field("server", Kind.ADDRESS, "", null=-1), Field("connection", Kind.CONNECTION, "", null=-1),
        Field("payload", Kind.PAYLOAD, ""),
    )
}  # fmt: skip
COLUMNS: dict[str, list[int]] = {
    "opcode": [1, 8, 2, 9, 1], "length": [5, 2, 70_000, 0, 5], "close_code": [-1, 1000, -1, -1, 1006],
    "fin": [1, 1, 0, 1, 0], "path": [1, 1, 2, 0, 3], "connection": [24, 24, 99, -1, 24],
    "time": [FIRST + n * 10**9 for n in range(5)], "idle": [-1, 60 * 10**9, 10**6, -1, 0],
    "client": [0x0A000001, 0x0A000001, 0x0A000101, 1 << 32, -1], "server": [0x0A000002] * 5,
}  # fmt: skip
PAYLOADS = [b"hello", b"\x03\xe8", b"token=abc", b"", b"WORLD"]


class Rows:
    """Five rows."""

    def __init__(self) -> None:
        self.fetched: list[int] = []

    def __len__(self) -> int:
        return 5

    def field(self, name: str) -> Field | None:
        return FIELDS.get(name)

    def names(self) -> Iterable[str]:
        return FIELDS

    def elsewhere(self, name: str) -> list[str]:
        return []

    def column(self, name: str) -> Any:
        return np.array(COLUMNS[name], np.int64)

    def text(self, code: int) -> str:
        return TEXTS[code]

    def address(self, number: int) -> str:
        return "2001:db8::1"

    def payloads(self, rows: Any) -> Iterator[bytes]:
        for row in rows.tolist():
            self.fetched.append(row)
            yield PAYLOADS[row]

    def first_time(self) -> int:
        return FIRST


def chosen(text: str) -> list[int]:
    return np.flatnonzero(select(text, Rows())).tolist()


EXPECTED: dict[str, list[int]] = {
    "opcode == close": [1], "opcode == close and close_code != 1000": [], "opcode == 8": [1],
    "websocket.opcode == 8 || websocket.payload_length > 64KiB": [1, 2],
    "close_code != 1000": [0, 2, 3, 4], "close_code > 0": [1, 4], "close_code": [1, 4], "not close_code": [0, 2, 3],
    "close_code == none": [0, 2, 3], "close_code != none": [1, 4], "close_code in {1000, 1005..1007}": [1, 4],
    "fin": [0, 1, 3], "!fin": [2, 4], "fin == no": [2, 4],
    'path == "/chat"': [0, 1], 'path contains "a"': [0, 1, 2], "path ~ /^.(ch|ad)/": [0, 1, 2], "path": [0, 1, 2, 4],
    "host == 10.0.1.0/24": [2], "host == 10.0.0.2": [0, 1, 2, 3, 4], "host != 10.0.0.2": [], "client == 2001:db8::/32": [3],
    "client != 10.0.0.1": [2, 3, 4], "idle >= 60s": [1], "idle < 2ms": [2, 4], "idle <= 1min": [1, 2, 4],
    "time > 2s": [3, 4], "time >= 22:13:22": [2, 3, 4], "time < 2023-11-14T22:13:21Z": [0],
    "time < 2023-11-14T22:13:21.5Z": [0, 1],
    "connection == c24": [0, 1, 4], "connection in {c24, c99}": [0, 1, 2, 4],
    "payload ~ /token=\\w+/": [2], "payload contains hello": [0], "payload ~ /world/i": [4], "payload": [0, 1, 2, 4],
    "(opcode == text or opcode == ping) and not fin": [4], "opcode == text or opcode == ping and fin": [0, 3, 4],
    "length == 99999999999999999999": [], "length < 99999999999999999999": [0, 1, 2, 3, 4],
}  # fmt: skip


@pytest.mark.parametrize("text", EXPECTED)
def test_masks(text: str) -> None:
    assert chosen(text) == EXPECTED[text]
    assert chosen(str(parse(text))) == EXPECTED[text]
    assert str(parse(str(parse(text)))) == str(parse(text))


def test_payload_is_fetched_last_and_only_where_needed() -> None:
    rows = Rows()
    select("payload ~ /o/ and opcode == text", rows)
    assert rows.fetched == [0, 4]


ERRORS: dict[str, tuple[int, str]] = {
    "opcod == close": (0, "opcode"), "opcode == cloze": (10, "close"), "length > much": (9, "64KiB"),
    "length >": (8, ""), "": (0, "opcode == close"), "opcode == close and": (19, ""), 'path == "x': (8, ""),
    "path ~ /(/": (8, ""), "client == 10.0.0.300": (10, "10.0.0.0/24"), "path > /x/": (7, "quote"), "path > x": (7, ""),
    "opcode = close": (7, ""), "length ~ /x/": (0, ""), "time > noon": (7, "12:00:05"), "fin == maybe": (7, "yes or no"),
    "payload < 5": (0, "contains"), "(fin": (4, ""), "fin)": (3, ""),
}  # fmt: skip


@pytest.mark.parametrize("text", ERRORS)
def test_errors_point_at_the_place_and_help(text: str) -> None:
    with pytest.raises(FilterError) as caught:
        select(text, Rows())
    at, hint = ERRORS[text]
    assert caught.value.at == at
    assert hint in caught.value.hint


TESTS = st.sampled_from(
    ["opcode == text", "fin", "close_code != 1000", "length > 3", 'path == "/chat"', "payload ~ /o/"]
)


@given(st.recursive(TESTS, lambda inner: st.one_of(
    inner.map("not ({})".format), st.tuples(inner, inner).map("({0[0]}) and ({0[1]})".format),
    st.tuples(inner, inner).map("({0[0]}) or ({0[1]})".format)), max_leaves=6))  # fmt: skip
def test_logic_is_that_of_python(text: str) -> None:
    simple = {
        name: set(chosen(name))
        for name in ("opcode == text", "fin", "close_code != 1000", "length > 3", 'path == "/chat"', "payload ~ /o/")
    }
    expression = text
    for index, name in enumerate(simple):
        expression = expression.replace(name, f"(row in s[{index}])")
    sets = list(simple.values())
    assert chosen(text) == [row for row in range(5) if eval(expression, {"row": row, "s": sets})]


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        select(text, Rows())
    except FilterError as error:
        assert 0 <= error.at <= max(len(text), 1)
