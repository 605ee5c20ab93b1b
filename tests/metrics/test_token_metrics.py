from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from openai.types.chat import ChatCompletionChunk as OpenAIChunk

from drivers import DRIVERS, FakeResponse
from ssejet import Stream, TokenMetrics, TruncatedStreamError
from ssejet.chat import (
    ChatCompletionChunk,
    ChatCompletionStream,
    ChatMetrics,
    Completion,
    CompletionMetrics,
)
from ssejet.metrics._response_metrics import ResponseMetrics
from ssejet.metrics._token_metrics import Latencies, percentile

if TYPE_CHECKING:
    from collections.abc import Callable

    from clock import Clock

Steps = list[tuple[float, Any]]


def sse(*items: Any) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(item).encode() for item in items)


def chunk(finish: str | None = None, index: int = 0, **delta: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**base, "choices": [choice]}


def usage(completion: int, reasoning: int | None = None) -> dict[str, Any]:
    tokens = {"prompt_tokens": 9, "completion_tokens": completion, "total_tokens": 9 + completion}
    details = {} if reasoning is None else {"completion_tokens_details": {"reasoning_tokens": reasoning}}
    return {**chunk(), "choices": [], "usage": {**tokens, **details}}


def tool_call(**function: str) -> list[dict[str, Any]]:
    return [{"index": 0, "function": function}]


def measure(clock: Clock, *steps: tuple[float, Any], **options: Any) -> ChatMetrics:
    """Measure chunks, which come some seconds after each other."""
    metrics = ChatMetrics(**options)
    body = clock.ticking([(seconds, sse(item)) for seconds, item in steps])
    list(Stream(FakeResponse(body), cast_to=ChatCompletionChunk, metrics=metrics))
    return metrics


class TestTimes:
    def test_times_are_none_before_the_first_token(self, clock: Clock) -> None:
        metrics = measure(clock, (1.0, chunk(role="assistant", content="")))
        assert metrics.time_to_first_event == 1.0
        assert metrics.time_to_first_token is None
        assert metrics.time_to_first_content_token is None
        assert metrics.time_to_first_reasoning_token is None
        assert metrics.inter_token_latency is None
        assert metrics.tokens_per_second is None
        assert metrics.tokens == 0

    def test_the_time_of_the_first_token_is_not_that_of_the_first_event(self, clock: Clock) -> None:
        metrics = measure(clock, (1.0, chunk(role="assistant", content="")), (0.5, chunk(content="Hi")))
        assert metrics.time_to_first_event == 1.0
        assert metrics.time_to_first_token == 1.5

    @pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
    def test_times_of_reasoning_are_apart_from_those_of_content(self, clock: Clock, name: str) -> None:
        steps: Steps = [(1.0, chunk(**{name: "Hm"})), (2.0, chunk(**{name: "m"})), (4.0, chunk(content="Hi"))]
        metrics = measure(clock, *steps)
        assert metrics.time_to_first_token == 1.0
        assert metrics.time_to_first_reasoning_token == 1.0
        assert metrics.time_to_first_content_token == 7.0
        assert (metrics.chunks, metrics.reasoning_chunks) == (3, 2)

    def test_times_of_a_chunk_with_both_are_the_same(self, clock: Clock) -> None:
        metrics = measure(clock, (1.0, chunk(reasoning="Hm", content="Hi")))
        assert metrics.time_to_first_reasoning_token == 1.0
        assert metrics.time_to_first_content_token == 1.0
        assert (metrics.chunks, metrics.reasoning_chunks) == (1, 1)

    @pytest.mark.parametrize(
        "delta",
        [
            {"content": "Hi"},
            {"refusal": "No"},
            {"tool_calls": tool_call(name="weather", arguments="")},
            {"tool_calls": tool_call(arguments="{")},
            {"tool_calls": [{"index": 0, "custom": {"input": "x"}}]},
            {"function_call": {"arguments": "{"}},
            {"audio": {"data": "UklGRg=="}},
        ],
        ids=["content", "refusal", "name", "arguments", "custom", "function_call", "audio"],
    )
    def test_times_begin_with_any_part_of_the_answer(self, clock: Clock, delta: dict[str, Any]) -> None:
        metrics = measure(clock, (1.0, chunk(role="assistant")), (1.0, chunk(**delta)))
        assert metrics.time_to_first_content_token == 2.0
        assert metrics.chunks == 1

    @pytest.mark.parametrize(
        "delta", [{"content": ""}, {"content": None}, {"tool_calls": []}, {"role": "assistant"}, {}]
    )
    def test_times_do_not_begin_with_an_empty_chunk(self, clock: Clock, delta: dict[str, Any]) -> None:
        assert measure(clock, (1.0, chunk(**delta))).first_token is None

    def test_times_are_those_of_the_bytes_that_completed_the_event(self, clock: Clock) -> None:
        body = sse(chunk(content="Hi"))
        metrics = ChatMetrics()
        pieces = clock.ticking([(1.0, body[:9]), (1.0, body[9:-1]), (1.0, body[-1:])])
        list(Stream(FakeResponse(pieces), cast_to=ChatCompletionChunk, metrics=metrics))
        assert metrics.time_to_first_byte == 1.0
        assert metrics.time_to_first_token == 3.0

    def test_times_do_not_include_the_time_that_the_caller_spends(self, clock: Clock) -> None:
        metrics = ChatMetrics()
        body = clock.ticking([(1.0, sse(chunk(content="a"), chunk(content="b")))])
        for _ in Stream(FakeResponse(body), cast_to=ChatCompletionChunk, metrics=metrics):
            clock.now += 60.0
        assert metrics.time_to_first_token == 1.0
        assert list(metrics.inter_token_latencies) == [0.0]

    def test_times_are_the_same_for_all_ways_to_read_a_stream(self, clock: Clock) -> None:
        steps = [(1.0, sse(chunk(content="a"))), (0.5, sse(chunk(content="b"), chunk("stop")))]
        measured = []
        for driver in (DRIVERS[0], DRIVERS[2], DRIVERS[4]):
            metrics = ChatMetrics()
            response = FakeResponse(clock.ticking(steps))
            driver.consume(response, cast_to=ChatCompletionChunk, metrics=metrics).result()
            measured.append(metrics.to_dict())
        assert measured[0]["inter_token_latency"]["mean"] == 0.5
        assert measured == [measured[0]] * 3

    def test_times_start_when_the_request_is_made_if_the_metrics_are_made_then(self, clock: Clock) -> None:
        metrics = ChatMetrics()
        clock.now += 10.0
        body = clock.ticking([(1.0, sse(chunk(content="a")))])
        list(Stream(FakeResponse(body), cast_to=ChatCompletionChunk, metrics=metrics))
        assert metrics.time_to_first_token == 11.0


class TestLatencies:
    def test_latencies_are_those_between_tokens_and_not_between_events(self, clock: Clock) -> None:
        steps: Steps = [
            (9.0, chunk(content="a")),
            (0.5, chunk()),
            (0.25, chunk(content="b")),
            (4.0, chunk(content="c")),
            (100.0, chunk("stop")),
        ]
        assert list(measure(clock, *steps).inter_token_latencies) == [0.75, 4.0]

    def test_latencies_include_those_of_reasoning(self, clock: Clock) -> None:
        steps: Steps = [(9.0, chunk(reasoning="a")), (0.5, chunk(reasoning="b")), (0.25, chunk(content="c"))]
        assert list(measure(clock, *steps).inter_token_latencies) == [0.5, 0.25]

    def test_latencies_have_a_median_and_percentiles(self, clock: Clock) -> None:
        # 1, 2, … 100 seconds, in another order.
        seconds = [float(n * 37 % 101) for n in range(1, 101)]
        steps: Steps = [(5.0, chunk(content="first")), *((each, chunk(content="x")) for each in seconds)]
        latency = measure(clock, *steps).inter_token_latency
        assert latency == pytest.approx(Latencies(mean=50.5, p50=50.5, p95=95.05, p99=99.01))

    def test_latencies_of_one_gap_are_that_gap(self) -> None:
        assert Latencies.of([2.0]) == Latencies(2.0, 2.0, 2.0, 2.0)

    def test_latencies_of_none_are_none(self) -> None:
        assert Latencies.of([]) is None

    @pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 2.5), (0.9, 3.7), (1.0, 4.0)])
    def test_a_percentile_between_two_values_is_interpolated(self, share: float, value: float) -> None:
        assert percentile([1.0, 2.0, 3.0, 4.0], share) == pytest.approx(value)


class TestTokens:
    STEPS = (
        (1.0, chunk(role="assistant", content="")),
        (1.0, chunk(content="one two")),
        (2.0, chunk(content=" three")),
        (2.0, chunk(content=" four")),
        (1.0, chunk("stop")),
    )

    def test_tokens_are_counted_in_chunks_if_nothing_else_counts_them(self, clock: Clock) -> None:
        metrics = measure(clock, *self.STEPS)
        assert (metrics.tokens, metrics.tokens_from) == (3, "chunks")
        assert metrics.tokens_per_second == 2 / 4.0

    @pytest.mark.parametrize("tokenizer", [str.split, lambda text: len(text.split())], ids=["list", "int"])
    def test_tokens_are_counted_by_a_tokenizer_if_there_is_one(
        self, clock: Clock, tokenizer: Callable[[str], Any]
    ) -> None:
        metrics = measure(clock, *self.STEPS, tokenizer=tokenizer)
        assert (metrics.tokens, metrics.tokens_from) == (4, "tokenizer")
        assert metrics.tokens_per_second == 3 / 4.0

    def test_tokens_are_counted_by_the_server_if_it_sends_usage(self, clock: Clock) -> None:
        metrics = measure(clock, *self.STEPS, (0.0, usage(11)), tokenizer=str.split)
        assert (metrics.tokens, metrics.tokens_from) == (11, "usage")
        assert metrics.prompt_tokens == 9
        assert metrics.tokens_per_second == 10 / 4.0

    def test_tokens_of_reasoning_that_was_sent_count(self, clock: Clock) -> None:
        steps: Steps = [(1.0, chunk(reasoning="a")), (2.0, chunk(content="b")), (0.0, usage(11, reasoning=6))]
        metrics = measure(clock, *steps)
        assert (metrics.tokens, metrics.reasoning_tokens) == (11, 6)
        assert metrics.tokens_per_second == 10 / 2.0

    def test_tokens_of_reasoning_that_was_not_sent_do_not_count_for_the_rate(self, clock: Clock) -> None:
        steps: Steps = [(9.0, chunk(content="a")), (2.0, chunk(content="b")), (0.0, usage(11, reasoning=6))]
        metrics = measure(clock, *steps)
        assert (metrics.tokens, metrics.reasoning_tokens) == (11, 6)
        assert metrics.tokens_per_second == 4 / 2.0

    def test_tokens_have_no_negative_rate(self, clock: Clock) -> None:
        steps: Steps = [(1.0, chunk(content="a")), (1.0, chunk(content="b")), (0.0, usage(5, reasoning=5))]
        assert measure(clock, *steps).tokens_per_second is None

    def test_tokens_have_no_rate_if_all_came_at_once(self, clock: Clock) -> None:
        assert measure(clock, (1.0, chunk(content="a")), (0.0, chunk(content="b"))).tokens_per_second is None

    def test_tokens_are_not_counted_by_usage_that_is_zero(self, clock: Clock) -> None:
        metrics = measure(clock, *self.STEPS, (0.0, usage(0)))
        assert (metrics.tokens, metrics.tokens_from) == (3, "chunks")

    def test_tokens_are_those_of_the_latest_usage(self, clock: Clock) -> None:
        steps: Steps = [(1.0, {**chunk(content="a"), "usage": usage(n)["usage"]}) for n in (1, 2, 3)]
        assert measure(clock, *steps).tokens == 3

    def test_tokens_are_counted_by_the_tokenizer_once(self, clock: Clock) -> None:
        texts: list[str] = []
        metrics = measure(clock, *self.STEPS, tokenizer=lambda text: texts.append(text) or 7)
        metrics.to_dict()
        assert metrics.tokens == 7
        assert texts == ["one two three four"]

    def test_tokens_are_counted_by_the_tokenizer_in_all_that_was_generated(self, clock: Clock) -> None:
        steps: Steps = [
            (1.0, chunk(reasoning="think")),
            (1.0, chunk(content="say")),
            (1.0, chunk(tool_calls=tool_call(name="f", arguments="{}"))),
            (1.0, chunk(refusal="no")),
        ]
        assert measure(clock, *steps, tokenizer=len).tokens == len("thinksayf{}no")


class TestTheEnd:
    def test_the_end_is_the_finish_reason_of_every_choice(self, clock: Clock) -> None:
        steps: Steps = [(1.0, chunk(content="a")), (1.0, chunk(index=1, content="b")), (1.0, chunk("stop"))]
        assert not measure(clock, *steps).finished
        assert measure(clock, *steps, (1.0, chunk("length", index=1))).finished

    @pytest.mark.parametrize("finish", [None, "", "error"])
    def test_the_end_is_not_reached_by_an_answer_that_failed(self, clock: Clock, finish: str | None) -> None:
        metrics = ChatMetrics()
        metrics.observe(chunk(content="a"))
        metrics.observe(chunk(finish))
        assert not metrics.finished

    def test_the_end_is_not_reached_by_an_empty_stream(self, clock: Clock) -> None:
        assert not measure(clock).finished
        assert not measure(clock, (1.0, chunk(role="assistant", content=""))).finished


class TestReports:
    def test_reports_of_a_stream_are_json(self, clock: Clock) -> None:
        metrics = measure(clock, *TestTokens.STEPS, (1.0, usage(11, reasoning=0)))
        report = metrics.to_dict()
        assert json.loads(json.dumps(report)) == report
        assert report == {
            "time_to_first_byte": 1.0,
            "time_to_first_event": 1.0,
            "elapsed": 8.0,
            "bytes": metrics.bytes,
            "reads": 6,
            "events": 6,
            "reconnections": 0,
            "time_to_first_token": 2.0,
            "time_to_first_content_token": 2.0,
            "time_to_first_reasoning_token": None,
            "inter_token_latency": {"mean": 2.0, "p50": 2.0, "p95": 2.0, "p99": 2.0},
            "tokens": 11,
            "tokens_from": "usage",
            "tokens_per_second": 2.5,
            "chunks": 3,
            "reasoning_chunks": 0,
            "reasoning_tokens": 0,
            "prompt_tokens": 9,
        }

    def test_reports_of_an_empty_stream_are_json_too(self, clock: Clock) -> None:
        report = ChatMetrics().to_dict()
        assert json.loads(json.dumps(report)) == report

    def test_reports_of_a_chat_stream_are_those_of_its_source(self) -> None:
        source = Stream(FakeResponse([sse(chunk("stop", content="Hi"))]), metrics=ChatMetrics())
        stream = ChatCompletionStream(source)
        stream.until_done()
        assert stream.metrics is source.metrics
        assert isinstance(stream.metrics, TokenMetrics)
        assert stream.metrics.chunks == 1

    def test_reports_of_a_chat_stream_over_another_iterable_are_none(self) -> None:
        assert ChatCompletionStream([chunk(content="Hi")]).metrics is None


class TestItems:
    def test_items_may_be_dicts(self, clock: Clock) -> None:
        metrics = ChatMetrics()
        body = clock.ticking([(1.0, sse(chunk(content="a"))), (1.0, sse(usage(2)))])
        list(Stream(FakeResponse(body), metrics=metrics))
        assert (metrics.time_to_first_token, metrics.tokens) == (1.0, 2)

    def test_items_may_be_objects_of_openai(self, clock: Clock) -> None:
        metrics = ChatMetrics()
        items = [chunk(reasoning="Hm"), chunk(tool_calls=tool_call(name="f", arguments="")), usage(7, 2)]
        body = clock.ticking([(1.0, sse(item)) for item in items])
        list(Stream(FakeResponse(body), cast_to=OpenAIChunk, metrics=metrics))
        assert metrics.time_to_first_reasoning_token == 1.0
        assert metrics.time_to_first_content_token == 2.0
        assert (metrics.tokens, metrics.reasoning_tokens) == (7, 2)

    def test_items_of_another_stream_get_their_time_when_they_are_observed(self, clock: Clock) -> None:
        metrics = ChatMetrics()
        for text in "abc":
            clock.now += 1.5
            metrics.observe(chunk(content=text))
        assert metrics.time_to_first_token == 1.5
        assert list(metrics.inter_token_latencies) == [1.5, 1.5]
        assert metrics.time_to_first_byte is None

    def test_items_of_the_filter_of_azure_are_no_tokens(self, clock: Clock) -> None:
        metrics = ChatMetrics()
        metrics.observe({"choices": [{"index": 0, "content_filter_results": {}, "finish_reason": None}]})
        metrics.observe({"choices": None})
        metrics.observe(SimpleNamespace(choices=None, usage=None))
        assert metrics.chunks == 0


class TestEnds:
    def read(self, metrics: TokenMetrics, *items: Any, cast_to: Any = None) -> None:
        response = FakeResponse([sse(item) for item in items])
        list(Stream(response, cast_to=cast_to, require_done=True, metrics=metrics))

    def test_inputs_with_a_finish_reason_are_ends(self) -> None:
        self.read(ChatMetrics(), chunk(content="a"), chunk("stop"))

    def test_inputs_with_usage_after_the_finish_reason_are_ends(self) -> None:
        self.read(ChatMetrics(), chunk(content="a"), chunk("stop"), usage(1))

    def test_inputs_with_a_finish_reason_are_ends_whatever_follows(self) -> None:
        self.read(ChatMetrics(), chunk(content="a"), chunk("stop"), chunk(content=""))

    def test_inputs_without_a_finish_reason_are_none(self) -> None:
        with pytest.raises(TruncatedStreamError):
            self.read(ChatMetrics(), chunk(content="a"))

    def test_inputs_with_a_choice_that_is_still_open_are_none(self) -> None:
        with pytest.raises(TruncatedStreamError):
            self.read(ChatMetrics(), chunk(content="a"), chunk(content="b", index=1), chunk("stop"))

    def test_inputs_with_all_choices_closed_are_ends(self) -> None:
        closing = (chunk("stop", index=1), chunk("stop"))
        self.read(ChatMetrics(), chunk(content="a"), chunk(content="b", index=1), *closing)

    def test_inputs_of_an_empty_stream_are_none(self) -> None:
        with pytest.raises(TruncatedStreamError):
            self.read(ChatMetrics())


class TestCompletions:
    def test_older_completions_are_measured_too(self, clock: Clock) -> None:
        items = [
            {"choices": [{"index": 0, "text": "", "finish_reason": None}]},
            {"choices": [{"index": 0, "text": "a", "finish_reason": None}]},
            {"choices": [{"index": 0, "text": "b", "finish_reason": "stop"}]},
            {"choices": [], "usage": usage(4)["usage"]},
        ]
        metrics = CompletionMetrics()
        body = clock.ticking([(1.0, sse(item)) for item in items])
        list(Stream(FakeResponse(body), cast_to=Completion, metrics=metrics, require_done=True))
        assert metrics.time_to_first_token == 2.0
        assert list(metrics.inter_token_latencies) == [1.0]
        assert (metrics.tokens, metrics.prompt_tokens, metrics.tokens_per_second) == (4, 9, 3.0)


class TestResponses:
    COMPLETED: ClassVar = {
        "type": "response.completed",
        "response": {
            "usage": {
                "input_tokens": 9,
                "output_tokens": 5,
                "output_tokens_details": {"reasoning_tokens": 2},
            }
        },
    }

    def measure(self, clock: Clock, *items: Any) -> ResponseMetrics:
        metrics = ResponseMetrics()
        body = clock.ticking([(1.0, sse(item)) for item in items])
        list(Stream(FakeResponse(body), metrics=metrics, require_done=True))
        return metrics

    def test_responses_are_measured_by_their_events(self, clock: Clock) -> None:
        metrics = self.measure(
            clock,
            {"type": "response.created", "response": {"usage": None}},
            {"type": "response.reasoning_summary_text.delta", "delta": "Hm"},
            {"type": "response.output_text.delta", "delta": "a"},
            {"type": "response.function_call_arguments.delta", "delta": "{}"},
            {"type": "response.output_text.done", "text": "a"},
            self.COMPLETED,
        )
        assert metrics.time_to_first_event == 1.0
        assert metrics.time_to_first_reasoning_token == 2.0
        assert metrics.time_to_first_content_token == 3.0
        assert list(metrics.inter_token_latencies) == [1.0, 1.0]
        assert (metrics.tokens, metrics.prompt_tokens, metrics.reasoning_tokens) == (5, 9, 2)

    @pytest.mark.parametrize("kind", ["completed", "incomplete", "failed"])
    def test_responses_end_with_their_last_event(self, clock: Clock, kind: str) -> None:
        self.measure(clock, {"type": f"response.{kind}", "response": {"status": kind}})

    def test_responses_do_not_end_before_it(self, clock: Clock) -> None:
        with pytest.raises(TruncatedStreamError):
            self.measure(clock, {"type": "response.output_text.delta", "delta": "a"})

    def test_responses_may_hold_what_is_no_event(self, clock: Clock) -> None:
        assert self.measure(clock, 7, ["x"], self.COMPLETED).chunks == 0
