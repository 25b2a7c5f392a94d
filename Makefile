# Everything runs in .venv, made from hashed locks. Needed: Python 3.11 to 3.13, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test test-slow lint types contracts pytest locks clean

demo: $(VENV)/.ready
	$(BIN)/orilla quickstart

test: lint types contracts pytest

pytest: $(VENV)/.ready
	$(BIN)/pytest -m "not slow" -n 2 --durations=15

test-slow: $(VENV)/.ready
	$(BIN)/pytest -m slow

lint: $(VENV)/.ready
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready
	$(BIN)/mypy

contracts: $(VENV)/.ready
	$(BIN)/lint-imports

$(VENV)/.ready: locks/desk.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "Orilla needs Python 3.11 to 3.13, not %d.%d: make PYTHON=python3.12 …" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --require-hashes -r locks/desk.txt
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	touch $@

# Needs uv. The locks name no package index, so that they install through any.
UV_COMPILE := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header
locks:
	$(UV_COMPILE) --extra desk --extra dev -o locks/desk.txt
	for extra in litert onnx cuda openvino serve mqtt tune; do $(UV_COMPILE) --extra $$extra -o locks/$$extra.txt; done

clean:
	rm -rf $(VENV) quickstart
