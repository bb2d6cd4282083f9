"""The course's figures: graphs, scenes, distributions, the three rungs, curves; and tables.

Each comes back as a `Picture` that a notebook shows, with an alternative text that says in words
what the figure says. Nothing is computed here: what is shown is what was passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cimg.graph_figure import draw
from cimg.picture import COLOURS, Picture, finish, house_style
from cimg.plots import BARS, DASHES, HATCHES, LINES, Table, curves, distributions, table
from cimg.rungs import rungs
from cimg.scene_figure import scenes
from cimg.tables import brief
from cimg.world import World, WorldError, check_is_world

__all__ = [
    "BARS",
    "COLOURS",
    "DASHES",
    "HATCHES",
    "LINES",
    "Picture",
    "Table",
    "curves",
    "distributions",
    "graph",
    "rungs",
    "scenes",
    "table",
]


@house_style
def graph(
    world: World,
    given: Mapping[str, str | int] | None = None,
    do: Mapping[str, str | int] | None = None,
    highlight: Iterable[str | tuple[str, str]] = (),
    title: str = "",
    style: bool = False,
) -> Picture:
    """The world's graph, with a node for the picture where some of its variables are drawn.

    Evidence (`given`) is filled and shows its value. What is intervened upon (`do`) has a double
    border, and exactly the arrows into it are cut. `highlight` takes names and arrows (cause,
    effect). `style` adds the part of the picture that no variable decides. Raises WorldError for
    unknown names and values, and where `given` and `do` contradict each other."""
    check_is_world(world)
    given, do = _names(world, given), _names(world, do)
    for n in given:
        if do.get(n, given[n]) != given[n]:
            raise WorldError(f"{n}: given is {given[n]!r}, but do sets it to {do[n]!r}")
    nodes, marked = world.graph(), _marked(highlight)
    drawn = [*world.visible, *["style"] * style] if world.visible else []
    if drawn and (taken := {"picture", "style"} & set(nodes)):
        raise WorldError(f"a variable is named {min(taken)!r}, as is a node that the figure adds")
    nodes.add_edges_from((n, "picture") for n in drawn)
    for x in marked:
        if x not in {*nodes, *nodes.edges}:
            raise WorldError(f"highlight: {x!r} is neither an arrow nor one of {', '.join(nodes)}")
    cut = [(parent, n) for n in do for parent in world.variables[n].parents]
    roles = {"given": given, "do": do, "cut": cut, "highlight": marked}
    kinds = {x: {k for k in roles if x in roles[k]} for x in [*nodes, *nodes.edges]}
    for n in nodes:
        kind = "drawn" if n in world.visible else "hidden" if world.visible else "plain"
        kinds[n].add(kind if n in world.variables else n)
    for n in drawn:
        kinds[n, "picture"].add("drawing")
    lines = {n: _label(n, given, do) for n in nodes}
    said = [f"Causal graph of {world.name}" + f": {title}" * bool(title)]
    said += [f"In the picture: {', '.join(world.visible)}"] * bool(world.visible)
    said += [f"Hidden: {', '.join(world.hidden)}"] * bool(world.visible and world.hidden)
    arrows = [f"{n} → {', '.join(nodes.succ[n])}" for n in nodes if nodes.succ[n]]
    said += [f"Arrows{', before any is cut' * bool(do)}: {'; '.join(arrows) or 'none'}"]
    said += [f"Given: {', '.join(f'{n} = {v}' for n, v in given.items())}"] * bool(given)
    for n, v in do.items():
        gone = ", ".join(f"{a} → {b}" for a, b in cut if b == n)
        said += [f"do({n} = {v}) cuts {gone or 'no arrow'}"]
    marks = [" → ".join(x) if isinstance(x, tuple) else x for x in kinds if x in marked]
    said += [f"Highlighted: {', '.join(marks)}"] * bool(marks)
    return finish(draw(nodes, lines, kinds, title), ". ".join(said) + ".", colours=24)


def _marked(highlight: Iterable[str | tuple[str, str]]) -> set[str | tuple[str, str]]:
    """What is to be highlighted, names and arrows."""
    try:
        return {highlight} if isinstance(highlight, str) else set(highlight)
    except TypeError as error:  # nothing that can be gone through, or a list in place of an arrow
        found = brief(highlight)
        raise WorldError(f"highlight: expected names and arrows, found {found}") from error


def _names(world: World, values: Mapping[str, str | int] | None) -> dict[str, str]:
    """Evidence or an intervention by the names of the values."""
    return {n: world.variables[n].values[code] for n, code in world.encode(values).items()}


def _label(name: str, given: Mapping[str, str], do: Mapping[str, str]) -> list[str]:
    """The lines in a node: a long name breaks at its first underscore."""
    lines = [name] if len(name) <= 9 else name.replace("_", "\n", 1).replace("_", " ").split("\n")
    if name in do:
        return [f"do({lines[0]}", *lines[1:], f"= {do[name]})"]
    return [*lines, f"= {given[name]}"] if name in given else lines
