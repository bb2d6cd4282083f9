"""The score card: every measure of the pictures, for the shipped models or for fresh runs.

    python -m cimg.scorecard                        # duel and arena, as shipped
    python -m cimg.scorecard duel --runs 5          # five short trainings

Shares come with their 95 % interval (Wilson 1927), runs with their median and their worst. Printed,
and written as JSON (build/score.json).
"""

import argparse
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from cimg import score
from cimg.conditional import ConditionalVAE
from cimg.data import draw_counterfactuals, draw_evenly, held_out
from cimg.doubt import explain
from cimg.scene import SceneError, stage_of
from cimg.step import Settings
from cimg.study import complaints, wilson, write_results
from cimg.train import load, settings_of_shipped, train
from cimg.world import World

TEACHABLE = 1500  # steps of a run that a learner has the patience for
Row = dict[str, Any]

# ── Measures that take more than a look ─────────────────────────────────────────────────────────


def image_in(model: ConditionalVAE, n: int = 300, seed: int = score.TEST_SEED) -> float:
    """Share of identical counterfactual pictures where the labels are read, not given."""
    fact, _, wanted = draw_counterfactuals(model.world, n, seed)
    drawn = torch.zeros_like(fact)
    for i, scene in enumerate(fact):
        try:
            z = explain(model, scene).z[:1]
        except SceneError:
            continue  # a true scene that isn't explained counts as a wrong picture
        drawn[i] = model.decode(z, {name: codes[i : i + 1] for name, codes in wanted.items()})[0]
    return score.same(drawn, stage_of(model.world).render(wanted))[0]


def leak(model: ConditionalVAE, n: int = 4000, seed: int = score.TEST_SEED) -> dict[str, float]:
    """How much better than chance each label is predicted from z, drawn from q(z | scene, labels):
    accuracy of a small network on scenes that it hasn't seen, labels drawn evenly, less
    1 / |values|. About 0 where z tells nothing."""
    scenes, values = draw_evenly(model.world, 2 * n, seed + 3)
    loc, scale = model.encode(scenes, values)
    z = loc + scale * torch.randn(loc.shape, generator=torch.Generator().manual_seed(seed))
    found = {}
    for name in model.world.visible:
        size = len(model.world.variables[name].values)
        right = probe(z, values[name], n, size)
        found[name] = right - 1 / size
    return found


def probe(z: Tensor, codes: Tensor, n: int, size: int) -> float:
    """Accuracy on the second half of a network trained on the first ``n`` rows."""
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(z.shape[1], 64), nn.GELU(), nn.Linear(64, size))
        adam = torch.optim.Adam(net.parameters(), 3e-3, weight_decay=1e-3)
        for _ in range(300):
            adam.zero_grad()
            F.cross_entropy(net(z[:n]), codes[:n]).backward()
            adam.step()
        return float((net(z[n:]).argmax(1) == codes[n:]).double().mean())


# ── The card ────────────────────────────────────────────────────────────────────────────────────


def share(what: str, value: float, n: int, target: float) -> Row:
    low, high = wilson(value, n)
    return {"what": what, "value": value, "low": low, "high": high, "target": f"≥ {target:.3%}"}


def card(model: ConditionalVAE, share_held_out: float, n: int = 1000) -> list[Row]:
    """Every measure of one model, on the test seed; shares from 0 to 1.

    Args:
        share_held_out: that of its training, for the labels never seen together.
    """
    cf, unseen = score.score_counterfactuals(model, n), held_out(model.world, share_held_out)
    pixels = n * 36 * 64
    rows = [
        share("counterfactual: identical pictures", cf["identical images"], n, 0.99),
        share("counterfactual: identical pixels", cf["identical pixels"], pixels, 0.99995),
        share("counterfactual: pixels left alone", cf["untouched pixels kept"], pixels, 0.99995),
    ]
    if unseen.any():
        never = score.score_counterfactuals(model, n, keep=unseen)["identical images"]
        rows.append(share("labels never seen together: identical pictures", never, n, 0.99))
    rows.append(share("labels read, not given: identical pictures", image_in(model), 300, 0.98))
    rows += [share(f"style kept: {k}", v, n, 0.995) for k, v in score.score_style(model, n).items()]
    prior = score.score_prior(model, n)
    rows.append(share("style drawn: renderable", prior["renderable"], n, 0.9))
    rows.append(share("style drawn: labels right", prior["labels read back"], n, 0.999))
    again = score.score_repetition(model, n)
    rows += [share(k, v, n, 0.99) for k, v in again.items()]
    rows.append(share("all labels read", score.score_reading(model, n), n, 0.999))
    worst, by = max((excess, name) for name, excess in leak(model).items())
    told = {"what": f"z tells of labels ({by}): above chance", "value": worst, "target": "≤ 2%"}
    far = score.score_doing(model)
    action = model.world.variables["action"].values[0]
    done = {"what": f"do({action}): total variation", "value": far, "target": "≤ 1.5%"}
    return [*rows, told, done]


def runs(world: World, settings: Settings, seeds: range) -> list[Row]:
    """Train afresh with each seed; identical counterfactual pictures and seconds of each run."""
    found = []
    for seed in seeds:
        own = Settings(**{**vars(settings), "seed": seed})
        start = time.perf_counter()
        model = train(world, own)
        took = time.perf_counter() - start
        unseen = held_out(world, own.held_out)
        found.append(
            {
                "seed": seed,
                "seconds": took,
                "identical pictures": score.score_counterfactuals(model)["identical images"],
                "never seen together": score.score_counterfactuals(model, keep=unseen)[
                    "identical images"
                ],
            }
        )
        tqdm.write(", ".join(f"{k} {v:.4g}" for k, v in found[-1].items()))
    return found


def line(row: Row) -> str:
    """A row of the card as text."""
    between = f"{row['low']:.3%} to {row['high']:.3%}" if "low" in row else ""
    return f"  {row['what']:<50} {row['value']:>9.3%}  {between:<22} {row['target']}"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser("python -m cimg.scorecard", description=__doc__.split("\n")[0])
    parser.add_argument("worlds", nargs="*", default=["duel", "arena"])
    parser.add_argument("--runs", type=int, default=0, help="train so many fresh models instead")
    parser.add_argument("--steps", type=int, default=TEACHABLE, help="of each of these runs")
    parser.add_argument("--model", default="causal", help="causal or plain")
    parser.add_argument("--out", type=Path, default=Path("build/score.json"))
    given = parser.parse_args()
    with complaints(parser):
        measure(given)


def measure(given: argparse.Namespace) -> None:
    """Each world's shipped model, or fresh runs, as the command was told; printed and written."""
    out: dict[str, Any] = {"test seed": score.TEST_SEED}
    for name in given.worlds:
        print(f"{name}:", flush=True)
        if given.runs:
            settings = Settings(steps=given.steps, model=given.model)
            found = runs(World.load(name), settings, range(given.runs))
            same = [row["identical pictures"] for row in found]
            print(f"  identical pictures: median {median(same):.1%}, worst {min(same):.1%}")
            out[name] = {"steps": given.steps, "model": given.model, "runs": found}
        else:
            found = card(load(name), settings_of_shipped(name).held_out)
            print("\n".join(map(line, found)), flush=True)
            out[name] = found
    write_results(given.out, out)
    print(f"Written: {given.out}")


if __name__ == "__main__":
    main()
