"""The arena: by seeing, an attack looks less harmful than a taunt; by doing, it is more harmful.

The numbers are computed twice, with `query` and by summing the whole joint distribution with numpy,
from the file itself."""

import json
from decimal import Decimal
from itertools import chain, combinations
from pathlib import Path

import numpy as np
import pytest
import torch

import cimg.world
from cimg.query import backdoor_sets, d_separated, is_adjustable, probability
from cimg.world import World

FILE = Path(cimg.world.__file__).parent / "worlds" / "arena.json"
DIE, HURT, IDLE = range(3)
ABILITIES = [f"{who}_{what}" for who in ("actor", "reactor")
             for what in ("character", "type", "strength", "defense", "attack")]  # fmt: skip


@pytest.fixture(scope="module")
def arena():
    return World.load("arena")


@pytest.fixture(scope="module")
def joint():
    """P(every variable), by brute force from the file: (names, array with one axis for each)."""
    variables = json.loads(FILE.read_text(encoding="utf-8"))["variables"]
    axis = {v["name"]: i for i, v in enumerate(variables)}
    tables = chain.from_iterable(
        (np.array(v["cpt"]), [axis[n] for n in (*v["parents"], v["name"])]) for v in variables
    )
    return list(axis), np.einsum(*tables, list(range(len(variables))), optimize=True)


def margin(joint, *kept):
    """P(kept), its axes in the order of `kept`."""
    names, p = joint
    return np.einsum(p, list(range(len(names))), [names.index(n) for n in kept])


def seen(joint):
    """P(reaction | action), [action, reaction]."""
    both = margin(joint, "action", "reaction")
    return both / both.sum(1, keepdims=True)


def adjusted(joint, *by):
    """sum over z of P(z) P(reaction | action, z), [action, reaction], with z the variables `by`."""
    p = margin(joint, *by, "action", "reaction").reshape(-1, 3, 4)
    p = p[p.sum((1, 2)) > 0]
    return (p.sum((1, 2))[:, None, None] * p / p.sum(2, keepdims=True)).sum(0)


def done(arena):
    """P(reaction; do(action)), [action, reaction], exactly."""
    return np.stack([probability(arena, "reaction", do={"action": a}).numpy() for a in range(3)])


def truncated(joint, arena):
    """The same by the truncated factorisation: the joint divided by action's own table."""
    names, p = joint
    order = [names.index(n) for n in (*arena.variables["action"].parents, "action")]
    everything = list(range(len(names)))
    cut = np.einsum(p, everything, 1 / arena.variables["action"].cpt.numpy(), order, everything)
    return margin((names, cut), "action", "reaction")


def harm(p):
    return p[..., DIE] + p[..., HURT]


def distance(p, q):
    """Total variation."""
    return np.abs(p - q).sum(-1) / 2


def test_the_two_ways_of_computing_agree(arena, joint):
    assert joint[1].sum() == pytest.approx(1)
    for action in range(3):
        exact = probability(arena, "reaction", {"action": action}).numpy()
        np.testing.assert_allclose(exact, seen(joint)[action], atol=1e-12)
    np.testing.assert_allclose(done(arena), truncated(joint, arena), atol=1e-12)


def test_seeing_and_doing_disagree_in_sign(arena, joint):
    attack, taunt, _ = seen(joint)
    assert harm(attack) < harm(taunt) - 0.2 and attack[DIE] < taunt[DIE] - 0.05
    attack, taunt, _ = done(arena)
    assert harm(attack) > harm(taunt) + 0.05 and attack[DIE] > taunt[DIE] + 0.05


def test_the_numbers_that_the_course_tells(arena, joint):
    np.testing.assert_allclose(harm(seen(joint))[:2], [0.1706, 0.4555], atol=5e-5)
    np.testing.assert_allclose(harm(done(arena))[:2], [0.3729, 0.2988], atol=5e-5)
    np.testing.assert_allclose(seen(joint)[:2, DIE], [0.0824, 0.1440], atol=5e-5)
    np.testing.assert_allclose(done(arena)[:2, DIE], [0.1801, 0.0944], atol=5e-5)
    np.testing.assert_allclose(distance(seen(joint), done(arena))[0], 0.2341, atol=5e-5)


def test_they_are_far_apart(arena, joint):
    apart = distance(seen(joint), done(arena))
    assert apart[0] >= 0.15 and apart[1] >= 0.15
    assert apart[2] < 1e-3  # a walk is taken alike at either time


def test_at_either_time_an_attack_does_more_harm(joint):
    p = margin(joint, "time", "action", "reaction")
    p /= p.sum(2, keepdims=True)
    assert (harm(p[:, 0]) > harm(p[:, 1])).all() and (p[:, 0, DIE] > p[:, 1, DIE]).all()


def test_for_every_reactor_at_either_time_an_attack_does_more_harm(arena):
    rows = arena.variables["reaction"].cpt.numpy()
    assert (harm(rows[..., 0, :]) > harm(rows[..., 1, :])).all()
    assert (rows[..., 0, DIE] >= rows[..., 1, DIE]).all()


def test_within_a_time_seeing_is_doing(arena):
    for time in ("day", "night"):
        see = probability(arena, "reaction", {"action": "attack", "time": time})
        do = probability(arena, "reaction", {"time": time}, {"action": "attack"})
        torch.testing.assert_close(see, do, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "by", [["time"], ["sky"], ["time", "sky"], ["sky", "actor_strength", "reactor_type"]]
)
def test_adjusting_for_the_time_or_for_the_sky_is_right(arena, joint, by):
    np.testing.assert_allclose(adjusted(joint, *by), done(arena), atol=1e-12)


def test_adjusting_for_anything_else_is_wrong(arena, joint):
    """Where neither time nor sky was recorded: any of the 1,024 sets of what else there is, the
    hidden abilities among them, leaves the sign wrong."""
    truth, sets = done(arena), 0
    small = (["time", *ABILITIES, "action", "reaction"], margin(joint, "time", *ABILITIES,
             "action", "reaction"))  # fmt: skip
    for size in range(len(ABILITIES) + 1):
        for by in combinations(ABILITIES, size):
            found = adjusted(small, *by)
            assert distance(found, truth)[0] >= 0.15
            assert harm(found)[0] < harm(found)[1]
            sets += 1
    assert sets == 1024


def test_the_sky_shows_the_time(arena, joint):
    by_time = margin(joint, "time", "sky")
    assert (by_time[0, 2:] == 0).all() and (by_time[1, :2] == 0).all()
    np.testing.assert_allclose(by_time.sum(0), 0.25)  # all skies as common as where sky is style
    assert "time" in arena.hidden and "sky" in arena.visible
    assert d_separated(arena, "sky", ["action", "reaction"], given=["time"])


def test_the_graph_alone_does_not_license_the_sky(arena):
    """{sky} is no backdoor set: time -> reaction stays open. Adjusting for it is right because the
    time can be told from the sky without fail; where it can't, some confounding is left."""
    assert backdoor_sets(arena, "action", "reaction", [*ABILITIES, "time", "sky"]) == [{"time"}]
    assert not is_adjustable(arena, "action", "reaction")
    hazy = arena.to_dict()
    sky = next(v for v in hazy["variables"] if v["name"] == "sky")
    sky["cpt"] = [[0.4, 0.4, 0.1, 0.1], [0.1, 0.1, 0.4, 0.4]]
    hazy = World.from_dict(hazy)
    p = probability(hazy, ["sky", "action", "reaction"]).numpy()
    by_sky = (p.sum((1, 2))[:, None] * p[:, 0] / p[:, 0].sum(1, keepdims=True)).sum(0)
    unadjusted = probability(hazy, "reaction", {"action": "attack"}).numpy()
    truth = done(arena)[0]
    assert 0.05 < distance(by_sky, truth) < distance(unadjusted, truth)


def test_the_rest_is_the_duel(arena):
    duel = World.load("duel")
    assert set(arena.variables) == {*duel.variables, "time", "sky"}
    for name, v in duel.variables.items():
        mine = arena.variables[name]
        assert mine.values == v.values and mine.in_image == v.in_image
        if name in ABILITIES:
            assert mine.parents == v.parents and torch.equal(mine.cpt, v.cpt)
        else:
            assert mine.parents == ("time", *v.parents)


def test_the_tables_follow_their_story(arena):
    """As `about` tells it: four in five do by day what they don't by night; one in five lands."""
    duel, (day, night) = World.load("duel"), arena.variables["action"].cpt.numpy()
    attack, taunt, walk = np.moveaxis(duel.variables["action"].cpt.numpy(), -1, 0)
    np.testing.assert_allclose(day, np.stack([0.2 * attack, taunt + 0.8 * attack, walk], -1))
    np.testing.assert_allclose(night, np.stack([attack + 0.8 * taunt, 0.2 * taunt, walk], -1))
    day, night = arena.variables["reaction"].cpt.numpy()
    as_before = duel.variables["reaction"].cpt.numpy()
    differs = np.argwhere((day != as_before).any(-1))
    assert differs.tolist() == [[1, 0, 0, 0], [1, 0, 0, 1]]
    idle = np.eye(4)[IDLE]
    np.testing.assert_allclose(night[..., :2, :], 0.2 * day[..., :2, :] + 0.8 * idle, atol=1e-12)
    np.testing.assert_array_equal(night[..., 2, :], day[..., 2, :])


def test_rows_sum_to_one_in_decimals_and_have_at_most_three():
    variables = json.loads(FILE.read_text(encoding="utf-8"), parse_float=Decimal)["variables"]

    def rows(node):
        if not isinstance(node[0], list):
            return [node]
        return [row for inner in node for row in rows(inner)]

    for v in variables:
        for row in rows(v["cpt"]):
            assert sum(row) == 1
            assert all(p == round(Decimal(p), 3) for p in row)
