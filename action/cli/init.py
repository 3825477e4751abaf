"""``promptverdict init``."""

from __future__ import annotations

import os
import re
import sys
from importlib.resources import files
from typing import TYPE_CHECKING

from action.cli.local import CONFIG, open_repository
from action.cli.proposal import proposal_for
from action.cli.streams import put
from action.exits import Exit
from adapters.providers.open_provider import CA_BUNDLE, PROXY
from adapters.releases import newest_release
from engine.commands.init_config import configuration_text, drafts_of
from engine.commands.init_models import chosen_models
from engine.commands.init_starter import starter_path, starter_text
from engine.commands.init_workflow import action_name, workflow_text
from engine.readers.config import read_config
from engine.render.encode import log_line
from schemas.errors import UsageError
from schemas.providers import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from adapters.git.clone import Clone
    from engine.commands.init_pairing import ProposedLineage
    from engine.commands.init_search import FoundPrompt

WORKFLOW = ".github/workflows/prompt-verdict.yml"
TEMPLATES = {
    "short": "workflow.yml",
    "long": "workflow_long.yml",
    "enterprise": "workflow_enterprise.yml",
}
NOTHING_GATED = f"nothing is gated yet: complete a draft in {CONFIG}, or add a lineage; then "


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
    found = proposal_for(repository, repository.worktree_snapshot())
    models, lineages = chosen_models(found.lineages, os.environ)
    lineages, starters = _starters(lineages, found.prompts, root)
    text = configuration_text(lineages, models)
    read_config(CONFIG, text.encode())
    say = sys.stderr.write
    workflow = new_workflow(repository, form, action, map(provider_of, models.values()))
    say("".join(log_line(line) + "\n" for line in found.lines()))
    written = {targets[0]: text, **starters, targets[1]: workflow}
    for target, content in written.items():
        relative = target.relative_to(root)
        if dry_run:
            put(f"# --- {relative}\n{content}")
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
            say(f"wrote {relative}\n")
    named = dict.fromkeys(map(provider_of, models.values()))
    missing = [key for provider in named if (key := keys().get(provider)) and not os.environ.get(key)]
    if missing:
        say(f"the models need {' and '.join(missing)}: in your environment, and as a secret of the repository\n")
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
