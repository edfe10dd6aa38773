"""Scenarios with proxies: chains of them with PROXY headers, and tunnels."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, WebSocketException

from samples.make.recorder import process


async def _goodbye(socket: ServerConnection) -> None:
    """Answers every message with itself, and ends at `bye`."""
    with contextlib.suppress(ConnectionClosed):
        async for message in socket:
            if message == "bye":
                await socket.close(4000, "as you wish")
                return
            await socket.send(message)


@contextlib.contextmanager
def _chain(text: int, binary: int, middle: int, backend: int) -> Iterator[None]:
    """HAProxy in two ports, with PROXY headers of version 1 and 2 to nginx, which passes on to a server without
    extensions, and with fields about who asked."""
    with tempfile.TemporaryDirectory() as folder:
        haproxy, nginx = Path(folder) / "haproxy.cfg", Path(folder) / "nginx.conf"
        haproxy.write_text(
            f"""defaults
  mode http
  option forwardfor
  timeout connect 5s
  timeout client 50s
  timeout server 50s
listen text
  bind 127.0.0.1:{text}
  server one 127.0.0.1:{middle} send-proxy
listen binary
  bind 127.0.0.1:{binary}
  server one 127.0.0.1:{middle} send-proxy-v2 proxy-v2-options crc32c,unique-id
"""
        )
        nginx.write_text(
            f"""daemon off; pid {folder}/pid; error_log stderr; worker_processes 1;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{middle} proxy_protocol;
    location / {{
      proxy_pass http://127.0.0.1:{backend};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
      proxy_set_header X-Real-IP $proxy_protocol_addr;
      proxy_set_header Sec-WebSocket-Extensions "";
    }}
  }}
}}
"""
        )
        with process("nginx", "-e", "stderr", "-c", str(nginx)), process("haproxy", "-db", "-f", str(haproxy)):
            time.sleep(1)
            yield


async def proxy_chain() -> None:
    async with serve(_goodbye, "127.0.0.1", 8303, ping_interval=None):
        with _chain(8300, 8301, 8302, 8303):
            for port in (8300, 8301):
                async with connect(f"ws://127.0.0.1:{port}/chain", ping_interval=None) as socket:
                    for text in ("through two proxies", "bye"):
                        await socket.send(text)
                        with contextlib.suppress(ConnectionClosed):
                            await socket.recv()


async def no_upgrade() -> None:
    """nginx as it is without being told of WebSocket: Upgrade is a field of one hop (RFC 9110 §7.8)."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "nginx.conf"
        config.write_text(
            f"""daemon off; pid {folder}/pid; error_log stderr; worker_processes 1;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:8320; location / {{ proxy_pass http://127.0.0.1:8321; }} }}
  server {{ listen 127.0.0.1:8322; location / {{ proxy_pass http://127.0.0.1:8321; proxy_http_version 1.1; }} }}
}}
"""
        )
        async with serve(_goodbye, "127.0.0.1", 8321):
            with process("nginx", "-e", "stderr", "-c", str(config)):
                time.sleep(1)
                for port in (8320, 8322):
                    with contextlib.suppress(WebSocketException, ConnectionError):
                        async with connect(f"ws://127.0.0.1:{port}/live"):
                            pass


@contextlib.contextmanager
def _forward(port: int, allowed: tuple[int, ...]) -> Iterator[None]:
    """tinyproxy, which tunnels to some ports."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "tinyproxy.conf"
        ports = "\n".join(f"ConnectPort {number}" for number in allowed)
        config.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 10\nAllow 127.0.0.1\n{ports}\n")
        with process("tinyproxy", "-d", "-c", str(config)):
            time.sleep(1)
            yield


async def tunnels() -> None:
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = f"{folder}/key.pem", f"{folder}/cert.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", key, "-out", certificate, "-days", "1", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost"], check=True, capture_output=True,
        )  # fmt: skip
        secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secure.load_cert_chain(certificate, key)
        trusting = ssl.create_default_context(cafile=certificate)
        async with (
            serve(_goodbye, "127.0.0.1", 8311, ping_interval=None),
            serve(_goodbye, "127.0.0.1", 8312, ping_interval=None, ssl=secure),
        ):
            with _forward(8310, (8311, 8312)):
                proxy = "http://127.0.0.1:8310"
                async with connect("ws://localhost:8311/tunnelled", proxy=proxy, ping_interval=None) as socket:
                    await socket.send("inside")
                    await socket.recv()
                    await socket.send("bye")
                    with contextlib.suppress(ConnectionClosed):
                        await socket.recv()
                async with connect("wss://localhost:8312/secret", proxy=proxy, ssl=trusting) as socket:
                    await socket.send("inside")
                    await socket.recv()
                with contextlib.suppress(WebSocketException, OSError):
                    await connect("ws://localhost:8313/refused", proxy=proxy).__aenter__()
                await asyncio.sleep(0.2)
