"""What JupyterHub reads. `make hub` prepares the folders and starts it (workshop/__main__.py)."""

import atexit
import os
import tempfile
from pathlib import Path

from workshop.hub import RUNTIMES, configure, forget_runtime
from workshop.settings import read_settings

# Sockets have names of at most 107 letters, so they can't be in the learners' folders.
# A hub that is killed leaves its folder, with servers still in it; the next to stop removes it.
runtime = tempfile.mkdtemp(prefix="cimg-", dir="/tmp")
os.chmod(runtime, 0o711)
with open(RUNTIMES, "a") as left:
    print(runtime, file=left)
atexit.register(forget_runtime, Path.cwd())

configure(get_config(), read_settings(os.environ), runtime)  # noqa: F821
