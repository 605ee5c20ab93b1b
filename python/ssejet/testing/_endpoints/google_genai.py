"""Google's endpoints for Gemini models: generated content, its stream, and token counts."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from ssejet.testing._endpoints.base import Asked, StatelessEndpoint, count_tokens, new_id, pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ssejet.testing._answers import MockError

__all__ = ["ENDPOINTS", "google_error"]

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def google_error(error: MockError) -> dict[str, Any]:
    """An error as Google's servers report it."""
    status = error.type or _STATUSES.get(error.status, "INTERNAL")
    return {"error": {"code": error.status, "message": error.message, "status": status}}


class _GoogleEndpoint(StatelessEndpoint):
    done = None

    def error_body(self, error: MockError) -> dict[str, Any]:
        """The body of a response with an error status."""
        return google_error(error)


class GenerateContent(_GoogleEndpoint):
    """``POST …/models/{model}:generateContent``."""

    name = "models.generate_content"
    path = "/{version}/{model:path}:generateContent"
    fields = ("candidates", "usageMetadata", "modelVersion", "responseId", "promptFeedback", "createTime")

    def answer(self, given: str | bytes | dict[str, Any] | None, asked: Asked) -> Any:
        """The full answer, with the model of the path."""
        model = asked.path["model"].rpartition("/")[2]
        return {"modelVersion": model} | super().answer(given, asked)

    def from_text(self, text: str) -> dict[str, Any]:
        """One candidate with this text."""
        return {"candidates": [{"content": {"parts": [{"text": text}]}}]}

    def complete(self, fields: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Add the missing fields to an answer. A part of a candidate's content may be a text."""
        answer = {"responseId": new_id(""), "candidates": []} | fields
        answer["candidates"] = [
            {"index": place, "finishReason": "STOP"}
            | each
            | {"content": _complete_content(each.get("content"))}
            for place, each in enumerate(answer["candidates"])
        ]
        prompt = count_tokens(list(_texts(body.get("contents"))))
        said = count_tokens([text for each in answer["candidates"] for text in _texts([each["content"]])])
        counted = {
            "promptTokenCount": prompt,
            "candidatesTokenCount": said,
            "totalTokenCount": prompt + said,
        }
        answer["usageMetadata"] = counted | (answer.get("usageMetadata") or {})
        return answer


class StreamGenerateContent(GenerateContent):
    """``POST …/models/{model}:streamGenerateContent``: the same, always as a stream."""

    name = "models.generate_content_stream"
    path = "/{version}/{model:path}:streamGenerateContent"
    always_streams = True

    def events(self, answer: Any, asked: Asked) -> Iterable[Any]:
        """Chunks of one word or part each. The last one of a candidate has the finish reason."""
        shared = {
            name: value for name, value in answer.items() if name not in ("candidates", "usageMetadata")
        }
        for candidate in answer["candidates"]:
            parts = list(_cut(candidate["content"]["parts"])) or [{"text": ""}]
            for place, part in enumerate(parts):
                is_last = place == len(parts) - 1
                begun = copy.deepcopy(candidate) if is_last else {"index": candidate["index"]}
                begun["content"] = candidate["content"] | {"parts": [part]}
                usage = answer["usageMetadata"] if is_last else {}
                yield shared | {"candidates": [begun], "usageMetadata": usage}
        if not answer["candidates"]:
            yield answer


class CountTokens(_GoogleEndpoint):
    """``POST …/models/{model}:countTokens``: each word is a token."""

    name = "models.count_tokens"
    path = "/{version}/{model:path}:countTokens"
    fields = ("totalTokens", "cachedContentTokenCount")
    has_default = True

    def complete(self, fields: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Add the number of tokens of the request."""
        return {"totalTokens": count_tokens(list(_texts(body.get("contents"))))} | fields


def _complete_content(content: Any) -> dict[str, Any]:
    parts = {"parts": content} if isinstance(content, list) else content or {"parts": []}
    if isinstance(content, str):
        parts = {"parts": [content]}
    texts = [{"text": part} if isinstance(part, str) else part for part in parts.get("parts", [])]
    return {"role": "model"} | parts | {"parts": texts}


def _cut(parts: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The parts, with one word in each part with text."""
    for part in parts:
        if "text" in part and "thoughtSignature" not in part:
            for piece in pieces(part["text"]):
                yield part | {"text": piece}
        else:
            yield part


def _texts(contents: Any) -> Iterator[str]:
    for content in contents or []:
        for part in content.get("parts") or []:
            if isinstance(part.get("text"), str):
                yield part["text"]


ENDPOINTS = (GenerateContent(), StreamGenerateContent(), CountTokens())
