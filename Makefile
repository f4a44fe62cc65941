# Two commands: `make run` shows an outage from the first failed call to the ticket and the page; `make test` checks everything.
# Both set up a virtual environment of their own (.venv) from locked dependencies; nothing else is changed on the machine.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
DEV := $(VENV)/.ready-dev
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
LOCK = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes $(LOCK_ARGS) \
  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet
# Much of the suite waits for servers and seconds: three workers share it. PYTEST_ARGS="-n0 tests/..." runs a part in one.
PYTEST_ARGS ?= -n 3 --dist worksteal

.PHONY: run test setup check unit bench picture screenshots docs lock clean

run: $(STAMP)  ## start the demo: a mail platform that fails on command, and prober against it
	@echo "== prober demo: an outage, the ticket, the page (Ctrl-C ends it; RUN_ARGS=--stay keeps it up)"
	@$(BIN)/prober demo $(RUN_ARGS)

test: check unit  ## everything: style, types, tests, coverage

check: $(DEV)
	@echo "== ruff: style"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "== mypy --strict: types"
	@$(BIN)/mypy

unit: $(DEV)
	@echo "== pytest: the tests, with branch coverage (what needs a real server that is missing here is skipped with a word)"
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run -m pytest $(PYTEST_ARGS)
	@$(BIN)/coverage combine -q || true  # programs that the tests killed leave broken files; without any data the reports fail
	@echo "== coverage: rules 100 %, prober 90 %, by branch"
	@$(BIN)/coverage report --include='rules/*' --fail-under=100 --skip-covered
	@$(BIN)/coverage report --include='prober/*' --fail-under=90 --skip-covered

bench: $(DEV)  ## the figures of the README, each beside its peer in the same run
	@$(BIN)/python -m bench

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@echo "== setting up $(VENV) with $$($(PYTHON) --version) and the locked dependencies"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): $(STAMP) requirements-dev.lock
	@echo "== setting up what the tests, the bench and the documents need besides"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

picture: $(DEV)  ## draw docs/demo.svg anew from a real run of the demo
	@$(BIN)/python docs/picture.py

screenshots: $(DEV)  ## every page as a picture, light and dark, 360 to 1920 wide, into build/screenshots (needs chromium)
	@$(BIN)/python -m tests.browser.screenshots build/screenshots

docs: $(DEV)  ## the documents as a site, into build/docs/index.html
	@$(BIN)/python -m sphinx -q -W --keep-going -n -b html -d build/doctrees docs build/docs
	@echo "== build/docs/index.html"

lock: $(DEV)  ## lock the dependencies anew, by hashes and without addresses (LOCK_ARGS=--upgrade for newer ones)
	@$(LOCK) --extra setup -o requirements.lock
	@$(LOCK) --extra setup --extra dev -c requirements.lock -o requirements-dev.lock

clean:
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* *.egg-info
