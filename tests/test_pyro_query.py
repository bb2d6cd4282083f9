"""The Pyro ways, each against the exact answer and within the error that it states."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cimg.pyro_query import enumerated, importance, inferred, program_of, rejection
from cimg.query import probability
from cimg.world import Variable, World, WorldError

QUESTIONS = [
    ({}, {}),
    ({"reaction": "die"}, {}),
    ({}, {"action": "attack"}),
    ({"reaction": "hurt", "actor_strength": "low"}, {"reactor_type": "type2"}),
    ({"actor_type": "type1", "reactor_attack": "high"}, {"action": "taunt"}),
]


@pytest.fixture(scope="module")
def duel() -> World:
    return World.load("duel")


@pytest.mark.parametrize(("seen", "do"), QUESTIONS)
def test_enumeration_is_exact(duel, seen, do):
    targets = [name for name in duel.variables if name not in seen and name not in do]
    marginals = enumerated(duel, targets, seen, do)
    assert list(marginals) == targets
    for name, found in marginals.items():
        assert (found - probability(duel, name, seen, do)).abs().max() <= 1e-9


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.integers(2, 5))
def test_enumeration_is_exact_on_random_worlds(seed, count):
    numbers = np.random.default_rng(seed)
    variables: list[Variable] = []
    for i in range(count):
        parents = [v for v in variables if numbers.random() < 0.5]
        size = int(numbers.integers(2, 4))
        table = numbers.dirichlet([1.0] * size, [len(v.values) for v in parents])
        values = tuple(f"x{k}" for k in range(size))
        variables.append(
            Variable(f"v{i}", values, tuple(v.name for v in parents), False, np.array(table))
        )
    world = World(variables, "random")
    seen = {f"v{count - 1}": 0}
    found = enumerated(world, "v0", seen)["v0"]
    assert (found - probability(world, "v0", seen)).abs().max() <= 1e-9


@pytest.mark.parametrize(("seen", "do"), QUESTIONS)
@pytest.mark.parametrize("way", [importance, rejection])
def test_weights_and_rejection_are_right_within_their_error(duel, way, seen, do):
    targets = [a for a in ("actor_character", "action", "reactor_strength") if a not in do]
    found = way(duel, targets, seen, do, n=40_000, seed=3)
    exact = probability(duel, targets, seen, do)
    assert found.probability.shape == exact.shape
    assert ((found.probability - exact).abs() <= 5 * found.standard_error).all()
    assert 0 < found.effective_size <= 40_000.5


def test_weights_use_the_draws_better_than_rejection(duel):
    seen = {"reaction": "die", "actor_strength": "low"}
    sizes = [way(duel, "action", seen, n=20_000).effective_size for way in (importance, rejection)]
    assert sizes[0] > 2 * sizes[1]


@pytest.mark.parametrize(("seen", "do"), QUESTIONS)
def test_infer_discrete_draws_from_the_joint_posterior(duel, seen, do):
    n = 20_000
    rows = inferred(duel, n, seen, do, seed=5)
    assert list(rows) == list(duel.variables)
    duel.check(rows)
    for name, code in duel.encode({**seen, **do}).items():
        assert (rows[name] == code).all()
    targets = [a for a in ("actor_character", "action", "reactor_type") if a not in do]
    cell = torch.zeros(n, dtype=torch.int64)
    for name in targets:
        cell = cell * len(duel.variables[name].values) + rows[name]
    exact = probability(duel, targets, seen, do).reshape(-1)
    share = cell.bincount(minlength=len(exact)) / n
    assert (share - exact).abs().sum() / 2 < 0.03


def test_the_conditioned_program_alone_is_not_the_posterior(duel):
    seen = {"reaction": "die"}
    torch.manual_seed(0)
    rows = program_of(duel, 50_000, duel.encode(seen), {})()
    forward = rows["action"].bincount(minlength=3) / 50_000
    assert (forward - probability(duel, "action")).abs().max() < 0.01
    assert (forward - probability(duel, "action", seen)).abs().max() > 0.1


def test_torchs_random_numbers_are_left_as_they_were(duel):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = inferred(duel, 10, {"reaction": "die"})
    importance(duel, "action", {"reaction": "die"}, n=10)
    assert torch.equal(torch.rand(3), expected)
    again = inferred(duel, 10, {"reaction": "die"}, seed=2**64)  # any whole number is a seed
    assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize("way", [enumerated, importance, rejection])
def test_bad_questions(duel, way):
    with pytest.raises(WorldError, match="an empty question"):
        way(duel, [])
    with pytest.raises(WorldError, match="unknown variable 'acton'; there are"):
        way(duel, "acton")
    with pytest.raises(WorldError, match="the target action is set by do"):
        way(duel, "action", do={"action": "walk"})


def test_impossible_evidence():
    never = Variable("never", ("no", "yes"), (), False, [1.0, 0.0])
    world = World([Variable("a", ("x", "y"), (), False, [0.5, 0.5]), never], "w")
    for way in (importance, rejection):
        with pytest.raises(WorldError, match="none of 100 draws agrees with the evidence"):
            way(world, "a", {"never": "yes"}, n=100)
    with pytest.raises(WorldError, match="impossible evidence: never=yes"):
        enumerated(world, "a", {"never": "yes"})
    with pytest.raises(WorldError, match="impossible evidence: never=yes"):
        inferred(world, 3, {"never": "yes"})
