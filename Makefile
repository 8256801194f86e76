# `make demo` and `make test` set everything up by themselves, without root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
DEMO_OUT ?= out/demo

.PHONY: help demo test check figures tables schema clean
.DEFAULT_GOAL := help

help:
	@echo "make demo      simulate a scan, inspect it, compare with the truth (base install)"
	@echo "make test      lint, types, architecture and the whole test suite"
	@echo "make figures   the benchmarks; prints what docs/benchmarks.md quotes"
	@echo "make tables    the paper's Tables II and III, every row trained (hours on two cores)"
	@echo "make schema    writes docs/defect-map.schema.json anew"
	@echo "make clean     remove what the above made"

# The base install: enough to import, simulate, replay and inspect on the CPU.
$(VENV)/base: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else \
	    f"darkscan needs Python 3.11 or newer, {sys.executable} is {v.major}.{v.minor}; try make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -q -c constraints.txt pip
	$(PIP) install -q -c constraints.txt -e .
	@touch $@

# What tests need besides: the learning extra and the developers' tools.
$(VENV)/dev: $(VENV)/base
	$(PIP) install -q -c constraints.txt -e '.[learning]' --group dev
	@touch $@

demo: $(VENV)/base
	$(BIN)/darkscan demo --out $(DEMO_OUT)

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest

figures: $(VENV)/dev
	$(BIN)/python benchmarks/ring.py
	$(BIN)/python benchmarks/replay.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/mapping.py
	$(BIN)/python benchmarks/lengths.py

tables: $(VENV)/dev
	$(BIN)/python benchmarks/tables.py --out out/tables

schema: $(VENV)/base
	$(BIN)/python -c 'import json; from darkscan.pipeline.defect_map import json_schema; \
	    print(json.dumps(json_schema(), indent=2))' > docs/defect-map.schema.json

clean:
	rm -rf $(VENV) out build .mypy_cache .ruff_cache .pytest_cache .hypothesis
