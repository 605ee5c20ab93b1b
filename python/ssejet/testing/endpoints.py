"""What OpenAI's endpoints answer, made from as little as a text."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ChatCompletions", "Completions", "Endpoint", "Responses"]

_numbers = count(1)
_piece = re.compile(r"\s*\S+|\s+$")


class Endpoint(ABC):
    """How one endpoint answers.

    Attributes:
        name: where the SDK has it.
        path: its path below the base URL.
        done: the sentinel of its streams.
    """

    name: str
    path: str
    done: str | None = "[DONE]"

    @abstractmethod
    def from_text(self, text: str) -> dict[str, Any]:
        """The fields of an answer that says this."""

    @abstractmethod
    def defaults(self, body: dict[str, Any]) -> dict[str, Any]:
        """The fields that every answer has, given the request's body."""

    @abstractmethod
    def stream(self, answer: dict[str, Any], body: dict[str, Any]) -> Iterator[Any]:
        """Cut an answer into the items of a stream."""


class ChatCompletions(Endpoint):
    """``POST /chat/completions``."""

    name = "chat.completions.create"
    path = "/chat/completions"

    def from_text(self, text: str) -> dict[str, Any]:
        """One choice that says this."""
        message = {"role": "assistant", "content": text, "refusal": None}
        return {"choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}]}

    def defaults(self, body: dict[str, Any]) -> dict[str, Any]:
        """What names the object, and the model that was asked for."""
        return _identity("chat.completion", "chatcmpl", body) | {"created": int(time.time())}

    def stream(self, answer: dict[str, Any], body: dict[str, Any]) -> Iterator[Any]:
        """Chunks of a word each."""
        head = answer | {"object": "chat.completion.chunk"}
        usage = head.pop("usage", None)
        for place, choice in enumerate(head.pop("choices", [])):
            index = choice.get("index", place)
            for delta in self._deltas(choice.get("message") or {}):
                yield head | {"choices": [{"index": index, "delta": delta, "finish_reason": None}]}
            end = choice.get("finish_reason", "stop")
            yield head | {"choices": [{"index": index, "delta": {}, "finish_reason": end}]}
        if (body.get("stream_options") or {}).get("include_usage"):
            yield head | {"choices": [], "usage": usage or self._usage(answer, body)}

    def _deltas(self, message: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {"role": message.get("role", "assistant")}
        for field, value in message.items():
            if field == "tool_calls":
                for index, call in enumerate(value or []):
                    yield {field: [{"index": index} | call]}
            elif field != "role" and isinstance(value, str):
                for piece in _pieces(value):
                    yield {field: piece}

    def _usage(self, answer: dict[str, Any], body: dict[str, Any]) -> dict[str, int]:
        """A word counts as a token."""
        prompt = sum(len(_pieces(text)) for text in _texts(body.get("messages")))
        messages = [choice.get("message") for choice in answer.get("choices", [])]
        completion = sum(len(_pieces(text)) for text in _texts(messages))
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }


class Completions(Endpoint):
    """``POST /completions``."""

    name = "completions.create"
    path = "/completions"

    def from_text(self, text: str) -> dict[str, Any]:
        """One choice that says this."""
        return {"choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": "stop"}]}

    def defaults(self, body: dict[str, Any]) -> dict[str, Any]:
        """What names the object, and the model that was asked for."""
        return _identity("text_completion", "cmpl", body) | {"created": int(time.time())}

    def stream(self, answer: dict[str, Any], body: dict[str, Any]) -> Iterator[Any]:
        """Chunks of a word each."""
        for choice in answer.get("choices", []):
            *first, last = _pieces(choice.get("text", "")) or [""]
            for piece in first:
                yield answer | {"choices": [choice | {"text": piece, "finish_reason": None}]}
            yield answer | {"choices": [choice | {"text": last}]}


class Responses(Endpoint):
    """``POST /responses``."""

    name = "responses.create"
    path = "/responses"
    done = None

    def from_text(self, text: str) -> dict[str, Any]:
        """One message that says this."""
        part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        message = {
            "id": f"msg_mock{next(_numbers)}",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [part],
        }
        return {"output": [message]}

    def defaults(self, body: dict[str, Any]) -> dict[str, Any]:
        """What names the object, and the model that was asked for."""
        asked = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {}}
        return (
            _identity("response", "resp", body)
            | {"created_at": int(time.time()), "status": "completed", "output": []}
            | {"error": None, "incomplete_details": None, "instructions": body.get("instructions")}
            | {name: body.get(name, default) for name, default in asked.items()}
        )

    def stream(self, answer: dict[str, Any], body: dict[str, Any]) -> Iterator[Any]:
        """Events, with deltas of a word each."""
        for number, (kind, fields) in enumerate(self._events(answer)):
            data = {"type": kind, "sequence_number": number} | fields
            yield SimpleNamespace(event=kind, data=data)

    def _events(self, answer: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        begun = answer | {"status": "in_progress", "output": []}
        yield "response.created", {"response": begun}
        yield "response.in_progress", {"response": begun}
        for index, item in enumerate(answer.get("output", [])):
            place = {"output_index": index}
            begun = item | {"status": "in_progress"} | ({"content": []} if "content" in item else {})
            yield "response.output_item.added", place | {"item": begun}
            for content_index, part in enumerate(item.get("content") or []):
                where = place | {"item_id": item.get("id"), "content_index": content_index}
                yield from self._part_events(part, where)
            yield "response.output_item.done", place | {"item": item}
        yield "response.completed", {"response": answer}

    def _part_events(
        self, part: dict[str, Any], where: dict[str, Any]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        text = part.get("text", "")
        yield "response.content_part.added", where | {"part": part | {"text": ""}}
        for piece in _pieces(text):
            yield "response.output_text.delta", where | {"delta": piece, "logprobs": []}
        yield "response.output_text.done", where | {"text": text, "logprobs": []}
        yield "response.content_part.done", where | {"part": part}


def _identity(kind: str, prefix: str, body: dict[str, Any]) -> dict[str, Any]:
    separator = "_" if prefix == "resp" else "-"
    return {
        "id": f"{prefix}{separator}mock{next(_numbers)}",
        "object": kind,
        "model": body.get("model", "mock"),
    }


def _pieces(text: str) -> list[str]:
    """Cut a text as a model would: word by word, each with the space before it."""
    return _piece.findall(text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(value.get("content", value.get("text")))
    elif isinstance(value, list):
        for member in value:
            yield from _texts(member)
