"""What stands around the code: CI, forms, how to contribute and to cite, links to other sites."""

import http.server
import re
import sys
import threading
from pathlib import Path

import pytest
import yaml

from tests import __main__ as tests_main
from tests import elsewhere, weblinks

ROOT = Path(__file__).resolve().parent.parent
GITHUB = ROOT / ".github"
WORKFLOW = (GITHUB / "workflows" / "tests.yml").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))


# --- CI -------------------------------------------------------------------------------------------


def steps(job: str) -> list[dict]:
    return yaml.safe_load(WORKFLOW)["jobs"][job]["steps"]


def test_three_systems_and_at_least_three_versions_of_python_from_the_oldest():
    matrix = yaml.safe_load(WORKFLOW)["jobs"]["test"]["strategy"]["matrix"]
    assert {system.partition("-")[0] for system in matrix["system"]} == {
        "ubuntu",
        "macos",
        "windows",
    }
    oldest = re.search(
        r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text("utf-8")
    )
    assert len(matrix["python"]) >= 3 and matrix["python"][0] == oldest[1]
    assert all(isinstance(version, str) for version in matrix["python"])  # 3.10 is no 3.1


def test_it_runs_on_every_change_and_every_week():
    when = yaml.safe_load(WORKFLOW)[True]  # YAML takes `on` for true
    assert {"push", "pull_request", "schedule"} <= when.keys()
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", when["schedule"][0]["cron"])


def test_it_calls_targets_that_there_are():
    called = re.findall(r"run: make ([a-z-]+)", WORKFLOW)
    assert called == ["hub-setup", "test"] and set(called) <= TARGETS
    weekly = yaml.safe_load(WORKFLOW)["jobs"]["weekly"]
    assert weekly["steps"][-1]["run"] == "make ${{ matrix.target }} PYTHON=python"
    targets = weekly["strategy"]["matrix"]["target"]
    assert set(targets) == {"test-latest", "test-elsewhere", "fuzz", "wheel", "links", "audit"}
    assert set(targets) <= TARGETS and "schedule" in weekly["if"]


def test_the_workshop_is_tested_as_root_where_everybody_may_read():
    said = "\n".join(step.get("run", "") for step in steps("hub"))
    assert re.findall(r"make --directory=(\S+) (\S+)", said) == [
        ("/srv/cimg", "hub-setup"),
        ("/srv/cimg", "test"),
    ]
    assert "sudo cp -r . /srv/cimg" in said and "ARGS=tests/test_workshop.py" in said
    none_skipped = re.search(r'grep --quiet "(.+)" said', said)[1]
    assert str(tests_main.Count(100)).endswith(none_skipped)


def test_every_job_has_what_a_job_needs():
    """Keys that there are, a limit of time within GitHub's six hours, steps that use or run."""
    workflow = yaml.safe_load(WORKFLOW)
    assert workflow.keys() == {"name", True, "permissions", "concurrency", "env", "jobs"}
    known = {"name", "if", "runs-on", "timeout-minutes", "strategy", "steps"}
    for job in workflow["jobs"].values():
        assert job.keys() <= known and 0 < job["timeout-minutes"] <= 360
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            assert step.keys() <= {"name", "if", "uses", "run", "with", "shell"}
    used = set(re.findall(r"uses: (\S+)", WORKFLOW))
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", name) for name in used) and len(used) == 2
    group = workflow["concurrency"]["group"]
    assert "github.event_name" in group  # or a push on a Monday would end the weekly run


def test_windows_commands_of_contributing_are_the_makefile_s():
    """Its table of commands without make: what the target runs, with Windows' path of Python."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `make ([a-z-]+)` \| (`\.venv.*) \|$", text, re.MULTILINE)
    assert len(table) > 9
    for target, commands in table:
        made = MAKEFILE[MAKEFILE.index(f"\n{target}: ") :].split("\n\n")[0]
        for command in re.findall(r"`\.venv\\Scripts\\python ([^`]+)`", commands):
            assert f"@$(PY) {command}" in made, (target, command)
        assert commands.count("`.venv") == made.count("\t@$(PY) ")


def test_windows_gets_what_make_does():
    """The same commands, in the same order, as the Makefile gives on other systems."""
    by_hand = "\n".join(
        step["run"] for step in steps("test") if step.get("if") == "runner.os == 'Windows'"
    )
    by_hand = re.sub(r"\.venv/Scripts/python|python", "PY", by_hand)
    setup = MAKEFILE[MAKEFILE.index("$(STAMP): requirements.txt") :]
    by_make = re.findall(r"^\t.*?\$\(PY\) (-m pip install .*)$", setup, re.MULTILINE)
    assert len(by_make) == 2
    for command in by_make:
        assert f"PY {command}" in by_hand
    assert by_hand.splitlines()[0] == "PY -m venv .venv" and by_hand.strip().endswith("PY -m tests")
    assert "\t@$(PY) -m tests $(ARGS)" in MAKEFILE


def test_no_step_needs_a_secret_or_may_write():
    assert "secrets." not in WORKFLOW and "pull_request_target" not in WORKFLOW
    assert yaml.safe_load(WORKFLOW)["permissions"] == {"contents": "read"}


# --- documents ------------------------------------------------------------------------------------


def test_commands_of_the_documents_exist():
    for name in ("CONTRIBUTING.md", "README.md", "CHANGELOG.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        called = set(re.findall(r"(?:`|^    )make ([a-z-]+)", text, re.MULTILINE))
        assert called <= TARGETS, name
    assert "fuzz" in re.findall(r"`make ([a-z-]+)`", (ROOT / "CONTRIBUTING.md").read_text("utf-8"))


@pytest.mark.parametrize(
    "path", sorted(GITHUB.glob("ISSUE_TEMPLATE/*-*.yml")), ids=lambda p: p.stem
)
def test_forms(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form["name"] and form["description"] and form["body"]
    names = [part["id"] for part in form["body"]]
    assert len(set(names)) == len(names)
    for part in form["body"]:
        assert part["type"] in ("input", "textarea", "dropdown") and part["attributes"]["label"]
        if part["type"] == "dropdown":
            assert all(isinstance(option, str) for option in part["attributes"]["options"])


def test_the_citation_has_all_that_it_needs():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    needed = {"cff-version", "message", "title", "authors", "version", "date-released", "license"}
    assert needed <= citation.keys()
    assert citation["title"].startswith("cimg: causal image generation")


# --- links to other sites -------------------------------------------------------------------------


class Site(http.server.BaseHTTPRequestHandler):
    """Answers with the number that is in the path."""

    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(int(self.path[1:4]))
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def site():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "path, said, times",
    [("/200", "", 1), ("/404", "404", 1), ("/403", "shy: 403", 1), ("/503", "shy: 503", 2)],
)
def test_pages_that_answer_and_pages_that_are_gone(site, monkeypatch, path, said, times):
    monkeypatch.setattr(weblinks, "TRIES", 2)
    found = weblinks.ask(f"http://127.0.0.1:{site.server_port}{path}")
    assert found.startswith(said) and bool(found) == bool(said)
    assert site.asked == [path] * times


def test_a_site_that_is_gone(monkeypatch):
    monkeypatch.setattr(weblinks, "TRIES", 1)
    assert "refused" in weblinks.ask("http://127.0.0.1:9/")


def test_links_are_found_and_a_page_that_is_gone_fails_the_command(
    site, tmp_path, monkeypatch, capsys
):
    base = f"http://127.0.0.1:{site.server_port}"
    monkeypatch.setattr(weblinks, "NO_PAGES", ())
    (page := tmp_path / "a.md").write_text(
        f"See [this]({base}/200), {base}/200#part. And <{base}/403>, `{base}/{{name}}`."
    )
    assert weblinks.main([str(page)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 addresses, 0 of them gone."
    page.write_text(f"[that]({base}/404)")
    assert weblinks.main([str(page)]) == 1
    assert f"{base}/404\n    404 Not Found; in a.md" in capsys.readouterr().out


def test_the_courses_own_links_are_seen():
    assert any("semver" in address for address in weblinks.links([ROOT / "CHANGELOG.md"]))


# --- other circumstances --------------------------------------------------------------------------


def test_all_notebooks_are_run_elsewhere_in_another_order_each_time():
    orders = [elsewhere.notebooks(seed, []) for seed in range(3)]
    found = [[x for x in order if x.endswith(".ipynb")] for order in orders]
    assert sorted(found[0]) == sorted(found[1]) == sorted(found[2])
    assert len({tuple(order) for order in found}) == 3 == len(elsewhere.CIRCUMSTANCES)
    every = [ROOT / path for path in tests_main.find_notebooks()]
    assert {Path(path).resolve() for path in found[0]} == set(every)
    few = elsewhere.notebooks(0, ["03", "09"])
    assert sorted(Path(x).name[:2] for x in few if x.endswith(".ipynb")) == ["03", "03", "09", "09"]


def test_the_exact_tests_are_there_and_circumstances_differ():
    for name in elsewhere.EXACT:
        assert (ROOT / "tests" / f"test_{name}.py").is_file()
    for key in ("TZ", "OMP_NUM_THREADS", "LC_ALL"):
        assert len({c[key] for c in elsewhere.CIRCUMSTANCES}) > 1
    assert {c["OMP_NUM_THREADS"] for c in elsewhere.CIRCUMSTANCES} == {"1", "2"}
    assert len(set(elsewhere.FOLDERS)) == len(elsewhere.CIRCUMSTANCES)


def test_what_is_left_behind_elsewhere_is_seen(tmp_path, monkeypatch, capfd):
    """Circumstance 0 with two commands in place of the tests: one fails, one leaves a file."""
    run = [sys.executable, "-c"]
    monkeypatch.setattr(elsewhere, "exact", lambda: [*run, "import os; exit(os.environ['TZ'])"])
    made = [*run, "open('../left', 'w').close(); open('README.md', 'a').write('x')"]
    monkeypatch.setattr(elsewhere, "notebooks", lambda *_: made)
    assert elsewhere.main(["0"]) == 1
    said = capfd.readouterr().out
    assert said.endswith(
        "\n0: exact tests\n0: made or changed course/README.md\n0: made or changed left\n"
    )
    monkeypatch.setattr(elsewhere, "exact", lambda: [*run, "pass"])
    assert elsewhere.main(["0", "--no-notebooks"]) == 0
    assert "The same everywhere." in capfd.readouterr().out
    with pytest.raises(SystemExit):
        elsewhere.main(["3"])
