"""Scenes to learn from: drawn from a world on the fly, the same for a seed on every machine."""

import csv
import io
from collections.abc import Iterator, Mapping
from itertools import count
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from cimg.files import new_folder, path_of, write_file
from cimg.scene import (
    SceneError,
    Stage,
    check_world,
    describe,
    sample_uniform,
    save_png,
    style_of,
    unflatten,
    whole_number,
)
from cimg.tables import WorldError, whole
from cimg.world import World, check_is_world


def labels_of(world: World) -> dict[str, tuple[str, ...]]:
    """The world's visible variables with their values. Raises WorldError for what is no world."""
    check_is_world(world)
    return {name: world.variables[name].values for name in world.visible}


def combinations(world: World) -> int:
    """How many combinations of labels there are."""
    return prod(len(values) for values in labels_of(world).values())


def held_out(world: World, share: float, seed: int = 0) -> Tensor:
    """A choice of label combinations that training never sees: ``bool [combinations]``.

    Raises WorldError for a share that isn't from 0 to 1.
    """
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise WorldError(f"the share held out must be a number from 0 to 1, found {share!r}")
    seed = whole(seed, "seed")
    order = np.random.PCG64(seed).random_raw(combinations(world)).argsort(kind="stable")
    mask = torch.zeros(combinations(world), dtype=torch.bool)
    mask[torch.from_numpy(order[: round(share * len(order))])] = True
    return mask


def seeds(seed: int, *path: int, n: int = 2) -> list[int]:
    """``n`` independent seeds for one corner of a run, such as the i-th batch."""
    numbers = [whole(x, "seed") for x in (seed, *path)]
    return [int(x) for x in np.random.SeedSequence(numbers).generate_state(n, np.uint64)]


def draw(
    world: World, n: int, seed: int = 0, do: Mapping[str, str | int] | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """``n`` scenes as the world makes them, under ``do`` if given.

    Returns:
        Scenes ``uint8 [n, H, W]``, and all values that they came from: the world's variables,
        hidden ones included, and style, each ``int64 [n]``.

    Raises:
        SceneError: a world that can't be drawn.
        WorldError: a bad n or seed, unknown names or values.
    """
    stage = check_world(world)
    ours, others = seeds(seed, 0)
    values = world.sample(n, ours, do) | sample_uniform(style_of(world), n, others)
    return stage.render(values), values


def draw_evenly(
    world: World,
    n: int,
    seed: int = 0,
    keep: Tensor | None = None,
    stage: Stage | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """``n`` scenes with every combination of labels equally often, whatever the world's tables.

    That is how a decoder p(scene | labels, z) is best taught: an intervention will ask it for
    combinations that the world almost never makes. It would be wrong for learning tables.

    Args:
        keep: combinations to draw from, ``bool [combinations]`` (see `held_out`), or all.
        stage: the world's, where it is known already.

    Returns:
        Scenes ``uint8 [n, H, W]`` and values of labels and style (no hidden variables).

    Raises:
        SceneError: a world that can't be drawn.
        WorldError: a bad n or seed, a ``keep`` of another kind or with nothing in it.
    """
    stage = stage or check_world(world)
    n, every = whole(n, "n"), combinations(world)
    keep = torch.ones(every, dtype=torch.bool) if keep is None else keep
    if not isinstance(keep, Tensor) or keep.dtype != torch.bool or keep.shape != (every,):
        raise WorldError(f"keep: expected bool [{every}], found {describe(keep)}")
    pool = keep.nonzero()[:, 0]
    if not len(pool):
        raise WorldError("no combination of labels is left to draw from")
    ours, others = seeds(seed, 1)
    pick = np.random.PCG64(ours).random_raw(n) % np.uint64(len(pool))
    labels = unflatten(labels_of(world), pool[torch.from_numpy(pick.astype(np.int64))])
    values = labels | sample_uniform(style_of(world, stage), n, others)
    return stage.render(values), values


def draw_counterfactuals(
    world: World, n: int, seed: int = 0, keep: Tensor | None = None
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """``n`` scenes as the world makes them, and new labels for them, drawn evenly: what to ask of
    a model, had the labels been these.

    Returns:
        Scenes and values as `draw`, and the values with the new labels and the old style.

    Raises:
        SceneError, WorldError: as `draw_evenly`, whose ``keep`` this is.
    """
    scenes, values = draw(world, n, seed)
    _, new = draw_evenly(world, n, seed + 1, keep)
    return scenes, values, values | {name: new[name] for name in world.visible}


class Batches(IterableDataset):
    """An endless run of training batches. Batch i depends on the seed and i alone, so that a run
    that was interrupted goes on with the very batches that it would have had.

    It is a dataset of whole batches: ``DataLoader(batches, batch_size=None)``, with any number of
    workers, gives them in order. `keep` is that of `draw_evenly`; raises SceneError for a world
    that can't be drawn.
    """

    def __init__(self, world: World, size: int, seed: int = 0, keep: Tensor | None = None):
        super().__init__()
        self.world, self.size, self.keep = world, whole(size, "size", 1), keep
        self.stage = check_world(world)  # travels along to workers, which don't know added sprites
        self.seed = whole(seed, "seed")

    def __getitem__(self, i: int) -> tuple[Tensor, dict[str, Tensor]]:
        ours = seeds(self.seed, 2, i, n=1)[0]
        return draw_evenly(self.world, self.size, ours, self.keep, self.stage)

    def __iter__(self) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        return (self[i] for i in count(first, step))


def export(
    folder: str | Path,
    world: World,
    n: int,
    seed: int = 0,
    do: Mapping[str, str | int] | None = None,
    zoom: int = 1,
) -> Path:
    """Write ``n`` scenes as PNG files and ``labels.csv``, for use outside of this course.

    Into a new folder, which appears with all that is in it or not at all: it is written next to its
    place, then moved. Nothing is ever written over: to export the same again is no mistake, and
    changes nothing. Returns the table's path.

    Raises:
        WorldError, SceneError: as `draw`; a zoom that isn't a whole number from 1; a folder that
            is there already, other than of this very export; files that can't be written.
    """
    folder, zoom = path_of(folder, SceneError), whole_number(zoom, "zoom", 1)
    scenes, values = draw(world, n, seed, do)
    spelt = {name: v.values for name, v in world.variables.items()} | style_of(world)
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(["file", *values])
    for i in range(len(scenes)):
        rows.writerow([f"{i:06d}.png", *(spelt[k][int(x[i])] for k, x in values.items())])
    try:
        with new_folder(folder) as place:
            for i, scene in enumerate(scenes):
                save_png(scene, place / f"{i:06d}.png", zoom)
            write_file(place / "labels.csv", text.getvalue().encode())
    except OSError as error:
        raise SceneError(f"{folder}: can't be written to: {error.strerror}") from error
    return folder / "labels.csv"
