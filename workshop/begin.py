"""What a learner's server begins with, as the learner: the course, copied to where it isn't yet.

What is there already is left as it is (`cimg.course`), so nobody's work is written over. If the
copy fails, a full disk say, the server starts all the same: the learner's work is in it.
"""

import os
import sys
from pathlib import Path

from cimg.course import CourseError, copy_course

FIRST = "/lab/tree/notebooks/00-start-here.ipynb"
COURSE = "course"
LOG = "server.log"  # what the server has to say, in the learner's folder


def flags(folder: Path, idle: float) -> list[str]:
    """Of the server. Kernels talk through files that only the learner can open, not through ports,
    where every user of the machine could listen to what they print."""
    seconds = max(1, round(idle * 60))
    return [
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.default_url={FIRST}",
        "--Application.log_level=WARN",
        "--ConnectionFileMixin.transport=ipc",
        "--ServerApp.kernel_manager_class=workshop.kernels.RoomyKernels",
        f"--MappingKernelManager.cull_idle_timeout={seconds}",
        f"--MappingKernelManager.cull_interval={max(1, min(60, seconds // 2))}",
        "--MappingKernelManager.cull_connected=True",
        "--LabApp.extension_manager=readonly",
    ]


def speak_into(path: Path) -> None:
    """From here on, what the server has to say goes into a file of the learner's."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)


def main() -> None:
    """Copy, then become the server."""
    folder = Path.home() / COURSE
    speak_into(Path.home() / LOG)
    try:
        written, _ = copy_course(folder)
        print(f"{len(written)} files of the course copied", file=sys.stderr)
    except CourseError as error:
        print(error, file=sys.stderr)
    os.chdir(folder if folder.is_dir() else Path.home())
    command = [sys.executable, "-m", "jupyterhub.singleuser"]
    more = flags(folder, float(os.environ["CIMG_IDLE"]))
    os.execv(sys.executable, [*command, *more, *sys.argv[1:]])


if __name__ == "__main__":
    main()
