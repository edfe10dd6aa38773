"""Servers and clients that scenarios share."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from aiohttp import web

KEY = base64.b64encode(b"the sample nonce").decode()


def masked(first: int, payload: bytes, key: bytes = b"\x37\xfa\x21\x3d") -> bytes:
    """A client's frame with a short payload, for peers that no library would play."""
    return bytes([first, 0x80 | len(payload)]) + key + bytes(o ^ key[i % 4] for i, o in enumerate(payload))


def upgrade(path: str, port: int, *headers: str) -> bytes:
    """A request for WebSocket."""
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
             f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13", *headers]  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode()


async def serve_app(routes: list[web.RouteDef], port: int) -> web.AppRunner:
    """An aiohttp server."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


async def raw(port: int, *sent: bytes, wait: float = 0.3, host: str = "127.0.0.1") -> None:
    """A client that writes octets, and after each write reads for `wait` seconds, or until the server ends."""
    reader, writer = await asyncio.open_connection(host, port)
    for octets in sent:
        writer.write(octets)
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(wait):
                while await reader.read(65536):
                    continue
    writer.close()
    with suppress(TimeoutError, ConnectionError):
        await asyncio.wait_for(writer.wait_closed(), 1)


async def fragments(socket: Any, *parts: str) -> AsyncIterator[str]:
    """Fragments of a message, with a ping after the first."""
    for index, part in enumerate(parts):
        yield part
        if not index:
            await (await socket.ping(b"between fragments"))


def node_modules() -> str:
    """Where ws and socket.io are."""
    return os.environ.get("NODE_MODULES", "/usr/lib/node_modules")
