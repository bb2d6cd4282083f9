"""Who can be drawn: the characters of a world, and the sheets of pictures that they need.

    add_sprites("my-sprites")     # a folder with imp-type1.png, imp-type2.png, ...
    stage_of(world)               # of cimg.scene: what draws a world with an imp in it

The cast of a world are the values of its variables: who acts and who reacts (`actor_character`,
`reactor_character`), of which type, in which of the six poses (`action`, `reaction`). Each sheet is
looked up by its name, in ``sprites/`` and in the folders that were added.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from .codes import SceneError
from .files import path_of
from .sprites import (
    FOLDER,
    POSES,
    SHEET_NAME,
    Palette,
    SpriteError,
    load_palette,
    load_sheet,
    read_sheets,
)
from .world import World, check_is_world

CHARACTERS = ("satyr", "golem")
TYPES = ("type1", "type2", "type3")
ACTIONS = ("attack", "taunt", "walk")
REACTIONS = ("die", "hurt", "idle", "attack")
ROLES = {"actor": "action", "reactor": "reaction"}  # who is drawn, and what says in which pose

_added: dict[str, tuple[Tensor, Path]] = {}  # "imp-type1" -> its sheet, and where it is from


class Cast(NamedTuple):
    """The values of a world's variables that say who is drawn, and in which poses."""

    characters: tuple[str, ...] = CHARACTERS
    types: tuple[str, ...] = TYPES
    actions: tuple[str, ...] = ACTIONS
    reactions: tuple[str, ...] = REACTIONS


@cache
def palette() -> Palette:
    """The 24 colours, the same on every stage."""
    return load_palette()


# ── Sheets ──────────────────────────────────────────────────────────────────────────────────────


def add_sprites(folder: str | Path) -> dict[str, tuple[str, ...]]:
    """Make the sheets of a folder known, ``character-type.png`` each, for worlds that ask for them.

    They are drawn in the course's palette; a ``palette.gpl`` among them has to be the same. What
    was added stays, until Python ends; to add a folder twice is no mistake.

    Returns:
        What is in the folder: ``{character: its types}``.

    Raises:
        SpriteError: no such folder, no sheets in it, a sheet or palette that can't be used (see
            `cimg.sprites`), or a sheet that is there already under this name with other pixels.
            Nothing of the folder is added then.
    """
    folder = path_of(folder, SpriteError)
    if not folder.is_dir():
        raise SpriteError(f"{folder}: expected a folder of sheets like imp-type1.png, found none")
    own = folder / "palette.gpl"
    if own.is_file() and not _same_colours(load_palette(own), palette()):
        raise SpriteError(f"{own}: expected the palette of the course, found other colours")
    found = read_sheets(folder, palette())
    sheets = {f"{who}-{kind}": sheet for who, of in found.items() for kind, sheet in of.items()}
    for name, sheet in sheets.items():
        there = _known(name)
        if there and not torch.equal(there[0], sheet):
            raise SpriteError(
                f"{folder / name}.png: {name} is there already, with another picture, from "
                f"{there[1]}; give it another name, or, if you drew it anew, start Python anew"
            )
    _added.update({name: (x, folder) for name, x in sheets.items() if not _known(name)})
    return {who: tuple(of) for who, of in found.items()}


def sheets_of(cast: Cast) -> dict[str, dict[str, Tensor]]:
    """The cast's sheets, ``{character: {type: uint8 [6, 24, 24]}}``, in the cast's order.

    Raises:
        SceneError: a sheet that is not there; it names the file.
        SpriteError: one that can't be used.
    """
    return {who: {kind: _sheet(who, kind) for kind in cast.types} for who in cast.characters}


def _sheet(character: str, kind: str) -> Tensor:
    name = f"{character}-{kind}"
    if not re.fullmatch(SHEET_NAME, f"{name}.png"):
        raise SceneError(
            f"'{character}' of type '{kind}' can't be drawn: a sheet has a name like imp-type1.png,"
            " character, hyphen, type, in small letters, digits and underscores"
        )
    there = _known(name)
    if there is None:
        places = [FOLDER.name, *dict.fromkeys(str(place) for _, place in _added.values())]
        raise SceneError(
            f"'{character}' of type '{kind}' can't be drawn: expected a sheet {name}.png in "
            f"{' or '.join(places)}; a folder of your own is made known by add_sprites"
        )
    return there[0]


def _known(name: str) -> tuple[Tensor, Path] | None:
    """A sheet by its name, and the folder that it is from, if there is one."""
    if name in _added:
        return _added[name]
    path = FOLDER / f"{name}.png"
    return (load_sheet(path, palette()), FOLDER) if path.is_file() else None


def _same_colours(one: Palette, other: Palette) -> bool:
    return one.names == other.names and torch.equal(one.rgb, other.rgb)


# ── Worlds ──────────────────────────────────────────────────────────────────────────────────────


def cast_of(world: World) -> Cast:
    """The cast that a world asks for; of what it doesn't say, the course's.

    Raises:
        SceneError: actor and reactor differ in characters or types, or a pose that isn't one.
        WorldError: no world at all.
    """
    check_is_world(world)
    usual = Cast()
    return Cast(
        _of_both(world, "character") or usual.characters,
        _of_both(world, "type") or usual.types,
        _poses(world, "action") or usual.actions,
        _poses(world, "reaction") or usual.reactions,
    )


def _of_both(world: World, part: str) -> tuple[str, ...]:
    """The characters, or the types, of a world: of both roles the same, or of the one that has."""
    found = {name: _values(world, name) for name in (f"{role}_{part}" for role in ROLES)}
    (first, values), (second, others) = found.items()
    if values and others and values != others:
        raise SceneError(
            f"world '{world.name}': '{first}' and '{second}' should have the same values in the "
            f"same order; found {', '.join(values)} and {', '.join(others)}"
        )
    return values or others


def _poses(world: World, name: str) -> tuple[str, ...]:
    values = _values(world, name)
    if strange := [value for value in values if value not in POSES]:
        raise SceneError(
            f"world '{world.name}': '{name}' may have the values {', '.join(POSES)}, the poses of "
            f"the sheets; found {strange[0]}"
        )
    return values


def _values(world: World, name: str) -> tuple[str, ...]:
    """Values of a visible variable; none if there is no such one."""
    return world.variables[name].values if name in world.visible else ()
