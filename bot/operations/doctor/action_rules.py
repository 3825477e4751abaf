"""``promptverdict doctor`` for the Action alone: whether a repository's rules make its status the gate.

The Action runs when a pull request changes, not when its base changes. So a success stays while the base's policy or
cases become stricter, unless GitHub requires branches to be up to date or a merge queue measures each merge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TextIO

from adapters.masking import masked
from bot.operations.doctor.report import Area, DoctorFinding, Level, Spot, as_json, as_text, worst
from bot.variables import API_URL, PUBLIC_API
from engine.publishing.check_names import NAME
from schemas.errors import PromptVerdictError

if TYPE_CHECKING:
    from adapters.github.host import GitHubHost

TOKEN = "GITHUB_TOKEN"  # noqa: S105 - the name of a variable
FINE, FOUND = 0, 1
"""Exit codes: no problem; at least one."""


def action_doctor(variables: Mapping[str, str], stream: TextIO, repository: str, *, as_document: bool = False) -> int:
    """Examines the rules of one repository with the token in ``GITHUB_TOKEN``. Returns 1 for a problem, else 0."""
    from adapters.github.host import GitHubHost

    token = variables[TOKEN]
    host = GitHubHost.with_token(repository, token, api_url=variables.get(API_URL.name) or PUBLIC_API)
    try:
        findings = tuple(_rules(host, repository))
    except PromptVerdictError as error:
        spot = Spot(Area.RULESET, error.where or repository)
        findings = (spot.problem(error.what, error.hint or "check the token and the name"),)
    text = as_json(findings) if as_document else as_text(findings)
    stream.write(masked(text, (token,)))
    return FOUND if worst(findings) is Level.PROBLEM else FINE


def _rules(host: GitHubHost, repository: str) -> Iterator[DoctorFinding]:
    branch = host.default_branch()
    required = [check for check in host.required_checks(branch) if check.name == NAME]
    spot = Spot(Area.RULESET, f"{repository}, branch {branch}: Settings, Rules, Rulesets")
    if not required:
        yield spot.warning(
            f"{repository} doesn't require the status {NAME}: blocked pull requests can be merged",
            f"require the status {NAME} in a ruleset of {branch}",
        )
        return
    yield spot.ok(f"{repository} requires the status {NAME}")
    if any(check.up_to_date or check.queued for check in required):
        yield spot.ok("a success is always for the present base: branches must be up to date or use the merge queue")
    elif any(check.up_to_date is False for check in required):
        yield spot.problem(
            "a success stays when the base's policy or cases become stricter: branches need not be up to date",
            "turn on “Require branches to be up to date before merging” there, or use a merge queue",
        )
    else:
        yield Spot(Area.RULESET, f"{repository}, branch {branch}: Settings, Branches").warning(
            "GitHub doesn't show whether branches must be up to date: this is classic branch protection",
            "check that “Require branches to be up to date before merging” is on, or use a ruleset",
        )
