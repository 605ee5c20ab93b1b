"""Makes the plan that builds the responses of ``generate_content_stream``, equal to google-genai's own.

The SDK moves the keys of each chunk to another dict, removes unknown ones, and lets pydantic validate the
rest. What it does with which key of a response or a candidate is tried out, with its own functions. For the
rest the plan follows pydantic's schema, with values of exactly the right types. Others are left to the SDK.
"""

from __future__ import annotations

from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from google.genai import _common, models, types
from pydantic import BaseModel
from pydantic_core import SchemaValidator

from ssejet._core import Assembler
from ssejet.swap._plan.validated import Plan, Validated, default_of
from ssejet.swap._support import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["RESPONSE_FIELD", "Rules", "assembler"]

RESPONSE_FIELD = "sdk_http_response"
"""The field of a response that has the headers of the HTTP response."""

_PROBE = ["probe"]
_CANDIDATES = "candidates"
# The SDK raises an error for a chunk that begins with it.
_ERROR_KEY = "error"
_REFUSE: Plan = ("literal", [])
# Values that pydantic makes of one JSON value, without other code.
_CONVERTED = frozenset({"bytes", "datetime", "date", "time", "timedelta"})
# What a model's configuration may say: nothing else changes how the values of a response are validated.
_CONFIG = frozenset(
    {
        *("title", "from_attributes", "extra_fields_behavior", "ser_json_bytes", "val_json_bytes"),
        *("validate_by_alias", "validate_by_name", "populate_by_name"),
    }
)
_check_types = getattr(getattr(_common.BaseModel, "_check_field_type_mismatches", None), "__func__", None)


def assembler(rules: Rules) -> Assembler:
    """Make the assembler for the responses of one of the two services, Gemini and Vertex.

    Raises:
        UnsupportedError: pydantic does not know how to validate them.
    """
    response = types.GenerateContentResponse
    if response.model_rebuild() is False:
        raise UnsupportedError("its responses have fields of unknown types")
    schema: Any = response.__pydantic_core_schema__
    schemas = {}
    if schema["type"] == "definitions":
        schemas = {definition["ref"]: definition for definition in schema["definitions"]}
        schema = schema["schema"]
    plans: list[Any] = []
    return Assembler(_Planner(schemas, plans, rules).root(schema), plans)


class _Planner(Validated):
    """Plans the values of a response."""

    def __init__(self, schemas: dict[str, Any], plans: list[Any], rules: Rules) -> None:
        super().__init__(schemas, plans)
        self._rules: dict[type, dict[str, bool] | None] = {
            types.GenerateContentResponse: rules.top,
            types.Candidate: rules.candidate,
        }
        self._places: dict[tuple[str, bool], int] = {}
        self._config: Any = {}
        # Whether the SDK removes unknown keys from the objects here. Elsewhere pydantic refuses them.
        self._drops = True

    def root(self, schema: Any) -> Plan:
        """Plan a response."""
        plan = self._plan(schema)
        if plan[0] != "model":
            raise UnsupportedError("its responses are not the models that are known here")
        return plan

    @contextmanager
    def _with(self, **changes: Any) -> Iterator[None]:
        before = {name: getattr(self, name) for name in changes}
        vars(self).update(changes)
        try:
            yield
        finally:
            vars(self).update(before)

    def _call_pydantic(self, schema: Any) -> Plan:
        if schema["type"] not in _CONVERTED:
            return _REFUSE
        return ("call", SchemaValidator(schema, self._config).validate_python)

    def _definition_ref(self, schema: Any) -> Plan:
        ref = schema["schema_ref"]
        place = self._places.get((ref, self._drops))
        if place is None:
            place = self._places[ref, self._drops] = len(self._plans)
            self._plans.append(None)  # reserve the place, because a definition may refer to itself
            self._plans[place] = self._plan(self._schemas[ref])
        return ("definition", place)

    def _enum(self, schema: Any) -> Plan:
        members = {member.value: member for member in schema["members"]}
        return ("enum", members) if all(type(value) is str for value in members) else _REFUSE

    def _dict(self, schema: Any) -> Plan | None:
        with self._with(_drops=False):
            return super()._dict(schema)

    def _union(self, schema: Any) -> Plan | None:
        with self._with(_drops=False):
            return super()._union(schema)

    def _list(self, schema: Any) -> Plan | None:
        # The SDK looks into lists of models only.
        items = self._resolved(schema.get("items_schema", {"type": "any"}))
        with self._with(_drops=self._drops and items["type"] == "model"):
            return super()._list(schema)

    def _model(self, schema: Any) -> Plan:
        cls, fields, config = schema["cls"], schema["schema"], schema.get("config", {})
        while fields["type"] == "function-before" and _is_check(fields["function"]["function"]):
            fields = fields["schema"]
        private = _private(cls) if schema.get("post_init") else None
        if (
            fields["type"] != "model-fields"
            or not config.keys() <= _CONFIG
            or config.get("extra_fields_behavior") != "forbid"
            or schema.get("root_model")
            or (schema.get("custom_init") and cls is not types.Part)
            or (schema.get("post_init") and private is None)
        ):
            return _REFUSE
        rule = self._rules.get(cls)
        with self._with(_config={key: config[key] for key in config if key == "val_json_bytes"}):
            plans = [
                self._member(name, info, rule, cls is types.Part) for name, info in fields["fields"].items()
            ]
        known = {key for _, key, *_ in plans}
        refused = [name for name in fields["fields"] if name not in known]
        if cls is types.GenerateContentResponse:
            refused.append(_ERROR_KEY)
        others = None if self._drops else ("refuse",)
        options = [] if rule is None else ["without null"]
        return ("model", cls, plans, others, False, refused, options, private)

    def _member(self, name: str, info: Any, rule: dict[str, bool] | None, is_part: bool) -> Plan:
        key, schema = info.get("validation_alias", name), info["schema"]
        default: Plan = ("required",)
        if schema["type"] == "default":
            if "default" not in schema or default_of(schema["default"], dict)[0] != "value":
                return (name, key, _REFUSE, ("required",))
            default, schema = ("value", schema["default"]), schema["schema"]
        if not isinstance(key, str):
            return (name, None, _REFUSE, default)
        if rule is not None and key not in rule:
            return (name, None, _REFUSE, default)  # the SDK does not look at it
        if rule is not None and not rule[key]:
            return (name, key, _REFUSE, default)
        plan = self._plan(schema)
        if is_part and plan[0] == "nullable":
            plan = plan[1]  # the constructor of parts drops some nulls
        return (name, key, plan, default)


def _is_check(function: Any) -> bool:
    """Whether this is the SDK's validator that only warns about instances of models, and JSON has none."""
    return _check_types is not None and getattr(function, "__func__", None) is _check_types


def _private(cls: Any) -> dict[str, Any] | None:
    """Give the values of a model's private attributes, if they are constants and nothing else is done."""
    if cls.model_post_init is not _WithPrivate.model_post_init:
        return None
    values = {name: info.default for name, info in cls.__private_attributes__.items()}
    plain = all(
        info.default_factory is None and default_of(info.default, dict)[0] == "value"
        for info in cls.__private_attributes__.values()
    )
    return values if plain else None


class _WithPrivate(BaseModel):
    """Shows which function pydantic itself calls for private attributes."""

    _probe: int = 0


class Rules:
    """Which keys of a chunk the SDK takes over as they are.

    Attributes:
        top: the keys that it looks at, and whether it takes over their values unchanged.
        candidate: the same for each candidate; None if it takes over candidates as they are.
    """

    def __init__(self, function: FunctionType) -> None:
        """Try out a function of the SDK that turns the JSON of a chunk into the values of a response.

        Raises:
            UnsupportedError: it does something that is not understood.
        """
        words = sorted(set(_words(function, set())))

        parameters = function.__code__.co_varnames[: function.__code__.co_argcount]

        def convert(data: dict[str, Any]) -> dict[str, Any]:
            # Versions differ in what else the function takes.
            made: dict[str, Any] = function(*(data if name == "from_object" else None for name in parameters))
            return made

        def convert_candidate(data: dict[str, Any]) -> dict[str, Any]:
            made = convert({_CANDIDATES: [data]})
            if list(made) != [_CANDIDATES] or len(made[_CANDIDATES]) != 1:
                raise UnsupportedError("it makes something else of candidates")
            candidate: dict[str, Any] = made[_CANDIDATES][0]
            return candidate

        self.top = _rule(
            convert, types.GenerateContentResponse, [word for word in words if word != _CANDIDATES]
        )
        if convert({_CANDIDATES: []}) != {_CANDIDATES: []}:
            raise UnsupportedError("it makes something else of candidates")
        self.top[_CANDIDATES] = True
        self.top["sdkHttpResponse"] = False
        stays = convert_candidate({"probe": 1}) == {"probe": 1}
        self.candidate = None if stays else _rule(convert_candidate, types.Candidate, words)


def _rule(
    convert: Callable[[dict[str, Any]], dict[str, Any]], model: Any, words: list[str]
) -> dict[str, bool]:
    fields = {info.alias or name: name for name, info in model.model_fields.items()}
    rule = {}
    for word in words:
        try:
            made = convert({word: _PROBE})
        except Exception:  # it takes other values
            made = {word: None}
        if made:
            rule[word] = made == {fields.get(word): _PROBE}
    return rule


def _words(function: FunctionType, seen: set[Any]) -> Iterator[str]:
    """Yield the texts that a function's code, and that of the SDK's functions that it calls, mentions."""
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        for constant in code.co_consts:
            if isinstance(constant, str):
                yield constant
            elif isinstance(constant, CodeType):
                codes.append(constant)
            elif isinstance(constant, tuple):
                yield from (each for each in constant if isinstance(each, str))
        for name in code.co_names:
            other = getattr(models, name, None)
            if isinstance(other, FunctionType) and other.__module__ == models.__name__ and other not in seen:
                seen.add(other)
                yield from _words(other, seen)
