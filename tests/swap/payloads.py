"""JSON texts in the likeness of a model, right and wrong, for the comparison of two ways to build it."""

from __future__ import annotations

import json
import types
from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

if TYPE_CHECKING:
    from random import Random

# What servers send instead of what they should: values that pydantic would coerce, that Python's json reads
# and others do not, that lose precision, that name the builder's own parameters.
ODDITIES = [
    "null",
    "true",
    "false",
    "0",
    "1",
    "-0",
    "-0.0",
    "1.0",
    "1.5",
    "1e400",
    "1e-400",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "123456789012345678901234567890",
    "1" + "0" * 400,
    "NaN",
    "Infinity",
    "-Infinity",
    '""',
    '"5"',
    '"1.5"',
    '"true"',
    '"null"',
    '"no such value"',
    '"2026-01-02T03:04:05Z"',
    '"2026-01-02"',
    "1767323045",
    r'"\ud800"',
    r'"\ud83d\ude00"',
    r'"\u0000"',
    '"é ☃ 😀"',
    "[]",
    "[null]",
    "[1, [2, {}]]",
    "{}",
    '{"type": "no such type"}',
    '{"type": null}',
    '{"a": 1, "a": 2}',
    '{"_fields_set": []}',
    '{"error": {"message": "no"}}',
]

_STRAY_KEYS = [
    "reasoning_content",
    "x",
    "_x",
    "_fields_set",
    "_BaseModel__cls",
    "self",
    "model_config",
    "é",
    "error",
]


class Scribe:
    """Writes one text; ``mischief`` is the chance, at each place, that something there is wrong."""

    def __init__(self, random: Random, mischief: float) -> None:
        self._random = random
        self._mischief = mischief

    def write(self, type_: Any, depth: int = 0) -> str:
        random = self._random
        if random.random() < self._mischief:
            return random.choice(ODDITIES)
        while get_origin(type_) is Annotated or hasattr(type_, "__value__"):
            type_ = getattr(type_, "__value__", None) or get_args(type_)[0]
        origin, arguments = get_origin(type_) or type_, get_args(type_)
        if origin is Union or origin is types.UnionType:
            return self._member(arguments, depth)
        if origin is Literal:
            return json.dumps(random.choice(arguments))
        if origin is list:
            return self._list(arguments[0] if arguments else object, depth)
        if origin is dict:
            keys = random.sample(["a", "b", "type", "é"], random.randint(0, 2))
            return self._object([(key, self.write(arguments[1], depth + 1)) for key in keys])
        if isinstance(origin, type) and issubclass(origin, BaseModel):
            return self._model(type_, depth)
        return self._scalar(type_)

    def _member(self, members: tuple[Any, ...], depth: int) -> str:
        if type(None) in members and (depth > 6 or self._random.random() < 0.4):
            return "null"
        return self.write(self._random.choice(members), depth)

    def _list(self, item: Any, depth: int) -> str:
        count = 0 if depth > 6 else self._random.choice([0, 1, 1, 2])
        return "[" + ", ".join(self.write(item, depth + 1) for _ in range(count)) + "]"

    def _model(self, model: type[BaseModel], depth: int) -> str:
        members = []
        for name, field in model.model_fields.items():
            if self._random.random() < (0.99 if field.is_required() else 0.5) - self._mischief / 2:
                key = name if self._random.random() < self._mischief else field.alias or name
                members.append((key, self.write(field.annotation, depth + 1)))
        if self._random.random() < self._mischief:
            members.append((self._random.choice(_STRAY_KEYS), self._random.choice(ODDITIES)))
        if members and self._random.random() < self._mischief:
            members.append((self._random.choice(members)[0], self._random.choice(ODDITIES)))
        if self._random.random() < 0.3:
            self._random.shuffle(members)
        return self._object(members)

    def _object(self, members: list[tuple[str, str]]) -> str:
        return "{" + ", ".join(f"{json.dumps(key)}: {value}" for key, value in members) + "}"

    def _scalar(self, type_: Any) -> str:
        random = self._random
        if type_ is str:
            return json.dumps(random.choice(["", "a", "Hello, ", "5", '{"a": ', "é☃😀", "\u2028", "\x00"]))
        if type_ is bool:
            return random.choice(["true", "false"])
        if type_ is int:
            return str(random.choice([0, 1, 7, -1, 1767323045]))
        if type_ is float:
            return random.choice(["0", "1", "-0.25", "1e3", "3.0", "NaN"])
        if type_ is bytes:
            return random.choice(['"YWI="', '"-_-_"', '"+/+/"', '"é"', '"a"', '""'])
        if type_ is type(None):
            return "null"
        if type_ in {datetime, date}:
            return '"2026-01-02T03:04:05.678Z"'
        if isinstance(type_, type) and issubclass(type_, Enum) and len(type_):
            return json.dumps(next(iter(type_)).value)
        return random.choice(ODDITIES)
