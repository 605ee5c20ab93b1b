"""The events of one response."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager, suppress
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from ssejet._core import Decoder
from ssejet._http.adapters import adapted_response
from ssejet._http.body import AsyncChunks, ResumableChunks
from ssejet._http.deadlines import Deadlines
from ssejet._http.direct import ResponseBytes, direct_async_chunks
from ssejet._http.exclusive import ConcurrentReadError
from ssejet._http.headers import UNSTORED_EVENT_STREAM_HEADERS, with_default_headers
from ssejet._http.reader import network_reads
from ssejet._http.response import has_event_stream_type
from ssejet.typed._refusal import EXCERPT_SIZE, Beginning, content_type_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from typing_extensions import Self

    from ssejet._core import ServerSentEvent
    from ssejet._http.adapters import Kind
    from ssejet._http_types import (
        AiohttpClient,
        AsyncStreamingClient,
        HTTPResponse,
        PoolClient,
        SessionClient,
        StreamingClient,
    )

__all__ = ["EventSource", "aconnect_sse", "connect_sse"]

# How many seconds an error waits for the start of the body. The body can be a stream that is silent.
_EXCERPT_TIME = 1.0


class EventSource:
    """The events of a response of httpx, httpx2, requests, urllib3, niquests, ``http.client`` or aiohttp.

    Iterate with ``for`` or ``async for``, as with the ``EventSource`` of httpx2, or with ``iter_sse()`` and
    ``aiter_sse()``, as with that of httpx-sse. The caller closes the response. Errors of its client are
    raised unchanged.

    The events are those of the standard (WHATWG HTML, "Server-sent events"). The text is always UTF-8; a
    charset parameter does not count. An unfinished event at the end is dropped, unless the decoder has
    ``flush_incomplete=True``.
    After an event, text that is not an event is dropped too, as in browsers. ``Stream`` raises an error that
    the last lines report.

    Iterating raises:

    * ``ContentTypeError`` before the first event, if the content type is not ``text/event-stream``. For the
      error, up to 1 KiB of the body is read within a second. If you need the whole body, read the response
      before you iterate.
    * ``EventTooLargeError``, after the events before the one that is too large;
    * ``APIError`` or ``ContentTypeError``, if the content type is right, but the body holds JSON, HTML or
      other text and no event: when the body ends, or after 64 KiB. It is an ``APIError`` if the body is an
      error in JSON;
    * ``APIConnectionError``, if an earlier read was cancelled and cannot go on. Over HTTP/1.1 it can.

    Args:
        response: the response, not read yet, or read as a whole.
        decoder: a ``Decoder`` of your own, for another ``max_event_size`` or to see comments.
        direct: as for ``Stream``.

    Attributes:
        response: the response.
        decoder: the decoder. It has the last event ID and the reconnection time.
    """

    def __init__(self, response: Any, *, decoder: Decoder | None = None, direct: bool = True) -> None:
        self.response: HTTPResponse = response
        self._is_direct = direct
        adapter, self._kind = adapted_response(response)
        self._readable: Any = adapter
        self.decoder: Decoder = Decoder() if decoder is None else decoder
        # In some dialects of decoders, events can have no data.
        self._has_own_decoder = decoder is not None

    def iter_sse(self) -> Iterator[ServerSentEvent]:
        """Iterate over the events as they arrive."""
        response = self._readable_as("sync")
        if has_event_stream_type(response):
            return self.decoder.iter_bytes(
                _checked(
                    response,
                    ResponseBytes(response, direct=self._is_direct),
                    any_field=self._has_own_decoder,
                )
            )
        return self._refuse()

    def aiter_sse(self) -> AsyncIterator[ServerSentEvent]:
        """Iterate over the events as they arrive, asynchronously."""
        response = self._readable_as("async")
        if has_event_stream_type(response):
            return _AsyncEvents(response, self.decoder, direct=self._is_direct)
        return self._arefuse()

    __iter__ = iter_sse
    __aiter__ = aiter_sse

    def _refuse(self) -> Iterator[ServerSentEvent]:
        body = bytearray()
        response = self._readable
        reads = network_reads(response, Deadlines(total=_EXCERPT_TIME))
        with suppress(Exception):  # The content type is the error to raise.
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) >= EXCERPT_SIZE:
                    break
        if reads is not None:
            reads.release()
        raise content_type_error(response, bytes(body))
        yield

    async def _arefuse(self) -> AsyncIterator[ServerSentEvent]:
        from anyio import move_on_after

        body = bytearray()
        chunks = AsyncChunks(self._readable)
        with suppress(Exception), move_on_after(_EXCERPT_TIME):
            async for chunk in chunks.iterator:
                body += chunk
                if len(body) >= EXCERPT_SIZE:
                    break
        await chunks.aclose()
        raise content_type_error(self._readable, bytes(body))
        yield

    def _readable_as(self, kind: Kind) -> Any:
        """The response, or its adapter.

        Raises:
            TypeError: it cannot be read this way.
        """
        if self._kind in {None, kind}:
            return self._readable
        loops = {"sync": "for", "async": "async for"}
        raise TypeError(
            f"iterate over this response with `{loops[self._kind or kind]}`: a "
            f"{type(self.response).__name__} of {type(self.response).__module__.partition('.')[0]} "
            f"cannot be read with `{loops[kind]}`"
        )


def _checked(response: Any, body: Iterable[bytes], *, any_field: bool) -> Iterator[bytes]:
    """Iterate over the chunks of a body; raise an error if they are not an event stream."""
    beginning = Beginning(response, any_field=any_field)
    chunks = iter(body)
    try:
        for chunk in chunks:
            beginning.add(chunk)
            yield chunk
            if beginning.has_event:
                yield from chunks
                return
        beginning.end()
    finally:
        if hasattr(chunks, "close"):
            chunks.close()


class _State(Enum):
    """The states of ``_AsyncEvents``; see its table."""

    OPEN = auto()
    READING = auto()
    PAUSED = auto()
    ENDING = auto()
    CLOSING = auto()
    ENDED = auto()


class _AsyncEvents:
    """Iterates over the events. It is not an async generator, because a cancelled read would end one.

    ======= ============================= ============================================ =========
    state   when all events are taken     then                                         aclose()
    ======= ============================= ============================================ =========
    OPEN    it reads: READING                                                          ENDED
    READING another task reads: an error  OPEN or PAUSED; at the end, ENDED or ENDING  CLOSING
    PAUSED  it resumes the decoder        OPEN or PAUSED                               ENDED
    ENDING  it resumes the decoder        ENDED or ENDING                              ENDED
    CLOSING another task reads: an error  ENDED                                        CLOSING
    ENDED   the iteration ends                                                         ENDED
    ======= ============================= ============================================ =========
    """

    def __init__(self, response: Any, decoder: Decoder, *, direct: bool) -> None:
        self._is_direct = direct
        self._beginning: Beginning | None = Beginning(response)
        self._response = response
        self._decoder = decoder
        self._chunks: Any = None
        self._queue: Iterator[ServerSentEvent] = iter(())
        self._state = _State.OPEN

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ServerSentEvent:
        try:
            while True:
                for event in self._queue:
                    return event
                if self._state is _State.ENDED:
                    raise StopAsyncIteration
                if self._state in {_State.PAUSED, _State.ENDING}:
                    is_open = self._state is _State.PAUSED
                    self._give_out(*self._decoder._resume(), is_open=is_open)
                else:
                    self._accept(await self._read())
        except (ConcurrentReadError, StopAsyncIteration):
            raise
        except Exception:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Stop reading. The caller closes the response."""
        self._queue = iter(())
        if self._state in {_State.READING, _State.CLOSING}:
            self._state = _State.CLOSING
            return
        self._state = _State.ENDED
        if self._chunks is not None:
            await self._chunks.aclose()

    def _accept(self, chunk: bytes | None) -> None:
        """Take in a chunk; None is the end of the body."""
        if self._state is _State.ENDED:  # aclose() was called during the read
            return
        events, is_paused = self._decoder._feed(chunk)
        self._give_out(events, is_paused, is_open=chunk is not None)
        if events:
            self._beginning = None
        elif self._beginning is not None:
            if chunk is None:
                self._beginning.end()
            else:
                self._beginning.add(chunk)

    def _give_out(self, events: list[ServerSentEvent], is_paused: bool, *, is_open: bool) -> None:
        self._queue = iter(events)
        if is_open:
            self._state = _State.PAUSED if is_paused else _State.OPEN
        else:
            self._state = _State.ENDING if is_paused else _State.ENDED

    async def _read(self) -> bytes | None:
        if self._state is not _State.OPEN:
            raise ConcurrentReadError
        if self._chunks is None:
            direct = direct_async_chunks(self._response) if self._is_direct else None
            self._chunks = direct or ResumableChunks(self._response)
        if self._chunks.lost:
            raise self._chunks.error()
        self._state = _State.READING
        try:
            return await self._chunks.fetch()  # type: ignore[no-any-return]
        except StopAsyncIteration:
            return None
        except Exception:
            raise
        except BaseException:
            self._chunks.on_cancelled()
            raise
        finally:
            if self._state is _State.CLOSING:
                self._state = _State.ENDED
                await self._chunks.aclose()
            else:
                self._state = _State.OPEN


@contextmanager
def connect_sse(
    client: StreamingClient | SessionClient | PoolClient,
    method: str,
    url: Any,
    *,
    decoder: Decoder | None = None,
    direct: bool = True,
    **kwargs: Any,
) -> Iterator[EventSource]:
    """Send a request and open the events of its response; the ``with`` block closes the response.

    ``Accept: text/event-stream`` and ``Cache-Control: no-store`` are sent unless ``headers`` has them.

    Args:
        client: a ``Client`` of httpx or httpx2, a ``Session`` of requests or niquests, or a ``PoolManager``
            of urllib3.
        method: the HTTP method.
        url: the URL.
        decoder: see ``EventSource``.
        direct: as for ``Stream``.
        kwargs: other arguments of ``client.stream()``, or of ``client.request()`` if it has no ``stream()``.

    Raises:
        TypeError: the client has no ``stream()``, or is asynchronous.
    """
    from ssejet._http.clients import usable_client

    usable: Any = usable_client(client, "Client", user="connect_sse()", methods=("stream",))
    kwargs["headers"] = with_default_headers(kwargs.get("headers"), UNSTORED_EVENT_STREAM_HEADERS)
    with usable.stream(method, url, **kwargs) as response:
        yield EventSource(response, decoder=decoder, direct=direct)


@asynccontextmanager
async def aconnect_sse(
    client: AsyncStreamingClient | SessionClient | AiohttpClient,
    method: str,
    url: Any,
    *,
    decoder: Decoder | None = None,
    direct: bool = True,
    **kwargs: Any,
) -> AsyncIterator[EventSource]:
    """Do what ``connect_sse`` does, asynchronously.

    The client is an ``AsyncClient`` of httpx or httpx2, an ``aiohttp.ClientSession`` or a
    ``niquests.AsyncSession``.
    """
    from ssejet._http.clients import usable_client

    usable: Any = usable_client(client, "AsyncClient", user="aconnect_sse()", methods=("stream",))
    kwargs["headers"] = with_default_headers(kwargs.get("headers"), UNSTORED_EVENT_STREAM_HEADERS)
    async with usable.stream(method, url, **kwargs) as response:
        yield EventSource(response, decoder=decoder, direct=direct)
