"""The wheel has the whole course in it, and works where the source is not."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from cimg.course import parts
from tests import wheel as made

ROOT = Path(__file__).resolve().parent.parent
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("wheel")


@pytest.fixture(scope="module")
def wheel(folder):
    return made.build(folder)


def test_what_is_in_the_wheel(wheel):
    """Package, worlds, weights, notebooks, sprites and licences; nothing of tests and building."""
    found = set(made.names(wheel))
    for _, place in parts():
        name = place.as_posix()
        assert (name if name.startswith("cimg/") else f"cimg/_course/{name}") in found
    known = re.compile(rf"cimg/|cimg-{re.escape(VERSION)}\.dist-info/")
    assert not [name for name in found if not known.match(name)]
    assert not [n for n in found if n.endswith((".pyc", ".tmp")) or "checkpoints/" in n]
    assert f"cimg-{VERSION}.dist-info/licenses/LICENSE" in found


def test_the_wheel_works_in_an_environment_of_its_own(folder, wheel):
    python = made.environment(folder / "new", wheel, borrowed=True)
    said = made.use(python, folder / "away").splitlines()
    assert said[0] == f"{VERSION} attack"
    assert re.search(r"course: \d+ files written, 0 left as they are", said[1])
    assert (folder / "away" / "attacked.png").is_file()
    assert (folder / "away" / "course" / "notebooks" / "00-start-here.ipynb").is_file()


def test_a_command_that_fails_stops_the_whole(tmp_path):
    with pytest.raises(SystemExit, match="No such file"):
        made.run(sys.executable, tmp_path / "none")


def test_the_version_is_the_same_everywhere():
    """It is written in pyproject.toml; what tells it to people has to say the same."""
    import cimg

    assert cimg.__version__ == VERSION
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [VERSION]
    released = re.findall(r"^## (\d\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert released[0] == VERSION
    told = re.findall(r"version (\d+(?:\.\d+)+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert told and all(VERSION == number or VERSION.startswith(f"{number}.") for number in told)
