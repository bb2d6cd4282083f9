"""Reading a learner's answer, in whatever form it comes; and what an exercise is.

Every reader takes anything at all. It returns what was meant, or raises `Open` (nothing was
answered yet) or `Unclear`, with a line that says what was expected and what was found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from cimg.scene import HEIGHT, WIDTH
from cimg.tables import short

RUNGS = {"seeing": ("see", 1), "doing": ("do", 2), "imagining": ("imagine", 3)}
TRUTH = {"yes": ("true", True, 1), "no": ("false", False, 0)}


class Open(Exception):
    """Not answered yet, with what is still open, if that helps."""


class Unclear(Exception):
    """An answer that can't be read: what was expected, and what was found."""


class Broken(Unclear):
    """A function that stopped with an error; a try as good as any other."""


class Hint(NamedTuple):
    """Which mistake was made, by its name in ``hints.json``, and what fills the hint's braces."""

    mistake: str
    fields: dict[str, Any]


Judge = Callable[..., str | Hint | None]
JUDGES: dict[str, Judge] = {}
MOST_ARROWS = 10_000
MOST = 2**22  # numbers of an answer: a few may claim to be billions (`Tensor.expand`, `range`)


def exercise(number: str) -> Callable[[Judge], Judge]:
    """Make the function below the judge of exercise `number`, such as "05.2".

    It takes the answers and returns None if they are right, or else the mistake that was made:
    its name in ``hints.json``, or that as a `Hint`. "unchanged" means: still as in the stub.
    """

    def register(judge: Judge) -> Judge:
        JUDGES[number] = judge
        return judge

    return register


def first(mistakes: Mapping[str, Any], otherwise: str | None = None) -> str | None:
    """The first mistake that was made."""
    return next((name for name, made in mistakes.items() if bool(made)), otherwise)


# --- what was found -------------------------------------------------------------------------------


def is_open(answer: Any) -> bool:
    """Whether this is what a stub holds: `...`, None, or an empty text."""
    return (
        answer is None
        or answer is ...
        or (isinstance(answer, str) and answer.strip() in ("", "..."))
    )


def describe(answer: Any) -> str:
    """What an answer is, in a few words."""
    kind = type(answer).__name__
    if isinstance(answer, str | int | float):
        return short(answer)[:40]
    if isinstance(answer, Tensor | np.ndarray):
        return f"a {kind} of shape {list(answer.shape)}"
    if isinstance(answer, Sequence | Mapping | set | frozenset):
        try:
            return f"a {kind} of length {len(answer)}"
        except OverflowError:  # a range may be longer than Python counts
            return f"an endless {kind}"
    return "a function" if callable(answer) else f"something of type {kind}"


def size(answer: Any) -> int:
    """How many entries an array or tensor has; 0 for anything else."""
    if isinstance(answer, Tensor):
        return answer.numel()
    return answer.size if isinstance(answer, np.ndarray | np.generic) else 0


def too_many(answer: Any) -> bool:
    """Whether more than `MOST` entries are in it, lists in lists and all, without making them."""
    count, waiting = 0, [answer]
    while waiting and count <= MOST:
        found = waiting.pop()
        sized = isinstance(found, Sized) and not isinstance(found, type)
        count += size(found) or (len(found) if sized else 0)
        if isinstance(found, list | tuple) and count <= MOST:
            waiting += found
    return count > MOST


def closed(answer: Any) -> Any:
    """The answer, if there is one."""
    if is_open(answer):
        raise Open
    return answer


# --- readers --------------------------------------------------------------------------------------


def numbers(answer: Any, shape: Sequence[int | None] = (), what: str = "one number") -> Tensor:
    """Finite numbers, float64, of this shape (None: any length), from a tensor, array, list, …"""
    found = closed(answer)
    if isinstance(found, str):
        found = found.replace(",", "").replace("_", "").rstrip(" %")
    try:
        if isinstance(found, bool | np.bool_ | Mapping | set) or too_many(found):
            raise TypeError
        tensor = isinstance(found, Tensor)
        if found.is_complex() if tensor else np.iscomplexobj(found):
            raise TypeError
        if tensor:
            found = found.detach().cpu().double().numpy()
        array = np.asarray(found, dtype=np.float64)
    except Exception:  # noqa: BLE001  (a learner's own object may break in any way)
        raise Unclear(f"expected {what}, found {describe(answer)}") from None
    if not shape and array.size == 1:
        array = array.reshape(())
    fits = len(array.shape) == len(shape) and all(
        want in (None, n) for want, n in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise Unclear(f"expected {what}, found {describe(answer)}")
    if not np.isfinite(array).all():
        raise Unclear(f"expected {what}, found one that is infinite or not a number (NaN)")
    return torch.from_numpy(np.array(array))


def number(answer: Any, least: float = -np.inf, most: float = np.inf, what: str = "") -> float:
    """One finite number from `least` to `most`."""
    what = what or "one number" + (f" from {least:g} to {most:g}" if most < np.inf else "")
    found = float(numbers(answer, (), what))
    if not least <= found <= most:
        raise Unclear(f"expected {what}, found {found:g}")
    return found


def normal(form: Any) -> str:
    """A form of an answer, by which it is recognised: in small letters, without underscores."""
    return str(form).strip().lower().replace("_", " ")


def choice(answer: Any, options: Mapping[str, Iterable] | Sequence[str]) -> str:
    """One of the options: its name or another form of it, in capitals or not, with or without
    more behind it ("b: in the satyr")."""
    found, others = closed(answer), dict.fromkeys(options, ())
    others |= options if isinstance(options, Mapping) else {}
    if size(found) == 1 and len(found.shape) < 2:
        found = found.item()
    forms = {normal(form): name for name, more in others.items() for form in (name, *more)}
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if isinstance(found, str | int | bool):
        text = normal(found).rstrip(".!")
        letter = re.match(r"\(?([a-e])(?:[).:,\s].*)?$", text, re.DOTALL)
        for form in (text, letter and letter[1]):
            if form in forms:
                return forms[form]
    short_forms = {k: [f for f in more if not isinstance(f, str)][:1] for k, more in others.items()}
    listed = ", ".join(
        f"'{name}'" + "".join(f" ({f})" for f in short_forms[name]) for name in others
    )
    raise Unclear(f"expected one of {listed}; found {describe(answer)}")


def fields(answer: Any, keys: Sequence[str]) -> dict[str, Any]:
    """One entry for each key: from a dict in any order, or from a list in this one. None open."""
    found = closed(answer)
    if isinstance(found, Tensor | np.ndarray) and found.ndim == 1 and size(found) == len(keys):
        found = list(found)
    if isinstance(found, Sequence) and not isinstance(found, str):
        if len(found) != len(keys):
            raise Unclear(f"expected {len(keys)} answers, {', '.join(keys)}; found {len(found)}")
        found = dict(zip(keys, found, strict=True))
    if not isinstance(found, Mapping):
        raise Unclear(f"expected a dict with {', '.join(keys)}; found {describe(answer)}")
    found = {str(k) if isinstance(k, int) else k: x for k, x in found.items()}
    if odd := [key for key in found if key not in keys]:
        raise Unclear(f"there is no {describe(odd[0])} in this exercise, only {', '.join(keys)}")
    waiting = [key for key in keys if is_open(found.get(key))]
    if waiting:
        raise Open("" if len(waiting) == len(keys) else f"Still open: {', '.join(waiting)}")
    return {key: found[key] for key in keys}


def arrows(answer: Any) -> set[tuple[str, str]]:
    """Arrows (cause, effect): from pairs, from texts "cause -> effect", or from a graph."""
    found = closed(answer)
    found = list(found.edges) if hasattr(found, "edges") else found
    if not isinstance(found, Iterable) or isinstance(found, str | Mapping):
        raise Unclear(f"expected a set of arrows (cause, effect), found {describe(answer)}")
    pairs = set()
    for i, item in enumerate(found):
        if i == MOST_ARROWS:  # of an endless one, perhaps
            raise Unclear(f"expected a set of arrows (cause, effect), found more than {i:,}")
        ends = re.split(r"\s*(?:->|→|>)\s*", item.strip()) if isinstance(item, str) else item
        if (
            not isinstance(ends, tuple | list)
            or len(ends) != 2
            or not all(isinstance(e, str) for e in ends)
        ):
            raise Unclear(f"expected arrows (cause, effect), found {describe(item)} among them")
        pairs.add(tuple(ends))
    return pairs


def rows_of(answer: Any, wanted: Iterable[str], rows: int | None = None) -> dict[str, Tensor]:
    """Values {name: int64 [n]} that hold these variables, from a dict or an answer of `imagine`."""
    found = closed(answer)
    found = found if isinstance(found, Mapping) else getattr(found, "values", found)
    if not isinstance(found, Mapping):
        raise Unclear(f"expected values, a dict {{variable: tensor}}; found {describe(answer)}")
    values = {}
    for name in wanted:
        if name not in found:
            raise Unclear(f"expected values of every variable, {name} is missing")
        values[name] = numbers(found[name], (rows,), f"{name} as a tensor [{rows or 'n'}]").long()
    if len({len(column) for column in values.values()}) != 1 or not len(values[name]):
        raise Unclear("expected as many values of each variable, and one at least")
    return values


def call(function: Any, *arguments: Any, none: bool = False) -> Any:
    """What the learner's function returns, None too if that may be; Broken if it breaks down."""
    if not callable(closed(function)):
        raise Unclear(
            f"expected the function itself, by its name alone; found {describe(function)}"
        )
    name = getattr(function, "__name__", "the function")
    try:
        returned = function(*arguments)
    except (Exception, SystemExit) as error:  # noqa: BLE001
        said = (str(error).strip().splitlines() or ["no message"])[0]
        raise Broken(f"{name} stopped with {type(error).__name__}: {said:.90}") from None
    return None if none and returned is None else closed(returned)


def scenes(answer: Any, n: int, what: str) -> Tensor:
    """Pictures, int64 [n, 36, 64]; a single one may lack the first axis."""
    what = f"{what}, a tensor of shape {[n, HEIGHT, WIDTH]}"
    try:
        pictures = numbers(answer, (n, HEIGHT, WIDTH), what)
    except Unclear:
        if n > 1:
            raise
        pictures = numbers(answer, (HEIGHT, WIDTH), what)[None]
    if pictures.min() < 0 or pictures.max() > 23:
        raise Unclear(f"expected {what}, of numbers from 0 to 23; found another one in it")
    return pictures.long()
