"""``promptverdict init``."""

from __future__ import annotations

import os
import re
import sys
from importlib.resources import files
from typing import TYPE_CHECKING

from action.cli.local import open_repository
from action.cli.streams import put
from action.exits import Exit
from adapters.providers.open_provider import CA_BUNDLE, PROXY
from adapters.releases import newest_release
from engine.commands.init_config import ProposedLineage, configuration_text, propose
from engine.commands.init_workflow import action_name, workflow_text
from engine.readers.config import read_config
from engine.readers.dialects import variables_of
from engine.readers.prompts.registry import find_prompts, is_prompt_path
from engine.readers.testsets import read_test_set
from engine.render.encode import log_line
from schemas.errors import SourceError, UsageError
from schemas.providers import PROVIDERS, keys

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from adapters.git.clone import Clone
    from schemas.testsets import TestSet

CONFIG = "promptverdict.yaml"
WORKFLOW = ".github/workflows/prompt-verdict.yml"
TEMPLATES = {
    "short": "workflow.yml",
    "long": "workflow_long.yml",
    "enterprise": "workflow_enterprise.yml",
}
TEST_LINES = (".jsonl", ".csv")
TEST_LISTS = re.compile(r"(?:^|[/_.-])(?:tests?|cases?|evals?|golden|examples?|fixtures?)(?:[/_.-]).*\.(?:ya?ml|json)$")
"""Names of cases in paths. A list in YAML or JSON may be anything, so only files with such names are read."""
CALLED_TESTS = re.compile(r"(?:^|[/_.-])(?:tests?|cases?|evals?|golden)(?:[/_.-])")
PROSE = {"readme", "changelog", "contributing", "license", "code_of_conduct", "security", "agents", "claude"}


def init(repo: Path, *, dry_run: bool, form: str, action: str) -> Exit:
    """Writes the configuration and the workflow, never over an existing file. Raises UsageError if one exists.

    ``form`` names the workflow's template, ``action`` is the address of the repository that releases the Action.
    """
    repository = open_repository(repo)
    root = repository.worktree_root()
    targets = (root / CONFIG, root / WORKFLOW)
    for target in targets:
        if target.exists() and not dry_run:
            raise UsageError(
                f"{target.relative_to(root)} exists already",
                hint="edit it, or use --dry-run to see what init would write",
            )
    lineages = _lineages(repository)
    name, lines = _model(os.environ, lineages)
    text = configuration_text(lineages, name, lines)
    read_config(CONFIG, text.encode())
    say = sys.stderr.write
    workflow = _workflow(repository, form, action, lines)
    for lineage in lineages:
        tests = lineage.tests or ("its own testData" if lineage.cases else "no tests yet")
        say(log_line(f"found {lineage.prompt} -> {lineage.use_case}, {tests} ({lineage.why})") + "\n")
    if not lineages:
        say("found no prompt with variables; add yours under lineages: by hand\n")
    for target, content in zip(targets, (text, workflow), strict=True):
        relative = target.relative_to(root)
        if dry_run:
            put(f"# --- {relative}\n{content}")
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
            say(f"wrote {relative}\n")
    if dry_run:
        say("next: run promptverdict init without --dry-run to write both files\n")
    else:
        say(
            "next: run promptverdict tests lint, commit both files and merge them. When a prompt changes, "
            "promptverdict plan shows the cost (it spends nothing), and promptverdict check gives the verdict\n"
        )
    return Exit.PASS


def _lineages(repository: Clone) -> tuple[ProposedLineage, ...]:
    entries = repository.entries(repository.worktree_snapshot())
    wanted = [path for path in entries if _may_be_tests(path) or _may_be_prompt(path)]
    contents = repository.read([entries[path].blob for path in wanted])
    texts = {path: contents[entries[path].blob] for path in wanted}
    found = find_prompts([path for path in wanted if _may_be_prompt(path)], texts.get)
    variables = {prompt.path: names for prompt in found if (names := variables_of(prompt))}
    test_sets = [tests for path in wanted if (tests := _tests(path, texts[path])) is not None]
    return propose([prompt for prompt in found if prompt.path in variables], test_sets, variables)


def _tests(path: str, data: bytes) -> TestSet | None:
    """Returns the test set in a file, if it is one. Says so on stderr if one can't be read that is named like one."""
    if not _may_be_tests(path):
        return None
    try:
        return read_test_set(path, data)
    except SourceError as error:
        if path.endswith(TEST_LINES) and CALLED_TESTS.search(path):
            sys.stderr.write(log_line(f"not read: {error}") + "\n")
        return None


def _may_be_tests(path: str) -> bool:
    return path.endswith(TEST_LINES) or TEST_LISTS.search(path) is not None


def _may_be_prompt(path: str) -> bool:
    return is_prompt_path(path) and path.rpartition("/")[2].partition(".")[0].lower() not in PROSE


def _model(environment: Mapping[str, str], lineages: tuple[ProposedLineage, ...]) -> tuple[str, list[str]]:
    """Returns the model that init writes: the prompts' own, else one with a key in the environment, else the offline
    model."""
    named = next((lineage.model for lineage in lineages if lineage.model), None)
    called = {name: spec for name, spec in PROVIDERS.items() if spec.key is not None}
    publisher, _, bare = (named or "").rpartition("/")
    for name, spec in called.items():
        if bare and (publisher == name or bare.startswith(spec.model_prefixes)):
            return "main", [f"provider: {name}", f"model: {bare}"]
    for name, spec in called.items():
        if spec.first_model and environment.get(spec.key or ""):
            parameters = "parameters: {temperature: 0, max_tokens: 1024}"
            return "main", [f"provider: {name}", f"model: {spec.first_model}", parameters]
    others = " or ".join(f"{{provider: {name}, model: {spec.first_model}}}" for name, spec in called.items())
    return "main", [
        "# No key was found, so this is the offline model, a toy that shows how everything works.",
        f"# With a key: {others}",
        "provider: offline",
        "model: offline-small",
        "price: {input: 0.25, output: 1.25}",
    ]


def _workflow(repository: Clone, form: str, action: str, model_lines: list[str]) -> str:
    """Returns the workflow with this repository's default branch and the newest release."""
    name = action_name(action)
    template = files("action").joinpath(TEMPLATES[form]).read_text(encoding="utf-8")
    say = sys.stderr.write
    try:
        branch = repository.default_branch().removeprefix("origin/")
    except UsageError:
        branch = "main"
        say("the default branch is unknown, so the workflow says main (git remote set-head origin --auto finds it)\n")
    proxy, ca_bundle = os.environ.get(PROXY) or None, os.environ.get(CA_BUNDLE) or None
    newest = newest_release(action, proxy=proxy, ca_bundle=ca_bundle)
    if newest is None:
        release = re.findall(r"# (v[\d.]+)", template)[0]
        say(
            log_line(f"no release found at {action}: the workflow names {release}; replace it with a release's commit")
            + "\n"
        )
    else:
        release = f"{newest.commit} # {newest.version}"
    provider = next((line.partition(": ")[2] for line in model_lines if line.startswith("provider: ")), "")
    return workflow_text(template, branch=branch, action=name, release=release, key=keys().get(provider))
