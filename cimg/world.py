"""A world: a directed acyclic graph of named discrete variables, with a table for each.

    world = World.load("duel")
    world.sample(5)                          # five rows, as a dict of integer tensors
    world.sample(5, do={"action": "attack"}) # five rows of the world where every actor attacks
    world.program(5)()                       # the same world as a Pyro program

Values travel as dicts of named integer tensors (codes); evidence and interventions as dicts of
names. `encode` and `describe` go from one to the other.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cimg.draw import Sampler
from cimg.files import write_file
from cimg.tables import (
    Variable,
    WorldError,
    brief,
    check_heads,
    check_name,
    in_order,
    short,
    some,
    whole,
    with_table,
)
from cimg.worldfile import MAX_FILE, keys_of, read_json, read_variable

if TYPE_CHECKING:
    import networkx

__all__ = ["Variable", "World", "WorldError"]

FOLDER = Path(__file__).parent / "worlds"


def check_is_world(thing: Any) -> None:
    """Raises WorldError for what is no World: most often it is the name of one."""
    if not isinstance(thing, World):
        raise WorldError(f"expected a World, as World.load gives it; found {brief(thing)}")


class World:
    """A DAG of named discrete variables with tables. It is checked when made and never changes.

    `variables` maps names to `Variable`s in topological order; the order in which they were
    listed is kept wherever it is already one. `visible` and `hidden` are the names of those that
    are drawn in the picture and those that are not.
    """

    def __init__(self, variables: Iterable[Variable], name: str = "", about: str = "") -> None:
        """Raises WorldError for the first thing that is wrong with `variables`."""
        if not isinstance(variables, Iterable):
            raise WorldError(f"expected the world's variables, found {brief(variables)}")
        listed = list(variables)
        if name != "":
            check_name(name, "the world", "its name")
        if not isinstance(about, str):
            raise WorldError(f"the world's about must be text, found {brief(about)}")
        if any("\ud800" <= c <= "\udfff" for c in about):  # JSON lets it in, no file takes it
            raise WorldError(f"the world's about has half a character in it: {brief(about)}")
        check_heads(listed)
        by_name = {variable.name: variable for variable in listed}
        self.name, self.about = name, about
        self.variables = {v.name: with_table(v, by_name) for v in in_order(listed)}
        self.visible = tuple(v.name for v in self.variables.values() if v.in_image)
        self.hidden = tuple(v.name for v in self.variables.values() if not v.in_image)
        self.plans: dict = {}  # kept by query.py: how to answer questions it has met before

    def __repr__(self) -> str:
        return f"World({self.name!r}: {len(self.visible)} visible, {len(self.hidden)} hidden)"

    # Files

    @classmethod
    def from_dict(cls, spec: Mapping[str, Any]) -> World:
        """A world from {"name", "about", "variables": [{"name", "values", "parents", "in_image",
        "cpt"}, ...]}; `cpt` is nested as [parent 1][parent 2]...[value]. `about`, `parents` (none)
        and `in_image` (false) may be left out. Raises WorldError."""
        spec = keys_of(spec, "the world", ("name", "variables"), ("about",))
        if not isinstance(spec["variables"], list | tuple):
            raise WorldError(f"variables must be a list, found {brief(spec['variables'])}")
        variables = [read_variable(entry, i) for i, entry in enumerate(spec["variables"])]
        return cls(variables, spec["name"], spec.get("about", ""))

    @classmethod
    def from_json(cls, path: str | Path) -> World:
        """A world from a JSON file (UTF-8). Raises WorldError, with the path in its message."""
        try:
            return cls.from_dict(read_json(path))
        except WorldError as error:
            raise WorldError(f"{path}: {error}") from error

    @classmethod
    def load(cls, name: str) -> World:
        """A world that comes with cimg, by its name. Raises WorldError with the names there are."""
        names = sorted(path.stem for path in FOLDER.glob("*.json"))
        if name not in names:
            raise WorldError(f"no world {short(name)} comes with cimg; there are: {some(names)}")
        return cls.from_json(FOLDER / f"{name}.json")

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` reads: plain lists, strings and numbers."""
        variables = [
            {
                "name": v.name,
                "values": list(v.values),
                "parents": list(v.parents),
                "in_image": v.in_image,
                "cpt": v.cpt.tolist(),
            }
            for v in self.variables.values()
        ]
        return {"name": self.name, "about": self.about, "variables": variables}

    def to_json(self, path: str | Path) -> None:
        """Write what `from_json` reads, whole or not at all. Raises WorldError where the file
        cannot be written, or would be larger than `from_json` reads."""
        text = f"{json.dumps(self.to_dict(), indent=1, ensure_ascii=False)}\n".encode()
        if len(text) > MAX_FILE:
            raise WorldError(f"{path}: {len(text):,} bytes, at most {MAX_FILE:,} can be read back")
        try:
            write_file(path, text)
        except OSError as error:
            raise WorldError(f"{path}: cannot be written: {error.strerror}") from error

    @classmethod
    def from_bif(cls, path: str | Path, normalise: bool = False) -> World:
        """A world from a file in BIF, the Bayesian interchange format; see `cimg.interop`."""
        from cimg.interop import from_bif  # needs pgmpy, which is an optional extra

        return from_bif(path, normalise)

    def to_bif(self, path: str | Path) -> None:
        """Write the world as BIF; see `cimg.interop`."""
        from cimg.interop import to_bif

        to_bif(self, path)

    # Names and codes

    def variable(self, name: str) -> Variable:
        """The variable of that name. Raises WorldError with the names there are."""
        found = self.variables.get(name) if isinstance(name, str) else None
        if found is None:
            raise WorldError(
                f"unknown variable {short(name)}; there are: {some(list(self.variables))}"
            )
        return found

    def encode(self, values: Mapping[str, str | int] | None) -> dict[str, int]:
        """{"action": "attack"} -> {"action": 0}. A code (an int) stays what it is; None is {}.

        Raises WorldError for an unknown name or value; it lists the ones there are."""
        if values is None:
            return {}
        if not isinstance(values, Mapping):
            raise WorldError(f"expected a dict of variables and values, found {brief(values)}")
        return {name: self._code(self.variable(name), value) for name, value in values.items()}

    @staticmethod
    def _code(variable: Variable, value: str | int) -> int:
        if isinstance(value, str) and value in variable.values:
            return variable.values.index(value)
        if not isinstance(value, str | bool) and hasattr(value, "__index__"):
            try:
                code = operator.index(value)
            except TypeError:  # a tensor has __index__, but only a single integer is one
                code = -1
            if 0 <= code < len(variable.values):
                return code
        there_are = some(variable.values)
        raise WorldError(f"unknown value {short(value)} of {variable.name}; there are: {there_are}")

    def describe(self, values: Mapping[str, Tensor], i: int = 0) -> dict[str, str]:
        """Row `i` of a dict of integer tensors [n], as names: {"action": "attack", ...}."""
        self.check(values)
        length = len(next(iter(values.values()), []))
        if not -length <= i < length:
            raise WorldError(f"there is no row {i} in values of length {length}")
        return {name: self.variables[name].values[int(codes[i])] for name, codes in values.items()}

    def check(self, values: Mapping[str, Tensor]) -> None:
        """Raises WorldError unless `values` has known names and, for each, an integer tensor [n]
        of one length n with codes in range. Variables may be missing."""
        if not isinstance(values, Mapping):
            raise WorldError(f"expected a dict of names and tensors, found {brief(values)}")
        length = None
        for name, codes in values.items():
            size = len(self.variable(name).values)
            if not isinstance(codes, Tensor) or codes.dim() != 1:
                what = f"shape {list(codes.shape)}" if isinstance(codes, Tensor) else brief(codes)
                raise WorldError(f"{name}: expected a tensor of shape [n], found {what}")
            if codes.is_floating_point() or codes.is_complex() or codes.dtype == torch.bool:
                raise WorldError(f"{name}: expected integers, found {codes.dtype}")
            codes = codes.long()  # torch finds no least of uint16
            length = len(codes) if length is None else length
            if len(codes) != length:
                raise WorldError(f"{name}: {len(codes)} rows, but those before it have {length}")
            if length and not 0 <= int(codes.min()) <= int(codes.max()) < size:
                row = int(((codes < 0) | (codes >= size)).nonzero()[0])
                found = int(codes[row])
                raise WorldError(f"{name}, row {row}: code {found} is not in 0 … {size - 1}")

    # Drawing

    def sample(
        self, n: int, seed: int = 0, do: Mapping[str, str | int] | None = None
    ) -> dict[str, Tensor]:
        """`n` independent rows of all variables by ancestral sampling: a dict of int64 tensors [n].

        `do` fixes variables and cuts the arrows into them. The same seed gives the same rows on
        every machine, and the first rows of a longer draw are those of a shorter one. (With
        and without `do`, one seed gives monotone twins, row by row: a coupling that comes with how
        rows are drawn and that nobody chose. To choose one, see `cimg.counterfactual`.) Raises
        WorldError for a bad size, seed, name or value."""
        n, seed = whole(n, "n"), whole(seed, "seed")
        drawn = self._sampler.draw(n, seed, self.encode(do))
        return {name: torch.from_numpy(codes) for name, codes in drawn.items()}

    @cached_property
    def _sampler(self) -> Sampler:
        return Sampler(list(self.variables.values()))

    def program(self, n: int = 1) -> Callable[[], dict[str, Tensor]]:
        """The world as a Pyro program: a function that draws `n` rows in a plate, with one
        `pyro.sample` site per variable, and returns them as a dict of tensors [n].

        `pyro.do` and `pyro.condition` work on it. Mind that `pyro.condition` alone fixes a site
        and infers nothing about its causes."""
        import pyro
        from pyro.distributions import Categorical

        n = whole(n, "n", 1)
        # As logits: given a probability of 0, `Categorical` would make it 2e-16.
        logs = {name: v.cpt.log() for name, v in self.variables.items()}

        def draw() -> dict[str, Tensor]:
            values: dict[str, Tensor] = {}
            with pyro.plate("rows", n):
                for v in self.variables.values():
                    row = logs[v.name][tuple(values[parent] for parent in v.parents)]
                    values[v.name] = pyro.sample(v.name, Categorical(logits=row))
            return {name: x.expand(n) if x.dim() == 0 else x for name, x in values.items()}

        return draw

    def graph(self) -> networkx.DiGraph:
        """The DAG as a `networkx.DiGraph`, each node with its `values` and `in_image`."""
        import networkx

        graph = networkx.DiGraph(name=self.name)
        for v in self.variables.values():
            graph.add_node(v.name, values=v.values, in_image=v.in_image)
            graph.add_edges_from((parent, v.name) for parent in v.parents)
        return graph
