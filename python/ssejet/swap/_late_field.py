"""Fields of pydantic models whose values are computed when the object is first read."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ssejet.swap._twins import names_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["dict_of", "is_late", "read_late", "set_late"]

# Reads the dict of a model as it is, with a value that is not computed yet.
dict_of: Callable[[Any], dict[str, Any]] = vars(BaseModel)["__dict__"].__get__
_set_class = vars(object)["__class__"].__set__

_COPYING = ("__copy__", "__deepcopy__", "__reduce_ex__", "__setattr__", "__delattr__")


class _Late:
    """Mixin: the class of an object that has such a field. Reading the object gives it its own class."""

    __slots__ = ()


def is_late(model: Any) -> bool:
    """Whether the value of a field is not computed yet."""
    return issubclass(type(model), _Late)


def set_late(model: Any, field: str, compute: Callable[[], Any]) -> None:
    """Set a field to a value that is computed when the object is first read.

    Until then, ``type(model)`` is a subclass of the model's class. ``model.__class__`` is always the class.

    Args:
        model: the object.
        field: the field, always the same one for a class.
        compute: gives the value.
    """
    dict_of(model)[field] = compute
    if not is_late(model):
        cls: Any = type(model)
        _set_class(model, _late_class(cls, field))


def read_late(model: Any) -> None:
    """Compute the value, if it is not computed yet."""
    late = type(model)
    if issubclass(late, _Late):
        late._read(model)  # type: ignore[attr-defined]


@cache
def _late_class(cls: Any, field: str) -> Any:
    def read(model: Any) -> None:
        values = dict_of(model)
        compute = values[field]
        if type(model) is late:  # unless another thread has done it
            values[field] = compute()
            _set_class(model, cls)

    def value_of(model: Any) -> Any:
        read(model)
        return dict_of(model)[field]

    def values_of(model: Any) -> dict[str, Any]:
        read(model)
        return dict_of(model)

    def on_real_class(name: str) -> Callable[..., Any]:
        def call(model: Any, *args: Any) -> Any:
            read(model)
            return getattr(model, name)(*args)

        return call

    # These names cannot be set once a class is made. pydantic would take the field's name for a field.
    methods = {
        "__slots__": (),
        "__dict__": property(values_of),
        "__class__": property(lambda _: cls),
        "_read": staticmethod(read),
        **{name: on_real_class(name) for name in _COPYING},
    }
    late: Any = type(cls)(cls.__name__, (type("_Late", (_Late,), methods), cls), names_of(cls))
    type.__setattr__(late, field, property(value_of))
    return late
