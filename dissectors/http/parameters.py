"""Sec-WebSocket-Extensions (RFC 6455 §9.1) and the parameters of permessage-deflate (RFC 7692 §7.1)."""

from __future__ import annotations

from typing import NamedTuple

Parameters = list[tuple[str, str | None]]


class Deflate(NamedTuple):
    """What was agreed. A side without takeover starts every message with an empty window."""

    agreed: bool = False
    client_takeover: bool = True
    server_takeover: bool = True
    client_window_bits: int = 15
    server_window_bits: int = 15


def extension_list(value: str) -> list[tuple[str, Parameters]]:
    """Extensions with their parameters, in order; quoted values are unquoted. Never fails: what cannot be read is left
    as it stands."""
    extensions = []
    for element in _split(value, ","):
        name, *rest = _split(element, ";")
        parameters: Parameters = []
        for part in rest:
            key, equals, quoted = part.partition("=")
            parameters.append((key.strip().lower(), _unquote(quoted.strip()) if equals else None))
        if name.strip():
            extensions.append((name.strip().lower(), parameters))
    return extensions


def _split(value: str, separator: str) -> list[str]:
    """Split outside of quoted strings (RFC 9110 §5.6.4)."""
    if '"' not in value:
        return value.split(separator)
    parts, quoted, escaped, start = [], False, False, 0
    for at, character in enumerate(value):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == separator and not quoted:
            parts.append(value[start:at])
            start = at + 1
    return [*parts, value[start:]]


def _unquote(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    return value[1:-1].replace('\\"', '"').replace("\\\\", "\\")


def permessage_deflate(parameters: Parameters) -> tuple[Deflate, list[str]]:
    """What a response's parameters agree, and which of them are wrong (RFC 7692 §7.1)."""
    takeover = {"client": True, "server": True}
    bits = {"client": 15, "server": 15}
    wrong = []
    seen = set()
    for name, value in parameters:
        side, _, what = name.partition("_")
        if name in seen:
            wrong.append(f"{name} stands twice")
        seen.add(name)
        if side in takeover and what == "no_context_takeover":
            takeover[side] = False
            if value is not None:
                wrong.append(f"{name} takes no value")
        elif side in bits and what == "max_window_bits":
            # digits without a leading zero, 8 to 15 (§7.1.2); in a response the value is required
            if value is not None and value in ("8", "9", "10", "11", "12", "13", "14", "15"):
                bits[side] = int(value)
            else:
                wrong.append(f"{name}={value}" if value is not None else f"{name} without a value")
        else:
            wrong.append(f"{name} is not known")
    return Deflate(True, takeover["client"], takeover["server"], bits["client"], bits["server"]), wrong
