"""OpenAI's Responses API."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ssejet.testing._answers import MockError
from ssejet.testing._endpoints.base import (
    Asked,
    Event,
    RefusedError,
    StatelessEndpoint,
    count_tokens,
    integer,
    new_id,
    pieces,
    text_of_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    # The type of each event, and its fields.
    Events: TypeAlias = Iterator[tuple[str, dict[str, Any]]]

__all__ = ["ENDPOINTS"]

# For each item with a streamed text: the field of the text, and the names of its events.
_STREAMED_FIELDS = {
    "function_call": ("arguments", "response.function_call_arguments"),
    "custom_tool_call": ("input", "response.custom_tool_call_input"),
    "mcp_call": ("arguments", "response.mcp_call_arguments"),
}
# The parts of an item, by type: the field that has the text, and the names of its events.
_PARTS = {
    "output_text": ("text", "response.output_text"),
    "refusal": ("refusal", "response.refusal"),
    "reasoning_text": ("text", "response.reasoning_text"),
    "summary_text": ("text", "response.reasoning_summary_text"),
}
# What a response repeats of its request as it is.
_REPEATED = (
    "background", "max_output_tokens", "max_tool_calls", "previous_response_id", "prompt", "prompt_cache_key",
    "reasoning", "safety_identifier", "service_tier", "store", "temperature", "text", "top_logprobs", "top_p",
    "truncation", "user",
)  # fmt: skip
_ID_PREFIXES = {"message": "msg_", "function_call": "fc_", "reasoning": "rs_", "custom_tool_call": "ctc_"}


class Responses(StatelessEndpoint):
    """``POST /responses``."""

    name = "responses.create"
    path = "/responses"
    fields = (
        "id", "object", "created_at", "model", "status", "output", "error", "incomplete_details",
        "instructions", "parallel_tool_calls", "tool_choice", "tools", "metadata", "usage",
        "previous_response_id", "temperature", "top_p", "reasoning", "text", "truncation", "user",
        "background", "conversation", "max_output_tokens", "service_tier", "store", "completed_at",
    )  # fmt: skip
    done = None
    names_events = True

    def answer(self, given: str | bytes | dict[str, Any] | None, asked: Asked) -> Any:
        """The full answer. The mock keeps it, unless the request says ``store=False``."""
        answer = super().answer(given, asked)
        if asked.body.get("store") is not False:
            asked.store.responses.put(answer)
        return answer

    def from_text(self, text: str) -> dict[str, Any]:
        """One message with this text."""
        return {"output": [_complete_item({"type": "message", "content": text})]}

    def defaults(self, body: dict[str, Any]) -> dict[str, Any]:
        """The id, the type and the model of the answer, and what the request says."""
        asked = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {}}
        return (
            {"id": new_id("resp_"), "object": "response", "model": body.get("model", "mock")}
            | {"created_at": int(time.time()), "status": "completed", "output": []}
            | {"error": None, "incomplete_details": None, "instructions": body.get("instructions")}
            | {name: body.get(name, default) for name, default in asked.items()}
            | {name: body[name] for name in _REPEATED if body.get(name) is not None}
        )

    def complete(self, fields: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Add the missing fields to an answer; the status is the one that fits the others."""
        answer = self.defaults(body) | fields
        answer["output"] = [_complete_item(item) for item in answer["output"]]
        if "status" not in fields and answer["error"]:
            answer["status"] = "failed"
        elif "status" not in fields and answer["incomplete_details"]:
            answer["status"] = "incomplete"
        if answer.get("usage") is None:
            answer["usage"] = self._usage(answer, body)
        return answer

    def stream(self, answer: dict[str, Any], body: dict[str, Any]) -> Iterator[Any]:
        """Events with deltas of one word each."""
        for number, (kind, fields) in enumerate(self._events(answer)):
            yield Event(kind, {"type": kind, "sequence_number": number} | fields)

    def stream_error(self, error: MockError, number: int) -> Any:
        """An event of type ``error``, after which the stream ends."""
        fields = {"code": error.code, "message": error.message, "param": error.param}
        return Event("error", {"type": "error", "sequence_number": number} | fields)

    def _events(self, answer: dict[str, Any]) -> Events:
        begun = answer | {"status": "in_progress", "output": []}
        begun |= {name: None for name in ("usage", "error", "incomplete_details") if name in answer}
        yield "response.created", {"response": begun}
        yield "response.in_progress", {"response": begun}
        for index, item in enumerate(answer.get("output", [])):
            yield from _item_events(item, {"output_index": index})
        status = answer.get("status")
        end = status if status in ("failed", "incomplete") else "completed"
        yield f"response.{end}", {"response": answer}

    def _usage(self, answer: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        asked = count_tokens({name: body.get(name) for name in ("instructions", "input")})
        said = count_tokens(answer["output"])
        reasoning = count_tokens([item for item in answer["output"] if item.get("type") == "reasoning"])
        return {
            "input_tokens": asked,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": said,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": asked + said,
        }


class RetrieveResponse(Responses):
    """``GET /responses/{response_id}``: a kept response, or its stream after an event."""

    name = "responses.retrieve"
    method = "GET"
    path = "/responses/{response_id}"
    has_default = True

    def answer(self, given: str | bytes | dict[str, Any] | None, asked: Asked) -> Any:
        """The response with the id, or what the test gives."""
        if given is None:
            return _require(asked)
        fields = self.from_text(given) if isinstance(given, str) else given
        if isinstance(fields, dict):
            fields = {"id": asked.path["response_id"]} | fields
        return super().answer(fields, asked)

    def events(self, answer: Any, asked: Asked) -> Iterable[Any]:
        """The events after the one with the number ``starting_after``, or all."""
        after = integer(asked.query, "starting_after", -1)
        return (event for event in self.stream(answer, asked.body) if event.data["sequence_number"] > after)


class CancelResponse(RetrieveResponse):
    """``POST /responses/{response_id}/cancel``."""

    name = "responses.cancel"
    method = "POST"
    path = "/responses/{response_id}/cancel"

    def answer(self, given: str | bytes | dict[str, Any] | None, asked: Asked) -> Any:
        """The cancelled response."""
        if given is None:
            given = _require(asked) | {"status": "cancelled"}
        return super().answer(given, asked)


class DeleteResponse(RetrieveResponse):
    """``DELETE /responses/{response_id}``."""

    name = "responses.delete"
    method = "DELETE"

    def answer(self, given: str | bytes | dict[str, Any] | None, asked: Asked) -> Any:
        """Say that the response is gone."""
        id = _require(asked)["id"]
        asked.store.responses.delete(id)
        return {"id": id, "object": "response.deleted", "deleted": True}


def _require(asked: Asked) -> dict[str, Any]:
    id = asked.path["response_id"]
    response = asked.store.responses.fields(id)
    if response is None:
        raise RefusedError(MockError(f"Response with id '{id}' not found.", status=404))
    return response


def _complete_item(item: dict[str, Any]) -> dict[str, Any]:
    """An item of the output with the fields that each item of its type has."""
    kind = item.get("type", "message")
    item = {"id": new_id(_ID_PREFIXES.get(kind, f"{kind}_")), "type": kind} | item
    if kind == "message":
        content = item.get("content") or []
        parts = [{"type": "output_text", "text": content}] if isinstance(content, str) else content
        item["content"] = [_complete_part(part) for part in parts]
        return {"role": "assistant", "status": "completed"} | item
    if kind == "reasoning":
        return {"summary": []} | item
    if kind in _STREAMED_FIELDS:
        field, _ = _STREAMED_FIELDS[kind]
        item[field] = text_of_json(item.get(field, ""))
        if kind != "mcp_call":
            item = {"call_id": new_id("call_")} | item
        return {"status": "completed"} | item
    return item


def _complete_part(part: dict[str, Any]) -> dict[str, Any]:
    return {"annotations": [], "logprobs": []} | part if part.get("type") == "output_text" else part


def _item_events(item: dict[str, Any], place: dict[str, Any]) -> Events:
    begun = dict(item)
    for name in ("content", "summary"):
        if begun.get(name):
            begun[name] = []
    if "status" in begun:
        begun["status"] = "in_progress"
    field, kind = _STREAMED_FIELDS.get(f"{item.get('type')}", (None, ""))
    if field is not None:
        begun[field] = ""
    yield "response.output_item.added", place | {"item": begun}
    where = place | {"item_id": item.get("id")}
    for index, part in enumerate(item.get("summary") or []):
        yield from _part_events(part, where | {"summary_index": index}, "response.reasoning_summary_part")
    for index, part in enumerate(item.get("content") or []):
        yield from _part_events(part, where | {"content_index": index}, "response.content_part")
    if field is not None:
        text = text_of_json(item.get(field, ""))
        for piece in pieces(text):
            yield f"{kind}.delta", where | {"delta": piece}
        done = where | {field: text}
        if item.get("type") == "function_call":
            done["name"] = item.get("name")
        yield f"{kind}.done", done
    yield "response.output_item.done", place | {"item": item}


def _part_events(part: dict[str, Any], where: dict[str, Any], part_kind: str) -> Events:
    field, kind = _PARTS.get(part.get("type", ""), (None, ""))
    begun = dict(part)
    if field is not None:
        begun[field] = ""
    if part.get("annotations"):
        begun["annotations"] = []
    yield f"{part_kind}.added", where | {"part": begun}
    if field is not None:
        text = part.get(field, "")
        logprobs: dict[str, Any] = {"logprobs": []} if kind == "response.output_text" else {}
        for piece in pieces(text):
            yield f"{kind}.delta", where | {"delta": piece} | logprobs
        for index, annotation in enumerate(part.get("annotations") or []):
            added = {"annotation_index": index, "annotation": annotation}
            yield f"{kind}.annotation.added", where | added
        if logprobs:
            logprobs = {"logprobs": part.get("logprobs") or []}
        yield f"{kind}.done", where | {field: text} | logprobs
    yield f"{part_kind}.done", where | {"part": part}


ENDPOINTS = (Responses(), RetrieveResponse(), CancelResponse(), DeleteResponse())
