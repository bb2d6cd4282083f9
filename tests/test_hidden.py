"""The whole model's guide: exact where it can be, and the ELBO says so."""

import pyro
import pytest
import torch

from cimg import hidden
from cimg.data import draw
from cimg.query import probability
from cimg.vae import CausalVAE
from cimg.world import World, WorldError


@pytest.fixture(scope="module", params=["duel", "arena"])
def made(request):
    world = World.load(request.param)
    torch.manual_seed(0)
    return CausalVAE(world), hidden.HiddenPosterior(world)


def test_tables_are_the_exact_posterior(made):
    _, posterior = made
    world = posterior.world
    for seed in range(20):
        row = world.sample(1, seed)
        labels = {name: int(row[name]) for name in world.visible}
        table = torch.ones((), dtype=torch.float64)
        for name in world.hidden:
            table = table[..., None] * posterior.tables[name][tuple(labels.values())]
        exact = probability(world, list(world.hidden), given=labels)
        torch.testing.assert_close(table, exact, rtol=0, atol=1e-12)


def test_log_probability_of_labels(made):
    _, posterior = made
    world = posterior.world
    row = world.sample(1, 3)
    labels = {name: int(row[name]) for name in world.visible}
    exact = probability(world, list(world.visible))[tuple(labels.values())]
    assert float(posterior.log_labels(row)) == pytest.approx(float(exact.log()), abs=1e-12)


def test_the_hidden_part_of_the_elbo_loses_nothing(made):
    """Draw by draw, log p(labels, hidden) - log q(hidden | labels) = log P(labels)."""
    model, posterior = made
    scenes, values = draw(model.world, 6, seed=1)
    pyro.set_rng_seed(0)
    trace = pyro.poutine.trace(hidden.guide).get_trace(model, posterior, scenes, values)
    program = hidden.program(model, scenes, values)
    played = pyro.poutine.trace(pyro.poutine.replay(program, trace)).get_trace()
    for t in (trace, played):
        t.compute_log_prob()
    log_p = sum(played.nodes[name]["log_prob"] for name in model.world.variables)
    log_q = sum(trace.nodes[name]["log_prob"] for name in model.world.hidden)
    expected = posterior.log_labels(values)
    torch.testing.assert_close(log_p - log_q, expected, rtol=0, atol=1e-6)
    assert {"z", "scene"} <= set(played.nodes)
    assert torch.equal(played.nodes["scene"]["value"], scenes)


def test_drawn_hidden_variables_have_the_posteriors_frequencies():
    world = World.load("duel")
    posterior = hidden.HiddenPosterior(world)
    row = {name: x.expand(20_000) for name, x in world.sample(1, 7).items()}
    pyro.set_rng_seed(1)
    with pyro.plate("rows", 20_000):
        drawn = posterior.sample(row)
    given = {name: int(row[name][0]) for name in world.visible}
    for name in world.hidden:
        share = float((drawn[name] == 1).double().mean())
        assert share == pytest.approx(float(probability(world, name, given)[1]), abs=0.015)


def test_impossible_labels_are_named():
    spec = World.load("duel").to_dict()
    action = next(v for v in spec["variables"] if v["name"] == "action")
    action["cpt"] = [[[[1.0, 0.0, 0.0]] * 2] * 2] * 2  # nobody ever taunts
    world = World.from_dict(spec)
    values = world.sample(2, 0) | {"action": torch.tensor([0, 1])}
    with pytest.raises(WorldError, match=r"row 1.*taunt.*probability 0"), pyro.plate("rows", 2):
        hidden.HiddenPosterior(world).sample(values)


def test_a_world_too_large_is_refused_with_its_size():
    variables = [
        {"name": f"v{i}", "values": ["a", "b"], "parents": [], "cpt": [0.5, 0.5]} for i in range(23)
    ]
    world = World.from_dict({"name": "wide", "variables": variables})
    with pytest.raises(WorldError, match="8,388,608 entries"):
        hidden.HiddenPosterior(world)


def test_a_world_in_which_nothing_is_hidden():
    spec = World.load("duel").to_dict()
    for variable in spec["variables"]:
        variable["in_image"] = True
    spec["variables"] = [v for v in spec["variables"] if not v["parents"]]
    world = World.from_dict(spec)
    posterior, rows = hidden.HiddenPosterior(world), world.sample(5, 1)
    exact = probability(world, list(world.visible))[tuple(rows.values())]
    torch.testing.assert_close(posterior.log_labels(rows), exact.log())
    assert posterior.tables == {} == posterior.sample(rows)
