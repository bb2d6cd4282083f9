"""The exact oracle: the renderer is ours, so that what a scene says can be read back from it.

It looks for the scene with most pixels alike, part by part: the likeliest one where each pixel is
spoilt on its own, by the same small chance. Of a true scene, and of all that aren't badly spoilt,
that is the nearest of all that can be drawn.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from cimg import scene
from cimg.background import SKY
from cimg.scene import (
    FOOT,
    HALF,
    HEIGHT,
    ROLES,
    TOP,
    WIDTH,
    Stage,
    check_scenes,
    palette,
    unflatten,
)
from cimg.sprites import TRANSPARENT

PART = 64  # scenes read at once
HALVES = {"actor": slice(HALF), "reactor": slice(HALF, WIDTH)}  # columns of each role


def hot(pictures: Tensor, colours: int) -> Tensor:
    """One-hot pixels, flat: ``[n, ...] -> float [n, pixels * colours]``. What is no colour, such as
    transparency, is 0 throughout."""
    one_hot = torch.eye(colours + 1)[:, :colours]
    return F.embedding(pictures.flatten(1).long(), one_hot).flatten(1)


@dataclass(frozen=True)
class Templates:
    """All that a scene is put together from, ready to be compared with scenes."""

    backgrounds: Tensor  # uint8 [backgrounds, HEIGHT, WIDTH]
    free: Tensor  # bool [HEIGHT, WIDTH]: no character ever covers these pixels
    behind: Tensor  # float: the backgrounds' free pixels, one-hot
    figures: dict[str, Tensor]  # float: all views of each role, one-hot
    clear: dict[str, Tensor]  # float: 1 where a view is transparent


@lru_cache(maxsize=4)
def templates(on: Stage) -> Templates:
    """The templates of a stage."""
    colours, backgrounds = len(palette().names), torch.from_numpy(on.backgrounds)
    views = {role: torch.from_numpy(on.figures(role)) for role in ROLES}
    free = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    for role, view in views.items():
        free[TOP:FOOT, HALVES[role]] = (view == TRANSPARENT).all(0)
    return Templates(
        backgrounds,
        free,
        hot(backgrounds[:, free], colours),
        {role: hot(view, colours) for role, view in views.items()},
        {role: (view == TRANSPARENT).flatten(1).float() for role, view in views.items()},
    )


def read_back(scenes: Tensor, stage: Stage | None = None) -> tuple[dict[str, Tensor], Tensor]:
    """The labels and style of the nearest scene that the renderer could draw, found by parts: the
    background from pixels that no character covers, then each character against it.

    Args:
        scenes: ``uint8 [n, HEIGHT, WIDTH]``.
        stage: what draws them, such as ``stage_of(world)``; by default the course's own.

    Returns:
        Values of all drawn variables, ``int64 [n]`` each, and the number of pixels in which the
        scene differs from their picture, ``int64 [n]``: 0 for a true scene.
    """
    check_scenes(scenes)
    stage = stage or scene.stage()
    found = [_nearest(part, stage) for part in scenes.split(PART)]
    values = {name: torch.cat([part[name] for part in found]) for name in found[0]}
    return values, (stage.render(values) != scenes).flatten(1).sum(1)


def _nearest(scenes: Tensor, stage: Stage) -> dict[str, Tensor]:
    """Values for which most pixels agree: a count of matches is a product of one-hot pixels."""
    known, variables = templates(stage), stage.variables
    colours = len(palette().names)
    best = (hot(scenes[:, known.free], colours) @ known.behind.T).argmax(1)
    found = unflatten({name: variables[name] for name in SKY}, best)
    as_behind = scenes == known.backgrounds[best]
    for role, half in HALVES.items():
        matches = hot(scenes[:, TOP:FOOT, half], colours) @ known.figures[role].T
        matches += as_behind[:, TOP:FOOT, half].flatten(1).float() @ known.clear[role].T
        names = (f"{role}_character", f"{role}_type", ROLES[role], f"{role}_distance")
        found |= unflatten({name: variables[name] for name in names}, matches.argmax(1))
    return found
