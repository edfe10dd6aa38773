"""Compiles a syntax tree to a mask over whole columns.

An absent value differs from every value: `close_code != 1000` holds where there is no close code, orderings do not. A
bare name holds where the value is there, and for yes-or-no fields where it is yes. A test on text is made once for each
distinct text; a test on payload is made last, on the rows that the rest leaves possible.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, tzinfo
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.errors import FilterError
from analyzer.query.fields import ALIASES, Columns, Field, Kind
from analyzer.query.language import All, Any_, Match, Name, Not, Test, Tree, Value, parse
from analyzer.query.values import DURATIONS, SIZES, moment, number, quantity, units_of
from dissectors.tables import Array

Mask = npt.NDArray[np.bool_]
ORDERINGS: dict[str, Callable[[Array, int], Mask]] = {
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
}  # fmt: skip
NOTHING = "none"
"""The word for an absent value."""
YES_NO = {"yes": 1, "true": 1, "1": 1, "no": 0, "false": 0, "0": 0}
IPV4 = 1 << 32
"""Numbers below are IPv4 addresses themselves, see `analyzer.packets.addresses`."""


def select(text: str, columns: Columns, zone: tzinfo = UTC) -> Mask:
    """The rows for which a filter holds.

    Raises: FilterError where it does not compile.
    """
    return _Compiler(text, columns, zone).mask(parse(text), np.ones(len(columns), np.bool_))


def looks_into_payload(text: str, columns: Columns) -> bool:
    """Whether a filter asks for payloads, which takes long.

    Raises: FilterError where it does not parse, or asks for a field that there is not.
    """
    return _Compiler(text, columns, UTC)._looks_into_payload(parse(text))


class _Compiler:
    def __init__(self, text: str, columns: Columns, zone: tzinfo) -> None:
        self.text = text
        self.columns = columns
        self.zone = zone

    def mask(self, tree: Tree, possible: Mask) -> Mask:
        """Where a tree holds; rows that are not possible may come out either way."""
        if isinstance(tree, Not):
            return ~self.mask(tree.inner, possible)
        if isinstance(tree, All | Any_):
            ordered = sorted(tree.parts, key=self._looks_into_payload)
            whole = isinstance(tree, All)
            result = np.full(len(self.columns), whole)
            for part in ordered:
                still = possible & (result if whole else ~result)
                found = self.mask(part, still)
                result = result & found if whole else result | found
            return result
        return self._test(tree, possible)

    def _looks_into_payload(self, tree: Tree) -> bool:
        if isinstance(tree, Not):
            return self._looks_into_payload(tree.inner)
        if isinstance(tree, All | Any_):
            return any(map(self._looks_into_payload, tree.parts))
        return self._field(tree.name).kind is Kind.PAYLOAD

    def _field(self, name: Name) -> Field:
        for text in (name.text, ALIASES.get(name.text, "")):
            field = self.columns.field(text) if text else None
            if field is not None:
                return field
        known = [*self.columns.names(), *ALIASES]
        near = get_close_matches(name.text, known, 1) or get_close_matches(name.text.lower(), known, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"fields here: {', '.join(sorted(self.columns.names()))}"
        if tables := self.columns.elsewhere(name.text):
            hint = f"{' and '.join(tables)} have it" + (f"; {hint}" if near else "")
        raise FilterError(f"there is no field {name.text!r} here", self.text, name.at, hint)

    def _test(self, test: Test | Match, possible: Mask) -> Mask:
        field = self._field(test.name)
        if field.kind is Kind.PAYLOAD:
            return self._payload(field, test, possible)
        parts = field.parts or (field.name,)
        if isinstance(test, Test) and test.operator == "!=":
            equal = Test(test.name, "==", test.values)
            some: Mask = np.logical_or.reduce([self._one(field, part, equal) for part in parts])
            return ~some
        masks = [self._one(field, part, test) for part in parts]
        result: Mask = np.logical_or.reduce(masks)
        return result

    def _one(self, field: Field, part: str, test: Test | Match) -> Mask:
        column = self.columns.column(part)
        if field.null is None:
            present: Mask = np.ones(len(column), np.bool_)
        else:
            present = column != field.null
        if isinstance(test, Match):
            if field.kind is not Kind.TEXT:
                raise FilterError(f"{field.name} is {field.kind.value}: ~ is for texts", self.text, test.name.at)
            pattern = self._pattern(test)
            return self._texts(column, lambda text: pattern.search(text) is not None)
        if not test.operator:
            return present & (column != 0) if field.kind in (Kind.FLAG, Kind.NUMBER, Kind.OCTETS) else present
        if test.operator == "==" and _is_nothing(test.values[0]):
            return ~present
        if test.operator == "in":
            found: Mask = np.logical_or.reduce([self._among(field, column, value) for value in test.values])
            return present & found
        value = test.values[0]
        if test.operator == "contains":
            if field.kind is not Kind.TEXT:
                raise FilterError(f"{field.name} is {field.kind.value}: contains is for texts", self.text, value.at)
            return self._texts(column, lambda text: value.text in text)
        if test.operator in ORDERINGS:
            return present & self._order(field, column, test.operator, value)
        return present & self._equal(field, column, value)

    def _order(self, field: Field, column: Array, operator: str, value: Value) -> Mask:
        if field.kind in (Kind.TEXT, Kind.ADDRESS, Kind.CONNECTION, Kind.FLAG):
            raise FilterError(f"{field.name} is {field.kind.value}: it has no order", self.text, value.at)
        return _bounded(ORDERINGS[operator], column, self._number(field, value))

    def _equal(self, field: Field, column: Array, value: Value) -> Mask:
        if field.kind is Kind.TEXT:
            return self._texts(column, lambda text: text == value.text)
        if field.kind is Kind.ADDRESS:
            return self._network(column, value)
        return _bounded(np.equal, column, self._number(field, value))

    def _among(self, field: Field, column: Array, value: Value) -> Mask:
        low, dots, high = value.text.partition("..")
        if not dots or value.quoted or field.kind in (Kind.TEXT, Kind.ADDRESS):
            return self._equal(field, column, value)
        bounds = [self._number(field, Value(text, False, value.at)) for text in (low, high)]
        return _bounded(np.greater_equal, column, bounds[0]) & _bounded(np.less_equal, column, bounds[1])

    def _number(self, field: Field, value: Value) -> int:
        """The number that a value stands for, by the field's kind."""
        text = value.text
        if field.kind is Kind.WORD and field.words is not None:
            return self._word(field, value)
        found = {
            Kind.OCTETS: lambda: quantity(text, SIZES),
            Kind.DURATION: lambda: quantity(text, DURATIONS),
            Kind.TIME: lambda: moment(text, self.columns.first_time(), self.zone),
            Kind.FLAG: lambda: YES_NO.get(text.lower()),
            Kind.CONNECTION: lambda: number(text.removeprefix("c")),
        }.get(field.kind, lambda: number(text))()
        if found is None:
            raise FilterError(
                f"{field.name} is {field.kind.value}, {text!r} is not", self.text, value.at, _example(field)
            )
        return found

    def _word(self, field: Field, value: Value) -> int:
        assert field.words is not None
        for code, word in field.words.items():
            if value.text.lower() in (word, word.replace("-", "_")) or value.text == str(code):
                return code
        plain = number(value.text)
        if plain is not None:
            return plain
        near = get_close_matches(value.text.lower(), field.words.values(), 1, 0.4)
        hint = f"did you mean {near[0]}?" if near else f"one of: {', '.join(field.words.values())}"
        raise FilterError(f"{field.name} is never {value.text!r}", self.text, value.at, hint)

    def _texts(self, column: Array, holds: Callable[[str], bool]) -> Mask:
        codes, inverse = np.unique(column, return_inverse=True)
        found = np.array([holds(self.columns.text(code)) for code in codes.tolist()], np.bool_)
        return found[inverse.reshape(-1)] if len(codes) else np.zeros(len(column), np.bool_)

    def _network(self, column: Array, value: Value) -> Mask:
        try:
            network = ip_network(value.text, strict=False)
        except ValueError:
            raise FilterError(
                f"{value.text!r} is not an address or a network", self.text, value.at, "for example 10.0.0.0/24"
            ) from None
        numbers, inverse = np.unique(column, return_inverse=True)
        found = np.zeros(len(numbers), np.bool_)
        if network.version == 4:
            low, high = int(network.network_address), int(network.broadcast_address)
            found = (numbers >= low) & (numbers <= high)
        for at in np.flatnonzero(numbers >= IPV4).tolist():
            address = ip_address(self.columns.address(int(numbers[at])))
            found[at] = address.version == network.version and address in network
        return found[inverse.reshape(-1)] if len(numbers) else np.zeros(len(column), np.bool_)

    def _pattern(self, match: Match) -> re.Pattern[str]:
        pattern: re.Pattern[str] = self._compiled(match, match.pattern)
        return pattern

    def _compiled(self, match: Match, pattern: str | bytes) -> re.Pattern[Any]:
        """A regular expression, for texts or for octets."""
        try:
            return re.compile(pattern, re.IGNORECASE if match.ignore_case else 0)
        except re.error as error:
            # for octets the place is one in UTF-8, which may lie further behind
            at = match.at + 1 + min(error.pos or 0, len(match.pattern))
            raise FilterError(f"the regular expression is wrong: {error.msg}", self.text, at) from None
        except (OverflowError, RecursionError) as error:
            raise FilterError(f"the regular expression is too much: {error}", self.text, match.at + 1) from None

    def _octets(self, text: str, at: int) -> bytes:
        """Text as UTF-8; an octet of the command line that was none is itself."""
        try:
            return text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise FilterError("no octets stand for this", self.text, at + error.start) from None

    def _payload(self, field: Field, test: Test | Match, possible: Mask) -> Mask:
        holds = self._payload_test(field, test)
        rows = np.flatnonzero(possible)
        result = np.zeros(len(self.columns), np.bool_)
        result[rows] = [holds(octets) for octets in self.columns.payloads(rows)]
        return result

    def _payload_test(self, field: Field, test: Test | Match) -> Callable[[bytes], bool]:
        if isinstance(test, Match):
            self._pattern(test)
            pattern = self._compiled(test, self._octets(test.pattern, test.at + 1))
            return lambda octets: pattern.search(octets) is not None
        if not test.operator:
            return bool
        wanted = self._octets(test.values[0].text, test.values[0].at)
        tests: dict[str, Callable[[bytes], bool]] = {
            "==": lambda octets: octets == wanted,
            "!=": lambda octets: octets != wanted,
            "contains": lambda octets: wanted in octets,
        }
        if test.operator not in tests:
            raise FilterError(f"{field.name} has no order", self.text, test.name.at, "use ==, contains or ~")
        return tests[test.operator]


def _is_nothing(value: Value) -> bool:
    return value.text == NOTHING and not value.quoted


def _bounded(compare: Callable[[Array, int], Mask], column: Array, value: int) -> Mask:
    """Compare with a number that may lie outside of what the column can hold."""
    limits = np.iinfo(column.dtype) if column.dtype.kind in "iu" else None
    if limits is not None and not limits.min <= value <= limits.max:
        above = value > limits.max
        holds = {np.less: above, np.less_equal: above, np.greater: not above, np.greater_equal: not above}
        return np.full(len(column), holds.get(compare, False))  # type: ignore[call-overload]
    return compare(column, value)


def _example(field: Field) -> str:
    return {
        Kind.OCTETS: f"for example 1000 or 64KiB; units: {units_of(SIZES)}",
        Kind.DURATION: f"for example 1.5s or 200ms; units: {units_of(DURATIONS)}, none is s",
        Kind.TIME: "for example 12:00:05, 2026-11-24T10:00:00Z, or 5s since the first packet",
        Kind.FLAG: "yes or no", Kind.CONNECTION: "for example c24",
    }.get(field.kind, "for example 1000")  # fmt: skip
