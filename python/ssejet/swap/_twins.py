"""What the swap-ins make of an SDK's clients: copies in classes with fast methods, and other results."""

from __future__ import annotations

from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType

__all__ = ["arguments_before_start", "copy_of", "names_of", "subclass_of", "with_other_result"]


def names_of(cls: type) -> dict[str, Any]:
    """The names of a class, for a subclass that looks like it."""
    # Clients send their class's name, and users read it.
    return {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}


def subclass_of(cls: Any, members: Mapping[str, Any], *mixins: type, looks_like: Any = None) -> Any:
    """Make a subclass with other members.

    Args:
        cls: the class.
        members: the members that differ.
        mixins: classes that come before it.
        looks_like: the class whose names it gets; by default ``cls``.
    """
    looks_like = looks_like or cls
    return type(looks_like.__name__, (*mixins, cls), {**names_of(looks_like), **members})


def copy_of(value: Any, cls: Any = None, **changes: Any) -> Any:
    """Copy an object, without a call of its class.

    Args:
        value: the object.
        cls: the class of the copy; by default that of the object.
        changes: the attributes that differ.
    """
    twin = object.__new__(cls or type(value))
    vars(twin).update(vars(value), **changes)
    return twin


def with_other_result(method: Any, change: Callable[[Any], Any]) -> Any:
    """Make a method, async if the given one is, whose results are changed by a function."""
    if iscoroutinefunction(method):

        @wraps(method)
        async def amethod(*args: Any, **kwargs: Any) -> Any:
            return change(await method(*args, **kwargs))

        return amethod

    @wraps(method)
    def made(*args: Any, **kwargs: Any) -> Any:
        return change(method(*args, **kwargs))

    return made


def arguments_before_start(generator: Any) -> tuple[CodeType, dict[str, Any]] | None:
    """The code and the arguments of a generator, async or not, that has not begun; None for anything else."""
    frame = getattr(generator, "gi_frame", None) or getattr(generator, "ag_frame", None)
    if frame is None:
        return None
    code, arguments = frame.f_code, frame.f_locals
    # It has other variables once it has begun.
    return (code, arguments) if {*arguments} == {*code.co_varnames[: code.co_argcount]} else None
