"""Report answers to OpenTelemetry, with its semantic conventions for generative AI."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from ssejet import Client, TokenMetrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ssejet.chat import ChatCompletionStream

PROVIDER = "openai"
MODEL = "gpt-5-mini"

# The bounds of the conventions, in seconds and in tokens.
SECONDS = [0.01 * 2**n for n in range(14)]
TOKENS = [4**n for n in range(14)]

tracer = trace.get_tracer("ssejet.example")
meter = metrics.get_meter("ssejet.example")


def histogram(name: str, unit: str, bounds: Sequence[float]) -> metrics.Histogram:
    return meter.create_histogram(f"gen_ai.client.{name}", unit, explicit_bucket_boundaries_advisory=bounds)


operation_duration = histogram("operation.duration", "s", SECONDS)
time_to_first_chunk = histogram("operation.time_to_first_chunk", "s", SECONDS)
time_per_output_chunk = histogram("operation.time_per_output_chunk", "s", SECONDS)
token_usage = histogram("token.usage", "{token}", TOKENS)


@contextmanager
def observed(client: Client, *, model: str, **params: Any) -> Iterator[ChatCompletionStream]:
    """Open ``client.chat.completions.stream()`` in a span, and report its metrics.

    Neither the span nor the metrics hold any text of the conversation.
    """
    url = urlsplit(client.base_url)
    attributes: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": model,
        "server.address": url.hostname or "",
        "server.port": url.port or (443 if url.scheme == "https" else 80),
    }
    with tracer.start_as_current_span(
        f"chat {model}",
        kind=SpanKind.CLIENT,
        attributes={**attributes, "gen_ai.request.stream": True},
        record_exception=False,  # an error can quote the conversation
        set_status_on_exception=False,
    ) as span:
        stream: ChatCompletionStream | None = None
        before = time.perf_counter()
        try:
            with client.chat.completions.stream(model=model, **params) as stream:
                yield stream
        except Exception as error:
            attributes["error.type"] = str(getattr(error, "status_code", type(error).__qualname__))
            span.set_attribute("error.type", attributes["error.type"])
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            if stream is not None:
                report(stream, span, attributes)
            operation_duration.record(time.perf_counter() - before, attributes)


def report(stream: ChatCompletionStream, span: trace.Span, attributes: dict[str, str | int]) -> None:
    measured = stream.metrics
    assert isinstance(measured, TokenMetrics)
    completion = stream.current_completion_snapshot
    if completion.model:
        attributes["gen_ai.response.model"] = completion.model
        span.set_attribute("gen_ai.response.model", completion.model)
        span.set_attribute("gen_ai.response.id", completion.id)
    reasons = [choice.finish_reason for choice in completion.choices if choice.finish_reason]
    span.set_attribute("gen_ai.response.finish_reasons", reasons)

    # The first chunk often has only a role.
    if measured.time_to_first_event is not None:
        time_to_first_chunk.record(measured.time_to_first_event, attributes)
        span.set_attribute("gen_ai.response.time_to_first_chunk", measured.time_to_first_event)
    if measured.time_to_first_token is not None:
        span.set_attribute("ssejet.time_to_first_token", measured.time_to_first_token)
    for seconds in measured.inter_token_latencies:
        time_per_output_chunk.record(seconds, attributes)

    # A number of chunks is no number of tokens, so it is not reported as one.
    if measured.tokens_from != "chunks":
        token_usage.record(measured.tokens, {**attributes, "gen_ai.token.type": "output"})
        span.set_attribute("gen_ai.usage.output_tokens", measured.tokens)
    if measured.prompt_tokens is not None:
        token_usage.record(measured.prompt_tokens, {**attributes, "gen_ai.token.type": "input"})
        span.set_attribute("gen_ai.usage.input_tokens", measured.prompt_tokens)
    if measured.reasoning_tokens is not None:
        span.set_attribute("gen_ai.usage.reasoning.output_tokens", measured.reasoning_tokens)


if __name__ == "__main__":
    # Replace these exporters with those of your observability service.
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
    trace.set_tracer_provider(tracer_provider)
    metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(ConsoleMetricExporter())]))

    with (
        Client() as client,
        observed(
            client,
            model=MODEL,
            messages=[{"role": "user", "content": "Say hello."}],
            stream_options={"include_usage": True},
        ) as stream,
    ):
        for text in stream.text_deltas():
            print(text, end="", flush=True)
        print()
