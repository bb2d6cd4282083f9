"""For every test, notebooks run by nbval too: no network, here and in the kernels started here, and
a kernel that finds its ports taken is started once more."""

import importlib.util
import os
from pathlib import Path

import jupyter_client.manager
import nbval.kernel

from kernels import once_more

OFFLINE = Path(__file__).resolve().parent / "tests" / "offline"

if str(OFFLINE) not in os.environ.get("PYTHONPATH", ""):  # then it wasn't started by `make test`
    spec = importlib.util.spec_from_file_location("offline", OFFLINE / "sitecustomize.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    inherited = filter(None, [os.environ.get("PYTHONPATH")])
    os.environ["PYTHONPATH"] = os.pathsep.join([str(OFFLINE), *inherited])
os.environ["CIMG_PICTURES"] = ""  # pictures as they are stored, whatever form a reader has set
os.environ.setdefault("TQDM_DISABLE", "1")  # progress bars would differ from run to run

for module in (jupyter_client.manager, nbval.kernel):
    module.start_new_kernel = once_more(module.start_new_kernel)
