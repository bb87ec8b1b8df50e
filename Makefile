# The whole project in a few commands; needs Python 3.11+ and make, nothing else.
# The system's own Python where it will do: it is built with profile-guided optimisation, and one that
# was not takes a fifth longer. PYTHON=python3 takes the one on the path.
FIT := import sys, os, sysconfig, venv, ensurepip; \
  sys.exit(sys.version_info < (3, 11) or not os.path.exists(sysconfig.get_path("include") + "/Python.h"))
PYTHON ?= $(shell /usr/bin/python3 -c '$(FIT)' 2>/dev/null && echo /usr/bin/python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
QUIX := .venv-quix
UV := uv==0.13.9
PIN = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate $(LOCK)
# The tests that mostly wait for processes of their own; the others are reckoned beside them.
WAITING := $(addprefix tests/,bench certificate faults seal trail vault)
# Once more as plain Python, where the core is compiled: here bugs are planted, and both must agree.
PLAIN_TESTS := tests/ledger tests/streams tests/contract
RECKONED := .pytest_cache/reckoned.log
# What setup.py compiles is among these; their compiled modules lie beside them.
CORE_FOLDERS := schemas ledger streams
CORE := $(wildcard schemas/*.py schemas/*/*.py ledger/*.py ledger/*/*.py) \
  streams/partitions/fold_batch.py \
  $(addprefix streams/state/,page_codec.py account_codec.py accounts.py wakes.py)

# Compiled to bytecode once, also where Python may not write it: a second of every command's start.
# Of the others only what runs: half of all their code is tests, and pandas, which nothing here loads.
IDLE := /(tests?|testing|pandas|datastore|pip|setuptools)/
PACKAGES := schemas ledger producers streams consumers vault deploy

.PHONY: demo test waiting reckoned faults soak plain compile check fix bench bench-quick bench-starts bench-all \
  bench-sink bench-trail bench-questions bench-recovery bench-latency bench-growth bench-verify docs clean \
  client-wheel lock

demo: $(VENV)/.env  ## the main job on realistic input, then the totals
	@$(BIN)/shilu demo

test: $(VENV)/.dev  ## every test, faults in their short form; TESTS=tests/seal for some
ifdef TESTS
	$(BIN)/python -m pytest $(TESTS)
else
	@$(MAKE) --no-print-directory -j2 waiting reckoned
endif

waiting:
	$(BIN)/python -m pytest $(WAITING)

reckoned:
	@mkdir -p $(dir $(RECKONED)); \
	  { $(BIN)/python -m pytest tests $(addprefix --ignore ,$(WAITING)) && \
	    { test -z "$$(find ledger -name '*.so')" || SHILU_PLAIN=1 $(BIN)/python -m pytest $(PLAIN_TESTS); }; \
	  } >$(RECKONED) 2>&1; done=$$?; cat $(RECKONED); exit $$done

faults: $(VENV)/.dev  ## the long fault runs, into docs/reliability.md; FAULTS="-k sealer" for some
	SHILU_FAULTS=long $(BIN)/python -m pytest -s -m faults tests/faults tests/trail/test_full_disk.py $(FAULTS); \
	  done=$$?; $(BIN)/python -m bench.reliability; exit $$done

soak: $(VENV)/.dev  ## a deployment under load and faults: HOURS=1, EVERY=300 seconds, SEED to repeat
	@$(BIN)/python -m bench.soak --hours $(or $(HOURS),1) --every $(or $(EVERY),300) $(if $(SEED),--seed $(SEED)) $(SOAK); \
	  done=$$?; $(BIN)/python -m bench.reliability; exit $$done

compile: $(VENV)/.run  ## the core as C, where a compiler is

plain:  ## the core as plain Python again; SHILU_COMPILE=0 keeps it so
	rm -rf build *__mypyc*.so
	find $(CORE_FOLDERS) -name '*.so' -delete

check: $(VENV)/.dev  ## lint, format, types, architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_imports.py

fix: $(VENV)/.dev  ## what a tool can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev $(QUIX)/.done  ## the worker beside its peers, into docs/performance.md
	$(BIN)/python -m bench.run

bench-quick: $(VENV)/.dev  ## the worker beside Kafka Streams, in three minutes
	@$(BIN)/python -m bench.run --quick

bench-starts: $(VENV)/.dev  ## 20 starts of two and three workers behind a backlog; STARTS, FACTS, SEED
	@$(BIN)/python -m bench.starts --starts $(or $(STARTS),20) --facts $(or $(FACTS),200000) $(if $(SEED),--seed $(SEED)) --save $(BENCH_STARTS); \
	  done=$$?; $(BIN)/python -m bench.reliability; exit $$done

bench-sink: $(VENV)/.bench  ## the sink beside the raw insert
	$(BIN)/python -m bench.sink

bench-trail: $(VENV)/.bench  ## questions over 10 million lines, beside DuckDB and PostgreSQL
	$(BIN)/python -m bench.queries

bench-questions: $(VENV)/.dev  ## what auditors ask, of a million events
	$(BIN)/python -m bench.questions

bench-recovery: $(VENV)/.bench  ## a million accounts restored
	$(BIN)/python -m bench.recovery

bench-latency: $(VENV)/.bench  ## from acknowledged to visible, and after a stop of the sink
	$(BIN)/python -m bench.latency

bench-growth: $(VENV)/.bench  ## does an event get dearer as the ledger grows
	$(BIN)/python -m bench.growth --full

bench-verify: $(VENV)/.dev  ## a million postings verified
	$(BIN)/python -m bench.verify

bench-all: bench bench-sink bench-trail bench-questions bench-recovery bench-latency bench-growth bench-verify  ## about two hours

docs: $(VENV)/.dev  ## pages generated from the contract
	$(BIN)/python -m deploy.describe

client-wheel: $(VENV)/.run  ## the client for field apps alone, into dist/
	@$(BIN)/python -m deploy.building.client_wheel

# What is pinned stays as it is; add --upgrade-package NAME in LOCK for another version of it.
lock: | $(VENV)/bin/uv  ## the pins, after a change of dependencies in pyproject.toml
	$(PIN) --extra all pyproject.toml -o requirements.lock
	$(PIN) --extra dev pyproject.toml -o requirements-dev.lock
	$(PIN) --extra all --group bench pyproject.toml -o requirements-bench.lock
	$(PIN) --group quix -o requirements-quix.lock

$(VENV)/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit("shilu 需要 Python 3.11+ / needs Python 3.11+, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "Python 环境 / environment: $(VENV) (1.2 GB, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV)

# Without a compiled core unless one is kept: who looks for the first time does not wait for a compiler.
$(VENV)/.env: requirements.lock pyproject.toml setup.py $(CORE) | $(VENV)/bin/uv
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/python -m compileall -q -j 0 -x '$(IDLE)' $(VENV)/lib >/dev/null || true
	@rm -f *__mypyc*.so
	@find $(CORE_FOLDERS) -name '*.so' -delete
	@$(BIN)/python -m deploy.building.compiling --kept
	@$(BIN)/python -m compileall -q $(PACKAGES)
	@touch $@

# A core that is there now was put there by the rule above, and is that of these sources.
$(VENV)/.run: $(VENV)/.env
	@test -n "$$(find $(CORE_FOLDERS) -name '*.so')" || $(BIN)/python -m deploy.building.compiling
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@$(BIN)/uv pip install --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.bench: requirements-bench.lock $(VENV)/.dev
	@$(BIN)/uv pip install --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-bench.lock
	@touch $@

# Quix needs an older confluent-kafka than we do.
$(QUIX)/.done: requirements-quix.lock | $(VENV)/bin/uv
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(QUIX)
	@$(BIN)/uv pip install --python $(QUIX)/bin/python --require-hashes -r requirements-quix.lock
	@touch $@

clean:
	rm -rf $(VENV) $(QUIX) build dist *.so .shilu .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(CORE_FOLDERS) -name '*.so' -delete
