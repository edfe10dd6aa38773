"""The filter language: text to a small syntax tree that prints itself.

opcode == close and close_code != 1000
host == 10.0.0.0/24 and length > 64KiB
payload ~ /token=\\w+/i or not (sender == server)
close_code in {1000, 4000..4999}
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from analyzer.errors import FilterError
from analyzer.query.values import DURATIONS, SIZES, units_of

GRAMMAR = r"""
    start: either
    either: both (("or" | "||") both)*
    both: one (("and" | "&&") one)*
    ?one: ("not" | "!") one -> negation
        | "(" either ")"
        | ATOM COMPARE operand -> comparison
        | ATOM "contains" operand -> containing
        | ATOM "~" REGEX -> matching
        | ATOM "in" "{" operand ("," operand)* "}" -> among
        | ATOM -> bare
    operand: ATOM | STRING
    COMPARE: "==" | "!=" | "<=" | ">=" | "<" | ">"
    REGEX: /\/(?:\\.|[^\/\\])+\/i?/
    STRING: /"(?:\\.|[^"\\])*"/ | /'(?:\\.|[^'\\])*'/
    ATOM: /[^\s(){},<>=!~&|"'\/]+(?:\/\d+)?/
    %ignore /\s+/
"""
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}


@dataclass(frozen=True, slots=True)
class Value:
    """A value as it was written. `at` is where."""

    text: str
    quoted: bool
    at: int

    def __str__(self) -> str:
        if not self.quoted:
            return self.text
        escaped = self.text.replace("\\", "\\\\").replace('"', '\\"')
        for letter, character in ESCAPES.items():
            escaped = escaped.replace(character, f"\\{letter}")
        return f'"{escaped}"'


@dataclass(frozen=True, slots=True)
class Name:
    """A field's name. `at` is where."""

    text: str
    at: int

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Test:
    """A comparison: one of == != < <= > >= contains in, or the empty operator for a bare name."""

    name: Name
    operator: str
    values: tuple[Value, ...]

    def __str__(self) -> str:
        if not self.operator:
            return str(self.name)
        if self.operator == "in":
            return f"{self.name} in {{{', '.join(map(str, self.values))}}}"
        return f"{self.name} {self.operator} {self.values[0]}"


@dataclass(frozen=True, slots=True)
class Match:
    """A regular expression."""

    name: Name
    pattern: str
    ignore_case: bool
    at: int

    def __str__(self) -> str:
        return f"{self.name} ~ /{self.pattern}/{'i' * self.ignore_case}"


@dataclass(frozen=True, slots=True)
class Not:
    """Negation."""

    inner: Tree

    def __str__(self) -> str:
        return f"not ({self.inner})"


@dataclass(frozen=True, slots=True)
class All:
    """All must hold."""

    parts: tuple[Tree, ...]

    def __str__(self) -> str:
        return " and ".join(f"({part})" for part in self.parts)


@dataclass(frozen=True, slots=True)
class Any_:
    """One must hold."""

    parts: tuple[Tree, ...]

    def __str__(self) -> str:
        return " or ".join(f"({part})" for part in self.parts)


Tree = Test | Match | Not | All | Any_


@cache
def _parser() -> Any:
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr", propagate_positions=True)


DEPTH = 100
"""Parentheses and negations inside each other."""


@lru_cache(maxsize=64)
def parse(text: str) -> Tree:
    """The syntax tree of a filter.

    Raises: FilterError with the place of what is wrong.
    """
    from lark import UnexpectedInput, UnexpectedToken

    if text.count("(") + text.count("!") + text.count("not") > DEPTH:
        raise FilterError("the filter is nested too deep", text, 0)
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        ended = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        at = None if ended else error.pos_in_stream
        at = len(text.rstrip()) if at is None or at < 0 or at >= len(text) else at
        raise _syntax_error(text, at) from None
    return _build(tree.children[0])


def _syntax_error(text: str, at: int) -> FilterError:
    rest = text[at:]
    if not text.strip():
        return FilterError("the filter is empty", text, 0, "for example: opcode == close")
    if not rest.strip():
        return FilterError("something is missing at the end", text, at)
    if rest[0] in "\"'":
        return FilterError("this text has no closing quote", text, at)
    if rest[0] == "/":
        return FilterError(
            "a regular expression stands only behind ~", text, at, 'for a path, quote it: path == "/chat"'
        )
    if rest[0] == "=":
        return FilterError("comparison is ==", text, at)
    hint = ""
    if re.search(r"\d\s+$", text[:at]) and rest[0].isalpha():
        units = ("durations: " + units_of(DURATIONS), "octets: " + units_of(SIZES))
        hint = f"a unit stands right behind its number, as 5s; {'; '.join(units)}"
    return FilterError(f"{rest.split()[0][:20]!r} was not expected here", text, at, hint)


def _build(node: Any) -> Tree:
    parts = node.children
    if node.data == "either":
        return _build(parts[0]) if len(parts) == 1 else Any_(tuple(map(_build, parts)))
    if node.data == "both":
        return _build(parts[0]) if len(parts) == 1 else All(tuple(map(_build, parts)))
    if node.data == "negation":
        return Not(_build(parts[0]))
    name = Name(str(parts[0]), parts[0].start_pos)
    if node.data == "bare":
        return Test(name, "", ())
    if node.data == "matching":
        pattern, _, flags = str(parts[1])[1:].rpartition("/")
        return Match(name, pattern, "i" in flags, parts[1].start_pos)
    if node.data == "comparison":
        return Test(name, str(parts[1]), (_value(parts[2]),))
    return Test(name, "in" if node.data == "among" else "contains", tuple(map(_value, parts[1:])))


def _value(node: Any) -> Value:
    token = node.children[0]
    text = str(token)
    if token.type != "STRING":
        return Value(text, False, token.start_pos)
    out, characters = [], iter(text[1:-1])
    for character in characters:
        if character == "\\":
            escaped = next(characters)
            character = ESCAPES.get(escaped, escaped)
        out.append(character)
    return Value("".join(out), True, token.start_pos)
