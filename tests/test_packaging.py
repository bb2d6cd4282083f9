"""What stands around the code: CI, forms, how to contribute and to cite, links to other sites."""

import http.server
import re
import threading
from pathlib import Path

import pytest
import yaml

from tests import elsewhere, weblinks

ROOT = Path(__file__).resolve().parent.parent
GITHUB = ROOT / ".github"
WORKFLOW = (GITHUB / "workflows" / "tests.yml").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))


# --- CI -------------------------------------------------------------------------------------------


def steps(job: str) -> list[dict]:
    return yaml.safe_load(WORKFLOW)["jobs"][job]["steps"]


def test_three_systems_and_three_versions_of_python_from_the_oldest():
    matrix = yaml.safe_load(WORKFLOW)["jobs"]["test"]["strategy"]["matrix"]
    assert {system.partition("-")[0] for system in matrix["system"]} == {
        "ubuntu",
        "macos",
        "windows",
    }
    oldest = re.search(
        r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text("utf-8")
    )
    assert len(matrix["python"]) == 3 and matrix["python"][0] == oldest[1]
    assert all(isinstance(version, str) for version in matrix["python"])  # 3.10 is no 3.1


def test_it_runs_on_every_change_and_every_week():
    when = yaml.safe_load(WORKFLOW)[True]  # YAML takes `on` for true
    assert {"push", "pull_request", "schedule"} <= when.keys()
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", when["schedule"][0]["cron"])


def test_it_calls_targets_that_there_are():
    called = re.findall(r"run: make ([a-z-]+)", WORKFLOW)
    assert "test" in called and set(called) <= TARGETS
    assert {"test-latest", "test-elsewhere", "fuzz", "wheel", "links", "audit"} <= set(called)


def test_windows_gets_what_make_does():
    """The same commands, in the same order, as the Makefile gives on other systems."""
    by_hand = "\n".join(
        step["run"] for step in steps("test") if step.get("if") == "runner.os == 'Windows'"
    )
    by_hand = re.sub(r"\.venv\\Scripts\\python|python", "PY", by_hand)
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
    orders = [elsewhere.commands(seed, True)[1] for seed in (0, 1)]
    notebooks = [[x for x in order if x.endswith(".ipynb")] for order in orders]
    assert sorted(notebooks[0]) == sorted(notebooks[1]) and notebooks[0] != notebooks[1]
    assert len(notebooks[0]) == len({*ROOT.glob("notebooks/*.ipynb")}) * 2


def test_the_exact_tests_are_there_and_circumstances_differ():
    for name in elsewhere.EXACT:
        assert (ROOT / "tests" / f"test_{name}.py").is_file()
    for key in ("TZ", "OMP_NUM_THREADS", "LC_ALL"):
        assert len({c[key] for c in elsewhere.CIRCUMSTANCES}) > 1
