"""ServerSentEvent: an immutable value, and its JSON."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import strategies
from ssejet import Decoder, ServerSentEvent

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS = ("event", "data", "id", "retry")
DEFAULT = ServerSentEvent()
FULL = ServerSentEvent(event="update", data='{"a": 1}', id="7", retry=1500)
NONES = ServerSentEvent(event=None, data="", id=None, retry=None)
ODD = ServerSentEvent(event="'\"\\\n\0", data="\ud800…😀\x85", id="é", retry=2**63 - 1)

events = st.builds(
    ServerSentEvent,
    event=st.none() | st.text(),
    data=st.text(st.characters()),
    id=st.none() | st.text(),
    retry=st.none() | st.integers(0, 2**63 - 1),
)


def fields(event: ServerSentEvent) -> tuple[str | None, str, str | None, int | None]:
    return event.event, event.data, event.id, event.retry


# Construction


def test_defaults_are_those_of_an_event_the_stream_says_nothing_of() -> None:
    assert fields(DEFAULT) == ("message", "", "", None)


def test_fields_are_what_was_given() -> None:
    assert fields(FULL) == ("update", '{"a": 1}', "7", 1500)
    assert fields(NONES) == (None, "", None, None)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"event": 1}, TypeError, r"event must be str or None, not int"),
        ({"event": b"e"}, TypeError, r"event must be str or None, not bytes"),
        ({"data": None}, TypeError, r"data must be str, not NoneType"),
        ({"data": b"a"}, TypeError, r"data must be str, not bytes"),
        ({"id": 1}, TypeError, r"id must be str or None, not int"),
        ({"retry": "1"}, TypeError, r"retry must be int or None, not str"),
        ({"retry": 1.0}, TypeError, r"retry must be int or None, not float"),
        ({"retry": True}, TypeError, r"retry must be int or None, not bool"),
        ({"retry": -1}, ValueError, r"retry .*not -1"),
        ({"retry": 2**63}, ValueError, r"retry .*2\*\*63-1"),
        ({"type": "e"}, TypeError, r"type.*event, data, id or retry"),
    ],
)
def test_a_bad_field_is_named(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ServerSentEvent(**arguments)
    with pytest.raises(error, match=message):
        FULL.__replace__(**arguments)


def test_fields_are_keywords() -> None:
    with pytest.raises(TypeError, match="keyword"):
        ServerSentEvent("message", "a")
    with pytest.raises(TypeError, match="keyword"):
        FULL.__replace__("message")


def test_values_of_subclasses_become_exact_strings_and_integers() -> None:
    class Text(str):
        __slots__ = ()

    class Number(int):
        pass

    event = ServerSentEvent(event=Text("e"), data=Text("d"), id=Text("i"), retry=Number(5))
    assert fields(event) == ("e", "d", "i", 5)
    assert [type(field) for field in fields(event)] == [str, str, str, int]


# Immutability


@pytest.mark.parametrize("name", [*FIELDS, "json", "other", "__dict__", "__class__"])
def test_no_attribute_of_an_event_can_be_set(name: str) -> None:
    event = ServerSentEvent(data="a")
    with pytest.raises((AttributeError, TypeError)):
        setattr(event, name, "x")
    with pytest.raises((AttributeError, TypeError)):
        delattr(event, name)
    assert event == ServerSentEvent(data="a")


def test_the_constructor_does_not_run_again_over_an_event() -> None:
    event = ServerSentEvent(data="a")
    with contextlib.suppress(TypeError):
        event.__init__(data="b")  # type: ignore[misc]
    assert event.data == "a"


def test_the_class_is_final() -> None:
    with pytest.raises(TypeError, match="ServerSentEvent"):
        type("Sub", (ServerSentEvent,), {})


def test_the_class_cannot_be_changed_by_accident() -> None:
    member = ServerSentEvent.data
    try:
        with pytest.raises(TypeError):
            ServerSentEvent.data = "x"  # type: ignore[misc, assignment]
    finally:
        if ServerSentEvent.data != member:
            ServerSentEvent.data = member  # type: ignore[misc, assignment]


def test_the_class_says_where_it_is_found() -> None:
    assert ServerSentEvent.__module__ == "ssejet"
    assert ServerSentEvent.__qualname__ == "ServerSentEvent"
    assert ServerSentEvent.__doc__
    assert ServerSentEvent.json.__doc__


# Equality and hashing


@given(events, events)
@example(DEFAULT, NONES)
@example(FULL, FULL)
@example(ServerSentEvent(data="a"), ServerSentEvent(event="a"))
def test_events_are_equal_and_hashed_by_value(one: ServerSentEvent, other: ServerSentEvent) -> None:
    assert (one == other) is (fields(one) == fields(other))
    assert (one != other) is (fields(one) != fields(other))
    twin = ServerSentEvent(event=one.event, data=one.data, id=one.id, retry=one.retry)
    assert twin == one
    assert hash(twin) == hash(one)


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_counts_for_equality(name: str) -> None:
    other = FULL.__replace__(**{name: 2 if name == "retry" else "other"})
    assert other != FULL
    assert len({other, FULL, FULL.__replace__()}) == 2


def test_an_event_of_a_decoder_equals_one_made_by_hand() -> None:
    [event] = Decoder().feed(b'event: update\nid: 7\nretry: 1500\ndata: {"a": 1}\n\n')
    assert event == FULL
    assert {event: 1}[FULL] == 1


@pytest.mark.parametrize("other", [None, "update", ("update", '{"a": 1}', "7", 1500), object()])
def test_other_types_are_never_equal(other: object) -> None:
    assert other != FULL
    assert not other == FULL  # noqa: SIM201


def test_equality_lets_the_other_side_decide() -> None:
    class Anything:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            return True

    assert Anything() == FULL


def test_events_have_no_order() -> None:
    with pytest.raises(TypeError):
        FULL < DEFAULT  # type: ignore[operator]  # noqa: B015
    with pytest.raises(TypeError):
        FULL >= DEFAULT  # type: ignore[operator]  # noqa: B015


# Copies


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("event", [DEFAULT, FULL, NONES, ODD], ids=repr)
def test_events_are_pickled_with_every_protocol(event: ServerSentEvent, protocol: int) -> None:
    restored = pickle.loads(pickle.dumps(event, protocol))
    assert type(restored) is ServerSentEvent
    assert restored == event


def test_events_are_pickled_by_the_pickler_written_in_python() -> None:
    assert pickle._loads(pickle._dumps(FULL)) == FULL  # type: ignore[attr-defined]


@pytest.mark.parametrize("event", [DEFAULT, FULL, NONES, ODD], ids=repr)
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_are_equal(
    copied: Callable[[ServerSentEvent], ServerSentEvent], event: ServerSentEvent
) -> None:
    assert copied(event) == event
    assert copied([event]) == [event]


def test_replace_changes_the_fields_named() -> None:
    assert FULL.__replace__(data="b") == ServerSentEvent(event="update", data="b", id="7", retry=1500)
    assert FULL.__replace__(event=None, retry=None) == ServerSentEvent(event=None, data='{"a": 1}', id="7")
    assert FULL.__replace__() == FULL
    assert FULL.retry == 1500


@pytest.mark.skipif(sys.version_info < (3, 13), reason="copy.replace is newer")
def test_copy_replace_changes_the_fields_named() -> None:
    assert copy.replace(FULL, data="b") == FULL.__replace__(data="b")


# Representation and matching


def test_repr_reads_like_the_constructor() -> None:
    assert repr(ServerSentEvent(data="x")) == "ServerSentEvent(event='message', data='x', id='', retry=None)"


@given(events)
@example(ODD)
def test_repr_evaluates_to_an_equal_event(event: ServerSentEvent) -> None:
    assert eval(repr(event)) == event
    assert str(event) == repr(event)


def test_events_match_by_position_and_by_name() -> None:
    assert ServerSentEvent.__match_args__ == FIELDS
    match FULL:
        case ServerSentEvent("update", data, id, retry):
            assert (data, id, retry) == ('{"a": 1}', "7", 1500)
        case _:
            pytest.fail("did not match by position")
    match DEFAULT:
        case ServerSentEvent(event="message", retry=int()):
            pytest.fail("matched a retry that is not there")
        case ServerSentEvent(event="message", id=""):
            pass
        case _:
            pytest.fail("did not match by name")


# JSON


def outcome(decode: Callable[[], Any]) -> tuple[str, ...]:
    """What a call gives or raises, in a form that tells 1 from 1.0 and True, and -0.0 from 0.0."""
    try:
        return ("value", repr(decode()))
    except Exception as error:
        return ("error", type(error).__name__, str(error))


def assert_json_is_that_of_the_standard_library(text: str) -> None:
    assert outcome(ServerSentEvent(data=text).json) == outcome(lambda: json.loads(text))


@given(strategies.json_values(), st.booleans(), st.sampled_from([None, 0, 2]))
def test_json_decodes_whatever_the_standard_library_encodes(
    value: Any, ensure_ascii: bool, indent: int | None
) -> None:
    assert_json_is_that_of_the_standard_library(json.dumps(value, ensure_ascii=ensure_ascii, indent=indent))


@given(strategies.json_like_texts())
def test_json_takes_and_refuses_what_the_standard_library_does(text: str) -> None:
    assert_json_is_that_of_the_standard_library(text)


@given(st.text(st.characters()))
def test_json_of_any_text_is_that_of_the_standard_library(text: str) -> None:
    assert_json_is_that_of_the_standard_library(text)
    assert_json_is_that_of_the_standard_library(f'"{text}"')


BY_HAND = {
    "plain": ["null", "true", "false", "0", "1", "-1", '""', "[]", "{}", ' {"a" : [ 1 , 2 ] } ', '"…😀"'],
    "what orjson refuses": [
        *["NaN", "Infinity", "-Infinity", "[NaN, -Infinity]", '{"a": NaN}', r'"\ud800"', r'"\udc00\ud800"'],
        *[r'{"\ud800": 1}', '"\ud800"'],
    ],
    "integers": [
        *["9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"],
        *["18446744073709551615", "18446744073709551616", "-18446744073709551616"],
        *["[1, 99999999999999999999]", "123456789012345678901234567890", '{"a": 10000000000000000000000}'],
        *["-99999999999999999999", "-0", "[-0]", '{"a":-0}', "[-0,-0.0,0]", "00", "-00", "01", "-01"],
        *["0" * 40],
    ],
    "floating point": [
        *["1.0", "-0.0", "-0e0", "-0E+1", "1e0", "1E5", "1e+5", "0.1", "0.30000000000000004", "5e-324"],
        *["2e-324", "1e309", "1e400", "-1e400", "1E400", "1e-400", "-1e-400", "1e99999999999"],
        *["2.2250738585072011e-308", "1.7976931348623157e308", "1.7976931348623159e308"],
        *["9007199254740993.0", "100000000000000000000e-20", "123456789012345678901234567890.5"],
        *["9007199254740992." + "9" * 40, "1.", ".5", "1e", "1e+"],
    ],
    "structure": [
        *['{"a": 1, "b": 2, "a": 3}', '{"": 1, "": 2}', "[" * 500 + "]" * 500],
        *['{"a":' * 300 + "1" + "}" * 300, " \t\r\n1\r\n\t ", "\v1", "\f1", "1\u00a0", "\u2028[]"],
        *["[\u0085]", "\ufeff", "\ufeff{}"],
    ],
    "strings": [
        *[r'"\u0000\b\f\n\r\t\/\\\""', '"\x00"', '"\x1f"', '"\n"', '"\x7f"', "'a'", '"', '"a', '"\\'],
        *[r'"\x"', r'"\u12"', r'"\u12G4"', r'"\u+123"', r'"\U0001F600"', r'"\uD83D"', r'"\ud83d\u0041"'],
        *[r'"\ud83d\ude00"', r'"\ud83d\\ude00"'],
    ],
    "not JSON": [
        *["", " ", "[1", "[1,]", "{", '{"a"}', '{"a":}', '{"a":1,}', "{1: 2}", "[1 2]", "1 2", "]", ","],
        *[":", "nul", "nulll", "True", "None", "nan", "-NaN", "inf", "-Inf", "INFINITY", "+1", "- 1"],
        *["--1", "0x10", "1_000", "１", "[DONE]", "// a", "/**/1", "\0", "{}\0", "[]x"],
    ],
}


@pytest.mark.parametrize("texts", BY_HAND.values(), ids=BY_HAND)
def test_json_of_unusual_texts_is_that_of_the_standard_library(texts: list[str]) -> None:
    for text in texts:
        assert_json_is_that_of_the_standard_library(text)


def test_json_beyond_the_limit_of_digits_is_the_standard_librarys_error() -> None:
    assert_json_is_that_of_the_standard_library("9" * (sys.get_int_max_str_digits() + 1))
    assert_json_is_that_of_the_standard_library("[" + "9" * sys.get_int_max_str_digits() + "]")


@pytest.mark.parametrize("digits", range(15, 25))
@pytest.mark.parametrize("before", range(0, 24, 5))
def test_integers_are_exact_wherever_they_stand(digits: int, before: int) -> None:
    for digit in "19":
        text = f'{{"{"k" * before}": [{digit * digits}, -{digit * digits}, {digit * digits}.5]}}'
        assert_json_is_that_of_the_standard_library(text)


@pytest.mark.parametrize("depth", [900, 1_000, 1_024, 1_025, 100_000])
def test_deep_nesting_is_decoded_or_refused_like_the_standard_librarys_and_never_a_crash(depth: int) -> None:
    text = "[" * depth + "]" * depth
    try:
        value = ServerSentEvent(data=text).json()
    except RecursionError:
        with pytest.raises(RecursionError):
            json.loads(text)
    else:
        for _ in range(depth - 1):
            [value] = value
        assert value == []


def test_invalid_json_raises_json_decode_error_with_the_position() -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        ServerSentEvent(data='{"a": 1,\n "b": x}').json()
    assert (caught.value.lineno, caught.value.colno) == (2, 7)
    assert type(caught.value) is json.JSONDecodeError


def test_json_gives_a_new_value_each_time() -> None:
    first = FULL.json()
    first["a"] = 2
    assert FULL.json() == {"a": 1}
