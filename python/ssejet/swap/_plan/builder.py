"""Makes plans that build a stream's items directly from JSON, equal to the items that an SDK builds.

The SDKs build items with ``construct_type``, which follows the annotations and converts almost nothing. A
plan does the same: leaves stay as they are, absent or null fields get their default, and nothing is
validated. For a union, such as ``Optional``, the SDKs let pydantic validate the value leniently, and keep the
result if it is valid; `ssejet.swap._plan.validated` does that.

A plan refuses a value that it cannot build in the same way. The SDK then builds that item.
"""

from __future__ import annotations

import inspect
import sys
import types
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import pydantic

from ssejet._core import Assembler
from ssejet.swap._plan.validated import Validated, default_of, model_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

__all__ = ["Builder", "Models", "builder"]

# For these types, any JSON value is taken as it is.
_LEAVES = frozenset({str, int, bool, bytes, object, Any, type(None)})


@dataclass(frozen=True)
class Models:
    """The parts of an SDK's ``_models`` module that plans use."""

    base: type[BaseModel]
    construct_type: Callable[..., Any]
    construct_field: Callable[..., Any]
    field_default: Callable[[Any], Any]
    # Other base classes, whose subclasses the SDK constructs in the same way.
    other_bases: tuple[type[BaseModel], ...] = ()


def other_bases(module: Any, base: type[BaseModel]) -> tuple[type[BaseModel], ...]:
    """Find the base classes that an SDK's ``_models`` module imports, and constructs like its own.

    Args:
        module: the module.
        base: the base class of its models.
    """
    package = module.__name__.removesuffix("._models") + "."
    return tuple(
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, pydantic.BaseModel)
        and value.__module__.startswith(package)
        and not issubclass(value, base)
        and _is_constructed(value, module.construct_type)
    )


def _is_constructed(base: type[BaseModel], construct_type: Callable[..., Any]) -> bool:
    """Whether the SDK constructs the subclasses of a class without validation, with all that the JSON has."""
    model: type[BaseModel] = pydantic.create_model("Probe", __base__=base, number=(int, ...))
    try:
        made = construct_type(type_=model, value={"number": "1", "more": 2})
    except Exception:
        return False
    return type(made) is model and vars(made) == {"number": "1"} and made.__pydantic_extra__ == {"more": 2}


class Builder(NamedTuple):
    """Builds the items of one type.

    Attributes:
        assembler: executes the plan.
        tags: the values of the discriminator, if the type is a union of models that have one.
        tag_key: the discriminator's key, without which nothing is built; None if there is none.
    """

    assembler: Assembler
    tags: frozenset[str]
    tag_key: str | None


# The builders of the SDK's own types. A builder refers to the classes that it builds, so this must not hold
# builders of a user's classes: it would keep them alive.
_of_sdk: dict[tuple[Any, Models], Builder | None] = {}

# The attribute in which a user's class keeps its builder, so that both are freed together.
_KEPT = "__ssejet_builder__"


def builder(type_: Any, models: Models) -> Builder | None:
    """Give the builder of a stream's item type, or None if the SDK must build all items.

    Making a builder takes milliseconds, so it is cached with the SDK for the SDK's types, and with the class
    for a user's class. For a union with a user's class, it is made each time.

    Args:
        type_: one of the SDK's models, or a union of them.
        models: the SDK's functions for models.
    """
    try:
        return _of_sdk[type_, models]
    except (KeyError, TypeError):  # an unhashable type is not the SDK's
        pass
    is_class = isinstance(type_, type)
    if is_class and (kept := vars(type_).get(_KEPT)) is not None and kept[0] is models:
        made: Builder | None = kept[1]
        return made
    made = _make(type_, models)
    if _is_of_sdk(type_, models):
        _of_sdk[type_, models] = made
    elif is_class and issubclass(type_, (models.base, *models.other_bases)):
        setattr(type_, _KEPT, (models, made))
    return made


def _make(type_: Any, models: Models) -> Builder | None:
    planner = _Planner(models)
    try:
        plan = planner.construct(type_, ())
        if plan[0] not in {"model", "tagged"}:
            return None
        tag_key, tags = plan[1:3] if plan[0] == "tagged" else (None, ())
        return Builder(Assembler(plan, planner.definitions), frozenset(tags), tag_key)
    except Exception:  # part of the type is unknown here, or pydantic does not understand it either
        return None


def _is_of_sdk(type_: Any, models: Models) -> bool:
    """Whether all classes in a type belong to the SDK's package."""
    package = models.base.__module__.partition(".")[0]
    if hasattr(type_, "__value__"):  # a TypeAliasType
        type_ = type_.__value__
    if get_origin(type_) is Annotated:
        type_ = get_args(type_)[0]
    parts = get_args(type_)
    if parts:
        return all(_is_of_sdk(part, models) for part in parts)
    module = getattr(type_, "__module__", "")
    if not isinstance(type_, type) or module.partition(".")[0] not in {package, "builtins"}:
        return False
    # A generic class of the SDK with a user's class as argument names the SDK's module as its own, but that
    # module does not have it.
    return getattr(sys.modules.get(module), type_.__qualname__, None) is type_


@dataclass
class _Planner:
    models: Models
    definitions: list[Any] = field(default_factory=list)
    _open: list[type] = field(default_factory=list)

    def construct(self, type_: Any, metadata: Any) -> tuple[Any, ...]:
        """Mirror ``construct_type``."""
        named = None
        if hasattr(type_, "__value__"):  # a TypeAliasType
            named, type_ = type_, type_.__value__
        if not metadata and get_origin(type_) is Annotated:
            type_ = get_args(type_)[0]
        origin = get_origin(type_) or type_
        arguments = get_args(type_)
        if origin is Union or origin is types.UnionType:
            if all(map(_is_text, arguments)):
                return ("any",)  # validation changes no string, and invalid values are taken as they are
            return Validated.plan(named or type_, self.definitions)
        if origin is Literal or type_ in _LEAVES:
            return ("any",)
        if origin is float:
            return ("float",)
        if origin is list and arguments:
            return ("list", self.construct(arguments[0], ()))
        if origin is dict and arguments:
            return ("dict", self.construct(arguments[1], ()))
        bases = (self.models.base, *self.models.other_bases)
        if inspect.isclass(type_) and issubclass(type_, bases) and self._is_plain(type_):
            return self._model(type_)
        return ("call", partial(_construct_value, self.models.construct_type, type_, metadata))

    def _is_plain(self, model: type[BaseModel]) -> bool:
        """Whether the SDK's own ``construct`` makes this model, and no field has an alias."""
        if model in self._open or model.model_rebuild(raise_errors=False) is False:
            return False
        if issubclass(model, self.models.base):
            if _function(model.construct) is not _function(self.models.base.construct):
                return False
            if model.model_config.get("extra") != "allow":
                return False
        fields = model_fields(model.__pydantic_core_schema__)
        if fields is None or "extras_schema" in fields:
            return False
        return all(info.alias in {None, name} for name, info in model.model_fields.items())

    def _model(self, model: type[BaseModel]) -> tuple[Any, ...]:
        self._open.append(model)
        fields = [(name, name, *self._field(name, info)) for name, info in model.model_fields.items()]
        self._open.pop()
        return ("model", model, fields, ("any",), False)

    def _field(self, name: str, info: Any) -> tuple[Any, Any]:
        default = self.models.field_default(info)
        if default is None:
            return ("nullable", self.construct(info.annotation, info.metadata)), ("value", None)
        plan = ("call", partial(_construct_field, self.models.construct_field, info, name))
        return plan, default_of(default, partial(self.models.field_default, info))


def _is_text(type_: Any) -> bool:
    if get_origin(type_) is Literal:
        return all(type(value) is str for value in get_args(type_))
    return type_ in {str, type(None)}


def _function(method: Any) -> Any:
    return getattr(method, "__func__", None)


def _construct_value(construct_type: Callable[..., Any], type_: Any, metadata: Any, value: Any) -> Any:
    more = {"metadata": metadata} if metadata else {}  # older versions do not take it
    return construct_type(value=value, type_=type_, **more)


def _construct_field(construct_field: Callable[..., Any], info: Any, name: str, value: Any) -> Any:
    return construct_field(value=value, field=info, key=name)
