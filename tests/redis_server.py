"""A redis-server of the tests' own, on a free port, with a directory of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["RedisServer", "free_port", "need_redis"]

_PROGRAMS = ("redis-server", "valkey-server")


def need_redis() -> str:
    """The path of the server; the test is skipped if there is none."""
    for name in _PROGRAMS:
        path = shutil.which(name)
        if path is not None:
            return path
    reason = f"there is no {' or '.join(_PROGRAMS)} on this machine: apt-get install redis-server"
    if os.environ.get("SSEJET_REQUIRE_REDIS"):
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class RedisServer:
    """A server whose appends are on disk before they are confirmed, so that a restart loses nothing."""

    def __init__(
        self, folder: Path, *options: str, env: Mapping[str, str] | None = None, port: int | None = None
    ) -> None:
        self._env = {**os.environ, **(env or {})}
        self._program = need_redis()
        self._folder = folder
        self._options = options or ("--appendonly", "yes", "--appendfsync", "always")
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                 "--dir", str(self._folder), *self._options],
                stdout=log, stderr=log, env=self._env,
                # When a shell ends, the kernel continues the stopped processes of the jobs that it leaves.
                start_new_session=True,
            )  # fmt: skip
        for _ in range(400):
            try:
                with self.client() as client:
                    client.ping()
                return
            except (redis.ConnectionError, redis.BusyLoadingError):  # noqa: PERF203
                if self._process.poll() is not None:
                    break
                time.sleep(0.025)
        raise RuntimeError((self._folder / "log").read_text())

    def client(self) -> Any:
        return redis.Redis(port=self.port, protocol=2)

    def kill(self) -> None:
        """End the server as a crash would."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def cut(self) -> None:
        """Cut all connections of clients."""
        with self.client() as client:
            client.client_kill_filter(_type="normal", skipme=True)

    def close(self) -> None:
        self.thaw()
        self.kill()
