"""Records what crosses loopback ports into a pcapng file with a comment that names the scenario."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SETTLE = 1.6
"""Seconds before and after a scenario: the kernel hands packets over a second late at most"""


@contextmanager
def recording(path: Path, ports: tuple[int, ...], comment: str, snaplen: int = 65535) -> Iterator[None]:
    """Record TCP on these ports while the body runs."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.pcap"
        wanted = " or ".join(f"tcp port {port}" for port in ports)
        command = [
            "tcpdump",
            "-i",
            "lo",
            "--nano",
            "--immediate-mode",
            "-U",
            "-B",
            "65536",
            "-Z",
            "root",
            "-s",
            str(snaplen),
            "-w",
            str(raw),
            wanted,
        ]
        recorder = subprocess.Popen(command, stderr=subprocess.PIPE)
        assert recorder.stderr is not None
        while b"listening on" not in (line := recorder.stderr.readline()):
            assert line, "tcpdump did not start"
        time.sleep(SETTLE)
        try:
            yield
        finally:
            time.sleep(SETTLE)
            recorder.terminate()
            told = recorder.stderr.read()
            recorder.wait()
        assert b"\n0 packets dropped by kernel" in told, f"packets were lost: record again: {told!r}"
        path.write_bytes(as_pcapng(raw.read_bytes(), comment))


def as_pcapng(capture: bytes, comment: str) -> bytes:
    """A pcapng file with the packets of a classic one: Ethernet, nanoseconds, nothing about the machine."""
    text = comment.encode()
    option = struct.pack("<HH", 1, len(text)) + text + bytes(-len(text) % 4) + bytes(4)
    out = _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + option)
    link = struct.unpack_from("<I", capture, 20)[0]
    out += _block(1, struct.pack("<HHIHHB3xI", link, 0, 262144, 9, 1, 9, 0))
    at = 24
    while at < len(capture):
        seconds, nanos, captured, wire = struct.unpack_from("<IIII", capture, at)
        stamp = seconds * 1_000_000_000 + nanos
        data = capture[at + 16 : at + 16 + captured]
        head = struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, captured, wire)
        out += _block(6, head + data + bytes(-captured % 4))
        at += 16 + captured
    return out


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


@contextmanager
def process(*command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs while the body does."""
    started = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield started
    finally:
        if started.poll() is None:
            started.send_signal(signal.SIGTERM)
        started.wait()


@contextmanager
def nginx(port: int, backend: int, timeout: str, tls: tuple[str, str] | None = None) -> Iterator[None]:
    """nginx as a WebSocket proxy, with an idle timeout; `tls` are its certificate and key."""
    with tempfile.TemporaryDirectory() as folder:
        secure = f"ssl; ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]}" if tls else ""
        config = Path(folder) / "nginx.conf"
        config.write_text(
            f"""daemon off; pid {folder}/pid; error_log stderr; worker_processes 1;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} {secure};
    location / {{
      proxy_pass http://127.0.0.1:{backend};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
      proxy_read_timeout {timeout};
    }}
  }}
}}
"""
        )
        with process("nginx", "-e", "stderr", "-c", str(config)):
            time.sleep(1)
            yield
