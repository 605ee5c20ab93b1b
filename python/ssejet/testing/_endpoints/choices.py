"""OpenAI's endpoints whose answers have choices: chat completions, and the older completions."""

from __future__ import annotations

import copy
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from ssejet.testing._endpoints.base import StatelessEndpoint, count_tokens, new_id, pieces, text_of_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["ENDPOINTS"]


class _Choices(StatelessEndpoint):
    """What both endpoints share: ``n``, usage, and the chunks of several choices in turn."""

    kind: str
    chunk_kind: str
    id_prefix: str
    creates = True
    fields = ("id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint")

    def defaults(self, body: dict[str, Any]) -> dict[str, Any]:
        """The id, the type and the model of the answer."""
        identity = {"id": new_id(self.id_prefix), "object": self.kind, "created": int(time.time())}
        return identity | {"model": body.get("model", "mock"), "choices": []}

    def complete(self, fields: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Add the missing fields to an answer.

        A single choice without an index is repeated as often as the request asks.
        """
        answer = self.defaults(body) | fields
        choices = answer["choices"]
        if len(choices) == 1 and "index" not in choices[0]:
            choices = [copy.deepcopy(choices[0]) for _ in range(self._wanted(body))]
        answer["choices"] = [
            {"index": place, "logprobs": None} | self._complete_choice(choice)
            for place, choice in enumerate(choices)
        ]
        if answer.get("usage") is None:
            answer["usage"] = self._usage(answer, body)
        return answer

    def stream(self, answer: dict[str, Any], body: dict[str, Any]) -> Iterator[Any]:
        """Chunks of one word each; those of several choices in turn."""
        head = {name: value for name, value in answer.items() if name not in ("choices", "usage")}
        head["object"] = self.chunk_kind
        sends_usage = (body.get("stream_options") or {}).get("include_usage")
        usage = {"usage": None} if sends_usage else {}
        choices = enumerate(answer.get("choices") or [])
        for choice in _in_turn([self._cut({"index": place} | choice) for place, choice in choices]):
            yield head | {"choices": [choice]} | usage
        if sends_usage:
            yield head | {"choices": [], "usage": answer.get("usage") or self._usage(answer, body)}

    def _wanted(self, body: dict[str, Any]) -> int:
        """How many choices the request asks for."""
        n = body.get("n")
        return n if isinstance(n, int) and n > 0 else 1

    @abstractmethod
    def _complete_choice(self, choice: dict[str, Any]) -> dict[str, Any]:
        """Add the fields that a choice always has."""

    @abstractmethod
    def _cut(self, choice: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Cut a choice into those of chunks."""

    def _usage(self, answer: dict[str, Any], body: dict[str, Any]) -> dict[str, int]:
        prompt = count_tokens({name: body.get(name) for name in ("messages", "prompt")})
        completion = count_tokens(answer.get("choices"))
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }


class ChatCompletions(_Choices):
    """``POST /chat/completions``."""

    name = "chat.completions.create"
    path = "/chat/completions"
    kind = "chat.completion"
    chunk_kind = "chat.completion.chunk"
    id_prefix = "chatcmpl-"
    cuts_tool_calls = True
    """Whether the arguments of a tool call come word by word."""

    def from_text(self, text: str) -> dict[str, Any]:
        """One choice with this text."""
        message = {"role": "assistant", "content": text, "refusal": None}
        return {"choices": [{"message": message, "finish_reason": "stop"}]}

    def _complete_choice(self, choice: dict[str, Any]) -> dict[str, Any]:
        message = {"role": "assistant"} | (choice.get("message") or {})
        message = {"content": None, "refusal": None} | message
        if message.get("tool_calls"):
            message["tool_calls"] = [_complete_call(call) for call in message["tool_calls"]]
        return choice | {"message": message, "finish_reason": _finish_reason(choice)}

    def _cut(self, choice: dict[str, Any]) -> Iterator[dict[str, Any]]:
        message = choice.get("message") or {}
        index = {"index": choice["index"]}
        yield index | {"delta": {"role": message.get("role", "assistant")}, "finish_reason": None}
        for delta in _deltas(message, cuts_tool_calls=self.cuts_tool_calls):
            yield index | {"delta": delta, "finish_reason": None}
        rest = {name: value for name, value in choice.items() if name != "message" and value is not None}
        yield rest | {"delta": {}, "finish_reason": _finish_reason(choice)}


class Completions(_Choices):
    """``POST /completions``."""

    name = "completions.create"
    path = "/completions"
    kind = chunk_kind = "text_completion"
    id_prefix = "cmpl-"

    def from_text(self, text: str) -> dict[str, Any]:
        """One choice with this text."""
        return {"choices": [{"text": text, "finish_reason": "stop"}]}

    def _wanted(self, body: dict[str, Any]) -> int:
        prompt = body.get("prompt")
        is_several = isinstance(prompt, list) and all(isinstance(each, (str, list)) for each in prompt)
        return super()._wanted(body) * (max(1, len(prompt)) if isinstance(prompt, list) and is_several else 1)

    def _complete_choice(self, choice: dict[str, Any]) -> dict[str, Any]:
        return {"text": "", "finish_reason": "stop"} | choice

    def _cut(self, choice: dict[str, Any]) -> Iterator[dict[str, Any]]:
        *first, last = pieces(choice.get("text", "")) or [""]
        for piece in first:
            yield choice | {"text": piece, "finish_reason": None, "logprobs": None}
        yield choice | {"text": last}


def _finish_reason(choice: dict[str, Any]) -> Any:
    """The finish reason of the choice, else the one that fits its message."""
    if "finish_reason" in choice:
        return choice["finish_reason"]
    message = choice.get("message") or {}
    if message.get("tool_calls"):
        return "tool_calls"
    return "function_call" if message.get("function_call") else "stop"


def _complete_call(call: dict[str, Any]) -> dict[str, Any]:
    """A tool call with an id, a type and its arguments as text."""
    kind = "custom" if "custom" in call else "function"
    call = {"id": new_id("call_"), "type": kind} | call
    for name, text in (("function", "arguments"), ("custom", "input")):
        if isinstance(call.get(name), dict):
            call[name] = call[name] | {text: text_of_json(call[name].get(text, ""))}
    return call


def _deltas(message: dict[str, Any], *, cuts_tool_calls: bool) -> Iterator[dict[str, Any]]:
    """All of a message but its role: reasoning first, texts word by word."""
    for name, value in sorted(message.items(), key=lambda field: not field[0].startswith("reasoning")):
        if name == "role" or value is None:
            continue
        if name == "tool_calls":
            for index, call in enumerate(value):
                for part in _call_parts(call) if cuts_tool_calls else [call]:
                    yield {"tool_calls": [{"index": index} | part]}
        elif name == "function_call":
            for part in _function_parts(value, "arguments"):
                yield {"function_call": part}
        elif isinstance(value, str):
            for piece in pieces(value):
                yield {name: piece}
        else:
            yield {name: value}


def _call_parts(call: dict[str, Any]) -> Iterator[dict[str, Any]]:
    name, text = ("custom", "input") if "custom" in call else ("function", "arguments")
    first, *rest = _function_parts(call.get(name) or {}, text)
    yield call | {name: first}
    for part in rest:
        yield {name: part}


def _function_parts(function: dict[str, Any], text: str) -> Iterator[dict[str, Any]]:
    """The name first, then the arguments or the input word by word."""
    yield function | {text: ""}
    for piece in pieces(text_of_json(function.get(text, ""))):
        yield {text: piece}


def _in_turn(parts: list[Iterator[dict[str, Any]]]) -> Iterable[dict[str, Any]]:
    """One item of each iterator in turn, until all have ended."""
    while parts:
        left = []
        for each in parts:
            if (part := next(each, None)) is not None:
                yield part
                left.append(each)
        parts = left


ENDPOINTS = (ChatCompletions(), Completions())
