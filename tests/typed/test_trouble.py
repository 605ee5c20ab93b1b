"""Each kind of trouble in the middle of an answer: its error, after all that came before it."""

from __future__ import annotations

import json
import signal
import threading
from dataclasses import dataclass, field
from time import sleep
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import ssejet
from drivers import SyncDriver
from faults import Fault, FaultServer, Framing, Then
from http_libraries import Aiohttp, aopened, collect_pools, opened, sockets_closed
from ssejet import AsyncStream, Decoder, Stream
from ssejet.chat import AsyncChatCompletionStream, ChatCompletionChunk, ChatCompletionStream

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from drivers import AsyncDriver
    from faults import Source
    from ssejet import SSEError

pytestmark = pytest.mark.slow

A_LONG_TIME = 200
"""In seconds."""


def chunk(content: str, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish_reason}
    payload = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return f"data: {json.dumps(payload)}\n\n".encode()


HELLO = [chunk("Hel"), chunk("lo")]
REST = [chunk(", world", "stop"), b"data: [DONE]\n\n"]
STILL_HERE = b": still here\n\n" * 60
IN_THE_THIRD = len(b"".join(HELLO)) + 20
ALIVE = Fault(drip=True, whole=len(b"".join(HELLO)), cut=len(b"".join(HELLO) + STILL_HERE), then=Then.STALL)


@dataclass(frozen=True)
class Trouble:
    """What goes wrong after the first two chunks, and how it is told.

    Attributes:
        error: the class.
        kind: of an ``APITimeoutError``.
        fault: what the server does.
        rest: what it would send after the first two chunks.
        options: of the stream.
        require_finish: of the chat stream.
    """

    error: type[SSEError]
    retryable: bool
    kind: str | None = None
    fault: Fault = field(default_factory=Fault)
    rest: list[bytes] = field(default_factory=lambda: REST)
    options: dict[str, Any] = field(default_factory=dict)
    require_finish: bool = False


def reported(**error: object) -> list[bytes]:
    return [f"data: {json.dumps({'error': error})}\n\n".encode(), *REST]


TROUBLES = {
    "the server is overloaded": Trouble(
        ssejet.APIError, True, rest=reported(message="busy", type="overloaded_error")
    ),
    "the server refuses": Trouble(
        ssejet.APIError, False, rest=reported(message="no", type="invalid_request_error")
    ),
    "the JSON is broken": Trouble(ssejet.InvalidJSONError, False, rest=[b'data: {"id":\n\n', *REST]),
    "the JSON is no chunk": Trouble(ssejet.InvalidJSONError, False, rest=[b"data: 7\n\n", *REST]),
    "an event is too large": Trouble(
        ssejet.EventTooLargeError,
        False,
        rest=[chunk("x" * 1000), *REST],
        options={"decoder": lambda: Decoder(max_event_size=500)},
    ),
    "the connection is reset": Trouble(
        ssejet.APIConnectionError, True, fault=Fault(cut=IN_THE_THIRD, then=Then.RESET)
    ),
    "the connection is closed": Trouble(
        ssejet.APIConnectionError, True, fault=Fault(cut=IN_THE_THIRD, then=Then.CLOSE)
    ),
    "the framing is broken": Trouble(
        ssejet.APIConnectionError, True, fault=Fault(cut=IN_THE_THIRD, then=Then.GARBAGE)
    ),
    "the compression is broken": Trouble(
        ssejet.APIConnectionError,
        True,
        fault=Fault(framing=Framing.GZIP, cut=IN_THE_THIRD, then=Then.GARBAGE),
    ),
    "less comes than announced": Trouble(
        ssejet.APIConnectionError, True, rest=[], fault=Fault(framing=Framing.LENGTH, wrong_length=9)
    ),
    "the answer ends without the sentinel": Trouble(
        ssejet.TruncatedStreamError, True, fault=Fault(events=2), options={"require_done": True}
    ),
    "the answer ends without a finish reason": Trouble(
        ssejet.TruncatedStreamError, True, fault=Fault(events=2), require_finish=True
    ),
    "the connection ends as if it were the answer's end": Trouble(
        ssejet.TruncatedStreamError,
        True,
        fault=Fault(framing=Framing.CLOSE, cut=IN_THE_THIRD),
        require_finish=True,
    ),
    "the server falls silent": Trouble(
        ssejet.APITimeoutError,
        True,
        kind="idle",
        fault=Fault(cut=IN_THE_THIRD, then=Then.STALL),
        options={"idle_timeout": 0.3, "data_timeout": A_LONG_TIME, "timeout": A_LONG_TIME},
    ),
    "the server only says that it is alive": Trouble(
        ssejet.APITimeoutError,
        True,
        kind="data",
        rest=[STILL_HERE],
        fault=ALIVE,
        options={"idle_timeout": A_LONG_TIME, "data_timeout": 0.5, "timeout": A_LONG_TIME},
    ),
    "the server takes its time": Trouble(
        ssejet.APITimeoutError,
        True,
        kind="total",
        rest=[STILL_HERE],
        fault=ALIVE,
        options={"idle_timeout": A_LONG_TIME, "data_timeout": A_LONG_TIME, "timeout": 1},
    ),
}
OVER_TLS = ["the connection is reset", "the server falls silent", "the server takes its time"]


def read(
    driver: SyncDriver | AsyncDriver, server: FaultServer, source: Source, trouble: Trouble
) -> tuple[list[str], Exception | None]:
    """The text of an answer, piece by piece, and what it ended with."""
    url = source.url
    pieces: list[str] = []
    options = {name: value() if callable(value) else value for name, value in trouble.options.items()}

    def has_come() -> bool:
        """Whether all that comes before a silence has come. Then a timeout cannot be over before that."""
        return trouble.fault.then is not Then.STALL or bool(source.struck)

    if isinstance(driver, SyncDriver):
        with driver.http.Client(verify=False) as client, opened(client, url) as response:
            while not has_come():
                sleep(0.005)
            stream = Stream(response, cast_to=ChatCompletionChunk, **options)
            try:
                for text in ChatCompletionStream(stream, require_finish=trouble.require_finish).text_deltas():
                    pieces.append(text)  # noqa: PERF402  # one by one, whatever comes
            except Exception as error:
                return pieces, error
        return pieces, None

    async def main() -> Exception | None:
        async with driver.http.AsyncClient(verify=False) as client, aopened(client, url) as response:
            while not has_come():  # noqa: ASYNC110  # a thread sets it
                await anyio.sleep(0.005)
            stream = AsyncStream(response, cast_to=ChatCompletionChunk, **options)
            answer = AsyncChatCompletionStream(stream, require_finish=trouble.require_finish)
            try:
                async for text in answer.text_deltas():
                    pieces.append(text)  # noqa: PERF401
            except Exception as error:
                return error
        return None

    async def end_well() -> Exception | None:
        error = await main()
        if driver.http is Aiohttp:
            await sockets_closed()
        return error

    return pieces, anyio.run(end_well, backend=driver.backend)


def running_threads() -> set[threading.Thread]:
    """The threads, but for those that niquests starts for each session."""
    return {each for each in threading.enumerate() if "idle_conn_watch_task" not in each.name}


def check(driver: SyncDriver | AsyncDriver, server: FaultServer, trouble: Trouble) -> None:
    threads = running_threads()
    source = server.source(*HELLO, *trouble.rest, faults=[trouble.fault])
    pieces, error = read(driver, server, source, trouble)
    assert pieces == ["Hel", "lo"]
    assert type(error) is trouble.error
    assert getattr(error, "kind", None) == trouble.kind
    assert error.retryable is trouble.retryable
    assert error.partial.choices[0].message.content == "Hello"
    del error
    collect_pools(driver)
    server.wait_until(lambda: server.connections == 0)
    assert running_threads() <= threads  # those of other tests may end meanwhile
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_an_error_is_raised_after_the_items_before_it(
    driver: SyncDriver | AsyncDriver, faults: FaultServer, trouble: Trouble
) -> None:
    if driver.http is Aiohttp and trouble is TROUBLES["the framing is broken"]:
        pytest.skip("aiohttp looks at the body that comes with the head, and gives no response")
    check(driver, faults, trouble)


@pytest.fixture(scope="module")
def tls_faults(tls: ssl.SSLContext) -> Iterator[FaultServer]:
    with FaultServer(tls) as server:
        yield server


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("name", OVER_TLS)
def test_an_error_is_the_same_over_https(
    driver: SyncDriver | AsyncDriver, tls_faults: FaultServer, name: str
) -> None:
    check(driver, tls_faults, TROUBLES[name])
