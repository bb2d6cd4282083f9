"""The guide of the whole model: hidden variables from their exact posterior, z from the network.

The hidden variables of a world aren't drawn, so that a picture tells of them only through its
labels: q(hidden | labels) needn't be learnt, it is P(hidden | labels), computed from the tables.
With it the ELBO of the whole model is log P(labels) plus the ELBO of the drawing half, for every
single draw: nothing is lost in the hidden part.
"""

from collections.abc import Mapping
from math import prod

import pyro
from pyro.distributions import Categorical
from torch import Tensor

from cimg.conditional import ConditionalVAE
from cimg.query import probability
from cimg.tables import WorldError
from cimg.world import World

LARGEST = 2**22  # entries of the joint table, 32 MiB


class HiddenPosterior:
    """P(hidden | labels) of a world, one hidden variable after the other (the chain rule).

    Attributes:
        tables: for each hidden variable its distribution given all labels and the hidden variables
            before it, ``float64 [|label 1|, ..., |hidden 1|, ..., |itself|]``.

    Raises:
        WorldError: the joint table of the world has more than `LARGEST` entries.
    """

    def __init__(self, world: World):
        self.world = world
        names = [*world.visible, *world.hidden]
        size = prod(len(world.variables[name].values) for name in names)
        if size > LARGEST:
            raise WorldError(f"the joint table has {size:,} entries, at most {LARGEST:,} allowed")
        joint = probability(world, names)
        self.labels = first_axes(joint, len(world.visible))
        self.tables: dict[str, Tensor] = {}
        for k, name in enumerate(world.hidden, len(world.visible) + 1):
            table = first_axes(joint, k)
            self.tables[name] = (table / table.sum(-1, keepdim=True)).nan_to_num()  # never drawn

    def log_labels(self, values: Mapping[str, Tensor]) -> Tensor:
        """log P(labels) of each row, ``float64 [n]``."""
        return self.labels[tuple(values[name] for name in self.world.visible)].log()

    def sample(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Draw the hidden variables as Pyro sites, ``{name: int64 [n]}``; to be called in a plate.

        Raises:
            WorldError: labels of probability 0, of which nothing can be hidden.
        """
        impossible = self.log_labels(values).isinf().nonzero()
        if len(impossible):
            labels = {name: values[name] for name in self.world.visible}
            row = int(impossible[0])
            raise WorldError(f"row {row}: {self.world.describe(labels, row)} has probability 0")
        index = [values[name] for name in self.world.visible]
        drawn: dict[str, Tensor] = {}
        for name, table in self.tables.items():
            drawn[name] = pyro.sample(name, Categorical(table[tuple(index)]))
            index.append(drawn[name])
        return drawn


def first_axes(joint: Tensor, k: int) -> Tensor:
    """A joint table of its first k variables: the others, if there are any, are summed out."""
    return joint.reshape(*joint.shape[:k], -1).sum(-1)


def guide(
    model: ConditionalVAE, posterior: HiddenPosterior, scenes: Tensor, values: Mapping[str, Tensor]
) -> None:
    """The guide of `ConditionalVAE.model`, conditioned on scenes and labels, as a Pyro program."""
    with pyro.plate("rows", len(scenes)):
        posterior.sample(values)
    model.guide(model.look(scenes), values)


def program(model: ConditionalVAE, scenes: Tensor, values: Mapping[str, Tensor]):
    """`ConditionalVAE.model` with scenes and labels observed: what `guide` is the guide of."""
    labels = {name: values[name] for name in model.world.visible}
    observed = labels | {"scene": scenes}
    return pyro.condition(lambda: model.model(len(scenes)), data=observed)
