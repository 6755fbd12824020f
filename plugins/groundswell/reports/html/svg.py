"""A small drawing surface over matplotlib's Figure that gives inline SVG for light and dark pages.

Shapes are put on a Figure in pixels, y downwards, without Axes: that is several times faster than plots with
ticks, and nothing is clipped. Texts and tool tips do not pass matplotlib: they stay text in the font of the
page, whatever a worker or a job is called is neither measured with a font that lacks the glyphs nor read as
mathematics, and no process-wide setting (``svg.fonttype``) has to be changed for it.

What comes out has no ``style`` attribute, no ``<style>`` element and no id but those of title and
description, so it may stand in a page many times and works under a strict Content-Security-Policy. Colours
are CSS variables (``charts.css``) with a fallback.
"""

from __future__ import annotations

import functools
import io
import re
import threading
from collections.abc import Sequence
from typing import Any

from groundswell.reports.html.formats import escape

ROLES = {
    "surface": ("#000001", "#ffffff"),
    "ink": ("#000002", "#16211f"),
    "soft": ("#000003", "#4f5f5c"),
    "grid": ("#000004", "#dde5e3"),
    "base": ("#000005", "#7d8d89"),
    "mark": ("#000006", "#9a3412"),
    "quiet": ("#000007", "#a5beba"),
    "track": ("#000008", "#eaf0ef"),
    "1": ("#000011", "#0b6b67"),
    "2": ("#000012", "#b9540b"),
    "3": ("#000013", "#3b5bb5"),
    "4": ("#000014", "#a3247a"),
    "5": ("#000015", "#6b5900"),
    "6": ("#000016", "#46555f"),
}
"""Roles of colours: the stand-in that matplotlib draws, and what is used without ``charts.css``."""

_VARIABLE = {role: f"var(--chart-{role}, {fallback})" for role, (_, fallback) in ROLES.items()}
_COLOUR = {stand_in: _VARIABLE[role] for role, (stand_in, _) in ROLES.items()}
_STYLE = re.compile(r' style="([^"]*)"')
_NUMBER = re.compile(r"-?\d+\.\d+")
_LONE_GROUP = re.compile(r"<g>(<path\b[^>]*/>)</g>")
_DRAWING = threading.Lock()  # matplotlib promises nothing about threads, even for separate figures

Place = tuple[float, float]
_Pen = tuple[bool, str, float, tuple[float, ...]]
"""Filled or not, role, width, dash: shapes of the same are one path, at the place of the first."""
_DOT = (0.0,)


class Canvas:
    """A drawing of ``width`` x ``height`` px; see the module for what becomes of it."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._shapes: dict[_Pen, list[list[Place]]] = {}
        self._over: list[str] = []

    def rect(self, x: float, y: float, width: float, height: float, role: str) -> None:
        """Fill a rectangle with the colour of a role."""
        corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
        self._shapes.setdefault((True, role, 0.0, ()), []).append([*corners, corners[0]])

    def line(
        self, points: Sequence[Place], role: str, *, width: float = 1.0, dash: Sequence[float] = ()
    ) -> None:
        """Draw a line through the points; ``dash`` is on, off, ... in px."""
        self._shapes.setdefault((False, role, width, tuple(dash)), []).append(list(points))

    def dots(self, points: Sequence[Place], role: str, *, size: float = 6.0) -> None:
        """Draw round dots of a diameter, all in one path, so that 2,000 of them stay small."""
        # a stroke of no length with round ends is a dot
        if points:
            pen: _Pen = (False, role, size, _DOT)
            self._shapes.setdefault(pen, []).extend([point, point] for point in points)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        role: str = "ink",
        size: float = 12.0,
        anchor: str = "start",
        bold: bool = False,
        halo: bool = False,
    ) -> None:
        """Write one line whose base line is at ``y``, above all shapes.

        :param anchor: what ``x`` is of the text: start, middle or end.
        :param halo: keep what is behind from touching the letters.
        """
        more = f' text-anchor="{anchor}"' if anchor != "start" else ""
        more += ' font-weight="600"' if bold else ""
        if halo:
            more += f' stroke="{_VARIABLE["surface"]}" stroke-width="3" paint-order="stroke"'
        self._over.append(
            f'<text x="{_short(x)}" y="{_short(y)}" font-size="{size:g}" fill="{_VARIABLE[role]}"{more}>'
            f"{escape(text)}</text>"
        )

    def hover(self, x: float, y: float, width: float, height: float, tip: str) -> None:
        """Say ``tip`` when the pointer rests on this rectangle, of which nothing is seen."""
        self._over.append(
            f'<rect x="{_short(x)}" y="{_short(y)}" width="{_short(width)}" height="{_short(height)}" '
            f'fill="none" pointer-events="all"><title>{escape(tip)}</title></rect>'
        )

    def svg(self, title: str, desc: str, key: str) -> str:
        """Return the ``<svg>`` element. ``key`` makes the ids of its title and description."""
        with _DRAWING:
            raw = self._draw()
        return (
            f'<svg viewBox="0 0 {self.width:g} {self.height:g}" role="img" aria-labelledby="{key}-t" '
            f'aria-describedby="{key}-d" stroke-linejoin="round"><title id="{key}-t">{escape(title)}</title>'
            f'<desc id="{key}-d">{escape(desc)}</desc>{_tidy(raw)}{"".join(self._over)}</svg>'
        )

    def _draw(self) -> str:
        kit = _kit()
        figure = kit.figure(figsize=(self.width / 72, self.height / 72), dpi=72, frameon=False)
        pixels = kit.affine().scale(1, -1).translate(0, self.height)
        for order, (pen, stretches) in enumerate(self._shapes.items()):
            artist = kit.artist(pen, stretches)
            artist.set(transform=pixels, clip_on=False, zorder=order)
            figure.add_artist(artist)
        out = io.StringIO()
        kit.canvas(figure).print_svg(out, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
        return out.getvalue()


class _Kit:
    """matplotlib, imported when the first chart is drawn: it takes seconds, and most processes draw none."""

    def __init__(self) -> None:
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path
        from matplotlib.transforms import Affine2D

        self.figure, self.affine = Figure, Affine2D
        self.canvas: Any = FigureCanvasSVG  # has no types
        self._patch, self._path = PathPatch, Path

    def artist(self, pen: _Pen, stretches: list[list[Place]]) -> Any:
        filled, role, width, dash = pen
        move, line = self._path.MOVETO, self._path.LINETO
        codes = [code for stretch in stretches for code in (move, *([line] * (len(stretch) - 1)))]
        path = self._path([point for stretch in stretches for point in stretch], codes)
        path.should_simplify = False
        colour = ROLES[role][0]
        if filled:
            return self._patch(path, facecolor=colour, edgecolor="none", linewidth=0)
        style: Any = (0, tuple(part / width for part in dash)) if dash and dash != _DOT else "solid"
        cap = "round" if dash == _DOT else "butt"
        return self._patch(path, edgecolor=colour, fill=False, linewidth=width, linestyle=style, capstyle=cap)


@functools.cache
def _kit() -> _Kit:
    return _Kit()


def _tidy(raw: str) -> str:
    """Keep what is drawn: attributes for styles, variables for colours, one decimal, no ids."""
    if "<path" not in raw:
        return ""
    body = raw[raw.index("<g id=") : raw.rindex("</g>") + 4]
    body = _STYLE.sub(lambda match: _attributes(match[1]), body)
    body = re.sub(r'<g id="[^"]*">', "<g>", body)
    body = re.sub(r"\s*\n\s*", " ", body)
    body = re.sub(r"> <", "><", body).replace(' "', '"')
    body = _NUMBER.sub(lambda match: _short(float(match[0])), body)
    return _LONE_GROUP.sub(r"\1", _LONE_GROUP.sub(r"\1", body))


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _attributes(style: str) -> str:
    parts = []
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name and (name, value) != ("stroke-linejoin", "miter"):
            parts.append(f' {name}="{_COLOUR.get(value, value)}"')
    return "".join(parts)
