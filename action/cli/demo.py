"""``promptverdict demo``."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from action.cli.check import CheckOptions, evaluate, rendered, write
from action.cli.streams import put
from action.exits import Exit
from demo.staging import StagedPullRequest, stage
from engine.render.signs import VERDICT_WORDS
from schemas.errors import UsageError
from schemas.scorecard import Scorecard


def demo(output: Path | None, *, color: bool | None) -> Exit:
    """Stages the example pull requests in a real repository and gives each its verdict.

    Writes the repository and the scorecards to ``output``, by default a new folder. Exits with 1 if a pull request
    does not get the expected verdict. Raises UsageError if ``output`` isn't empty.
    """
    folder = output or Path(tempfile.mkdtemp(prefix="promptverdict-demo-"))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"the folder {folder} is not empty", hint="choose a new one with --output")
    say = put
    say("No API key, no network. The model of this demo is a small deterministic toy; the rest is real.\n")
    proposals = stage(folder / "repository")
    say(f"A git repository with {len(proposals)} pull requests is in {folder / 'repository'}\n")
    rows = []
    for number, proposal in enumerate(proposals, 1):
        say(f"\n{'━' * 100}\n#{number} {proposal.title}  ({proposal.branch})\n{_wrapped(proposal.story)}\n\n")
        card, records = evaluate(_options(folder, proposal))
        write(card, records, folder / proposal.name)
        say(rendered(card, "terminal", color=color))
        rows.append((proposal, card))
    say(f"\n{'━' * 100}\n")
    for proposal, card in rows:
        mark = "(expected)" if _as_expected(proposal, card) else f"EXPECTED {proposal.expect}"
        say(f"{VERDICT_WORDS[card.status]:<15} {proposal.title:<52} {mark}\n")
    say(f"\nscorecard.md, scorecard.json and report.html of each are in {folder}\n")
    say(f"try it yourself: {_program()} check --repo {folder / 'repository'} --head {proposals[0].branch}\n")
    return Exit.PASS if all(_as_expected(proposal, card) for proposal, card in rows) else Exit.BLOCKED


def _options(folder: Path, proposal: StagedPullRequest) -> CheckOptions:
    return CheckOptions(
        repo=folder / "repository",
        base=None,
        head=proposal.branch,
        lineages=(),
        worktree=False,
        format="terminal",
        budget_usd=None,
        yes=True,
        store=str(folder / "outcomes.sqlite"),
    )


def _as_expected(proposal: StagedPullRequest, card: Scorecard) -> bool:
    """Returns whether the verdict has the expected reason: a block must come from the actual mistake."""
    reasons = [*card.reasons, *(reason for lineage in card.lineages for reason in lineage.reasons)]
    return card.status is proposal.expect and any(
        reason.code is proposal.because and (proposal.slice is None or reason.slice == proposal.slice)
        for reason in reasons
    )


def _program() -> str:
    """Returns the command of this program: a checkout has no ``promptverdict`` on the PATH."""
    if shutil.which("promptverdict"):
        return "promptverdict"
    python = Path(sys.executable)
    return f"{python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python} -m action"


def _wrapped(text: str) -> str:
    import textwrap

    return textwrap.fill(text, min(100, shutil.get_terminal_size((100, 24)).columns))
