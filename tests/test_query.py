"""Exact answers against brute force, samples against exact answers, and graphs against paths.

The oracles here are written from the definitions and share no code with the package: the full
joint table, the paths of the graph one by one, the adjustment formulas.
"""

from __future__ import annotations

import itertools
import math
import pickle
import random

import numpy as np
import opt_einsum
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cimg import contract, query
from cimg.eliminate import posterior_network
from cimg.query import (
    backdoor_sets,
    d_separated,
    estimate,
    frontdoor_sets,
    is_adjustable,
    log_evidence,
    probability,
    sample_posterior,
)
from cimg.world import Variable, World, WorldError


@pytest.fixture(scope="module")
def duel() -> World:
    return World.load("duel")


# Random worlds and questions


@st.composite
def worlds(draw, most: int = 8, zeros: bool = True) -> World:
    """1 to `most` variables of 1 to 4 values, up to 4 parents each, listed in any order."""
    count = draw(st.integers(1, most))
    sizes = draw(st.lists(st.integers(1, 4), min_size=count, max_size=count))
    numbers = np.random.default_rng(draw(st.integers(0, 2**32)))
    variables = []
    for i in range(count):
        parents = draw(st.lists(st.integers(0, i - 1), max_size=4, unique=True)) if i else []
        shape = [sizes[p] for p in parents] + [sizes[i]]
        table = numbers.gamma(0.7, size=shape) + 1e-6
        if zeros and draw(st.booleans()):
            table[numbers.random(shape) < 0.4] = 0
            table[..., 0] += table.sum(-1) == 0
        table /= table.sum(-1, keepdims=True)
        values = tuple(f"x{k}" for k in range(sizes[i]))
        names = tuple(f"v{p}" for p in parents)
        variables.append(Variable(f"v{i}", values, names, draw(st.booleans()), table))
    return World(draw(st.permutations(variables)), "random")


@st.composite
def questions(draw, most: int = 8) -> tuple:
    """A world, 1 to 3 targets, and codes of what is given and set, all different variables."""
    world = draw(worlds(most))
    names = draw(st.permutations(list(world.variables)))
    first = draw(st.integers(1, min(3, len(names))))
    second = draw(st.integers(first, len(names)))
    third = draw(st.integers(second, len(names)))

    def codes(some):
        return {a: draw(st.integers(0, len(world.variables[a].values) - 1)) for a in some}

    return world, names[:first], codes(names[first:second]), codes(names[second:third])


def joint_table(world: World, do: dict[str, int]) -> np.ndarray:
    """P(everything; do) as one array with an axis for each variable, in the world's order."""
    names = list(world.variables)
    joint = np.ones([len(v.values) for v in world.variables.values()])
    for v in world.variables.values():
        for index in itertools.product(*(range(len(world.variables[p].values)) for p in v.parents)):
            row = np.eye(len(v.values))[do[v.name]] if v.name in do else v.cpt.numpy()[index]
            place = [slice(None)] * len(names)
            for parent, code in zip(v.parents, index, strict=True):
                place[names.index(parent)] = slice(code, code + 1)
            row = row.reshape([-1 if name == v.name else 1 for name in names])
            joint[tuple(place)] *= row
    return joint


def cut(world: World, joint: np.ndarray, codes: dict[str, int]) -> np.ndarray:
    """The joint with everything that contradicts `codes` put to 0; the axes stay."""
    kept = np.zeros_like(joint)
    place = tuple(slice(codes[a], codes[a] + 1) if a in codes else slice(None) for a in _in(world))
    kept[place] = joint[place]
    return kept


def _in(world: World) -> list[str]:
    return list(world.variables)


def margin(world: World, joint: np.ndarray, names: list[str]) -> np.ndarray:
    """The sum over all axes but `names`, in their order."""
    order = _in(world)
    rest = tuple(i for i, name in enumerate(order) if name not in names)
    left = [name for name in order if name in names]
    return joint.sum(rest).transpose([left.index(name) for name in names])


# Exactness


@settings(max_examples=400)
@given(questions())
def test_answers_are_those_of_brute_force(case):
    world, targets, seen, do = case
    joint = cut(world, joint_table(world, do), seen)
    total = joint.sum()
    if total == 0:
        assert log_evidence(world, seen, do) == -math.inf
        with pytest.raises(WorldError, match=r"impossible evidence: .* has probability 0"):
            probability(world, targets, seen, do)
        with pytest.raises(WorldError, match=r"impossible evidence"):
            sample_posterior(world, 1, seen, do)
        return
    assert log_evidence(world, seen, do) == pytest.approx(math.log(total), abs=1e-9)
    exact = margin(world, joint, targets) / total
    for _ in range(2):  # planned, then from the plan that was kept
        answer = probability(world, targets, seen, do)
        assert answer.dtype == torch.float64 and answer.shape == exact.shape
        assert np.abs(answer.numpy() - exact).max() <= 1e-9
        assert abs(float(answer.sum()) - 1) <= 1e-12


@settings(max_examples=300)
@given(questions())
def test_the_posterior_network_is_the_joint_posterior(case):
    """Its tables multiplied out, against brute force: every row of every table counts."""
    world, _, seen, do = case
    joint = cut(world, joint_table(world, do), seen)
    assume(joint.sum() > 0)
    network = posterior_network(world, seen, do)
    place = {v.name: i for i, v in enumerate(network)}
    assert sorted(place) == sorted(world.variables)
    for v in network:
        assert v.name in seen or v.name in do or all(place[p] < place[v.name] for p in v.parents)
    fixed = {**seen, **do}
    product = np.ones([1] * len(place))
    for v in network:
        axes = [*v.parents, v.name]
        table = v.cpt.numpy()
        if v.name in fixed:
            axes, table = [v.name], np.eye(len(v.values))[fixed[v.name]]
        order = [axes.index(name) for name in _in(world) if name in axes]
        shape = [len(world.variables[a].values) if a in axes else 1 for a in _in(world)]
        product = product * table.transpose(order).reshape(shape)
    assert np.abs(product - joint / joint.sum()).max() <= 1e-9


@settings(max_examples=40)
@given(questions(5), st.integers(0, 1000))
def test_posterior_samples_have_the_posteriors_frequencies(case, seed):
    world, targets, seen, do = case
    joint = cut(world, joint_table(world, do), seen)
    assume(joint.sum() > 0)
    n = 20_000
    rows = sample_posterior(world, n, seen, do, seed)
    assert list(rows) == _in(world)
    world.check(rows)
    for name, code in {**seen, **do}.items():
        assert (rows[name] == code).all()
    cells = np.zeros(joint.shape)
    np.add.at(cells, tuple(rows[name].numpy() for name in rows), 1)
    assert (cells[joint == 0] == 0).all()
    exact, found = (margin(world, x, targets) / x.sum() for x in (joint, cells))
    # A total variation this far from 0 comes up less than once in 10^9 (Weissman et al. 2003).
    assert np.abs(exact - found).sum() / 2 <= math.sqrt((exact.size + 31) / (2 * n))


@settings(max_examples=40)
@given(questions(5), st.integers(0, 1000))
def test_estimates_lie_within_their_standard_errors(case, seed):
    world, targets, seen, do = case
    joint = cut(world, joint_table(world, do), seen)
    assume(joint.sum() > 1e-3)
    exact = margin(world, joint, targets) / joint.sum()
    found = estimate(world, targets, seen, do, n=20_000, seed=seed)
    assume(found.effective_size > 50)
    assert found.probability.shape == exact.shape == found.standard_error.shape
    assert float(found.probability.sum()) == pytest.approx(1)
    error = np.abs(found.probability.numpy() - exact)
    assert (error <= 6 * found.standard_error.numpy() + 10 / found.effective_size).all()


# Laws


@settings(max_examples=100)
@given(worlds(6, zeros=False), st.data())
def test_doing_to_a_root_is_seeing_it(world, data):
    """And to anything else the backdoor set of its parents makes up for the difference."""
    assume(len(world.variables) > 1)
    root, *rest = world.variables
    assume(len(world.variables[root].values) > 1)
    target = data.draw(st.sampled_from(rest))
    codes = {root: data.draw(st.integers(0, len(world.variables[root].values) - 1))}
    seeing, doing = probability(world, target, codes), probability(world, target, do=codes)
    assert (seeing - doing).abs().max() <= 1e-9


@settings(max_examples=100)
@given(questions(6))
def test_the_law_of_total_probability(case):
    world, targets, seen, do = case
    assume(seen)
    name, _ = seen.popitem()
    assume(log_evidence(world, seen, do) > -50)
    mixed = 0
    for code in range(len(world.variables[name].values)):
        weight = float(probability(world, name, seen, do)[code])
        if weight > 0:
            mixed = mixed + weight * probability(world, targets, {**seen, name: code}, do)
    assert (mixed - probability(world, targets, seen, do)).abs().max() <= 1e-9


def test_in_the_duel_seeing_the_action_is_doing_it_downstream_but_not_upstream(duel):
    attack = {"action": "attack"}
    seeing, doing = probability(duel, "reaction", attack), probability(duel, "reaction", do=attack)
    assert (seeing - doing).abs().max() <= 1e-12
    seeing = probability(duel, "actor_strength", attack)
    doing = probability(duel, "actor_strength", do=attack)
    assert (doing - probability(duel, "actor_strength")).abs().max() <= 1e-12
    assert (seeing - doing).abs().max() > 0.03


def test_a_value_given_where_it_is_also_set_says_nothing_more(duel):
    attack = {"action": "attack"}
    both = probability(duel, "actor_strength", given=attack, do=attack)
    assert torch.equal(both, probability(duel, "actor_strength", do=attack))
    assert log_evidence(duel, attack, attack) == 0.0


def test_evidence_is_seen_after_the_intervention():
    """Rain wets the lawn, and so does the sprinkler: turned on by hand, it explains the wet away
    however it would have been set, and says nothing about the clouds."""
    half = [0.5, 0.5]
    world = World(
        [
            Variable("cloud", ("no", "yes"), (), False, half),
            Variable("sprinkler", ("off", "on"), ("cloud",), False, [[0.5, 0.5], [0.9, 0.1]]),
            Variable("rain", ("no", "yes"), ("cloud",), False, [[0.8, 0.2], [0.2, 0.8]]),
            Variable(
                "lawn",
                ("dry", "wet"),
                ("sprinkler", "rain"),
                True,
                [[[1, 0], [0.1, 0.9]], [[0.1, 0.9], [0.01, 0.99]]],
            ),
        ],
        "lawn",
    )
    wet = {"lawn": "wet"}
    # P(rain) = 0.5; after do(on): 0.5 * 0.99 / (0.5 * 0.99 + 0.5 * 0.9)
    done = probability(world, "rain", given=wet, do={"sprinkler": "on"})
    assert float(done[1]) == pytest.approx(0.99 / 1.89, abs=1e-12)
    # P(rain | on) = (0.25 * 0.2 + 0.05 * 0.8) / 0.3 = 0.3
    seen = probability(world, "rain", given={**wet, "sprinkler": "on"})
    assert float(seen[1]) == pytest.approx(0.3 * 0.99 / (0.3 * 0.99 + 0.7 * 0.9), abs=1e-12)


def test_with_no_evidence_a_posterior_sample_is_a_sample(duel):
    drawn, done = sample_posterior(duel, 100, seed=4), duel.sample(100, seed=4)
    assert all(torch.equal(drawn[name], done[name]) for name in duel.variables)
    again = sample_posterior(duel, 50, {"reaction": "die"}, seed=4)
    longer = sample_posterior(duel, 99, {"reaction": "die"}, seed=4)
    assert all(torch.equal(again[name], longer[name][:50]) for name in duel.variables)


def test_very_much_evidence_does_not_underflow():
    """2,000 rare events, each of probability 1e-3 or 2e-3: far below the smallest float64."""
    count = 2000
    table = [[0.999, 0.001], [0.998, 0.002]]
    variables = [Variable("cause", ("a", "b"), (), False, [0.5, 0.5])]
    for i in range(count):
        variables.append(Variable(f"e{i}", ("no", "yes"), ("cause",), False, table))
    world = World(variables, "chain")
    seen = {f"e{i}": "yes" for i in range(count)}
    expected = math.log(0.5) + count * math.log(0.002)
    assert log_evidence(world, seen) == pytest.approx(expected, abs=1e-6)
    assert probability(world, "cause", seen).tolist() == pytest.approx([0, 1], abs=1e-12)
    seen = {f"e{i}": "yes" if i < 200 else "no" for i in range(count)}
    odds = 200 * math.log(2) + 1800 * math.log(0.998 / 0.999)
    assert float(probability(world, "cause", seen)[1]) == pytest.approx(
        1 / (1 + math.exp(-odds)), abs=1e-9
    )
    assert (sample_posterior(world, 100, seen)["cause"] == 1).all()


def test_plans_are_kept_few_and_travel_with_the_world(duel):
    world = World.load("duel")
    answer = probability(world, "reaction", {"actor_type": "type1"})
    assert len(world.plans) == 1
    probability(world, "reaction", {"actor_type": "type2"})
    assert len(world.plans) == 1
    copied = pickle.loads(pickle.dumps(world))
    assert torch.equal(answer, probability(copied, "reaction", {"actor_type": "type1"}))
    for names in itertools.islice(itertools.permutations(world.variables, 3), 300):
        probability(world, names)
    assert len(world.plans) == query.MAX_PLANS
    assert sum(plan.kept for plan in world.plans.values()) <= query.MAX_KEPT


def test_an_answer_is_the_askers_own(duel):
    first = probability(duel, "action")
    first.zero_()
    assert float(probability(duel, "action").sum()) == pytest.approx(1)


# Too dense to contract


@pytest.fixture(scope="module")
def dense() -> World:
    """60 coins and 160 sounds, each of three coins: no order of elimination is cheap."""
    numbers = np.random.default_rng(0)
    coins = [Variable(f"coin{i}", ("h", "t"), (), False, [0.5, 0.5]) for i in range(60)]
    sounds = []
    for i in range(160):
        parents = tuple(f"coin{j}" for j in sorted(numbers.choice(60, 3, replace=False)))
        p = numbers.uniform(0.45, 0.55, (2, 2, 2, 1))
        table = np.concatenate([p, 1 - p], -1)
        sounds.append(Variable(f"sound{i}", ("low", "high"), parents, False, table))
    return World([*coins, *sounds], "dense")


def test_a_dense_world_is_refused_with_the_size_it_would_take(dense, monkeypatch):
    monkeypatch.setattr(np, "einsum", None)  # nothing is to be computed
    monkeypatch.setattr(np, "matmul", None)
    heard = {f"sound{i}": "low" for i in range(160)}
    message = r"too dense .* would have [\d.e+]+ entries \([\d.e+]+ GiB\); at most 33,554,432"
    with pytest.raises(WorldError, match=message):
        probability(dense, "coin0", heard)
    with pytest.raises(WorldError, match=r"too dense .*the table of coin\d+ in the posterior"):
        posterior_network(dense, {f"sound{i}": 0 for i in range(160)}, {})
    with pytest.raises(WorldError, match=r"the answer over coin0, coin1.* entries"):
        probability(dense, [f"coin{i}" for i in range(30)])
    with pytest.raises(WorldError, match=r"the answer would have 1.07e\+09 entries"):
        estimate(dense, [f"coin{i}" for i in range(30)])


def test_sampling_still_answers_there(dense):
    heard = {f"sound{i}": "low" for i in range(160)}
    found = estimate(dense, "coin0", heard, n=50_000)
    assert 100 < found.effective_size < 50_000
    other = estimate(dense, "coin0", heard, n=50_000, seed=1)
    spread = (found.standard_error**2 + other.standard_error**2).sqrt()
    assert ((found.probability - other.probability).abs() <= 5 * spread).all()
    # Nothing was heard from the others: this part of the same world can be answered exactly.
    near = {f"sound{i}": "low" for i in range(20)}
    found, exact = estimate(dense, "coin0", near), probability(dense, "coin0", near)
    assert ((found.probability - exact).abs() <= 5 * found.standard_error).all()


def test_a_search_finds_an_order_where_the_quick_one_does_not(monkeypatch):
    """Both are given less and less room; the quick one alone gives up first."""
    numbers = np.random.default_rng(3)
    coins = [Variable(f"c{i}", ("h", "t"), (), False, [0.5, 0.5]) for i in range(14)]
    sounds = []
    for i in range(30):
        parents = tuple(f"c{j}" for j in sorted(numbers.choice(14, 3, replace=False)))
        p = numbers.uniform(0.2, 0.8, (2, 2, 2, 1))
        sounds.append(Variable(f"s{i}", ("l", "h"), parents, False, np.concatenate([p, 1 - p], -1)))
    world = World([*coins, *sounds], "medium")
    heard = {f"s{i}": "l" for i in range(30)}
    exact = probability(world, "c0", heard)
    state = random.getstate()

    def least() -> int:
        for power in range(5, 12):
            monkeypatch.setattr(contract, "MAX_ENTRIES", 2**power)
            world.plans.clear()
            try:
                assert (probability(world, "c0", heard) - exact).abs().max() < 1e-12
                return power
            except WorldError as error:
                assert "too dense" in str(error)
        raise AssertionError("no room is enough")

    both = least()
    assert random.getstate() == state  # the search has put back what it seeds
    monkeypatch.setattr(contract, "_search", opt_einsum.paths.greedy)
    assert both < least()


# Bad questions


@pytest.mark.parametrize(
    ("targets", "seen", "do", "message"),
    [
        ((), {}, {}, r"an empty question: name at least one target"),
        ("acton", {}, {}, r"unknown variable 'acton'; there are: actor_character"),
        (["action", 3], {}, {}, r"unknown variable 3; there are"),
        ("action", {"reacton": "die"}, {}, r"unknown variable 'reacton'; there are"),
        ("action", {"reaction": "dye"}, {}, r"unknown value 'dye' of reaction; there are: die, hu"),
        ("action", {}, {"reaction": "dye"}, r"unknown value 'dye' of reaction"),
        ("action", ["reaction"], {}, r"expected a dict of variables and values, found list"),
        (
            "reaction",
            {"action": "walk"},
            {"action": "attack"},
            r"action is given as walk but set to attack by do",
        ),
        ("action", {}, {"action": "walk"}, r"the target action is set by do"),
        ("action", {"action": "walk"}, {}, r"the target action is given"),
        (["action", "action"], {}, {}, r"a target is named twice: action, action"),
    ],
)
def test_bad_questions(duel, targets, seen, do, message):
    with pytest.raises(WorldError, match=message):
        probability(duel, targets, seen, do)
    with pytest.raises(WorldError, match=message):
        estimate(duel, targets, seen, do, n=10)


def test_bad_evidence_and_sizes_elsewhere(duel):
    with pytest.raises(WorldError, match="action is given as walk but set to attack"):
        log_evidence(duel, {"action": "walk"}, {"action": "attack"})
    with pytest.raises(WorldError, match="action is given as walk but set to attack"):
        sample_posterior(duel, 1, {"action": "walk"}, {"action": "attack"})
    with pytest.raises(WorldError, match="n must be a whole number from 0 up, found int -1"):
        sample_posterior(duel, -1)
    with pytest.raises(WorldError, match="seed must be a whole number"):
        sample_posterior(duel, 1, seed=0.5)
    with pytest.raises(WorldError, match="n must be a whole number from 1 up"):
        estimate(duel, "action", n=0)


def test_impossible_evidence_is_named_even_where_it_bears_on_nothing():
    """`never` is cut off from the target: leaving it out would hide that it can't be."""
    world = World(
        [
            Variable("coin", ("h", "t"), (), False, [0.5, 0.5]),
            Variable("other", ("never", "always"), (), False, [0.0, 1.0]),
        ],
        "two",
    )
    message = r"impossible evidence: other=never has probability 0 after do coin=h"
    with pytest.raises(WorldError, match=message):
        sample_posterior(world, 1, {"other": "never"}, {"coin": "h"})
    with pytest.raises(WorldError, match=r"impossible evidence: other=never has probability 0$"):
        probability(world, "coin", {"other": "never"})
    with pytest.raises(WorldError, match=r"none of 100 draws agrees with the evidence"):
        estimate(world, "coin", {"other": "never"}, n=100)
    assert probability(world, "coin", do={"other": "never"}).tolist() == [0.5, 0.5]


# Graphs, against the definition by paths


def paths(edges: set, start: str, end: str, walked: tuple = ()) -> list[tuple]:
    """All paths without a repeated node, along the arrows or against them."""
    walked = (*walked, start)
    if start == end:
        return [walked]
    near = {b for a, b in edges if a == start} | {a for a, b in edges if b == start}
    return [p for name in near - set(walked) for p in paths(edges, name, end, walked)]


def below(edges: set, start: str) -> set:
    return {start}.union(*(below(edges, b) for a, b in edges if a == start))


def blocked(edges: set, path: tuple, known: set) -> bool:
    for left, middle, right in zip(path, path[1:], path[2:], strict=False):
        collides = (left, middle) in edges and (right, middle) in edges
        if collides and not below(edges, middle) & known:
            return True
        if not collides and middle in known:
            return True
    return False


def arrows(world: World) -> set:
    return {(p, v.name) for v in world.variables.values() for p in v.parents}


def subsets(names) -> list[set]:
    names = sorted(names)
    return [set(c) for k in range(len(names) + 1) for c in itertools.combinations(names, k)]


def minimal(found: list[set]) -> set[frozenset]:
    return {frozenset(x) for x in found if not any(y < x for y in found)}


@settings(max_examples=150)
@given(worlds(6, zeros=False), st.data())
def test_d_separation_is_that_of_the_paths_and_holds_in_the_tables(world, data):
    assume(len(world.variables) > 1)
    one, other, *rest = data.draw(st.permutations(list(world.variables)))
    known = data.draw(st.sets(st.sampled_from(rest))) if rest else set()
    done = data.draw(st.sets(st.sampled_from(list(world.variables)), max_size=2))
    edges = {(a, b) for a, b in arrows(world) if b not in done}
    expected = all(blocked(edges, path, known) for path in paths(edges, one, other))
    assert d_separated(world, one, other, known, done) == expected
    assert d_separated(world, [other], [one], known, done) == expected
    if expected and not done:
        names = [one, other, *sorted(known)]
        joint = margin(world, joint_table(world, {}), names)
        first, second = joint.sum(1, keepdims=True), joint.sum(0, keepdims=True)
        assert np.abs(joint * joint.sum((0, 1)) - first * second).max() < 1e-12


def is_backdoor(world: World, cause: str, effect: str, names: set) -> bool:
    edges = arrows(world)
    into = [p for p in paths(edges, cause, effect) if (p[1], cause) in edges]
    return not names & below(edges, cause) and all(blocked(edges, p, names) for p in into)


def is_frontdoor(world: World, cause: str, effect: str, names: set) -> bool:
    edges = arrows(world)
    directed = [
        p
        for p in paths(edges, cause, effect)
        if all(pair in edges for pair in itertools.pairwise(p))
    ]
    if not all(set(p) & names for p in directed):
        return False
    for name in names:
        if any(
            (p[1], cause) in edges and not blocked(edges, p, set())
            for p in paths(edges, cause, name)
        ):
            return False
        # A back-door path from the set is one whose first arrow comes in, and that doesn't
        # leave the set again along an arrow out of another member.
        kept = {(a, b) for a, b in edges if a not in names}
        if any(not blocked(kept, p, {cause}) for p in paths(kept, name, effect)):
            return False
    return True


@settings(max_examples=200)
@given(worlds(7, zeros=False), st.data())
def test_adjustment_sets_are_all_the_minimal_ones_and_they_adjust(world, data):
    assume(len(world.variables) > 1)
    cause, effect, *rest = data.draw(st.permutations(list(world.variables)))
    allowed = set(rest) & set(world.visible)
    found = backdoor_sets(world, cause, effect)
    good = [x for x in subsets(allowed) if is_backdoor(world, cause, effect, x)]
    assert set(found) == minimal(good) and len(found) == len(set(found))
    assert found == sorted(found, key=lambda x: (len(x), sorted(x)))
    assert set(backdoor_sets(world, cause, effect, rest)) == minimal(
        [x for x in subsets(rest) if is_backdoor(world, cause, effect, x)]
    )
    descends = effect in below(arrows(world), cause)
    assert is_adjustable(world, cause, effect) == (bool(good) or not descends)
    for names in found[:3]:
        for code in range(len(world.variables[cause].values)):
            adjusted = 0
            sizes = [range(len(world.variables[a].values)) for a in names]
            for codes in itertools.product(*sizes):
                z = dict(zip(names, codes, strict=True))
                weight = math.exp(log_evidence(world, z))
                adjusted = adjusted + weight * probability(world, effect, {**z, cause: code})
            exact = probability(world, effect, do={cause: code})
            assert (adjusted - exact).abs().max() <= 1e-9


@settings(max_examples=200)
@given(worlds(7, zeros=False), st.data())
def test_front_door_sets_are_all_the_minimal_ones(world, data):
    assume(len(world.variables) > 2)
    cause, effect, *rest = data.draw(st.permutations(list(world.variables)))
    on_the_way = [
        name
        for name in rest
        if name in below(arrows(world), cause) and effect in below(arrows(world), name)
    ]
    good = [x for x in subsets(on_the_way) if is_frontdoor(world, cause, effect, x)]
    assert set(frontdoor_sets(world, cause, effect, rest)) == minimal(good)


def test_the_front_door_formula():
    """Smoking, tar, cancer and a hidden cause of two of them: Pearl's example."""
    world = World(
        [
            Variable("gene", ("no", "yes"), (), False, [0.6, 0.4]),
            Variable("smoking", ("no", "yes"), ("gene",), True, [[0.8, 0.2], [0.3, 0.7]]),
            Variable("tar", ("no", "yes"), ("smoking",), True, [[0.9, 0.1], [0.15, 0.85]]),
            Variable(
                "cancer",
                ("no", "yes"),
                ("tar", "gene"),
                True,
                [[[0.95, 0.05], [0.7, 0.3]], [[0.8, 0.2], [0.4, 0.6]]],
            ),
        ],
        "smoking",
    )
    assert backdoor_sets(world, "smoking", "cancer") == []
    assert not is_adjustable(world, "smoking", "cancer")
    assert backdoor_sets(world, "smoking", "cancer", ["gene"]) == [frozenset({"gene"})]
    assert is_adjustable(world, "smoking", "cancer", world.variables)
    assert frontdoor_sets(world, "smoking", "cancer") == [frozenset({"tar"})]
    assert frontdoor_sets(world, "gene", "cancer") == []
    assert frontdoor_sets(world, "cancer", "gene") == [frozenset()]
    smoking, tar = (probability(world, ("tar", "smoking")).sum(k) for k in (0, 1))
    assert float(tar.sum()) == pytest.approx(1)
    for x in range(2):
        answer = 0
        for t in range(2):
            inner = sum(
                smoking[s] * probability(world, "cancer", {"tar": t, "smoking": s})
                for s in range(2)
            )
            answer = answer + probability(world, "tar", {"smoking": x})[t] * inner
        exact = probability(world, "cancer", do={"smoking": x})
        assert (answer - exact).abs().max() <= 1e-12
        assert (probability(world, "cancer", {"smoking": x}) - exact).abs().max() > 0.02


def test_the_duels_graph(duel):
    assert d_separated(duel, "actor_type", "reactor_type")
    assert not d_separated(duel, "actor_type", "reactor_type", "reaction")
    assert d_separated(duel, "actor_type", "reactor_type", "reaction", do="action")
    assert backdoor_sets(duel, "action", "reaction") == [frozenset()]
    types = frozenset({"actor_character", "actor_type"})
    assert backdoor_sets(duel, "actor_strength", "action") == [types]
    everything = backdoor_sets(duel, "actor_strength", "action", duel.variables)
    assert everything == [frozenset({"actor_attack", "actor_defense"}), types]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda w: d_separated(w, "action", []), "an empty question: name at least one variable"),
        (lambda w: d_separated(w, "acton", "reaction"), "unknown variable 'acton'; there are"),
        (lambda w: d_separated(w, "action", "action"), "action stands in two of the sets"),
        (lambda w: d_separated(w, "action", "reaction", "action"), "action stands in two"),
        (lambda w: d_separated(w, "action", "reaction", do="x"), "unknown variable 'x'"),
        (lambda w: backdoor_sets(w, "action", "action"), "cause and effect are the same variable"),
        (lambda w: backdoor_sets(w, "action", "x"), "unknown variable 'x'"),
        (lambda w: is_adjustable(w, "action", "reaction", ["x"]), "unknown variable 'x'"),
        (lambda w: frontdoor_sets(w, "x", "reaction"), "unknown variable 'x'"),
    ],
)
def test_bad_questions_about_the_graph(duel, ask, message):
    with pytest.raises(WorldError, match=message):
        ask(duel)
