"""Weights on disk: tensors as safetensors, and all that they belong to as JSON beside them.

Nothing is ever unpickled. A file appears whole or not at all.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from cimg.world import World

FOLDER = Path(__file__).parent / "weights"
LARGEST = 64 * 2**20  # bytes: no checkpoint of this course comes near


class CheckpointError(ValueError):
    """A checkpoint that can't be read, or that belongs to something else."""


def fingerprint(world: World) -> str:
    """Digest of what the drawing half depends on: names and values of the visible variables."""
    drawn = [[name, list(world.variables[name].values)] for name in world.visible]
    return hashlib.sha256(json.dumps(drawn).encode()).hexdigest()[:16]


def write(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write ``path`` (.safetensors), with ``about`` in it and, to be read by people, beside it.

    Raises:
        CheckpointError: the files can't be written; what was there before is left alone.
    """
    text = json.dumps(about, indent=1)
    half_done = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = {name: x.detach().cpu().contiguous().clone() for name, x in tensors.items()}
        half_done.write_bytes(save(kept, metadata={"about": text}))
        os.replace(half_done, path)
        half_done.write_text(text + "\n", encoding="utf-8")
        os.replace(half_done, path.with_suffix(".json"))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot be written: {error}") from error


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and ``about`` of a file that `write` wrote.

    Raises:
        CheckpointError: no such file, too large, truncated, or not one of ours.
    """
    from safetensors import safe_open

    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    if path.stat().st_size > LARGEST:
        size = path.stat().st_size
        raise CheckpointError(f"{path}: {size:,} bytes, at most {LARGEST:,} expected")
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["about"])
        tensors = load_file(path)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        what = f"truncated, or not a checkpoint of cimg ({error})"
        raise CheckpointError(f"{path}: {what}") from error
    if not isinstance(about, dict):
        raise CheckpointError(f"{path}: expected a description of the run, found {about!r:.40}")
    return tensors, about


def fit(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Put tensors into a module that they were made for. Buffers may come in any length.

    Raises:
        CheckpointError: a tensor is missing, left over, or of another shape.
    """
    want, buffers = module.state_dict(), dict(module.named_buffers())
    for name in want.keys() | tensors.keys():
        if name not in want or name not in tensors:
            which = "is missing" if name in want else "doesn't belong to this model"
            raise CheckpointError(f"{path}: tensor '{name}' {which}")
        here, there = list(tensors[name].shape), list(want[name].shape)
        if here[name in buffers and len(here) > 1 :] != there[name in buffers and len(there) > 1 :]:
            raise CheckpointError(f"{path}: '{name}' has shape {here}, this model needs {there}")
    for name, buffer in buffers.items():
        owner, _, last = name.rpartition(".")
        room = torch.empty_like(tensors[name], dtype=buffer.dtype)
        setattr(module.get_submodule(owner), last, room)
    module.load_state_dict(tensors)
