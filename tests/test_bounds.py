"""Bounds: every structural model with the world's tables is within them, and where they are said
to be sharp some model reaches each end."""

from itertools import pairwise
from math import factorial

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cimg.bounds import Bounds, bounds
from cimg.counterfactual import probability_had
from cimg.coupling import COUPLINGS, affected
from cimg.query import probability
from cimg.world import Variable, World, WorldError
from tests.structural import all_orders, answer, listed, questions, random_world, shuffled

LOW3 = dict.fromkeys(["reactor_strength", "reactor_defense", "reactor_attack"], "low")
HURT = {**LOW3, "action": "taunt", "reaction": "hurt"}
ATTACK = {"action": "attack"}


@pytest.fixture(scope="module")
def duel():
    return World.load("duel")


def test_the_known_value(duel):
    low, high, sharp = bounds(duel, {"reaction": "die"}, HURT, ATTACK)
    assert (low, high, sharp) == (pytest.approx(1 / 6), pytest.approx(5 / 6), True)


def test_a_set_of_values_and_its_complement(duel):
    harm = bounds(duel, {"reaction": ["die", "hurt"]}, HURT, ATTACK)
    rest = bounds(duel, {"reaction": ("idle", "attack")}, HURT, ATTACK)
    assert harm.low == pytest.approx(1 - rest.high) and harm.high == pytest.approx(1 - rest.low)
    assert harm.low == pytest.approx(5 / 6)  # dying alone may be as rare as 1/6, harm may not
    everything = bounds(duel, {"reaction": [0, 1, 2, 3]}, HURT, ATTACK)
    assert everything == Bounds(pytest.approx(1), pytest.approx(1), True)


@pytest.mark.parametrize("y1,y0", [(0.7, 0.2), (0.3, 0.6), (1.0, 0.25), (0.5, 0.5)])
def test_probability_of_necessity_and_sufficiency(y1, y0):
    """Tian & Pearl (2000) for a cause without confounders, with y1 = P(y | x), y0 = P(y | no x)."""
    cause = Variable("x", ("no", "yes"), (), True, torch.tensor([0.6, 0.4], dtype=torch.float64))
    cpt = torch.tensor([[1 - y0, y0], [1 - y1, y1]], dtype=torch.float64)
    world = World([cause, Variable("y", ("no", "yes"), ("x",), True, cpt)])
    necessity = bounds(world, {"y": "no"}, {"x": "yes", "y": "yes"}, {"x": "no"})
    assert necessity.low == pytest.approx(max(0, 1 - y0 / y1))
    assert necessity.high == pytest.approx(min(1, (1 - y0) / y1))
    if y1 < 1:
        sufficiency = bounds(world, {"y": "yes"}, {"x": "no", "y": "no"}, {"x": "yes"})
        assert sufficiency.low == pytest.approx(max(0, 1 - (1 - y1) / (1 - y0)))
        assert sufficiency.high == pytest.approx(min(1, y1 / (1 - y0)))


@settings(max_examples=120, deadline=None)
@given(questions(zeros=0.2), st.integers(0, 2**32 - 1), st.data())
def test_every_structural_model_lies_within(question, seed, data):
    world, seen, do, target = question
    values = world.variables[target].values
    event = data.draw(st.lists(st.sampled_from(values), min_size=1, unique=True))
    found = bounds(world, {target: event}, seen, do)
    codes = [values.index(value) for value in event]
    random = np.random.default_rng(seed)
    models = [listed(world), *(shuffled(world, random) for _ in range(6))]
    truths = [
        answer(world, orders, seen, do, lambda would: np.isin(would[target], codes))
        for orders in models
    ]
    truths.append(probability_had(world, target, seen, do)[codes].sum().item())
    assert 0 <= found.low <= found.high <= 1
    assert found.low - 1e-9 <= min(truths) and max(truths) <= found.high + 1e-9


def _models(world, route):
    rows = [world.variables[name].cpt.numpy() for name in route]
    return np.prod([factorial(r.shape[-1]) ** (r.size // r.shape[-1]) for r in rows])


@settings(max_examples=60, deadline=None)
@given(questions(most=3, zeros=0.15), st.data())
def test_sharp_bounds_are_reached(question, data):
    world, seen, do, target = question
    value = data.draw(st.sampled_from(world.variables[target].values))
    found, route = bounds(world, {target: value}, seen, do), affected(world, do, [target])
    assume(found.sharp and _models(world, route) <= 1500)
    code = world.variables[target].values.index(value)
    truths = [
        answer(world, orders, seen, do, lambda would: would[target] == code)
        for orders in all_orders(world, route)
    ]
    assert found.low == pytest.approx(min(truths), abs=1e-9)
    assert found.high == pytest.approx(max(truths), abs=1e-9)


def small_world(random, **heads):
    """A random world from name=(size, parents)."""
    size = {name: k for name, (k, _) in heads.items()}
    return World(
        Variable(name, tuple("xyz"[:k]), tuple(parents), True,
                 torch.from_numpy(random.dirichlet([1] * k, [size[p] for p in parents])))
        for name, (k, parents) in heads.items()
    )  # fmt: skip


def reached(world, route, seen):
    """The least and the greatest P(last of the route is x, had a been y | seen) of all orders."""
    truths = [
        answer(world, orders, seen, {"a": "y"}, lambda would: would[route[-1]] == 0)
        for orders in all_orders(world, route)
    ]
    return min(truths), max(truths)


@pytest.mark.parametrize("seed,parents", [(0, "b"), (1, "b"), (2, "ab"), (3, "ab")])
def test_a_chain_that_was_seen_is_sharp(seed, parents):
    """a → b → c, with or without a → c; had a been otherwise. c itself may be unseen."""
    world = small_world(np.random.default_rng(seed), a=(2, ""), b=(3, "a"), c=(2, parents))
    for seen in ({"a": "x", "b": "y", "c": "x"}, {"a": "x", "b": "z"}):
        found = bounds(world, {"c": "x"}, seen, {"a": "y"})
        assert found.sharp and found[:2] == pytest.approx(reached(world, ["b", "c"], seen))


def test_what_only_one_mechanism_needs_is_summed_out_before_the_next():
    """a → b → c ← e and a → c, e unseen: b's coupling can't know e. Not claimed sharp, but is."""
    for seed in range(4):
        world = small_world(
            np.random.default_rng(seed), a=(2, ""), b=(2, "a"), e=(2, ""), c=(2, "abe")
        )
        seen = {"a": "x", "b": "x", "c": "x"}
        found = bounds(world, {"c": "x"}, seen, {"a": "y"})
        assert not found.sharp and found[:2] == pytest.approx(reached(world, ["b", "c"], seen))


def test_where_sharpness_is_not_claimed_it_may_fail():
    """a → b, a → c, b → d ← c, all seen: the bound lets c's coupling know how b came out."""
    gaps = []
    for seed in range(12):
        world = small_world(
            np.random.default_rng(seed), a=(2, ""), b=(2, "a"), c=(2, "a"), d=(2, "bc")
        )
        seen = dict.fromkeys("abcd", "x")
        low, high, sharp = bounds(world, {"d": "x"}, seen, {"a": "y"})
        least, most = reached(world, ["b", "c", "d"], seen)
        assert not sharp and low < least + 1e-9 and most < high + 1e-9
        gaps.append(high - low - (most - least))
    assert max(gaps) > 0.01
    world = small_world(np.random.default_rng(0), a=(2, ""), b=(2, "a"), c=(2, "b"))
    assert not bounds(world, {"c": "x"}, {"a": "x", "c": "x"}, {"a": "y"}).sharp  # b is unseen


@pytest.mark.parametrize("seed", range(20))
def test_without_evidence_they_close_on_the_intervention(seed):
    world = random_world(np.random.default_rng(seed), [2, 3, 2, 3])
    do = {"a": "a1"}
    for target in ("b", "c", "d"):
        exact = probability(world, target, do=do)
        for code, p in enumerate(exact.tolist()):
            low, high, _ = bounds(world, {target: code}, None, do)
            assert low == pytest.approx(p) and high == pytest.approx(p)


def test_what_is_not_affected_is_known(duel):
    event, seen = {"actor_strength": "high"}, {"reaction": "die"}
    exact = probability(duel, "actor_strength", seen)[1].item()
    assert bounds(duel, event, seen, ATTACK) == Bounds(pytest.approx(exact), exact, True)
    assert bounds(duel, event, {"actor_strength": "high"}, ATTACK) == (1, 1, True)
    assert bounds(duel, event, {"actor_strength": "low"}) == (0, 0, True)
    assert bounds(duel, {"reaction": "hurt"}, HURT, {"action": "taunt"}) == Bounds(
        pytest.approx(1), pytest.approx(1), True
    )


@pytest.mark.parametrize("name", ["duel", "arena"])
def test_on_the_course_s_worlds(name):
    """Partial evidence: only what the picture shows, of one scene; each coupling within."""
    world = World.load(name)
    seen = {"actor_character": "satyr", "actor_type": "type1", "reactor_character": "golem"}
    seen |= {"reactor_type": "type2", "action": "taunt", "reaction": "hurt"}
    for do in (ATTACK, {"actor_strength": "high"}, {"reactor_type": "type1", "action": "attack"}):
        exact = [probability_had(world, "reaction", seen, do, c) for c in COUPLINGS]
        for code in range(4):
            low, high, _ = bounds(world, {"reaction": code}, seen, do)
            assert all(low - 1e-9 <= p[code] <= high + 1e-9 for p in exact)
            assert high - low < 1


@pytest.mark.parametrize(
    "event,seen,do,message",
    [
        ({}, {}, ATTACK, "an event is one variable with its value or values, found {}"),
        ("reaction", {}, ATTACK, "an event is one variable .* found 'reaction'"),
        ({"reaction": "die", "action": "walk"}, {}, ATTACK, "an event is one variable"),
        ({"reaction": []}, {}, ATTACK, "the event names no value of reaction"),
        ({"reaction": "flee"}, {}, ATTACK, "unknown value 'flee' of reaction; there are: die"),
        ({"mood": "bad"}, {}, ATTACK, "unknown variable 'mood'; there are"),
        ({"action": "walk"}, {}, ATTACK, "the target action is set by do"),
        ({"reaction": "die"}, {"action": "fly"}, ATTACK, "unknown value 'fly' of action"),
        ({"reaction": "die"}, {}, {"deed": "attack"}, "unknown variable 'deed'"),
    ],
)
def test_bad_questions(duel, event, seen, do, message):
    with pytest.raises(WorldError, match=message):
        bounds(duel, event, seen, do)


def test_impossible_evidence():
    world = World.load("arena")
    noon = {"time": "night", "sky": "day"}
    facts = {name: v.values[0] for name, v in world.variables.items()} | noon
    for seen in (noon, facts):
        for event in ({"reaction": "die"}, {"actor_strength": "low"}):
            with pytest.raises(WorldError, match="impossible evidence"):
                bounds(world, event, seen, ATTACK)


def test_too_many_combinations_are_refused_before_memory_is_touched():
    names = [f"v{i}" for i in range(30)]
    half = torch.full((2,), 0.5, dtype=torch.float64)
    variables = [Variable(names[0], ("no", "yes"), (), True, half)]
    variables += [
        Variable(name, ("no", "yes"), (before,), True, half.expand(2, 2))
        for before, name in pairwise(names)
    ]
    with pytest.raises(WorldError, match="bounds on v29 need .* combinations"):
        bounds(World(variables), {"v29": "yes"}, {"v0": "no"}, {"v0": "yes"})
