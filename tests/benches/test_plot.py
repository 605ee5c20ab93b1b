from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benches.harness import Cell, Samples
from benches.plot import draw
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
