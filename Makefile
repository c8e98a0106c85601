# The commands for development. They need only make and Python >= 3.11 (with venv): each target first
# creates the environment in .venv if it is missing or if pyproject.toml or the constraints have changed.
#
#   PYTHON=python3.12   the Python that creates the environment
#   VENV=.venv          the folder of the environment
#   HOST= PORT=         the address on which `make run` listens
#   ARGS=               arguments for pytest, the benchmarks, the fuzzer or the soak
#   SECONDS=60          duration of `make fuzz`
#   JOBS=auto           number of processes of `make test`; auto means three per core, up to eight

VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 8000
ARGS ?=
SECONDS ?= 60
JOBS ?= auto

BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

IS_NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
VERSION := -c 'import sys; print("%d.%d" % sys.version_info[:2])'

# The first Python on PATH that is new enough. Each is tried, because a name on PATH may be a stub that fails.
FIND_PYTHON = for name in python3 python3.13 python3.12 python3.11 python3.14 python3.15 python; do \
	"$$name" $(IS_NEW_ENOUGH) 2>/dev/null && { echo "$$name"; break; }; \
	done

.PHONY: help setup run test test-all test-lowest test-newest test-browser test-frameworks test-extensions test-servers test-proxies \
	test-manifests test-distributed test-long audit fuzz soak lint format wheel docs release-check bench bench-scale bench-tls clean

help:
	@echo "make run        serve the example site on http://$(HOST):$(PORT)/"
	@echo "make test       run the test suite"
	@echo "make test-browser  look at our pages with Chromium: the inspector and the probe's report"
	@echo "make test-all   run it on every installed Python of 3.11 to 3.15"
	@echo "make test-lowest  run it with the lowest versions that pyproject.toml allows"
	@echo "make test-newest  run it with the newest versions that there are"
	@echo "make test-frameworks  test and serve applications of the frameworks that speak ASGI"
	@echo "make test-extensions  run an app of old with the sanic-cors of its time"
	@echo "make test-proxies  stream through HAProxy and nginx, and restart servers behind HAProxy; REQUESTS=100000 for more"
	@echo "make test-manifests  check what the page on deployment has for Kubernetes and systemd"
	@echo "make test-servers  run our apps behind uvicorn, hypercorn, granian and gunicorn: about ten minutes"
	@echo "make test-distributed  serve behind Ray Serve"
	@echo "make test-long  run the long tests, with ten thousand examples and more: about an hour"
	@echo "make fuzz       fuzz the engine, guided by coverage, for SECONDS=$(SECONDS)"
	@echo "make soak       run thousands of slow, vanishing and hostile clients: about five minutes"
	@echo "make lint       check formatting, ruff, mypy --strict and the import rules"
	@echo "make audit      ask pip-audit for known vulnerabilities of what we pin and allow"
	@echo "make format     format the code with ruff"
	@echo "make wheel      build the wheel into dist/ and check its content"
	@echo "make docs       build the documentation as a site into build/docs/, with warnings as errors"
	@echo "make release-check  prove a release: sdist and wheel, an empty environment on each Python, types, the README"
	@echo "make bench      compare with other servers; ARGS='--against main': with our own at main"
	@echo "make bench-scale  measure 100 to 20,000 connections, streams, WebSockets and routes, beside uvicorn"
	@echo "make bench-tls  measure downloads, requests and handshakes over TLS, beside uvicorn, hypercorn, granian and nginx"
	@echo "make setup      only create the environment in $(VENV)"
	@echo "make clean      remove everything that these commands have created"

setup: $(READY)
	@test -z "$(PYTHON)" || test "$$("$(PYTHON)" $(VERSION))" = "$$("$(BIN)/python" $(VERSION))" || { \
		echo "$(VENV) was made with $$("$(BIN)/python" --version): make clean first, or give VENV=" >&2; exit 1; }

# hatchling is installed first and the project is built without isolation, so that the constraints also
# apply to the build, with every version of pip. So is PyYAML, which libcst needs: where it has no wheel, it is
# built, and in isolation. Today's Sanic, on which the tests run apps that were ported to
# it, is installed outside of the environment, where `import sanic` must find nothing. The Python is judged before anything is made of it, and an
# environment of one that is too old is replaced.
$(READY): pyproject.toml constraints.txt
	@python="$(PYTHON)"; test -n "$$python" || python="$$($(FIND_PYTHON))"; \
	"$$python" $(IS_NEW_ENOUGH) 2>/dev/null || { \
		echo "streamcompat needs Python 3.11 or newer$${python:+, which $$python is not}:" \
			"make PYTHON=/path/to/python3" >&2; exit 1; }; \
	"$(BIN)/python" $(IS_NEW_ENOUGH) 2>/dev/null || { echo "making $(VENV) with $$("$$python" --version)"; \
		"$$python" -m venv --clear "$(VENV)" || { rm -rf "$(VENV)"; exit 1; }; }
	@echo "installing into $(VENV)"
	@$(PIP) install --constraint constraints.txt hatchling editables
	@$(PIP) install --constraint constraints.txt PyYAML
	@$(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	@$(PIP) install --constraint constraints.txt --upgrade --target $(VENV)/sanic sanic || \
		echo "cannot install today's Sanic: the tests that run ported apps on it are skipped" >&2
	@touch $(READY)

run: $(READY)
	@$(BIN)/python examples/side_by_side.py http://$(HOST):$(PORT)
	@$(BIN)/streamcompat run examples/side_by_side.py --host $(HOST) --port $(PORT) --inspect

# A traceback with carets parses source text, and CPython 3.11 may raise SystemError if two threads parse
# at once (gh-106905): a served app that logs an error would occasionally end the whole run.
test test-long: export PYTHONNODEBUGRANGES = 1

# What is imported is compiled once, also where PYTHONDONTWRITEBYTECODE forbids it: the suite starts hundreds of
# processes, and each of them would compile the whole package (tests/conftest.py says which files are exempt). The
# first time, one process compiles the tests, with their assertions rewritten; else each of six would.
test test-long: export PYTHONDONTWRITEBYTECODE =

test: $(READY)
	@$(BIN)/python -m compileall -q streamcompat engine || echo "not compiled: the tests take longer" >&2
	@ls tests/__pycache__/test_sizes.*-pytest-*.pyc > /dev/null 2>&1 || \
		$(BIN)/python -m pytest --collect-only -qq > /dev/null || true
	$(BIN)/python -m pytest -m "not long" --numprocesses $(JOBS) --dist worksteal $(ARGS)

# What drives the browser is installed outside of the environment, and the browser is the system's.
test-browser: $(READY)
	@$(PIP) install --upgrade --target $(VENV)/browser playwright axe-playwright-python || { \
		echo "make test-browser needs playwright and axe-playwright-python, which cannot be installed here" >&2; exit 1; }
	@PYTHONPATH=$(VENV)/browser $(BIN)/python -m pytest tests/browser/pages.py $(ARGS)

test-all:
	@sh .ci/test-all $(ARGS)

# Both change the versions in an environment of their own.
test-lowest:
	@$(MAKE) setup VENV=.venvs/lowest
	@.venvs/lowest/bin/python .ci/bounds.py > .venvs/lowest.txt
	@.venvs/lowest/bin/python -m pip --disable-pip-version-check --quiet install --requirement .venvs/lowest.txt
	@$(MAKE) test VENV=.venvs/lowest ARGS="$(ARGS)"

test-newest:
	@$(MAKE) setup VENV=.venvs/newest
	@.venvs/newest/bin/python -m pip --disable-pip-version-check --quiet install --no-build-isolation \
		--upgrade --upgrade-strategy eager --editable '.[dev]'
	@$(MAKE) test VENV=.venvs/newest ARGS="$(ARGS)"

# The frameworks are installed outside of the environment, where `import sanic` must find nothing. Their own
# warnings, of the newest Python for example, are no failures of ours.
FRAMEWORKS := fastapi quart litestar django flask sse-starlette sanic 'python-socketio[client]' mcp
test-frameworks: export PYTHONNODEBUGRANGES = 1
test-frameworks: $(READY)
	@$(PIP) install --upgrade --target $(VENV)/frameworks $(FRAMEWORKS) || { \
		echo "cannot install the frameworks: nothing was tested" >&2; exit 1; }
	PYTHONPATH=$(VENV)/frameworks $(BIN)/python -m pytest tests/testing/test_applications.py \
		tests/testing/test_frameworks.py tests/testing/test_schemas.py tests/asgi_api/test_frameworks.py \
		tests/asgi_api/test_starlette.py tests/porting/test_beside.py $(ARGS)

# What these apps need, by its name of old; their own requirements would bring the original's release of Sanic.
EXTENSIONS := sanic-cors==0.10.0.post3 sanic-plugins-framework==0.9.5
test-extensions: $(READY)
	@$(PIP) install --upgrade --no-deps --target $(VENV)/extensions $(EXTENSIONS) || { \
		echo "cannot install the extensions: nothing was tested" >&2; exit 1; }
	PYTHONPATH=$(VENV)/extensions $(BIN)/python -m pytest -rs tests/apps_of_old -k its_extension $(ARGS)

# The programs are the system's. The ports are those of the page on deployment, so one run at a time.
REQUESTS ?= 2000
test-proxies: export PYTHONNODEBUGRANGES = 1
test-proxies: $(READY)
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin"; for program in haproxy nginx; do \
		command -v $$program > /dev/null || { \
			echo "make test-proxies needs $$program: apt-get install haproxy nginx-light" >&2; exit 1; }; done
	$(BIN)/python -m pytest tests/proxies/probes.py $(ARGS)
	$(BIN)/python -m tests.proxies.rolling --requests $(REQUESTS)

# The schemas of Kubernetes come with a package that is installed outside of the environment: it is large.
test-manifests: $(READY)
	@$(PIP) install --upgrade --target $(VENV)/manifests kubernetes-validate || { \
		echo "make test-manifests needs kubernetes-validate, which cannot be installed here" >&2; exit 1; }
	@command -v systemd-analyze > /dev/null || { \
		echo "make test-manifests needs systemd-analyze: apt-get install systemd" >&2; exit 1; }
	PYTHONPATH=$(VENV)/manifests $(BIN)/python -m pytest tests/proxies/manifests.py $(ARGS)

# Servers of ASGI are installed outside of the environment, so that the suite is the same with and without them.
SERVERS := uvicorn httptools uvloop websockets 'hypercorn[h2,trio]' granian gunicorn uvicorn-worker
test-servers: export PYTHONNODEBUGRANGES = 1
test-servers: $(READY)
	@$(PIP) install --upgrade --target $(VENV)/servers $(SERVERS) || { \
		echo "make test-servers needs $(SERVERS), which cannot be installed here" >&2; exit 1; }
	PYTHONPATH=$(VENV)/servers $(BIN)/python -m pytest tests/servers/matrix.py tests/servers/test_known.py $(ARGS)

# Ray is large, and is installed outside of the environment.
test-distributed: $(READY)
	@$(PIP) install --upgrade --target $(VENV)/distributed 'ray[serve]' || { \
		echo "make test-distributed needs ray[serve], which cannot be installed here" >&2; exit 1; }
	PYTHONPATH=$(VENV)/distributed $(BIN)/python -m pytest tests/distributed/ray_serve.py $(ARGS)

test-long: $(READY)
	$(BIN)/python -m pytest -m long --hypothesis-profile=long -o timeout=3600 $(ARGS)

# atheris is installed outside of the environment, so that the suite is the same with and without it.
fuzz: $(READY)
	@$(PIP) install --upgrade --target $(VENV)/fuzz --requirement tests/fuzz/requirements.txt || { \
		echo "cannot install atheris for this Python on this platform: nothing was fuzzed" >&2; exit 1; }
	PYTHONPATH=$(VENV)/fuzz $(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(ARGS)

# A longer run: make soak ARGS='--runs 5 --gigabytes 50'; one scenario: make soak ARGS='idle --server trio'.
soak: $(READY)
	@$(BIN)/python -m tests.resilience $(ARGS)

lint: $(READY)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# pip-audit is installed outside of the environment, so that it is not audited itself.
audit: $(READY)
	@$(PIP) install --upgrade --target $(VENV)/audit pip-audit || { \
		echo "cannot install pip-audit: nothing was audited" >&2; exit 2; }
	@$(BIN)/python .ci/bounds.py > $(VENV)/lowest.txt
	@PYTHONPATH=$(VENV)/audit $(BIN)/python .ci/audit.py constraints.txt $(VENV)/lowest.txt

wheel: $(READY)
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist
	$(BIN)/python .ci/check_wheel.py dist

# Sphinx is installed outside of the environment, so that the suite is the same with and without it. Each version has
# a folder of its own, so that a site can keep those before it.
docs: $(READY)
	@$(PIP) install --upgrade --target $(VENV)/docs --requirement docs/requirements.txt || { \
		echo "cannot install Sphinx: no site was built" >&2; exit 1; }
	@version="$$($(BIN)/python -c 'import streamcompat; print(streamcompat.__version__)')"; \
	PYTHONPATH=$(VENV)/docs $(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet \
		--builder html --doctree-dir build/doctrees docs "build/docs/$$version" && \
	echo "<meta http-equiv=refresh content='0; url=$$version/index.html'>" > build/docs/index.html && \
	echo "build/docs/$$version/index.html"

release-check: $(READY)
	@$(BIN)/python .ci/release_check.py $(ARGS)

bench: $(READY)
	$(BIN)/python -m benchmarks $(ARGS)

bench-scale: $(READY)
	$(BIN)/python -m benchmarks.scale $(ARGS)

bench-tls: $(READY)
	$(BIN)/python -m benchmarks.tls $(ARGS)

clean:
	rm -rf $(VENV) .venvs dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .fuzz
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
