"""What the doctor tries out: does the course load, how fast does it render, how fast does it train?

Everything is imported where it is first needed, so that whatever can't be imported is reported by
the doctor and doesn't stop it.
"""

import shutil
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path


def built_for_cards() -> bool:
    """Is the PyTorch that is installed the one for NVIDIA's cards? Nothing is imported to find out:
    that alone would take half a gigabyte of memory."""
    torch = find_spec("torch")
    libraries = Path(torch.origin).parent / "lib" if torch and torch.origin else Path("nowhere")
    return any(libraries.glob("*torch_cuda.*"))


def has_card() -> bool:
    """Is there an NVIDIA card? Its driver brings a command of that name."""
    return shutil.which("nvidia-smi") is not None


def load_world() -> None:
    from cimg.world import World

    World.load("duel")


def load_sprites() -> None:
    from cimg.sprites import load_sheets

    load_sheets()


def load_weights() -> None:
    import cimg

    cimg.load()


def rate(work: Callable[[], int], seconds: float) -> float:
    """How much of some work gets done in a second, measured for about so long, after one turn that
    isn't counted: a first turn also loads, plans and fills caches."""
    work()
    done, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < seconds or not done:
        done += work()
    return done / taken


def rendering_rate(seconds: float = 1.0) -> float:
    """Scenes rendered per second, of random labels and style."""
    from cimg.scene import render, sample_uniform, stage

    values = sample_uniform(stage().variables, 1000)
    return rate(lambda: len(render(values)), seconds)


def training_rate(seconds: float = 1.0) -> float:
    """Steps per second of training the picture model, with the settings of the course."""
    from cimg.data import Batches
    from cimg.step import Settings, advance, optimisers
    from cimg.vae import CausalVAE
    from cimg.world import World

    settings, world = Settings(), World.load("duel")
    model = CausalVAE(world, settings.hidden)
    found, batches = optimisers(model, settings), Batches(world, settings.batch, settings.seed)

    def step() -> int:
        advance(model, found, settings, 0, *batches[0])
        return 1

    return rate(step, seconds)
