"""Sources of events and all that can go wrong while they are served, drawn by Hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from faults import Fault, Framing, Then

# Nothing in a block but its own event, if any: neither the blocks before nor those after it may depend on it.
_line_ends = st.sampled_from(["\n", "\r\n", "\r"])
_texts = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=12)
_extras = st.sampled_from(
    [":", ": a comment", "unknown", "unknown: field", "event: other", "retry: 0", "retry: x"]
)


@st.composite
def _block(draw: st.DrawFn, number: int) -> tuple[bytes, str]:
    """An event with this ID, as it is sent, and its data."""
    data = draw(st.lists(_texts, min_size=1, max_size=3))
    lines = [*(f"data: {text}" for text in data), f"id: {number}", *draw(st.lists(_extras, max_size=2))]
    lines = draw(st.permutations(lines))
    in_order = [line[6:] for line in lines if line.startswith("data: ")]
    end = draw(_line_ends)
    return "".join(line + end for line in [*lines, ""]).encode(), "\n".join(in_order)


@st.composite
def sources(draw: st.DrawFn) -> list[tuple[bytes, str]]:
    """Up to eight events, as they are sent, with their data."""
    return [draw(_block(number)) for number in range(1, draw(st.integers(0, 8)) + 1)]


_headless = st.builds(
    Fault, status=st.just(0), then=st.sampled_from([Then.CLOSE, Then.RESET, Then.STALL, Then.GARBAGE])
)
_redirects = st.builds(
    Fault, status=st.sampled_from([301, 302, 303, 307, 308]), headers=st.just({"Location": "?elsewhere"})
)
_refusals = st.builds(
    Fault,
    status=st.sampled_from([429, 500, 502, 503]),
    headers=st.sampled_from([{}, {"Retry-After": "0"}, {"Retry-After": "soon"}]),
)
_streams = st.builds(
    Fault,
    framing=st.sampled_from(Framing),
    events=st.none() | st.integers(0, 4),
    cut=st.none() | st.integers(0, 120),
    then=st.sampled_from([Then.END, Then.END, Then.CLOSE, Then.RESET, Then.GARBAGE, Then.STALL]),
    drip=st.booleans(),
    delay=st.sampled_from([0.0, 0.0, 0.001]),
    wrong_length=st.integers(-30, 30),
)

faults = st.one_of(_streams, _streams, _headless, _redirects, _refusals)
schedules = st.lists(faults, max_size=6)
"""What goes wrong, request by request. Then all is well."""
