"""Reads streams with one SDK, or one library above the SDKs, stock and with ssejet installed.

`benches.sdks` starts it as a process. It imports nothing but ssejet and the SDK, as the SDKs have an
environment of their own. To add an SDK, add an entry to ``SDKS``, and the package to the group `sdks` in
pyproject.toml.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import re
import sys
import warnings
from importlib import metadata
from time import process_time_ns
from typing import TYPE_CHECKING, Any, NamedTuple

import ssejet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

EVENTS = 2000
READ = 64 * 1024
HELLO = [{"role": "user", "content": "Hi"}]
CHAT: dict[str, Any] = {"model": "m", "messages": HELLO}
URL = "http://memory.invalid/v1"
WORDS = ("The", " quick", " brown", " fox", " jumps", " over", " the", " lazy", " dog", ".")


# The streams


def chat(text: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion.chunk",
        "created": 1741569952,
        "model": "m",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": [{"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}],
    }


def message(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def gemini(text: str) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 4,
            "candidatesTokenCount": 12,
            "totalTokenCount": 16,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 4}],
        },
        "modelVersion": "m",
        "responseId": "p1ZqaLrXFMOvqtsP1vC4iA8",
    }


def cohere(text: str) -> dict[str, Any]:
    return {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}}


# The SDKs


class SDK(NamedTuple):
    """How to read a stream with an SDK.

    Attributes:
        module: the package.
        client: makes a client, given the package and an HTTP client.
        start: starts a stream.
        event: makes the JSON of an event from a text.
        http: the HTTP library.
        done: the sentinel.
        is_async: whether the client is, and what starts a stream is an asynchronous generator.
        distribution: the name of the distribution, if the entry has another one.
    """

    module: str
    client: Callable[[Any, Any], Any]
    start: Callable[[Any], Any] = lambda client: client.chat.completions.create(**CHAT, stream=True)
    event: Callable[[str], dict[str, Any]] = chat
    http: str = "httpx"
    done: str = "[DONE]"
    is_async: bool = False
    distribution: str = ""


def stainless(name: str, **options: Any) -> Callable[[Any, Any], Any]:
    """Make the client of an SDK that Stainless generated."""
    return lambda sdk, http: getattr(sdk, name)(api_key="key", base_url=URL, http_client=http, **options)


def google(sdk: Any, http: Any) -> Any:
    return sdk.Client(api_key="key", http_options={"httpx_client": http, "base_url": URL})


def hugging_face(sdk: Any, http: Any) -> Any:
    sdk.set_client_factory(lambda: http)
    return sdk.InferenceClient(base_url=URL, api_key="key")


# The libraries above the SDKs

LITELLM: dict[str, Any] = {"model": "openai/m", "messages": HELLO, "api_base": URL, "api_key": "key"}


def litellm(sdk: Any, http: Any) -> Any:
    sdk.client_session = sdk.aclient_session = http
    return sdk


async def read_litellm(sdk: Any) -> AsyncIterator[Any]:
    async for chunk in await sdk.acompletion(**LITELLM, stream=True):
        yield chunk


def pydantic_ai(sdk: Any, http: Any) -> Any:
    openai = importlib.import_module("openai")
    models = importlib.import_module("pydantic_ai.models.openai")
    providers = importlib.import_module("pydantic_ai.providers.openai")
    client = openai.AsyncOpenAI(api_key="key", base_url=URL, http_client=http)
    return sdk.Agent(models.OpenAIChatModel("m", provider=providers.OpenAIProvider(openai_client=client)))


async def read_pydantic_ai(agent: Any) -> AsyncIterator[Any]:
    async with agent.run_stream("Hi") as run:
        async for text in run.stream_text(delta=True, debounce_by=None):
            yield text


def langchain(sdk: Any, http: Any) -> Any:
    return sdk.ChatOpenAI(model="m", base_url=URL, api_key="key", http_client=http)


# By the name of the distribution.
SDKS = {
    "openai": SDK("openai", stainless("OpenAI"), http="httpx2"),
    "anthropic": SDK(
        "anthropic",
        stainless("Anthropic"),
        lambda client: client.messages.create(**CHAT, max_tokens=1, stream=True),
        message,
        http="httpx2",
        done="",
    ),
    "groq": SDK("groq", stainless("Groq")),
    "together": SDK("together", stainless("Together")),
    "cerebras-cloud-sdk": SDK("cerebras.cloud.sdk", stainless("Cerebras", warm_tcp_connection=False)),
    "writer-sdk": SDK("writerai", stainless("Writer"), lambda client: client.chat.chat(**CHAT, stream=True)),
    "fireworks-ai": SDK("fireworks", stainless("Fireworks")),
    "perplexityai": SDK("perplexity", stainless("Perplexity")),
    "google-genai": SDK(
        "google.genai",
        google,
        lambda client: client.models.generate_content_stream(model="m", contents="Hi"),
        gemini,
        done="",
    ),
    "mistralai": SDK(
        "mistralai.client",
        lambda sdk, http: sdk.Mistral(api_key="key", server_url=URL, client=http),
        lambda client: client.chat.stream(**CHAT),
    ),
    "cohere": SDK(
        "cohere",
        lambda sdk, http: sdk.ClientV2("key", base_url=URL, httpx_client=http),
        lambda client: client.chat_stream(**CHAT),
        cohere,
        done="",
    ),
    "huggingface_hub": SDK(
        "huggingface_hub", hugging_face, lambda client: client.chat_completion(HELLO, stream=True)
    ),
    "langchain-openai": SDK("langchain_openai", langchain, lambda model: model.stream("Hi"), http="httpx2"),
    "pydantic-ai": SDK(
        "pydantic_ai",
        pydantic_ai,
        read_pydantic_ai,
        http="httpx2",
        is_async=True,
        distribution="pydantic-ai-slim",
    ),
    "litellm": SDK("litellm", litellm, lambda sdk: sdk.completion(**LITELLM, stream=True)),
    "litellm, async": SDK("litellm", litellm, read_litellm, is_async=True, distribution="litellm"),
}

# Libraries whose streams are those of another SDK.
THROUGH = {"langchain_openai": "openai"}


def body_of(sdk: SDK) -> bytes:
    """Make the body of a stream."""
    events = [sdk.event(WORDS[number % len(WORDS)]) for number in range(EVENTS)]
    if sdk.event is chat:  # the last one says that it is
        events[-1]["choices"][0] |= {"delta": {}, "finish_reason": "stop"}
    lines = []
    for event in events:
        name = f"event: {event['type']}\n" if "type" in event else ""
        lines.append(f"{name}data: {json.dumps(event)}\n\n")
    if sdk.done:
        lines.append(f"data: {sdk.done}\n\n")
    return "".join(lines).encode()


def client_of(sdk: SDK, body: bytes) -> Any:
    """Make a client that reads this body from memory."""
    library = importlib.import_module(sdk.http)

    pieces = [body[start : start + READ] for start in range(0, len(body), READ)]

    class Stream(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            return iter(pieces)

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

    def answer(_: object) -> Any:
        return library.Response(200, headers={"content-type": "text/event-stream"}, stream=Stream())

    cls = library.AsyncClient if sdk.is_async else library.Client
    http = cls(transport=library.MockTransport(answer))
    return sdk.client(importlib.import_module(sdk.module), http)


_CHANCE = re.compile(r"created=\d{10}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|0x[0-9a-f]+")


class Reader:
    """Reads streams with a client."""

    def __init__(self, sdk: SDK) -> None:
        self._sdk = sdk
        self._client = client_of(sdk, body_of(sdk))
        self._loop = asyncio.new_event_loop()

    def items(self) -> list[str]:
        """Return the items of a stream, written out, without names that are made by chance."""
        return [_CHANCE.sub("", repr(item)) for item in self._read(list)]

    def measure(self, passes: int) -> float:
        """Return the processor time of one event, in ns."""
        gc.collect()
        started = process_time_ns()
        for _ in range(passes):
            self._read(_count)
        return (process_time_ns() - started) / passes / EVENTS

    def _read(self, collect: Callable[[Any], Any]) -> Any:
        stream = self._sdk.start(self._client)
        if not self._sdk.is_async:
            return collect(stream)
        return self._loop.run_until_complete(_drain(stream, collect))


def _count(items: Any) -> int:
    return sum(1 for _ in items)


async def _drain(stream: AsyncIterator[Any], collect: Callable[[Any], Any]) -> Any:
    if collect is list:
        return [item async for item in stream]
    async for _ in stream:
        pass
    return None


def main() -> None:
    """Answer each line of the input with a line: the times of one round, stock and with ssejet."""
    name, slice_ns = sys.argv[1], float(sys.argv[2])
    warnings.simplefilter("ignore")
    # LiteLLM would fetch a list of prices.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    sdk = SDKS[name]
    reader = Reader(sdk)
    expected = reader.items()
    with ssejet.install() as report:
        module = THROUGH.get(sdk.module, sdk.module)
        reason = "ssejet does not know it"
        for package in (*report.patched, *report.left_alone):
            if f"{module}.".startswith(f"{package}."):
                reason = report.left_alone.get(package, "")
        if not reason and reader.items() != expected:
            reason = "it gives other items"
    if not EVENTS - 1 <= len(expected) <= EVENTS + 1:
        reason = f"{len(expected)} items of {EVENTS} events"
    size = {"events": EVENTS, "bytes": len(body_of(sdk)), "read_size": READ}
    version = metadata.version(sdk.distribution or name)
    print(json.dumps({"version": version, "reason": reason, **size}), flush=True)
    passes = max(1, round(slice_ns / (reader.measure(1) * EVENTS)))
    for _ in sys.stdin:
        figures = [reader.measure(passes)]
        if not reason:
            with ssejet.install():
                more = max(1, round(slice_ns / (reader.measure(1) * EVENTS)))
                figures.append(reader.measure(more))
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
