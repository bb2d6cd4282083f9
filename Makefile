# The course's commands. `make lab` and `make test` set up all they need, in .venv, and nowhere else.
#
# Python 3.11 or newer is needed. Another one than `python3`:   make lab PYTHON=python3.12
# On Linux, pip brings the torch that can use an NVIDIA card, several GB. Without such a card, take the
# CPU build: its index is named on PyTorch's installation page.  make lab PIP_EXTRA_INDEX_URL=<that index>

PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
ifeq ($(OS),Windows_NT)
PY := $(VENV)/Scripts/python
else
PY := $(VENV)/bin/python
endif
# On this machine only, with its token; JupyterLab's own news and extension lists, which it would fetch
# from the network, are off. As root (in a container, say) it starts only if told that it is meant.
LAB_FLAGS := --ip=127.0.0.1 --log-level=WARN --LabApp.extension_manager=readonly \
	--LabApp.default_url=/lab/tree/notebooks/00-start-here.ipynb \
	$(if $(filter 0,$(shell id -u 2>/dev/null)),--allow-root)
NEWS := @jupyterlab/apputils-extension:announcements
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help lab test notebooks weights sprites bench doctor clean
.DEFAULT_GOAL := help

help:
	@echo "make lab        set up, then open the course in JupyterLab"
	@echo "make doctor     is this machine ready, and how long will the course take on it"
	@echo "make test       set up, then test everything: package, notebooks, links"
	@echo "make notebooks  build the notebooks from notebooks/source (what has changed)"
	@echo "make sprites    draw the sprite sheets anew"
	@echo "make weights    train the shipped model anew"
	@echo "make bench      measure speed and memory; a table, and build/bench.json"
	@echo "make clean      remove what was built (.venv stays)"

lab: $(STAMP)
	@echo "Opening JupyterLab on notebooks/00-start-here.ipynb (to stop it: Ctrl-C here)"
	@$(PY) -m jupyterlab $(LAB_FLAGS) $(ARGS)

test: $(STAMP)
	@echo "Testing package and house, then every notebook against its stored outputs"
	@$(PY) -m tests $(ARGS)

notebooks: $(STAMP)
	@echo "Building the notebooks that have changed"
	@$(PY) notebooks/build.py $(ARGS)
	@$(PY) notebooks/readme.py

weights: $(STAMP)
	@echo "Training the model of the duel"
	@$(PY) -m cimg.train duel --steps 5000 $(ARGS)

sprites: $(STAMP)
	@echo "Drawing the sprite sheets"
	@$(PY) sprites/draw.py

bench: $(STAMP)
	@echo "Measuring; best on a machine that does nothing else"
	@$(PY) -m tests.benchmarks $(ARGS)

doctor: $(STAMP)
	@$(PY) -m cimg.doctor

clean:
	@echo "Removing build/, dist/ and caches"
	@rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	@find . -name .venv -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) \
		-type d -prune -exec rm -rf {} +
	@find . -name .venv -prune -o -name '*.tmp' -type f -exec rm -f {} +

# .venv is stale when the pinned packages or pyproject.toml are newer than its stamp, when the folder has
# been moved (the stamp holds where it was), or when its Python no longer starts.
ifneq ($(shell $(PY) -c "print(open('$(STAMP)').read())" 2>/dev/null),$(CURDIR))
.PHONY: $(STAMP)
endif

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "Python 3.11 or newer is needed, '$(PYTHON)' isn't one: make lab PYTHON=python3.12"; exit 1; }
	@echo "Setting up .venv (the first time takes some minutes and about 2 GB of disk)"
	@rm -f $(STAMP)
	@$(PY) -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null || \
		{ rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); } || \
		{ echo "No .venv could be made. On Debian or Ubuntu: sudo apt install python3-venv"; exit 1; }
	@$(PY) -m pip install --quiet --requirement requirements.txt
	@PYTHONWARNINGS=ignore $(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@$(PY) -m jupyter labextension disable --level=sys_prefix $(NEWS) >/dev/null 2>&1 || true
	@printf '%s' "$(CURDIR)" > $(STAMP)
	@echo "Set up."
