"""Training: tiny runs that are the same every time, also when killed halfway, and the way to disk.

A few steps of small batches: what a run is, not how good it gets. See test_score.py for that.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, fields, replace
from itertools import pairwise
from pathlib import Path

import pyro
import pytest
import torch
from torch.optim import AdamW, Muon

import cimg
from cimg import checkpoint
from cimg.checkpoint import CheckpointError
from cimg.data import Batches, draw, held_out, labels_of
from cimg.scene import SceneError, stage
from cimg.step import MODELS, Settings, advance, loss, optimisers, schedule
from cimg.train import (
    FORMAT,
    STYLES_KEPT,
    description,
    load,
    save,
    settings_of,
    shipped_models,
    train,
)
from cimg.vae import CausalVAE
from cimg.world import World

DUEL, ARENA = World.load("duel"), World.load("arena")
TINY = Settings(steps=12, batch=4, hidden=16, warm_up=2)
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Sums are then added up in the same order in every process."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def whole(one_thread, tmp_path_factory) -> tuple[Path, dict[str, torch.Tensor], list]:
    """A run of 12 steps, uninterrupted: its file, its tensors, its reports."""
    path, told = tmp_path_factory.mktemp("whole") / "w.safetensors", []
    model = train(DUEL, TINY, path, every=5, report=lambda *report: told.append(report))
    return path, model.state_dict(), told


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


class Stop(Exception):
    """Raised by a report, to break off a run."""


def broken_off(path: Path, settings: Settings = TINY, after: int = 8, every: int = 4) -> Path:
    """Break off a run after so many steps; the state that it kept by then."""

    def stop(step: int, _):
        if step >= after:
            raise Stop

    with pytest.raises(Stop):
        train(DUEL, settings, path, every, stop)
    return path.with_suffix(".run.safetensors")


# ── A run ───────────────────────────────────────────────────────────────────────────────────────


def test_a_run_leaves_weights_and_their_description_and_nothing_else(whole):
    path, tensors, _ = whole
    assert sorted(p.name for p in path.parent.iterdir()) == ["w.json", "w.safetensors"]
    found, about = checkpoint.read(path)
    assert same(found, tensors)
    assert about == json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert about == {
        "format": FORMAT,
        "world": "duel",
        "drawn": checkpoint.fingerprint(DUEL),
        "pictures": stage().digest,
        "settings": asdict(TINY),
    }
    assert tensors["seen_loc"].shape == (STYLES_KEPT, 16)


def test_a_run_is_the_same_for_a_seed(whole):
    assert same(train(DUEL, TINY).state_dict(), whole[1])
    other = train(DUEL, replace(TINY, seed=1)).state_dict()
    for name in ("cast.figures", "background.sky.usual", "glance.patch.weight", "seen_loc"):
        assert not torch.equal(other[name], whole[1][name]), name


def test_how_often_it_reports_and_whether_it_keeps_anything_changes_nothing(whole, tmp_path):
    path = tmp_path / "a.safetensors"
    assert same(train(DUEL, TINY, path, every=1).state_dict(), whole[1])
    assert path.read_bytes() == whole[0].read_bytes()


def test_noise_of_others_changes_nothing(whole):
    """What was drawn before a run, or while it runs, from torch's own generator."""
    torch.manual_seed(99)
    torch.rand(7)
    assert same(train(DUEL, TINY, every=1, report=lambda *_: torch.rand(3)).state_dict(), whole[1])


def test_reports_are_means_since_the_last(whole):
    """The last one is over two steps: 12 isn't a multiple of 5."""
    each = []
    train(DUEL, TINY, every=1, report=lambda step, losses: each.append(losses))
    assert [step for step, _ in whole[2]] == [5, 10, 12] and len(each) == 12
    for steps, (_, told) in zip((range(5), range(5, 10), (10, 11)), whole[2], strict=True):
        assert set(told) == {"minus_elbo", "reading"}
        for name in told:
            mean = sum(each[i][name] for i in steps) / len(steps)
            assert told[name] == pytest.approx(mean, rel=1e-9)


def test_a_trained_model_is_ready_for_use(tmp_path):
    model = train(DUEL, replace(TINY, steps=1))
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    scenes, values = draw(DUEL, 2)
    z, _ = model.encode(scenes, values)
    assert model.decode(z, values).shape == scenes.shape
    assert model.sample_style(3).shape == z[:1].expand(3, -1).shape
    assert not list(tmp_path.iterdir())


def test_the_loss_falls():
    told = []
    settings = Settings(steps=40, batch=8, hidden=32, warm_up=5)
    train(DUEL, settings, every=10, report=lambda step, losses: told.append(losses))
    elbo = [losses["minus_elbo"] for losses in told]
    assert all(b < a for a, b in pairwise(elbo)) and elbo[-1] < 0.6 * elbo[0]
    assert elbo[0] < 2304 * 3.5  # log 24 = 3.18 a pixel, where nothing is known yet


def test_it_learns_a_world_whose_sky_is_a_label(tmp_path):
    path = tmp_path / "arena.safetensors"
    model = train(ARENA, replace(TINY, steps=3), path)
    assert same(load(path).state_dict(), model.state_dict()) and load(path).world.name == "arena"
    assert set(model.heads) == {
        f"read_{k}" for k in ("character", "type", "action", "reaction", "sky")
    }


def test_what_is_held_out_is_never_shown(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "cimg.train.advance", lambda *a: asked.append(a[-1]) or {"x": torch.zeros(())}
    )
    train(DUEL, Settings(steps=300, batch=64, held_out=0.25, hidden=4))
    seen = torch.zeros([len(values) for values in labels_of(DUEL).values()], dtype=torch.bool)
    for values in asked:
        seen[tuple(values[name] for name in DUEL.visible)] = True
    assert torch.equal(seen.flatten(), ~held_out(DUEL, 0.25))


# ── One step ────────────────────────────────────────────────────────────────────────────────────


def test_every_parameter_has_one_optimiser_and_muon_has_matrices_only():
    model = CausalVAE(DUEL, 16)
    muon, adam = optimisers(model, TINY)
    assert isinstance(muon, Muon) and isinstance(adam, AdamW)
    taken = [p for o in (muon, adam) for g in o.param_groups for p in g["params"]]
    assert sorted(map(id, taken)) == sorted(map(id, model.parameters()))
    assert all(p.dim() == 2 for g in muon.param_groups for p in g["params"])


def test_the_schedule():
    settings = Settings(steps=1000, warm_up=100, annealing=0.5, blurred=0.2, sharpness=5.0)
    model = CausalVAE(DUEL, 16)
    found = optimisers(model, settings)
    told = []
    for step in range(1000):
        beta = schedule(step, settings, model, found)
        rates = {g["lr"] / g["peak"] for o in found for g in o.param_groups}
        assert max(rates) - min(rates) < 1e-12  # all rise and fall together
        told.append((beta, max(rates), float(model.cast.blur), float(model.cast.sharpness)))
    beta, rate, blur, sharp = map(list, zip(*told, strict=True))
    assert beta[0] == pytest.approx(1 / 500) and beta[250] == pytest.approx(0.502)
    assert beta[499:] == [1.0] * 501
    assert rate[0] == 0 and max(rate) <= 1 and 0.95 < rate[100] < 1 and rate[-1] < 1e-5
    assert rate[:100] == sorted(rate[:100]) and rate[100:] == sorted(rate[100:], reverse=True)
    assert blur[:201] == [1.0] * 201 and blur[301:] == [0.0] * 699
    assert blur[250] == pytest.approx(0.5, abs=1e-6)
    assert sharp[0] == 1 and sharp[500] == pytest.approx(3) and sharp == sorted(sharp)
    assert [g["peak"] for g in found[0].param_groups] == [settings.muon]
    own = [settings.adam, settings.figures, settings.sky, settings.land, settings.colours]
    assert [g["peak"] for g in found[1].param_groups] == own


def test_a_schedule_without_phases():
    """Settings of 0 turn a phase off."""
    settings = Settings(steps=4, warm_up=0, annealing=0, blurred=0)
    model = CausalVAE(DUEL, 16)
    found = optimisers(model, settings)
    for step in range(4):
        assert schedule(step, settings, model, found) == 1.0 and float(model.cast.blur) == 0.0
    assert Settings(steps=1, blurred=1.0, annealing=1.0)


def test_a_step_depends_on_the_seed_and_its_number_alone():
    scenes, values = Batches(DUEL, 4)[0]
    found = []
    for noise in (1, 2):
        torch.manual_seed(0)
        model = CausalVAE(DUEL, 16)
        steps = optimisers(model, TINY)
        torch.manual_seed(noise)
        advance(model, steps, TINY, 5, scenes, values)
        found.append({k: x.clone() for k, x in model.state_dict().items()})
    assert same(*found)


def test_the_reader_s_part_teaches_the_eyes_and_the_elbo_all_that_draws():
    torch.manual_seed(0)
    model = CausalVAE(DUEL, 16)
    with torch.no_grad():  # tables of zeros have no gradient for what is multiplied with them
        for p in model.background.parameters():
            p.normal_(0, 0.3)
        model.cast.figures.normal_()
    scenes, values = Batches(DUEL, 8)[0]
    loss(model, scenes, values)[0].backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


# ── Killed and resumed ──────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_a_run_that_is_killed_goes_on_as_if_nothing_had_happened(whole, tmp_path):
    path = tmp_path / "w.safetensors"
    script = f"""
import os, signal, torch
torch.set_num_threads(1)
from cimg.train import Settings, train
from cimg.world import World
def report(step, losses):
    if step == 10:
        os.kill(os.getpid(), signal.SIGKILL)  # five steps since something was kept
train(World.load("duel"), Settings(**{asdict(TINY)!r}), {str(path)!r}, every=5, report=report)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    state = path.with_suffix(".run.safetensors")
    assert state.is_file() and not path.exists() and checkpoint.read(state)[1]["step"] == 5
    told = []
    model = train(DUEL, TINY, path, every=5, report=lambda *report: told.append(report))
    assert same(model.state_dict(), whole[1]) and path.read_bytes() == whole[0].read_bytes()
    assert told == whole[2][1:]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["w.json", "w.safetensors"]


@pytest.mark.parametrize("every", [1, 3, 5])
def test_a_run_that_is_broken_off_may_go_on_with_other_reports(whole, tmp_path, every):
    path = tmp_path / "w.safetensors"
    broken_off(path, after=8, every=4)
    told = []
    model = train(DUEL, TINY, path, every, lambda step, losses: told.append(step))
    assert same(model.state_dict(), whole[1])
    assert told == [step for step in range(5, 13) if step % every == 0 or step == 12]


def test_a_run_may_be_broken_off_many_times(whole, tmp_path):
    path = tmp_path / "w.safetensors"
    for after in (4, 6, 9, 11):
        broken_off(path, after=after, every=2 if after < 9 else 3)
    assert same(train(DUEL, TINY, path).state_dict(), whole[1])


@pytest.mark.parametrize(
    "change, message",
    [
        ({"seed": 3}, "seed was 0, is 3"),
        ({"batch": 5}, "batch was 4, is 5"),
        ({"steps": 13, "muon": 0.5}, "steps was 12, is 13; muon was 0.02, is 0.5"),
        ({"hidden": 8}, "hidden was 16, is 8"),
    ],
)
def test_the_state_of_a_run_with_other_settings_is_refused(tmp_path, change, message):
    state = broken_off(tmp_path / "w.safetensors", after=2, every=1)
    before = state.read_bytes()
    with pytest.raises(CheckpointError, match=f"w.run.safetensors: .*{message}.*remove it to sta"):
        train(DUEL, replace(TINY, **change), tmp_path / "w.safetensors")
    assert state.read_bytes() == before and not (tmp_path / "w.safetensors").exists()


def test_the_state_of_another_world_s_run_is_refused(tmp_path):
    broken_off(tmp_path / "w.safetensors", after=2, every=1)
    with pytest.raises(CheckpointError, match="kept by another run .the world was 'duel'"):
        train(ARENA, TINY, tmp_path / "w.safetensors")


def rewrite(state: Path, change=None, **about) -> None:
    """The same state with other tensors (a function of them) or another description."""
    tensors, old = checkpoint.read(state)
    checkpoint.write(state, change(tensors) if change else tensors, old | about)


def without(name: str):
    return lambda tensors: {k: x for k, x in tensors.items() if k != name}


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda s: s.write_bytes(s.read_bytes()[:-1]), "truncated"),
        (lambda s: s.write_bytes(b""), "truncated"),
        (lambda s: rewrite(s, step=0), "expected a step of 12, found 0"),
        (lambda s: rewrite(s, step=12), "expected a step of 12, found 12"),
        (lambda s: rewrite(s, step="4"), "expected a step of 12, found '4'"),
        (lambda s: rewrite(s, step=None), "expected a step of 12, found None"),
        (lambda s: rewrite(s, settings={}), "kept by another run .steps was 1500, is 12"),
        (lambda s: rewrite(s, settings={"step": 3}), "expected settings steps, batch"),
        (lambda s: rewrite(s, without("model.cast.figures")), "'cast.figures' is missing"),
        (lambda s: rewrite(s, without("optimiser.1.0.exp_avg")), "moments are those of another"),
        (lambda s: rewrite(s, without("optimiser.0.0.momentum_buffer")), "moments are those of"),
        (
            lambda s: rewrite(s, lambda t: t | {"optimiser.0.0.more": t["model.cast.blur"]}),
            "moments",
        ),
        (lambda s: rewrite(s, lambda t: t | {"optimiser.1.1.exp_avg": torch.ones(3)}), "moments"),
        (lambda s: rewrite(s, lambda t: t | {"other": torch.ones(3)}), "moments are those of"),
    ],
)
def test_a_broken_state_is_refused(tmp_path, spoil, message):
    state = broken_off(tmp_path / "w.safetensors", after=2, every=1)
    spoil(state)
    before = state.read_bytes()
    with pytest.raises(CheckpointError, match=f"w.run.safetensors: .*{message}"):
        train(DUEL, TINY, tmp_path / "w.safetensors")
    assert state.read_bytes() == before and not (tmp_path / "w.safetensors").exists()


# ── Settings ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("steps", 0, "setting 'steps': expected a whole number from 1 to 10000000, found 0"),
        ("steps", 2.5, "'steps': expected a whole number"),
        ("steps", "100", "'steps': expected a whole number .* found '100'"),
        ("steps", True, "found True"),
        ("batch", 0, "'batch': expected a whole number from 1"),
        ("seed", -1, "'seed': expected a whole number from 0"),
        ("seed", 2**63, "'seed'"),
        ("hidden", 10**9, "'hidden': expected a whole number from 2 to 4096"),
        ("held_out", 1.2, "'held_out': expected a number from 0 to 1, found 1.2"),
        ("held_out", float("nan"), "found nan"),
        ("muon", -0.1, "'muon': expected a number from 0"),
        ("adam", float("inf"), "found inf"),
        ("annealing", -1, "'annealing'"),
        ("blurred", None, "'blurred': .* found None"),
        ("warm_up", -1, "'warm_up'"),
    ],
)
def test_settings_out_of_range(name, value, message):
    with pytest.raises(ValueError, match=message):
        Settings(**{name: value})


def test_nothing_left_to_train_on(tmp_path):
    with pytest.raises(ValueError, match="no combination of labels is left"):
        train(DUEL, replace(TINY, held_out=1.0), tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name, message",
    [
        ("a.pt", "a.pt: expected a file name that ends in .safetensors"),
        ("folder.safetensors", "it is a folder"),
        ("file/a.safetensors", "cannot be written"),
    ],
)
def test_a_place_that_cannot_be_written_to_is_refused_before_the_first_step(
    tmp_path, monkeypatch, name, message
):
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.setattr("cimg.train.advance", None)
    with pytest.raises(CheckpointError, match=message):
        train(DUEL, TINY, tmp_path / name)


def test_a_report_every_0_steps():
    with pytest.raises(ValueError, match="every must be a whole number from 1"):
        train(DUEL, TINY, every=0)


# ── Loading ─────────────────────────────────────────────────────────────────────────────────────


def test_what_was_saved_is_loaded(whole):
    path, tensors, _ = whole
    for model in (load(path), load(str(path)), load(path, DUEL), cimg.load(path)):
        assert same(model.state_dict(), tensors) and model.hidden == TINY.hidden
        assert not model.training and not any(p.requires_grad for p in model.parameters())


def test_a_loaded_model_may_be_saved_again(whole, tmp_path):
    model = load(whole[0])
    save(model, TINY, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == whole[0].read_bytes()


def test_weights_serve_any_world_with_the_same_picture(whole):
    """They are about drawing: other tables, other hidden variables, the same weights."""
    spec = DUEL.to_dict()
    spec["variables"][0]["cpt"] = [0.25, 0.75]
    model = load(whole[0], World.from_dict(spec | {"name": "mine"}))
    assert model.world.name == "mine" and same(model.state_dict(), whole[1])


def test_weights_of_another_world_are_refused(whole):
    with pytest.raises(CheckpointError, match="made for world 'duel' with other .* 'arena' has"):
        load(whole[0], ARENA)


@pytest.mark.parametrize(
    "name, message",
    [
        ("chess", "no weights named 'chess' are shipped; there are: "),
        ("", "no weights named ''"),
        ("../duel", "no weights named"),
        ("nowhere/a.safetensors", "nowhere/a.safetensors: no such checkpoint"),
        (Path("nowhere"), "nowhere: no such checkpoint"),
    ],
)
def test_no_such_weights(name, message):
    with pytest.raises(CheckpointError, match=message):
        load(name)


def test_names_that_are_shipped_are_listed(monkeypatch, tmp_path, whole):
    monkeypatch.setattr(checkpoint, "FOLDER", tmp_path)
    with pytest.raises(CheckpointError, match="there are: none"):
        load("duel")
    for name in ("mine", "duel"):
        (tmp_path / f"{name}.safetensors").write_bytes(whole[0].read_bytes())
    (tmp_path / "broken.safetensors").write_bytes(b"weights of something else")
    assert same(load().state_dict(), whole[1])
    with pytest.raises(CheckpointError, match="no weights named 'chess' .* there are: duel, mine$"):
        load("chess")


ABOUT = {
    "format": FORMAT,
    "world": "duel",
    "drawn": checkpoint.fingerprint(DUEL),
    "settings": asdict(TINY),
}
ALL = "expected settings steps, batch, seed, .*, sharpness"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"format": 1}, "format 1, expected 3"),
        ({"format": None}, "format None, expected 3"),
        ({"world": "chess"}, "pass the world that it was made for: no world 'chess' comes with"),
        ({"world": 3}, "expected a world's name, found 3"),
        ({"drawn": "0"}, "made for world 'duel' with other visible variables or values"),
        ({"settings": None}, ALL),
        ({"settings": [1]}, ALL),
        ({"settings": asdict(TINY) | {"colour": 1}}, ALL),
        ({"settings": asdict(TINY) | {"hidden": "wide"}}, f"{ALL} .*'hidden': expected a whole"),
        ({"settings": asdict(TINY) | {"hidden": 10**9}}, "'hidden': expected a whole number from"),
        ({"settings": asdict(TINY) | {"hidden": 32}}, "has shape .*, this model needs"),
    ],
)
def test_a_description_that_will_not_do(whole, tmp_path, change, message):
    path = tmp_path / "a.safetensors"
    checkpoint.write(path, whole[1], ABOUT | change)
    with pytest.raises(CheckpointError, match=f"a.safetensors: .*{message}"):
        load(path)


def test_settings_that_have_been_left_out_are_the_defaults():
    """So that weights made before a setting was added can be read."""
    assert settings_of(ABOUT | {"settings": {"steps": 7}}, Path("a")) == Settings(steps=7)


def test_the_state_of_a_run_is_no_model(whole, tmp_path):
    state = broken_off(tmp_path / "w.safetensors", after=2, every=1)
    with pytest.raises(CheckpointError, match="doesn't belong to this model|is missing"):
        load(state)


def test_readers_and_gans_are_no_picture_models():
    """Their weights are shipped in the same folder."""
    assert {p.stem for p in checkpoint.FOLDER.glob("*.safetensors")} > {"duel", "arena", "reader"}
    assert shipped_models() == ["arena", "duel"]
    for name in ("reader", "gan-arena-all"):
        with pytest.raises(CheckpointError, match=f"{name}.safetensors: "):
            load(name)


def test_a_world_of_ones_own_has_to_be_passed(tmp_path):
    mine = World.from_dict(DUEL.to_dict() | {"name": "mine"})
    model = CausalVAE(mine, 16)
    save(model, TINY, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="pass the world that it was made for"):
        load(tmp_path / "a.safetensors")
    assert load(tmp_path / "a.safetensors", mine).world is mine
    assert description(model, TINY)["world"] == "mine"


# ── The command ─────────────────────────────────────────────────────────────────────────────────


def command(*arguments) -> subprocess.CompletedProcess:
    run = [sys.executable, "-m", "cimg.train", *map(str, arguments)]
    return subprocess.run(run, capture_output=True, text=True, cwd=ROOT, check=False)


def test_the_command(tmp_path):
    out = tmp_path / "new" / "duel.safetensors"
    options = ["--steps", 3, "--batch", 4, "--hidden", 16, "--held-out", 0.5, "--warm-up", 1]
    ran = command("duel", *options, "--out", out)
    assert ran.returncode == 0, ran.stderr
    assert str(out) in ran.stdout and "parameters" in ran.stdout and "MB" in ran.stdout
    found = Settings(**checkpoint.read(out)[1]["settings"])
    assert found == Settings(steps=3, batch=4, hidden=16, held_out=0.5, warm_up=1)
    assert load(out).world.name == "duel"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["chess"], "no world 'chess' comes with cimg; there are: arena, duel"),
        (["duel", "--steps", "0"], "setting 'steps': expected a whole number from 1"),
        (["duel", "--steps", "3", "--out", "weights"], "ends in .safetensors"),
    ],
)
def test_the_command_s_errors_are_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    from cimg.train import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and message in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_weights_never_write_their_description_over_another_file(tmp_path, monkeypatch, capsys):
    from cimg.train import main

    file = tmp_path / "mine.json"
    DUEL.to_json(file)
    before = file.read_bytes()
    monkeypatch.setattr(
        sys, "argv", ["train", str(file), "--out", str(tmp_path / "mine.safetensors")]
    )
    with pytest.raises(SystemExit):
        main()
    assert "mine.json: would be overwritten, and is no description" in capsys.readouterr().err
    with pytest.raises(CheckpointError, match="would be overwritten"):
        train(DUEL, TINY, tmp_path / "mine.safetensors")
    assert file.read_bytes() == before and [file] == list(tmp_path.iterdir())


def test_every_setting_is_an_option(capsys, monkeypatch):
    from cimg.train import main

    monkeypatch.setattr(sys, "argv", ["train", "--help"])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().out
    assert all(f"--{field.name.replace('_', '-')} " in said for field in fields(Settings))


def test_a_world_that_cannot_be_drawn_is_refused_before_anything_is_written(tmp_path):
    weather = {"name": "weather", "values": ["rain"], "cpt": [1.0], "in_image": True}
    world = World.from_dict({"name": "mine", "variables": [weather]})
    with pytest.raises(SceneError, match="'weather' is in the image but can't be drawn"):
        train(world, TINY, tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())


# ── Another device ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("world", [DUEL, ARENA], ids=lambda world: world.name)
def test_nothing_of_a_step_stays_behind_on_the_processor(world, kind, monkeypatch):
    """On torch's device without values, as no graphics card may be there: whatever takes together
    tensors of two devices fails on it as well. Pyro's looks at values are left out."""
    for where in ("trace_mean_field_elbo", "trace_elbo"):
        monkeypatch.setattr(f"pyro.infer.{where}.torch_item", lambda x: 0.0)
    monkeypatch.setattr("pyro.infer.trace_elbo.warn_if_nan", lambda *x: None)
    model, (scenes, values) = MODELS[kind](world, 16).to("meta"), draw(world, 4)
    values = {name: codes.to("meta") for name, codes in values.items()}
    model.ripen(0.3, TINY.blurred, TINY.sharpness)
    with pyro.validation_enabled(False):
        total, told = loss(model, scenes.to("meta"), values, 0.5)
        total.backward()
    assert {x.device.type for x in (total, *told.values())} == {"meta"}
    assert all(p.grad is not None and p.grad.device.type == "meta" for p in model.parameters())


def test_what_stays_behind_is_found(monkeypatch):
    model, (scenes, values) = CausalVAE(DUEL, 16).to("meta"), draw(DUEL, 4)
    with pyro.validation_enabled(False), pytest.raises(RuntimeError, match="device"):
        loss(model, scenes.to("meta"), values)  # labels forgotten
