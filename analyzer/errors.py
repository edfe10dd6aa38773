"""What a user can get wrong, and the exit statuses. Odd captures are notes, our own faults are tracebacks."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitStatus(IntEnum):
    """Exit statuses of the command."""

    OK = 0
    """Everything asked for was printed."""
    FOUND = 1
    """`--fail-on` found an observation of that severity or worse."""
    USAGE = 2
    """An option, a filter or a name is wrong."""
    INPUT = 3
    """A file is missing, unreadable, empty, not a capture, or one whose link type has no decoder; for `check`, or one
    without a WebSocket connection."""
    DAMAGED = 4
    """What was readable is shown, but the capture is cut off or damaged, or part of it has no decoder."""
    OUTPUT = 5
    """The output cannot be written."""


class FramescopeError(Exception):
    """What went wrong in one line, and what to do about it."""

    status = ExitStatus.USAGE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UnknownName(FramescopeError, KeyError):
    """There is no table, field or connection of a name."""

    __str__ = Exception.__str__  # a KeyError shows its message as a key

    @classmethod
    def among(cls, known: Iterable[str], name: str, message: str) -> UnknownName:
        """With the nearest of the names that are known."""
        from difflib import get_close_matches

        names = sorted(known)
        near = get_close_matches(name.lower(), names, 1, 0.5)
        return cls(f"{message}{f'; did you mean {near[0]!r}?' if near else ''}", f"known: {', '.join(names)}")


class UsageError(FramescopeError):
    """An option is wrong."""


class CaptureError(FramescopeError):
    """A capture cannot be opened."""

    status = ExitStatus.INPUT


class FilterError(FramescopeError):
    """A filter does not compile. `at` is the offset of the character that is wrong."""

    def __init__(self, message: str, text: str, at: int, hint: str = "") -> None:
        super().__init__(message, hint)
        self.text = text
        self.at = at


class OutputError(FramescopeError):
    """The output cannot be written."""

    status = ExitStatus.OUTPUT
