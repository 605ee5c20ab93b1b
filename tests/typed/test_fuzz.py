"""No bytes of a server's make a stream raise anything but an ``SSEError``; see ``fuzz_streams.py``."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz_streams import CONTENT_TYPES, ITEM_READERS, body, cut, run

pytestmark = pytest.mark.slow

BIG = b"1" * 5000
DATA = {
    "an integer of 5,000 digits": BIG,
    "an object with such an integer": b'{"a":' + BIG + b"}",
    "an error with such an integer": b'{"error":{"code":' + BIG + b"}}",
    "JSON nested 100,000 deep": b"[" * 100_000,
    "an error nested 1,000 deep": b'{"error":' * 1000 + b"1" + b"}" * 1000,
    "a lone surrogate": b'"\\ud800"',
    "a lone surrogate in an object": b'{"b":"\\ud800"}',
    "a lone surrogate as a name": b'{"\\ud800":1}',
    "an error with a lone surrogate": b'{"error":{"message":"\\ud800"}}',
    "bytes that are no UTF-8": b'{"a":"\xff\xc0"}',
}


@pytest.mark.parametrize("reader", ITEM_READERS.values(), ids=ITEM_READERS)
@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
@pytest.mark.parametrize("frame", [b"data: %s\n\n", b"event: error\ndata: %s\n\n", b"%s"])
def test_what_is_hard_to_decode_raises_only_errors_of_ssejet(reader, data: bytes, frame: bytes) -> None:  # type: ignore[no-untyped-def]
    run(reader, [frame % data], "text/event-stream")


@given(st.sampled_from(sorted(ITEM_READERS)), st.integers(0, 2**32), st.sampled_from(CONTENT_TYPES))
def test_any_input_raises_only_errors_of_ssejet(name: str, seed: int, content_type: str) -> None:
    random = Random(seed)
    run(ITEM_READERS[name], cut(random, body(random)), content_type)
