"""What patterns are asked about: facts of every connection, as whole columns.

A fact is one array with an item for each connection. A fact that nobody filled in is absent (-1, or 0 for a count), so
a pattern that needs it never holds: data that a capture, or a build, does not have makes patterns silent, not wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dissectors.tables import Array, Strings

Mask = npt.NDArray[np.bool_]
SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Facts:
    """Columns by name, and the texts that some of them hold codes of."""

    count: int
    columns: Mapping[str, Array]
    strings: Strings

    def __getitem__(self, name: str) -> Array:
        found = self.columns.get(name)
        return np.full(self.count, -1, np.int64) if found is None else found

    def text_holds(self, name: str, wanted: Callable[[str], bool]) -> Mask:
        """Where a text has a property: asked once for each distinct text."""
        codes, inverse = np.unique(self[name], return_inverse=True)
        held = np.array([code > 0 and wanted(self.strings[code].lower()) for code in codes.tolist()], np.bool_)
        found: Mask = held[inverse.reshape(-1)]
        return found


@dataclass(frozen=True, slots=True)
class Test:
    """A condition on facts, that can say itself."""

    words: str
    holds: Callable[[Facts], Mask]
    choice: bool = False
    """One of several is enough, so that its words need brackets among others."""

    @property
    def bracketed(self) -> str:
        """Its words as a part of others."""
        return f"({self.words})" if self.choice else self.words

    def __and__(self, other: Test) -> Test:
        return Test(f"{self.bracketed}, {other.bracketed}", lambda facts: self.holds(facts) & other.holds(facts))

    def __or__(self, other: Test) -> Test:
        return Test(f"{self.words}; or {other.words}", lambda facts: self.holds(facts) | other.holds(facts), True)

    def __invert__(self) -> Test:
        return Test(f"not ({self.words})", lambda facts: ~self.holds(facts))


def same(name: str, *values: int, words: str = "") -> Test:
    """A fact is one of some values."""
    told = words or f"{_plain(name)} {' or '.join(map(str, values))}"
    return Test(told, lambda facts: np.isin(facts[name], values))


def least(name: str, value: int, words: str = "") -> Test:
    """A fact is a value or more."""
    told = words or f"{_plain(name)} of {_span(value)} or more"
    return Test(told, lambda facts: np.greater_equal(facts[name], value))


def most(name: str, value: int, words: str = "") -> Test:
    """A fact is there, and a value or less."""
    told = words or f"{_plain(name)} of {_span(value)} or less"
    return Test(told, lambda facts: np.logical_and(facts[name] >= 0, facts[name] <= value))


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _span(value: float) -> str:
    """A time span, or a small number, in words: `60 s`, `10 min`, `2 h`."""
    if value < SECOND // 1000:
        return f"{value:g}"
    for unit, name in ((3600, "h"), (60, "min")):
        if value >= 2 * unit * SECOND and value % (unit * SECOND) == 0:
            return f"{value // (unit * SECOND):g} {name}"
    return f"{value / SECOND:g} s"


def tolerance(wanted: Array | int) -> Array:
    """ns by which a timer may miss: 1.5 % of its span, 0.7 s at most, as proxies check their timers."""
    missed: Array = np.minimum(np.asarray(wanted) * 15 // 1000, 7 * SECOND // 10)
    return missed


def near(name: str, *seconds: float) -> Test:
    """A time span matches a timer."""
    told = " or ".join(_span(value * SECOND) for value in seconds)

    def holds(facts: Facts) -> Mask:
        spans = facts[name]
        found: Mask = np.zeros(facts.count, np.bool_)
        for value in seconds:
            wanted = int(value * SECOND)
            found |= np.abs(spans - wanted) <= tolerance(wanted)
        return found

    return Test(f"{_plain(name)} of {told}", holds)


def says(name: str, *parts: str) -> Test:
    """A text holds one of some words, in any case."""
    return Test(
        f"{_plain(name)} says {' or '.join(parts)}",
        lambda facts: facts.text_holds(name, lambda text: any(part in text for part in parts)),
    )
