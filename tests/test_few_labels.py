"""The bound with unknown labels, against Pyro; what is labelled; and the shipped results."""

import math
from dataclasses import replace

import pyro
import pytest
import torch
from pyro.infer import TraceEnum_ELBO

from cimg.few_labels import (
    STYLE,
    Learner,
    Settings,
    reading_loss,
    semi_supervised,
    supervised,
    training_set,
)
from cimg.label_runs import GRID, SEEDS, SHARES, read, summary
from cimg.reader import all_right
from cimg.scene import ROLES
from cimg.study import write_results

TINY = Settings(scenes=60, share=0.5, steps=12, alone=4, batch=4)


@pytest.fixture(scope="module")
def made():
    torch.manual_seed(0)
    learner = Learner()
    with torch.no_grad():  # figures that differ, so that the looks do
        learner.figures += torch.randn_like(learner.figures)
    scenes, looks, _ = training_set(TINY)
    return learner.eval(), scenes[:6], {role: codes[:6] for role, codes in looks.items()}


@pytest.mark.parametrize("knowing", [False, True])
def test_the_sum_by_hand_is_pyros_enumeration(made, knowing):
    learner, scenes, looks = made
    known = looks if knowing else {}
    torch.manual_seed(1)
    z = torch.randn(6, STYLE)
    around, tables = learner.parts(scenes, z, known)
    log_p = around + torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    for role, table in tables.items():
        log_p = log_p + table.logsumexp(1) - math.log(len(learner.looks[role]))
    program = pyro.condition(learner.model, {"z": z})
    if knowing:
        trace = pyro.poutine.trace(program).get_trace(scenes, known)
        found = float(trace.log_prob_sum().detach())
    else:
        found = -TraceEnum_ELBO(max_plate_nesting=1).loss(program, lambda *_: None, scenes, known)
    assert found == pytest.approx(float(log_p.sum().detach()), rel=1e-5)


def test_the_bound_is_pyros_elbo(made):
    """With the same draws of z; the KL is exact by hand, and drawn in Pyro."""
    learner, scenes, _ = made
    torch.manual_seed(2)
    ours = float(learner.elbo(scenes, {})[0].sum().detach())
    elbo = TraceEnum_ELBO(max_plate_nesting=1, num_particles=20)
    pyros = -elbo.loss(learner.model, learner.guide, scenes, {})
    assert ours == pytest.approx(pyros, rel=0.01)


def test_a_known_look_is_its_column_of_the_table(made):
    learner, scenes, looks = made
    z = torch.zeros(6, STYLE)
    _, every = learner.parts(scenes, z, {})
    _, mine = learner.parts(scenes, z, looks)
    for role in ROLES:
        column = every[role].gather(1, looks[role][:, None])
        torch.testing.assert_close(mine[role], column, rtol=1e-5, atol=1e-3)


def test_the_table_is_the_mixture_over_places(made):
    """One half, one look: the four places by hand, pixel by pixel."""
    from cimg.few_labels import TINY as FLOOR
    from cimg.mechanisms import COLOURS, PLACES
    from cimg.scene import FOOT, HALF, TOP

    learner, scenes, _ = made
    behind = learner.background(scenes[:1], torch.zeros(1, STYLE))[0, TOP:FOOT, :HALF].detach()
    figure = learner.figures[learner.looks["actor"][5]].softmax(0).detach().view(-1, 24, 24)
    half, total = scenes[0, TOP:FOOT, :HALF].long(), []
    for x in PLACES:
        p = behind.exp()
        for r in range(24):
            for c in range(24):
                clear = figure[COLOURS, r, c] * behind[r, x + c].exp()
                shown = figure[half[r, x + c], r, c] + clear + FLOOR
                p[r, x + c] = shown / (1 + COLOURS * FLOOR)
        total.append(p.log().sum())
    expected = torch.stack(total).logsumexp(0) - math.log(4)
    _, tables = learner.parts(scenes[:1], torch.zeros(1, STYLE), {})
    assert float(tables["actor"][0, 5].detach()) == pytest.approx(float(expected), rel=1e-4)


def test_what_is_labelled_is_balanced_and_nested():
    settings = Settings(share=0.05)
    scenes, looks, count = training_set(settings)
    assert count == 50 and len(scenes) == 1000
    for role, codes in looks.items():
        had = codes[:count].bincount(minlength=int(codes.max()) + 1)
        assert had.min() >= 2 and had.max() <= 3, role
    fewer, _, ten = training_set(replace(settings, share=0.01))
    assert ten == 10 and torch.equal(fewer[:10], scenes[:10])


def test_both_ways_run_and_repeat():
    one, other = semi_supervised(TINY), semi_supervised(TINY)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not one.training and 0 <= all_right(one.reader, 100) <= 1


def test_training_lowers_the_loss():
    scenes, looks, count = training_set(TINY)
    labelled = {role: codes[:count] for role, codes in looks.items()}
    eager = replace(TINY, batch=16, drop=0.0)
    before, after = (supervised(replace(eager, steps=n)) for n in (1, 120))
    with torch.no_grad():
        losses = [float(reading_loss(x, scenes[:count], labelled)) for x in (before, after)]
    assert losses[1] < 0.5 * losses[0]


# ── The shipped results ─────────────────────────────────────────────────────────────────────────


def test_results_are_complete():
    results = read()
    assert {(run["share"], run["seed"]) for run in results["runs"]} == {
        (share, seed) for share in SHARES for seed in SEEDS
    }
    assert {(x["drop"], x["decay"]) for x in results["tuning"]} == set(GRID)
    best = max(results["tuning"], key=lambda x: x["right"])
    assert results["settings"]["drop"] == best["drop"]
    Settings(**results["settings"])


def test_what_five_percent_of_labels_reach():
    rows = {share: (rival[0], ours[0]) for share, rival, ours in summary(read())}
    assert rows[0.05][1] >= 0.97 and rows[0.05][1] - rows[0.05][0] >= 0.1
    assert rows[1.0][1] >= 0.99 and rows[0.01][1] < 0.6  # ten labels can't name 42 looks


def test_a_run_comes_out_as_shipped():
    """The rival at 5 %, first seed: what training takes is deterministic but for the last bits."""
    results = read()
    run = next(x for x in results["runs"] if (x["share"], x["seed"]) == (0.05, 0))
    again = all_right(supervised(replace(Settings(**results["settings"]), share=0.05, seed=0)))
    assert again == pytest.approx(run["supervised"], abs=0.05)


def test_no_file_is_no_results(tmp_path):
    path = tmp_path / "sub" / "none.json"
    assert read(path)["runs"] == []
    write_results(path, {"runs": [{"seed": 1}]})
    assert read(path)["runs"] == [{"seed": 1}] and read(path)["tuning"] == []
    write_results(path, {"runs": [1]})
    with pytest.raises(ValueError, match="'runs' should be a list of runs"):
        read(path)


@pytest.mark.parametrize("change", [{"steps": 0}, {"share": 1.5}, {"alone": -1}, {"drop": "half"}])
def test_settings_out_of_range(change):
    with pytest.raises(ValueError, match=f"setting '{next(iter(change))}': expected a"):
        Settings(**change)
