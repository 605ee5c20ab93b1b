"""Finds out what an SDK that Stainless generated makes of which events.

Each SDK has its own conditions: some take any event for an item, some only those without a type or with
certain types, some raise an error if the data has a certain key. They are in the SDK's generator, so the
generator is asked: it gets events of every type and with every key that its code mentions.
"""

from __future__ import annotations

import json
from itertools import product
from types import CodeType
from typing import TYPE_CHECKING, Any

from ssejet._core import ServerSentEvent
from ssejet.swap._plan.probe import see, seen
from ssejet.swap._support import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Rules"]

_PROBE = {"probe": 1}
# Names that an SDK may know without having them in the code of its generator.
_USUAL = ("message_start", "completion", "message")
# A server could send ever new types.
_MOST_NAMES = 1000


class Rules:
    """What the generator of an SDK does with events.

    Attributes:
        known: types of which it makes items of the data alone; ``""`` stands for none. There may be more.
        idle: an event of which it makes any item.
        error_key: the key in the data by which it knows an error, if it does.
    """

    def __init__(self, stream_cls: Any, client_cls: type) -> None:
        """Ask the generator.

        Args:
            stream_cls: the SDK's class of synchronous streams.
            client_cls: the class of its clients.

        Raises:
            UnsupportedError: it does something that is not understood.
        """
        self._stream_cls = stream_cls
        self._client_cls = client_cls
        self._names: dict[tuple[str, str | None], bool] = {}
        words = sorted(set(_words(stream_cls.__stream__.__code__)))
        self.idle = self._idle(["", *_USUAL, *words])
        self.known = sorted({*self.plain([""]), self.idle.event or ""})
        self.error_key = self._error_key(words)

    def plain(self, names: Iterable[str], key: str | None = None) -> frozenset[str]:
        """Give those of these types of events of which it makes items of the data alone.

        Args:
            names: the types of events.
            key: one that all data has. Some SDKs add it to data that lacks it.
        """
        result = set()
        for name in names:
            plain = self._names.get((name, key))
            if plain is None:
                plain = self._is_plain(name, key)
                if len(self._names) < _MOST_NAMES:
                    self._names[name, key] = plain
            if plain:
                result.add(name)
        return frozenset(result)

    def _is_plain(self, name: str, key: str | None) -> bool:
        if not name.isprintable():
            return False
        data = _PROBE if key is None else {**_PROBE, key: name}
        return self._see(name, data) == [seen(data)] * 2

    def _see(self, name: str, data: Any) -> list[Any]:
        """Return what it makes of two equal events."""
        head = f"event: {name}\n" if name else ""
        return see(
            self._stream_cls, self._client_cls, object, [f"{head}data: {json.dumps(data)}\n\n".encode()] * 2
        )

    def _idle(self, names: list[str]) -> ServerSentEvent:
        for name in names:
            if self.plain([name]) and self._see(name, None) == [seen(None)] * 2:
                return ServerSentEvent(event=name or None, data="null")
        raise UnsupportedError("its streams make items of no event that is known here")

    def _error_key(self, words: list[str]) -> str | None:
        """Find the key by which it knows an error, and make sure that there is no other condition."""
        keys = set()
        values: list[Any] = [True, 1, "x", {"message": "x"}, {}, None, *words]
        for name, key, value in product(self.known, words, values):
            if self._see(name, {key: value}) != [seen({key: value})] * 2:
                if not value:
                    raise UnsupportedError(f"its streams make something else of data with the key {key!r}")
                keys.add(key)
        if len(keys) > 1:
            raise UnsupportedError(f"its streams know an error by more than one key: {sorted(keys)}")
        return keys.pop() if keys else None


def _words(code: CodeType) -> Iterator[str]:
    """Yield the texts that a function's code mentions."""
    for constant in code.co_consts:
        if isinstance(constant, str):
            if constant and "\n" not in constant:
                yield constant
        elif isinstance(constant, CodeType):
            yield from _words(constant)
        elif isinstance(constant, tuple | frozenset):
            yield from (each for each in constant if isinstance(each, str))
