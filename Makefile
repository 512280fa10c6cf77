# The two commands of a newcomer are `make demo` and `make test`. Each makes its own virtual
# environment in .venv when there is none, from pyproject.toml and constraints.txt; only python3
# (3.11 or later, with venv and pip) is assumed. `make help` lists the rest.

PYTHON3 ?= python3
VENV    ?= .venv
WORKERS ?= 2
EXTRAS  := openspiel,plots,parquet,torch,mujoco,atari,pettingzoo,search,ray

PYTHON := $(VENV)/bin/python
# Newer than both files when the environment holds what they ask for; the demo needs far less than the tests.
STAMP  := $(VENV)/.installed
LEAN   := $(VENV)/.installed-demo

.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test check static lint format types imports docs fast-tests all-tests environment constraints clean

help: ## say what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

demo: $(LEAN) ## evaluate Kuhn poker at several budgets: a table, demo/kuhn.json, demo/kuhn.png
	@mkdir -p demo
	$(VENV)/bin/sparring evaluate kuhn_poker --threat partial-control --budget 0,0.1,0.3,0.5,0.7,1 --benign uniform \
		--victim uniform --victim equilibrium --victim 'solved:cfr+(iterations=30)' \
		--json demo/kuhn.json --plot demo/kuhn.png

test: static all-tests ## everything that CI runs

check: static fast-tests ## the same without the tests that make virtual environments

static: lint types imports docs

lint: $(STAMP) ## ruff: rules and layout
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

format: $(STAMP) ## let ruff lay the code out
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

types: $(STAMP) ## mypy, strict, on the three packages
	$(PYTHON) -m mypy

imports: $(STAMP) ## import-linter: imports run one way
	$(VENV)/bin/lint-imports

docs: $(STAMP) ## build the documentation into site/; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet

fast-tests: $(STAMP)
	$(PYTHON) -m pytest -n $(WORKERS) --dist loadgroup -m "not install"

all-tests: $(STAMP)
	$(PYTHON) -m pytest -n $(WORKERS) --dist loadgroup

environment: $(STAMP) ## make or renew the virtual environment

$(LEAN): pyproject.toml constraints.txt
	@$(call make-venv)
	@$(PYTHON) -m pip install --quiet --constraint constraints.txt --build-constraint constraints.txt \
		--editable '.[openspiel,plots]'
	@touch $@

$(STAMP): pyproject.toml constraints.txt
	@$(call make-venv)
	@$(PYTHON) -m pip install --quiet --constraint constraints.txt --build-constraint constraints.txt \
		--editable '.[$(EXTRAS)]' --group dev
	@touch $@ $(LEAN)

define make-venv
$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Sparring needs Python 3.11 or later, and $(PYTHON3) is " + sys.version.split()[0] + "; name another: make PYTHON3=python3.12 ...")' && \
echo "Installing into $(VENV), as pyproject.toml and constraints.txt ask; only the first time takes minutes." && \
test -x $(PYTHON) || $(PYTHON3) -m venv $(VENV) && \
$(PYTHON) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --upgrade pip
endef

# Resolves anew, without installing; torch stays at its pin, because its builds differ in size by gigabytes.
constraints: $(STAMP) ## write constraints.txt anew from pyproject.toml
	grep '^torch==' constraints.txt > $(VENV)/torch.txt
	$(PYTHON) -m pip install --quiet --dry-run --ignore-installed --constraint $(VENV)/torch.txt \
		--report $(VENV)/resolved.json --editable '.[all]' --group dev pip
	$(PYTHON) .ci/write_constraints.py $(VENV)/resolved.json constraints.txt

clean: ## remove the environment and everything made
	rm -rf $(VENV) build dist site demo *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find core plugins games tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +
