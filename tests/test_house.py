"""The house is in order: one list of dependencies, nothing of this machine, short modules, make."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import rules
from cimg import doctor

ROOT = Path(__file__).resolve().parent.parent
NEWEST = "3.14"  # the newest version of Python for which there is all that is pinned
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
MOST_LINES = 275  # of a module: "about 250 lines or fewer"
# The design's order: a module imports only from modules above it. Helpers that a module was cut
# into stand with it; a new module has to be given its place here.
ORDER = [
    {"files"},
    {"world", "tables", "worldfile", "draw", "bif", "interop"},
    {"study"},
    {"query", "question", "contract", "eliminate", "separation", "weighting", "pyro_query"},
    {"counterfactual", "coupling", "bounds"},
    {"sprites"},
    {"scene", "background", "codes", "cast", "pixels"},
    {"oracle"},
    {"data"},
    {"damage", "reading", "calibration"},
    {"vae", "mechanisms", "eyes", "conditional", "plain", "hidden"},
    {"train", "step", "muon", "checkpoint"},
    {"reader", "few_labels", "label_runs"},
    {"doubt", "imagine"},
    {"score", "scorecard"},
    {"decoders"},
    {"gan", "gan_networks", "gan_train", "gan_score"},
    {"show", "picture", "plots", "graph_figure", "scene_figure", "scene_words", "rungs"}
    | {"reliability_figure"},
    {"explorer", "explorer_answer", "explorer_words", "explorer_page", "explorer_graph"},
    {"check", "answers", "exercises_drawing", "exercises_world", "exercises_doing"}
    | {"exercises_imagining", "exercises_pictures", "exercises_causes", "exercises_gan"}
    | {"exercises_causal_vae", "exercises_storm", "exercises_own_world"},
    {"doctor", "trial"},
    {"course"},
]


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def tracked() -> list[Path]:
    """The project's files: what git has or would take, or all but what was built."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    built = {".venv", ".venv-latest", ".hub", "build", "dist", "__pycache__", ".hypothesis"}
    built |= {".pytest_cache", ".ruff_cache"}
    found = ((p, p.relative_to(ROOT).parts) for p in ROOT.rglob("*") if p.is_file())
    return [p for p, parts in found if not built & set(parts) and "egg-info" not in parts[0]]


DOCUMENTS = sorted(path for path in tracked() if path.suffix == ".md")


def texts() -> list[tuple[str, str]]:
    """Name and text of every text file of the project."""
    found = []
    for path in tracked():
        try:
            found.append((path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


# --- dependencies ---------------------------------------------------------------------------------


def ranges(*extras: str) -> dict[str, Requirement]:
    listed = list(PROJECT["project"]["dependencies"])
    for extra in extras:
        listed += PROJECT["project"]["optional-dependencies"][extra]
    return {canonicalize_name(r.name): r for r in map(Requirement, listed)}


def pins() -> dict[str, Requirement]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    listed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(r.name): r for r in listed}


def test_every_package_is_pinned_to_one_version():
    for name, pin in pins().items():
        assert re.fullmatch(r"==[\w.]+", str(pin.specifier)), f"{name}: {pin.specifier}"
        assert pin.url is None


def test_every_range_is_pinned_to_a_version_inside_it():
    for name, allowed in ranges("test", "interop").items():
        version = str(pins()[name].specifier).removeprefix("==")
        assert allowed.specifier.contains(version), f"{name}: {version} is not {allowed.specifier}"


@pytest.mark.skipif(
    Path(sys.prefix).resolve() != ROOT / ".venv", reason="not in the environment of make"
)
def test_what_is_pinned_is_what_is_installed_and_complete():
    """All that the pinned packages need is pinned as well, and installed in that version."""
    for name, pin in pins().items():
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            assert pin.marker is not None and not pin.marker.evaluate(), f"{name} isn't installed"
            continue
        assert pin.specifier.contains(installed.version), f"{name} {installed.version} is installed"
        oldest = PROJECT["project"]["requires-python"].removeprefix(">=") + ".0"
        wanted = SpecifierSet(distribution(name).metadata.get("Requires-Python", ""))
        for version in (oldest, NEWEST + ".0"):
            assert wanted.contains(version), f"{name} needs Python {wanted}"
        if name == "torch":
            continue  # one that can use an NVIDIA card brings a dozen packages of its own
        for needed in map(Requirement, installed.requires or ()):
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert canonicalize_name(needed.name) in pins(), f"{name} needs {needed.name}"


def test_the_versions_of_python_are_the_same_everywhere():
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    for name in ("README.md", "Makefile", "workshop/README.md"):
        found = re.findall(r"Python (3\.\d+) to (3\.\d+)", (ROOT / name).read_text("utf-8"))
        assert found and set(found) == {(oldest, NEWEST)}, name
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8"))
    tested = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert (tested[0], tested[-1]) == (oldest, NEWEST) and len(tested) >= 3
    first, last = (int(version.removeprefix("3.")) for version in (oldest, NEWEST))
    fits = f"not (3, {first}) <= sys.version_info < (3, {last + 1})"
    assert fits in (ROOT / "Makefile").read_text(encoding="utf-8")
    for minor in range(first - 1, last + 2):
        good = doctor.check_python((3, minor, 0))[0].grade == "good"
        assert good == (first <= minor <= last)


def test_environment_yml_has_the_same_ranges():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    conda = {d for d in environment["dependencies"] if isinstance(d, str)}
    (python,) = [d for d in conda if d.startswith("python")]
    version = re.fullmatch(r"python=(3\.\d+)", python)[1]  # repo2docker understands no range
    assert SpecifierSet(PROJECT["project"]["requires-python"]).contains(version)
    expected = {python, "pip"}
    expected.add(PROJECT["build-system"]["requires"][0])
    for name, wanted in ranges().items():
        own = CONDA_NAMES.get(name, Requirement(str(wanted)).name)
        expected.add(f"{own}{wanted.specifier}")
    assert conda == expected
    assert [d for d in environment["dependencies"] if not isinstance(d, str)] == [{"pip": ["-e ."]}]


# --- what is written ------------------------------------------------------------------------------


def test_no_file_names_a_machine_or_a_package_registry():
    """Put together here, so that this file doesn't hold them either."""
    hosts = [("pypi", "org"), ("pythonhosted", "org"), ("deb", "debian", "org"), ("npmjs", "org")]
    words = [".".join(host) for host in hosts] + [str(ROOT) + "/", str(Path.home()) + "/"]
    words = [word for word in words if word not in ("/", "//")]
    for name, text in texts():
        assert not [word for word in words if word in text], name


def test_no_file_is_large():
    for path in tracked():
        assert path.stat().st_size <= 10_000_000, path.name


def test_ruff_finds_nothing():
    checked = run(sys.executable, "-m", "ruff", "check", "--quiet", "--no-cache", ".", cwd=ROOT)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("path", sorted((ROOT / "cimg").glob("*.py")), ids=lambda p: p.name)
def test_a_module_can_be_read_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_of_the_documents(path):
    assert rules.links(path.read_text(encoding="utf-8"), path.parent) == []


# --- imports go one way ---------------------------------------------------------------------------


@cache
def imports(path: Path, later: bool = True) -> set[str]:
    """The modules of cimg that a module imports as it is loaded; in functions too if `later`."""
    found, tree = set(), ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if later else tree.body:
        if isinstance(node, ast.ImportFrom) and (node.level or node.module.startswith("cimg")):
            inside = (node.module or "").removeprefix("cimg").strip(".").split(".")
            inside = [part for part in inside if part]
            found |= {inside[0]} if inside else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            named = (alias.name.split(".") for alias in node.names)
            found |= {parts[1] for parts in named if parts[0] == "cimg" and len(parts) > 1}
    return found


def test_imports_have_no_cycle():
    files = (ROOT / "cimg").glob("*.py")
    modules = {p.stem: imports(p, later=False) for p in files if p.stem != "__init__"}
    modules = {name: {m for m in uses if m in modules} for name, uses in modules.items()}
    while modules:
        free = {name for name, uses in modules.items() if not uses & modules.keys()}
        assert free, f"these import each other: {sorted(modules)}"
        modules = {name: uses for name, uses in modules.items() if name not in free}


def test_imports_go_one_way():
    """The modules of the design's table import only from above, also by way of their helpers."""
    files = {p.stem: p for p in (ROOT / "cimg").glob("*.py") if p.stem != "__init__"}
    place = {name: i for i, names in enumerate(ORDER) for name in names}
    assert not files.keys() - place.keys(), "these have no place in ORDER yet"

    def reached(name, seen):
        for used in imports(files[name]) & files.keys() - seen:
            seen.add(used)
            reached(used, seen)
        return seen

    for name in files.keys() & place.keys():
        late = [used for used in reached(name, set()) if place.get(used, -1) > place[name]]
        assert not late, f"{name} imports {late}, which come after it"


# --- the commands ---------------------------------------------------------------------------------

needs_make = pytest.mark.skipif(
    os.name != "posix" or shutil.which("make") is None, reason="needs make, and sh beside it"
)


needs_bash = pytest.mark.skipif(
    os.name != "posix" or shutil.which("bash") is None, reason="needs bash and a system like it"
)


def make(folder, *arguments, **variables):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return run("make", *arguments, cwd=folder, env=environment | variables)


@pytest.fixture
def house(tmp_path):
    """A copy of the Makefile, with a Python that writes down what it is asked to do."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements.txt").write_text("")
    (tmp_path / "pyproject.toml").write_text("")
    fake = tmp_path / "fake-python"
    fake.write_text(
        f"""#!/bin/sh
case "$1" in
  -c) exec {sys.executable} "$@" ;;
esac
echo "$@" >> "{tmp_path}/asked"
case "$*" in
  "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  *"$FAIL_ON"*) [ -z "$FAIL_ON" ] || exit 1 ;;
esac
"""
    )
    fake.chmod(0o755)

    class House:
        def make(self, *arguments, **variables):
            (tmp_path / "asked").write_text("")
            ran = make(tmp_path, *arguments, f"PYTHON={fake}", **variables)
            return ran, (tmp_path / "asked").read_text()

        folder = tmp_path

    return House()


@needs_make
@pytest.mark.parametrize("target", ["lab", "test", "notebooks", "weights", "bench", "doctor",
                                    "explorer", "slides", "docs", "score", "studies",
                                    "fuzz", "test-elsewhere", "wheel", "links"])  # fmt: skip
def test_each_command_sets_up_once_and_then_just_runs(house, target):
    ran, asked = house.make(target)
    assert ran.returncode == 0, ran.stderr
    assert "Setting up" in ran.stdout
    for step in ("-m venv .venv", "--requirement requirements.txt", "--editable ."):
        assert step in asked
    (house.folder / target).mkdir()  # as docs and notebooks are there; it is newer than the stamp
    again, asked = house.make(target)
    assert again.returncode == 0
    assert "Setting up" not in again.stdout and "pip" not in asked and len(asked) > 0


@needs_make
def test_lab_opens_the_first_notebook_for_this_machine_only(house):
    _, asked = house.make("lab")
    line = next(line for line in asked.splitlines() if "-m jupyterlab" in line)
    assert (
        "default_url=/lab/tree/notebooks/00-start-here.ipynb" in line and "--ip=127.0.0.1" in line
    )
    assert "token" not in line and "password" not in line  # JupyterLab's own token stays on


@needs_make
def test_a_stale_environment_is_set_up_again(house):
    house.make("test")
    newer = house.folder / ".venv" / ".installed"
    os.utime(newer, (1, 1))
    ran, asked = house.make("test")
    assert "Setting up" in ran.stdout and "--requirement" in asked
    assert "venv" not in asked  # it is mended, not thrown away
    newer.write_text("/another/place")
    assert "Setting up" in house.make("test")[0].stdout
    (house.folder / ".venv" / "bin" / "python").unlink()
    ran, asked = house.make("test")
    assert ran.returncode == 0 and "-m venv .venv" in asked


@needs_make
def test_a_failed_or_interrupted_installation_is_not_taken_for_a_finished_one(house):
    ran, _ = house.make("test", FAIL_ON="--requirement")
    assert ran.returncode != 0
    ran, asked = house.make("test")
    assert ran.returncode == 0 and "--requirement" in asked


@needs_make
@pytest.mark.parametrize("at_work", [True, False])
def test_nothing_is_removed_under_a_class_at_work(house, at_work):
    """`python -m workshop --running` ends with 3 then."""
    house.make("test")
    answer = house.folder / ".venv" / "bin" / "python"
    answer.write_text(f"#!/bin/sh\nexit {3 * at_work}\n")
    (kept := house.folder / "workshop" / ".hub").mkdir(parents=True)
    ran, _ = house.make("clean")
    assert (ran.returncode != 0) == at_work == kept.exists()


@needs_make
def test_failing_tests_fail_the_command(house):
    assert house.make("test")[0].returncode == 0
    assert house.make("test", FAIL_ON="-m tests")[0].returncode != 0


@needs_make
def test_an_old_python_is_refused_by_name(house):
    old = house.folder / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    ran = make(house.folder, "lab", f"PYTHON={old}")
    assert ran.returncode != 0
    assert "Python 3.11 to 3.14 is needed" in ran.stdout and "old-python" in ran.stdout
    assert not (house.folder / ".venv").exists()


MORE = ("explorer", "slides", "docs", "score", "studies", "hub")


@needs_make
def test_help_is_the_default_and_lists_the_commands():
    said = make(ROOT).stdout
    for command in (
        "lab",
        "doctor",
        "test",
        "notebooks",
        "sprites",
        "weights",
        "bench",
        "clean",
        *MORE,
    ):
        assert f"make {command} " in said


@needs_bash
def test_ci_fails_when_the_tests_do(tmp_path):
    """.ci/run, with a `make` of our own, and with chromium there already."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, script in (("make", 'echo "make $@"; exit "$CODE"'), ("chromium", "true")):
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    for code in (0, 2):
        ran = run(
            "bash", ".ci/run", cwd=tmp_path, env=os.environ | {"PATH": path, "CODE": str(code)}
        )
        said = [line for line in ran.stdout.splitlines() if line.startswith("make")]
        assert said == ["make hub-setup", "make test"] and ran.returncode == code


@needs_bash
@pytest.mark.parametrize("tools", [{}, {"apt-get": "exit 0"}, {"apt-get": "exit 1"}])
def test_ci_runs_the_tests_whether_or_not_chromium_can_be_had(tools, tmp_path):
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    known = {"make": 'echo "make $@"', "id": "echo 0", "dirname": "echo .ci"}
    for name, script in (known | tools).items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    bash = shutil.which("bash")
    ran = run(bash, ".ci/run", cwd=tmp_path, env=os.environ | {"PATH": str(tmp_path)})
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "make test"
    assert ("couldn't be installed" in ran.stdout) == (tools.get("apt-get") == "exit 1")


def test_the_readmes_table_is_what_the_notebooks_state():
    done = run(sys.executable, str(ROOT / "notebooks" / "readme.py"), "--check")
    assert done.returncode == 0, done.stdout + done.stderr
