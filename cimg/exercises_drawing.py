"""Judges of the exercises of notebook 01: pictures.

The texts of their hints are in ``hints.json``.
"""

from __future__ import annotations

import math
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor

from cimg.answers import (
    Broken,
    Hint,
    Unclear,
    call,
    choice,
    exercise,
    first,
    number,
    numbers,
    scenes,
)
from cimg.exercises_world import moments
from cimg.scene import HALF, TOP, render, stage
from cimg.sprites import MARGIN, POSES, SIZE, TRANSPARENT

SLIME = "4216fead0cd74c0b"  # digest of the six poses that notebook 01 comes with


@exercise("01.1")
def where_it_changes(letter: Any) -> str | None:
    values = moments(1, 0)
    before, after = (render(values | {"action": torch.tensor([code])})[0] for code in (1, 0))
    left, right = (before != after)[:, :HALF].any(), (before != after)[:, HALF:].any()
    truth = "c" if right else "b" if left else "a"
    said = choice(letter, "abc")
    return None if said == truth else said


@exercise("01.2")
def drawn_over(draw_over: Any) -> str | None:
    n, names = 40, stage().variables
    values = moments(n, 3)
    told = [{name: names[name][values[name][i]] for name in names} for i in range(n)]
    drawn = torch.stack([scenes(call(draw_over, v), 1, "one scene")[0] for v in told])
    view, behind = reactor_of(values), background_of(values)[..., HALF:]
    figure = torch.zeros(behind.shape, dtype=torch.bool)
    figure[:, TOP : TOP + SIZE] = view != TRANSPARENT
    wrong, right = drawn != render(values), drawn[..., HALF:]
    if not wrong.any():
        return None
    mistakes = {
        "left": wrong[..., :HALF].any(),
        "twice": torch.equal(right, laid_over(behind, view.flip(2))),
        "unchanged": torch.equal(right, laid_over(behind.flip(2), view)),
        "behind": not wrong[..., HALF:][figure].any(),
    }
    return first(mistakes, "both")


def laid_over(behind: Tensor, view: Tensor) -> Tensor:
    """Right halves in which these views stand before these backgrounds."""
    half = behind.clone()
    band = half[:, TOP : TOP + SIZE]
    band.copy_(torch.where(view == TRANSPARENT, band, view))
    return half.long()


def reactor_of(values: dict[str, Tensor]) -> Tensor:
    """Each scene's reactor as it is drawn in its half, [n, SIZE, HALF]."""
    parts = ("reactor_character", "reactor_type", "reaction", "reactor_distance")
    shape = [len(stage().variables[name]) for name in parts]
    views = torch.from_numpy(stage().figures("reactor")).unflatten(0, shape)
    return views[tuple(values[name] for name in parts)]


def background_of(values: dict[str, Tensor]) -> Tensor:
    """Each scene's background alone, [n, 36, 64]."""
    parts = ("sky", "sun", "hills")
    shape = [len(stage().variables[name]) for name in parts]
    painted = torch.from_numpy(stage().backgrounds).unflatten(0, shape)
    return painted[tuple(values[name] for name in parts)]


@exercise("01.3")
def sun_read(sun_of: Any) -> str | Hint | None:
    columns = torch.arange(len(stage().variables["sun"])).repeat_interleave(16)
    values = moments(len(columns), 5) | {"sun": columns}
    found, truth = columns_said(sun_of, render(values)), columns.double()
    right = (found == truth).double()
    if right.all():
        return None
    skies = torch.stack([right[values["sky"] == sky].mean() for sky in range(4)])
    wide = HALF // 4  # pixels in a column
    mistake = first(
        {
            "constant": (found == found[0]).all(),
            "from 1": (found == truth + 1).all(),
            "fraction": (found.floor() == truth).all(),
            "pixels": ((found // wide) == truth).double().mean() > 0.9,
            "skies": (skies == 1).any(),
            "partly": right.mean() > 0.5,
        },
        "rarely",
    )
    return Hint(mistake, {"found": int((skies == 1).sum()), "share": float(right.mean())})


def columns_said(sun_of: Any, pictures: Tensor) -> Tensor:
    """What the function says of each picture: nan where it stops, Broken if it always does."""
    said, broken = [], None
    for picture in pictures:
        try:
            said.append(number(call(sun_of, picture), what="a column"))
        except Broken as error:
            said.append(float("nan"))
            broken = error
    if broken and all(map(math.isnan, said)):
        raise broken
    return torch.tensor(said)


@exercise("01.4")
def own_sprite(poses: Any) -> str | Hint | None:
    sheet = numbers(poses, (len(POSES), SIZE, SIZE), f"six poses of shape [6, {SIZE}, {SIZE}]")
    if sheet.min() < 0 or sheet.max() > TRANSPARENT or (sheet % 1).any():
        raise Unclear(f"expected whole numbers from 0 to {TRANSPARENT} in every pixel")
    if sha256(sheet.byte().numpy().tobytes()).hexdigest()[:16] == SLIME:
        return "unchanged"
    drawn = sheet != TRANSPARENT
    edge = drawn.clone()
    edge[:, MARGIN:, MARGIN : SIZE - MARGIN] = False
    for i, pose in enumerate(POSES):
        floats, empty = not drawn[i, -1].any(), not drawn[i].any()
        if mistake := first({"empty": empty, "margin": edge[i].any(), "floats": floats}):
            return Hint(mistake, {"pose": pose})
    return "alike" if (sheet == sheet[0]).all() else None
