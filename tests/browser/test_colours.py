from __future__ import annotations

import re
from importlib.resources import files


def test_all_text_stands_out_from_what_is_behind_it() -> None:
    css = files("ssejet.cli").joinpath("page", "page.css").read_text()
    for scheme in re.findall(r":root \{(.*?)\}", css, re.DOTALL):
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", scheme))
        for text in ("text", "quiet", "accent", "good", "bad"):
            for behind in ("page", "card"):
                assert contrast(colours[text], colours[behind]) >= 4.5, (text, behind)
        assert contrast(colours["on-accent"], colours["accent"]) >= 4.5
        assert contrast(colours["control"], colours["card"]) >= 3


def contrast(one: str, other: str) -> float:
    """The contrast of WCAG 2."""
    lighter, darker = sorted(map(luminance, (one, other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels
    ]
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
