# Needs only make and a Python 3.8 or newer; everything else goes into .venv.

PYTHON ?= python3
VENV ?= .venv
PINNED_PYTHON ?= $(shell .ci/pinned_python)
BIN = $(VENV)/bin

# AllenNLP's own pins install up to Python 3.10; from 3.11 on they are set aside.
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
OLD := 2.% 3.0 3.1 3.2 3.3 3.4 3.5 3.6 3.7
STACK := $(if $(filter 3.8 3.9 3.10,$(PYTHON_VERSION)),pinned,current)
LOCK := requirements/$(STACK).txt

# Written last, so an install that was interrupted is begun again. The names carry the Python's
# version, so another PYTHON makes another environment.
LOCKED = $(VENV)/.locked-$(STACK)-$(PYTHON_VERSION)
READY = $(VENV)/.ready-$(STACK)-$(PYTHON_VERSION)

PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off

.PHONY: help setup train test test-pinned test-ray pytest benchmark fuzz docs dist check-dist lint format lock
.PHONY: kills sanitize screenshots clean
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

train: setup  ## set up, train the demo tagger and predict with it
	PATH="$(abspath $(BIN)):$$PATH" ./training_configs/demo.sh

test: lint pytest  ## set up, lint, check the types and run the tests

test-pinned:  ## run the tests with AllenNLP's own pins, on a Python 3.8 to 3.10
	@python="$(PINNED_PYTHON)"; test -n "$$python" && \
	    $(MAKE) --no-print-directory pytest PYTHON="$$python" VENV=.venv-pinned

pytest: setup  ## run the tests
	$(BIN)/python -m pytest -m "not ray"

test-ray: setup  ## run the tests that start Ray, on Python 3.11 and later
	$(BIN)/python -m pytest -m ray

# Variables: a .conllu file or a text file with one tokenized sentence a line, in place of generated
# sentences; the folder to write to; more arguments (ARGS=--help lists them).
SENTENCES =
OUTPUT = output/benchmarks
ARGS =

# AllenNLP's dependencies warn of torch's plans in every process that is started.
benchmark: setup  ## measure speed and memory beside AllenNLP's embedder
	$(BIN)/python -W ignore::FutureWarning -m benchmarks --output "$(OUTPUT)" \
	    $(if $(SENTENCES),--sentences "$(SENTENCES)") $(ARGS)

# Variables: the number of cases of each kind (CASES=10000), and more arguments (ARGS=--help lists
# them).
CASES =

fuzz: setup  ## hand random input to everything that reads some
	$(BIN)/python -W ignore -m reliability.fuzz $(if $(CASES),--cases "$(CASES)") $(ARGS)

# ARGS="--kills 5 --only fine_tuning", for example, is shorter.
kills: setup  ## kill trainings and extractions at random moments, and compare what they end with
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m reliability.kills $(ARGS)

sanitize: setup  ## run the kernels under AddressSanitizer, UBSan and ThreadSanitizer
	$(BIN)/python -m reliability.sanitize

# "make docs" and "make dist" have tools of their own, each in an environment of its own.
TOOLS_LOCKED = .locked-$(PYTHON_VERSION)

# Sphinx reads the package's sources without importing them, so that its own small environment is
# enough. Pages of the network are not fetched.
docs: .venv-docs/$(TOOLS_LOCKED)  ## build the documentation into output/docs; a broken link is an error
	.venv-docs/bin/sphinx-build --quiet --fail-on-warning --fresh-env docs output/docs
	@echo "Open output/docs/index.html"

# Needs Chromium from the system's packages; nothing is downloaded. ARGS="--model MODEL" takes another.
screenshots: setup  ## take the screenshots of docs/look.md
	$(BIN)/python -W ignore docs/_ext/screenshots.py $(ARGS)

# The times of the files in the wheel are the commit's, so that two builds of it are equal.
DIST_BIN = $(abspath .venv-dist/bin)
dist: export SOURCE_DATE_EPOCH = $(or $(shell git log -1 --format=%ct 2>/dev/null),946684800)

# Without a compiler there would be a wheel without kernels, whose platform is none. On Linux the
# wheel's name says the oldest C library that it runs on. OpenMP stays out: PyTorch brings it.
dist: .venv-dist/$(TOOLS_LOCKED)  ## build the sdist and the wheel into dist/
	rm -rf dist
	$(DIST_BIN)/python -m build --no-isolation
	@$(DIST_BIN)/python -m zipfile -l dist/*.whl | grep -q _compiled.so || { \
	    echo "The kernels were not compiled; the messages above say why." >&2; exit 1; }
ifeq ($(shell uname -s),Linux)
	PATH="$(DIST_BIN):$$PATH" auditwheel repair --exclude libgomp.so.1 --wheel-dir dist \
	    dist/*-linux_*.whl
	rm dist/*-linux_*.whl
	$(DIST_BIN)/auditwheel show dist/*.whl
endif
	$(DIST_BIN)/twine check --strict dist/*

# Everything but the wheel itself comes from the package index, which takes some gigabytes.
check-dist: dist  ## install the wheel elsewhere, without a compiler, and run the demo there
	.ci/check_dist $(PYTHON) dist/*.whl $(ALLENNLP)

.venv-%/$(TOOLS_LOCKED): requirements/%.txt
	@test -z "$(filter $(OLD) 3.8 3.9 3.10,$(PYTHON_VERSION))" || { \
	    echo "'make $*' takes a Python 3.11 or newer, and $(PYTHON) is $(PYTHON_VERSION);" \
	        "name another: make $* PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv-$*
	.venv-$*/bin/python -m pip install --disable-pip-version-check --progress-bar off \
	    --no-deps -r $<
	@touch $@

# The types are those of the current stack's torch and NumPy.
lint: setup  ## check style, and types on the current stack
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
ifeq ($(STACK),current)
	$(BIN)/mypy
endif

format: setup  ## rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(READY)  ## install everything into .venv, if it is not there yet

$(LOCKED): $(LOCK)
	@test -n "$(PYTHON_VERSION)" -a -z "$(filter $(OLD),$(PYTHON_VERSION))" || { \
	    echo "$(PYTHON) is $(or $(PYTHON_VERSION),no Python); name a Python 3.8 or newer:" \
	        "make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP_INSTALL) --no-deps -r $(LOCK)
	@touch $@

# Without isolation the locked setuptools builds it, and nothing more is fetched.
$(READY): $(LOCKED) setup.cfg setup.py pyproject.toml $(wildcard allennlp_elmo_plugin/kernels/csrc/*)
	$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# The newest versions that setup.cfg allows. The locks serve any platform, so all are resolved
# here whatever Python this is.
UV := .venv-lock/bin/uv
RESOLVE := $(UV) pip compile --universal --no-python-downloads --no-annotate --no-header --quiet
COMPILE := $(RESOLVE) setup.cfg --extra models --extra parquet --extra distributed \
    --extra plots --extra look --extra dev

# From Python 3.11 on these are installed with --no-deps; setup.cfg has what they import.
ALLENNLP := allennlp==2.10.1 allennlp-models==2.10.1

# Holds for all of pinned.txt, so its lines do without.
BELOW_3_11 := python_full_version < '3.11'

lock: $(UV)  ## resolve the locks in requirements/ anew
	echo "# Python 3.11 and newer; made by 'make lock' from setup.cfg and current-*.txt." > $(UV).out
	printf '%s\n' $(ALLENNLP) >> $(UV).out
	$(COMPILE) --python-version 3.11 --constraint requirements/current-constraints.txt >> $(UV).out
	mv $(UV).out requirements/current.txt
	printf "[tool.uv]\nenvironments = [\"python_version < '3.11'\"]\n" > .venv-lock/pyproject.toml
	$(COMPILE) --python-version 3.8 --project .venv-lock > $(UV).all
	echo "# Python 3.8 to 3.10; made by 'make lock' from setup.cfg." > $(UV).out
	sed "s/ and $(BELOW_3_11)//; s/$(BELOW_3_11) and //; s/ ; $(BELOW_3_11)$$//" $(UV).all >> $(UV).out
	mv $(UV).out requirements/pinned.txt
	for tools in docs dist; do \
	    echo "# Python 3.11 and newer; made by 'make lock' from $$tools.in." > $(UV).out && \
	    $(RESOLVE) requirements/$$tools.in --python-version 3.11 --fork-strategy fewest \
	        >> $(UV).out && \
	    mv $(UV).out requirements/$$tools.txt || exit 1; \
	done

$(UV):
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip install --disable-pip-version-check uv==0.13.9

clean:  ## remove the environments and everything made in them
	rm -rf $(VENV) .venv-* output docs/api build dist *.egg-info
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
