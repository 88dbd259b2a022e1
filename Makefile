# Every command that a contributor needs; `make` lists them, and CI runs the same ones.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The demo needs the package alone. Once the tools for development are there, they bring the package as it stands here.
PACKAGE := $(if $(wildcard $(VENV)/.development),$(VENV)/.development,$(VENV)/.package)
# Tests wait for brokers most of the time. Each process has a stretch of them, so that most clusters are started by one alone.
PARALLEL := --numprocesses 2 --dist worksteal
SOURCES := $(shell find common kshark kdiff kafmirror -name '*.py' 2>/dev/null)

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test soak kafka failover check bench pictures clean packages

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(PACKAGE) ## replay the runaway invoice agent from a capture file: no Java, no Kafka
	$(BIN)/kshark demo story.ndjson
	$(BIN)/kshark replay sess_invoice_847 --file story.ndjson --format text

test: $(VENV)/.development ## run all tests, on real Kafka that they start themselves, or on DEV_BOOTSTRAP
	@$(BIN)/python -m devkafka prepare
	$(BIN)/python -m pytest $(PARALLEL)

soak: $(VENV)/.development ## run the tests that take minutes: the mirror under fire, long outages
	@$(BIN)/python -m devkafka prepare
	$(BIN)/python -m pytest $(PARALLEL) -m soak

kafka: $(PACKAGE) ## start two local clusters with the story loaded, until Ctrl-C
	@exec $(BIN)/python -m devkafka

failover: $(PACKAGE) ## lose a region, go on in the other, and come home, on two local clusters
	@exec $(BIN)/python -m examples.failover

check: $(VENV)/.development ## lint, check the format and the types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.development ## measure, each figure beside its peer
	@$(BIN)/python -m devkafka prepare
	$(BIN)/python -m benchmarks

pictures: $(VENV)/.development ## make the README's pictures anew, from what the tools show
	@$(BIN)/python -m pictures

clean: ## remove the virtual environment and what the tools keep
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Java, a browser and other programs that the commands need: on Debian and Ubuntu installed where we may, else named.
packages:
	@PYTHON='$(PYTHON)' VENV='$(VENV)' sh devkafka/packages.sh $(MAKECMDGOALS)

# pip is the last thing that a new environment gets: one that was made in part is made again.
$(BIN)/pip: | packages
	$(PYTHON) -m venv $(VENV)

$(VENV)/.package: pyproject.toml $(SOURCES) | $(BIN)/pip
	$(BIN)/python -m pip install --quiet .
	@touch $@

$(VENV)/.development: pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	@touch $@
