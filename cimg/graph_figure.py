"""Drawing a causal graph: put it in layers, untangle it, straighten it, then ink it.

After Sugiyama, Tagawa and Toda (1981), "Methods for visual understanding of hierarchical system
structures": causes above effects; an arrow over several layers bends in each one between, so that
it never runs through a box; each layer is sorted by where its neighbours are. All in pixels.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

import networkx as nx
import numpy as np
from matplotlib.figure import Figure

from cimg.picture import LINE, arrow, box, sheet, text_width

BEND, GAP, ROW, MARGIN = 8, 16, 46, 20  # bend, between boxes, between layers, rim
LEGEND = {
    "drawn": "in the picture",
    "hidden": "hidden",
    "given": "given: seen",
    "do": "do: set by us",
    "cut": "arrow cut",
    "highlight": "highlighted",
}


class Layout(NamedTuple):
    """Centres (x, y) and sizes (w, h) of boxes, Bézier points [1 + 3k, 2] of arrows, the size."""

    centres: dict[str, tuple[float, float]]
    sizes: Mapping[str, tuple[float, float]]
    routes: dict[tuple[str, str], np.ndarray]
    width: float
    height: float


def layout(graph: nx.DiGraph, sizes: Mapping[str, tuple[float, float]]) -> Layout:
    """Places for boxes of the given sizes and routes for the arrows between them, y downwards."""
    layer = _folded(_layers(graph), sizes)
    web = nx.DiGraph()  # the graph with a bend (cause, effect, layer) wherever an arrow passes one
    web.add_nodes_from(graph)
    chains = {
        (a, b): [a, *((a, b, i) for i in range(layer[a] + 1, layer[b])), b] for a, b in graph.edges
    }
    for chain in chains.values():
        nx.add_path(web, chain)
    layer |= {n: n[2] for n in web if isinstance(n, tuple)}
    width = {n: sizes[n][0] if n in sizes else BEND for n in web}
    rows = [[n for n in web if layer[n] == r] for r in range(max(layer.values()) + 1)]
    x = _straighten(_untangle(rows, web), web, width, list(chains.values()))
    left = min(x[n] - width[n] / 2 for n in x) - MARGIN
    x = {n: x[n] - left for n in x}
    tops, ends, y = [], [], MARGIN
    for row in rows:
        tops.append(y)
        ends.append(y + max(sizes[n][1] for n in row if n in sizes))
        far = max((abs(x[n] - x[m]) for n in row for m in web.succ[n]), default=0)
        y = ends[-1] + np.clip(0.16 * far, ROW, 2 * ROW)  # room for arrows that go far sideways
    centres = {n: (x[n], (tops[layer[n]] + ends[layer[n]]) / 2) for n in graph}
    leave = {n: _ports(n, {c[1]: c for c in chains.values() if c[0] == n}, x, width) for n in graph}
    reach = {
        n: _ports(n, {c[-2]: c for c in chains.values() if c[-1] == n}, x, width) for n in graph
    }
    routes = {}
    for (a, b), chain in chains.items():
        points = [(leave[a][chain[1]], centres[a][1] + sizes[a][1] / 2)]
        for n, m in pairwise(chain):
            begin, top = (points[-1][0], ends[layer[n]]), tops[layer[m]]
            end = (reach[b][n], centres[b][1] - sizes[b][1] / 2) if m == b else (x[m], top)
            middle = (begin[1] + top) / 2  # leave and arrive upright
            points += [points[-1], begin, begin]
            points += [(begin[0], middle), (end[0], middle), end]
        routes[a, b] = np.array(points)
    right = max(x[n] + width[n] / 2 for n in x)
    return Layout(centres, sizes, routes, right + MARGIN, ends[-1] + MARGIN)


def _layers(graph: nx.DiGraph) -> dict:
    """Longest path from a root; what has more effects than causes moves down to its effects."""
    layer = {n: i for i, some in enumerate(nx.topological_generations(graph)) for n in some}
    for n in reversed(list(nx.topological_sort(graph))):
        if graph.out_degree(n) > graph.in_degree(n):
            layer[n] = min(layer[effect] for effect in graph.successors(n)) - 1
    return layer


def _folded(layer: dict, sizes: Mapping, widest: float = 1100) -> dict:
    """Layers too wide to be read spill over into new ones below them."""
    r = 0
    while r <= max(layer.values()):
        row = [n for n in layer if layer[n] == r]
        ends = np.cumsum([sizes[n][0] + GAP for n in row])
        if over := [n for n, end in zip(row, ends, strict=True) if end > max(widest, ends[0])]:
            layer = {n: depth + (depth > r) for n, depth in layer.items()} | dict.fromkeys(
                over, r + 1
            )
        r += 1
    return layer


def _untangle(rows: list[list], web: nx.DiGraph) -> list[list]:
    """Sort each layer by its neighbours, downwards and upwards in turn; keep the best order."""
    fewest, last = np.inf, len(rows) - 1
    for sweep in range(24):
        for r in range(last) if sweep % 2 == 0 else range(last, 0, -1):
            if sweep % 2 == 0:
                rows[r + 1] = _by_barycentre(rows[r + 1], rows[r], web.pred)
            else:
                rows[r - 1] = _by_barycentre(rows[r - 1], rows[r], web.succ)
        count = sum(_crossings(a, b, web) for a, b in pairwise(rows))
        if count < fewest:
            fewest, best = count, [list(row) for row in rows]
    rows[:] = best
    return rows


def _by_barycentre(row: list, other: list, near: Mapping) -> list:
    """The row by the mean place of each one's neighbours in the other row, never across sides:
    what is the actor's stays left of the rest, what is the reactor's right."""

    def key(n) -> tuple[int, float]:
        name = n[0] if isinstance(n, tuple) else n
        side = name.startswith("reactor_") - name.startswith("actor_")
        return side, np.mean([place[m] for m in near[n]] or [(row.index(n) + 0.5) / len(row)])

    place = {n: (i + 0.5) / len(other) for i, n in enumerate(other)}
    return sorted(row, key=key)


def _crossings(upper: list, lower: list, web: nx.DiGraph) -> int:
    ends = [(upper.index(n), lower.index(m)) for n in upper for m in web.succ[n]]
    i, j = np.array(ends, int).reshape(-1, 2).T
    return int(((i[:, None] < i) & (j[:, None] > j)).sum())


def _straighten(rows: list[list], web: nx.DiGraph, width: Mapping, chains: list[list]) -> dict:
    """The x that make arrows as upright as order and space allow: least squares, a layer at a time
    until all rest; bends count most (Gansner et al. 1993)."""
    x, offset = {}, {}  # offset: of a box from its row's first when all stand close together
    for row in rows:
        room = [
            (width[a] + width[b]) / 2 + (BEND if width[a] == width[b] == BEND else GAP)
            for a, b in pairwise(row)
        ]
        offset |= dict(zip(row, np.cumsum([0.0, *room]), strict=True))
        x |= {n: offset[n] - offset[row[-1]] / 2 for n in row}
    near = {n: list(nx.all_neighbors(web, n)) or [n] for n in web}
    bent = {n: isinstance(n, tuple) for n in web}
    pull = {n: [(1, 2, 8)[bent[n] + bent[m]] for m in near[n]] for n in web}
    for _ in range(150):
        for row in rows:
            wanted = [np.average([x[m] for m in near[n]], weights=pull[n]) - offset[n] for n in row]
            settled = _nearest_increasing(wanted, [sum(pull[n]) for n in row])
            x |= {n: z + offset[n] for n, z in zip(row, settled, strict=True)}
    place = {n: (row, i) for row in rows for i, n in enumerate(row)}
    for chain in sorted(chains, key=len, reverse=True):  # one upright line where there is room
        low, high = -np.inf, np.inf
        for n in chain[1:-1]:
            row, i = place[n]
            low = max([low, *(x[m] + offset[n] - offset[m] for m in row[i - 1 : i] if i)])
            high = min([high, *(x[m] + offset[n] - offset[m] for m in row[i + 1 : i + 2])])
        if low < high + 1:
            x |= dict.fromkeys(chain[1:-1], np.clip(x[chain[0]], low, high))
    return x


def _nearest_increasing(wanted: Iterable[float], weights: Iterable[float]) -> np.ndarray:
    """The non-decreasing numbers nearest in weighted squares: isotonic regression, by pooling
    neighbours that are out of order (Ayer et al. 1955)."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for z, w in zip(wanted, weights, strict=True):
        pools.append((z, w, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (z1, w1, n1), (z2, w2, n2) = pools[-2:]
            pools[-2:] = [((z1 * w1 + z2 * w2) / (w1 + w2), w1 + w2, n1 + n2)]
    return np.concatenate([np.full(n, z) for z, _, n in pools])


def _ports(node: str, others: Collection, x: Mapping, width: Mapping) -> dict:
    """Where on a box's edge arrows leave or arrive: side by side, in the order of the others."""
    step = min(14, 0.7 * width[node] / max(len(others), 1))
    first = x[node] - step * (len(others) - 1) / 2
    return {n: first + step * i for i, n in enumerate(sorted(others, key=x.get))}


def draw(graph: nx.DiGraph, lines: Mapping, kinds: Mapping, title: str = "") -> Figure:
    """The graph as a figure: `lines` of text for each node, `kinds` of each node and each arrow."""
    sizes = {
        n: (max(64, 22 + max(map(text_width, lines[n]))), LINE * len(lines[n]) + 14) for n in graph
    }
    plan = layout(graph, sizes)
    used = [k for k in LEGEND if any(k in some for some in kinds.values())]
    used = used if set(used) - {"drawn"} else []
    width = max(plan.width, 360, 2 * MARGIN + text_width(title, 13))
    columns, step = max(1, int((width - MARGIN) // 168)), 32
    height = plan.height + step * -(-len(used) // columns)
    figure, ax = sheet(
        width, height, 40 * bool(title), dpi=144
    )  # 192 would take half as much again
    ax.text(MARGIN, -18, title, size=13, weight="bold", va="center")
    shift = ((width - plan.width) / 2, 0)
    for edge, route in plan.routes.items():
        arrow(ax, route + shift, kinds[edge])
    for n in graph:
        box(ax, np.add(plan.centres[n], shift), sizes[n], lines[n], kinds[n])
    for i, kind in enumerate(used):
        x, y = MARGIN + i % columns * 168, plan.height + 6 + i // columns * step
        if kind == "cut":
            arrow(ax, [(x - 2, y), (x + 12, y), (x + 24, y), (x + 38, y)], ["cut"])
        else:
            box(ax, (x + 17, y), (34, 20), [], [kind])
        ax.text(x + 44, y + 1, LEGEND[kind], va="center")
    return figure
