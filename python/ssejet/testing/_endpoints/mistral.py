"""Mistral's endpoints. Their answers and chunks are those of OpenAI's chat completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.testing._endpoints.base import new_id
from ssejet.testing._endpoints.choices import ChatCompletions
from ssejet.testing._endpoints.embeddings import Embeddings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ssejet.testing._answers import MockError

__all__ = ["ENDPOINTS", "mistral_error"]


def mistral_error(error: MockError) -> dict[str, Any]:
    """An error as Mistral's servers report it."""
    kind = error.type or ("invalid_request_error" if error.status < 500 else "internal_server_error")
    fields = {"message": error.message, "type": kind, "param": error.param, "code": error.code}
    return {"object": "error", **fields}


class MistralChat(ChatCompletions):
    """An endpoint whose answer is a chat completion.

    Args:
        name: its method in the SDK.
        path: its path.
    """

    id_prefix = ""
    cuts_tool_calls = False

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.path = path

    def stream(self, answer: dict[str, Any], body: dict[str, Any]) -> Iterator[Any]:
        """Chunks of one word each. The last one has the usage."""
        *first, last = super().stream(answer, body)
        yield from first
        yield last | {"usage": answer["usage"]}

    def _cut(self, choice: dict[str, Any]) -> Iterator[dict[str, Any]]:
        # Mistral sends a content with each delta; its SDK has an object for one that is missing.
        for piece in super()._cut(choice):
            yield piece | {"delta": {"content": ""} | piece["delta"]}

    def error_body(self, error: MockError) -> dict[str, Any]:
        """The body of a response with an error status."""
        return mistral_error(error)


class MistralEmbeddings(Embeddings):
    """``POST /v1/embeddings``."""

    path = "/v1/embeddings"
    fields: tuple[str, ...] = (*Embeddings.fields, "id")

    def complete(self, fields: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Add the missing fields to an answer. Mistral's parameters have a plural."""
        body = {
            "input": body.get("inputs", body.get("input")),
            "dimensions": body.get("output_dimension"),
        } | {"model": body.get("model", "mock")}
        return {"id": new_id("")} | super().complete(fields, body)

    def error_body(self, error: MockError) -> dict[str, Any]:
        """The body of a response with an error status."""
        return mistral_error(error)


ENDPOINTS = (
    MistralChat("chat.complete", "/v1/chat/completions"),
    MistralChat("fim.complete", "/v1/fim/completions"),
    MistralChat("agents.complete", "/v1/agents/completions"),
    MistralEmbeddings(),
)
