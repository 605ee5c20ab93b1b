"""Draws pictures as SVG: texts, lines and bars, in colours for light pages and dark ones."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

__all__ = ["DARK", "LIGHT", "Picture", "Theme"]

_FONTS = "-apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"


@dataclass(frozen=True)
class Theme:
    """The colours for a page."""

    name: str
    page: str
    text: str
    muted: str
    accent: str
    neutral: str
    rule: str

    def css(self, *, background: bool) -> str:
        """The style sheet for these colours."""
        page = f"svg {{ background: {self.page} }}" if background else ""
        return f"""{page}
text {{ fill: {self.text} }} .muted {{ fill: {self.muted} }}
.accent {{ fill: {self.accent} }} .neutral {{ fill: {self.neutral} }}
.outline {{ fill: none; stroke: {self.neutral}; stroke-width: 1.5; stroke-dasharray: 4 3 }}
.rule {{ stroke: {self.rule} }} .mark {{ stroke: {self.muted}; stroke-dasharray: 3 3 }}"""


LIGHT = Theme("light", "#ffffff", "#1f2328", "#59636e", "#d9480f", "#b6bfc9", "#d1d9e0")
DARK = Theme("dark", "#0d1117", "#f0f6fc", "#9198a1", "#ff8c42", "#4d5661", "#3d444d")

# Sizes and weights, the same in every theme.
_SHAPES = f"""
text {{ font: 14px {_FONTS} }} .title {{ font-size: 18px }} .small {{ font-size: 12px }}
.title, .heading {{ font-weight: 600 }} .bold {{ font-weight: 700 }}"""


class Picture:
    """A picture, which ``str()`` gives as SVG.

    A ``kind`` is one or more of the style sheet's classes.

    Args:
        title: what a screen reader says.
        width, height: in pixels.
        theme: the colours. None for a picture that follows the reader's settings; it has a background,
            because browsers show a file on white, even in dark mode.
    """

    def __init__(self, title: str, width: int, height: int, *, theme: Theme | None = None) -> None:
        opening = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" aria-label={quoteattr(title)}>'
        )
        css = _BOTH if theme is None else theme.css(background=False)
        self._elements = [opening, f"<style>{_SHAPES}{css}\n</style>"]

    def text(self, x: float, y: float, *parts: tuple[str, str], anchor: str = "start") -> None:
        """Write a text in parts, each with its kind; ``anchor`` says which point of it is at ``x``."""
        spans = (f'<tspan class="{kind}">{escape(text)}</tspan>' for text, kind in parts)
        self._elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{" ".join(spans)}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str, *, tooltip: str = "") -> None:
        """Draw a line."""
        ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        self._elements.append(f'<line {ends} class="{kind}"><title>{escape(tooltip)}</title></line>')

    def bar(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        """Draw a rectangle, given its upper left corner."""
        place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        self._elements.append(f'<rect {place} class="{kind}"/>')

    def __str__(self) -> str:
        return "\n".join([*self._elements, "</svg>"]) + "\n"


_BOTH = (
    f"{LIGHT.css(background=True)}\n@media (prefers-color-scheme: dark) {{\n{DARK.css(background=True)}\n}}"
)
