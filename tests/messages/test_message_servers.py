"""What servers send that imitate the Messages API, and what is made of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from message_events import (
    STOP,
    begin,
    body,
    delta,
    end,
    json_delta,
    message,
    start,
    stop,
    text_block,
    text_delta,
)
from message_strategies import shuffled_streams, unruly_events

from ssejet import APIError, SSEError, Stream, StreamError, TruncatedStreamError
from ssejet._server_errors import is_error_answer
from ssejet.messages import (
    ContentBlockStopEvent,
    MessageMetrics,
    MessageStream,
    MessageStreamState,
    RawMessageStreamEvent,
    ThinkingBlock,
    ToolUseBlock,
)

if TYPE_CHECKING:
    from ssejet.messages import ParsedMessage


def read(content: bytes) -> ParsedMessage[Any]:
    """The message that a body gives."""
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=content)
    source = Stream(response, cast_to=RawMessageStreamEvent, require_done=True, metrics=MessageMetrics())
    return MessageStream(source).get_final_message()


def without(events: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    """The events without some of their fields."""
    return [{name: value for name, value in event.items() if name not in names} for event in events]


HELLO = message(text_block(0, "Hel", "lo"))
CALL = [
    begin(1, {"type": "tool_use", "id": "t", "name": "f", "input": {}}),
    json_delta(1, '{"a"'),
    json_delta(1, ": 1}"),
    stop(1),
]


class TestLines:
    def test_a_stream_is_read_without_event_names(self) -> None:
        assert read(body(HELLO, named=False)).text == "Hello"

    def test_a_stream_is_read_with_a_sentinel_at_the_end(self) -> None:
        assert read(body(HELLO) + b"data: [DONE]\n\n").text == "Hello"

    def test_a_stream_is_read_with_a_sentinel_instead_of_message_stop(self) -> None:
        assert read(body(HELLO[:-1]) + b"data: [DONE]\n\n").text == "Hello"

    def test_a_stream_is_read_with_comments_and_line_ends_of_windows(self) -> None:
        content = b": hi\r\n\r\n" + body(HELLO).replace(b"\n", b"\r\n") + b": bye\r\n\r\n"
        assert read(content).text == "Hello"

    @pytest.mark.parametrize(
        "ping", [b"event: ping\ndata: {}\n\n", b"event: ping\ndata: ping\n\n", b"data:\n\n"]
    )
    def test_a_stream_is_read_with_pings_of_other_forms(self, ping: bytes) -> None:
        assert (
            read(ping + body(HELLO).replace(b"event: content_block_delta", ping + b"event: x", 1)).text
            == "Hello"
        )


class TestFields:
    def test_a_stream_is_read_without_types(self) -> None:
        # Only an event without any other field needs its type.
        bare = [
            without([event], "type")[0] if len(event) > 2 or "message" in event else event for event in HELLO
        ]
        for event in bare:
            if "delta" in event:
                event["delta"] = without([event["delta"]], "type")[0]
        assert sum("type" not in event for event in bare) >= 4
        final = read(body(bare))
        assert (final.text, final.stop_reason) == ("Hello", "end_turn")

    def test_a_stream_is_read_without_an_index(self) -> None:
        events = [start(), *text_block(0, "Hel", "lo"), *CALL, end("tool_use"), STOP]
        final = read(body(without(events, "index")))
        assert final.text == "Hello"
        assert final.tool_uses == [ToolUseBlock(id="t", name="f", input={"a": 1})]

    def test_a_stream_is_read_with_indexes_from_one(self) -> None:
        final = read(body([start(), *text_block(1, "Hel", "lo"), end(), STOP]))
        assert final.text == "Hello"

    def test_a_stream_is_read_with_one_index_for_all_blocks(self) -> None:
        events = [
            start(),
            *text_block(0, "Hel", "lo"),
            *({**event, "index": 0} for event in CALL),
            end(),
            STOP,
        ]
        final = read(body(events))
        assert (final.text, final.tool_uses[0].input) == ("Hello", {"a": 1})

    @pytest.mark.parametrize(
        "message",
        [
            {},
            {"id": "a", "role": "assistant"},
            {"id": "a", "content": None, "usage": None},
            {"id": 1, "content": [], "usage": {"input_tokens": None}},
        ],
        ids=["empty", "short", "null", "wrong"],
    )
    def test_a_stream_is_read_with_little_in_message_start(self, message: dict[str, Any]) -> None:
        final = read(body([{"type": "message_start", "message": message}, *HELLO[1:]]))
        assert (final.text, final.usage.output_tokens, final.role) == ("Hello", 15, "assistant")

    def test_a_stream_is_read_without_message_start(self) -> None:
        assert read(body(HELLO[1:])).text == "Hello"

    def test_a_stream_is_read_without_the_beginning_of_blocks(self) -> None:
        deltas = [
            delta(0, {"type": "thinking_delta", "thinking": "Hm"}),
            delta(0, {"type": "signature_delta", "signature": "c2ln"}),
            text_delta(0, "Hel"),
            text_delta(0, "lo"),
            json_delta(1, '{"a": 1}'),
        ]
        final = read(body([start(), *deltas, end(), STOP]))
        assert final.content[0] == ThinkingBlock(thinking="Hm", signature="c2ln")
        assert final.text == "Hello"
        assert final.content[2] == ToolUseBlock(input={"a": 1})

    def test_a_stream_is_read_with_deltas_after_the_end_of_their_block(self) -> None:
        events = [*HELLO[:-2], text_delta(0, "!"), *HELLO[-2:]]
        assert read(body(events)).text == "Hello!"

    def test_a_stream_is_read_with_the_end_of_a_block_that_never_began(self) -> None:
        assert read(body([start(), stop(3), *HELLO[1:]])).text == "Hello"

    def test_a_stream_is_read_with_usage_in_a_second_end(self) -> None:
        events = [*HELLO[:-2], {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}]
        events += [
            {"type": "message_delta", "delta": {}, "usage": {"input_tokens": 9, "output_tokens": 4}},
            STOP,
        ]
        final = read(body(events))
        assert (final.stop_reason, final.usage.input_tokens, final.usage.output_tokens) == ("end_turn", 9, 4)

    def test_a_stream_is_read_with_counts_as_texts(self) -> None:
        final = read(body([*HELLO[:-2], end(usage={"input_tokens": "9", "output_tokens": 4.0}), STOP]))
        assert (final.usage.input_tokens, final.usage.output_tokens) == (9, 4)

    def test_a_stream_is_read_with_the_content_as_a_text(self) -> None:
        final = read(body([start(content="Hel"), text_delta(1, "lo"), end(), STOP]))
        assert final.text == "Hello"

    @pytest.mark.parametrize("text", ["", " ", "\n\t", "null"])
    def test_a_stream_is_read_with_nothing_as_the_text_of_an_input(self, text: str) -> None:
        block = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
        final = read(body([start(), begin(0, block), json_delta(0, text), stop(0), end(), STOP]))
        assert final.tool_uses[0].input == {}

    def test_a_stream_is_read_with_null_as_the_input_of_a_tool(self) -> None:
        block = {"type": "tool_use", "id": "t", "name": "f", "input": None}
        final = read(body([start(), begin(0, block), stop(0), end(), STOP]))
        assert final.tool_uses[0].input == {}

    def test_a_stream_is_read_with_the_whole_input_at_once_and_again_in_deltas(self) -> None:
        block = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
        final = read(body([start(), begin(0, block), json_delta(0, '{"a": 1}'), stop(0), end(), STOP]))
        assert final.tool_uses[0].input == {"a": 1}


class TestErrors:
    @pytest.mark.parametrize(
        "error",
        [
            {"type": "error", "error": {"type": "api_error", "message": "Out of memory"}},
            {"error": {"message": "Out of memory", "code": 500}},
            {"error": "Out of memory"},
            {"object": "error", "message": "Out of memory", "code": 400},
            {"detail": "Out of memory"},
        ],
        ids=["anthropic", "openai", "text", "vllm", "fastapi"],
    )
    @pytest.mark.parametrize("name", ["event: error\n", ""], ids=["named", "unnamed"])
    def test_errors_of_all_known_forms_are_raised(self, name: str, error: dict[str, Any]) -> None:
        content = body(HELLO[:3]) + f"{name}data: {json.dumps(error)}\n\n".encode()
        with pytest.raises(APIError, match="Out of memory") as raised:
            read(content)
        assert raised.value.partial.text == "Hel"

    def test_errors_are_raised_for_a_stream_that_is_cut(self) -> None:
        with pytest.raises(TruncatedStreamError, match="before message_stop"):
            read(body(HELLO[:-1]))


def names_of_lost(events: list[dict[str, Any]]) -> set[str]:
    """The pieces of text in events that are not in the message put together."""
    state = MessageStreamState()
    for event in events:
        state.handle_event(event)
    whole = json.dumps(state.current_message_snapshot.to_dict(), ensure_ascii=False)
    pieces = {
        event["delta"].get(name)
        for event in events
        if event["type"] == "content_block_delta"
        for name in ("text", "thinking")
    }
    return {piece for piece in pieces if piece and json.dumps(piece, ensure_ascii=False)[1:-1] not in whole}


@given(shuffled_streams())
def test_no_order_of_events_raises_or_loses_a_text(events: list[dict[str, Any]]) -> None:
    assert names_of_lost(events) == set()


@given(unruly_events())
def test_no_event_raises_anything_but_an_error_of_ssejet(events: list[dict[str, Any]]) -> None:
    state = MessageStreamState()
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body(events))
    try:
        for event in Stream(response, cast_to=RawMessageStreamEvent):
            for each in state.handle_event(event):
                each.to_dict()
                if isinstance(each, ContentBlockStopEvent):
                    each.content_block.to_dict()
        snapshot = state.current_message_snapshot
        assert json.loads(snapshot.to_json()) == snapshot.to_dict()
        snapshot.to_param()
        state.get_final_message()
    except (SSEError, StreamError):
        pass


@given(unruly_events())
def test_dicts_give_what_texts_give(events: list[dict[str, Any]]) -> None:
    by_dict, by_text = MessageStreamState(), MessageStreamState()
    for event in events:
        if is_error_answer(event):  # streams of texts raise it before it is an item
            return
        try:
            item = RawMessageStreamEvent.from_json(json.dumps(event))
            by_text.handle_event(item)
        except (SSEError, ValueError):
            return
        by_dict.handle_event(event)
        assert by_dict.current_message_snapshot == by_text.current_message_snapshot
        assert by_dict.current_message_snapshot.to_dict() == by_text.current_message_snapshot.to_dict()
