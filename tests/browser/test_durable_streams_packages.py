"""The packages of Durable Streams with our server: the conformance tests of the protocol, and the client."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import subprocess
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import node
import pytest
from workers import uvicorn_runs

from redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
PROGRAM = Path(__file__).parent / "durable_stream.mjs"

pytestmark = pytest.mark.slow

# Tests of what the server leaves out: forks are refused, and subscriptions are not asked for.
LEFT_OUT = ("Fork - ", "Reserved subscription APIs")

# Most of the time of the tests is waiting for streams to expire, so these run beside the others.
EXPIRY = "TTL Expiration Behavior"
PARTS = (f"^(?!Fork - |{EXPIRY})", f"^{EXPIRY}")


@pytest.fixture(scope="module", params=["memory", "redis"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server: over memory, or two workers over Redis."""
    with ExitStack() as stack:
        redis_url, workers = "", 1
        if request.param == "redis":
            redis = RedisServer(tmp_path_factory.mktemp("redis"), "--appendonly", "no")
            stack.callback(redis.close)
            redis_url, workers = redis.url, 2
        yield stack.enter_context(
            uvicorn_runs(
                "durable_streams_app:app",
                workers=workers,
                path="/x",
                TEST_REDIS=redis_url,
                TEST_LONG_POLL="1",
            )
        )


async def conformance(base: str, part: str, report: Path) -> list[dict[str, Any]]:
    """Run the tests whose names match, and return their results."""
    vitest = node.packages() / "vitest" / "vitest.mjs"
    process = await asyncio.create_subprocess_exec(
        node.node(), vitest, "run", "durable_streams_conformance.test.mjs", "-t", part,
        # A machine that is busy may let a stream expire between two requests of a test.
        "--retry", "2", "--testTimeout", "60000", "--reporter", "json", "--outputFile", report,
        cwd=PROGRAM.parent,
        env={**os.environ, "CONFORMANCE_URL": base, "CONFORMANCE_LONG_POLL_MS": "1000"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    try:
        results = json.loads(report.read_bytes())["testResults"]  # noqa: ASYNC240 (a small file)
    except FileNotFoundError:
        pytest.fail(output.decode())
    return [each for file in results for each in file["assertionResults"]]


async def test_the_conformance_tests_of_the_protocol_pass(base: str, tmp_path: Path) -> None:
    parts = await asyncio.gather(
        *(conformance(base, part, tmp_path / f"{number}.json") for number, part in enumerate(PARTS))
    )
    statuses: dict[str, set[str]] = defaultdict(set)
    for result in [result for part in parts for result in part]:
        statuses[result["fullName"]].add(result["status"])
    left_out = [name for name, found in statuses.items() if not found & {"passed", "failed"}]
    assert all(name.startswith(LEFT_OUT) for name in left_out)
    failed = [name for name, found in statuses.items() if "failed" in found]
    assert failed == []
    page = (ROOT / "docs" / "durable-streams.md").read_text(encoding="utf-8")
    passed = len(statuses) - len(left_out)
    assert re.search(rf"\b{passed} of {len(statuses)}\b", page), (
        f"the page should say {passed} of {len(statuses)}"
    )


async def put(url: str, headers: dict[str, str], body: bytes = b"") -> None:
    async with httpx.AsyncClient() as client:
        assert (await client.put(url, headers=headers, content=body)).status_code == 201


@pytest.mark.parametrize("live", ["long-poll", "sse", True])
async def test_the_client_reads_what_it_writes_at_the_same_time(base: str, live: str | bool) -> None:
    url = f"{base}/json-{live}"
    await put(url, {"content-type": "application/json"})

    async def run(command: str, **options: Any) -> Any:
        given = {"command": command, "url": url, "contentType": "application/json", **options}
        return await node.run(PROGRAM, given=given)

    node.packages()
    *items, _ = await asyncio.gather(run("read", live=live), run("write", producers=3, each=30))
    (found,) = items
    for producer in range(3):
        assert [count for number, count in found if number == producer] == list(range(30))
    assert len(found) == 90


@pytest.mark.parametrize("live", ["long-poll", "sse", False])
async def test_the_client_gets_bytes_as_they_were_written(base: str, live: str | bool) -> None:
    url = f"{base}/bytes-{live}"
    body = bytes(range(256)) * 1000
    await put(url, {"content-type": "application/octet-stream", "stream-closed": "true"}, body)
    given = {"command": "read", "url": url, "contentType": "application/octet-stream", "live": live}
    node.packages()
    assert base64.b64decode(await node.run(PROGRAM, given=given)) == body
