"""Scenes in words, as the exact oracle reads them: for whoever can't see them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from cimg import scene
from cimg.oracle import read_back
from cimg.scene import HEIGHT, ROLES, WIDTH, Stage

MANY = 8  # of more scenes than these, details that differ are only named
FAR = HEIGHT * WIDTH // 4  # pixels unlike the nearest scene's from which it tells nothing
DETAILS = ("sun", "hills", "actor_distance", "reactor_distance")


def scenes_in_words(scenes: Tensor, stage: Stage | None = None) -> str:
    """What all scenes share, said once; then of each scene what it doesn't share.

    Args:
        scenes: ``uint8 [n, HEIGHT, WIDTH]``; of one that can't be drawn the nearest is told, if it
            is near.
        stage: what draws them, such as `stage_of(world)`; by default the course's own.
    """
    codes, wrong = read_back(scenes, stage)
    names = (stage or scene.stage()).variables
    rows = [{n: names[n][code[i]] for n, code in codes.items()} for i in range(len(scenes))]
    if len(rows) == 1:
        return _one(rows[0], int(wrong))
    same = [n for n in names if len({row[n] for row in rows}) == 1 and int(wrong.max()) <= FAR]
    shared = {n: rows[0][n] for n in same}
    brief = [n for n in DETAILS if n not in shared] if len(rows) > MANY else []
    said = [f"In all {len(rows)}: {values_in_words(shared)}"] * bool(shared)
    for i, row in enumerate(rows):
        own = {n: v for n, v in row.items() if n not in shared and n not in brief}
        said += [f"{i + 1}: {_one(own, int(wrong[i]))}"] * bool(own or wrong[i])
    return ". ".join(said + [f"They differ in {', '.join(brief)} too"] * bool(brief))


def _one(values: Mapping[str, str], wrong: int) -> str:
    """One scene; `wrong` of its pixels are not those of a scene with these values."""
    said = values_in_words(values)
    if wrong > FAR:
        return f"no scene that could be drawn; the nearest has {wrong} pixels unlike it"
    unlike = f"{wrong} pixel{'s' * (wrong > 1)} unlike it"
    return f"nearest to {said or 'that'}, with {unlike}" if wrong else said


def values_in_words(values: Mapping[str, str]) -> str:
    """ "actor satyr type1, attack; reactor golem type2, die; sky dusk"; of any of the variables."""
    said, left = [], dict(values)
    for role, pose in ROLES.items():
        who = [left.pop(n) for n in (f"{role}_character", f"{role}_type") if n in left]
        does = [left.pop(pose)] if pose in left else []
        if who:
            said.append(", ".join([" ".join([role, *who]), *does]))
        elif does:
            said.append(f"{pose} {does[0]}")
    return "; ".join(said + [f"{name} {value}" for name, value in left.items()])
