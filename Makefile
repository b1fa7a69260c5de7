# Every target sets up what it needs first. `make` alone lists them.
PYTHON ?= python3
BLUEPRINT ?=
TARGET ?= aws
# The project's own Node first; the machine's, if any, may be past its end.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export CDK_DISABLE_CLI_TELEMETRY := true
RUN := .venv/bin/python
LAYERS := constructs/patterns/layers/* stacks/*/layers/*

.DEFAULT_GOAL := help
.PHONY: help setup rehearse exercise deploy destroy test check synth snapshots concepts bench index lock
.SILENT:

help: ## list the targets
	awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/installed ## .venv, layers and node_modules, from the locks
.venv/installed: requirements-dev.txt package-lock.json install.py $(wildcard $(LAYERS:=/requirements.txt))
	command -v $(PYTHON) >/dev/null || { echo "make: no $(PYTHON) here; install Python 3.11 or later, or say make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) install.py

rehearse: setup ## deploy, exercise and destroy locally: [BLUEPRINT=sqs]
	$(RUN) -m rehearsal rehearse $(or $(BLUEPRINT),all)

deploy: setup ## into the account of your credentials: BLUEPRINT=sqs
	$(RUN) -m rehearsal deploy $(BLUEPRINT)

exercise: setup ## see a deployed blueprint work: BLUEPRINT=sqs [TARGET=rehearsal]
	$(RUN) -m rehearsal exercise $(BLUEPRINT) --target $(TARGET)

destroy: setup ## remove it from the account: BLUEPRINT=sqs
	$(RUN) -m rehearsal destroy $(BLUEPRINT)

test: check ## all checks and tests
	$(RUN) -m pytest -q -n auto --maxprocesses 4 --dist loadfile

check: setup ## format, lint, types, import directions
	ruff format --check -q .
	ruff check -q .
	PYTHONPATH=.:constructs lint-imports --no-logo
	mypy --no-error-summary

synth: setup ## every template, into cdk.out
	npx cdk synth -q

snapshots: setup ## accept the templates as they are now
	$(RUN) -m pytest -q tests -k test_snapshot --snapshot-update

concepts: setup ## what is proved, and where
	$(RUN) -m tests.gates.concepts

index: setup ## write the README's index of blueprints
	$(RUN) -m tests.gates.house

bench: setup ## measure synthesis and the rehearsal
	$(RUN) bench.py

lock: setup ## write the locks anew, with hashes
	uv pip compile -q pyproject.toml --group dev --universal --generate-hashes -o requirements-dev.txt
	uv pip compile -q pyproject.toml -c requirements-dev.txt --universal --generate-hashes -o requirements.txt
	for layer in $(wildcard $(LAYERS:=/requirements.in)); do uv pip compile -q $$layer -c requirements-dev.txt --python-version 3.14 --generate-hashes -o $${layer%.in}.txt; done
	npm update --package-lock-only --ignore-scripts
