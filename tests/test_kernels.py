"""A kernel that finds its ports taken is started once more, when building as when testing."""

import socket
from itertools import count

import nbformat
import pytest
from jupyter_client.connect import LocalPortCache
from nbclient import NotebookClient
from nbval.kernel import RunningKernel

from build import BuildError, execute
from kernels import once_more

PORTS = 5  # that a kernel takes


@pytest.fixture
def another_is_faster(monkeypatch):
    """Give a number of kernels a first port that another program has; the list of those to come."""
    choose, ports = LocalPortCache.find_available_port, count()
    with socket.create_server(("127.0.0.1", 0)) as server:
        to_come = []

        def chosen(cache, ip):
            is_first = next(ports) % PORTS == 0
            return to_come.pop() if to_come and is_first else choose(cache, ip)

        def is_faster(kernels: int) -> list[int]:
            to_come.extend([server.getsockname()[1]] * kernels)
            return to_come

        monkeypatch.setattr(LocalPortCache, "find_available_port", chosen)
        yield is_faster


def a_notebook():
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1 + 1)")])


def test_a_notebook_is_built_where_the_first_kernel_finds_its_port_taken(
    another_is_faster, tmp_path
):
    still = another_is_faster(1)
    notebook = a_notebook()
    execute(notebook, tmp_path, "adds.ipynb")
    assert not still and notebook.cells[0].outputs[0].text == "2\n"


def test_where_the_second_finds_it_too_that_is_said(monkeypatch, tmp_path):
    calls = []

    def dies(client, **options):
        calls.append(options)
        raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setattr(NotebookClient, "execute", dies)
    with pytest.raises(BuildError, match="adds.ipynb: Kernel died before replying"):
        execute(a_notebook(), tmp_path, "adds.ipynb")
    assert len(calls) == 2


def test_a_notebook_is_tested_where_the_first_kernel_finds_its_port_taken(another_is_faster):
    still = another_is_faster(1)
    kernel = RunningKernel("python3")
    try:
        assert not still and kernel.is_alive()
    finally:
        kernel.stop()


def test_what_breaks_later_is_not_tried_again():
    calls = []

    def breaks():
        calls.append(1)
        raise RuntimeError("Kernel died")  # what nbclient says of one that ends on the way

    with pytest.raises(RuntimeError, match="^Kernel died$"):
        once_more(breaks)()
    assert len(calls) == 1
