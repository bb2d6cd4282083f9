"""Questions on a world, checked: what is asked, what is given, what is set."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from cimg.tables import WorldError, brief, some
from cimg.world import World, check_is_world

Values = Mapping[str, str | int]


def question(
    world: World, targets: str | Sequence[str], given: Values | None, do: Values | None
) -> tuple[tuple[str, ...], dict[str, int], dict[str, int]]:
    """A question, checked: names of the targets, codes of what is given and of what is set."""
    names = targets_of(targets)
    seen, done = evidence(world, given, do)
    check_targets(world, names, seen, done)
    return names, seen, done


def check_targets(
    world: World, names: Sequence[str], seen: Collection[str], done: Collection[str]
) -> None:
    """There are targets, each of them once, and none is known already."""
    if not names:
        raise WorldError("an empty question: name at least one target")
    for name in names:
        world.variable(name)
        if name in done:
            raise WorldError(f"the target {name} is set by do: its value is known")
        if name in seen:
            raise WorldError(f"the target {name} is given: its value is known")
    if len(set(names)) < len(names):
        raise WorldError(f"a target is named twice: {', '.join(names)}")


def targets_of(targets: str | Sequence[str]) -> tuple[str, ...]:
    """What is asked for, one name or several; that the names are known isn't checked here."""
    try:
        return (targets,) if isinstance(targets, str) else tuple(targets)
    except TypeError as error:
        message = f"targets must be a name or several, found {brief(targets)}"
        raise WorldError(message) from error


def evidence(
    world: World, given: Values | None, do: Values | None
) -> tuple[dict[str, int], dict[str, int]]:
    """Codes of what is given and of what is set. A variable may be in both if the values agree:
    in the world where it is set, seeing it there says nothing, and it counts as set."""
    check_is_world(world)
    seen, done = world.encode(given), world.encode(do)
    for name in done.keys() & seen.keys():
        if seen[name] != done[name]:
            values = world.variables[name].values
            raise WorldError(
                f"{name} is given as {values[seen[name]]} but set to {values[done[name]]} by do"
            )
        del seen[name]
    return seen, done


def impossible(world: World, seen: Mapping[str, int], done: Mapping[str, int]) -> WorldError:
    """The error for evidence that cannot be."""

    def text(codes: Mapping[str, int]) -> str:
        return some([f"{a}={world.variables[a].values[code]}" for a, code in codes.items()])

    after = f" after do {text(done)}" if done else ""
    return WorldError(f"impossible evidence: {text(seen)} has probability 0{after}")
