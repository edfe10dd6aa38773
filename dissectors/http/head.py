"""Start lines and header sections (RFC 9112 §2 to §5), read leniently: what is wrong is reported, not refused."""

from __future__ import annotations

from dataclasses import dataclass

LIMIT = 64 << 10
"""Octets of a header section. nginx takes 32 KiB, node 16 KiB, Apache httpd 100 fields of 8 KiB."""
UNLIKE = frozenset(("sec-websocket-key", "sec-websocket-accept", "date", "content-length", "cookie", "set-cookie"))
"""Fields whose lines seldom repeat."""
REMEMBERED, SHORT = 4096, 512
"""User-Agent lines of browsers have 150 octets; longer lines seldom repeat."""


class FieldLines(dict[str, tuple[str, str]]):
    """Lines that one analysis read before, as (name, value): the heads of one client are nearly all alike, and reading
    a line again costs three times as much as finding it. At most `REMEMBERED` lines of `SHORT` octets: 2 MiB."""

    __slots__ = ()

    def keep(self, line: str, name: str, value: str) -> None:
        """Remember a line, if it is one that may come again."""
        if len(line) <= SHORT and name not in UNLIKE:
            if len(self) >= REMEMBERED:
                self.clear()
            self[line] = (name, value)


@dataclass(slots=True)
class Head:
    """A start line and its header section. `first`, `second`, `third` are the parts of the start line: method, target,
    version; or version, status, reason. `headers` has lower-case names; repeated fields are joined with ", "
    (RFC 9110 §5.2)."""

    first: str
    second: str
    third: str
    headers: dict[str, str]
    problem: str = ""

    def get(self, name: str) -> str:
        """The value of a field, empty where it is absent."""
        return self.headers.get(name, "")

    def tokens(self, name: str) -> list[str]:
        """The elements of a list-valued field in lower case (RFC 9110 §5.6.1)."""
        value = self.headers.get(name)
        return [part.strip().lower() for part in value.split(",")] if value else []


def end_of(octets: bytes, searched: int = 0) -> int:
    """Where the header section ends (behind its empty line), -1 where the end is not there yet. No end stands in the
    first `searched` octets."""
    at = max(searched - 2, 0)
    crlf = octets.find(b"\n\r\n", at)
    bare = octets.find(b"\n\n", at, crlf if crlf >= 0 else len(octets))
    if bare >= 0:
        return bare + 2
    return crlf + 3 if crlf >= 0 else -1


def read_head(octets: bytes, known: FieldLines | None = None) -> Head:
    """Read a whole head; `known` are lines read before."""
    known = FieldLines() if known is None else known
    text = octets.decode("ascii") if octets.isascii() else octets.decode("utf-8", "replace")
    lines = text.split("\r\n")
    if text.count("\n") != len(lines) - 1:
        lines = text.replace("\r\n", "\n").split("\n")
    parts = lines[0].split(" ", 2)
    head = Head(parts[0], parts[1] if len(parts) > 1 else "", parts[2] if len(parts) > 2 else "", {})
    headers = head.headers
    name = ""
    for line in lines[1:]:
        if not line:
            continue
        if line[0] in " \t":
            # obs-fold (RFC 9112 §5.2): goes on the line before
            if name:
                headers[name] = f"{headers[name]} {line.strip()}"
            head.problem = head.problem or "a folded header line"
            continue
        field = known.get(line)
        if field is not None:
            name, value = field
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
            continue
        name, colon, value = line.partition(":")
        if not colon or not name or name[-1] in " \t":
            head.problem = head.problem or "a header line without a name and a colon"
            name = name.rstrip()
            if not colon or not name:
                name = ""
                continue
        name = name.lower()
        value = value.strip()
        if not head.problem:
            known.keep(line, name, value)
        if name in headers:
            headers[name] = f"{headers[name]}, {value}"
        else:
            headers[name] = value
    return head


def content_length(head: Head) -> int:
    """Content-Length (RFC 9110 §8.6); -1 where there is none, -2 where it is not one number."""
    value = head.headers.get("content-length")
    if value is None:
        return -1
    numbers = {part.strip() for part in value.split(",")}
    number = numbers.pop()
    if numbers or not number.isascii() or not number.isdigit() or len(number) > 18:
        return -2
    return int(number)


def is_chunked(head: Head) -> bool:
    """Whether the last transfer coding is chunked (RFC 9112 §6.1)."""
    value = head.headers.get("transfer-encoding")
    return value is not None and value.rpartition(",")[2].strip().lower() == "chunked"
