"""Names that a package imports on demand look like any other name of it."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ssejet

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(ssejet.__file__).parent


def lazy_packages() -> dict[str, list[str]]:
    """The packages that use ``on_demand``, and the names that they import by it."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        text = path.read_text()
        if "on_demand(" not in text:
            continue  # to parse all files would take longer than all tests here
        names = [
            name
            for call in ast.walk(ast.parse(text))
            if isinstance(call, ast.Call) and getattr(call.func, "id", None) == "on_demand"
            for name in names_of(call.args[1])
        ]
        if names:
            parts = path.relative_to(ROOT.parent).with_suffix("").parts
            found[".".join(part for part in parts if part != "__init__")] = names
    return found


def names_of(modules: ast.expr) -> list[str]:
    if isinstance(modules, ast.Dict):
        return [ast.literal_eval(key) for key in modules.keys if key is not None]
    assert isinstance(modules, ast.Call)
    assert ast.unparse(modules.func) == "dict.fromkeys"
    return list(ast.literal_eval(modules.args[0]))


PACKAGES = lazy_packages()


def run(program: str) -> str:
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_packages_with_lazy_names_are_found() -> None:
    assert {"ssejet", "ssejet.metrics", "ssejet.source", "ssejet.swap"} <= PACKAGES.keys()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_lazy_name_is_imported_at_its_first_use_and_stays(package: str) -> None:
    program = f"""if True:
        import {package} as package
        for name in {PACKAGES[package]}:
            value = getattr(package, name)
            assert vars(package)[name] is value, name
    """
    run(program)


@pytest.mark.parametrize("package", PACKAGES)
def test_dir_names_what_is_not_imported_yet(package: str) -> None:
    program = f"""if True:
        import {package} as package
        names = dir(package)
        assert not set({PACKAGES[package]}) <= vars(package).keys()
        assert names == sorted(names)
        assert set(package.__all__) | vars(package).keys() == set(names)
    """
    run(program)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_star_import_gives_lazy_names(package: str) -> None:
    run(f"from {package} import *\nassert not set({PACKAGES[package]}) - globals().keys()")


@pytest.mark.parametrize("package", PACKAGES)
def test_an_unknown_name_is_an_attribute_error_that_names_package_and_attribute(package: str) -> None:
    module: ModuleType = importlib.import_module(package)
    with pytest.raises(AttributeError, match=rf"module '{package}' has no attribute 'unheard_of'"):
        module.unheard_of  # noqa: B018


@pytest.mark.parametrize("package", PACKAGES)
def test_every_lazy_name_is_exported_and_shown_to_type_checkers(package: str) -> None:
    module = importlib.import_module(package)
    assert set(PACKAGES[package]) <= set(module.__all__)
    tree = ast.parse(Path(module.__file__ or "").read_text())
    guards = [node for node in tree.body if isinstance(node, ast.If)]
    seen = [node for node in guards if ast.unparse(node.test) == "TYPE_CHECKING"]
    hidden = [node for node in guards if ast.unparse(node.test) == "not TYPE_CHECKING"]
    imported = {
        alias.name
        for guard in seen
        for node in ast.walk(guard)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(PACKAGES[package]) <= imported
    # Type checkers take any name of a module whose __getattr__ they see.
    assert any("on_demand" in ast.unparse(node) for node in hidden)
    assert not any("on_demand" in ast.unparse(node) for node in tree.body if isinstance(node, ast.Assign))
