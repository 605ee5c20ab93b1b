"""The example for OpenTelemetry, with exporters that keep spans and metrics in memory."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from accounts import TEXT, chunk
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import error_attributes, gen_ai_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from opentelemetry.semconv.attributes import server_attributes
from opentelemetry.trace import SpanKind, StatusCode
from users import KEY, MESSAGES

from servers import Then
from ssejet import APIConnectionError, APIStatusError, Client, encode

if TYPE_CHECKING:
    from accounts import Account

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "opentelemetry_genai.py"


class Telemetry:
    """What the example reports.

    Attributes:
        example: the example, as a module.
    """

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        meters = MeterProvider([self.reader])
        spec = importlib.util.spec_from_file_location(EXAMPLE.stem, EXAMPLE)
        assert spec is not None
        assert spec.loader is not None
        self.example = importlib.util.module_from_spec(spec)
        with pytest.MonkeyPatch.context() as patch:
            # Providers for the whole process would also trace the SDKs of other tests.
            patch.setattr(trace, "get_tracer", provider.get_tracer)
            patch.setattr(metrics, "get_meter", meters.get_meter)
            spec.loader.exec_module(self.example)

    def ask(self, account: Account, **params: Any) -> str:
        with (
            Client(api_key=KEY, base_url=account.url, max_retries=0) as client,
            self.example.observed(client, model="m", messages=MESSAGES, **params) as stream,
        ):
            return "".join(stream.text_deltas())

    def span(self) -> Any:
        """The one span since the last call."""
        (span,) = self.exporter.get_finished_spans()
        self.exporter.clear()
        return span

    def points(self, port: int) -> dict[str, list[Any]]:
        """The data points of one server's metrics, by their names."""
        data = self.reader.get_metrics_data()
        points: dict[str, list[Any]] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    of_port = [p for p in metric.data.data_points if p.attributes["server.port"] == port]
                    points.setdefault(metric.name, []).extend(of_port)
        return points


@pytest.fixture(scope="module")
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture(autouse=True)
def _forget(telemetry: Telemetry) -> None:
    telemetry.reader.get_metrics_data()
    telemetry.exporter.clear()


def test_an_answer_is_a_span(telemetry: Telemetry, account: Account) -> None:
    assert telemetry.ask(account, stream_options={"include_usage": True}) == TEXT
    span = telemetry.span()
    assert (span.name, span.kind, span.status.status_code) == ("chat m", SpanKind.CLIENT, StatusCode.UNSET)
    attributes = dict(span.attributes)
    assert 0 < attributes.pop("gen_ai.response.time_to_first_chunk") < 60
    assert 0 < attributes.pop("ssejet.time_to_first_token") < 60
    assert attributes.pop("gen_ai.response.id").startswith("chatcmpl-")
    assert attributes.pop("server.port") == int(account.url.split(":")[2].split("/")[0])
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.request.stream": True,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.model": "m",
        "gen_ai.usage.input_tokens": 1,
        "gen_ai.usage.output_tokens": 4,
        "server.address": "127.0.0.1",
    }


def test_an_answer_is_measured(telemetry: Telemetry, account: Account) -> None:
    port = int(account.url.split(":")[2].split("/")[0])
    counts = {name: sum(p.count for p in points) for name, points in telemetry.points(port).items()}
    telemetry.ask(account, stream_options={"include_usage": True})
    points = telemetry.points(port)
    new = {name: sum(p.count for p in of) - counts.get(name, 0) for name, of in points.items()}
    assert new == {
        "gen_ai.client.operation.duration": 1,
        "gen_ai.client.operation.time_to_first_chunk": 1,
        "gen_ai.client.operation.time_per_output_chunk": 3,
        "gen_ai.client.token.usage": 2,
    }
    (duration,) = [p for p in points["gen_ai.client.operation.duration"] if "error.type" not in p.attributes]
    assert duration.explicit_bounds[:3] == (0.01, 0.02, 0.04)
    assert duration.explicit_bounds[-1] == 81.92
    usage = {p.attributes["gen_ai.token.type"]: p for p in points["gen_ai.client.token.usage"]}
    assert set(usage) == {"input", "output"}
    assert usage["output"].max == 4
    assert usage["input"].explicit_bounds[-1] == 67108864


def test_chunks_are_not_reported_as_tokens(telemetry: Telemetry, account: Account) -> None:
    telemetry.ask(account)
    assert not [name for name in telemetry.span().attributes if name.startswith("gen_ai.usage")]


def test_an_error_status_is_an_error(telemetry: Telemetry, account: Account) -> None:
    account.refuse(429)
    with pytest.raises(APIStatusError):
        telemetry.ask(account)
    span = telemetry.span()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "429"
    port = span.attributes["server.port"]
    kinds = [
        p.attributes.get("error.type") for p in telemetry.points(port)["gen_ai.client.operation.duration"]
    ]
    assert "429" in kinds


def test_an_answer_that_breaks_off_is_an_error_and_measured(telemetry: Telemetry, account: Account) -> None:
    account.reply(chunk(content="a secret"), Then.DROP)
    with pytest.raises(APIConnectionError):
        telemetry.ask(account)
    span = telemetry.span()
    assert span.attributes["error.type"] == "APIConnectionError"
    assert span.attributes["gen_ai.response.time_to_first_chunk"] > 0


def test_the_conversation_is_not_reported(telemetry: Telemetry, account: Account) -> None:
    account.answer = "a secret"
    telemetry.ask(account)
    account.reply(chunk(content="a secret"), encode('{"a secret'))
    with pytest.raises(Exception, match="a secret"):
        telemetry.ask(account)
    first, second = telemetry.exporter.get_finished_spans()
    for said in ("a secret", MESSAGES[0]["content"], KEY):
        assert said not in first.to_json() + second.to_json()


def test_the_names_are_those_of_opentelemetry(telemetry: Telemetry, account: Account) -> None:
    telemetry.ask(account, stream_options={"include_usage": True})
    modules = (gen_ai_attributes, error_attributes, server_attributes, gen_ai_metrics)
    known = {value for module in modules for value in vars(module).values() if isinstance(value, str)}
    attributes = telemetry.span().attributes
    points = telemetry.points(attributes["server.port"])
    used = {*attributes, *points, *(name for of in points.values() for p in of for name in p.attributes)}
    assert {name for name in used if not name.startswith("ssejet.")} <= known


def test_it_runs_as_a_program(account: Account) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLE],
        capture_output=True,
        check=True,
        encoding="utf-8",
        env={**os.environ, "OPENAI_BASE_URL": account.url, "OPENAI_API_KEY": KEY, "PYTHONUTF8": "1"},
    )
    assert done.stdout.startswith(f"{TEXT}\n")
    assert '"gen_ai.usage.output_tokens": 4' in done.stdout
    assert '"name": "gen_ai.client.token.usage"' in done.stdout
    assert done.stderr == ""
