"""How fast counterfactuals are answered: `python -m tests.benchmarks.bench_counterfactual`.

`measure()` gives rows (what, seconds, target in seconds or None): medians on one core. The rival is
what one would write from the definition: draw Gumbel noise for every variable, run the world twice
on it, and keep the rows that agree with what was seen.
"""

from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter

import numpy as np
import torch

from cimg.counterfactual import abduct, bounds, predict, probability_had, twin_samples
from cimg.world import World

SEEN = {"action": "taunt", "reaction": "hurt"}
DO = {"action": "attack"}
N = 100_000


def seconds(work: Callable, repeat: int = 7) -> float:
    """The median time of `work()`, after one call that isn't counted."""
    times = []
    for _ in range(repeat + 1):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return median(times[1:])


def by_rejection(world: World, n: int, random: np.random.Generator) -> tuple[dict, dict]:
    """`n` twin samples from the definition of Gumbel-max, by drawing until enough rows agree."""
    seen, do = world.encode(SEEN), world.encode(DO)
    kept, count = [], 0
    while count < n:
        was, would = {}, {}
        for v in world.variables.values():
            noise = random.gumbel(size=(n, len(v.values)))
            for values in (was, would):
                rows = np.log(v.cpt.numpy())[tuple(values[p] for p in v.parents)]
                values[v.name] = (rows + noise).argmax(-1)
            if v.name in do:
                would[v.name] = np.full(n, do[v.name])
        agree = np.all([was[name] == code for name, code in seen.items()], axis=0)
        kept.append([{name: x[agree] for name, x in values.items()} for values in (was, would)])
        count += agree.sum()
    return tuple(
        {name: np.concatenate([pair[i][name] for pair in kept])[:n] for name in world.variables}
        for i in (0, 1)
    )


def first_answer() -> None:
    """A world that has not been asked before: its twin is built, the question is planned."""
    probability_had(World.load("duel"), "reaction", SEEN, DO)


def measure() -> Iterator[tuple[str, float, float | None]]:
    torch.set_num_threads(1)
    duel, random = World.load("duel"), np.random.default_rng(0)
    for coupling in ("gumbel", "monotone"):
        taken = seconds(lambda c=coupling: twin_samples(duel, N, SEEN, DO, c))
        yield f"{N:,} twin samples of the duel, {coupling}", taken, 1.0
    everyone = {"actor_character": "golem", "reactor_character": "golem"}
    taken = seconds(lambda: twin_samples(duel, N, SEEN, everyone))
    yield f"{N:,} twin samples, ten variables affected", taken, 1.0
    facts = duel.sample(N)
    taken = seconds(lambda: predict(duel, facts, abduct(duel, facts)))
    yield f"{N:,} rows, all noise abducted and replayed", taken, None
    taken = seconds(lambda: by_rejection(duel, N, random), 1)
    yield f"{N:,} twin samples by rejection", taken, None
    loading = seconds(lambda: World.load("duel"))
    yield "an exact counterfactual, first", seconds(first_answer) - loading, None
    taken = seconds(lambda: probability_had(duel, "reaction", SEEN, DO), 200)
    yield "an exact counterfactual, repeated", taken, None
    taken = seconds(lambda: bounds(duel, {"reaction": "die"}, SEEN, DO), 50)
    yield "bounds, one mechanism", taken, None
    taken = seconds(lambda: bounds(duel, {"reaction": "die"}, SEEN, {"actor_strength": "high"}), 20)
    yield "bounds, two mechanisms", taken, None


if __name__ == "__main__":
    for what, taken, target in measure():
        limit = f"   target {1e3 * target:,.0f} ms" if target else ""
        print(f"{what:46} {1e3 * taken:10.3f} ms{limit}", flush=True)
