"""Starting a notebook's kernel, on a machine where other programs take ports at the same time."""

from collections.abc import Callable
from functools import wraps

UNBORN = "Kernel died before replying"  # jupyter_client: it ended before it had run anything


def once_more(start: Callable) -> Callable:
    """`start`, which starts a kernel, called a second time if the kernel has died at once.

    Jupyter chooses a kernel's ports before the kernel takes them, so that another program can be
    faster; JupyterLab tries others then, and so do we. What happens later is never tried again.
    """

    @wraps(start)
    def started(*args, **options):
        try:
            return start(*args, **options)
        except RuntimeError as error:
            if UNBORN not in str(error):
                raise
        return start(*args, **options)

    return started
