"""How a decoder pauses before an error, so that each error keeps its order among the events."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from ssejet import Decoder, EventTooLargeError


class CommentError(Exception):
    """What the callbacks here raise."""


def refuse(comment: str) -> None:
    raise CommentError(comment)


def data_of(result: tuple[list[Any], bool]) -> tuple[list[str], bool]:
    events, is_paused = result
    return [event.data for event in events], is_paused


def test_a_decoder_without_errors_does_not_pause() -> None:
    decoder = Decoder()
    assert data_of(decoder._feed(b"data: 1\n\ndata: 2")) == (["1"], False)
    assert data_of(decoder._feed(None)) == ([], False)
    assert data_of(decoder._resume()) == ([], False)


def test_the_end_of_the_input_can_bring_an_event() -> None:
    decoder = Decoder(flush_incomplete=True)
    assert data_of(decoder._feed(b"data: 1\n")) == ([], False)
    assert data_of(decoder._feed(None)) == (["1"], False)


def test_an_exception_of_the_callback_pauses_the_decoder_until_it_is_resumed_twice() -> None:
    decoder = Decoder(on_comment=refuse)
    assert data_of(decoder._feed(b":1\ndata: 1\n\n:2\ndata: 2\n\n")) == ([], True)
    with pytest.raises(CommentError, match="1"):
        decoder._resume()
    assert data_of(decoder._resume()) == (["1"], True)
    with pytest.raises(CommentError, match="2"):
        decoder._resume()
    assert data_of(decoder._resume()) == (["2"], False)


def test_more_input_does_not_take_the_place_of_an_exception_that_waits() -> None:
    decoder = Decoder(on_comment=refuse)
    assert data_of(decoder._feed(b"data: 1\n\n:1\n")) == (["1"], True)
    assert data_of(decoder._feed(b"data: 2\n\n")) == ([], True)
    assert data_of(decoder._feed(None)) == ([], True)
    with pytest.raises(CommentError, match="1"):
        decoder._resume()
    assert data_of(decoder._resume()) == (["2"], False)


def test_an_event_over_the_limit_pauses_the_decoder_if_events_come_before_it() -> None:
    decoder = Decoder(max_event_size=20)
    assert data_of(decoder._feed(b"data: 1\n\ndata: " + b"x" * 50)) == (["1"], True)
    with pytest.raises(EventTooLargeError):
        decoder._resume()
    with pytest.raises(EventTooLargeError):
        decoder._feed(b"")


def test_an_exception_that_is_never_resumed_is_reported() -> None:
    reported: list[str] = []
    decoder = Decoder(on_comment=refuse)
    assert data_of(decoder._feed(b":1\n")) == ([], True)
    hook, sys.unraisablehook = sys.unraisablehook, lambda args: reported.append(str(args.exc_value))
    try:
        del decoder
    finally:
        sys.unraisablehook = hook
    assert ["CommentError('1')" in text for text in reported] == [True]


@pytest.mark.parametrize("wrong", ["text", 1])
def test_a_chunk_must_be_bytes_or_none(wrong: Any) -> None:
    with pytest.raises(TypeError):
        Decoder()._feed(wrong)
