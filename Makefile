# Two commands: `make run` shows an outage from the first failed call to the ticket and the page; `make test` checks everything.
# Both set up a virtual environment of their own (.venv) from locked dependencies; nothing else is changed on the machine.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
PYTEST_ARGS ?=

.PHONY: run test setup check unit bench picture lock clean

run: $(STAMP)  ## start the demo: a mail platform that fails on command, and prober against it
	@echo "== prober demo: an outage, the ticket, the page (Ctrl-C ends it; RUN_ARGS=--stay keeps it up)"
	@$(BIN)/prober demo $(RUN_ARGS)

test: check unit  ## everything: style, types, tests, coverage

check: $(STAMP)
	@echo "== ruff: style"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "== mypy --strict: types"
	@$(BIN)/mypy

unit: $(STAMP)
	@echo "== pytest: the tests, with branch coverage (what needs a real server that is missing here is skipped with a word)"
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run -m pytest $(PYTEST_ARGS)
	@$(BIN)/coverage combine -q || true  # programs that the tests killed leave broken files; without any data the reports fail
	@echo "== coverage: rules 100 %, prober 90 %, by branch"
	@$(BIN)/coverage report --include='rules/*' --fail-under=100 --skip-covered
	@$(BIN)/coverage report --include='prober/*' --fail-under=90 --skip-covered

bench: $(STAMP)  ## the figures of the README, each beside its peer in the same run
	@$(BIN)/python -m bench

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@echo "== setting up $(VENV) with $$($(PYTHON) --version) and the locked dependencies"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

picture: $(STAMP)  ## draw docs/demo.svg anew from a real run of the demo
	@$(BIN)/python docs/picture.py

lock: $(STAMP)  ## lock the dependencies anew, by hashes and without addresses
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --upgrade \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet -o requirements.lock

clean:
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* *.egg-info
