"""The clients: thin drivers of ``Call``."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ssejet._http.async_reader import AsyncReader
from ssejet._http.clients import check_http_client, make_http_client
from ssejet._http.failures import translated
from ssejet._http.reader import Reader
from ssejet._http.sockets import AsyncHandshakeGuard, HandshakeGuard
from ssejet.client._call import Call
from ssejet.client._messages import AsyncMessages, Messages
from ssejet.client._providers import provider_named
from ssejet.client._resources import (
    AsyncChatCompletions,
    AsyncResponses,
    Chat,
    ChatCompletions,
    Completions,
    Responses,
)
from ssejet.client._resuming import AsyncResumingStream, ResumingStream
from ssejet.client._settings import Settings, as_mapping, url_text
from ssejet.errors import SSEError
from ssejet.typed import AsyncStream, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sized
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from ssejet.chat import Completion
    from ssejet.client._endpoints import Endpoint
    from ssejet.client._params import ClientOptions
    from ssejet.client._token_streams import AsyncTokenStream, TokenStream
    from ssejet.metrics._token_metrics import TokenMetrics

__all__ = ["AsyncClient", "Client"]


class _BaseClient:
    """What both clients share: everything but sending, reading and waiting."""

    _http_class: ClassVar[Literal["AsyncClient", "Client"]]
    _call: Callable[..., Any]

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        http_client: Any = None,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, Any] | None = None,
        connect_timeout: float | None = 10.0,
        idle_timeout: float | None = 600.0,
        data_timeout: float | None = None,
        timeout: float | None = None,
        max_retries: int = 2,
        require_done: bool = True,
        tokenizer: Callable[[str], int | Sized] | None = None,
        direct: bool = True,
    ) -> None:
        """Prepare a client.

        Args:
            api_key: sent as a bearer token; by default the environment variable ``OPENAI_API_KEY``. With
                ``""``, none is sent.
            base_url: the API's URL up to the version, such as ``http://127.0.0.1:8000/v1``; by default the
                environment variable ``OPENAI_BASE_URL``, else OpenAI's URL.
            http_client: a client of httpx or httpx2; the timeouts below replace its own. None for a new one,
                which this client closes.
            default_headers: headers of every request.
            default_query: query parameters of every request.
            connect_timeout: seconds that making a connection may take; None for no limit.
            idle_timeout: seconds that a wait for bytes may last, also for the first bytes of an answer; None
                for no limit.
            data_timeout: seconds that a stream may spend waiting between two events; None for no limit.
            timeout: seconds that a call may take, from the request to the end of the answer, retries
                included; None for no limit.
            max_retries: how many times a request may be sent again.
            require_done: whether a stream that ends without a sentinel or a finish reason raises
                ``TruncatedStreamError``.
            tokenizer: returns the tokens of a text, or their number; for the metrics of streams whose servers
                send no usage.
            direct: as for ``Stream``.

        Raises:
            ImportError: ``http_client`` is None, and neither httpx nor httpx2 is installed.
            TypeError: ``http_client`` is not a client of the right kind, or an option is of the wrong type.
            ValueError: OpenAI's server needs an API key, or an option has an invalid value.
        """
        self._settings = Settings.from_environment(
            api_key=api_key,
            base_url=base_url,
            headers=default_headers,
            query=default_query,
            connect_timeout=connect_timeout,
            idle_timeout=idle_timeout,
            data_timeout=data_timeout,
            timeout=timeout,
            max_retries=max_retries,
            require_done=require_done,
            tokenizer=tokenizer,
            direct=direct,
        )
        self._own_http = http_client is None
        if http_client is None:
            # Each open stream holds a connection, so their number has no limit.
            http_client = make_http_client(self._http_class, max_connections=None)
        else:
            check_http_client(http_client, self._http_class, user=type(self).__name__)
        self._http: Any = http_client

    def _follow(self, call: Call, metrics: TokenMetrics, response_id: str, after: int | None) -> Any:
        """Request the rest of a response, whose stream was cut."""
        endpoint, params = call.rest_of(response_id, after)
        return self._call(endpoint, metrics, **params)

    @classmethod
    def for_provider(cls, name: str, **options: Unpack[ClientOptions]) -> Self:
        """Prepare a client for a provider, by its name.

        ::

            client = Client.for_provider("deepseek")

        The URL, the key's environment variable and what the provider does differently are known.

        Args:
            name: such as ``"openrouter"`` or ``"ollama"``; docs/providers.md lists them all. Case, spaces and
                punctuation do not matter.
            options: those of the class. They replace what is known; ``default_headers`` are added to it.

        Raises:
            TypeError: the name is not a string, or an option is of the wrong type.
            ValueError: there is no such provider, its key is not in the environment, or an option has a value
                that makes no sense.
        """
        provider = provider_named(name)
        # Never empty: the client would send this provider's key to OpenAI's server.
        options["base_url"] = url_text(options.get("base_url")) or provider.url()
        if options.get("api_key") is None:
            options["api_key"] = provider.key()
        headers = as_mapping(options.get("default_headers"), "default_headers")
        options["default_headers"] = {**provider.headers, **headers}
        client = cls(**options)
        client._settings = replace(client._settings, provider=provider)
        return client

    @property
    def base_url(self) -> str:
        """The API's URL, without a slash at the end."""
        return self._settings.base_url

    def __repr__(self) -> str:
        scheme, separator, rest = self.base_url.rpartition("://")
        return f"<ssejet.{type(self).__name__} of {scheme}{separator}{rest.rpartition('@')[2]}>"


class Client(_BaseClient):
    """A client for OpenAI and every OpenAI-compatible server: vLLM, Ollama, DeepSeek, Qwen, GLM.

    ::

        with Client(base_url="http://127.0.0.1:8000/v1") as client:
            with client.chat.completions.stream(model="…", messages=[…]) as stream:
                for text in stream.text_deltas():
                    print(text, end="")

    The key and the URL are arguments, or come from the environment variables ``OPENAI_API_KEY`` and
    ``OPENAI_BASE_URL``. ``for_provider()`` knows those of many providers. Parameters and methods have
    openai-python's names; those of ``messages`` have anthropic's.

    A request is sent again up to ``max_retries`` times if the connection fails, if the status is 408, 409,
    429 or 5xx, or if the server reports an error that may pass. The waits grow from a quarter of a second to
    8 seconds, unless the server asks for another wait of up to a minute. After the first event of an answer,
    nothing is sent again.

    The ``metrics`` of its streams are ``TokenMetrics``. The API key is in no error, log or repr of ssejet.
    Several threads may use a client at the same time.
    """

    _http_class = "Client"

    @cached_property
    def chat(self) -> Chat[ChatCompletions]:
        """Has ``completions``, with ``create()`` and ``stream()``."""
        return Chat(ChatCompletions(self._call))

    @cached_property
    def completions(self) -> Completions[TokenStream[Completion], Completion]:
        """The older completions endpoint, with ``create()``."""
        return Completions(self._call)

    @cached_property
    def messages(self) -> Messages:
        """Anthropic's Messages API, with ``create()``, ``stream()`` and ``parse()``."""
        return Messages(self._call)

    @cached_property
    def responses(self) -> Responses:
        """OpenAI's Responses API, with ``create()``, ``stream()``, ``retrieve()`` and ``cancel()``."""
        return Responses(self._call)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, unless ``http_client`` was given."""
        if self._own_http:
            self._http.close()

    def _call(self, endpoint: Endpoint, metrics: TokenMetrics | None = None, /, **params: Any) -> Any:
        call = Call(self._settings, endpoint, params, metrics)
        while True:
            try:
                return self._attempt(call)
            except SSEError as error:  # noqa: PERF203
                time.sleep(call.retry_delay(error))

    def _attempt(self, call: Call) -> Any:
        request = call.build_request(self._http)
        with translated(lambda error: call.translate(error, request)):
            with HandshakeGuard(request):
                response = self._http.send(request, stream=True, follow_redirects=False)
            while (redirected := call.redirected(response, self._http)) is not None:
                response.close()
                with HandshakeGuard(redirected):
                    response = self._http.send(redirected, stream=True, follow_redirects=False)
        if call.streams:
            if not call.resumes:
                return call.open_stream(Stream, response).begin()
            stream = call.open_stream(ResumingStream, response)
            return stream.resume_by(call.resumption(), partial(self._follow, call, stream.metrics)).begin()
        reader = Reader(response, call.deadlines, direct=call.direct)
        try:
            body = b"".join(iter(reader.read, None))
        finally:
            reader.close()
        return call.result(response, body)


class AsyncClient(_BaseClient):
    """The asynchronous ``Client``, on asyncio and trio.

    ::

        async with AsyncClient(base_url="http://127.0.0.1:8000/v1") as client:
            async with client.chat.completions.stream(model="…", messages=[…]) as stream:
                async for text in stream.text_deltas():
                    print(text, end="")

    It does what ``Client`` does.
    """

    _http_class = "AsyncClient"

    @cached_property
    def chat(self) -> Chat[AsyncChatCompletions]:
        """Has ``completions``, with ``create()`` and ``stream()``."""
        return Chat(AsyncChatCompletions(self._call))

    @cached_property
    def completions(
        self,
    ) -> Completions[Coroutine[Any, Any, AsyncTokenStream[Completion]], Coroutine[Any, Any, Completion]]:
        """The older completions endpoint, with ``create()``."""
        return Completions(self._call)

    @cached_property
    def messages(self) -> AsyncMessages:
        """Anthropic's Messages API, with ``create()``, ``stream()`` and ``parse()``."""
        return AsyncMessages(self._call)

    @cached_property
    def responses(self) -> AsyncResponses:
        """OpenAI's Responses API, with ``create()``, ``stream()``, ``retrieve()`` and ``cancel()``."""
        return AsyncResponses(self._call)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, unless ``http_client`` was given."""
        if self._own_http:
            await self._http.aclose()

    close = aclose  # the name in openai-python

    async def _call(self, endpoint: Endpoint, metrics: TokenMetrics | None = None, /, **params: Any) -> Any:
        from anyio import sleep

        call = Call(self._settings, endpoint, params, metrics)
        while True:
            try:
                return await self._attempt(call)
            except SSEError as error:  # noqa: PERF203
                await sleep(call.retry_delay(error))

    async def _attempt(self, call: Call) -> Any:
        request = call.build_request(self._http)
        with translated(lambda error: call.translate(error, request)):
            async with AsyncHandshakeGuard(request):
                response = await self._http.send(request, stream=True, follow_redirects=False)
            while (redirected := call.redirected(response, self._http)) is not None:
                await response.aclose()
                async with AsyncHandshakeGuard(redirected):
                    response = await self._http.send(redirected, stream=True, follow_redirects=False)
        if call.streams:
            if not call.resumes:
                return await call.open_stream(AsyncStream, response).begin()
            stream = call.open_stream(AsyncResumingStream, response)
            resumption = call.resumption()
            return await stream.resume_by(resumption, partial(self._follow, call, stream.metrics)).begin()
        reader = AsyncReader(response, call.deadlines, direct=call.direct)
        body = bytearray()
        try:
            while (chunk := await reader.read()) is not None:
                body += chunk
        finally:
            await reader.aclose()
        return call.result(response, bytes(body))
