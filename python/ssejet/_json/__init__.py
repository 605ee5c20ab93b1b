"""Reads, writes and copies JSON for every other module.

::

    loads            text → values, as json.loads
    dumps            any value that a user sends → bytes
    dumps_by         values of JSON types, and others that a function converts → bytes
    dump_builtins    values of JSON types → text
    to_json_types    any value that a user sends → values of JSON types
    field_names      the fields of a class of Structs, a dataclass or an attrs class
    is_deeper        whether a value is nested deeper than a number of levels
    copyable         the fields of an object → fields that pickle and copy accept
"""

from __future__ import annotations

from ssejet._json.copies import copyable
from ssejet._json.depth import field_names, is_deeper
from ssejet._json.reading import loads
from ssejet._json.writing import (
    builtins,
    dump_builtins,
    dump_refused,
    dumps,
    dumps_by,
    dumps_on_small_stack,
    to_json_types,
)
from ssejet._pydantic import is_plain  # the extension module asks here

__all__ = [
    "builtins",
    "copyable",
    "dump_builtins",
    "dump_refused",
    "dumps",
    "dumps_by",
    "dumps_on_small_stack",
    "field_names",
    "is_deeper",
    "is_plain",
    "loads",
    "to_json_types",
]
