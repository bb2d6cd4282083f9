"""What the explorer answers: pure functions of its controls, without widgets and without HTML.

answer(model, Controls(scene=0, done={"action": "attack"}, imagine=True)).sentence
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from cimg import explorer_words as words
from cimg import imagine, show
from cimg.counterfactual import probability_had
from cimg.coupling import affected
from cimg.data import draw
from cimg.oracle import read_back
from cimg.picture import Picture
from cimg.query import log_evidence, probability
from cimg.scene import stage_of, style_of
from cimg.vae import CausalVAE
from cimg.world import World, WorldError

SCENES = 100  # how many scenes there are to choose from
PICTURES = 4  # how many the model draws for one answer, at most
RARE = 0.005  # what would have come out less often than this isn't drawn
Names = Mapping[str, str]
NOTHING = torch.zeros(0, 1, 1, dtype=torch.uint8)


@dataclass(frozen=True)
class Controls:
    """All that can be set.

    Attributes:
        scene: number of the scene that is looked at.
        seen, done: ``{variable: value}``; a variable is in one of them, or free.
        imagine: is the question about this very scene? Otherwise it is about any scene.
        seed: of the pictures of seeing and doing.
    """

    scene: int = 0
    seen: Names = field(default_factory=dict)
    done: Names = field(default_factory=dict)
    imagine: bool = False
    seed: int = 0

    @property
    def rung(self) -> str:
        return "imagine" if self.imagine else "do" if self.done else "see"


@dataclass(frozen=True, eq=False)
class Shown:
    """What there is to be shown.

    Attributes:
        world, controls: what was asked.
        scene: the scene that is looked at, ``uint8 [HEIGHT, WIDTH]``.
        style: its true style, ``{name: int64 [1]}``.
        read: the labels that the model reads in it, by name.
        seen: all the evidence; when imagining, what is read in the scene belongs to it.
        conflict: evidence that contradicts itself. Then there is nothing of what follows.
        chances: exact probabilities of every variable, ``{name: float64 [|values|]}``.
        drawn: the model's pictures, ``uint8 [n, HEIGHT, WIDTH]``.
        labels: what they are to show, ``{name: int64 [n]}``.
        odds: when imagining, the exact probability of each, ``float64 [n]``.
    """

    world: World
    controls: Controls
    scene: Tensor
    style: dict[str, Tensor]
    read: dict[str, str]
    seen: dict[str, str]
    conflict: tuple[str, ...] = ()
    chances: dict[str, Tensor] = field(default_factory=dict)
    drawn: Tensor = NOTHING
    labels: dict[str, Tensor] = field(default_factory=dict)
    odds: Tensor | None = None

    @cached_property
    def truth(self) -> Tensor:
        """The true picture of each of `drawn`: of the same labels, in the same style. Imagining
        keeps the style of the scene; otherwise the model has chosen one, and it is read back."""
        n = len(self.drawn)
        if not n:
            return self.drawn
        kept = {name: code.expand(n) for name, code in self.style.items()}
        stage = stage_of(self.world)
        style = kept if self.controls.imagine else read_back(self.drawn, stage)[0]
        return stage.render(style | self.labels)

    @cached_property
    def wrong(self) -> Tensor:
        """How many pixels of each of `drawn` are not those of the true picture: ``int64 [n]``."""
        return (self.drawn != self.truth).flatten(1).sum(1)

    @cached_property
    def captions(self) -> list[str]:
        """A few words under each of `drawn`."""
        return [words.caption(self, i) for i in range(len(self.drawn))]

    @cached_property
    def sentence(self) -> str:
        """The answer in words."""
        return words.sentence(self)

    @cached_property
    def picture(self) -> Picture:
        """Scene and drawn pictures, the true ones under them: the answer where no kernel runs."""
        stage = stage_of(self.world)
        if self.conflict:
            title = self.sentence
            return show.scenes(self.scene, ["the scene"], title=title, digest=False, stage=stage)
        scenes = torch.cat([self.scene[None], self.drawn, self.scene[None], self.truth])
        n = len(self.drawn) + 1
        marks = torch.zeros_like(scenes, dtype=torch.bool)
        marks[1:n] = self.drawn != self.truth
        short = (text.replace("probability", "P =") for text in self.captions)
        captions = ["the scene", *(f"the model: {text}" for text in short)]
        captions += ["the scene", *["the truth"] * (n - 1)]
        return show.scenes(scenes, captions, n, 3, marks, digest=False, stage=stage)


# ── The answer ──────────────────────────────────────────────────────────────────────────────────


def answer(model: CausalVAE, controls: Controls) -> Shown:
    """All that the explorer shows at these controls.

    Raises:
        WorldError: unknown names or values; a variable that is both seen and done; a scene or seed
            that is no whole number from 0; a world too large for exact answers.
        SceneError: the model has no styles to draw with: it was never trained.
    """
    world, (done, seen) = model.world, (controls.done, controls.seen)
    world.encode(seen | {})
    world.encode(done)
    if both := seen.keys() & done.keys():
        raise WorldError(f"{min(both)} is both seen and done: it can only be one of them")
    scenes, values = draw(world, 1, controls.scene)
    codes = imagine.read_labels(model, scenes[0])
    read = {name: world.variables[name].values[code] for name, code in codes.items()}
    evidence = {**seen, **read} if controls.imagine else dict(seen)
    start = (world, controls, scenes[0], {k: values[k] for k in style_of(world)}, read, evidence)
    # What is imagined to be done was not done when the evidence was seen.
    conflict = [k for k in seen if evidence[k] != seen[k]]
    conflict = conflict or contradiction(world, evidence, {} if controls.imagine else done)
    if conflict:
        return Shown(*start, tuple(conflict))
    chances = {name: chance(world, name, evidence, controls) for name in world.variables}
    if not controls.imagine:
        found = imagine.do(model, done, PICTURES, controls.seed, seen)
        labels = {name: found.values[name] for name in world.visible}
        return Shown(*start, (), chances, found.scenes, labels)
    labels, odds = outcomes(world, evidence, done)
    z, _ = model.encode(scenes, {name: torch.tensor([code]) for name, code in codes.items()})
    drawn = model.decode(z.expand(len(odds), -1), labels)
    return Shown(*start, (), chances, drawn, labels, odds)


def chance(world: World, name: str, seen: Names, controls: Controls) -> Tensor:
    """Exact P(variable) at these controls, ``float64 [|values|]``; 0 and 1 for what is fixed."""
    fixed = controls.done if controls.imagine else {**seen, **controls.done}
    if name in fixed:
        values = world.variables[name].values
        return torch.eye(len(values), dtype=torch.float64)[values.index(fixed[name])]
    if controls.imagine:
        return probability_had(world, name, seen, controls.done)
    return probability(world, name, seen, controls.done)


def outcomes(world: World, seen: Names, done: Names) -> tuple[dict[str, Tensor], Tensor]:
    """What would most probably have been seen, had `done` been done: up to `PICTURES` outcomes.

    `seen` has every visible variable. Under the Gumbel-max coupling, exactly: the visible
    variables' values, ``{name: int64 [n]}``, and the outcomes' probabilities, ``float64 [n]``,
    in falling order. Those below `RARE` are left out.
    """
    open_ = [name for name in affected(world, done) if name in world.visible]
    codes = world.encode({**seen, **done})
    if not open_:
        odds, found = torch.ones(1, dtype=torch.float64), {}
    else:
        table = probability_had(world, open_, seen, done)
        odds, index = table.flatten().topk(min(PICTURES, table.numel()))
        odds, index = odds[odds >= min(RARE, odds[0])], index[odds >= min(RARE, odds[0])]
        found = dict(zip(open_, torch.unravel_index(index, table.shape), strict=True))
    kept = {name: torch.full((len(odds),), codes[name]) for name in world.visible}
    return kept | found, odds


def contradiction(world: World, seen: Names, done: Names) -> list[str]:
    """Names of evidence that can't be, after `done`: as few as can be, so that it would be possible
    without any one of them. Empty where all of the evidence is possible."""
    if log_evidence(world, seen, done) > -math.inf:
        return []
    left = dict(seen)
    for name in seen:
        others = {k: v for k, v in left.items() if k != name}
        if log_evidence(world, others, done) == -math.inf:
            left = others
    return list(left)
