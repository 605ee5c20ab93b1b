"""OpenAI's embeddings."""

from __future__ import annotations

from typing import Any

from ssejet.testing._endpoints.base import StatelessEndpoint, count_tokens

__all__ = ["ENDPOINTS"]

_DIMENSIONS = 8


class Embeddings(StatelessEndpoint):
    """``POST /embeddings``: by default, a vector for each input, the same for the same text."""

    name = "embeddings.create"
    path = "/embeddings"
    fields: tuple[str, ...] = ("object", "data", "model", "usage")
    has_default = True
    creates = True

    def complete(self, fields: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Add the missing fields to an answer. A list of numbers is a vector."""
        inputs = _inputs(body.get("input"))
        vectors = fields.get("data")
        if vectors is None:
            vectors = [_vector(each, body.get("dimensions") or _DIMENSIONS) for each in inputs]
        tokens = count_tokens([each for each in inputs if isinstance(each, str)])
        tokens += sum(len(each) for each in inputs if isinstance(each, list))
        return (
            {"object": "list", "model": body.get("model", "mock")}
            | fields
            | {"data": [_embedding(place, each) for place, each in enumerate(vectors)]}
            | {"usage": fields.get("usage") or {"prompt_tokens": tokens, "total_tokens": tokens}}
        )


def _inputs(given: Any) -> list[Any]:
    """The inputs: texts, or lists of tokens."""
    is_several = isinstance(given, list) and all(isinstance(each, (str, list)) for each in given)
    return given if is_several else [given]


def _embedding(place: int, vector: Any) -> dict[str, Any]:
    fields = vector if isinstance(vector, dict) else {"embedding": vector}
    return {"object": "embedding", "index": place} | fields


def _vector(text: Any, dimensions: int) -> list[float]:
    """A vector of length 1 that depends on the input only. Fractions of 1/8 are exact in 32 bits."""
    hot = sum(f"{text}".encode()) % dimensions
    return [1.0 if place == hot else 0.0 for place in range(dimensions)]


ENDPOINTS = (Embeddings(),)
