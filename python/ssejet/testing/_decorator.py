"""Gives a mock to a function or a ``with`` block."""

from __future__ import annotations

import copy
import functools
import inspect
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ssejet.testing._answers import describe
from ssejet.testing._api_mock import APIMock

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MockDecorator"]

F = TypeVar("F", bound="Callable[..., Any]")
M = TypeVar("M", bound=APIMock)


class MockDecorator(Generic[M]):
    """Gives a mock to a function or a ``with`` block.

    Args:
        make: makes a mock.
        parameter: the function's parameter that gets the mock.
        base_url: where the API is.
        state: what response functions may share, copied for each mock.
    """

    _copies_state = True

    def __init__(self, make: Callable[..., M], *, parameter: str, base_url: str | None, state: Any) -> None:
        self._make = functools.partial(make, base_url=base_url)
        self._parameter = parameter
        self._state = state
        self._entered: list[M] = []

    def __enter__(self) -> M:
        mock = self._new_mock()
        self._entered.append(mock)
        return mock.__enter__()

    def __exit__(self, *exc_info: object) -> None:
        self._entered.pop().__exit__(*exc_info)

    async def __aenter__(self) -> M:
        return self.__enter__()

    async def __aexit__(self, *exc_info: object) -> None:
        self.__exit__(*exc_info)

    def __call__(self, function: F) -> F:
        """Decorate a function, async or not, or a generator, async or not."""
        if isinstance(function, type) or not callable(function):
            given = describe(function)
            raise TypeError(f"@{self._parameter} decorates a function, not {given}; its options are keywords")
        wrapper: Any = functools.wraps(function)(self._wrapped(function))
        signature = inspect.signature(function)
        others = [each for name, each in signature.parameters.items() if name != self._parameter]
        # Without this, pytest looks for a fixture of this name.
        wrapper.__signature__ = signature.replace(parameters=others)
        return wrapper  # type: ignore[no-any-return]

    def _wrapped(self, function: Any) -> Any:
        takes_mock = self._parameter in inspect.signature(function).parameters

        def begin(kwargs: dict[str, Any]) -> M:
            mock = self._new_mock()
            if takes_mock:
                kwargs[self._parameter] = mock
            return mock

        if inspect.isasyncgenfunction(function):

            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                with begin(kwargs):
                    generator = function(*args, **kwargs)
                    try:
                        async for item in generator:
                            yield item
                    finally:
                        await generator.aclose()

            return wrapper
        if inspect.isgeneratorfunction(function):

            def generator_wrapper(*args: Any, **kwargs: Any) -> Any:
                with begin(kwargs):
                    return (yield from function(*args, **kwargs))

            return generator_wrapper
        if inspect.iscoroutinefunction(function):

            async def coroutine_wrapper(*args: Any, **kwargs: Any) -> Any:
                with begin(kwargs):
                    return await function(*args, **kwargs)

            return coroutine_wrapper

        def plain_wrapper(*args: Any, **kwargs: Any) -> Any:
            with begin(kwargs):
                return function(*args, **kwargs)

        return plain_wrapper

    def _new_mock(self) -> M:
        return self._make(state=copy.deepcopy(self._state) if self._copies_state else self._state)
