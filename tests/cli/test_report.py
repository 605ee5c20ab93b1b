from __future__ import annotations

import asyncio
import time
from array import array

import pytest
from models import A_LONG_TIME

from ssejet import APIConnectionError
from ssejet.cli._load import Failure, Load, Results, Sample
from ssejet.cli._report import Report


def report_of(results: Results) -> Report:
    conditions = {"model": "m", "url": "u", "concurrency": 1}
    return Report(conditions, results, redact=lambda text: text.replace("secret", "***"))


def sample(number: int) -> Sample:
    return Sample(number / 100, None, number / 10, 10, "usage", 5.0 * number, 1)


def test_percentiles_are_those_of_all_answers() -> None:
    results = Results([sample(number) for number in range(101)], gaps=array("d", [0.0, 1.0]), seconds=2.0)
    figures = report_of(results).to_dict()
    assert figures["time_to_first_token"] == pytest.approx(
        {"min": 0.0, "mean": 0.5, "p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "max": 1.0}
    )
    assert figures["request_duration"]["p90"] == pytest.approx(9.0)
    assert figures["inter_token_latency"]["p50"] == 0.5
    assert figures["time_to_first_content_token"] is None
    assert (figures["requests_per_second"], figures["tokens_per_second"]) == (50.5, 505)


def test_an_answer_that_was_cut_counts_with_its_tokens_but_is_not_answered() -> None:
    cut = sample(9)._replace(duration=None)
    figures = report_of(Results([sample(1)], [cut], cancelled=1, seconds=1.0)).to_dict()
    assert (figures["succeeded"], figures["cancelled"], figures["tokens"]) == (1, 1, 20)
    assert figures["time_to_first_token"]["max"] == 0.09
    assert figures["request_duration"]["max"] == 0.1


def test_secrets_are_taken_out_of_errors() -> None:
    results = Results(failures={"E": Failure(APIConnectionError("a secret"), 2)}, seconds=1.0)
    assert report_of(results).to_dict()["errors"] == {"E": {"count": 2, "first": "a ***"}}


@pytest.mark.parametrize(
    ("cpu_seconds", "delay", "is_said"), [(0.5, 0.001, False), (0.95, 0.001, True), (0.5, 0.2, True)]
)
def test_a_generator_that_was_busy_or_late_says_so(cpu_seconds: float, delay: float, is_said: bool) -> None:
    results = Results(seconds=1.0, cpu_seconds=cpu_seconds, delays=array("d", [delay]))
    assert ("It was a limit itself" in " ".join(report_of(results)._remarks())) == is_said


@pytest.mark.parametrize(("late", "is_limit"), [(0, False), (3, False), (30, True)])
def test_reads_that_came_late_are_counted(late: int, is_limit: bool) -> None:
    report = report_of(Results(seconds=1.0, cpu_seconds=0.1, reads=1000, late_reads=late))
    generator = report.to_dict()["load_generator"]
    assert (generator["reads"], generator["late_reads"], generator["is_limit"]) == (1000, late, is_limit)
    remarks = " ".join(report._remarks())
    assert (f"{late} of 1,000 reads ({late / 1000:.1%}) came more than 10.0 ms late" in remarks) == (late > 0)
    assert ("It was a limit itself" in remarks) == is_limit


@pytest.mark.slow
@pytest.mark.parametrize("direct", ["1", "0"], ids=["direct", "ordinary"])
def test_reads_of_an_event_loop_that_is_blocked_are_late(
    direct: str, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSEJET_DIRECT", direct)

    async def run() -> tuple[Results, int]:
        request = {"model": "slow-poet", "messages": []}
        async with Load({"base_url": api, "api_key": ""}, [request], concurrency=2) as load:

            async def turn() -> None:
                await asyncio.sleep(0)
                if load.results.reads:
                    # Each turn of the event loop takes long, while tokens arrive.
                    time.sleep(0.015)  # noqa: ASYNC251

            async def block() -> int:
                # What was read before the first late read may be counted after it.
                while load.results.late_reads < 5:
                    await turn()
                on_time = load.results.reads - load.results.late_reads
                while load.results.late_reads < 10:
                    await turn()
                on_time = load.results.reads - load.results.late_reads - on_time
                load.stop()
                return on_time

            blocking = asyncio.create_task(block())
            results = await load.run(seconds=A_LONG_TIME)
            assert blocking.done(), "no more than a few reads were late"
            return results, blocking.result()

    results, on_time = asyncio.run(run())
    assert on_time == 0
    assert max(results.delays) > 0.01
    assert report_of(results).to_dict()["load_generator"]["is_limit"]


def test_the_report_says_how_many_tokens_came_together() -> None:
    remarks = " ".join(report_of(Results(gaps=array("d", [0.0, 1.0, 1.0, 1.0]), seconds=1.0))._remarks())
    assert "25% of the tokens arrived in one read" in remarks


def test_no_request_runs_after_a_load(api: str) -> None:
    async def run() -> None:
        request = {"model": "poet", "messages": []}
        async with Load({"base_url": api, "api_key": ""}, [request], concurrency=2) as load:
            results = await load.run(total=5)
        assert results is load.results
        assert results.ended == len(results.samples) == 5
        assert load.running == set()
        assert load.tokens == results.tokens

    asyncio.run(run())
