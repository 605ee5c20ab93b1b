from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import anthropic.types
import msgspec
import openai.types.chat
import pytest
from hypothesis import given
from pydantic import TypeAdapter

from conversation_strategies import PNG, canonical_messages, chats, conversations, parsed_chat, systems
from ssejet.chat import ChatCompletion, ChatCompletionMessage
from ssejet.messages import (
    Message,
    MessageStream,
    finish_reason_of,
    from_chat,
    stop_reason_of,
    to_chat,
)

if TYPE_CHECKING:
    from collections.abc import Callable

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
CHAT: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
            {
                "type": "file",
                "file": {"file_data": f"data:application/pdf;base64,{PNG}", "filename": "a.pdf"},
            },
            {"type": "file", "file": {"file_id": "file_1"}},
        ],
    },
    {
        "role": "assistant",
        "content": "Let me look.",
        "reasoning_content": "Hm.",
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}},
            {"id": "b", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}},
        ],
    },
    {"role": "tool", "tool_call_id": "a", "content": "Sun"},
    {
        "role": "tool",
        "tool_call_id": "b",
        "content": [{"type": "text", "text": "Rain"}, {"type": "text", "text": "!"}],
    },
    {"role": "user", "content": "Thanks!"},
    {"role": "assistant", "content": "You are welcome."},
]
MESSAGES: list[dict[str, Any]] = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": PNG},
                "title": "a.pdf",
            },
            {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        ],
    },
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": ""},
            {"type": "text", "text": "Let me look."},
            {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Paris"}},
            {"type": "tool_use", "id": "b", "name": "weather", "input": {"city": "Rome"}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": "Sun"},
            {
                "type": "tool_result",
                "tool_use_id": "b",
                "content": [{"type": "text", "text": "Rain"}, {"type": "text", "text": "!"}],
            },
            {"type": "text", "text": "Thanks!"},
        ],
    },
    {"role": "assistant", "content": "You are welcome."},
]
Unmatched = Literal["keep", "raise", "drop"]


class Weather(msgspec.Struct):
    """Tell the weather."""

    city: str


def test_a_conversation_of_chat_completions_becomes_one_of_messages() -> None:
    assert from_chat(CHAT, unmatched="raise") == {"system": "Be brief.", "messages": MESSAGES}
    TypeAdapter(list[anthropic.types.MessageParam]).validate_python(MESSAGES)


def test_a_conversation_of_messages_becomes_one_of_chat_completions() -> None:
    assert to_chat(MESSAGES, system="Be brief.", unmatched="raise") == {"messages": CHAT}
    plain = [{name: value for name, value in each.items() if name != "reasoning_content"} for each in CHAT]
    TypeAdapter(list[openai.types.chat.ChatCompletionMessageParam]).validate_python(plain)


def test_nothing_that_was_given_is_changed() -> None:
    chat, messages = json.dumps(CHAT), json.dumps(MESSAGES)
    from_chat(CHAT)["messages"][0]["content"].append(1)
    to_chat(MESSAGES)["messages"][0]["content"].append(1)  # type: ignore[attr-defined]
    assert (json.dumps(CHAT), json.dumps(MESSAGES)) == (chat, messages)


class TestTools:
    CHAT: ClassVar[dict[str, Any]] = {
        "type": "function",
        "function": {"name": "weather", "parameters": WEATHER, "description": "The weather.", "strict": True},
    }
    MESSAGES: ClassVar[dict[str, Any]] = {
        "name": "weather",
        "description": "The weather.",
        "strict": True,
        "input_schema": WEATHER,
    }

    def test_tools_are_converted_both_ways(self) -> None:
        assert from_chat([], tools=[self.CHAT], unmatched="raise")["tools"] == [self.MESSAGES]
        assert to_chat([], tools=[self.MESSAGES], unmatched="raise")["tools"] == [self.CHAT]

    def test_tools_may_be_types(self) -> None:
        (tool,) = from_chat([], tools=[Weather])["tools"]
        assert (tool["name"], tool["description"]) == ("Weather", "Tell the weather.")
        assert tool["input_schema"]["properties"] == {"city": {"type": "string"}}

    def test_tools_without_parameters_get_an_empty_schema(self) -> None:
        (tool,) = from_chat([], tools=[{"type": "function", "function": {"name": "now"}}])["tools"]
        assert tool == {"name": "now", "input_schema": {"type": "object", "properties": {}}}

    @pytest.mark.parametrize(
        ("chat", "messages"),
        [
            ("auto", {"type": "auto"}),
            ("none", {"type": "none"}),
            ("required", {"type": "any"}),
            ({"type": "function", "function": {"name": "f"}}, {"type": "tool", "name": "f"}),
        ],
        ids=["auto", "none", "any", "one"],
    )
    def test_tools_are_chosen_in_the_same_way(self, chat: Any, messages: Any) -> None:
        assert from_chat([], tool_choice=chat)["tool_choice"] == messages
        assert to_chat([], tool_choice=messages)["tool_choice"] == chat

    def test_tools_are_called_one_at_a_time_in_the_same_way(self) -> None:
        choice = {"type": "auto", "disable_parallel_tool_use": True}
        assert from_chat([], parallel_tool_calls=False)["tool_choice"] == choice
        assert to_chat([], tool_choice=choice) == {"messages": [], "parallel_tool_calls": False}

    def test_tools_are_not_chosen_in_unknown_ways(self) -> None:
        with pytest.raises(ValueError, match="no counterpart in Messages"):
            from_chat([], tool_choice={"type": "allowed_tools"})
        with pytest.raises(ValueError, match="no counterpart in chat completions"):
            to_chat([], tool_choice={"type": "new"})

    @pytest.mark.parametrize(
        ("convert", "tool"),
        [
            (to_chat, {"type": "web_search_20250305", "name": "web_search"}),
            (from_chat, {"type": "custom", "custom": {"name": "sql"}}),
        ],
        ids=["to_chat", "from_chat"],
    )
    def test_tools_of_the_server_are_kept_raise_or_are_dropped(self, convert: Any, tool: Any) -> None:
        assert convert([], tools=[tool])["tools"] == [tool]
        assert convert([], tools=[tool], unmatched="drop")["tools"] == []
        with pytest.raises(ValueError, match=r"tools\[0\]: a tool of type .* has no counterpart"):
            convert([], tools=[tool], unmatched="raise")


class TestCalls:
    def test_calls_with_arguments_that_are_not_json_keep_them(self) -> None:
        call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"a": '}}
        chat = [{"role": "assistant", "content": None, "tool_calls": [call]}]
        (message,) = from_chat(chat)["messages"]
        assert message["content"][0]["input"] == {"INVALID_JSON": '{"a": '}
        assert to_chat([message])["messages"] == chat

    def test_calls_without_arguments_have_an_empty_input(self) -> None:
        call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
        (message,) = from_chat([{"role": "assistant", "tool_calls": [call]}])["messages"]
        assert message["content"] == [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]

    def test_calls_of_the_older_form_are_converted(self) -> None:
        chat = [
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"a": 1}'}},
            {"role": "function", "name": "f", "content": "done"},
        ]
        assert from_chat(chat, unmatched="raise")["messages"] == [
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "f", "name": "f", "input": {"a": 1}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "f", "content": "done"}]},
        ]

    def test_calls_that_failed_stay_so(self) -> None:
        result = {"type": "tool_result", "tool_use_id": "a", "content": "no", "is_error": True}
        messages = [{"role": "user", "content": [result]}]
        chat = to_chat(messages)["messages"]
        assert chat == [{"role": "tool", "tool_call_id": "a", "content": "no", "is_error": True}]
        assert from_chat(chat)["messages"] == messages


class TestWhatHasNoCounterpart:
    SIGNED: ClassVar[dict[str, Any]] = {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "Emw="},
            {"type": "text", "text": "a", "citations": [{"type": "char_location", "cited_text": "b"}]},
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}},
            {"type": "text", "text": "after the call"},
            {"type": "new_block", "x": [1]},
        ],
    }

    def test_what_has_no_counterpart_in_messages_is_kept_beside_what_has_one(self) -> None:
        (chat,) = to_chat([self.SIGNED])["messages"]
        assert chat["reasoning_content"] == "Hm."
        assert [part["text"] for part in chat["content"]] == ["a", "after the call"]
        assert chat["tool_calls"][0]["id"] == "t"
        assert chat["anthropic_content"] == self.SIGNED["content"]
        assert from_chat([chat])["messages"] == [self.SIGNED]

    def test_what_has_no_counterpart_in_messages_may_be_left_out(self) -> None:
        (chat,) = to_chat([self.SIGNED], unmatched="drop")["messages"]
        assert chat.keys() == {"role", "content", "reasoning_content", "tool_calls"}

    def test_what_has_no_counterpart_in_messages_may_raise(self) -> None:
        with pytest.raises(
            ValueError, match=r"messages\[0\]: content of type new_block, redacted_thinking, server"
        ):
            to_chat([self.SIGNED], unmatched="raise")
        signed = {"role": "assistant", "content": self.SIGNED["content"][:1]}
        with pytest.raises(
            ValueError, match="the signature of thinking has no counterpart in chat completions"
        ):
            to_chat([signed], unmatched="raise")

    @pytest.mark.parametrize(
        ("message", "name"),
        [
            ({"role": "user", "content": "a", "name": "Bob"}, "'name'"),
            ({"role": "assistant", "content": "a", "audio": {"id": "b"}}, "'audio'"),
            (
                {
                    "role": "user",
                    "content": [{"type": "input_audio", "input_audio": {"data": "a", "format": "mp3"}}],
                },
                "content of type 'input_audio'",
            ),
        ],
        ids=["name", "audio", "input_audio"],
    )
    def test_what_has_no_counterpart_in_chat_completions_is_kept_raises_or_is_dropped(
        self, message: dict[str, Any], name: str
    ) -> None:
        (kept,) = from_chat([message])["messages"]
        assert to_chat([kept])["messages"] == [message]
        with pytest.raises(
            ValueError, match=f"{name} has no counterpart in Messages: remove it, or pass unmatched"
        ):
            from_chat([message], unmatched="raise")
        (dropped,) = from_chat([message], unmatched="drop")["messages"]
        assert dropped["content"] in ("a", "")

    def test_what_has_no_counterpart_is_a_role_that_is_unknown(self) -> None:
        with pytest.raises(ValueError, match=r"messages\[0\]: the role 'narrator' has no counterpart"):
            from_chat([{"role": "narrator", "content": "a"}])
        with pytest.raises(ValueError, match=r"messages\[0\]: the role 'tool' has no counterpart"):
            to_chat([{"role": "tool", "content": "a"}])

    def test_what_has_no_counterpart_is_only_kept_raised_or_dropped(self) -> None:
        with pytest.raises(ValueError, match="unmatched must be 'keep', 'raise' or 'drop'"):
            from_chat([], unmatched="ignore")  # type: ignore[arg-type]

    @pytest.mark.parametrize("unmatched", ["keep", "raise", "drop"])
    def test_what_has_a_counterpart_of_the_cache_becomes_it(self, unmatched: Any) -> None:
        mark = {"cache_control": {"type": "ephemeral"}}
        other = {"prompt_cache_breakpoint": {"mode": "explicit"}}
        url = {"type": "url", "url": "https://a/b.png"}
        blocks = [
            {"type": "text", "text": "a", **mark},
            {"type": "image", "source": url, **mark},
            {"type": "document", "source": {"type": "file", "file_id": "f"}, **mark},
        ]
        answer = [{"type": "text", "text": "c", **mark}]
        messages = [{"role": "user", "content": blocks}, {"role": "assistant", "content": answer}]
        system = [{"type": "text", "text": "b", **mark}]
        chat = to_chat(messages, system=system, unmatched=unmatched)["messages"]
        assert chat == [
            {"role": "system", "content": [{"type": "text", "text": "b", **other}]},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "a", **other},
                    {"type": "image_url", "image_url": {"url": url["url"]}, **other},
                    {"type": "file", "file": {"file_id": "f"}, **other},
                ],
            },
            {"role": "assistant", "content": [{"type": "text", "text": "c", **other}]},
        ]
        assert from_chat(chat, unmatched=unmatched) == {"messages": messages, "system": system}

    @pytest.mark.parametrize(
        "field",
        [
            {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"citations": {"enabled": True}},
            {"context": "a letter"},
        ],
        ids=str,
    )
    def test_what_has_no_counterpart_in_a_part_is_told(self, field: dict[str, Any]) -> None:
        source = {"type": "file", "file_id": "f"}
        messages = [{"role": "user", "content": [{"type": "document", "source": source, **field}]}]
        chat = to_chat(messages)["messages"]
        assert from_chat(chat)["messages"] == messages
        (name,) = field
        with pytest.raises(ValueError, match=rf"messages\[0\].content\[0\]: '{name}' has no counterpart"):
            to_chat(messages, unmatched="raise")
        (part,) = to_chat(messages, unmatched="drop")["messages"][0]["content"]
        assert part == {"type": "file", "file": {"file_id": "f"}}

    def test_what_has_no_counterpart_of_a_breakpoint_with_a_time_is_told(self) -> None:
        mark = {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}
        chat = [{"role": "user", "content": [{"type": "text", "text": "a", **mark}]}]
        assert from_chat(chat)["messages"] == chat
        with pytest.raises(ValueError, match="'prompt_cache_breakpoint' has no counterpart in Messages"):
            from_chat(chat, unmatched="raise")
        assert from_chat(chat, unmatched="drop")["messages"] == [{"role": "user", "content": "a"}]


class TestSystem:
    def test_system_messages_at_the_beginning_become_one(self) -> None:
        chat = [{"role": "system", "content": "a"}, {"role": "developer", "content": "b"}]
        assert from_chat(chat)["system"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]

    def test_system_messages_later_on_stay_where_they_are(self) -> None:
        chat = [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]
        assert from_chat(chat) == {"messages": chat}
        assert to_chat(chat) == {"messages": chat}


class TestObjects:
    def test_objects_of_ours_are_taken(self) -> None:
        streamed = MessageStream(
            [
                {"type": "message_start", "message": {"id": "a"}},
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Hi"}},
                {"type": "message_stop"},
            ]
        ).get_final_message()
        whole = Message.from_dict({"content": [{"type": "text", "text": "Hi"}]})
        for message in (streamed, whole):
            assert to_chat([message])["messages"] == [{"role": "assistant", "content": "Hi"}]
        said = ChatCompletionMessage(role="assistant", content="Hi")
        assert from_chat([said])["messages"] == [{"role": "assistant", "content": "Hi"}]

    def test_objects_of_the_sdks_are_taken(self) -> None:
        block = {"type": "text", "text": "Hi"}
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = anthropic.types.Message.model_validate(
            {
                "id": "a",
                "type": "message",
                "role": "assistant",
                "model": "m",
                "content": [block],
                "usage": usage,
            }
        )
        assert to_chat([message.to_param()])["messages"] == [{"role": "assistant", "content": "Hi"}]
        said = openai.types.chat.ChatCompletionMessage(role="assistant", content="Hi")
        assert from_chat([said])["messages"] == [{"role": "assistant", "content": "Hi"}]

    def test_objects_of_other_classes_are_refused(self) -> None:
        with pytest.raises(TypeError, match=r"messages\[1\] must be a dict or a message object, not int"):
            from_chat([{"role": "user", "content": "a"}, 1])

    @pytest.mark.parametrize("wrong", [None, 1, "a", {"role": "user", "content": "a"}])
    def test_objects_that_are_no_list_are_refused(self, wrong: Any) -> None:
        refused = f"messages must be a list of dicts or message objects, not {type(wrong).__name__}"
        for convert in (to_chat, from_chat):
            with pytest.raises(TypeError, match=refused):
                convert(wrong)


@pytest.mark.parametrize(
    ("finish", "stop"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("content_filter", "refusal"),
    ],
)
def test_reasons_to_stop_are_converted_both_ways(finish: str, stop: str) -> None:
    assert (stop_reason_of(finish), finish_reason_of(stop)) == (stop, finish)


def test_unknown_reasons_to_stop_stay_as_they_are() -> None:
    assert (stop_reason_of("new"), finish_reason_of("new"), stop_reason_of(None)) == ("new", "new", None)
    assert finish_reason_of("model_context_window_exceeded") == "length"


@given(conversations(), systems)
def test_messages_come_back_from_chat_completions(messages: list[dict[str, Any]], system: Any) -> None:
    chat = to_chat(messages, system=system)
    json.dumps(chat)
    back = from_chat(chat["messages"])
    assert canonical_messages(back["messages"]) == canonical_messages(messages)
    assert back.get("system") == system


@given(chats())
def test_chat_completions_come_back_from_messages(chat: list[dict[str, Any]]) -> None:
    request = from_chat(chat)
    json.dumps(request)
    back = to_chat(request["messages"], system=request.get("system"))
    assert parsed_chat(back["messages"]) == parsed_chat(chat)


@pytest.mark.parametrize("convert", [from_chat, to_chat])
def test_an_empty_conversation_stays_empty(convert: Callable[..., Any]) -> None:
    assert convert([]) == {"messages": []}


def test_a_completion_goes_on_as_messages() -> None:
    completion = ChatCompletion.from_dict(
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi", "reasoning": "Hm"}}]}
    )
    (message,) = from_chat([completion.choices[0].message])["messages"]
    assert message["content"] == [
        {"type": "thinking", "thinking": "Hm", "signature": ""},
        {"type": "text", "text": "Hi"},
    ]
