"""A stream of a response that runs in the background is taken up again after the last event that came."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from users import KEY, AsyncUser, SyncUser

from servers import Then
from ssejet import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AsyncClient,
    Client,
    Decoder,
    SSEError,
    TruncatedStreamError,
    encode,
)
from ssejet.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts import Account

    User = SyncUser | AsyncUser

RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "in_progress"}
WORDS = [" one", " two", " three", " four", " five"]
TEXT = "".join(WORDS)


def event(kind: str, number: int | None, **fields: Any) -> bytes:
    numbered = {} if number is None else {"sequence_number": number}
    return encode(json.dumps({"type": kind, **numbered, **fields}), event=kind)


def word(number: int, **fields: Any) -> bytes:
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    return event("response.output_text.delta", number, **place, delta=WORDS[number - 1], **fields)


CREATED = event("response.created", 0, response=RESPONSE)
PARTS = [{"type": "output_text", "text": TEXT, "annotations": []}]
OUTPUT = [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": PARTS}]
COMPLETED = event("response.completed", 6, response={**RESPONSE, "status": "completed", "output": OUTPUT})
ALL = [CREATED, *map(word, range(1, 6)), COMPLETED]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> list[float]:
    """The waits before a stream is taken up again, too."""
    monkeypatch.setattr("ssejet.client._resuming.time", SimpleNamespace(sleep=waits.append))
    return waits


def asked(account: Account) -> list[tuple[str, str, dict[str, str]]]:
    return [(each.method, each.path, each.query) for each in account.requests]


def after(number: int) -> tuple[str, str, dict[str, str]]:
    return "GET", "/responses/resp_1", {"stream": "true", "starting_after": str(number)}


def read(user: User, account: Account, **params: Any) -> Any:
    return user.call(account, "responses.create", stream=True, background=True, **params)


def text_of(items: list[Any]) -> str:
    return "".join(item.delta for item in items if item.type == "response.output_text.delta")


CUTS: dict[str, tuple[bytes | Then, ...]] = {
    "the connection breaks": (Then.DROP,),
    "the body ends": (),
    "the body ends within an event": (word(3)[:20],),
    "the sentinel comes too early": (b"data: [DONE]\n\n", word(3), COMPLETED),
    "the body ends with the sentinel": (b"data: [DONE]",),
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=list(CUTS))
def test_a_stream_that_is_cut_goes_on_without_a_loss(user: User, account: Account, cut: Any) -> None:
    account.reply(CREATED, word(1), word(2), *cut)
    account.reply(*ALL[3:])
    outcome = read(user, account).checked()
    assert text_of(outcome.items) == TEXT
    assert [item.sequence_number for item in outcome.items] == [*range(7)]
    assert asked(account)[1:] == [after(2)]
    assert outcome.stream.metrics.reconnections == 1
    assert outcome.stream.metrics.finished


def test_a_stream_can_be_cut_several_times(user: User, account: Account, pauses: list[float]) -> None:
    for each in ALL:
        account.reply(each, Then.DROP)
    outcome = read(user, account).checked()
    assert text_of(outcome.items) == TEXT
    # Nothing is asked for after the last event, although the connection broke.
    assert asked(account)[1:] == [after(number) for number in range(6)]
    assert len(pauses) == 6


def test_an_event_that_the_server_sends_again_does_not_come_twice(user: User, account: Account) -> None:
    account.reply(CREATED, word(1), word(2), Then.DROP)
    account.reply(*ALL)
    outcome = read(user, account).checked()
    assert [item.sequence_number for item in outcome.items] == [*range(7)]


@pytest.mark.slow
def test_a_stream_that_waits_too_long_goes_on(user: User, account: Account) -> None:
    account.reply(CREATED, word(1), Then.HANG)
    account.reply(*ALL[2:])
    outcome = read(user, account, idle_timeout=2).checked()
    assert text_of(outcome.items) == TEXT


@pytest.mark.slow
def test_a_stream_that_is_out_of_time_ends(user: User, account: Account) -> None:
    account.reply(CREATED, word(1), Then.HANG)
    outcome = read(user, account, timeout=2)
    assert isinstance(outcome.error, APITimeoutError)
    assert outcome.error.kind == "total"
    assert len(account.requests) == 1


def test_the_attempts_to_go_on_are_bounded(user: User, account: Account, pauses: list[float]) -> None:
    account.reply(CREATED, word(1), Then.DROP)
    for _ in range(20):
        account.reply(CREATED, Then.DROP)
    outcome = read(user, account, max_retries=2)
    assert isinstance(outcome.error, APIConnectionError)
    assert asked(account)[1:] == [after(1)] * 2
    assert len(pauses) == 2


def test_a_retrieval_that_fails_is_tried_again(user: User, account: Account) -> None:
    account.reply(CREATED, word(1), Then.DROP)
    account.refuse(503)
    account.reply(*ALL[2:])
    assert text_of(read(user, account).checked().items) == TEXT
    assert asked(account)[1:] == [after(1)] * 2


def test_a_retrieval_that_is_refused_ends_the_stream(user: User, account: Account) -> None:
    account.reply(CREATED, word(1), Then.DROP)
    account.refuse(404)
    outcome = read(user, account)
    assert isinstance(outcome.error, APIStatusError)
    assert text_of(outcome.items) == WORDS[0]


def test_without_retries_a_stream_that_is_cut_fails(user: User, account: Account) -> None:
    account.reply(CREATED, word(1), Then.DROP)
    assert isinstance(read(user, account, max_retries=0).error, APIConnectionError)
    assert len(account.requests) == 1


def test_without_sequence_numbers_a_stream_that_is_cut_fails(user: User, account: Account) -> None:
    account.reply(event("response.created", None, response=RESPONSE), Then.DROP)
    assert isinstance(read(user, account).error, APIConnectionError)
    assert len(account.requests) == 1


@pytest.mark.parametrize("numbers", [(0, 0, 0), (5, 3, 4)])
def test_no_event_is_lost_if_the_numbers_of_a_server_do_not_rise(
    user: User, account: Account, numbers: tuple[int, ...]
) -> None:
    words = [
        event(
            "response.output_text.delta", number, item_id="msg_1", output_index=0, content_index=0, delta=word
        )
        for number, word in zip(numbers, WORDS, strict=False)
    ]
    account.reply(CREATED, *words, COMPLETED)
    outcome = read(user, account).checked()
    assert text_of(outcome.items) == "".join(WORDS[:3])
    # They do not tell where to go on.
    account.reply(CREATED, *words, Then.DROP)
    outcome = read(user, account)
    assert isinstance(outcome.error, APIConnectionError)
    assert text_of(outcome.items) == "".join(WORDS[:3])


def test_a_response_that_is_not_in_the_background_is_not_taken_up_again(user: User, account: Account) -> None:
    account.reply(CREATED, word(1), Then.DROP)
    outcome = user.call(account, "responses.create", stream=True)
    assert isinstance(outcome.error, APIConnectionError)
    assert len(account.requests) == 1


def test_an_error_of_the_server_is_not_a_cut(user: User, account: Account) -> None:
    account.reply(CREATED, event("error", 1, code="server_error", message="it broke"))
    outcome = read(user, account)
    assert isinstance(outcome.error, APIError)
    assert len(account.requests) == 1


def test_headers_and_what_to_include_are_sent_again(user: User, account: Account) -> None:
    account.reply(CREATED, Then.DROP)
    account.reply(*ALL[1:])
    read(user, account, extra_headers={"x-tenant": "t"}, include=["message.output_text.logprobs"]).checked()
    assert account.requests[1].headers["x-tenant"] == "t"
    assert account.requests[1].query["include[]"] == "message.output_text.logprobs"
    assert "content-type" not in account.requests[1].headers


# The events before they are decoded, and loops that take turns.


def raw(account: Account, is_async: bool, **options: Any) -> tuple[list[Any], Exception | None]:
    """What ``events()`` of a stream in the background gives, and what it raises."""
    params: Any = {"model": "m", "input": "Hi!", "background": True, "stream": True}
    events: list[Any] = []

    def use(client: Client) -> None:
        with client.responses.create(**params, **options) as stream:
            events.extend(stream.events())  # an error leaves what came before it

    async def use_async(client: AsyncClient) -> None:
        async with await client.responses.create(**params, **options) as stream:
            async for event in stream.events():
                events.append(event)  # noqa: PERF401  # an error leaves what came before it

    try:
        both(account, use, use_async, is_async)
    except SSEError as error:
        return events, error
    return events, None


def data_of(parts: list[bytes]) -> list[str]:
    return [event.data for part in parts for event in Decoder().feed(part)]


@pytest.mark.pairs
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("kept", range(1, len(ALL) + 1))
def test_events_go_on_wherever_the_stream_is_cut(
    account: Account, is_async: bool, cut: str, kept: int
) -> None:
    account.reply(*ALL[:kept], *CUTS[cut])
    account.reply(*ALL[kept:])
    events, error = raw(account, is_async)
    assert error is None
    # After the last event of the response, a sentinel is an event like any other.
    sentinel = ["[DONE]"] if kept == len(ALL) and cut == "the sentinel comes too early" else []
    assert [event.data for event in events] == data_of(ALL) + sentinel
    assert asked(account)[1:] == ([after(kept - 1)] if kept < len(ALL) else [])


def test_events_that_the_server_sends_again_do_not_come_twice(account: Account, is_async: bool) -> None:
    for kept in range(1, len(ALL)):
        account.reply(*ALL[:kept], Then.DROP)
    account.reply(*ALL)
    events, error = raw(account, is_async)
    assert error is None
    assert [event.data for event in events] == data_of(ALL)


def test_events_that_are_no_items_are_given_out(account: Account, is_async: bool) -> None:
    ping, text = encode("", event="ping"), encode("no JSON")
    account.reply(CREATED, ping, text, Then.DROP)
    account.reply(ping, *ALL[1:])
    events, error = raw(account, is_async)
    assert error is None
    assert [event.data for event in events] == data_of([CREATED, ping, text, ping, *ALL[1:]])


def test_an_error_of_the_server_is_an_event_after_which_nothing_resumes(
    account: Account, is_async: bool
) -> None:
    failure = event("error", 1, code="server_error", message="it broke")
    account.reply(CREATED, failure)
    events, error = raw(account, is_async)
    assert isinstance(error, TruncatedStreamError)
    assert [event.data for event in events] == data_of([CREATED, failure])
    assert len(account.requests) == 1


def test_events_of_a_stream_that_cannot_resume_raise_what_cut_it(account: Account, is_async: bool) -> None:
    account.reply(CREATED, word(1), Then.DROP)
    events, error = raw(account, is_async, max_retries=0)
    assert isinstance(error, APIConnectionError)
    assert [event.data for event in events] == data_of([CREATED, word(1)])
    assert len(account.requests) == 1


@pytest.mark.pairs
@pytest.mark.parametrize("outer", ["items", "events"])
@pytest.mark.parametrize("inner", ["items", "events"])
@pytest.mark.parametrize("kept", range(1, len(ALL)))
def test_two_loops_go_on_when_one_of_them_has_resumed_the_stream(
    account: Account, is_async: bool, kept: int, inner: str, outer: str
) -> None:
    account.reply(*ALL[:kept], Then.DROP)
    account.reply(*ALL[kept:])
    params: Any = {"model": "m", "input": "Hi!", "background": True, "stream": True}

    def number_of(item: Any) -> int:
        number: int = item.json()["sequence_number"] if hasattr(item, "data") else item.sequence_number
        return number

    def use(client: Client) -> list[int]:
        with client.responses.create(**params) as stream:
            loops = {"items": lambda: iter(stream), "events": stream.events}
            numbers = []
            for item in loops[outer]():
                numbers.append(number_of(item))
                numbers.extend(map(number_of, islice(loops[inner](), 1)))
            return numbers

    async def use_async(client: AsyncClient) -> list[int]:
        async with await client.responses.create(**params) as stream:
            loops = {"items": lambda: aiter(stream), "events": stream.events}
            numbers = []
            async for item in loops[outer]():
                numbers.append(number_of(item))
                with suppress(StopAsyncIteration):
                    numbers.append(number_of(await anext(loops[inner]())))
            return numbers

    assert both(account, use, use_async, is_async) == [*range(7)]


# The manager, retrieve() and cancel().


def both(
    account: Account, use: Callable[[Client], Any], use_async: Callable[[AsyncClient], Any], is_async: bool
) -> Any:
    if not is_async:
        with Client(api_key=KEY, base_url=account.url) as client:
            return use(client)

    async def main() -> Any:
        async with AsyncClient(api_key=KEY, base_url=account.url) as client:
            return await use_async(client)

    return anyio.run(main)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_the_manager_puts_the_response_together_over_a_cut(account: Account, is_async: bool) -> None:
    account.reply(CREATED, word(1), word(2), Then.DROP)
    account.reply(*ALL[3:-1], event("response.completed", 6, response={**RESPONSE, "status": "completed"}))
    params: Any = {"model": "m", "input": "Hi!", "background": True}
    response = both(
        account,
        lambda client: client.responses.stream(**params).get_final_response(),
        lambda client: client.responses.stream(**params).get_final_response(),
        is_async,
    )
    assert response.output_text == TEXT


def test_the_last_failure_of_a_manager_keeps_what_had_arrived(account: Account, is_async: bool) -> None:
    account.reply(CREATED, word(1), word(2), Then.DROP)
    account.refuse(404)
    params: Any = {"model": "m", "input": "Hi!", "background": True}
    with pytest.raises(APIStatusError) as caught:
        both(
            account,
            lambda client: client.responses.stream(**params).until_done(),
            lambda client: client.responses.stream(**params).until_done(),
            is_async,
        )
    assert caught.value.partial.output_text == "".join(WORDS[:2])


def test_a_response_can_be_retrieved(account: Account, is_async: bool) -> None:
    body = {**RESPONSE, "status": "completed", "output": OUTPUT}
    account.reply(json.dumps(body).encode(), content_type="application/json")
    response = both(
        account,
        lambda client: client.responses.retrieve("resp_1"),
        lambda client: client.responses.retrieve("resp_1"),
        is_async,
    )
    assert type(response) is Response
    assert response.to_dict() == body
    assert asked(account) == [("GET", "/responses/resp_1", {})]


def test_a_failed_response_can_be_retrieved(account: Account, is_async: bool) -> None:
    body = {**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "it broke"}}
    account.reply(json.dumps(body).encode(), content_type="application/json")
    response = both(
        account,
        lambda client: client.responses.retrieve("resp_1"),
        lambda client: client.responses.retrieve("resp_1"),
        is_async,
    )
    assert response.error.message == "it broke"


def test_the_stream_of_a_response_can_be_retrieved_and_goes_on(account: Account, is_async: bool) -> None:
    account.reply(word(2), Then.DROP)
    account.reply(*ALL[3:])

    def use(client: Client) -> list[Any]:
        with client.responses.retrieve("resp_1", stream=True, starting_after=1) as stream:
            return list(stream)

    async def use_async(client: AsyncClient) -> list[Any]:
        async with await client.responses.retrieve("resp_1", stream=True, starting_after=1) as stream:
            return [item async for item in stream]

    items = both(account, use, use_async, is_async)
    assert [item.sequence_number for item in items] == [2, 3, 4, 5, 6]
    assert asked(account) == [after(1), after(2)]


def test_the_manager_of_a_response_that_was_created_before(account: Account, is_async: bool) -> None:
    account.reply(*ALL)

    def use(client: Client) -> list[Any]:
        stream = client.responses.stream(response_id="resp_1", starting_after=4)
        return [*stream, stream.get_final_response()]

    async def use_async(client: AsyncClient) -> list[Any]:
        stream = client.responses.stream(response_id="resp_1", starting_after=4)
        return [*[item async for item in stream], await stream.get_final_response()]

    last, end, response = both(account, use, use_async, is_async)
    assert (last.sequence_number, last.snapshot) == (5, TEXT)
    assert end.sequence_number == 6
    assert response.output_text == TEXT
    assert asked(account) == [("GET", "/responses/resp_1", {"stream": "true"})]


def test_a_response_can_be_cancelled(account: Account, is_async: bool) -> None:
    body = {**RESPONSE, "status": "cancelled", "output": []}
    account.reply(json.dumps(body).encode(), content_type="application/json")
    response = both(
        account,
        lambda client: client.responses.cancel("resp_1"),
        lambda client: client.responses.cancel("resp_1"),
        is_async,
    )
    assert response.status == "cancelled"
    assert asked(account) == [("POST", "/responses/resp_1/cancel", {})]


def test_an_id_cannot_leave_its_place_in_the_path(account: Account) -> None:
    account.refuse(404)
    with Client(api_key=KEY, base_url=account.url) as client:
        with pytest.raises(APIStatusError):
            client.responses.retrieve("../models?x=1")
        with pytest.raises(ValueError, match="must not be empty"):
            client.responses.retrieve("")
    assert account.requests[0].query == {}


def test_a_truncated_stream_is_told_in_the_words_of_the_protocol(user: User, account: Account) -> None:
    account.reply(CREATED, word(1))
    outcome = user.call(account, "responses.create", stream=True)
    assert isinstance(outcome.error, TruncatedStreamError)
    assert "response.completed" in str(outcome.error)
    assert "[DONE]" not in str(outcome.error)


def test_a_sentinel_is_not_the_end_of_a_response(user: User, account: Account) -> None:
    account.reply(CREATED, word(1), b"data: [DONE]\n\n", word(2), COMPLETED)
    outcome = user.call(account, "responses.create", stream=True)
    assert isinstance(outcome.error, TruncatedStreamError)
    assert "before an event response.completed" in str(outcome.error)
    assert outcome.error.partial.output_text == text_of(outcome.items) == WORDS[0]


def test_a_sentinel_that_comes_too_early_is_no_error_with_require_done_false(
    user: User, account: Account
) -> None:
    account.reply(CREATED, word(1), b"data: [DONE]\n\n", word(2))
    outcome = user.call(account, "responses.create", stream=True, options={"require_done": False})
    assert text_of(outcome.checked().items) == WORDS[0]


def test_a_stream_that_is_left_in_the_background_is_closed(account: Account) -> None:
    account.reply(CREATED, word(1), Then.HANG)
    with Client(api_key=KEY, base_url=account.url) as client:
        with client.responses.create(model="m", input="Hi!", stream=True, background=True) as stream:
            assert next(stream).type == "response.created"
        assert stream.response.is_closed
        assert list(stream) == []
    assert len(account.requests) == 1
