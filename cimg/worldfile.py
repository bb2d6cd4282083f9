"""World files: JSON in, plain dicts out, with an error for each thing that can be wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cimg.files import read_file
from cimg.tables import Variable, WorldError, brief, short, some

MAX_FILE = 16 * 2**20  # bytes; in Python's lists and dicts they may become twenty times as many


def read_json(path: str | Path) -> Any:
    """What is in a JSON file (UTF-8). Raises WorldError where it can't be read."""
    try:
        return json.loads(read_file(path, MAX_FILE).decode(), object_pairs_hook=_once)
    except OSError as error:
        raise WorldError(f"it cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WorldError(f"it is not UTF-8 text: {error.reason}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise WorldError(f"it is not JSON, {where}: {error.msg}") from error
    except RecursionError as error:
        raise WorldError("it is nested too deeply to be a world") from error
    except WorldError:
        raise
    except ValueError as error:  # an integer of more digits than Python will read
        raise WorldError(f"it is not a world: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as a dict; JSON lets a key come twice and Python would keep the last."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise WorldError(f"the key {short(key)} comes twice in one object")
        found[key] = value
    return found


def keys_of(entry: Any, where: str, needed: tuple[str, ...], optional: tuple[str, ...]) -> dict:
    """`entry`, if it is a mapping with all needed keys and no unknown one."""
    if not isinstance(entry, Mapping):
        raise WorldError(f"{where}: expected an object with {some(needed)}, found {brief(entry)}")
    if missing := [key for key in needed if key not in entry]:
        raise WorldError(f"{where}: the key {missing[0]!r} is missing")
    if unknown := [key for key in entry if key not in needed + optional]:
        expected = some(needed + optional)
        raise WorldError(f"{where}: unknown key {short(unknown[0])}; expected {expected}")
    return dict(entry)


def read_variable(entry: Any, position: int) -> Variable:
    """One entry of a world's list of variables; its table is not looked at yet."""
    where = f"variable number {position + 1}"
    if isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
        where = f"variable {short(entry['name'])}"
    entry = keys_of(entry, where, ("name", "values", "cpt"), ("parents", "in_image"))
    for key in ("values", "parents"):
        if not isinstance(entry.get(key, []), list | tuple):
            raise WorldError(f"{where}: {key} must be a list of names, found {brief(entry[key])}")
    return Variable(
        name=entry["name"],
        values=tuple(entry["values"]),
        parents=tuple(entry.get("parents", [])),
        in_image=entry.get("in_image", False),
        cpt=entry["cpt"],
    )
