"""The exact posterior against brute force, and Bayes' rule to the letter."""

from math import log, prod

import pytest
import torch

from cimg.codes import SceneError
from cimg.damage import PLACES, Damage, put_stone
from cimg.data import draw
from cimg.query import probability
from cimg.reading import ExactReader, hidden, label_prior, marginals, posterior
from cimg.scene import render, stage, style_of, unflatten
from cimg.tables import WorldError
from cimg.world import World

DAMAGES = (Damage(), Damage(0.15), Damage(0.4), Damage(stone=True), Damage(0.3, stone=True))
WORLDS = {name: World.load(name) for name in ("duel", "arena")}


def brute_force(world, damage, scene, labels):
    """log P(scene | labels): every style and every place of the stone, pixel by pixel."""
    style = style_of(world)
    n = prod(map(len, style.values()))
    values = {name: torch.full((n,), code) for name, code in labels.items()}
    pictures = render(values | unflatten(style, torch.arange(n)))
    miss = damage.noise / len(stage().palette.names)
    hit = 1 - damage.noise + miss
    log_p = []
    for place in range(len(PLACES)) if damage.stone else [None]:
        seen = pictures if place is None else put_stone(pictures, torch.full((n,), place))
        wrong = (seen != scene).flatten(1).sum(1).double()
        never = torch.where(wrong > 0, -torch.inf, 0.0)
        log_p.append(scene.numel() * log(hit) + (wrong * log(miss / hit) if miss else never))
    return float(torch.cat(log_p).logsumexp(0)) - log(n * len(log_p))


@pytest.mark.parametrize("damage", DAMAGES, ids=str)
@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_against_brute_force(world, damage):
    scenes, values = draw(world, 2, seed=61)
    damaged = damage(scenes, seed=1)
    table = ExactReader(world, damage)(damaged)
    for i, change in ((0, {}), (1, {"action": 1}), (1, {"reaction": 3})):
        labels = {name: int(values[name][i]) for name in world.visible}
        for name, step in change.items():  # labels that are false
            labels[name] = (labels[name] + step) % len(world.variables[name].values)
        expected = brute_force(world, damage, damaged[i], labels)
        found = float(table[(i, *labels.values())])
        if expected < float(table[i].max()) - 700:  # e ** -700: below what a float can hold
            assert found < expected + 1 or found < -1e5
        else:
            assert found == pytest.approx(expected, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("damage", DAMAGES[1:], ids=str)
def test_the_joint_sums_to_the_posterior(damage):
    world = WORLDS["arena"]
    scenes, _ = draw(world, 2, seed=62)
    reader = ExactReader(world, damage)
    damaged = damage(scenes, seed=2)
    expected = posterior(world, reader(damaged))
    for scene, table in zip(damaged, expected, strict=True):
        joint = reader.joint(scene)
        names = list(reader.variables)
        summed = joint.sum([i for i, name in enumerate(names) if name not in world.visible])
        left = [name for name in names if name in world.visible]
        summed = summed.permute(*map(left.index, world.visible))
        torch.testing.assert_close(summed, table, rtol=0, atol=1e-10)


def test_samples_follow_the_joint():
    world, damage = WORLDS["duel"], Damage(0.2, stone=True)
    scenes, _ = draw(world, 30, seed=63)
    reader = ExactReader(world, damage)
    damaged = damage(scenes, seed=3)
    doubtful = int(posterior(world, reader(damaged)).flatten(1).max(1).values.argmin())
    joint, n = reader.joint(damaged[doubtful]), 4000
    drawn = reader.sample(damaged[doubtful], n, seed=4)
    for axis, (name, values) in enumerate(reader.variables.items()):
        exact = joint.sum([a for a in range(joint.dim()) if a != axis])
        count = drawn[name].bincount(minlength=len(values)).double()
        assert ((count / n - exact).abs() <= 5 * (exact * (1 - exact) / n).sqrt() + 1e-9).all(), (
            name
        )


def test_a_clean_scene_tells_all_that_was_drawn():
    world = WORLDS["arena"]
    scenes, values = draw(world, 20, seed=64)
    reader = ExactReader(world)
    for i, scene in enumerate(scenes):
        for name, codes in reader.sample(scene, 3, seed=i).items():
            assert (codes == values[name][i]).all(), name


@pytest.mark.parametrize("do", [None, {"action": "attack"}, {"reactor_strength": "low"}])
@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_hidden_variables_of_clean_scenes(world, do):
    scenes, values = draw(world, 12, seed=65, do=do)
    table = ExactReader(world)(scenes)
    names = tuple(name for name in world.hidden if name not in (do or {}))
    found = hidden(world, table, names, do)
    for i in range(len(scenes)):
        given = {k: int(values[k][i]) for k in world.visible if k not in (do or {})}
        exact = probability(world, names, given=given, do=do)
        torch.testing.assert_close(found[i], exact, rtol=0, atol=1e-12)


def test_the_prior_is_multiplied_jointly_and_follows_do():
    world = WORLDS["duel"]
    torch.manual_seed(0)
    table = torch.randn(5, *label_prior(world).shape, dtype=torch.float64)
    weights = label_prior(world) * table.exp()
    expected = weights / weights.flatten(1).sum(1).view(-1, *[1] * 6)
    torch.testing.assert_close(posterior(world, table), expected, rtol=0, atol=1e-14)
    torch.testing.assert_close(posterior(world, table + 700), expected, rtol=0, atol=1e-12)
    set_ = posterior(world, table, {"action": "walk"})
    action = marginals(world, set_)["action"]
    assert action[:, 2].tolist() == pytest.approx([1] * 5) and (action[:, :2] == 0).all()
    assert marginals(world, expected)["reaction"].sum(1).tolist() == pytest.approx([1] * 5)


def test_where_the_picture_is_silent_the_world_speaks():
    """Labels that explain a picture equally well are as probable as they were before it."""
    world, damage = WORLDS["duel"], Damage(stone=True)
    scenes, _ = draw(world, 60, seed=66)
    tables = ExactReader(world, damage)(damage(scenes, seed=6)).flatten(1)
    found = posterior(world, tables.view(-1, *label_prior(world).shape)).flatten(1)
    prior, silent = label_prior(world).flatten(), 0
    for table, after in zip(tables, found, strict=True):
        best = table > table.max() - 1e-9
        silent += int(best.sum() > 1)
        ratio = after[best] / prior[best]
        assert float(ratio.max() / ratio.min()) == pytest.approx(1, abs=1e-9)
    assert silent > 0


def test_exact_doubt_is_calibrated():
    """Of what it says with confidence c, a share c is right: by the definition of probability."""
    world, damage = WORLDS["duel"], Damage(0.3, stone=True)
    scenes, values = draw(world, 150, seed=67)
    table = posterior(world, ExactReader(world, damage)(damage(scenes, seed=5)))
    confidence, best = table.flatten(1).max(1)
    codes = torch.unravel_index(best, table.shape[1:])
    right = torch.stack([c == values[k] for c, k in zip(codes, world.visible, strict=True)]).all(0)
    spread = (confidence * (1 - confidence)).sum().sqrt()
    assert abs(float(right.sum() - confidence.sum())) < 4 * float(spread)
    assert float(spread) > 1  # there is doubt to be checked


def test_bad_input():
    world = WORLDS["duel"]
    reader = ExactReader(world)
    noise = torch.randint(24, (2, 36, 64), generator=torch.Generator().manual_seed(1)).byte()
    with pytest.raises(SceneError, match="scene 0: no labels and style"):
        posterior(world, reader(noise))
    with pytest.raises(SceneError, match="no labels and style"):
        reader.joint(noise[0])
    with pytest.raises(SceneError, match="expected scenes"):
        reader(noise[0])
    with pytest.raises(SceneError, match="expected one scene"):
        reader.joint(noise)
    with pytest.raises(SceneError, match="seed"):
        reader.sample(noise[0], 2, seed=-1)
    with pytest.raises(SceneError, match=r"expected a table \[n, 2, 3, 2, 3, 3, 4\], found"):
        posterior(world, torch.zeros(2, 3))
    table = torch.zeros(1, 2, 3, 2, 3, 3, 4)
    with pytest.raises(WorldError):
        hidden(world, table, "mood")
    with pytest.raises(WorldError):
        posterior(world, table, {"action": "sing"})


def roots(names) -> World:
    """A world of some of what can be drawn, even and without arrows."""
    drawn = stage().variables
    variables = [
        {
            "name": k,
            "values": list(drawn[k]),
            "in_image": True,
            "cpt": [1 / len(drawn[k])] * len(drawn[k]),
        }
        for k in names
    ]
    return World.from_dict({"name": "roots", "variables": variables})


def test_a_world_whose_labels_are_all_that_can_be_drawn():
    world = roots(stage().variables)
    assert not style_of(world)
    scenes, values = draw(world, 1, seed=3)
    read = posterior(world, ExactReader(world)(scenes))
    assert read.shape == (1, *(len(v.values) for v in world.variables.values()))
    assert float(read[0][tuple(int(values[k]) for k in world.visible)]) == pytest.approx(1)


def test_a_world_with_one_label():
    world = roots(["action"])
    table = torch.tensor([[0.2, 0.3, 0.5], [1, 0, 0]]).double()
    torch.testing.assert_close(marginals(world, table), {"action": table})


def test_a_prior_under_which_every_label_is_set():
    world = WORLDS["duel"]
    done = {name: 1 for name in world.visible}
    prior = label_prior(world, done)
    assert prior[(1,) * len(done)] == 1 == prior.sum()
    assert posterior(world, torch.zeros(1, *prior.shape), done)[0][(1,) * len(done)] == 1
