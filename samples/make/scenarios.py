"""The scenarios: each plays its story while its ports are recorded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from samples.make import endings, proxies
from samples.make.peers import fragments, masked, raw, serve_app, upgrade
from samples.make.recorder import nginx, process

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Scenario:
    """A story, and the ports that it is told on."""

    play: Callable[[], Awaitable[None]]
    ports: tuple[int, ...]
    story: str


async def echo(socket: ServerConnection) -> None:
    """A handler that answers every message with itself."""
    with contextlib.suppress(ConnectionClosed):
        async for message in socket:
            await socket.send(message)


async def tour() -> None:
    async def index(request: web.Request) -> web.Response:
        return web.Response(text="<h1>chat</h1>", content_type="text/html")

    async def poll(request: web.Request) -> web.Response:
        await asyncio.sleep(2)
        return web.json_response({"messages": ["hello from the long poll"]})

    async def hook(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=204)

    async def private(request: web.Request) -> web.Response:
        return web.Response(status=403, text="origin not allowed")

    async def chat(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("chat.v1",))
        await socket.prepare(request)
        await socket.send_str("welcome")
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                await socket.send_str(f"echo: {message.data}")
            elif message.type is aiohttp.WSMsgType.BINARY:
                await socket.send_bytes(message.data[::-1])
        return socket

    routes = [web.get("/", index), web.get("/poll", poll), web.post("/hooks/payment", hook),
              web.get("/private", private), web.get("/chat", chat)]  # fmt: skip
    runner = await serve_app(routes, 8080)
    async with aiohttp.ClientSession() as session:
        async with session.get("http://127.0.0.1:8080/") as response:
            await response.text()
        async with session.get("http://127.0.0.1:8080/poll?since=0") as response:
            await response.text()
        headers = {"X-Hub-Signature-256": "sha256=0c9f", "User-Agent": "payments-hook/1.0"}
        order = {"event": "payment.settled", "order": 4711, "amount": "19.90"}
        async with session.post("http://127.0.0.1:8080/hooks/payment", json=order, headers=headers) as response:
            await response.read()
    with contextlib.suppress(Exception):
        await connect("ws://127.0.0.1:8080/private", origin="https://elsewhere.example").__aenter__()  # type: ignore[arg-type]
    async with connect("ws://127.0.0.1:8080/chat?token=s3cr3t-t0k3n", subprotocols=["chat.v1"]) as socket:  # type: ignore[list-item]
        await socket.recv()
        for text in ("hello", "grüße an alle", '{"type": "typing", "user": "ada"}'):
            await socket.send(text)
            await socket.recv()
            await asyncio.sleep(0.2)
        await socket.send(bytes(range(64)))
        await socket.recv()
        await socket.send(fragments(socket, "a message in ", "three ", "fragments"))
        await socket.recv()
        await socket.send("compressible " * 150)
        await socket.recv()
        await asyncio.sleep(0.5)
        await socket.close(1000, "done for today")
    async with serve(echo, "127.0.0.1", 8082, ping_interval=None):
        with nginx(8081, 8082, "3s"):
            async with connect("ws://127.0.0.1:8081/feed", ping_interval=None) as socket:
                await socket.send("subscribe")
                await socket.recv()
                with contextlib.suppress(ConnectionClosed):
                    await asyncio.wait_for(socket.recv(), 6)
    await runner.cleanup()


async def websockets_deflate() -> None:
    async with (
        serve(echo, "127.0.0.1", 8100),
        connect("ws://127.0.0.1:8100/deflate", max_size=None) as socket,
    ):
        texts = [
            "",
            "x",
            "tick " * 20,
            "tick " * 21,
            "äöü € 😀",
            '{"price": 101.5, "side": "buy"}' * 3,
            "0123456789" * 2000,
        ]
        for text in texts:
            await socket.send(text)
            await socket.recv()
        for size in (0, 1, 125, 126, 1000):
            await socket.send(bytes(size))
            await socket.recv()


async def nginx_idle() -> None:
    async with serve(echo, "127.0.0.1", 8111, ping_interval=None):
        with nginx(8110, 8111, "3s"):
            async with connect("ws://127.0.0.1:8110/idle", ping_interval=None) as socket:
                await socket.send("then silence")
                await socket.recv()
                with contextlib.suppress(ConnectionClosed):
                    await asyncio.wait_for(socket.recv(), 6)


async def policy() -> None:
    codes = [(1000, "bye"), (1001, ""), (1003, "text only"), (1008, "not you"), (1011, "oops"), (1012, "restart"),
             (1013, "later"), (3000, "who are you"), (4000, "our own"), (4999, "grüße")]  # fmt: skip

    async def close(socket: ServerConnection) -> None:
        number = int(str(socket.request.path if socket.request else "/0").rpartition("/")[2])
        if number < len(codes):
            await socket.close(*codes[number])
        else:
            await echo(socket)

    async with serve(close, "127.0.0.1", 8120, max_size=1000, compression=None):
        for number in range(len(codes)):
            async with connect(f"ws://127.0.0.1:8120/{number}", compression=None) as socket:
                with contextlib.suppress(ConnectionClosed):
                    await socket.recv()
        async with connect("ws://127.0.0.1:8120/90", compression=None) as socket:
            await socket.send("x" * 1001)
            with contextlib.suppress(ConnectionClosed):
                await socket.recv()
        await raw(8120, upgrade("/91", 8120), masked(0x81, b"caf\xe9 is not UTF-8"))
        await raw(8120, upgrade("/92", 8120), masked(0x88, b""), wait=0.5)
        await raw(8120, upgrade("/93", 8120), masked(0xC1, b"RSV1 without extension"))
        await raw(8120, upgrade("/94", 8120), bytes([0x81, 5]) + b"plain")


async def keepalive() -> None:
    async with serve(echo, "127.0.0.1", 8130, ping_interval=1, ping_timeout=1):
        await raw(8130, upgrade("/mute", 8130), masked(0x81, b"I never answer pings"), wait=4)


async def aiohttp_heartbeat() -> None:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=1.0, compress=False)
        await socket.prepare(request)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                await socket.send_str(message.data)
        return socket

    runner = await serve_app([web.get("/beat", handler)], 8140)
    async with aiohttp.ClientSession() as session, session.ws_connect("ws://127.0.0.1:8140/beat") as socket:
        await socket.send_str("alive")
        await socket.receive()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(socket.receive(), 2.5)
    await raw(8140, upgrade("/beat", 8140), masked(0x81, b"deaf from now on"), wait=3)
    await runner.cleanup()


async def refused() -> None:
    answers: dict[str, tuple[int, dict[str, str], str]] = {
        "/400": (400, {}, "bad request"),
        "/401": (401, {"WWW-Authenticate": 'Bearer realm="chat"'}, "token expired"),
        "/403": (403, {}, "origin not allowed"),
        "/404": (404, {}, "no such room"),
        "/426": (426, {"Sec-WebSocket-Version": "13", "Upgrade": "websocket"}, "speak version 13"),
        "/302": (302, {"Location": "/login"}, ""),
        "/503": (503, {"Retry-After": "5"}, "starting up"),
        "/200": (200, {}, "<html>not a socket</html>"),
    }

    async def handler(request: web.Request) -> web.Response:
        status, headers, text = answers[request.path]
        return web.Response(status=status, headers=headers, text=text)

    runner = await serve_app([web.get("/{any}", handler)], 8150)
    for path in answers:
        with contextlib.suppress(Exception):
            if path == "/302":  # the library would follow
                await raw(8150, upgrade(path, 8150))
            else:
                await connect(f"ws://127.0.0.1:8150{path}").__aenter__()
    await runner.cleanup()


async def killed() -> None:
    code = (
        "import asyncio,sys\nfrom websockets.asyncio.server import serve\n"
        "async def handler(socket):\n"
        "    await socket.send('hello')\n"
        "    await asyncio.sleep(60)\n"
        "async def main():\n"
        "    async with serve(handler, '127.0.0.1', int(sys.argv[1]), max_queue=1, ping_interval=None):\n"
        "        await asyncio.Future()\n"
        "asyncio.run(main())\n"
    )
    for port, unread in ((8160, False), (8161, True)):
        with process(sys.executable, "-c", code, str(port)) as server:
            await asyncio.sleep(1)
            socket = await connect(f"ws://127.0.0.1:{port}/", compression=None, ping_interval=None)
            await socket.recv()
            if unread:
                server.send_signal(signal.SIGSTOP)
                await socket.send("never read")
                await asyncio.sleep(0.3)
            os.kill(server.pid, signal.SIGKILL)
            with contextlib.suppress(ConnectionClosed):
                await asyncio.wait_for(socket.recv(), 2)
            await asyncio.sleep(0.2)


async def subprotocols() -> None:
    tokens = ["graphql-transport-ws", "mqtt", "v12.stomp"]
    async with serve(echo, "127.0.0.1", 8170, subprotocols=tokens):  # type: ignore[arg-type]
        for offered in (["graphql-transport-ws"], ["unknown", "mqtt"], ["v12.stomp", "v11.stomp"], None):
            with contextlib.suppress(InvalidStatus):  # a server with subprotocols refuses a client without
                async with connect(
                    "ws://127.0.0.1:8170/", subprotocols=offered, origin="https://app.example"
                ) as socket:  # type: ignore[arg-type]
                    await socket.send("first")
                    await socket.recv()


async def ipv6_early() -> None:
    async def talkative(socket: ServerConnection) -> None:
        await socket.send("the first frame comes with the 101")
        await echo(socket)

    async with serve(talkative, "::1", 8180, compression=None):
        first = masked(0x81, b"sent before the 101 came")
        await raw(8180, upgrade("/early", 8180) + first, masked(0x88, b"\x03\xe8early bird"), host="::1", wait=0.5)


async def http_only() -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for part in (b"one ", b"two ", b"three"):
            await response.write(part)
        return response

    runner = await serve_app([web.get("/{any}", page)], 8190)
    async with aiohttp.ClientSession() as session:
        for path in ("a", "b"):
            async with session.get(f"http://127.0.0.1:8190/{path}") as response:
                await response.read()
    await runner.cleanup()


async def tls() -> None:
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = f"{folder}/key.pem", f"{folder}/cert.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
             "-days", "1",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
            check=True, capture_output=True,
        )  # fmt: skip
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate, key)
        client = ssl.create_default_context(cafile=certificate)
        async with (
            serve(echo, "127.0.0.1", 8200, ssl=server),
            connect("wss://localhost:8200/secret", ssl=client, host="127.0.0.1", server_hostname="localhost") as socket,
        ):
            await socket.send("nobody can read this")
            await socket.recv()


async def _node(script: str, port: int) -> None:
    from samples.make.peers import node_modules

    with process("node", str(HERE / script), str(port), NODE_PATH=node_modules()) as node:
        await asyncio.to_thread(node.wait, 20)


async def node_ws() -> None:
    await _node("node_ws.js", 8210)


async def socketio() -> None:
    await _node("node_socketio.js", 8220)


async def chromium() -> None:
    page = (HERE / "chromium.html").read_text()

    async def index(request: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html")

    async def elsewhere(request: web.Request) -> web.Response:
        return web.Response(text="<p>left</p>", content_type="text/html")

    async def chat(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"echo: {message.data}")
        return socket

    routes = [web.get("/", index), web.get("/elsewhere", elsewhere), web.get("/chat", chat)]
    runner = await serve_app(routes, 8230)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags: list[Any] = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                            "--disable-background-networking", "--disable-component-update", "--disable-sync",
                            "--disable-features=BackForwardCache", f"--user-data-dir={profile}"]  # fmt: skip
        with process("chromium", *flags, "http://127.0.0.1:8230/"):
            await asyncio.sleep(8)
    await runner.cleanup()


SCENARIOS: dict[str, Scenario] = {
    "tour": Scenario(tour, (8080, 8081), "HTTP, a long poll, a webhook, a refused upgrade, a chat, a death in silence"),
    "websockets-deflate": Scenario(websockets_deflate, (8100,), "permessage-deflate with context takeover both ways"),
    "nginx-idle": Scenario(nginx_idle, (8110, 8111), "a proxy's idle timeout, both legs"),
    "policy": Scenario(policy, (8120,), "close codes, and protocol violations that a server answers"),
    "keepalive-1011": Scenario(keepalive, (8130,), "pings that nobody answers"),
    "aiohttp-heartbeat": Scenario(aiohttp_heartbeat, (8140,), "a heartbeat answered, and one that is not"),
    "refused": Scenario(refused, (8150,), "upgrades refused with 400, 401, 403, 404, 426, 302, 503, 200"),
    "killed": Scenario(killed, (8160, 8161), "a server killed: FIN, and RST with unread data"),
    "subprotocols": Scenario(subprotocols, (8170,), "subprotocols offered and chosen"),
    "ipv6-early": Scenario(ipv6_early, (8180,), "IPv6, a client that does not wait for the 101"),
    "http-only": Scenario(http_only, (8190,), "plain HTTP, chunked, no WebSocket"),
    "tls": Scenario(tls, (8200,), "wss without keys"),
    "node-ws": Scenario(node_ws, (8210,), "node ws: no context takeover, terminate, message too big"),
    "socketio": Scenario(socketio, (8220,), "Socket.IO: polling first, then an upgrade"),
    "haproxy-idle": Scenario(endings.haproxy_idle, (8240, 8241), "HAProxy's tunnel timeout, both legs"),
    "restart": Scenario(endings.restart, (8250, 8251), "a server of twelve clients stopped, and one killed"),
    "slow-consumer": Scenario(endings.slow_consumer, (8260,), "a client that does not read, given up by its server"),
    "socketio-timeout": Scenario(endings.socketio_timeout, (8270,), "Socket.IO pings that nobody answers"),
    "closings": Scenario(endings.closings, (8280,), "a handler that raises, a token that expired, a Close ignored"),
    "tls-endings": Scenario(endings.tls_endings, (8290, 8291), "wss: many killed, one idle, one not trusted"),
    "proxy-chain": Scenario(
        proxies.proxy_chain, (8300, 8301, 8302, 8303), "HAProxy, PROXY headers of both versions, nginx"
    ),
    "no-upgrade": Scenario(
        proxies.no_upgrade, (8320, 8321, 8322), "upgrades through nginx that is not told to pass Upgrade on"
    ),
    "tunnels": Scenario(proxies.tunnels, (8310, 8311, 8312), "CONNECT to ws, to wss, and refused"),
    "chromium-chat": Scenario(chromium, (8230,), "a page in Chromium: close from JavaScript, and by navigation"),
}
"""By name; the name is the file's."""
