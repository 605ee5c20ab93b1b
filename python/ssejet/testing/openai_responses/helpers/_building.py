"""What the builders and mergers share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ssejet._json import loads
from ssejet.testing._endpoints import OPENAI_ENDPOINTS, Asked
from ssejet.testing._store import StateStore, construct, fields_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ssejet.testing._endpoints.objects import Kind

__all__ = ["ask", "make", "merge", "only_answer"]

M = TypeVar("M")

_ENDPOINTS = {endpoint.name: endpoint for endpoint in OPENAI_ENDPOINTS}


def ask(request: Any = None, **path: str) -> Asked:
    """What a request of httpx or httpx2 asks for, with an empty store; without a request, nothing."""
    content = b"" if request is None else request.read()
    return Asked(loads(content) if content else {}, [], path, {}, StateStore())


def make(kind: Kind, model: str, asked: Asked, extra: Mapping[str, Any] | None) -> Any:
    """Make a model from the parameters of the request and the extra fields, which replace parameters."""
    return construct(model, kind.make(kind.known(asked.body) | dict(extra or {}), asked))


def only_answer(endpoint: str, model: str, asked: Asked, extra: Mapping[str, Any] | None) -> Any:
    """The model of an endpoint's answer with the extra fields."""
    return construct(model, _ENDPOINTS[endpoint].answer(dict(extra or {}), asked))


def merge(kind: Kind, model: M, partial: Mapping[str, Any]) -> M:
    """A copy of a model with other fields."""
    kind.check(partial)
    return type(model).construct(**(fields_of(model) | dict(partial)))  # type: ignore[attr-defined,no-any-return]
