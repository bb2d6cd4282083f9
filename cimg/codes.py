"""Codes of what is to be drawn: drawn evenly, counted through, checked, as sheets are; a clear
`SceneError` for each failure."""

from collections.abc import Mapping
from math import prod

import numpy as np
import torch
from torch import Tensor

from .background import COLOURS
from .sprites import POSES, SIZE, TRANSPARENT, Palette
from .tables import WorldError, whole

MOST = 2**27  # rows drawn at once: 1 GiB of each variable


class SceneError(ValueError):
    """Values that can't be drawn, or a picture that isn't a scene or can't be saved."""


def describe(x: object) -> str:
    """A tensor's type and shape in words, or what else something is, for error messages."""
    if not isinstance(x, Tensor):
        return type(x).__name__
    return f"{str(x.dtype).removeprefix('torch.')} {list(x.shape)}"


def whole_number(number: int, what: str, least: int = 0) -> int:
    """`number` as an int, if it is a whole number from `least` up."""
    try:
        return whole(number, what, least)
    except WorldError as error:
        raise SceneError(str(error)) from None


def integers(x: object, what: str) -> Tensor:
    """What was given as a LongTensor, if it holds integers."""
    try:
        found = torch.as_tensor(x)
    except (TypeError, ValueError, RuntimeError) as error:
        raise SceneError(f"{what}: expected an integer tensor, found {describe(x)}") from error
    if found.is_floating_point() or found.is_complex() or found.dtype == torch.bool:
        raise SceneError(f"{what}: expected an integer tensor, found {describe(found)}")
    return found.long()  # a short integer would overflow where codes are taken together


def check_range(x: Tensor, what: str, count: int, names: str = "") -> None:
    """Every entry is one of 0 to `count` - 1; the error names the first that isn't."""
    if not x.numel() or 0 <= int(x.min()) <= int(x.max()) < count:
        return
    at = ((x < 0) | (x >= count)).nonzero()[0].tolist()
    place = f"row {at[0]}" if len(at) == 1 else f"place {at}"
    expected = f"expected 0 to {count - 1} {names}".rstrip()
    raise SceneError(f"{what}, {place}: {expected}, found {int(x[tuple(at)])}")


def check_sheets(sheets: Mapping[str, Mapping[str, Tensor]], palette: Palette) -> None:
    """A stage can be made of these: sheets for all characters and types, colours to paint with."""
    types = {character: ", ".join(own) for character, own in sheets.items()}
    if not all(types.values()) or not types:
        raise SceneError("a stage needs at least one character, each of at least one type")
    first = next(iter(types))
    for character, own in sheets.items():
        if types[character] != types[first]:
            found = f"{first} has {types[first]}; {character} has {types[character]}"
            raise SceneError(f"every character needs the same types, in the same order: {found}")
        for kind, sheet in own.items():
            what, shape = f"{character}, {kind}", (len(POSES), SIZE, SIZE)
            if not isinstance(sheet, Tensor) or sheet.dtype != torch.uint8 or sheet.shape != shape:
                found = describe(sheet)
                raise SceneError(f"{what}: expected a sheet, uint8 {list(shape)}, found {found}")
            check_range(sheet, what, TRANSPARENT + 1)
    for name in COLOURS:
        if name not in palette.names:
            raise SceneError(f"the palette lacks '{name}', which backgrounds are painted with")


def sample_uniform(
    variables: Mapping[str, tuple[str, ...]], n: int, seed: int = 0
) -> dict[str, Tensor]:
    """Draw each variable uniformly and independently: ``{name: LongTensor[n]}``.

    Bit-exact for a seed on every machine: one raw 64-bit integer per row, reduced modulo the number
    of combinations (the bias, below 2**-40 for any variables drawn here, can't be noticed).
    Raises SceneError where `n` or `seed` isn't a whole number from 0, and for more than 2**27 rows.
    """
    n, seed = whole_number(n, "n"), whole_number(seed, "seed")
    if n > MOST:
        raise SceneError(f"n is {n:,}; at most {MOST:,} rows can be drawn at once")
    combinations = prod(len(values) for values in variables.values())
    raw = np.random.PCG64(seed).random_raw(n) % np.uint64(combinations)
    return unflatten(variables, torch.from_numpy(raw.astype(np.int64)))


def unflatten(variables: Mapping[str, tuple[str, ...]], index: Tensor) -> dict[str, Tensor]:
    """Row-major index -> ``{name: LongTensor}``: with ``arange(prod)``, every combination once.

    Raises SceneError where the index isn't an integer tensor, or counts beyond the combinations.
    """
    shape = [len(values) for values in variables.values()]
    index = integers(index, "index")
    check_range(index, "index", prod(shape))
    return dict(zip(variables, torch.unravel_index(index, shape), strict=True))
