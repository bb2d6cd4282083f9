"""Nothing that comes from outside runs anything, reaches anything, or takes the machine down."""

import ast
import gzip
import json
import os
import pickle
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
import torch

import cimg
from cimg.checkpoint import CheckpointError
from cimg.scene import stage
from cimg.sprites import FOLDER, SpriteError, load_palette, load_sheet, load_sheets
from cimg.world import World, WorldError

ROOT = Path(__file__).resolve().parent.parent
READERS = {  # a file's ending: who reads it, and the error that it may give
    ".json": (World.from_json, WorldError),
    ".bif": (World.from_bif, WorldError),
    ".bif.gz": (World.from_bif, WorldError),
    ".gpl": (load_palette, SpriteError),
    ".png": (lambda path: load_sheet(path, stage().palette), SpriteError),
    ".safetensors": (cimg.load, CheckpointError),
}
posix = pytest.mark.skipif(os.name != "posix", reason="needs pipes, devices and links")


def refuse(path: Path, message: str | None = None) -> None:
    """The reader of this ending refuses, soon, in words."""
    read, error = next(
        READERS[end] for end in sorted(READERS, key=len)[::-1] if path.name.endswith(end)
    )
    start = time.process_time()  # of the processor: however busy the machine is
    with pytest.raises(error, match=message):
        read(path)
    assert time.process_time() - start < 20


# --- what is no file ------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("ending", READERS)
def test_traps_in_the_place_of_a_file(ending, tmp_path):
    """A pipe nobody writes to, a device without end; links: to those, to nothing, in a ring."""
    os.mkfifo(tmp_path / f"pipe{ending}")
    (tmp_path / f"folder{ending}").mkdir()
    for name, target in (
        ("link", tmp_path / f"pipe{ending}"),
        ("zero", "/dev/zero"),
        ("nowhere", tmp_path / "nothing"),
        ("ring", tmp_path / f"ring{ending}"),
    ):
        (tmp_path / f"{name}{ending}").symlink_to(target)
    for path in [*tmp_path.iterdir(), tmp_path / f"none{ending}", tmp_path / f"a\0b{ending}"]:
        refuse(path)


@posix
@pytest.mark.parametrize("ending", READERS)
def test_a_file_of_a_thousand_gigabytes(ending, tmp_path):
    """It takes no room on the disk: a hole. Nobody may try to read it to its end."""
    path = tmp_path / f"huge{ending}"
    with path.open("wb") as file:
        file.truncate(10**12)
    refuse(path, "larger than|at most")


# --- what unfolds ---------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))


def png_bomb() -> bytes:
    """Its first header is a sheet's. The second, which decoders believe, claims 324 MB."""
    pixels = zlib.compress(bytes(4 * 9_000 * 2_000), 9)
    parts = [header(144, 24), header(9_000, 9_000), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def text_bomb() -> bytes:
    """A sheet with a note in it that unfolds to 200 MB."""
    good = (FOLDER / "satyr-type1.png").read_bytes()
    squeeze = zlib.compressobj(9)
    note = b"".join(squeeze.compress(bytes(2**20)) for _ in range(200)) + squeeze.flush()
    return good[:33] + chunk(b"zTXt", b"note\0\0" + note) + good[33:]


def gzip_bomb() -> bytes:
    """A network's name of 2 GB, in 2 MB."""
    return gzip.compress(b"network " + b"x" * 2**26, 9) * 32


def comment_bomb() -> bytes:
    """Four million comments, in 16 KB."""
    return gzip.compress(b"network n { }\n" + b" //\n" * 4_194_000, 9)


def many_tables() -> bytes:
    """40 lines of BIF that ask for 40 tables of 128 MiB."""
    values = "variable v{0} {{ type discrete [ 2 ] {{ a, b }}; }}\n"
    table = "probability ( v{0} | {1} ) {{ default 0.5, 0.5; }}\n"
    others = ", ".join(f"v{i}" for i in range(23))
    lines = [values.format(i) for i in range(63)] + [table.format(i, others) for i in range(23, 63)]
    return ("network n { }\n" + "".join(lines)).encode()


def wrong_rows(entries: str) -> bytes:
    """One line of BIF that makes 4,194,304 rows, all of them wrong."""
    names = [f"v{i}" for i in range(23)]
    values = "".join(f"variable {name} {{ type discrete [ 2 ] {{ a, b }}; }}\n" for name in names)
    own = [f"probability ( {name} ) {{ table 0.5, 0.5; }}\n" for name in names[1:]]
    last = f"probability ( v0 | {', '.join(names[1:])} ) {{ {entries} }}\n"
    return f"network n {{ }}\n{values}{''.join(own)}{last}".encode()


def many_words() -> bytes:
    return b"network n { property " + b"ab " * (5 * 2**20) + b"; }"


def many_rows() -> bytes:
    """A parent of 300,000 values, and as many rows: quadratic if looked up in a list."""
    names = [f"v{i}" for i in range(300_000)]
    rows = "".join(f"({name}) 1;\n" for name in reversed(names))
    head = "network n { }\nvariable p { type discrete [ 300000 ] { " + ", ".join(names) + " }; }\n"
    child = "variable c { type discrete [ 1 ] { only }; }\n"
    return (head + child + "probability ( c | p ) { " + rows + "}\n").encode()


def nested(unit: bytes) -> bytes:
    return (
        b'{"name": "a", "variables": [' + b",".join([unit] * (2**24 // (len(unit) + 1) - 9)) + b"]}"
    )


def claims(length: int) -> bytes:
    return (
        struct.pack("<Q", length) + b'{"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
    )


def huge_tensor() -> bytes:
    entry = {"dtype": "F32", "shape": [2**20, 2**20], "data_offsets": [0, 2**42]}
    text = json.dumps({"x": entry}).encode()
    return struct.pack("<Q", len(text)) + text + bytes(100)


BOMBS = {
    "two-headers.png": (png_bomb, "two headers"),
    "note.png": (text_bomb, "damaged PNG file"),
    "gzip.bif.gz": (gzip_bomb, "larger than"),
    "comments.bif.gz": (comment_bomb, "variables, found 0"),
    "tables.bif": (many_tables, "tables of more than 16,777,216 entries in all"),
    "sums.bif": (lambda: wrong_rows("default 0.7, 0.7;"), "the row sums to 1.4"),
    "gaps.bif": (lambda: wrong_rows(f"({', '.join('b' * 22)}) 1, 0;"), "is missing"),
    "words.bif": (many_words, "variables, found 0"),
    "rows.bif": (many_rows, "no probability block"),
    "lists.json": (lambda: nested(b"[[]]"), "expected an object"),
    "dicts.json": (lambda: nested(b'{"":{}}'), "is missing"),
    "deep.json": (lambda: b"[" * 2**23, "nested too deeply"),
    "colours.gpl": (lambda: b"GIMP Palette\n" + b"1 1 1 a" + b" " * 65_000 + b"b", "24 colours"),
    "digits.gpl": (lambda: b"GIMP Palette\n" + b"1" * 60_000 + b" 1 1 a", "0-255"),
    "header.safetensors": (lambda: claims(2**62), "truncated"),
    "tensor.safetensors": (huge_tensor, "truncated"),
}

IN_LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
sys.path[:0] = ["tests"]
import test_security as here
here.refuse                                   # all is imported: what comes now is the reader's own
page = resource.getpagesize()
size = int(Path("/proc/self/statm").read_text().split()[0]) * page
resource.setrlimit(resource.RLIMIT_AS, (size + 2**30, resource.RLIM_INFINITY))
for name in sys.argv[1:]:
    path, before = Path(name), Path(name).read_bytes()
    before = len(before)
    here.refuse(path, here.BOMBS[path.name][1])
    assert path.stat().st_size == before
    print(path.name, "refused")
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is limited as on Linux")
def test_bombs_are_refused_within_a_gigabyte_and_some_seconds(tmp_path):
    for name, (make, _) in BOMBS.items():
        (tmp_path / name).write_bytes(make())
    paths = [str(tmp_path / name) for name in BOMBS]
    ran = subprocess.run(
        [sys.executable, "-c", IN_LITTLE_MEMORY, *paths],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.splitlines() == [f"{name} refused" for name in BOMBS], ran.stderr


# --- what runs, reaches or writes -----------------------------------------------------------------


class Bait:
    """Unpickling this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("ending", READERS)
def test_a_pickle_is_never_unpickled(ending, tmp_path):
    bait = Bait(tmp_path / "it ran")
    (tmp_path / f"plain{ending}").write_bytes(pickle.dumps(bait))
    (tmp_path / f"gzipped{ending}").write_bytes(gzip.compress(pickle.dumps(bait)))
    torch.save({"x": torch.ones(3), "y": bait}, tmp_path / f"torch{ending}")
    for path in list(tmp_path.iterdir()):
        refuse(path)
    assert not bait.path.exists()
    pickle.loads((tmp_path / f"plain{ending}").read_bytes())
    assert bait.path.exists()  # so it would have been seen


WATCH = """
import sys, warnings
from pathlib import Path
import tests.test_security as here            # with all that it imports
folder = Path(sys.argv[1])
good = sorted(folder.glob("good*"))
for path in good:                             # once, so that nothing is left to be imported
    here.reader(path)(path)
seen, watching = [], True
SAFE = ("object.", "sys._getframe", "builtins.id", "os.listdir", "os.scandir", "glob.", "pathlib.")

def look(event, args):
    if not watching:
        return
    if event == "open":
        path, mode, flags = args
        writes = isinstance(mode, str) and set(mode) & set("wax+") or flags & (1 | 2 | 64 | 512)
        inside = str(path).startswith((str(folder), str(here.ROOT), sys.prefix))
        if writes or not inside and isinstance(path, str):
            seen.append(f"open {path} {mode} {flags}")
    elif not event.startswith(SAFE):
        seen.append(f"{event} {args!r:.80}")

sys.addaudithook(look)
for path in sorted(folder.iterdir()):
    try:
        here.reader(path)(path)
    except ValueError:
        assert not path.name.startswith("good"), path
watching = False
print("\\n".join(sorted(set(seen))))
"""


def reader(path: Path):
    """Who reads a file of this name."""
    if path.is_dir():
        return load_sheets
    return next(
        READERS[end][0] for end in sorted(READERS, key=len)[::-1] if path.name.endswith(end)
    )


def test_no_reader_runs_reaches_or_writes_anything(tmp_path):
    """Python's own watch (PEP 578) over every reader, on good files and on bad ones: no code made
    or run, no process, no socket, no import, nothing opened to write, nothing opened elsewhere."""
    world, weights = World.load("arena"), ROOT / "cimg" / "weights" / "duel.safetensors"
    world.to_json(tmp_path / "good.json")
    world.to_bif(tmp_path / "good.bif")
    (tmp_path / "good.bif.gz").write_bytes(gzip.compress((tmp_path / "good.bif").read_bytes()))
    (tmp_path / "good.gpl").write_bytes((FOLDER / "palette.gpl").read_bytes())
    (tmp_path / "good.png").write_bytes((FOLDER / "golem-type1.png").read_bytes())
    (tmp_path / "good.safetensors").write_bytes(weights.read_bytes())
    (sheets := tmp_path / "good sheets").mkdir()
    for path in FOLDER.glob("*.[pg][np][gl]"):
        (sheets / path.name).write_bytes(path.read_bytes())
    for ending in READERS:
        data = (tmp_path / f"good{ending}").read_bytes()
        evil = data.replace(b"arena", b"../../../etc/passwd").replace(b"duel", b"/etc")
        evil = evil.replace(b"satyr", b"__import__('os').system('id')")
        (tmp_path / f"bad names{ending}").write_bytes(evil)
        (tmp_path / f"bad half{ending}").write_bytes(data[: len(data) // 2])
        (tmp_path / f"bad pickle{ending}").write_bytes(pickle.dumps(Bait(tmp_path / "x")))
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert watch(tmp_path) == ""
    assert before == {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}


def watch(folder: Path, more: str = "") -> str:
    """What was seen; `more` is done at the end, and seen too."""
    script = WATCH.replace("watching = False\n", f"{more}\nwatching = False\n")
    run = [sys.executable, "-W", "ignore", "-c", script, str(folder)]
    ran = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@posix
def test_the_watch_sees_what_it_is_there_to_see(tmp_path):
    (tmp_path / "good.gpl").write_bytes((FOLDER / "palette.gpl").read_bytes())
    seen = watch(
        tmp_path,
        "import wave, subprocess, socket, pickle\n"
        "exec('1')\n"
        "pickle.loads(pickle.dumps(Path))\n"
        "subprocess.run([sys.executable, '-c', ''], check=True)\n"
        "socket.socket().close()\n"
        "(folder / 'x').write_text('')\n"
        "(folder / 'x').unlink()\n"
        "open('/dev/null').close()\n",
    )
    for event in ("import", "exec", "pickle.find_class", "subprocess.Popen", "socket.__new__"):
        assert f"{event} " in seen
    assert f"open {tmp_path / 'x'} w" in seen and "os.remove" in seen and "open /dev/null" in seen


DANGEROUS = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "marshal",
    "shelve",
    "subprocess",
    "socket",
}
DANGEROUS |= {"urllib", "http", "requests", "httpx", "ctypes", "runpy", "code", "codeop", "pty"}
CALLS = {"eval", "exec", "compile", "__import__", "system", "popen", "fork", "spawnl", "execv"}
CALLS |= {"load_module", "Unpickler", "unpack_archive", "extractall", "read_pickle"}


def dangers(source: str) -> list[str]:
    """What a module imports or calls that could run or reach something."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in DANGEROUS]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found += [node.module] if node.module.split(".")[0] in DANGEROUS else []
        elif isinstance(node, ast.Call):
            called = node.func
            of = ast.unparse(called.value) if isinstance(called, ast.Attribute) else ""
            name = called.attr if of else getattr(called, "id", "")
            method = bool(of) and name in ("compile", "eval")  # re.compile, model.eval
            method |= of == "platform"  # platform.system() only tells which one it is
            whole = f"{of}.{name}"
            if (name in CALLS and not method) or whole in ("torch.load", "np.load", "numpy.load"):
                found.append(whole.strip("."))
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "cimg").glob("*.py")), ids=lambda p: p.name)
def test_no_module_of_the_package_can_run_or_reach_anything(path):
    assert dangers(path.read_text(encoding="utf-8")) == []


def test_a_danger_is_seen():
    text = "import pickle\nfrom urllib import request\nexec('x')\nos.system('x')\ntorch.load('x')"
    assert dangers(text) == ["pickle", "urllib", "exec", "os.system", "torch.load"]
    assert dangers("import re\nre.compile('x')\nmodel.eval()\nload('x')") == []


# --- names that lead elsewhere --------------------------------------------------------------------

ELSEWHERE = [
    "../duel",
    "../../etc/passwd",
    "/etc/passwd",
    "duel/../duel",
    "duel.json",
    "",
    ".",
    "\0",
]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_names_of_what_comes_with_the_course_are_names_and_not_paths(name):
    with pytest.raises(WorldError, match="no world"):
        World.load(name)
    with pytest.raises(CheckpointError):
        cimg.load(name)
