"""Runs an application of tests/hub with uvicorn, in processes of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

HUB_TESTS = Path(__file__).parent.parent / "hub"


@contextmanager
def uvicorn_runs(application: str, *, workers: int, path: str, **variables: str) -> Iterator[str]:
    """Run an application until the block ends, and give its URL.

    Args:
        application: its module and name.
        workers: the number of processes.
        path: what answers when the server is up.
        **variables: of the environment.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "--workers", str(workers), "--port", str(port), "--log-level",
         "warning", application],
        cwd=HUB_TESTS, env={**os.environ, **variables},
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            httpx.get(f"{url}{path}")
            break
        except httpx.TransportError:
            time.sleep(0.1)
    yield url
    process.terminate()
    process.wait()
