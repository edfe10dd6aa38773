"""Times and amounts for people."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from analyzer.errors import FramescopeError
from dissectors.schemas import NO_TIME


def zone_of(name: str) -> tzinfo:
    """A time zone by name: UTC, local, or one of the IANA database."""
    if name.upper() == "UTC":
        return UTC
    if name == "local":
        zone = datetime.now().astimezone().tzinfo
        assert zone is not None
        return zone
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise FramescopeError(f"there is no time zone {name!r}", "for example UTC, local, Europe/Berlin") from None


def clock(time: int, zone: tzinfo, date: bool = False) -> str:
    """A capture time: of day with microseconds, or with its date."""
    if time == NO_TIME:
        return "-"
    seconds, nanos = divmod(time, 1_000_000_000)
    try:
        moment = datetime.fromtimestamp(seconds, UTC).astimezone(zone)
    except (OverflowError, ValueError, OSError):
        return f"{seconds} s"
    day = f"{moment:%Y-%m-%d} " if date else ""
    return f"{day}{moment:%H:%M:%S}.{nanos // 1000:06d}"


def size(octets: int) -> str:
    """Octets for people."""
    if octets < 1000:
        return f"{octets} B"
    amount = float(octets)
    for unit in ("kB", "MB", "GB", "TB"):
        amount /= 1000
        if amount < 999.5 or unit == "TB":
            break
    return f"{amount:.1f} {unit}" if amount < 99.95 else f"{amount:.0f} {unit}"


def count(number: int, noun: str) -> str:
    """`1 frame`, `2 frames`."""
    plural = noun if number == 1 else f"{noun}es" if noun.endswith(("s", "sh", "ch")) else f"{noun}s"
    return f"{number:,} {plural}".replace(",", " " if number >= 10_000 else "")
