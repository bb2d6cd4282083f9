"""A real browser and the servers that it visits, for `test_browser.py`.

The browser is the system's chromium. CIMG_CHROMIUM names another one; CIMG_CHROMIUM=none leaves the
browser tests out. Servers listen on this machine only, and work on copies of the notebooks.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
PAGES = ("00-start-here.ipynb", "page/explorer.ipynb")
FLAGS = [
    "--no-sandbox",  # it sees pages of this machine only; as root it wouldn't start with one
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTINGS = {  # every cell is in the page, seen or not; and nobody asks whether news are wanted
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false"},
}


def chromium() -> str | None:
    """The browser's program, or None."""
    named = os.environ.get("CIMG_CHROMIUM")
    if named:
        return None if named == "none" else named
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def environment(folder: Path) -> dict[str, str]:
    """Whatever Jupyter keeps, it keeps in `folder`."""
    places = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    kept = {f"JUPYTER_{place}": str(folder / place.lower()) for place in places}
    kept["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "settings")
    kept["JUPYTERLAB_WORKSPACES_DIR"] = str(folder / "workspaces")
    kept["IPYTHONDIR"] = str(folder / "ipython")
    for name, settings in SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))
    return {**os.environ, **kept, "OMP_NUM_THREADS": "1"}


def free_port() -> int:
    """One below those that the system gives away, to kernels say: none of these can take it before
    a server does."""
    while True:
        port = secrets.choice(range(20_000, 32_000))
        with suppress(OSError), socket.socket() as s:
            s.bind(("127.0.0.1", port))
            return port


@contextmanager
def serving(command: list[str], address: str, folder: Path, env: dict[str, str]) -> Iterator[str]:
    """Run a server until the end of the block; the block begins when `address` answers."""
    log = folder / f"{command[0]}.log"
    with log.open("w") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, env=env, stdout=file, stderr=file
        )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        for _ in range(240):
            assert server.poll() is None, log.read_text()
            try:
                direct.open(address, timeout=60).close()
                break
            except urllib.error.HTTPError:  # an answer, too
                break
            except OSError:
                time.sleep(0.5)
        else:
            raise AssertionError(f"{command[0]} doesn't answer:\n{log.read_text()}")
        yield address
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """JupyterLab on copies of the notebooks; gives their address, with ``{}`` for the name."""
    for name in PAGES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(NOTEBOOKS / name, folder / name)
    port, token = free_port(), secrets.token_hex(16)
    flags = ["--no-browser", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
    flags += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--allow-root")
    here = f"http://127.0.0.1:{port}"
    answers = f"{here}/api/status?token={token}"
    with serving(["jupyterlab", *flags], answers, folder, environment(folder)):
        yield f"{here}/lab/tree/{{}}?token={token}&reset"


@contextmanager
def voila(folder: Path) -> Iterator[str]:
    """The stand-alone page, started as `make explorer` starts it; gives its address."""
    port, token = free_port(), secrets.token_hex(16)
    env = environment(folder) | {"JUPYTER_PATH": str(NOTEBOOKS / "page")}
    flags = [*explorer_flags(), "--no-browser", f"--port={port}", "--Voila.port_retries=0"]
    flags.append(f"--Voila.token={token}")
    page = str(NOTEBOOKS / "page" / "explorer.ipynb")
    address = f"http://127.0.0.1:{port}"
    with serving(["voila", page, *flags], f"{address}/static/", folder, env):
        yield f"{address}/?token={token}"


def explorer_flags() -> list[str]:
    """The flags of `make explorer`, out of the Makefile."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    line = next(line for line in text.splitlines() if line.startswith("PAGE_FLAGS :="))
    return line.partition(":=")[2].split()
