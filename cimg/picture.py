"""What every figure is made with: colours, a style, a sheet to draw on, boxes and arrows on it.

A finished figure is a `Picture`, which a notebook shows, with an alternative text.
"""

from __future__ import annotations

import io
import os
from base64 import b64encode
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path as Curve
from matplotlib.patheffects import withStroke
from matplotlib.textpath import TextPath
from PIL import Image

from cimg.files import write_file
from cimg.tables import brief

COLOURS = {"see": "#0072B2", "do": "#D55E00", "imagine": "#CC79A7"}  # Okabe and Ito (2008)
INK, GREY, PALE, MARK = "#1b1426", "#767676", "#f0f0f0", "#F0E442"
LINE = 18  # pixels, height of a line of text
HOUSE = {
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "hatch.linewidth": 0.7,
    "legend.frameon": False,
}
house_style = matplotlib.style.context(["default", HOUSE])  # whatever style the reader has set


@dataclass(frozen=True, repr=False)
class Picture:
    """A finished figure: PNG bytes, the alternative text, the width in pixels at which it is to be
    shown (the PNG has more pixels, for sharp screens), and the text by which two machines' figures
    are compared: without trained numbers, with a digest of drawn pixels; by default the alternative
    text.

    JupyterLab gives no picture its alternative text. Where the environment variable CIMG_PICTURES
    is "html" the figure is a piece of HTML, which has it in JupyterLab too."""

    png: bytes
    alt: str
    width: int
    compared: str = ""

    def __repr__(self) -> str:
        return self.compared or self.alt

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        png, said = b64encode(self.png).decode(), {"text/plain": repr(self)}
        if os.environ.get("CIMG_PICTURES") == "html":
            shown = f'alt="{escape(self.alt)}" width="{self.width}"'
            return {"text/html": f'<img src="data:image/png;base64,{png}" {shown}>'} | said, {}
        return {"image/png": png} | said, {"image/png": {"width": self.width, "alt": self.alt}}

    def save(self, path: str | Path) -> Path:
        """Write the PNG file, whole or not at all. Raises OSError where it can't be written."""
        write_file(path, self.png)
        return Path(path)


def finish(figure: Figure, alt: str, colours: int = 64, compared: str = "") -> Picture:
    """Render as a small PNG: the most frequent colours (all flat ones) stay exactly what they are,
    and the shades along the edges of letters and lines become the nearest of them."""
    figure.canvas.draw()
    rgb = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(np.int64)
    codes, where, count = np.unique(
        rgb @ [1 << 16, 1 << 8, 1], return_inverse=True, return_counts=True
    )
    shades = codes[:, None] >> np.array([16, 8, 0]) & 255
    kept = shades[np.argsort(-count, kind="stable")[:colours]]
    nearest = ((shades[:, None] - kept) ** 2).sum(-1).argmin(1).astype(np.uint8)
    image = Image.fromarray(nearest[where].reshape(rgb.shape[:2]))
    image.putpalette(kept.flatten().tolist())
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return Picture(file.getvalue(), alt, round(rgb.shape[1] * 96 / figure.dpi), compared)


def sentences(said: Sequence[str]) -> str:
    """All that isn't empty, each with a full stop unless it has an end already."""
    whole = [" ".join(text.split()) for text in said if text.strip()]
    return " ".join(text if text[-1] in ".?!…" else f"{text}." for text in whole)


def titled(title: str, text: str) -> str:
    """A text behind its title, if there is one; a question needs no colon."""
    title = title.strip()
    return f"{title}{'' if title[-1] in '.?!' else ':'} {text}" if title else text


def sheet(width: float, height: float, top: int = 0, dpi: int = 192) -> tuple[Figure, Axes]:
    """An empty figure whose one axes counts in pixels, 96 to the inch, y from -top downwards."""
    width, height = 2 * round(width / 2), 2 * round(height / 2)
    figure = Figure(figsize=(width / 96, (height + top) / 96), dpi=dpi)
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, -top))
    ax.axis("off")
    return figure, ax


def text_width(text: str, points: float = 11) -> float:
    """Width of a line of bold text. Raises ValueError for what is no text."""
    good = isinstance(text, str)
    if not good:
        raise ValueError(f"expected text, found {brief(text)}")
    if not text.strip():
        return 0.0
    font = {"family": "DejaVu Sans", "weight": "bold"}
    return TextPath((0, 0), text, size=points * 96 / 72, prop=font).get_extents().width


def box(
    ax: Axes, centre: Sequence, size: Sequence, lines: Sequence[str], kinds: Collection
) -> None:
    """A box with lines of text. What kinds of thing it is, is said by shape, colour and text."""
    (x, y), (w, h), do = centre, size, "do" in kinds
    edge = COLOURS["do"] if do else GREY if "hidden" in kinds else INK
    fill = PALE if "hidden" in kinds else "white"
    fill = COLOURS["see"] if "given" in kinds else COLOURS["imagine"] if "kept" in kinds else fill
    radius = 0 if "picture" in kinds else h / 2 if "style" in kinds else 7
    rims = [(7, MARK, "none")] * ("highlight" in kinds) + [(0, "white", edge)] * do
    for grow, face, line in [*rims, (-4 * do, fill, edge)]:
        z = 0 if face == MARK else 3
        shape = f"round,pad={grow},rounding_size={max(radius + grow, 0.01)}"
        patch = FancyBboxPatch(
            (x - w / 2, y - h / 2), w, h, shape, fc=face, ec=line, lw=1.5, zorder=z
        )
        patch.set_linestyle((0, (3.5, 2)) if "hidden" in kinds and not do else "-")
        ax.add_patch(patch)
    ink, weight = (
        "white" if "given" in kinds else INK,
        "bold" if do or "given" in kinds else "normal",
    )
    for i, text in enumerate(lines):
        at = (x, y + LINE * (i - (len(lines) - 1) / 2) + 1)
        ax.text(*at, text, color=ink, weight=weight, ha="center", va="center", zorder=4)


def arrow(ax: Axes, route: Sequence, kinds: Collection = ()) -> None:
    """An arrow along Bézier points [1 + 3k, 2]; one that is cut is pale, dotted, with scissors."""
    route, cut, marked = np.asarray(route, float), "cut" in kinds, "highlight" in kinds
    colour = "#8a8a8a" if cut or "drawing" in kinds else INK
    along = (route[-1] - route[-2]) / np.linalg.norm(route[-1] - route[-2])
    base, across = route[-1] - 9 * along, 4.5 * along[::-1] * (1, -1)
    curve = Curve([*route[:-1], base], [Curve.MOVETO] + [Curve.CURVE4] * (len(route) - 1))
    if marked:
        ax.add_patch(PathPatch(curve, fill=False, ec=MARK, lw=7, zorder=0))
    line = PathPatch(curve, fill=False, ec=colour, lw=2.4 if marked else 1.3, zorder=1)
    line.set_linestyle((0, (1, 2)) if cut else "-")
    ax.add_patch(line)
    head = [route[-1], base + across, base - across]
    ax.add_patch(Polygon(head, fc="white" if cut else colour, ec=colour, zorder=2))
    if cut:
        at = (
            np.array([0.373, 0.436, 0.169, 0.022]) @ route[-4:]
        )  # t = 0.28: not yet near the others
        mark = ax.text(*at, "✂", color=COLOURS["do"], size=15, ha="center", va="center", zorder=5)
        mark.set_path_effects([withStroke(linewidth=3, foreground="white")])
