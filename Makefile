# Every target does its own set-up on a fresh machine.
#   make demo ARGS="--seconds 30"    everything on this machine, on sample footage
#   make test                        lint, types, unit, Kafka, PostgreSQL and browser tests; with
#                                    FACESTREAM_STACK_TESTS=1 those of the containers as well
#   make stack                       all of the containers, three brokers and TLS too, on a Docker engine
#   make lint                        ruff, mypy, import-linter, hadolint, generated files
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
# In the order of the files: tests/browser first, which one process is busy with, and the short ones of
# tests/unit last. Most others wait more than they work. tests/scheduling.py tells who does what.
PYTEST_ARGS ?= -n 4 --no-loadscope-reorder
STACK = FACESTREAM_STACK_TESTS=1 $(BIN)/python -m pytest -n 2 tests/stack

.PHONY: demo test stack lint gpu lock proto docs clean
.DELETE_ON_ERROR:

demo: .venv/runtime.stamp
	@$(BIN)/facestream demo $(ARGS)

test: .venv/dev.stamp system-packages lint
	$(BIN)/python -m pytest $(PYTEST_ARGS) --ignore=tests/stack
ifeq ($(FACESTREAM_STACK_TESTS),1)
	$(STACK) --ignore=tests/stack/test_overrides.py
endif

stack: .venv/dev.stamp
	$(STACK)

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint deploy/docker/*.Dockerfile
	$(BIN)/python scripts/generate.py --check
	$(BIN)/python deploy/docker/locks.py --check

# onnxruntime-gpu and onnxruntime share one folder: the one installed last wins.
gpu: .venv/runtime.stamp
	$(BIN)/pip uninstall --yes onnxruntime
	$(BIN)/pip install --force-reinstall --no-deps "onnxruntime-gpu[cuda,cudnn]>=1.20,<2"
	$(BIN)/pip install "onnxruntime-gpu[cuda,cudnn]>=1.20,<2"
	$(BIN)/facestream doctor

.venv/bin/python:
	@scripts/system-packages python
	$(PYTHON) -m venv .venv

.venv/runtime.stamp: requirements.lock pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/dev.stamp: requirements-dev.lock .venv/runtime.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

.PHONY: system-packages
system-packages:
	@scripts/system-packages java postgresql chromium mosquitto openssl curl

# The locks hold for every platform (hashes, no index address).
lock:
	uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header \
		--extra postgres --extra autoscaler -o requirements.lock
	uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header \
		--extra postgres --extra autoscaler --extra openvino --extra dev --no-emit-package opencv-python -c requirements.lock -o requirements-dev.lock

proto docs: .venv/dev.stamp
	$(BIN)/python scripts/generate.py

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
