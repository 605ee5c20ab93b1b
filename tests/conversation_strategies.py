"""Conversations of chat completions and of Messages, for Hypothesis, and what says the same in each."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

__all__ = [
    "PNG",
    "canonical_messages",
    "chat_answers",
    "chat_calls",
    "chats",
    "conversations",
    "dicts",
    "inputs",
    "parsed_chat",
    "systems",
    "words",
]

PNG = "iVBORw0KGgo="

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
inputs = st.dictionaries(words, json_values, max_size=2)
marks = st.fixed_dictionaries({}, optional={"cache_control": st.just({"type": "ephemeral"})})


def with_marks(blocks: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda block, extra: {**block, **extra}, blocks, marks)


def dicts(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    strategies = {
        name: each if isinstance(each, st.SearchStrategy) else st.just(each) for name, each in fields.items()
    }
    return st.fixed_dictionaries(strategies)


text_blocks = with_marks(dicts(type="text", text=words))
sources = st.one_of(
    dicts(type="base64", media_type=st.sampled_from(["image/png", "image/webp"]), data=PNG),
    dicts(type="url", url="https://example.org/a"),
    dicts(type="file", file_id=words),
)
user_blocks = st.one_of(
    text_blocks,
    with_marks(dicts(type="image", source=sources)),
    with_marks(
        dicts(
            type="document",
            source=dicts(type="base64", media_type="application/pdf", data=PNG)
            | dicts(type="file", file_id=words)
            | dicts(type="url", url="https://example.org/a.pdf"),
            title=words,
        )
    ),
    dicts(type="document", source=dicts(type="text", media_type="text/plain", data=words)),
    dicts(type="search_result", source=words, title=words, content=st.just([])),
)
contents = words | st.lists(user_blocks, min_size=2, max_size=3)
tool_results = st.builds(
    lambda block, error: {**block, **error},
    dicts(
        type="tool_result", tool_use_id=words, content=words | st.lists(text_blocks, min_size=2, max_size=2)
    ),
    st.sampled_from([{}, {"is_error": True}]),
)
assistant_blocks = st.one_of(
    text_blocks,
    dicts(type="thinking", thinking=words, signature=st.just("") | words),
    dicts(type="redacted_thinking", data=words),
    dicts(type="tool_use", id=words, name=words, input=inputs),
    dicts(type="server_tool_use", id=words, name="web_search", input=inputs),
    dicts(type="web_search_tool_result", tool_use_id=words, content=st.just([])),
    dicts(type="new_block", x=words),
)
turns = st.one_of(
    st.builds(lambda content: {"role": "user", "content": content}, contents),
    st.builds(
        lambda results, more: {"role": "user", "content": [*results, *more]},
        st.lists(tool_results, min_size=1, max_size=2),
        st.lists(text_blocks, max_size=2),
    ),
)
answers = st.builds(
    lambda content: {"role": "assistant", "content": content},
    words | st.lists(assistant_blocks, min_size=1, max_size=4),
)


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Conversations of Messages, in which the user and the model take turns."""
    count = draw(st.integers(0, 4))
    return [draw(turns if index % 2 == 0 else answers) for index in range(count)]


systems = st.none() | words | st.lists(text_blocks, min_size=2, max_size=2)


def canonical_message(message: dict[str, Any]) -> dict[str, Any]:
    """A message with one plain text block as a text, which says the same."""
    content = message["content"]
    if isinstance(content, list):
        content = [
            {**block, "content": canonical_message(block)["content"]}
            if block["type"] == "tool_result"
            else block
            for block in content
        ]
        if len(content) == 1 and content[0].keys() == {"type", "text"}:
            content = content[0]["text"]
    return {**message, "content": content}


def canonical_messages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*map(canonical_message, messages)]


chat_texts = st.one_of(words, st.lists(dicts(type="text", text=words), min_size=2, max_size=3))
chat_parts = st.one_of(
    dicts(type="text", text=words),
    dicts(
        type="image_url",
        image_url=dicts(url=st.sampled_from([f"data:image/png;base64,{PNG}", "https://a.b/c"])),
    ),
    dicts(
        type="file",
        file=dicts(file_id=words) | dicts(file_data=f"data:application/pdf;base64,{PNG}", filename=words),
    ),
    dicts(type="input_audio", input_audio=dicts(data=PNG, format="mp3")),
)
chat_calls = dicts(
    id=words,
    type="function",
    function=dicts(
        name=words,
        arguments=inputs.map(lambda each: json.dumps(each, separators=(",", ":"), ensure_ascii=False)),
    ),
)
chat_users = dicts(role="user", content=words | st.lists(chat_parts, min_size=2, max_size=3))
named_users = dicts(role="user", content=words, name=words)
chat_answers = st.one_of(
    dicts(role="assistant", content=chat_texts),
    dicts(
        role="assistant", content=st.none() | words, tool_calls=st.lists(chat_calls, min_size=1, max_size=2)
    ),
    dicts(role="assistant", content=words, reasoning_content=words),
)
chat_results = dicts(role="tool", tool_call_id=words, content=chat_texts)


@st.composite
def chats(draw: st.DrawFn, answers: st.SearchStrategy[dict[str, Any]] = chat_answers) -> list[dict[str, Any]]:
    """Conversations of chat completions."""
    chat = [draw(dicts(role="system", content=chat_texts))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 3))):
        chat.append(draw(chat_users | named_users))
        chat.append(draw(answers))
        chat += draw(st.lists(chat_results, max_size=2))
    return chat


def parsed_chat(chat: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A conversation with arguments as values, as JSON has several texts for one value."""
    copied = json.loads(json.dumps(chat))
    for message in copied:
        for call in message.get("tool_calls") or ():
            if "function" in call:
                call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return copied  # type: ignore[no-any-return]
