"""How fast scenes are drawn, beside Pillow merging the same sprites one scene after another.

`python -m tests.benchmarks scenes`; one core. Both have their sprites, cut, mirrored and loaded, at
hand; the peer's scenes are compared with ours before anything is measured.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cimg.scene import FOOT, HALF, ROLES, STEP, TOP, WIDTH, render, sample_uniform, stage, style_of
from cimg.sprites import POSES, SIZE, TRANSPARENT, load_sheets
from cimg.world import World
from tests.benchmarks.clock import rate, turns

SIZES = (1_000, 10_000, 100_000)
PEER = 2_000  # scenes: Pillow takes longer for each


class Merger:
    """Scenes as Pillow would draw them: paste one sprite, paste the other, for each scene."""

    def __init__(self) -> None:
        self.backgrounds = [Image.fromarray(picture) for picture in stage().backgrounds]
        self.sprites = {
            (role, i, j, k): self.cut(sheet[POSES.index(pose)], role == "reactor")
            for role, doing in ROLES.items()
            for i, character in enumerate(stage().characters)
            for j, sheet in enumerate(load_sheets()[character].values())
            for k, pose in enumerate(stage().variables[doing])
        }

    @staticmethod
    def cut(sprite: Tensor, mirrored: bool) -> tuple[Image.Image, Image.Image]:
        """A sprite and the mask of what is drawn of it, facing left if mirrored."""
        pixels = np.ascontiguousarray(sprite.numpy()[:, ::-1] if mirrored else sprite.numpy())
        return Image.fromarray(pixels), Image.fromarray(pixels != TRANSPARENT)

    def draw(self, codes: Mapping[str, int]) -> Image.Image:
        place = (codes["sky"] * 8 + codes["sun"]) * 4 + codes["hills"]
        scene = self.backgrounds[place].copy()
        for role, doing in ROLES.items():
            who = codes[f"{role}_character"], codes[f"{role}_type"], codes[doing]
            sprite, mask = self.sprites[role, *who]
            x = STEP * (3 - codes[f"{role}_distance"])
            scene.paste(sprite, (x if role == "actor" else WIDTH - SIZE - x, TOP), mask)
        return scene

    def render(self, values: Mapping[str, Tensor]) -> Tensor:
        names = list(stage().variables)
        rows = zip(*(values[name].tolist() for name in names), strict=True)
        drawn = [np.asarray(self.draw(dict(zip(names, row, strict=True)))) for row in rows]
        return torch.from_numpy(np.stack(drawn))


def measure() -> Iterator[dict]:
    torch.set_num_threads(1)
    assert FOOT - TOP == SIZE and STEP * 3 + SIZE <= HALF
    duel = World.load("duel")
    style = style_of(duel)
    values = duel.sample(max(SIZES), seed=1) | sample_uniform(style, max(SIZES), seed=2)
    few = {name: codes[:PEER] for name, codes in values.items()}
    merger = Merger()
    if not torch.equal(merger.render(few), render(few)):
        raise AssertionError("Pillow's scenes aren't ours")
    for n in SIZES:
        some = {name: codes[:n] for name, codes in values.items()}
        repeat = 9 if n == 10_000 else 5
        ours, pillow = turns(lambda some=some: render(some), lambda: merger.render(few),
                             repeat=repeat)  # fmt: skip
        yield rate(
            f"scenes, {n:,} at once", n, ours, "≥ 50,000", n == 10_000, Pillow=(PEER, pillow)
        )
    one = {name: codes[:1] for name, codes in values.items()}
    single, pillow = turns(lambda: render(one), lambda: merger.render(one), repeat=200)
    yield rate("scenes, one at a time", 1, single, main=True, Pillow=(1, pillow))
    n = 10_000

    def world_and_scenes() -> Tensor:
        return render(duel.sample(n, seed=1) | sample_uniform(style, n, seed=2))

    (took,) = turns(world_and_scenes, repeat=9)
    yield rate("labels, style and scenes, 10,000 at once", n, took, "≥ 50,000")
