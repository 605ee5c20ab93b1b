from __future__ import annotations

import enum
import gc
import weakref
from dataclasses import dataclass, make_dataclass
from typing import Any, NamedTuple

import fastapi.sse
import httpx_sse
import msgspec
import pydantic
import pytest

from kept_classes import if_orjson_lets_classes_die
from ssejet import Decoder, ServerSentEvent, encode
from ssejet.emit import EncodedEvent, EventStream

sse_starlette = pytest.importorskip("sse_starlette", reason="it needs Python 3.11")


def sent(*items: Any, **options: Any) -> bytes:
    return b"".join(EventStream(items, done=None, **options))


def decoded(*items: Any, **options: Any) -> list[ServerSentEvent]:
    return Decoder().feed(sent(*items, **options))


# Events of other packages


@pytest.mark.parametrize(
    "fields",
    [
        {"data": {"a": 1}},
        {"data": "text, which is sent as JSON"},
        {"data": 0},
        {"raw_data": "text\nas it is"},
        {"raw_data": "", "event": "empty"},
        {"comment": "alone"},
        {"comment": "two\nlines", "data": [1]},
        {"comment": "beside", "raw_data": "raw"},
        {"event": "ping"},
        {"event": "e", "id": "1", "retry": 5, "data": None},
        {"event": "e", "id": "1", "retry": 0, "data": [None], "comment": "c"},
    ],
    ids=repr,
)
def test_an_event_of_fastapi_is_sent_as_by_fastapi(fields: dict[str, Any]) -> None:
    event = fastapi.sse.ServerSentEvent(**fields)
    data = event.raw_data if event.raw_data is not None else event.data
    if event.raw_data is None and data is not None:
        data = pydantic.TypeAdapter(Any).dump_json(data).decode()
    expected = fastapi.sse.format_sse_event(
        data_str=data, event=event.event, id=event.id, retry=event.retry, comment=event.comment
    )
    assert sorted(sent(event).splitlines()) == sorted(expected.splitlines())


@pytest.mark.parametrize("kind", [sse_starlette.ServerSentEvent, sse_starlette.JSONServerSentEvent])
@pytest.mark.parametrize(
    "fields",
    [
        {"data": "text"},
        {"data": "two\r\nlines"},
        {"data": 5},
        {"comment": "alone"},
        {"comment": "beside", "data": "x"},
        {"event": "ping"},
        {"event": "e", "id": "1", "retry": 5, "data": "x", "comment": "c"},
        {"id": "1"},
    ],
    ids=repr,
)
def test_an_event_of_sse_starlette_is_sent_as_by_sse_starlette(kind: Any, fields: dict[str, Any]) -> None:
    expected = kind(**fields, sep="\n").encode()
    assert sorted(sent(kind(**fields)).splitlines()) == sorted(expected.splitlines())


def test_an_event_of_httpx_sse_arrives_as_it_was() -> None:
    event = httpx_sse.ServerSentEvent("e", "data", "7", 5)
    assert decoded(event) == [ServerSentEvent(event="e", data="data", id="7", retry=5)]


def test_an_id_is_written_when_it_changes_and_when_it_is_reset() -> None:
    events = [sse_starlette.ServerSentEvent("x", id=id) for id in ("1", "1", None, "2", "", "2")]
    assert [event.id for event in decoded(*events)] == ["1", "1", "1", "2", "", "2"]


@dataclass
class Row:
    event: str | None
    data: Any
    id: Any = None


def test_an_id_that_is_a_number_is_text_on_the_wire() -> None:
    assert decoded(Row("row", {"a": 1}, 7)) == [ServerSentEvent(event="row", data='{"a":1}', id="7")]


def test_an_id_of_another_type_is_an_error_that_names_it() -> None:
    with pytest.raises(TypeError, match="id must be str or None, not float"):
        sent(Row("row", "x", 1.5))


# Dicts


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"data": "x"}, b"data: x\n\n"),
        ({"data": {"a": 1}}, b'data: {"a":1}\n\n'),
        ({"data": 1, "event": "e", "id": "1", "retry": 5}, b"event: e\nid: 1\nretry: 5\ndata: 1\n\n"),
        ({"data": "x", "id": 12}, b"id: 12\ndata: x\n\n"),
        ({"comment": "alone"}, b": alone\n\n"),
        ({"comment": "beside", "data": "x"}, b": beside\ndata: x\n\n"),
        ({"event": "ping"}, b"event: ping\n\n"),
    ],
    ids=repr,
)
def test_a_dict_is_an_event_with_dict_events(item: dict[str, Any], expected: bytes) -> None:
    assert sent(item, dict_events=True) == expected


def test_a_dict_is_data_by_default() -> None:
    assert decoded({"data": "x", "event": "e"}) == [ServerSentEvent(data='{"data":"x","event":"e"}')]


@pytest.mark.parametrize("item", [{"date": "x"}, {"data": "x", "evnet": "e"}, {"data": "x", 1: 2}], ids=repr)
def test_a_dict_with_another_key_is_an_error_that_names_it_and_the_remedy(item: dict[Any, Any]) -> None:
    with pytest.raises(TypeError, match=r"no ('date'|'evnet'|1), only .*yield \{'data': the dict\}"):
        sent(item, dict_events=True)


def test_the_line_end_of_sse_starlettes_dicts_has_no_effect() -> None:
    assert sent({"data": "x", "sep": "\r"}, {"sep": "\n"}, dict_events=True) == b"data: x\n\n\n"


@pytest.mark.parametrize(
    "empty",
    [
        fastapi.sse.ServerSentEvent(),
        sse_starlette.ServerSentEvent(),
        sse_starlette.JSONServerSentEvent(),
        {},
        {"data": None},
        {"event": None, "data": None, "id": None},
    ],
    ids=["of fastapi", "of sse-starlette", "JSON of sse-starlette", "no keys", "None", "three of None"],
)
def test_an_event_without_fields_is_a_blank_line_as_its_package_sends_it(empty: Any) -> None:
    assert sent("a", empty, "b", dict_events=True) == b"data: a\n\n" + b"\n" + b"data: b\n\n"
    if isinstance(empty, sse_starlette.ServerSentEvent):
        assert empty.encode() == b"\r\n"
    if isinstance(empty, fastapi.sse.ServerSentEvent):
        assert fastapi.sse.format_sse_event() == b"\n"


def test_an_event_that_only_repeats_its_id_is_a_blank_line() -> None:
    assert sent({"id": "1"}, {"id": "1"}, dict_events=True) == b"id: 1\n\n\n"


# Classes


MAKERS: dict[str, Any] = {
    "Struct": lambda: msgspec.defstruct("Made", [("x", int)])(1),
    "dataclass": lambda: make_dataclass("Made", [("x", int)])(1),
    "pydantic": lambda: pydantic.create_model("Made", x=(int, ...))(x=1),
    "enum": lambda: enum.Enum("Made", {"X": "x"}).X,  # type: ignore[attr-defined]
    "NamedTuple": lambda: NamedTuple("Made", [("x", int)])(1),
    "dict": lambda: type("Made", (dict,), {})(x=1),
    "event": lambda: type("Made", (), {"event": None, "data": "x"})(),
    "event that is a dataclass": lambda: make_dataclass("Made", [("event", str), ("data", str)])("e", "x"),
    "event that is a model": lambda: pydantic.create_model("Made", event=(str, "e"), data=(str, "x"))(),
}


@if_orjson_lets_classes_die
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_stream_keeps_no_class_alive(make: Any) -> None:
    def use() -> list[weakref.ref[Any]]:
        items = [make() for _ in range(3)]
        assert len(sent(*items, *items)) > 0
        return [weakref.ref(type(item)) for item in items]

    gone = use()
    gc.collect()
    assert [cls() for cls in gone] == [None] * 3


def test_dict_events_does_not_change_other_items() -> None:
    items = ["text", [1], ServerSentEvent(event="e", data="x")]
    assert sent(*items, dict_events=True) == sent(*items)


# Encoded events


def test_an_encoded_event_is_sent_unchanged() -> None:
    raw = encode({"a": 1}, event="e", comment="c")
    assert sent("before", EncodedEvent(raw), "after") == encode("before") + raw + encode("after")


def test_plain_bytes_are_data_even_if_they_look_like_an_event() -> None:
    assert decoded(b"data: x\n\n") == [ServerSentEvent(data="data: x\n\n")]


def test_an_id_is_written_after_an_encoded_event_that_may_have_changed_it() -> None:
    events = decoded(
        ServerSentEvent(data="a", id="1"),
        EncodedEvent(encode("b", id="2")),
        ServerSentEvent(data="c", id="1"),
    )
    assert [event.id for event in events] == ["1", "2", "1"]


@pytest.mark.parametrize("raw", [b"data: x\n\n", b"data: x\r\n\r\n", b"data: x\r\r", b": c\n\n"])
def test_an_encoded_event_may_have_any_line_ends(raw: bytes) -> None:
    assert bytes(EncodedEvent(raw)) == raw


@pytest.mark.parametrize("raw", [b"", b"data: x", b"data: x\n", b"data: x\r\n", b"data: x\n\nda"])
def test_bytes_that_end_within_an_event_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"ends with a blank line, .*encode\(\)"):
        EncodedEvent(raw)


def test_text_is_refused_as_an_encoded_event() -> None:
    with pytest.raises(TypeError, match=r"bytes, not str: pass what ssejet\.encode\(\) returns"):
        EncodedEvent("data: x\n\n")  # type: ignore[arg-type]


def test_encoded_events_compare_by_value() -> None:
    event = EncodedEvent(encode("x"))
    assert event == EncodedEvent(encode("x")) != EncodedEvent(encode("y"))
    assert len({event, EncodedEvent(encode("x"))}) == 1
    assert repr(event) == "EncodedEvent(b'data: x\\n\\n')"
