"""Hypothesis strategies: event streams rich in traps, the ways of cutting them, and JSON texts."""

from __future__ import annotations

from typing import Any

from chunks import cut
from hypothesis import strategies as st
from reference import DIALECTS

BOM = b"\xef\xbb\xbf"

_line_ends = st.sampled_from([b"\n", b"\n", b"\r", b"\r\n"])

_malformed = st.sampled_from(
    [
        b"\xff",
        b"\x80",
        b"\xc3",
        b"\xc0\xaf",
        b"\xe2\x80",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x98",
        b"\xf4\x90\x80\x80",
        b"\xef\xbb",
    ]
)

_value_parts = st.one_of(
    st.sampled_from([b"a", b" ", b"  ", b":", b": ", b"\t", b"\0", b"0", b"1", b"data", b"{}", b"[DONE]"]),
    # Line ends elsewhere, but not here: VT, FF, FS, NEL, LINE SEPARATOR, PARAGRAPH SEPARATOR.
    st.sampled_from([b"\v", b"\f", b"\x1c", "\u0085".encode(), "\u2028".encode(), "\u2029".encode()]),
    st.sampled_from(["é", "…", "你", "😀", "\ufffd", "\u0a0d", "１"]).map(str.encode),
    st.just(BOM),
    _malformed,
    st.text(max_size=8).map(lambda text: text.encode("utf-8", "replace").translate(None, b"\r\n")),
    st.integers(1, 300).map(lambda length: b"x" * length),
)

_values = st.one_of(st.just(b""), st.lists(_value_parts, max_size=4).map(b"".join))

_digits = st.one_of(
    st.integers(0, 2**70).map(lambda number: str(number).encode()),
    st.sampled_from([b"0", b"007", str(2**63 - 1).encode(), str(2**63).encode(), b"9" * 40]),
    st.sampled_from([b"+5", b"-5", b"1_000", b" 5", b"5 ", b"1.5", b"\xef\xbc\x91"]),
)

_known_names = st.sampled_from([b"data", b"data", b"data", b"event", b"id", b"retry"])

_almost_names = st.one_of(
    st.sampled_from([b"Data", b"dat", b"datax", b" data", b"data ", b"d", b"ids", b"i", b"events", b"retr", b"retryx"]),
    st.sampled_from([b"\0data", b"data\0", BOM + b"data", b"data\xff", b" ", b"unknown-field", b"x" * 70]),
)


@st.composite
def _fields(draw: st.DrawFn) -> bytes:
    name = draw(st.one_of(_known_names, _known_names, _almost_names))
    values = st.one_of(_digits, _values) if name == b"retry" else _values
    return name + draw(st.one_of(st.just(b""), st.sampled_from([b":", b": "]).flatmap(lambda to: values.map(to.__add__))))


_comments = _values.map(b":".__add__)
_lines = st.one_of(_fields(), _fields(), _comments, st.just(b""), st.just(b""))
_terminated_lines = st.builds(bytes.__add__, _lines, _line_ends)


def _stream(max_lines: int) -> st.SearchStrategy[bytes]:
    starts = st.sampled_from([b"", b"", b"", BOM, BOM + BOM, BOM[:1], BOM[:2]])
    lines = st.lists(_terminated_lines, max_size=max_lines).map(b"".join)
    unterminated = st.one_of(st.just(b""), _lines)
    return st.builds(lambda *parts: b"".join(parts), starts, lines, unterminated)


_soup = st.lists(st.sampled_from([bytes([byte]) for byte in b"dateivnry:  \n\n\n\r\r\0\xef\xbb\xbf\xe2\x80\xa6\xf0\x9f"]))


def streams(*, max_lines: int = 24) -> st.SearchStrategy[bytes]:
    """Event streams: mostly lines drawn from a grammar, now and then bytes that know no grammar."""
    return st.one_of(
        _stream(max_lines),
        _stream(max_lines),
        st.lists(st.one_of(_known_names, _soup.map(b"".join)), max_size=8).map(b"".join),
        st.binary(max_size=64),
    )


def short_streams() -> st.SearchStrategy[bytes]:
    """Streams short enough to be cut at every place."""
    return streams(max_lines=5).map(lambda stream: stream[:80])


@st.composite
def chunked_streams(draw: st.DrawFn) -> list[bytes]:
    """A stream cut at some places; a place drawn twice gives an empty chunk."""
    stream = draw(streams())
    return cut(stream, *draw(st.lists(st.integers(0, len(stream)), max_size=12)))


def ids() -> st.SearchStrategy[str]:
    """Last event IDs as a server could have sent them."""
    return st.sampled_from(["", "", "7", "…", " a b "])


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Keyword arguments of ``reference.decode``."""
    return {
        "dialect": draw(st.sampled_from(DIALECTS)),
        "max_event_size": draw(st.one_of(st.none(), st.integers(0, 12), st.integers(0, 700))),
        "last_event_id": draw(ids()),
        "flush_incomplete": draw(st.booleans()),
        "comments": draw(st.booleans()),
    }


_numbers = st.one_of(
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),
)

_json_values = st.recursive(
    st.none() | st.booleans() | _numbers | st.text(st.characters(), max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def json_values() -> st.SearchStrategy[Any]:
    """Whatever ``json.dumps`` writes and ``json.loads`` reads back: NaN and big integers too."""
    return _json_values


_json_tokens = st.one_of(
    st.sampled_from(["{", "}", "[", "]", ",", ":", '"', '"a"', "null", "true", "false", " ", "\t", "\n", "\r", "\v"]),
    st.sampled_from(["NaN", "Infinity", "-Infinity", "-", "nan", "+1", "-0", "-0.0", "0", "01", ".5", "1.", "1e5"]),
    st.sampled_from(["1E400", "-1e400", "1e-400", "1e99999", "0.1", "18446744073709551615", "18446744073709551616"]),
    st.sampled_from(["-9223372036854775808", "-9223372036854775809", "9" * 400, "\ufeff", "\u00a0", "\0", "//"]),
    st.sampled_from([r'"\ud800"', r'"\ud83d\ude00"', r'"\udc00\ud800"', r'"\u0000"', '"\x01"', '"\x7f"', r'"\x"', "'"]),
    st.integers().map(str),
    st.floats().map(repr),
)


def json_like_texts() -> st.SearchStrategy[str]:
    """Texts made of JSON's tokens, some of them JSON."""
    return st.one_of(
        _json_tokens,
        st.lists(_json_tokens, max_size=8).map("".join),
        st.lists(_json_tokens, max_size=5).map(lambda tokens: "[" + ",".join(tokens) + "]"),
        st.lists(st.tuples(st.sampled_from(['"a"', '"b"', '""']), _json_tokens), max_size=5).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        ),
    )
