"""Decodes JSON text."""

from __future__ import annotations

import json
from typing import Any

from ssejet._core import ServerSentEvent

__all__ = ["loads"]


def loads(text: str | bytes) -> Any:
    """Decode JSON as ``json.loads`` does, with orjson where its result is the same.

    Raises:
        json.JSONDecodeError: the text is not JSON.
        UnicodeDecodeError: the bytes are not UTF-8, UTF-16 or UTF-32.
        RecursionError: the text is nested too deep for the stack of this thread.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    return ServerSentEvent(data=text).json()
