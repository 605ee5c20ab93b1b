"""Streams of the Messages API for Hypothesis: in the documented order, and in other orders."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from message_events import (
    BLOCK_LOCATION,
    CHAR_LOCATION,
    CODE_RESULT,
    CONTAINER,
    OLD_CODE_RESULT,
    PAGE_LOCATION,
    PING,
    SEARCH_LOCATION,
    STOP,
    TOOLS_FOUND,
    WEB_ERROR,
    WEB_LOCATION,
    WEB_RESULTS,
    begin,
    delta,
    end,
    json_delta,
    start,
    stop,
    text_delta,
    thinking_delta,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
inputs = st.dictionaries(texts, json_values, max_size=3)
citations = st.sampled_from([CHAR_LOCATION, PAGE_LOCATION, BLOCK_LOCATION, WEB_LOCATION, SEARCH_LOCATION])
results = st.sampled_from([WEB_RESULTS, WEB_ERROR, CODE_RESULT, OLD_CODE_RESULT, TOOLS_FOUND])
Events = list[dict[str, Any]]


@st.composite
def pieces(draw: st.DrawFn, text: str) -> list[str]:
    """A text, cut in places."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[begin:end] for begin, end in zip([0, *places], [*places, len(text)], strict=True)]


@st.composite
def blocks(draw: st.DrawFn, index: int) -> Events:
    """The events of one block."""
    kind = draw(st.sampled_from(["text", "thinking", "redacted", "tool", "server_tool", "result"]))
    middle: Events = []
    if kind == "text":
        block = {"type": "text", "text": draw(st.just("") | texts)}
        middle = [text_delta(index, piece) for piece in draw(st.lists(texts, max_size=4))]
        for citation in draw(st.lists(citations, max_size=2)):
            place = draw(st.integers(0, len(middle)))
            middle.insert(place, delta(index, {"type": "citations_delta", "citation": citation}))
    elif kind == "thinking":
        block = {"type": "thinking", "thinking": "", "signature": ""}
        middle = [thinking_delta(index, piece) for piece in draw(st.lists(texts, max_size=4))]
        for signature in draw(st.lists(texts, max_size=2)):
            middle.append(delta(index, {"type": "signature_delta", "signature": signature}))
    elif kind == "redacted":
        block = {"type": "redacted_thinking", "data": draw(texts)}
    elif kind == "result":
        block = draw(results)
    else:
        name = "weather" if kind == "tool" else "web_search"
        type_ = "tool_use" if kind == "tool" else "server_tool_use"
        block = {"type": type_, "id": f"toolu_{index}", "name": name, "input": {}}
        text = json.dumps(draw(inputs), ensure_ascii=draw(st.booleans()))
        cut = draw(st.just(len(text)) | st.integers(0, len(text)))
        middle = [json_delta(index, piece) for piece in draw(pieces(text[:cut]))]
    return [begin(index, block), *middle, stop(index)]


counts = st.none() | st.integers(0, 1000)
usages = st.fixed_dictionaries(
    {"output_tokens": st.integers(0, 1000)},
    optional={
        "input_tokens": counts,
        "cache_read_input_tokens": counts,
        "cache_creation_input_tokens": counts,
        "server_tool_use": st.none() | st.just({"web_search_requests": 1, "web_fetch_requests": 0}),
        "output_tokens_details": st.none() | st.just({"thinking_tokens": 3}),
    },
)
ends = st.builds(
    lambda reason, sequence, container, details, usage: end(
        reason, stop_sequence=sequence, container=container, stop_details=details, usage=usage
    ),
    st.sampled_from(["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal", "new"]),
    st.none() | texts,
    st.none() | st.just(CONTAINER),
    st.none() | st.just({"type": "refusal", "category": "cyber", "explanation": None}),
    usages,
)
begins = st.builds(
    lambda cached, tier, creation: start(
        usage={
            "input_tokens": 25,
            "output_tokens": 1,
            "cache_read_input_tokens": cached,
            "service_tier": tier,
            "cache_creation": creation,
        }
    ),
    counts,
    st.sampled_from(["standard", "priority", None]),
    st.none() | st.just({"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2}),
)


@st.composite
def documented_streams(draw: st.DrawFn) -> Events:
    """Streams in the documented order, with pings."""
    count = draw(st.integers(0, 4))
    middle = [event for index in range(count) for event in draw(blocks(index))]
    events = [draw(begins), *middle, draw(ends), STOP]
    for place in draw(st.lists(st.integers(1, len(events) - 1), max_size=3)):
        events.insert(place, PING)
    return events


@st.composite
def interleaved_streams(draw: st.DrawFn) -> Events:
    """Streams whose blocks begin in order, and whose other events come in any order."""
    queues = [draw(blocks(index)) for index in range(draw(st.integers(1, 4)))]
    events = [draw(begins)]
    begun = 0
    while any(queues):
        ready = [queue for queue in queues[:begun] if queue]
        if begun < len(queues) and (not ready or draw(st.booleans())):
            events.append(queues[begun].pop(0))
            begun += 1
        elif ready:
            events.append(draw(st.sampled_from(ready)).pop(0))
    events.extend(draw(st.lists(ends, max_size=2)))
    # Deltas may come after the end of their block, and the end of the message before other events.
    if draw(st.booleans()):
        events.insert(draw(st.integers(1, len(events))), draw(ends))
    for _ in range(draw(st.integers(0, 2))):
        events.insert(draw(st.integers(1, len(events))), PING)
    return [*events, STOP]


@st.composite
def shuffled_streams(draw: st.DrawFn) -> Events:
    """Events of a stream in any order, with some of them missing or repeated."""
    events = draw(documented_streams())
    return draw(st.lists(st.sampled_from(events), max_size=len(events)) | st.permutations(events))


@st.composite
def unruly_events(draw: st.DrawFn) -> Events:
    """Events with fields that are missing, null, unknown or of a wrong type."""
    events = draw(shuffled_streams())
    changed = []
    for event in events:
        fields = json.loads(json.dumps(event))
        targets = [fields, *(each for each in fields.values() if isinstance(each, dict))]
        for _ in range(draw(st.integers(0, 2))):
            target = draw(st.sampled_from(targets))
            if target:
                name = draw(st.sampled_from([*sorted(target), "new_field"]))
                if draw(st.booleans()):
                    target.pop(name, None)
                else:
                    target[name] = draw(json_values)
        changed.append(fields)
    return changed
