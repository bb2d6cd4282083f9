"""JupyterHub's own culler of idle servers, which ends when the hub that started it does.

A hub that is killed can't tell it to. One that was left would go on with the settings of its time,
beside the culler of the next hub.
"""

import os
import threading
import time

from jupyterhub_idle_culler import main


def leave_with(parent: int) -> None:
    """End this process as soon as it is somebody else's child."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=leave_with, args=(os.getppid(),), daemon=True).start()
    main()
