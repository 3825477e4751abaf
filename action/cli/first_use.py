"""``promptverdict score`` in a repository without a configuration: uses what ``init`` would propose, in memory."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from action.cli.local import CONFIG, local_pull_request, open_repository
from schemas.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from action.cli.check import CheckOptions
    from engine.commands.init_pairing import ProposedLineage
    from schemas.config import Config

LISTED = 20
"""Most prompts that are listed to choose from."""
NEXT = f"next: run promptverdict init to write {CONFIG} and the workflow that checks every pull request\n"


def proposed_config(options: CheckOptions) -> Config | None:
    """Returns the configuration that ``init`` would write for the head, or ``None`` if it has one.

    Raises UsageError where no prompt has test cases, and where several have some and ``options`` names none.
    """
    repository = open_repository(options.repo)
    head = local_pull_request(repository, base=options.base, head=options.head, worktree=options.worktree)
    if repository.find(head.head_sha, [f"**/{CONFIG}"]):
        return None
    if not options.worktree and not repository.is_bare and (repository.worktree_root() / CONFIG).exists():
        raise UsageError(f"{CONFIG} is not committed", hint="commit it, or score your working copy with --worktree")
    _say(f"no {CONFIG} in {head.head_ref}: searching for prompts with test cases, as init does, without writing a file")
    from action.cli.proposal import proposal_for
    from engine.commands.init_config import configuration_text
    from engine.commands.init_models import chosen_models
    from engine.readers.config import read_config

    found = proposal_for(repository, head.head_sha)
    scored = [lineage for lineage in found.lineages if lineage.gates]
    if not scored:
        for line in found.lines():
            _say(line)
        raise UsageError(
            "found no prompt with test cases that can be scored",
            hint="promptverdict init writes a test set to fill in; --worktree also finds uncommitted files",
        )
    if len(scored) > 1 and not options.lineages:
        for line in _listed(scored):
            _say(line)
        raise UsageError(f"{len(scored)} prompts have test cases", hint="choose with --lineage NAME (may be repeated)")
    models, lineages = chosen_models(scored, os.environ, keyed=True)
    config = read_config(CONFIG, configuration_text(lineages, models).encode())
    for each in lineages:
        if not options.lineages or each.name in options.lineages:
            _say(_described(each))
            _say(f"  {_answering(each, config)}")
    return config


def _listed(lineages: Sequence[ProposedLineage]) -> Iterator[str]:
    yield from map(_described, lineages[:LISTED])
    if len(lineages) > LISTED:
        yield f"  and {len(lineages) - LISTED} more"


def _described(lineage: ProposedLineage) -> str:
    return f"  {lineage.name}: {lineage.prompt} with {lineage.tests or 'its own testData'} ({lineage.why})"


def _answering(lineage: ProposedLineage, config: Config) -> str:
    """Returns which model answers, and why it isn't the one that the prompt names."""
    from schemas.providers import keys

    if lineage.says_model and not lineage.runs_on:
        return f"answered by {lineage.model}"
    model = config.models[lineage.runs_on or next(iter(config.models))]
    instead = f" instead of {lineage.model}, for which no key is set" if lineage.model and lineage.runs_on else ""
    known = " or ".join(keys().values())
    toy = "" if model.spec.key else f", a free toy model with made-up prices; set {known} for a real model"
    return f"answered by {model.model}{instead}{toy}"


def _say(line: str) -> None:
    from engine.render.encode import log_line

    sys.stderr.write(log_line(line) + "\n")
    sys.stderr.flush()
