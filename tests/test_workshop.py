"""The workshop's hub: its settings, its register, and a real one with learners in it.

The real one needs what `make hub-setup` installs and is skipped where that isn't there.
"""

import asyncio
import json
import math
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path
from types import SimpleNamespace

import nbformat
import psutil
import pytest
import requests
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from traitlets.config import Config

pytestmark = pytest.mark.skipif(os.name != "posix", reason="JupyterHub needs Linux or macOS")
if os.name != "posix":
    pytest.skip("JupyterHub needs Linux or macOS", allow_module_level=True)

import grp
import pwd

from cimg.trial import built_for_cards
from workshop import begin, load, memory, register, results, settings, walk
from workshop.__main__ import address, be_the_only_one, last_address, running, start
from workshop.hub import PARTS, configure, server_environment
from workshop.rehearsal import Rehearsal, free_ports
from workshop.settings import KNOWN, SettingsError, check_accounts, read_settings
from workshop.visitor import Ran, Refused, Visitor

ROOT = Path(__file__).resolve().parent.parent
WORKSHOP = ROOT / "workshop"
WALLS = sys.platform == "linux" and os.geteuid() == 0
README = (WORKSHOP / "README.md").read_text(encoding="utf-8")


# --- settings -------------------------------------------------------------------------------------


@pytest.fixture
def root(monkeypatch):
    """As if this were root, on Linux."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def test_the_defaults_are_for_this_machine_only_with_walls(root):
    settings = read_settings({})
    assert settings.ip == "127.0.0.1" and settings.walls and len(settings.learners) == 20
    total = psutil.virtual_memory().total / 2**20
    assert settings.most == 1 or settings.most * settings.memory < total


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"HUB_IP": "0.0.0.0"}, "could read every token"),
        ({"HUB_IP": "0.0.0.0", "HUB_PLAIN": "1"}, "only HUB_PLAIN=yes"),
        ({"HUB_IP": "0.0.0.0", "HUB_CERT": __file__}, "one is missing"),
        ({"HUB_IP": "0.0.0.0", "HUB_CERT": "no", "HUB_KEY": "no"}, "HUB_CERT=no: no such file"),
        ({"HUB_IP": "all of them"}, "an address is expected"),
        ({"HUB_LEARNERS": "0"}, "from 1 to 1000"),
        ({"HUB_LEARNERS": "1e3"}, "from 1 to 1000"),
        ({"HUB_MEMORY": "16"}, "from 512"),
        ({"HUB_IDLE": "0"}, "minutes"),
        ({"HUB_IDLE": "-5"}, "minutes"),
        ({"HUB_PORT": "65534"}, "from 1 to 65533"),
        ({"HUB_FIRST_NUMBER": "0"}, "from 1000"),
        ({"HUB_NAMES": "/no/such/file"}, "can't be read"),
        ({"HUB_NAMES": __file__}, "a letter first"),
        ({"HUB_NAMES": __file__, "HUB_LEARNERS": "3"}, "one of them"),
        ({"HUB_FOLDER": str(ROOT / "class")}, "in the course's own folder"),
        ({"HUB_FOLDER": f"/tmp/..{ROOT}/class"}, "in the course's own folder"),
        ({"HUB_PASSWORD": "1234"}, "HUB_PASSWORD is no setting"),
        ({"HUB_SHARED_ACCOUNT": "yes"}, "isn't needed"),
        ({"HUB_DOMAIN": "https://hub.example.org"}, "a name is expected"),
        ({"HUB_DOMAIN": "127.0.0.1"}, "a name is expected"),
        ({"HUB_DOMAIN": "hub..org"}, "a name is expected"),
        ({"HUB_DOMAIN": "hub-.org"}, "a name is expected"),
    ],
)
def test_what_is_wrong_or_unsafe_is_refused(root, given, said):
    with pytest.raises(SettingsError, match=re.escape(said)):
        read_settings(given)


def test_other_machines_come_in_by_https_or_by_an_explicit_word(root):
    https = {"HUB_IP": "0.0.0.0", "HUB_CERT": __file__, "HUB_KEY": __file__}
    assert read_settings(https).cert == __file__
    assert read_settings({"HUB_IP": "0.0.0.0", "HUB_PLAIN": "yes"}).ip == "0.0.0.0"


@pytest.mark.parametrize(("system", "user"), [("linux", 1000), ("darwin", 0)])
def test_without_walls_only_if_the_teacher_says_so(system, user, monkeypatch):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(SettingsError, match="can read and change your files"):
        read_settings({})
    assert not read_settings({"HUB_SHARED_ACCOUNT": "yes"}).walls


def test_user_ids_that_are_somebodys_are_refused(root, monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "SUBORDINATE", tmp_path / "subuid")
    (tmp_path / "subuid").write_text("# a comment\nada:400000:65536\n")
    ada = SimpleNamespace(pw_uid=300_007, pw_name="ada")
    monkeypatch.setattr(pwd, "getpwall", lambda: [ada])
    with pytest.raises(SettingsError, match="300007 is ada's"):
        read_settings({})
    with pytest.raises(SettingsError, match="400000 to 465535 is ada's, for containers"):
        read_settings({"HUB_FIRST_NUMBER": "399000"})
    assert read_settings({"HUB_FIRST_NUMBER": "300008"}).first_number == 300_008
    assert read_settings({"HUB_FIRST_NUMBER": "500000"}).first_number == 500_000


@pytest.mark.parametrize("kind", ["getpwuid", "getgrgid"])
def test_user_ids_of_accounts_that_a_network_keeps_are_refused(kind, monkeypatch):
    """Those aren't listed: they are found if they are asked for."""
    for module, name in ((pwd, "getpwuid"), (grp, "getgrgid")):
        monkeypatch.setattr(module, name, lambda number: {}[number])
    check_accounts({"ada": 300_001, "grace": 300_002})
    monkeypatch.setattr(
        pwd if kind == "getpwuid" else grp, kind, {300_002: ("colleague",)}.__getitem__
    )
    with pytest.raises(SettingsError, match="300002 is to be grace's user id, and is colleague's"):
        check_accounts({"ada": 300_001, "grace": 300_002})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"HUB_IP": "fd00::7", "HUB_PLAIN": "yes"}, "http://[fd00::7]:8000"),
        ({"HUB_IP": "::", "HUB_CERT": __file__, "HUB_KEY": __file__}, "https://THIS-MACHINE:8000"),
        ({"HUB_IP": "::", "HUB_CERT": __file__, "HUB_KEY": __file__, "HUB_PORT": "443",
          "HUB_DOMAIN": "hub.example.org"}, "https://hub.example.org"),
    ],
)  # fmt: skip
def test_the_sheet_names_the_address_of_the_hub_that_runs(given, said, root, tmp_path):
    found = read_settings({**given, "HUB_FOLDER": str(tmp_path)})
    assert address(found) == last_address(found) == said
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "address").write_text("https://as-it-was-started")
    assert last_address(found) == "https://as-it-was-started"


def test_the_hub_finds_files_by_paths_from_where_it_was_started(root, tmp_path, monkeypatch):
    """It reads the settings once more, in another folder."""
    (tmp_path / "names.txt").write_text("ada\ngrace")
    (tmp_path / "key").touch()
    given = {"HUB_NAMES": "names.txt", "HUB_CERT": "key", "HUB_KEY": "./key", "HUB_FOLDER": "klass"}
    monkeypatch.chdir(tmp_path)
    for name, path in given.items():
        monkeypatch.setenv(name, path)
    found, seen = read_settings(os.environ), {}
    (found.folder / "hub").mkdir(parents=True)
    monkeypatch.setattr(os, "execve", lambda *command: seen.update(command[2]))
    start(found)
    assert Path.cwd() == found.folder / "hub" == tmp_path / "klass" / "hub"
    assert read_settings(seen) == replace(
        found, cert=str(tmp_path / "key"), key=str(tmp_path / "key")
    )


def test_a_machine_of_any_size_has_usable_defaults(root, monkeypatch):
    memory = SimpleNamespace(total=2**44)
    monkeypatch.setattr(settings.psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(os, "cpu_count", lambda: 512)
    found = read_settings({"HUB_MEMORY": "512"})
    assert (found.most, found.starts) == (1001, 1000)


def test_names_are_read_from_a_file(root, tmp_path):
    names = tmp_path / "names"
    names.write_text("ada\n\n grace \n")
    assert read_settings({"HUB_NAMES": str(names)}).learners == ("ada", "grace")
    for wrong in ("ada\nada", "Ada", "../ada", "teacher", ""):
        names.write_text(wrong)
        with pytest.raises(SettingsError):
            read_settings({"HUB_NAMES": str(names)})


def test_every_setting_is_explained():
    assert set(re.findall(r"\bHUB_[A-Z_]+", README)) == KNOWN


def test_the_configuration_says_what_the_settings_do(root):
    c = Config()
    configure(c, read_settings({"HUB_MOST": "7", "HUB_MEMORY": "700"}), "/tmp/x")
    assert c.JupyterHub.bind_url == "http://127.0.0.1:8000" and c.JupyterHub.hub_ip == "127.0.0.1"
    assert c.ConfigurableHTTPProxy.api_url.startswith("http://127.0.0.1:")
    assert c.JupyterHub.active_server_limit == 7 and c.LearnerSpawner.memory == 700
    granted = {scope for role in c.JupyterHub.load_roles for scope in role["scopes"]}
    assert not granted & {"access:servers", "admin:users", "admin:servers", "proxy", "shutdown"}
    assert "admin_users" not in c.TokenLogin
    assert c.TokenLogin.allowed_users == {"teacher", *(f"learner-{i:02d}" for i in range(1, 21))}
    assert c.TokenLogin.allow_existing_users is False and "subdomain_host" not in c.JupyterHub
    assert "cookie_host_prefix_enabled" not in c.JupyterHub  # only with a site for each learner


def test_with_a_domain_each_server_has_an_origin_of_its_own(root):
    c = Config()
    given = {"HUB_DOMAIN": "hub.example.org", "HUB_CERT": __file__, "HUB_KEY": __file__}
    configure(c, read_settings(given), "/tmp/x")
    assert c.JupyterHub.subdomain_host == "https://hub.example.org:8000"
    configure(c, read_settings({**given, "HUB_PORT": "443"}), "/tmp/x")
    assert c.JupyterHub.subdomain_host == "https://hub.example.org"
    assert c.JupyterHub.bind_url == "https://127.0.0.1:443"
    assert c.JupyterHub.cookie_host_prefix_enabled  # nobody sets cookies for the hub's own pages


# --- register -------------------------------------------------------------------------------------


def test_tokens_are_strong_and_different():
    tokens = {register.new_token() for _ in range(2000)}
    assert len(tokens) == 2000
    assert all(re.fullmatch(r"([2-9a-hjkmnp-z]{4}-){3}[2-9a-hjkmnp-z]{4}", t) for t in tokens)
    assert {letter for token in tokens for letter in token} - {"-"} == set(register.LETTERS)
    assert register.LENGTH * math.log2(len(register.LETTERS)) > 78


@pytest.fixture
def book(tmp_path):
    return register.Register(tmp_path / "register.json")


def test_a_token_opens_one_door_and_is_written_nowhere(book):
    tokens = book.add(["ada", "grace"], 5000)
    again = register.Register(book.path)
    assert again.admits("ada", tokens["ada"]) and again.admits("grace", tokens["grace"])
    assert again.admits("ada", f" {tokens['ada'].upper().replace('-', ' ')} ")
    for name, token in [("ada", tokens["grace"]), ("ada", ""), ("eve", tokens["ada"]), ("", "")]:
        assert not again.admits(name, token)
    assert not any(t in book.path.read_text() or t.replace("-", "") in book.path.read_text()
                   for t in tokens.values())  # fmt: skip


def test_who_is_there_keeps_token_and_number_and_who_comes_gets_new_ones(book):
    first = book.add(["ada", "grace"], 5000)
    before = dict(book.entries)
    assert book.add(["ada", "grace"], 5000) == {}
    assert book.add(["joan"], 1000).keys() == {"joan"}
    assert {k: v for k, v in book.entries.items() if k in before} == before
    assert book.number("joan") == book.number("grace") + 1 == 5003
    new = book.renew(["ada"])
    assert not book.admits("ada", first["ada"]) and book.admits("ada", new["ada"])
    with pytest.raises(register.RegisterError, match="eve"):
        book.renew(["eve"])


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"ada": 1}', '{"ada": {"number": "0", "token": "x"}}',
     '{"ada": {"number": 5, "token": "x"}, "eve": {"number": 5, "token": "y"}}'],
)  # fmt: skip
def test_what_is_no_register_is_refused(content, book):
    book.path.write_text(content)
    with pytest.raises(register.RegisterError, match=r"register\.json"):
        register.Register(book.path)


def test_the_sheet_has_a_line_for_each_learner():
    lines = register.sheet({"ada": "aaaa", "grace": "bbbb"}, "http://x:1").splitlines()
    assert "http://x:1" in lines[0] and lines[-2].split() == ["ada", "aaaa"]


# --- a learner's folder ---------------------------------------------------------------------------


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """Begin a server, but for the server itself: returns its command and the course's folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CIMG_IDLE", "60")
    monkeypatch.setattr(begin, "speak_into", lambda path: None)
    monkeypatch.chdir(tmp_path)
    commands = []
    monkeypatch.setattr(os, "execv", lambda program, command: commands.append(command))

    def once():
        begin.main()
        return commands[-1], tmp_path / begin.COURSE

    return once


def test_beginning_again_never_writes_over_a_learners_work(begun):
    _, course = begun()
    first = course / "notebooks" / "00-start-here.ipynb"
    assert first.read_bytes() == (ROOT / "notebooks" / first.name).read_bytes()
    first.write_text("what the learner wrote")
    (course / "notebooks" / "own.ipynb").write_text("of the learner's own")
    other = course / "notebooks" / "01-drawing-scenes.ipynb"
    other.unlink()
    begun()
    assert first.read_text() == "what the learner wrote" and other.exists()
    assert (course / "notebooks" / "own.ipynb").read_text() == "of the learner's own"


def test_the_server_begins_even_where_the_course_cannot_be_copied(begun, tmp_path):
    (tmp_path / begin.COURSE).write_text("in the way")
    command, _ = begun()
    assert "jupyterhub.singleuser" in command


@pytest.mark.skipif(not (PARTS / ".installed").exists(), reason="make hub-setup hasn't been run")
def test_a_folder_that_was_opened_is_closed_again_and_a_link_is_none(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(PARTS))
    from workshop.spawner import end_all, own_folder

    me = os.geteuid()
    own_folder(tmp_path / "ada", me)
    (tmp_path / "ada").chmod(0o755)
    own_folder(tmp_path / "ada", me)
    assert (tmp_path / "ada").stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(tmp_path / "ada")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(PermissionError, match=name):
            own_folder(tmp_path / name, me)
    with pytest.raises(PermissionError, match="of user 1234567's"):
        own_folder(tmp_path / "ada", 1234567)
    with pytest.raises(ValueError, match="no learner"):
        end_all(0)


FLEEING = """
import os, sys, time
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
end = time.monotonic() + 60
while time.monotonic() < end:   # always another process, each with a life of a moment
    os.write(1, b".")
    if os.fork():
        os._exit(0)
"""
DEFENDING = """
import os, signal, sys
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
while True:   # whoever comes as the same user is killed, and what it was told is read
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            told = open(f"/proc/{name}/environ", "rb").read()
            if b"OF_THE_HUB" in told and name != str(os.getpid()):
                os.write(1, b"SECRET")
        except OSError:
            pass
    os.write(1, b".")
    os.kill(-1, signal.SIGKILL)
"""
STOPPING = FLEEING.replace("import os", "import signal, os").replace(  # and waited for in vain
    "    if os.fork", "    os.kill(-1, signal.SIGSTOP)\n    if os.fork"
)


@pytest.mark.skipif(
    not (PARTS / ".installed").exists() or sys.platform != "linux" or os.geteuid() != 0,
    reason="needs root, on Linux, and make hub-setup",
)
@pytest.mark.parametrize("program", [FLEEING, DEFENDING, STOPPING])
def test_nothing_that_a_learner_has_begun_escapes_its_end(program, monkeypatch):
    """Neither what flees nor what fights back; and it isn't told what the hub knows."""
    monkeypatch.syspath_prepend(str(PARTS))
    from workshop.spawner import end_all

    number = 10**6 + os.getpid() % 400_000 * 1000 + 999  # as in a rehearsal: nobody's
    command = [sys.executable, "-S", "-c", program, str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout.read(20) == b"." * 20
        monkeypatch.setenv("OF_THE_HUB", "a secret")
        assert end_all(number)
        start = time.monotonic()
        assert b"SECRET" not in running.stdout.read()  # to its end: nobody is left who could write
        assert time.monotonic() - start < 30


def test_kernels_talk_through_the_learners_own_files(begun):
    command, _ = begun()
    assert "--ConnectionFileMixin.transport=ipc" in command
    assert "--MappingKernelManager.cull_idle_timeout=3600" in command
    assert "--ServerApp.kernel_manager_class=workshop.kernels.RoomyKernels" in command


def test_no_control_group_where_there_are_none(tmp_path):
    assert memory.make_group("1", 512, tmp_path) is None
    (tmp_path / "cgroup.controllers").write_text("cpu io")
    assert memory.make_group("1", 512, tmp_path) is None
    (tmp_path / "cgroup.controllers").write_text("cpu memory")  # but nothing can be switched on
    assert memory.make_group("1", 512, tmp_path) is None
    assert memory.remove_group("1", tmp_path)


def test_a_group_of_the_newer_kind_is_limited_from_the_top_down(tmp_path, monkeypatch):
    """As the kernel's documentation has it; such groups aren't on every machine that tests."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    wrote = []
    monkeypatch.setattr(memory, "write", lambda path, text: wrote.append((path, text)))
    group = memory.make_group("7", 512, tmp_path)
    top = tmp_path / memory.GROUP
    assert group == top / "7" and group.is_dir()
    assert wrote[:3] == [(tmp_path / "cgroup.subtree_control", "+memory"),
                         (top / "cgroup.subtree_control", "+memory"),
                         (group / "memory.max", str(512 * 2**20))]  # fmt: skip
    assert dict(wrote)[group / "memory.swap.max"] == "0"
    assert dict(wrote)[group / "pids.max"] == str(memory.MOST_PROCESSES)
    memory.kill_group("7", tmp_path)
    assert wrote[-1] == (group / "cgroup.kill", "1")
    assert memory.remove_group("7", tmp_path) and not top.exists()


def test_jupyterlab_knows_every_setting_that_is_set_for_a_class():
    """One with a slip in its name would say nothing, and do nothing."""
    place = WORKSHOP / "config" / "labconfig" / "default_setting_overrides.json"
    schemas = Path(sys.prefix) / "share" / "jupyter" / "lab" / "schemas"
    for plugin, given in json.loads(place.read_text(encoding="utf-8")).items():
        extension, _, name = plugin.partition(":")
        schema = json.loads((schemas / extension / f"{name}.json").read_text(encoding="utf-8"))
        assert given.keys() <= schema["properties"].keys(), plugin
        for key, value in given.items():
            one = schema["properties"][key]
            allowed = [x["const"] for x in one.get("oneOf", [])] or one.get("enum", [value])
            assert value in allowed, f"{plugin}: {key}"


# --- what is pinned, and the way onto many machines -----------------------------------------------


def pinned(path: Path) -> dict[str, Requirement]:
    lines = path.read_text(encoding="utf-8").splitlines()
    listed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(r.name): r for r in listed}


def test_the_hubs_packages_are_pinned_apart_from_the_courses():
    hub, course = pinned(WORKSHOP / "requirements.txt"), pinned(ROOT / "requirements.txt")
    assert all(re.fullmatch(r"==[\w.]+", str(r.specifier)) for r in hub.values())
    assert "jupyterhub" in hub and not hub.keys() & course.keys()
    assert "jupyterhub" not in (ROOT / "pyproject.toml").read_text()


def test_the_proxy_is_pinned_with_all_it_needs():
    wanted = json.loads((WORKSHOP / "proxy" / "package.json").read_text())["dependencies"]
    lock = json.loads((WORKSHOP / "proxy" / "package-lock.json").read_text())["packages"]
    for name, version in wanted.items():
        assert lock[f"node_modules/{name}"]["version"] == version
    assert all("integrity" in entry for name, entry in lock.items() if name)
    assert "resolved" not in str(lock)  # whatever registry there is


def test_on_kubernetes_the_same_holds(root, monkeypatch):
    """The image has the CPU build: conda takes the other one only where there is a card."""
    monkeypatch.setattr(settings, "built_for_cards", lambda: False)
    values = yaml.safe_load((WORKSHOP / "z2jh-config.yaml").read_text(encoding="utf-8"))
    server, ours = values["singleuser"], read_settings({})
    assert server["memory"]["limit"] == f"{ours.memory}M"
    assert values["cull"]["timeout"] == ours.idle * 60 and values["cull"]["users"] is False
    for name, value in server_environment(ours).items():
        if name in ("OMP_NUM_THREADS", "PYTHONSAFEPATH"):
            assert server["extraEnv"][name] == value
    image = re.search(r"--target-repo-dir (\S+)", README)[1]
    folder = Path(server["extraEnv"]["JUPYTER_CONFIG_PATH"]).relative_to(image)
    assert str(ROOT / folder) in server_environment(ours)["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert server["networkPolicy"]["enabled"] and values["proxy"]["https"]["enabled"]
    own = Config()
    configure(own, ours, "/tmp/x")
    (teachers,) = [x for x in own.JupyterHub.load_roles if x["name"] == "teacher"]
    assert values["hub"]["loadRoles"]["teacher"]["scopes"] == teachers["scopes"]
    assert "admin_users" not in values["hub"]["config"]["Authenticator"]
    assert values["hub"]["activeServerLimit"] >= 100 and values["hub"]["concurrentSpawnLimit"]
    assert "python -m cimg.course" in server["cmd"][2] and begin.COURSE in server["cmd"][2]
    assert 'cd "$HOME" && exec jupyterhub-singleuser' in server["cmd"][2]  # onto the own disk
    for flag in begin.flags(Path("/x"), ours.idle):
        if "Kernel" in flag:
            assert flag in server["cmd"][2].split(), flag
    assert server["extraEnv"]["PYTHONPATH"] == image  # where workshop is
    assert server["storage"]["homeMountPath"] == "/home/jovyan"
    assert server["defaultUrl"] == begin.FIRST.replace("tree/", f"tree/{begin.COURSE}/")
    asked = values["hub"]["config"]["JupyterHub"]["authenticator_class"]
    assert asked not in ("dummy", "null", "shared-password")


# --- what was measured ----------------------------------------------------------------------------


def test_the_table_says_what_the_results_do():
    text = README.partition(results.START)[2].partition(results.END)[0]
    assert text.strip() == results.summary(results.load()).strip()


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Results and table that may be written over."""
    for name in ("RESULTS", "README"):
        copy = shutil.copy(getattr(results, name), tmp_path)
        monkeypatch.setattr(results, name, Path(copy))
    return results


def test_new_measurements_take_the_place_of_older_ones_and_leave_the_others(kept):
    before = kept.load()
    kept.add_course({"00-start-here": 600.4, "01-drawing-scenes": 900.0, "02": 700.0})
    one = before["rows"][0]
    kept.add_rows([one | {"picture_median": 0.5}], 123)
    now = kept.load()
    assert now["rows"][1:] == before["rows"][1:] and now["rows"][0]["picture_median"] == 0.5
    assert now["idle_kernel_mb"] == 123 and now["course"]["most"]["00-start-here"] == 600
    told = kept.README.read_text(encoding="utf-8")
    assert "all 3 worked notebooks" in told and "does nothing: 123 MB" in told
    assert "took at most 900 MiB, in 01, and in half of the notebooks at most 700" in told


def a_notebook(path: Path, *cells: str) -> Path:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.cells.insert(1, nbformat.v4.new_markdown_cell("Text isn't run."))
    nbformat.write(made, path)
    return path


def test_a_way_through_a_notebook_runs_its_code_and_says_where_it_broke(tmp_path):
    done = []

    def run(code):
        done.append(code)
        return Ran(error="the kernel died" if "too much" in code else "")

    reader = SimpleNamespace(open_kernel=done.append, run=run)
    walk.run_notebook(reader, a_notebook(tmp_path / "a.ipynb", "1 + 1", "2 + 2"))
    assert done == ["notebooks/solutions", "1 + 1", "2 + 2"]
    with pytest.raises(RuntimeError, match="^b: the kernel died$"):
        walk.run_notebook(reader, a_notebook(tmp_path / "b.ipynb", "too much", "never"))
    assert "never" not in done


def test_the_results_show_a_refusal_and_no_lost_work():
    rows = results.load()["rows"]
    assert len(rows) >= 3 and rows[0]["learners"] == 1
    for row in rows:
        assert row["one_too_many"] == "429, the class is full"
        assert row["files_there"] == row["learners"] and row["pictures"] > 0
    assert results.carried(rows, "picture_95") >= 20


def test_how_many_are_carried_is_where_the_first_picture_came_late():
    rows = [{"learners": n, "p": s} for n, s in ((1, 0.1), (5, 0.9), (10, 1.0), (20, 0.2))]
    assert results.carried(rows, "p") == 5 and results.carried(rows[2:], "p") == 0


def test_who_waits_still_listens():
    """A real socket answers the server's pings while it receives; here it is counted."""
    heard = []

    class Socket:
        def settimeout(self, seconds):
            heard.append(seconds)

        def recv(self):
            heard.append("a message")
            return "" if heard.count("a message") > 3 else "{}"

    visitor = Visitor("http://127.0.0.1:1", "a", "b")
    visitor.socket, done = Socket(), iter([False, False, True])
    visitor.listen(lambda: next(done))
    assert heard == [0.5, "a message", "a message", visitor.patience]
    with pytest.raises(ConnectionError, match="closed"):
        visitor.listen(lambda: False)


def test_two_rehearsals_with_one_seed_take_other_ports():
    def seeded():
        random.seed(0)
        return free_ports(3)

    assert len({seeded() for _ in range(4)}) > 1


def test_a_load_test_that_breaks_says_why_at_once(monkeypatch):
    """In a learner, or in what measures; nobody waits for the others then."""
    visitor = SimpleNamespace(name="learner-01", close=lambda: None)

    class Hub:
        def __init__(self, **_):
            self.visitors = lambda: [visitor, SimpleNamespace(name="learner-02")]

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    def broken_pipe(day, code, wait, minutes):
        raise BrokenPipeError("Broken pipe")

    def waits(day, code, wait, minutes):
        while True:
            wait()

    def no_memory(hub):
        raise OSError("no smaps")

    monkeypatch.setattr(load, "Rehearsal", Hub)
    monkeypatch.setattr(load, "one_day", broken_pipe)
    with pytest.raises(RuntimeError, match="learner-01: BrokenPipeError: Broken pipe"):
        load.measure(1, 1)
    monkeypatch.setattr(load, "one_day", waits)
    monkeypatch.setattr(load, "memory", no_memory)
    with pytest.raises(OSError, match="no smaps"):
        load.measure(1, 1)


def test_a_kernel_that_fails_is_not_measured():
    with pytest.raises(RuntimeError, match="no_such_module"):
        load.idle_kernel("import no_such_module")


def test_an_idle_kernel_with_the_course_needs_little_memory():
    """At most 350 MB with `import cimg`, and with all of it loaded too; but not if PyTorch alone
    takes twice that, as its build for NVIDIA's cards does. The course adds little to any build."""
    bare, torch_alone = load.idle_kernel("import cimg"), load.idle_kernel("import torch")
    course = load.idle_kernel()
    assert bare <= 350e6 and bare < torch_alone < course <= torch_alone + 95e6
    assert course <= 350e6 or built_for_cards()


@pytest.mark.parametrize(("for_cards", "share"), [(False, 1536), (True, 2560)])
def test_a_learner_has_room_for_two_kernels(for_cards, share, root, monkeypatch):
    monkeypatch.setattr(settings, "built_for_cards", lambda: for_cards)
    memory = SimpleNamespace(total=(2048 + 10 * 2560) * settings.MIB)
    monkeypatch.setattr(settings.psutil, "virtual_memory", lambda: memory)
    assert read_settings({}).memory == share
    assert read_settings({}).most == 10 * 2560 // share
    assert read_settings({"HUB_MEMORY": "600"}).memory == 600


def test_the_share_is_enough_for_the_whole_course():
    """By what was measured, and every notebook that there is was measured."""
    course = results.load()["course"]
    worked = {path.stem for path in (ROOT / "notebooks" / "solutions").glob("*.ipynb")}
    assert course["most"].keys() == worked and course["share"] == settings.SHARE
    assert max(course["most"].values()) <= settings.SHARE


@pytest.fixture
def ended():
    """Which kernel is ended, of some in given states, used one after the other, when so many bytes
    of 900 are taken."""
    kernels = pytest.importorskip("workshop.kernels")

    def asked(states, used):
        manager, names = kernels.RoomyKernels(limit=900), []
        listed = [
            {"id": f"{i}", "execution_state": state, "last_activity": f"2026-01-0{i + 1}T00:00:00Z"}
            for i, state in enumerate(states)
        ]

        async def shut_down(name):
            names.append(name)

        manager.list_kernels, manager.shutdown_kernel = lambda: listed[::-1], shut_down
        manager.used = lambda: used
        asyncio.run(manager.make_room())
        return names

    return asked


@pytest.mark.parametrize(
    ("states", "used", "gone"),
    [
        (["idle", "idle", "idle"], 601, ["0"]),
        (["idle", "idle", "idle"], 600, []),  # a third is free
        (["busy", "idle", "busy"], 800, ["1"]),
        (["busy", "starting", "dead", "idle"], 800, []),  # who computes stays, and who was last
        (["idle"], 899, []),
        ([], 899, []),
    ],
)
def test_the_kernel_that_was_idle_for_longest_makes_room(ended, states, used, gone):
    assert ended(states, used) == gone


def test_what_a_process_has_for_itself():
    kernels = pytest.importorskip("workshop.kernels")
    held = "held = bytearray(200 * 2**20); print(flush=True); input()"
    command = [sys.executable, "-S", "-c", held]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one:
        one.stdout.readline()
        assert 200 < kernels.own_memory(one.pid) / 2**20 < 250
        one.communicate(b"\n")
    assert kernels.own_memory(one.pid) == kernels.own_memory(None) == 0


def test_what_linux_has_ended_is_counted(tmp_path):
    assert memory.killed("7", tmp_path) == 0
    for place, name in (
        ("memory/cimg-hub/7", "memory.oom_control"),
        ("cimg-hub/7", "memory.events"),
    ):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / name).write_text(f"low 0\noom_kill {len(name)}\nunder_oom 1\n")
        assert memory.killed("7", tmp_path) == len(name)


# --- a real hub -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hub():
    if not (PARTS / ".installed").exists():
        pytest.skip("JupyterHub isn't installed: make hub-setup")
    try:
        one = Rehearsal(learners=3, most=2, memory=700).__enter__()
    except RuntimeError as error:
        if "learners couldn't use the course" in str(error):
            pytest.skip(f"the course is where only root may read: {error}")
        raise
    yield one
    one.__exit__()


@pytest.fixture(scope="module")
def learners(hub):
    """Three visitors; the first two have a server and a kernel each, and have written a file."""
    three = hub.visitors()
    for visitor in three:
        visitor.patience = 300  # a busy machine is slow, not wrong
    for visitor in three:
        visitor.log_in()
    try:
        for visitor in three[:2]:
            until(lambda v=visitor: lets_in(v, server=True))
            visitor.open_kernel()
            ran = visitor.run(f"open('mine.txt', 'w').write('of {visitor.name}')\nprint(6 * 7)")
            assert ran.text.startswith("42") and not ran.error
    except BaseException as error:
        hub.__exit__(type(error))
        raise
    yield three
    for visitor in three:
        visitor.close()


def work(hub, visitor):
    return hub.folder / "home" / visitor.name / begin.COURSE / "notebooks" / "mine.txt"


def shut_out(got):
    """Whether an answer of a server's is a refusal, or the hub's own page."""
    return got.status_code == 403 or "/hub/" in got.url


def test_jupyterlab_has_no_debugger(hub, learners):
    """It would listen on a port, for every user of the machine."""
    page = learners[0].server("GET", "lab").text
    told = re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)
    told = json.loads(told[1])
    assert "@jupyterlab/debugger-extension" in str(told["disabledExtensions"])
    assert "@jupyterlab/debugger-extension" in str(told["lockedExtensions"])


def test_everything_listens_on_this_machine_only(hub, learners):
    every = {*hub.own_processes(), *hub.processes()}
    found = {c.laddr.ip for process in every for c in process.net_connections("inet")
             if c.status == psutil.CONN_LISTEN}  # fmt: skip
    assert found == {"127.0.0.1"}


def test_a_kernel_that_was_left_makes_room_for_the_one_at_work(hub, learners):
    """Of 700 MiB, a third is to be free. Files stay, and so does the kernel that was used last."""
    one, held = learners[0], "held = bytearray(200 * 2**20)\nprint(len(held) >> 20)"
    for _ in range(2):
        one.open_kernel()
        assert one.run(held).text == "200\n"
        time.sleep(2)  # to be looked at

    def running():
        return [kernel["id"] for kernel in one.server("GET", "api/kernels").json()]

    until(lambda: running() == [one.kernel])
    assert one.run("print(len(held) >> 20, open('mine.txt').read())").text == f"200 of {one.name}\n"


def test_a_wrong_token_does_not_get_in(hub, learners):
    for name, token in (("learner-01", "aaaa-aaaa-aaaa-aaaa"), ("learner-01", learners[1].token)):
        stranger = Visitor(hub.address, name, token)
        with pytest.raises(Refused, match="Invalid username or password"):
            stranger.log_in()
        assert "/hub/login" in stranger.get("/user/learner-01/lab").url


def test_the_third_is_told_that_the_class_is_full(hub, learners):
    with pytest.raises(
        Refused, match="The class is full.*has 2 places.*nothing of it is lost"
    ) as no:
        learners[2].start_server()
    assert no.value.status == 429


def test_nobody_gets_into_anothers_server(hub, learners):
    one, two, _ = learners
    assert one.server("GET", "api/contents/notebooks/mine.txt").json()["content"] == (
        f"of {one.name}"
    )
    for place in ("api/contents/notebooks/mine.txt", "api/kernels", "lab"):
        got = two.server("GET", place, owner=one.name)
        assert shut_out(got)
        assert f"of {one.name}" not in got.text


def test_the_teacher_sees_and_stops_servers_and_opens_none(hub, learners):
    teacher = Visitor(hub.address, "teacher", hub.tokens()["teacher"])
    teacher.log_in()
    assert teacher.get("/hub/admin").ok and not learners[0].get("/hub/admin").ok
    there = teacher.hub_api("GET", "users").json()
    assert {u["name"] for u in there if u["servers"]} == {v.name for v in learners[:2]}
    assert teacher.server("GET", "lab", owner=learners[0].name).status_code == 403
    assert not teacher.hub_api("DELETE", f"users/{learners[0].name}").ok
    assert not learners[1].hub_api("DELETE", f"users/{learners[0].name}/server").ok
    assert learners[0].server("GET", "api/kernels").ok


@pytest.mark.skipif(not WALLS, reason="only root, on Linux, can keep the learners' files apart")
def test_nobody_can_read_anothers_files(hub, learners):
    one, two, _ = learners
    number = hub.register().number(one.name)
    server = next(p for p in hub.processes(number) if "singleuser" in " ".join(p.cmdline()))
    scratch = server.environ()["TMPDIR"]
    assert list(Path(scratch).glob("kernel-*-ipc-*")), "kernels are expected to talk through files"
    for place in (
        f"open({str(work(hub, one))!r}).read()",
        f"__import__('os').listdir({str(hub.folder / 'home' / one.name)!r})",
        f"__import__('os').listdir({str(hub.folder / 'home')!r})",
        f"__import__('os').listdir({str(hub.folder / 'hub')!r})",
        f"__import__('os').listdir({scratch!r})",
        f"open('/proc/{server.pid}/environ').read()",
        f"__import__('os').kill({server.pid}, 9)",
        f"open({str(ROOT / 'cimg' / 'world.py')!r}, 'a')",
        "__import__('os').setuid(0)",
    ):
        assert two.run(place).error.startswith("PermissionError"), place
        assert not one.run("None").error
    ignored = two.run("print(*[l for l in open('/proc/self/status') if l.startswith('SigIgn')])")
    assert not int(ignored.text.split()[1], 16) & 1 << signal.SIGHUP - 1  # the hub's alone
    assert two.run("import os\nprint(os.getuid(), os.getgroups())").text == (
        f"{hub.register().number(two.name)} []\n"
    )


@pytest.mark.skipif(not WALLS, reason="without root a process may have less to lose")
def has_group(name):
    return any((memory.TREE / place / memory.GROUP / name).exists() for place in ("", "memory"))


def test_who_takes_too_much_memory_loses_a_kernel_and_no_work(hub, learners):
    visitor, group = learners[1], str(hub.register().number(learners[1].name))
    before = memory.killed(group)
    ran = visitor.run("x = bytearray(3 * 10**9)\nx[::4096] = b'1' * len(x[::4096])")
    assert "the kernel died" in ran.error or ran.error.startswith("MemoryError")
    assert (memory.killed(group) > before) == ("died" in ran.error and has_group(group))
    assert visitor.server("GET", "api/contents/notebooks/mine.txt").ok
    assert work(hub, visitor).read_text() == f"of {visitor.name}"


def until(condition, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.2)


def lets_in(visitor, server: bool = False) -> bool:
    """Whether somebody is let in, and gets a server. "Come back later" is no; so is that another
    program has taken the server's port, which is chosen before the server takes it."""
    try:
        visitor.log_in()
        if server:
            visitor.start_server()
    except Refused:
        return False
    return True


def test_another_token_shuts_out_who_has_the_old_one(hub, learners):
    """Who has the old token doesn't come in, and who came in with it is out: sessions, server."""
    one, two, _ = learners
    command = [sys.executable, "-m", "workshop", "--tokens", two.name]
    said = subprocess.check_output(command, cwd=ROOT, env=hub.environment, text=True)
    name, new = said.splitlines()[-1].split()
    assert name == two.name and new != two.token
    with pytest.raises(Refused, match="Invalid"):
        Visitor(hub.address, two.name, two.token).log_in()
    rightful = Visitor(hub.address, two.name, new)
    rightful.patience = 300
    until(lambda: lets_in(rightful))  # the hub may just be ending the server by itself
    number = hub.register().number(two.name)
    until(lambda: not hub.processes(number))
    assert "/hub/login" in two.get("/hub/home").url
    assert shut_out(two.server("GET", "api/kernels"))
    until(lambda: lets_in(rightful, server=True))
    assert rightful.server("GET", "api/contents/notebooks/mine.txt").ok
    assert shut_out(two.server("GET", "api/kernels"))
    assert one.server("GET", "api/kernels").json()  # nobody else was disturbed


@pytest.mark.skipif(not WALLS, reason="without root a learner's other processes go on")
def test_a_server_that_keeps_silent_is_ended_too(hub, learners):
    """Whoever came in with the old token may have stopped the server, lest it ask the hub."""
    one = learners[0]
    number = hub.register().number(one.name)
    one.run("import subprocess\nleft = subprocess.Popen(['sleep', '999'], start_new_session=True)")
    server = next(p for p in hub.processes(number) if "singleuser" in " ".join(p.cmdline()))
    assert len(hub.processes(number)) >= 3
    server.suspend()
    command = [sys.executable, "-m", "workshop", "--tokens", one.name]
    said = subprocess.check_output(command, cwd=ROOT, env=hub.environment, text=True)
    until(lambda: not hub.processes(number), 90)
    one.token = said.split()[-1]
    until(lambda: lets_in(one, server=True))  # once the hub has seen to the end of the old server
    assert work(hub, one).read_text() == f"of {one.name}"


def test_a_second_hub_of_the_same_class_is_refused(hub, learners):
    """It would end the first one's proxy and remove its learners' sockets."""
    second = subprocess.run([sys.executable, "-m", "workshop"], cwd=ROOT, env=hub.environment,
                            capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert second.returncode == 2 and second.stdout == ""
    told = f"running already, as process {hub.process.pid}; to stop it"
    assert told in second.stderr
    asked = subprocess.run([sys.executable, "-m", "workshop", "--running"], cwd=ROOT, check=False,
                           env=hub.environment, capture_output=True, text=True)  # fmt: skip
    assert asked.returncode == 3 and told in asked.stdout and not asked.stderr
    one = learners[0]
    one.open_kernel()
    assert one.run("print(6 * 7)").text == "42\n"


def test_one_learner_goes_through_notebooks_and_their_memory_is_noted(tmp_path):
    if not (PARTS / ".installed").exists():
        pytest.skip("JupyterHub isn't installed: make hub-setup")
    held = "held = bytearray(300 * 2**20)"
    paths = [a_notebook(tmp_path / f"{name}.ipynb", held, "import time; time.sleep(3)")
             for name in "abc"]  # fmt: skip
    try:
        most = walk.walk(paths, memory=900)
    except RuntimeError as error:
        if "learners couldn't use the course" in str(error):
            pytest.skip("the course is where only root may read")
        raise
    assert list(most) == ["a", "b", "c"]
    assert all(300 < mib < 1100 for mib in most.values())  # three such kernels take 1,200


IN_A_WINDOW = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "workshop"])
"""


def answers(hub):
    """Whether the hub's page can be had, by way of its proxy."""
    try:
        return requests.get(f"{hub.address}/hub/login", timeout=5).ok
    except requests.RequestException:
        return False


def test_the_hub_outlives_the_window_in_which_it_was_started():
    """A terminal that is closed hangs up; the hub stays, and speaks into a file."""
    if not (PARTS / ".installed").exists():
        pytest.skip("JupyterHub isn't installed: make hub-setup")
    hub = Rehearsal(learners=1)
    window, terminal = os.openpty()
    try:
        hub.process = subprocess.Popen(
            [sys.executable, "-c", IN_A_WINDOW], cwd=ROOT, env=hub.environment,
            stdin=terminal, stdout=terminal, stderr=terminal,
        )  # fmt: skip
        os.close(terminal)
        said = ""
        while "It goes on if this window is closed" not in said:
            said += os.read(window, 10**6).decode()  # an OSError if it ends before
            if "learners couldn't use the course" in said:
                pytest.skip("the course is where only root may read")
        until(lambda: answers(hub))
        os.close(window)
        window = None
        time.sleep(2)
        assert hub.process.poll() is None
        until(lambda: answers(hub))
        assert (hub.folder / "hub" / "log").stat().st_mode & 0o777 == 0o600
        assert (hub.folder / "hub" / "address").read_text() == hub.address
    finally:
        if window is not None:
            os.close(window)
        hub.__exit__()


SERVER = """
import os, socket, sys, time
number, port, does = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if number != os.geteuid():
    os.setgid(number)
    os.setuid(number)
if does == "shows":
    listening = socket.create_server(("127.0.0.1", port))
if does != "ends":
    time.sleep(60)
"""


@pytest.fixture
def starting(book, monkeypatch):
    """Makes spawners of ada's, whose servers do as they are told; and others' programs."""
    if not (PARTS / ".installed").exists():
        pytest.skip("JupyterHub isn't installed: make hub-setup")
    monkeypatch.syspath_prepend(str(PARTS))
    from jupyterhub.spawner import LocalProcessSpawner

    from workshop.spawner import LearnerSpawner

    number = 10**6 + os.getpid() % 400_000 * 1000 + 998 if WALLS else os.geteuid()
    book.add(["ada"], number - 1)
    port, begun = free_ports(1), []

    def begin(user, does):
        command = [sys.executable, "-c", SERVER, str(user), str(port), does]
        begun.append(subprocess.Popen(command))
        return begun[-1]

    def spawner(does, walls):
        async def start(self):
            self.proc, self.port = begin(number, does), port
            self.pid = self.proc.pid
            return "127.0.0.1", port

        monkeypatch.setattr(LocalProcessSpawner, "start", start)
        one = LearnerSpawner(register=str(book.path), homes=str(book.path.parent), walls=walls)
        one.user = SimpleNamespace(name="ada")
        one.authenticator = SimpleNamespace(allowed_users={"ada"})
        return one

    yield SimpleNamespace(spawner=spawner, begin=begin, port=port)
    for process in begun:
        process.kill()
        process.wait()


walls = pytest.mark.parametrize(
    "walls", [False, pytest.param(True, marks=pytest.mark.skipif(not WALLS, reason="needs root"))]
)


@walls
def test_a_server_is_there_when_it_listens(starting, walls):
    assert asyncio.run(starting.spawner("shows", walls).start()) == ("127.0.0.1", starting.port)


@walls
def test_a_server_that_ends_at_once_is_not_waited_for(starting, walls):
    with pytest.raises(RuntimeError, match="ended at once"):
        asyncio.run(starting.spawner("ends", walls).start())


@walls
def test_a_server_of_who_may_not_stay_is_not_waited_for(starting, book, walls):
    book.enter("ada")
    book.renew(["ada"])
    with pytest.raises(RuntimeError, match="another token"):
        asyncio.run(starting.spawner("idles", walls).start())


@walls
def test_a_server_is_ended_once_whoever_asks_for_it(starting, book, walls, monkeypatch):
    """And nothing else is: to kill process 0 would be to kill the hub and all that it started."""
    killed, kill = [], os.kill
    monkeypatch.setattr(os, "kill", lambda pid, how: killed.append(pid) or pid and kill(pid, how))
    spawner = starting.spawner("shows", walls)
    ended = []
    monkeypatch.setattr(
        sys.modules["workshop.spawner"], "end_all",
        lambda number: ended.append(number) or time.sleep(0.2) or spawner.proc.kill() or True,
    )  # fmt: skip

    async def whole():
        await spawner.start()
        book.enter("ada")
        assert await spawner.poll() is None and not killed and not ended
        book.renew(["ada"])
        found = await asyncio.gather(*(spawner.poll() for _ in range(3)))
        while None in found:  # what was killed takes a moment to be gone
            found = [await spawner.poll()]
        return spawner.pid

    assert asyncio.run(whole()) == 0
    assert 0 not in killed and ended == ([spawner.number()] * len(ended) if walls else [])
    assert ended or not walls


@pytest.mark.skipif(not WALLS, reason="without root all are one user")
def test_who_listens_in_a_learners_place_is_found_out(starting):
    """Any user of the machine might listen at the port before the server does."""
    starting.begin(os.geteuid(), "shows")
    with pytest.raises(RuntimeError, match="is somebody else's"):
        asyncio.run(starting.spawner("idles", True).start())


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells")
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_who_listens_is_known_without_asking_them(starting, host):
    """Whoever is asked might not answer, and keep the hub waiting."""
    from workshop.spawner import listeners

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    assert listeners(starting.port) == set()
    with socket.socket(family) as one, socket.socket() as full, socket.socket() as more:
        one.bind((host, starting.port))
        assert listeners(starting.port) == set()
        one.listen(0)
        for caller in (full, more):  # nobody takes these calls: the queue is full
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.1", starting.port))
        start = time.monotonic()
        assert listeners(starting.port) == {os.geteuid()}
        assert time.monotonic() - start < 5


@pytest.mark.skipif(not WALLS, reason="needs root")
def test_who_was_taken_out_of_the_register_is_known_by_their_folder(starting, book):
    spawner = starting.spawner("idles", True)
    number = spawner.number()
    book.path.write_text("{}")
    with pytest.raises(FileNotFoundError):
        spawner.number()
    (book.path.parent / "ada").mkdir()
    os.chown(book.path.parent / "ada", number, number)
    assert spawner.number() == number and not spawner.may_run()


def test_where_there_is_no_hub_none_is_running(tmp_path, capsys):
    assert running(tmp_path) == ""
    be_the_only_one(tmp_path)
    assert running(tmp_path).startswith("the hub of this class is running already")
    with pytest.raises(SettingsError, match=f"as process {os.getpid()}"):
        be_the_only_one(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "lock")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "lock").symlink_to(tmp_path / "lock")
    with pytest.raises(SettingsError, match="can't be locked"):
        be_the_only_one(tmp_path / "other")


@pytest.mark.skipif(not (PARTS / ".installed").exists(), reason="make hub-setup hasn't been run")
def test_whose_token_was_changed_may_not_stay(book, monkeypatch):
    monkeypatch.syspath_prepend(str(PARTS))
    from workshop.login import TokenLogin

    tokens = book.add(["ada", "grace"], 5000)
    handler = SimpleNamespace(find_user=lambda name: None)
    door = TokenLogin(register=str(book.path), allowed_users={"ada", "grace"})
    asks = lambda name, token: asyncio.run(
        door.authenticate(handler, {"username": name, "password": token})
    )
    stays = lambda name, door=door: asyncio.run(door.refresh_user(SimpleNamespace(name=name)))
    assert asks(" Ada ", tokens["ada"]) == "ada" and asks("grace", tokens["ada"]) is None
    assert stays("ada") and stays("grace") and not stays("eve")
    new = book.renew(["ada"])
    assert not stays("ada") and asks("ada", tokens["ada"]) is None
    again = TokenLogin(register=str(book.path), allowed_users={"ada"})  # after a restart
    assert not stays("ada", again) and not stays("grace", again)
    assert asks("ada", new["ada"]) == "ada" and stays("ada") and stays("ada", again)
    book.path.with_name("entered.json").write_text("[")  # damaged: as if nobody had come in
    assert stays("ada") and asks("ada", new["ada"]) == "ada"


@pytest.mark.skipif(not (PARTS / ".installed").exists(), reason="make hub-setup hasn't been run")
@pytest.mark.parametrize("pending", [None, "spawn"])
def test_ended_sessions_leave_nothing(pending, monkeypatch):
    """A server that is just starting is waited for, then stopped; a slow stop is waited for too."""
    monkeypatch.syspath_prepend(str(PARTS))
    from workshop import login

    async def whole():
        done, begun = [], asyncio.get_running_loop().create_future()
        spawner = SimpleNamespace(pending=pending, _spawn_future=begun, _stop_future=None)
        spawner.ready = pending is None

        async def started():
            await asyncio.sleep(0.01)
            spawner.ready, spawner.pending = True, None
            done.append("started")
            begun.set_result(None)

        async def stop(user):
            async def slowly():
                await asyncio.sleep(0.01)
                done.append("stopped")

            spawner._stop_future = asyncio.ensure_future(slowly())

        query = SimpleNamespace(filter_by=lambda user: ["token"])
        db = SimpleNamespace(query=lambda what: query, delete=done.append, commit=lambda: None)
        handler = SimpleNamespace(stop_single_user=stop, db=db)
        user = SimpleNamespace(spawner=spawner, orm_user=SimpleNamespace(cookie_id="old"))
        if pending:
            asyncio.ensure_future(started())
        await login.end_sessions(handler, user)
        assert user.orm_user.cookie_id != "old"
        return done

    assert asyncio.run(whole()) == ["started"] * bool(pending) + ["stopped", "token"]


def cullers(hub) -> int:
    own, found = f":{hub.port + 1}/", 0
    for process in psutil.process_iter(["cmdline", "environ"]):
        environment = process.info["environ"] or {}
        if own in environment.get("JUPYTERHUB_API_URL", ""):
            found += "workshop.culler" in (process.info["cmdline"] or ())
    return found


def test_a_restart_and_a_culled_server_lose_nobodys_work(hub, learners):
    one, two, _ = learners
    number = hub.register().number(one.name)
    hub.stop()
    until(lambda: not hub.processes() and not hub.left_over())  # nothing is left running
    hub.start()
    assert "Everybody has their token already" in hub.said()
    until(lambda: lets_in(one, server=True))
    assert work(hub, one).read_text() == f"of {one.name}"
    hub.stop(signal.SIGKILL)
    assert hub.processes(number)  # the next hub finds it running, and nobody does anything
    before = len(hub.said())
    hub.environment["HUB_IDLE"] = "0.05"
    hub.start()  # the proxy that the killed hub left is in nobody's way
    until(lambda: not hub.processes(number))
    assert "Culling server" in hub.said()[before:]
    hub.stop(signal.SIGKILL)
    hub.environment["HUB_IDLE"] = "60"
    hub.start()
    until(lambda: cullers(hub) == 1)  # that of the killed hub has left
    until(lambda: lets_in(one, server=True))
    got = one.server("GET", "api/contents/notebooks/mine.txt").json()
    assert got["content"] == f"of {one.name}"
    assert work(hub, two).read_text() == f"of {two.name}"


@pytest.mark.skipif(not (PARTS / ".installed").exists(), reason="make hub-setup hasn't been run")
def test_what_is_installed_for_the_hub_is_complete():
    """All that the hub's packages need is pinned, there or with the course."""
    hub, course = pinned(WORKSHOP / "requirements.txt"), pinned(ROOT / "requirements.txt")
    found = {canonicalize_name(d.name): d for d in distributions(path=[str(PARTS)])}
    assert {n: d.version for n, d in found.items()} == {
        name: str(r.specifier).removeprefix("==") for name, r in hub.items()
    }
    for name, there in found.items():
        for needed in map(Requirement, there.requires or ()):
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert canonicalize_name(needed.name) in {**hub, **course}, f"{name}: {needed}"
