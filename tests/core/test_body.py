"""``BodyReader`` against h11, which reads bodies under httpcore, and as an object of Python."""

from __future__ import annotations

import gc
import re
import sys
import threading
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chunks import byte_by_byte, cut, ways_to_cut
from ssejet._core import BodyReader

if TYPE_CHECKING:
    from collections.abc import Iterable

Framing = Literal["chunked", "until-close"] | int

LIMIT = 100 * 1024
"""What httpcore lets h11 keep of an unfinished line."""


@dataclass
class Body:
    """What reading a body gave. What follows a malformed body is unknown."""

    payload: bytes
    is_complete: bool
    excess: bytes


def read(framing: Framing, pieces: Iterable[bytes]) -> Body:
    reader = BodyReader(framing)
    payload = b"".join([reader.feed(piece) for piece in pieces])
    reader.finish()
    assert reader.is_complete == (reader.error is None)
    assert reader.excess_size == len(reader.excess)
    return Body(payload, reader.is_complete, reader.excess)


def read_with_h11(framing: Framing, pieces: Iterable[bytes]) -> Body:
    """Read a body as httpcore does."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=LIMIT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    header = {
        "chunked": b"Transfer-Encoding: chunked\r\n",
        "until-close": b"Connection: close\r\n",
    }.get(framing, b"Content-Length: %a\r\n" % framing)  # type: ignore[call-overload]
    connection.receive_data(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n")
    assert isinstance(connection.next_event(), h11.Response)
    payload = bytearray()
    excess = bytearray()
    is_complete = False
    # No bytes are the end of the connection.
    for piece in [*filter(None, pieces), b""]:
        if is_complete:
            excess += piece
            continue
        try:
            connection.receive_data(piece)
            while (event := connection.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.EndOfMessage):
                    is_complete = True
                    excess += connection.trailing_data[0]
                    break
                assert isinstance(event, h11.Data)
                payload += event.data
        except h11.RemoteProtocolError:
            break
    return Body(bytes(payload), is_complete, bytes(excess))


# Bodies of every kind, well formed and not. A draw costs more than a read, so one draw chooses several parts.


def products(*parts: list[bytes]) -> list[bytes]:
    """All ways to join one piece of each part."""
    return [b"".join(pieces) for pieces in product(*parts)]


_SIZES = [b"%x", b"%X", b"0%x", b"%020x"] * 2 + [b"%021x"]
_SIZE_ENDS = b'| |\t |;|;a|;a=b|; a = "b;c" |;a\r|;\xff\x00| ;a|;a\nb|x'.split(b"|")
# Most are right, so that most bodies have more than one chunk.
_LINE_ENDS = [b"\r\n"] * 12 + [b"\n", b"\r", b"\r\r\n", b""]
_data = st.sampled_from([b"\r\n", b"\n", b"0\r\n\r\n", *(bytes(range(size)) for size in range(1, 41))])
# What stands before the data and after it.
_frames = st.tuples(st.sampled_from(products(_SIZES, _SIZE_ENDS, _LINE_ENDS)), st.sampled_from(_LINE_ENDS))
_chunks = st.tuples(_frames, _data).map(lambda drawn: drawn[0][0] % len(drawn[1]) + drawn[1] + drawn[0][1])

_NAMES = [b"A", b"x-sum", b"!#$%&'*+-.^_`|~", b"", b"a b", b"a ", b"\xff", b"a\x00"]
_VALUES = b"| |b| b c\t|:|\x01\x7f\x80\xff|\x00|\x0b|\x0c|a\rb|\x85|\x1c".split(b"|")
_FIELDS = products(_NAMES, [b":", b": ", b""], _VALUES)
_OTHER_TRAILERS = [b"A: b", b" folded", b"\t", b"  ", b"\r"]
_TRAILER_ENDS = [*_LINE_ENDS, *[b"\n"] * 16]
# Both kinds of trailers are as frequent.
_trailers = st.sampled_from(
    products([*_FIELDS, *_OTHER_TRAILERS * (len(_FIELDS) // len(_OTHER_TRAILERS))], _TRAILER_ENDS)
)
_LAST_SIZES = [b"0", b"0", b"00000", b"0" * 20, b"0" * 21, b"0;last", b"0 "]
_EXCESS = [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"\r\n", b"0\r\n\r\n"]
_endings = st.tuples(
    st.sampled_from(products(_LAST_SIZES, [b"\r\n"])),
    st.lists(_trailers, max_size=3).map(b"".join),
    st.sampled_from(products(_TRAILER_ENDS, _EXCESS)),
).map(b"".join)
_noise = st.text("01aFg-+_\r\n; \t:xN", max_size=20).map(lambda text: text.replace("N", "\r\n").encode())
_chunked = st.tuples(
    st.lists(_chunks, max_size=4).map(b"".join),
    st.one_of(_endings, _endings, _noise),
).map(b"".join)
# Where h11 accepts a size beyond 64 bits, the reader differs on purpose.
_chunked = _chunked.filter(lambda stream: not re.search(rb"[1-9a-fA-F][0-9a-fA-F]{16}", stream))
_places = st.binary(max_size=5).map(list)


@given(_chunked, _places)
@example(b"1;a\r\r\nx\r\n0\r\n\r\n", [])
@example(b"0\r\na:\r\n \r\n\r\n", [])
def test_chunked_bodies_read_as_h11_reads_them_wherever_they_are_cut(
    stream: bytes, places: list[int]
) -> None:
    pieces = cut(stream, *(place % (len(stream) + 1) for place in places))
    expected = read_with_h11("chunked", [stream])
    assert read_with_h11("chunked", pieces) == expected
    assert read("chunked", pieces) == expected
    assert read("chunked", byte_by_byte(stream)) == expected


@given(_chunked, st.integers(0, 300))
def test_chunked_bodies_that_end_early_read_as_h11_reads_them(stream: bytes, length: int) -> None:
    start = stream[: length % (len(stream) + 1)]
    assert read("chunked", [start]) == read_with_h11("chunked", [start])


@given(st.binary(max_size=30) | _chunked, st.just("until-close") | st.integers(0, 40), _places)
def test_bodies_that_are_not_chunked_read_as_h11_reads_them(
    stream: bytes, framing: Literal["until-close"] | int, places: list[int]
) -> None:
    pieces = cut(stream, *(place % (len(stream) + 1) for place in places))
    assert read(framing, pieces) == read_with_h11(framing, pieces)


VECTORS: dict[str, tuple[bytes, bytes, bytes | None]] = {
    "one chunk": (b"5\r\nhello\r\n0\r\n\r\n", b"hello", b""),
    "no chunk": (b"0\r\n\r\n", b"", b""),
    "a size of 20 digits": (b"00000000000000000001\r\nx\r\n0\r\n\r\n", b"x", b""),
    "a size of 21 digits": (b"000000000000000000001\r\nx\r\n0\r\n\r\n", b"", None),
    "upper case": (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789", b""),
    "lower case": (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789", b""),
    "no size": (b"\r\nx\r\n0\r\n\r\n", b"", None),
    "an empty line instead of the last size": (b"1\r\nx\r\n\r\n\r\n", b"x", None),
    "spaces instead of a size": (b" \r\n\r\n", b"", None),
    "no size before an extension": (b";a\r\n\r\n", b"", None),
    "a sign": (b"+1\r\nx\r\n0\r\n\r\n", b"", None),
    "a prefix": (b"0x1\r\nx\r\n0\r\n\r\n", b"", None),
    "an underscore": (b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n", b"", None),
    "a digit of another alphabet": ("١\r\nx\r\n0\r\n\r\n".encode(), b"", None),
    "a space before the size": (b" 1\r\nx\r\n0\r\n\r\n", b"", None),
    "spaces after the size": (b"1 \t\r\nx\r\n0\t\r\n\r\n", b"x", b""),
    "a space before an extension": (b"1 ;a\r\nx\r\n0\r\n\r\n", b"", None),
    "extensions": (b'1;a;b=c;d="e;\\"" \r\nx\r\n0;f\r\n\r\n', b"x", b""),
    "CR in an extension": (b"1;\ra\r\r\nx\r\n0\r\n\r\n", b"x", b""),
    "LF in an extension": (b"1;a\nx\r\n0\r\n\r\n", b"", None),
    "LF after a size": (b"1\nx\r\n0\r\n\r\n", b"", None),
    "LF after data": (b"1\r\nx\n0\r\n\r\n", b"x", None),
    "nothing after data": (b"1\r\nx0\r\n\r\n", b"x", None),
    "data beyond the size": (b"1\r\nxy\r\n0\r\n\r\n", b"x", None),
    "trailers": (b"0\r\nA: b\r\nc:\r\n\r\nrest", b"", b"rest"),
    "LF after trailers": (b"0\r\nA: b\n\nrest", b"", b"rest"),
    "LF instead of trailers": (b"0\r\n\nrest", b"", b"rest"),
    "LF after the last size": (b"0\n\r\nrest", b"", None),
    "folded trailers": (b"0\r\nA: b\r\n c\r\n\t\r\n\r\n", b"", b""),
    "a first trailer that is folded": (b"0\r\n A: b\r\n\r\n", b"", None),
    "a trailer without a colon": (b"0\r\nA\r\n\r\n", b"", None),
    "a trailer without a name": (b"0\r\n: b\r\n\r\n", b"", None),
    "a space after a trailer's name": (b"0\r\nA : b\r\n\r\n", b"", None),
    "NUL in a trailer": (b"0\r\nA: \0\r\n\r\n", b"", None),
    "CR in a trailer": (b"0\r\nA: b\rc\r\n\r\n", b"", None),
    "CR before an empty line": (b"0\r\n\r\r\n", b"", None),
    "another response": (b"1\r\nx\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", b"x", b"HTTP/1.1 200 OK\r\n\r\n"),
    "the end of the connection in a size": (b"1", b"", None),
    "the end of the connection in data": (b"5\r\nhel", b"hel", None),
    "the end of the connection after data": (b"1\r\nx\r\n", b"x", None),
    "the end of the connection in trailers": (b"1\r\nx\r\n0\r\n", b"x", None),
}


@pytest.mark.parametrize("name", VECTORS)
def test_each_form_reads_as_expected_and_as_h11_reads_it_at_every_cut(name: str) -> None:
    stream, payload, excess = VECTORS[name]
    expected = Body(payload, excess is not None, excess or b"")
    for pieces in ways_to_cut(stream):
        assert read("chunked", pieces) == expected, pieces
        assert read_with_h11("chunked", pieces) == expected, pieces


EVERY_PART = b"1;e\r\nx\r\n0 \r\nA: b\r\n c\r\n\r\n"


@pytest.mark.parametrize("place", range(len(EVERY_PART)))
def test_each_byte_in_each_place_reads_as_h11_reads_it(place: int) -> None:
    stream = EVERY_PART
    for byte in range(256):
        for changed in (
            stream[:place] + bytes([byte]) + stream[place:],
            stream[:place] + bytes([byte]) + stream[place + 1 :],
        ):
            assert read("chunked", [changed]) == read_with_h11("chunked", [changed]), changed


# Long lines


@pytest.mark.parametrize(
    "parts",
    [
        (b"1;", b"a", b"\r\nx\r\n0\r\n\r\n"),
        (b"1", b" ", b"\r\nx\r\n0\r\n\r\n"),
        (b"0\r\nA:", b"b", b"\r\n\r\n"),
        (b"0\r\n", b"A:b\r\n", b"\r\n"),
    ],
    ids=["extension", "spaces", "one trailer", "many trailers"],
)
def test_lines_may_be_as_long_as_in_h11_when_their_bytes_arrive_one_by_one(
    parts: tuple[bytes, bytes, bytes],
) -> None:
    start, filler, end = parts
    for count in {LIMIT // len(filler) + extra for extra in range(-9, 9)}:
        stream = start + filler * count + end
        # The line grows by bytes where its length comes near the limit.
        near = LIMIT - 100
        pieces = [stream[:near], *byte_by_byte(stream[near:])]
        expected = read_with_h11("chunked", pieces)
        assert read("chunked", pieces) == expected
        assert read("chunked", [stream]) == expected


# Where the reader differs from h11


def test_a_line_over_the_limit_is_refused_also_when_it_arrives_in_one_piece() -> None:
    """A limit that depends on the cuts would let the network decide which bodies can be read."""
    stream = b"1;" + b"a" * LIMIT + b"\r\nx\r\n0\r\n\r\n"
    assert read_with_h11("chunked", [stream]).is_complete
    assert not read_with_h11("chunked", byte_by_byte(stream)).is_complete
    assert not read("chunked", [stream]).is_complete
    assert not read("chunked", byte_by_byte(stream)).is_complete


def test_a_size_beyond_64_bits_is_refused_before_its_data() -> None:
    """No server sends so much: it is an attack, or a negative number. h11 would read on for ever."""
    largest = b"0000ffffffffffffffff\r\nx"
    beyond = b"10000000000000000\r\nx"
    assert read("chunked", [largest]) == read_with_h11("chunked", [largest]) == Body(b"x", False, b"")
    assert read_with_h11("chunked", [beyond]) == Body(b"x", False, b"")
    assert read("chunked", [beyond]) == Body(b"", False, b"")


@pytest.mark.parametrize("field", [b"Content-Length: x", b"Transfer-Encoding: gzip"])
def test_trailers_that_h11_refuses_for_their_meaning_are_ignored(field: bytes) -> None:
    """The framing was known before the body, and nothing reads trailers, so they cannot change it."""
    stream = b"1\r\nx\r\n0\r\n" + field + b"\r\n\r\nrest"
    assert not read_with_h11("chunked", [stream]).is_complete
    assert read("chunked", [stream]) == Body(b"x", True, b"rest")


# Errors


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        (b"\r\nx", "line of a chunk's size is malformed: expected 1 to 20 hexadecimal digits"),
        (b"\r\nfffffffffffffffff", "expected one that fits into 64 bits"),
        (b"!", "longer than its size: expected CRLF"),
        (b"\r\n0\r\nx\r\n", "expected a header field or an empty line"),
        (b"\r\n1;" + b"a" * LIMIT, "expected at most 100 KiB"),
    ],
    ids=["size", "large size", "end of data", "trailer", "long line"],
)
def test_an_error_says_what_was_expected_and_stays(stream: bytes, text: str) -> None:
    reader = BodyReader("chunked")
    assert reader.feed(b"5\r\nhello" + stream) == b"hello"
    error = reader.error
    assert error
    assert text in error
    assert reader.feed(b"\r\n0\r\n\r\nmore") == b""
    reader.finish()
    assert (reader.error, reader.is_complete, reader.excess) == (error, False, b"")


def test_an_early_end_of_the_connection_says_what_is_missing() -> None:
    reader = BodyReader(10)
    reader.feed(b"abc")
    assert reader.error is None
    reader.finish()
    text = "peer closed connection without sending complete message body (received 3 bytes, expected 10)"
    assert reader.error == text
    reader = BodyReader("chunked")
    reader.finish()
    assert str(reader.error).endswith("(incomplete chunked read)")


def test_an_end_that_follows_the_body_changes_nothing() -> None:
    reader = BodyReader(3)
    assert reader.feed(b"abcd") == b"abc"
    reader.finish()
    reader.finish()
    assert (reader.is_complete, reader.error, reader.excess) == (True, None, b"d")
    assert reader.feed(b"e") == b""
    assert reader.excess == b"de"


def test_a_body_until_close_ends_with_the_connection_only() -> None:
    reader = BodyReader("until-close")
    assert reader.feed(b"abc") == b"abc"
    assert not reader.is_complete
    reader.finish()
    assert reader.is_complete
    assert reader.feed(b"d") == b""
    assert reader.excess == b"d"


# The object


def test_bytes_that_are_all_payload_are_returned_themselves() -> None:
    data = b"x" * 100
    for framing in (100, 1000, "until-close"):
        assert BodyReader(framing).feed(data) is data  # type: ignore[arg-type]
    reader = BodyReader("chunked")
    reader.feed(b"ff\r\n")
    assert reader.feed(data) is data


def test_the_payload_is_exactly_bytes_whatever_was_fed() -> None:
    class Bytes(bytes):
        pass

    for data in (Bytes(b"abc"), bytearray(b"abc"), memoryview(b"abc"), memoryview(bytearray(b"xabcx"))[1:4]):
        payload = BodyReader(10).feed(data)
        assert type(payload) is bytes
        assert payload == b"abc"


def test_many_chunks_in_one_input_are_joined() -> None:
    stream = b"".join(b"%x\r\n%b\r\n" % (size, b"x" * size) for size in range(1, 300))
    assert BodyReader("chunked").feed(stream) == b"x" * sum(range(1, 300))


def test_excess_is_kept_up_to_64_kib_and_counted() -> None:
    reader = BodyReader(1)
    reader.feed(b"x" + b"a" * 65_000)
    reader.feed(b"b" * 1_000_000)
    reader.feed(b"c")
    assert reader.excess == b"a" * 65_000 + b"b" * 536
    assert reader.excess_size == 1_065_001


@pytest.mark.parametrize("length", [-1, -(2**70), 2**64, 10**5000], ids=["-1", "-2**70", "2**64", "10**5000"])
def test_a_length_that_no_body_has_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="from 0 to"):
        BodyReader(length)


def test_framings_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="not 'gzip'"):
        BodyReader("gzip")  # type: ignore[arg-type]
    for framing in (None, b"chunked", 1.0):
        with pytest.raises(TypeError, match=f"not {type(framing).__name__}"):
            BodyReader(framing)  # type: ignore[arg-type]
    assert repr(BodyReader(2**64 - 1)) == f"<BodyReader({2**64 - 1}): 0 bytes, incomplete>"


def test_data_of_another_type_is_refused_and_nothing_is_taken() -> None:
    reader = BodyReader(3)
    for data in ("abc", None, [1], memoryview(b"abcdef")[::2]):
        with pytest.raises(TypeError, match="must be bytes"):
            reader.feed(data)  # type: ignore[arg-type]
    assert reader.feed(b"abc") == b"abc"


def test_the_representation_tells_the_state() -> None:
    reader = BodyReader("chunked")
    assert repr(reader) == "<BodyReader('chunked'): 0 bytes, incomplete>"
    reader.feed(b"1\r\nx\r\n0\r\n\r\n")
    assert repr(reader) == "<BodyReader('chunked'): 1 bytes, complete>"
    reader = BodyReader("until-close")
    reader.finish()
    assert repr(reader) == "<BodyReader('until-close'): 0 bytes, complete>"
    reader = BodyReader(1)
    reader.finish()
    assert repr(reader) == "<BodyReader(1): 0 bytes, failed>"


def test_the_class_cannot_be_subclassed() -> None:
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Reader", (BodyReader,), {})


@pytest.mark.skipif(sys.version_info < (3, 12), reason="only C code can define buffers")
def test_a_buffer_that_feeds_the_same_reader_is_read_after_that() -> None:
    reader = BodyReader("until-close")
    inner: list[Any] = []

    class Data:
        def __buffer__(self, flags: int) -> memoryview:
            inner.append(reader.feed(b"first"))
            return memoryview(b"second")

    assert reader.feed(Data()) == b"second"  # type: ignore[arg-type]
    assert b"first" in inner
    assert reader.error is None


def test_no_object_is_left_behind() -> None:
    def read_bodies(rounds: int) -> int:
        for _ in range(rounds):
            for framing in ("chunked", "until-close", 5, 10**6):
                reader = BodyReader(framing)  # type: ignore[arg-type]
                reader.feed(data)
                reader.feed(bytearray(data))
                reader.finish()
                assert (reader.error, reader.excess, repr(reader)) != ("", None, "")
        gc.collect()
        return sys.getallocatedblocks()

    data = b"5\r\nhello\r\n5\r\nhello\r\nx"
    references = sys.getrefcount(data)
    read_bodies(20)
    before = read_bodies(5)
    # A leak of one object for each round would be 200.
    assert read_bodies(200) - before < 100
    assert sys.getrefcount(data) == references


def test_threads_that_share_a_reader_get_all_bytes_or_an_error() -> None:
    """With the GIL no call runs during another. Without it, some calls raise."""
    reader = BodyReader("until-close")
    fed = []

    def try_to_feed() -> int:
        try:
            return len(reader.feed(bytearray(b"abc")))
        except RuntimeError as error:
            assert "in use by another thread" in str(error)  # noqa: PT017
            return 0

    def feed() -> None:
        fed.append(sum(try_to_feed() for _ in range(2000)))

    threads = [threading.Thread(target=feed) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fed) == 4
    assert f": {sum(fed)} bytes" in repr(reader)
