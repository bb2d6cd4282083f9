"""The plain rival: the same two programs and the same doors as the causal VAE, and no structure."""

import pyro
import pytest
import torch
from pyro import poutine

from cimg.checkpoint import CheckpointError
from cimg.data import Batches, draw
from cimg.plain import CODE, PlainVAE
from cimg.scene import SceneError
from cimg.step import Settings, loss, optimisers
from cimg.train import load, train
from cimg.world import World

DUEL, ARENA = World.load("duel"), World.load("arena")
TINY = Settings(model="plain", steps=6, batch=4, hidden=16, warm_up=1)


@pytest.fixture(scope="module", params=[DUEL, ARENA], ids=["duel", "arena"])
def model(request) -> PlainVAE:
    torch.manual_seed(0)
    return PlainVAE(request.param, 16).requires_grad_(False)


def test_doors(model):
    scenes, values = draw(model.world, 5)
    loc, scale = model.encode(scenes, values)
    assert loc.shape == scale.shape == (5, CODE) and (scale > 0).all()
    pictures = model.decode(loc, values)
    assert pictures.shape == scenes.shape and pictures.dtype == torch.uint8
    for name, p in model.read(scenes).items():
        assert p.shape == (5, len(model.world.variables[name].values))
        torch.testing.assert_close(p.sum(1), torch.ones(5))
    with pytest.raises(SceneError, match=r"float \[n, 16\]"):
        model.decode(loc[:, :3], values)


def test_its_pixels_are_independent_categories(model):
    _, values = draw(model.world, 2)
    z = torch.randn(2, CODE)
    d, scenes = model.scene_given(z, values), torch.randint(24, (2, 36, 64))
    logits = d.base_dist.logits
    want = logits.log_softmax(3).gather(3, scenes[..., None]).sum((1, 2, 3))
    torch.testing.assert_close(d.log_prob(scenes), want)
    assert torch.equal(model.decode(z, values).long(), logits.argmax(3))


def test_both_programs_fit_together(model):
    scenes, values = draw(model.world, 3)
    guide = poutine.trace(model.guide).get_trace(model.look(scenes), values)
    program = poutine.trace(pyro.condition(model.draw, data={"scene": scenes})).get_trace(values)
    assert guide.nodes["z"]["fn"].event_shape == program.nodes["z"]["fn"].event_shape == (CODE,)
    assert torch.isfinite(loss(model, scenes, values)[0])


def test_any_label_may_change_any_half(model):
    """Which is what the causal VAE rules out."""
    _, values = draw(model.world, 4)
    z = torch.randn(4, CODE)
    before = model.scene_given(z, values).base_dist.logits
    other = values | {"action": (values["action"] + 1) % 3}
    moved = (model.scene_given(z, other).base_dist.logits != before).flatten(0, 1).any(2)
    assert moved[:, :32].any() and moved[:, 32:].any()


def test_every_parameter_has_one_optimiser():
    model = PlainVAE(DUEL, 16)
    found = [p for o in optimisers(model, TINY) for g in o.param_groups for p in g["params"]]
    assert len(found) == len({id(p) for p in found}) == len(list(model.parameters()))


def test_it_learns_is_kept_and_comes_back(tmp_path):
    path, told = tmp_path / "plain.safetensors", []
    settings = Settings(model="plain", steps=60, batch=8, hidden=32, warm_up=5)
    trained = train(
        DUEL, settings, path, every=20, report=lambda _, x: told.append(x["minus_elbo"])
    )
    assert told[-1] < 0.85 * told[0]
    again = load(path)
    assert isinstance(again, PlainVAE)
    scenes, values = draw(DUEL, 4)
    z, _ = trained.encode(scenes, values)
    assert torch.equal(again.decode(z, values), trained.decode(z, values))


def test_weights_of_another_architecture_are_refused(tmp_path):
    path = tmp_path / "plain.safetensors"
    train(DUEL, TINY, path)
    text = path.with_suffix(".json").read_text()
    assert '"model": "plain"' in text
    from cimg import checkpoint

    tensors, about = checkpoint.read(path)
    about["settings"]["model"] = "causal"
    checkpoint.write(path, tensors, about)
    with pytest.raises(CheckpointError, match="plain.safetensors: .*"):
        load(path)


def test_settings_name_a_model_that_there_is():
    with pytest.raises(ValueError, match="setting 'model': expected one of .*causal.*found 'gan'"):
        Settings(model="gan")


def test_batches_of_any_world():
    scenes, values = Batches(ARENA, 4)[0]
    assert torch.isfinite(loss(PlainVAE(ARENA, 16), scenes, values)[0])
