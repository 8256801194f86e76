# `make demo` and `make test` set everything up by themselves, without root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# setuptools warns of folders named like the package; the rooms refuse to be imported by those names.
PIP := PYTHONWARNINGS='ignore:Editable installation' $(BIN)/python -m pip --disable-pip-version-check
DEMO_OUT ?= out/demo
HOST_OUT ?= out/host
PAGE := darkscan/host/page

# Exact versions; the lower bounds that pyproject.toml promises are another such file.
CONSTRAINTS ?= constraints.txt

.PHONY: help demo host rig quick test check docs web lowest figures tables schema clean
.DEFAULT_GOAL := help

help:
	@echo "make demo      simulate a scan, inspect it, compare with the truth (base install)"
	@echo "make host      a host computer and scans that it shows as they come: a page in the browser"
	@echo "make rig       installs what a rig needs, and builds the simulated camera"
	@echo "make quick     lint, types, architecture and the fast tests"
	@echo "make test      lint, types, architecture, documentation and the whole test suite"
	@echo "make web       builds the host's web page anew, after a change in host/page (needs node)"
	@echo "make lowest    the demo and the base's tests with the oldest libraries that will do"
	@echo "make docs      the documentation as a site: build/docs/index.html"
	@echo "make figures   the benchmarks; prints what docs/explanation/benchmarks.md quotes"
	@echo "make tables    the paper's Tables II and III, every row trained (hours on two cores)"
	@echo "make schema    writes the schemas in docs/reference anew"
	@echo "make clean     remove what the above made"

# The base install: enough to import, simulate, replay and inspect on the CPU.
$(VENV)/base: pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else \
	    f"darkscan needs Python 3.11 or newer, {sys.executable} is {v.major}.{v.minor}; try make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -q -c $(CONSTRAINTS) pip
	$(PIP) install -q -c $(CONSTRAINTS) -e .
	@touch $@

# What a rig needs besides: harvesters, EPICS, and the simulated camera where a compiler is.
$(VENV)/rig: $(VENV)/base
	$(PIP) install -q -c $(CONSTRAINTS) -e '.[rig]'
	@$(BIN)/python -m darkscan.simulation.rig.build || \
	    echo "no simulated rig: the simulated camera could not be built (see above)"
	@touch $@

rig: $(VENV)/rig
	@echo "now: $(BIN)/darkscan run --rig configs/rig-area-simulated.toml --out out/rig"

# What the host computer's page needs besides.
$(VENV)/host: $(VENV)/base
	$(PIP) install -q -c $(CONSTRAINTS) -e '.[host]'
	@touch $@

# What tests need besides: the extras, the developers' tools, TensorRT's parser, and a GenTL
# producer that nobody here wrote; the wheel of an earlier genicam holds it, and is not installed.
SIMU := $(VENV)/producers/genicam-1.5.0
$(VENV)/dev: $(VENV)/rig
	$(PIP) install -q -c $(CONSTRAINTS) -e '.[host,learning,openvino,rig]' --group dev --group docs
	@$(PIP) install -q -c $(CONSTRAINTS) --group tensorrt-check || \
	    echo "no TensorRT parser: its tests will be skipped"
	@mkdir -p $(SIMU)
	@$(PIP) download -q --no-deps --only-binary :all: -d $(SIMU) genicam==1.5.0 && \
	    $(BIN)/python -m zipfile -e $(SIMU)/genicam-1.5.0*.whl $(SIMU)/wheel && \
	    cp $(SIMU)/wheel/*/purelib/genicam/TLSimu.cti $(SIMU)/wheel/*/purelib/genicam/libVirtualFG.so $(SIMU) && \
	    rm -r $(SIMU)/wheel $(SIMU)/*.whl || \
	    echo "no TLSimu producer: its tests will be skipped"
	@touch $@

# What tests of the page need: a browser, and the page's own tools where npm is. Tried once.
BROWSER := command -v chromium || command -v chromium-browser || command -v google-chrome
INSTALL_CHROMIUM := export DEBIAN_FRONTEND=noninteractive; \
    apt-get update -q && apt-get install -q -y --no-install-recommends chromium
$(VENV)/browser: $(VENV)/dev
	@{ $(BROWSER); } >/dev/null || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || \
	    { $(INSTALL_CHROMIUM); } >/dev/null 2>&1 || true
	@{ $(BROWSER); } >/dev/null || \
	    echo "no browser: its tests will be skipped (as root: apt-get install chromium)"
	@if command -v npm >/dev/null; then $(MAKE) -s $(PAGE)/node_modules || true; fi
	@test -d $(PAGE)/node_modules || echo "no tools of the page: tests that need them will be skipped"
	@touch $@

demo: $(VENV)/base
	$(BIN)/darkscan demo --out $(DEMO_OUT)

host: $(VENV)/host
	$(BIN)/darkscan demo --live --out $(HOST_OUT)

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# One process for each core; the tests of a module stay together, and in order.
PYTEST := $(BIN)/pytest --numprocesses auto --dist loadfile

quick: check $(VENV)/browser
	$(PYTEST) -m "not slow"

test: check docs $(VENV)/browser
	$(PYTEST)

docs: $(VENV)/dev
	@rm -rf docs/reference/api # pages of modules that are gone
	$(BIN)/sphinx-build -q -W --keep-going -j 2 -d build/doctrees docs build/docs

# The web page of the host computer; what is built is committed, so only its authors need node.
$(PAGE)/node_modules: $(PAGE)/package.json $(PAGE)/package-lock.json
	cd $(PAGE) && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

web: $(PAGE)/node_modules
	cd $(PAGE) && npm run --silent build

# The base install with the lower bounds of pyproject.toml: what comes without torch and onnx.
LOWEST := .venv-lowest
LOWEST_TESTS := tests/acquisition tests/centrelines tests/images tests/mapping tests/pipeline \
    tests/planning tests/recording tests/simulation tests/cli/test_odd_names.py \
    tests/cli/test_progress.py tests/cli/test_element_picture.py tests/cli/test_tile_order.py
# One writes a file that earlier libraries cannot write, one has their names of a compression.
LOWEST_REFUSALS := tests/images/test_tiff.py::test_other_kinds_are_refused_by_tag_and_value
LOWEST_WITHOUT := --deselect '$(LOWEST_REFUSALS)[9 bits]' \
    --deselect '$(LOWEST_REFUSALS)[compressed with CCITTFAX4]'
lowest:
	test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip --disable-pip-version-check install -q -c constraints-lowest.txt \
	    -e . pytest pytest-timeout hypothesis jsonschema pillow psutil
	$(LOWEST)/bin/darkscan demo --out out/lowest
	$(LOWEST)/bin/python -m pytest -q $(LOWEST_TESTS) $(LOWEST_WITHOUT)

figures: $(VENV)/dev
	$(BIN)/python benchmarks/ring.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/replay.py --frames 6x5
	$(BIN)/python benchmarks/outside.py
	$(BIN)/python benchmarks/stages.py
	$(BIN)/python benchmarks/recording.py
	$(BIN)/python benchmarks/workers.py
	$(BIN)/python benchmarks/context.py
	$(BIN)/python benchmarks/size.py
	$(BIN)/python benchmarks/mapping.py
	$(BIN)/python benchmarks/lengths.py
	$(BIN)/python benchmarks/scratches.py --out out/scratches --force
	$(BIN)/python benchmarks/acquisition.py

tables: $(VENV)/dev
	$(BIN)/python benchmarks/tables.py --out out/tables

schema: $(VENV)/base
	$(BIN)/python -c 'import json; from darkscan.pipeline.core.defect_map import json_schema; \
	    print(json.dumps(json_schema(), indent=2))' > docs/reference/defect-map.schema.json
	$(BIN)/python -c 'from darkscan.host.web import description; \
	    print(description(), end="")' > docs/reference/host-api.openapi.json

clean:
	rm -rf $(VENV) $(LOWEST) out build docs/reference/api .mypy_cache .ruff_cache .pytest_cache .hypothesis
