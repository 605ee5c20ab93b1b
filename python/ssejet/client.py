"""A thin client of OpenAI-compatible servers: thin drivers around ``Call``."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from ssejet.calls import CHAT, COMPLETIONS, RESPONSES, Call, Settings
from ssejet.chat import (
    AsyncChatCompletionStream,
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionStream,
)
from ssejet.errors import SSEError
from ssejet.reader import AsyncReader, Reader
from ssejet.stream import AsyncStream, Stream
from ssejet.transport import HandshakeGuard, translated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sized
    from types import TracebackType

    from typing_extensions import Self

    from ssejet.calls import Endpoint
    from ssejet.chat import Completion

__all__ = ["AsyncClient", "Client"]

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
ResponseFormatT = TypeVar("ResponseFormatT")


class _BaseClient:
    """What both drivers share: everything but sending, reading and waiting.

    Args:
        api_key: sent as a bearer token; by default ``OPENAI_API_KEY`` of the environment. ``""`` sends none.
        base_url: up to the version, such as ``http://127.0.0.1:8000/v1``; by default ``OPENAI_BASE_URL`` of
            the environment, else OpenAI's.
        http_client: a client of httpx or httpx2; None for one of this client's own, which it closes.
        default_headers: sent with every request.
        default_query: query parameters of every request.
        connect_timeout: seconds that making a connection may take; None for no limit.
        idle_timeout: seconds that a wait for bytes may last; None for no limit.
        data_timeout: seconds that a stream may spend waiting between two events; None for no limit.
        timeout: seconds that a call may take, from the request to the end of the answer; None for no limit.
        max_retries: how many times a request is sent again; see ``Client``.
        require_done: whether a stream that ends without a sentinel or a finish reason raises
            ``TruncatedStreamError``.
        tokenizer: counts the tokens of a text, or gives them; for the metrics of servers that send no usage.

    Raises:
        ValueError: there is no API key for OpenAI's server, or an option has a value that makes no sense.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        http_client: Any = None,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, Any] | None = None,
        connect_timeout: float | None = 10.0,
        idle_timeout: float | None = None,
        data_timeout: float | None = None,
        timeout: float | None = 600.0,
        max_retries: int = 2,
        require_done: bool = True,
        tokenizer: Callable[[str], int | Sized] | None = None,
    ) -> None:
        self._settings = Settings.from_environment(
            api_key,
            base_url,
            headers=dict(default_headers or {}),
            query=dict(default_query or {}),
            connect_timeout=connect_timeout,
            idle_timeout=idle_timeout,
            data_timeout=data_timeout,
            timeout=timeout,
            max_retries=max_retries,
            require_done=require_done,
            tokenizer=tokenizer,
        )
        self._own_http = http_client is None
        self._http: Any = self._make_http() if http_client is None else http_client

    def _make_http(self) -> Any:
        """An HTTP client, which runs as many streams at once as there are."""
        raise NotImplementedError

    @property
    def base_url(self) -> str:
        """Where the server is, without a slash at the end."""
        return self._settings.base_url

    def __repr__(self) -> str:
        scheme, _, rest = self.base_url.rpartition("://")
        return f"<ssejet.{type(self).__name__} of {scheme}://{rest.rpartition('@')[2].partition('?')[0]}>"


class _Resource(Generic[ItemT, ResultT]):
    def __init__(self, client: Client, endpoint: Endpoint) -> None:
        self._client = client
        self._endpoint = endpoint

    @overload
    def create(self, *, stream: Literal[True], **params: Any) -> Stream[ItemT]: ...
    @overload
    def create(self, *, stream: Literal[False] = False, **params: Any) -> ResultT: ...
    def create(self, *, stream: bool = False, **params: Any) -> Stream[ItemT] | ResultT:
        """Send a request.

        Args:
            stream: whether to answer piece by piece.
            params: of the request, as OpenAI names them; None leaves one out. Messages may be objects of
                ssejet's or openai-python's. Besides: ``extra_headers``, ``extra_query`` and ``extra_body``,
                which are added to what is sent, and ``timeout``, ``idle_timeout``, ``data_timeout``,
                ``max_retries`` and ``tokenizer``, which replace the client's.

        Returns:
            A stream, its first event having arrived, or the whole answer.

        Raises:
            APIStatusError: the server answered with an error status.
            APIError: it reported an error in another way.
            APITimeoutError: it took too long.
            APIConnectionError: the connection could not be made, or broke.
            InvalidJSONError: the answer is not JSON, or not of the expected kind.
            TypeError: a parameter cannot be sent.
        """
        call = Call(self._client._settings, self._endpoint, {**params, "stream": stream})
        result: Stream[ItemT] | ResultT = self._client._perform(call)
        return result


class _ChatResource(_Resource[ChatCompletionChunk, ChatCompletion]):
    @contextmanager
    def stream(
        self, *, response_format: type[ResponseFormatT] | Mapping[str, Any] | None = None, **params: Any
    ) -> Iterator[ChatCompletionStream[ResponseFormatT]]:
        """Send a request and give the events of the answer, as openai-python's method of this name does.

        Args:
            response_format: the type of the answer, or OpenAI's dict form of it; see
                ``ChatCompletionStream``.
            params: see ``create()``. ``tools`` may be types; see ``ssejet.chat.function_tool``.
        """
        source = self.create(stream=True, response_format=response_format, **params)
        with ChatCompletionStream(
            source, response_format=response_format, input_tools=params.get("tools")
        ) as stream:
            yield stream


class _Chat:
    def __init__(self, client: Client) -> None:
        self.completions = _ChatResource(client, CHAT)


class Client(_BaseClient):
    """A client of OpenAI, or of any server that speaks its language: vLLM, Ollama, DeepSeek, Qwen, GLM.

    ::

        with Client(base_url="http://127.0.0.1:8000/v1") as client:
            with client.chat.completions.stream(model="…", messages=[…]) as stream:
                for text in stream.text_deltas():
                    print(text, end="")

    Requests are sent again, after longer and longer waits or as the server asks, when the connection fails,
    for the statuses 408, 409, 429 and 5xx, and when the server reports an error that it says is passing: as
    long as no event of the answer has arrived, and never after that.

    The API key is in no error, log or repr of ssejet's.

    Attributes:
        chat: has ``completions``, with ``create()`` and ``stream()``.
        completions: the older endpoint, with ``create()``.
        responses: OpenAI's Responses API, with ``create()``; events and answers are dicts.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.chat = _Chat(self)
        self.completions: _Resource[Completion, Completion] = _Resource(self, COMPLETIONS)
        self.responses: _Resource[dict[str, Any], dict[str, Any]] = _Resource(self, RESPONSES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, if they are the client's own."""
        if self._own_http:
            self._http.close()

    def _make_http(self) -> Any:
        import httpx

        return httpx.Client(limits=httpx.Limits(max_connections=None))

    def _perform(self, call: Call) -> Any:
        while True:
            try:
                return self._attempt(call)
            except SSEError as error:  # noqa: PERF203
                time.sleep(call.retry_delay(error))

    def _attempt(self, call: Call) -> Any:
        request = call.build_request(self._http)
        with translated(lambda error: call.translate(error, request)):
            response = self._http.send(request, stream=True, follow_redirects=True)
        if call.streams:
            stream = call.open_stream(Stream, response)
            stream._await_first()
            return stream
        reader = Reader(response, call.deadlines)
        try:
            body = b"".join(iter(reader.read, None))
        finally:
            reader.close()
        return call.result(response, body)


class _AsyncResource(Generic[ItemT, ResultT]):
    def __init__(self, client: AsyncClient, endpoint: Endpoint) -> None:
        self._client = client
        self._endpoint = endpoint

    @overload
    async def create(self, *, stream: Literal[True], **params: Any) -> AsyncStream[ItemT]: ...
    @overload
    async def create(self, *, stream: Literal[False] = False, **params: Any) -> ResultT: ...
    async def create(self, *, stream: bool = False, **params: Any) -> AsyncStream[ItemT] | ResultT:
        """Send a request; see ``Client``'s method of this name."""
        call = Call(self._client._settings, self._endpoint, {**params, "stream": stream})
        result: AsyncStream[ItemT] | ResultT = await self._client._perform(call)
        return result


class _AsyncChatResource(_AsyncResource[ChatCompletionChunk, ChatCompletion]):
    @asynccontextmanager
    async def stream(
        self, *, response_format: type[ResponseFormatT] | Mapping[str, Any] | None = None, **params: Any
    ) -> AsyncIterator[AsyncChatCompletionStream[ResponseFormatT]]:
        """Send a request and give the events of the answer; see ``Client``'s method of this name."""
        source = await self.create(stream=True, response_format=response_format, **params)
        async with AsyncChatCompletionStream(
            source, response_format=response_format, input_tools=params.get("tools")
        ) as stream:
            yield stream


class _AsyncChat:
    def __init__(self, client: AsyncClient) -> None:
        self.completions = _AsyncChatResource(client, CHAT)


class AsyncClient(_BaseClient):
    """The asynchronous client, on asyncio and trio.

    ::

        async with AsyncClient(base_url="http://127.0.0.1:8000/v1") as client:
            async with client.chat.completions.stream(model="…", messages=[…]) as stream:
                async for text in stream.text_deltas():
                    print(text, end="")

    All that is said of ``Client`` holds here.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.chat = _AsyncChat(self)
        self.completions: _AsyncResource[Completion, Completion] = _AsyncResource(self, COMPLETIONS)
        self.responses: _AsyncResource[dict[str, Any], dict[str, Any]] = _AsyncResource(self, RESPONSES)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, if they are the client's own."""
        if self._own_http:
            await self._http.aclose()

    close = aclose  # the name in openai-python

    def _make_http(self) -> Any:
        import httpx

        return httpx.AsyncClient(limits=httpx.Limits(max_connections=None))

    async def _perform(self, call: Call) -> Any:
        from anyio import sleep

        while True:
            try:
                return await self._attempt(call)
            except SSEError as error:  # noqa: PERF203
                await sleep(call.retry_delay(error))

    async def _attempt(self, call: Call) -> Any:
        request = call.build_request(self._http)
        with translated(lambda error: call.translate(error, request)):
            async with HandshakeGuard(request):
                response = await self._http.send(request, stream=True, follow_redirects=True)
        if call.streams:
            stream = call.open_stream(AsyncStream, response)
            await stream._await_first()
            return stream
        reader = AsyncReader(response, call.deadlines)
        body = bytearray()
        try:
            while (chunk := await reader.read()) is not None:
                body += chunk
        finally:
            await reader.aclose()
        return call.result(response, bytes(body))
