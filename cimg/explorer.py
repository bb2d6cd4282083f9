"""The explorer: seeing, doing and imagining on one scene, with a control for every variable.

    Explorer(cimg.load("duel"))    # the last line of a cell

A thin shell of widgets. What it shows is worked out by pure functions of the controls' values
(`explorer_answer`), put into words (`explorer_words`) and into HTML (`explorer_page`,
`explorer_graph`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import ipywidgets as w

from cimg import explorer_page as page
from cimg.explorer_answer import SCENES, Controls, Shown, answer
from cimg.explorer_graph import graph
from cimg.vae import CausalVAE
from cimg.world import World

__all__ = ["SCENES", "Controls", "Explorer", "Shown", "answer", "ask", "options"]

FREE = "free"
ABOUT = {"any scene (seeing, doing)": False, "this very scene (imagining)": True}
FITS = {"description_width": "auto"}
ROW = {"flex_flow": "row wrap", "grid_gap": "2px 16px"}


def ask(model: CausalVAE, number: int, variable: str, value: str) -> Shown:
    """How would scene `number` look, had `variable` been `value`? The explorer's answer without its
    widgets, for a page without a kernel: see its `picture` and its `sentence`.

    Raises:
        WorldError: an unknown variable or value.
    """
    return answer(model, Controls(number, done={variable: value}, imagine=True))


def options(world: World, name: str) -> list[str]:
    """What a variable's control offers: "free", "seen: attack", …, "done: attack", …"""
    values = world.variables[name].values
    return [FREE, *(f"{kind}: {value}" for kind in ("seen", "done") for value in values)]


def question(world: World) -> Controls:
    """The question of the course: how would this image look, had the action been an attack?"""
    return Controls(done={"action": world.variables["action"].values[0]}, imagine=True)


class Explorer(w.VBox):
    """Controls, and what they show; every change is answered at once.

    Args:
        model: a trained picture model of any world.
        start: where the controls stand at first, by default at the question of the course.

    Raises:
        WorldError, SceneError: as `answer` at `start`.
    """

    def __init__(self, model: CausalVAE, start: Controls | None = None):
        world = model.world
        self.model, self.now = model, start or question(world)
        self.shown = answer(model, self.now)
        self.past: list[Controls] = []
        self.seed, self.setting = self.now.seed, False
        self.scene = w.BoundedIntText(
            0, 0, SCENES - 1, description="scene", style=FITS, layout={"width": "110px"}
        )
        self.about = w.Dropdown(options=list(ABOUT), description="ask about", style=FITS)
        self.truth = w.Checkbox(False, description="show the true pictures", indent=False)
        self.variables = {
            name: w.Dropdown(
                options=options(world, name),
                description=name,
                tooltip=f"{name}: free, seen or done. By keyboard: Space, arrows, Enter",
                style={"description_width": "130px"},
                layout={"width": "265px"},
            )
            for name in world.variables
        }
        self.buttons = {
            "see what the scene shows": self.see_scene,
            "draw others": self.draw_others,
            "undo": self.undo,
            "reset": self.reset,
        }
        self.answer, self.graph = w.HTML(), w.HTML()
        for part in (self.answer, self.graph):
            part.add_class("cimg-part")
        super().__init__(self._parts())
        self.set(self.now)
        for control in (self.scene, self.about, *self.variables.values()):
            control.observe(self._changed, "value")
        self.truth.observe(self._show, "value")

    def _parts(self) -> list[w.Widget]:
        """Controls on top; in columns, what happens, then who the actor is, and the reactor."""
        columns: dict[str, list[w.Widget]] = {"": [], "actor": [], "reactor": []}
        for name, control in self.variables.items():
            side = name.partition("_")[0]
            columns[side if side in columns else ""].append(control)
        buttons = []
        for name, action in self.buttons.items():
            button = w.Button(description=name, layout={"width": "auto"})
            button.on_click(partial(self._press, action))
            buttons.append(button)
        rows = [[self.scene, self.about, self.truth], buttons, map(w.VBox, columns.values())]
        boxes = [w.HBox(list(row), layout=ROW) for row in rows]
        return [w.HTML(page.STYLE), *boxes, self.answer, self.graph]

    # What the controls say, and back

    def controls(self) -> Controls:
        """Where the controls stand."""
        set_to = {name: control.value.split(": ", 1) for name, control in self.variables.items()}
        seen, done = (
            {name: parts[1] for name, parts in set_to.items() if parts[0] == kind}
            for kind in ("seen", "done")
        )
        return Controls(self.scene.value, seen, done, ABOUT[self.about.value], self.seed)

    def set(self, controls: Controls) -> None:
        """Put the controls somewhere, and show the answer once."""
        self.setting = True
        self.scene.value, self.seed = controls.scene, controls.seed
        self.about.value = next(k for k, v in ABOUT.items() if v == controls.imagine)
        for name, control in self.variables.items():
            kind = next((k for k in ("seen", "done") if name in getattr(controls, k)), FREE)
            control.value = f"{kind}: {getattr(controls, kind)[name]}" if kind != FREE else FREE
        self.setting = False
        self._show()

    def _changed(self, _) -> None:
        if not self.setting:
            self.past.append(self.now)
            self._show()

    def _show(self, _=None) -> None:
        self.now = self.controls()
        try:
            self.shown = answer(self.model, self.now)
        except ValueError as error:  # such as a world too large for an exact answer
            self.answer.value, self.graph.value = page.problem(error), ""
            return
        self.answer.value = page.answer(self.shown, self.truth.value)
        self.graph.value = page.page(graph(self.shown))

    # Buttons

    def _press(self, action, _) -> None:
        past, before = list(self.past), self.now
        action()
        if action != self.undo:
            self.past = [*past, before]

    def see_scene(self) -> None:
        """Take all that the model reads in the scene as seen, but for what is done."""
        done = self.now.done
        seen = {name: value for name, value in self.shown.read.items() if name not in done}
        self.set(replace(self.now, seen={**self.now.seen, **seen}))

    def draw_others(self) -> None:
        """Other pictures of seeing and doing. (Imagining draws the likeliest ones.)"""
        self.set(replace(self.now, seed=self.now.seed + 1))

    def undo(self) -> None:
        """Take back the last change."""
        if self.past:
            self.set(self.past.pop())

    def reset(self) -> None:
        """Set all free."""
        self.set(Controls(self.now.scene))

    # What is shown where there are no widgets

    def __repr__(self) -> str:
        return f"Explorer. {self.shown.picture!r}"

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        data, metadata = self.shown.picture._repr_mimebundle_()
        return super()._repr_mimebundle_(**kwargs) | data | {"text/plain": repr(self)}, metadata
