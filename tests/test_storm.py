"""The storm, the capstone's world: what its text and notebook 12 say of it, against brute force.

The oracle multiplies the tables as they stand in the file into one joint distribution, and knows
nothing of `cimg.query`.
"""

import json

import pytest
import torch
from torch import Tensor

from cimg.bounds import bounds
from cimg.counterfactual import abduct, predict, probability_had
from cimg.data import combinations, draw
from cimg.exercises_storm import ARROWS, drafts, refused_by, with_arrow
from cimg.query import backdoor_sets, frontdoor_sets, probability, sample_posterior
from cimg.scene import stage_of
from cimg.score import TEST_SEED, read_back
from cimg.separation import d_separated
from cimg.study import read_results
from cimg.world import FOLDER, World

STORM = World.load("storm")
FILE = {v["name"]: v for v in json.loads((FOLDER / "storm.json").read_text("utf-8"))["variables"]}
NAMES = list(FILE)
ACTIONS = FILE["action"]["values"]
SCENE = {"actor_character": "witch", "actor_type": "type1", "action": "attack", "sky": "night",
         "reactor_character": "golem", "reactor_type": "type2", "reaction": "die"}  # fmt: skip


def joint(**do: str) -> Tensor:
    """P(all ten variables; do), from the file alone: one axis for each, in the file's order."""
    product = torch.ones([len(v["values"]) for v in FILE.values()], dtype=torch.float64)
    for name, v in FILE.items():
        own, axes = torch.tensor(v["cpt"], dtype=torch.float64), [*v["parents"], name]
        if name in do:
            own, axes = torch.zeros(len(v["values"]), dtype=torch.float64), [name]
            own[v["values"].index(do[name])] = 1
        order = sorted(range(len(axes)), key=lambda i: NAMES.index(axes[i]))
        shape = [len(v["values"]) if n in axes else 1 for n, v in FILE.items()]
        product = product * own.permute(order).reshape(shape)
    return product


def marginal(table: Tensor, *names: str) -> Tensor:
    """The distribution of these variables, axes in the order given."""
    kept = [NAMES.index(name) for name in names]
    summed = table.sum([i for i in range(len(NAMES)) if i not in kept])
    return summed.permute([sorted(kept).index(i) for i in kept])


def harm(table: Tensor) -> float:
    return float(marginal(table, "reaction")[:2].sum())


SEEN, MADE = joint(), {a: joint(action=a) for a in ACTIONS}


def test_every_row_sums_to_one_exactly_as_printed():
    from decimal import Decimal

    text = (FOLDER / "storm.json").read_text("utf-8")
    exact = json.loads(text, parse_float=Decimal, parse_int=Decimal)

    def rows(table):
        return [table] if isinstance(table[0], Decimal) else [r for t in table for r in rows(t)]

    assert all(sum(row) == 1 for v in exact["variables"] for row in rows(v["cpt"]))


def test_three_characters_seven_drawn_variables_three_hidden_ones():
    assert STORM.variables["actor_character"].values == ("satyr", "golem", "witch")
    assert STORM.hidden == ("fever", "actor_craft", "reactor_ward") and len(STORM.visible) == 7
    assert combinations(STORM) == 3888


def test_exact_answers_are_those_of_brute_force():
    torch.testing.assert_close(probability(STORM, NAMES), SEEN, rtol=0, atol=1e-14)
    for action, table in MADE.items():
        asked = probability(STORM, "reaction", do={"action": action})
        torch.testing.assert_close(asked, marginal(table, "reaction"), rtol=0, atol=1e-14)
    both = marginal(SEEN, "fever", "reaction")
    asked = probability(STORM, "fever", {"reaction": "die"})
    torch.testing.assert_close(asked, both[:, 0] / both[:, 0].sum(), rtol=0, atol=1e-14)


def test_half_of_the_seen_difference_is_the_fever_s():
    by_action = marginal(SEEN, "action", "reaction")
    seen = by_action[:, :2].sum(1) / by_action.sum(1)
    made = [harm(MADE[a]) for a in ACTIONS]
    assert 0.46 < float(seen[0] - seen[2]) < 0.475 and 0.245 < made[0] - made[2] < 0.255
    assert seen[0] > made[0] and seen[2] < made[2]


def test_the_front_door_is_the_only_door():
    assert backdoor_sets(STORM, "action", "reaction") == []
    assert backdoor_sets(STORM, "action", "reaction", NAMES) == [frozenset({"fever"})]
    assert frontdoor_sets(STORM, "action", "reaction") == [frozenset({"sky"})]
    assert d_separated(STORM, "fever", "sky", "action")
    assert d_separated(STORM, "action", "reaction", ["fever", "sky"])


def test_the_front_door_formula_is_exact_on_what_is_drawn():
    table = marginal(SEEN, "action", "sky", "reaction")
    p_action, p_sky = table.sum((1, 2)), table.sum(2) / table.sum((1, 2))[:, None]
    inner = p_action @ (table[..., :2].sum(2) / table.sum(2))
    for code, action in enumerate(ACTIONS):
        assert abs(float(p_sky[code] @ inner) - harm(MADE[action])) < 1e-14
    assert 0.005 < float(table.sum(2).min()) < 0.01  # overlap, and where it is thin


def test_the_fever_makes_wild_and_thin_skinned_and_moves_no_weather():
    without, ill = torch.tensor(FILE["action"]["cpt"])
    assert (ill[:, 0] > without[:, 0]).all() and (ill[:, 2] < without[:, 2]).all()
    without, ill = torch.tensor(FILE["reaction"]["cpt"])[..., :2].sum(-1)  # [fever, sky, ward]
    assert (ill > without).all()
    assert FILE["sky"]["parents"] == ["action"] and "action" not in FILE["reaction"]["parents"]
    dawn, day, dusk, night = torch.stack([without, ill], 1)
    assert torch.equal(dawn, day) and (day < dusk).all() and (dusk < night).all()


def test_witches_know_most_of_spells():
    people = marginal(SEEN, "actor_character", "actor_craft")
    craft = people[:, 1] / people.sum(1)
    assert craft.argmax() == 2


def test_the_counterfactual_of_the_scene():
    """Against twins drawn by abduction, action and prediction; and within the bounds."""
    exact = probability_had(STORM, "reaction", SCENE, {"action": "walk"})
    rows = sample_posterior(STORM, 100_000, given=SCENE, seed=1)
    had = predict(STORM, rows, abduct(STORM, rows, seed=1), do={"action": "walk"})
    share = had["reaction"].bincount(minlength=4) / 100_000
    assert (share - exact).abs().max() < 0.006 and 0.38 < float(exact[0]) < 0.39
    for coupling in ("gumbel", "monotone"):
        dead = float(probability_had(STORM, "reaction", SCENE, {"action": "walk"}, coupling)[0])
        low, high, _ = bounds(STORM, {"reaction": "die"}, SCENE, {"action": "walk"})
        assert low - 1e-12 <= dead <= high + 1e-12 and low == 0 and 0.39 < high < 0.4


def test_made_to_walk_is_another_question_than_had_she_walked():
    pair = {k: v for k, v in SCENE.items() if k.endswith(("character", "type"))}
    made = probability(STORM, "reaction", pair, {"action": "walk"})
    assert 0.055 < float(made[0]) < 0.065


def test_the_rival_s_photographs_are_the_same_and_its_effects_are_not():
    spec, causes = STORM.to_dict(), list(STORM.visible[:4]) + list(STORM.visible[4:6])
    entries = {v["name"]: v for v in spec["variables"]}
    for effect, parents in ("action", causes[:2]), ("reaction", causes):
        table = marginal(SEEN, *parents, effect)
        cpt = (table / table.sum(-1, keepdim=True)).tolist()
        entries[effect].update(parents=parents, cpt=cpt)
    visible = [entries[name] for name in STORM.visible]
    rival = World.from_dict({"name": "rival", "variables": visible})
    both = [probability(world, STORM.visible) for world in (STORM, rival)]
    torch.testing.assert_close(*both, rtol=0, atol=1e-14)
    made = [probability(rival, "reaction", do={"action": a})[:2].sum() for a in ("attack", "walk")]
    assert 0.46 < float(made[0] - made[1]) < 0.475


def test_who_refuses_the_drafts():
    refused = {key: refused_by(draft) for key, draft in drafts(STORM).items()}
    assert refused == {"a": "world", "b": "nobody", "c": "world", "d": "stage"}
    slipped = World.from_dict(drafts(STORM)["b"])
    known = {"fever": "yes", "actor_craft": "low"}
    assert float(probability(STORM, "action", known)[0]) == 0.6
    assert float(probability(slipped, "action", known)[0]) == 0.25


@pytest.mark.parametrize("key, kept", [("a", False), ("b", False), ("c", True), ("d", True)])
def test_which_arrow_breaks_the_door(key, kept):
    sets = frontdoor_sets(with_arrow(STORM, *ARROWS[key]), "action", "reaction")
    assert (frozenset({"sky"}) in sets) == kept


def test_the_runs_that_notebook_12_reports():
    """`make studies` made them; each was scored on 1,000 scenes of the test seed."""
    kept = read_results(FOLDER.parent / "results" / "storm.json")
    assert kept["test seed"] == TEST_SEED and kept["storm"]["steps"] == 1500
    assert [run["seed"] for run in kept["storm"]["runs"]] == [0, 1, 2]
    for run in kept["storm"]["runs"]:
        assert min(run["identical pictures"], run["never seen together"]) > 0.95


def test_the_storm_can_be_drawn_and_read_back():
    scenes, values = draw(STORM, 200, seed=5)
    found, off = read_back(scenes, stage_of(STORM))
    assert (off == 0).all() and all(torch.equal(found[k], values[k]) for k in STORM.visible)
    assert set(values["actor_character"].tolist()) == {0, 1, 2}
