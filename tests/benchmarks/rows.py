"""What a benchmark gives back: rows.

A row is a dict with "what" (text), "value" (number), "unit" (text), and where there is one "target"
(text such as "≤ 2" or "≥ 50,000"), "spread" (text), "note" (text), "peers" ({name: {"value": the
peer's, "least", "median", "most": how many times better ours is, turn by turn}}) and "main" (True:
README shows it). See clock.py, which makes them.
"""

import importlib
import re

FIELDS = {"what": str, "value": (int, float), "unit": str}
OPTIONAL = {"target": str, "spread": str, "note": str, "peers": dict, "main": bool}
RATIO = {"value", "least", "median", "most"}


def check_row(row: dict, module: str) -> dict:
    """The row; TypeError or ValueError if it isn't one."""
    for key, kind in FIELDS.items():
        if not isinstance(row.get(key), kind):
            raise TypeError(f"{module}: a row's '{key}' should be {kind}, found {row.get(key)!r}")
    for key in OPTIONAL.keys() & row.keys():
        if not isinstance(row[key], OPTIONAL[key]):
            raise TypeError(f"{module}: a row's '{key}' should be {OPTIONAL[key].__name__}")
    unknown = set(row) - FIELDS.keys() - OPTIONAL.keys()
    if unknown:
        raise ValueError(f"{module}: a row has unknown keys {sorted(unknown)}")
    for name, peer in row.get("peers", {}).items():
        if peer.keys() != RATIO or not peer["least"] <= peer["median"] <= peer["most"]:
            raise ValueError(f"{module}: {name}: expected {sorted(RATIO)} in order, found {peer}")
    met(row["value"], row.get("target", ""))  # raises if the target can't be read
    return row


def met(value: float, target: str) -> bool | None:
    """Whether a value meets "≤ 2" or "≥ 50,000"; None where there is no target."""
    if not target:
        return None
    parsed = re.fullmatch(r"([≤≥]) ([\d,]+(?:\.\d+)?(?:e-?\d+)?)", target)
    if not parsed:
        raise ValueError(f"target {target!r} should read like '≤ 2' or '≥ 50,000'")
    limit = float(parsed[2].replace(",", ""))
    return value <= limit if parsed[1] == "≤" else value >= limit


def measure_here(name: str) -> list[dict]:
    """The rows of one module."""
    module = importlib.import_module(f"tests.benchmarks.{name}")
    return [check_row(row, name) for row in module.measure()]
