# Every target sets up what it needs: Python >= 3.10 with pip, make and a Rust toolchain suffice.

PYTHON ?= python3
VENV   ?= .venv

# niquests would install its own fork in the place of urllib3; the tests need both. An environment that has the fork
# there already stays so: `make clean` removes it.
export URLLIB3_NO_OVERRIDE = 1
export PIP_NO_BINARY      ?= urllib3-future
BIN    := $(VENV)/bin
SECONDS ?= 60
# The oldest Rust that ssejet supports.
MSRV   := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
# One more than there are processors, because many tests wait for clocks and for other processes.
JOBS   ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

RUST   := Cargo.toml Cargo.lock $(shell find rust/core/src rust/python/src -name "*.rs") rust/core/README.md \
          rust/core/Cargo.toml rust/python/Cargo.toml

# Each process begins with half of the tests, so that those of one file share servers and browsers. A process that has
# no more takes some of another's.
PYTEST := $(BIN)/pytest -q -n $(JOBS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-peers test-ecosystem test-versions newest-sdks check docs bench bench-live \
        fuzz wheel sdist clean

help: ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.test ## stream a recorded chat completion through real HTTP, and measure
	$(BIN)/ssejet demo

test: $(VENV)/.test ## run the Rust and the Python tests
	cargo test --locked --quiet --workspace --exclude ssejet-python
	$(BIN)/python -W error -c "import ssejet"
	$(PYTEST)

test-fast: $(VENV)/.test ## run the unit tests, with few random examples: in a minute or two
	cargo test --locked --quiet --package ssejet-core --lib
	HYPOTHESIS_PROFILE=fast $(PYTEST) -m "not slow" $(foreach folder,benches browser ecosystem typing,--ignore tests/$(folder))

# What these two need is kept out of the environment of the other tests.
test-peers: $(VENV)-peer-suites/.ready ## run the peers' own test suites with ssejet swapped in (downloads them)
	$(VENV)-peer-suites/bin/python tests/peers/run.py

# The libraries leave sockets for the garbage collector to close.
test-ecosystem: $(VENV)-ecosystem/.ready ## run LangChain, pydantic-ai, LiteLLM and MCP with ssejet swapped in
	$(VENV)-ecosystem/bin/pytest -q -p no:unraisableexception tests/ecosystem

test-versions: $(VENV)/.pip ## run the tests of the swap-ins and adapters with other versions of the SDKs and HTTP libraries
	rm -rf $(VENV)-versions/wheel
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir $(VENV)-versions/wheel .
	$(BIN)/python tests/swap/versions.py $(VENV)-versions/wheel/*.whl
	$(BIN)/python tests/http/versions.py $(VENV)-versions/wheel/*.whl

newest-sdks: $(VENV)/.pip ## try the newest release of each SDK, and say what broke (QUICK=1: without tests)
	rm -rf $(VENV)-versions/wheel
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir $(VENV)-versions/wheel .
	$(BIN)/python tools/newest_sdks.py $(VENV)-versions/wheel/*.whl $(if $(QUICK),--quick)

$(VENV)-%/.ready: pyproject.toml $(RUST)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(@D)/bin/python -m pip install --quiet --editable . --group $*
	@touch $@

check: $(VENV)/.lint ## run the linters, the type checkers and the documentation build
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --package ssejet-core --no-default-features -- -D warnings
	@if rustup run $(MSRV) cargo --version >/dev/null 2>&1; then \
		rustup run $(MSRV) cargo check --locked --workspace --all-targets --target-dir target/oldest; \
	else echo "Rust $(MSRV) is not tried: rustup toolchain install $(MSRV) --profile minimal"; fi
	cargo package --locked --allow-dirty --no-verify --quiet --package ssejet-core
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --package ssejet-core
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest ssejet._core
	$(BIN)/pytest -q tests/typing

$(VENV)/.pip:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@touch $@

# An editable install: the Python sources are used in place, the extension is built anew when Rust changes.
$(VENV)/.test: $(VENV)/.pip pyproject.toml $(RUST)
	$(BIN)/python -m pip install --quiet --editable . --group test
	@touch $@

$(VENV)/.lint: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --group lint
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --group bench
	@touch $@

# The reference is read from the sources, so that the extension need not be built.
docs: $(VENV)-docs/.ready ## build the documentation site in site/html, strictly, and check all links
	$(VENV)-docs/bin/python docs/_site/build.py

$(VENV)-docs/.ready: pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(@D)/bin/python -m pip install --quiet --group docs
	@touch $@

bench: $(VENV)/.bench $(VENV)-sdks/.ready ## measure everything; write raw results and the figures in docs
	@if command -v npm >/dev/null; then npm --prefix benches/node ci --silent; \
	else echo "eventsource-parser is left out: there is no npm here"; fi
	$(BIN)/python -m benches.run
	$(BIN)/python -m benches.chat
	$(BIN)/python -m benches.messages
	$(BIN)/python -m benches.responses
	$(BIN)/python -m benches.swap
	$(BIN)/python -m benches.sdks --python $(VENV)-sdks/bin/python
	$(BIN)/python -m benches.sending
	$(BIN)/python -m benches.live
	@if command -v redis-server valkey-server >/dev/null; then $(BIN)/python -m benches.hub; \
	else echo "the hub is left out: there is no redis-server here"; fi
	$(BIN)/python -m benches.plot
	$(BIN)/python -m benches.readme

bench-live: $(VENV)/.bench ## measure live streams over real sockets; write raw results and the figures in docs
	$(BIN)/python -m benches.live
	$(BIN)/python -m benches.plot
	$(BIN)/python -m benches.readme

fuzz: ## run each fuzz target for SECONDS=60 (needs a nightly toolchain; installs cargo-fuzz)
	@cargo fuzz --version >/dev/null 2>&1 || cargo install --quiet --locked cargo-fuzz
	@for target in $$(cargo +nightly fuzz list --fuzz-dir rust/fuzz); do \
		echo "== $$target"; \
		cargo +nightly fuzz run --fuzz-dir rust/fuzz $$target -- \
			-max_total_time=$(SECONDS) -max_len=512 -dict=rust/fuzz/sse.dict || exit 1; \
	done

wheel: $(VENV)/.pip ## build the wheel to release, with profile-guided optimisation (rustup's llvm-tools)
	rustup component add llvm-tools
	$(BIN)/python -m pip install --quiet "maturin>=1.16,<2"
	$(BIN)/maturin build --release --locked --pgo --interpreter $(BIN)/python --out dist

sdist: $(VENV)/.pip ## build the source distribution; check that it is complete and what an index would say of it
	$(BIN)/python -m pip install --quiet "maturin>=1.16,<2" "twine>=6.1"
	rm -f dist/*.tar.gz
	$(BIN)/maturin sdist --out dist
	$(BIN)/python tools/release.py check dist/*.tar.gz
	$(BIN)/twine check --strict dist/*.tar.gz

clean: ## remove what was built
	rm -rf $(VENV) target dist site python/ssejet/_core.*.so
