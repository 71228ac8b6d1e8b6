# Everyday commands; `make` alone lists them.

# The Python 3.11 that .venv is made from: make env PYTHON=/path/to/python3.11
ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell for p in python3.11 python3; do \
	$$p -c pass 2>/dev/null && command -v $$p && break; done)
endif

export PATH := $(CURDIR)/.venv/bin:$(PATH)

# Each recipe uses all of .venv, or removes it; the tools within run in parallel by themselves.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help env demo watch report bench bench-transfer bench-droplet bench-evidence bench-scale bench-league test test-fast lint lint-fix clean

help: ## list these targets
	@echo "Rivulet: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1	\2/p' Makefile | while IFS='	' read -r name what; do \
		printf '  %-14s %s\n' "$$name" "$$what"; done

env: ## create or update .venv with the pinned packages (other Python: PYTHON=/path/to/python3.11)
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { \
		echo "error: no Python found$(if $(PYTHON), at '$(PYTHON)'); install it with:" \
			"apt install python3.11 python3.11-venv, or choose one with:" \
			"make env PYTHON=/path/to/python3.11" >&2; exit 2; }
	@"$(PYTHON)" envs/create_env.py

demo: env ## run the demonstration from end to end
	@.venv/bin/python -m rivulet demo $(ARGS)

watch: ## see how a running or interrupted workflow stands (once: ARGS=--once)
	@.venv/bin/python -m rivulet watch $(ARGS)

report: ## a report of what is there of an unfinished run (ARGS="--configfile config/demo.yaml")
	@.venv/bin/python -m rivulet report $(ARGS)

bench: env ## compare the search with TVM's own, for hours (a rough answer: ARGS=--quick)
	@.venv/bin/python benchmarks/search.py $(ARGS)

bench-transfer: env ## see what transfer-tuning reaches on real models (a rough answer: ARGS=--quick)
	@.venv/bin/python benchmarks/transfer.py $(ARGS)

bench-droplet: env ## see what droplet search finds and gains (a rough answer: ARGS=--quick)
	@.venv/bin/python benchmarks/droplet.py $(ARGS)

bench-evidence: env ## see how far the figures can be trusted (a rough answer: ARGS=--quick)
	@.venv/bin/python benchmarks/evidence.py $(ARGS)

bench-scale: env ## see what a large matrix costs before anything is measured (a rough answer: ARGS=--quick)
	@.venv/bin/python benchmarks/scale.py $(ARGS)

bench-league: env ## time all models beside other runtimes, for hours (a rough answer: ARGS=--quick)
	@.venv/bin/python benchmarks/league.py $(ARGS)

test: env ## run the tests (choose some: make test ARGS="-k name")
	@.venv/bin/python -m pytest $(ARGS)

test-fast: env ## run the tests that measure nothing and run no workflow, in two minutes
	@.venv/bin/python -m pytest tests/unit -m "not slow" -n 2 --dist worksteal $(ARGS)

lint: env ## check style, types, the workflow, and that generated files are up to date
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile rules
	snakemake --lint text --configfile config/demo.yaml
	mypy
	.venv/bin/python -m rivulet config-docs --check
	.venv/bin/python -m rivulet table-docs --check
	.venv/bin/python envs/make_conda_env.py | diff envs/rivulet.yaml - || { \
		echo "error: envs/rivulet.yaml does not match its pins; run: make lint-fix" >&2; exit 1; }

lint-fix: env ## repair what can be repaired by itself, and write the generated files
	ruff check --fix .
	ruff format .
	snakefmt Snakefile rules
	.venv/bin/python -m rivulet config-docs
	.venv/bin/python -m rivulet table-docs
	.venv/bin/python envs/make_conda_env.py > envs/rivulet.yaml

clean: ## remove .venv, caches and logs; keep all results
	@rm -rf .venv logs build .pytest_cache .ruff_cache .mypy_cache .hypothesis src/*.egg-info
	@find . \( -path ./results -o -path ./.snakemake -o -path ./.git \) -prune \
		-o -type d -name __pycache__ -prune -exec rm -rf {} +
	@echo "removed: .venv, logs, caches"
	@echo "kept: results/ and .snakemake/ (measurements and what Snakemake knows of them)"
	@echo "to delete results by hand: rm -r results/NAME (see what is there: ls results)"
