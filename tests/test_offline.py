"""The guard that keeps notebooks and tests off the network catches what it should, no more."""

import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from build import BuildError, execute

OFFLINE = Path(__file__).parent / "offline"
ELSEWHERE = "192.0.2.1"  # set aside for documentation: nobody's machine


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: socket.create_connection((ELSEWHERE, 80), timeout=1),
        lambda: socket.create_connection(("example.invalid", 80), timeout=1),
        lambda: socket.getaddrinfo("example.invalid", 443),
        lambda: socket.gethostbyname("example.invalid"),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (ELSEWHERE, 53)),
        lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 80)),
    ],
)
def test_nothing_leaves_this_machine(attempt):
    with pytest.raises(PermissionError, match="offline"):
        attempt()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_can_be_reached(host):
    server = socket.create_server(("127.0.0.1", 0))
    with server, socket.create_connection((host, server.getsockname()[1]), timeout=5):
        server.accept()[0].close()


def run(*command, **options):
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, **options
    )


def test_child_processes_are_guarded_too():
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"
    ran = run("-c", code)
    assert ran.returncode != 0 and "offline: the course needs no network" in ran.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import urllib.request\nurllib.request.urlopen('http://192.0.2.1/', timeout=1)",
        "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=1)",
    ],
)
def test_a_notebook_that_asks_for_the_network_is_not_built(code, tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    with pytest.raises(BuildError, match="offline: the course needs no network"):
        execute(notebook, tmp_path, "asks.ipynb")


def test_nbval_catches_a_notebook_that_asks_for_the_network(tmp_path):
    cell = nbformat.v4.new_code_cell(
        "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=1)", execution_count=1
    )
    path = tmp_path / "asks.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    root = OFFLINE.parent.parent
    options = ["--nbval", "-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={root}"]
    ran = run("-m", "pytest", *options, "-c", str(root / "pyproject.toml"), str(path), cwd=root)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "offline: the course needs no network" in ran.stdout
