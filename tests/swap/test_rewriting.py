from __future__ import annotations

import ast
import asyncio
import inspect
import linecache
import traceback
from textwrap import dedent
from typing import Any

import pytest

from ssejet.swap._rewriting import is_written_as, rewritten
from ssejet.swap._support import UnsupportedError


class Answers(ast.NodeTransformer):
    """Replaces ``ask(…)`` by ``told(…)``."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.copy_location(ast.Name("told", node.ctx), node) if node.id == "ask" else node


SOURCE = '''
    from os.path import join
    base = "there"

    def ask(x):
        return x

    def other(x: int, *, y: str = base) -> str:
        """Say it."""
        return join(str(ask(x)), y)

    class Some:
        def method(self, x):
            if x:
                raise ValueError(ask(x))

        async def coroutine(self):
            return ask(1)

        def generator(self):
            yield ask(2)

        def closes_over(self, x):
            return __class__, ask(x)
'''


@pytest.fixture
def module() -> dict[str, Any]:
    source = dedent(SOURCE)
    linecache.cache["some.py"] = (len(source), None, source.splitlines(keepends=True), "some.py")
    names: dict[str, Any] = {"__name__": "some"}
    exec(compile(source, "some.py", "exec"), names)
    return names


def line_of(text: str) -> int:
    return [line.strip() for line in SOURCE.splitlines()].index(text) + 1


def rewrite(function: Any) -> Any:
    return rewritten(function, Answers(), {"told": lambda x: f"told {x}"})


def test_only_the_expression_changes(module: dict[str, Any]) -> None:
    stock = module["other"]
    made = rewrite(stock)
    assert (stock(1), made(1), made(1, y="z")) == ("1/there", "told 1/there", "told 1/z")
    assert inspect.signature(made) == inspect.signature(stock)
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__", "__kwdefaults__"):
        assert getattr(made, name) == getattr(stock, name)


def test_globals_stay_those_of_the_module(module: dict[str, Any]) -> None:
    made = rewrite(module["other"])
    module["join"] = lambda *parts: parts
    assert made(1) == ("told 1", "there")
    assert "told" not in module
    assert "_make" not in module


def test_methods_coroutines_and_generators_stay_what_they_are(module: dict[str, Any]) -> None:
    some = module["Some"]
    assert asyncio.run(rewrite(some.coroutine)(None)) == "told 1"
    assert list(rewrite(some.generator)(None)) == ["told 2"]
    with pytest.raises(ValueError, match="told 3") as stock:
        rewrite(some.method)(None, 3)
    line = traceback.extract_tb(stock.value.__traceback__)[-1]
    assert (line.filename, line.lineno) == ("some.py", line_of("raise ValueError(ask(x))"))


def test_what_is_not_as_its_source_says_is_refused(module: dict[str, Any]) -> None:
    linecache.cache["some.py"][2][line_of("return ask(1)") - 1] = "        return ask(2)\n"  # type: ignore[misc]
    with pytest.raises(UnsupportedError, match="is not what its source says"):
        rewrite(module["Some"].coroutine)


def test_what_has_no_source_is_refused(module: dict[str, Any]) -> None:
    del linecache.cache["some.py"]
    with pytest.raises(UnsupportedError, match="cannot be read"):
        rewrite(module["other"])


def test_what_was_replaced_is_refused(module: dict[str, Any]) -> None:
    made = rewrite(module["other"])
    for each in (made, module["Some"].closes_over, len, print):
        with pytest.raises(UnsupportedError, match="was replaced"):
            rewrite(each)


def test_what_has_nothing_to_change_is_refused(module: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError, match="nothing to change in its ask"):
        rewrite(module["ask"])


def test_a_function_is_compared_with_source(module: dict[str, Any]) -> None:
    assert is_written_as(module["ask"], "def ask(x): return x")
    assert not is_written_as(module["ask"], "def ask(x): return x + 1")
    assert not is_written_as(module["ask"], "def ask(y): return y")
    assert not is_written_as(len, "def len(x): return x")
