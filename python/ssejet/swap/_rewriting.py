"""Rewrites single expressions of a function of another library, and leaves the rest of it as it is.

So a swap-in can change a call in a long method whose other lines differ from version to version.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import textwrap
from functools import update_wrapper
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from ssejet.swap._support import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["is_written_as", "rewritten"]

_FUTURES = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names})


def rewritten(function: Any, rewriter: ast.NodeTransformer, names: Mapping[str, Any]) -> Any:
    """Make a function from the changed source of another one.

    Args:
        function: a plain function of a module or a class.
        rewriter: changes the syntax tree. Line numbers are kept, so that tracebacks stay right.
        names: what the new expressions refer to; these names hide those of the module.

    Raises:
        UnsupportedError: the function is not what its source says, or the rewriter changed nothing.
    """
    definition, flags = _source(function)
    before = ast.dump(definition)
    rewriter.visit(definition)
    if ast.dump(definition) == before:
        raise UnsupportedError(f"there is nothing to change in its {function.__qualname__}()")
    arguments = definition.args
    # Defaults are evaluated once, where the function was defined. Annotations are copied.
    arguments.defaults = [ast.Constant(None) for _ in arguments.defaults]
    arguments.kw_defaults = [each and ast.Constant(None) for each in arguments.kw_defaults]
    definition.returns = None
    for each in ast.walk(arguments):
        if isinstance(each, ast.arg):
            each.annotation = None
    # A function around it gives it the names, so that its globals stay the module's.
    maker: Any = ast.parse(f"def _make({', '.join(names)}): return {definition.name}").body[0]
    maker.body.insert(0, definition)
    tree = ast.fix_missing_locations(ast.Module([maker], []))
    code = compile(tree, function.__code__.co_filename, "exec", flags, dont_inherit=True)
    made: dict[str, Any] = {}
    exec(code, function.__globals__, made)
    result = made["_make"](**names)
    result.__defaults__, result.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
    return update_wrapper(result, function)


def is_written_as(function: Any, source: str) -> bool:
    """Whether a function's code is exactly what this source gives, but for annotations and comments."""
    if type(function) is not FunctionType:
        return False
    flags = function.__code__.co_flags & _FUTURES
    compiled = _function_code(compile(textwrap.dedent(source), "", "exec", flags, dont_inherit=True))
    return compiled is not None and _same(compiled, function.__code__)


def _source(function: Any) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, int]:
    """Give the definition of a function, and the compiler's flags of its module."""
    if type(function) is not FunctionType or function.__closure__ or hasattr(function, "__wrapped__"):
        raise UnsupportedError(f"its {getattr(function, '__qualname__', function)} was replaced")
    name, code = function.__qualname__, function.__code__
    flags = code.co_flags & _FUTURES
    try:
        module = ast.parse("".join(inspect.findsource(function)[0]))
    except (OSError, TypeError, SyntaxError) as error:
        raise UnsupportedError(f"the source of its {name}() cannot be read") from error
    # The compiler makes other code for what a module imports.
    imports = [each for each in _outside(module) if isinstance(each, ast.Import | ast.ImportFrom)]
    for node in ast.walk(module):
        if isinstance(node, _FUNCTIONS) and (node.name, node.lineno) == (code.co_name, code.co_firstlineno):
            compiled = _function_code(
                compile(ast.Module([*imports, node], []), "", "exec", flags, dont_inherit=True)
            )
            if compiled is not None and _same(compiled, code):
                return node, flags
    raise UnsupportedError(f"its {name}() is not what its source says")


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _outside(module: ast.AST) -> Iterator[ast.AST]:
    """Yield what is outside functions and classes."""
    for node in ast.iter_child_nodes(module):
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            continue
        yield node
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            yield from _outside(node)


def _function_code(module: CodeType) -> CodeType | None:
    """Give the code of the only function that a module defines."""
    codes = [constant for constant in module.co_consts if isinstance(constant, CodeType)]
    # Since 3.14 annotations are functions, too.
    codes = [code for code in codes if not code.co_name.startswith("__annotate")]
    return codes[0] if len(codes) == 1 else None


# Before 3.11 the table of exceptions is part of the code.
_PARTS = (
    *("co_code", "co_exceptiontable", "co_names", "co_varnames", "co_freevars", "co_cellvars"),
    *("co_argcount", "co_kwonlyargcount", "co_posonlyargcount"),
)
# Since 3.14 a flag says that a function stands in a class. What is compiled here stands in none.
_FLAGS = ~getattr(inspect, "CO_METHOD", 0)


def _same(one: CodeType, other: CodeType) -> bool:
    """Whether two codes do the same. Their files and lines may differ."""
    return (
        all(getattr(one, name, None) == getattr(other, name, None) for name in _PARTS)
        and one.co_flags & _FLAGS == other.co_flags & _FLAGS
        and len(one.co_consts) == len(other.co_consts)
        and all(
            _same(a, b)
            if isinstance(a, CodeType) and isinstance(b, CodeType)
            else type(a) is type(b) and a == b
            for a, b in zip(one.co_consts, other.co_consts, strict=True)
        )
    )
