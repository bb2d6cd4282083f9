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
from cimg.plots import DASHES, LINES
from cimg.query import probability
from cimg.scene import render, save_png
from cimg.step import Settings, advance, optimisers
from cimg.tables import Variable
from cimg.train import load
from cimg.vae import CausalVAE
from cimg.world import World
from tests.benchmarks.bench_worlds import anew, check_same
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
LABELS = {
    "first": "cimg, first",
    "again": "cimg, repeated",
    "peer": f"pgmpy {version('pgmpy')}",
    "learnt": "learnt from, one step",
}
Points = dict[str, list[tuple[float, list[float]]]]  # of each curve: x, and the seconds there


def add(points: Points, x: float, **seconds: list[float]) -> None:
    """One more place of each curve."""
    for label, taken in seconds.items():
        points.setdefault(LABELS.get(label, label), []).append((x, taken))


def sizes(points: Points, count: int = 12) -> Iterator[dict]:
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
            ours = probability(world, target, given)
            theirs = engine.query([target], given, show_progress=False)
            check_same(ours, theirs.values, f"{name}, question {i}")
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
        yield milliseconds(f"{what}, first", first, limit, main, pgmpy=peer)
        yield milliseconds(f"{what}, repeated", again, limit, main, pgmpy=peer)
        add(points, len(world.variables), first=first, again=again, peer=peer)


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


def widths(points: Points) -> Iterator[dict]:
    """P(last corner | first corner) on grids, to cimg and to pgmpy."""
    from pgmpy.inference import VariableElimination

    for width in WIDTHS:
        world = grid(width)
        engine = VariableElimination(to_pgmpy(world))
        target, given = f"x{LENGTH - 1}_{width - 1}", {"x0_0": "yes"}
        theirs = engine.query([target], given, show_progress=False)
        ours = probability(world, target, given)
        check_same(ours, theirs.values, world.name)
        first, again, peer = turns(
            partial(anew, world, target, given),
            partial(probability, world, target, given),
            partial(engine.query, [target], given, show_progress=False),
            repeat=7,
        )
        what = f"grid of treewidth {width} ({width * LENGTH} variables)"
        yield milliseconds(f"{what}, first", first, pgmpy=peer)
        yield milliseconds(f"{what}, repeated", again, pgmpy=peer)
        add(points, width, first=first, again=again, peer=peer)


def batches(points: Points) -> Iterator[dict]:
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
        yield milliseconds(f"{n:,} scenes rendered, one core", rendered)
        yield milliseconds(f"{n:,} pictures decoded, one core", decoded)
        add(points, n, rendered=rendered, decoded=decoded)
    for n in STEPS:
        settings = Settings(batch=n)
        torch.manual_seed(settings.seed)
        learning = CausalVAE(model.world, settings.hidden)
        found, given = optimisers(learning, settings), Batches(model.world, n)[0]
        step = partial(advance, learning, found, settings, settings.warm_up, *given)
        (took,) = turns(step, repeat=5)
        what = f"a training step of {n} scenes, without drawing them"
        yield milliseconds(what, took)
        add(points, n, learnt=took)


def pixels(points: Points) -> Iterator[dict]:
    """A scene, enlarged and written as a PNG file."""
    scene = draw(World.load("duel"), 1, seed=1)[0][0]
    with tempfile.TemporaryDirectory() as folder:
        for zoom in ZOOMS:
            (took,) = turns(lambda z=zoom: save_png(scene, Path(folder, "x.png"), z), repeat=9)
            count = scene.numel() * zoom**2
            what = f"a scene written as PNG, {count:,} pixels"
            yield milliseconds(what, took)
            add(points, count, written=took)


def plot(panels: dict[str, Points]) -> None:
    """Four panels, all scales logarithmic: medians, and a shade from the least to the most."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    from tests.benchmarks.__main__ import BUILD

    figure, places = pyplot.subplots(2, 2, figsize=(9, 6.5), layout="constrained")
    for axes, (what, curves) in zip(places.flat, panels.items(), strict=True):
        for (label, found), marker, color, dash in zip(
            curves.items(), "os^", LINES, DASHES, strict=False
        ):
            x, taken = zip(*sorted(found), strict=True)
            low, middle, high = ([1e3 * of(s) for s in taken] for of in (min, median, max))
            axes.fill_between(x, low, high, color=color, alpha=0.2, lw=0)
            axes.loglog(x, middle, marker=marker, ls=dash, color=color, label=label)
        ticks = sorted({x for found in curves.values() for x, _ in found})
        if len(ticks) <= len(WIDTHS):  # few enough to name each place
            axes.set_xticks(ticks, [f"{x:,}" for x in ticks])
            axes.minorticks_off()
        title, _, unit = what.partition(" / ")
        axes.set(title=title, xlabel=unit, ylabel="milliseconds")
        axes.grid(alpha=0.3)
        low, high = axes.get_ylim()
        axes.set_ylim(low, high * (high / low) ** 0.3)  # room for the legend
        axes.legend(loc="upper left", frameon=False)
    BUILD.mkdir(exist_ok=True)
    figure.savefig(BUILD / PLOT, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def measure() -> Iterator[dict]:
    torch.set_num_threads(1)
    panels: dict[str, Points] = {
        "An exact answer, real networks (mean of 12) / variables": {},
        f"An exact answer, grids {LENGTH} long / treewidth": {},
        "Scenes of the duel / scenes at once": {},
        "One scene, enlarged, written as a PNG file / pixels": {},
    }
    for work, points in zip((sizes, widths, batches, pixels), panels.values(), strict=True):
        yield from work(points)
    plot(panels)
