"""Whether orjson keeps classes alive, as some versions do on some versions of CPython."""

from __future__ import annotations

import gc
from dataclasses import make_dataclass
from weakref import ref

import pytest

try:
    import orjson
except ImportError:  # some tests hide it
    orjson = None


def _orjson_keeps_classes() -> bool:
    if orjson is None:
        return False

    def use() -> ref[type]:
        item = make_dataclass("Made", [("x", int)])(1)
        orjson.dumps(item)
        return ref(type(item))

    gone = use()
    gc.collect()
    return gone() is not None


if_orjson_lets_classes_die = pytest.mark.skipif(
    _orjson_keeps_classes(), reason="this orjson keeps the classes alive of the objects that it encodes"
)
