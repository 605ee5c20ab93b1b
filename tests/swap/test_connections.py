"""Streams of accelerated clients over real connections."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import anthropic
import httpx
import openai
import pytest
import trio
from anthropic.types import RawMessageStreamEvent
from openai.types.chat import ChatCompletionChunk
from sdks import HTTP
from test_streams import CHUNK, DELTA

import ssejet
from raw_server import RawServer, head, read_request
from servers import Then, compress

if TYPE_CHECKING:
    import asyncio

    from servers import Answer, Server

DONE = b"data: [DONE]\n\n"


def clients(**options: Any) -> Any:
    """A stock client, and an accelerated one."""
    stock = openai.AsyncOpenAI(api_key="k", max_retries=0, **options)
    return stock, ssejet.accelerate(stock)


async def start(client: Any, answer: Answer) -> Any:
    stream_cls: Any = openai.AsyncStream[ChatCompletionChunk]
    return await client.post(answer.url, cast_to=ChatCompletionChunk, stream=True, stream_cls=stream_cls)


def start_sync(client: Any, answer: Answer) -> Any:
    stream_cls: Any = openai.Stream[ChatCompletionChunk]
    return client.post(answer.url, cast_to=ChatCompletionChunk, stream=True, stream_cls=stream_cls)


async def test_a_connection_is_used_again_if_it_is_without_us(server: Server) -> None:
    connections = []
    for client in clients():
        answer = server.answer(CHUNK, DONE)
        for _ in range(3):
            assert len([chunk async for chunk in await start(client, answer)]) == 1
        connections.append(len(answer.connections))
    await client.close()
    assert connections[1] <= connections[0]


class ClosingServer(RawServer):
    """Ends its bodies with the connection, as HTTP/1.0 did."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await read_request(reader)
        writer.write(head(200, {"Content-Type": "text/event-stream", "Connection": "close"}) + CHUNK + DONE)
        await writer.drain()
        return False


async def test_a_body_that_ends_with_its_connection_comes_to_its_end() -> None:
    messages: list[Any] = []
    with ClosingServer() as closing:
        for client in clients(base_url=closing.base):
            stream = await client.chat.completions.create(model="m", messages=messages, stream=True)
            assert len([chunk async for chunk in stream]) == 1
        await client.close()


@pytest.mark.parametrize("then", [Then.DROP, Then.HANG])
async def test_a_connection_that_breaks_or_stalls_raises_what_it_raises_without_us(
    server: Server, then: Then
) -> None:
    answer = server.answer(CHUNK, then)
    errors = []
    for client in clients(timeout=HTTP["openai"].Timeout(5, read=0.2)):
        stream = await start(client, answer)
        assert (await anext(stream)).id == "chatcmpl-1"
        with pytest.raises(Exception) as caught:  # noqa: PT011 - versions of the SDK differ in it
            await anext(stream)
        errors.append((type(caught.value), str(caught.value), type(caught.value.__cause__)))
    await client.close()
    assert errors[0] == errors[1]


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_compressed_streams_are_read(server: Server, encoding: str) -> None:
    body = compress(encoding, CHUNK * 3 + DONE)
    answer = server.answer(body[:10], body[10:50], body[50:], content_encoding=encoding)
    with ssejet.accelerate(openai.OpenAI(api_key="k")) as client:
        assert len(list(start_sync(client, answer))) == 3


def test_an_item_is_given_as_soon_as_it_has_arrived(server: Server) -> None:
    seen = threading.Event()
    answer = server.answer(CHUNK, seen, CHUNK, DONE)
    with ssejet.accelerate(openai.OpenAI(api_key="k")) as client:
        stream = start_sync(client, answer)
        assert next(stream).id == "chatcmpl-1"
        seen.set()
        assert len(list(stream)) == 1


def test_a_client_of_httpx_works_as_one_of_httpx2(server: Server) -> None:
    answer = server.answer(CHUNK, CHUNK, DONE)
    with httpx.Client() as http:
        client: Any = ssejet.accelerate(openai.OpenAI(api_key="k", http_client=http))  # type: ignore[arg-type]
        assert len(list(start_sync(client, answer))) == 2


def test_streams_work_on_trio(server: Server) -> None:
    answer = server.answer(CHUNK, CHUNK)

    async def main() -> list[str]:
        async with clients()[1] as client:
            return [chunk.id async for chunk in await start(client, answer)]

    assert trio.run(main) == ["chatcmpl-1"] * 2


def test_leaving_early_frees_the_servers_connection(server: Server) -> None:
    answer = server.answer(CHUNK, Then.HANG)
    with ssejet.accelerate(openai.OpenAI(api_key="k")) as client:
        stream = start_sync(client, answer)
        next(stream)
        del stream
        assert answer.left.wait(200)


def test_messages_are_read(server: Server) -> None:
    answer = server.answer(b"event: ping\ndata: {}\n\n", DELTA, DELTA)
    stream_cls: Any = anthropic.Stream[RawMessageStreamEvent]
    with ssejet.accelerate(anthropic.Anthropic(api_key="k")) as client:
        stream = client.post(answer.url, cast_to=RawMessageStreamEvent, stream=True, stream_cls=stream_cls)  # type: ignore[arg-type]
        assert [item.type for item in stream] == ["content_block_delta"] * 2
