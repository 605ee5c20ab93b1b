"""Without orjson, which some interpreters have no wheels of, JSON is read and written with equal results."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from ssejet import _json

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]

HIDE = "import sys; sys.modules['orjson'] = None\n"

WRITE = """if True:
    import dataclasses, datetime, decimal, enum, json, math, uuid
    import msgspec, pydantic
    import ssejet
    from ssejet._json import dumps, dumps_by
    from ssejet.chat import ChatCompletion

    class Color(enum.Enum):
        RED = "red"

    class Level(enum.IntEnum):
        HIGH = 3

    class Word(str): pass
    class Number(int): pass
    class Table(dict): pass
    class Unknown: pass

    class Point(msgspec.Struct):
        x: int

    class Person(pydantic.BaseModel):
        name: str

    @dataclasses.dataclass
    class Job:
        name: str
        _secret: int = 1

    @dataclasses.dataclass(slots=True)
    class Slotted:
        name: str
        _secret: int = 1

    utc = datetime.timezone.utc
    loop = []
    loop.append(loop)
    values = [
        {"text": "caf\u00e9 \U0001f600 \\x00 \\x7f \u2028", "n": [1, -1, 0.5, True, None]},
        {"a": {"b": [{}, [], ""]}}, [1e16, 1e-7, -0.0, 1e300],
        {"nan": math.nan, "inf": [math.inf, -math.inf], "text": "NaN"},
        {"big": 2**70, "small": -(2**70)}, {1: "int key", 2.5: "float key"}, {"half": "\\ud800"},
        (1, 2), {"tuple": (1, (2, 3))}, {"set": {1}}, {"bytes": b"abc"}, {"decimal": decimal.Decimal("1.50")},
        Color.RED, {"enum": [Color.RED, Level.HIGH]}, [Word("w"), Number(7), Table(a=1)],
        Job("a"), Slotted("b"), {"jobs": [Job("c"), Slotted("d")]},
        datetime.datetime(2020, 1, 2, 3, 4, 5, 6), datetime.datetime(2020, 1, 2, tzinfo=utc),
        [datetime.date(2020, 1, 2), datetime.time(1, 2, 3)], uuid.UUID(int=5),
        Point(1), {"struct": Point(2)}, Person(name="x"), {"model": [Person(name="y")]},
        Unknown(), {"unknown": [Unknown()]}, {"nested": {"k": Unknown}}, loop, {"loop": loop},
        {"level": math.nan, "job": Job("e"), "at": datetime.datetime(2020, 1, 2, tzinfo=utc)},
    ]
    def attempt(function, *arguments):
        try:
            return function(*arguments).decode()
        except (TypeError, ValueError) as error:
            return type(error).__name__

    def hook(value):
        if isinstance(value, Unknown):
            return "unknown"
        raise TypeError("no")

    def same(text):
        # The JSON may be written in other ways: 1e-7 or 1e-07, with spaces or without.
        try:
            return repr(json.loads(text.removeprefix("data: ")))
        except ValueError:
            return text

    for value in values:
        print(*(ascii(same(attempt(function, *arguments))) for function, *arguments in (
            (dumps, value), (ssejet.encode, value), (dumps_by, hook, value),
        )))
"""

READ = """if True:
    import ssejet
    from ssejet._json import loads
    texts = [
        '{"a": [1, -0, 0.5, 1e5, true, null], "b": "caf\u00e9 \\\\ud83d\\\\ude00"}', '{"a": 1, "a": 2}',
        " 1 ", "NaN", "[Infinity, -Infinity]", "1e400",
        '"\\\\ud800"', '"\\ud800"', str(2**64), str(-(2**63) - 1),
        "9" * 400, "5e-324", "01", "[1,]", "", "tru", '"\\x01"', "\\ufeff1", '{"a"', "[" * 200 + "]" * 200,
    ]
    for text in texts:
        try:
            print(ascii(loads(text)), ascii(ssejet.ServerSentEvent(data=text).json()))
        except ValueError as error:
            print(type(error).__name__, ascii(str(error)))
"""


def run(program: str) -> list[str]:
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


# An interpreter that has no wheels of orjson can only run without it.
needs_orjson = pytest.mark.skipif(find_spec("orjson") is None, reason="orjson is not installed")


@needs_orjson
def test_reading_gives_the_same_values_and_errors() -> None:
    assert run(HIDE + READ) == run(READ)


@needs_orjson
def test_writing_gives_the_same_json_and_errors() -> None:
    with_orjson = run(WRITE)
    assert len(with_orjson) == 32
    assert run(HIDE + WRITE) == with_orjson


def test_a_hidden_orjson_is_not_imported() -> None:
    program = "from ssejet import _orjson, encode; encode({'a': 1}); print(_orjson.dumps.__module__)"
    assert run(HIDE + program) == ["ssejet._without_orjson"]
    if find_spec("orjson") is not None:
        assert run(program) == ["orjson"]


@pytest.mark.parametrize(
    "tests",
    [
        "core/test_binding.py::test_encode_takes_no_interruption_for_a_refusal",
        "core/test_event.py",
        "core/test_text.py",
        "emit/test_items.py",
    ],
)
def test_the_tests_of_json_pass_without_orjson(tests: str) -> None:
    program = f"{HIDE}import pytest; sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', {tests!r}]))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("value", [{"a": [1, "é", None]}, {"half": "\ud800"}, [2**70], []])
def test_values_of_json_types_become_text(value: object, indent: int | None) -> None:
    text = _json.dump_builtins(value, indent=indent)
    assert json.loads(text) == value
    assert ("\n" in text) == (indent is not None and bool(value))
    assert indent is not None or " " not in text
