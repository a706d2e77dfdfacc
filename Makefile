# Everything runs in .venv, which holds exactly what requirements.txt locks by hash.
PYTHON ?= python3
BIN := .venv/bin
SYNC := .venv/.synced

.PHONY: site test lint serve soak bench bench-browser bench-statistics spark lock clean

site: $(SYNC)
	$(BIN)/perfkb refresh
	$(BIN)/perfkb build

test: $(SYNC)
	$(BIN)/python -m pytest $(ARGS)

lint: $(SYNC)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

serve: $(SYNC)
	$(BIN)/perfkb refresh
	$(BIN)/perfkb serve

soak: $(SYNC)
	$(BIN)/python -m tests.soak $(ARGS)

bench: $(SYNC)
	$(BIN)/python -m tests.bench

bench-browser: $(SYNC)
	$(BIN)/python -m tests.bench.browser

bench-statistics: $(SYNC)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.statistics $(ARGS)

# What only the tests with Spark need, 450 MB; without it they are skipped.
spark: $(SYNC)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-spark.txt

# The editable install comes last: only then is the environment whole, also after an interruption.
$(SYNC): requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("perfkb needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv --clear .venv || { echo 'no venv here: on Debian, apt install python3-venv'; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# Needs uv; the lock file names hashes and no index.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --no-emit-index-url --extra dev pyproject.toml -o requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --no-emit-index-url --extra spark --constraint requirements.txt pyproject.toml -o requirements-spark.txt

clean:
	rm -rf .venv site .snapshots .mypy_cache .ruff_cache .pytest_cache .hypothesis
