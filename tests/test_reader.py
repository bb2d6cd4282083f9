"""The shipped reader keeps its promises: right on clean scenes, honest on damaged ones."""

from dataclasses import replace

import pytest
import torch

from cimg import checkpoint
from cimg.calibration import answers, reliability
from cimg.checkpoint import CheckpointError
from cimg.codes import SceneError
from cimg.damage import Damage
from cimg.data import draw, draw_evenly
from cimg.reader import (
    SHIPPED,
    Reader,
    Settings,
    combined,
    damaged_batch,
    drawn_sizes,
    load,
    save,
    train,
)
from cimg.reading import ExactReader, hidden, posterior
from cimg.scene import render, sample_uniform, stage
from cimg.tables import Variable
from cimg.world import World

WORLDS = {name: World.load(name) for name in ("duel", "arena")}


@pytest.fixture(scope="module")
def shipped():
    return load()


def test_small(shipped):
    assert SHIPPED.stat().st_size < 2e6
    assert sum(p.numel() for p in shipped.parameters()) < 500_000


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_clean_scenes(shipped, world):
    scenes, values = draw(world, 1000, seed=1_000_021)
    table = shipped.log_likelihood(world, scenes)
    assert float(answers(world, posterior(world, table), values)[1].double().mean()) >= 0.999
    exact = hidden(world, ExactReader(world)(scenes[:150]), world.hidden)
    distance = (hidden(world, table[:150], world.hidden) - exact).flatten(1).abs().sum(1) / 2
    assert float(distance.max()) < 0.01


DAMAGES = [Damage(x, stone) for stone in (False, True) for x in (0.01, 0.1, 0.2, 0.4)]


@pytest.mark.parametrize("damage", DAMAGES, ids=str)
def test_honest_doubt(shipped, damage):
    """Under even labels, and combined with the world's tables."""
    world, n = WORLDS["duel"], 2500
    for drawn in (draw, draw_evenly):
        scenes, values = drawn(world, n, seed=1_000_022)
        table = shipped.log_likelihood(world, damage(scenes, seed=7))
        table = posterior(world, table) if drawn is draw else table.exp()
        confidence, right = answers(world, table, values)
        assert reliability(confidence, right).ece <= 0.02
        assert float(right.double().mean()) > (0.9 if damage.stone else 0.995)


def test_doubt_is_near_the_exact_one(shipped):
    world, damage = WORLDS["duel"], Damage(0.2, stone=True)
    scenes, _ = draw(world, 60, seed=1_000_023)
    damaged = damage(scenes, seed=8)
    exact = posterior(world, ExactReader(world, damage)(damaged))
    learnt = posterior(world, shipped.log_likelihood(world, damaged))
    assert float((exact - learnt).flatten(1).abs().sum(1).mean() / 2) < 0.06


def test_a_distribution_over_all_labels(shipped):
    scenes, _ = draw(WORLDS["arena"], 3, seed=5)
    damaged = Damage(0.4, True)(scenes, seed=1)
    arena = shipped.log_likelihood(WORLDS["arena"], damaged)
    assert arena.shape == (3, 4, 2, 3, 2, 3, 3, 4)
    assert arena.exp().flatten(1).sum(1).tolist() == pytest.approx([1] * 3, abs=1e-5)
    duel = shipped.log_likelihood(WORLDS["duel"], damaged)
    torch.testing.assert_close(arena.logsumexp(1), duel, rtol=0, atol=1e-4)


def test_right_answers_are_row_major():
    values = sample_uniform(stage().variables, 40, seed=9)
    found = combined(values)
    drawn = stage().variables
    for role, pose in (("actor", "action"), ("reactor", "reaction")):
        sizes = [len(drawn[k]) for k in (f"{role}_character", f"{role}_type", pose)]
        codes = torch.unravel_index(found[role], sizes)
        assert all(
            torch.equal(code, values[k])
            for code, k in zip(codes, (f"{role}_character", f"{role}_type", pose), strict=True)
        )


def test_a_batch_is_damaged_as_told():
    scenes, values = damaged_batch(600, seed=3)
    again, _ = damaged_batch(600, seed=3)
    assert torch.equal(scenes, again)
    clean = (scenes == render(values)).flatten(1).all(1).double().mean()
    assert float(clean) == pytest.approx(1 / 8, abs=0.05)  # no noise, and no stone


def test_training_learns_and_repeats():
    short = Settings(steps=60, batch=32)
    one, other = train(short), train(short)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    scenes, values = draw_evenly(WORLDS["duel"], 200, seed=11)
    right = answers(WORLDS["duel"], one.log_likelihood(WORLDS["duel"], scenes).exp(), values)[1]
    assert float(right.double().mean()) > 0.1  # by chance 1 in 432


def test_there_and_back(tmp_path, shipped):
    path = tmp_path / "copy.safetensors"
    save(shipped, Settings(), path)
    copy = load(path)
    for name, x in shipped.state_dict().items():
        assert torch.equal(x, copy.state_dict()[name]), name


def test_bad_files(tmp_path, shipped):
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        load(tmp_path / "none.safetensors")
    path = tmp_path / "bad.safetensors"
    save(shipped, replace(Settings(), hidden=32), path)
    with pytest.raises(CheckpointError, match="has shape"):
        load(path)
    about = {"format": 1, "drawn": drawn_sizes(stage())}
    for settings, message in (
        ({"hidden": 10**9}, "setting 'hidden': expected a whole number from 1 to 1024"),
        ({"code": -1}, "setting 'code': expected a whole number from 1"),
        ({"hidden": 2.5}, "setting 'hidden': expected a whole number"),
        ({"more": 1}, "unexpected keyword"),
        ([1], "can't be used"),
    ):
        checkpoint.write(path, {}, about | {"settings": settings})
        with pytest.raises(CheckpointError, match=message):
            load(path)
    checkpoint.write(path, {}, {"format": 1})
    with pytest.raises(CheckpointError, match="not the weights of a reader"):
        load(path)


def test_bad_input(shipped):
    with pytest.raises(SceneError, match="expected scenes"):
        shipped.log_likelihood(WORLDS["duel"], torch.zeros(2, 5, 5))
    variables = list(WORLDS["duel"].variables.values())
    even = torch.full((8,), 1 / 8, dtype=torch.float64)
    sunny = World([*variables, Variable("sun", stage().variables["sun"], (), True, even)], "sunny")
    with pytest.raises(SceneError, match="can't tell 'sun'"):
        shipped.log_likelihood(sunny, torch.zeros(1, 36, 64, dtype=torch.uint8))


def test_dropout_only_in_training():
    reader = Reader(8, 16, drop=0.5).eval()
    scenes, _ = draw(WORLDS["duel"], 4, seed=1)
    assert torch.equal(reader(scenes)["actor"], reader(scenes)["actor"])
    reader.train()
    assert not torch.equal(reader(scenes)["actor"], reader(scenes)["actor"])


@pytest.mark.parametrize("change", [{"steps": 0}, {"batch": 1.5}, {"hidden": 10**6}, {"seed": -1}])
def test_settings_out_of_range(change):
    with pytest.raises(ValueError, match=f"setting '{next(iter(change))}': expected a"):
        Settings(**change)
