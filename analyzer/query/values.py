"""Values as users write them: sizes, durations, times, numbers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, tzinfo
from fractions import Fraction

SIZES = {
    "": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "k": 10**3, "m": 10**6, "g": 10**9,
}  # fmt: skip
"""Octets by unit."""
DURATIONS = {
    "ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "": 10**9, "m": 60 * 10**9, "min": 60 * 10**9,
    "h": 3600 * 10**9, "d": 86400 * 10**9,
}  # fmt: skip
"""ns by unit; a bare number is seconds."""
_QUANTITY = re.compile(r"(-?\d{1,40}(?:\.\d{1,40})?)([A-Za-zµ]*)")
"""As many digits as any column needs, several times over: Python refuses to read thousands."""
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,40})?)?")


def quantity(text: str, units: dict[str, int]) -> int | None:
    """A number with a unit; None where it is none."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    unit = match[2] if match[2] in units else match[2].lower()
    return int(Fraction(match[1]) * units[unit]) if unit in units else None


def units_of(units: dict[str, int]) -> str:
    """Their names: `ns, us, ms`."""
    return ", ".join(unit for unit in units if unit)


def number(text: str) -> int | None:
    """A decimal or hexadecimal number."""
    try:
        return int(text, 0) if text[:2].lower() in ("0x", "0b", "0o") else int(text)
    except ValueError:
        return None


def moment(text: str, first: int, zone: tzinfo) -> int | None:
    """A time as ns since 1970: a date and time (RFC 3339; without an offset in `zone`), a time of the day of the
    capture's first packet, or a duration since it (`5s`, `+1.5min`)."""
    if (since := quantity(text.removeprefix("+"), DURATIONS)) is not None:
        return first + since
    if match := _CLOCK.fullmatch(text):
        hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3] or 0)
        if hours > 23 or minutes > 59 or seconds > 59:
            return None
        day = datetime.fromtimestamp(first // 10**9, UTC).astimezone(zone).date()
        whole = datetime.combine(day, time(hours, minutes, seconds), zone)
        return int(whole.timestamp()) * 10**9 + int(Fraction(match[4] or "0") * 10**9)
    body, dot, rest = text.partition(".")
    digits = re.match(r"\d{1,40}", rest)
    fraction = digits[0] if dot and digits else ""
    try:
        parsed = datetime.fromisoformat(body + rest[len(fraction) :])
    except ValueError:
        return None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=zone)
    return int(parsed.timestamp()) * 10**9 + int(Fraction(f"0.{fraction or 0}") * 10**9)
