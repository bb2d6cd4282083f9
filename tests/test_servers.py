"""What `make` starts listens on this machine only and asks for a token; a foreign notebook that is
opened there runs nothing."""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from jupyter_client.manager import start_new_kernel

from tests.browser import free_port

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
BROWSER = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
pytestmark = pytest.mark.skipif(
    os.name != "posix" or shutil.which("make") is None, reason="needs make and process groups"
)


def targets() -> dict[str, str]:
    """The targets of the Makefile that start a server, and what it is."""
    found, target = {}, ""
    for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines():
        target = line.partition(":")[0] if re.match(r"[a-z]", line) else target
        if server := re.search(r"^\t.*-m (jupyterlab|voila)\b", line):
            found[target] = server[1]
    return found


@contextlib.contextmanager
def started(target: str, folder: Path, more: str = ""):
    """What `make target` starts, with no browser; yields its process, address and token."""
    port = free_port()
    make = ["make", "-n", target, f"ARGS=--no-browser --port={port} {more}"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    lines = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True, env=clean)
    command = next(x for x in lines.stdout.splitlines() if re.search(r"-m (jupyterlab|voila)\b", x))
    command = re.sub(r"\S*(?:bin|Scripts)/python\b", sys.executable, command)
    own = {"JUPYTER_RUNTIME_DIR": "run", "JUPYTER_DATA_DIR": "data", "JUPYTER_CONFIG_DIR": "config"}
    environment = clean | {name: str(folder / place) for name, place in own.items()}
    log = folder / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            ["sh", "-c", f"exec env {command}"],  # with what is set for it, in this very process
            cwd=ROOT, env=environment, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        yield server, f"http://127.0.0.1:{port}", wait_for_token(server, port, folder)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def wait_for_token(server: subprocess.Popen, port: int, folder: Path, seconds: int = 120) -> str:
    """The token, from the server's file or from what it says, once it answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        files = list((folder / "run").glob("jpserver-*.json"))
        try:
            told = [json.loads(path.read_text())["token"] for path in files]
            socket.create_connection(("127.0.0.1", port), 1).close()
        except (OSError, ValueError):
            time.sleep(0.2)
            continue
        told += re.findall(r"token=(\w+)", (folder / "log").read_text(errors="replace"))
        if told:
            return told[0]
        time.sleep(0.2)  # it answers, and has still to say its token
    if server.poll() is None and is_open(port):
        return ""
    raise AssertionError(f"it didn't start:\n{(folder / 'log').read_text(errors='replace')}")


def is_open(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def answer(address: str) -> tuple[int, str]:
    """Status and final address of a page."""
    try:
        with urllib.request.urlopen(address, timeout=60) as page:
            return page.status, page.url
    except urllib.error.HTTPError as error:
        return error.code, error.url


def listening(server: subprocess.Popen) -> set[str]:
    """Addresses at which the server and all that it has started listen."""
    found = set()
    for process in [psutil.Process(server.pid), *psutil.Process(server.pid).children(True)]:
        with contextlib.suppress(
            psutil.NoSuchProcess, FileNotFoundError
        ):  # a child that has ended meanwhile
            found |= {c for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    return {c.laddr.ip for c in found}


def test_the_makefile_starts_a_server():
    assert targets()["lab"] == "jupyterlab"


@pytest.mark.parametrize("target", targets())
def test_a_server_listens_on_this_machine_only_and_asks_for_its_token(target, tmp_path):
    if targets()[target] == "voila":
        pytest.importorskip("voila")
    with started(target, tmp_path) as (server, address, token):
        assert listening(server) == {"127.0.0.1"}
        assert len(token) >= 32, "no token, or one that could be guessed"
        for wrong in ("", "api/kernels", "?token=", f"?token={secrets.token_hex(24)}"):
            status, url = answer(f"{address}/{wrong}")
            assert "/login" in url or status == 403
        status, url = answer(f"{address}/?token={token}")
        assert status == 200 and "/login" not in url
        assert listening(server) == {"127.0.0.1"}  # kernels too


# --- a notebook from someone else -----------------------------------------------------------------

TRAP = "(()=>{const d=document.documentElement.dataset;d.ran=(d.ran||'')+' %s'})()"


def trap(name: str) -> str:
    return TRAP % name


def hostile(marker: Path) -> dict:
    """A notebook that tries, in every way we know of, to run something on being opened."""
    html = (
        f'<b>hello</b><script>{trap("script")}</script><img src=x onerror="{trap("image")}">'
        f'<svg onload="{trap("svg")}"></svg><iframe srcdoc="<script>parent.{trap("frame")}'
        f'</script>"></iframe><details open ontoggle="{trap("toggle")}">x</details>'
        f'<input autofocus onfocus="{trap("focus")}"><a href="javascript:{trap("link")}">a</a>'
        "<style>body{background:red!important}</style><form action='/api/shutdown' method=post>"
        "<button autofocus>go</button></form>"
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" onload="{trap("drawing")}">'
        f"<script>{trap('drawing')}</script></svg>"
    )
    view = {"version_major": 2, "version_minor": 0, "model_id": "a" * 32}
    outputs = [
        {"text/html": html},
        {"application/javascript": trap("javascript")},
        {"text/javascript": trap("javascript")},
        {"image/svg+xml": svg},
        {"text/markdown": html},
        {"text/latex": rf"$\href{{javascript:{trap('latex')}}}{{a}}\unicode{{x}}$ {html}"},
        {"application/vnd.jupyter.widget-view+json": view, "text/plain": "a widget"},
    ]
    state = {
        "b" * 32: {"model_name": "LayoutModel", "model_module": "@jupyter-widgets/base",
                   "model_module_version": "2.0.0", "state": {}},
        "c" * 32: {"model_name": "DescriptionStyleModel", "model_module_version": "2.0.0",
                   "model_module": "@jupyter-widgets/controls", "state": {}},
        "a" * 32: {"model_name": "HTMLModel", "model_module": "@jupyter-widgets/controls",
                   "model_module_version": "2.0.0",
                   "state": {"value": html, "layout": "IPY_MODEL_" + "b" * 32,
                             "style": "IPY_MODEL_" + "c" * 32}},
    }  # fmt: skip
    run = f"open({str(marker)!r}, 'w').close()"
    code = {"cell_type": "code", "execution_count": 1, "source": run, "id": "code"}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "trusted": True,
            "signature": "sha256:" + "0" * 64,
            "widgets": {
                "application/vnd.jupyter.widget-state+json": {
                    "version_major": 2, "version_minor": 0, "state": state
                }
            },
        },
        "cells": [
            {"cell_type": "markdown", "id": "text", "metadata": {}, "source": html},
            {"cell_type": "raw", "id": "raw", "metadata": {"format": "text/html"}, "source": html},
            code | {
                "metadata": {"trusted": True, "init_cell": True, "tags": ["autorun", "init_cell"]},
                "outputs": [
                    {"output_type": "display_data", "data": data, "metadata": {}}
                    for data in outputs
                ],
            },
        ],
    }  # fmt: skip


def opened(address: str, token: str, wait: str, runs: tuple[str, ...] = ()) -> tuple[str, str]:
    """What ran in the browser when the notebook was opened, and the text that was to be seen.
    `runs`: what is expected to run, and waited for."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER.split())
        page = browser.new_page()
        page.set_default_timeout(180_000)
        page.goto(f"{address}/lab/tree/foreign.ipynb?token={token}")
        page.locator(".jp-Notebook .jp-RenderedMarkdown b").first.wait_for()
        page.locator(wait).first.wait_for(state="attached")
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").first.wait_for(
            state="attached"  # the kernel has started
        )
        for name in runs:
            page.wait_for_function(
                "name => (document.documentElement.dataset.ran || '').includes(name)", arg=name
            )
        page.wait_for_timeout(3000)
        ran = page.evaluate("document.documentElement.dataset.ran || ''")
        text = page.locator(".jp-Notebook").first.inner_text()
        browser.close()
    return ran, text


def put_decoys(folder: Path, marker: Path) -> None:
    """Modules that a kernel imports while it starts; these leave a mark."""
    for name in ("ipykernel_launcher", "ipykernel", "IPython", "traitlets", "json", "zmq"):
        (folder / f"{name}.py").write_text(f"open({str(marker)!r}, 'a').write({name!r})\n")


@pytest.mark.parametrize("safe", [True, False])
def test_modules_beside_a_notebook_are_not_taken_for_jupyters_own(safe, tmp_path):
    """A kernel as JupyterLab starts it, in the notebook's folder; without the setting it falls for
    them, so the test could have failed."""
    (folder := tmp_path / "received").mkdir()
    put_decoys(folder, marker := tmp_path / "it ran")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    setting = re.search(r"^SAFE := (\w+)=(\w+)$", makefile, re.MULTILINE)
    environment = os.environ | ({setting[1]: setting[2]} if safe else {})
    try:
        manager, client = start_new_kernel(cwd=str(folder), env=environment)
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    except RuntimeError:  # "Kernel died", with a decoy in the place of what starts it
        assert not safe
    assert marker.exists() != safe


@pytest.fixture
def lab(tmp_path):
    """JupyterLab as `make lab` starts it, over a folder with the foreign notebook, and modules
    that go by the names of Jupyter's own."""
    (folder := tmp_path / "received").mkdir()
    marker = tmp_path / "it ran"
    put_decoys(folder, marker)
    (folder / "foreign.ipynb").write_text(json.dumps(hostile(marker)))
    more = f"--ServerApp.root_dir={folder}"
    with started("lab", tmp_path, more) as (_, address, token):
        yield folder / "foreign.ipynb", marker, address, token


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_notebook_from_someone_else_runs_nothing_when_it_is_opened(lab):
    path, marker, address, token = lab
    before = path.read_bytes()
    ran, text = opened(address, token, ".jp-OutputArea-output")
    assert ran == "" and not marker.exists()
    assert "hello" in text  # so it was shown, without what was dangerous in it
    assert path.read_bytes() == before


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_the_trap_snaps_where_a_learner_has_trusted_the_notebook(lab, tmp_path):
    """So the test above could have failed. Cells are not run even then."""
    path, marker, address, token = lab
    data = {"JUPYTER_DATA_DIR": str(tmp_path / "data")}
    trust = [sys.executable, "-m", "jupyter", "trust", str(path)]
    subprocess.run(trust, env=os.environ | data, check=True, capture_output=True)
    ran, _ = opened(address, token, ".jp-OutputArea-output", runs=("image", "javascript"))
    assert "image" in ran and "javascript" in ran
    assert not marker.exists()
