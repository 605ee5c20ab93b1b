"""Makes plans for values that pydantic validates.

The SDKs let pydantic validate in lenient mode, which converts values. A plan never converts: it refuses a
value of a wrong type. A plan gives pydantic's result because lenient and strict validation agree if the value
has the right type and only one member of each union accepts it. A plan selects that member by the
discriminator or by the type of the JSON value. If neither is enough, it calls pydantic for that value.
"""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
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
}

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
        if fields.get("extra_behavior", config.get("extra_fields_behavior")) != "allow":
            return None
        if any(config.get(key) for key in ("populate_by_name", "validate_by_name", "validate_default")):
            return None
        plans = [self._field(name, info) for name, info in fields["fields"].items()]
        if None in plans:
            return None
        return ("model", schema["cls"], plans, self._plan(fields.get("extras_schema", _ANY)), True)

    def _field(self, name: str, info: Any) -> Plan | None:
        key, schema = info.get("validation_alias", name), info["schema"]
        if not isinstance(key, str) or schema.get("default_factory_takes_data"):
            return None
        if schema["type"] != "default":
            default: Plan = ("required",)
        elif "default_factory" in schema:
            default = ("factory", schema["default_factory"])
        else:
            default = default_of(schema["default"], partial(deepcopy, schema["default"]))
        return (name, key, self._plan(schema), default)

    def _union(self, schema: Any) -> Plan | None:
        if not schema.keys() <= _IGNORED_KEYS | {"choices"}:
            return None
        members: dict[str, list[Any]] = {}
        for member in self._members(schema):
            kind = _JSON_TYPES.get(self._resolved(member)["type"])
            if kind is None:
                return None
            members.setdefault(kind, []).append(member)
        plans = {kind: self._one_of(kind, group) for kind, group in members.items()}
        if None in plans.values():
            return None
        return next(iter(plans.values())) if len(plans) == 1 else ("by kind", plans)

    def _members(self, schema: Any) -> Iterator[Any]:
        if schema["type"] == "union":
            for member in schema["choices"]:
                yield from self._members(member)
        elif schema["type"] == "nullable":
            yield from self._members(schema["schema"])
            yield core_schema.none_schema()
        else:
            yield schema

    def _resolved(self, schema: Any) -> Any:
        return self._schemas[schema["schema_ref"]] if schema["type"] == "definition-ref" else schema

    def _one_of(self, kind: str, group: list[Any]) -> Plan | None:
        """Plan the members of a union that accept the same kind of JSON value."""
        if len(group) == 1 or kind == "null":
            return self._plan(group[0])
        if kind == "string":
            plans = [self._plan(member) for member in group]
            if ("str",) in plans:
                return ("str",)
            if all(plan[0] == "literal" for plan in plans):
                return ("literal", [value for plan in plans for value in plan[1]])
        if kind == "object":
            fields = [model_fields(self._resolved(member)) for member in group]
            if None not in fields:
                names = dict.fromkeys(name for own in fields for name in own["fields"])
                tagged = (self._tagged(name, group, fields) for name in names)
                return next((plan for plan in tagged if plan is not None), None)
        return None

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
                return (*plan, refused)
        return self._call_pydantic(core_schema.union_schema([*models, *untagged]))


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
