from __future__ import annotations

import asyncio
import gc
import json
import weakref
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import zoo  # noqa: TC002 - pydantic reads the annotations
from hypothesis import given
from hypothesis import strategies as st
from items import OPENAI
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel
from same import differences

from ssejet import Decoder, EventTooLargeError, ServerSentEvent
from ssejet._core import (
    Assembler,
    AsyncItemStream,
    BodyArrivals,
    BodyReader,
    ItemDecoder,
    ItemStream,
    ReadBuffer,
    UntilError,
)
from ssejet.swap._plan.builder import builder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self

CHUNK: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"content": "hello"}, "finish_reason": None}],
}
ITEM = b"data: " + json.dumps(CHUNK).encode() + b"\n\n"

# A block, and whether an item is made of it.
BLOCKS = [
    (ITEM, True),
    (ITEM.replace(b"hello", "wörld\N{SNOWMAN}\N{WINKING FACE}".encode()), True),
    (b"id: 7\nretry: 5\n" + ITEM, True),
    (b"event: other\nid: 8\n" + ITEM, True),
    (b"data: [DONE]\n\n", False),
    (b"id: 9\nretry: 10\nevent: sk\xffewed\ndata: \xff{\n\n", False),
    (b"id\ndata: 5\n\n", False),
    (b": nothing\n\n", None),
]


class Response(BaseModel):
    """A response of HTTP."""

    status: int = 0
    headers: dict[str, str] = {}
    cookies: dict[str, str] | None = None


class Answer(BaseModel):
    """An item that gets the response of its stream."""

    text: str = ""
    number: int = 0
    response: Response | None = None


ANSWER = (
    "model",
    Answer,
    [
        ("text", "text", ("str",), ("value", "")),
        ("number", "number", ("int",), ("value", 0)),
        ("response", None, ("any",), ("value", None)),
    ],
    None,
    False,
)


def decoder(**options: Any) -> ItemDecoder:
    found = builder(ChatCompletionChunk, OPENAI)
    assert found is not None
    return ItemDecoder(found.assembler, dialect="openai", **options)


@given(blocks=st.lists(st.sampled_from(BLOCKS)), cuts=st.lists(st.integers(0, 2000)), takes=st.data())
def test_each_event_is_given_once_in_order_however_bytes_and_items_are_asked_for(
    blocks: list[tuple[bytes, bool | None]], cuts: list[int], takes: st.DataObject
) -> None:
    body = b"".join(block for block, _ in blocks)
    expected = Decoder(dialect="openai").feed(body)
    kinds = [made for _, made in blocks if made is not None]

    items = decoder()
    seen: list[Any] = []
    ends = [*sorted(cut for cut in cuts if cut < len(body)), len(body)]
    for start, end in zip([0, *ends], ends, strict=False):
        assert items.feed(body[start:end]) is items
        wanted = takes.draw(st.integers(0, 3))  # what is not taken now waits
        seen += islice(items, wanted)
    items.finish()
    seen += items

    assert len(seen) == len(expected)
    for item, event, made in zip(seen, expected, kinds, strict=True):
        if made:
            assert type(item) is ChatCompletionChunk
            assert item.to_dict() == json.loads(event.data)
        else:
            assert item == event


def test_items_are_made_when_they_are_asked_for() -> None:
    def alive() -> int:
        gc.collect()
        return sum(type(each) is ChatCompletionChunk for each in gc.get_objects())

    others = alive()
    items = decoder().feed(ITEM * 50)
    made = [next(items), next(items)]
    assert alive() - others == len(made)


def test_events_before_one_that_is_too_large_are_given_first() -> None:
    items = decoder()
    too_large = b"data: " + b"x" * (64 * 2**20 + 1)
    assert len(list(items.feed(ITEM + ITEM + too_large))) == 2
    with pytest.raises(EventTooLargeError):
        items.feed(ITEM)
    with pytest.raises(EventTooLargeError):
        items.finish()


def test_an_interrupt_while_an_item_is_made_loses_none_of_the_others() -> None:
    def interrupt(_: Any) -> Any:
        raise KeyboardInterrupt

    fields = [("a", "a", ("call", interrupt), ("required",))]
    model = ("model", ChatCompletionChunk, fields, ("any",), False)
    items = ItemDecoder(Assembler(model, []), dialect="openai")
    items.feed(b'data: {"a": 1}\n\ndata: [DONE]\n\n')
    with pytest.raises(KeyboardInterrupt):
        next(items)
    assert list(items) == [ServerSentEvent(event=None, data="[DONE]", id=None)]


# Few values for each field, so that most items repeat those of the item before.
FEW = {
    "id": ['"a"', '"b"', "7", "null", '"\\u0061"', "70"],
    "created": ["1", "10", "1.0", "-1", "1e0", "true", "null", '"1"', "[1]"],
    "model": ['"m"', '"m\\\\"', '"m\\"', '"mm"', "{}"],
    "system_fingerprint": ["null", '"f"', "0", "01", "nul"],
    "usage": ["null", '{"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}', '"u"'],
    "choices": [
        "[]",
        '[{"index": 0, "delta": {"content": "x", "role": null}}]',
        '[{"index": 1, "delta": {}}]',
    ],
    "error": ["null", '"no"', "{}", "false"],
}


@given(
    rows=st.lists(
        st.lists(
            st.sampled_from([(key, value) for key, values in FEW.items() for value in values]), max_size=9
        ),
        max_size=12,
    ),
    error_key=st.sampled_from([None, "error"]),
)
def test_items_that_repeat_values_of_earlier_ones_equal_those_of_the_sdk(
    rows: list[list[tuple[str, str]]], error_key: str | None
) -> None:
    texts = ["{" + ", ".join(f'"{key}": {value}' for key, value in row) + "}" for row in rows]
    made = list(decoder(error_key=error_key).feed("".join(f"data: {text}\n\n" for text in texts).encode()))
    assert len(made) == len(texts)
    for text, item in zip(texts, made, strict=True):
        if type(item) is ServerSentEvent:
            assert item.data == text
            continue
        value = json.loads(text)
        assert error_key is None or not value.get("error")
        assert differences(item, OPENAI.construct_type(type_=ChatCompletionChunk, value=value)) == []


def test_a_value_that_was_repeated_is_shared_and_one_that_changes_often_is_not_kept() -> None:
    texts = [f'data: {{"id": "the same", "model": "{n}"}}\n\n' for n in range(50)]
    items = list(decoder().feed("".join(texts).encode()))
    assert len({id(item.id) for item in items}) == 1
    assert [item.model for item in items] == [str(n) for n in range(50)]
    assert [item.created for item in items] == [None] * 50


class Holder(OPENAI.base):
    tree: zoo.Tree | None = None
    validated: zoo.Dog | None = None


def test_models_in_models_of_the_same_class_keep_their_own_values() -> None:
    def dog(n: int, depth: int) -> dict[str, Any]:
        friends = [dog(n + other, depth - 1) for other in range(2)] if depth else None
        return {"kind": "dog", "name": f"n{n % 3}", **({} if n % 5 == 0 else {"friends": friends})}

    def tree(n: int, depth: int) -> dict[str, Any]:
        branches = [tree(n + other, depth - 1) for other in range(2)] if depth else []
        return {"leaves": [f"l{n % 2}"], "branches": branches, "more": n % 2}

    values = [{"tree": tree(n, 3), "validated": dog(n, 3)} for n in range(40)]
    inner = {"kind": "dog", "name": "b"}  # has a value that the outer one repeats, after it was begun
    values[1:1] = [{"validated": {"kind": "dog", "friends": [inner], "name": "b"}}]
    found = builder(Holder, OPENAI)
    assert found is not None
    body = "".join(f"data: {json.dumps(value)}\n\n" for value in values)
    made = list(ItemDecoder(found.assembler, dialect="openai").feed(body.encode()))
    assert differences(made, [OPENAI.construct_type(type_=Holder, value=value) for value in values]) == []


def test_an_error_that_an_inner_model_had_is_still_an_error_in_an_item() -> None:
    fields = [
        ("error", "error", ("any",), ("value", None)),
        ("child", "child", ("nullable", ("definition", 0)), ("value", None)),
    ]
    assembler = Assembler(("definition", 0), [("model", Holder, fields, ("any",), False)])
    items = ItemDecoder(assembler, dialect="openai", error_key="error")
    body = b'data: {"child": {"error": "no"}}\n\ndata: {"error": "no"}\n\ndata: {"error": ""}\n\n'
    assert [type(item) for item in items.feed(body)] == [Holder, ServerSentEvent, Holder]


def test_a_cleared_decoder_gives_nothing_and_goes_on() -> None:
    items = decoder().feed(ITEM + b"data: [DONE]\n\n" + ITEM)
    next(items)
    items.clear()
    assert list(items) == []
    assert len(list(items.feed(ITEM))) == 1


def test_events_of_a_type_that_was_allowed_later_become_items() -> None:
    items = decoder(only=[""])
    body = b"event: x\n" + ITEM
    assert [type(item) for item in items.feed(body)] == [ServerSentEvent]
    items.allow("x")
    assert [type(item) for item in items.feed(body)] == [ChatCompletionChunk]


class Interrupting:
    """A decoder whose second item cannot be made, and the generators that read it."""

    def __init__(self) -> None:
        self.closed = False
        model = (
            "model",
            ChatCompletionChunk,
            [("a", "a", ("call", self.value), ("required",))],
            ("any",),
            False,
        )
        self.decoder = ItemDecoder(Assembler(model, []), dialect="openai")
        self.body = b'data: {"a": 1}\n\n' * 4
        self.made = 0

    def value(self, value: Any) -> Any:
        self.made += 1
        if self.made == 2:
            raise KeyboardInterrupt
        return value

    def read(self) -> Any:
        try:
            yield from self.decoder.feed(self.body)
        finally:
            self.decoder.clear()
            self.closed = True

    async def aread(self) -> Any:
        try:
            for item in self.decoder.feed(self.body):
                yield item
        finally:
            self.decoder.clear()
            self.closed = True


def test_an_interrupt_ends_the_stream_as_it_ends_a_generator() -> None:
    it = Interrupting()
    stream = ItemStream(it.decoder, it.read())
    assert next(stream).a == 1
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    assert it.closed
    assert list(stream) == []


async def test_an_interrupt_ends_an_async_stream_as_it_ends_a_generator() -> None:
    it = Interrupting()
    stream = AsyncItemStream(it.decoder, it.aread())
    assert (await anext(stream)).a == 1
    with pytest.raises(KeyboardInterrupt):
        anext(stream).__await__().send(None)  # not in the loop, which it would end
    assert it.closed
    assert [item async for item in stream] == []


class Reading:
    """Reads these pieces of a body by a generator, which lets a stream read on.

    Attributes:
        pieces: what is left of the body.
        seen: the pieces that the generator read itself.
        error: the error that ended the generator.
        closed: whether the generator has ended.
    """

    def __init__(self, pieces: Iterable[bytes], **options: Any) -> None:
        self.decoder = decoder(**options)
        self.pieces = iter(pieces)
        self.seen: list[bytes] = []
        self.error: BaseException | None = None
        self.closed = False
        self.stream = ItemStream(self.decoder, self._read())

    def _read(self) -> Any:
        self.decoder.iterate(self.pieces)
        try:
            for piece in self.pieces:
                self.seen.append(piece)
                yield from self.decoder.feed(piece)
                if self.decoder.is_odd:
                    break
            yield "the rest"
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.decoder.clear()
            self.closed = True


def test_a_stream_reads_on_without_its_reader() -> None:
    it = Reading([ITEM, ITEM[:20], ITEM[20:], b"", ITEM * 2])
    assert [type(item) for item in it.stream] == [ChatCompletionChunk] * 4 + [str]
    assert it.seen == [ITEM]
    assert it.closed
    assert list(it.stream) == []


def test_the_reader_gets_the_events_that_are_no_items_and_the_stream_reads_on_after_them() -> None:
    done = b"data: [DONE]\n\n"
    it = Reading([ITEM, done + ITEM, ITEM, done, ITEM])
    kinds = [type(item) for item in it.stream]
    chunk = ChatCompletionChunk
    assert kinds == [chunk, ServerSentEvent, chunk, chunk, ServerSentEvent, chunk, str]
    assert it.seen == [ITEM]


def test_a_stream_reads_nothing_after_what_is_left_to_another_reader() -> None:
    odd = b": a comment\n\n"
    it = Reading([ITEM, ITEM, odd, ITEM], ordinary=True)
    assert [type(item) for item in it.stream] == [ChatCompletionChunk] * 2 + [str]
    assert it.seen == [ITEM]
    assert it.decoder.rest == odd
    assert list(it.pieces) == [ITEM]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt("no")], ids=["error", "interrupt"])
def test_an_error_that_a_stream_meets_is_raised_in_its_reader(error: BaseException) -> None:
    def pieces() -> Any:
        yield ITEM
        yield ITEM
        raise error

    it = Reading(pieces())
    next(it.stream)
    next(it.stream)
    with pytest.raises(type(error), match="no"):
        next(it.stream)
    assert it.error is error
    assert it.closed
    assert list(it.stream) == []


def test_a_piece_that_is_no_bytes_is_an_error_in_the_reader() -> None:
    it = Reading([ITEM, 5])  # type: ignore[list-item]
    next(it.stream)
    with pytest.raises(TypeError):
        next(it.stream)
    assert isinstance(it.error, TypeError)


def test_a_stream_that_reads_cannot_be_used_otherwise() -> None:
    def pieces() -> Any:
        yield ITEM
        for use in (next, lambda stream: stream.close(), lambda stream: stream.throw(KeyError())):
            with pytest.raises(ValueError, match="generator already executing"):
                use(it.stream)
        yield ITEM

    it = Reading(pieces())
    next(it.stream)
    assert next(it.stream).id == "chatcmpl-1"
    assert not it.closed
    assert next(it.stream) == "the rest"


def test_a_closed_stream_reads_nothing() -> None:
    it = Reading([ITEM] * 3)
    next(it.stream)
    it.stream.close()
    assert it.closed
    assert list(it.stream) == []
    assert list(it.pieces) == [ITEM] * 2


def test_an_iteration_until_an_error_keeps_the_error() -> None:
    error = OSError("no")

    def pieces() -> Any:
        yield b"a"
        raise error

    read = UntilError(pieces())
    assert read.error is None
    assert list(read) == [b"a"]
    assert read.error is error
    assert list(read) == []


def test_an_iteration_until_an_error_gives_nothing_after_it() -> None:
    read = UntilError(map(int, ["1", "x", "3"]))  # type: ignore[arg-type]
    assert list(read) == [1]
    assert isinstance(read.error, ValueError)
    assert list(read) == []


def test_an_interrupt_passes_through_an_iteration_until_an_error() -> None:
    def pieces() -> Any:
        yield b"a"
        raise KeyboardInterrupt

    read = UntilError(pieces())
    assert next(read) == b"a"
    with pytest.raises(KeyboardInterrupt):
        next(read)
    assert read.error is None


async def numbers(items: ItemDecoder, count: int) -> Any:
    body = "".join(f'data: {{"id": {n}}}\n\n' for n in range(count)).encode()
    for item in items.feed(body):
        yield item
    items.clear()


async def test_an_async_item_is_taken_when_it_is_awaited_and_not_before() -> None:
    items = decoder()
    stream = AsyncItemStream(items, numbers(items, 6))
    assert (await anext(stream)).id == 0
    anext(stream)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(anext(stream), 0)
    assert (await anext(stream)).id == 1
    one, other = anext(stream), anext(stream)
    assert [(await one).id, (await other).id] == [2, 3]
    with pytest.raises(RuntimeError, match="already awaited"):
        await one
    assert [item.id async for item in stream] == [4, 5]
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert await anext(stream, None) is None
    assert stream.__name__ == "numbers"
    with pytest.raises(AttributeError):
        stream.nothing  # noqa: B018


async def as_task(stream: Any) -> Any:
    return await asyncio.create_task(anext(stream))


async def as_future(stream: Any) -> Any:
    return await asyncio.ensure_future(anext(stream))


async def within_time(stream: Any) -> Any:
    return await asyncio.wait_for(anext(stream), 200)


async def with_others(stream: Any) -> Any:
    (item,) = await asyncio.gather(anext(stream))
    return item


async def with_default(stream: Any) -> Any:
    item = await anext(stream, None)
    if item is None:
        raise StopAsyncIteration
    return item


async def by_send(stream: Any) -> Any:
    coroutine = anext(stream)
    try:
        while True:
            coroutine.send(None)
    except StopIteration as end:
        return end.value


WAYS = (as_task, as_future, within_time, with_others, with_default, by_send)


@pytest.mark.parametrize("is_stock", [True, False], ids=["generator", "stream"])
@pytest.mark.parametrize("take", WAYS)
async def test_an_item_can_be_awaited_in_all_ways_of_an_async_generator(take: Any, is_stock: bool) -> None:
    items = decoder()
    reader = numbers(items, 4)
    stream = reader if is_stock else AsyncItemStream(items, reader)
    taken = [await take(stream) for _ in range(4)]
    assert [item.id for item in taken] == [0, 1, 2, 3]
    with pytest.raises(StopAsyncIteration):
        await take(stream)


async def waiting(items: ItemDecoder, go_on: asyncio.Event, ended: list[str]) -> Any:
    """Waits before each event of which the decoder makes no item."""
    try:
        for item in items.feed(b'data: {"id": 0}\n\ndata: 1\n\n'):
            yield item
            await go_on.wait()
    except BaseException as error:
        ended.append(type(error).__name__)
        raise
    finally:
        items.clear()


@pytest.mark.parametrize("end", ["it comes", "cancelled"])
async def test_a_task_can_wait_for_the_reader(end: str) -> None:
    items, go_on, ended = decoder(), asyncio.Event(), list[str]()
    stream = AsyncItemStream(items, waiting(items, go_on, ended))
    assert (await anext(stream)).id == 0
    task = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    if end == "cancelled":
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ["CancelledError"]
    else:
        go_on.set()
        assert (await task).data == "1"
        assert ended == []


async def test_what_is_thrown_into_the_next_item_takes_none() -> None:
    items = decoder()
    stream = AsyncItemStream(items, numbers(items, 3))
    assert (await anext(stream)).id == 0
    with pytest.raises(KeyError):
        anext(stream).throw(KeyError())
    anext(stream).close()
    assert (await anext(stream)).id == 1


async def test_a_next_item_that_is_closed_closes_what_it_awaits() -> None:
    class Reader:
        is_closed = False

        def __anext__(self) -> Self:
            return self

        def __await__(self) -> Self:
            return self

        def send(self, _: None) -> str:
            return "waits"

        def close(self) -> None:
            self.is_closed = True

    reader: Any = Reader()
    awaited: Any = anext(AsyncItemStream(decoder().feed(b"data: 1\n\n"), reader))
    assert awaited.send(None) == "waits"
    awaited.close()
    assert reader.is_closed


class Arrived(BodyArrivals):
    """What has arrived of a body on no connection."""

    def __new__(cls) -> Self:
        return super().__new__(
            cls, BodyReader("until-close"), asyncio.get_running_loop(), ReadBuffer(1), None
        )

    def _pause(self) -> None:
        pass

    def _resume(self) -> None:
        pass


class Arriving:
    """A stream that reads what arrives, once its generator has given an item.

    Attributes:
        arrived: what has arrived.
        error: the error that ended the generator.
    """

    def __init__(self) -> None:
        self.arrived = Arrived()
        self.error: BaseException | None = None
        self._decoder = decoder()
        self.stream: Any = AsyncItemStream(self._decoder, self._read())

    async def _read(self) -> Any:
        self._decoder.read_from(SimpleNamespace(arrived=self.arrived, response=SimpleNamespace(), idle=None))
        try:
            await self.arrived.wait()
            for item in self._decoder.feed(self.arrived.take()):
                yield item
        except BaseException as error:
            self.error = error
            raise
        finally:
            self._decoder.clear()

    async def first(self) -> Any:
        asyncio.get_running_loop().call_soon(self.arrived.receive, ITEM)
        return await anext(self.stream)


async def test_a_stream_is_not_read_while_its_generator_reads() -> None:
    it = Arriving()
    task = asyncio.create_task(anext(it.stream))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="already running"):
        await anext(it.stream)
    it.arrived.receive(ITEM)
    assert (await task).id == "chatcmpl-1"


async def test_a_wait_that_was_dropped_lets_others_read() -> None:
    it = Arriving()
    await it.first()
    dropped: Any = anext(it.stream)
    dropped.send(None)
    with pytest.raises(RuntimeError, match="already running"):
        await anext(it.stream)
    del dropped
    it.arrived.receive(ITEM)
    assert (await anext(it.stream)).id == "chatcmpl-1"


async def test_an_error_of_bytes_that_arrive_is_raised_in_the_generator() -> None:
    it = Arriving()
    await it.first()
    it.arrived.receive(b"data: " + b"x" * (64 * 2**20 + 1))
    with pytest.raises(EventTooLargeError) as caught:
        await anext(it.stream)
    assert it.error is caught.value


async def test_a_task_that_is_cancelled_in_a_wait_ends_the_generator() -> None:
    it = Arriving()
    await it.first()
    task = asyncio.create_task(anext(it.stream))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(it.error, asyncio.CancelledError)


class Owner:
    """Has a stream that refers to it."""

    stream: Any


@pytest.mark.parametrize("make", [ItemStream, AsyncItemStream])
def test_streams_are_seen_by_the_garbage_collector(make: Any) -> None:
    def read(owner: Owner) -> Any:
        yield owner

    owner = Owner()
    owner.stream = make(decoder(), read(owner))
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


def made_by_pieces(owner: Owner) -> Any:
    def pieces() -> Any:
        yield owner

    items = decoder()
    items.iterate(pieces())
    return items


def made_by_items(owner: Owner) -> Any:
    def items() -> Any:
        yield owner

    return UntilError(items())


def made_by_error(owner: Owner) -> Any:
    def items() -> Any:
        error = OSError()
        error.owner = owner  # type: ignore[attr-defined]
        raise error
        yield

    read = UntilError(items())
    assert list(read) == []
    return read


def made_by_stamp(owner: Owner) -> Any:
    items = ItemDecoder(Assembler(ANSWER, []), dialect="openai")
    items.stamp("response", Response.model_construct(status=owner, headers={"a": owner}))
    return items


@pytest.mark.parametrize("make", [made_by_pieces, made_by_items, made_by_error, made_by_stamp])
def test_what_a_decoder_keeps_is_seen_by_the_garbage_collector(make: Any) -> None:
    owner = Owner()
    owner.stream = make(owner)
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


def stamped(response: Any, bodies: list[str]) -> list[Answer]:
    items = ItemDecoder(Assembler(ANSWER, []), dialect="openai")
    items.stamp("response", response)
    return list(items.feed("".join(f"data: {body}\n\n" for body in bodies).encode()))


def test_each_item_has_a_response_of_its_own() -> None:
    response = Response(headers={"a": "b"}, cookies={"c": "d"})
    expected = response.model_copy(deep=True)
    items = ItemDecoder(Assembler(ANSWER, []), dialect="openai")
    items.stamp("response", response)
    response.headers["changed"] = "yes"
    response.status = 5
    bodies = ['{"text": "a"}', '{"text": "b"}', "{}", '{"text": "c", "number": 1}']
    for body in bodies:
        [item] = items.feed(f"data: {body}\n\n".encode())
        assert differences(item, Answer(**json.loads(body), response=expected.model_copy(deep=True))) == []
        item.response.headers["changed"] = "yes"
        item.response.cookies.clear()
        item.response.cookies = None
        item.response.status = 5
        item.model_fields_set.clear()
        item.response.model_fields_set.clear()


@pytest.mark.parametrize("response", [Response(), Response(status=7), Response.model_construct()])
def test_a_response_may_have_no_dicts_and_no_fields_that_are_set(response: Response) -> None:
    for item, text in zip(stamped(response, ['{"text": "a"}', '{"text": "b"}']), "ab", strict=True):
        assert differences(item, Answer(text=text, response=response.model_copy(deep=True))) == []
        assert item.response is not response


def test_only_a_model_can_be_a_field_of_all_items() -> None:
    class Open(BaseModel, extra="allow"):
        pass

    items = ItemDecoder(Assembler(ANSWER, []), dialect="openai")
    with pytest.raises(TypeError, match="no field headers"):
        items.stamp("headers", Response())
    with pytest.raises(TypeError, match="__pydantic_extra__"):
        items.stamp("response", Open(a=1))
    with pytest.raises(TypeError, match="__pydantic_extra__"):
        items.stamp("response", {"headers": {}})
    [item] = items.feed(b'data: {"text": "a"}\n\n')
    assert item.response is None


def test_streams_share_equal_values_but_no_set_of_fields() -> None:
    first, second = decoder(), decoder()
    [before], [after] = first.feed(ITEM), second.feed(ITEM)
    [kept], [kept_too] = first.feed(ITEM), second.feed(ITEM)
    assert kept.model is kept_too.model
    assert kept.model_fields_set is not kept_too.model_fields_set
    kept.service_tier = "default"
    kept.choices[0].delta.role = "assistant"
    [later] = second.feed(ITEM)
    for item in (before, after, kept_too, later):
        assert differences(item, ChatCompletionChunk.construct(**CHUNK)) == []


@pytest.mark.parametrize("values", [(True, 1), (1, True), ("1", 1), (1, "1"), ("a" * 300, "a" * 300)])
def test_streams_share_no_values_of_different_types(values: tuple[Any, Any]) -> None:
    for value in values * 2:
        body = b"data: " + json.dumps(CHUNK | {"model": value}).encode() + b"\n\n"
        [one, two] = decoder().feed(body * 2)
        assert (one.model, type(one.model)) == (two.model, type(two.model)) == (value, type(value))
