"""Worlds from and to other programs: BIF files, and pgmpy's `DiscreteBayesianNetwork`.

BIF needs nothing but cimg. For pgmpy, install the extra: pip install "cimg[interop]".
(A `networkx` graph is what `World.graph` gives.)
"""

from __future__ import annotations

import gzip
import io
import itertools
import re
import zlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cimg.bif import read_bif
from cimg.files import read_file, write_file
from cimg.tables import Variable, WorldError, brief, first, row_name
from cimg.world import World

if TYPE_CHECKING:
    from pgmpy.models import DiscreteBayesianNetwork

MAX_FILE = 16 * 2**20  # bytes of BIF text; the largest networks in use have a third of that
NORMALISE_WITHIN = 0.01  # a row farther from 1 than that is a mistake, not rounding
PLAIN = re.compile(r"(?!.*(?://|/\*))[\w.+*/<>=%:&!?#@$^~'-]+")  # what BIF needs no quotes for


def from_bif(path: str | Path, normalise: bool = False) -> World:
    """A world from a BIF file, or a gzipped one whose name ends in .gz.

    Rows must sum to 1 within 1e-6, as in any world. Many files in use are rounded more than that:
    `normalise=True` divides every row by its sum, if that is within 0.01 of 1. A variable is
    drawn (`in_image`) if it has the property "in_image = true", which `to_bif` writes.
    Raises WorldError with the path and, for text that isn't BIF, the line.
    """
    try:
        name, variables = read_bif(_text(path))
        return World(normalised(variables) if normalise else variables, name)
    except WorldError as error:
        raise WorldError(f"{path}: {error}") from error


def to_bif(world: World, path: str | Path) -> None:
    """Write a world as BIF: names, values, parents, `in_image`, and every number to its last
    digit. `about` has no place in BIF and isn't written. Raises WorldError where a name can't be
    written, or the file can't be, or would be larger than `from_bif` reads."""
    text = bif_text(world).encode()
    if len(text) > MAX_FILE:
        raise WorldError(f"{path}: {len(text):,} bytes, at most {MAX_FILE:,} can be read back")
    try:
        write_file(path, text)
    except OSError as error:
        raise WorldError(f"{path}: cannot be written: {error.strerror}") from error


def _text(path: str | Path) -> str:
    """What is in a file, gzipped or not, if it is UTF-8 and not too large."""
    try:
        data = read_file(path, MAX_FILE)
        if str(path).endswith(".gz"):
            with gzip.open(io.BytesIO(data)) as file:  # some kilobytes may unfold to any size
                data = file.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            raise WorldError(f"larger than {MAX_FILE:,} bytes")
        return data.decode("utf-8")
    except (OSError, EOFError, zlib.error) as error:
        raise WorldError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except UnicodeDecodeError as error:
        raise WorldError(f"not UTF-8 text: {error.reason}") from error


def normalised(variables: Iterable[Variable]) -> list[Variable]:
    """The variables with each row of their tables (arrays [..., |values|]) divided by its sum.

    Raises WorldError for a row whose sum is not within 0.01 of 1."""
    listed = list(variables)
    by_name = {variable.name: variable for variable in listed}
    found = []
    for variable in listed:
        table = np.asarray(variable.cpt, dtype=np.float64)
        total = table.sum(-1, keepdims=True)
        if not (near := np.abs(total[..., 0] - 1) <= NORMALISE_WITHIN).all():
            index = first(~near)
            row = row_name([by_name[parent] for parent in variable.parents], index)
            raise WorldError(
                f"variable {variable.name!r}, {row}: the row sums to {total[index][0]:.12g}; "
                f"only a sum within {NORMALISE_WITHIN} of 1 is normalised"
            )
        found.append(replace(variable, cpt=table / total))
    return found


def bif_text(world: World) -> str:
    """The world as BIF text."""
    parts = [f"network {_word(world.name or 'unknown')} {{\n}}\n"]
    for v in world.variables.values():
        values = ", ".join(_word(value) for value in v.values)
        drawn = "  property in_image = true ;\n" if v.in_image else ""
        parts.append(
            f"variable {_word(v.name)} {{\n"
            f"  type discrete [ {len(v.values)} ] {{ {values} }};\n{drawn}}}\n"
        )
    for v in world.variables.values():
        given = f" | {', '.join(_word(parent) for parent in v.parents)}" if v.parents else ""
        parts.append(f"probability ( {_word(v.name)}{given} ) {{\n")
        choices = [[_word(x) for x in world.variables[parent].values] for parent in v.parents]
        rows = v.cpt.reshape(-1, len(v.values)).tolist()
        for choice, row in zip(itertools.product(*choices), rows, strict=True):
            start = f"({', '.join(choice)})" if choice else "table"
            parts.append(f"  {start} {', '.join(map(repr, row))};\n")
        parts.append("}\n")
    return "".join(parts)


def _word(name: str) -> str:
    """A name as BIF has it: in quotes where it isn't one plain word."""
    if '"' in name:
        raise WorldError(f"{name!r} can't be written as BIF: it has a double quote in it")
    return name if PLAIN.fullmatch(name) else f'"{name}"'


def to_pgmpy(world: World) -> DiscreteBayesianNetwork:
    """The world as a pgmpy network, with `in_image` as an attribute of its nodes."""
    _pgmpy()
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    network = DiscreteBayesianNetwork()
    network.name = world.name
    for v in world.variables.values():
        network.add_node(v.name)
        network.nodes[v.name]["in_image"] = v.in_image
    network.add_edges_from((p, v.name) for v in world.variables.values() for p in v.parents)
    for v in world.variables.values():
        axes = [*v.parents, v.name]
        table = v.cpt.reshape(-1, len(v.values)).T.numpy()
        sizes = [len(world.variables[p].values) for p in v.parents]
        names = {a: list(world.variables[a].values) for a in axes}
        network.add_cpds(
            TabularCPD(v.name, len(v.values), table, list(v.parents), sizes, state_names=names)
        )
    return network


def from_pgmpy(network: DiscreteBayesianNetwork, normalise: bool = False) -> World:
    """A world from a pgmpy network. States that aren't text become text (0 becomes "0").

    `normalise` as in `from_bif`. Raises WorldError for another kind of network, a variable
    without a table, and whatever is wrong with a world."""
    _pgmpy()
    from pgmpy.models import DiscreteBayesianNetwork

    if not isinstance(network, DiscreteBayesianNetwork):
        raise WorldError(f"expected a DiscreteBayesianNetwork, found {brief(network)}")
    variables = []
    for node in network.nodes:
        if (cpd := network.get_cpds(node)) is None:
            raise WorldError(f"variable {node!r} has no table (CPD)")
        if set(cpd.variables[1:]) != set(network.predecessors(node)):
            raise WorldError(f"variable {node!r}: its table and its arrows have other parents")
        parents = [str(name) for name in cpd.variables[1:]]
        values = tuple(str(state) for state in cpd.state_names[node])
        table = np.moveaxis(np.asarray(cpd.values, dtype=np.float64), 0, -1)
        drawn = bool(network.nodes[node].get("in_image", False))
        variables.append(Variable(str(node), values, tuple(parents), drawn, table))
    return World(normalised(variables) if normalise else variables, network.name or "")


def _pgmpy() -> None:
    """Say what to install where pgmpy is missing."""
    try:
        import pgmpy  # noqa: F401
    except ImportError as error:
        raise ImportError('this needs pgmpy: pip install "cimg[interop]"') from error
