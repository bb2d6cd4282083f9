"""Counterfactuals on worlds: known values, laws, and two oracles (finitely many units for the
monotone coupling; Gumbel-max noise by its definition, with rejection, for the other)."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from cimg.counterfactual import (
    COUPLINGS,
    abduct,
    bounds,
    predict,
    probability_had,
    twin_samples,
    twin_world,
)
from cimg.query import probability, sample_posterior
from cimg.world import Variable, World, WorldError
from tests.structural import answer, listed, questions, random_world

LOW3 = dict.fromkeys(["reactor_strength", "reactor_defense", "reactor_attack"], "low")
HURT = {**LOW3, "action": "taunt", "reaction": "hurt"}
ATTACK = {"action": "attack"}
both = pytest.mark.parametrize("coupling", COUPLINGS)
either_world = pytest.mark.parametrize("name", ["duel", "arena"])


@pytest.fixture(scope="module")
def duel():
    return World.load("duel")


def shares(codes, size):
    return torch.bincount(codes, minlength=size).double() / len(codes)


def distance(p, q):
    """Total variation."""
    return (p - q).abs().sum().item() / 2


def same(one, other, names):
    return all(torch.equal(one[name], other[name]) for name in names)


# Known values


@pytest.mark.parametrize("coupling,dies", [("gumbel", 11 / 31), ("monotone", 0.5)])
def test_had_it_been_attacked(duel, coupling, dies):
    exact = probability_had(duel, "reaction", HURT, ATTACK, coupling)
    assert exact.tolist() == pytest.approx([dies, 1 - dies, 0, 0], abs=1e-12)
    facts, would = twin_samples(duel, 200_000, HURT, ATTACK, coupling)
    assert (facts["reaction"] == 1).all() and (facts["action"] == 1).all()
    assert (would["action"] == 0).all()
    assert distance(shares(would["reaction"], 4), exact) < 0.005


def test_where_the_interventional_answer_is_wrong_for_this_scene(duel):
    """A golem attacked and the satyr died. Had the golem's attack been low? Such golems seldom
    attack: the answer to do is 8 %. But most of them have a low attack anyway, and this one did
    attack: under every coupling it is at least 79 %."""
    who = {"actor_character": "golem", "actor_type": "type3"}
    who |= {"reactor_character": "satyr", "reactor_type": "type2"}
    scene, do = {**who, "action": "attack", "reaction": "die"}, {"actor_attack": "low"}
    doing = probability(duel, "reaction", who, do)[0].item()
    assert doing == pytest.approx(0.0819, abs=5e-5)
    low, high, _ = bounds(duel, {"reaction": "die"}, scene, do)
    assert (low, high) == (pytest.approx(0.7947, abs=5e-5), pytest.approx(0.9472, abs=5e-5))
    for coupling, dies in (("gumbel", 0.8929), ("monotone", 0.9472)):
        exact = probability_had(duel, "reaction", scene, do, coupling)[0].item()
        assert exact == pytest.approx(dies, abs=5e-5)


def test_the_same_seed_with_and_without_do_is_the_monotone_coupling(duel):
    """World.sample compares one number of each row and variable with the table laid end to end:
    it is a structural model, and the same seed is the same noise."""
    n, names = 300_000, ["reaction", "reaction'"]
    was, would = duel.sample(n, seed=6), duel.sample(n, seed=6, do=ATTACK)
    exact = probability(twin_world(duel, ATTACK, "monotone"), names).flatten()
    counted = shares(4 * was["reaction"] + would["reaction"], 16)
    assert (counted - exact).abs().max() < 5 * np.sqrt(0.25 / n)
    other = probability(twin_world(duel, ATTACK, "gumbel"), names).flatten()
    assert (counted - other).abs().max() > 0.02


# Laws


@both
@either_world
def test_replaying_the_noise_gives_back_the_facts(name, coupling):
    """Composition: a million draws, every variable run again from its noise, none comes out
    differently."""
    world = World.load(name)
    facts = world.sample(1_000_000, seed=3)
    again = predict(world, facts, abduct(world, facts, coupling, seed=4), coupling)
    assert same(facts, again, world.variables)


@both
def test_the_null_action_gives_back_the_facts(duel, coupling):
    """Do what was done anyway: a million draws from partial evidence."""
    seen = {"action": "taunt", "reaction": "hurt", "actor_type": "type2"}
    facts, would = twin_samples(duel, 1_000_000, seen, {"action": "taunt"}, coupling, seed=1)
    assert same(facts, would, duel.variables)


@both
@either_world
def test_the_mixture_of_counterfactuals_is_the_intervention(name, coupling):
    """A perfect sampler's 200,000 draws are within 0.002 in most runs: so the median of five."""
    world = World.load(name)
    for do in (ATTACK, {"actor_strength": "high", "reactor_attack": "low"}):
        exact = probability(world, "reaction", do=do)
        runs = [twin_samples(world, 200_000, None, do, coupling, seed=i)[1] for i in range(5)]
        counted = torch.stack([shares(would["reaction"], 4) for would in runs])
        assert np.median([distance(p, exact) for p in counted]) <= 0.002
        assert distance(counted.mean(0), exact) <= 0.0015


@both
@either_world
def test_the_exact_mixture_is_the_intervention(name, coupling):
    """Sum over everything that might have been seen of P(seen) P(would | seen)."""
    world = World.load(name)
    seen = ("reactor_strength", "action", "reaction")
    weights, total = probability(world, seen), torch.zeros(4, dtype=torch.float64)
    for codes in product(*map(range, weights.shape)):
        evidence = dict(zip(seen, codes, strict=True))
        total += weights[codes] * probability_had(world, "reaction", evidence, ATTACK, coupling)
    assert distance(total, probability(world, "reaction", do=ATTACK)) < 1e-12
    alone = probability_had(world, "reaction", None, ATTACK, coupling)
    assert distance(total, alone) < 1e-12


@both
def test_no_intervention_no_change(duel, coupling):
    seen = {"reaction": "die", "actor_character": "golem"}
    facts, would = twin_samples(duel, 1000, seen, None, coupling)
    assert same(facts, would, duel.variables)
    exact = probability_had(duel, ["reaction", "action"], seen, None, coupling)
    assert torch.equal(exact[0], probability(duel, "action", seen)) and exact[1:].sum() == 0
    null = probability_had(duel, "reaction", HURT, {"action": "taunt"}, coupling)
    assert null.tolist() == [0, 1, 0, 0]


@both
def test_only_descendants_change(duel, coupling):
    do = {"actor_strength": "high"}
    facts, would = twin_samples(duel, 20_000, {"reaction": "idle"}, do, coupling, seed=2)
    changed = {"actor_strength", "action", "reaction"}
    assert same(facts, would, duel.variables.keys() - changed)
    assert not any(torch.equal(facts[name], would[name]) for name in changed)
    for name in ("actor_type", "actor_attack", "reactor_defense"):
        exact = probability_had(duel, name, {"reaction": "idle"}, do, coupling)
        assert distance(exact, probability(duel, name, {"reaction": "idle"})) < 1e-12


@both
def test_effectiveness(duel, coupling):
    _, would = twin_samples(duel, 100, HURT, {"reaction": "die", "action": "walk"}, coupling)
    assert (would["reaction"] == 0).all() and (would["action"] == 2).all()


# Oracles


@settings(max_examples=150, deadline=None)
@given(questions(zeros=0.2))
def test_monotone_is_what_the_units_say(question):
    world, seen, do, target = question
    exact = probability_had(world, target, seen, do, "monotone")
    for code, p in enumerate(exact.tolist()):
        truth = answer(world, listed(world), seen, do, lambda w, code=code: w[target] == code)
        assert p == pytest.approx(truth, abs=1e-9)


def gumbel_units(world, n, random, do):
    """`n` units by the definition: argmax of log-probabilities plus Gumbel noise, twice."""
    was, would = {}, {}
    for v in world.variables.values():
        noise = random.gumbel(size=(n, len(v.values)))
        for values in (was, would):
            rows = v.cpt.numpy()[tuple(values[p] for p in v.parents)]
            with np.errstate(divide="ignore"):
                values[v.name] = (np.log(rows) + noise).argmax(-1)
        if v.name in do:
            would[v.name] = np.full(n, do[v.name])
    return was, would


@pytest.mark.parametrize("seed", range(6))
def test_gumbel_is_what_the_definition_says(seed):
    random, n = np.random.default_rng(seed), 300_000
    world = random_world(random, [2, 3, 3, 4], zeros=0.1)
    do = {"a": int(random.integers(2))} | ({"b": 1} if seed % 2 else {})
    was, would = gumbel_units(world, n, random, do)
    seen = {"d": int(was["d"][0])} | ({"b": int(was["b"][0])} if seed % 3 == 0 else {})
    kept = np.all([was[name] == code for name, code in seen.items()], axis=0)
    counted = np.zeros((3, 4))
    np.add.at(counted, (would["c"][kept], would["d"][kept]), 1 / kept.sum())
    exact = probability_had(world, ["c", "d"], seen, do).numpy()
    assert np.abs(counted - exact).max() < 5 * np.sqrt(0.25 / kept.sum())
    _, twins = twin_samples(world, n, seen, do, seed=seed)
    assert distance(shares(twins["d"], 4), torch.from_numpy(exact.sum(0))) < 5 / np.sqrt(n)


@both
def test_samples_and_twin_network_agree_on_both_worlds_at_once(duel, coupling):
    seen, do, n = {"action": "walk", "actor_type": "type1"}, {"actor_attack": "high"}, 300_000
    twin = twin_world(duel, do, coupling)
    exact = probability(twin, ["actor_attack", "action'", "reaction", "reaction'"], seen)
    facts, would = twin_samples(duel, n, seen, do, coupling, seed=9)
    codes = [facts["actor_attack"], would["action"], facts["reaction"], would["reaction"]]
    place = np.ravel_multi_index([c.numpy() for c in codes], exact.shape)
    counted = torch.from_numpy(np.bincount(place, minlength=exact.numel()) / n)
    assert (counted - exact.flatten()).abs().max() < 5 * np.sqrt(0.25 / n)


def test_a_coupling_of_its_own_for_each_variable(duel):
    do, seen = {"actor_strength": "high"}, {"reaction": "hurt", "actor_strength": "low"}
    mixed = {"action": "monotone", "reaction": "gumbel"}
    exact = probability_had(duel, "reaction", seen, do, mixed)
    _, would = twin_samples(duel, 200_000, seen, do, mixed)
    assert distance(shares(would["reaction"], 4), exact) < 0.005
    for pure in COUPLINGS:
        assert distance(exact, probability_had(duel, "reaction", seen, do, pure)) > 1e-4
    noise = abduct(duel, duel.sample(7), mixed)
    assert noise["action"].shape == (7,) and noise["reaction"].shape == (7, 4)


# The twin network


def test_the_twin_network(duel):
    twin = twin_world(duel, ATTACK)
    assert [name for name in twin.variables if name not in duel.variables] == [
        "action'",
        "reaction'",
    ]
    assert set(twin.variables["reaction'"].parents) == {
        *(f"reactor_{x}" for x in ("strength", "defense", "attack")),
        *("action", "action'", "reaction"),
    }
    assert probability(twin, "action'").tolist() == [1, 0, 0]
    small = twin_world(duel, {"actor_type": "type1"}, targets=["action"])
    assert "action'" in small.variables and "reaction'" not in small.variables
    # evidence on the world that isn't: those who would have died
    after = probability(twin, "reaction", {**LOW3, "action": "taunt", "reaction'": "die"})
    joint = probability(twin, ["reaction", "reaction'"], {**LOW3, "action": "taunt"})
    assert distance(after, joint[:, 0] / joint[:, 0].sum()) < 1e-12


def test_the_answer_on_several_targets(duel):
    seen, do = {"reaction": "hurt", "actor_type": "type3"}, {"actor_attack": "high"}
    names = ["reaction", "actor_type", "reactor_attack", "action"]
    joint = probability_had(duel, names, seen, do)
    assert joint.shape == (4, 3, 2, 3) and joint.sum().item() == pytest.approx(1)
    assert joint[:, :2].sum() == 0  # its type is seen, and stays
    alone = probability_had(duel, "action", seen, do)
    assert distance(joint.sum((0, 1, 2)), alone) < 1e-12


@pytest.mark.parametrize("name", ["", "x" * 200])
def test_a_twin_has_a_name_whatever_its_world_s(name, duel):
    twin = twin_world(World(duel.variables.values(), name), ATTACK)
    assert twin.name.endswith("twin") and len(twin.name) <= 200


def test_names_and_tables_that_do_not_fit(duel):
    primed = twin_world(duel, ATTACK)
    with pytest.raises(WorldError, match='"action\'" is a variable already'):
        twin_world(primed, ATTACK)
    many = [Variable("x", ("0", "1"), (), True, torch.tensor([0.5, 0.5]))]
    many += [Variable(f"y{i}", tuple("abcdefgh"), ("x",), True, torch.full((2, 8), 1 / 8))
             for i in range(5)]  # fmt: skip
    names = tuple(f"y{i}" for i in range(5))
    many += [Variable("z", ("0", "1"), names, True, torch.full((8,) * 5 + (2,), 0.5))]
    with pytest.raises(WorldError, match="twin table of z would have .* use twin_samples"):
        probability_had(World(many), "z", do={"x": "1"})
    assert len(twin_samples(World(many), 10, None, {"x": "1"})[1]["z"]) == 10


# Draws


def test_seeds_and_streams(duel):
    seen = {"reaction": "hurt"}
    facts, would = twin_samples(duel, 2000, seen, ATTACK, seed=7)
    again = twin_samples(duel, 2000, seen, ATTACK, seed=7)
    assert same(facts, again[0], facts) and same(would, again[1], would)
    other = twin_samples(duel, 2000, seen, ATTACK, seed=8)
    assert not torch.equal(would["reaction"], other[1]["reaction"])
    # another intervention on the same rows: the same facts, the same noise
    twice, _ = twin_samples(duel, 2000, seen, {"actor_strength": "low"}, seed=7)
    assert same(facts, twice, facts)
    some = abduct(duel, facts, seed=7, names=["reaction"])
    assert torch.equal(some["reaction"], abduct(duel, facts, seed=7)["reaction"])
    would["reactor_type"][:] = 0  # the two dicts share no memory
    assert facts["reactor_type"].any()


@both
def test_shapes_types_and_no_rows(duel, coupling):
    facts, would = twin_samples(duel, 5, None, ATTACK, coupling)
    assert list(facts) == list(would) == list(duel.variables)
    assert all(x.dtype == torch.int64 and x.shape == (5,) for x in (facts | would).values())
    none = twin_samples(duel, 0, None, ATTACK, coupling)[1]
    assert all(len(codes) == 0 for codes in none.values())
    short = {name: codes.to(torch.int8) for name, codes in facts.items()}
    again = predict(duel, short, abduct(duel, short, coupling), coupling)
    assert same(facts, again, facts)


# Bad input


@pytest.mark.parametrize(
    "targets,seen,do,coupling,message",
    [
        ([], {}, ATTACK, "gumbel", "an empty question"),
        ((), {}, ATTACK, "gumbel", "an empty question"),
        ("action", {}, ATTACK, "gumbel", "the target action is set by do"),
        (["reaction", "reaction"], {}, ATTACK, "gumbel", "a target is named twice"),
        ("mood", {}, ATTACK, "gumbel", "unknown variable 'mood'; there are: actor_character"),
        ("reaction", {"mood": 1}, ATTACK, "gumbel", "unknown variable 'mood'"),
        ("reaction", {}, {"mood": 1}, "gumbel", "unknown variable 'mood'"),
        ("reaction", {"action": "fly"}, ATTACK, "gumbel", "unknown value 'fly' of action"),
        ("reaction", {}, {"action": "fly"}, "gumbel", "value 'fly' of action; there are: attack"),
        ("reaction", {}, {"action": 3}, "gumbel", "unknown value 3 of action"),
        ("reaction", {}, ATTACK, "frank", "unknown coupling 'frank'; there are: gumbel, monotone"),
        ("reaction", {}, ATTACK, {"reaction": 1}, "unknown coupling 1"),
        ("reaction", {}, ATTACK, None, "unknown coupling None"),
        ("reaction", [], ["attack"], "gumbel", "expected a dict"),
    ],
)
def test_bad_questions(duel, targets, seen, do, coupling, message):
    with pytest.raises(WorldError, match=message):
        probability_had(duel, targets, seen, do, coupling)
    if targets == "reaction":
        with pytest.raises(WorldError, match=message):
            twin_samples(duel, 10, seen, do, coupling)


def test_impossible_evidence():
    arena = World.load("arena")
    noon = {"time": "night", "sky": "day"}
    for target in ("reaction", "sky", ["sky", "time"]):
        with pytest.raises(WorldError, match="impossible evidence"):
            probability_had(arena, target, noon, ATTACK)
    with pytest.raises(WorldError, match="impossible evidence"):
        twin_samples(arena, 10, noon, ATTACK)


def test_bad_rows(duel):
    arena = World.load("arena")
    facts = arena.sample(3)
    facts["time"], facts["sky"] = torch.tensor([0, 0, 1]), torch.tensor([0, 3, 3])
    with pytest.raises(WorldError, match="row 1: sky=night has probability 0 given its parents"):
        abduct(arena, facts)
    facts = duel.sample(3)
    with pytest.raises(WorldError, match="unknown variable 'mood'"):
        abduct(duel, facts, names=["mood"])
    with pytest.raises(WorldError, match="seed must be a whole number from 0 up"):
        abduct(duel, facts, seed=-1)
    noise = abduct(duel, facts, "monotone")
    with pytest.raises(WorldError, match=r"actor_character: noise of shape \[3\] is not gumbel"):
        predict(duel, facts, noise, "gumbel")
    del facts["actor_type"]
    with pytest.raises(WorldError, match="actor_type is missing"):
        abduct(duel, facts, names=["actor_attack"])
    facts["reaction"] = torch.tensor([9, 0, 0])
    with pytest.raises(WorldError, match="reaction, row 0: code 9"):
        abduct(duel, facts)


def test_posterior_samples_are_what_abduction_starts_from(duel):
    facts, _ = twin_samples(duel, 50, {"reaction": "die"}, ATTACK, seed=4)
    assert same(facts, sample_posterior(duel, 50, {"reaction": "die"}, seed=4), facts)
