from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benches.harness import Cell, Samples
from benches.plot import LIVE_ROWS, draw, draw_live
from benches.results import Entrant, Results
from benches.workloads import Description
from ssejet.cli._svg import DARK, LIGHT, Theme

SVG = "{http://www.w3.org/2000/svg}"
CHAT = Description("chat chunks", 2000, 644000, 65536)
RESULTS = Results(
    "2026-01-01",
    {"cpu": "a <fast> processor", "cores": 2, "python": "CPython 3.11.0"},
    {"rounds": 2},
    {"ssejet": Entrant("0.1.0", "Python"), "openai": Entrant("3.0", "Python")},
    Samples(
        {"chat-64k": CHAT, "chat-per-event": CHAT},
        {
            Cell("chat-64k", "ssejet"): [100.0],
            Cell("chat-64k", "openai"): [4000.0],
            Cell("chat-per-event", "ssejet"): [200.0],
            Cell("chat-per-event", "openai"): [2000.0],
        },
    ),
)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_bars_are_as_long_as_the_times(theme: Theme) -> None:
    picture = ElementTree.fromstring(draw(RESULTS, theme))
    ours, theirs, ours_per_event, theirs_per_event = (
        float(bar.attrib["width"]) for bar in picture.iter(f"{SVG}rect")
    )
    assert theirs == pytest.approx(40 * ours, rel=0.02)
    assert (ours_per_event, theirs_per_event) == pytest.approx((theirs / 20, theirs / 2), rel=0.02)


def test_every_bar_says_its_time_and_its_ratio() -> None:
    picture = ElementTree.fromstring(draw(RESULTS, LIGHT))
    texts = ["".join(text.itertext()).strip() for text in picture.iter(f"{SVG}text")]
    assert {"ssejet 0.1.0", "openai 3.0", "100 ns", "200 ns", "4.00 µs 40×", "2.00 µs 10×"} <= set(texts)


def test_bars_of_live_streams_say_how_many_times_less_they_take() -> None:
    stock, ours = Cell("async-20", "openai"), Cell("async-20", "openai-fast")
    results = Results(
        RESULTS.date,
        RESULTS.machine,
        {"rounds": 1, "load": [0.5, 0.7]},
        {name: Entrant("3.0", "Python") for name in LIVE_ROWS},
        Samples(
            {"async-20": Description("async, 20 streams", 400, 0, 0)},
            {stock: [300_000.0], ours: [60_000.0]},
        ),
    )
    picture = ElementTree.fromstring(draw_live(results, LIGHT))
    theirs, mine = (float(bar.attrib["width"]) for bar in picture.iter(f"{SVG}rect"))
    assert theirs == pytest.approx(5 * mine, rel=0.02)
    texts = ["".join(text.itertext()).strip() for text in picture.iter(f"{SVG}text")]
    assert {"openai 3.0", "300 µs", "60.0 µs ÷ 5.0"} <= set(texts)
    assert any("load average 0.7" in text for text in texts)
