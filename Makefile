# Everything a newcomer needs: `make run` and `make test`. CONTRIBUTING.md says what each target does.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: run test quick e2e screenshots bench chart lock

run: $(VENV)/installed
	$(BIN)/python manage.py serve --prepare

test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 3 --dist loadfile --durations=15
	$(if $(wildcard own/*/tests/test_*.py),$(BIN)/pytest --ds mcpsite.settings own)

# Less than a minute: the linters, types, and the tests near to what has changed (the rule is in tests/quick.py).
quick: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m tests.quick

e2e: $(VENV)/installed-dev
	$(BIN)/pytest -m e2e -n 3 --dist loadfile -o faulthandler_timeout=900 -o faulthandler_exit_on_timeout=true

# The chart of figures over time, as a page for chats and as a module for the site's pages (needs Node 20 and npm).
chart:
	npm ci --prefix frontend/line-chart --no-audit --no-fund --ignore-scripts
	npm run build --prefix frontend/line-chart

screenshots: $(VENV)/installed-dev
	$(BIN)/python -m tests.e2e.screenshots

bench: $(VENV)/installed-dev bench/peers/.venv/installed
	$(BIN)/python -m bench.loading
	$(BIN)/python -m bench.airfare

$(VENV)/installed: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=/path/to/python3") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

# Other people's servers, to be measured beside this one, in an environment of their own.
bench/peers/.venv/installed: bench/peers/requirements.txt
	$(PYTHON) -m venv bench/peers/.venv
	bench/peers/.venv/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

# The full locks, from what is named in the .in files (needs uv).
lock:
	uv pip compile --quiet --universal --python-version 3.11 --no-annotate requirements.in -o requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --no-annotate requirements-dev.in -o requirements-dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --no-annotate requirements-s3.in -o requirements-s3.txt
	uv pip compile --quiet --universal --python-version 3.11 --no-annotate requirements-otel.in -o requirements-otel.txt
