"""How time grows: with a network's size and treewidth, beside pgmpy; with the batch; with pixels.

`python -m tests.benchmarks growth`; the plot goes to build/bench-growth.png. On one core.
"""

import random
import tempfile
import warnings
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, median

import numpy as np
import torch

from cimg.data import Batches, draw
from cimg.interop import to_pgmpy
from cimg.query import probability
from cimg.scene import render, save_png
from cimg.step import Settings, advance, optimisers
from cimg.tables import Variable
from cimg.train import load
from cimg.vae import CausalVAE
from cimg.world import World
from tests.benchmarks.bench_worlds import anew
from tests.benchmarks.clock import milliseconds, turns
from tests.test_interop import NETWORKS

warnings.filterwarnings("ignore", category=FutureWarning)  # pgmpy's, on being imported
NAMES = ("asia", "sachs", "child", "insurance", "alarm", "hailfinder", "win95pts", "munin1")
NAMES += ("andes", "pigs", "munin")  # of the bnlearn repository
WIDTHS, LENGTH = (1, 2, 3, 4, 6, 8, 10, 12), 12  # of grids of binary variables
BATCHES = (1, 4, 16, 64, 256, 1024)
STEPS = (4, 16, 64, 256)  # batches of training
ZOOMS = (1, 2, 4, 8, 16)
PLOT = "bench-growth.png"
Points = list[tuple[float, ...]]


def sizes(count: int = 12) -> Iterator[tuple[dict, tuple[float, ...]]]:
    """The same random questions, each with up to 5 pieces of evidence, to cimg and to pgmpy."""
    from pgmpy.inference import VariableElimination

    for name in NAMES:
        world = World.from_bif(NETWORKS[name])
        engine = VariableElimination(to_pgmpy(world))
        choose, all_taken = random.Random(name), []
        for i in range(count):
            *seen, target = choose.sample(list(world.variables), choose.randint(1, 6))
            facts = world.describe(world.sample(1, seed=i))
            given = {a: facts[a] for a in seen}
            works = (
                partial(anew, world, target, given),
                partial(probability, world, target, given),
                partial(engine.query, [target], given, show_progress=False),
            )
            all_taken.append(turns(*works, repeat=5, loops=(1, 20, 2)))
        first, again, peer = (
            [fmean(taken[k][turn] for taken in all_taken) for turn in range(5)] for k in range(3)
        )
        what = f"{name} ({len(world.variables)} variables), mean of {count} questions"
        beside, main = median(peer), name in ("alarm", "munin")
        limit = f"≤ {beside * 1e3:.3f}" if name == "alarm" else ""
        yield milliseconds(f"{what}, first", first, limit, main, pgmpy=peer), ()
        point = (len(world.variables), median(first), median(again), beside)
        yield milliseconds(f"{what}, repeated", again, limit, main, pgmpy=peer), point


def grid(width: int, length: int = LENGTH, seed: int = 0) -> World:
    """`width` x `length` binary variables, each caused by those above and to its left, with random
    tables: its treewidth is the lesser of the two numbers."""
    draws = np.random.default_rng(seed)
    variables = []
    for i in range(length):
        for j in range(width):
            parents = tuple(f"x{a}_{b}" for a, b in ((i - 1, j), (i, j - 1)) if a >= 0 and b >= 0)
            table = draws.dirichlet([1, 1], size=[2] * len(parents))
            variables.append(Variable(f"x{i}_{j}", ("no", "yes"), parents, False, table))
    return World(variables, f"grid {width} x {length}")


def widths() -> Iterator[tuple[dict, tuple[float, ...]]]:
    """P(last corner | first corner) on grids, to cimg and to pgmpy."""
    from pgmpy.inference import VariableElimination

    for width in WIDTHS:
        world = grid(width)
        engine = VariableElimination(to_pgmpy(world))
        target, given = f"x{LENGTH - 1}_{width - 1}", {"x0_0": "yes"}
        theirs = engine.query([target], given, show_progress=False)
        ours = probability(world, target, given)
        if not np.allclose(theirs.values, ours, atol=1e-6):
            raise AssertionError(f"pgmpy's answer on {world.name} isn't ours")
        first, again, peer = turns(
            partial(anew, world, target, given),
            partial(probability, world, target, given),
            partial(engine.query, [target], given, show_progress=False),
            repeat=7,
        )
        what = f"grid of treewidth {width} ({width * LENGTH} variables), first"
        point = (width, median(first), median(again), median(peer))
        yield milliseconds(what, first, pgmpy=peer), point


def batches() -> Iterator[tuple[str, dict, tuple[float, ...]]]:
    """Rendering, decoding, and a step of training, on batches of growing size."""
    model = load("duel")
    scenes, values = draw(model.world, max(BATCHES), seed=1)
    z, _ = model.encode(scenes, values)
    for n in BATCHES:
        some = {name: codes[:n] for name, codes in values.items()}
        rendered, decoded = turns(
            lambda some=some: render(some), lambda some=some, n=n: model.decode(z[:n], some),
            repeat=7,
        )  # fmt: skip
        yield "rendered", milliseconds(f"{n:,} scenes rendered", rendered), (n, median(rendered))
        yield "decoded", milliseconds(f"{n:,} pictures decoded", decoded), (n, median(decoded))
    for n in STEPS:
        settings = Settings(batch=n)
        torch.manual_seed(settings.seed)
        learning = CausalVAE(model.world, settings.hidden)
        found, given = optimisers(learning, settings), Batches(model.world, n)[0]
        step = partial(advance, learning, found, settings, settings.warm_up, *given)
        (took,) = turns(step, repeat=5)
        what = f"a training step of {n} scenes, without drawing them"
        yield "learnt from, one step", milliseconds(what, took), (n, median(took))


def pixels() -> Iterator[tuple[dict, tuple[float, ...]]]:
    """A scene, enlarged and written as a PNG file."""
    scene = draw(World.load("duel"), 1, seed=1)[0][0]
    with tempfile.TemporaryDirectory() as folder:
        for zoom in ZOOMS:
            (took,) = turns(lambda z=zoom: save_png(scene, Path(folder, "x.png"), z), repeat=9)
            count = scene.numel() * zoom**2
            what = f"a scene written as PNG, {count:,} pixels"
            yield milliseconds(what, took), (count, median(took))


def plot(points: dict[str, dict[str, Points]]) -> None:
    """Four panels, all scales logarithmic."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    from tests.benchmarks.__main__ import BUILD

    figure, panels = pyplot.subplots(2, 2, figsize=(9, 6.5), layout="constrained")
    styles = {"o-": "#0072B2", "s--": "#56B4E9", "^:": "#D55E00"}
    for axes, (what, curves) in zip(panels.flat, points.items(), strict=True):
        for (label, found), (style, color) in zip(curves.items(), styles.items(), strict=False):
            x, seconds = zip(*sorted(found), strict=True)
            axes.loglog(x, [1e3 * s for s in seconds], style, color=color, label=label)
        title, _, unit = what.partition(" / ")
        axes.set(title=title, xlabel=unit, ylabel="milliseconds")
        axes.grid(alpha=0.3)
        low, high = axes.get_ylim()
        axes.set_ylim(low, high * (high / low) ** 0.3)  # room for the legend
        axes.legend(loc="upper left", frameon=False)
    BUILD.mkdir(exist_ok=True)
    figure.savefig(BUILD / PLOT, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def three(found: Points) -> dict[str, Points]:
    """Curves of first and repeated questions, and the peer's."""
    labels = ("cimg, first", "cimg, again", f"pgmpy {version('pgmpy')}")
    return {label: [(p[0], p[k]) for p in found] for k, label in enumerate(labels, start=1)}


def measure() -> Iterator[dict]:
    torch.set_num_threads(1)
    by_size, by_width, by_batch, by_pixels = [], [], {}, []
    for row, point in sizes():
        yield row
        by_size += [point] if point else []
    for row, point in widths():
        yield row
        by_width.append(point)
    for label, row, point in batches():
        yield row
        by_batch.setdefault(label, []).append(point)
    for row, point in pixels():
        yield row
        by_pixels.append(point)
    plot({
        "An exact answer, real networks (mean) / variables": three(by_size),
        f"An exact answer, grids {LENGTH} long / treewidth": three(by_width),
        "Scenes of the duel, one core / scenes at once": by_batch,
        "One scene enlarged, as a PNG file / pixels": {"save_png": by_pixels},
    })  # fmt: skip
