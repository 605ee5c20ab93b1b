"""What users see in their editors says what they need: parameters, and errors that are raised."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

import ssejet

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES = [
    "ssejet",
    *(
        module.name
        for module in pkgutil.walk_packages(ssejet.__path__, "ssejet.")
        # Those in place patch other packages when they are imported.
        if "._" not in module.name and not module.name.endswith("_in_place")
    ),
]

# What these modules take and raise is that of the libraries whose interface they have.
OTHERS_INTERFACES = ("ssejet.cli", "ssejet.testing.openai_responses")
FOR_USERS = [name for name in MODULES if not name.startswith(OTHERS_INTERFACES)]

# A phrase that refers to another docstring.
REFERENCE = re.compile(r"\b(see|as|what) ``|takes what", re.IGNORECASE)


def exported(name: str) -> Iterator[tuple[str, Any]]:
    """What a module exports of ssejet's own."""
    module = importlib.import_module(name)
    for attribute in module.__all__:
        value = getattr(module, attribute)
        own = getattr(value, "__module__", "").startswith("ssejet")
        if own and callable(value) and not isinstance(value, ModuleType):
            yield f"{name}.{attribute}", value


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that a class defines itself."""
    for name, value in vars(cls).items():
        function = getattr(value, "fget", getattr(value, "__func__", getattr(value, "func", value)))
        if not name.startswith("_") and inspect.isfunction(function):
            yield name, function


def docs_of(cls: type, name: str, function: Any) -> str:
    """The docstring of a method, or the one that it inherits."""
    return function.__doc__ or inspect.getdoc(getattr(cls, name)) or ""


def raised(function: Any) -> set[str]:
    """The names of the exceptions that a function's own code makes and raises."""
    names = set()
    pending: list[ast.AST] = list(ast.parse(textwrap.dedent(inspect.getsource(function))).body[0].body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            names.add(ast.unparse(node.exc.func).rpartition(".")[2])
        pending += ast.iter_child_nodes(node)
    # A call in lower case gives an error that its own docstring tells of.
    return {name for name in names if name[0].isupper()} - {"NotImplementedError", "StopIteration"}


def gaps(name: str, function: Any, docs: str) -> Iterator[str]:
    """What is not said of a function."""
    function = inspect.unwrap(function)
    if not inspect.isfunction(function):
        return
    for parameter in inspect.signature(function).parameters.values():
        is_named = parameter.name not in {"self", "cls"} and parameter.kind not in {
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        }
        if is_named and not re.search(rf"\b{parameter.name}s?\b", docs, re.IGNORECASE):
            yield f"{name}: {parameter.name}"
    yield from (f"{name}: raises {error}" for error in raised(function) if error not in docs)


@pytest.mark.parametrize("name", MODULES)
def test_all_that_is_exported_has_a_docstring(name: str) -> None:
    assert importlib.import_module(name).__doc__
    without = []
    for place, value in exported(name):
        if not (vars(value).get("__doc__") if isinstance(value, type) else value.__doc__):
            without.append(place)
        if isinstance(value, type):
            for member, function in members(value):
                if not docs_of(value, member, function):
                    without.append(f"{place}.{member}")
    assert not without


@pytest.mark.parametrize("name", FOR_USERS)
def test_docstrings_name_all_parameters_and_the_errors_that_are_raised(name: str) -> None:
    found: list[str] = []
    for place, value in exported(name):
        if not isinstance(value, type):
            docs = value.__doc__ or ""
            found += () if REFERENCE.search(docs) else gaps(place, value, docs)
            continue
        # A base documents what its subclasses take too.
        docs = " ".join(cls.__doc__ or "" for cls in value.__mro__ if cls.__module__.startswith("ssejet"))
        generated = hasattr(value, "__dataclass_fields__") or getattr(value, "_is_protocol", False)
        if "__init__" in vars(value) and not generated:
            found += gaps(place, value.__init__, f"{docs} {value.__init__.__doc__}")
        for member, function in members(value):
            own = docs_of(value, member, function)
            if not REFERENCE.search(own):
                found += gaps(f"{place}.{member}", function, f"{own} {docs}")
    assert not found
