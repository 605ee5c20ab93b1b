"""Streams of typed items over synchronous responses: a thin driver of ``StreamMachine``."""

from __future__ import annotations

from _thread import get_ident  # threading itself takes long to import
from typing import TYPE_CHECKING, TypeVar

from ssejet._http.exclusive import ConcurrentReadError
from ssejet._http.reader import Reader
from ssejet.errors import APIConnectionError
from ssejet.typed._base_stream import BaseStream
from ssejet.typed._machine import MachineState
from ssejet.typed._types import T

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from typing_extensions import Self

    from ssejet._core import ServerSentEvent

__all__ = ["Stream"]

Item = TypeVar("Item")

_READING = MachineState.READING


class Stream(BaseStream[T]):
    """The items of a synchronous response, as they arrive.

    The response is one of httpx, httpx2, requests, urllib3, niquests or the standard library, whose
    body was not read.

    ::

        with client.stream("POST", url, json=body) as response:
            for chunk in Stream(response, cast_to=Chunk):
                ...

    Iterating closes the response when the stream ends, also by an error. After a loop that was left early,
    another loop or ``next()`` goes on. Leave the ``with`` block of the stream or of the response, or call
    ``close()``, when you need no more items. A response that is garbage-collected before it was closed gives
    a ``ResourceWarning``.

    After the sentinel the body is read to its end, within bounds, if the connection can then be used again.

    Iterating raises what ``cast_to`` raises, and these errors:

    * ``APIStatusError`` before the first item, if the HTTP status is 400 or more;
    * ``APIError``, if the server reports an error inside the stream, or as JSON instead of a stream;
    * ``InvalidJSONError``, if an event's data cannot be decoded;
    * ``APITimeoutError`` or another ``APIConnectionError``, if the library fails, whose exception is the
      ``__cause__``; exceptions of a library that ssejet does not know are passed on;
    * ``EventTooLargeError``, after the items before it;
    * ``TruncatedStreamError`` at the end, with ``require_done``;
    * ``ContentTypeError`` at the end of a body that is not an event stream, such as HTML, or that has no
      event and another content type.

    The timeouts interrupt the reads of these libraries, over HTTP/1.1 and wherever a socket can be found.
    Elsewhere ``data_timeout`` and ``timeout`` are checked between chunks, and the client's read timeout
    replaces ``idle_timeout``.

    Any thread may call ``close()`` at any time: over HTTP/1 the loop of a thread that is reading ends at
    once.
    """

    _kind = "sync"
    _advice = "use it in a `with` block, or call close()"

    _reader_class = Reader

    def __iter__(self) -> Iterator[T]:
        return self._run(self._machine.items)

    def __next__(self) -> T:
        for item in self:
            return item
        raise StopIteration

    def events(self) -> Iterator[ServerSentEvent]:
        """Iterate over the rest of the stream as events, up to and including the sentinel.

        Nothing is decoded, and errors that the server reports are events like any other.
        """
        return self._run(self._machine.events)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the response and drop the items that were not taken. A second call does nothing."""
        self._machine.close()
        self._reader.close()

    # This is a generator because a `for` loop runs it faster than __next__. All state is in the stream, so
    # another generator can go on.
    def _run(self, take: Callable[[Callable[[], bool]], Iterator[Item]]) -> Iterator[Item]:
        try:
            yield from take(self._advance)
        except (GeneratorExit, ConcurrentReadError):
            raise
        except BaseException as error:
            self._machine.keep_partial(error)
            if not self._machine.can_go_on():
                self.close()
            raise

    def begin(self) -> Self:
        """Wait for the first event, so that errors before it are raised here. It is not taken.

        Returns:
            The stream itself.

        Raises:
            SSEError: what iterating raises before the first item, or what the server reports instead of it.
        """
        try:
            while not self._machine.check_first() and self._advance():
                pass
        except ConcurrentReadError:
            raise
        except BaseException:
            if not self._machine.can_go_on():
                self.close()
            raise
        return self

    def _advance(self) -> bool:
        """Read once; False at the end of the stream, which is then closed."""
        reader = self._reader
        me = (get_ident(),)
        try:
            reader.use.begin(me)
            if self._machine.state is _READING:
                try:
                    chunk = reader.fetch()
                except APIConnectionError as error:
                    self._body.raise_read_error(error)
                else:
                    if chunk is None and reader.closed:
                        return False
                    # Until its bytes are taken in, no other thread may read those that follow.
                    self._body.receive(chunk)
                return True
            if self._machine.has_events:  # another thread has received them in the meantime
                return True
            if self.saw_done:
                reader.fetch_rest()
        finally:
            if reader.use.leave(me):
                reader.finish()
        self.close()
        return False
