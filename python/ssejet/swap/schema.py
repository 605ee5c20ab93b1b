"""Core schemas that build the objects which an SDK builds from parsed JSON.

The SDKs build a stream's items with ``construct_type``, which walks the annotations and coerces next to
nothing. Two kinds of schema let pydantic-core do the same work:

* A *constructing* schema mirrors that walk. Leaves are taken as they are, absent and null fields get the
  field's default, and nothing is validated.
* A *validating* schema stands where the walk meets a union (``Optional`` is one): there the SDKs ask pydantic
  to validate, leniently, and keep the result if it passes. The schema is pydantic's own, made strict: what
  passes without any coercion passes the lenient validation with the same result, provided that only one
  member of each union can take the value. Unions are resolved by their discriminator or by JSON type, and
  where neither tells the members apart pydantic's lenient validator is called for that value.

Either kind refuses a value rather than build something else from it. What it refuses is the SDK's to build.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic_core import SchemaValidator
from pydantic_core import core_schema as cs

__all__ = ["Models", "Plan", "plan"]

# Below this, an int becomes a float without loss; beyond, the SDKs keep the int and pydantic does not.
_EXACT = 2.0**53
_FLOAT = cs.float_schema(strict=True, gt=-_EXACT, lt=_EXACT)

_LEAVES = frozenset({str, int, bool, bytes, object, Any, type(None)})

# What tells the members of a union apart, besides a discriminator.
_JSON_TYPES = {
    "str": "string",
    "literal": "string",
    "int": "number",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "model": "object",
    "dict": "object",
    "none": "null",
}

Walk = Callable[[Any], None]


@dataclass(frozen=True)
class Models:
    """What is needed of an SDK's ``_models`` module."""

    base: type[BaseModel]
    construct_type: Callable[..., Any]
    construct_field: Callable[..., Any]
    field_default: Callable[[Any], Any]


@dataclass(frozen=True)
class Plan:
    """How to build the items of one type.

    Attributes:
        schema: the core schema.
        tidy: sets right, in an object just built, what a core schema cannot express. It is needed when the
            validation's context, a list, has got an entry. It raises ``LookupError`` for an object that is not
            the one that the SDK would build.
        tags: the values of the discriminator, if the type is a discriminated union.
    """

    schema: cs.CoreSchema
    tidy: Walk
    tags: frozenset[str]


class UnprovableError(Exception):
    """No schema can be shown to build what the SDK builds."""


def plan(type_: Any, models: Models) -> Plan:
    """Make the plan for a stream's item type, a model or a union of models.

    Raises:
        UnprovableError: there is none.
    """
    planner = _Planner(models)
    schema, walk = planner.construct(type_, ())
    if not _gives_models(schema):
        raise UnprovableError(f"{type_!r} is not a model, nor a union of models")
    tags: frozenset[str] = frozenset(schema.get("choices", ()))
    if planner.definitions:
        schema = cs.definitions_schema(schema, planner.definitions)
    return Plan(schema, walk or _nothing, tags)


def _gives_models(schema: Any) -> bool:
    if schema["type"] == "tagged-union":  # made of models alone, see _by_discriminator
        return True
    return bool(schema["type"] in {"model", "definition-ref"})


def _nothing(_: Any) -> None:
    pass


@dataclass
class _Planner:
    models: Models
    definitions: list[cs.CoreSchema] = field(default_factory=list)
    _open: list[type] = field(default_factory=list)

    def construct(self, type_: Any, metadata: Any) -> tuple[Any, Walk | None]:
        """The schema that mirrors ``construct_type``, and the walk to the models within."""
        named = None
        if hasattr(type_, "__value__"):  # a TypeAliasType
            named, type_ = type_, type_.__value__
        if not metadata and get_origin(type_) is Annotated:
            type_ = get_args(type_)[0]
        origin = get_origin(type_) or type_
        arguments = get_args(type_)
        if origin is Union or origin is types.UnionType:
            return self.validate(named or type_), None
        if origin is Literal or type_ in _LEAVES:
            return cs.any_schema(), None
        if origin is float:
            return _FLOAT, None
        if origin is list and arguments:
            item, walk = self.construct(arguments[0], ())
            return cs.list_schema(item, strict=True), walk and partial(_walk_list, walk)
        if origin is dict and arguments:
            value, walk = self.construct(arguments[1], ())
            return cs.dict_schema(values_schema=value, strict=True), walk and partial(_walk_dict, walk)
        if inspect.isclass(type_) and issubclass(type_, self.models.base) and self._is_plain(type_):
            return self._construct_model(type_)
        if type_ in {date, datetime} or inspect.isclass(origin):
            return _calling(partial(_construct_value, self.models.construct_type, type_, metadata)), None
        raise UnprovableError(f"cannot tell what is built for {type_!r}")

    def _is_plain(self, model: type[BaseModel]) -> bool:
        """Whether the SDK's own ``construct`` makes this model, from fields that have their own names."""
        if model in self._open or model.__new__ is not object.__new__:
            return False
        if getattr(model.construct, "__func__", None) is not self.models.base.construct.__func__:  # type: ignore[attr-defined]
            return False
        if model.model_config.get("extra") != "allow" or model.model_rebuild(raise_errors=False) is False:
            return False
        fields = _model_fields(model.__pydantic_core_schema__)
        return (
            fields is not None
            and "extras_schema" not in fields
            and all(info.alias in {None, name} for name, info in model.model_fields.items())
        )

    def _construct_model(self, model: type[BaseModel]) -> tuple[Any, Walk]:
        self._open.append(model)
        fields: dict[str, Any] = {}
        walks: list[tuple[str, Walk]] = []
        for name, info in model.model_fields.items():
            schema, walk = self._construct_field(name, info)
            fields[name] = cs.model_field(schema)
            if walk is not None:
                walks.append((name, walk))
        self._open.pop()
        schema = cs.model_schema(
            model,
            cs.model_fields_schema(fields, extra_behavior="allow", extras_schema=_NOTED),
            config=cs.CoreConfig(extra_fields_behavior="allow"),
        )
        return schema, partial(_walk_model, tuple(walks))

    def _construct_field(self, name: str, info: Any) -> tuple[Any, Walk | None]:
        default = self.models.field_default(info)
        walk = None
        if default is None:
            schema, walk = self.construct(info.annotation, info.metadata)
            if schema["type"] != "any":
                schema = cs.nullable_schema(schema)
        else:
            schema = _calling(partial(_construct_field_value, self.models.construct_field, info, name))
        if default is None or type(default) in {str, int, float, bool}:
            return cs.with_default_schema(schema, default=default), walk
        return cs.with_default_schema(schema, default_factory=partial(self.models.field_default, info)), walk

    def validate(self, type_: Any) -> Any:
        """The strict schema that gives what pydantic's lenient validation gives."""
        schema: Any = TypeAdapter(type_).core_schema
        definitions: list[Any] = []
        if schema["type"] == "definitions":
            schema, definitions = schema["schema"], schema["definitions"]
        strict = _Strict({definition["ref"]: definition for definition in definitions}, f"{len(self.definitions)}:")
        schema = strict.rewrite(schema)
        self.definitions.extend(strict.rewritten())
        return schema


def _model_fields(schema: Any) -> Any:
    if schema["type"] == "definitions":
        schema = schema["schema"]
    if schema["type"] != "model" or schema["schema"]["type"] != "model-fields":
        return None
    return schema["schema"]


def _calling(function: Callable[[Any], Any]) -> Any:
    return cs.no_info_plain_validator_function(function)


def _construct_value(construct_type: Callable[..., Any], type_: Any, metadata: Any, value: Any) -> Any:
    return construct_type(value=value, type_=type_, metadata=metadata or None)


def _construct_field_value(construct_field: Callable[..., Any], info: Any, name: str, value: Any) -> Any:
    return construct_field(value=value, field=info, key=name)


def _note(value: Any, info: Any) -> Any:
    info.context.append(value)
    return value


# Called for each field that a model does not know.
_NOTED = cs.with_info_plain_validator_function(_note)


def _walk_model(walks: tuple[tuple[str, Walk], ...], model: Any) -> None:
    if model is None:
        return
    extra = model.__pydantic_extra__
    if extra:
        # construct() takes the fields as keyword arguments, beside private ones of its own.
        if any(name.startswith("_") for name in extra):
            raise LookupError
        # pydantic counts extra fields among those set, construct() does not.
        model.__pydantic_fields_set__.difference_update(extra)
    values = model.__dict__
    for name, walk in walks:
        walk(values[name])


def _walk_list(walk: Walk, values: Any) -> None:
    if values is not None:
        for value in values:
            walk(value)


def _walk_dict(walk: Walk, values: Any) -> None:
    if values is not None:
        for value in values.values():
            walk(value)


class _Strict:
    """Rewrites one of pydantic's schemas."""

    def __init__(self, definitions: dict[str, Any], prefix: str) -> None:
        self._definitions = definitions
        self._prefix = prefix  # keeps the definitions of several schemas apart
        self._used: dict[str, Any] = {}

    def rewritten(self) -> list[Any]:
        """The definitions that the rewritten schema refers to."""
        return list(self._used.values())

    def rewrite(self, schema: Any) -> Any:
        rewrite = getattr(self, "_" + schema["type"].replace("-", "_"), None)
        rewritten = rewrite(schema) if rewrite is not None else None
        return self._lenient(schema) if rewritten is None else rewritten

    def _lenient(self, schema: Any) -> Any:
        needed: dict[str, Any] = {}
        self._collect(schema, needed)
        return _calling(_Lenient(cs.definitions_schema(schema, list(needed.values())) if needed else schema))

    def _collect(self, schema: Any, needed: dict[str, Any]) -> None:
        """Find the definitions that a schema refers to, however deep."""
        if isinstance(schema, dict):
            ref = schema.get("schema_ref")
            if schema.get("type") == "definition-ref" and ref not in needed:
                needed[ref] = self._definitions[ref]
                self._collect(needed[ref], needed)
            for key, value in schema.items():
                if key not in {"metadata", "serialization"}:
                    self._collect(value, needed)
        elif isinstance(schema, list | tuple):
            for value in schema:
                self._collect(value, needed)

    def _any(self, schema: Any) -> Any:
        return cs.any_schema()

    def _none(self, schema: Any) -> Any:
        return cs.none_schema()

    def _str(self, schema: Any) -> Any:
        return {**schema, "strict": True}

    _int = _bool = _str

    def _float(self, schema: Any) -> Any:
        return _FLOAT if schema.keys() <= {"type", "strict", "allow_inf_nan"} else None

    def _literal(self, schema: Any) -> Any:
        return {**schema, "strict": True} if all(type(value) is str for value in schema["expected"]) else None

    def _nullable(self, schema: Any) -> Any:
        return cs.nullable_schema(self.rewrite(schema["schema"]))

    def _default(self, schema: Any) -> Any:
        known = {"type", "schema", "default", "default_factory", "copy_default"}
        if not schema.keys() <= known | {"metadata", "serialization"} or schema.get("default_factory_takes_data"):
            return None
        return {**schema, "schema": self.rewrite(schema["schema"])}

    def _list(self, schema: Any) -> Any:
        return {**schema, "items_schema": self.rewrite(schema.get("items_schema", _ANY)), "strict": True}

    def _dict(self, schema: Any) -> Any:
        if schema.get("keys_schema", _ANY)["type"] not in {"any", "str"}:
            return None
        return {**schema, "values_schema": self.rewrite(schema.get("values_schema", _ANY)), "strict": True}

    def _definition_ref(self, schema: Any) -> Any:
        ref = schema["schema_ref"]
        if ref not in self._used:
            self._used[ref] = None  # a definition may refer to itself
            self._used[ref] = {**self.rewrite(self._definitions[ref]), "ref": self._prefix + ref}
        return cs.definition_reference_schema(self._prefix + ref)

    def _model(self, schema: Any) -> Any:
        fields = schema["schema"]
        if fields["type"] != "model-fields" or "extras_keys_schema" in fields:
            return None
        if any(schema.get(key) for key in ("custom_init", "post_init", "root_model")):
            return None
        inner = {name: {**info, "schema": self.rewrite(info["schema"])} for name, info in fields["fields"].items()}
        fields = {**fields, "fields": inner}
        if "extras_schema" in fields:
            fields["extras_schema"] = self.rewrite(fields["extras_schema"])
        return {key: value for key, value in schema.items() if key not in {"ref", "strict"}} | {"schema": fields}

    def _union(self, schema: Any) -> Any:
        if schema.get("mode", "smart") != "smart" or any(key.startswith("custom_error") for key in schema):
            return None
        members: dict[str, list[Any]] = {}
        for member in self._flat(schema):
            json_type = _JSON_TYPES.get(self._resolved(member)["type"])
            if json_type is None:
                return None
            members.setdefault(json_type, []).append(member)
        choices = []
        for json_type, alike in members.items():
            choice = self._one_of(json_type, alike)
            if choice is None:
                return None
            choices.append(choice)
        return choices[0] if len(choices) == 1 else cs.union_schema(choices, mode="left_to_right")

    def _flat(self, schema: Any) -> Any:
        if schema["type"] == "union":
            for member in schema["choices"]:
                yield from self._flat(member)
        elif schema["type"] == "nullable":
            yield from self._flat(schema["schema"])
            yield cs.none_schema()
        else:
            yield schema

    def _resolved(self, schema: Any) -> Any:
        return self._definitions[schema["schema_ref"]] if schema["type"] == "definition-ref" else schema

    def _one_of(self, json_type: str, alike: list[Any]) -> Any:
        """A schema for the members of a union that take the same type of JSON value."""
        if len(alike) == 1 or json_type == "null":
            return self.rewrite(alike[0])
        if json_type == "string":
            if any(member["type"] == "str" for member in alike):
                return cs.str_schema(strict=True) if all(member.keys() <= {"type", "expected"} for member in alike) else None
            return self._literal(cs.literal_schema([value for member in alike for value in member["expected"]]))
        if json_type == "object":
            return self._by_discriminator(alike)
        return None

    def _by_discriminator(self, models: list[Any]) -> Any:
        fields = [_model_fields(self._resolved(model)) for model in models]
        if None in fields:
            return None
        for name in fields[0]["fields"]:
            tagged = self._tagged(name, models, fields)
            if tagged is not None:
                return tagged
        return None

    def _tagged(self, name: str, models: list[Any], fields: list[Any]) -> Any:
        keys = set()
        choices: dict[str, list[Any]] = {}
        for model, own in zip(models, fields, strict=True):
            info = own["fields"].get(name)
            if info is None or info["schema"]["type"] != "literal" or self._literal(info["schema"]) is None:
                return None
            keys.add(info.get("validation_alias", name))
            for value in info["schema"]["expected"]:
                choices.setdefault(value, []).append(model)
        key = keys.pop()
        if keys or not isinstance(key, str) or all(len(alike) == len(models) for alike in choices.values()):
            return None
        return cs.tagged_union_schema(
            {
                value: self.rewrite(alike[0]) if len(alike) == 1 else self._lenient(cs.union_schema(alike))
                for value, alike in choices.items()
            },
            key,
            strict=True,
        )


_ANY = cs.any_schema()


class _Lenient:
    """Pydantic's own validation of one value, prepared when it is first needed."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._validate: Callable[[Any], Any] | None = None

    def __call__(self, value: Any) -> Any:
        if self._validate is None:
            self._validate = SchemaValidator(self._schema).validate_python
        return self._validate(value)
