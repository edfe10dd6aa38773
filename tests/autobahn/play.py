"""Plays cases against an echo server on loopback, and keeps what both endpoints say."""

from __future__ import annotations

import asyncio
import os
import zlib
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

from dissectors.http.parameters import extension_list, permessage_deflate
from tests.autobahn.cases import Case, Part
from tests.wire.frames import CLOSE, CONTINUATION, PONG, TAIL, close_payload, frame
from tests.wire.handshakes import request

PATIENCE = 10.0
"""Seconds for an echo or an end."""
PAUSE = 0.1
"""Seconds between the parts of a frame that is sent in parts."""


@dataclass
class Log:
    """What the endpoints of one case say."""

    sent: list[tuple[int, bytes]] = field(default_factory=list)
    """The client's frames: opcode and payload, as given to the socket."""
    received: list[tuple[int, bytes]] = field(default_factory=list)
    """The server's frames, as the client read them."""
    messages: list[tuple[int, bytes]] = field(default_factory=list)
    """The server's messages, as the client put them together."""
    pongs: list[bytes] = field(default_factory=list)
    close_sent: int | None = None
    close_received: int | None = None
    """Codes; 1005 for an empty Close, None for none."""
    delivered: list[bytes] = field(default_factory=list)
    """Messages that the server's API returned."""
    reported: int | None = None
    """The code that the server's API reports."""


async def serve(logs: dict[str, Log]) -> Any:
    """An echo server of the websockets library, which logs per path."""
    from websockets.asyncio.server import ServerConnection, serve
    from websockets.exceptions import ConnectionClosed

    async def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        log = logs[connection.request.path.rpartition("/")[2]]
        try:
            async for message in connection:
                log.delivered.append(message.encode() if isinstance(message, str) else message)
                await connection.send(message)
        except ConnectionClosed:
            pass
        finally:
            await connection.wait_closed()
            log.reported = connection.close_code

    return await serve(handler, "127.0.0.1", 0, max_size=None, max_queue=None, ping_interval=None)


class Client:
    """The side that plays a case."""

    def __init__(self, case: Case, log: Log) -> None:
        self.case = case
        self.log = log
        self.ended = asyncio.Event()
        self.moved = asyncio.Event()
        self.closing = False
        self.sending = True
        self.answer = b""

    async def play(self, port: int) -> None:
        """From the handshake to the end of TCP."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        key = b64encode(os.urandom(16)).decode()
        headers = {"Sec-WebSocket-Extensions": self.case.offer} if self.case.offer else {}
        self.writer.write(request(f"/case/{self.case.number}", key, headers, "127.0.0.1"))
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        agreed = [line.partition(":")[2] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-ext")]
        self.deflate = permessage_deflate(extension_list(agreed[0])[0][1])[0] if agreed else None
        self.inflater = zlib.decompressobj(-15)
        reading = asyncio.create_task(self._read())
        try:
            await self._send()
            if not self.closing:
                await self._replies()
            self.sending = False
            if self.log.close_received is not None and not self.closing:
                await self.part(Part(CLOSE, self.answer))
            if not self.closing and self.case.codes == (1000,):
                await self.part(Part(CLOSE, close_payload(1000)))
            await asyncio.wait_for(self.ended.wait(), PATIENCE)
        except (ConnectionError, TimeoutError):
            pass
        finally:
            reading.cancel()
            self.writer.close()

    async def _send(self) -> None:
        for part in self.case.parts:
            await asyncio.sleep(part.pause)
            if part.pause and self.log.close_received is not None:
                return  # the server failed the connection meanwhile
            await self.part(part)
        if self.deflate is not None:
            await self._send_deflated()

    async def _send_deflated(self) -> None:
        assert self.deflate is not None
        bits = max(self.deflate.client_window_bits, 9)
        deflater = zlib.compressobj(wbits=-bits)
        for opcode, payload, cut in self.case.deflated:
            if not self.deflate.client_takeover:
                deflater = zlib.compressobj(wbits=-bits)
            whole = (deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
            size = cut or len(whole)
            for at in range(0, len(whole), size):
                fin = at + size >= len(whole)
                part = Part(CONTINUATION if at else opcode, whole[at : at + size], fin, 0 if at else 4)
                await self.part(part)

    async def part(self, part: Part) -> None:
        """Send one frame."""
        octets = frame(part.opcode, part.payload, part.fin, part.rsv, os.urandom(3) + b"\x01")
        self.log.sent.append((part.opcode, part.payload))
        if part.opcode == CLOSE:
            self.closing = True
            self.log.close_sent = code_of(part.payload) if self.log.close_sent is None else self.log.close_sent
        header = len(octets) - len(part.payload)
        cuts = [header + cut for cut in part.cuts] or list(range(part.chop, len(octets), part.chop or len(octets)))
        for start, stop in zip([0, *cuts], [*cuts, len(octets)], strict=True):
            self.writer.write(octets[start:stop])
            await self.writer.drain()
            if part.cuts:
                await asyncio.sleep(PAUSE)
                if self.log.close_received is not None:
                    return

    async def _replies(self) -> bool:
        """Wait until the server has sent what the suite expects, or has ended."""
        case, log = self.case, self.log
        try:
            async with asyncio.timeout(PATIENCE):
                while len(log.messages) < len(case.messages) or len(log.pongs) < len(case.pongs):
                    self.moved.clear()
                    if self.ended.is_set() or log.close_received is not None:
                        return False
                    await self.moved.wait()
        except TimeoutError:
            return False
        return True

    async def _read(self) -> None:
        opcode, held, packed = 0, b"", False
        try:
            while True:
                first, second = await self.reader.readexactly(2)
                length = second & 127
                if length > 125:
                    length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8), "big")
                payload = await self.reader.readexactly(length)
                self.log.received.append((first & 15, payload))
                if first & 8:
                    await self._control(first & 15, payload)
                else:
                    opcode, held, packed = (first & 15, payload, bool(first & 64)) if first & 15 else (
                        opcode, held + payload, packed)  # fmt: skip
                    if first & 128:
                        self.log.messages.append((opcode, self._inflated(held) if packed else held))
                self.moved.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.ended.set()
            self.moved.set()

    def _inflated(self, payload: bytes) -> bytes:
        assert self.deflate is not None
        if not self.deflate.server_takeover:
            self.inflater = zlib.decompressobj(-15)
        return self.inflater.decompress(payload + TAIL)

    async def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == PONG:
            self.log.pongs.append(payload)
        elif opcode == CLOSE and self.log.close_received is None:
            self.log.close_received = code_of(payload)
            self.answer = payload[:2]
            if not self.closing and not self.sending:
                await self.part(Part(CLOSE, self.answer))


def code_of(payload: bytes) -> int:
    """The code in a Close, as an API reports it (RFC 6455 §7.1.5)."""
    return int.from_bytes(payload[:2], "big") if len(payload) > 1 else 1005


async def play(cases: list[Case], ready: Any) -> dict[str, Log]:
    """Play cases one after the other; `ready` is called with the port before the first."""
    logs = {case.number: Log() for case in cases}
    server = await serve(logs)
    port = server.sockets[0].getsockname()[1]
    await ready(port)
    for case in cases:
        await Client(case, logs[case.number]).play(port)
    server.close()
    await server.wait_closed()
    return logs
