# The words of the project; `.ci/run` and people use the same ones.
# PYTHON: which Python builds the environments. VENV_CACHE: where they are kept (~/.cache/annotune).
PYTHON ?= python3
PY := .venv/bin/python
BENCHES := predict train swap fewshot causal causal_speed causal_swap augment gate planted order replay ece scaling
OURS := label_config augment lora ml_backend sync demo .ci $(wildcard *.py)
export OMP_NUM_THREADS ?= 1

.PHONY: demo start reference test fast image-steps panels faults faults-broken hosts load fuzz fuzz-stored lint audit sbom types arch bench $(BENCHES:%=bench-%) browser csv .venv .venv-ls

demo: .venv .venv-ls ; @exec $(PY) -m demo $(if $(DEMO_DATA),--data "$(DEMO_DATA)") $(DEMO_ARGS)
start: csv .venv .venv-ls ; @exec $(PY) -m sync.cli start "$(CSV)" $(START_ARGS)
test: .venv .venv-ls browser ; $(PY) -m pytest -n 2 --dist loadgroup
fast: .venv ; $(PY) -m pytest -q -m "not model and not real"
reference: .venv ; $(PY) .ci/reference.py
lint: .venv ; $(PY) -m ruff check . && $(PY) -m ruff format --check . && sh .ci/short
audit: .venv ; $(PY) -m bandit -q -r $(OURS)
sbom: .venv ; mkdir -p build && $(PY) -m cyclonedx_py environment --pyproject pyproject.toml --output-reproducible -o build/annotune.cdx.json $(PY)
types: .venv ; $(PY) -m mypy
arch: .venv ; .venv/bin/lint-imports
faults: .venv ; ANNOTUNE_FUZZ=100 $(PY) -m pytest -q tests/faults tests/sync/test_interleavings.py $(if $(KILLS),&& $(PY) -m tests.faults.kills.run --kills $(KILLS) $(KILLS_ARGS))
hosts: .venv ; $(PY) -m pytest -q -s tests/hosts
load: .venv ; $(PY) -m tests.load.run $(LOAD_ARGS)
faults-broken: .venv ; $(PY) -m tests.faults.broken
image-steps: .venv ; $(PY) .ci/image_steps.py
panels: .venv ; PYTHONPATH=. $(PY) .ci/panels.py $(ENV_FILE)
fuzz: .venv ; ANNOTUNE_FUZZ=$(or $(FUZZ),50000) ANNOTUNE_FUZZ_REPORT=$(or $(FUZZ_REPORT),fuzz-report) $(PY) -m pytest -q tests/fuzz
fuzz-stored: .venv .venv-ls ; $(PY) -m tests.fuzz.stored $(STORED_ARGS)
bench: $(BENCHES:%=bench-%)
$(BENCHES:%=bench-%): bench-%: .venv ; $(PY) -m benchmarks.$* $(BENCH_ARGS)

.venv .venv-ls: ; @$(PYTHON) .ci/venv.py $@
csv: ; @[ -f "$(CSV)" ] || { $(if $(CSV),echo "there is no file $(CSV)",echo 'which CSV? make start CSV=mine.csv START_ARGS="--label COLUMN"'); exit 1; }
browser: ; @for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; echo "make test drives a real browser; install one: apt-get install chromium"; exit 1
