"""The explorer: pick a scene, change one thing, see how it would have looked.

`ask` is a pure function of the controls' values; `Explorer` is a thin shell of widgets over it.
"""

from base64 import b64encode
from dataclasses import dataclass
from html import escape

import ipywidgets as w
import torch
from torch import Tensor

from cimg import show
from cimg.counterfactual import probability_had
from cimg.data import draw
from cimg.imagine import read_labels
from cimg.picture import Picture
from cimg.scene import render, style_of
from cimg.vae import CausalVAE
from cimg.world import World

SCENES = 100  # how many scenes the explorer has to offer


@dataclass(frozen=True)
class Shown:
    """What the explorer shows: fact, the model's answer, the truth; and a sentence under them."""

    picture: Picture
    sentence: str


def scene(world: World, number: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Scene ``number`` of the explorer, ``uint8 [1, H, W]``, and all values behind it."""
    return draw(world, 1, number)


def likeliest(
    world: World, seen: dict[str, int], do: dict[str, str]
) -> tuple[dict[str, Tensor], float]:
    """The labels that most probably would have been, and their exact counterfactual probability
    (Gumbel-max coupling): ``{name: int64 [1]}`` for every visible variable."""
    free = [name for name in world.visible if name not in do]
    table = probability_had(world, free, seen, do)
    codes = torch.unravel_index(table.argmax(), table.shape)
    labels = dict(zip(free, codes, strict=True)) | world.encode(do)
    return {name: torch.as_tensor(labels[name]).reshape(1) for name in world.visible}, float(
        table.max()
    )


def ask(model: CausalVAE, number: int, variable: str, value: str) -> Shown:
    """How would scene ``number`` look, had ``variable`` been ``value``?

    Raises:
        WorldError: an unknown variable or value.
    """
    world, do = model.world, {variable: value}
    world.encode(do)
    fact, values = scene(world, number)
    seen = read_labels(model, fact[0])
    z, _ = model.encode(fact, {name: torch.tensor([code]) for name, code in seen.items()})
    would, probability = likeliest(world, seen, do)
    drawn = model.decode(z, would)
    truth = render({name: values[name] for name in style_of(world)} | would)
    wrong = (drawn != truth)[0]
    captions = ["the scene", f"the model: {variable} = {value}", "the truth"]
    marks = torch.stack([torch.zeros_like(wrong), wrong, torch.zeros_like(wrong)])
    picture = show.scenes(
        torch.cat([fact, drawn, truth]), captions, columns=3, marks=marks, digest=False
    )
    return Shown(picture, sentence(world, seen, would, do, probability, int(wrong.sum())))


def sentence(
    world: World,
    seen: dict[str, int],
    would: dict[str, Tensor],
    do: dict[str, str],
    probability: float,
    wrong: int,
) -> str:
    """What is seen, in words: what would have changed, how probably, how far from the truth."""
    names = {name: world.variables[name].values for name in seen}
    changed = [
        f"{name} {names[name][seen[name]]} → {names[name][int(would[name])]}"
        for name in seen
        if name not in do and seen[name] != int(would[name])
    ]
    (variable, value), *_ = do.items()
    what = f"Had {variable} been {value}"
    if names[variable][seen[variable]] == value:
        what += " (as it was)"
    follows = ", ".join(changed) if changed else "nothing else would have changed"
    off = f"{wrong} pixel{'s' * (wrong > 1)} off the truth"
    pixels = off if wrong else "pixel for pixel the true picture"
    return f"{what}: most probably {follows} (probability {probability:.2f}); {pixels}."


def html(shown: Shown) -> str:
    """Picture and sentence as HTML, the picture with its alternative text."""
    source = b64encode(shown.picture.png).decode()
    image = (
        f'<img src="data:image/png;base64,{source}" alt="{escape(shown.picture.alt)}" '
        f'width="{shown.picture.width}" style="max-width: 100%">'
    )
    return f"{image}<p>{escape(shown.sentence)}</p>"


class Explorer(w.VBox):
    """Controls and pictures: ``Explorer(model)`` as the last line of a cell."""

    def __init__(self, model: CausalVAE, number: int = 0, variable: str = "action"):
        self.model = model
        self.number = w.IntSlider(
            number, 0, SCENES - 1, description="scene", continuous_update=False
        )
        self.variable = w.Dropdown(options=model.world.visible, value=variable, description="had")
        self.value = w.Dropdown(options=self._values(), description="been")
        self.answer = w.HTML()
        super().__init__([w.HBox([self.number, self.variable, self.value]), self.answer])
        self.variable.observe(self._new_variable, "value")
        for control in (self.number, self.value):
            control.observe(self._update, "value")
        self._update()

    def _values(self) -> tuple[str, ...]:
        return self.model.world.variables[self.variable.value].values

    def _new_variable(self, _=None) -> None:
        self.value.options = self._values()  # sets the value too, which updates the picture
        self._update()

    def _update(self, _=None) -> None:
        shown = ask(self.model, self.number.value, self.variable.value, self.value.value)
        self.answer.value = html(shown)

    def __repr__(self) -> str:
        return "Explorer: controls for scene, variable and value, and the three pictures"

    def _repr_mimebundle_(self, **kwargs):
        data = super()._repr_mimebundle_(**kwargs)
        return data | {"text/plain": repr(self)}
