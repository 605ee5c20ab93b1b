"""Conversations of the Responses API, of chat completions and of Messages, converted into each other."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import anthropic.types
import msgspec
import openai.types.chat
import openai.types.responses
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openai.types.responses.response_create_params import ToolChoice
from pydantic import TypeAdapter

from conversation_strategies import (
    PNG,
    canonical_messages,
    chat_answers,
    chat_calls,
    chats,
    conversations,
    dicts,
    inputs,
    parsed_chat,
    systems,
    words,
)
from ssejet.chat import ChatCompletion
from ssejet.responses import Response, from_chat, from_messages, to_chat, to_messages

if TYPE_CHECKING:
    from collections.abc import Callable

ITEMS_OF_SDK = openai.types.responses.ResponseInputParam
CHAT_OF_SDK = list[openai.types.chat.ChatCompletionMessageParam]
MESSAGES_OF_SDK = list[anthropic.types.MessageParam]


@cache
def adapter(type_: Any) -> TypeAdapter[Any]:
    """Checks JSON against a type of an SDK. It takes long to make."""
    return TypeAdapter(type_)


WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PDF = f"data:application/pdf;base64,{PNG}"
CITED = {"url": "https://a.b/c", "title": "C", "start_index": 0, "end_index": 2}
CHAT: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
            {"type": "file", "file": {"file_data": PDF, "filename": "a.pdf"}},
            {"type": "file", "file": {"file_id": "file_1"}, "prompt_cache_breakpoint": {"mode": "explicit"}},
        ],
    },
    {
        "role": "assistant",
        "content": "Let me look.",
        "reasoning_content": "Hm.",
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}},
            {"id": "b", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}},
        ],
    },
    {"role": "tool", "tool_call_id": "a", "content": "Sun"},
    {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "1"}] * 2},
    {
        "role": "assistant",
        "content": "It is.",
        "annotations": [{"type": "url_citation", "url_citation": CITED}],
    },
    {"role": "user", "content": "Thanks!"},
    {"role": "assistant", "content": None, "refusal": "I cannot say more."},
]
ITEMS: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "developer",
        "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}],
    },
    {
        "role": "user",
        "content": [
            {"type": "input_text", "text": "What is this?"},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
            {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "low"},
            {"type": "input_file", "file_data": PDF, "filename": "a.pdf"},
            {"type": "input_file", "file_id": "file_1", "prompt_cache_breakpoint": {"mode": "explicit"}},
        ],
    },
    {
        "type": "reasoning",
        "id": "rs_3",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "Hm."}],
    },
    {"role": "assistant", "content": "Let me look."},
    {"type": "function_call", "call_id": "a", "name": "weather", "arguments": '{"city":"Rome"}'},
    {"type": "custom_tool_call", "call_id": "b", "name": "sql", "input": "SELECT 1"},
    {"type": "function_call_output", "call_id": "a", "output": "Sun"},
    {"type": "custom_tool_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "1"}] * 2},
    {
        "type": "message",
        "id": "msg_9",
        "status": "completed",
        "role": "assistant",
        "content": [
            {
                "type": "output_text",
                "text": "It is.",
                "annotations": [{"type": "url_citation", **CITED}],
            }
        ],
    },
    {"role": "user", "content": "Thanks!"},
    {
        "type": "message",
        "id": "msg_11",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "refusal", "refusal": "I cannot say more."}],
    },
]


class Weather(msgspec.Struct):
    """Tell the weather."""

    city: str


def test_a_conversation_of_chat_completions_becomes_items_that_the_sdk_takes() -> None:
    assert from_chat(CHAT, unmatched="raise") == {"input": ITEMS}
    adapter(ITEMS_OF_SDK).validate_python(ITEMS)


def test_items_become_a_conversation_of_chat_completions_that_the_sdk_takes() -> None:
    assert to_chat(ITEMS, unmatched="raise") == {"messages": CHAT}
    adapter(CHAT_OF_SDK).validate_python(CHAT)


def test_conversions_between_the_three_protocols_change_nothing_that_was_given() -> None:
    before = json.dumps([CHAT, ITEMS])
    from_chat(CHAT)["input"][2]["content"].append(1)
    to_chat(ITEMS)["messages"][2]["content"].append(1)  # type: ignore[attr-defined]
    to_messages(ITEMS)["messages"][0]["content"].append(1)
    assert json.dumps([CHAT, ITEMS]) == before


def test_a_text_is_a_message_of_the_user_and_instructions_are_the_first_system_message() -> None:
    assert to_chat("Hi", instructions="Be brief.")["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]
    assert to_messages("Hi", instructions="Be brief.") == {
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hi"}],
    }


def test_ids_and_the_status_of_complete_items_are_left_out() -> None:
    items = [
        {"type": "message", "id": "msg_a", "role": "user", "status": "completed", "content": "Hi"},
        {"type": "message", "id": "msg_b", "role": "assistant", "status": "completed", "content": "Ho"},
        {"type": "function_call_output", "id": "fc_a", "call_id": "a", "output": "x", "status": "completed"},
    ]
    assert to_chat(items, unmatched="raise")["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Ho"},
        {"role": "tool", "tool_call_id": "a", "content": "x"},
    ]


class TestToolsOfResponses:
    CHAT: ClassVar[list[dict[str, Any]]] = [
        {"type": "function", "function": {"name": "weather", "parameters": WEATHER, "strict": True}},
        {"type": "function", "function": {"name": "now", "description": "The time.", "parameters": WEATHER}},
        {
            "type": "custom",
            "custom": {
                "name": "sql",
                "format": {"type": "grammar", "grammar": {"definition": "x", "syntax": "lark"}},
            },
        },
        {"type": "custom", "custom": {"name": "say", "format": {"type": "text"}}},
    ]
    FLAT: ClassVar[list[dict[str, Any]]] = [
        {"type": "function", "name": "weather", "parameters": WEATHER, "strict": True},
        {
            "type": "function",
            "name": "now",
            "description": "The time.",
            "parameters": WEATHER,
            "strict": False,
        },
        {"type": "custom", "name": "sql", "format": {"type": "grammar", "definition": "x", "syntax": "lark"}},
        {"type": "custom", "name": "say", "format": {"type": "text"}},
    ]

    def test_tools_are_converted_both_ways_into_what_the_sdk_takes(self) -> None:
        assert from_chat([], tools=self.CHAT, unmatched="raise")["tools"] == self.FLAT
        assert to_chat([], tools=self.FLAT, unmatched="raise")["tools"] == self.CHAT
        adapter(list[openai.types.responses.ToolParam]).validate_python(self.FLAT)

    @pytest.mark.parametrize("convert", [from_chat, to_chat])
    def test_tools_that_are_types_stay_typed(self, convert: Callable[..., Any]) -> None:
        (tool,) = convert([], tools=[Weather])["tools"]
        function = tool.get("function", tool)
        assert (function["name"], function["strict"], function.model) == ("Weather", True, Weather)

    @pytest.mark.parametrize(
        ("chat", "responses"),
        [
            ("auto", "auto"),
            ("none", "none"),
            ("required", "required"),
            ({"type": "function", "function": {"name": "f"}}, {"type": "function", "name": "f"}),
            ({"type": "custom", "custom": {"name": "f"}}, {"type": "custom", "name": "f"}),
            (
                {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "auto",
                        "tools": [{"type": "function", "function": {"name": "f"}}],
                    },
                },
                {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
            ),
        ],
        ids=["auto", "none", "required", "function", "custom", "allowed"],
    )
    def test_tools_are_chosen_in_the_same_way_that_the_sdk_takes(self, chat: Any, responses: Any) -> None:
        assert from_chat([], tool_choice=chat)["tool_choice"] == responses
        assert to_chat([], tool_choice=responses)["tool_choice"] == chat
        adapter(openai.types.chat.ChatCompletionToolChoiceOptionParam).validate_python(chat)
        adapter(ToolChoice).validate_python(responses)

    def test_tools_are_called_one_at_a_time_if_the_request_says_so(self) -> None:
        assert from_chat([], parallel_tool_calls=False) == {"input": [], "parallel_tool_calls": False}
        assert to_chat([], parallel_tool_calls=True) == {"messages": [], "parallel_tool_calls": True}
        request = to_messages([], tool_choice="auto", parallel_tool_calls=False)
        assert request["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
        assert from_messages(**request) == {"input": [], "parallel_tool_calls": False}

    def test_tools_are_not_chosen_in_ways_that_only_one_protocol_knows(self) -> None:
        with pytest.raises(ValueError, match="has no counterpart in the Responses API: pass another one"):
            from_chat([], tool_choice={"type": "new"})
        with pytest.raises(ValueError, match="has no counterpart in chat completions: pass another one"):
            to_chat([], tool_choice={"type": "file_search"})

    def test_tools_of_the_server_are_kept_or_refused_or_left_out(self) -> None:
        tool = {"type": "web_search"}
        for convert in (from_chat, to_chat):
            assert convert([], tools=[tool])["tools"] == [tool]
            assert convert([], tools=[tool], unmatched="drop")["tools"] == []
            with pytest.raises(
                ValueError, match=r"tools\[0\]: a tool of type 'web_search' has no counterpart"
            ):
                convert([], tools=[tool], unmatched="raise")


class TestWhatChatCompletionsCannotSay:
    ENCRYPTED: ClassVar[dict[str, Any]] = {
        "type": "reasoning",
        "id": "rs_a",
        "summary": [{"type": "summary_text", "text": "I think."}],
        "encrypted_content": "c2Vj",
    }

    @pytest.mark.parametrize(
        ("items", "what"),
        [
            ([ENCRYPTED], "encrypted reasoning"),
            ([{**ENCRYPTED, "encrypted_content": None}], "a summary of reasoning"),
            (
                [{"type": "web_search_call", "id": "ws", "status": "completed"}],
                "an item of type web_search_call",
            ),
            ([{"type": "item_reference", "id": "msg_a"}], "an item of type item_reference"),
            ([{"id": "msg_a"}], "an item of type item_reference"),
            ([{"role": "assistant", "content": "Hm", "phase": "commentary"}], "the order, or a field"),
            (
                [
                    {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
                    {"role": "assistant", "content": "after the call"},
                ],
                "the order, or a field",
            ),
            ([{"role": "assistant", "content": "cut", "status": "incomplete"}], "the order, or a field"),
            (
                [
                    {
                        "type": "message",
                        "role": "assistant",
                        "content": [
                            {
                                "type": "output_text",
                                "text": "a",
                                "annotations": [{"type": "file_path", "file_id": "f", "index": 0}],
                            }
                        ],
                    }
                ],
                "the order, or a field",
            ),
        ],
        ids=["secret", "summary", "search", "reference", "untyped", "phase", "order", "cut", "path"],
    )
    def test_it_is_kept_beside_what_they_can_say_or_refused_or_left_out(
        self, items: list[dict[str, Any]], what: str
    ) -> None:
        (message,) = to_chat(items)["messages"]
        assert message["responses_items"] == items
        assert from_chat([message])["input"] == items
        with pytest.raises(ValueError, match=rf"input\[0\]: {what}.* has no counterpart in chat completions"):
            to_chat(items, unmatched="raise")
        assert all("responses_items" not in each for each in to_chat(items, unmatched="drop")["messages"])

    def test_a_summary_is_the_reasoning_if_the_server_sends_no_other(self) -> None:
        (message,) = to_chat([self.ENCRYPTED])["messages"]
        assert message["reasoning_content"] == "I think."

    def test_a_file_by_its_url_is_a_document_of_messages(self) -> None:
        part = {"type": "input_file", "file_url": "https://a.b/c.pdf", "filename": "c"}
        items = [{"role": "user", "content": [part]}]
        with pytest.raises(ValueError, match="'input_file' with a file_url has no counterpart"):
            to_chat(items, unmatched="raise")
        request = to_messages(items, unmatched="raise")
        source = {"type": "url", "url": "https://a.b/c.pdf"}
        assert request["messages"][0]["content"] == [{"type": "document", "source": source, "title": "c"}]
        assert from_messages(**request, unmatched="raise")["input"] == items


class TestWhatResponsesCannotSay:
    @pytest.mark.parametrize(
        ("message", "what"),
        [
            ({"role": "user", "content": "a", "name": "Bob"}, "'name'"),
            ({"role": "assistant", "content": "a", "audio": {"id": "b"}}, "'audio'"),
            (
                {
                    "role": "user",
                    "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "mp3"}}],
                },
                "content of type 'input_audio'",
            ),
            (
                {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "x"}}]},
                "'cache_control'",
            ),
            (
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "a",
                            "type": "function",
                            "function": {"name": "f", "arguments": "{}"},
                            "extra_content": {"google": {"thought_signature": "s"}},
                        }
                    ],
                },
                "'extra_content'",
            ),
        ],
        ids=["name", "audio", "input_audio", "cache", "extra"],
    )
    def test_it_is_kept_or_refused_or_left_out(self, message: dict[str, Any], what: str) -> None:
        assert to_chat(from_chat([message])["input"])["messages"] == [message]
        with pytest.raises(ValueError, match=f"{what} has no counterpart in the Responses API: remove it"):
            from_chat([message], unmatched="raise")
        dropped = from_chat([message], unmatched="drop")["input"]
        assert what.rpartition(" ")[2].strip("'") not in json.dumps(dropped)

    def test_a_role_that_is_unknown_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"messages\[0\]: the role 'narrator' has no counterpart"):
            from_chat([{"role": "narrator", "content": "a"}])
        with pytest.raises(ValueError, match=r"input\[0\]: the role 'critic' has no counterpart"):
            to_chat([{"type": "message", "role": "critic", "content": "a"}])


class TestReasoningOfTwoMakers:
    BLOCKS: ClassVar[list[dict[str, Any]]] = [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "Emw="},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "text", "text": "after the call"},
    ]
    ITEMS: ClassVar[list[dict[str, Any]]] = [
        {
            "type": "reasoning",
            "id": "rs_0",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": "Hm."}],
            "encrypted_content": "c2ln",
        },
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [], "encrypted_content": "Emw="},
        {"role": "assistant", "content": "I look."},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": '{"x":1}'},
        {"role": "assistant", "content": "after the call"},
    ]

    def test_signatures_become_encrypted_content_and_back_in_their_order(self) -> None:
        messages = [{"role": "assistant", "content": self.BLOCKS}]
        assert from_messages(messages, unmatched="raise") == {"input": self.ITEMS}
        assert to_messages(self.ITEMS, unmatched="raise") == {"messages": messages}
        adapter(ITEMS_OF_SDK).validate_python(self.ITEMS)
        adapter(MESSAGES_OF_SDK).validate_python(messages)

    def test_what_messages_cannot_say_is_kept_or_refused_or_left_out(self) -> None:
        search = {"type": "web_search_call", "id": "ws", "status": "completed"}
        (message,) = to_messages([search, *self.ITEMS])["messages"]
        assert message["content"] == self.BLOCKS
        assert from_messages([message])["input"] == [search, *self.ITEMS]
        with pytest.raises(
            ValueError, match="an item of type web_search_call has no counterpart in Messages"
        ):
            to_messages([search, *self.ITEMS], unmatched="raise")
        assert to_messages([search, *self.ITEMS], unmatched="drop")["messages"] == [
            {"role": "assistant", "content": self.BLOCKS}
        ]

    def test_what_responses_cannot_say_of_messages_is_kept_or_refused_or_left_out(self) -> None:
        use = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
        messages = [{"role": "assistant", "content": [use, *self.BLOCKS]}]
        request = from_messages(messages)
        assert to_messages(**request) == {"messages": messages}
        with pytest.raises(
            ValueError, match=r"content of type .*server_tool_use has no counterpart in the Resp"
        ):
            from_messages(messages, unmatched="raise")
        assert from_messages(messages, unmatched="drop") == {"input": self.ITEMS}


class TestObjectsAsInput:
    def test_objects_of_ours_go_on_in_every_protocol(self) -> None:
        output = [
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2Vj"},
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}],
            },
        ]
        response = Response.from_dict({"output": output})
        (message,) = to_chat(response.output, unmatched="drop")["messages"]
        assert message == {"role": "assistant", "content": "Hi"}
        (message,) = to_messages(response.output, unmatched="raise")["messages"]
        assert message["content"][0] == {"type": "redacted_thinking", "data": "c2Vj"}

        said = {"role": "assistant", "content": "Hi", "annotations": CHAT[6]["annotations"]}
        completion = ChatCompletion.from_dict({"choices": [{"index": 0, "message": said}]})
        (item,) = from_chat([completion.choices[0].message], unmatched="raise")["input"]
        assert item["content"][0]["annotations"] == [{"type": "url_citation", **CITED}]

    def test_objects_of_the_sdks_go_on_without_what_the_sdk_parsed(self) -> None:
        call = openai.types.responses.ParsedResponseFunctionToolCall(
            type="function_call", call_id="a", name="f", arguments="{}", parsed_arguments={"x": 1}
        )
        (message,) = to_chat([call], unmatched="raise")["messages"]
        assert message["tool_calls"] == [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ]
        said = openai.types.chat.ParsedChatCompletionMessage[Any](
            role="assistant", content='{"x": 1}', parsed={"x": 1}, annotations=[], refusal=None
        )
        assert from_chat([said], unmatched="raise")["input"] == [{"role": "assistant", "content": '{"x": 1}'}]

    def test_objects_of_other_classes_are_no_input(self) -> None:
        with pytest.raises(TypeError, match=r"input\[1\] must be a dict or a message object, not int"):
            to_chat([{"role": "user", "content": "a"}, 1])
        with pytest.raises(TypeError, match=r"messages\[0\] must be a dict or a message object, not str"):
            from_chat(["a"])

    @pytest.mark.parametrize("wrong", [None, 1, b"a", {"role": "user", "content": "a"}])
    def test_objects_that_are_no_list_are_no_conversation(self, wrong: Any) -> None:
        refused = f"must be a list of dicts or message objects, not {type(wrong).__name__}"
        for convert in (to_chat, from_chat, to_messages, from_messages):
            with pytest.raises(TypeError, match=refused):
                convert(wrong)


# Conversations of the Responses API.

input_texts = dicts(type="input_text", text=words)
input_parts = st.one_of(
    input_texts,
    dicts(type="input_image", image_url="https://a.b/c", detail=st.sampled_from(["auto", "low"])),
    dicts(type="input_image", file_id=words, detail="auto"),
    dicts(type="input_file", file_data=PDF, filename=words),
    dicts(type="input_file", file_id=words, prompt_cache_breakpoint=st.just({"mode": "explicit"})),
    dicts(type="input_file", file_url="https://a.b/c.pdf"),
    dicts(type="input_video", x=words),
)
input_items = st.one_of(
    dicts(
        role=st.sampled_from(["user", "user", "developer", "system"]),
        content=words | st.lists(input_parts, min_size=2, max_size=3),
    ),
    dicts(type="message", role="user", content=words, id=words, status="completed"),
    dicts(
        type="function_call_output",
        call_id=words,
        output=words | st.lists(input_texts, min_size=2, max_size=2),
    ),
    dicts(type="custom_tool_call_output", call_id=words, output=words),
)
annotations = st.lists(
    st.just({"type": "url_citation", **CITED}) | dicts(type="file_citation", file_id=words, index=1),
    max_size=2,
)
said = st.one_of(
    dicts(type="output_text", text=words, annotations=annotations),
    dicts(type="output_text", text=words),
    dicts(type="refusal", refusal=words),
)
reasoning_texts = st.lists(dicts(type="reasoning_text", text=words), max_size=2)
summaries = st.lists(dicts(type="summary_text", text=words), max_size=2)
arguments = inputs.map(lambda each: json.dumps(each, separators=(",", ":"), ensure_ascii=False))
output_items = st.one_of(
    dicts(role="assistant", content=words),
    dicts(
        type="message",
        id=words,
        role="assistant",
        status=st.sampled_from(["completed", "incomplete"]),
        content=st.lists(said, min_size=1, max_size=2),
    ),
    dicts(type="message", role="assistant", content=words, phase="commentary"),
    dicts(type="reasoning", id=words, summary=summaries, content=reasoning_texts),
    dicts(type="reasoning", id=words, summary=summaries, content=reasoning_texts, encrypted_content=words),
    dicts(type="function_call", id=words, call_id=words, name=words, arguments=arguments),
    dicts(type="function_call", call_id=words, name=words, arguments=arguments, namespace=words),
    dicts(type="custom_tool_call", call_id=words, name=words, input=words),
    dicts(type="web_search_call", id=words, status="completed"),
    dicts(type="computer_call_output", call_id=words, output=st.just({})),
    dicts(type="new_item", x=words),
)


@st.composite
def item_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Conversations of the Responses API, whose outputs of custom tools have calls."""
    items = draw(st.lists(input_items | output_items, max_size=8))
    custom: set[str] = set()
    for item in items:
        if item.get("type") == "custom_tool_call":
            custom.add(item["call_id"])
        elif "output" in item and "call_id" in item and item["type"] != "computer_call_output":
            kind = "custom_tool_call" if item["call_id"] in custom else "function_call"
            item["type"] = f"{kind}_output"
    return items


def canonical_items(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a list of items says, whatever the form: without ids, and with arguments as values."""
    return [canonical for item in items if (canonical := _canonical(item))]


def _canonical(item: dict[str, Any]) -> dict[str, Any]:
    fields = {name: value for name, value in item.items() if name != "id" and value not in (None, [])}
    if fields.get("status") == "completed":
        del fields["status"]
    if "role" in fields:
        fields["type"] = "message"
        text_type = "output_text" if fields["role"] == "assistant" else "input_text"
        content = fields.get("content", [])
        content = [{"type": text_type, "text": content}] if isinstance(content, str) else content
        fields["content"] = [
            {name: value for name, value in part.items() if value not in (None, [])} for part in content
        ]
    if fields.get("type") == "function_call":
        fields["arguments"] = json.loads(fields["arguments"])
    if isinstance(fields.get("output"), str):
        fields["output"] = [{"type": "input_text", "text": fields["output"]}]
    return fields


def conversion(
    convert: Callable[..., Any], items: list[Any], back: Callable[..., Any], **options: Any
) -> tuple[Any, Any]:
    """What a conversion makes, and what comes back."""
    request = convert(items, **options)
    json.dumps(request)
    return request, back(**request)


@given(item_lists())
def test_items_come_back_from_chat_completions(items: list[dict[str, Any]]) -> None:
    _, back = conversion(to_chat, items, lambda **request: from_chat(**request))
    assert canonical_items(back["input"]) == canonical_items(items)


REFUSED_THEN_CITED = {
    "type": "message",
    "role": "assistant",
    "content": [
        {"type": "refusal", "refusal": "a"},
        {"type": "output_text", "text": "b", "annotations": [{"type": "url_citation", **CITED}]},
    ],
}


@given(item_lists())
@example([REFUSED_THEN_CITED])
def test_items_come_back_from_messages(items: list[dict[str, Any]]) -> None:
    _, back = conversion(to_messages, items, lambda **request: from_messages(**request))
    assert as_messages_say_it(back) == as_messages_say_it({"input": items})


def as_messages_say_it(request: Any) -> list[dict[str, Any]]:
    """Items with one system message at the start, of one role, and with refusals as texts."""
    items = [
        {**item, "role": "system"} if item.get("role") == "developer" else item for item in request["input"]
    ]
    if "instructions" in request:
        items.insert(0, {"role": "system", "content": request["instructions"]})
    parts: list[Any] = []
    while items and items[0].get("role") == "system":
        content = items.pop(0)["content"]
        parts += [{"type": "input_text", "text": content}] if isinstance(content, str) else content
    items = canonical_items([*([{"role": "system", "content": parts}] if parts else []), *items])
    for item in items:
        for part in item["content"] if item.get("role") == "assistant" else ():
            if part["type"] == "refusal":
                part["type"], part["text"] = "output_text", part.pop("refusal")
    return items


@given(item_lists(), st.sampled_from([(to_chat, from_chat), (to_messages, from_messages)]))
def test_nothing_of_items_is_lost_where_everything_must_have_a_counterpart(
    items: list[dict[str, Any]], ways: tuple[Callable[..., Any], Callable[..., Any]]
) -> None:
    there, back = ways
    try:
        request = there(items, unmatched="raise")
    except ValueError:
        return
    assert "responses_items" not in json.dumps(request)
    again = back(**request, unmatched="raise")
    if there is to_chat:
        assert canonical_items(again["input"]) == canonical_items(items)
    else:
        assert as_messages_say_it(again) == as_messages_say_it({"input": items})


@given(conversations(), systems)
def test_messages_come_back_from_items(messages: list[dict[str, Any]], system: Any) -> None:
    _, back = conversion(from_messages, messages, lambda **request: to_messages(**request), system=system)
    assert answers_joined(back["messages"]) == answers_joined(messages)
    assert back.get("system") == system


def answers_joined(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages in which the model's in a row are one, as Messages takes them."""
    joined: list[dict[str, Any]] = []
    for message in messages:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if (
            joined
            and joined[-1].keys() == message.keys()
            and joined[-1]["role"] == message["role"] == "assistant"
        ):
            joined[-1]["content"] += blocks
        else:
            joined.append({**message, "content": [*blocks]})
    return canonical_messages(joined)


@given(conversations())
def test_nothing_of_messages_is_lost_where_everything_must_have_a_counterpart(
    messages: list[dict[str, Any]],
) -> None:
    try:
        request = from_messages(messages, unmatched="raise")
    except ValueError:
        return
    assert answers_joined(to_messages(**request)["messages"]) == answers_joined(messages)
    adapter(ITEMS_OF_SDK).validate_python(request["input"])


answers_of_chat = st.one_of(
    chat_answers,
    dicts(role="assistant", content=st.none() | words, refusal=words),
    dicts(
        role="assistant",
        content=words,
        annotations=st.just([{"type": "url_citation", "url_citation": CITED}]),
    ),
    dicts(
        role="assistant",
        content=st.none() | words,
        tool_calls=st.lists(
            chat_calls | dicts(id=words, type="custom", custom=dicts(name=words, input=words)),
            min_size=1,
            max_size=2,
        ),
    ),
    dicts(role="assistant", content=words, anthropic_content=st.just([{"type": "new", "x": 1}])),
)


@given(chats(answers_of_chat))
def test_chat_completions_come_back_from_items(chat: list[dict[str, Any]]) -> None:
    request, back = conversion(from_chat, chat, lambda **request: to_chat(**request))
    assert parsed_chat(back["messages"]) == parsed_chat(chat)
    if "input_audio" not in json.dumps(request):
        adapter(ITEMS_OF_SDK).validate_python(request["input"])


@pytest.mark.parametrize("convert", [from_chat, from_messages, to_chat, to_messages])
def test_an_empty_conversation_is_empty_in_every_protocol(convert: Callable[..., Any]) -> None:
    (items,) = convert([]).values()
    assert items == []
