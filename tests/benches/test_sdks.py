from __future__ import annotations

import sys
from xml.etree import ElementTree

import pytest

from benches.harness import Cell, Samples
from benches.plot import draw_sdks
from benches.report import sdk_markdown
from benches.results import Entrant, Results
from benches.sdks import measure
from benches.workloads import Description
from ssejet.cli._svg import DARK, LIGHT, Theme

SVG = "{http://www.w3.org/2000/svg}"
RESULTS = Results(
    "2026-01-01",
    {"cpu": "a <fast> processor", "cores": 2, "python": "CPython 3.11.0"},
    {"rounds": 2, "load": [0.1, 0.7]},
    {"ssejet": Entrant("0.1.0", "Python"), "one": Entrant("1.0", "Python"), "two": Entrant("2.0", "Python")},
    Samples(
        {
            name: Description(f"{name} {number}.0", 2000, 1, 1)
            for number, name in enumerate(("one", "two"), 1)
        },
        {
            Cell("one", "stock"): [20_000.0, 20_000.0],
            Cell("one", "ssejet"): [2_000.0, 2_500.0],
            Cell("two", "stock"): [40_000.0, 40_000.0],
        },
        {Cell("two", "ssejet"): "it gives other items"},
    ),
)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_bars_are_as_long_as_the_times_and_the_slowest_comes_first(theme: Theme) -> None:
    picture = ElementTree.fromstring(draw_sdks(RESULTS, theme))
    # The first two are the legend.
    _, _, two, one, fast = (float(bar.attrib["width"]) for bar in picture.iter(f"{SVG}rect"))
    assert (one, fast) == pytest.approx((two / 2, two / 40_000 * 2_250), rel=0.02)
    texts = ["".join(text.itertext()).strip() for text in picture.iter(f"{SVG}text")]
    assert {"two 2.0", "one 1.0", "40.0 µs", "it gives other items", "2.25 µs ÷ 9.0"} <= set(texts)


def test_the_table_says_why_an_sdk_is_not_fast() -> None:
    rows = sdk_markdown(RESULTS).splitlines()[2:]
    assert rows == [
        "| one 1.0 | 20.0 µs | 2.25 µs | ÷ 9.0 |",
        "| two 2.0 | 40.0 µs |  | it gives other items |",
    ]


@pytest.mark.slow
def test_an_sdk_is_measured_in_a_process_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    samples, entrants = measure(sys.executable, ["anthropic", "no SDK"], 2, 1)
    assert list(samples.workloads) == ["anthropic"]
    stock, fast = (samples.figures[Cell("anthropic", name)] for name in ("stock", "ssejet"))
    assert len(stock) == len(fast) == 2
    assert all(figure > 0 for figure in stock + fast)
    assert set(entrants) == {"ssejet", "anthropic"}
    assert "no SDK is left out" in capsys.readouterr().err
