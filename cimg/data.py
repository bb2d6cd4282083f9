"""Scenes to learn from: drawn from a world on the fly, the same for a seed on every machine."""

import csv
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from cimg.scene import check_world, render, sample_uniform, save_png, style_of, unflatten
from cimg.tables import WorldError
from cimg.world import World


def labels_of(world: World) -> dict[str, tuple[str, ...]]:
    """The world's visible variables with their values."""
    return {name: world.variables[name].values for name in world.visible}


def combinations(world: World) -> int:
    """How many combinations of labels there are."""
    return prod(len(values) for values in labels_of(world).values())


def held_out(world: World, share: float, seed: int = 0) -> Tensor:
    """A choice of label combinations that training never sees: ``bool [combinations]``."""
    order = np.random.PCG64(seed).random_raw(combinations(world)).argsort(kind="stable")
    mask = torch.zeros(combinations(world), dtype=torch.bool)
    mask[torch.from_numpy(order[: round(share * len(order))])] = True
    return mask


def seeds(seed: int, *path: int, n: int = 2) -> list[int]:
    """``n`` independent seeds for one corner of a run, such as the i-th batch."""
    return [int(x) for x in np.random.SeedSequence([seed, *path]).generate_state(n, np.uint64)]


def draw(
    world: World, n: int, seed: int = 0, do: Mapping[str, str | int] | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """``n`` scenes as the world makes them, under ``do`` if given.

    Returns:
        Scenes ``uint8 [n, H, W]``, and all values that they came from: the world's variables,
        hidden ones included, and style, each ``int64 [n]``.
    """
    check_world(world)
    ours, others = seeds(seed, 0)
    values = world.sample(n, ours, do) | sample_uniform(style_of(world), n, others)
    return render(values), values


def draw_evenly(
    world: World, n: int, seed: int = 0, keep: Tensor | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """``n`` scenes with every combination of labels equally often, whatever the world's tables.

    That is how a decoder p(scene | labels, z) is best taught: an intervention will ask it for
    combinations that the world almost never makes. It would be wrong for learning tables.

    Args:
        keep: combinations to draw from, ``bool [combinations]`` (see `held_out`), or all.

    Returns:
        Scenes ``uint8 [n, H, W]`` and values of labels and style (no hidden variables).
    """
    check_world(world)
    pool = torch.arange(combinations(world)) if keep is None else keep.nonzero()[:, 0]
    if not len(pool):
        raise WorldError("no combination of labels is left to draw from")
    ours, others = seeds(seed, 1)
    pick = np.random.PCG64(ours).random_raw(n) % np.uint64(len(pool))
    labels = unflatten(labels_of(world), pool[torch.from_numpy(pick.astype(np.int64))])
    values = labels | sample_uniform(style_of(world), n, others)
    return render(values), values


class Batches(IterableDataset):
    """An endless run of training batches. Batch i depends on the seed and i alone, so that a run
    that was interrupted goes on with the very batches that it would have had."""

    def __init__(self, world: World, size: int, seed: int = 0, keep: Tensor | None = None):
        super().__init__()
        self.world, self.size, self.seed, self.keep = world, size, seed, keep

    def __getitem__(self, i: int) -> tuple[Tensor, dict[str, Tensor]]:
        return draw_evenly(self.world, self.size, *seeds(self.seed, 2, i, n=1), keep=self.keep)

    def __iter__(self) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        i = 0
        while True:
            yield self[i]
            i += 1


def export(
    folder: str | Path,
    world: World,
    n: int,
    seed: int = 0,
    do: Mapping[str, str | int] | None = None,
    zoom: int = 1,
) -> Path:
    """Write ``n`` scenes as PNG files and ``labels.csv``, for use outside of this course.

    The table is written last and appears at once: where it is, the pictures are complete.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    scenes, values = draw(world, n, seed, do)
    spelt = {name: v.values for name, v in world.variables.items()} | style_of(world)
    for i, scene in enumerate(scenes):
        save_png(scene, folder / f"{i:06d}.png", zoom)
    half_done = folder / "labels.csv.tmp"
    with half_done.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file", *values])
        for i in range(n):
            rows.writerow([f"{i:06d}.png", *(spelt[k][int(x[i])] for k, x in values.items())])
    return half_done.replace(folder / "labels.csv")
