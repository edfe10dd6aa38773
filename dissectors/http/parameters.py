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


DEFLATE = "permessage-deflate"
TAKEOVER = ("client_no_context_takeover", "server_no_context_takeover")
BITS = ("client_max_window_bits", "server_max_window_bits")
SIZES = ("8", "9", "10", "11", "12", "13", "14", "15")
"""Digits without a leading zero (RFC 7692 §7.1.2)."""


def permessage_deflate(parameters: Parameters) -> tuple[Deflate, list[str]]:
    """What a response's parameters agree, and which of them are wrong (RFC 7692 §7.1)."""
    wrong = _wrong(parameters, optional=())
    good = {name: value for name, value in parameters if name in TAKEOVER or value in SIZES}
    bits = [int(good.get(name) or 15) if name in good else 15 for name in BITS]
    return Deflate(True, TAKEOVER[0] not in good, TAKEOVER[1] not in good, bits[0], bits[1]), wrong


def wrong_offers(offers: list[tuple[str, Parameters]]) -> list[str]:
    """What is wrong with the permessage-deflate offers of a request. An offer of client_max_window_bits needs no value
    (RFC 7692 §7.1.2.2)."""
    return [what for name, parameters in offers if name == DEFLATE for what in _wrong(parameters, BITS[:1])]


def _wrong(parameters: Parameters, optional: tuple[str, ...]) -> list[str]:
    """Parameters that RFC 7692 §7.1 does not allow; `optional` are those whose value may be left out."""
    wrong = []
    seen = set()
    for name, value in parameters:
        if name in seen:
            wrong.append(f"{name} stands twice")
        seen.add(name)
        if name in TAKEOVER:
            if value is not None:
                wrong.append(f"{name} takes no value")
        elif name in BITS:
            if value is None and name not in optional:
                wrong.append(f"{name} without a value")
            elif value is not None and value not in SIZES:
                wrong.append(f"{name}={value}")
        else:
            wrong.append(f"{name} is not known")
    return wrong


def unfit(agreed: Parameters, offers: list[tuple[str, Parameters]]) -> list[str]:
    """Why a response fits none of the permessage-deflate offers that were made: the fewest reasons of any."""
    return min((_unfit(dict(agreed), dict(offer)) for name, offer in offers if name == DEFLATE), key=len, default=[])


def _unfit(agreed: dict[str, str | None], offer: dict[str, str | None]) -> list[str]:
    """RFC 7692 §7.1.1.1, §7.1.2.1, §7.1.2.2. The server may limit itself unasked, and may ask the client for more than
    the client's hint, but not for a window size where the client did not say that it can do that."""
    client_bits, server_bits = BITS
    server_takeover = TAKEOVER[1]
    why = []
    if server_takeover in offer and server_takeover not in agreed:
        why.append(f"{server_takeover} was asked for")
    if client_bits in agreed and client_bits not in offer:
        why.append(f"{client_bits} was not offered")
    limit, chosen = offer.get(server_bits), agreed.get(server_bits)
    if limit in SIZES and (chosen is None or int(chosen) > int(limit)):
        why.append(f"{server_bits} was asked to be {limit} at most")
    return why
