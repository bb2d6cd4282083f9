"""A conditional GAN on the same scenes: what a generator without a causal model can be asked.

    gan = load("arena-action")                   # told the action; "arena-all": told every label
    gan.see({"action": "attack"}, n=4)           # pictures like those in which an attack was seen
    gan.do({"action": "attack"}, n=4)            # needs every label, and the world's graph
    gan.imagine(...), gan.encode(...)            # an error that says why not

A generator draws out of noise and labels, a discriminator tells drawn from true scenes, and each
is trained against the other (Goodfellow et al. 2014; conditional: Mirza and Osindero 2014).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Adam

from cimg import checkpoint
from cimg.checkpoint import CheckpointError
from cimg.codes import SceneError, check_range
from cimg.gan_networks import COLOURS, HEIGHT, WIDTH, Generator, in_rgb
from cimg.query import sample_posterior
from cimg.scene import check_world, describe, stage_of, whole_number
from cimg.tables import whole
from cimg.world import World

FORMAT = 1
PART = 64  # scenes drawn at once
WIDEST = 4096  # networks of a checkpoint
RANDOM, BEST, SEARCH = 512, 4, 100  # latent optimisation: starts drawn, improved, steps of each
Values = Mapping[str, str | int]


class GANError(ValueError):
    """A question that this GAN can't be asked; says why."""


class GAN(nn.Module):
    """A generator with the world whose scenes it was taught, and the labels that it was told.

    Args:
        given: names of visible variables, in any order.

    Raises:
        SceneError: the world can't be drawn.
        GANError: `given` is empty, or names what isn't visible.
    """

    def __init__(self, world: World, given: Sequence[str] = ("action",), hidden: int = 128):
        super().__init__()
        stage = check_world(world)
        if isinstance(given, str) or not given or not set(given) <= set(world.visible):
            raise GANError(f"a GAN is told some of {', '.join(world.visible)}; found {given!r}")
        self.world, self.hidden = world, hidden
        self.given = tuple(name for name in world.visible if name in given)
        self.generator = Generator(self.given, hidden, stage.variables)

    @property
    def told_all(self) -> bool:
        """Whether every label is given, so that only style is left to the noise."""
        return len(self.given) == len(self.world.visible)

    def noise(self, n: int, seed: int = 0) -> Tensor:
        """Noise for n scenes, ``float [n, noise_size]``, standard normal; raises SceneError."""
        n, seed = whole_number(n, "n"), whole_number(seed, "seed")
        generator = torch.Generator().manual_seed(seed % 2**64)
        return torch.randn(n, self.generator.noise_size, generator=generator)

    def labels(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The labels that the generator is told, out of a dict of values, checked."""
        if not isinstance(values, Mapping):
            raise GANError(f"expected labels, a dict of tensors, found {describe(values)}")
        missing = [name for name in self.given if name not in values]
        if missing:
            found = ", ".join(values) or "nothing"
            raise GANError(f"to draw, this GAN needs {missing[0]!r}; given: {found}")
        labels = {name: values[name] for name in self.given}
        self.world.check(labels)
        return {name: codes.long() for name, codes in labels.items()}

    def draw(self, values: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """Scenes of these labels out of this noise, ``uint8 [n, HEIGHT, WIDTH]``.

        Raises:
            GANError: a label is missing, or noise of another shape.
            WorldError: a label that is no integer tensor ``[n]`` or out of range.
        """
        labels, size = self.labels(values), self.generator.noise_size
        n = len(labels[self.given[0]])
        if not isinstance(noise, Tensor) or noise.shape != (n, size):
            raise GANError(f"expected noise, float [{n}, {size}], found {describe(noise)}")
        pieces = [slice(i, i + PART) for i in range(0, max(n, 1), PART)]
        cut = [({k: x[i] for k, x in labels.items()}, noise[i]) for i in pieces]
        return torch.cat([self.generator.draw(e, part) for part, e in cut])

    # ── What it can be asked ────────────────────────────────────────────────────────────────────

    def see(
        self, given: Values | None = None, n: int = 1, seed: int = 0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Pictures of P(scene | given), and the values that were ordered for each.

        Labels that the generator needs and that aren't given are drawn from the world's tables.

        Raises:
            GANError: something is given that the generator is not told, unless it is told all.
            WorldError: unknown names or values, or evidence of probability 0.
        """
        given = {} if given is None else given
        self.world.encode(given)
        beyond = [name for name in given if name not in self.given]
        if beyond and not self.told_all:
            raise GANError(
                f"this GAN was told {', '.join(self.given)} alone: it has no input for "
                f"{beyond[0]!r}, and no way to reason from it to its own inputs"
            )
        values = sample_posterior(self.world, n, given, seed=seed)
        return self.draw(values, self.noise(n, seed)), values

    def do(
        self, do: Values, n: int = 1, seed: int = 0, given: Values | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Pictures of P(scene | given; do): only where all labels are inputs, and then it is the
        *world* that does: it says which labels follow, the GAN draws them.

        Raises:
            GANError: the GAN isn't told all labels.
            WorldError: unknown names or values, or evidence of probability 0.
        """
        if not self.told_all:
            raise GANError(
                f"this GAN has learnt P(scene | {', '.join(self.given)}): what goes along with "
                "what is seen. What an intervention would leave alone isn't in it: there is no "
                "graph to cut. Tell a GAN all labels, and let a causal model say which follow"
            )
        values = sample_posterior(self.world, n, given, do, seed)
        return self.draw(values, self.noise(n, seed)), values

    # ── What it can't ───────────────────────────────────────────────────────────────────────────

    def encode(self, *_, **__):
        """Always raises GANError: a GAN has no encoder."""
        raise GANError(
            "a GAN has no encoder: it goes from noise to scenes, and was never taught the way "
            "back. `gan.invert` searches for noise that draws a scene; it may find none"
        )

    def read(self, *_, **__):
        """Always raises GANError: a GAN doesn't read labels from scenes."""
        raise GANError(
            "a GAN doesn't read: its discriminator says how true a scene looks, not what is in it, "
            "and isn't kept"
        )

    def imagine(self, *_, **__):
        """Always raises GANError: a GAN can't abduct."""
        raise GANError(
            "a GAN can't imagine: what *this* scene would have been takes abduction, from the "
            "scene to style and structural noise, and a graph to say what follows. Without an "
            "encoder it draws another scene; without a graph it can't tell what stays"
        )


# ── The nearest thing to abduction ──────────────────────────────────────────────────────────────


def invert(
    gan: GAN, scene: Tensor, values: Mapping[str, Tensor], seed: int = 0, starts: int = RANDOM
) -> tuple[Tensor, int]:
    """Latent optimisation (Zhu et al. 2016), the nearest thing to abduction that a GAN allows:
    look for noise that draws this very scene.

    ``starts`` random noises are drawn, the best are improved by gradient descent.

    Args:
        scene: ``uint8 [HEIGHT, WIDTH]``.
        values: its labels, ``int64 [1]`` each; those that the GAN is told are needed.

    Returns:
        The noise ``[1, noise_size]`` and the number of pixels that are wrong with it.

    Raises:
        GANError: not one scene, or labels of more. SceneError: a colour that is none.
    """
    good = isinstance(scene, Tensor) and scene.dtype == torch.uint8
    if not good or scene.shape != (HEIGHT, WIDTH):
        raise GANError(f"expected one scene, uint8 [{HEIGHT}, {WIDTH}], found {describe(scene)}")
    check_range(scene, "scene", COLOURS)
    one = gan.labels(values)
    if (found := len(one[gan.given[0]])) != 1:
        raise GANError(f"expected the labels of one scene, found those of {found}")
    labels = {k: x.expand(whole_number(starts, "starts", 1)) for k, x in one.items()}
    noise = gan.noise(starts, seed)
    wrong = (gan.draw(labels, noise) != scene).flatten(1).sum(1)
    order = wrong.argsort(stable=True)[:BEST]
    best, least, few = noise[order], wrong[order], {k: x[order] for k, x in labels.items()}
    noise, goal = best.clone().requires_grad_(), in_rgb(scene[None])
    optimiser = Adam([noise], 0.05)
    for _ in range(SEARCH):
        optimiser.zero_grad()
        (gan.generator(noise, few) - goal).square().sum().backward()
        optimiser.step()
        wrong = (gan.generator.draw(noise, few) != scene).flatten(1).sum(1)
        better = wrong < least
        best, least = torch.where(better[:, None], noise.detach(), best), least.minimum(wrong)
    winner = least.argmin()
    return best[winner, None], int(least[winner])


# ── To and from disk ────────────────────────────────────────────────────────────────────────────


def save(gan: GAN, path: Path, settings: Mapping) -> None:
    """Write the generator (.safetensors, half precision) and its description (.json)."""
    about = {"format": FORMAT, "kind": "gan", "world": gan.world.name, "given": list(gan.given)}
    about |= {"drawn": checkpoint.fingerprint(gan.world), "hidden": gan.hidden}
    about["pictures"] = stage_of(gan.world).digest
    about |= {"settings": dict(settings)}
    checkpoint.write(path, {k: x.half() for k, x in gan.state_dict().items()}, about)


def load(name: str | Path = "arena-action", world: World | None = None) -> GAN:
    """A trained GAN: a shipped one ("arena-action", "arena-all"), or any other by its file's path.

    Raises:
        CheckpointError: no such weights, a broken file, or weights of another world or model.
        SceneError: the world can't be drawn; sheets of one's own are made known by `add_sprites`.
    """
    shipped = isinstance(name, str) and not name.endswith(".safetensors")
    path = checkpoint.FOLDER / f"gan-{name}.safetensors" if shipped else checkpoint.to_path(name)
    if shipped and not path.is_file():
        there = sorted(p.stem[4:] for p in checkpoint.FOLDER.glob("gan-*.safetensors"))
        found = ", ".join(there) or "none"
        raise CheckpointError(f"no GAN named '{name}' is shipped; there are: {found}")
    tensors, about = checkpoint.read(path)
    if (about.get("format"), about.get("kind")) != (FORMAT, "gan"):
        raise CheckpointError(
            f"{path}: expected a GAN of format {FORMAT}, found {about.get('kind', 'another model')}"
            f" of format {about.get('format')!r}"
        )
    try:
        given, hidden = tuple(about["given"]), whole(about["hidden"], "hidden", 1)
        world = world or checkpoint.shipped_world(str(about["world"]), path)
        if about["drawn"] != checkpoint.fingerprint(world):
            raise CheckpointError(
                f"{path}: made for world '{about['world']}' with other visible variables or values "
                f"than world '{world.name}' has"
            )
        if checkpoint.other_pictures(about, world):
            raise CheckpointError(f"{path}: trained on other sheets of the same characters")
        gan = GAN(world, given, min(hidden, WIDEST))
    except (CheckpointError, SceneError):
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: its description is not that of a GAN ({error})") from error
    checkpoint.fit(gan, tensors, path)
    return gan.eval().requires_grad_(False)
