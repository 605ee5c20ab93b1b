from __future__ import annotations

import gc
import json
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from items import OPENAI
from openai.types.chat import ChatCompletionChunk

from ssejet import Decoder, EventTooLargeError, ServerSentEvent
from ssejet._core import Assembler, ItemDecoder
from ssejet.swap._plan.builder import builder

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
