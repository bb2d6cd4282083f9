"""Damaged scenes: pixels replaced by noise, and a standing stone in front.

    Damage(noise=0.2, stone=True)(scenes, seed=1)

Damage is drawn, from a seed, by a law that is known: so what a damaged scene still tells can be
computed exactly (`cimg.reading`). The stone stands in front of everything; noise comes last, and
spares nothing.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from cimg.codes import SceneError, check_range, describe, whole_number
from cimg.scene import HEIGHT, WIDTH, check_scenes, palette

WIDE, TALL = 20, 28  # pixels of the stone
STRIDE = 2  # columns from one possible place of the stone to the next
PLACES = tuple(range(0, WIDTH - WIDE + 1, STRIDE))  # its first column, all equally likely


@cache
def menhir() -> tuple[Tensor, Tensor]:
    """The standing stone: its colours, ``uint8 [TALL, WIDE]``, and where it is solid, ``bool``."""
    dark, grey, light, line = map(
        palette().names.index, ("stone_dark", "stone", "stone_light", "outline")
    )
    colours = torch.full((TALL, WIDE), grey, dtype=torch.uint8)
    solid = torch.zeros(TALL, WIDE, dtype=torch.bool)
    for y in range(TALL):
        narrow = max(0, 5 - y, (TALL - 1 - y) // 9 - 1)  # a round head on broad shoulders
        solid[y, narrow : WIDE - narrow] = True
        for x in range(narrow, WIDE - narrow):
            if x in (narrow, WIDE - 1 - narrow) or y == 0:
                colours[y, x] = line
            elif x < narrow + 3 and y > 2:
                colours[y, x] = light
            elif x > WIDE - 5 - narrow or (x * x * 3 + y * y * 5 + x * y) % 13 == 0:
                colours[y, x] = dark
    return colours, solid


@cache
def standing() -> tuple[Tensor, Tensor]:
    """The stone in each of its places: colours ``uint8 [places, HEIGHT, WIDTH]`` and where it is
    solid, ``bool [places, HEIGHT, WIDTH]``."""
    colours = torch.zeros(len(PLACES), HEIGHT, WIDTH, dtype=torch.uint8)
    solid = torch.zeros(len(PLACES), HEIGHT, WIDTH, dtype=torch.bool)
    for i, x in enumerate(PLACES):
        colours[i, HEIGHT - TALL :, x : x + WIDE], solid[i, HEIGHT - TALL :, x : x + WIDE] = (
            menhir()
        )
    return colours, solid


def put_stone(scenes: Tensor, places: Tensor) -> Tensor:
    """Scenes with the stone in front, in the place of the list `PLACES` that each row says.

    Args:
        scenes: ``uint8 [n, HEIGHT, WIDTH]``.
        places: ``int64 [n]``.

    Raises:
        SceneError: not scenes, a place that isn't in the list, or more or fewer than scenes.
    """
    check_scenes(scenes)
    if not isinstance(places, Tensor) or places.dtype != torch.int64:
        raise SceneError(f"places: expected int64 [{len(scenes)}], found {describe(places)}")
    if places.shape != scenes.shape[:1]:
        raise SceneError(f"places: expected int64 [{len(scenes)}], found {describe(places)}")
    check_range(places, "places", len(PLACES))
    colours, solid = standing()
    return torch.where(solid[places], colours[places], scenes)


def put_noise(scenes: Tensor, share: float | Tensor, seed: int = 0) -> Tensor:
    """Scenes in which each pixel, with the probability `share`, is replaced by a colour drawn from
    the whole palette (it may be the one that was there).

    Args:
        scenes: ``uint8 [n, HEIGHT, WIDTH]``.
        share: from 0 to 1, for all scenes or ``float [n]``, one for each.

    Raises:
        SceneError: not scenes, a share that isn't from 0 to 1, or no seed.
    """
    check_scenes(scenes)
    seed = whole_number(seed, "seed")
    if not isinstance(share, int | float | Tensor):
        raise SceneError(f"noise: expected a share from 0 to 1, found {describe(share)}")
    share = torch.as_tensor(share, dtype=torch.float64)
    if share.shape not in ((), scenes.shape[:1]):
        raise SceneError(f"noise: expected one share or {len(scenes)}, found {describe(share)}")
    if not bool(((share >= 0) & (share <= 1)).all()):
        raise SceneError(
            f"noise: expected a share from 0 to 1, found {share.flatten().tolist()[:5]}"
        )
    share = share.expand(len(scenes))
    raw = np.random.PCG64(seed).random_raw(scenes.numel()).reshape(scenes.shape)
    limit = np.floor(share.numpy() * 2.0**32).astype(np.uint64)[:, None, None]
    hit = torch.from_numpy((raw & np.uint64(2**32 - 1)) < limit)
    colours = (raw >> np.uint64(32)) % np.uint64(len(palette().names))
    return torch.where(hit, torch.from_numpy(colours.astype(np.uint8)), scenes)


@dataclass(frozen=True)
class Damage:
    """What happens to a scene; call it to do it.

    Args:
        noise: probability, for each pixel, of being replaced by a colour drawn at random.
        stone: whether a stone stands in front, in one of `PLACES`, each as likely as the other.

    Raises:
        SceneError: a share of noise that is no number from 0 to 1, a stone that is no yes or no.
    """

    noise: float = 0.0
    stone: bool = False

    def __post_init__(self) -> None:
        good = isinstance(self.noise, int | float) and not isinstance(self.noise, bool)
        if not good or not 0 <= self.noise <= 1:
            raise SceneError(f"noise: expected a share from 0 to 1, found {self.noise!r}")
        if not isinstance(self.stone, bool):
            raise SceneError(f"stone: expected True or False, found {self.stone!r}")

    def __call__(self, scenes: Tensor, seed: int = 0) -> Tensor:
        """Damaged scenes ``uint8 [n, HEIGHT, WIDTH]``, the same for a seed on every machine.

        Raises:
            SceneError: not scenes, or no seed.
        """
        check_scenes(scenes)
        ours, others = np.random.SeedSequence(whole_number(seed, "seed")).generate_state(2)
        if self.stone:
            raw = np.random.PCG64(int(ours)).random_raw(len(scenes)) % np.uint64(len(PLACES))
            scenes = put_stone(scenes, torch.from_numpy(raw.astype(np.int64)))
        return put_noise(scenes, self.noise, int(others)) if self.noise else scenes.clone()


CLEAN = Damage()
