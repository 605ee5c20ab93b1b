# The extension module, written in Rust. Import these names from `ssejet`.

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Any, ClassVar, Final, Literal, final

from typing_extensions import Buffer, Self

__all__ = [
    "DEBUG",
    "Assembler",
    "Decoder",
    "ItemDecoder",
    "KnownShapes",
    "ServerSentEvent",
    "__version__",
    "_check_nesting",
    "_restore_event",
    "_stack_left",
    "encode",
]

DEBUG: Final[bool]
__version__: Final[str]

@final
class ServerSentEvent:
    __match_args__: ClassVar[tuple[Literal["event"], Literal["data"], Literal["id"], Literal["retry"]]] = (
        "event",
        "data",
        "id",
        "retry",
    )
    @property
    def event(self) -> str | None: ...
    @property
    def data(self) -> str: ...
    @property
    def id(self) -> str | None: ...
    @property
    def retry(self) -> int | None: ...
    def __new__(
        cls, *, event: str | None = "message", data: str = "", id: str | None = "", retry: int | None = None
    ) -> Self: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __replace__(
        self, *, event: str | None = ..., data: str = ..., id: str | None = ..., retry: int | None = ...
    ) -> Self: ...
    def json(self) -> Any: ...

def encode(
    data: object,
    *,
    event: str | None = None,
    id: str | None = None,
    retry: int | None = None,
    comment: str | None = None,
) -> bytes: ...

@final
class Decoder:
    def __new__(
        cls,
        *,
        dialect: Literal["whatwg", "openai", "anthropic", "httpx-sse", "httpx2"] = "whatwg",
        max_event_size: int | None = 67_108_864,
        last_event_id: str = "",
        flush_incomplete: bool = False,
        on_comment: Callable[[str], object] | None = None,
    ) -> Self: ...
    @property
    def last_event_id(self) -> str: ...
    @property
    def retry(self) -> int | None: ...
    @property
    def _waits(self) -> bool: ...
    def _unfinished_data(self) -> str | None: ...
    def feed(self, chunk: Buffer) -> list[ServerSentEvent]: ...
    def finish(self) -> list[ServerSentEvent]: ...
    def reset(self) -> None: ...
    def iter_bytes(self, chunks: Iterable[Buffer]) -> Iterator[ServerSentEvent]: ...
    def aiter_bytes(self, chunks: AsyncIterable[Buffer]) -> AsyncIterator[ServerSentEvent]: ...

def _restore_event(event: str | None, data: str, id: str | None, retry: int | None) -> ServerSentEvent: ...
def _check_nesting(data: str, /) -> None: ...
def _stack_left() -> int: ...

@final
class Assembler:
    def __new__(cls, plan: tuple[Any, ...], definitions: list[Any], /) -> Self: ...
    def build(self, data: str, /) -> Any: ...

@final
class ItemDecoder:
    def __new__(
        cls,
        assembler: Assembler,
        /,
        *,
        dialect: str,
        only: Iterable[str] | None = None,
        wrapped: str | None = None,
        telltale: str | None = None,
    ) -> Self: ...
    def feed(self, chunk: Buffer, /) -> Self: ...
    def finish(self) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...

@final
class KnownShapes:
    def __new__(cls) -> Self: ...
    def add(self, text: str, /) -> None: ...
    def knows(self, text: str, /) -> bool: ...
