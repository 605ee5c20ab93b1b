"""Reads the body of a response: within deadlines, and so that another thread or task can close it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from ssejet._http.adapters.base import SyncResponseAdapter
from ssejet._http.body import iter_chunks
from ssejet._http.exclusive import ConcurrentReadError, ExclusiveUse
from ssejet._http.failures import translate
from ssejet._http.response import is_httpx_response, is_reusable
from ssejet._http.sockets import NetworkReads
from ssejet.errors import request_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ssejet._http.adapters.socket_reads import SocketReads
    from ssejet._http.deadlines import Deadlines
    from ssejet._http.direct._sync import DirectChunks
    from ssejet._http.response import AsyncByteResponse, ByteResponse

__all__ = ["DRAIN_SIZE", "DRAIN_TIME", "BaseReader", "Reader", "network_reads"]

# How many bytes and seconds a reader spends on the rest of a body so that the connection can be used again.
DRAIN_SIZE = 64 * 1024
DRAIN_TIME = 0.1


class BaseReader:
    """What both readers share: they differ in how they read.

    Args:
        response: the response, which is closed with the reader.
        deadlines: how long reading may take.
        direct: whether the body may be read from its socket, past the HTTP library.

    Attributes:
        response: the response.
    """

    __slots__ = ("_chunks", "_deadlines", "_is_direct", "response")

    close_name: ClassVar[str]
    """The name of the method that closes the response, and of the one that closes the reader."""

    def __init__(
        self, response: ByteResponse | AsyncByteResponse, deadlines: Deadlines, *, direct: bool = True
    ) -> None:
        self.response: Any = response
        self._deadlines = deadlines
        self._chunks: Any = None
        self._is_direct = direct and is_httpx_response(response)

    def _raise_translated(self, error: Exception) -> NoReturn:
        """Raise an error of the HTTP client as one of ssejet."""
        failure = translate(error, self.response, self._deadlines)
        try:
            if failure is error:
                raise error
            raise failure from error
        finally:
            del error, failure  # their tracebacks hold this frame

    def close_soon(self) -> None:
        """Close the response as soon as possible, from where nothing can be awaited."""
        raise NotImplementedError

    def on_collected(self) -> None:
        """Do what can be done when the response is garbage-collected."""

    def is_collected(self) -> bool:
        """Whether the iterator over the body is being garbage-collected."""
        return bool(getattr(self._chunks, "gi_running", False))

    def release_connection(self) -> None:
        """Stop watching the network stream, which would keep the response alive."""


class Reader(BaseReader):
    """Reads a synchronous response, for one thread at a time; any thread may close it.

    Attributes:
        use: by one thread. What threads share begins it, calls ``fetch()``, and takes the bytes in before it
            leaves, so that no other thread reads the bytes that follow before that.
    """

    __slots__ = ("_network_reads", "_next", "use")

    close_name = "close"
    suspended = False

    def __init__(self, response: ByteResponse, deadlines: Deadlines, *, direct: bool = True) -> None:
        super().__init__(response, deadlines, direct=direct)
        self.use = ExclusiveUse()
        # None until the first read, and after the deadlines have changed.
        self._next: Callable[[], bytes] | None = None
        # From the start, so that a thread that closes this reader finds them.
        self._network_reads: NetworkReads | SocketReads | DirectChunks | None = None
        if self._is_direct:
            from ssejet._http.direct._sync import DirectChunks

            self._network_reads = DirectChunks.of(response, deadlines)
        self._is_direct = self._network_reads is not None
        if not self._is_direct:
            self._network_reads = network_reads(response, deadlines)

    @property
    def closed(self) -> bool:
        """Whether the reader was closed, which happens at the end of the body too."""
        return self.use.ended

    def read(self) -> bytes | None:
        """The next bytes of the body, as they arrive; None at its end, and once the reader is closed.

        Raises:
            APIConnectionError: the connection broke, or a deadline passed.
            ConcurrentReadError: another thread is reading.
        """
        return self.use.run(self.fetch, self._release)

    def fetch(self) -> bytes | None:
        """Do what ``read()`` does, for a thread that has begun to use this reader."""
        try:
            return None if self.use.ended else (self._next or self._make_next())()
        except StopIteration:
            return None
        except Exception as error:
            if self.use.ended:  # the error only shows that
                return None
            self._raise_translated(error)

    def finish(self) -> None:
        """Release the response, if no thread uses this reader."""
        self.use.finish(self._release)

    def _make_next(self) -> Callable[[], bytes]:
        if self._chunks is None:
            self._chunks = self._begin()
        deadlines = self._deadlines
        # The socket itself limits one wait.
        is_simple = self._is_direct and not deadlines.has_ends
        self._next = self._chunks.__next__ if is_simple or not deadlines.limited else self._fetch_in_time
        return self._next

    def _begin(self) -> Iterator[bytes]:
        if self._is_direct:
            direct: Any = self._network_reads
            if direct.begin():
                return direct  # type: ignore[no-any-return]
            # Other code has read from the response in the meantime.
            self._is_direct = False
            self._network_reads = NetworkReads.of(self.response, self._deadlines)
        return iter_chunks(self.response)

    def change_deadlines(self) -> None:
        """Take in that the deadlines have changed."""
        self._next = None

    def _fetch_in_time(self) -> bytes:
        self._deadlines.begin(request_of(self.response))
        chunk: bytes = next(self._chunks)
        return chunk

    def drain(self) -> None:
        """Read to the end of the body, within bounds, if the connection can then be used again."""
        with suppress(ConcurrentReadError):
            self.use.run(self.fetch_rest, self._release)

    def fetch_rest(self) -> None:
        """Do what ``drain()`` does, for a thread that has begun to use this reader."""
        if self._network_reads is None or self._chunks is None or not is_reusable(self.response):
            return
        if not self.use.ended:
            self._deadlines.replace_limits(DRAIN_TIME)
            with suppress(Exception):  # all that matters has been read
                _read_rest(self._chunks)

    def close(self) -> None:
        """Close the response, and make a thread that is reading it return. A second call does nothing."""
        self.use.end(wake=self._interrupt, release=self._release)

    def interrupt(self) -> None:
        """End the read that another thread is in, and all later ones, without waiting for that thread.

        A thread that reads over HTTP/1 closes the response. In any other case, call ``close()`` too.
        """
        self.use.ended = True
        if self._network_reads is not None:
            self._network_reads.interrupt()

    def close_soon(self) -> None:
        """Close the response."""
        self.close()

    def on_collected(self) -> None:
        """Close the response."""
        self.close()

    def release_connection(self) -> None:
        """Stop watching the network stream."""
        if self._network_reads is not None:
            self._network_reads.release()

    def _interrupt(self) -> None:
        if self._network_reads is None or not self._network_reads.interrupt():
            self.use.release(self._release)

    def _release(self) -> None:
        self.release_connection()
        self._chunks = self._next = None
        self.response.close()


def network_reads(response: Any, deadlines: Deadlines) -> NetworkReads | SocketReads | None:
    """What limits and interrupts the reads of a response; None if its library does not allow that."""
    if isinstance(response, SyncResponseAdapter):
        return response.network_reads(deadlines)
    return NetworkReads.of(response, deadlines)


def _read_rest(chunks: Iterator[bytes]) -> None:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > DRAIN_SIZE:
            return
