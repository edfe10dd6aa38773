"""Opening handshakes (RFC 6455 §4) and other HTTP/1.1 heads."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha1

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
REASONS = {
    100: "Continue", 101: "Switching Protocols", 103: "Early Hints", 200: "OK", 204: "No Content",
    301: "Moved Permanently", 302: "Found", 304: "Not Modified", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 426: "Upgrade Required", 500: "Internal Server Error", 502: "Bad Gateway",
    503: "Service Unavailable",
}  # fmt: skip

Headers = Mapping[str, str | None] | Iterable[tuple[str, str | None]]


def accept_value(key: str) -> str:
    """Sec-WebSocket-Accept (RFC 6455 §4.2.2)."""
    return b64encode(sha1(key.encode() + GUID).digest()).decode()


def head(start: str, defaults: Mapping[str, str], headers: Headers) -> bytes:
    """A message head. A header given replaces the default of that name; None leaves it out; pairs may repeat."""
    given = list(headers.items() if isinstance(headers, Mapping) else headers)
    names = {name.lower() for name, _ in given}
    lines = [f"{name}: {value}" for name, value in defaults.items() if name.lower() not in names]
    lines += [f"{name}: {value}" for name, value in given if value is not None]
    return "\r\n".join([start, *lines, "", ""]).encode("latin-1")


def request(
    path: str = "/chat", key: str = KEY, headers: Headers = (), host: str = "server.example", upgrade: bool = True,
    method: str = "GET", body: bytes = b"",
) -> bytes:  # fmt: skip
    """A request; with `upgrade`, one that opens a WebSocket."""
    defaults = {"Host": host}
    if upgrade:
        defaults |= {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
        }
    if body:
        defaults["Content-Length"] = str(len(body))
    return head(f"{method} {path} HTTP/1.1", defaults, headers) + body


def response(key: str = KEY, headers: Headers = (), status: int = 101, body: bytes = b"") -> bytes:
    """A response; with status 101, the one that accepts `key`."""
    defaults: dict[str, str] = {}
    if status == 101:
        defaults = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept_value(key)}
    elif status >= 200 and status not in (204, 304):
        defaults = {"Content-Length": str(len(body))}
    return head(f"HTTP/1.1 {status} {REASONS.get(status, 'Other')}", defaults, headers) + body
