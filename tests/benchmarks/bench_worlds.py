"""How fast worlds are drawn from and asked, beside pgmpy and Pyro doing the same in the same run.

`python -m tests.benchmarks worlds`; medians on one core, in turns. What a world keeps from a first
question (the plan, and sums that don't depend on the evidence's values) is forgotten before each
"first" question. How it grows with the network is in bench_growth.
"""

import warnings
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from cimg.interop import to_pgmpy
from cimg.pyro_query import inferred, program_of
from cimg.query import probability, sample_posterior
from cimg.world import World
from tests.benchmarks.clock import milliseconds, rate, turns

warnings.filterwarnings("ignore", category=FutureWarning)  # pgmpy's, on being imported
DIE = {"reaction": "die"}
ATTACK = {"action": "attack"}
ROWS = 1_000_000


def anew(world: World, *question) -> None:
    """A question as if it were the world's first."""
    world.plans.clear()
    probability(world, *question)


def drawing(duel: World) -> Iterator[dict]:
    """Rows per second; the peers draw fewer, since they take longer."""
    program = duel.program(100_000)
    done = torch.tensor(0)
    network = to_pgmpy(duel)
    few = {"n_samples": 20_000, "show_progress": False, "seed": 0}
    for what, do in (("", None), (", with do", ATTACK)):
        import pyro

        drawn = pyro.do(program, data={"action": done}) if do else program
        ours, theirs, slow = turns(
            lambda do=do: duel.sample(ROWS, do=do),
            drawn,
            lambda do=do: network.simulate(do=do, **few),
            repeat=5,
        )
        yield rate(f"rows of the duel drawn{what}", ROWS, ours, "≥ 3,000,000", not do,
                   Pyro=(100_000, theirs), pgmpy=(20_000, slow))  # fmt: skip


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
        peers = {}
        if len(names) == 1:  # Pyro gives no joint distribution
            peers["Pyro, all marginals at once"] = partial(enumerate_all, duel, *where)
        if where[-1] is not ATTACK:
            peers["pgmpy"] = lambda a=names, w=where: engine.query(
                a, evidence=w[0], show_progress=False
            )
        ours = partial(probability, duel, targets, *where)
        if "pgmpy" in peers:
            check_same(ours(), peers["pgmpy"]().values, what)
        took = turns(ours, *peers.values(), loops=(50, 1, 10)[: 1 + len(peers)])
        beside = dict(zip(peers, took[1:], strict=True))
        main = targets == "actor_strength"
        yield milliseconds(f"{what}, repeated", took[0], "≤ 0.15", main, **beside)
        (once,) = turns(partial(anew, duel, targets, *where))
        yield milliseconds(f"{what}, first", once, "≤ 2")


def check_same(ours: Tensor, theirs: np.ndarray, what: str) -> None:
    """The peer answers the same question; raises AssertionError otherwise."""
    if not np.allclose(ours, theirs, atol=1e-6):
        raise AssertionError(f"{what}: pgmpy's answer isn't ours")


def posteriors(duel: World) -> dict:
    ours, theirs = turns(
        lambda: sample_posterior(duel, 10_000, DIE), lambda: inferred(duel, 10_000, DIE), repeat=7
    )
    what = "10,000 rows from the posterior given the reaction"
    return milliseconds(what, ours, "≤ 10", True, Pyro=theirs)


def measure() -> Iterator[dict]:
    torch.set_num_threads(1)
    duel = World.load("duel")
    yield from drawing(duel)
    yield from asking(duel)
    yield posteriors(duel)
