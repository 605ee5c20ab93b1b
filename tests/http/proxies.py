"""A proxy on the loopback interface: it forwards requests, makes tunnels (CONNECT), and speaks SOCKS5."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from raw_server import RawServer


class Proxy(RawServer):
    """Serves as a proxy.

    Attributes:
        passed: the kinds of connections that passed through it.
    """

    def __init__(self, tls=None) -> None:
        super().__init__(tls)
        self.passed: list[str] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first = await reader.readexactly(1)
        if first == b"\x05":
            await self._serve_socks(reader, writer)
            return False
        head = first + await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split()
        if method == "CONNECT":
            host, port = target.rsplit(":", 1)
            there = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Established\r\n\r\n")
            self.passed.append("tunnel")
        else:
            host, _, rest = target.removeprefix("http://").partition("/")
            there = await asyncio.open_connection(*host.split(":"))
            there[1].write(head.replace(target.encode(), b"/" + rest.encode(), 1))
            self.passed.append("forward")
        await self._relay((reader, writer), there)
        return False

    async def _serve_socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(b"\x05\x00")
        kind = (await reader.readexactly(4))[3]
        if kind == 1:
            host = ".".join(map(str, await reader.readexactly(4)))
        else:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        port = int.from_bytes(await reader.readexactly(2), "big")
        there = await asyncio.open_connection(host, port)
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        self.passed.append("socks")
        await self._relay((reader, writer), there)

    async def _relay(self, here: tuple, there: tuple) -> None:
        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            with suppress(OSError, RuntimeError):
                sink.close()

        await asyncio.gather(pump(here[0], there[1]), pump(there[0], here[1]))
