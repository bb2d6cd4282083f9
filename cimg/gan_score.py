"""GAN and causal model, asked the same questions, read by the same oracle.

    python -m cimg.gan_score     # trains 12 GANs and 3 VAEs, on one core; writes results/gan.json

For each world and each training seed, one GAN is told every label; another begins with what it has
learnt to draw and is told the action alone, so that all it has left to learn is what goes along
with an action. Three questions: what is seen with an attack; what follows if an attack is *done*;
what *this* picture would have been.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from cimg import checkpoint
from cimg.conditional import ConditionalVAE
from cimg.data import draw_counterfactuals
from cimg.gan import GAN, GANError, invert
from cimg.gan_train import Game, Settings, train
from cimg.imagine import do as causal_do
from cimg.imagine import see as causal_see
from cimg.query import probability
from cimg.scene import stage_of
from cimg.score import TEST_SEED, agree, read_back, same, total_variation
from cimg.step import Settings as CausalSettings
from cimg.study import FOLDER, complaints, interval, read_results, read_runs, write_results
from cimg.train import load as load_causal
from cimg.train import train as train_causal
from cimg.world import World

RESULTS = FOLDER / "gan.json"
WORLDS, SEEDS = ("arena", "duel"), (0, 1, 2)
SHIPPED = ("arena", 0)  # world and seed of the weights that come with cimg
STEPS = {"all": 1500, "action": 750}
ATTACK = {"action": "attack"}
WHO = ("actor_character", "actor_type")


# ── Seeing and doing ────────────────────────────────────────────────────────────────────────────


def shares(world: World, found: Mapping[str, Tensor], names: Sequence[str]) -> Tensor:
    """How often each combination of these variables was read, as a distribution."""
    sizes = [len(stage_of(world).variables[name]) for name in names]
    counts = torch.zeros(sizes, dtype=torch.float64)
    cell = tuple(found[name] for name in names)
    counts.index_put_(cell, torch.ones(len(cell[0]), dtype=torch.float64), accumulate=True)
    return counts / len(cell[0])


def quality(found: Mapping[str, Tensor], wrong: Tensor, ordered: Mapping[str, Tensor]) -> dict:
    """Do pictures show what was ordered, and how near are they to what the renderer can draw?"""
    return {
        "effectiveness": agree(found, ordered, list(ordered)),
        "renderable": float((wrong == 0).double().mean()),
        "pixels off, median": float(wrong.double().median()),
    }


def score_seeing(gan: GAN, n: int = 4000, seed: int = TEST_SEED) -> dict[str, float]:
    """Ask for an attack: total variation of what is in the pictures, from what goes along with an
    attack that is *seen*, and from what would follow one that is *done*."""
    pictures, values = gan.see(ATTACK, n, seed)
    found, wrong = read_back(pictures, stage_of(gan.world))
    card = quality(found, wrong, {name: values[name] for name in gan.given})
    asked = {"reaction": ("reaction",), "actor": WHO}
    if "sky" in gan.world.variables:
        asked["sky"] = ("sky",)
    for what, names in asked.items():
        p = shares(gan.world, found, names)
        for rung, question in (("seeing", {"given": ATTACK}), ("doing", {"do": ATTACK})):
            exact = probability(gan.world, names, **question)
            card[f"{what}: from {rung}"] = total_variation(p, exact)
    return card | {"reactions": shares(gan.world, found, ("reaction",)).tolist()}


def score_doing(
    model: GAN | ConditionalVAE, n: int = 4000, seed: int = TEST_SEED
) -> dict[str, float]:
    """The same under do(attack), for a GAN that is told all labels and for the causal VAE. Labels
    are the world's under do(attack); and, as a GAN's user might have it, those seen with one."""
    if isinstance(model, GAN):
        done, seen = model.do(ATTACK, n, seed), model.see(ATTACK, n, seed)
    else:
        answers = causal_do(model, ATTACK, n, seed), causal_see(model, ATTACK, n, seed)
        done, seen = ((answer.scenes, answer.values) for answer in answers)
    exact = probability(model.world, "reaction", do=ATTACK)
    stage = stage_of(model.world)
    found, wrong = read_back(done[0], stage)
    others, _ = read_back(seen[0], stage)
    far = {"world's do": found, "seeing": others}
    card = {
        f"reaction, labels by {habit}": total_variation(
            shares(model.world, x, ("reaction",)), exact
        )
        for habit, x in far.items()
    }
    return card | quality(found, wrong, {name: done[1][name] for name in model.world.visible})


# ── Imagining ───────────────────────────────────────────────────────────────────────────────────


def score_imagining(gan: GAN, n: int = 20, seed: int = TEST_SEED) -> dict[str, float]:
    """Pictures with other labels, drawn evenly, by a GAN that is told all labels: invert, then draw
    anew with the same noise. Against the renderer's truth; seconds on one core for each picture."""
    if not gan.told_all:
        raise GANError("this GAN isn't told all labels; ask `score_same_noise` instead")
    fact, values, wanted = draw_counterfactuals(gan.world, n, seed)
    start, noise, off = time.process_time(), [], []
    for i in range(n):
        its = {name: x[i : i + 1] for name, x in values.items()}
        found, wrong = invert(gan, fact[i], its, seed + i)
        noise.append(found)
        off.append(wrong)
    seconds = (time.process_time() - start) / n
    stage = stage_of(gan.world)
    drawn, truth = gan.draw(wanted, torch.cat(noise)), stage.render(wanted)
    images, pixels = same(drawn, truth)
    return {
        "identical images": images,
        "identical pixels": pixels,
        "fact drawn again, identical pixels": 1 - fmean(off) / fact[0].numel(),
        "labels read back": agree(read_back(drawn, stage)[0], wanted, gan.world.visible),
        "seconds": seconds,
    }


def score_same_noise(gan: GAN, n: int = 1000, seed: int = TEST_SEED) -> dict[str, float]:
    """A GAN told the action alone, in its best case: the picture is its own, so that the noise is
    known. Same noise, attack in place of taunt: who and what is still there?"""
    code = {name: gan.world.encode({"action": name})["action"] for name in ("taunt", "attack")}
    noise, stage = gan.noise(n, seed), stage_of(gan.world)
    pictures = (gan.draw({"action": torch.full((n,), x)}, noise) for x in code.values())
    before, after = (read_back(x, stage)[0] for x in pictures)
    kept = {"actor": WHO, "reactor": ("reactor_character", "reactor_type"), "sky": ("sky",)}
    return {f"same {what}": agree(before, after, names) for what, names in kept.items()}


def score_causal(model: ConditionalVAE, n: int = 4000, seed: int = TEST_SEED) -> dict[str, float]:
    """The causal VAE's line: doing as `score_doing`, imagining as `score_imagining`."""
    fact, values, wanted = draw_counterfactuals(model.world, 1000, seed)
    drawn = model.decode(model.encode(fact, values)[0], wanted)
    start = time.process_time()
    for i in range(20):  # one by one, as a GAN has to search
        its, others = ({k: x[i : i + 1] for k, x in v.items()} for v in (values, wanted))
        model.decode(model.encode(fact[i : i + 1], its)[0], others)
    seconds = (time.process_time() - start) / 20
    images, pixels = same(drawn, stage_of(model.world).render(wanted))
    card = {"identical images": images, "identical pixels": pixels, "seconds": seconds}
    return score_doing(model, n, seed) | card


# ── The comparison ──────────────────────────────────────────────────────────────────────────────


@cache
def results() -> dict:
    """What `main` found, as shipped; raises GANError if it isn't there."""
    if not RESULTS.is_file():
        raise GANError(f"no {RESULTS.name} in {RESULTS.parent.name}: python -m cimg.gan_score")
    return read_results(RESULTS)


def measured(world: str, told: str, question: str, name: str) -> tuple[float, float]:
    """One figure of the shipped results: mean and half-width over the seeds.

    Args:
        told: "action" or "all".
        question: "seeing", "doing", "imagining" or "same noise".
    """
    runs = [run for run in results()["runs"] if run["world"] == world and run["told"] == told]
    found = [run[question][name] for run in runs if name in run.get(question, ())]
    if not found:
        raise GANError(f"nothing measured of {world}, told {told}: {question}, {name}")
    return interval(found)


def ask(gan: GAN) -> dict[str, dict[str, float]]:
    """All that a GAN can be asked."""
    if gan.told_all:
        return {"doing": score_doing(gan), "imagining": score_imagining(gan)}
    return {"seeing": score_seeing(gan), "same noise": score_same_noise(gan)}


def one_run(world: World, told: str, seed: int, parent: Game | None, path: Path | None):
    """Train one GAN and ask it; the game, and its entry in the results."""
    settings = Settings(steps=STEPS[told], seed=seed)
    given = world.visible if told == "all" else ("action",)
    start = time.process_time()
    game = train(world, given, settings, path, parent)
    run = {"world": world.name, "told": told, "seed": seed, "settings": asdict(settings)}
    run["seconds on one core"] = round(time.process_time() - start, 1)
    players = {"generator": game.gan.generator, "discriminator": game.discriminator}
    run["parameters"] = {k: sum(p.numel() for p in x.parameters()) for k, x in players.items()}
    return game, run | ask(game.gan)


def causal_run(world: World, seed: int) -> dict:
    """A causal VAE with as many steps as a GAN that is told all: its entry in the results."""
    start = time.process_time()
    model = train_causal(world, CausalSettings(steps=STEPS["all"], batch=32, seed=seed))
    run = {"world": world.name, "seed": seed, "steps": STEPS["all"]}
    run["seconds on one core"] = round(time.process_time() - start, 1)
    run["parameters"] = sum(p.numel() for p in model.parameters())
    return run | score_causal(model)


def main() -> None:
    """The command: train, ask, and write the results after each pair of GANs. Pairs that are in
    the results already are left out, so that a run that was stopped can go on."""
    parser = argparse.ArgumentParser("python -m cimg.gan_score", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the results are written")
    parser.add_argument("--weights", type=Path, default=checkpoint.FOLDER, help="and weights")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with complaints(parser):
        run_all(options.out, options.weights)


def run_all(out: Path, weights: Path) -> None:
    """All pairs of GANs that aren't among the results yet, and the causal model beside them."""
    kept = {"causal": {}} | read_runs(out, "runs", "as many steps")
    runs, brief = kept["runs"], kept["as many steps"]
    for name in WORLDS:
        world = World.load(name)
        for seed in SEEDS:
            if any((run["world"], run["seed"]) == (name, seed) for run in runs):
                continue
            game = None
            for told in STEPS:
                shipped = (name, seed) == SHIPPED
                path = weights / f"gan-{name}-{told}.safetensors" if shipped else None
                game, run = one_run(world, told, seed, game, path)
                print(json.dumps(run), flush=True)
                runs.append(run)
            write_results(out, kept, digits=5)
    for seed in SEEDS:
        if not any(run["seed"] == seed for run in brief):
            brief.append(causal_run(World.load(SHIPPED[0]), seed))
            write_results(out, kept, digits=5)
    kept["causal"] = {name: score_causal(load_causal(name)) for name in WORLDS}
    write_results(out, kept, digits=5)


if __name__ == "__main__":
    main()
