"""Bad input for every reader, some hundred times; `make fuzz` does it ten thousand times."""

import random
import sys
import time
import warnings
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("memory is measured and limited as on Linux", allow_module_level=True)

from tests.fuzz import judge, mutate
from tests.fuzz.judge import fuzz
from tests.fuzz.readers import READERS, Reader

SHEET = Path(__file__).parents[1] / "sprites" / "satyr-type1.png"


@pytest.mark.parametrize("name", READERS)
def test_every_malformed_input_gets_the_documented_error(name):
    tally = fuzz(READERS[name], wanted=60 if name == "weights" else 300, seed=1)
    assert not tally.faults
    assert tally.refused == (60 if name == "weights" else 300)
    assert tally.megabytes < 1024


# The judge itself: it has to see what it is there to see.


def reader(read, errors=(ValueError,), sound=lambda _: True):
    return Reader("own", lambda rng: rng.randbytes(9), read, errors, sound, (".x",))


def fail(error):
    def read(given, path):
        raise error

    return read


def take_long(given, path):
    time.sleep(30)


def take_memory(given, path):
    filled = bytearray(60 * 2**20)
    raise ValueError(f"no {len(filled)}")


def change(given, path):
    path.write_bytes(b"other")
    raise ValueError("no")


def add(given, path):
    Path(path.with_name("more")).touch()
    raise ValueError("no")


def warn(given, path):
    warnings.warn("hm", RuntimeWarning, stacklevel=1)


class Own(ValueError):
    """Not the documented class itself."""


@pytest.mark.parametrize(
    "read, sound, message",
    [
        (fail(KeyError("x")), True, "raised KeyError"),
        (fail(Own("x")), True, "raised a Own"),
        (fail(ValueError("")), True, "a message of 0 characters"),
        (fail(ValueError("x" * 7000)), True, "a message of 7000 characters"),
        (warn, True, "raised RuntimeWarning"),
        (lambda given, path: "nonsense", False, "answered 'nonsense'"),
        (change, True, "changed a file"),
        (add, True, "changed a file"),
        (take_long, True, "took more than"),
        (take_memory, True, "took"),
    ],
)
def test_the_judge_sees_a_fault(read, sound, message, monkeypatch):
    if read is take_long:  # otherwise a busy machine might be taken for a reader that hangs
        monkeypatch.setattr(judge, "SECONDS", 0.2)
    peak = judge.peak()
    monkeypatch.setattr(judge, "MEMORY", 0 if read is take_memory else 2**40)
    if read is take_memory:  # whatever this process has had before: as if it had been nothing
        counts = iter([0, peak, peak])
        monkeypatch.setattr(judge, "peak", lambda: next(counts))
        kind, said = judge.try_one(reader(read), b"", Path("x"))
        assert kind == "fault" and message in said
        return
    tally = fuzz(reader(read, sound=lambda _: sound), wanted=2, most_faults=2)
    assert len(tally.faults) == 2 and message in tally.faults[0]


def test_the_judge_counts():
    def read(given, path):
        assert path.read_bytes() == given
        if given[0] % 2:
            raise ValueError("odd")

    tally = fuzz(reader(read), wanted=20)
    assert tally.refused == 20 and 5 < tally.sound < 60 and not tally.faults


def test_damage_is_the_same_for_a_seed_and_leaves_the_original_alone():
    tree = {"a": [1, {"b": "c"}], "d": 0.5}
    for spoil, good in (
        (mutate.spoil_bytes, b"some bytes" * 9),
        (mutate.spoil_png, SHEET.read_bytes()),
        (mutate.spoil_json, tree),
    ):
        made = [[spoil(random.Random(i), good) for i in range(20)] for _ in range(2)]
        assert made[0] == made[1] and len(set(made[0])) > 10
    assert tree == {"a": [1, {"b": "c"}], "d": 0.5}


def test_chunks_of_a_png_come_back():
    data = SHEET.read_bytes()
    assert mutate.png(mutate.chunks(data)) == data
