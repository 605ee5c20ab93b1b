"""Fields and objects in other places, and under other names, than OpenAI documents."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import httpx
import pytest

from ssejet import APIError, Stream
from ssejet.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionStream,
    ChatCompletionStreamState,
    Completion,
)
from ssejet.errors import StreamError


def typed(*chunks: Any) -> ChatCompletionStream[None]:
    """A stream of chunks that are read from text."""
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    headers = {"content-type": "text/event-stream"}
    return ChatCompletionStream(
        Stream(httpx.Response(200, headers=headers, content=body.encode()), cast_to=ChatCompletionChunk)
    )


def plain(*chunks: Any) -> ChatCompletionStream[None]:
    """A stream of chunks that are dicts."""
    return ChatCompletionStream(list(chunks))


ways = pytest.mark.parametrize("stream", [typed, plain])


def chunk(delta: Any = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta or {}, **fields.pop("choice", {})}
    return {"id": "c", "model": "m", "choices": [choice], **fields}


def call(name: str | None, arguments: Any, **fields: Any) -> dict[str, Any]:
    return {**fields, "function": {"name": name, "arguments": arguments}}


def calls(*fragments: dict[str, Any]) -> dict[str, Any]:
    return chunk({"tool_calls": list(fragments)})


def made(*fragments: dict[str, Any]) -> list[tuple[str, str]]:
    completion = typed(*map(calls, fragments)).get_final_completion()
    return [
        (each.function.name, each.function.arguments) for each in completion.choices[0].message.tool_calls
    ]


class TestFieldsOfChunks:
    @ways
    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_fields_of_chunks_are_in_the_completion_wherever_they_come(self, stream: Any, place: int) -> None:
        chunks = [chunk({"content": text}) for text in "abc"]
        chunks[place]["served"] = {"by": ["eu"]}
        for _ in range(2):  # the second time, the shapes are known
            completion = stream(*chunks).get_final_completion()
            assert completion.extra == {"served": {"by": ["eu"]}}
            assert completion.to_dict()["served"] == {"by": ["eu"]}
            for copied in (copy.deepcopy(completion), pickle.loads(pickle.dumps(completion))):
                assert copied.extra == completion.extra

    @ways
    def test_fields_of_the_first_chunk_count_and_later_ones_add_to_them(self, stream: Any) -> None:
        chunks = [
            chunk(provider="A", x_groq={"id": 1}, citations=[], note=None, sources=["x"]),
            chunk(provider="B", x_groq={"id": 2, "more": 3}, citations=["u"], note="n", sources=["x", "y"]),
            chunk(provider="C", x_groq=None, late=0),
        ]
        for _ in range(2):
            assert stream(*chunks).get_final_completion().extra == {
                "provider": "A",
                "x_groq": {"id": 1, "more": 3},
                "citations": ["u"],
                "note": "n",
                "sources": ["x", "y"],
                "late": 0,
            }

    def test_fields_of_chunks_are_in_the_chunks_too(self) -> None:
        chunks = [chunk({"content": "a"}), chunk({"content": "b", "x": 1}, served="eu")] * 2
        source = typed(*chunks)._source
        assert [each.extra for each in source] == [{}, {"served": "eu"}] * 2

    @ways
    def test_fields_of_a_later_chunk_name_what_the_first_does_not(self, stream: Any) -> None:
        first = {"choices": [{"index": 0, "delta": {"content": "a"}}]}
        middle = chunk({"content": "b"}, created=5, service_tier="flex")
        completion = stream(first, middle, first).get_final_completion()
        named = (completion.id, completion.model, completion.created, completion.service_tier)
        assert named == ("c", "m", 5, "flex")

    def test_fields_of_chunks_can_be_changed_without_changing_the_chunk(self) -> None:
        [item] = typed(chunk(served={"by": ["eu"]}, choice={"filter": {"x": [1]}}))._source
        item.extra["served"]["by"].append("us")
        item.choices[0].extra["filter"]["x"].append(2)
        item.to_dict()["served"].clear()
        assert item.extra == {"served": {"by": ["eu"]}}
        assert item.choices[0].extra == {"filter": {"x": [1]}}

    def test_fields_of_chunks_are_not_the_users_own_objects(self) -> None:
        given = chunk(
            {"content": "a", "deep": {"x": [1]}}, moderation={"input": {"a": [1]}}, served={"by": []}
        )
        state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
        item = ChatCompletionChunk.from_dict(given)
        state.handle_chunk(item)
        state.handle_chunk(given)
        expected = state.get_final_completion().to_dict()
        given["moderation"]["input"]["a"].append(2)
        given["served"]["by"].append("x")
        given["choices"][0]["delta"]["deep"]["x"].append(2)
        completion = state.get_final_completion()
        assert completion.to_dict() == expected
        assert item.to_dict()["served"] == {"by": []}
        completion.moderation["input"]["a"].append(3)
        assert state.get_final_completion().to_dict() == expected

    @ways
    def test_fields_of_chunks_that_are_numbers_too_great_to_be_added_are_replaced(self, stream: Any) -> None:
        most = 10**4299
        for first, second in ((10**400, 1.5), (most, 9 * most)):
            message = stream(chunk({"n": first}), chunk({"n": second})).get_final_completion()
            assert message.choices[0].message.extra == {"n": second}
            message.to_json()


class TestChoices:
    @ways
    def test_choices_may_be_one_object(self, stream: Any) -> None:
        one = {"id": "c", "choices": {"index": 0, "delta": {"content": "Hi"}}}
        assert stream(one, one).get_final_completion().choices[0].message.content == "HiHi"
        whole = {"choices": {"index": 0, "message": {"role": "assistant", "content": "Hi"}}}
        assert ChatCompletion.from_dict(whole).choices[0].message.content == "Hi"
        assert Completion.from_json('{"choices":{"index":0,"text":"Hi"}}').choices[0].text == "Hi"

    @ways
    @pytest.mark.parametrize("delta", [None, {}, {"role": "assistant"}, {"role": "assistant", "content": ""}])
    def test_choices_may_have_a_message_beside_a_delta_that_says_nothing(
        self, stream: Any, delta: Any
    ) -> None:
        said = {"content": "Hi", "tool_calls": [call("f", "{}", id="a")]}
        choice = {"index": 0, "delta": delta, "message": said}
        [made] = stream({"choices": [choice]}, {"choices": [choice]}).get_final_completion().choices
        assert made.message.content == "Hi"
        assert [each.function.name for each in made.message.tool_calls] == ["f"]
        assert made.extra == {}
        assert made.message.role == (delta or {}).get("role")

    @ways
    @pytest.mark.parametrize("choices", [5, "Hello", True])
    def test_choices_that_cannot_be_read_are_an_error_that_shows_them(
        self, stream: Any, choices: Any
    ) -> None:
        events = stream(chunk({"content": "Hi"}), {"choices": choices})
        with pytest.raises(StreamError, match=r"must be a list, not \w+: .*choices.*") as caught:
            events.until_done()
        assert str(choices).lower() in str(caught.value).lower()
        assert caught.value.partial.choices[0].message.content == "Hi"

    @ways
    def test_choices_that_cannot_be_read_come_after_an_error_of_the_server(self, stream: Any) -> None:
        with pytest.raises(APIError, match="overloaded"):
            stream({"choices": 5, "message": "overloaded", "code": 503}).until_done()

    @ways
    @pytest.mark.parametrize("choices", [None, [], {}, "", 0, False])
    def test_choices_that_are_empty_leave_the_other_fields_of_a_chunk(
        self, stream: Any, choices: Any
    ) -> None:
        last = {"choices": choices, "usage": {"total_tokens": 7}}
        completion = stream(chunk({"content": "Hi"}), last).get_final_completion()
        assert completion.choices[0].message.content == "Hi"
        assert completion.usage.total_tokens == 7

    def test_choices_keep_a_message_beside_a_delta_that_says_something(self) -> None:
        choice = {"index": 0, "delta": {"content": "Hi"}, "message": {"content": "Hi"}}
        [made] = typed({"choices": [choice]}).get_final_completion().choices
        assert (made.message.content, made.extra) == ("Hi", {"message": {"content": "Hi"}})

    def test_choices_that_hold_whole_messages_show_no_mark_of_it(self) -> None:
        whole = {"choices": [{"index": 0, "message": {"content": "Hi"}, "seen": 1}]}
        item = ChatCompletionChunk.from_dict(whole)
        for each in (item, copy.deepcopy(item), pickle.loads(pickle.dumps(item))):
            assert each.choices[0].extra == {"seen": 1}
            assert each.choices[0].to_dict() == {"index": 0, "delta": {"content": "Hi"}, "seen": 1}
            assert plain(each, each).get_final_completion().choices[0].message.content == "Hi"

    @pytest.mark.parametrize("ids", [["a", "b"], [None, None]])
    def test_choices_that_hold_whole_messages_add_what_is_new(self, ids: list[Any]) -> None:
        def whole(*arguments: str, **fields: Any) -> dict[str, Any]:
            made = [call(f"f{i}", text, id=ids[i]) for i, text in enumerate(arguments)]
            message = {"content": None, "tool_calls": made, **fields}
            return {"choices": [{"index": 0, "message": message}]}

        function = {"name": "g", "arguments": "{}"}
        steps = [
            whole('{"x":', mood="hap"),
            whole('{"x":1}', "{", mood="happy", function_call=function),
            whole('{"x":1}', "{}", mood="happy", function_call=function),
        ]
        for chunks in (steps, [*steps, steps[-1]]):
            message = typed(*chunks).get_final_completion().choices[0].message
            assert [each.function.arguments for each in message.tool_calls] == ['{"x":1}', "{}"]
            assert [each.function.name for each in message.tool_calls] == ["f0", "f1"]
            assert message.extra == {"mood": "happy"}
            assert message.function_call.to_dict() == function

    @pytest.mark.parametrize(
        "choice",
        [
            {"delta": {"role": "assistant", "content": "Hi"}},
            {"text": "Hi"},
            {"message": "Hi"},
            {"message": {}, "delta": {"content": "Hi"}},
            {"message": {"role": "assistant", "content": None}, "text": "Hi"},
        ],
    )
    def test_choices_of_whole_answers_may_have_a_delta_or_a_text(self, choice: Any) -> None:
        [made] = ChatCompletion.from_json(json.dumps({"choices": [{"index": 0, **choice}]})).choices
        assert (made.message.content, made.extra) == ("Hi", {})

    @pytest.mark.parametrize("choice", [{"message": {"content": "Hi"}}, {"delta": {"content": "Hi"}}])
    def test_choices_of_older_completions_may_have_a_message(self, choice: Any) -> None:
        assert Completion.from_dict({"choices": [choice]}).choices[0].text == "Hi"


class TestToolCalls:
    @pytest.mark.parametrize("name", ["arguments", "parameters", "input"])
    @pytest.mark.parametrize("arguments", [{"x": 1}, '{"x":1}'])
    @pytest.mark.parametrize("is_flat", [False, True])
    def test_tool_calls_may_have_arguments_under_another_name(
        self, name: str, arguments: Any, is_flat: bool
    ) -> None:
        function = {"name": "f", name: arguments}
        fragment = {"index": 0, "id": "a", **(function if is_flat else {"function": function})}
        assert made(fragment) == [("f", '{"x":1}')]
        whole = ChatCompletion.from_dict({"choices": [{"message": {"tool_calls": [fragment]}}]})
        assert whole.choices[0].message.tool_calls[0].function.to_dict() == {
            "name": "f",
            "arguments": '{"x":1}',
        }

    def test_tool_calls_take_other_arguments_only_where_there_are_none(self) -> None:
        both = {"name": "f", "arguments": "{}", "parameters": {"type": "object"}}
        [made] = (
            typed(calls({"index": 0, "function": both})).get_final_completion().choices[0].message.tool_calls
        )
        assert (made.function.arguments, made.function.extra) == ("{}", {"parameters": {"type": "object"}})
        assert made_of({**both, "arguments": ""}) == '{"type":"object"}'

    @pytest.mark.parametrize("name", ["tool_call_id", "call_id"])
    def test_tool_calls_may_have_an_id_under_another_name(self, name: str) -> None:
        fragments = [
            call("f", '{"x"', **{name: "a"}),
            call("g", "{", **{name: "b"}),
            call(None, ":1}", **{name: "a"}),
        ]
        completion = typed(*map(calls, [*fragments, call(None, "}", **{name: "b"})])).get_final_completion()
        param = completion.choices[0].message.to_param()["tool_calls"]
        assert [(each["id"], each["function"]["arguments"]) for each in param] == [
            ("a", '{"x":1}'),
            ("b", "{}"),
        ]
        assert all(each.keys() == {"id", "type", "function"} for each in param)

    def test_tool_calls_of_custom_tools_may_have_no_object_of_their_own(self) -> None:
        fragment = {"index": 0, "id": "a", "type": "custom", "name": "f", "input": "text"}
        [made] = typed(calls(fragment)).get_final_completion().choices[0].message.tool_calls
        assert made.custom.to_dict() == {"name": "f", "input": "text"}

    @pytest.mark.parametrize("whole", ["{}", '{"x":1}'])
    @pytest.mark.parametrize("pieces", [['{"y":2}'], ['{"y"', ":2}"], ["", ' {"y":2}'], ["{", '"y":2', "}"]])
    @pytest.mark.parametrize("ids", [{"id": "b"}, {}])
    def test_tool_calls_that_are_whole_leave_their_index_to_the_one_without_arguments(
        self, whole: str, pieces: list[str], ids: Any
    ) -> None:
        heads = [call("r", whole, index=0, id="a"), call("s", "", index=1, **ids)]
        rest = [call(None, piece, index=0) for piece in pieces]
        assert made(*heads, *rest) == [("r", whole), ("s", "".join(pieces))]

    def test_tool_calls_that_are_whole_leave_their_index_to_the_one_that_is_unfinished(self) -> None:
        heads = [call("r", '{"x":1}', index=0, id="a"), call("s", '{"y"', index=1, id="b")]
        assert made(*heads, call(None, ":2", index=0), call(None, "}", index=0)) == [
            ("r", '{"x":1}'),
            ("s", '{"y":2}'),
        ]

    def test_tool_calls_that_are_whole_keep_what_follows_if_no_other_can_take_it(self) -> None:
        whole = [call("r", '{"x":1}', index=0, id="a"), call("s", "{}", index=1, id="b")]
        assert made(*whole, call(None, "</tool>", index=0)) == [("r", '{"x":1}</tool>'), ("s", "{}")]

    def test_tool_calls_keep_fields_that_are_added_to_the_older_kind_and_to_audio(self) -> None:
        deltas = [
            {
                "function_call": {"name": "f", "arguments": "{", "mark": "a"},
                "audio": {"id": "x", "voice": "v"},
            },
            {"function_call": {"arguments": "}", "mark": "b"}, "audio": {"data": "y", "format": "wav"}},
        ]
        message = typed(*map(chunk, deltas)).get_final_completion().choices[0].message
        assert message.function_call.to_dict() == {"name": "f", "arguments": "{}", "mark": "ab"}
        assert message.audio.to_dict() == {"id": "x", "data": "y", "voice": "v", "format": "wav"}


def made_of(function: dict[str, Any]) -> str:
    completion = typed(calls({"index": 0, "function": function})).get_final_completion()
    return str(completion.choices[0].message.tool_calls[0].function.arguments)


class TestReasoning:
    @pytest.mark.parametrize(
        "parts",
        [
            [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}
                for text in ("Hm", "m.")
            ],
            [
                {"type": "reasoning", "content": [{"type": "reasoning_text", "text": text}]}
                for text in ("Hm", "m.")
            ],
            [{"type": "reasoning", "text": text} for text in ("Hm", "m.")],
            [{"type": "thinking", "thinking": text} for text in ("Hm", "m.")],
        ],
        ids=["summary", "content", "text", "thinking"],
    )
    def test_reasoning_may_be_a_part_of_the_content(self, parts: list[Any]) -> None:
        chunks = [chunk({"content": [part]}) for part in parts]
        message = typed(*chunks, chunk({"content": "Seven"})).get_final_completion().choices[0].message
        assert (message.reasoning_content, message.content) == ("Hmm.", "Seven")
        [thought, text] = message.to_param()["content"]
        [field] = parts[0].keys() - {"type"}
        assert thought == {"type": parts[0]["type"], field: parts[0][field] + parts[1][field]}
        assert text == {"type": "text", "text": "Seven"}

    def test_reasoning_with_a_signature_ends_a_part(self) -> None:
        parts = [
            {"type": "thinking", "thinking": "a"},
            {"type": "thinking", "thinking": "b", "signature": "s"},
            {"type": "thinking", "thinking": "c"},
            {"type": "redacted_thinking", "data": "d"},
        ]
        message = typed(*[chunk({"content": [part]}) for part in parts]).get_final_completion()
        assert message.choices[0].message.to_param()["content"] == [
            {"type": "thinking", "thinking": "ab", "signature": "s"},
            *parts[2:],
        ]

    def test_reasoning_that_ends_several_times_says_each_time_what_there_was(self) -> None:
        deltas = [{"reasoning": "a"}, {"content": "x"}, {"reasoning": "b"}, {"content": "y"}]
        events = list(typed(*map(chunk, deltas)))
        done = [event for event in events if event.type == "reasoning.done"]
        assert [(event.reasoning, event.choice_index) for event in done] == [("a", 0), ("ab", 0)]


def test_details_of_one_index_in_one_chunk_are_merged() -> None:
    details = [{"index": 0, "type": "t", "text": text} for text in "ab"]
    message = typed(chunk({"details": details}), chunk({"details": details})).get_final_completion()
    assert message.choices[0].message.extra == {"details": [{"index": 0, "type": "t", "text": "abab"}]}


def test_a_field_of_the_server_that_is_named_content_parts_is_kept() -> None:
    deltas = [{"content_parts": 1}, {"content": [{"type": "image"}]}, {"content_parts": "x"}]
    message = typed(*map(chunk, deltas)).get_final_completion().choices[0].message
    assert message.extra == {"content_parts": [1, {"type": "image"}, "x"]}
    alone = typed(chunk({"content_parts": 1})).get_final_completion().choices[0].message
    assert alone.to_param() == {"role": "assistant", "content_parts": 1}


def test_a_chunk_that_is_nested_too_deep_is_refused() -> None:
    nested: Any = "x"
    for _ in range(300):
        nested = [nested]
    with pytest.raises(StreamError, match="nested too deep"):
        plain(chunk(deep=nested)).get_final_completion()


def test_a_chunk_that_holds_itself_is_refused() -> None:
    endless: dict[str, Any] = chunk()
    endless |= {"first": endless, "second": endless}
    with pytest.raises(StreamError, match="nested too deep"):
        plain(endless).get_final_completion()


@pytest.mark.parametrize(
    ("harmless", "error"),
    [
        ('"error": []', '"error": ["boom"]'),
        ('"error": [ ]', '"error": [ {} ]'),
        ('"error": 0.0', '"error": 0.5'),
        ('"error": -0', '"error": -1'),
        ('"error": ""', '"error": " "'),
        ('"error": {}', '"error": {"message": "boom"}'),
        ('"finish_reason": "stop"', '"finish_reason": "error"'),
        ('"finish_reason": "stop"', '"finish_reason": "ERROR"'),
        ('"finish_reason": "stop"', r'"finish_reason": "\u0065rror"'),
    ],
)
@pytest.mark.parametrize("place", ["chunk", "choice"])
def test_an_error_is_found_after_chunks_that_look_almost_the_same(
    harmless: str, error: str, place: str, request: pytest.FixtureRequest
) -> None:
    place = "choice" if "finish_reason" in harmless else place  # only choices have it

    def chunk_with(field: str) -> str:
        # Shapes are remembered for the whole process, so each test has one of its own.
        own = json.dumps(request.node.name)
        choice = '"index": 0, "delta": {"content": "a"}'
        fields = (
            f'"choices": [{{{choice}, {field}}}]'
            if place == "choice"
            else f'{field}, "choices": [{{{choice}}}]'
        )
        return f"data: {{{own}: 1, {fields}}}\n\n"

    body = chunk_with(harmless) * 3 + chunk_with(error)
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body.encode())
    stream = Stream(response, cast_to=ChatCompletionChunk)
    assert [next(stream).choices[0].delta.content for _ in range(3)] == ["a"] * 3
    with pytest.raises(APIError):
        next(stream)


def test_an_error_is_found_after_chunks_whose_choices_are_empty_objects() -> None:
    body = 'data: {"choices": [{}], "message": "a", "code": "b"}\n\n' * 2
    body += 'data: {"choices": [], "message": "overloaded", "code": "b"}\n\n'
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body.encode())
    stream = Stream(response, cast_to=ChatCompletionChunk)
    assert [next(stream).choices[0].index for _ in range(2)] == [0, 0]
    with pytest.raises(APIError, match="overloaded"):
        next(stream)
