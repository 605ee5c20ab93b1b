"""Threads that share a Decoder, a Stream, events or a Client, with a GIL or on builds without.

Each test has many threads begin at once, so that a build without a GIL runs them at the same time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import pytest

import ssejet
from ssejet import Client, Decoder, ServerSentEvent, Stream
from ssejet.chat import ChatCompletionChunk, ChatCompletionStreamState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers import Server

THREADS = 8
WORDS = [f"word {number} " for number in range(200)]

T = TypeVar("T")


def chunk(content: str) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": None}
    payload = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return f"data: {json.dumps(payload)}\n\n".encode()


CHUNKS = [*map(chunk, WORDS), b"data: [DONE]\n\n"]


def at_once(work: Callable[[int], T]) -> list[T]:
    """Run a function in all threads, which begin together; raise what one of them raised."""
    start = threading.Barrier(THREADS)

    def begin(number: int) -> T:
        start.wait(200)
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


@pytest.fixture(autouse=True)
def frequent_switches() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this build has a GIL")
def test_the_import_does_not_bring_the_gil_back() -> None:
    program = "import sys, ssejet.chat; ssejet.Decoder(); print(sys._is_gil_enabled())"
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_a_shared_decoder_gives_all_events_of_each_call_or_refuses_it() -> None:
    decoder = Decoder()
    refused: list[int] = []

    def feed(_: int) -> list[ServerSentEvent]:
        events: list[ServerSentEvent] = []
        for number in range(300):
            try:
                events += decoder.feed(b"id: 1\ndata: a\ndata: b\n\n" * 4)
            except RuntimeError as error:  # noqa: PERF203
                assert "in use" in str(error)  # noqa: PT017
                refused.append(number)
        return events

    events = [event for found in at_once(feed) for event in found]
    assert len(events) == (THREADS * 300 - len(refused)) * 4
    assert set(events) == {ServerSentEvent(data="a\nb", id="1")}
    assert decoder.feed(b"data: still sound\n\n") == [ServerSentEvent(data="still sound", id="1")]


def test_each_thread_decodes_with_a_decoder_of_its_own_what_one_alone_decodes() -> None:
    alone = [event for part in CHUNKS for event in Decoder().feed(part)]

    def decode(number: int) -> list[ServerSentEvent]:
        stream, size = b"".join(CHUNKS), 50 + 13 * number
        return list(Decoder().iter_bytes(stream[at : at + size] for at in range(0, len(stream), size)))

    assert at_once(decode) == [alone] * THREADS


def test_all_threads_read_one_event_and_what_it_computes_once() -> None:
    for _ in range(50):
        [event] = Decoder().feed(b'id: 7\ndata: {"a": [1, 2]}\n\n')

        def read(_: int, event: ServerSentEvent = event) -> tuple[Any, ...]:
            return event.data, event.id, event.event, event.json(), hash(event), repr(event)

        assert len({repr(found) for found in at_once(read)}) == 1


class Pieces:
    """A response whose chunks any thread may take."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chunks = iter(CHUNKS)

    def iter_bytes(self) -> Pieces:
        return self

    def __iter__(self) -> Pieces:
        return self

    def __next__(self) -> bytes:
        with self._lock:
            return next(self._chunks)

    def close(self) -> None:
        pass


def take_all(stream: Stream[ChatCompletionChunk]) -> list[list[str]]:
    """Let all threads take items; a thread that is refused tries again."""

    def take(_: int) -> list[str]:
        texts: list[str] = []
        while True:
            try:
                item = next(stream)
            except StopIteration:
                return texts
            except RuntimeError as error:
                assert "another task or thread is reading this stream" in str(error)  # noqa: PT017
                continue
            texts.append(item.choices[0].delta.content or "")

    return at_once(take)


def assert_shared(taken: list[list[str]]) -> None:
    assert sorted(text for texts in taken for text in texts) == sorted(WORDS)
    for texts in taken:
        assert texts == sorted(texts, key=WORDS.index)


def test_a_shared_stream_gives_each_item_to_one_thread() -> None:
    assert_shared(take_all(Stream(Pieces(), cast_to=ChatCompletionChunk)))


@pytest.mark.slow
def test_a_shared_stream_of_a_real_response_gives_each_item_to_one_thread(server: Server) -> None:
    answer = server.answer(*(b"".join(CHUNKS[at : at + 5]) for at in range(0, len(CHUNKS), 5)))
    with (
        httpx.Client() as client,
        client.stream("GET", answer.url) as response,
        Stream(response, cast_to=ChatCompletionChunk) as stream,
    ):
        assert_shared(take_all(stream))


@pytest.mark.slow
def test_any_thread_may_close_a_stream_that_others_read(server: Server) -> None:
    for _ in range(20):
        answer = server.answer(*CHUNKS)
        with httpx.Client() as client, client.stream("GET", answer.url) as response:
            stream = Stream(response, cast_to=ChatCompletionChunk)

            def use(number: int, stream: Stream[ChatCompletionChunk] = stream) -> None:
                try:
                    for _ in stream:
                        if number == 0:
                            stream.close()
                except RuntimeError as error:
                    assert "another task or thread is reading this stream" in str(error)  # noqa: PT017

            at_once(use)
            stream.close()
            assert response.is_closed


@pytest.mark.slow
def test_threads_share_a_client_and_get_complete_answers(server: Server) -> None:
    answer = server.answer(*CHUNKS)
    with Client(api_key="k", base_url=answer.url) as client:

        def ask(_: int) -> list[str]:
            texts = []
            for _ in range(3):
                create = client.chat.completions.create
                with create(model="m", messages=[{"role": "user", "content": "x"}], stream=True) as stream:
                    texts.append("".join(item.choices[0].delta.content or "" for item in stream))
            return texts

        assert at_once(ask) == [["".join(WORDS)] * 3] * THREADS


def test_each_thread_puts_a_completion_together() -> None:
    def collect(_: int) -> str | None:
        state: Any = ChatCompletionStreamState()
        for item in Stream(Pieces(), cast_to=ChatCompletionChunk):
            state.handle_chunk(item)
        content: str | None = state.get_final_completion().choices[0].message.content
        return content

    assert at_once(collect) == ["".join(WORDS)] * THREADS


def test_all_threads_encode_the_same_bytes() -> None:
    value = {"text": "café", "items": [1, 2.5, None, True]}
    expected = ssejet.encode(value, event="e", id="1")
    encoded = at_once(lambda _: {ssejet.encode(value, event="e", id="1") for _ in range(200)})
    assert encoded == [{expected}] * THREADS
