"""Builds the responses of ``generate_content_stream`` directly from JSON, equal to google-genai's own.

The SDK writes and reads the JSON of each chunk twice, moves its keys to another dict, removes unknown ones,
and validates the rest with a validator in Python in front of each model. Here the JSON is read once, and
pydantic validates it without those validators: they only warn about instances of models, and JSON has none.

What the SDK makes of which key is tried out, with its own functions. A chunk that is not built here in the
same way is left to the SDK.
"""

from __future__ import annotations

from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from google.genai import _common, models, types
from pydantic_core import SchemaValidator, ValidationError, core_schema

from ssejet._json import loads
from ssejet.swap._support import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Responses"]

_PROBE = ["probe"]
_ERROR_KEY = "error"
_CANDIDATES = "candidates"
# The keys of a schema that say nothing about validation.
_NO_SCHEMAS = frozenset({"metadata", "serialization", "cls", "config", "ref"})


class Responses:
    """Builds the responses of one of the two services, Gemini and Vertex.

    Attributes:
        headers: the headers of the HTTP response, which each of its chunks has.
    """

    def __init__(self, rules: Rules, headers: Any) -> None:
        self._http_response = {"headers": headers}
        self._top = rules.top
        self._candidate = rules.candidate
        self._validate = validator()

    def build(self, text: str) -> Any:
        """Build a response from the JSON text of a chunk. None if the SDK must do it."""
        try:
            data = loads(text)
        except (ValueError, RecursionError):
            return None
        if type(data) is not dict or _ERROR_KEY in data:
            return None
        values = self._kept(data, self._top)
        if values is None:
            return None
        candidates = values.get(_CANDIDATES)
        if candidates is not None and self._candidate is not None:
            if type(candidates) is not list:
                return None
            values[_CANDIDATES] = kept = [self._kept(each, self._candidate) for each in candidates]
            if None in kept:
                return None
        values["sdk_http_response"] = self._http_response
        try:
            return self._validate(values)
        except ValidationError:
            return None

    def _kept(self, data: Any, rule: dict[str, bool]) -> dict[str, Any] | None:
        """Give the members of an object that the SDK takes over. None if it changes one."""
        if type(data) is not dict:
            return None
        values = {}
        for key, value in data.items():
            if value is not None and key in rule:
                if not rule[key]:
                    return None
                values[key] = value
        return values


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

        def convert(data: dict[str, Any]) -> dict[str, Any]:
            made: dict[str, Any] = function(data, None, None)
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


_validate: Callable[[Any], Any] | None = None


def validator() -> Callable[[Any], Any]:
    """Give the function that validates the values of a response.

    Raises:
        UnsupportedError: pydantic would validate them in another way.
    """
    global _validate
    if _validate is None:
        response = types.GenerateContentResponse
        if response.model_rebuild() is False:
            raise UnsupportedError("its responses have fields of unknown types")
        schema: Any = _plain(response.__pydantic_core_schema__)
        try:
            # Otherwise pydantic would take the validators of the models, with those in Python.
            made = SchemaValidator(schema, _use_prebuilt=False)
        except TypeError:
            made = SchemaValidator(schema)
        _validate = made.validate_python
    return _validate


def _plain(schema: Any) -> Any:
    """Copy a schema without the SDK's validators that only warn."""
    if isinstance(schema, dict):
        if schema.get("type") in _SEE_JSON:
            function = schema["function"]["function"]
            if getattr(function, "__func__", None) is _check_types:
                return _plain(schema["schema"])
            # The SDK calls it after it has removed unknown keys, so the SDK must build these models.
            return core_schema.is_instance_schema(_Never)
        plain = {key: value if key in _NO_SCHEMAS else _plain(value) for key, value in schema.items()}
        if plain.get("cls") is types.Part and plain.pop("custom_init", False):
            ref = plain.pop("ref", None)
            return core_schema.no_info_before_validator_function(_without_nulls, plain, ref=ref)
        return plain
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    return schema


def _without_nulls(data: Any) -> Any:
    """Refuse what the constructor of parts changes before it validates the rest: it drops some nulls."""
    if type(data) is not dict or None in data.values():
        raise ValueError
    return data


class _Never:
    """JSON has no instance of it."""


_SEE_JSON = frozenset({"function-before", "function-wrap", "function-plain"})
_check_types = getattr(getattr(_common.BaseModel, "_check_field_type_mismatches", None), "__func__", None)
