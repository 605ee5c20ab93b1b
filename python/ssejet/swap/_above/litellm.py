"""Patches LiteLLM's stream, so that it does not work for logs that nobody reads.

* The text of a message for ``set_verbose`` is made only if ``set_verbose`` is true. LiteLLM writes each chunk
  out twice, and throws the text away.
* A synchronous stream calls the loggers once for each chunk, with ``asyncio.run()`` in a thread. The event
  loop is used again, instead of a new one each time.
* ``Delta.get()`` and ``in`` look for fields that are seldom there. pydantic says so by an error, which
  costs much; here the dictionaries of the fields say it.
"""

from __future__ import annotations

import ast
import asyncio
from functools import wraps
from typing import Any

import litellm
from litellm.litellm_core_utils import streaming_handler as module
from litellm.types.utils import Delta
from pydantic import BaseModel

from ssejet.swap._above.loops import run
from ssejet.swap._rewriting import is_written_as, rewritten
from ssejet.swap._support import Patch, UnsupportedError

__all__ = ["PATCHES", "check"]

_PRINT_VERBOSE = """
def print_verbose(print_statement):
    try:
        if litellm.set_verbose:
            print(print_statement)
    except Exception:
        pass
"""


class _Messages(ast.NodeTransformer):
    """Makes the text for ``print_verbose()`` only if it is printed."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if not (_is_call(node.value, "print_verbose") and _only_formats(node.value)):
            return node
        test = ast.parse("litellm.set_verbose", mode="eval").body
        return ast.copy_location(ast.If(test=test, body=[node], orelse=[]), node)


class _Runs(ast.NodeTransformer):
    """Replaces ``asyncio.run(…)``."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if ast.unparse(node.func) == "asyncio.run" and len(node.args) == 1 and not node.keywords:
            node.func = ast.copy_location(ast.Name("_ssejet_run", ast.Load()), node.func)
        return node


def _is_call(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _only_formats(call: Any) -> bool:
    """Whether the only argument of a call is a text, which is made without other effects."""
    if len(call.args) != 1 or call.keywords or not isinstance(call.args[0], ast.JoinedStr):
        return False
    for node in ast.walk(call.args[0]):
        if isinstance(node, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr | ast.Lambda):
            return False
        if isinstance(node, ast.Call) and not (
            any(_is_call(node, name) for name in ("isinstance", "len", "str", "type"))
            or (isinstance(node.func, ast.Attribute) and node.func.attr == "decode")
        ):
            return False
    return True


_GET = """
def get(self, key, default=None):
    return getattr(self, key, default)
"""
_CONTAINS = """
def __contains__(self, key):
    return hasattr(self, key)
"""

_ABSENT: Any = object()
# Whether a name is that of a field or of none, by name. A program could ask for ever new names.
_is_plain: dict[Any, bool] = {}
_MOST_NAMES = 1000


def _look_up(delta: Any, key: Any, default: Any) -> Any:
    """Do what ``getattr(delta, key, default)`` does."""
    if type(key) is str and type(delta) is Delta:
        plain = _is_plain.get(key)
        if plain is None and len(_is_plain) < _MOST_NAMES:
            plain = not hasattr(Delta, key) and key not in Delta.__private_attributes__
            _is_plain[key] = plain
        if plain:
            try:
                extra = delta.__pydantic_extra__
            except AttributeError:  # it is being made
                return getattr(delta, key, default)
            members = delta.__dict__
            if key in members:
                return members[key]
            return extra.get(key, default) if extra else default
    return getattr(delta, key, default)


def _get(self: Any, key: Any, default: Any = None) -> Any:
    return _look_up(self, key, default)


def _contains(self: Any, key: Any) -> bool:
    return _look_up(self, key, _ABSENT) is not _ABSENT


def _delta_patches() -> list[Patch]:
    if not (
        is_written_as(Delta.get, _GET)
        and is_written_as(Delta.__contains__, _CONTAINS)
        and Delta.__getattr__ is vars(BaseModel)["__getattr__"]
        and Delta.__getattribute__ is object.__getattribute__
    ):
        raise UnsupportedError("its class Delta has other methods get() and __contains__()")
    return [
        Patch(Delta, "get", wraps(Delta.get)(_get)),
        Patch(Delta, "__contains__", wraps(Delta.__contains__)(_contains)),
    ]


def _patches() -> list[Patch]:
    if not is_written_as(module.print_verbose, _PRINT_VERBOSE):
        raise UnsupportedError("its function print_verbose() does something else")
    if vars(module).get("litellm") is not litellm or vars(module).get("asyncio") is not asyncio:
        raise UnsupportedError("its streaming_handler calls other modules litellm and asyncio")
    stream: Any = module.CustomStreamWrapper
    log = "run_success_logging_and_cache_storage"
    return [
        Patch(stream, "__next__", rewritten(stream.__next__, _Messages(), {})),
        Patch(stream, log, rewritten(getattr(stream, log), _Runs(), {"_ssejet_run": run})),
        *_delta_patches(),
    ]


PATCHES = _patches()


def check() -> None:
    """Do nothing: the patches were checked when they were made."""
