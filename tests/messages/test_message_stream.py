from __future__ import annotations

import copy
import pickle
from typing import Any

import httpx
import msgspec
import pytest
from message_events import (
    CHAR_LOCATION,
    STOP,
    begin,
    body,
    delta,
    end,
    message,
    start,
    stop,
    text_block,
    text_delta,
    thinking_block,
    tool_block,
    whole_block,
)
from pydantic import BaseModel, ValidationError

from ssejet import (
    APIError,
    AsyncStream,
    ContentFilterFinishReasonError,
    LengthFinishReasonError,
    Stream,
    StreamError,
    StreamMachine,
    TruncatedStreamError,
)
from ssejet.messages import (
    AsyncMessageStream,
    Message,
    MessageMetrics,
    MessageStream,
    MessageStreamState,
    ParsedMessage,
    ParsedTextBlock,
    PingEvent,
    RawContentBlockDeltaEvent,
    RawMessageStreamEvent,
    RedactedThinkingBlock,
    ServerToolUseBlock,
    TextDelta,
    TextEvent,
    ThinkingBlock,
    ToolUseBlock,
    UnknownBlock,
    UnknownDelta,
    UnknownEvent,
    WebSearchToolResultBlock,
)

ALL = message(
    thinking_block(0, "Let", " me", signature="c2ln"),
    text_block(1, "Hel", "lo", citations=(CHAR_LOCATION,)),
    tool_block(2, "", '{"city": "Pa', 'ris"}'),
    reason="tool_use",
)


class Answer(msgspec.Struct):
    city: str


class Model(BaseModel):
    city: str


def response(events: list[dict[str, Any]], **options: Any) -> httpx.Response:
    headers = {"content-type": "text/event-stream", **options.pop("headers", {})}
    return httpx.Response(200, headers=headers, content=body(events, **options))


class TestEvents:
    def test_message_events_come_in_anthropics_order(self, reader: Any) -> None:
        kinds = [event.type for event in reader.events(reader.open(ALL))]
        assert kinds == [
            "message_start",
            "content_block_start",
            *["content_block_delta", "thinking"] * 2,
            "content_block_delta",
            "signature",
            "content_block_stop",
            "content_block_start",
            *["content_block_delta", "text"] * 2,
            "content_block_delta",
            "citation",
            "content_block_stop",
            "content_block_start",
            *["content_block_delta", "input_json"] * 3,
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]

    def test_message_events_have_snapshots_as_they_were_even_if_these_are_read_later(
        self, reader: Any
    ) -> None:
        events = reader.events(reader.open(ALL))
        by_type: dict[str, list[Any]] = {}
        for event in events:
            by_type.setdefault(event.type, []).append(event)
        assert [event.snapshot for event in by_type["text"]] == ["Hel", "Hello"]
        assert [event.snapshot for event in by_type["thinking"]] == ["Let", "Let me"]
        assert [event.snapshot for event in by_type["input_json"]] == [{}, {}, {"city": "Paris"}]
        assert [len(event.snapshot) for event in by_type["citation"]] == [1]

    def test_message_events_give_the_block_and_the_message_when_these_end(self, reader: Any) -> None:
        events = reader.events(reader.open(ALL))
        blocks = [event.content_block for event in events if event.type == "content_block_stop"]
        assert [type(block) for block in blocks] == [ThinkingBlock, ParsedTextBlock, ToolUseBlock]
        assert events[-1].message.stop_reason == "tool_use"

    def test_message_events_match_by_keyword(self) -> None:
        match MessageStream(ALL).until_done().current_message_snapshot.content[1]:
            case ParsedTextBlock(text=text):
                assert text == "Hello"

    def test_message_events_become_dicts(self) -> None:
        event = next(event for event in MessageStream(ALL) if isinstance(event, TextEvent))
        assert event.to_dict() == {"type": "text", "text": "Hel", "snapshot": "Hel"}
        assert repr(event) == "TextEvent(text='Hel', snapshot='Hel')"
        assert event.delta == "Hel"

    def test_message_events_come_to_callbacks_first(self, reader: Any) -> None:
        seen: list[Any] = []
        stream = reader.open(ALL)
        stream.on("text", lambda text, snapshot: seen.append((text, snapshot)))
        stream.on("content_block_delta", lambda index, delta: seen.append((index, delta.type)))
        stream.on("content_block_stop", lambda content_block: seen.append(content_block.type))
        reader.call(stream, "until_done")
        assert ("lo", "Hello") in seen
        assert seen.index((1, "text_delta")) < seen.index(("Hel", "Hel"))
        assert [each for each in seen if isinstance(each, str)] == ["thinking", "text", "tool_use"]

    def test_message_events_have_no_callbacks_of_other_types(self) -> None:
        with pytest.raises(ValueError, match=r"no event has the type 'content\.delta'"):
            MessageStream([]).on("content.delta", print)

    def test_message_events_of_unknown_types_are_kept(self, reader: Any) -> None:
        news = {"type": "new_event", "a": {"b": [1]}}
        stream = reader.open([start(), news, end(), STOP])
        (event,) = [event for event in reader.events(stream) if isinstance(event, UnknownEvent)]
        assert (event.type, event.extra, event.to_dict()) == ("new_event", {"a": {"b": [1]}}, news)


class TestMessage:
    def test_the_message_is_put_together(self, reader: Any) -> None:
        final = reader.call(reader.open(ALL), "get_final_message")
        assert isinstance(final, ParsedMessage)
        assert final.content == [
            ThinkingBlock(thinking="Let me", signature="c2ln"),
            ParsedTextBlock(text="Hello", citations=final.content[1].citations),
            ToolUseBlock(id="toolu_2", name="weather", input={"city": "Paris"}),
        ]
        assert (final.id, final.stop_reason, final.usage.input_tokens, final.usage.output_tokens) == (
            "msg_1",
            "tool_use",
            25,
            15,
        )
        assert (final.text, final.thinking, final.tool_uses) == ("Hello", "Let me", [final.content[2]])

    def test_the_message_has_its_text(self, reader: Any) -> None:
        assert reader.texts(reader.open(ALL)) == ["Hel", "lo"]
        assert reader.call(reader.open(ALL), "get_final_text") == "Hello"

    def test_the_message_without_text_has_no_final_text(self, reader: Any) -> None:
        with pytest.raises(ValueError, match="no text: its blocks are tool_use"):
            reader.call(reader.open(message(tool_block(0, "{}"))), "get_final_text")

    def test_the_message_is_read_while_it_arrives(self) -> None:
        state = MessageStreamState()
        assert state.current_message_snapshot == ParsedMessage()
        seen = []
        for event in ALL:
            state.handle_event(event)
            seen.append(state.current_message_snapshot)
        assert [len(each.content) for each in seen[:3]] == [0, 1, 1]
        assert seen[-1] == state.get_final_message()
        # Earlier snapshots stay as they were.
        assert seen[2].content == [ThinkingBlock(thinking="Let")]

    def test_the_message_does_not_share_its_input_with_other_snapshots(self) -> None:
        state = MessageStreamState()
        for event in message(tool_block(0, '{"a": {"b": [1]}}')):
            state.handle_event(event)
        first = state.current_message_snapshot
        first.content[0].input["a"]["b"].append(2)  # type: ignore[union-attr]
        assert state.get_final_message().content[0].input == {"a": {"b": [1]}}  # type: ignore[union-attr]

    def test_the_message_goes_to_the_next_request_with_all_its_blocks(self) -> None:
        unknown = {"type": "new_block", "a": [1], "b": None}
        search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "a"}}
        found = {
            "type": "web_search_tool_result",
            "tool_use_id": "s",
            "content": [{"url": "u", "title": "t"}],
        }
        blocks = [
            {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "Emw="},
            {"type": "text", "text": "", "citations": None},
            {"type": "text", "text": "a", "citations": [CHAR_LOCATION]},
            search,
            found,
            {"type": "tool_use", "id": "t", "name": "f", "input": {}, "new": 1},
            unknown,
        ]
        expected = [blocks[0], blocks[1], _without_nulls(blocks[3]), search, found, blocks[6], unknown]
        streamed = message(*(whole_block(index, block) for index, block in enumerate(blocks)))
        whole = Message.from_dict({**start()["message"], "content": blocks})
        for each in (MessageStream(streamed).get_final_message(), whole):
            param = each.to_param()
            assert param["role"] == "assistant"
            assert [_without_nulls(block) for block in param["content"]] == [
                _without_nulls(b) for b in expected
            ]

    def test_the_message_survives_copies_and_pickles(self) -> None:
        streamed = [start(new=[1]), *text_block(0, "a"), end(other=2), STOP]
        final = MessageStream(streamed).get_final_message()
        for again in (copy.copy(final), copy.deepcopy(final), pickle.loads(pickle.dumps(final))):
            assert again == final
            assert again.extra == final.extra == {"new": [1], "other": 2}

    def test_the_message_is_read_from_json(self) -> None:
        text = (
            '{"id": "a", "type": "message", "content": [{"type": "tool_use", "id": "t", "input": {"a": 1}}]}'
        )
        assert Message.from_json(text).content == [ToolUseBlock(id="t", input={"a": 1})]
        assert Message.from_json(text).to_json() == text

    @pytest.mark.parametrize(
        ("block", "cls"),
        [
            ({"type": "redacted_thinking", "data": "a"}, RedactedThinkingBlock),
            ({"type": "server_tool_use", "id": "a", "name": "b", "input": {}}, ServerToolUseBlock),
            ({"type": "web_search_tool_result", "tool_use_id": "a", "content": []}, WebSearchToolResultBlock),
            ({"type": "new_block", "x": 1}, UnknownBlock),
        ],
        ids=["redacted_thinking", "server_tool_use", "web_search_tool_result", "new_block"],
    )
    def test_the_message_has_typed_blocks(self, block: dict[str, Any], cls: type[Any]) -> None:
        final = MessageStream(message(whole_block(0, block))).get_final_message()
        assert type(final.content[0]) is cls
        assert final.content[0].to_dict() == block


class TestUnknown:
    def test_unknown_deltas_are_kept_in_the_event_and_in_the_block(self) -> None:
        news = delta(0, {"type": "new_delta", "score": 0.5, "words": ["a"]})
        stream = MessageStream(message([begin(0, {"type": "text", "text": "a"}), news, stop(0)]))
        events = [event for event in stream if isinstance(event, RawContentBlockDeltaEvent)]
        assert isinstance(events[0].delta, UnknownDelta)
        assert events[0].to_dict() == news
        assert stream.current_message_snapshot.content[0].extra == {"score": 0.5, "words": ["a"]}

    def test_unknown_deltas_of_an_unknown_block_make_up_its_fields(self) -> None:
        block = {"type": "new_block", "x": "a"}
        more = [delta(0, {"type": "new_delta", "x": text}) for text in ("b", "c")]
        final = MessageStream(message([begin(0, block), *more, stop(0)])).get_final_message()
        assert final.content[0].to_dict() == {"type": "new_block", "x": "abc"}

    def test_unknown_fields_of_known_deltas_are_kept_in_the_block(self) -> None:
        events = message(
            [begin(0, {"type": "text", "text": ""})]
            + [delta(0, {"type": "text_delta", "text": text, "tokens": [text]}) for text in "ab"]
            + [stop(0)]
        )
        final = MessageStream(Stream(response(events), cast_to=RawMessageStreamEvent)).get_final_message()
        assert final.content[0].to_dict() == {"type": "text", "text": "ab", "tokens": ["a", "b"]}

    def test_unknown_deltas_of_another_type_of_block_are_kept_but_not_sent(self) -> None:
        events = message(
            [begin(0, {"type": "text", "text": "a"}), delta(0, {"thinking": "b", "type": "thinking_delta"})]
        )
        final = MessageStream(events).get_final_message()
        assert final.content[0].extra == {"other_deltas": {"thinking": "b"}}
        assert final.to_param()["content"] == [{"type": "text", "text": "a"}]

    def test_unknown_fields_of_the_message_its_usage_and_its_end_are_kept(self) -> None:
        usage = {"input_tokens": 1, "output_tokens": 2, "cost": 3}
        events = [
            start(usage=usage, provider="p"),
            end(usage={"output_tokens": 5, "cost": 4}, native="stop"),
            STOP,
        ]
        final = MessageStream(Stream(response(events), cast_to=RawMessageStreamEvent)).get_final_message()
        assert final.extra == {"provider": "p", "native": "stop"}
        assert final.usage.to_dict() == {"input_tokens": 1, "output_tokens": 5, "cost": 4}


class TestErrors:
    @pytest.mark.parametrize("named", [True, False], ids=["named", "unnamed"])
    @pytest.mark.parametrize(
        ("kind", "retryable"),
        [
            ("overloaded_error", True),
            ("api_error", True),
            ("rate_limit_error", True),
            ("timeout_error", True),
            ("invalid_request_error", False),
            ("authentication_error", False),
        ],
    )
    def test_errors_in_the_stream_are_raised_with_the_message_so_far(
        self, kind: str, retryable: bool, named: bool
    ) -> None:
        error = {"type": "error", "error": {"type": kind, "message": "Overloaded"}, "request_id": "req_1"}
        events = [start(), begin(0, {"type": "text", "text": ""}), text_delta(0, "Hel"), error]
        stream = MessageStream(Stream(response(events, named=named), cast_to=RawMessageStreamEvent))
        with pytest.raises(APIError, match="Overloaded") as raised:
            stream.until_done()
        assert (raised.value.type, raised.value.retryable) == (kind, retryable)
        assert raised.value.partial.text == "Hel"

    def test_errors_among_dicts_are_raised_too(self, reader: Any) -> None:
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        with pytest.raises(APIError, match="Overloaded") as raised:
            reader.events(reader.open([start(), *text_block(0, "a"), error]))
        assert raised.value.partial.text == "a"

    def test_errors_of_a_stream_without_its_end_name_message_stop(self, reader: Any) -> None:
        stream = reader.open([start(), *text_block(0, "a"), end()], require_stop=True)
        with pytest.raises(TruncatedStreamError, match="before message_stop") as raised:
            reader.events(stream)
        assert raised.value.partial.text == "a"

    def test_errors_of_a_missing_end_do_not_come_for_a_whole_stream(self, reader: Any) -> None:
        stream = reader.open(ALL, require_stop=True)
        assert reader.call(stream, "get_final_message").text == "Hello"

    def test_errors_of_a_typed_stream_without_its_end_name_message_stop(self) -> None:
        machine = StreamMachine(cast_to=RawMessageStreamEvent, require_done=True, metrics=MessageMetrics())
        with pytest.raises(TruncatedStreamError, match="before message_stop"):
            [*machine.feed(body(ALL[:-1])), *machine.finish()]
        machine = StreamMachine(cast_to=RawMessageStreamEvent, require_done=True, metrics=MessageMetrics())
        assert len([*machine.feed(body(ALL)), *machine.finish()]) == len(ALL)

    def test_errors_of_an_empty_stream_say_that_there_is_no_message(self, reader: Any) -> None:
        with pytest.raises(TruncatedStreamError, match="there is no message"):
            reader.call(reader.open([]), "get_final_message")

    def test_errors_of_input_that_is_not_json_come_at_the_end_and_the_text_is_kept(self, reader: Any) -> None:
        stream = reader.open(message(tool_block(0, '{"a": ', "nonsense}")))
        with pytest.raises(StreamError, match="the input of the tool 'weather' is not JSON") as raised:
            reader.call(stream, "get_final_message")
        kept = raised.value.partial.content[0]
        assert kept.input == {"INVALID_JSON": '{"a": nonsense}'}
        assert stream.current_message_snapshot.content == [kept]

    def test_errors_are_raised_for_items_that_are_no_events(self) -> None:
        state = MessageStreamState()
        with pytest.raises(
            TypeError, match="expected an event of ssejet or anthropic, or a dict; got object"
        ):
            state.handle_event(object())
        with pytest.raises(StreamError, match="an event must be an object, but list came"):
            state.handle_event([])


class TestOutputFormat:
    TEXT = ('{"city": ', '"Paris"}')

    @pytest.mark.parametrize("cls", [Answer, Model])
    def test_the_output_format_parses_the_text(self, cls: type[Any], reader: Any) -> None:
        stream = reader.open(message(text_block(0, *self.TEXT)), output_format=cls)
        final = reader.call(stream, "get_final_message")
        assert final.parsed_output == cls(city="Paris")
        assert final.to_param()["content"] == [{"type": "text", "text": '{"city": "Paris"}'}]

    def test_the_output_format_raises_the_librarys_error_at_the_end(self, reader: Any) -> None:
        stream = reader.open(message(text_block(0, '{"city": 1}')), output_format=Model)
        with pytest.raises(ValidationError):
            reader.call(stream, "get_final_message")
        assert stream.current_message_snapshot.parsed_output is None

    @pytest.mark.parametrize(
        ("reason", "error"),
        [
            ("max_tokens", LengthFinishReasonError),
            ("model_context_window_exceeded", LengthFinishReasonError),
            ("refusal", ContentFilterFinishReasonError),
        ],
    )
    def test_the_output_format_makes_it_an_error_if_the_answer_was_cut_short(
        self, reason: str, error: type[Any], reader: Any
    ) -> None:
        stream = reader.open(message(text_block(0, '{"city'), reason=reason), output_format=Answer)
        with pytest.raises(error) as raised:
            reader.events(stream)
        assert raised.value.completion.text == '{"city'
        # Without a format it is none.
        stream = reader.open(message(text_block(0, '{"city'), reason=reason))
        assert reader.call(stream, "get_final_message").stop_reason == reason

    def test_the_output_format_must_be_a_type(self) -> None:
        with pytest.raises(TypeError, match="output_config"):
            MessageStream([], output_format={"type": "object"})  # type: ignore[type-var]


class TestMetrics:
    def test_metrics_count_tokens_and_usage(self) -> None:
        metrics = MessageMetrics()
        stream = Stream(response(ALL), cast_to=RawMessageStreamEvent, metrics=metrics)
        MessageStream(stream).until_done()
        assert metrics.finished
        assert (metrics.chunks, metrics.reasoning_chunks, metrics.tokens_from) == (6, 2, "usage")
        assert (metrics.prompt_tokens, metrics.tokens) == (25, 15)
        assert MessageStream(stream).metrics is metrics

    def test_metrics_count_the_prompt_with_its_cached_part(self) -> None:
        metrics = MessageMetrics()
        usage = {
            "input_tokens": 1,
            "cache_read_input_tokens": 2,
            "cache_creation_input_tokens": 4,
            "output_tokens": 1,
        }
        for event in [
            start(usage=usage),
            end(usage={"output_tokens": 7, "output_tokens_details": {"thinking_tokens": 3}}),
        ]:
            metrics.observe(event)
        assert (metrics.prompt_tokens, metrics.tokens, metrics.reasoning_tokens) == (7, 7, 3)


def test_the_events_of_a_typed_stream_are_anthropics() -> None:
    items = list(
        Stream(response([start(), {"type": "ping"}, *text_block(0, "a")]), cast_to=RawMessageStreamEvent)
    )
    assert [type(item).__name__ for item in items] == [
        "RawMessageStartEvent",
        "PingEvent",
        "RawContentBlockStartEvent",
        "RawContentBlockDeltaEvent",
        "RawContentBlockStopEvent",
    ]
    assert isinstance(items[1], PingEvent)
    assert items[3] == RawContentBlockDeltaEvent(index=0, delta=TextDelta(text="a"))


async def test_an_async_stream_reads_a_response() -> None:
    source = AsyncStream(response(ALL, headers={"request-id": "req_1"}), cast_to=RawMessageStreamEvent)
    async with AsyncMessageStream(source) as stream:
        assert await stream.get_final_text() == "Hello"
        assert stream.request_id == "req_1"


def _without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    fields = {name: value for name, value in fields.items() if value is not None}
    if isinstance(fields.get("citations"), list):
        fields["citations"] = [_without_nulls(each) for each in fields["citations"]]
    return fields
