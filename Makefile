# Everything a person types. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
# Half of the time to compile the environment goes into these, and nothing here imports them.
UNREAD := kubernetes/client/(api|models)/[^_]|kubernetes/e2e_test/|/mypyc?/|/Crypto/SelfTest/
# What `make e2e` and `make install-yaml` install.
OVERLAY ?= knative
# What `make image` makes, on which base image, by which program, and with which more flags.
IMAGE ?= zookeeper-functions:latest
BASE ?=
ENGINE ?= $(firstword $(foreach each,podman docker buildah,$(shell $(each) info >/dev/null 2>&1 && echo $(each))))
BUILD_FLAGS ?=
INSTALLED := .venv/installed
# Renders the documentation; apart from .venv, which everything else runs in.
DOCS := build/docs-environment
# An environment that was interrupted, moved or lost its Python is made anew.
ifneq ($(shell $(BIN)/python -c 'print(open("$(INSTALLED)").read().strip())' 2>/dev/null),$(CURDIR))
.PHONY: $(INSTALLED)
endif
# What runs in a minute, and of it what is about the planners, the builders and the functions: those
# tests are to reach every branch. Tracing takes half as long again, so it is left out elsewhere.
QUICK := "not large and not thorough and not soak"
DECIDING := tests/handlers $(shell grep -lE 'functions[.](planning|manifests)' tests/unit/test_*.py)
# Importing the others to leave all of their tests out would take each process five seconds more.
THOROUGH := tests/contract $(shell grep -l 'thorough' tests/handlers/*.py tests/unit/*.py)
# The long scenarios; SCENARIOS chooses by words of their files and names, as pytest's -k does.
LONG := tests/model tests/unit tests/handlers tests/contract tests/system
SCENARIOS ?=
CHOSEN = $(if $(SCENARIOS),-k "$(SCENARIOS)")
# GOGC=400: API servers that live for a test only may use memory for time.
# CI and the demo never touch a cluster that KUBECONFIG names: only `make e2e` does.
unexport KUBECONFIG

.PHONY: help setup demo down status test soak e2e check model golden crds docs lock install-yaml image bench clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  \1\t\2/' | expand -t 12

setup: $(INSTALLED) ## Install what is missing: Debian packages (as root), the environment, the control plane
	@$(PYTHON) -m local.setup
	@$(BIN)/python -m local build

$(INSTALLED): requirements/dev.txt
	@$(PYTHON) -m local.setup
	@echo "making the Python environment (a minute or two)"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m compileall -q -j 0 -x '$(UNREAD)' .venv/lib
	@$(BIN)/python -c "import pathlib, site; pathlib.Path(site.getsitepackages()[0], 'checkout.pth').write_text('$(CURDIR)')"
	@echo '$(CURDIR)' > $@

demo: setup ## Start everything on this laptop, with a sample ensemble, and leave it running
	@$(BIN)/python -m local demo

down: ## End the demo and remove what it made
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local down; fi

status: ## Say what of the platform runs
	@$(BIN)/python -m local status

check: $(INSTALLED) ## Everything fast: format, lint, types, layers, unit and handler tests
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports
	@$(BIN)/pytest -q -n 3 --dist worksteal -m $(QUICK) tests/unit tests/handlers

test: setup ## All tests, on real servers and a real control plane; measures the branches they reach
	@$(BIN)/pytest -q -n 3 --dist worksteal -m $(QUICK) --cov=functions $(DECIDING)
	@$(BIN)/pytest -q -n 3 --dist worksteal -m $(QUICK) $(filter-out $(DECIDING),$(wildcard tests/unit/test_*.py)) tests/model
	@GOGC=400 $(BIN)/pytest -q -n 4 --dist loadgroup -m "(contract or thorough) and not soak" $(THOROUGH)
	@GOGC=400 $(BIN)/pytest -q -n 3 --dist loadgroup -m "not soak" tests/system

soak: setup ## The long scenarios, under a continuous writer (SCENARIOS='restore or roll' ROUNDS=5)
	@$(BIN)/pytest -q -n 2 --dist loadgroup -m "soak or large" $(CHOSEN) $(LONG)

e2e: $(INSTALLED) ## Install on the cluster that KUBECONFIG names, and test it (OVERLAY=knative)
	@test -n "$(KUBECONFIG)" || { echo "make e2e installs on a cluster and tests it: say which with KUBECONFIG=<its kubeconfig>"; exit 2; }
	@ZOOKEEPER_FUNCTIONS_E2E="$(KUBECONFIG)" ZOOKEEPER_FUNCTIONS_OVERLAY="$(OVERLAY)" $(BIN)/pytest -q -s -m anywhere tests/system

model: $(INSTALLED) ## Search every state of small ensembles with faults; prints how many were visited
	@$(BIN)/pytest -q -s tests/model

golden: $(INSTALLED) ## Write the expected files under tests/ anew; read the difference before you commit it
	@UPDATE_GOLDEN=1 $(BIN)/pytest -q tests/handlers/test_render.py tests/unit/test_manifests_objects.py

crds: $(INSTALLED) ## Write crds/, the reference pages and the chart's schema anew from the API models
	@$(BIN)/python -m functions.api.crd crds
	@$(BIN)/python -m functions.api.reference docs/reference
	@$(BIN)/python -m functions.api.values_schema charts/zookeeper-cluster/values.schema.json

docs: $(DOCS)/installed ## Render docs/ as a site in build/site, and check every link
	@$(DOCS)/bin/mkdocs build --clean
	@echo "the site: build/site/index.html"

$(DOCS)/installed: requirements/docs.txt
	@$(PYTHON) -m venv --clear $(DOCS)
	@$(DOCS)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/docs.txt
	@touch $@

install-yaml: setup ## Write the install as one file, build/install.yaml (OVERLAY=namespaced: another one)
	@mkdir -p build
	@$(BIN)/python -m local.kustomize config/overlays/$(OVERLAY) > build/install.yaml
	@echo "build/install.yaml: kubectl apply --server-side -f build/install.yaml"

image: ## Build the container image with podman, docker or buildah (IMAGE=name:tag, BASE=, BUILD_FLAGS=)
	@engine="$(ENGINE)"; test -n "$$engine" || { echo "make image builds with podman, docker or buildah, and none of them works here: install one (apt-get install buildah), or say which with ENGINE=" >&2; exit 2; }; \
	$$engine build -f Containerfile -t $(IMAGE) $(if $(BASE),--build-arg BASE=$(BASE)) $(BUILD_FLAGS) .

bench: setup ## Print the figures of benchmarks/
	@$(BIN)/python -m benchmarks

lock: $(INSTALLED) ## Pin every dependency anew, with hashes
	@$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-header --python-version 3.11 pyproject.toml -o requirements/runtime.txt
	@$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-header --python-version 3.11 --extra local --extra dev pyproject.toml -o requirements/dev.txt
	@$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-header --python-version 3.11 --group docs -o requirements/docs.txt

clean: down ## Remove the environment too
	@rm -rf .venv
