"""The types of what a stream and its machine take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    import typing_extensions
    from typing_extensions import TypeForm

    from ssejet._core import Decoder, ServerSentEvent
    from ssejet.metrics._stream_metrics import StreamMetrics

    T = typing_extensions.TypeVar("T", default=Any)
    # A TypeForm is any type that can be written: a class, or a union or generic of classes.
    CastTo: TypeAlias = TypeForm[T] | Callable[[ServerSentEvent], T] | None

    class MachineOptions(typing_extensions.TypedDict, total=False):
        """What a ``StreamMachine`` takes in addition to ``cast_to``, for its overloads."""

        decoder: Decoder | None
        done: str | None
        require_done: bool
        request: Any
        metrics: StreamMetrics | None

    class StreamOptions(typing_extensions.TypedDict, total=False):
        """What a stream takes in addition to the response and ``cast_to``, for its overloads."""

        decoder: Decoder | None
        done: str | None
        require_done: bool
        idle_timeout: float | None
        data_timeout: float | None
        timeout: float | None
        metrics: StreamMetrics | None
        direct: bool
else:
    from typing import TypeVar

    T = TypeVar("T")

__all__ = ["T"]
