"""Scenes in words, as the exact oracle reads them: for whoever can't see them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby

import torch
from torch import Tensor

from cimg import scene
from cimg.background import HORIZON, SKY
from cimg.oracle import HALVES, read_back
from cimg.scene import COLUMNS, DISTANCES, HEIGHT, ROLES, TOP, WIDTH, Stage
from cimg.sprites import TRANSPARENT

STYLE = ("sun", "hills", "actor_distance", "reactor_distance")
LONG = 8  # of more scenes than these, hills and distances are left out
UNTOLD = "can't be told"
CLEAR, LAND = [0, 8, 9], slice(16, HORIZON)  # rows of sky, without a sun; rows of hills
LAST = {"sun": len(COLUMNS) - 1} | {f"{role}_distance": len(DISTANCES) - 1 for role in ROLES}
Facts = dict[str, str]


def scenes_in_words(
    scenes: Tensor,
    captions: Sequence[str] | None = None,
    stage: Stage | None = None,
    without: Collection[str] = (),
) -> str:
    """What all scenes share, said once; what those share that stand side by side under the same
    caption; and of each scene the rest. Of a scene that can't be drawn those parts are told of
    which more than half is as the oracle reads it, and how many pixels are otherwise. Of pictures
    that are no whole scenes (a half, a sprite, holes in it) nothing is told.

    Args:
        scenes: ``uint8 [n, H, W]``.
        captions: one for each scene.
        stage: what draws them, such as `stage_of(world)`; by default the course's own.
        without: drawn variables that are left out; of many scenes, some of the style always are.
    """
    if scenes.shape[1:] != (HEIGHT, WIDTH) or (scenes >= TRANSPARENT).any():
        return ""
    left_out = {*without, *(STYLE[1:] if len(scenes) > LONG else ())}
    facts, faults = read_facts(scenes, stage or scene.stage())
    facts = [{name: said for name, said in of.items() if name not in left_out} for of in facts]
    if len(facts) == 1:
        return facts_in_words(facts[0]) + faults[0]
    common = shared(facts)
    said = [f"In all {len(facts)}: {facts_in_words(common)}"] * bool(common)
    for _, run in groupby(range(len(facts)), lambda i: captions[i] if captions else i):
        said += _run(list(run), captions, facts, faults, common)
    return ". ".join(said)


def _run(
    run: list[int],
    captions: Sequence[str] | None,
    facts: Sequence[Facts],
    faults: Sequence[str],
    common: Facts,
) -> list[str]:
    """The sentences about scenes that stand side by side under one caption."""
    caption = f" ({captions[run[0]]})" if captions and str(captions[run[0]]).strip() else ""
    known, said = common, []
    if len(run) > 1:
        known = shared([facts[i] for i in run])
        new = facts_in_words({k: v for k, v in known.items() if k not in common})
        said = [f"{run[0] + 1} to {run[-1] + 1}{caption}" + f": {new}" * bool(new)]
        caption = ""
    for i in run:
        own = facts_in_words({k: v for k, v in facts[i].items() if k not in known}) + faults[i]
        own = own.removeprefix("; ")
        said += [f"{i + 1}{caption}" + f": {own}" * bool(own)] * bool(own or caption)
    return said


def shared(facts: Sequence[Facts]) -> Facts:
    """What is the same in all of them."""
    return {k: v for k, v in facts[0].items() if all(of.get(k) == v for of in facts)}


def read_facts(scenes: Tensor, stage: Stage) -> tuple[list[Facts], list[str]]:
    """Of each of ``scenes [n, HEIGHT, WIDTH]`` what can be told, by the drawn variables' names; and
    what is otherwise."""
    codes, _ = read_back(scenes, stage)
    nearest = stage.render(codes)
    sizes = [len(stage.variables[name]) for name in SKY]
    backs = torch.from_numpy(stage.backgrounds).reshape(*sizes, HEIGHT, WIDTH)
    facts, faults = [], []
    for i, picture in enumerate(scenes):
        read = {name: values[codes[name][i]] for name, values in stage.variables.items()}
        sky, sun, hills = (codes[name][i] for name in SKY)
        read["sun"], told = suns(picture, backs[sky, :, hills])
        read = {n: f"{v} of {LAST[n]}" if n in LAST and v.isdigit() else v for n, v in read.items()}
        figure = nearest[i] != backs[sky, sun, hills]
        facts.append(tell(read, nearest[i] == picture, figure))
        faults.append(otherwise(told.where(~figure, nearest[i]) != picture))
    return facts, faults


def tell(read: Facts, right: Tensor, figure: Tensor) -> Facts:
    """What was read of those parts of which most pixels are right; both are ``bool [HEIGHT,
    WIDTH]``, `figure` being where the two characters are."""
    untold = {}
    for role, half in HALVES.items():
        if not mostly(right[:, half][figure[:, half]]):
            parts = (f"{role}_character", f"{role}_type", ROLES[role], f"{role}_distance")
            untold |= dict.fromkeys(parts, "") | {role: UNTOLD}
    if not mostly(right[LAND][~figure[LAND]]):
        untold |= {"hills": UNTOLD}
    if not mostly(right[CLEAR]):
        untold |= {"sky": UNTOLD, "sun": UNTOLD}
    return {name: said for name, said in (read | untold).items() if said}


def mostly(right: Tensor) -> bool:
    """Whether more than half of it is right; of nothing, nothing is told either."""
    return bool(right.numel()) and float(right.float().mean()) > 0.5


def suns(picture: Tensor, skies: Tensor) -> tuple[str, Tensor]:
    """In which columns of ``picture [HEIGHT, WIDTH]`` there is a sun or moon, and the background
    with just these. In ``skies [columns, HEIGHT, WIDTH]`` it stands in each column once. "none" is
    told of an empty sky only: what else is there may be no sun."""
    empty, there = skies.mode(0).values, []
    told, bare = empty.clone(), True
    for column, sky in enumerate(skies):
        disc = sky != empty
        bare &= mostly((picture == empty)[disc])
        if mostly((picture == sky)[disc]):
            there.append(str(column))
            told[disc] = sky[disc]
    if len(there) < 2:
        return (there[0] if there else "none" if bare else UNTOLD), told
    return f"at {', '.join(there[:-1])} and {there[-1]} of {len(skies) - 1}", told


def otherwise(wrong: Tensor) -> str:
    """How many pixels, of ``bool [HEIGHT, WIDTH]``, are not as the scene is read, and where."""
    if not wrong.any():
        return ""
    left, right = (wrong[TOP:, half] for half in HALVES.values())
    parts = {"in the sky": wrong[:TOP], "on the left": left, "on the right": right}
    where = {place: int(of.sum()) for place, of in parts.items() if of.any()}
    n = int(wrong.sum())
    listed = ", ".join(f"{k} {place}" for place, k in where.items())
    but = f"; but for {n} pixel{'s' * (n > 1)}"
    return f"{but} {next(iter(where))}" if len(where) == 1 else f"{but}: {listed}"


def facts_in_words(facts: Mapping[str, str]) -> str:
    """ "actor satyr type1, attack; reactor golem type2, die; sky dusk"; of any of the variables."""
    said, left = [], dict(facts)
    for role, pose in ROLES.items():
        who = [left.pop(n) for n in (f"{role}_character", f"{role}_type") if n in left]
        does = [left.pop(pose)] if pose in left else []
        if who:
            said.append(", ".join([" ".join([role, *who]), *does]))
        elif does:
            said.append(f"{pose} {does[0]}")
    return "; ".join(said + [f"{name} {value}" for name, value in left.items()])
