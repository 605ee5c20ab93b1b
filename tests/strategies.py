"""Hypothesis strategies: event streams rich in traps, the ways of cutting them, and JSON texts."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from chunks import cut
from reference import DIALECTS

BOM = b"\xef\xbb\xbf"


def _weighted(*choices: tuple[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    # one_of drops duplicates, so naming a strategy twice gives it no more weight.
    repeated = [strategy for weight, strategy in choices for _ in range(weight)]
    return st.sampled_from(repeated).flatmap(lambda strategy: strategy)


def _joined(*parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(*parts).map(b"".join)


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
)
_short_values = st.lists(_value_parts, max_size=3).map(b"".join)
_long_values = st.integers(10, 300).map(lambda length: b"x" * length)
_values = _weighted((2, _short_values), (1, _joined(_short_values, _long_values, _short_values)))

_digits = st.one_of(
    st.integers(0, 2**70).map(lambda number: str(number).encode()),
    st.sampled_from([b"0", b"007", str(2**63 - 1).encode(), str(2**63).encode(), b"9" * 40]),
    st.sampled_from([b"+5", b"-5", b"1_000", b" 5", b"5 ", b"1.5", b"\xef\xbc\x91"]),
)

_known_names = st.sampled_from([b"data", b"event", b"id", b"retry"])

_almost_names = st.sampled_from(
    [
        *[b"Data", b"dat", b"datax", b" data", b"data ", b"\0data", b"data\0", b"data\xff", BOM + b"data"],
        *[b"d", b"i", b"ids", b"events", b"retr", b"retryx", b" ", b"unknown-field", b"x" * 70],
    ]
)

_separators = st.sampled_from([b": ", b": ", b":", b":  "])


def _fields(names: st.SearchStrategy[bytes], values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return _weighted((4, _joined(names, _separators, values)), (1, names))


def _lines(values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return _weighted(
        (6, _fields(st.just(b"data"), values)),
        (2, _fields(st.just(b"event"), values)),
        (2, _fields(st.just(b"id"), values)),
        (2, _fields(st.just(b"retry"), st.one_of(_digits, values))),
        (1, _fields(_almost_names, values)),
        (1, _joined(st.just(b":"), values)),
    )


@st.composite
def _blocks(draw: st.DrawFn, values: st.SearchStrategy[bytes], max_lines: int) -> bytes:
    lines = draw(st.lists(_lines(values), min_size=1, max_size=max_lines))
    line_ends = draw(st.one_of(_line_ends.map(st.just), st.just(_line_ends)))
    return b"".join(line + draw(line_ends) for line in [*lines, b""])


_starts = st.sampled_from([b""] * 5 + [BOM] * 3 + [BOM + BOM, BOM[:1], BOM[:2]])


def _by_the_grammar(blocks: st.SearchStrategy[bytes], max_blocks: int) -> st.SearchStrategy[bytes]:
    cut_block = st.tuples(blocks, st.integers(0, 60)).map(lambda cut: cut[0][: cut[1]])
    whole_blocks = st.lists(blocks, min_size=1, max_size=max_blocks).map(b"".join)
    return _joined(_starts, whole_blocks, st.one_of(st.just(b""), cut_block))


_traps = [bytes([byte]) for byte in b": \n\r\0\xef\xbb\xbf\xe2\x80\xa6\xf0\x9f"]
_soup = st.lists(_weighted((1, _known_names), (2, st.sampled_from(_traps))), max_size=20).map(b"".join)
_long = _by_the_grammar(_blocks(_values, max_lines=6), max_blocks=8)
_short = _by_the_grammar(_blocks(_short_values, max_lines=2), max_blocks=2)


def streams() -> st.SearchStrategy[bytes]:
    """Event streams: mostly blocks drawn from a grammar, now and then bytes that know no grammar."""
    return _weighted((6, _long), (2, _short), (1, _soup))


def short_streams() -> st.SearchStrategy[bytes]:
    """Streams short enough to be cut at every place."""
    return _weighted((4, _short), (1, _soup)).map(lambda stream: stream[:80])


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
        "max_event_size": draw(_weighted((2, st.none()), (1, st.integers(0, 12)), (1, st.integers(0, 700)))),
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
    st.sampled_from(list('{}[],:" \t\r\n\v\0\ufeff\u00a0')),
    st.sampled_from(["null", "true", "false", "NaN", "Infinity", "-Infinity", "nan", "-", "//", "'"]),
    st.sampled_from(
        ["0", "-0", "-0.0", "01", "+1", "1.", ".5", "0.1", "1e5", "1E400", "-1e400", "1e-400", "1e99999"]
    ),
    st.sampled_from([2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**400]).map(str),
    st.sampled_from(
        ['"a"', r'"\ud800"', r'"\ud83d\ude00"', r'"\udc00\ud800"', r'"\u0000"', r'"\x"', '"\x01"']
    ),
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
