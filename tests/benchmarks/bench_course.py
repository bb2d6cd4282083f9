"""What a learner waits for and a workshop's server holds: imports, notebooks, idle kernels."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import psutil
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient

from tests.benchmarks.clock import row

ROOT = Path(__file__).resolve().parent.parent.parent
OFFLINE = ROOT / "tests" / "offline"


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(OFFLINE), "TQDM_DISABLE": "1"}


# `import cimg` loads nothing before it is used, so that alone would flatter.
ALONE = "import cimg"
WHOLE = "import cimg; loaded = [getattr(cimg, name) for name in dir(cimg)]"


def import_seconds(what: str, runs: int = 5) -> list[float]:
    """Fresh processes that import, each timing itself: without Python's own start."""
    code = f"import time; t = time.perf_counter(); {what}; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", code]
    return [
        float(subprocess.run(command, capture_output=True, check=True, cwd=ROOT).stdout)
        for _ in range(runs)
    ]


def idle_megabytes(what: str) -> float:
    """Resident memory of a kernel that has imported this and waits."""
    manager, client = start_new_kernel(
        kernel_name="python3", cwd=str(ROOT), env=environment(), stderr=subprocess.DEVNULL
    )
    try:
        client.execute_interactive(what, timeout=60)
        return psutil.Process(manager.provisioner.pid).memory_info().rss / 1e6
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


class Watch(threading.Thread):
    """Notes the largest resident memory of the kernel that a client runs, 20 times a second."""

    def __init__(self, client: NotebookClient):
        super().__init__(daemon=True)
        self.client, self.peak, self.done = client, 0, threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.05):
            try:
                pid = self.client.km.provisioner.pid
                self.peak = max(self.peak, psutil.Process(pid).memory_info().rss)
            except (AttributeError, TypeError, ValueError, psutil.Error):
                continue  # the kernel hasn't started yet, or is gone


def run_notebook(path: Path) -> tuple[float, float]:
    """Seconds and peak megabytes of one notebook in a fresh kernel, the kernel's start included."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, kernel_name="python3", timeout=600, resources=resources)
    watch = Watch(client)
    watch.start()
    start = time.perf_counter()
    client.execute(env=environment(), stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    watch.done.set()
    watch.join()
    return seconds, watch.peak / 1e6


def measure() -> list[dict]:
    rows = []
    for what, name, most in (
        (ALONE, "import cimg", "≤ 2"),
        (WHOLE, "import cimg and all that it offers", ""),
    ):
        idle = [idle_megabytes(what) for _ in range(3)]
        rows += [
            row(f"{name}, fresh process", import_seconds(what), "s", most, main=True),
            row("  an idle kernel after that", idle, "MB", "≤ 350", main=True),
        ]
    total = 0.0
    for path in sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb")):
        seconds, megabytes = run_notebook(path)
        total += seconds
        limit = "≤ 30" if path.stem.startswith("00") else "≤ 60"
        rows += [
            {"what": f"notebook {path.stem}", "value": seconds, "unit": "s", "target": limit},
            {"what": "  its memory", "value": megabytes, "unit": "MB", "target": "≤ 1,500"},
        ]
    if total:
        rows.append(row("the whole course: all worked notebooks", [total], "s", "≤ 600", main=True))
    return rows
