"""Hypothesis strategies: sequences of chunks such as servers send, with every liberty that servers take."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st
from openai import pydantic_function_tool
from pydantic import BaseModel


class Step(BaseModel):
    explanation: str
    score: float | None


class Answer(BaseModel):
    steps: list[Step]
    final: str
    sure: bool


class Query(BaseModel):
    """Look something up."""

    words: list[str]
    limit: int


LENIENT_TOOL = {"type": "function", "function": {"name": "lenient", "parameters": {"type": "object"}}}
STRICT_TOOL = {
    "type": "function",
    "function": {"name": "strict", "strict": True, "parameters": {"type": "object"}},
}
MODEL_TOOL = pydantic_function_tool(Query, name="model")
TOOLS = [LENIENT_TOOL, STRICT_TOOL, MODEL_TOOL]

texts = st.text(max_size=8)
_numbers = st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False))
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), _numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)
_json_objects = st.dictionaries(texts, json_values, max_size=4)
_floats = st.floats(allow_nan=False, allow_infinity=False)
_steps = st.builds(Step, explanation=texts, score=st.none() | _floats)
_answers = st.builds(Answer, steps=st.lists(_steps, max_size=3), final=texts, sure=st.booleans())
_queries = st.builds(Query, words=st.lists(texts, max_size=3), limit=st.integers(0, 99))
_indents = st.sampled_from([None, 1])


@st.composite
def fragments(draw: st.DrawFn, whole: st.SearchStrategy[str]) -> list[str]:
    """A text, cut into pieces."""
    text = draw(whole)
    cuts = draw(st.lists(st.integers(0, len(text)), max_size=6))
    places = [0, *sorted(cuts), len(text)]
    return [text[start:end] for start, end in pairwise(places)]


def _dump(values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda value, indent, ascii_only: json.dumps(
            value.model_dump() if isinstance(value, BaseModel) else value,
            indent=indent,
            ensure_ascii=ascii_only,
        ),
        values,
        _indents,
        st.booleans(),
    )


_tokens = st.lists(
    st.fixed_dictionaries(
        {"token": texts, "logprob": st.floats(-10, 0), "bytes": st.none(), "top_logprobs": st.just([])}
    ),
    max_size=2,
)
_logprobs = st.none() | st.fixed_dictionaries(
    {"content": st.none() | _tokens, "refusal": st.none() | _tokens}
)


@st.composite
def _call_deltas(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Deltas with tool calls, one call after the other."""
    groups: list[list[dict[str, Any]]] = []
    for index in range(draw(st.integers(0, 3))):
        kinds = [
            ("lenient", texts),
            ("strict", _dump(_json_objects)),
            ("model", _dump(_queries)),
            ("other", texts),
        ]
        name, arguments = draw(st.sampled_from(kinds))
        head, *pieces = draw(fragments(arguments))
        entries = [{"index": index, "id": f"call_{index}", "type": "function", "function": {"name": name}}]
        entries[0]["function"]["arguments"] = head
        entries += [{"index": index, "function": {"arguments": piece}} for piece in pieces]
        for entry in entries:
            # The end of one call and the start of the next may come together, and so may pieces of one.
            if groups and draw(st.integers(0, 3)) == 0:
                groups[-1].append(entry)
            else:
                groups.append([entry])
    return [{"tool_calls": group} for group in groups]


@st.composite
def _choice_parts(draw: st.DrawFn, contents: st.SearchStrategy[str]) -> list[dict[str, Any]]:
    """What the chunks say of one choice, in order."""
    deltas: list[dict[str, Any]] = [{}] if draw(st.booleans()) else []
    deltas += [{"reasoning_content": piece} for piece in draw(fragments(texts) | st.just([]))]
    kind = draw(st.sampled_from(["content", "content", "refusal", "both", "neither"]))
    if kind in {"content", "both"}:
        deltas += [{"content": piece} for piece in draw(fragments(contents))]
    if kind == "refusal":
        deltas += [{"refusal": piece} for piece in draw(fragments(texts))]
    deltas += draw(_call_deltas())
    deltas = deltas or [{}]
    if draw(st.booleans()):
        deltas[0] = {"role": "assistant", **deltas[0]}
    for delta in deltas:
        for name in draw(st.sets(st.sampled_from(["content", "refusal", "tool_calls", "function_call"]))):
            delta.setdefault(name, None)
    parts = [{"delta": delta, "logprobs": draw(_logprobs), "finish_reason": None} for delta in deltas]
    reason = draw(st.sampled_from(["stop", "stop", "tool_calls", "length", "content_filter", "eos", None]))
    if reason is not None and len(parts) > 1 and draw(st.booleans()):
        parts[-1]["finish_reason"] = reason
    elif reason is not None:
        parts.append({"delta": {}, "logprobs": None, "finish_reason": reason})
    return parts


@st.composite
def chunk_sequences(draw: st.DrawFn, contents: st.SearchStrategy[str] = texts) -> list[dict[str, Any]]:
    """Whole streams: one or several choices, interleaved in any way."""
    parts = [
        [{"index": index, **part} for part in draw(_choice_parts(contents))]
        for index in range(draw(st.sampled_from([1, 1, 1, 2, 3])))
    ]
    # openai-python needs each choice's first part after that of the choices before it.
    opening = [choice.pop(0) for choice in parts]
    groups = [opening] if draw(st.booleans()) else [[part] for part in opening]
    for part in opening[1:]:
        if len(groups) > 1:
            part["logprobs"] = None  # openai-python doubles those with which a later chunk opens a choice
    while any(parts):
        ready = [choice for choice in parts if choice]
        together = draw(st.lists(st.sampled_from(range(len(ready))), min_size=1, max_size=3, unique=True))
        groups.append([ready[each].pop(0) for each in together])
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    chunks = [{**base, "choices": group} for group in groups]
    for chunk in chunks:
        if draw(st.integers(0, 4)) == 0:
            chunk["system_fingerprint"] = draw(st.none() | texts)
        if draw(st.integers(0, 4)) == 0:
            chunk["service_tier"] = draw(st.sampled_from(["default", "flex"]))
        if draw(st.integers(0, 4)) == 0:
            chunk["provider"] = draw(st.text(min_size=1, max_size=8))
    if draw(st.booleans()):
        usage = {"completion_tokens": 2, "prompt_tokens": 3, "total_tokens": 5, "cost": 0.5}
        chunks.append({**base, "choices": [], "usage": usage})
    return chunks


answers_as_json = _dump(_answers)
json_texts = _dump(json_values)


_scraps = st.sampled_from(["", "a", "bc", " ", '{"x":', "1}", "{}"])


def _or_null(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


_tokens_or_null = _or_null(
    st.sampled_from([[], [{"token": "a", "logprob": -1.0, "bytes": None, "top_logprobs": []}]])
)
_moderation = {"type": "error", "code": "c", "message": "m"}


@st.composite
def unruly_sequences(draw: st.DrawFn, *, refusals: bool = True) -> list[dict[str, Any]]:
    """Streams whose chunks hold anything in any order: calls interleaved, texts resumed, trailing chunks.

    What openai-python needs is kept: choices and calls begin in order, calls with an id, a type and a name.
    """
    chunks: list[dict[str, Any]] = []
    calls_begun = [0, 0]
    begun: set[int] = set()
    called: set[int] = set()
    for _ in range(draw(st.integers(1, 7))):
        choices = []
        for index in draw(st.sampled_from([[], [0], [0], [0, 1], [1]])):
            if index == 1 and 0 not in begun:
                continue
            delta: dict[str, Any] = {}
            for name in ("content", "refusal") if refusals else ("content",):
                if draw(st.booleans()):
                    delta[name] = draw(_or_null(_scraps))
            if index not in begun and draw(st.booleans()):
                delta["role"] = "assistant"
            if draw(st.booleans()):
                delta["tool_calls"] = []
                for _ in range(draw(st.integers(1, 2))):
                    call = draw(st.integers(0, calls_begun[index]))
                    if call == calls_begun[index]:
                        calls_begun[index] += 1
                        name = draw(st.sampled_from(["lenient", "strict", "model", "other"]))
                        function = {"name": name, "arguments": draw(_scraps)}
                        entry = {
                            "index": call,
                            "id": f"call_{call}",
                            "type": "function",
                            "function": function,
                        }
                    else:
                        entry = {"index": call, "function": draw(st.sampled_from([{}, {"arguments": None}]))}
                        if draw(st.booleans()):
                            entry["function"] = {"arguments": draw(_scraps)}
                        if draw(st.booleans()):
                            entry["type"] = "function"
                    delta["tool_calls"].append(entry)
            if draw(st.integers(0, 5)) == 0:
                delta["function_call"] = {"arguments": draw(_scraps)}
                if index not in called:
                    called.add(index)
                    delta["function_call"]["name"] = "f"
            if draw(st.integers(0, 5)) == 0:
                delta["audio"] = {"data": draw(_scraps), "transcript": draw(_or_null(_scraps))}
            choice: dict[str, Any] = {"index": index, "delta": delta}
            if draw(st.integers(0, 5)) == 0:
                choice["finish_reason"] = draw(st.sampled_from(["stop", "tool_calls", "length"]))
            if draw(st.integers(0, 3)) == 0 and (not chunks or index in begun):
                choice["logprobs"] = {"content": draw(_tokens_or_null), "refusal": draw(_tokens_or_null)}
            begun.add(index)
            choices.append(choice)
        chunk = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": choices,
        }
        if draw(st.integers(0, 4)) == 0:
            chunk["usage"] = draw(
                _or_null(st.just({"completion_tokens": 1, "prompt_tokens": 1, "total_tokens": 2}))
            )
        if draw(st.integers(0, 4)) == 0:
            chunk["moderation"] = {"input": _moderation, "output": _moderation}
        chunks.append(chunk)
    return chunks
