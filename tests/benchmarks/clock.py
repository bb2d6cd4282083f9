"""How long things take, and how many times as long as others: in turns, told with spread."""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from statistics import median
from time import perf_counter

Work = Callable[[], object]


def turns(*works: Work, repeat: int = 15, loops: Sequence[int] = ()) -> list[list[float]]:
    """The seconds of one call of each, `repeat` times. They take turns, so that whatever else the
    machine does meets all of them, and the first turn, which fills caches, isn't counted. In its
    turn, work i is called `loops[i]` times (once): microseconds need a loop of their own."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(repeat + 1):
        for work, found, count in zip_longest(works, taken, loops, fillvalue=1):
            start = perf_counter()
            for _ in range(count):
                work()
            found.append((perf_counter() - start) / count)
    return [found[1:] for found in taken]


def number(value: float) -> str:
    """Three digits that count: 1,234,567 or 12.3 or 0.0123."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ratio(ours: Sequence[float], theirs: Sequence[float], more_is_better: bool) -> dict:
    """How many times better ours is, turn by turn: least, median, most."""
    pairs = zip(ours, theirs, strict=True)
    found = [a / b if more_is_better else b / a for a, b in pairs]
    return {"value": median(theirs), "least": min(found), "median": median(found),
            "most": max(found)}  # fmt: skip


def row(
    what: str, values: Sequence[float], unit: str, target: str = "", main: bool = False,
    **peers: Sequence[float],
) -> dict:  # fmt: skip
    """A row: the median, from least to most; beside each peer's, measured in the same turns.

    Args:
        values: of all turns, in `unit`: "ms" or "s", of which less is better, or "/s".
        main: whether README shows it.
    """
    found = {"what": what, "value": median(values), "unit": unit}
    if len(values) > 1:
        found["spread"] = f"{number(min(values))} to {number(max(values))}"
    if target:
        found["target"] = target
    if peers:
        found["peers"] = {
            name.replace("_", " "): ratio(values, theirs, unit == "/s")
            for name, theirs in peers.items()
        }
    return found | ({"main": True} if main else {})


def milliseconds(what: str, seconds: Sequence[float], target: str = "", main: bool = False,
                 **peers: Sequence[float]) -> dict:  # fmt: skip
    """A row of times, in milliseconds."""
    in_ms = {name: [1e3 * t for t in taken] for name, taken in peers.items()}
    return row(what, [1e3 * t for t in seconds], "ms", target, main, **in_ms)


def rate(what: str, n: int, seconds: Sequence[float], target: str = "", main: bool = False,
         **peers: tuple[int, Sequence[float]]) -> dict:  # fmt: skip
    """A row of things per second: `n` of them took `seconds`; a peer gives its n and seconds."""
    rates = {name: [count / t for t in taken] for name, (count, taken) in peers.items()}
    return row(what, [n / t for t in seconds], "/s", target, main, **rates)
