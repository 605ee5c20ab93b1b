"""Makes plans for values that pydantic validates.

The SDKs let pydantic validate in lenient mode, which converts values. A plan never converts: it refuses a
value of a wrong type. A plan gives pydantic's result because lenient and strict validation agree if the value
has the right type and only one member of each union accepts it. A plan selects that member by the
discriminator or by the type of the JSON value. If neither is enough, it calls pydantic for that value.
"""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter
from pydantic_core import SchemaValidator, core_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Validated", "default_of", "model_fields"]

Plan = tuple[Any, ...]

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
    "function-before": "object",
    "tagged-union": "object",
}

_MEMBERS = frozenset({"union", "nullable"})

# Keys of a schema that do not affect validation.
_IGNORED_KEYS = frozenset({"type", "metadata", "serialization", "ref"})


def model_fields(schema: Any) -> Any:
    """Return the schema of a model's fields; None if this is not the schema of a model with fields."""
    if schema["type"] == "definitions":
        schema = schema["schema"]
    if schema["type"] != "model" or schema["schema"]["type"] != "model-fields":
        return None
    return schema["schema"]


def default_of(value: Any, make: Callable[[], Any]) -> Plan:
    """Plan a default: share an immutable value, call ``make`` each time for any other."""
    return ("value", value) if value is None or type(value) in {str, int, float, bool} else ("factory", make)


def _pydantic_default(value: Any) -> Plan:
    """Plan a default as pydantic gives it: each instance gets a copy of a value that has no hash."""
    with suppress(TypeError):
        hash(value)
        return ("value", value)
    if isinstance(value, BaseModel) and type(value).__deepcopy__ is BaseModel.__deepcopy__:
        parts = (vars(value), value.__pydantic_extra__, value.__pydantic_fields_set__)
        if parts == ({}, None, set()) and value.__pydantic_private__ is None:
            return ("empty", type(value))
    return ("factory", partial(deepcopy, value))


class Validated:
    """Makes plans from pydantic's schemas.

    The method ``_x_y`` plans a schema of type ``x-y``. If there is no such method, or it returns None because
    the schema has unknown parts, the plan calls pydantic.
    """

    def __init__(self, schemas: dict[str, Any], plans: list[Any]) -> None:
        self._schemas = schemas
        self._plans = plans
        self._positions: dict[str, int] = {}

    @classmethod
    def plan(cls, type_: Any, definitions: list[Any]) -> Plan:
        """Make the plan for a type. Append the plans of the types that it refers to to ``definitions``."""
        schema: Any = TypeAdapter(type_).core_schema
        if schema["type"] == "definitions":
            schemas = {definition["ref"]: definition for definition in schema["definitions"]}
            return cls(schemas, definitions)._plan(schema["schema"])
        return cls({}, definitions)._plan(schema)

    def _plan(self, schema: Any) -> Plan:
        make = getattr(self, f"_{schema['type'].replace('-', '_')}", None)
        plan: Plan | None = make and make(schema)
        return self._call_pydantic(schema) if plan is None else plan

    def _call_pydantic(self, schema: Any) -> Plan:
        needed: dict[str, Any] = {}
        self._collect(schema, needed)
        if needed:
            schema = core_schema.definitions_schema(schema, list(needed.values()))
        return ("call", _PydanticValidator(schema))

    def _collect(self, schema: Any, needed: dict[str, Any]) -> None:
        """Add all definitions that a schema refers to to ``needed``."""
        if isinstance(schema, dict):
            ref = schema.get("schema_ref", "")
            if schema.get("type") == "definition-ref" and ref not in needed:
                needed[ref] = self._schemas[ref]
                self._collect(needed[ref], needed)
            for key, value in schema.items():
                if key not in _IGNORED_KEYS:
                    self._collect(value, needed)
        elif isinstance(schema, list | tuple):
            for value in schema:
                self._collect(value, needed)

    def _any(self, schema: Any) -> Plan:
        return ("any",)

    def _none(self, schema: Any) -> Plan:
        return ("null",)

    def _str(self, schema: Any) -> Plan | None:
        return (schema["type"],) if schema.keys() <= _IGNORED_KEYS else None

    _int = _float = _bool = _str

    def _literal(self, schema: Any) -> Plan | None:
        expected = schema["expected"]
        return ("literal", expected) if all(type(value) is str for value in expected) else None

    def _nullable(self, schema: Any) -> Plan:
        return ("nullable", self._plan(schema["schema"]))

    def _default(self, schema: Any) -> Plan | None:
        known = {"schema", "default", "default_factory", "copy_default"}
        return self._plan(schema["schema"]) if schema.keys() <= _IGNORED_KEYS | known else None

    def _list(self, schema: Any) -> Plan | None:
        if not schema.keys() <= _IGNORED_KEYS | {"items_schema"}:
            return None
        return ("list", self._plan(schema.get("items_schema", _ANY)))

    def _dict(self, schema: Any) -> Plan | None:
        if not schema.keys() <= _IGNORED_KEYS | {"keys_schema", "values_schema"}:
            return None
        if self._plan(schema.get("keys_schema", _ANY)) not in {("any",), ("str",)}:
            return None
        return ("dict", self._plan(schema.get("values_schema", _ANY)))

    def _definition_ref(self, schema: Any) -> Plan:
        ref = schema["schema_ref"]
        position = self._positions.get(ref)
        if position is None:
            position = self._positions[ref] = len(self._plans)
            self._plans.append(None)  # reserve the position, because a definition may refer to itself
            self._plans[position] = self._plan(self._schemas[ref])
        return ("definition", position)

    def _model(self, schema: Any) -> Plan | None:
        fields = schema["schema"]
        config = schema.get("config", {})
        if fields["type"] != "model-fields" or "extras_keys_schema" in fields:
            return None
        if any(schema.get(key) for key in ("custom_init", "post_init", "root_model")):
            return None
        extra = fields.get("extra_behavior", config.get("extra_fields_behavior")) or "ignore"
        if extra not in {"allow", "ignore"} or config.get("strict") or config.get("validate_default"):
            return None
        if config.get("validate_by_alias") is False:
            return None
        plans: list[Any] = [self._field(name, info) for name, info in fields["fields"].items()]
        if None in plans:
            return None
        extras = self._plan(fields.get("extras_schema", _ANY)) if extra == "allow" else None
        plan = ("model", schema["cls"], plans, extras, True)
        if config.get("populate_by_name") or config.get("validate_by_name"):
            names = [name for name, key, *_ in plans if name != key]
            return (*plan, names) if names else plan
        return plan

    def _field(self, name: str, info: Any) -> Plan | None:
        key, schema = info.get("validation_alias", name), info["schema"]
        if not isinstance(key, str) or schema.get("default_factory_takes_data"):
            return None
        if schema["type"] != "default":
            default: Plan = ("required",)
        elif "default_factory" in schema:
            default = ("factory", schema["default_factory"])
        else:
            default = _pydantic_default(schema["default"])
        return (name, key, self._plan(schema), default)

    def _union(self, schema: Any) -> Plan | None:
        if not schema.keys() <= _IGNORED_KEYS | {"choices"}:
            return None
        members: dict[str, list[Any]] = {}
        for member in self._members(schema):
            kind = self._kind(member)
            if kind is None:
                return None
            members.setdefault(kind, []).append(member)
        plans = {kind: self._one_of(kind, group) for kind, group in members.items()}
        if None in plans.values():
            return None
        return next(iter(plans.values())) if len(plans) == 1 else ("by kind", plans)

    def _members(self, schema: Any, seen: tuple[str, ...] = ()) -> Iterator[Any]:
        ref = schema.get("schema_ref", "")
        if (resolved := self._resolved(schema))["type"] in _MEMBERS and ref not in seen:
            seen = (*seen, ref)
            schema = resolved
        if schema["type"] == "union":
            for member in schema["choices"]:
                yield from self._members(member, seen)
        elif schema["type"] == "nullable":
            yield from self._members(schema["schema"], seen)
            yield core_schema.none_schema()
        else:
            yield schema

    def _kind(self, schema: Any) -> str | None:
        """Give the kind of the only JSON values that a schema accepts; None if that is not known."""
        schema = self._resolved(schema)
        if _is_open_text(schema):
            return "string"
        if schema["type"] == "function-before" and open_union(schema) is None:
            return None
        return _JSON_TYPES.get(schema["type"])

    def _resolved(self, schema: Any) -> Any:
        return self._schemas[schema["schema_ref"]] if schema["type"] == "definition-ref" else schema

    def _one_of(self, kind: str, group: list[Any]) -> Plan | None:
        """Plan the members of a union that accept the same kind of JSON value."""
        if len(group) == 1 or kind == "null":
            return self._plan(group[0])
        if kind == "string":
            *known, last = group
            if _is_open_text(self._resolved(last)) and len(known) == 1:
                # A text that the first member knows is not looked at by the last one.
                plan = self._plan(known[0])
                return ("either", plan, self._plan(last)) if plan[0] == "literal" else None
            plans = [self._plan(member) for member in group]
            if ("str",) in plans:
                return ("str",)
            if all(plan[0] == "literal" for plan in plans):
                return ("literal", [value for plan in plans for value in plan[1]])
        if kind == "object":
            group = self._without_empty(group)
            if len(group) == 1:
                return self._plan(group[0])
            fields = [model_fields(self._resolved(member)) for member in group]
            if None not in fields:
                names = dict.fromkeys(name for own in fields for name in own["fields"])
                tagged = (self._tagged(name, group, fields) for name in names)
                first = next((plan for plan in tagged if plan is not None), None)
                return first or self._by_constant(group, fields)
        return None

    def _without_empty(self, group: list[Any]) -> list[Any]:
        """Leave out the models without fields, if the others have required fields.

        Pydantic prefers the member that takes most fields.
        """
        fields = [model_fields(self._resolved(member)) for member in group]
        if None in fields:
            return group
        filled = [member for member, own in zip(group, fields, strict=True) if own["fields"]]
        is_clear = all(_keys(own, required=True) for own in fields if own["fields"])
        return filled if filled and is_clear else group

    def _by_constant(self, models: list[Any], fields: list[Any]) -> Plan | None:
        """Plan a union of models that all have the same field, each with another constant in it."""
        for key in _keys(fields[0]):
            values = [self._constant(own, key) for own in fields]
            if None not in values and len(set(values)) == len(values):
                return self._by_tag(key, dict(zip(values, models, strict=True)))
        return None

    def _constant(self, fields: Any, key: str) -> str | None:
        """Give the only text that a field takes; None if there is none."""
        for name, info in fields["fields"].items():
            if info.get("validation_alias", name) == key:
                literal = _literal(self._plan(info["schema"]))
                return literal[0] if len(literal) == 1 else None
        return None

    def _function_after(self, schema: Any) -> Plan | None:
        """Plan a constant of an SDK that Speakeasy generated: the function raises an error for any other."""
        inner = self._plan(schema["schema"])
        function = schema["function"].get("function")
        if schema["function"]["type"] != "no-info":
            return None
        if getattr(function, "__qualname__", "") != "validate_const.<locals>.validate":
            return None

        def accepts(value: str | None) -> bool:
            try:
                return function(value) is value
            except ValueError:  # some versions refuse None
                return False

        values = _literal(inner)
        if not values or not all(map(accepts, values)):
            return None
        literal = ("literal", values)
        return ("nullable", literal) if inner[0] == "nullable" and accepts(None) else literal

    def _function_before(self, schema: Any) -> Plan | None:
        found = open_union(schema)
        if found is None:
            return None
        by_class = {self._resolved(member).get("cls"): member for member in self._members(schema["schema"])}
        key, variants = found
        if not all(variant in by_class for variant in variants.values()):
            return None
        return self._by_tag(key, {tag: by_class[variant] for tag, variant in variants.items()})

    def _tagged_union(self, schema: Any) -> Plan | None:
        choices, discriminator = schema["choices"], schema["discriminator"]
        if callable(discriminator):
            key = _key_of(discriminator, list(choices))
        else:
            key = discriminator if isinstance(discriminator, str) else None
        return None if key is None else self._by_tag(key, choices)

    def _by_tag(self, key: str, choices: dict[Any, Any]) -> Plan | None:
        """Plan a union of models, of which the value of a key tells the member."""
        plans = []
        for tag, member in choices.items():
            plan = self._plan(self._resolved(member))
            places = [i for i, field in enumerate(plan[2]) if field[1] == key] if plan[0] == "model" else []
            if type(tag) is not str or not places:
                return None
            name, _, own, default = plan[2][places[0]]
            if tag not in _literal(own):
                return None
            fields = [*plan[2]]
            fields[places[0]] = (name, key, ("literal", [tag]), default)
            plans.append((*plan[:2], fields, *plan[3:]))
        return ("tagged", key, {tag: place for place, tag in enumerate(choices)}, plans)

    def _tagged(self, name: str, models: list[Any], fields: list[Any]) -> Plan | None:
        """Plan a union of models with this field as the discriminator; None if it cannot be one.

        Models without the field may be members, too. They accept only objects that have their required
        fields, so a plan refuses objects that have one of these.
        """
        keys = set()
        models_by_value: dict[str, list[Any]] = {}
        others: list[tuple[Any, Any]] = []
        for model, own in zip(models, fields, strict=True):
            info = own["fields"].get(name)
            if info is None:
                others.append((model, own))
                continue
            literal = self._discriminator(info)
            if literal["type"] != "literal" or self._literal(literal) is None:
                return None
            keys.add(info.get("validation_alias", name))
            for value in literal["expected"]:
                models_by_value.setdefault(value, []).append(model)
        tagged = len(models) - len(others)
        if len(keys) > 1 or (not others and any(len(group) == tagged for group in models_by_value.values())):
            return None
        known = {key for own in fields if name in own["fields"] for key in _keys(own)}
        refused = [
            next((key for key in _keys(own, required=True) if key not in known), None) for _, own in others
        ]
        if None in refused:
            return None
        untagged = [model for model, _ in others]
        positions: dict[str, int] = {}
        plans: list[Plan] = []
        for value, group in models_by_value.items():
            same = next((other for other in positions if models_by_value[other] == group), None)
            if same is None:
                positions[value] = len(plans)
                plans.append(self._alternative(group, untagged, refused))
            else:
                positions[value] = positions[same]
        return ("tagged", keys.pop(), positions, plans)

    def _discriminator(self, field: Any) -> Any:
        """Give the schema of the literal that makes a field a discriminator."""
        return field["schema"]

    def _alternative(self, models: list[Any], untagged: list[Any], refused: list[Any]) -> Plan:
        """Plan the models that have one tag, for objects that have none of the keys to refuse."""
        if len(models) == 1:
            plan = self._plan(self._resolved(models[0]) if untagged else models[0])
            if not untagged:
                return plan
            if plan[0] == "model":
                return (*plan[:5], [*refused, *(plan[5] if len(plan) > 5 else ())])
        return self._call_pydantic(core_schema.union_schema([*models, *untagged]))


def _literal(plan: Plan) -> list[str]:
    """Give the texts that a plan accepts, if it accepts no others. It may accept None, too."""
    if plan[0] == "nullable":
        plan = plan[1]
    return plan[1] if plan[0] == "literal" else []


def open_union(schema: Any) -> tuple[str, dict[str, Any]] | None:
    """Give the key and the models of a union that an SDK from Speakeasy reads by the value of that key.

    Any other value gives a class of its own there, and no value is an error.
    """
    function = schema["function"].get("function")
    if schema["function"]["type"] != "no-info" or not isinstance(function, partial) or function.args:
        return None
    named = function.keywords
    if named.keys() != {"disc_key", "variants", "unknown_cls", "union_name"}:
        return None
    if getattr(function.func, "__name__", "") != "parse_open_union":
        return None
    return named["disc_key"], named["variants"]


def _is_open_text(schema: Any) -> bool:
    """Whether this is the type for other texts than those that an SDK from Speakeasy knows."""
    if schema["type"] != "lax-or-strict" or schema["strict_schema"]["type"] != "none":
        return False
    lax = schema["lax_schema"]
    return bool(lax["type"] == "chain" and lax["steps"][0] == {"type": "str"})


def _key_of(discriminator: Callable[[Any], Any], tags: list[Any]) -> str | None:
    """Find the key by which a function tells the members of a union."""
    for key in getattr(getattr(discriminator, "__code__", None), "co_consts", ()):
        with suppress(Exception):
            if type(key) is str and [discriminator({key: tag, "": ""}) for tag in tags] == tags:
                return key
    return None


def _keys(fields: Any, *, required: bool = False) -> list[str]:
    """Give the keys of a model's fields in JSON, or those of its required fields."""
    return [
        info.get("validation_alias", name)
        for name, info in fields["fields"].items()
        if not required or info["schema"]["type"] != "default"
    ]


_ANY = core_schema.any_schema()


class _PydanticValidator:
    """Validates a value with pydantic. Builds the validator on first use."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._validate: Callable[[Any], Any] | None = None

    def __call__(self, value: Any) -> Any:
        if self._validate is None:
            self._validate = SchemaValidator(self._schema).validate_python
        return self._validate(value)
