"""The comparison of notebook 08: what is measured, that the shipped figures are all there, and that
the beginning of each sort of run comes out again."""

from dataclasses import replace
from statistics import fmean

import pytest
import torch

from cimg import decoders
from cimg.data import Batches, held_out
from cimg.scene import render
from cimg.score import read_back
from cimg.step import Settings, advance, optimisers
from cimg.train import MODELS
from cimg.world import World

DUEL = World.load("duel")
STYLE = ("sky", "sun", "hills", "actor_distance", "reactor_distance")
RUNS = decoders.read()["runs"]


class Renderer:
    """A model that can do everything: it reads with the oracle, and draws with the renderer."""

    world = DUEL

    def encode(self, scenes, values):
        found, _ = read_back(scenes)
        return torch.stack([found[name] for name in STYLE], 1), None

    def decode(self, z, values):
        return render({k: values[k] for k in DUEL.visible} | dict(zip(STYLE, z.T, strict=True)))


class Forgetful(Renderer):
    """It knows a single sky."""

    def encode(self, scenes, values):
        z, _ = super().encode(scenes, values)
        z[:, 0] = 0
        return z, None


class Stubborn(Renderer):
    """It draws an attack, whatever the action."""

    def decode(self, z, values):
        return super().decode(z, values | {"action": 0 * values["action"]})


@pytest.mark.parametrize("unseen", [True, False])
def test_new_labels_are_shown_or_not_and_old_ones_always_shown(unseen):
    drawn, truth, wanted = decoders.counterfactuals(Renderer(), unseen, 200)
    assert torch.equal(drawn, truth) and torch.equal(truth, render(wanted))
    index = torch.zeros(200, dtype=torch.int64)
    for name in DUEL.visible:
        index = index * len(DUEL.variables[name].values) + wanted[name]
    hidden = held_out(DUEL, decoders.HELD_OUT)
    assert (hidden[index] == unseen).all()
    assert int(hidden.sum()) == len(hidden) // 2


def test_each_fault_loses_its_own_marks():
    assert set(decoders.marks(Renderer(), True, 200).values()) == {1.0}
    forgetful = decoders.marks(Forgetful(), True, 400)
    assert forgetful["labels"] == 1 and 0.15 < forgetful["style"] < 0.35
    assert forgetful["identical images"] == forgetful["style"]
    stubborn = decoders.marks(Stubborn(), False, 400)
    assert stubborn["style"] == 1 and 0.2 < stubborn["labels"] < 0.45
    assert stubborn["identical pixels"] > 0.9


def test_pictures_as_text_and_back():
    _, truth, _ = decoders.counterfactuals(Renderer(), True, 4)
    again = decoders.from_text(decoders.to_text(truth))
    assert torch.equal(again, truth) and again.dtype == torch.uint8


# ── The shipped results ─────────────────────────────────────────────────────────────────────────


def test_the_results_are_complete():
    results = decoders.read()
    assert [x["adam"] for x in results["tuning"]] == list(decoders.TRIED)
    best = max(results["tuning"], key=lambda x: x["pixels"])["adam"]
    for seed in decoders.SEEDS:
        ours = decoders.of(results, replace(decoders.CAUSAL, seed=seed))
        rival = decoders.of(results, replace(decoders.PLAIN, seed=seed, adam=best))
        for run in (ours, rival):
            assert len(decoders.from_text(run["pictures"])) == decoders.KEPT
            assert run["curve"][-1][0] == run["settings"]["steps"]
        assert rival["settings"]["steps"] >= ours["settings"]["steps"]
    assert len(results["runs"]) == 2 * len(decoders.SEEDS)


@pytest.mark.parametrize("model", ["causal", "plain"])
def test_a_run_begins_as_the_shipped_one_did(model):
    run = next(run for run in RUNS if run["settings"]["model"] == model)
    settings, (steps, expected) = Settings(**run["settings"]), run["curve"][0]
    torch.manual_seed(settings.seed)
    fresh = MODELS[model](DUEL, settings.hidden)
    found = optimisers(fresh, settings)
    batches = Batches(DUEL, settings.batch, settings.seed, ~held_out(DUEL, settings.held_out))
    losses = [advance(fresh, found, settings, i, *batches[i]) for i in range(steps)]
    assert fmean(float(x["minus_elbo"]) for x in losses) == pytest.approx(expected, rel=0.01)
