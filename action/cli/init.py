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
from engine.commands.init_config import configuration_text, drafts_of
from engine.commands.init_models import chosen_models
from engine.commands.init_pairing import ProposedLineage, propose
from engine.commands.init_search import FoundPrompt, Search, candidates
from engine.commands.init_starter import starter_path, starter_text
from engine.commands.init_workflow import action_name, workflow_text
from engine.readers.config import read_config
from engine.readers.testsets import read_test_set
from engine.render.encode import log_line
from schemas.errors import UsageError
from schemas.providers import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from adapters.git.clone import Clone

CONFIG = "promptverdict.yaml"
WORKFLOW = ".github/workflows/prompt-verdict.yml"
TEMPLATES = {
    "short": "workflow.yml",
    "long": "workflow_long.yml",
    "enterprise": "workflow_enterprise.yml",
}
PROMPTFOO_HINT = "promptfoo: promptverdict import promptfoo takes its prompts, models and tests over"
NOTHING_GATED = f"nothing is gated yet: complete a draft in {CONFIG}, or add a lineage; then "
LISTED = 20
"""Most lines about lineages, and about reasons."""
EXAMPLES = 3
"""Most places that are named for one reason."""


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
    found, left, prompts = _lineages(repository)
    models, lineages = chosen_models(found, os.environ)
    lineages, starters = _starters(lineages, prompts, root)
    text = configuration_text(lineages, models)
    read_config(CONFIG, text.encode())
    say = sys.stderr.write
    workflow = new_workflow(repository, form, action, map(provider_of, models.values()))
    say("".join(log_line(line) + "\n" for line in _found(lineages, left)))
    written = {targets[0]: text, **starters, targets[1]: workflow}
    for target, content in written.items():
        relative = target.relative_to(root)
        if dry_run:
            put(f"# --- {relative}\n{content}")
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
            say(f"wrote {relative}\n")
    if dry_run:
        say("next: run promptverdict init without --dry-run to write these files\n")
    else:
        first = "" if any(lineage.gates for lineage in lineages) else NOTHING_GATED
        say(
            f"next: {first}run promptverdict tests lint, commit the files and merge them. When a prompt changes, "
            "promptverdict plan shows the cost (it spends nothing), and promptverdict check gives the verdict\n"
        )
    return Exit.PASS


def _starters(
    lineages: Sequence[ProposedLineage], prompts: Mapping[str, FoundPrompt], root: Path
) -> tuple[tuple[ProposedLineage, ...], dict[Path, str]]:
    """Returns the lineages with the starter test sets of the drafts without cases, and their contents by path."""
    texts: dict[Path, str] = {}
    named = {}
    for lineage in drafts_of(lineages):
        target = root / starter_path(lineage.name)
        if not lineage.cases and not target.exists():
            named[lineage.name] = lineage.model_copy(update={"starter": str(target.relative_to(root))})
            texts[target] = starter_text(prompts[str(lineage.prompt)].prompt, lineage.inputs)
    return tuple(named.get(lineage.name, lineage) for lineage in lineages), texts


def _lineages(
    repository: Clone,
) -> tuple[tuple[ProposedLineage, ...], list[tuple[str, str]], dict[str, FoundPrompt]]:
    """Returns the proposed lineages, what else was found (the reason why it wasn't taken, and its place), and the
    prompts by how a configuration names them."""
    commit = repository.worktree_snapshot()
    entries = repository.entries(commit)
    named = candidates(path for path, entry in entries.items() if entry.mode.startswith("100"))
    sizes = {path: entry.size for path, entry in repository.lookup(commit, named.paths).items()}
    chosen = named.within(sizes)
    contents = repository.read([entries[path].blob for path in chosen.paths])
    blobs = {path: contents[entries[path].blob] for path in chosen.paths}
    search = Search(chosen, blobs)
    lineages = propose(search.prompts, search.tests, lambda path, columns: read_test_set(path, blobs[path], columns))
    left = [(f"not read: {why}", place) for why, place in search.left]
    paired = {lineage.tests for lineage in lineages if lineage.gates}
    left += [(PROMPTFOO_HINT, path) for path in search.promptfoo if path not in paired]
    left += [("not searched: too many files or too large", "")] * chosen.left
    return lineages, left, {str(each.written): each for each in search.prompts}


def _found(lineages: Sequence[ProposedLineage], left: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yields a line for each lineage that gates, and one for each reason why something else doesn't."""
    gating = [lineage for lineage in lineages if lineage.gates]
    for lineage in gating[:LISTED]:
        yield f"gated: {lineage.prompt} -> {lineage.use_case}, {lineage.tests or 'its own testData'} ({lineage.why})"
    if len(gating) > LISTED:
        yield f"gated: {len(gating) - LISTED} more, which the configuration lists"
    if not lineages:
        yield "found no prompt; add yours under lineages: by hand"
    reasons = _grouped(lineages, left)
    for why, places in list(reasons.items())[:LISTED]:
        named = [place for place in places[:EXAMPLES] if place]
        more = [f"{len(places) - len(named)} more"] if len(places) > len(named) else []
        yield f"not gated: {', '.join(named + more)} ({why})"
    if len(reasons) > LISTED:
        yield f"not gated: {sum(map(len, list(reasons.values())[LISTED:]))} more, for other reasons"


def _grouped(lineages: Sequence[ProposedLineage], left: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Returns the places of everything that isn't gated, by the reason."""
    reasons: dict[str, list[str]] = {}
    for lineage in lineages:
        if not lineage.gates:
            why = f"nothing scores its answers yet; its cases are in {lineage.tests or 'its testData'}"
            reasons.setdefault(why if lineage.cases else lineage.why, []).append(str(lineage.prompt))
    for why, place in left:
        reasons.setdefault(why, []).append(place)
    return reasons


def new_workflow(repository: Clone, form: str, action: str, providers: Iterable[str]) -> str:
    """Returns the workflow with this repository's default branch, the newest release and the providers' keys."""
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
    known = keys()
    needed = [known[provider] for provider in dict.fromkeys(providers) if provider in known]
    return workflow_text(template, branch=branch, action=name, release=release, keys=needed)


def provider_of(model_lines: Sequence[str]) -> str:
    """Returns the provider that the lines of a model name, or an empty text."""
    return next((line.partition(": ")[2] for line in model_lines if line.startswith("provider: ")), "")
