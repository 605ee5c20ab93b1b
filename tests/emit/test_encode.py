from __future__ import annotations

import datetime
import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pydantic
import pydantic.dataclasses
import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseFormatTextJSONSchemaConfig, ResponseTextConfig

from ssejet import Decoder, ServerSentEvent, chat, encode
from strategies import json_values

if TYPE_CHECKING:
    from collections.abc import Callable

_characters = st.characters(exclude_categories=["Cs"])
_lines = st.text(st.one_of(st.sampled_from("\n\n: \tda\ufeff\x00\u2028\x85"), _characters), max_size=30)
_data = _lines.map(lambda text: text.replace("\r", "\n"))
_one_line = _lines.map(lambda text: text.translate(dict.fromkeys(map(ord, "\r\n\0"))))

events = st.builds(
    ServerSentEvent,
    event=st.one_of(st.just("message"), _one_line.filter(bool)),
    data=_data,
    id=_one_line,
    retry=st.none() | st.integers(0, 2**63 - 1),
)


def decode(encoded: bytes) -> list[ServerSentEvent]:
    return Decoder().feed(encoded)


def decode_one(encoded: bytes) -> ServerSentEvent:
    (event,) = decode(encoded)
    return event


@given(events)
def test_what_is_encoded_is_decoded_to_the_same_event(event: ServerSentEvent) -> None:
    assert decode(encode(event)) == [event]


@given(st.lists(events))
def test_many_events_stay_apart(written: list[ServerSentEvent]) -> None:
    read = decode(b"".join(map(encode, written)))
    assert [(event.event, event.data, event.retry) for event in read] == [
        (event.event, event.data, event.retry) for event in written
    ]


@given(st.text(_characters | st.sampled_from("\r\n")))
def test_line_ends_of_any_kind_arrive_as_line_feeds(data: str) -> None:
    assert decode_one(encode(data)).data == data.replace("\r\n", "\n").replace("\r", "\n")


@given(data=_data, event=_one_line.filter(bool), id=_one_line, comment=_lines)
def test_no_argument_can_be_mistaken_for_another(data: str, event: str, id: str, comment: str) -> None:
    encoded = encode(data, event=event, id=id, retry=7, comment=comment)
    assert decode(encoded) == [ServerSentEvent(event=event, data=data, id=id, retry=7)]


@given(json_values())
def test_what_json_can_hold_arrives_as_an_equal_value(value: Any) -> None:
    assume(value is not None and not isinstance(value, str))
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError:
        reject()
    assert decode_one(encode(value)).json() == json.loads(text)


def test_the_fields_come_in_a_fixed_order() -> None:
    encoded = encode("a\nb", event="delta", id="7", retry=1500, comment="note")
    assert encoded == b": note\nevent: delta\nid: 7\nretry: 1500\ndata: a\ndata: b\n\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("", b"data: \n\n"),
        (" x", b"data:  x\n\n"),
        ("é漢🚀", "data: é漢🚀\n\n".encode()),
        (b"bytes", b"data: bytes\n\n"),
        (bytearray(b"a\rb"), b"data: a\ndata: b\n\n"),
        pytest.param(memoryview(b"view"), b"data: view\n\n", id="memoryview"),
        ({"a": [1, None, "é"]}, 'data: {"a":[1,null,"é"]}\n\n'.encode()),
        ([1, 2], b"data: [1,2]\n\n"),
        (1.5, b"data: 1.5\n\n"),
        (True, b"data: true\n\n"),
        ({"n": float("nan")}, b'data: {"n":null}\n\n'),
        ({"n": 2**70}, b'data: {"n":1180591620717411303424}\n\n'),
        ({"half": "\ud83d"}, b'data: {"half":"\\ud83d"}\n\n'),
        ({1: "key"}, b'data: {"1":"key"}\n\n'),
        (
            {"when": datetime.date(2026, 1, 2), "n": 2**70},
            b'data: {"when":"2026-01-02","n":1180591620717411303424}\n\n',
        ),
        (uuid.UUID(int=0), b'data: "00000000-0000-0000-0000-000000000000"\n\n'),
        (ServerSentEvent(), b"data: \n\n"),
        (ServerSentEvent(event="x", data="y", id="z", retry=0), b"event: x\nid: z\nretry: 0\ndata: y\n\n"),
        (ServerSentEvent(event=None, data="y", id=None), b"data: y\n\n"),
    ],
    ids=repr,
)
def test_data_is_sent_as_text_or_json(data: Any, expected: bytes) -> None:
    assert encode(data) == expected


class Struct(msgspec.Struct, rename="camel"):
    some_name: str
    inner: Any = None


class Model(pydantic.BaseModel):
    name: str
    inner: Any = None


@dataclass
class Record:
    name: str
    inner: Any = None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Struct("a"), {"someName": "a", "inner": None}),
        (Model(name="a"), {"name": "a", "inner": None}),
        (Record("a"), {"name": "a", "inner": None}),
        (Struct("a", Model(name="b")), {"someName": "a", "inner": {"name": "b", "inner": None}}),
        (Record("a", Struct("b")), {"name": "a", "inner": {"someName": "b", "inner": None}}),
        (
            {"list": [Model(name="b"), Struct("c")]},
            {"list": [{"name": "b", "inner": None}, {"someName": "c", "inner": None}]},
        ),
        (Struct("\ud800"), {"someName": "\ud800", "inner": None}),
        ({"big": 2**70, "model": Model(name="b")}, {"big": 2**70, "model": {"name": "b", "inner": None}}),
    ],
    ids=repr,
)
def test_models_are_encoded_by_their_own_rules_at_any_depth(value: Any, expected: Any) -> None:
    assert decode_one(encode(value)).json() == expected


class Tagged(msgspec.Struct, frozen=True, rename="camel", tag=True, omit_defaults=True):
    the_chunk: Any
    big_number: Any = 0
    others: list[Any] = []

    def __post_init__(self) -> None:
        if isinstance(self.the_chunk, dict):
            raise TypeError("encoding must not construct the Struct again")


SENT = {
    "id": "1",
    "choices": [{"index": 0, "delta": {"content": "Hi", "odd": 1}, "seed": 3}],
    "added": {"by": "the server"},
}
CHUNK = chat.ChatCompletionChunk.from_dict(SENT)


@pytest.mark.parametrize("big", [0, 2**70, "\ud800"], ids=["plain", "big", "surrogate"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (lambda big: {"x": CHUNK, "n": big}, lambda big: {"x": SENT, "n": big}),
        (lambda big: [CHUNK, big, (CHUNK,)], lambda big: [SENT, big, [SENT]]),
        (lambda big: Record(big, CHUNK), lambda big: {"name": big, "inner": SENT}),
        (
            lambda big: Tagged([CHUNK], big),
            lambda big: {"type": "Tagged", "theChunk": [SENT], "bigNumber": big},
        ),
        (lambda big: Tagged(Record(big, {"x": CHUNK})), None),
        (lambda big: {"x": Tagged(CHUNK), "n": big}, None),
        (lambda big: Record(big, Tagged(Record("", CHUNK))), None),
        (lambda big: Tagged(CHUNK.choices[0].delta, big), None),
    ],
)
def test_a_chunk_keeps_what_its_server_added_in_whatever_holds_it(
    value: Any, expected: Any, big: Any
) -> None:
    sent = decode_one(encode(value(big))).json()
    if expected is not None and big != 0:
        assert sent == expected(big)
    assert '"odd": 1' in json.dumps(sent)
    assert "refusal" not in json.dumps(sent)  # no field that the server did not send
    assert CHUNK.to_dict() == SENT


def test_a_private_field_of_a_dataclass_is_never_sent() -> None:
    @dataclass
    class Secretive:
        name: str
        _key: str = "secret"

    for number in (1, 2**70):
        sent = decode_one(encode({"x": [Secretive("a")], "n": number})).json()
        assert sent == {"x": [{"name": "a"}], "n": number}


@pydantic.dataclasses.dataclass
class Validated:
    name: Any
    inner: Any = None


@pytest.mark.parametrize("hold", [lambda x: x, lambda x: {"x": x}, lambda x: Tagged(x)])
def test_a_dataclass_of_pydantics_is_sent_from_any_thread(hold: Any) -> None:
    value = hold(Validated(2**70, [Validated("b", 1)]))
    here = encode(value)
    assert b'"name":1180591620717411303424,"inner":[{"name":"b","inner":1}]' in here
    before = threading.stack_size(256 * 1024)
    try:
        with ThreadPoolExecutor(1) as pool:
            there = pool.submit(encode, value)
    finally:
        threading.stack_size(before)
    assert there.result() == here


@pytest.mark.parametrize("hold", [lambda x: x, lambda x: {"n": x}, lambda x: [x], lambda x: Tagged(None, x)])
def test_an_integer_of_too_many_digits_is_an_error_that_names_this_limit(hold: Any) -> None:
    with pytest.raises(TypeError, match=r"as JSON: Exceeds the limit \(4300( digits)?\)"):
        encode(hold(10**5000))


def test_an_sdks_model_is_sent_as_its_server_would_without_what_was_never_set() -> None:
    sent = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "delta": {"content": "Hi", "reasoning_content": "…"}, "finish_reason": None}
        ],
    }
    chunk = ChatCompletionChunk.model_validate(sent)
    assert decode_one(encode(chunk)).json() == sent
    assert decode_one(encode({"nested": chunk})).json() == {"nested": sent}


@given(json_values(), json_values())
def test_an_sdks_model_is_sent_as_pydantic_would_whatever_it_holds(inside: Any, extra: Any) -> None:
    choice = {"index": 0, "delta": {"content": inside, "tool_calls": [{"index": 0, "x": extra}]}}
    chunk = ChatCompletionChunk.construct(id="1", choices=[choice], usage=None, extra=extra)
    try:
        expected = json.dumps(chunk.to_dict(mode="json", warnings=False), allow_nan=False)
    except ValueError:  # NaN and the infinities
        reject()
    assert decode_one(encode(chunk)).json() == json.loads(expected)


@pytest.mark.parametrize(
    "text", ['"quoted" \\ and / \b\f\n\r\t', "\x00\x1f\x7f", "é漢🚀\u2028", "", "half \ud83d"], ids=ascii
)
def test_an_sdks_model_may_hold_any_text(text: str) -> None:
    chunk = ChatCompletionChunk.construct(id=text)
    assert decode_one(encode(chunk)).json() == {"id": text}


def test_an_sdks_model_with_other_names_on_the_wire_is_sent_with_these() -> None:
    schema = ResponseFormatTextJSONSchemaConfig(name="n", schema={"type": "object"}, type="json_schema")
    sent = {"name": "n", "schema": {"type": "object"}, "type": "json_schema"}
    assert decode_one(encode(schema)).json() == sent
    assert decode_one(encode(ResponseTextConfig(format=schema))).json() == {"format": sent}


def test_an_sdks_model_that_contains_itself_is_an_error() -> None:
    chunk = ChatCompletionChunk.construct(id="1")
    chunk.extra = [chunk]  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="cannot send ChatCompletionChunk as JSON"):
        encode(chunk)


def test_arguments_replace_the_fields_of_an_event() -> None:
    event = ServerSentEvent(event="x", data="y", id="z", retry=1)
    assert encode(event, event="message", id="", retry=2) == b"event: message\nid: \nretry: 2\ndata: y\n\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"comment": "ping"}, b": ping\n\n"),
        ({"comment": ""}, b": \n\n"),
        ({"comment": "a\r\nb"}, b": a\n: b\n\n"),
        ({"retry": 3000}, b"retry: 3000\n\n"),
        ({"id": "5"}, b"id: 5\n\n"),
    ],
    ids=repr,
)
def test_none_sends_no_data(arguments: dict[str, Any], expected: bytes) -> None:
    assert encode(None, **arguments) == expected
    assert decode(expected) == []


@pytest.mark.parametrize("field", ["event", "id"])
@pytest.mark.parametrize(("character", "name"), [("\r", "CR"), ("\n", "LF"), ("\0", "NUL")])
def test_a_type_or_an_id_that_would_end_its_line_is_refused(field: str, character: str, name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{field} must not contain CR, LF or NUL: it contains {name}$"):
        encode("x", **{field: f"a{character}data: injected"})
    event = ServerSentEvent(data="x", **{field: f"a{character}b"})
    with pytest.raises(ValueError, match=f"^{field} must not contain"):
        encode(event)


@pytest.mark.parametrize("retry", [-1, 2**63])
def test_a_reconnection_time_out_of_range_is_refused(retry: int) -> None:
    with pytest.raises(ValueError, match=r"retry must be a number of milliseconds from 0 to 2\*\*63-1"):
        encode("x", retry=retry)


@pytest.mark.parametrize("retry", [1.0, "1", True])
def test_a_reconnection_time_that_is_no_integer_is_refused(retry: Any) -> None:
    with pytest.raises(TypeError, match="retry must be int or None"):
        encode("x", retry=retry)


@pytest.mark.parametrize("field", ["event", "id", "comment"])
def test_a_field_that_is_no_text_is_refused(field: str) -> None:
    with pytest.raises(TypeError, match=f"{field} must be str or None, not int"):
        encode("x", **{field: 5})


@pytest.mark.parametrize(
    "arguments", [{"data": "\ud83d"}, {"data": "", "event": "\ud83d"}, {"data": "", "comment": "\ud83d"}]
)
def test_a_lone_surrogate_is_an_error_that_says_where_and_what_to_do(arguments: dict[str, str]) -> None:
    field = list(arguments)[-1]
    with pytest.raises(
        ValueError, match=rf'^{field} holds a lone surrogate.*{field}\.encode\("utf-8", "replace"\)'
    ):
        encode(**arguments)


def test_bytes_that_are_not_utf8_are_an_error_that_says_where() -> None:
    with pytest.raises(ValueError, match=r"data must be UTF-8, as event streams are: .* from index 1"):
        encode(b"a\xff")


@pytest.mark.parametrize("value", [object(), {"a": object()}, [{1j}], Struct("a", object())], ids=type)
def test_what_json_cannot_hold_is_an_error_that_names_it(value: Any) -> None:
    with pytest.raises(
        TypeError, match=f"cannot send {type(value).__name__} as JSON: .*; send text, a model, or"
    ):
        encode(value)


def test_nothing_to_send_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"there is nothing to send.*to send JSON's null, pass"):
        encode(None)


def test_values_that_contain_themselves_are_an_error() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(TypeError, match="cannot send list as JSON"):
        encode(value)


def test_only_data_is_positional() -> None:
    with pytest.raises(TypeError):
        encode("x", "y")  # type: ignore[misc]


class Base(msgspec.Struct):
    number: int = 0


class HoldsModel(Base):
    chunk: Any = None


class HoldsStruct(msgspec.Struct, rename="camel"):
    the_item: Base
    text: str = ""


class HoldsAny(msgspec.Struct):
    item: Any
    names: list[str] = []


WITH_ADDED_FIELD = {"id": "1", "choices": [], "added_by_server": [1]}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda chunk: HoldsAny(chunk),
        lambda chunk: HoldsAny({"deep": [chunk]}),
        lambda chunk: HoldsAny(HoldsAny((chunk,))),
        lambda chunk: HoldsStruct(HoldsModel(1, chunk)),
        lambda chunk: HoldsStruct(HoldsModel(1, HoldsStruct(HoldsModel(2, [chunk])))),
    ],
    ids=["a field", "a list in a dict", "a tuple in a Struct", "a subclass", "a subclass in a subclass"],
)
def test_a_struct_sends_all_that_a_chunk_inside_it_keeps(wrap: Callable[[Any], Any]) -> None:
    (event,) = Decoder().feed(encode(wrap(chat.ChatCompletionChunk.from_dict(WITH_ADDED_FIELD))))
    assert '"added_by_server":[1]' in event.data


def test_a_struct_in_a_struct_is_sent_under_its_own_names() -> None:
    (event,) = Decoder().feed(encode(HoldsStruct(HoldsModel(1, HoldsAny({"a": 1})), "x")))
    assert event.json() == {
        "theItem": {"number": 1, "chunk": {"item": {"a": 1}, "names": []}},
        "text": "x",
    }


class HoldsText(msgspec.Struct):
    text: str


def test_a_chunk_in_a_field_for_text_is_sent_without_what_the_server_added() -> None:
    # Fields that can only hold text are not searched, as that would slow down each item.
    chunk: Any = chat.ChatCompletionChunk.from_dict(WITH_ADDED_FIELD)
    (event,) = Decoder().feed(encode(HoldsText(chunk)))
    assert event.json()["text"]["id"] == "1"
    assert "added_by_server" not in event.json()["text"]
