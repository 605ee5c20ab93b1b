"""What the reference needs of Griffe: complete docstrings and signatures, without what is private."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

import griffe

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = re.compile(r"^(?P<lead>(?:.*\S)?)::\n\n(?P<code>(?:(?: {4,}.*)?\n)+)", re.MULTILINE)
_PRIVATE = re.compile(r"(?<![\w.\"'])_[A-Za-z]\w*")
# A value that says something by itself.
_LITERAL = re.compile(r"None|True|False|-?[\d.]+|'[^']*'|\"[^\"]*\"|\(\)|\[\]|\{\}")
# The summary of a constructor's docstring, before what its parameters are.
_SUMMARY = re.compile(r"^.+\n\n(?=(?:Args|Raises):\n)")
_PARAMETERS = re.compile(r"^Args:\n.*", re.MULTILINE | re.DOTALL)
_ATTRIBUTES = re.compile(r"^Attributes:\n(?:(?: {4}.*)?(?:\n|$))+", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Rewrites the objects of a package for its reference."""

    def on_class_members(self, *, cls: griffe.Class, **_: object) -> None:
        """Take the parameters of a class from ``__new__``, which Griffe does not look for."""
        if "__new__" in cls.members and "__init__" not in cls.members:
            cls.members["__init__"] = cls.members["__new__"]

    def on_instance(self, *, obj: griffe.Object, **_: object) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)

    def on_package(self, *, pkg: griffe.Module, **_: object) -> None:
        """Rewrite what can only be seen in the whole package."""
        if pkg.name != "ssejet":
            return
        objects = list(_definitions(pkg))
        for obj in objects:
            if isinstance(obj, griffe.Class):
                _inherit_parameters(obj)
        for obj in objects:
            if isinstance(obj, griffe.Class):
                _list_attributes(obj)
            elif isinstance(obj, griffe.Function):
                _simplify(obj)
            elif isinstance(obj, griffe.Attribute):
                _hide_private(obj)


def fenced(text: str) -> str:
    """Return the text with its literal blocks fenced; what looks like Python is marked so."""

    def replace(match: re.Match[str]) -> str:
        code = textwrap.dedent(match["code"]).strip("\n")
        language = "text" if "├" in code else "python"
        lead = f"{match['lead']}:\n\n" if match["lead"].strip() else ""
        return f"{lead}```{language}\n{code}\n```\n\n"

    return _BLOCK.sub(replace, text + "\n").rstrip("\n")


def _definitions(obj: griffe.Object) -> Iterator[griffe.Object]:
    """All objects that are defined in an object."""
    for member in list(obj.members.values()):
        if not isinstance(member, griffe.Alias):
            yield member
            yield from _definitions(member)


def _has_parameters(obj: griffe.Object | None) -> bool:
    return bool(obj and obj.docstring and _PARAMETERS.search(obj.docstring.value))


def _inherit_parameters(cls: griffe.Class) -> None:
    """Take the signature and the parameters that only the docstring of a base class describes."""
    own = cls.members.get("__init__")
    if isinstance(own, griffe.Function) and own.docstring:
        own.docstring.value = _SUMMARY.sub("", own.docstring.value)
    if not cls.docstring or cls.name.startswith("_") or _has_parameters(cls) or _has_parameters(own):
        return
    for base in cls.mro():
        if not _has_parameters(base):
            continue
        part = _PARAMETERS.search(base.docstring.value)
        cls.docstring.value += f"\n\n{part[0]}"
        # In the place of one that passes its options on, or is there for type checkers only.
        if "__init__" in base.members:
            cls.members["__init__"] = base.members["__init__"]
        return


def _list_attributes(cls: griffe.Class) -> None:
    """List the fields of a class that have no docstring, if the class's own docstring does not."""
    if not cls.docstring:
        return
    listed = _ATTRIBUTES.search(cls.docstring.value)
    lines = []
    for attribute in cls.members.values():
        if not isinstance(attribute, griffe.Attribute) or attribute.docstring or attribute.annotation is None:
            continue
        name, annotation = attribute.name, str(attribute.annotation)
        is_type = name == "type" and (literal := re.search(r"Literal\[(.+?)\]", annotation))
        if name.startswith("_") or ("ClassVar" in annotation and not is_type) or _has_parameters(cls):
            continue
        if listed and (not is_type or re.search(rf"^ +{name}:", listed[0], re.MULTILINE)):
            continue
        value = str(attribute.value) if attribute.value is not None else ""
        if is_type:
            lines.append(f"    type: ``{literal[1]}``.")
        elif value and _LITERAL.fullmatch(value):
            lines.append(f"    {name}: by default ``{value}``.")
        elif not value:
            lines.append(f"    {name}: always there.")
        else:
            lines.append(f"    {name}: by default empty.")
    if lines and listed:
        text = cls.docstring.value
        start = listed.start() + len("Attributes:\n")
        cls.docstring.value = text[:start] + "\n".join(lines) + "\n" + text[start:]
    elif lines:
        cls.docstring.value += "\n\nAttributes:\n" + "\n".join(lines)


def _simplify(function: griffe.Function) -> None:
    """Show one signature, with the values of private constants and without private types."""
    is_written = any(parameter.annotation for parameter in function.parameters)
    if function.overloads and is_written:
        function.overloads = None
    for parameter in function.parameters:
        default = str(parameter.default)
        if isinstance(parameter.default, griffe.Expr) and default.isidentifier():
            target = _target(function.module.members.get(default))
            if isinstance(target, griffe.Attribute) and _LITERAL.fullmatch(str(target.value)):
                parameter.default = str(target.value)
        parameter.annotation = _public(parameter.annotation, function)
    function.returns = _public(function.returns, function)


def _target(obj: griffe.Object | griffe.Alias | None) -> griffe.Object | None:
    """Return what a name stands for; None if it is in another package."""
    try:
        return obj.final_target if isinstance(obj, griffe.Alias) else obj
    except griffe.AliasResolutionError:
        return None


def _hide_private(attribute: griffe.Attribute) -> None:
    """Hide how an attribute gets its value, and private names."""
    attribute.annotation = _public(attribute.annotation, attribute)
    value = str(attribute.value) if attribute.value is not None else ""
    in_class = isinstance(attribute.parent, griffe.Class)
    if not in_class and not attribute.docstring and not attribute.name.startswith("_"):
        # Without a docstring it would not be shown.
        text = f"Another name of ``{value}``." if value.isidentifier() else "One of these types."
        attribute.docstring = griffe.Docstring(text, parent=attribute)
    if _PRIVATE.search(value) or (in_class and not _LITERAL.fullmatch(value)):
        attribute.value = None


def _public(annotation: griffe.Expr | str | None, obj: griffe.Object) -> griffe.Expr | str | None:
    """Return an annotation with readable names of type variables; None if it has private classes."""
    if not isinstance(annotation, griffe.Expr):
        return annotation
    for name in annotation.iterate(flat=True):
        if isinstance(name, griffe.ExprName) and name.name.startswith("_"):
            if not isinstance(_target(obj.module.members.get(name.name)), griffe.Attribute):
                return None
            name.name = name.name.lstrip("_")
    return annotation
