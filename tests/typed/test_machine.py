from __future__ import annotations

import gc
import json
import weakref
from typing import Any, get_origin

import msgspec
import pydantic
import pytest

from chunks import byte_by_byte
from ssejet import (
    APIError,
    Decoder,
    EventTooLargeError,
    InvalidJSONError,
    ServerSentEvent,
    StreamMachine,
    TruncatedStreamError,
)
from ssejet.typed._machine import MachineState


class Struct(msgspec.Struct):
    a: Any = None


class Model(pydantic.BaseModel):
    a: Any = None


class IntStruct(msgspec.Struct):
    a: int


class IntModel(pydantic.BaseModel):
    a: int


def json_of(event: ServerSentEvent) -> Any:
    return event.json()


any_cast = pytest.mark.parametrize("cast_to", [None, Struct, Model, json_of])


def sse(data: Any, event: str | None = None) -> bytes:
    """An event with one line of data: text as it is, anything else as JSON."""
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {event}\n" if event else "").encode() + f"data: {text}\n\n".encode()


DONE = sse("[DONE]")


class Reading:
    """A machine that is fed chunks to their end, and what came of it."""

    def __init__(self, chunks: list[bytes], decoder: Decoder | None, options: Any) -> None:
        self.machine = StreamMachine(decoder=decoder, **options)
        self.items: list[Any] = []
        self.error: Any = None
        try:
            for chunk in chunks:
                for item in self.machine.feed(chunk):
                    self.items.append(item)
            for item in self.machine.finish():
                self.items.append(item)
        except Exception as error:
            self.error = error


def read(stream: bytes, *, decoder: Any = Decoder, **options: Any) -> Reading:
    """Read a stream whole and byte by byte, which must give the same."""
    whole, cut = (Reading(chunks, decoder(), options) for chunks in ([stream], byte_by_byte(stream)))
    assert cut.items == whole.items
    assert repr(cut.error) == repr(whole.error)
    assert (cut.machine.done, cut.machine.saw_done) == (whole.machine.done, whole.machine.saw_done)
    return whole


def items_of(stream: bytes, **options: Any) -> list[Any]:
    reading = read(stream, **options)
    if reading.error is not None:
        raise reading.error
    return reading.items


class TestSentinel:
    def test_the_sentinel_ends_the_stream(self) -> None:
        reading = read(sse({"a": 1}) + DONE)
        assert reading.items == [{"a": 1}]
        assert reading.machine.done
        assert reading.machine.saw_done

    def test_the_sentinel_drops_what_follows_it(self) -> None:
        assert items_of(DONE + sse({"a": 1}) + sse("not JSON")) == []

    def test_the_sentinel_may_be_followed_by_more_data(self) -> None:
        assert read(sse("[DONE] bye")).machine.saw_done

    def test_the_sentinel_must_be_at_the_start_of_the_data(self) -> None:
        assert items_of(sse(["[DONE]"])) == [["[DONE]"]]

    def test_the_sentinel_comes_before_the_rule_on_errors(self) -> None:
        assert items_of(sse("[DONE]", event="error")) == []

    def test_the_sentinel_can_be_another_one(self) -> None:
        assert items_of(sse({"a": 1}) + sse("null") + sse("2"), done="null") == [{"a": 1}]

    def test_the_sentinel_can_be_none_at_all(self) -> None:
        reading = read(sse("1") + DONE, done=None, cast_to=lambda event: event.data)
        assert reading.items == ["1", "[DONE]"]
        assert not reading.machine.saw_done

    def test_the_sentinel_is_not_needed(self) -> None:
        reading = read(sse("1"))
        assert reading.items == [1]
        assert reading.machine.done
        assert not reading.machine.saw_done

    def test_the_sentinel_is_missed_after_the_items_if_it_is_required(self) -> None:
        reading = read(sse("1"), require_done=True)
        assert reading.items == [1]
        assert isinstance(reading.error, TruncatedStreamError)
        assert "[DONE]" in str(reading.error)

    def test_the_sentinel_is_all_that_is_required(self) -> None:
        assert items_of(sse("1") + DONE, require_done=True) == [1]

    def test_the_sentinel_cannot_be_empty(self) -> None:
        with pytest.raises(ValueError, match="done must not be empty"):
            StreamMachine(done="")

    def test_the_sentinel_cannot_be_required_and_none(self) -> None:
        with pytest.raises(ValueError, match="needs a sentinel"):
            StreamMachine(done=None, require_done=True)


class TestErrorsFromTheServer:
    @any_cast
    def test_errors_from_the_server_come_after_the_items_before_them(self, cast_to: Any) -> None:
        body = {"message": "too much", "type": "overloaded", "code": 529, "param": "model"}
        reading = read(
            sse({"a": 1}) + sse({"error": body}) + sse({"a": 2}), cast_to=cast_to, request="request"
        )
        assert [getattr(item, "a", None) or item["a"] for item in reading.items] == [1]
        error = reading.error
        assert isinstance(error, APIError)
        assert str(error) == error.message == "too much"
        assert (error.body, error.request) == ({"error": body}, "request")
        assert (error.type, error.code, error.param) == ("overloaded", 529, "model")

    @pytest.mark.parametrize(
        "payload",
        [
            '{"id": 1, "choices": [], "error": {"message": "no"}}',
            '{"error" : {"message": "no"}}',
            '{"error"\t:\n{"message": "no"}}'.replace("\n", " "),
            '{"error": "no"}',
            '{"error": {"message": "no"}, "a": NaN}',
        ],
    )
    def test_errors_from_the_server_are_found_wherever_they_stand(self, payload: str) -> None:
        assert read(sse(payload), cast_to=Struct).error.message == "no"

    @pytest.mark.parametrize("error", [None, False, 0, "", {}, []])
    @any_cast
    def test_errors_from_the_server_are_not_what_is_falsy(self, cast_to: Any, error: Any) -> None:
        assert len(items_of(sse({"a": 1, "error": error}), cast_to=cast_to)) == 1

    @pytest.mark.parametrize(
        "payload",
        [
            {"a": {"error": {"message": "nested"}}},
            [{"error": "in a list"}],
            {"a": '{"error": "quoted"}'},
            "error",
        ],
    )
    def test_errors_from_the_server_are_not_what_only_looks_like_one(self, payload: Any) -> None:
        text = json.dumps(payload)
        assert items_of(sse(text)) == [payload]

    @pytest.mark.parametrize(
        "error", [{"code": 1}, {"message": ""}, {"message": None}, {"message": 5}, [1], 7]
    )
    def test_errors_from_the_server_have_a_message_even_if_the_server_gives_none(self, error: Any) -> None:
        raised = read(sse({"error": error})).error
        assert raised.message == "An error occurred during streaming"
        assert raised.body == {"error": error}

    @pytest.mark.parametrize(
        ("data", "message", "body"),
        [
            (
                '{"type": "error", "error": {"type": "x", "message": "no"}}',
                "no",
                {"type": "error", "error": {"type": "x", "message": "no"}},
            ),
            ('{"message": "no", "code": "c"}', "no", {"message": "no", "code": "c"}),
            ('{"message": "no", "error": null}', "no", {"message": "no", "error": None}),
            ('"no"', "no", "no"),
            ("no JSON", "no JSON", "no JSON"),
            pytest.param("[" * 100_000, "[" * 100_000, "[" * 100_000, id="nested too deep"),
            ("", "An error occurred during streaming", ""),
            ("[1]", "An error occurred during streaming", [1]),
        ],
    )
    @any_cast
    def test_errors_from_the_server_can_be_events_of_type_error(
        self, cast_to: Any, data: str, message: str, body: Any
    ) -> None:
        error = Reading([sse(data, event="error")], None, {"cast_to": cast_to}).error
        assert isinstance(error, APIError)
        assert (error.message, error.body) == (message, body)

    def test_errors_from_the_server_can_be_events_of_type_error_among_other_types(self) -> None:
        stream = sse("1", event="delta") + sse("2", event="delta") + sse("no", event="error")
        reading = read(stream)
        assert reading.items == [1, 2]
        assert reading.error.message == "no"


class TestAssistantsEvents:
    STREAM = sse({"a": 1}, event="thread.run.created") + sse({"a": 2}, event="thread.done") + sse({"a": 3})

    def test_assistants_events_are_given_with_their_type(self) -> None:
        assert items_of(self.STREAM) == [
            {"event": "thread.run.created", "data": {"a": 1}},
            {"event": "thread.done", "data": {"a": 2}},
            {"a": 3},
        ]

    def test_assistants_events_are_cast_with_their_type(self) -> None:
        class Event(msgspec.Struct):
            event: str = ""
            data: IntStruct | None = None

        class ModelEvent(pydantic.BaseModel):
            event: str = ""
            data: IntModel | None = None

        for cast_to, member in ((Event, IntStruct), (ModelEvent, IntModel)):
            items = items_of(self.STREAM, cast_to=cast_to)
            assert items[0] == cast_to(event="thread.run.created", data=member(a=1))
            assert items[1].event == "thread.done"
            assert items[2] == cast_to()

    def test_assistants_events_come_to_a_callable_as_any_others(self) -> None:
        assert items_of(self.STREAM, cast_to=lambda event: (event.event, event.data))[:2] == [
            ("thread.run.created", '{"a": 1}'),
            ("thread.done", '{"a": 2}'),
        ]

    @pytest.mark.parametrize("cast_to", [None, Struct, Model])
    def test_assistants_events_that_are_not_json_are_errors(self, cast_to: Any) -> None:
        error = read(sse("{", event="thread.x"), cast_to=cast_to).error
        assert isinstance(error, InvalidJSONError)
        assert error.position == 1


class TestInvalidData:
    @any_cast
    def test_invalid_data_comes_after_the_items_before_it_and_says_where_it_was(self, cast_to: Any) -> None:
        good = sse({"a": 1})
        reading = read(good + good + sse('{"a": é, "b": 2}') + good, cast_to=cast_to)
        assert len(reading.items) == 2
        error = reading.error
        assert isinstance(error, InvalidJSONError)
        assert error.index == 2
        assert error.position == 6
        assert error.event == ServerSentEvent(data='{"a": é, "b": 2}')
        assert error.excerpt == '{"a": é, "b": 2}'
        assert error.__cause__ is not None
        assert "event 2, character 6" in str(error)

    @pytest.mark.parametrize("cast_to", [None, Struct, Model])
    def test_invalid_data_counts_characters_not_bytes(self, cast_to: Any) -> None:
        assert read(sse('{"a": "漢🚀é", x}'), cast_to=cast_to).error.position == 13

    @pytest.mark.parametrize("cast_to", [IntStruct, IntModel, list[IntStruct], list[IntModel]])
    def test_invalid_data_can_be_json_of_another_type(self, cast_to: Any) -> None:
        data = {"a": "x"} if get_origin(cast_to) is None else [{"a": "x"}]
        error = read(sse(data), cast_to=cast_to).error
        assert isinstance(error, InvalidJSONError)
        assert error.position is None
        assert "not what cast_to asks for" in str(error)
        assert "int" in str(error)
        assert "a" in str(error)
        assert "\n" not in str(error)

    @pytest.mark.parametrize("cast_to", [None, Struct, Model, list[Any]])
    def test_invalid_data_can_be_nested_too_deep(self, cast_to: Any) -> None:
        stream = sse('{"a":' * 100_000)
        error = Reading([stream], None, {"cast_to": cast_to}).error
        assert isinstance(error, InvalidJSONError)

    @pytest.mark.parametrize("cast_to", [Struct, Model])
    @pytest.mark.parametrize("data", ["", " ", "null", " null "])
    def test_invalid_data_is_passed_over_if_there_is_nothing_in_it(self, cast_to: Any, data: str) -> None:
        stream = sse({"a": 1}) + f"data: {data}\n\n".encode() + sse({"a": 2})
        assert [item.a for item in items_of(stream, cast_to=cast_to)] == [1, 2]

    def test_invalid_data_is_passed_over_without_a_type_unless_it_is_json(self) -> None:
        assert items_of(b"data\n\ndata: \n\ndata: null\n\n") == [None]

    def test_invalid_data_is_passed_over_by_no_function_of_the_users(self) -> None:
        assert items_of(b"data\n\n", cast_to=lambda event: event.data) == [""]

    def test_invalid_data_of_a_callable_is_what_it_says_is_not_json(self) -> None:
        error = read(sse({"a": "{"}), cast_to=lambda event: json.loads(event.json()["a"])).error
        assert isinstance(error, InvalidJSONError)
        assert error.position is None

    def test_invalid_data_does_not_hide_another_error_of_a_callable(self) -> None:
        reading = read(sse("1") + sse("0"), cast_to=lambda event: 1 / event.json())
        assert reading.items == [1.0]
        assert isinstance(reading.error, ZeroDivisionError)


@pytest.mark.parametrize("cast_to", [Struct, dict[str, Any]])
@pytest.mark.parametrize(
    "text", ['{"a": NaN}', '{"a": -Infinity}', f'{{"a": {"9" * 40}}}', '{"a": "\\ud800"}']
)
def test_what_json_accepts_is_accepted_by_types(cast_to: Any, text: str) -> None:
    (item,) = items_of(sse(text), cast_to=cast_to)
    value = item["a"] if isinstance(item, dict) else item.a
    assert repr(value) == repr(json.loads(text)["a"])


class TestWhatIsNotTaken:
    def test_what_is_not_taken_is_decoded_nevertheless(self) -> None:
        machine = StreamMachine()
        machine.feed(sse("1"))
        assert machine.metrics.events == 1

    def test_what_is_not_taken_is_kept_when_an_iterator_is_dropped(self) -> None:
        machine = StreamMachine()
        for item in machine.feed(sse("1") + sse("2") + sse("3")):
            assert item == 1
            break
        assert list(machine.items()) == [2, 3]

    def test_what_is_not_taken_comes_before_what_is_fed_later(self) -> None:
        machine = StreamMachine()
        first = machine.feed(sse("1") + sse("2"))
        assert next(first) == 1
        assert list(machine.feed(sse("3"))) == [2, 3]
        assert list(first) == []

    def test_what_is_not_taken_counts_for_the_index_of_an_error(self) -> None:
        machine = StreamMachine()
        machine.feed(sse("1") + sse("2"))
        machine.feed(sse("x"))
        with pytest.raises(InvalidJSONError) as caught:
            list(machine.items())
        assert caught.value.index == 2

    def test_what_is_not_taken_can_be_taken_as_events(self) -> None:
        machine = StreamMachine()
        items = machine.feed(sse("1") + sse("2") + sse("3"))
        assert next(items) == 1
        events = machine.events()
        assert next(events).data == "2"
        assert list(items) == [3]
        assert list(events) == []

    def test_what_is_not_taken_is_dropped_by_close(self) -> None:
        machine = StreamMachine(require_done=True)
        items = machine.feed(sse("1") + sse("2"))
        assert next(items) == 1
        machine.close()
        assert list(items) == []
        assert machine.done
        assert list(machine.feed(sse("3"))) == []
        assert list(machine.finish()) == []

    def test_what_is_not_taken_is_dropped_by_close_without_complaints_of_the_end(self) -> None:
        machine = StreamMachine(require_done=True)
        machine.receive(sse("1"))
        machine.receive_end()
        machine.close()
        assert list(machine.items()) == []
        assert list(machine.events()) == []

    def test_what_is_not_taken_is_dropped_by_close_without_complaints_of_what_follows(self) -> None:
        machine = StreamMachine(decoder=Decoder(max_event_size=50))
        machine.receive(sse("1") + b"data: " + b"x" * 100)
        machine.close()
        assert list(machine.items()) == []


def test_events_are_given_as_they_came_up_to_the_sentinel() -> None:
    machine = StreamMachine(cast_to=IntStruct)
    machine.receive(sse("x") + sse("no", event="error") + sse("1", event="thread.x") + DONE + sse("2"))
    assert list(machine.events()) == [
        ServerSentEvent(data="x"),
        ServerSentEvent(event="error", data="no"),
        ServerSentEvent(event="thread.x", data="1"),
        ServerSentEvent(data="[DONE]"),
    ]
    assert machine.saw_done


def test_events_end_with_an_error_if_the_sentinel_is_missing() -> None:
    machine = StreamMachine(require_done=True)
    machine.receive(sse("1"))
    machine.receive_end()
    events = machine.events()
    assert next(events).data == "1"
    with pytest.raises(TruncatedStreamError):
        next(events)


def test_more_is_received_when_all_is_taken() -> None:
    machine = StreamMachine()
    chunks = [sse("1") + sse("2"), b": nothing\n\n", sse("3")]

    def more() -> bool:
        if not chunks:
            return False
        machine.receive(chunks.pop(0))
        return True

    assert list(machine.items(more)) == [1, 2, 3]


class TestStates:
    """The table in the docstring of the module."""

    def test_the_state_of_a_new_machine_is_reading(self) -> None:
        assert StreamMachine().state is MachineState.READING

    @pytest.mark.parametrize("end", ["receive_end", "close", "sentinel"])
    def test_the_states_after_the_end_ignore_more_input(self, end: str) -> None:
        machine = StreamMachine()
        if end == "sentinel":
            assert list(machine.feed(DONE)) == []
        else:
            getattr(machine, end)()
        assert machine.state is (MachineState.ENDED if end == "receive_end" else MachineState.CLOSED)
        state = machine.state
        machine.receive(sse("1"))
        machine.receive_end()
        assert machine.state is state
        assert list(machine.items()) == []

    def test_the_state_after_the_end_gives_what_is_left_and_closes(self) -> None:
        machine = StreamMachine()
        machine.receive(sse("1"))
        machine.receive_end()
        items = machine.items()
        assert (next(items), machine.state) == (1, MachineState.ENDED)
        assert list(items) == []
        assert machine.state is MachineState.CLOSED

    def test_the_error_of_the_end_is_raised_once(self) -> None:
        machine = StreamMachine(require_done=True)
        with pytest.raises(TruncatedStreamError):
            list(machine.finish())
        assert machine.state is MachineState.CLOSED
        assert list(machine.items()) == []

    @pytest.mark.parametrize("take", ["items", "events"])
    def test_an_exception_of_the_callback_comes_after_the_items_of_earlier_chunks(self, take: str) -> None:
        def refuse(comment: str) -> None:
            raise LookupError(comment)

        machine = StreamMachine(decoder=Decoder(on_comment=refuse))
        for chunk in (sse("1"), b":first\n", sse("2"), b":second\n"):
            machine.receive(chunk)
        machine.receive_end()
        seen: list[Any] = []
        while machine.state is not MachineState.CLOSED:
            try:
                for item in getattr(machine, take)():
                    seen.append(getattr(item, "data", str(item)))  # noqa: PERF401
            except LookupError as error:  # noqa: PERF203
                seen.append(error.args[0])
        assert seen == ["1", "first", "2", "second"]


class SelfMadeError(ValueError):
    """What a function of the caller's raises."""


@pytest.mark.parametrize(
    ("stream", "options"),
    [
        pytest.param(sse("1"), {"cast_to": "raises"}, id="callers-error"),
        pytest.param(sse("nonsense"), {}, id="invalid-json"),
        pytest.param(sse({"error": "no"}), {}, id="api-error"),
        pytest.param(b'{"error": "no"}', {}, id="error-at-the-end"),
        pytest.param(b"", {"require_done": True}, id="truncated"),
    ],
)
@pytest.mark.parametrize("first", [False, True])
def test_an_error_is_freed_without_the_garbage_collector(stream: bytes, options: Any, first: bool) -> None:
    def cast(event: ServerSentEvent) -> Any:
        raise SelfMadeError(event.data)

    options = options | ({"cast_to": cast} if "cast_to" in options else {})
    machine = StreamMachine(**options)
    freed: list[weakref.ref[BaseException]] = []
    gc.collect()
    gc.disable()
    try:
        try:
            machine.receive(stream)
            machine.receive_end()
            if first:
                machine.check_first()
            list(machine.items())
        except Exception as error:
            freed.append(weakref.ref(error))
        assert len(freed) == 1
        assert freed[0]() is None
    finally:
        gc.enable()


class TestDecoder:
    def test_the_decoder_can_be_one_of_the_callers(self) -> None:
        comments: list[str] = []
        decoder = Decoder(dialect="openai", flush_incomplete=True, on_comment=comments.append)
        machine = StreamMachine(decoder=decoder, cast_to=lambda event: event)
        items = [*machine.feed(b":hello\ndata: 1\n\ndata: 2"), *machine.finish()]
        assert items == [
            ServerSentEvent(event=None, data="1", id=None),
            ServerSentEvent(event=None, data="2", id=None),
        ]
        assert comments == ["hello"]

    def test_the_decoder_can_have_events_without_a_type(self) -> None:
        stream = sse("1") + sse("2", event="delta") + sse({"error": "no"})
        reading = read(stream, decoder=lambda: Decoder(dialect="openai"))
        assert reading.items == [1, 2]
        assert reading.error.message == "no"

    def test_the_decoder_must_be_a_decoder(self) -> None:
        with pytest.raises(TypeError, match=r"must be a ssejet\.Decoder or None, not str"):
            StreamMachine(decoder="openai")  # type: ignore[arg-type]

    @any_cast
    def test_the_decoder_that_refuses_an_event_gives_those_before_it_first(self, cast_to: Any) -> None:
        stream = sse({"a": 1}) + sse({"a": "x" * 100})
        reading = read(stream, cast_to=cast_to, decoder=lambda: Decoder(max_event_size=50))
        assert len(reading.items) == 1
        assert isinstance(reading.error, EventTooLargeError)

    def test_the_decoder_that_refuses_an_event_says_so_before_more_is_read(self) -> None:
        machine = StreamMachine(decoder=Decoder(max_event_size=50))
        machine.receive(sse("1") + b"data: " + b"x" * 100)
        items = machine.items(lambda: pytest.fail("more was read"))
        assert next(items) == 1
        with pytest.raises(EventTooLargeError):
            next(items)

    def test_the_decoder_gets_no_bytes_after_the_sentinel(self) -> None:
        decoder = Decoder()
        machine = StreamMachine(decoder=decoder)
        assert list(machine.feed(DONE)) == []
        machine.feed(b"id: 7\n\n")
        assert decoder.last_event_id == ""

    def test_the_decoder_takes_nothing_but_bytes(self) -> None:
        with pytest.raises(TypeError, match="str"):
            StreamMachine().feed("data: 1\n\n")  # type: ignore[arg-type]


class TestMetrics:
    def test_metrics_are_none_or_nothing_at_first(self) -> None:
        metrics = StreamMachine().metrics
        assert metrics.to_dict() == {
            "time_to_first_byte": None,
            "time_to_first_event": None,
            "elapsed": None,
            "bytes": 0,
            "reads": 0,
            "events": 0,
            "reconnections": 0,
        }

    def test_metrics_stamp_the_bytes_that_matter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = iter([100.0, 101.0, 103.0, 106.0])
        monkeypatch.setattr("ssejet.metrics._stream_metrics.perf_counter", lambda: next(clock))
        machine = StreamMachine()
        for chunk in (b"", b": hello\n", b"data: 1\n\ndata: 2\n\n", b"data: 3"):
            machine.feed(chunk)
        machine.finish()
        assert machine.metrics.to_dict() == {
            "time_to_first_byte": 1.0,
            "time_to_first_event": 3.0,
            "elapsed": 6.0,
            "bytes": 33,
            "reads": 3,
            "events": 2,
            "reconnections": 0,
        }
        assert repr(machine.metrics).startswith("StreamMetrics(time_to_first_byte=1.0, ")


@pytest.mark.parametrize(
    "rest", [b'{"error": "x"}', b'{"error": "x"}\n', b'data: {"error": "x"}\n', b'{"error": "x"}\n\n']
)
@pytest.mark.parametrize(
    "before", [b"data: 1\n\n", b"data: 1\r\n\r\n", b"data: 1\r\n\n", b": 1\ndata: 1\n\n"]
)
def test_an_error_in_the_read_after_a_whole_event_is_raised(before: bytes, rest: bytes) -> None:
    machine = StreamMachine()
    assert list(machine.feed(before)) == [1]
    machine.receive(rest.replace(b"{}", b'{"error": "x"}'))
    with pytest.raises(APIError, match="x"):
        list(machine.finish())


@pytest.mark.parametrize(
    ("chunk", "kept"),
    [
        (b"data: 1\n\n", b"\n\n"),
        (b"data: 1\n\n\n", b"data: 1\n\n\n"),
        (b"data: 1\n\ndata: 1\n\n", b"data: 1\n\ndata: 1\n\n"),
        (b"data: 1\r\n\n", b"data: 1\r\n\n"),
        (b"\rdata: 1\n\n", b"\rdata: 1\n\n"),
        (b"data: 1\n\n{", b"data: 1\n\n{"),
    ],
)
def test_only_the_blank_line_of_a_whole_event_is_kept(chunk: bytes, kept: bytes) -> None:
    machine = StreamMachine()
    for first in (b"", b"data: 0\n\n", b"data: 0\n\n{}\n\n"):
        machine.receive(first)
        machine.receive(chunk)
        assert machine._tail.data == kept
