"""The explorer's graph as SVG: every variable with its bars, evidence marked, cut arrows dotted.

SVG is text: it is there in a millisecond, where a matplotlib figure takes a hundred. What depends
only on the world, the places of boxes and arrows, is worked out once.
"""

from __future__ import annotations

from functools import lru_cache
from html import escape
from typing import NamedTuple

import numpy as np

from cimg.coupling import affected
from cimg.explorer_answer import Shown
from cimg.explorer_words import listed
from cimg.graph_figure import Layout, layout
from cimg.picture import COLOURS, GREY, INK, PALE, text_width
from cimg.world import World

HEAD, LINE, PAD, BAR, NUMBER = 24, 17, 7, 44, 36  # pixels: heading, a value's row, rim, columns
POINTS = 9.5  # of letters
RED = "#b00020"
BARS = {"seen": COLOURS["see"], "done": COLOURS["do"], "open": COLOURS["imagine"]}
LEGEND = {
    "hidden": "dashed border: hidden, not in the picture",
    "seen": "blue: seen",
    "done": "orange, double: done",
    "cut": "✂ dotted: arrow cut",
    "open": "pink: may come out otherwise",
    "was": "framed value: as it was",
    "wrong": "red: contradictory",
}


class Plan(NamedTuple):
    """Where everything is: `graph_figure.layout`, and the width of the column of values."""

    layout: Layout
    values: dict[str, float]


@lru_cache(maxsize=8)
def plan(world: World) -> Plan:
    """Places for the boxes of a world and of its picture."""
    graph, sizes, columns = world.graph(), {}, {}
    for name, v in world.variables.items():
        columns[name] = max(text_width(value, POINTS) for value in v.values) + 6
        width = max(text_width(name, POINTS), columns[name] + BAR + NUMBER) + 2 * PAD
        sizes[name] = (width, HEAD + LINE * len(v.values) + PAD)
    if world.visible:
        graph.add_edges_from((name, "the picture") for name in world.visible)
        sizes["the picture"] = (110, HEAD + 4)
    return Plan(layout(graph, sizes), columns)


def kinds(shown: Shown) -> dict[str, set[str]]:
    """What each variable is at these controls, in the words of `LEGEND`."""
    done, seen = shown.controls.done, shown.seen
    open_ = affected(shown.world, done) if shown.controls.imagine else ()
    found = {}
    for name in shown.world.variables:
        changed = name in done or name in open_
        is_so = {
            "hidden": name in shown.world.hidden,
            "seen": name in seen and not changed,
            "done": name in done,
            "open": name in open_,
            "was": name in seen and changed,
            "wrong": name in shown.conflict,
        }
        found[name] = {kind for kind, so in is_so.items() if so}
    return found


def graph(shown: Shown) -> str:
    """The graph at these controls, ``<svg>`` with an alternative text, and its legend."""
    world, (places, columns) = shown.world, plan(shown.world)
    kind, cut = kinds(shown), cut_arrows(shown)
    drawn = [_arrow(route, edge in cut) for edge, route in places.routes.items()]
    drawn += [_box(shown, name, places, columns[name], kind[name]) for name in world.variables]
    if world.visible:
        (x, y), (w, h) = places.centres["the picture"], places.sizes["the picture"]
        drawn.append(_rect(x - w / 2, y - h / 2, w, h, f"fill:white;stroke:{INK}", 0))
        drawn.append(_text(x, y + 4, "the picture", "middle"))
    width, height = round(places.width), round(places.height)
    svg = (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(in_words(shown))}" '
        f'style="width:100%;min-width:{round(0.8 * width)}px;max-width:{width}px">'
    )
    used = set().union(*kind.values(), ["cut"] * bool(cut))
    legend = " · ".join(text for key, text in LEGEND.items() if key in used)
    figure = f'<div class="cimg-graph">{svg}{"".join(drawn)}</svg></div>'
    return f'{figure}<p class="cimg-note">{legend}</p>'


def cut_arrows(shown: Shown) -> set[tuple[str, str]]:
    """The arrows into what is done."""
    done, variables = shown.controls.done, shown.world.variables
    return {(parent, name) for name in done for parent in variables[name].parents}


def in_words(shown: Shown) -> str:
    """What the figure shows, for those who can't see it."""
    world, done, cut = shown.world, shown.controls.done, sorted(cut_arrows(shown))
    said = [f"Causal graph of {world.name}"]
    said += [f"Seen: {listed(shown.seen)}"] * bool(shown.seen)
    said += [f"Done: {listed(done)}"] * bool(done)
    said += [f"Arrows cut: {', '.join(f'{a} → {b}' for a, b in cut)}"] * bool(cut)
    for name, odds in shown.chances.items():
        values = world.variables[name].values
        parts = (f"{value} {float(p):.2f}" for value, p in zip(values, odds, strict=True))
        said.append(f"{name}: {', '.join(parts)}")
    return ". ".join(said) + "."


# ── Ink ─────────────────────────────────────────────────────────────────────────────────────────


def _text(x: float, y: float, text: str, anchor: str = "start", style: str = "") -> str:
    place = f'x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"'
    return f'<text {place} style="{style}">{escape(text)}</text>'


def _rect(x: float, y: float, w: float, h: float, style: str, radius: float = 6) -> str:
    size = f'x="{x:.1f}" y="{y:.1f}" width="{max(w, 0):.1f}" height="{h:.1f}" rx="{radius}"'
    return f'<rect {size} style="{style}"/>'


def _box(shown: Shown, name: str, places: Layout, column: float, kind: set[str]) -> str:
    """One variable: its name, and a row for each value with bar and probability."""
    (x, y), (w, h) = places.centres[name], places.sizes[name]
    x, y = x - w / 2, y - h / 2
    edge = COLOURS["do"] if "done" in kind else RED if "wrong" in kind else INK
    dashes = "stroke-dasharray:5 3" if "hidden" in kind else ""
    fill = PALE if "hidden" in kind else "white"
    parts = [_rect(x, y, w, h, f"fill:{fill};stroke:{edge};stroke-width:1.5;{dashes}")]
    if "done" in kind:
        parts.insert(0, _rect(x - 4, y - 4, w + 8, h + 8, f"fill:white;stroke:{edge}", 9))
    if "wrong" in kind:
        parts.append(_rect(x, y, w, h, f"fill:none;stroke:{RED};stroke-width:4"))
    ink = INK
    if "seen" in kind:
        parts.append(_rect(x, y, w, HEAD - 2, f"fill:{COLOURS['see']}"))
        ink = "white"
    parts.append(_text(x + w / 2, y + 16, name, "middle", f"font-weight:bold;fill:{ink}"))
    for i, value in enumerate(shown.world.variables[name].values):
        parts.append(_row(shown, name, i, value, (x + PAD, y + HEAD + LINE * i), (w, column), kind))
    return "".join(parts)


def _row(
    shown: Shown, name: str, i: int, value: str, at: tuple, size: tuple, kind: set[str]
) -> str:
    """One value: its name, a bar as long as it is probable, and the number, or why it is fixed."""
    (x, y), (w, column) = at, size
    fixed = shown.controls.done if "done" in kind else shown.seen if "seen" in kind else {}
    colour = next((c for k, c in BARS.items() if k in kind), "#6a6a74")
    parts = []
    if "was" in kind and shown.seen[name] == value:
        frame = f"fill:none;stroke:{COLOURS['imagine']};stroke-width:2"
        parts.append(_rect(x - 3, y, w - 2 * PAD + 6, LINE - 1, frame, 3))
    parts.append(_text(x, y + 13, value))
    if name not in shown.chances:
        return "".join(parts)
    p, room = float(shown.chances[name][i]), w - 2 * PAD - column - NUMBER
    parts.append(_rect(x + column, y + 3, room, LINE - 7, "fill:#dcdce2", 1))
    parts.append(_rect(x + column, y + 3, room * p, LINE - 7, f"fill:{colour}", 1))
    number = ("do" if "done" in kind else "seen") if fixed.get(name) == value else f"{p:.2f}"
    return "".join([*parts, _text(x + w - 2 * PAD, y + 13, number, "end")])


def _arrow(route: np.ndarray, cut: bool) -> str:
    """An arrow along Bézier points [1 + 3k, 2]; one that is cut is dotted, with scissors."""
    along = (route[-1] - route[-2]) / np.linalg.norm(route[-1] - route[-2])
    base, across = route[-1] - 9 * along, 4.5 * along[::-1] * (1, -1)
    points = [*route[:-1], base]
    spots = [
        " ".join(f"{x:.1f},{y:.1f}" for x, y in points[i : i + 3]) for i in range(1, len(points), 3)
    ]
    start = "{:.1f},{:.1f}".format(*route[0])
    style = f"stroke:{GREY};stroke-dasharray:2 4" if cut else f"stroke:{INK}"
    head = " ".join("{:.1f},{:.1f}".format(*p) for p in (route[-1], base + across, base - across))
    ink = f'<path d="M{start} C{" ".join(spots)}" style="fill:none;stroke-width:1.3;{style}"/>'
    ink += f'<polygon points="{head}" style="fill:{GREY if cut else INK}"/>'
    if cut:
        x, y = np.array([0.373, 0.436, 0.169, 0.022]) @ route[-4:]
        halo = f"fill:{COLOURS['do']};font-size:18px;stroke:white;stroke-width:4;paint-order:stroke"
        ink += _text(x, y + 6, "✂", "middle", halo)
    return ink
