# make demo    a simulated school node here, live
# make test    lint, types, all tests (installs what it needs into .venv)
# make bench   the figures, measured here, into tests/bench/README.md
# make fuzz    a million mutated inputs each
# make mutants COUNT=200 SEED=1   wrong lines that no test sees; by hand, under an hour
# make outside what the world does, against real processes; make soak: an hour of each
# make powercut COUNT=2000   power cuts on a disk with a volatile cache (root)
PYTHON ?= python3
BIN := .venv/bin

VENV_PACKAGE := python3-venv='$(PYTHON) -m venv --help && $(PYTHON) -c "import ensurepip"'
BROKER := mosquitto='command -v mosquitto || test -x /usr/sbin/mosquitto'
FUSE := fuse3='command -v fusermount3' e2fsprogs='command -v mkfs.ext4'
COVERAGE := --cov --cov-report=term --cov-fail-under=95
NODE := nodejs='command -v node' npm='command -v npm'

.PHONY: demo test tools lint types tests bench fuzz mutants outside soak powercut clean

demo: .venv/run
	@.ci/packages $(BROKER) || echo "the demo goes on without a broker"
	$(BIN)/stadtsinn demo $(ARGS)

test: lint types tests

tools: .venv/dev .venv-zcbor/ready .node/ready
	@.ci/packages $(BROKER)

lint: .venv/dev
	$(BIN)/ruff format --no-cache --check .
	$(BIN)/ruff check --no-cache .

types: .venv/dev
	$(BIN)/mypy

tests: tools
	$(BIN)/pytest -n auto --dist worksteal $(if $(filter -k,$(ARGS)),,$(COVERAGE)) $(ARGS)

bench: .venv/dev
	@.ci/packages $(BROKER)
	$(BIN)/python -m tests.bench $(ARGS)

fuzz: .venv/dev
	$(BIN)/python -m tests.fuzz $(or $(COUNT),1000000)

mutants: .venv/dev
	$(BIN)/python -m tests.mutants $(or $(COUNT),200) $(or $(SEED),1)

outside: .venv/dev
	$(BIN)/python -m tests.outside $(or $(SECONDS),60)

soak: .venv/dev
	$(BIN)/python -m tests.outside 3600

powercut: .venv/dev
	@.ci/packages $(FUSE) || true
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[powercut]'
	$(BIN)/python -m tests.powercut $(or $(COUNT),2000) $(or $(SEED),1)

.venv/python:
	@.ci/packages $(VENV_PACKAGE)
	$(PYTHON) -m venv .venv
	@touch $@

.venv/run: .venv/python pyproject.toml
	@echo "installing into .venv, once; this takes a minute or two"
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[bridge,sim,lorawan]'
	@touch $@

.venv/dev: .venv/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ .venv/run

# zcbor 0.9.1 does not start with cbor2 6: an environment of its own
.venv-zcbor/ready:
	@.ci/packages $(VENV_PACKAGE)
	$(PYTHON) -m venv .venv-zcbor
	.venv-zcbor/bin/pip install --quiet --disable-pip-version-check 'zcbor>=0.9' 'cbor2<6'
	@touch $@

# LoRaWAN frames are read by an implementation nobody here wrote
.node/ready:
	@.ci/packages $(NODE)
	npm install --silent --no-audit --no-fund --prefix .node lora-packet@0.9.3
	@touch $@

clean:
	rm -rf .venv .venv-zcbor .node .mypy_cache .pytest_cache .ruff_cache .hypothesis .mutants dist
