# Two commands matter: `make run` and `make test`. Both make .venv when it is missing or out of date.

VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test check lint docs site format clean

help:  ## show this
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

run: $(VENV)/run.stamp  ## train and evaluate GenSAR on ml-100k in half of standard's time (ARGS="--preset quick" and the like)
	$(BIN)/python -m benchmark run --model gensar --set minutes=14 $(ARGS)

test: lint  ## ruff, mypy and pytest
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

check: $(VENV)/run.stamp  ## train with preset quick and hold the results against results/baseline
	$(BIN)/python -m benchmark run --model popularity,bm25,sasrec,gensar --preset quick --seeds 1,2,3 --results build/results
	$(BIN)/python -m benchmark check --baseline results/baseline --results build/results --margin 0.005

lint: $(VENV)/test.stamp  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/test.stamp  ## write the leaderboards and the picture of the documentation anew
	$(BIN)/python -m benchmark leaderboard --results results/published --dataset ml-100k --summary --into README.md --picture docs/pictures/ml-100k.svg
	$(BIN)/python -m tests.test_pages

site: $(VENV)/test.stamp  ## build the documentation's site, with the report of the committed runs, into build/site
	$(BIN)/python -m benchmark leaderboard --results results/published --format html --pages models --out docs/report.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

format: $(VENV)/test.stamp  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info

# Its requirements name a ray that has no build for Python 3.12 and later, and that nothing here imports.
RECBOLE = $(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 12))' || \
  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps recbole==1.2.1

# The stamps are written last: an interrupted installation is taken up again.
$(VENV)/run.stamp: pyproject.toml constraints.txt | $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	$(RECBOLE)
	@touch $@

$(VENV)/test.stamp: pyproject.toml constraints.txt | $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,recbole]'
	$(RECBOLE)
	@touch $@ $(VENV)/run.stamp

$(VENV)/pyvenv.cfg:
	@rm -rf $(VENV) $(VENV).unfinished
	@for python in $(PYTHON) python3.11 python3.12 python3.13 python3.10 python3 python; do \
	  if $$python -c 'import sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then \
	    echo "making $(VENV) with $$($$python --version)"; \
	    exec $$python -m venv $(VENV); \
	  fi; \
	done; \
	echo "error: no Python 3.10 to 3.13 found; install one, or name it: make PYTHON=/path/to/python3.11 ..." >&2; exit 1
