"""Scenarios about endings: proxies, restarts, timeouts, slow readers, and what shows of them through TLS."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket as sockets
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from samples.make.peers import masked, node_modules, raw, upgrade
from samples.make.recorder import nginx, process

HERE = Path(__file__).parent
SERVER = """
import asyncio, ssl, sys
from websockets.asyncio.server import serve
async def handler(socket):
    await socket.send("hello")
    async for message in socket:
        await socket.send(message)
async def main():
    tls = None
    if len(sys.argv) > 2:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*sys.argv[2:])
        tls.set_alpn_protocols(["http/1.1"])
    loop = asyncio.get_running_loop()
    async with serve(handler, "127.0.0.1", int(sys.argv[1]), ping_interval=None, ssl=tls) as server:
        import signal
        loop.add_signal_handler(signal.SIGTERM, server.close)
        await server.wait_closed()
asyncio.run(main())
"""
"""A server that closes with 1001 when it is asked to go."""


@contextmanager
def haproxy(port: int, backend: int, timeout: str) -> Iterator[None]:
    """HAProxy as a WebSocket proxy, with an idle timeout."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "haproxy.cfg"
        config.write_text(
            f"""defaults
  mode http
  timeout connect 5s
  timeout client 50s
  timeout server 50s
  timeout tunnel {timeout}
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  server one 127.0.0.1:{backend}
"""
        )
        with process("haproxy", "-db", "-f", str(config)):
            time.sleep(1)
            yield


async def _until_closed(socket: object, seconds: float = 6) -> None:
    with contextlib.suppress(ConnectionClosed, TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                await socket.recv()  # type: ignore[attr-defined]


async def echo(socket: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for message in socket:
            await socket.send(message)


async def haproxy_idle() -> None:
    async with serve(echo, "127.0.0.1", 8241, ping_interval=None):
        with haproxy(8240, 8241, "3s"):
            async with connect("ws://127.0.0.1:8240/idle", ping_interval=None) as socket:
                await socket.send("then silence")
                await socket.recv()
                await _until_closed(socket)


async def _many(url: str, number: int, server: subprocess.Popen[bytes], end: int, **options: object) -> None:
    """Clients that talk at times of their own, until their server ends."""
    await asyncio.sleep(1)
    clients = []
    for index in range(number):
        clients.append(await connect(url, ping_interval=None, **options))  # type: ignore[arg-type]
        await clients[-1].send(f"client {index}")
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.4)
    os.kill(server.pid, end)
    await asyncio.gather(*(_until_closed(client, 3) for client in clients))
    await asyncio.sleep(0.2)


async def restart() -> None:
    with process(sys.executable, "-c", SERVER, "8250") as server:
        await _many("ws://127.0.0.1:8250/live", 12, server, signal.SIGTERM, compression=None)
    with process(sys.executable, "-c", SERVER, "8251") as server:
        await _many("ws://127.0.0.1:8251/live", 12, server, signal.SIGKILL, compression=None)


async def slow_consumer() -> None:
    async def flood(socket: ServerConnection) -> None:
        socket.transport.get_extra_info("socket").setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 16384)
        with contextlib.suppress(TimeoutError, ConnectionClosed):
            async with asyncio.timeout(2.5):
                while True:
                    await socket.send("tick " * 200)
                    await asyncio.sleep(0.01)
        socket.transport.abort()

    async with serve(flood, "127.0.0.1", 8260, compression=None, ping_interval=None, write_limit=1024):
        reader = sockets.socket()
        reader.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 16384)
        reader.connect(("127.0.0.1", 8260))
        reader.sendall(upgrade("/ticks", 8260))
        await asyncio.sleep(4)
        reader.close()


async def socketio_timeout() -> None:
    with process("node", str(HERE / "node_timeout.js"), "8270", NODE_PATH=node_modules()):
        await asyncio.sleep(1.5)
        opening = upgrade("/socket.io/?EIO=4&transport=websocket", 8270)
        await raw(8270, opening, masked(0x81, b"40"), wait=4)


async def closings() -> None:
    async def handler(socket: ServerConnection) -> None:
        path = socket.request.path if socket.request else ""
        if path == "/exception":
            raise RuntimeError("a bug in the handler")
        if path == "/ignored":
            await socket.close(1000, "who answers?")
        if path == "/expired":
            await socket.recv()
            await socket.close(4401, "token expired")

    import logging

    logging.getLogger("websockets.server").setLevel(logging.CRITICAL)
    async with serve(handler, "127.0.0.1", 8280, compression=None, ping_interval=None, close_timeout=2):
        for path in ("/exception", "/expired"):
            async with connect(f"ws://127.0.0.1:8280{path}", compression=None, ping_interval=None) as socket:
                with contextlib.suppress(ConnectionClosed):
                    await socket.send("hello")
                await _until_closed(socket, 2)
        await raw(8280, upgrade("/ignored", 8280), wait=4)


async def tls_endings() -> None:
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = f"{folder}/key.pem", f"{folder}/cert.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", key, "-out", certificate, "-days", "1", "-subj", "/CN=chat.example", "-addext",
             "subjectAltName=DNS:chat.example"],
            check=True, capture_output=True,
        )  # fmt: skip
        trusting = ssl.create_default_context(cafile=certificate)
        trusting.set_alpn_protocols(["http/1.1"])
        options = {"ssl": trusting, "server_hostname": "chat.example", "host": "127.0.0.1"}
        with process(sys.executable, "-c", SERVER, "8290", certificate, key) as server:
            await _many("wss://chat.example:8290/", 8, server, signal.SIGKILL, **options)
        async with serve(echo, "127.0.0.1", 8292, ping_interval=None):
            with nginx(8291, 8292, "3s", tls=(certificate, key)):
                async with connect("wss://chat.example:8291/", ping_interval=None, **options) as socket:  # type: ignore[arg-type]
                    await socket.send("then silence")
                    await _until_closed(socket)
                with contextlib.suppress(ssl.SSLError):
                    distrusting = ssl.create_default_context()
                    await connect("wss://chat.example:8291/", **options | {"ssl": distrusting})  # type: ignore[arg-type]
