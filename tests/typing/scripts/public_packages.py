"""Every public package shows its names to type checkers, and no others."""

from typing_extensions import assert_type

import ssejet
import ssejet.metrics
import ssejet.source
import ssejet.swap
from ssejet.metrics import Latencies, ResponseMetrics, StreamMetrics, TokenMetrics
from ssejet.source import AsyncSubscription, EventSource, Subscription, asubscribe, connect_sse, subscribe
from ssejet.swap import Installation
from ssejet.swap.anthropic import accelerate as accelerate_anthropic
from ssejet.swap.openai import accelerate
from ssejet.typed import AsyncByteResponse, ByteResponse, HTTPRequest, HTTPResponse, Stream, StreamingClient

ssejet.unheard_of  # error: unheard_of
ssejet.metrics.unheard_of  # error: unheard_of
ssejet.source.unheard_of  # error: unheard_of
ssejet.swap.unheard_of  # error: unheard_of


def open_stream(response: ByteResponse) -> Stream[object]:
    return Stream(response, cast_to=object)


def read(response: HTTPResponse, others: tuple[AsyncByteResponse, StreamingClient]) -> HTTPRequest:
    assert_type(response.request, HTTPRequest)
    open_stream(response)
    return response.request


def rate(metrics: TokenMetrics) -> Latencies | None:
    return metrics.inter_token_latency


def measure(metrics: ResponseMetrics) -> StreamMetrics:
    return metrics


def follow(client: StreamingClient) -> Subscription:
    with connect_sse(client, "GET", "https://example.com") as source:
        assert_type(source, EventSource)
    return subscribe("https://example.com")


def follow_async() -> AsyncSubscription:
    return asubscribe("https://example.com")


def install() -> Installation:
    return ssejet.install()


assert_type(accelerate(1), int)
assert_type(accelerate_anthropic("client"), str)
