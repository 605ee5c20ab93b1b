"""The vectors of ``vectors/*.json`` as parameters of tests; see ``vectors/README.md`` for their schema."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reference import Decoded, Event

_DEFAULT_EVENT = {"event": "message", "id": "", "retry": None}


@dataclass(frozen=True)
class Vector:
    name: str
    stream: bytes
    options: dict[str, Any]
    """Keyword arguments of ``reference.decode``."""
    expected: Decoded


def _vector(
    *,
    name: str,
    input: str | None = None,
    input_latin1: str | None = None,
    options: dict[str, Any] | None = None,
    events: list[dict[str, Any]] = (),
    comments: list[str] = (),
    retry: int | None = None,
    last_event_id: str = "",
    too_large: bool = False,
    events_at_end: int = 0,
) -> Vector:
    # JSON spells characters beyond U+FFFF as surrogate pairs; json.loads has joined them already.
    stream = input.encode() if input_latin1 is None else input_latin1.encode("latin-1")
    return Vector(
        name,
        stream,
        options or {},
        Decoded(
            events=[Event(**_DEFAULT_EVENT | event) for event in events],
            comments=list(comments),
            retry=retry,
            last_event_id=last_event_id,
            too_large=too_large,
            before_end=len(events) - events_at_end,
        ),
    )


def _load() -> list[Any]:
    return [
        pytest.param(_vector(**fields), id=f"{path.stem}: {fields['name']}")
        for path in sorted((Path(__file__).parent / "vectors").glob("*.json"))
        for fields in json.loads(path.read_text("utf-8"))["vectors"]
    ]


all_vectors = pytest.mark.parametrize("vector", _load())
