"""Couplings: the closed forms, and noise drawn given what was seen."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimg.coupling import COUPLINGS, affected, coupling_of, draw_noise, transition, value_of
from cimg.world import World, WorldError

both = pytest.mark.parametrize("coupling", COUPLINGS)


@st.composite
def rows(draw, size=None, least=0):
    """Two rows of probabilities over the same values; entries may be 0."""
    k = draw(st.integers(2, 6)) if size is None else size
    pair = []
    for _ in range(2):
        weights = draw(st.lists(st.integers(least, 50), min_size=k, max_size=k).filter(any))
        pair.append(np.array(weights) / sum(weights))
    return pair


@both
@settings(max_examples=150, deadline=None)
@given(rows())
def test_the_table_takes_one_row_to_the_other(coupling, pair):
    before, after = pair
    table = transition(before, after, coupling)
    assert (table >= 0).all()
    np.testing.assert_allclose(table.sum(-1), 1, atol=1e-12)
    np.testing.assert_allclose(before @ table, after, atol=1e-12)


@both
@settings(max_examples=100, deadline=None)
@given(rows())
def test_going_back_is_bayes_rule(coupling, pair):
    before, after = pair
    there = before[:, None] * transition(before, after, coupling)
    back = after[:, None] * transition(after, before, coupling)
    np.testing.assert_allclose(there, back.T, atol=1e-12)


@both
@settings(max_examples=100, deadline=None)
@given(rows())
def test_no_change_of_the_row_changes_nothing(coupling, pair):
    row = pair[0]
    table = transition(row, row, coupling)
    np.testing.assert_array_equal(table[row > 0], np.eye(len(row))[row > 0])


@settings(max_examples=100, deadline=None)
@given(rows(size=2))
def test_with_two_values_the_couplings_are_one(pair):
    """Two runners: the difference of their Gumbels is one logistic noise and one threshold."""
    before, after = pair
    one, other = (before[:, None] * transition(before, after, c) for c in COUPLINGS)
    np.testing.assert_allclose(one, other, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(rows(least=1))
def test_gumbel_is_stable(pair):
    """Oberst & Sontag's condition: i never gives way to j unless the change has raised j's odds
    against i."""
    before, after = pair
    table, ratio = transition(before, after, "gumbel"), after / before
    raised = ratio[None, :] > ratio[:, None] * (1 - 1e-12)
    assert (table[~raised] == 0).all()


@settings(max_examples=100, deadline=None)
@given(rows(), st.randoms())
def test_gumbel_knows_no_order(pair, shuffler):
    before, after = pair
    order = list(range(len(before)))
    shuffler.shuffle(order)
    there = before[:, None] * transition(before, after, "gumbel")
    moved = before[order][:, None] * transition(before[order], after[order], "gumbel")
    np.testing.assert_allclose(moved, there[np.ix_(order, order)], atol=1e-12)


def test_monotone_depends_on_the_order():
    before, after = np.array([0.2, 0.6, 0.2]), np.array([0.6, 0.2, 0.2])
    order = [0, 2, 1]
    there = transition(before, after, "monotone")
    moved = transition(before[order], after[order], "monotone")
    assert np.abs(moved - there[np.ix_(order, order)]).max() > 0.1


@pytest.mark.parametrize("seed", range(4))
def test_the_gumbel_table_is_that_of_gumbel_max(seed):
    """Against the definition: argmax of log-probabilities plus the same Gumbel noise."""
    random, n = np.random.default_rng(seed), 400_000
    before, after = random.dirichlet([0.7] * 4, size=2)
    if seed == 3:
        before, after = np.array([0.5, 0.0, 0.3, 0.2]), np.array([0.1, 0.4, 0.0, 0.5])
    noise = random.gumbel(size=(n, 4))
    with np.errstate(divide="ignore"):
        was, would = ((np.log(p) + noise).argmax(-1) for p in (before, after))
    counted = np.zeros((4, 4))
    np.add.at(counted, (was, would), 1 / n)
    exact = before[:, None] * transition(before, after, "gumbel")
    assert np.abs(counted - exact).max() < 5 * np.sqrt(0.25 / n)


def test_the_known_values():
    """The low/low/low reactor, seen hurt by a taunt, had it been attacked."""
    taunt, attack = np.array([0.2, 0.6, 0.1, 0.1]), np.array([0.5, 0.4, 0.05, 0.05])
    gumbel, monotone = (transition(taunt, attack, c)[1] for c in COUPLINGS)
    dies = Fraction(11, 31)
    np.testing.assert_allclose(gumbel, [float(dies), float(1 - dies), 0, 0], atol=1e-15)
    np.testing.assert_allclose(monotone, [0.5, 0.5, 0, 0], atol=1e-15)


@both
def test_many_rows_at_once_and_broadcast(coupling):
    random = np.random.default_rng(0)
    before, after = random.dirichlet([1] * 3, size=(5, 1)), random.dirichlet([1] * 3, size=4)
    table = transition(before, after, coupling)
    assert table.shape == (5, 4, 3, 3)
    one = transition(before[2, 0], after[3], coupling)
    np.testing.assert_allclose(table[2, 3], one, atol=1e-15)


@both
def test_very_small_probabilities(coupling):
    before, after = np.array([1e-12, 1 - 1e-12, 0]), np.array([0.5, 1e-300, 0.5])
    for there in (transition(before, after, coupling), transition(after, before, coupling)):
        assert np.isfinite(there).all() and (there >= 0).all()
        np.testing.assert_allclose(there.sum(-1), 1, atol=1e-12)


@both
@settings(max_examples=60, deadline=None)
@given(rows(), st.integers(0, 2**32 - 1))
def test_noise_gives_back_what_was_seen(coupling, pair, seed):
    random, row = np.random.default_rng(seed), pair[0]
    seen = random.choice(len(row), 2000, p=row)
    p = np.broadcast_to(row, (2000, len(row)))
    noise = draw_noise(p, seen, coupling, random)
    np.testing.assert_array_equal(value_of(p, noise, coupling), seen)


ROWS = [[0.1] * 10, [1 / 3] * 3, [0.7, 0.2, 0.1, 0], [0, 1e-16, 1 - 1e-16], [0.3, 0.7]]


class Loaded:
    """A generator that draws what it is told to."""

    def __init__(self, drawn):
        self.drawn = drawn

    def random(self, n):
        return np.full(n, self.drawn)

    def standard_exponential(self, shape):
        return np.broadcast_to(self.drawn, shape).copy()


@pytest.mark.parametrize("u", [0.0, 0.5, 1 - 2**-53])
def test_uniform_noise_at_the_edges(u):
    """The draws nearest to 0 and 1, in rows whose sums and ends are rounded."""
    for row in ROWS:
        p = np.broadcast_to(row, (len(row), len(row)))
        seen = np.flatnonzero(p[0] > 0)
        noise = draw_noise(p[seen], seen, "monotone", Loaded(u))
        np.testing.assert_array_equal(value_of(p[seen], noise, "monotone"), seen)
        assert value_of(p[:1], np.array([u]), "monotone")[0] in seen


def test_a_race_that_is_a_dead_heat():
    """All others arrive with the winner, as near as floats can tell; it wins all the same."""
    times = np.random.default_rng(0).standard_exponential(2000)
    for row in ROWS:
        p = np.broadcast_to(row, (2000, len(row)))
        for seen in np.flatnonzero(p[0] > 0):
            drawn = np.zeros((2000, len(row)))
            drawn[:, seen] = times
            noise = draw_noise(p, np.full(2000, seen), "gumbel", Loaded(drawn))
            assert (value_of(p, noise, "gumbel") == seen).all()


@both
def test_noise_behind_fresh_values_is_fresh_noise(coupling):
    """Averaged over what is seen, abducted noise has the law that noise has: Exp(1) or uniform,
    and the runners' noises are independent."""
    random, n, row = np.random.default_rng(1), 400_000, np.array([0.1, 0.6, 0.3])
    p = np.broadcast_to(row, (n, 3))
    noise = draw_noise(p, random.choice(3, n, p=row), coupling, random)
    uniform = -np.expm1(-noise) if coupling == "gumbel" else noise[:, None]
    grid = np.linspace(0.05, 0.95, 19)
    for column in uniform.T:
        below = (column[:, None] < grid).mean(0)
        assert np.abs(below - grid).max() < 4 * np.sqrt(0.25 / n)
    assert np.abs(np.corrcoef(uniform.T) - np.eye(uniform.shape[1])).max() < 5 / np.sqrt(n)


@both
def test_the_same_noise_under_another_row_follows_the_table(coupling):
    random, n = np.random.default_rng(2), 300_000
    before, after = np.array([0.2, 0.6, 0.1, 0.1]), np.array([0.5, 0.3, 0, 0.2])
    seen = np.full(n, 1)
    noise = draw_noise(np.broadcast_to(before, (n, 4)), seen, coupling, random)
    would = value_of(np.broadcast_to(after, (n, 4)), noise, coupling)
    exact = transition(before, after, coupling)[1]
    assert np.abs(np.bincount(would, minlength=4) / n - exact).max() < 5 * np.sqrt(0.25 / n)


def test_affected():
    duel = World.load("duel")
    assert affected(duel, ["action"]) == ["reaction"]
    assert affected(duel, ["reaction"]) == []
    assert affected(duel, ["actor_strength"]) == ["action", "reaction"]
    assert affected(duel, ["actor_strength", "action"]) == ["reaction"]
    assert affected(duel, ["actor_type"], ["action"])[-1] == "action"
    assert affected(duel, ["actor_type", "action"], ["actor_attack"]) == ["actor_attack"]
    assert affected(duel, ["actor_strength"], ["reactor_type"]) == []


def test_a_coupling_for_each_variable():
    duel = World.load("duel")
    chosen = coupling_of(duel, {"reaction": "monotone"})
    assert chosen["reaction"] == "monotone" and chosen["action"] == "gumbel"
    with pytest.raises(WorldError, match="unknown coupling 'copula'; there are: gumbel, monotone"):
        coupling_of(duel, "copula")
    with pytest.raises(WorldError, match="unknown coupling 'copula'"):
        coupling_of(duel, {"reaction": "copula"})
    with pytest.raises(WorldError, match="unknown variable 'weather'; there are: actor_character"):
        coupling_of(duel, {"weather": "gumbel"})
