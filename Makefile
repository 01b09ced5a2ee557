# Needs make and Python 3.11 or newer; everything else goes into .venv.

PYTHON ?= python3
BIN := .venv/bin
COLLECTOR := .venv/collector-installed
ALL := .venv/all-installed
CLIENTS := tests/clients/node_modules/.installed

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint format bench screenshots clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1 /p' Makefile | while read -r name text; do \
	  printf '  make %-11s %s\n' "$$name" "$$text"; done

venv: $(ALL) ## create .venv and install Pequel into it with all it can use

$(COLLECTOR): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[collector]"
	@touch $@

$(ALL): $(COLLECTOR)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@

demo: $(COLLECTOR) ## run the demo product (ARGS=--exit stops by itself)
	@$(BIN)/pequel demo $(ARGS)

test: lint $(CLIENTS) ## check style and types, then run every test (ARGS are pytest's)
	$(BIN)/pytest --numprocesses=auto --dist=worksteal $(ARGS)

# Libraries of others for Node and browsers; without npm the tests of those are skipped.
$(CLIENTS): tests/clients/package-lock.json
	@if command -v npm >/dev/null; then \
	  echo "npm ci --prefix tests/clients" && \
	  npm ci --prefix tests/clients --no-progress --loglevel=error && touch $@; \
	else echo "npm is not installed: tests of clients that need it are skipped"; fi

lint: $(ALL) ## check style and types only
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(ALL) ## lay the code out and repair what can be repaired
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(ALL) ## run the benchmarks: tests/**/bench_*.py
	$(BIN)/pytest -s -o python_files='bench_*.py' -o faulthandler_timeout=0 $(ARGS)

screenshots: $(ALL) ## make the pictures of the console in docs/images (needs chromium)
	$(BIN)/python tests/screenshots.py $(ARGS)

clean: ## remove .venv and every cache
	rm -rf tests/clients/node_modules
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find sdk collector tests -type d -name __pycache__ -prune -exec rm -rf {} +
