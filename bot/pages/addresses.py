"""The addresses of pages. Repositories, runs and prompts are named by numbers, so renames break no link."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

HOME = "/"


def organization(owner: str) -> str:
    """Returns the home of an organization."""
    return f"/organizations/{owner}"


def repository(repository_id: int) -> str:
    """Returns a repository's prompts and runs."""
    return f"/repositories/{repository_id}"


def run(repository_id: int, sequence: int) -> str:
    """Returns a run."""
    return f"{repository(repository_id)}/runs/{sequence}"


def experiment(repository_id: int, sequence: int, experiment_id: int) -> str:
    """Returns one prompt on one model in a run."""
    return f"{run(repository_id, sequence)}/experiments/{experiment_id}"


def case(repository_id: int, sequence: int, experiment_id: int, position: int) -> str:
    """Returns one case."""
    return f"{experiment(repository_id, sequence, experiment_id)}/cases/{position}"


def lineage(repository_id: int, lineage_id: int) -> str:
    """Returns the history of a prompt."""
    return f"{repository(repository_id)}/lineages/{lineage_id}"


def suggestion(repository_id: int, suggestion_id: int) -> str:
    """Returns a suggested edit."""
    return f"{repository(repository_id)}/suggestions/{suggestion_id}"


def alerts(repository_id: int) -> str:
    """Returns the page of a repository's alerts."""
    return f"{repository(repository_id)}/alerts"


def production(repository_id: int) -> str:
    """Returns the page of a repository's prompts in production."""
    return f"{repository(repository_id)}/production"


def with_query(address: str, query: Mapping[str, str | int | None], anchor: str = "") -> str:
    """Returns the address with those parameters that have a value."""
    given = {name: value for name, value in query.items() if value is not None}
    return address + (f"?{urlencode(given)}" if given else "") + (f"#{anchor}" if anchor else "")
