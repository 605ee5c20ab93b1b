from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from drivers import DRIVERS, FakeResponse
from ssejet import Stream, StreamMachine, StreamMetrics

if TYPE_CHECKING:
    from clock import Clock
    from drivers import AsyncDriver, SyncDriver

CONSUMERS = [DRIVERS[0], DRIVERS[2], DRIVERS[4]]


@pytest.fixture(params=CONSUMERS, ids=["sync", "asyncio", "trio"])
def consumer(request: pytest.FixtureRequest) -> SyncDriver | AsyncDriver:
    return request.param


def measure(consumer: Any, clock: Clock, *steps: tuple[float, bytes], **options: Any) -> StreamMetrics:
    outcome = consumer.consume(FakeResponse(clock.ticking(steps)), **options)
    outcome.result()
    return outcome.stream.metrics


def test_before_anything_arrives_all_times_are_none(clock: Clock) -> None:
    metrics = StreamMetrics()
    assert metrics.started == clock.now
    assert metrics.to_dict() == {
        "time_to_first_byte": None,
        "time_to_first_event": None,
        "elapsed": None,
        "bytes": 0,
        "reads": 0,
        "events": 0,
        "reconnections": 0,
    }


def test_the_first_byte_and_the_first_event_have_their_own_times(consumer: Any, clock: Clock) -> None:
    metrics = measure(consumer, clock, (0.5, b": ping\n\nda"), (0.25, b"ta: 1\n"), (2.0, b"\ndata: 2\n\n"))
    assert metrics.time_to_first_byte == 0.5
    assert metrics.time_to_first_event == 2.75
    assert metrics.elapsed == 2.75


def test_bytes_reads_and_events_are_counted(consumer: Any, clock: Clock) -> None:
    metrics = measure(consumer, clock, (1.0, b"data: 1\n\ndata: 2\n\n"), (1.0, b""), (1.0, b"data: 3\n\n"))
    assert (metrics.bytes, metrics.reads, metrics.events) == (27, 2, 3)
    assert metrics.elapsed == 3.0


def test_the_end_of_a_stream_is_no_event(consumer: Any, clock: Clock) -> None:
    metrics = measure(consumer, clock, (1.0, b": ping\n\n"), (1.0, b"data: unfinished"))
    assert metrics.elapsed == 2.0
    assert metrics.time_to_first_event is None


def test_an_empty_read_is_no_arrival(clock: Clock) -> None:
    metrics = StreamMetrics()
    metrics.add_read(0)
    assert (metrics.first_byte, metrics.reads) == (None, 0)


def test_the_time_that_the_caller_spends_on_items_does_not_count(clock: Clock) -> None:
    def dawdle(_: Any) -> None:
        clock.now += 60.0

    steps = [(0.5, b"data: 1\n\ndata: 2\n\n")]
    stream = Stream(FakeResponse(clock.ticking(steps)), cast_to=dawdle)
    assert len(list(stream)) == 2
    assert stream.metrics.time_to_first_event == 0.5
    assert stream.metrics.elapsed == 0.5


def test_a_stream_measures_while_it_is_read(clock: Clock) -> None:
    stream = Stream(FakeResponse(clock.ticking([(1.0, b"data: 1\n\n"), (1.0, b"data: 2\n\n")])))
    next(stream)
    assert (stream.metrics.events, stream.metrics.elapsed) == (1, 1.0)
    next(stream)
    assert (stream.metrics.events, stream.metrics.elapsed) == (2, 2.0)
    stream.close()


def test_metrics_that_are_passed_in_go_on_counting(clock: Clock) -> None:
    metrics = StreamMetrics()
    metrics.reconnections = 2
    clock.now += 3.0
    stream = Stream(FakeResponse(clock.ticking([(1.0, b"data: 1\n\n")])), metrics=metrics)
    list(stream)
    assert stream.metrics is metrics
    assert metrics.time_to_first_event == 4.0
    assert metrics.reconnections == 2


def test_plain_metrics_do_not_look_at_items() -> None:
    assert StreamMachine().metrics.observe is None


def test_metrics_with_observe_get_each_item_when_it_is_taken() -> None:
    class Watching(StreamMetrics):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[Any] = []

        def observe(self, item: Any) -> None:
            self.seen.append(item)

    metrics = Watching()
    items = StreamMachine(metrics=metrics).feed(b"data: 1\n\ndata: 2\n\n")
    next(items)
    assert metrics.seen == [1]
    next(items)
    assert metrics.seen == [1, 2]


def test_the_dict_can_be_written_as_json(consumer: Any, clock: Clock) -> None:
    metrics = measure(consumer, clock, (0.5, b"data: 1\n\n"))
    assert json.loads(json.dumps(metrics.to_dict())) == metrics.to_dict()


def test_the_repr_shows_the_times_and_counts(clock: Clock) -> None:
    metrics = StreamMetrics()
    metrics.add_read(7)
    assert repr(metrics) == (
        "StreamMetrics(time_to_first_byte=0.0, time_to_first_event=None, elapsed=0.0, bytes=7, reads=1, "
        "events=0, reconnections=0)"
    )
