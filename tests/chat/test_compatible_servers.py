"""Servers that are nearly compatible: what each of their ways comes to, from the bytes to the message."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any, ClassVar

import httpx
import pytest

from ssejet import APIError, InvalidJSONError, SSEError, Stream, StreamError
from ssejet._server_errors import error_message, is_error_answer, is_retryable_code
from ssejet.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionStream, ChatCompletionStreamState

DONE = "data: [DONE]\n\n"


def data(value: Any) -> str:
    return f"data: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}\n\n"


def chunk(delta: Any = None, finish: str | None = None, **fields: Any) -> str:
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    base = {"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m"}
    return data({**base, "choices": [choice], **fields})


def call(name: str | None = None, arguments: Any = "", **fields: Any) -> dict[str, Any]:
    function = {} if name is None else {"name": name}
    return {**fields, "function": {**function, "arguments": arguments}}


def calls(*fragments: dict[str, Any]) -> str:
    return chunk({"tool_calls": list(fragments)})


def opened(body: str, **options: Any) -> ChatCompletionStream[None]:
    response = httpx.Response(
        200,
        headers={"content-type": "text/event-stream"},
        content=body.encode(),
        request=httpx.Request("POST", "http://x"),
    )
    return ChatCompletionStream(Stream(response, cast_to=ChatCompletionChunk, **options))


def message(*parts: str, **options: Any) -> Any:
    return opened("".join(parts) + DONE, **options).get_final_completion().choices[0].message


def made_calls(*parts: str) -> list[tuple[str, Any]]:
    return [
        (each.function.name, json.loads(each.function.arguments or "{}"))
        for each in message(*parts).tool_calls
    ]


def error_of(*parts: str) -> APIError:
    with pytest.raises(APIError) as caught:
        message(*parts)
    return caught.value


class TestChunks:
    @pytest.mark.parametrize("kind", ["chat.completion", "", "text_completion", None, 7])
    def test_chunks_are_known_by_their_choices_whatever_their_object_says(self, kind: Any) -> None:
        assert (
            message(chunk({"content": "Hi"}, object=kind), chunk(finish="stop", object=kind)).content == "Hi"
        )

    @pytest.mark.parametrize(
        "ping",
        [
            {"type": "ping"},
            {"id": "p", "model": "other", "created": 1, "usage": {"total_tokens": 99}},
            {"object": "chat.completion.chunk", "id": "p"},
            {"status": "processing", "message": "in the queue"},
            {"code": 0, "message": "success"},
            {"type": "status", "message": "Searching the web"},
            {"message": "keep-alive"},
            {"event": "heartbeat"},
            {"status": "ok"},
            {"id": "p", "x_groq": {"id": "r"}},
            {"data": {"message": "hello"}},
            {"usage": {"total_tokens": 9}, "error": None, "errors": [], "detail": "", "error_code": 0},
            "null",
            "",
            " ",
            '"ping"',
            '"keep-alive"',
        ],
    )
    @pytest.mark.parametrize("cast_to", [ChatCompletionChunk, None])
    def test_chunks_are_not_what_has_no_choices(self, ping: Any, cast_to: Any) -> None:
        body = data(ping) + chunk({"content": "Hi"}) + data(ping) + chunk(finish="stop") + data(ping) + DONE
        response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body.encode())
        stream = ChatCompletionStream(Stream(response, cast_to=cast_to))
        completion = stream.get_final_completion()
        assert completion.choices[0].message.content == "Hi"
        assert (completion.id, completion.model, completion.created, completion.usage) == ("c1", "m", 7, None)
        assert completion.extra == {}

    @pytest.mark.parametrize(
        "ping",
        [
            "event: ping\ndata: hello\n\n",
            "event: heartbeat\ndata: 1760000000\n\n",
            'event: keep-alive\ndata: "2025-01-01T00:00:00Z"\n\n',
            "data: ping\n\n",
            'data: "keep-alive"\n\n',
        ],
    )
    def test_chunks_are_not_pings_of_any_kind(self, ping: str) -> None:
        stream = opened(ping + chunk({"content": "Hi"}) + ping + chunk(finish="stop") + ping + DONE)
        assert stream.get_final_completion().choices[0].message.content == "Hi"

    @pytest.mark.parametrize("text", ["[1]", "[]", "[[]]", "0", "1.5", "true", "false", '"hello"'])
    @pytest.mark.parametrize("cast_to", [ChatCompletionChunk, None])
    @pytest.mark.parametrize("before", ["", chunk({"content": "Hi"})], ids=["first", "later"])
    def test_chunks_are_never_json_that_is_no_object(self, text: str, cast_to: Any, before: str) -> None:
        response = httpx.Response(200, content=(before + data(text) + chunk(finish="stop") + DONE).encode())
        with pytest.raises(StreamError) as caught:
            ChatCompletionStream(Stream(response, cast_to=cast_to)).until_done()
        assert type(caught.value) is (StreamError if cast_to is None else InvalidJSONError)
        assert (caught.value.partial is None) == (before == "")

    @pytest.mark.parametrize("text", ["hello", "event: note\ndata: 5"])
    def test_chunks_are_an_error_where_text_came_that_is_no_ping(self, text: str) -> None:
        body = text if text.startswith("event") else f"data: {text}"
        with pytest.raises(InvalidJSONError):
            opened(chunk({"content": "Hi"}) + body + "\n\n" + chunk(finish="stop")).get_final_completion()

    def test_chunks_may_have_null_for_choices(self) -> None:
        usage = {"total_tokens": 4}
        stream = opened(
            chunk({"content": "Hi"})
            + chunk(finish="stop")
            + data({"id": "c1", "choices": None, "usage": usage})
        )
        assert stream.get_final_completion().usage.total_tokens == 4

    @pytest.mark.parametrize("place", range(4))
    def test_chunks_bring_usage_anywhere(self, place: int) -> None:
        parts = [
            chunk({"content": "H"}),
            chunk({"content": "i"}),
            chunk(finish="stop"),
            data({"choices": []}),
        ]
        payload = json.loads(parts[place].removeprefix("data: "))
        parts[place] = data({**payload, "usage": {"total_tokens": 4}})
        completion = opened("".join(parts)).get_final_completion()
        assert completion.usage.total_tokens == 4

    def test_chunks_give_the_first_id_and_model_that_there_are(self) -> None:
        azure = data(
            {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}
        )
        completion = opened(azure + chunk({"content": "Hi"}) + chunk(finish="stop")).get_final_completion()
        assert (completion.id, completion.model, completion.created) == ("c1", "m", 7)

    @pytest.mark.parametrize(
        "choice",
        [{"index": 0, "message": {"role": "assistant", "content": "Hi"}}, {"index": 0, "text": "Hi"}],
        ids=["a message", "a text"],
    )
    def test_chunks_may_hold_something_else_than_a_delta(self, choice: Any) -> None:
        assert message(data({"choices": [choice]})).content == "Hi"

    def test_chunks_may_end_with_the_whole_message(self) -> None:
        whole = {"index": 0, "message": {"role": "assistant", "content": "AB"}, "finish_reason": "stop"}
        assert (
            message(chunk({"content": "A"}), chunk({"content": "B"}), data({"choices": [whole]})).content
            == "AB"
        )
        assert message(chunk({"content": "A"}), data({"choices": [whole]})).content == "AB"

    @pytest.mark.parametrize(
        "usage",
        [
            {"choices": [{"index": 0, "delta": {}, "usage": {"total_tokens": 4}}]},
            {"choices": [], "x_groq": {"usage": {"total_tokens": 4}}},
        ],
        ids=["in the choice", "in x_groq"],
    )
    def test_chunks_may_have_usage_where_others_have_none(self, usage: Any) -> None:
        body = chunk({"content": "Hi"}) + data(usage) + chunk(finish="stop", usage={})
        assert opened(body).get_final_completion().usage.total_tokens == 4

    @pytest.mark.parametrize("item", [[], 5, True, "x", [{"error": {"message": "no"}}]])
    def test_chunks_are_objects(self, item: Any) -> None:
        response = httpx.Response(
            200, headers={"content-type": "text/event-stream"}, content=data(json.dumps(item)).encode()
        )
        with pytest.raises(SSEError):
            list(ChatCompletionStream(Stream(response)))


class TestContent:
    def test_content_may_be_parts(self) -> None:
        thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}
        more = {"type": "thinking", "thinking": [{"type": "text", "text": "m."}]}
        picture = {"type": "image_url", "image_url": {"url": "data:,"}}
        answer = message(
            chunk({"content": [thought]}),
            chunk({"content": [more, {"type": "text", "text": "Se"}]}),
            chunk({"content": "ven"}),
            chunk({"content": [picture, "!"]}, "stop"),
        )
        assert (answer.content, answer.reasoning_content) == ("Seven!", "Hmm.")
        parts = answer.to_param()["content"]
        assert [part["type"] for part in parts] == ["thinking", "text", "image_url"]
        assert parts[0]["thinking"] == [*thought["thinking"], *more["thinking"]]
        assert parts[1:] == [{"type": "text", "text": "Seven!"}, picture]

    def test_content_may_be_parts_of_a_whole_answer(self) -> None:
        content = [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Seven"}]
        answer = ChatCompletion.from_dict(
            {"choices": [{"message": {"role": "assistant", "content": content}}]}
        )
        assert answer.choices[0].message.content == "Seven"
        assert answer.choices[0].message.reasoning_content == "Hm"
        assert answer.choices[0].message.to_param() == {"role": "assistant", "content": content}

    def test_content_that_is_only_text_goes_back_as_text(self) -> None:
        answer = message(chunk({"content": [{"type": "text", "text": "Seven"}]}, "stop"))
        assert answer.to_param() == {"role": "assistant", "content": "Seven"}


class TestToolCalls:
    """Which calls come of which fragments; those of one index and several, with and without ids."""

    @pytest.mark.parametrize("arguments", [{"a": 1, "b": "Zoë"}, {}, [1], {"n": 2**70}])
    def test_tool_calls_may_have_arguments_as_json(self, arguments: Any) -> None:
        assert made_calls(calls(call("f", arguments, index=0, id="x"))) == [("f", arguments)]

    def test_tool_calls_may_be_one_object(self) -> None:
        assert made_calls(chunk({"tool_calls": call("f", "{}", id="x")})) == [("f", {})]

    def test_tool_calls_may_have_name_and_arguments_outside_of_a_function(self) -> None:
        fragment = {"index": 0, "id": "x", "name": "f", "arguments": {"a": 1}}
        assert made_calls(calls(fragment)) == [("f", {"a": 1})]

    @pytest.mark.parametrize(
        "names",
        [
            ["list_", "files"],
            ["list", "_", "files"],
            ["list_files", "list_files"],
            ["list", "list_fi", "list_files"],
        ],
        ids=["two pieces", "three pieces", "repeated", "growing"],
    )
    @pytest.mark.parametrize("index", [{"index": 0}, {}], ids=["index", "no index"])
    @pytest.mark.parametrize("ids", [["x", "x", "x"], ["x", None, None], ["x", "", ""]])
    def test_tool_calls_may_have_names_in_pieces(self, names: list[str], index: Any, ids: list[Any]) -> None:
        fragments = [calls(call(name, "", id=id, **index)) for name, id in zip(names, ids, strict=False)]
        rest = calls(call(None, '{"a":1}', **index))
        assert made_calls(*fragments, rest) == [("list_files", {"a": 1})]

    @pytest.mark.parametrize(
        "fragments",
        [
            [call("f", "", id="a"), call("g", '{"x":1}', id="b")],
            [call("f", "{}", id=""), call("g", '{"x":1}', id="")],
            [call("f", "{}"), call("g", '{"x":1}')],
            [call("f", "", id="a"), call("g", "", id="b"), call(None, '{"x"'), call(None, ":1}")],
            [call("f", "{}", id="s"), call("g", '{"x":1}', id="s")],
            [
                call("f", "{", id="a"),
                call("g", '{"x"', id="b"),
                call(None, "}", id="a"),
                call(None, ":1}", id="b"),
            ],
        ],
        ids=["the first has no arguments", "empty ids", "no ids", "pieces", "one id", "interleaved"],
    )
    @pytest.mark.parametrize("index", [0, "0", 3])
    def test_tool_calls_may_all_have_one_index(self, fragments: list[Any], index: Any) -> None:
        parts = [calls({**fragment, "index": index}) for fragment in fragments]
        assert made_calls(*parts) == [("f", {}), ("g", {"x": 1})]

    @pytest.mark.parametrize("id", [{}, {"id": ""}, {"id": "s"}])
    def test_tool_calls_of_one_function_are_told_apart_by_their_arguments(self, id: Any) -> None:
        parts = [calls(call("f", json.dumps({"x": x}), index=0, **id)) for x in (1, 2, 3)]
        assert made_calls(*parts) == [("f", {"x": 1}), ("f", {"x": 2}), ("f", {"x": 3})]

    @pytest.mark.parametrize("index", [{"index": 0}, {}])
    def test_tool_calls_may_change_their_id_with_each_fragment(self, index: Any) -> None:
        parts = [
            calls(call("f", "", id="x1", **index)),
            calls(call(None, '{"x"', id="x2", **index)),
            calls(call(None, ":1}", id="x3", **index)),
        ]
        assert made_calls(*parts) == [("f", {"x": 1})]

    def test_tool_calls_may_change_their_index_with_each_fragment(self) -> None:
        parts = [calls(call("f", "", index=0, id="a")), calls(call(None, '{"x"', index=1, id="a"))]
        assert made_calls(*parts, calls(call(None, ":1}", index=2, id="a"))) == [("f", {"x": 1})]
        parts = [calls(call("f", "", index=0, id="a")), calls(call(None, '{"x":1}', index=1))]
        assert made_calls(*parts) == [("f", {"x": 1})]

    def test_tool_calls_may_be_repeated_whole_at_the_end(self) -> None:
        whole = calls(call("f", '{"x":1}', index=0, id="a"))
        assert made_calls(whole, whole) == [("f", {"x": 1})]

    @pytest.mark.parametrize("first", ["{}", {}])
    def test_tool_calls_may_begin_with_an_empty_object_before_the_arguments(self, first: Any) -> None:
        parts = [calls(call("f", first, index=0, id="a")), calls(call(None, '{"x"', index=0))]
        assert made_calls(*parts, calls(call(None, ":1}", index=0))) == [("f", {"x": 1})]

    @pytest.mark.parametrize("index", ["1_0", "１", "x", None, 1.5])
    def test_tool_calls_have_an_index_only_if_it_is_a_number(self, index: Any) -> None:
        assert made_calls(calls(call("f", "{}", index=index, id="a"))) == [("f", {})]

    def test_tool_calls_of_one_id_are_told_apart_by_their_index(self) -> None:
        parts = [
            calls(call("f", "", index=0, id="c")),
            calls(call("g", "", index=1, id="c")),
            calls(call(None, '{"x":1}', index=0, id="c")),
            calls(call(None, '{"y":2}', index=1, id="c")),
        ]
        assert made_calls(*parts) == [("f", {"x": 1}), ("g", {"y": 2})]

    def test_tool_calls_of_one_function_without_ids_may_come_in_pieces(self) -> None:
        parts = [calls(call(name, text, index=0)) for name, text in [("f", ""), (None, '{"x":1}')] * 2]
        assert made_calls(*parts) == [("f", {"x": 1}), ("f", {"x": 1})]

    def test_tool_calls_may_have_a_new_index_with_each_fragment(self) -> None:
        parts = [
            calls(call("f", "", index=0, id="a")),
            calls(call(None, '{"x":1}', index=1)),
            calls(call("g", "", index=2, id="b")),
            calls(call(None, '{"y":2}', index=3)),
        ]
        assert made_calls(*parts) == [("f", {"x": 1}), ("g", {"y": 2})]

    def test_tool_calls_may_begin_with_an_empty_object_and_come_again_whole(self) -> None:
        parts = [calls(call("f", "{}", index=0, id="a")), calls(call("f", '{"x":1}', index=0, id="a"))]
        assert made_calls(*parts) == [("f", {"x": 1})]

    @pytest.mark.parametrize("kind", ["tool", "", "function_call", None])
    def test_tool_calls_are_of_functions_unless_they_say_that_they_are_custom(self, kind: Any) -> None:
        assert made_calls(calls({**call("f", "{}", index=0, id="a"), "type": kind})) == [("f", {})]

    def test_tool_calls_give_events_that_add_up_to_the_call(self) -> None:
        parts = [calls(call("f", "{}", index=0, id="a")), calls(call(None, '{"x":1}', index=0))]
        events = list(opened("".join(parts) + chunk(finish="tool_calls") + DONE))
        [done] = [event for event in events if event.type == "tool_calls.done"]
        assert (done.name, done.arguments) == ("f", '{"x":1}')


class TestAddedFields:
    STREAM = (
        chunk(
            {
                "role": "assistant",
                "reasoning_details": [{"type": "text", "text": "a", "index": 0, "format": "f"}],
            }
        )
        + chunk(
            {"reasoning_details": [{"type": "text", "text": "b", "index": 0, "format": "f"}], "mood": "hap"}
        )
        + chunk({"mood": "py", "scores": {"x": 1}, "content": "Hi"})
        + chunk({"scores": {"x": 2, "y": None}})
        + calls(
            {**call("f", "{}", index=0, id="a"), "extra_content": {"google": {"thought_signature": "c2ln"}}}
        )
        + calls({"index": 0, "function": {"arguments": "", "strength": 3}})
        + data(
            {
                "id": "c1",
                "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "stop_id": 9}],
                "served": "eu",
            }
        )
    )
    DETAILS: ClassVar = [{"type": "text", "text": "ab", "index": 0, "format": "f"}]

    def completion(self) -> Any:
        return opened(self.STREAM + DONE).get_final_completion()

    @pytest.mark.parametrize(
        "copied", [lambda x: x, copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
    )
    def test_added_fields_are_kept_and_merged(self, copied: Any) -> None:
        completion = copied(self.completion())
        [choice] = completion.choices
        assert choice.message.extra == {
            "reasoning_details": self.DETAILS,
            "mood": "happy",
            "scores": {"x": 3, "y": None},
        }
        assert choice.extra == {"stop_id": 9}
        assert completion.extra == {"served": "eu"}
        [made] = choice.message.tool_calls
        assert made.extra == {"extra_content": {"google": {"thought_signature": "c2ln"}}}
        assert made.function.extra == {"strength": 3}
        plain = completion.to_dict()
        assert plain["choices"][0]["message"]["mood"] == "happy"
        assert json.loads(completion.to_json()) == plain

    def test_added_fields_go_back_with_the_next_request(self) -> None:
        param = self.completion().choices[0].message.to_param()
        assert param["reasoning_details"] == self.DETAILS
        assert param["tool_calls"][0] == {
            "id": "a",
            "type": "function",
            "function": {"name": "f", "arguments": "{}", "strength": 3},
            "extra_content": {"google": {"thought_signature": "c2ln"}},
        }

    def test_added_fields_of_chunks_are_found_in_their_parts(self) -> None:
        body = self.STREAM + DONE
        response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body.encode())
        chunks = list(Stream(response, cast_to=ChatCompletionChunk))
        assert chunks[1].choices[0].delta.extra["mood"] == "hap"
        assert chunks[-1].choices[0].extra == {"stop_id": 9}
        assert chunks[-1].extra == {"served": "eu"}
        again = pickle.loads(pickle.dumps(chunks[1]))
        assert again.choices[0].delta.extra == chunks[1].choices[0].delta.extra

    def test_added_fields_are_not_changed_in_chunks_by_what_is_gathered(self) -> None:
        state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
        first = {"choices": [{"index": 0, "delta": {"list": [{"index": 0, "text": "a"}]}}]}
        kept = ChatCompletionChunk.from_dict(copy.deepcopy(first))
        state.handle_chunk(kept)
        state.handle_chunk({"choices": [{"index": 0, "delta": {"list": [{"index": 0, "text": "b"}]}}]})
        assert kept.to_dict() == first
        snapshot = state.current_completion_snapshot
        state.handle_chunk({"choices": [{"index": 0, "delta": {"list": [{"index": 0, "text": "c"}]}}]})
        assert snapshot.choices[0].message.extra == {"list": [{"index": 0, "text": "ab"}]}

    def test_added_fields_of_whole_answers_are_kept_too(self) -> None:
        sent = {
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": "x", "reasoning_details": [1]}}
            ]
        }
        for answer in (ChatCompletion.from_dict(sent), ChatCompletion.from_json(json.dumps(sent))):
            assert answer.choices[0].message.to_param()["reasoning_details"] == [1]

    def test_added_fields_are_found_after_many_plain_chunks(self) -> None:
        plain = [chunk({"content": text}) for text in ("a", "b", 'say "hi": {x}', "c")]
        answer = message(*plain, chunk({"content": "d", "note": "n"}), *plain)
        assert answer.extra == {"note": "n"}

    def test_big_integers_of_a_server_stay_integers(self) -> None:
        big = 10**30
        answer = message(chunk({"content": "x", "seed": big, "details": [{"n": big}]}))
        assert answer.extra == {"seed": big, "details": [{"n": big}]}
        assert ChatCompletionChunk.from_json(json.dumps({"choices": [], "created": big})).created == big


class TestSentinels:
    @pytest.mark.parametrize(
        "end",
        [
            'data: "[DONE]"\n\n',
            "data: [done]\n\n",
            "data:   [DONE]  \n\n",
            "data: [DONE]",
            "data: [DONE]\n",
            "data:[Done]",
            "data: '[DONE]'\n\n",
        ],
    )
    @pytest.mark.parametrize("cast_to", [ChatCompletionChunk, None, dict])
    def test_sentinels_end_the_stream_however_they_are_written(self, end: str, cast_to: Any) -> None:
        body = chunk({"content": "Hi"}, "stop") + end
        response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body.encode())
        stream = Stream(response, cast_to=cast_to, require_done=True)
        assert len(list(stream)) == 1
        assert stream.saw_done

    def test_sentinels_cut_by_the_end_are_no_sentinels_before_their_last_letter(self) -> None:
        stream = opened(chunk({"content": "Hi"}, "stop") + "data: [DON", require_done=True)
        with pytest.raises(SSEError, match="before the sentinel"):
            stream.get_final_completion()

    def test_sentinels_of_the_users_own_do_not_end_a_stream_that_only_mentions_them(self) -> None:
        body = 'data: "the end"\n\ndata: "END"\n\n'
        response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body.encode())
        assert list(Stream(response, done="END")) == ["the end"]


DEFAULT = "An error occurred during streaming"

ERRORS: list[tuple[Any, str, Any, bool]] = [
    ({"error": {"message": "busy", "code": "429"}}, "busy", "429", True),
    ({"error": {"message": "busy", "type": "overloaded_error"}}, "busy", None, True),
    ({"error": "invalid_token", "error_description": "it expired"}, "it expired", None, False),
    (
        {"error": "Bad Request", "message": "temperature must be below 2", "statusCode": 400},
        "temperature must be below 2",
        400,
        False,
    ),
    ({"error": "model 'x' not found", "message": "failure"}, "model 'x' not found", None, False),
    (
        {
            "error": {
                "message": "The prompt was filtered",
                "code": "content_filter",
                "innererror": {"code": "ResponsibleAIPolicyViolation", "message": "an inner word or two"},
            }
        },
        "The prompt was filtered",
        "content_filter",
        False,
    ),
    ({"errors": [{"message": "one", "code": 1}, {"message": "two"}]}, "one; two", 1, False),
    ({"errors": "no"}, "no", None, False),
    ({"detail": "loading"}, "loading", None, False),
    (
        {"detail": [{"loc": ["body", "n"], "msg": "must be positive", "type": "x"}]},
        "body.n: must be positive",
        None,
        False,
    ),
    ({"detail": {"message": "deep", "code": 503}}, "deep", 503, True),
    ({"message": "limit", "code": "Throttling.RateQuota"}, "limit", "Throttling.RateQuota", True),
    ({"message": "gone", "status": 503}, "gone", 503, True),
    ({"error_msg": "quota", "error_code": 18}, "quota", 18, False),
    ({"success": False, "errors": [{"code": 7003, "message": "no route"}]}, "no route", 7003, False),
    ({"object": "error", "message": "too long", "code": 400}, "too long", 400, False),
    ({"object": "error", "message": {"detail": [{"msg": "bad"}]}}, "bad", None, False),
    ({"type": "error", "message": "boom", "code": "server_error"}, "boom", "server_error", True),
    (
        {"choices": [{"index": 0, "delta": {}, "error": {"message": "upstream", "code": 502}}]},
        "upstream",
        502,
        True,
    ),
    (
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]},
        "An error occurred during streaming",
        None,
        False,
    ),
    ({"choices": [], "error": {"message": "late"}}, "late", None, False),
    # Google's compatible endpoint, Salesforce
    (
        [{"error": {"code": 429, "message": "exhausted", "status": "RESOURCE_EXHAUSTED"}}],
        "exhausted",
        429,
        True,
    ),
    ([{"message": "expired", "errorCode": "INVALID_SESSION_ID"}], "expired", "INVALID_SESSION_ID", False),
    # Kong, AWS's and Azure's gateways
    ({"message": "API rate limit exceeded"}, "API rate limit exceeded", None, False),
    ({"message": "Unauthorized", "request_id": "r"}, "Unauthorized", None, False),
    ({"Message": "Not allowed here"}, "Not allowed here", None, False),
    # Apigee
    (
        {"fault": {"faultstring": "Spike arrest violation", "detail": {"errorcode": "SpikeArrestViolation"}}},
        "Spike arrest violation",
        "SpikeArrestViolation",
        False,
    ),
    # Tencent, Volcengine, iFlytek
    (
        {"Response": {"Error": {"Code": "AuthFailure", "Message": "The key is wrong"}, "RequestId": "r"}},
        "The key is wrong",
        "AuthFailure",
        False,
    ),
    ({"ErrorMsg": {"Msg": "Too long", "Code": 4001}, "Id": "1"}, "Too long", 4001, False),
    ({"ResponseMetadata": {"Error": {"Code": "X", "Message": "No access"}}}, "No access", "X", False),
    ({"header": {"code": 10013, "message": "Not allowed", "sid": "s"}}, "Not allowed", 10013, False),
    # FastChat, Baidu, Zhipu, DashScope, MiniMax
    ({"text": "**NETWORK ERROR**", "error_code": 50001}, "**NETWORK ERROR**", 50001, False),
    ({"error_code": 336100, "error_msg": "Try again"}, "Try again", 336100, False),
    ({"code": 500, "msg": "Not found", "success": False}, "Not found", 500, True),
    ({"code": "InvalidParameter", "message": "", "request_id": "r"}, DEFAULT, "InvalidParameter", False),
    (
        {"base_resp": {"status_code": 1004, "status_msg": "login fail"}, "choices": None},
        "login fail",
        1004,
        False,
    ),
    # AWS
    ({"__type": "ThrottlingException", "message": "Too fast"}, "Too fast", "ThrottlingException", True),
    ({"__type": "com.amazon#AccessDenied", "Message": "No"}, "No", "com.amazon#AccessDenied", False),
    ({"throttlingException": {"message": "Too many tokens"}}, "Too many tokens", None, True),
    ({"validationException": {"message": "Too long"}}, "Too long", None, False),
    # Rails
    (
        {"errors": {"n": ["must be 1", "is odd"], "m": "is gone"}},
        "n: must be 1; is odd; m: is gone",
        None,
        False,
    ),
    (
        {"ErrorCode": "INTERNAL_FAILURE", "OriginalMessage": "Out of memory"},
        "Out of memory",
        "INTERNAL_FAILURE",
        False,
    ),
    # Laravel, Dify, Telegram, and other servers with such short errors
    ({"message": "Server Error", "exception": "PDOException", "line": 7}, "Server Error", None, False),
    (
        {"event": "error", "code": "invalid_param", "message": "Bad", "status": 400},
        "Bad",
        "invalid_param",
        False,
    ),
    ({"ok": False, "error_code": 429, "description": "Too many"}, "Too many", 429, True),
    ({"status": "error", "data": None}, DEFAULT, None, False),
    ({"status": "failed", "reason": "no GPU left"}, "no GPU left", "failed", False),
    ({"status": 503, "title": "Down for repair"}, "Down for repair", 503, True),
    ({"status": {"code": 14, "message": "the model is loading"}}, "the model is loading", 14, False),
    ({"type": "overloaded_error", "message": "busy"}, "busy", None, True),
    # Groq, in the last chunk
    (
        {"choices": [{"index": 0, "delta": {}}], "x_groq": {"error": "out of time"}},
        "out of time",
        None,
        False,
    ),
]


class TestErrors:
    @pytest.mark.parametrize(
        ("payload", "text", "code", "retryable"), ERRORS, ids=[str(each[0])[:60] for each in ERRORS]
    )
    @pytest.mark.parametrize("before", ["", chunk({"content": "Hi"})], ids=["first", "later"])
    def test_errors_are_known_in_all_shapes(
        self, payload: Any, text: str, code: Any, retryable: bool, before: str
    ) -> None:
        error = error_of(before, data(payload))
        assert (error.message, error.code, error.retryable) == (text, code, retryable)
        assert error.body == payload
        assert (error.partial and error.partial.choices[0].message.content) == ("Hi" if before else None)

    @pytest.mark.parametrize(
        ("payload", "text", "code", "retryable"), ERRORS, ids=[str(each[0])[:60] for each in ERRORS]
    )
    def test_errors_are_known_by_a_state_that_is_given_dicts(
        self, payload: Any, text: str, code: Any, retryable: bool
    ) -> None:
        state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
        with pytest.raises(APIError) as caught:
            state.handle_chunk(payload)
        assert caught.value.body == payload
        assert caught.value.retryable == retryable

    @pytest.mark.parametrize(
        ("payload", "text"),
        [
            ({"code": 422, "details": "unknown detector"}, "unknown detector"),
            ("plain words", "plain words"),
            ([{"error": {"message": "in a list"}}], "in a list"),
        ],
    )
    def test_errors_may_be_told_by_the_event_alone(self, payload: Any, text: str) -> None:
        assert error_of("event: error\n" + data(payload)).message == text

    @pytest.mark.parametrize(
        "null",
        [
            '"error":null',
            '"error": null',
            '"error" :\tnull',
            '"error":  \n null',
            '"error": false',
            '"error":""',
            '"error": [ ]',
            '"error":{}',
            '"error": 0',
        ],
    )
    def test_errors_are_not_what_is_null(self, null: str, monkeypatch: pytest.MonkeyPatch) -> None:
        from ssejet.typed import _machine as machine

        parsed: list[Any] = []
        monkeypatch.setattr(machine, "payload_of", parsed.append)
        body = "".join(f"data: {line}\n" for line in ('{"a":1,' + null + "}").split("\n")) + "\n"
        response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body.encode())
        (item,) = Stream(response)
        assert item["a"] == 1
        assert not item["error"]
        assert parsed == []

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            (429, True),
            ("429", True),
            (500, True),
            (400, False),
            ("４２９", False),
            ("4_29", False),
            ("rate-limit", True),
            ("RESOURCE_EXHAUSTED", True),
            (None, False),
            (10**30, False),
            ("9" * 5000, False),
            ([], False),
        ],
    )
    def test_errors_may_be_worth_another_try(self, code: Any, expected: bool) -> None:
        assert is_retryable_code(code) is expected

    @pytest.mark.parametrize("error", ["overloaded", {"message": "overloaded"}, ["overloaded"], 7, True])
    @pytest.mark.parametrize("before", [None, "", 0, False])
    @pytest.mark.parametrize("place", ["chunk", "choice"])
    def test_errors_are_found_where_other_chunks_have_none(self, error: Any, before: Any, place: str) -> None:
        def with_error(value: Any) -> str:
            choice = {"index": 0, "delta": {"content": "Hi"}}
            if place == "choice":
                return data({"choices": [{**choice, "error": value}]})
            return data({"choices": [choice], "error": value})

        raised = error_of(with_error(before), with_error(before), with_error(error))
        assert raised.partial.choices[0].message.content == "HiHi"

    def test_errors_are_known_after_they_were_read_elsewhere(self) -> None:
        payload = {"choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]}
        ChatCompletionChunk.from_json(json.dumps(payload))
        assert error_of(data(payload)).body == payload

    @pytest.mark.parametrize(
        "payload", [each[0] for each in ERRORS], ids=[str(each[0])[:60] for each in ERRORS]
    )
    def test_errors_are_known_in_place_of_a_whole_answer(self, payload: Any) -> None:
        from ssejet import Client

        transport = httpx.MockTransport(lambda _: httpx.Response(200, json=payload))
        with (
            Client(
                base_url="http://x/v1", http_client=httpx.Client(transport=transport), max_retries=0
            ) as client,
            pytest.raises(APIError) as caught,
        ):
            client.chat.completions.create(model="m", messages=[])
        assert caught.value.body == payload

    @pytest.mark.parametrize(
        "payload", [{"error_code": 0, "error_msg": "success"}, {"errcode": "0", "errmsg": "ok"}]
    )
    def test_errors_are_not_what_tells_of_success(self, payload: Any) -> None:
        assert not is_error_answer(payload)

    def test_errors_however_deep_harm_nothing(self) -> None:
        deep: Any = {"message": "x"}
        for _ in range(500):
            deep = {"error": [deep]}
        assert is_error_answer(deep)
        assert error_message(deep) is None


def test_a_conversation_with_tools_goes_on_with_all_that_the_server_sent() -> None:
    asked: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        body = TestAddedFields.STREAM if len(asked) == 1 else chunk({"content": "Done"}, "stop")
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body + DONE)

    from ssejet import Client

    with Client(
        base_url="http://x/v1", api_key="k", http_client=httpx.Client(transport=httpx.MockTransport(answer))
    ) as client:
        messages: list[Any] = [{"role": "user", "content": "Hello"}]
        with client.chat.completions.stream(model="m", messages=messages) as stream:
            reply = stream.get_final_completion().choices[0].message
        messages += [reply.to_param(), {"role": "tool", "tool_call_id": "a", "content": "1"}]
        with client.chat.completions.stream(model="m", messages=messages) as stream:
            assert stream.get_final_completion().choices[0].message.content == "Done"
    sent = asked[1]["messages"][1]
    assert sent["reasoning_details"] == TestAddedFields.DETAILS
    assert sent["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "c2ln"}}
