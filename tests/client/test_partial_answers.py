"""An error in the middle of a stream of chunks or events carries the part of the answer that had arrived."""

from __future__ import annotations

import copy
import json
import pickle
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from accounts import DONE, chunk
from test_background import CREATED, read, word

from servers import Then
from ssejet import (
    APIConnectionError,
    APIError,
    APIStatusError,
    Decoder,
    EventTooLargeError,
    InvalidJSONError,
    SSEError,
    Stream,
    TruncatedStreamError,
    encode,
)
from ssejet._core import KeptBytes
from ssejet.chat import ChatCompletionChunk, ChatCompletionStream, ParsedChatCompletion
from ssejet.typed import _kept_input

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accounts import Account
    from users import AsyncUser, SyncUser

    User = SyncUser | AsyncUser


def text_chunk(text: str, **more: Any) -> bytes:
    return encode(json.dumps({"id": "c", "model": "m", "choices": [{"index": 0, "text": text, **more}]}))


def message_event(kind: str, **fields: Any) -> bytes:
    return encode(json.dumps({"type": kind, **fields}), event=kind)


MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": '}}
ANSWERS: dict[str, tuple[list[bytes], Any]] = {
    "chat.completions.create": (
        [chunk(role="assistant", content=" one"), chunk(content=" two"), chunk(tool_calls=[CALL])],
        lambda answer: (
            answer.choices[0].message.content,
            answer.choices[0].message.tool_calls[0].function.arguments,
        ),
    ),
    "completions.create": (
        [text_chunk(" one", logprobs={"tokens": [" one"]}), text_chunk(" two", logprobs={"tokens": ["t"]})],
        lambda answer: (answer.choices[0].text, answer.choices[0].logprobs.tokens, answer.model),
    ),
    "responses.create": ([CREATED, word(1), word(2)], lambda answer: (answer.output_text, answer.id)),
    "messages.create": (
        [
            message_event("message_start", message=MESSAGE),
            message_event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            *(
                message_event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})
                for text in (" one", " two")
            ),
        ],
        lambda answer: (answer.text, answer.id),
    ),
}
EXPECTED = {
    "chat.completions.create": (" one two", '{"a": '),
    "completions.create": (" one two", [" one", "t"], "m"),
    "responses.create": (" one two", "resp_1"),
    "messages.create": (" one two", "msg_1"),
}
FAILURES: dict[str, tuple[type[SSEError], tuple[Any, ...]]] = {
    "the server reports an error": (APIError, (encode('{"error": {"message": "no"}}'), chunk(content="3"))),
    "an event is not JSON": (InvalidJSONError, (encode('{"id": "cut'), chunk(content="3"))),
    "the connection breaks": (APIConnectionError, (b"data: {", Then.DROP)),
    "the body ends": (TruncatedStreamError, ()),
}


@pytest.mark.pairs
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("method", ANSWERS)
def test_an_error_of_a_created_stream_has_the_answer_so_far(
    user: User, account: Account, method: str, failure: str
) -> None:
    events, look_at = ANSWERS[method]
    kind, steps = FAILURES[failure]
    account.reply(*events, *steps)
    outcome = user.call(account, method, stream=True)
    assert type(outcome.error) is kind
    assert len(outcome.items) == len(events)
    assert look_at(outcome.error.partial) == EXPECTED[method]
    for other in (copy.copy(outcome.error), pickle.loads(pickle.dumps(outcome.error))):
        assert look_at(other.partial) == EXPECTED[method]


def test_an_error_at_the_start_of_a_stream_has_no_answer(user: User, account: Account) -> None:
    account.reply(encode('{"error": {"message": "no"}}'))
    assert user.call(account, stream=True, max_retries=0).error.partial is None


def test_an_error_of_a_stream_that_was_taken_up_again_has_what_all_its_parts_sent(
    user: User, account: Account
) -> None:
    account.reply(CREATED, word(1), word(2), Then.DROP)
    account.reply(CREATED, *map(word, range(1, 4)), b"data: {", Then.DROP)  # some come twice
    account.reply(word(4), encode('{"error": {"message": "no"}}', event="error"))
    outcome = read(user, account)
    assert isinstance(outcome.error, APIError)
    assert outcome.error.partial.output_text == " one two three four"


def test_an_error_of_the_request_for_the_rest_has_what_came_before(user: User, account: Account) -> None:
    account.reply(CREATED, word(1), word(2), Then.DROP)
    account.refuse(404)
    outcome = read(user, account)
    assert isinstance(outcome.error, APIStatusError)
    assert outcome.error.partial.output_text == " one two"


class Response:
    """A response whose body is given."""

    def __init__(self, pieces: Any) -> None:
        self.pieces = pieces
        self.headers = {"content-type": "text/event-stream"}
        self.status_code = 200

    def iter_bytes(self) -> Iterator[bytes]:
        yield from self.pieces

    def close(self) -> None:
        pass


def error_of(stream: Any) -> SSEError:
    with pytest.raises(SSEError) as caught:
        list(stream)
    return caught.value


def test_an_error_has_the_answer_so_far_however_long_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def keep_little(kept: KeptBytes, data: bytes) -> bool:
        return KeptBytes.add(kept, data) or kept.size > 20_000

    # So that the bytes are read before the end, too.
    monkeypatch.setattr(_kept_input.KeptInput, "add", keep_little)
    words = [f" {number}" for number in range(5000)]
    body = b"".join(chunk(content=each) for each in words) + b"data: {\n\n"
    for size in (100, 1000, 100_000):
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        error = error_of(Stream(Response(pieces), cast_to=ChatCompletionChunk))
        assert error.partial.choices[0].message.content == "".join(words)


def test_an_error_has_what_came_before_an_event_over_the_limit() -> None:
    pieces = [chunk(content="one"), b"data: " + b"x" * 2000]
    stream = Stream(Response(pieces), cast_to=ChatCompletionChunk, decoder=Decoder(max_event_size=1000))
    error = error_of(stream)
    assert isinstance(error, EventTooLargeError)
    assert error.partial.choices[0].message.content == "one"


def test_an_error_of_a_stream_of_events_has_the_answer_of_its_state() -> None:
    source = Stream(Response([chunk(content="one"), b"data: {\n\n"]), cast_to=ChatCompletionChunk)
    stream: Any = ChatCompletionStream(source)
    error = error_of(stream)
    assert source._machine._kept is None
    assert type(error.partial) is ParsedChatCompletion
    assert error.partial.choices[0].message.content == "one"


def test_a_stream_keeps_no_input_after_its_end() -> None:
    stream = Stream(Response([chunk(content="one") * 1000, DONE]), cast_to=ChatCompletionChunk)
    assert len(list(stream)) == 1000
    kept = stream._machine._kept
    assert kept is not None
    assert (kept.size, kept._machine) == (0, None)


def test_a_stream_of_other_items_keeps_no_input() -> None:
    stream = Stream(Response([chunk(content="one")]))
    assert stream._machine._kept is None
    list(stream)


def test_kept_bytes_are_given_back_as_they_were() -> None:
    random = Random(5)
    samples = [b"".join(random.choices([b"a", b"bc", b"\n", b"\r\n", b"\n\n"], k=n)) for n in range(200)]
    samples += [b"".join(chunk(content=str(n)) for n in range(100)), random.randbytes(5000), b"\n" * 300]
    kept = KeptBytes()
    for sample in samples:
        for data in (sample, sample * 3):
            for most in (1, 7, 400, len(data) + 1):
                rest = data
                while rest:
                    size = random.randint(1, most)
                    kept.add(rest[:size])
                    rest = rest[size:]
                assert kept.take() == data
                assert kept.size == 0


def test_kept_bytes_of_an_answer_are_small_however_they_are_cut() -> None:
    events = b"".join(chunk(content=f" {number}") for number in range(1000))
    for size in (10, 1000, len(events)):
        kept = KeptBytes()
        for start in range(0, len(events), size):
            kept.add(memoryview(events)[start : start + size])
        assert kept.size < len(events) / 8
