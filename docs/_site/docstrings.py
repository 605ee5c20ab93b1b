"""What the reference needs of Griffe: literal blocks as Markdown, and constructors that are ``__new__``."""

from __future__ import annotations

import re
import textwrap

import griffe

_BLOCK = re.compile(r"^(?P<lead>(?:.*\S)?)::\n\n(?P<code>(?:(?: {4,}.*)?\n)+)", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Rewrites the docstring of each module, class, function and attribute."""

    def on_class_members(self, *, cls: griffe.Class, **_: object) -> None:
        """Take the parameters of a class from ``__new__``, which Griffe does not look for."""
        if "__new__" in cls.members and "__init__" not in cls.members:
            cls.members["__init__"] = cls.members["__new__"]

    def on_instance(self, *, obj: griffe.Object, **_: object) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    """Return the text with its literal blocks fenced; what looks like Python is marked so."""

    def replace(match: re.Match[str]) -> str:
        code = textwrap.dedent(match["code"]).strip("\n")
        language = "text" if "├" in code else "python"
        lead = f"{match['lead']}:\n\n" if match["lead"].strip() else ""
        return f"{lead}```{language}\n{code}\n```\n\n"

    return _BLOCK.sub(replace, text + "\n").rstrip("\n")
