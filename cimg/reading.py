"""What a picture tells, exactly: P(labels | scene) and P(hidden variables | scene), by Bayes' rule.

    likelihood = ExactReader(world, Damage(noise=0.2, stone=True))(scenes)   # log P(scene | labels)
    posterior(world, likelihood)                                             # P(labels | scene)
    hidden(world, likelihood, "actor_strength")                              # P(strength | scene)

The renderer and the law of the damage are ours: P(scene | labels) is a sum over all styles and
all places of the stone. It has half a million terms, and is quickly done by parts: given the
background and the stone, the two characters don't meet in any pixel.

A reader that was learnt (`cimg.reader`) gives log q(labels | scene) under evenly drawn labels: that
is log P(scene | labels) but for a constant of each scene, and the same functions take it from
there. They multiply by P(labels), all labels *jointly*, and divide by the sum. Which P(labels)
depends on how the scene came about: one made under an intervention is to be read with `do`.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from cimg.codes import SceneError, describe, whole_number
from cimg.damage import CLEAN, Damage, standing
from cimg.query import probability
from cimg.scene import (
    FOOT,
    HALF,
    HEIGHT,
    ROLES,
    TOP,
    WIDTH,
    check_scenes,
    check_world,
    palette,
    unflatten,
)
from cimg.sprites import TRANSPARENT
from cimg.world import World

Values = Mapping[str, str | int]
PIXELS = HEIGHT * WIDTH
NEVER = 1e6  # nats: exp(-NEVER) is 0, and so is the probability of a pixel that noise 0 can't make


class ExactReader:
    """P(scene | labels) of scenes with this damage, computed from the renderer.

    Args:
        world: whose labels are read.
        damage: what happened to the scenes; how much of it is taken as known.

    Raises:
        SceneError: a world that can't be drawn.
    """

    def __init__(self, world: World, damage: Damage = CLEAN):
        stage = check_world(world)
        self.world, self.damage, drawn = world, damage, stage.variables
        self.parts = {  # role -> the variables of its views
            role: (f"{role}_character", f"{role}_type", pose, f"{role}_distance")
            for role, pose in ROLES.items()
        }
        order = ["sky", "sun", "hills", *self.parts["actor"], *self.parts["reactor"]]
        self.variables = {name: drawn[name] for name in order}
        self.style = {name: len(drawn[name]) for name in order if name not in world.visible}
        colours, solid = standing()
        self.stone = colours if damage.stone else colours[:1]
        self.open = ~solid if damage.stone else torch.ones(1, HEIGHT, WIDTH, dtype=torch.bool)
        self.behind = torch.from_numpy(stage.backgrounds)
        self.views = {role: torch.from_numpy(stage.figures(role)) for role in ROLES}
        self.free = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)  # what no character ever covers
        for role, views in self.views.items():
            self._half(self.free, role)[:] = (views == TRANSPARENT).all(0)

    def __call__(self, scenes: Tensor) -> Tensor:
        """log P(scene | labels), ``float64 [n, |label 1|, ..., |label k|]``, labels in the order of
        ``world.visible``; style and the stone's place are summed out. Labels that are e**700 times
        less probable than the best may be given as impossible, -inf.

        Raises:
            SceneError: not ``uint8 [n, HEIGHT, WIDTH]``, or a colour outside the palette.
        """
        check_scenes(scenes)
        sizes = [len(self.world.variables[name].values) for name in self.world.visible]
        out = torch.empty(len(scenes), *sizes, dtype=torch.float64)
        for i, scene in enumerate(scenes):
            out[i] = self._labels(scene)
        return out

    def joint(self, scene: Tensor, do: Values | None = None) -> Tensor:
        """P(labels, style | scene), ``float64`` with an axis for each of `variables`, in that
        order. ``scene`` is one, ``uint8 [HEIGHT, WIDTH]``.

        Raises:
            SceneError: not a scene, or one that no labels and style explain.
            WorldError: unknown names or values in ``do``.
        """
        if not isinstance(scene, Tensor) or scene.dim() != 2:
            raise SceneError(
                f"expected one scene, uint8 [{HEIGHT}, {WIDTH}], found {describe(scene)}"
            )
        check_scenes(scene[None])
        names = [name for name in self.variables if name in self.world.visible]
        weights = label_prior(self.world, do).permute(*map(self.world.visible.index, names)).log()
        for axis, name in enumerate(self.variables):
            weights = weights if name in names else weights.unsqueeze(axis)
        return _normalised((self._drawn(scene) + weights)[None])[0]

    def sample(
        self, scene: Tensor, n: int, seed: int = 0, do: Values | None = None
    ) -> dict[str, Tensor]:
        """``n`` rows of P(labels, style | scene): all drawn variables, ``int64 [n]`` each.

        Raises:
            SceneError, WorldError: as `joint`; n or seed is no whole number from 0.
        """
        n, seed = whole_number(n, "n"), whole_number(seed, "seed")
        steps = self.joint(scene, do).flatten().cumsum(0)
        uniform = np.random.PCG64(seed).random_raw(n) / 2.0**64
        index = torch.searchsorted(steps, torch.from_numpy(uniform) * steps[-1], right=True)
        return unflatten(self.variables, index.clamp_max(len(steps) - 1))

    # ── By parts ────────────────────────────────────────────────────────────────────────────────

    def _half(self, picture: Tensor, role: str) -> Tensor:
        """The part of a picture ``[..., HEIGHT, WIDTH]`` in which a character can stand."""
        columns = slice(HALF) if role == "actor" else slice(HALF, WIDTH)
        return picture[..., TOP:FOOT, columns]

    def _wrong(self, scene: Tensor) -> list[Tensor]:
        """How many pixels of a scene come out wrong: of those that belong to background and stone,
        ``[places, backgrounds]``, and to each character, ``[places, backgrounds, views]``."""
        seen = (scene == self.behind).float()  # [backgrounds, HEIGHT, WIDTH]
        clear = (self.free & self.open).flatten(1).float()
        stone = ((scene != self.stone) & ~self.open).flatten(1).sum(1)
        counts = [clear @ (1 - seen).flatten(1).T + stone[:, None]]
        for role, views in self.views.items():
            mine = (self._half(self.open, role) & ~self._half(self.free, role)).flatten(1).float()
            own = (self._half(scene, role) == views).flatten(1).float()  # never where transparent
            through = (views == TRANSPARENT).flatten(1).float()
            behind = mine[:, None] * self._half(seen, role).flatten(1)
            right = behind @ through.T + (mine @ own.T)[:, None]
            counts.append(mine.sum(1)[:, None, None] - right)
        return [x.double() for x in counts]

    def _parts(self, scene: Tensor) -> list[Tensor]:
        """log P(part of the scene | ...) for the three parts of `_wrong`, with the probability of
        style and of the stone's place in the first."""
        flip = self.damage.noise / len(palette().names)
        keep = 1 - self.damage.noise + flip
        cost = min(math.log(keep) - math.log(flip), NEVER) if flip else NEVER  # of a wrong pixel
        around, *halves = (-cost * count for count in self._wrong(scene))
        states = len(self.open) * math.prod(self.style.values())
        return [around + PIXELS * math.log(keep) - math.log(states), *halves]

    def _drawn(self, scene: Tensor, distances: bool = True) -> Tensor:
        """log P(scene, style | labels), with an axis for each of `variables`, or with distances
        summed out; the stone's place always is."""
        around, *halves = self._parts(scene)
        if not distances:
            steps = len(self.variables["actor_distance"])
            halves = [x.unflatten(2, (-1, steps)).logsumexp(3) for x in halves]
        tops = [x.amax(2) for x in halves]
        base = around + tops[0] + tops[1]
        actor, reactor = ((x - top[..., None]).exp() for x, top in zip(halves, tops, strict=True))
        actor *= (base - base.max()).exp()[..., None]
        log_p = torch.einsum("xba,xbr->bar", actor, reactor).log() + base.max()
        kept = [k for k in self.variables if distances or not k.endswith("_distance")]
        return log_p.view([len(self.variables[name]) for name in kept])

    def _labels(self, scene: Tensor) -> Tensor:
        """log P(scene | labels) of one scene."""
        distances = not {"actor_distance", "reactor_distance"} <= self.style.keys()
        names = [k for k in self.variables if distances or not k.endswith("_distance")]
        axes = [i for i, name in enumerate(names) if name in self.style]
        table = self._drawn(scene, distances)
        table = table.logsumexp(axes) if axes else table  # a world may make all style a label
        left = [name for name in names if name not in self.style]
        return table.permute(*map(left.index, self.world.visible))


# ── Bayes' rule, for any reader ─────────────────────────────────────────────────────────────────


def label_prior(world: World, do: Values | None = None) -> Tensor:
    """P(labels; do), ``float64 [|label 1|, ...]`` in the order of ``world.visible``.

    Raises:
        WorldError: unknown names or values.
    """
    return _with_labels(world, (), do)


def posterior(world: World, log_likelihood: Tensor, do: Values | None = None) -> Tensor:
    """P(labels | scene; do) ∝ P(labels; do) P(scene | labels), ``float64 [n, |label 1|, ...]``.

    Args:
        log_likelihood: ``[n, |label 1|, ...]``, up to a constant for each scene: an exact reader's
            log P(scene | labels), or a learnt reader's log q(labels | scene) under even labels.
        do: the intervention that the scenes were made under, if any.

    Raises:
        SceneError: a table of another shape, or a scene that no labels explain.
        WorldError: unknown names or values in ``do``.
    """
    prior = label_prior(world, do)
    _check_table(log_likelihood, prior.shape)
    return _normalised(log_likelihood.double() + prior.log())


def hidden(
    world: World,
    log_likelihood: Tensor,
    names: str | Sequence[str],
    do: Values | None = None,
) -> Tensor:
    """P(hidden variables | scene; do) = Σ_labels P(hidden | labels; do) P(labels | scene; do),
    ``float64 [n, |name 1|, ...]``. Arguments and errors as `posterior`; ``names`` are hidden."""
    names = (names,) if isinstance(names, str) else tuple(names)
    joint = _with_labels(world, names, do)  # P(labels, hidden; do)
    labels = posterior(world, log_likelihood, do).flatten(1)
    joint = joint.reshape(labels.shape[1], -1)
    given = (joint / joint.sum(1, keepdim=True)).nan_to_num()  # labels of probability 0 add nothing
    return (labels @ given).view(-1, *(len(world.variables[name].values) for name in names))


def marginals(world: World, table: Tensor) -> dict[str, Tensor]:
    """P(label | scene) for each label out of P(labels | scene): ``{name: [n, |values|]}``."""
    axes = range(1, table.dim())
    others = {name: [a for a in axes if a != i] for i, name in enumerate(world.visible, start=1)}
    return {name: table.sum(of) if of else table for name, of in others.items()}


def _with_labels(world: World, names: Sequence[str], do: Values | None) -> Tensor:
    """P(labels, names; do) with an axis for each; a label that is set has all its mass there."""
    done = world.encode(do or {})
    targets = [name for name in (*world.visible, *names) if name not in done]
    table = probability(world, targets, do=do) if targets else torch.ones(()).double()
    for axis, name in enumerate((*world.visible, *names)):
        if name in done:
            shape = list(table.shape)
            shape.insert(axis, len(world.variables[name].values))
            wide = torch.zeros(shape, dtype=table.dtype)
            wide.select(axis, done[name]).copy_(table)
            table = wide
    return table


def _check_table(table: Tensor, shape: torch.Size) -> None:
    if not isinstance(table, Tensor) or table.shape[1:] != shape:
        raise SceneError(f"expected a table [n, {str(list(shape))[1:]}, found {describe(table)}")


def _normalised(log_p: Tensor) -> Tensor:
    """Probabilities from logs, each row's table on its own."""
    flat = log_p.flatten(1)
    bad = (~(flat.max(1).values > -NEVER / 2)).nonzero()
    if len(bad):
        raise SceneError(f"scene {int(bad[0])}: no labels and style of this world explain it")
    return flat.softmax(1).view_as(log_p)
