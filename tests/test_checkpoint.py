"""Checkpoints: what was written comes back, or one clear error and nothing changed."""

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from cimg import checkpoint
from cimg.checkpoint import (
    CheckpointError,
    check_place,
    fingerprint,
    fit,
    half_done,
    read,
    write,
)
from cimg.world import World

DUEL, ARENA = World.load("duel"), World.load("arena")
ABOUT = {"format": 1, "world": "duel", "settings": {"rate": 0.1, "steps": 3}}


class Small(nn.Module):
    """A module with all that a checkpoint may hold: weights, a scalar, buffers of any length."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 2)
        self.inner.register_buffer("sharpness", torch.ones(()))
        self.register_buffer("seen_loc", torch.zeros(0, 4))
        self.register_buffer("seen_scale", torch.zeros(0, 4))


def small(seed: int = 0, seen: int = 5) -> Small:
    torch.manual_seed(seed)
    module = Small()
    module.inner.sharpness.fill_(7.5)
    module.seen_loc, module.seen_scale = torch.randn(seen, 4), torch.rand(seen, 4)
    return module


def equal(one: dict, other: dict) -> bool:
    same = (torch.equal(one[k], other[k]) and one[k].dtype == other[k].dtype for k in one)
    return one.keys() == other.keys() and all(same)


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
def test_buffers_of_any_length_stay_where_the_model_is():
    """A run goes on where it was, on a card too; what a file holds is on the CPU."""
    module = Small().to("meta")
    fit(module, small().state_dict(), Path("a.safetensors"))
    assert {x.device.type for x in module.state_dict().values()} == {"meta"}
    assert module.seen_loc.shape == (5, 4)


@pytest.fixture
def path(tmp_path) -> Path:
    """A checkpoint in a folder of its own."""
    path = tmp_path / "weights" / "small.safetensors"
    write(path, small().state_dict(), ABOUT)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


# ── There and back ──────────────────────────────────────────────────────────────────────────────


def test_what_was_written_comes_back(path):
    tensors, about = read(path)
    assert equal(tensors, small().state_dict()) and about == ABOUT
    other = Small()
    fit(other, tensors, path)
    assert equal(other.state_dict(), small().state_dict())
    assert dict(other.named_buffers()).keys() == dict(Small().named_buffers()).keys()
    assert sorted(p.name for p in path.parent.iterdir()) == ["small.json", "small.safetensors"]
    assert json.loads(path.with_suffix(".json").read_text(encoding="utf-8")) == ABOUT


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(12.0).view(3, 4).T,
        torch.arange(12.0).view(3, 4)[:, ::2],
        torch.ones(1).expand(5),
        torch.tensor(2.0),
        torch.zeros(0, 3),
        torch.tensor([1, 2]),
        nn.Parameter(torch.ones(2)),
    ],
)
def test_tensors_of_all_kinds(tensor, tmp_path):
    write(tmp_path / "a.safetensors", {"x": tensor, "again": tensor}, {})
    found, about = read(tmp_path / "a.safetensors")
    assert torch.equal(found["x"], tensor) and torch.equal(found["again"], tensor) and about == {}
    assert found["x"].dtype == tensor.dtype and not found["x"].requires_grad


def test_the_same_tensors_are_the_same_bytes(path, tmp_path):
    write(tmp_path / "b.safetensors", small().state_dict(), ABOUT)
    assert (tmp_path / "b.safetensors").read_bytes() == path.read_bytes()


def test_a_checkpoint_over_another(path):
    write(path, small(1, seen=9).state_dict(), ABOUT | {"step": 4})
    tensors, about = read(path)
    assert equal(tensors, small(1, seen=9).state_dict()) and about["step"] == 4
    assert json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["step"] == 4


def test_what_was_read_does_not_hang_on_the_file(path):
    """The tensors are copies: the file may be replaced or cut short while they are in use."""
    tensors, _ = read(path)
    path.write_bytes(b"")
    assert equal(tensors, small().state_dict())


def test_the_description_in_the_file_counts_not_the_one_beside_it(path):
    path.with_suffix(".json").write_text("{}")
    assert read(path)[1] == ABOUT
    path.with_suffix(".json").unlink()
    assert read(path)[1] == ABOUT


# ── Broken files ────────────────────────────────────────────────────────────────────────────────


def refuse(path: Path, message: str | None = None) -> None:
    """Reading gives a CheckpointError that names the file, and the file stays as it was."""
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=message) as error:
        read(path)
    assert path.name in str(error.value) and path.read_bytes() == before


@pytest.mark.parametrize("tenth", range(10))
def test_a_truncated_file(path, tenth):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * tenth // 10])
    refuse(path, "truncated, or no checkpoint at all")


def test_a_file_with_a_byte_too_few_or_too_many(path):
    whole = path.read_bytes()
    for spoilt in (whole[:-1], whole + b"\0", whole[1:]):
        path.write_bytes(spoilt)
        refuse(path, "truncated, or no checkpoint at all")


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_bytes(tmp_path, content):
    path = tmp_path / "noise.safetensors"
    path.write_bytes(content)
    refuse(path)


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_header(path, data):
    """Any byte of the header changed: an error, or a file that reads as something; no crash."""
    write(path, small().state_dict(), ABOUT)
    whole = bytearray(path.read_bytes())
    size = 8 + struct.unpack("<Q", whole[:8])[0]
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, size - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    try:
        tensors, about = read(path)
        fit(Small(), tensors, path)
    except CheckpointError as error:
        assert path.name in str(error)
    else:
        assert isinstance(about, dict)


@pytest.mark.parametrize(
    "metadata, message",
    [
        (None, "not a checkpoint of cimg"),
        ({"format": "pt"}, "not a checkpoint of cimg: no description"),
        ({"about": ""}, "its description is not JSON"),
        ({"about": '{"format": 1'}, "its description is not JSON"),
        ({"about": "[" * 2_000}, "its description is not JSON"),
        ({"about": "[" * 100_000}, "a description of 100,000 characters, at most 4,096"),
        ({"about": "[1, 2]"}, r"expected a description of the run, found \[1, 2\]"),
        ({"about": "null"}, "expected a description of the run, found None"),
    ],
)
def test_a_safetensors_file_from_elsewhere(tmp_path, metadata, message):
    path = tmp_path / "foreign.safetensors"
    save_file({"x": torch.ones(2)}, path, metadata)
    refuse(path, message)


def test_what_is_pickled_is_never_unpickled(tmp_path):
    path, trap = tmp_path / "evil.safetensors", tmp_path / "trap"

    class Evil:
        def __reduce__(self):
            return (Path.touch, (trap,))

    torch.save({"x": Evil()}, path)
    refuse(path)
    assert not trap.exists()


def test_no_such_file_and_a_folder(tmp_path):
    for name in ("none.safetensors", "folder", "file/below.safetensors"):
        (tmp_path / "folder").mkdir(exist_ok=True)
        (tmp_path / "file").touch()
        with pytest.raises(CheckpointError, match=f"{name}: no such checkpoint"):
            read(tmp_path / name)


def test_a_file_that_is_too_large_is_not_even_opened(path, monkeypatch):
    monkeypatch.setattr(checkpoint, "LARGEST", 100)
    refuse(path, r"small.safetensors: \d+ bytes, at most 100 expected")


def test_a_file_that_may_not_be_read(path, monkeypatch):
    def refused(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(checkpoint, "safe_open", refused)
    refuse(path, "Permission denied")


# ── Tensors that don't fit ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "change, message",
    [
        ({"inner.weight": None}, "tensor 'inner.weight' is missing"),
        ({"seen_loc": None}, "tensor 'seen_loc' is missing"),
        ({"more": torch.ones(1)}, "tensor 'more' doesn't belong to this model"),
        ({"inner.weight": torch.ones(3, 2)}, r"shape \[3, 2\], this model needs \[2, 3\]"),
        ({"inner.weight": torch.ones(6)}, r"'inner.weight' has shape \[6\]"),
        ({"inner.weight": torch.ones(4, 3)}, r"'inner.weight' has shape \[4, 3\]"),
        ({"inner.sharpness": torch.ones(1)}, r"'inner.sharpness' has shape \[1\], .* needs \[\]"),
        ({"seen_loc": torch.ones(5, 3)}, r"'seen_loc' has shape \[5, 3\]"),
        ({"seen_loc": torch.ones(5)}, r"'seen_loc' has shape \[5\]"),
        ({"seen_loc": torch.ones(6, 4)}, "one length, found .*'seen_loc': 6, 'seen_scale': 5"),
        ({"inner.bias": torch.ones(2).double()}, "torch.float64, this model needs torch.float32"),
        ({"inner.bias": torch.ones(2).long()}, "type torch.int64"),
        ({"inner.bias": torch.tensor([1.0, float("nan")])}, "'inner.bias' has entries that are no"),
        ({"seen_loc": torch.full((5, 4), float("inf"))}, "'seen_loc' has entries that are no fin"),
    ],
)
def test_tensors_that_do_not_fit(change, message):
    module = Small()
    before = {k: x.clone() for k, x in module.state_dict().items()}
    tensors = {k: x for k, x in (small().state_dict() | change).items() if x is not None}
    with pytest.raises(CheckpointError, match=f"a.safetensors: .*{message}"):
        fit(module, tensors, Path("a.safetensors"))
    assert equal(module.state_dict(), before)


@pytest.mark.parametrize("seen", [0, 1, 2048])
def test_buffers_may_have_any_length(seen):
    module = Small()
    fit(module, small(seen=seen).state_dict(), Path("a.safetensors"))
    assert len(module.seen_loc) == seen


# ── Fingerprints ────────────────────────────────────────────────────────────────────────────────


def test_a_fingerprint_tells_what_is_drawn_and_nothing_else():
    assert fingerprint(DUEL) == "65cea462b09aad08"  # shipped weights carry it
    assert fingerprint(DUEL) != fingerprint(ARENA)
    spec = DUEL.to_dict()
    spec["name"], spec["variables"][0]["cpt"] = "other", [0.1, 0.9]
    assert fingerprint(World.from_dict(spec)) == fingerprint(DUEL)
    spec["variables"][0]["values"] = ["golem", "satyr"]
    assert fingerprint(World.from_dict(spec)) != fingerprint(DUEL)


# ── Writing ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name, message",
    [
        ("a.json", "a.json: expected a file name that ends in .safetensors"),
        ("a", "expected a file name that ends in .safetensors"),
        ("folder.safetensors", "folder.safetensors: cannot be written: it is a folder"),
        ("b.safetensors", "b.json: cannot be written: it is a folder"),
        ("file/a.safetensors", "file/a.safetensors: cannot be written: "),
    ],
)
def test_places_where_no_checkpoint_can_be_written(tmp_path, name, message):
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "b.json").mkdir()
    (tmp_path / "b.safetensors").write_text("here before")
    (tmp_path / "file").write_text("here before")
    before = contents(tmp_path)
    for call in (check_place, lambda path: write(path, {}, {})):
        with pytest.raises(CheckpointError, match=message):
            call(tmp_path / name)
    assert contents(tmp_path) == before


def test_asking_for_a_place_leaves_nothing_there(tmp_path, path):
    before = contents(tmp_path)
    check_place(path)
    check_place(tmp_path / "new" / "a.safetensors")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("step", ["touch", "write_bytes", "replace"])
def test_no_permission_and_a_full_disk(path, monkeypatch, step):
    """By a stand-in: root may write anywhere. What was there stays, and nothing half done."""
    before = contents(path.parent)

    def refused(self, *arguments, **options):
        if step == "write_bytes":
            self.touch()
            raise OSError(28, "No space left on device")
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(*((os, "replace") if step == "replace" else (Path, step)), refused)
    why = "No space left on device" if step == "write_bytes" else "Permission denied"
    with pytest.raises(CheckpointError, match=f"small.safetensors: cannot be written: {why}"):
        write(path, small(1).state_dict(), {})
    monkeypatch.undo()
    assert contents(path.parent) == before


@pytest.mark.skipif(os.name != "posix", reason="other systems keep permissions in other ways")
def test_a_folder_that_may_not_be_written_to(tmp_path):
    """Really: root, who may write anywhere, becomes nobody for as long."""
    (closed := tmp_path / "closed").mkdir(mode=0o500)
    os.chmod(tmp_path, 0o755)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        for call in (check_place, lambda path: write(path, {}, {})):
            with pytest.raises(CheckpointError, match="cannot be written: Permission denied"):
                call(closed / "a.safetensors")
    finally:
        os.seteuid(user)
    assert not list(closed.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_a_kill_while_writing_leaves_the_earlier_checkpoint(path):
    """The process dies when everything is written but nothing moved."""
    before = contents(path.parent)
    script = (
        "import os, pathlib, torch\n"
        "from cimg import checkpoint\n"
        "checkpoint.os.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        f"checkpoint.write(pathlib.Path({str(path)!r}), {{'x': torch.ones(3)}}, {{}})\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    after = contents(path.parent)
    assert {name: after[name] for name in before} == before
    assert all(name.endswith(".tmp") for name in after.keys() - before.keys())
    assert read(path)[1] == ABOUT


def test_half_done_files_are_of_one_process_and_out_of_git_s_way(path):
    assert half_done(path).suffix == ".tmp" and half_done(path).parent == path.parent
    assert half_done(path) != half_done(path.with_suffix(".json"))
