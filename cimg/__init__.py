"""cimg: causal image generation, small enough to read.

The names below are loaded when they are first used, so that ``import cimg`` costs nothing.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("cimg")
except PackageNotFoundError:  # run from the source folder, not installed
    __version__ = "0"

_HOME = {
    "World": "world",
    "WorldError": "world",
    "probability": "query",
    "log_evidence": "query",
    "sample_posterior": "query",
    "twin_samples": "counterfactual",
    "probability_had": "counterfactual",
    "render": "scene",
    "add_sprites": "scene",
    "save_png": "scene",
    "to_rgb": "scene",
    "CausalVAE": "vae",
    "load": "train",
}


def __getattr__(name: str):
    if name in _HOME:
        return getattr(import_module(f"cimg.{_HOME[name]}"), name)
    raise AttributeError(f"module 'cimg' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(["__version__", *_HOME])
