"""How fast scenes are drawn, beside Pillow merging the same sprites one scene after another.

`python -m tests.benchmarks scenes`; one core. Both have their sprites, cut, mirrored and loaded, at
hand; the peer's scenes are compared with ours before anything is measured.
"""

from collections.abc import Iterator, Mapping
from statistics import quantiles
from time import perf_counter

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cimg.scene import FOOT, HALF, ROLES, STEP, TOP, WIDTH, render, sample_uniform, stage, style_of
from cimg.sprites import POSES, SIZE, TRANSPARENT, load_sheets
from cimg.world import World

SIZES = (1_000, 10_000, 100_000)
PEER = 2_000  # scenes: Pillow takes longer for each


def seconds(work, repeat: int = 9) -> list[float]:
    """How long one call takes, each time; the first, which fills caches, isn't counted."""
    work()
    found = []
    for _ in range(repeat):
        start = perf_counter()
        work()
        found.append(perf_counter() - start)
    return found


def rate(what: str, n: int, took: list[float], target: str = "", note: str = "") -> dict:
    """A row: n things per second, the median; the spread is that of the middle half."""
    low, middle, high = (n / t for t in quantiles(took, n=4)[::-1])
    spread = f"{low:,.0f} to {high:,.0f}"
    found = {"what": what, "value": middle, "unit": "/s", "spread": spread}
    return found | ({"target": target} if target else {}) | ({"note": note} if note else {})


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
    peer = PEER / quantiles(seconds(lambda: merger.render(few)), n=4)[1]
    for n in SIZES:
        some = {name: codes[:n] for name, codes in values.items()}
        row = rate(f"scenes, {n:,} at once", n, seconds(lambda some=some: render(some)), "≥ 50,000")
        yield row | {"note": f"Pillow, one by one, {peer:,.0f}/s (× {row['value'] / peer:.3g})"}
    one = {name: codes[:1] for name, codes in values.items()}
    yield rate("scenes, one at a time", 1, seconds(lambda: render(one), 200))
    n = 10_000

    def world_and_scenes() -> Tensor:
        return render(duel.sample(n, seed=1) | sample_uniform(style, n, seed=2))

    yield rate("labels, style and scenes, 10,000 at once", n, seconds(world_and_scenes), "≥ 50,000")
