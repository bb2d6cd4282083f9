"""What the graph alone says: d-separation, and which variables to adjust for.

Nothing here looks at a table. d-separation: Pearl 1988; the back-door and front-door criteria:
Pearl, Causality, 2009, sections 3.3.1 and 3.3.2. Sets come as frozensets of names, smallest
first; a set is minimal if none of its proper subsets would do.

networkx is imported by the functions that use it: cimg imports a quarter of a second faster.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import combinations
from typing import TYPE_CHECKING

from cimg.question import targets_of
from cimg.tables import WorldError
from cimg.world import World, check_is_world

if TYPE_CHECKING:
    import networkx as nx

MAX_SETS = 10_000
MAX_MEDIATORS = 12


def names_of(world: World, names: str | Iterable[str]) -> list[str]:
    """One name or several as a list, each checked."""
    check_is_world(world)
    listed = list(targets_of(names))
    for name in listed:
        world.variable(name)
    return listed


def upstream(world: World, names: Iterable[str], done: Collection[str] = ()) -> list[str]:
    """`names` and all their ancestors once the arrows into `done` are cut, in the world's order."""
    found, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += () if name in done else world.variables[name].parents
    return [name for name in world.variables if name in found]


def d_separated(
    world: World,
    left: str | Iterable[str],
    right: str | Iterable[str],
    given: str | Iterable[str] = (),
    do: str | Iterable[str] = (),
) -> bool:
    """Whether `given` blocks every path between `left` and `right`, once the arrows into the
    variables in `do` are cut. True means: independent, whatever the tables are.

    Raises WorldError for unknown names, an empty side, and sets that overlap."""
    import networkx as nx

    sides = [names_of(world, names) for names in (left, right, given)]
    if not sides[0] or not sides[1]:
        raise WorldError("an empty question: name at least one variable on each side")
    for one, other in combinations(sides, 2):
        if both := [name for name in one if name in other]:
            raise WorldError(f"{both[0]} stands in two of the sets left, right and given")
    graph = world.graph()
    for name in names_of(world, do):
        graph.remove_edges_from(list(graph.in_edges(name)))
    return nx.is_d_separator(graph, *(set(names) for names in sides))


def backdoor_sets(
    world: World, cause: str, effect: str, candidates: Iterable[str] | None = None
) -> list[frozenset[str]]:
    """All minimal back-door sets for the effect of `cause` on `effect`, among the visible
    variables or among `candidates`. [frozenset()]: no adjustment is needed; []: none will do.

    Z is one if no member descends from the cause and Z blocks every path between the two that
    begins with an arrow into the cause. Then, where every z can occur with the cause,
    P(effect | do(cause)) = sum over z of P(effect | cause, z) P(z).
    Minimal sets are the minimal separators of a moral graph (van der Zander et al. 2014), listed
    one from the other as in Shen and Liang 1997. Raises WorldError beyond 10,000 of them.
    """
    moral = _backdoor_graph(world, cause, effect, candidates)
    found = _minimal_separators(moral, cause, effect)
    return sorted(found, key=lambda names: (len(names), sorted(names)))


def is_adjustable(
    world: World, cause: str, effect: str, candidates: Iterable[str] | None = None
) -> bool:
    """Whether adjusting for visible variables (or `candidates`) identifies P(effect | do(cause)).

    It does if there is a back-door set; or if the effect doesn't descend from the cause, and then
    P(effect | do(cause)) = P(effect). The cause and the effect themselves are taken to be seen.
    """
    moral = _backdoor_graph(world, cause, effect, candidates)
    return cause not in upstream(world, [effect]) or not moral.has_edge(cause, effect)


def frontdoor_sets(
    world: World, cause: str, effect: str, candidates: Iterable[str] | None = None
) -> list[frozenset[str]]:
    """All minimal front-door sets for the effect of `cause` on `effect`, among the visible
    variables or among `candidates`; [frozenset()] where no directed path joins the two.

    Z is one if it intercepts every directed path, no back-door path from the cause to Z is open,
    and the cause blocks every back-door path from Z to the effect. Raises WorldError if more than
    12 candidates stand on the directed paths.
    """
    import networkx as nx

    _check_pair(world, cause, effect)
    graph = world.graph()
    no_exit = _without_exits(graph, [cause])
    pool = [
        name
        for name in _pool(world, cause, effect, candidates)
        if name in nx.descendants(graph, cause) & nx.ancestors(graph, effect)
        and nx.is_d_separator(no_exit, {cause}, {name}, set())
    ]
    if len(pool) > MAX_MEDIATORS:
        raise WorldError(
            f"{len(pool)} candidates between {cause} and {effect}; "
            f"name at most {MAX_MEDIATORS} as candidates"
        )
    found: list[frozenset[str]] = []
    for size in range(len(pool) + 1):
        for names in map(frozenset, combinations(pool, size)):
            minimal = not any(smaller <= names for smaller in found)
            if minimal and _is_frontdoor(graph, cause, effect, names):
                found.append(names)
    return found


def _is_frontdoor(graph: nx.DiGraph, cause: str, effect: str, names: frozenset[str]) -> bool:
    import networkx as nx

    if nx.has_path(graph.subgraph(graph.nodes - names), cause, effect):
        return False
    return not names or nx.is_d_separator(
        _without_exits(graph, names), set(names), {effect}, {cause}
    )


def _check_pair(world: World, cause: str, effect: str) -> None:
    world.variable(cause), world.variable(effect)
    if cause == effect:
        raise WorldError(f"cause and effect are the same variable, {cause}")


def _pool(world: World, cause: str, effect: str, candidates: Iterable[str] | None) -> list[str]:
    """The candidates in the world's order, but for the cause and the effect."""
    names = world.visible if candidates is None else names_of(world, candidates)
    return [name for name in world.variables if name in names and name not in (cause, effect)]


def _without_exits(graph: nx.DiGraph, names: Iterable[str]) -> nx.DiGraph:
    """The graph with the arrows out of `names` removed: only back-door paths are left."""
    cut = graph.copy()
    cut.remove_edges_from(list(graph.out_edges(names)))
    return cut


def _backdoor_graph(
    world: World, cause: str, effect: str, candidates: Iterable[str] | None
) -> nx.Graph:
    """An undirected graph of cause, effect and permitted candidates: a set of these separates
    the two here just where it is a back-door set. An edge between the two: none can."""
    import networkx as nx

    _check_pair(world, cause, effect)
    graph = world.graph()
    allowed = set(_pool(world, cause, effect, candidates)) - nx.descendants(graph, cause)
    cut = _without_exits(graph, [cause])
    relevant = nx.ancestors(cut, cause) | nx.ancestors(cut, effect) | {cause, effect}
    moral = nx.moral_graph(cut.subgraph(relevant))
    for name in sorted(relevant - allowed - {cause, effect}):  # can't be held fixed: passes on
        moral.add_edges_from(combinations(sorted(moral[name]), 2))
        moral.remove_node(name)
    return moral


def _minimal_separators(graph: nx.Graph, one: str, other: str) -> set[frozenset[str]]:
    """All minimal sets of nodes whose removal parts `one` from `other`."""
    import networkx as nx

    if graph.has_edge(one, other):
        return set()

    def close_to(side: set[str]) -> frozenset[str]:
        """The part of `side`'s border that the other's component touches."""
        border = _border(graph, side)
        far = nx.node_connected_component(graph.subgraph(graph.nodes - border), other)
        return _border(graph, far)

    first = close_to({one})
    found, waiting = {first}, [first]
    while waiting:
        separator = waiting.pop()
        near = nx.node_connected_component(graph.subgraph(graph.nodes - separator), one)
        for name in separator - set(graph[other]):
            if (further := close_to(near | {name})) not in found:
                found.add(further)
                waiting.append(further)
        if len(found) > MAX_SETS:
            raise WorldError(f"more than {MAX_SETS:,} minimal sets; name fewer candidates")
    return found


def _border(graph: nx.Graph, side: set[str]) -> frozenset[str]:
    return frozenset(name for inside in side for name in graph[inside]) - frozenset(side)
