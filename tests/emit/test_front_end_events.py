"""How the events of models become those of front ends: the cases that need no front end to see."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from anthropic.types import RawMessageStreamEvent
from openai.types.chat import ChatCompletionChunk as OpenAIChunk
from openai.types.responses import ResponseStreamEvent as OpenAIEvent
from pydantic import TypeAdapter

from ssejet import Decoder, ServerSentEvent
from ssejet.chat import ChatCompletionChunk
from ssejet.emit import ag_ui, ai_sdk
from ssejet.messages._raw_events import RawEvent
from ssejet.responses._events import ResponseEvent

PAGE = {"type": "url_citation", "url_citation": {"url": "https://a.b/", "title": "A"}}


def chunk(delta: dict[str, Any], finish: str | None = None, id: str = "c", **fields: Any) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    base = {"id": id, "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    return {**base, **fields}


def chunks_of(events: list[Any], **options: Any) -> list[dict[str, Any]]:
    """The chunks of a UI message stream."""
    stream = ai_sdk.stream(events, heartbeat=None, **options)
    found = [event.data for event in Decoder().feed(b"".join(stream))]
    assert found.pop() == "[DONE]"
    return [json.loads(data) for data in found]


def chat(*chunks: dict[str, Any]) -> list[dict[str, Any]]:
    return chunks_of([ChatCompletionChunk.from_dict(each) for each in chunks])


def of(cls: Any, *events: dict[str, Any]) -> list[dict[str, Any]]:
    return chunks_of([cls.from_dict(event) for event in events])


def types(chunks: list[dict[str, Any]]) -> list[str]:
    return [chunk["type"] for chunk in chunks]


def only(chunks: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [chunk for chunk in chunks if chunk["type"] == kind]
    return found


def test_a_source_that_comes_again_is_told_once() -> None:
    found = chat(
        chunk({"content": "a", "annotations": [PAGE]}), chunk({"content": "b", "annotations": [PAGE]})
    )
    assert only(found, "source-url")["url"] == "https://a.b/"
    searched = {"citations": ["https://a.b/", "https://c.d/"]}
    found = chat(chunk({"content": "a"}, **searched), chunk({"content": "b"}, **searched))
    assert types(found).count("source-url") == 2


def test_ids_that_change_with_each_chunk_are_one_model_call() -> None:
    found = chat(*(chunk({"content": "a"}, id=str(number)) for number in range(3)), chunk({}, "stop", id="9"))
    assert types(found).count("start-step") == types(found).count("text-start") == 1
    assert only(found, "finish")["messageMetadata"]["steps"] == [
        {"id": "0", "model": "m", "finishReason": "stop"}
    ]


def test_a_call_whose_name_and_id_come_late_or_in_pieces_begins_when_they_are_there() -> None:
    def call(index: int, **fields: Any) -> dict[str, Any]:
        return chunk({"tool_calls": [{"index": index, **fields}]})

    found = chat(
        call(0, id="a", function={"name": "wea", "arguments": ""}),
        call(0, function={"name": "ther", "arguments": ""}),
        call(0, function={"arguments": '{"x": '}),
        call(0, function={"arguments": "1}"}),
        call(1, function={"name": "time", "arguments": "{}"}),
        chunk({}, "tool_calls"),
    )
    begun = [each for each in found if each["type"] == "tool-input-start"]
    assert [each["toolName"] for each in begun] == ["weather", "time"]
    assert begun[0]["toolCallId"] == "a"
    assert begun[1]["toolCallId"]
    ready = [each for each in found if each["type"] == "tool-input-available"]
    assert [each["input"] for each in ready] == [{"x": 1}, {}]
    assert [each["toolCallId"] for each in ready] == [each["toolCallId"] for each in begun]


def test_a_refusal_is_text_that_says_so() -> None:
    found = chat(chunk({"refusal": "No"}), chunk({"refusal": "."}), chunk({}, "stop"))
    assert only(found, "text-start")["providerMetadata"] == {"openai": {"refusal": True}}
    assert [each["delta"] for each in found if each["type"] == "text-delta"] == ["No", "."]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content-filter"), ("eos", "other")],
)
def test_the_finish_reason_is_the_protocols(sent: str, expected: str) -> None:
    found = only(chat(chunk({"content": "a"}), chunk({}, sent)), "finish")
    assert found["finishReason"] == expected
    assert found["messageMetadata"]["steps"][0]["finishReason"] == sent


RESPONSE = {"id": "r", "object": "response", "model": "m", "output": []}


def response(*events: dict[str, Any], end: str = "completed", **fields: Any) -> list[dict[str, Any]]:
    last = {"type": f"response.{end}", "response": {**RESPONSE, "status": end, **fields}}
    return of(ResponseEvent, {"type": "response.created", "response": RESPONSE}, *events, last)


def test_a_response_that_is_cut_short_or_fails_says_why() -> None:
    found = response(end="incomplete", incomplete_details={"reason": "max_output_tokens"})
    assert only(found, "finish")["finishReason"] == "length"
    found = response(end="failed", error={"code": "server_error", "message": "Sorry."})
    assert only(found, "error")["errorText"] == "Sorry."
    assert only(found, "finish")["finishReason"] == "error"


def test_texts_of_a_response_that_come_only_whole_are_not_lost() -> None:
    call = {"type": "function_call", "id": "f", "call_id": "c", "name": "n", "arguments": '{"a":1}'}
    done = {"type": "response.output_text.done", "item_id": "i", "content_index": 0, "text": "Hello"}
    found = response(done, {"type": "response.output_item.done", "output_index": 1, "item": call})
    assert only(found, "text-delta")["delta"] == "Hello"
    assert only(found, "tool-input-available")["input"] == {"a": 1}
    assert only(found, "finish")["finishReason"] == "tool-calls"


def test_an_image_and_code_of_a_response_are_a_file_and_a_call() -> None:
    image = {"type": "image_generation_call", "id": "g", "result": "QUJD", "status": "completed"}
    code = {"type": "code_interpreter_call", "id": "k", "code": None, "container_id": "x", "outputs": None}
    found = response(
        {"type": "response.output_item.done", "output_index": 0, "item": image},
        {"type": "response.output_item.added", "output_index": 1, "item": code},
        {"type": "response.code_interpreter_call_code.delta", "item_id": "k", "delta": "1+1"},
        {"type": "response.output_item.done", "output_index": 1, "item": {**code, "code": "1+1"}},
        {"type": "response.brand_new", "value": 7},
    )
    assert only(found, "file")["url"] == "data:image/png;base64,QUJD"
    assert only(found, "tool-input-delta")["inputTextDelta"] == "1+1"
    assert [each["input"] for each in found if each["type"] == "tool-input-available"] == [
        {},
        {"code": "1+1"},
    ]
    assert only(found, "data-openai-event")["data"] == {"type": "response.brand_new", "value": 7}
    assert only(found, "finish")["finishReason"] == "stop"


def test_hidden_thinking_and_failed_tools_of_a_message_are_told() -> None:
    def block(index: int, content: dict[str, Any]) -> list[dict[str, Any]]:
        start = {"type": "content_block_start", "index": index, "content_block": content}
        return [start, {"type": "content_block_stop", "index": index}]

    found = of(
        RawEvent,
        {"type": "message_start", "message": {"id": "m", "model": "m", "content": []}},
        *block(0, {"type": "redacted_thinking", "data": "hidden"}),
        *block(1, {"type": "mcp_tool_use", "id": "t", "name": "roll", "input": {"n": 2}, "server_name": "s"}),
        *block(2, {"type": "mcp_tool_result", "tool_use_id": "t", "content": "no dice", "is_error": True}),
        *block(3, {"type": "container_upload", "file_id": "f"}),
        {"type": "message_delta", "delta": {"stop_reason": "refusal"}},
        {"type": "message_stop"},
    )
    assert only(found, "reasoning-end")["providerMetadata"] == {"anthropic": {"redactedData": "hidden"}}
    assert only(found, "tool-input-available")["input"] == {"n": 2}
    assert only(found, "tool-output-error")["errorText"] == "no dice"
    assert only(found, "data-anthropic-container_upload")["data"]["file_id"] == "f"
    assert only(found, "finish")["finishReason"] == "content-filter"


def test_objects_of_the_sdks_give_what_ours_give() -> None:
    def without_ids(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{name: value for name, value in each.items() if name != "id"} for each in found]

    sent = [chunk({"content": "a"}), chunk({}, "stop")]
    theirs = chunks_of([OpenAIChunk.model_validate(each) for each in sent])
    assert without_ids(theirs) == without_ids(chat(*sent))
    event = {
        "type": "response.output_text.delta",
        "item_id": "i",
        "output_index": 0,
        "content_index": 0,
        "delta": "a",
        "logprobs": [],
        "sequence_number": 1,
    }
    openai = TypeAdapter(OpenAIEvent).validate_python(event)
    assert only(chunks_of([openai]), "text-delta")["delta"] == "a"
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}
    anthropic = TypeAdapter(RawMessageStreamEvent).validate_python(delta)
    assert only(chunks_of([anthropic]), "text-delta")["delta"] == "a"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("trimmed", ["RUN_STARTED", "CUSTOM", "RUN_ERROR"]),
        ("restarted", ["RUN_STARTED", "CUSTOM", "RUN_FINISHED"]),
    ],
)
def test_a_run_of_ag_ui_begins_before_its_gap_is_told(reason: str, expected: list[str]) -> None:
    gap = ServerSentEvent(event="gap", data=json.dumps({"reason": reason}), id="a-0", retry=None)
    log = [
        ServerSentEvent(event=None, data=event.data, id=f"a-{number}", retry=None)
        for number, event in enumerate(
            Decoder().feed(b"".join(ag_ui.stream([], thread_id="t", run_id="r"))), start=1
        )
    ]
    events = Decoder().feed(b"".join(ag_ui.stream([gap, *log], thread_id="t", run_id="r")))
    assert [json.loads(event.data)["type"] for event in events] == expected


def test_an_empty_stream_begins_and_ends() -> None:
    assert types(chunks_of([])) == ["start", "finish"]
    events = Decoder().feed(b"".join(ag_ui.stream([], thread_id="t", run_id="r")))
    assert [json.loads(event.data)["type"] for event in events] == ["RUN_STARTED", "RUN_FINISHED"]


def test_log_probabilities_of_a_chat_completion_are_metadata_of_their_text() -> None:
    def token(text: str) -> dict[str, Any]:
        return {"token": text, "logprob": -0.5, "bytes": None, "top_logprobs": []}

    def with_logprobs(delta: dict[str, Any], **logprobs: Any) -> dict[str, Any]:
        sent = chunk(delta)
        sent["choices"][0]["logprobs"] = logprobs
        return sent

    found = chat(
        with_logprobs({"content": "a"}, content=[token("a")]),
        with_logprobs({"content": "b"}, content=[token("b")]),
        with_logprobs({"refusal": "no"}, refusal=[token("no")]),
        with_logprobs({}, content=[token("c")]),
        chunk({}, "stop"),
    )
    content, refusal = [each["providerMetadata"]["openai"] for each in found if each["type"] == "text-end"]
    assert [each["token"] for each in content["logprobs"]] == ["a", "b"]
    assert (refusal["refusal"], [each["token"] for each in refusal["logprobs"]]) == (True, ["no"])
    # What belongs to no text is not lost either.
    assert only(found, "data-openai-logprobs")["data"]["content"][0]["token"] == "c"


def test_audio_of_a_chat_completion_is_played_at_once_and_kept_as_a_file() -> None:
    pieces = [base64.b64encode(piece).decode() for piece in (b"\1\2\3\4", b"\5\6")]
    found = chat(
        chunk({"audio": {"id": "a1", "transcript": "Hel"}}),
        chunk({"audio": {"data": pieces[0]}}),
        chunk({"audio": {"data": pieces[1], "transcript": "lo"}}),
        chunk({"audio": {"expires_at": 9}}),
        chunk({}, "stop"),
    )
    live = [each for each in found if each["type"] == "data-openai-audio"]
    assert [each["data"].get("data") for each in live] == [None, *pieces, None]
    assert all(each["transient"] for each in live)
    assert (live[0]["data"]["id"], live[3]["data"]["expires_at"]) == ("a1", 9)
    assert only(found, "text-start")["providerMetadata"] == {"openai": {"transcript": True}}
    assert [each["delta"] for each in found if each["type"] == "text-delta"] == ["Hel", "lo"]
    file = only(found, "file")
    assert (file["mediaType"], base64.b64decode(file["url"].partition(",")[2])) == (
        "audio/pcm",
        b"\1\2\3\4\5\6",
    )


def test_what_compatible_servers_add_to_a_delta_is_passed_on() -> None:
    detail = {"type": "reasoning.encrypted", "data": "secret"}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    found = chat(
        chunk({"reasoning": "Hm", "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}]}),
        chunk({"reasoning_details": [detail], "token_ids": None}),
        chunk({"content": "a", "images": [image], "channel": "final"}),
        chunk({}, "stop"),
    )
    details = only(found, "reasoning-end")["providerMetadata"]["openai"]["reasoningDetails"]
    assert details == [{"type": "reasoning.text", "text": "Hm"}, detail]
    file = only(found, "file")
    assert (file["url"], file["mediaType"]) == ("data:image/png;base64,QUJD", "image/png")
    assert only(found, "data-openai-delta")["data"] == {"index": 0, "channel": "final"}


def test_items_of_a_response_that_come_without_deltas_are_not_lost() -> None:
    text = {
        "type": "output_text",
        "text": "Hello",
        "annotations": [{"type": "url_citation", "url": "https://a.b/"}],
    }
    message = {
        "type": "message",
        "id": "m",
        "role": "assistant",
        "content": [text, {"type": "refusal", "refusal": "No"}],
    }
    thought = {"type": "reasoning_text", "text": "Hmm"}
    reasoning = {
        "type": "reasoning",
        "id": "r",
        "summary": [{"type": "summary_text", "text": "Sum"}],
        "content": [thought],
    }
    items = [
        {"type": "response.output_item.done", "output_index": index, "item": item}
        for index, item in enumerate([reasoning, message])
    ]
    found = response(*items)
    assert [each["delta"] for each in found if each["type"] == "reasoning-delta"] == ["Sum", "Hmm"]
    assert [each["delta"] for each in found if each["type"] == "text-delta"] == ["Hello", "No"]
    assert only(found, "source-url")["url"] == "https://a.b/"
    # Servers may leave out the id in the deltas: the item is the same one.
    for named in ({"item_id": "m"}, {}):
        delta = {
            "type": "response.output_text.delta",
            "output_index": 1,
            "content_index": 0,
            "delta": "Hello",
            **named,
        }
        found = response(delta, items[1])
        assert [each["delta"] for each in found if each["type"] == "text-delta"] == ["Hello", "No"]


def test_log_probabilities_of_a_response_are_metadata_of_their_text() -> None:
    place = {"item_id": "i", "output_index": 0, "content_index": 0}
    tokens = [{"token": text, "logprob": -1.0} for text in "ab"]
    found = response(
        *(
            {"type": "response.output_text.delta", **place, "delta": each["token"], "logprobs": [each]}
            for each in tokens
        ),
        {"type": "response.output_text.done", **place, "text": "ab", "logprobs": tokens},
    )
    assert only(found, "text-end")["providerMetadata"] == {"openai": {"logprobs": tokens}}


def test_a_log_whose_beginning_is_gone_is_an_error_and_not_a_broken_protocol() -> None:
    gap = ServerSentEvent(event="gap", data='{"reason":"trimmed","missed":3}', id="a-3", retry=None)
    rest = ServerSentEvent(
        event=None, data='{"type":"text-delta","id":"1","delta":"a"}', id="a-4", retry=None
    )
    found = chunks_of([gap, rest])
    assert types(found) == ["start", "data-gap", "error", "finish"]
    assert only(found, "error")["errorText"] == "The beginning of this answer is no longer kept."
    end = ServerSentEvent(event="end", data='{"reason":"missing"}', id="0-0", retry=None)
    assert only(chunks_of([end]), "error")["errorText"] == "This answer is no longer kept."


def test_the_older_form_of_tool_calls_is_a_tool_call() -> None:
    found = chat(
        chunk({"function_call": {"name": "wea", "arguments": ""}}),
        chunk({"function_call": {"name": "ther"}}),
        chunk({"function_call": {"arguments": '{"x": '}}),
        chunk({"function_call": {"arguments": "1}"}}),
        chunk({}, "function_call"),
    )
    assert only(found, "tool-input-start")["toolName"] == "weather"
    assert [each["inputTextDelta"] for each in found if each["type"] == "tool-input-delta"] == [
        '{"x": ',
        "1}",
    ]
    assert only(found, "tool-input-available")["input"] == {"x": 1}
    assert only(found, "finish")["finishReason"] == "tool-calls"
    found = chat(chunk({"function_call": {"name": "now"}}, "function_call"))
    assert only(found, "tool-input-available")["toolName"] == "now"


def test_an_event_that_is_newer_than_this_package_does_not_end_the_answer() -> None:
    brand_new = {"type": "brand_new", "value": 7}
    assert only(of(RawEvent, brand_new), "data-anthropic-event")["data"] == brand_new
    assert only(of(ResponseEvent, brand_new), "data-openai-event")["data"] == brand_new
    # This one says only that the connection is alive.
    assert types(of(ResponseEvent, {"type": "keepalive", "sequence_number": 3})) == ["start", "finish"]

    class Later:
        def to_dict(self) -> dict[str, Any]:
            return brand_new

    Later.__module__ = "openai.types.later"
    assert only(chunks_of([Later()]), "data-openai-event")["data"] == brand_new


def test_details_of_a_model_call_are_in_its_step() -> None:
    found = chat(chunk({"content": "a"}, service_tier="flex", system_fingerprint="f"), chunk({}, "stop"))
    (step,) = only(found, "finish")["messageMetadata"]["steps"]
    assert (step["serviceTier"], step["systemFingerprint"]) == ("flex", "f")
    found = of(
        RawEvent,
        {"type": "message_start", "message": {"id": "m", "model": "m", "content": []}},
        {"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"}},
        {"type": "message_stop"},
    )
    (step,) = only(found, "finish")["messageMetadata"]["steps"]
    assert (step["finishReason"], step["stopSequence"]) == ("stop_sequence", "END")
