"""One connection to Redis, over which calls are pipelined, and repeated when it breaks."""

from __future__ import annotations

import asyncio
import inspect
import re
import sys
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

import anyio
from redis import exceptions

from ssejet._http.backoff import backoff
from ssejet.emit._event_loops import keep_task
from ssejet.errors import HubError
from ssejet.hub._redis_scripts import SCRIPTS
from ssejet.hub._tasks import logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ssejet.hub._redis_scripts import Script

    Command = Callable[["Link"], Sequence[Any]]

__all__ = [
    "CONNECT_TIME",
    "FAILURES",
    "NO_LIMIT",
    "TRANSIENT",
    "Calls",
    "Link",
    "NoAnswerError",
    "check_cancellation",
    "connected",
    "dropped",
    "is_transient",
    "lost",
    "pause",
    "refused",
]

# The most calls that one pipeline has.
_MAX_BATCH = 256

# How many seconds Redis may take to answer a pipeline.
_ANSWER_TIME = 5.0

CONNECT_TIME = 5.0
"""How many seconds a new connection may take, with the first commands that redis-py sends."""

NO_LIMIT = 86_400.0
"""The limit to pass to redis-py where there is another one.

When a limit of redis-py is over, it returns None, as if that were the answer of Redis, which may still come.
"""

# The bounds of the seconds between two attempts to connect.
_SHORTEST_PAUSE = 0.05
_LONGEST_PAUSE = 0.5

# For so many seconds after a lost connection came back, leases are not looked at: their producers have been
# without Redis too, and may renew them first.
_GRACE = 1.0

TRANSIENT: tuple[type[BaseException], ...] = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.BusyLoadingError,
    exceptions.ReadOnlyError,
    exceptions.MasterDownError,
    exceptions.TryAgainError,
    exceptions.ClusterDownError,
    exceptions.OutOfMemoryError,
    OSError,
    TimeoutError,
    asyncio.TimeoutError,
    EOFError,
)
"""Errors after which the same call may succeed."""

FAILURES: tuple[type[BaseException], ...] = (*TRANSIENT, exceptions.RedisError)
"""All errors that a server or its connection causes."""

_FINAL = (exceptions.AuthenticationError, exceptions.AuthorizationError)

# The same in errors that redis-py does not tell apart. Before Redis 7, an error in a script is in a sentence.
_TRANSIENT_TEXT = re.compile(
    r"(^|: -)(BUSY|CLUSTERDOWN|MASTERDOWN|MISCONF|NOREPLICAS|OOM|READONLY|UNBLOCKED) "
)


def is_transient(error: object) -> bool:
    """Whether the same call may succeed later."""
    if isinstance(error, TRANSIENT):
        return not isinstance(error, _FINAL)
    return isinstance(error, exceptions.ResponseError) and bool(_TRANSIENT_TEXT.search(str(error)))


class NoAnswerError(HubError):
    """Redis did not answer in time."""


# What redis-py raises for a value that it cannot send.
_UNSENDABLE = (exceptions.DataError, UnicodeError, OverflowError)


class _Call:
    __slots__ = ("command", "is_repeated", "result")

    def __init__(self, command: Command, result: asyncio.Future[Any], *, is_repeated: bool) -> None:
        self.command = command
        self.result = result
        self.is_repeated = is_repeated


class Calls:
    """Calls scripts and commands of Redis. A subclass says over which connection."""

    last_error: BaseException | None

    async def call(
        self,
        script: Script,
        keys: Sequence[str],
        args: Command | Sequence[Any],
        *,
        timeout: float | None = None,
        is_repeated: bool = True,
    ) -> Any:
        """Call a script.

        Args:
            script: the script.
            keys: its keys.
            args: its arguments, or a function that returns them when the call is sent; it gets the link.
            timeout: the seconds to wait; None for no limit.
            is_repeated: whether to repeat the call after a lost connection.

        Raises:
            NoAnswerError: the time is over, or the connection was lost.
            HubError: Redis refuses the call.
        """
        make = _command_of(script, keys, args)
        return await self.command(keys[0], make, timeout=timeout, is_repeated=is_repeated)

    async def command(
        self, name: str, make: Command, *, timeout: float | None = None, is_repeated: bool = True
    ) -> Any:
        """Call a command for a key of this name; see ``call``."""
        answer = self._answer(name, make, is_repeated=is_repeated)
        if timeout is None:
            return await answer
        try:
            with anyio.fail_after(timeout):
                return await answer
        except TimeoutError:
            raise _no_answer(timeout, self.last_error) from self.last_error

    def _answer(self, name: str, make: Command, *, is_repeated: bool) -> Awaitable[Any]:
        raise NotImplementedError


class Link(Calls):
    """Calls commands of Redis over one connection.

    Calls that are made while others are under way are sent together. A call whose answer is lost is repeated,
    so every command must bear that; the order of the calls stays.

    Args:
        pool: makes the connection.
        repeats: whether to repeat calls here. Otherwise they fail with the error, as another server may have
            become the right one.
        losses: how many connections were lost before.
        asks: whether the calls are for a slot of a cluster that is moving to this server.

    Attributes:
        losses: how many times a connection was lost.
        last_error: why the last one was lost.
    """

    def __init__(self, pool: Any, *, repeats: bool = True, losses: int = 0, asks: bool = False) -> None:
        self.losses = losses
        self.last_error: BaseException | None = None
        self._repeats = repeats
        self._asks = asks
        self._pool = pool
        self._connection: Any = None
        self._has_scripts = False
        self._calls: deque[_Call] = deque()
        self._is_running = False
        self._is_closed = False
        self._up_since: float | None = None
        self._failures = 0

    @property
    def is_settled(self) -> bool:
        """Whether the connection is up, and was not lost just now."""
        return self._up_since is not None and monotonic() >= self._up_since

    def _answer(self, name: str, make: Command, *, is_repeated: bool) -> Awaitable[Any]:
        call = _Call(make, asyncio.get_running_loop().create_future(), is_repeated=is_repeated)
        self._calls.append(call)
        if not self._is_running:
            self._is_running = True
            keep_task(self._run())
        return call.result

    async def aclose(self) -> None:
        """Close the connection. Calls that wait fail."""
        self._is_closed = True
        await self._drop(None)
        self._fail_all(HubError("the hub is closed"))

    async def _run(self) -> None:
        # Calls that other tasks make in this step of the event loop are sent together with the first.
        await asyncio.sleep(0)
        try:
            while self._calls and not self._is_closed:
                batch: list[_Call] = []
                while self._calls and len(batch) < _MAX_BATCH:
                    call = self._calls.popleft()
                    if not call.result.done():
                        batch.append(call)
                if batch:
                    await self._send(batch)
        except BaseException as error:
            self._fail_all(error if isinstance(error, Exception) else HubError("the hub is closed"))
            raise
        finally:
            self._is_running = False

    async def _send(self, batch: list[_Call]) -> None:
        try:
            replies = await self._exchange(batch)
        except FAILURES as error:
            if not is_transient(error):
                await self._drop(error)
            replies = [error] * len(batch)
        except BaseException:
            self._calls.extendleft(reversed(batch))
            await self._drop(None)  # it may have answers that nobody has read
            raise
        again = []
        loss: BaseException | None = None
        for call, reply in zip(batch, replies, strict=True):
            if isinstance(reply, exceptions.NoScriptError):
                self._has_scripts = False
                again.append(call)
            elif is_transient(reply):
                loss = reply
                if call.is_repeated and self._repeats:
                    again.append(call)
                else:
                    _fail(call, reply if not self._repeats else lost(reply))
            elif isinstance(reply, BaseException):
                _fail(call, reply if isinstance(reply, (HubError, exceptions.AskError)) else refused(reply))
            elif not call.result.done():
                call.result.set_result(reply)
        self._calls.extendleft(reversed(again))
        if loss is not None:
            await self._drop(loss)
            if self._repeats:
                await asyncio.sleep(pause(self._failures))
            self._failures += 1
        else:
            self._failures = 0

    async def _exchange(self, batch: list[_Call]) -> list[Any]:
        with anyio.fail_after(_ANSWER_TIME):
            connection = await self._connect()
            if not self._has_scripts:
                await self._load(connection)
            commands = [call.command(self) for call in batch]
            if self._asks:
                commands = [each for command in commands for each in (("ASKING",), command)]
            try:
                packed = connection.pack_commands(commands)
            except _UNSENDABLE:
                return await self._exchange_one_by_one(connection, [call.command(self) for call in batch])
            await connection.send_packed_command(packed, check_health=False)
            replies = [await _reply(connection) for _ in commands]
            return replies[1::2] if self._asks else replies

    async def _exchange_one_by_one(self, connection: Any, commands: list[Sequence[Any]]) -> list[Any]:
        """Find the commands that cannot be sent, so that only they fail."""
        replies: list[Any] = []
        for command in commands:
            try:
                packed = connection.pack_command(*command)
            except _UNSENDABLE as error:  # noqa: PERF203 (this is rare)
                replies.append(error)
            else:
                await connection.send_packed_command(packed, check_health=False)
                replies.append(await _reply(connection))
        return replies

    async def _connect(self) -> Any:
        if self._connection is None:
            self._connection = await connected(self._pool)
            self._has_scripts = False
            self._up_since = monotonic() + (_GRACE if self.losses else 0.0)
        return self._connection

    async def _load(self, connection: Any) -> None:
        loads = [("SCRIPT", "LOAD", script.source) for script in SCRIPTS]
        await connection.send_packed_command(connection.pack_commands(loads), check_health=False)
        replies = [await _reply(connection) for _ in loads]
        for reply in replies:
            if isinstance(reply, BaseException):
                raise reply
        self._has_scripts = True

    async def _drop(self, error: BaseException | None) -> None:
        if error is not None:
            if not self._failures:
                logger.warning("Redis is away or does not take commands, which are repeated: %s", error)
            self.last_error = error
            self.losses += 1
        self._up_since = None
        connection, self._connection = self._connection, None
        await dropped(self._pool, connection)

    def _fail_all(self, error: BaseException) -> None:
        while self._calls:
            _fail(self._calls.popleft(), error)


def _command_of(script: Script, keys: Sequence[str], args: Command | Sequence[Any]) -> Command:
    """Return the command that calls a script."""
    head = ("EVALSHA", script.sha, len(keys), *keys)
    return (lambda link: (*head, *args(link))) if callable(args) else (lambda _: (*head, *args))


def _no_answer(timeout: float, reason: BaseException | None) -> NoAnswerError:
    """Make the error of a call that took too long."""
    return NoAnswerError(f"Redis has not answered for {timeout:g} seconds: {reason or 'no connection'}")


def lost(reason: BaseException) -> NoAnswerError:
    """Make the error of a call whose connection was lost."""
    error = NoAnswerError(f"the connection to Redis was lost: {reason}")
    error.__cause__ = reason
    return error


def refused(reason: BaseException) -> HubError:
    """Make the error of a call that Redis will not do later either."""
    error = HubError(f"Redis refuses a command: {reason}")
    error.__cause__ = reason
    return error


def _fail(call: _Call, error: BaseException) -> None:
    if not call.result.done():
        call.result.set_exception(error)


async def _reply(connection: Any) -> Any:
    try:
        return await connection.read_response(disable_decoding=True, timeout=NO_LIMIT)
    except exceptions.ResponseError as error:
        return error


def pause(failures: int) -> float:
    """The seconds to wait before the next attempt to connect."""
    return backoff(failures, unit=_SHORTEST_PAUSE, longest=_LONGEST_PAUSE)


async def connected(pool: Any) -> Any:
    """Take a connection out of a pool."""
    if "command_name" in _parameters(pool.get_connection) and not _has_default(pool.get_connection):
        connection = await pool.get_connection("EVALSHA")  # redis-py before 5.3
    else:
        connection = await pool.get_connection()
    try:
        check_cancellation()
    except asyncio.CancelledError:
        await dropped(pool, connection)
        raise
    return connection


def check_cancellation() -> None:
    """Raise the cancellation of this task that redis-py may have swallowed while it connected.

    The end of an event loop waits for the tasks that it has cancelled.
    """
    task: Any = asyncio.current_task()
    if sys.version_info >= (3, 11) and task.cancelling():
        raise asyncio.CancelledError


def _parameters(function: Any) -> Any:
    return inspect.signature(function).parameters


def _has_default(function: Any) -> bool:
    return _parameters(function)["command_name"].default is not inspect.Parameter.empty


async def dropped(pool: Any, connection: Any) -> None:
    """Close a connection, and give it back to its pool."""
    if connection is not None:
        with anyio.CancelScope(shield=True):
            with suppress(*TRANSIENT):
                await connection.disconnect(nowait=True)
            await pool.release(connection)
