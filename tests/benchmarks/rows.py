"""What a benchmark gives back: rows.

A row is a dict with "what" (text), "value" (number), "unit" (text), and where there is one "target"
(text such as "≤ 2" or "≥ 50,000"), "spread" (text) and "note" (text); or, for a time, a tuple
(what, seconds, target in seconds or None).
"""

import importlib
import re

FIELDS = {"what": str, "value": (int, float), "unit": str}
OPTIONAL = {"target": str, "spread": str, "note": str}


def check_row(row: dict | tuple, module: str) -> dict:
    """The row, written out if it was a tuple; TypeError or ValueError if it isn't one."""
    if isinstance(row, tuple):
        what, seconds, limit = row
        row = {"what": what, "value": seconds, "unit": "s"}
        row |= {} if limit is None else {"target": f"≤ {limit:g}"}
    for key, kind in FIELDS.items():
        if not isinstance(row.get(key), kind):
            raise TypeError(f"{module}: a row's '{key}' should be {kind}, found {row.get(key)!r}")
    unknown = set(row) - FIELDS.keys() - OPTIONAL.keys()
    if unknown:
        raise ValueError(f"{module}: a row has unknown keys {sorted(unknown)}")
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
