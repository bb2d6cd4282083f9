"""Every reader of what comes from outside: how to make bad input for it, and what it may answer.

What people write themselves (answers, lessons, results) is in `written`.
"""

import gzip
import io
import json
import math
import random
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from cimg import checkpoint, gan, show, train
from cimg import reader as learnt
from cimg.check import read
from cimg.checkpoint import CheckpointError
from cimg.counterfactual import bounds, probability_had, twin_samples
from cimg.damage import Damage
from cimg.data import Batches
from cimg.imagine import imagine
from cimg.interop import bif_text
from cimg.query import log_evidence, probability, sample_posterior
from cimg.reading import ExactReader
from cimg.scene import SceneError, render, sample_uniform, stage, style_of
from cimg.sprites import FOLDER, TRANSPARENT, SpriteError, load_palette, load_sheet
from cimg.step import Settings, advance, optimisers
from cimg.study import read_results
from cimg.vae import CausalVAE
from cimg.world import World, WorldError

from . import written
from .mutate import nasty, spoil_bytes, spoil_json, spoil_png, spoil_tree

WORDS = {
    "name": "sprinkler",
    "variables": [
        {"name": "rain", "values": ["no", "yes"], "cpt": [0.8, 0.2]},
        {"name": "lawn", "values": ["dry", "wet"], "parents": ["rain"], "in_image": True,
         "cpt": [[0.9, 0.1], [0.25, 0.75]]},
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """One reader.

    Attributes:
        make: bad input; bytes for a file, or any object.
        read: reads it: (what was made, the file's path if it is one).
        errors: what it may raise: these very classes, nothing else.
        suffixes: names that the file may have.
        ways: how many readers it stands for, each of which is to have its share.
        sound: whether what was read all the same is as good as any.
    """

    name: str
    make: Callable[[random.Random], Any]
    read: Callable[[Any, Path], Any]
    errors: tuple[type[Exception], ...]
    sound: Callable[[Any], bool]
    suffixes: tuple[str, ...] = ()
    ways: int = 1


# ── Worlds ──────────────────────────────────────────────────────────────────────────────────────


@cache
def worlds() -> dict[str, World]:
    return {name: World.load(name) for name in ("duel", "arena")} | {
        "sprinkler": World.from_dict(WORDS)
    }


def make_world(rng: random.Random) -> bytes:
    spec = rng.choice([WORDS, WORDS, *(world.to_dict() for world in worlds().values())])
    return spoil_json(rng, spec)


def sound_world(world: World) -> bool:
    """It goes to a file and back, and rows can be drawn from it."""
    again = World.from_dict(json.loads(json.dumps(world.to_dict())))
    rows = world.sample(3)
    return list(again.variables) == list(world.variables) == list(rows)


@cache
def bifs() -> list[str]:
    texts = [bif_text(world) for world in worlds().values()]
    own = """network "x" { property a = 1 ; }  // a comment
variable rain { type discrete [ 2 ] { no, yes }; property in_image = true ; }
variable "wet lawn" { type discrete [2] { dry wet }; }
probability ( rain ) { table 0.75, 0.25 ; }
probability ( "wet lawn" | rain ) { /* rows */ default 0.5, 0.5; (no) 0.9 0.1; (yes) 2e-1, .8; }
"""
    return [*texts, own, own, own]


def make_bif(rng: random.Random) -> bytes:
    text = rng.choice(bifs())
    if rng.random() < 0.5:  # words moved about
        words = text.split(" ")
        for _ in range(rng.randint(1, 3)):
            i, j = rng.randrange(len(words)), rng.randrange(len(words))
            words[i] = rng.choice([words[j], "", words[i] + words[j], str(nasty(rng))[:70_000]])
        return " ".join(words).encode("utf-8", "surrogatepass")
    data = spoil_bytes(rng, text.encode())
    if rng.random() < 0.3:
        return spoil_bytes(rng, gzip.compress(data, 1, mtime=0))
    return data


# ── Sprites ─────────────────────────────────────────────────────────────────────────────────────


@cache
def sheets() -> list[bytes]:
    """A sheet in the ways in which editors save it."""
    found = [(FOLDER / "satyr-type1.png").read_bytes()]
    with Image.open(FOLDER / "golem-type2.png") as image:
        for mode, how in (("RGBA", {}), ("RGBA", {"compress_level": 0}), ("P", {}), ("LA", {})):
            file = io.BytesIO()
            image.convert(mode).save(file, "PNG", **how)
            found.append(file.getvalue())
    return found


def make_sheet(rng: random.Random) -> bytes:
    if rng.random() < 0.7:
        return spoil_png(rng, rng.choice(sheets()))
    with Image.open(FOLDER / "satyr-type1.png") as image:  # a sound PNG file, a bad sheet
        image = image.convert("RGBA")
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(image.width), rng.randrange(image.height)
        colour = tuple(rng.randrange(256) for _ in range(4))
        image.putpixel(
            at, rng.choice([colour, (0, 0, 0, 0), (*colour[:3], 255), (27, 20, 38, 255)])
        )
    if rng.random() < 0.2:
        image = image.resize((rng.randint(1, 300), rng.randint(1, 60)))
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def sound_sheet(sheet: torch.Tensor) -> bool:
    return sheet.shape == (6, 24, 24) and sheet.dtype == torch.uint8 and sheet.max() <= TRANSPARENT


def make_palette(rng: random.Random) -> bytes:
    data = (FOLDER / "palette.gpl").read_bytes()
    if rng.random() < 0.4:
        return spoil_bytes(rng, data)
    lines = data.decode().splitlines()
    for _ in range(rng.randint(1, 3)):
        i = rng.randrange(len(lines))
        words = lines[i].split()
        if words:
            words[rng.randrange(len(words))] = str(nasty(rng))[:70_000]
        choice = [" ".join(words), "", lines[i] + " " + lines[i - 1], rng.choice(lines)]
        lines[i] = rng.choice(choice)
    return rng.choice(["\n", "\r\n", "\x85"]).join(lines).encode("utf-8", "surrogatepass")


# ── Checkpoints ─────────────────────────────────────────────────────────────────────────────────


class Small(nn.Module):
    """All that a checkpoint may hold: weights, a scalar, buffers of any length."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 2)
        self.inner.register_buffer("sharpness", torch.ones(()))
        self.register_buffer("seen_loc", torch.zeros(4, 2))
        self.register_buffer("seen_scale", torch.zeros(4, 2))


def save_small(path: Path) -> None:
    checkpoint.write(path, {k: v.half() for k, v in Small().state_dict().items()}, {"format": 1})


def save_weights(path: Path) -> None:
    model = CausalVAE(worlds()["duel"], hidden=8)
    about = train.description(model, Settings(hidden=8))
    checkpoint.write(path, {k: v.half() for k, v in model.state_dict().items()}, about)


def save_gan(path: Path) -> None:
    gan.save(gan.GAN(worlds()["arena"], ("action",), hidden=8), path, {"steps": 1})


def save_reader(path: Path) -> None:
    learnt.save(learnt.Reader(2, 8), learnt.Settings(code=2, hidden=8), path)


@cache
def kept(save: Callable[[Path], None]) -> tuple[dict, bytes]:
    """Header and tensors' bytes of the good checkpoint that `save` keeps."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "good.safetensors"
        torch.manual_seed(0)
        save(path)
        data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def strange_tensor(rng: random.Random) -> Any:
    """What may stand in a header: an offset, a shape, a type."""
    types = ["F16", "BF16", "I16", "U16", "F32", "F64", "BOOL", "F8_E4M3", "C64", "I64", "F99"]
    numbers = [0, 1, -1, 2**31, 2**53, 2**63, 2**64, 3.5, "2"]
    return rng.choice(
        [rng.choice(types), rng.choice(numbers), [rng.choice(numbers)] * 2, nasty(rng)]
    )


def make_checkpoint(rng: random.Random, save: Callable[[Path], None] = save_small) -> bytes:
    header, tensors = kept(save)
    draw = rng.random()
    if draw < 0.35:
        header = spoil_tree(rng, header, strange_tensor)
    elif draw < 0.7:  # the description, which is text in the header
        meta = dict(header["__metadata__"])
        meta["about"] = spoil_json(rng, json.loads(meta["about"])).decode("utf-8", "replace")
        header = header | {"__metadata__": meta}
    elif draw < 0.8:  # not a number somewhere
        spoilt, at = bytearray(tensors), rng.randrange(len(tensors) // 2) * 2
        spoilt[at : at + 2] = rng.choice([b"\x00\x7e", b"\x00\x7c", b"\x00\xfc"])
        tensors = bytes(spoilt)
    elif draw < 0.9:
        tensors = tensors[: rng.randrange(len(tensors))] + rng.randbytes(rng.choice([0, 1, 100]))
    text = json.dumps(header).encode()
    length = (
        len(text) if draw < 0.95 else rng.choice([0, 1, len(text) + 1, 2**31, 2**63, 2**64 - 1])
    )
    data = struct.pack("<Q", length) + text
    return (data if draw < 0.97 else spoil_bytes(rng, data)) + tensors


RUN = Settings(steps=9, batch=2, hidden=8)


def save_run(path: Path) -> None:
    """The state of a run after one step, with all that its optimisers remember."""
    model = CausalVAE(worlds()["duel"], RUN.hidden)
    found = optimisers(model, RUN)
    advance(model, found, RUN, 0, *Batches(worlds()["duel"], RUN.batch, RUN.seed)[0])
    train.keep_run(path, model, found, RUN, 1)


def make_run(rng: random.Random) -> bytes:
    """A damaged state; half of the time a tensor of it is another, all else being sound."""
    if rng.random() < 0.5:
        return make_checkpoint(rng, save_run)
    header, tensors = kept(save_run)
    header = json.loads(json.dumps(header))
    name = rng.choice([k for k in header if k.startswith("optimiser.")])
    start, end = header[name]["data_offsets"]
    bad = rng.choice([b"\x00\x00\xc0\x7f", b"\x00\x00\x80\x7f", b"\x00\x00\x80\xff"])
    negative = struct.pack("<f", -1.0) if name.endswith(("step", "exp_avg_sq")) else bad
    at = start + 4 * rng.randrange((end - start) // 4)
    spoilt = tensors[:at] + rng.choice([bad, negative]) + tensors[at + 4 :]
    if rng.random() < 0.3:
        header[name]["dtype"], spoilt = rng.choice(["I32", "U32"]), tensors
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + spoilt


def read_run(_: Any, path: Path) -> int:
    model = CausalVAE(worlds()["duel"], RUN.hidden)
    return train.resume(model, optimisers(model, RUN), RUN, path)


def sound_step(step: int) -> bool:
    return type(step) is int and 0 < step < RUN.steps


def read_small(_: Any, path: Path) -> nn.Module:
    tensors, about = checkpoint.read(path)
    json.dumps(about)
    module = Small()
    checkpoint.fit(module, tensors, path)
    return module


def sound_module(module: nn.Module) -> bool:
    return all(bool(x.isfinite().all()) for x in module.state_dict().values())


# ── Evidence, actions, questions ────────────────────────────────────────────────────────────────


def strange_code(rng: random.Random) -> Any:
    """What isn't the value of any variable."""
    return rng.choice(
        [
            nasty, lambda _: torch.tensor(rng.choice([9, -1])), lambda _: torch.tensor([0, 1]),
            lambda _: torch.tensor(0.0), lambda _: torch.zeros(()).to("meta"),
            lambda _: np.array([0, 1]),
            lambda _: np.float64(1), lambda _: np.int64(99), lambda _: Fraction(1, 2),
            lambda _: b"attack", lambda _: object(), lambda _: ("attack",), lambda _: {"attack"},
            lambda _: 10**5000, lambda _: complex(1), lambda _: "Attack", lambda _: math.pi,
        ]
    )(rng)  # fmt: skip


def strange_name(rng: random.Random) -> Any:
    return rng.choice(
        ["acton", "", " action", "ACTION", 0, None, 1.5, ("action",), b"action", "x" * 9999,
         10**5000, True, frozenset(), "\ud800"]
    )  # fmt: skip


def strange_dict(rng: random.Random, world: World) -> Any:
    """No dict of variables and their values."""
    names = rng.sample(list(world.variables), min(rng.randint(0, 3), len(world.variables)))
    good: dict = {n: rng.choice(world.variables[n].values) for n in names}
    match rng.randrange(4):
        case 0:
            shapes = ["action", 5, 0, False, "", [], ["action"], {"action"}, object(), b"x", 1.5]
            return rng.choice([*shapes, [("action", "attack")], torch.zeros(3), np.zeros(0)])
        case 1:
            return good | {strange_name(rng): "attack"}
        case _:
            code = strange_code(rng)
            name = rng.choice([n for n in world.variables if n not in good] or names)
            same = isinstance(code, str) and code in world.variables[name].values
            small = isinstance(code, int) and not isinstance(code, bool) and 0 <= code < 4
            return good | {name: object() if same or small else code}


def make_question(rng: random.Random) -> dict:
    """A question with at least one part that can't be right."""
    world = rng.choice(list(worlds().values()))
    asked: dict = {"world": world, "how": rng.randrange(6)}
    parts = ["given", "do"] + ["targets"] * (asked["how"] in (0, 3)) + ["n", "seed"] * (
        asked["how"] in (1, 4)
    )  # fmt: skip
    parts += ["event"] * (asked["how"] == 5)
    for part in rng.sample(parts, rng.choice([1, 1, 2])):
        if part in ("given", "do"):
            asked[part] = strange_dict(rng, world)
        elif part == "event":
            names, odd = list(world.variables)[:2], strange_dict(rng, world)
            values = odd.values() if isinstance(odd, dict) else ()
            several = any(isinstance(x, set | tuple) for x in values)  # may well be an event
            asked[part] = rng.choice(
                [None if several else odd, dict.fromkeys(names, 0), {}, None, {names[0]: []},
                 {names[0]: [rng.choice([99, None, "acton", 0.5, 10**5000])]}, {"acton": [0]}]
            )  # fmt: skip
        elif part == "targets":
            name = next(iter(world.variables))
            asked[part] = rng.choice(
                [(), [], None, 5, "", "acton", [name, name], [name, 3], [[name]], {name: 1, 2: 3},
                 object(), b"action", torch.zeros(2), 10**5000, [10**5000]]
            )  # fmt: skip
        else:
            asked[part] = rng.choice(
                [-1, 1.5, "3", None, True, [3], math.nan, np.float64(2), 10**5000 * -1]
            )
    return asked


def read_question(asked: dict, _: Path) -> Any:
    world, how = asked["world"], asked["how"]
    given, do = asked.get("given"), asked.get("do")
    name = next(iter(world.variables))
    n, seed = asked.get("n", 2), asked.get("seed", 0)
    match how:
        case 0:
            return probability(world, asked.get("targets", name), given, do)
        case 1:
            return sample_posterior(world, n, given, do, seed)
        case 2:
            return log_evidence(world, given, do)
        case 3:
            return probability_had(world, asked.get("targets", name), given, do)
        case 4:
            return twin_samples(world, n, given, do, seed=seed)
        case 5:
            return bounds(world, asked.get("event", {name: 0}), given, do)


# ── Pictures and labels ─────────────────────────────────────────────────────────────────────────


@cache
def model() -> CausalVAE:
    return train.load("duel")


@cache
def reader() -> learnt.Reader:
    return learnt.load()


@cache
def exact() -> ExactReader:
    return ExactReader(worlds()["duel"])


@cache
def painter() -> gan.GAN:
    return gan.load("arena-all")


@cache
def example() -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    world = worlds()["duel"]
    values = world.sample(2, 7) | sample_uniform(style_of(world), 2, 7)
    return render(values), values


def strange_picture(rng: random.Random) -> Any:
    """What is no uint8 [2, HEIGHT, WIDTH] of palette indices."""
    scenes, _ = example()
    _, height, width = scenes.shape
    spoilt = scenes.clone()
    spoilt[:, rng.randrange(height), rng.randrange(width)] = rng.randint(24, 255)
    kind = rng.choice(
        [
            torch.int64,
            torch.int8,
            torch.int32,
            torch.float32,
            torch.bool,
            torch.complex64,
            torch.uint16,
        ]
    )
    shape = [rng.choice([0, 1, 2, 3, height, width, width + 1]) for _ in range(rng.randint(0, 3))]
    shape += [2] * rng.randint(0, 2)
    if len(shape) == 3 and tuple(shape[1:]) == (height, width):
        shape.append(1)
    return rng.choice(
        [
            lambda: spoilt, lambda: scenes.to(kind), lambda: torch.zeros(shape, dtype=torch.uint8),
            lambda: scenes.numpy(), lambda: scenes.tolist(), lambda: nasty(rng),
            lambda: scenes.transpose(1, 2), lambda: scenes[:, :, ::2], lambda: scenes[None],
            lambda: torch.full(shape or [1], math.nan), lambda: Image.new("P", (width, height)),
            lambda: spoilt[:1].repeat(rng.randint(1, 20), 1, 1), lambda: object(),
        ]
    )()  # fmt: skip


def strange_labels(rng: random.Random, names: list[str]) -> Any:
    """Values of which at least one is missing, out of range, or no integer tensor [2]; or no dict
    at all."""
    _, values = example()
    values = dict(values)
    name = rng.choice(names)
    bad = rng.choice(
        [
            lambda: None, lambda: values.pop(name), lambda: torch.tensor([0, 99]),
            lambda: torch.tensor([-1, 0]), lambda: torch.zeros(2), lambda: torch.zeros(3).long(),
            lambda: torch.tensor(0), lambda: torch.zeros(2, 2).long(), lambda: "attack",
            lambda: torch.zeros(2).bool(), lambda: torch.zeros(2, dtype=torch.complex64),
            lambda: torch.tensor([2**63 - 1, 0]), lambda: torch.tensor([200, 0], dtype=torch.uint8),
            lambda: torch.tensor([0, 60_000], dtype=torch.uint16),
            lambda: nasty(rng), lambda: object(),
        ]
    )  # fmt: skip
    found = bad()
    if name in values:
        values[name] = found
    return rng.choice([values] * 9 + [rng.choice([None, [], 5, "action", object()])])


def make_picture(rng: random.Random) -> dict:
    """A call of the model or the renderer that has something wrong in it."""
    labels = ["actor_character", "reactor_type", "action", "reaction"]
    scenes, values = example()
    how = rng.choice(
        ["encode", "read", "imagine", "labels", "decode", "render", "do", "learnt", "exact",
         "invert", "draw", "see", "damage"]
    )  # fmt: skip
    asked = {"how": how, "scenes": scenes, "values": values, "do": {"action": "attack"}}
    if how in ("labels", "decode"):
        asked["values"] = strange_labels(rng, labels)
    elif how == "draw":
        asked["values"] = strange_labels(rng, ["action"])
    elif how == "render":
        asked["values"] = strange_labels(rng, [*labels, "sky", "sun", "actor_distance"])
    elif how in ("do", "see"):
        asked["do"] = strange_dict(rng, worlds()["duel" if how == "do" else "arena"])
    else:
        asked["scenes"] = strange_picture(rng)
    return asked


def read_picture(asked: dict, _: Path) -> Any:
    scenes, values = asked["scenes"], asked["values"]
    match asked["how"]:
        case "learnt":
            return reader().log_likelihood(worlds()["duel"], scenes)
        case "exact":
            return exact()(scenes)
        case "damage":
            return Damage(noise=0.1, stone=True)(scenes, seed=1)
        case "see":
            return painter().see(asked["do"])
        case "draw":
            return painter().draw(values, painter().noise(2))
        case "invert":
            strange = isinstance(scenes, torch.Tensor) and scenes.dim() == 3
            return gan.invert(painter(), scenes[0] if strange and len(scenes) else scenes, values)
        case "encode" | "labels":
            return model().encode(scenes, values)
        case "read":
            return model().read(scenes)
        case "decode":
            return model().decode(torch.zeros(2, 12), values)
        case "render":
            return render(values)
        case "do":
            return imagine(model(), scenes[0], asked["do"])
        case "imagine":
            strange = isinstance(scenes, torch.Tensor) and scenes.dim() == 3
            return imagine(model(), scenes[0] if strange and len(scenes) else scenes, asked["do"])


def make_figure(rng: random.Random) -> tuple[str, tuple, dict]:
    """A figure that is asked for with something wrong."""
    scenes, _ = example()
    strange = rng.choice([5, None, object(), b"x", 1.5, [[]], [None], ["a"] * 7, {"a": {}}, "x"])
    name = rng.choice(["scenes", "graph", "distributions", "curves"])
    match name:
        case "scenes":
            wrong = rng.choice([
                {"captions": rng.choice([5, "ab", ["a"], object(), ["a"] * 7, b"x"])},
                {"columns": rng.choice(["x", 0, -1, 1.5, [2], object()])},
                {"zoom": rng.choice([0, 17, "4", 2.0, None, torch.zeros(2), [4]])},
                {"title": rng.choice([None, 5, ["x"], b"x"])},
                {"marks": rng.choice([scenes, scenes.bool()[:1], "x", torch.zeros(2).bool()])},
            ])  # fmt: skip
            return name, (scenes,), wrong
        case "graph":
            world = worlds()["duel"]
            wrong = rng.choice([
                {"highlight": rng.choice([5, [[]], ["acton"], [("action",)], "x", object(), [5]])},
                {"title": rng.choice([5, ["x"], b"x"])},
                {"given": strange_dict(rng, world)}, {"do": strange_dict(rng, world)},
            ])  # fmt: skip
            return name, (world,), wrong
        case "distributions":
            bad = rng.choice([[1.5, 0], [0.5], [-1, 2], {"a": 1}, "x", None, [[1, 0]], [None, 1]])
            series = rng.choice([{"p": bad}, strange, {}, {5: [1, 0]}])
            wrong = rng.choice([
                ((series, ["a", "b"]), {}), (({"p": [1, 0]}, rng.choice([5, "ab", [], None])), {}),
                (({"p": [1, 0]}, ["a", "b"]), {"digits": rng.choice([None, -1, "2", 1.5])}),
                (({"p": [1, 0]}, ["a", "b"]), {"errors": rng.choice([5, {"q": [0, 0]}, "x"])}),
            ])  # fmt: skip
            return name, *wrong
        case _:
            bad = rng.choice([[], [math.nan], "x", {}, None, [[1]], [object()], [1, math.inf]])
            series = rng.choice([{"p": bad}, strange, {}, {5: [1, 0]}])
            wrong = rng.choice([((series,), {}), (({"p": [1, 2]}, [1, 2, 3]), {}),
                                (({"p": [1, 0]},), {"logy": True})])  # fmt: skip
            return name, *wrong


def read_figure(asked: tuple[str, tuple, dict], _: Path) -> Any:
    name, given, options = asked
    return getattr(show, name)(*given, **options)


def never(found: Any) -> bool:
    """All that `make` makes is wrong: nothing may be answered."""
    return False


def sound_palette(palette: Any) -> bool:
    return len(palette.names) == len(palette.rgb) == 24 and palette.rgb.dtype == torch.uint8


READERS = {
    reader.name: reader
    for reader in (
        Reader("world", make_world, lambda _, path: World.from_json(path), (WorldError,),
               sound_world, (".json",)),
        Reader("bif", make_bif, lambda _, path: World.from_bif(path, path.name[1] == "n"),
               (WorldError,), sound_world, (".bif", "n.bif", ".bif.gz", "n.bif.gz")),
        Reader("sheet", make_sheet, lambda _, path: load_sheet(path, stage().palette),
               (SpriteError,), sound_sheet, (".png",)),
        Reader("palette", make_palette, lambda _, path: load_palette(path), (SpriteError,),
               sound_palette, (".gpl",)),
        Reader("checkpoint", make_checkpoint, read_small, (CheckpointError,), sound_module,
               (".safetensors",)),
        Reader("weights", lambda rng: make_checkpoint(rng, save_weights),
               lambda _, path: train.load(path), (CheckpointError,), sound_module,
               (".safetensors",)),
        Reader("gan", lambda rng: make_checkpoint(rng, save_gan),
               lambda _, path: gan.load(path), (CheckpointError,), sound_module,
               (".safetensors",)),
        Reader("reader", lambda rng: make_checkpoint(rng, save_reader),
               lambda _, path: learnt.load(path), (CheckpointError,), sound_module,
               (".safetensors",)),
        Reader("run", make_run, read_run, (CheckpointError,), sound_step, (".safetensors",)),
        Reader("question", make_question, read_question, (WorldError,), never, ways=7),
        Reader("picture", make_picture, read_picture, (SceneError, WorldError, gan.GANError),
               never, ways=15),
        Reader("figure", make_figure, read_figure, (ValueError, SceneError, WorldError), never),
        Reader("results", written.make_object, lambda _, path: read_results(path), (ValueError,),
               written.sound_object, (".json",)),
        Reader("seeds", written.make_results, written.read_seeds, (ValueError,),
               written.sound_text, (".json",)),
        Reader("texts", written.make_object, lambda _, path: read.__wrapped__(path), (ValueError,),
               written.sound_object, (".json",)),
        Reader("answer", written.make_answer, written.read_answer, (written.Refused,),
               written.sound_verdict),
        Reader("lesson", written.make_lesson, written.read_source, (written.lesson.LessonError,),
               written.sound_lesson, (".py",)),
        Reader("notebook", written.make_notebook, written.read_planned, (written.Refused,),
               written.sound_notebook, (".ipynb",)),
    )
}  # fmt: skip

__all__ = ["READERS", "Mapping", "Reader"]
