"""``promptverdict doctor`` for the Action alone: whether a repository's rules make its status the gate.

The Action runs when a pull request changes, not when its base does. So a green stays while base's policy or cases get
stricter, unless GitHub wants branches to be up to date or a merge queue measures what is merged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TextIO

from adapters.masking import masked
from bot.operations.doctor.findings import Finding, Level, as_json, as_text, worst
from bot.variables import API_URL, PUBLIC_API
from engine.check_names import NAME
from schemas.errors import PromptVerdictError

if TYPE_CHECKING:
    from adapters.github import GitHubHost

TOKEN = "GITHUB_TOKEN"  # noqa: S105 - the name of a variable
FINE, FOUND = 0, 1


def action_doctor(variables: Mapping[str, str], stream: TextIO, repository: str, *, as_document: bool = False) -> int:
    """Examines the rules of one repository with the token in ``GITHUB_TOKEN``. Returns 1 for a problem, else 0."""
    from adapters.github import GitHubHost

    token = variables[TOKEN]
    host = GitHubHost.with_token(repository, token, api_url=variables.get(API_URL.name) or PUBLIC_API)
    try:
        findings = tuple(_rules(host, repository))
    except PromptVerdictError as error:
        where = error.where or repository
        findings = (_finding(Level.PROBLEM, error.what, where, error.mend or "check the token and the name"),)
    text = as_json(findings) if as_document else as_text(findings)
    stream.write(masked(text, (token,)))
    return FOUND if worst(findings) is Level.PROBLEM else FINE


def _rules(host: GitHubHost, repository: str) -> Iterator[Finding]:
    branch = host.default_branch()
    required = [check for check in host.required_checks(branch) if check.name == NAME]
    where = f"{repository}, branch {branch}: Settings, Rules, Rulesets"
    if not required:
        what = f"{repository} doesn't require the status {NAME}: what it blocks can be merged"
        yield _finding(Level.WARNING, what, where, f"require the status {NAME} in a ruleset of {branch}")
        return
    yield _finding(Level.OK, f"{repository} requires the status {NAME}", where)
    states = [check.up_to_date or check.queued for check in required]
    if any(states):
        yield _finding(Level.OK, "a green is about the present base: branches must be up to date, or are queued", where)
    elif any(check.up_to_date is False for check in required):
        what = "a green stays when the base's policy or cases become stricter: branches need not be up to date"
        mend = "turn on «Require branches to be up to date before merging» there, or use a merge queue"
        yield _finding(Level.PROBLEM, what, where, mend)
    else:
        what = "GitHub doesn't show whether branches must be up to date: this is classic branch protection"
        mend = "see that «Require branches to be up to date before merging» is on, or use a ruleset"
        yield _finding(Level.WARNING, what, f"{repository}, branch {branch}: Settings, Branches", mend)


def _finding(level: Level, what: str, where: str, mend: str | None = None) -> Finding:
    return Finding(area="ruleset", level=level, what=what, where=where, mend=mend)
