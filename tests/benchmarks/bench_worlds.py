"""How fast worlds are drawn from and asked, beside pgmpy and Pyro doing the same in the same run.

`python -m tests.benchmarks worlds`; a plot of the growth with the network's size goes to
build/growth.png. Medians on one core. What a world keeps from a first question (the plan, and
sums that don't depend on the evidence's values) is forgotten before each "first" question.
"""

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from itertools import zip_longest
from statistics import median
from time import perf_counter

import matplotlib
import torch

from cimg.interop import to_pgmpy
from cimg.pyro_query import inferred, program_of
from cimg.query import probability, sample_posterior
from cimg.world import World
from tests.test_interop import NETWORKS

matplotlib.use("agg")
warnings.filterwarnings("ignore", category=FutureWarning)  # pgmpy's, on being imported
DIE = {"reaction": "die"}
ATTACK = {"action": "attack"}
ROWS = 1_000_000
GROWTH = ("asia", "sachs", "child", "insurance", "alarm", "hailfinder", "win95pts", "munin1")
GROWTH += ("andes", "pigs", "munin")


def times(*works: Callable[[], object], repeat: int = 15, loops: Sequence[int] = ()) -> list[float]:
    """The median seconds of one call of each. They take turns, and the first turn isn't counted;
    in its turn, work i is called `loops[i]` times (once): microseconds need a loop of their own."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(repeat + 1):
        for work, found, count in zip_longest(works, taken, loops, fillvalue=1):
            start = perf_counter()
            for _ in range(count):
                work()
            found.append((perf_counter() - start) / count)
    return [median(found[1:]) for found in taken]


def anew(world: World, *question) -> None:
    """A question as if it were the world's first."""
    world.plans.clear()
    probability(world, *question)


def row(what: str, value: float, unit: str, target: str = "", note: str = "") -> dict:
    found = {"what": what, "value": value, "unit": unit, "target": target, "note": note}
    return {key: x for key, x in found.items() if x != ""}


def milliseconds(what: str, seconds: float, target: str = "", **peers: float) -> dict:
    """A row in milliseconds; the note says what each peer took, and how many times as long."""
    notes = [f"{name} {s * 1e3:.3g} ms (× {s / seconds:.3g})" for name, s in peers.items()]
    return row(what, seconds * 1e3, "ms", target, ", ".join(notes))


def drawing(duel: World) -> Iterator[dict]:
    """Rows per second; the peers draw fewer, since they take longer."""
    program = duel.program(100_000)
    done = torch.tensor(0)
    network = to_pgmpy(duel)
    few = {"n_samples": 20_000, "show_progress": False, "seed": 0}
    for what, do in (("", None), (", with do", ATTACK)):
        import pyro

        drawn = pyro.do(program, data={"action": done}) if do else program
        ours, theirs, slow = times(
            lambda do=do: duel.sample(ROWS, do=do),
            drawn,
            lambda do=do: network.simulate(do=do, **few),
            repeat=5,
        )
        note = f"Pyro's plate {1e5 / theirs:,.0f}/s, pgmpy's simulate {2e4 / slow:,.0f}/s"
        yield row(f"rows of the duel drawn{what}", ROWS / ours, "/s", "≥ 3,000,000", note)


def enumerate_all(world: World, seen: dict | None = None, done: dict | None = None) -> dict:
    """What Pyro offers: the marginals of all unseen variables at once, and no joint of two."""
    from pyro.infer import TraceEnum_ELBO, config_enumerate

    program = program_of(world, 2, world.encode(seen or {}), world.encode(done or {}))
    model = config_enumerate(program, default="parallel")
    return TraceEnum_ELBO(max_plate_nesting=1).compute_marginals(model, lambda: None)


def asking(duel: World) -> Iterator[dict]:
    from pgmpy.inference import VariableElimination

    engine = VariableElimination(to_pgmpy(duel))

    questions = [
        ("P(reaction | do(action))", "reaction", None, ATTACK),
        ("P(reaction | action)", "reaction", ATTACK, None),
        ("P(actor_strength | reaction)", "actor_strength", DIE, None),
        ("P(actor_character, reactor_type | reaction)", ("actor_character", "reactor_type"), DIE),
    ]
    for what, targets, *where in questions:
        names = [targets] if isinstance(targets, str) else list(targets)
        peers = {
            "Pyro's enumeration (all marginals)": partial(enumerate_all, duel, *where),
        }
        if where[-1] is not ATTACK:
            peers["pgmpy"] = lambda a=names, w=where: engine.query(
                a, evidence=w[0], show_progress=False
            )
        ours = partial(probability, duel, targets, *where)
        took = times(ours, *peers.values(), loops=(50, 1, 10)[: 1 + len(peers)])
        yield milliseconds(
            f"{what}, repeated", took[0], "≤ 0.15", **dict(zip(peers, took[1:], strict=True))
        )
        (once,) = times(partial(anew, duel, targets, *where))
        yield milliseconds(f"{what}, first", once, "≤ 2")


def posteriors(duel: World) -> dict:
    ours, theirs = times(
        lambda: sample_posterior(duel, 10_000, DIE), lambda: inferred(duel, 10_000, DIE), repeat=7
    )
    what = "10,000 rows from the posterior given the reaction"
    return milliseconds(what, ours, "≤ 10", **{"Pyro's infer_discrete": theirs})


def growing(count: int = 12) -> Iterator[dict]:
    """The same random questions, each with up to 5 pieces of evidence, to cimg and to pgmpy."""
    from pgmpy.inference import VariableElimination

    points = []
    for name in GROWTH:
        world = World.from_bif(NETWORKS[name])
        engine = VariableElimination(to_pgmpy(world))
        choose = random.Random(name)
        total = [0.0, 0.0, 0.0]
        for i in range(count):
            *seen, target = choose.sample(list(world.variables), choose.randint(1, 6))
            facts = world.describe(world.sample(1, seed=i))
            given = {a: facts[a] for a in seen}
            works = (
                partial(anew, world, target, given),
                partial(probability, world, target, given),
                partial(engine.query, [target], given, show_progress=False),
            )
            took = times(*works, repeat=5, loops=(1, 50, 5))
            total = [t + seconds for t, seconds in zip(total, took, strict=True)]
        first, again, peer = (t / count for t in total)
        points.append((len(world.variables), first, again, peer))
        what = f"{name} ({len(world.variables)} variables), mean of {count} questions"
        limit = f"≤ {peer * 1e3:.3f}" if name == "alarm" else ""
        yield milliseconds(f"{what}, first", first, limit, pgmpy=peer)
        yield milliseconds(f"{what}, repeated", again, limit, pgmpy=peer)
    plot(points)


def plot(points: list[tuple]) -> None:
    """Time against the number of variables, both on log scales."""
    from matplotlib import pyplot

    from tests.benchmarks.__main__ import OUT

    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    sizes, *columns = zip(*sorted(points), strict=True)
    styles = ("o-", "#2f6fd0", "cimg, first"), ("s--", "#2f6fd0", "cimg, again")
    styles += (("^:", "#e8825a", f"pgmpy {version('pgmpy')}"),)
    for seconds, (style, color, label) in zip(columns, styles, strict=True):
        axes.loglog(sizes, [1e3 * s for s in seconds], style, color=color, label=label)
    axes.set_xlabel("variables in the network")
    axes.set_ylabel("milliseconds for an exact answer (mean)")
    axes.legend(loc="upper left")
    OUT.parent.mkdir(exist_ok=True)
    figure.savefig(OUT.parent / "growth.png", dpi=120)
    pyplot.close(figure)


def measure() -> Iterator[dict]:
    torch.set_num_threads(1)
    duel = World.load("duel")
    yield from drawing(duel)
    yield from asking(duel)
    yield posteriors(duel)
    yield from growing()
