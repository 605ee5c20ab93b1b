"""Embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ssejet.testing.openai_responses.helpers._building import ask, only_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types import CreateEmbeddingResponse

__all__ = ["embedding_create_response_from_create_request"]


def embedding_create_response_from_create_request(
    request: Any, *, extra: Mapping[str, Any] | None = None
) -> CreateEmbeddingResponse:
    """The answer to a request, with these fields."""
    return cast(
        "CreateEmbeddingResponse",
        only_answer("embeddings.create", "openai.types:CreateEmbeddingResponse", ask(request), extra),
    )
