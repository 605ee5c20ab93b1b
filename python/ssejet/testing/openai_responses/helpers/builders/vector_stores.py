"""Vector stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ssejet.testing._endpoints.vector_stores import VECTOR_STORE
from ssejet.testing.openai_responses.helpers._building import ask, make

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types import VectorStore

__all__ = ["vector_store_from_create_request"]


def vector_store_from_create_request(request: Any, *, extra: Mapping[str, Any] | None = None) -> VectorStore:
    """The object that a request creates, with these fields. No mock keeps it."""
    return cast("VectorStore", make(VECTOR_STORE, "openai.types:VectorStore", ask(request), extra))
