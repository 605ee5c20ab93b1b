"""Copies the docstrings of the extension module into its stub, where editors look for them.

Run it after a docstring in Rust has changed: ``python tests/typing/stub_docstrings.py``.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from pathlib import Path
from typing import Any

import ssejet
from ssejet import _core

STUB = Path(ssejet.__file__).with_name("_core.pyi")


def documented(text: str) -> str:
    """The stub's text, with the docstrings that the extension has at run time."""
    lines = text.split("\n")
    # From the end, so that the line numbers before stay right.
    for node, owner in sorted(_public(ast.parse(text)), key=lambda found: -found[0].lineno):
        doc = inspect.getdoc(getattr(owner, node.name))
        if not doc:
            continue
        first = node.body[0]
        place = first.lineno - 1
        if _is_docstring(first):
            del lines[place : first.end_lineno]
        elif isinstance(node, ast.FunctionDef):
            lines[place] = lines[place].removesuffix(" ...")
            place += 1
        end = '\n"""' if "\n" in doc else '"""'
        docstring = textwrap.indent(f'"""{doc}{end}', " " * (node.col_offset + 4))
        lines[place:place] = docstring.split("\n")
    return "\n".join(lines)


def _is_docstring(statement: Any) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(getattr(statement.value, "value", None), str)


def _public(module: ast.Module) -> list[tuple[Any, Any]]:
    """The definitions that users see, each with what it is an attribute of."""
    found: list[tuple[Any, Any]] = []
    for node in module.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name in ssejet.__all__:
            found.append((node, _core))
            cls = getattr(_core, node.name)
            found += [
                (member, cls)
                for member in node.body
                if isinstance(node, ast.ClassDef)
                and isinstance(member, ast.FunctionDef)
                and not member.name.startswith("_")
            ]
    return found


if __name__ == "__main__":
    STUB.write_text(documented(STUB.read_text()))
