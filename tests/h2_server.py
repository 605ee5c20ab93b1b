"""The test server over HTTP/2, with TLS, for clients that speak it."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.routing import Mount

from servers import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class H2Server(Server):
    """Serves answers over HTTP/2.

    Args:
        key: the file of the server's private key.
        certificate: the file of its certificate.
    """

    def __init__(self, key: Path, certificate: Path) -> None:
        self._answers = {}
        self._names = count()
        self._app = Starlette(routes=[Mount("/", self._answer)])
        self._config = Config()
        listening = socket.create_server(("127.0.0.1", 0))
        address, port = listening.getsockname()
        self.base = f"https://{address}:{port}"
        self._config.bind = [f"fd://{listening.detach()}"]
        self._config.keyfile, self._config.certfile = str(key), str(certificate)
        self._config.alpn_protocols = ["h2"]
        self._config.accesslog = None
        self._config.errorlog = logging.getLogger("hypercorn.tests")
        self._config.errorlog.setLevel(logging.CRITICAL)
        self._config.graceful_timeout = 0.01
        self._config.keep_alive_timeout = 0.5  # after a stream that was dropped, too
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(
                serve(self._app, self._config, shutdown_trigger=self._stopping.wait)  # type: ignore[arg-type]
            )
        finally:
            self._loop.close()


@pytest.fixture(scope="session")
def h2_server(tls_files: tuple[Path, Path]) -> Iterator[H2Server]:
    server = H2Server(*tls_files)
    server.start()
    yield server
    server.stop()
