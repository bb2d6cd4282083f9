"""`make links`: does every page of other sites that the course links to still answer?

    python -m tests.weblinks [file ...]

Needs the network, so it isn't part of `make test`, which checks the links inside of the course. A
page that forbids programs (403, 405, 429) or that fails three times for a moment (5xx) is listed,
and isn't counted as gone.
"""

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"https?://[^\s<>\"'`\\\])}]+")
KINDS = {".md", ".ipynb", ".py", ".cff", ".toml", ".yml"}
NO_PAGES = ("http://127.0.0.1", "http://localhost", "http://www.w3.org/2000/svg")
TRIES, WAIT = 3, 30  # times, and seconds for an answer
SHY = {401, 403, 405, 406, 418, 429, 999}  # there, but not for programs


def texts(path: Path) -> str:
    """A file's text; of a notebook, what people read in it."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells)


def links(paths: Iterable[Path]) -> dict[str, list[str]]:
    """Every address, and the files that it is in."""
    found: dict[str, list[str]] = {}
    for path in paths:
        for address in LINK.findall(texts(path)):
            address = address.rstrip(".,;:!?*_")
            if "{" not in address and not address.startswith(NO_PAGES):
                found.setdefault(address.partition("#")[0], []).append(path.name)
    return {address: sorted(set(names)) for address, names in sorted(found.items())}


def ask(address: str) -> str:
    """ "" if the page answers, else what is wrong."""
    about = {"User-Agent": "cimg link check", "Accept": "text/html,*/*"}
    said = ""
    for attempt in range(TRIES):
        time.sleep(attempt)
        try:
            request = urllib.request.Request(address, headers=about)
            with urllib.request.urlopen(request, timeout=WAIT):
                return ""
        except urllib.error.HTTPError as error:
            said = f"{error.code} {error.reason}"
            if error.code < 500:
                return f"shy: {said}" if error.code in SHY else said
        except (OSError, ValueError) as error:
            said = str(getattr(error, "reason", error))
    return f"shy: {said}" if re.match(r"5\d\d ", said) else said


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.splitlines() if Path(name).suffix in KINDS]


def main(arguments: list[str]) -> int:
    paths = [Path(name) for name in arguments] or [p for p in tracked() if p.parts[-2] != "tests"]
    found = links(paths)
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(found, pool.map(ask, found), strict=True))
    gone = {a: said for a, said in answers.items() if said and not said.startswith("shy: ")}
    for address, said in answers.items():
        if said:
            print(f"{address}\n    {said}; in {', '.join(found[address])}")
    print(f"{len(found)} addresses, {len(gone)} of them gone.")
    return 1 if gone else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
