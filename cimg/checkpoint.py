"""Weights on disk: tensors as safetensors, and all that they belong to as JSON beside them.

Nothing is ever unpickled. A file appears whole or not at all: it is written next to its place,
then moved.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from cimg.files import path_of, read_file
from cimg.scene import stage, stage_of
from cimg.tables import WorldError, short
from cimg.world import World, check_is_world

FOLDER = Path(__file__).parent / "weights"
LARGEST = 64 * 2**20  # bytes: no checkpoint of this course comes near
LONGEST = 4096  # characters of its description


class CheckpointError(ValueError):
    """A checkpoint that can't be read, or that belongs to something else."""


def fingerprint(world: World) -> str:
    """Digest of what the drawing half depends on: names and values of the visible variables.

    Raises WorldError for what is no world."""
    check_is_world(world)
    drawn = [[name, list(world.variables[name].values)] for name in world.visible]
    return hashlib.sha256(json.dumps(drawn).encode()).hexdigest()[:16]


def other_pictures(about: Mapping[str, Any], world: World) -> bool:
    """Was it trained on other sheets than the world's characters have now? Weights that don't say
    so, as those that come with cimg, are of the course's own sheets.

    Raises:
        SceneError: a sheet that isn't there.
    """
    return about.get("pictures", stage().digest) != stage_of(world).digest


def to_path(thing: str | Path) -> Path:
    """A path; raises CheckpointError for what is none."""
    return path_of(thing, CheckpointError)


def check_place(path: Path) -> None:
    """Can a checkpoint be written here? Better to ask before the training than after.

    Raises:
        CheckpointError: another suffix than .safetensors, a folder where a file is to go, another
            file where the description is to go (a world, say), or no permission.
    """
    if path.suffix != ".safetensors":
        raise CheckpointError(f"{path}: expected a file name that ends in .safetensors")
    try:
        for file in (path, path.with_suffix(".json")):
            if file.is_dir():
                raise CheckpointError(f"{file}: cannot be written: it is a folder")
        beside = path.with_suffix(".json")
        if not path.exists() and is_other(beside):
            raise CheckpointError(f"{beside}: would be overwritten, and is no description of a run")
        path.parent.mkdir(parents=True, exist_ok=True)
        half_done(path).unlink(missing_ok=True)  # of a process that was killed, or put as a trap
        half_done(path).touch()
        half_done(path).unlink()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written: {error.strerror}") from error


def is_other(path: Path) -> bool:
    """Whether a file is there that isn't the description of a run: a world, say."""
    if not path.exists():
        return False
    try:
        found = json.loads(read_file(path, LARGEST).decode())
    except (OSError, ValueError, RecursionError):
        return True
    return not (isinstance(found, dict) and "format" in found)


def half_done(path: Path) -> Path:
    """Where a file is written before it is moved to its place."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def write(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write ``path`` (.safetensors), with ``about`` in it and, to be read by people, beside it.

    Raises:
        CheckpointError: the files can't be written; what was there before is left alone.
    """
    check_place(path)
    text = json.dumps(about, indent=1)
    kept = {name: x.detach().cpu().contiguous().clone() for name, x in tensors.items()}
    files = {path: save(kept, {"about": text}), path.with_suffix(".json"): f"{text}\n".encode()}
    try:
        for file, content in files.items():
            half_done(file).unlink(missing_ok=True)
            half_done(file).write_bytes(content)
        for file in files:
            os.replace(half_done(file), file)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        for file in files:
            with suppress(OSError):
                half_done(file).unlink(missing_ok=True)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and ``about`` of a file that `write` wrote.

    Raises:
        CheckpointError: no such file, too large, truncated, or not one of ours.
    """
    try:
        if not path.is_file():
            raise CheckpointError(f"{path}: no such checkpoint")
        if (size := path.stat().st_size) > LARGEST:
            raise CheckpointError(f"{path}: {size:,} bytes, at most {LARGEST:,} expected")
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get("about")
            tensors = {name: file.get_tensor(name).clone() for name in sorted(file.keys())}
    except (SafetensorError, OSError) as error:
        why = short(str(error))
        raise CheckpointError(f"{path}: truncated, or no checkpoint at all ({why})") from error
    if text is None:
        raise CheckpointError(f"{path}: not a checkpoint of cimg: no description of the run in it")
    if len(text) > LONGEST:
        raise CheckpointError(
            f"{path}: a description of {len(text):,} characters, at most {LONGEST:,} expected"
        )
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: its description is not JSON ({error})") from error
    if not isinstance(about, dict):
        raise CheckpointError(f"{path}: expected a description of the run, found {short(about)}")
    return tensors, about


def shipped_world(name: str, path: Path) -> World:
    """The world that a checkpoint names, if it comes with cimg; else raises CheckpointError."""
    try:
        return World.load(name)
    except WorldError as error:
        raise CheckpointError(f"{path}: pass the world that it was made for: {error}") from error


def fit(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Put tensors into a module that they were made for. Half precision, in which weights are kept,
    becomes what the module has. Buffers that are empty may come in any length, all in the same.

    Raises:
        CheckpointError: a tensor is missing, left over, of another shape or type, or has an entry
            that is no finite number. The module is as it was.
    """
    want, buffers = module.state_dict(), {k: x for k, x in module.named_buffers() if not x.numel()}
    tensors = {name: x.float() if x.dtype == torch.half else x for name, x in tensors.items()}
    for name in sorted(want.keys() | tensors.keys()):
        if name not in want or name not in tensors:
            which = "is missing" if name in want else "doesn't belong to this model"
            raise CheckpointError(f"{path}: tensor '{name}' {which}")
        check_tensor(tensors[name], want[name], name in buffers, f"{path}: tensor '{name}'")
    lengths = {name: len(tensors[name]) for name in sorted(buffers)}
    if len(set(lengths.values())) > 1:
        raise CheckpointError(f"{path}: expected tensors of one length, found {lengths}")
    for name, empty in buffers.items():
        owner, _, last = name.rpartition(".")
        full = torch.empty_like(tensors[name], device=empty.device)  # the file's are on the CPU
        setattr(module.get_submodule(owner), last, full)
    module.load_state_dict(tensors)


def check_tensor(found: Tensor, want: Tensor, any_length: bool, where: str) -> None:
    """Raise CheckpointError unless a tensor can take the place of another."""
    here, there = list(found.shape), list(want.shape)
    same = here[1:] == there[1:] and len(here) == len(there) if any_length else here == there
    if not same:
        raise CheckpointError(f"{where} has shape {here}, this model needs {there}")
    if found.dtype != want.dtype:
        raise CheckpointError(f"{where} is of type {found.dtype}, this model needs {want.dtype}")
    if not found.isfinite().all():
        raise CheckpointError(f"{where} has entries that are no finite numbers")
