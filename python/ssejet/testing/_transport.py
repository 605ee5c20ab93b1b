"""A transport that answers by itself."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from ssejet.emit._closing import close
from ssejet.testing._calls import Call, CallLog, answering
from ssejet.testing._http_responses import make_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import TypeAlias

    import httpx
    from typing_extensions import Self

    from ssejet._http_types import HTTPResponse
    from ssejet.emit import AsyncEventStream, EventStream

    Answer: TypeAlias = HTTPResponse | EventStream[Any] | AsyncEventStream[Any]

    class _Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
        """The classes that httpx's clients declare."""
else:
    _Transport = object  # clients need only the methods, so this imports no HTTP library

__all__ = ["MockTransport"]


class MockTransport(_Transport):
    """Answers requests in place of a server: a transport for clients of httpx and httpx2, sync and async.

    ::

        transport = MockTransport(EventStream(["one", "two"], cut=3, fail_after=1))
        client = httpx.Client(transport=transport)

    Where a stream breaks, the client gets its library's ``ReadError``, as on a real connection.

    Args:
        answer: a response of either library, an ``EventStream`` or ``AsyncEventStream``, or a function that
            gets the request and returns one of these; it may be async if the client is. An ``EventStream``
            also serves async clients, but blocks their event loop when it waits.
    """

    def __init__(self, answer: Answer | Callable[[Any], Answer | Awaitable[Answer]] | None) -> None:
        self._answer = answer
        self._log = CallLog()

    @property
    def calls(self) -> list[Call]:
        """The requests so far, with their answers. Inside a response function: the earlier ones."""
        return self._log.calls

    def handle_request(self, request: Any) -> Any:
        """Answer a request of a sync client.

        Raises:
            TypeError: the function that answers is async.
        """
        request.read()
        call = self._begin(request)
        with answering(call):
            answer = self.answer(call)
        if inspect.isawaitable(answer):
            close(answer)
            raise TypeError("the mock's function is async, but the client is not: make it a plain function")
        return self._end(call, answer)

    async def handle_async_request(self, request: Any) -> Any:
        """Answer a request of an async client."""
        await request.aread()
        call = self._begin(request)
        with answering(call):
            answer = self.answer(call)
            if inspect.isawaitable(answer):
                answer = await answer
        return self._end(call, answer)

    def answer(self, call: Call) -> Any:
        """The answer to a call, or an awaitable of it."""
        return self._answer(call.request) if callable(self._answer) else self._answer

    def complete(self, answer: Any, call: Call) -> Any:
        """Make a response or an event stream of the answer to a call."""
        return answer

    def _begin(self, request: Any) -> Call:
        call = Call(request)
        self._log.add(call)
        return call

    def _end(self, call: Call, answer: Any) -> Any:
        call.response = make_response(self.complete(answer, call), call.request)
        return call.response

    def close(self) -> None:
        """Do nothing: there is no connection."""

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()
