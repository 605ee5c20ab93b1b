"""Clients of the SDKs that Stainless generated and that are installed here, but openai and anthropic."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdks import FakeServer


@dataclass(frozen=True)
class SDK:
    """An SDK, how to start a stream of chat chunks if it has any, and the type of these."""

    package: str
    clients: tuple[str, str]
    chat: Callable[[Any], Any] | None = None
    chunk: str = ""
    extra: tuple[tuple[str, Any], ...] = ()

    @property
    def module(self) -> Any:
        return importlib.import_module(self.package)

    @property
    def base(self) -> Any:
        """The base class of its models."""
        return importlib.import_module(f"{self.package}._models").BaseModel

    @property
    def has_chat(self) -> bool:
        """Whether it has chats in this version."""
        return self.chat is not None and _is_installed(f"{self.package}.resources.chat")

    @property
    def chunk_type(self) -> Any:
        module, _, name = self.chunk.rpartition(".")
        return getattr(importlib.import_module(f"{self.package}.{module}"), name)

    def client(self, server: FakeServer, mode: str, **options: Any) -> Any:
        """Make a client that sends its requests to this server."""
        http = httpx.Client if mode == "sync" else httpx.AsyncClient
        cls = options.pop("cls", None) or getattr(self.module, self.clients[mode == "async"])
        return cls(
            **self.options(cls),
            base_url="http://server/v1",
            http_client=http(transport=httpx.MockTransport(server)),
            **options,
        )

    def options(self, cls: Any) -> dict[str, Any]:
        """Give what a client of this class cannot do without."""
        names = inspect.signature(cls.__init__).parameters
        # Old versions of some have no key.
        keys = [name for name in ("api_key", "api_token", "bearer_token") if name in names]
        return {**dict.fromkeys(keys[:1], "key"), **dict(each for each in self.extra if each[0] in names)}

    def read(self, client: Any, cast_to: Any, **options: Any) -> Any:
        """Start a stream of items of any type."""
        sync = isinstance(client, getattr(self.module, self.clients[0]))
        stream_cls = self.module.Stream if sync else self.module.AsyncStream
        return client.post("/x", cast_to=cast_to, stream=True, stream_cls=stream_cls[cast_to], **options)


def create(client: Any, **options: Any) -> Any:
    return client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Hi"}], stream=True, **options
    )


def chat(client: Any, **options: Any) -> Any:
    return client.chat.chat(model="m", messages=[{"role": "user", "content": "Hi"}], stream=True, **options)


CHUNK = "types.chat.chat_completion_chunk.ChatCompletionChunk"
ALL = (
    SDK("groq", ("Groq", "AsyncGroq"), create, CHUNK),
    SDK("together", ("Together", "AsyncTogether"), create, CHUNK),
    SDK(
        "cerebras.cloud.sdk",
        ("Cerebras", "AsyncCerebras"),
        create,
        "types.chat.chat_completion.ChatCompletion",
        extra=(("warm_tcp_connection", False),),
    ),
    SDK("writerai", ("Writer", "AsyncWriter"), chat, "types.chat_completion_chunk.ChatCompletionChunk"),
    SDK("fireworks", ("Fireworks", "AsyncFireworks"), create, CHUNK),
    SDK("perplexity", ("Perplexity", "AsyncPerplexity"), create, "types.stream_chunk.StreamChunk"),
    SDK("cloudflare", ("Cloudflare", "AsyncCloudflare")),
    SDK("runwayml", ("RunwayML", "AsyncRunwayML")),
    SDK("openlayer", ("Openlayer", "AsyncOpenlayer")),
    SDK("llama_stack_client", ("LlamaStackClient", "AsyncLlamaStackClient")),
)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


INSTALLED = {sdk.package: sdk for sdk in ALL if _is_installed(f"{sdk.package}._streaming")}
WITH_CHAT = {name: sdk for name, sdk in INSTALLED.items() if sdk.has_chat}
