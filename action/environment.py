"""The environment variables of the runner and the operator, read once and then passed on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from schemas.errors import UsageError
from schemas.values import Value

FOLDER = "prompt-verdict"
"""Our folder below the home: reports and the outcome store."""
RUNNER_HOME = "_github_home"
"""The runner's folder for a container's home, below its folder for temporary files."""
NOT_SECRET = {"1", "0", "true", "false", "yes", "no"}
SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")


class Environment(Value):
    """One run of the Action."""

    repository: str
    event_name: str
    event_path: str
    api_url: str
    server_url: str
    token: str
    run_url: str
    rerun_url: str | None
    """The page with the button that dispatches the workflow."""
    output_path: str | None
    summary_path: str | None
    home: str
    host_home: str
    """The home as later steps see it, outside the container."""
    status: bool
    annotations: bool
    summary: bool
    proxy: str | None
    ca_bundle: str | None

    @property
    def folder(self) -> PurePosixPath:
        """The folder of reports and of the outcome store."""
        return PurePosixPath(self.home, FOLDER)

    @property
    def repository_url(self) -> str:
        """The repository's page."""
        return f"{self.server_url}/{self.repository}"

    @property
    def store(self) -> str:
        """The outcome store's file. The cache steps of the sample workflow name the same path."""
        return str(self.folder / "outcomes.sqlite3")

    def seen_by_runner(self, path: str) -> str:
        """Returns ``path`` in our home as later steps can open it."""
        return str(PurePosixPath(self.host_home) / PurePosixPath(path).relative_to(self.home))


def read_environment(variables: Mapping[str, str]) -> Environment:
    """Reads the environment. Raises UsageError outside a runner and for a wrong input."""
    token = variables.get("INPUT_GITHUB-TOKEN") or ""
    if not token:
        raise UsageError("there is no token", where="github-token", hint="remove the input; it has a default")
    repository = _needed(variables, "GITHUB_REPOSITORY")
    server = variables.get("GITHUB_SERVER_URL") or "https://github.com"
    home = variables.get("HOME") or "/github/home"
    temporary = variables.get("RUNNER_TEMP")
    in_container = home == "/github/home" and temporary is not None
    workflow = variables.get("GITHUB_WORKFLOW_REF", "").partition("@")[0].rpartition("/")[2]
    return Environment(
        repository=repository,
        event_name=_needed(variables, "GITHUB_EVENT_NAME"),
        event_path=_needed(variables, "GITHUB_EVENT_PATH"),
        api_url=variables.get("GITHUB_API_URL") or "https://api.github.com",
        server_url=server,
        token=token,
        run_url=f"{server}/{repository}/actions/runs/{variables.get('GITHUB_RUN_ID', '')}",
        rerun_url=f"{server}/{repository}/actions/workflows/{workflow}" if workflow else None,
        output_path=variables.get("GITHUB_OUTPUT") or None,
        summary_path=variables.get("GITHUB_STEP_SUMMARY") or None,
        home=home,
        host_home=f"{temporary}/{RUNNER_HOME}" if in_container else home,
        status=_switch(variables, "status"),
        annotations=_switch(variables, "annotations"),
        summary=_switch(variables, "summary"),
        proxy=variables.get("PROMPTVERDICT_PROXY") or None,
        ca_bundle=variables.get("PROMPTVERDICT_CA_BUNDLE") or None,
    )


def secrets(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Returns every value that must never be shown, by the variable's name: a key, token, secret or password."""
    return tuple(
        dict.fromkeys(
            value
            for name, value in variables.items()
            if any(word in name.upper() for word in SECRET_NAMES)
            and len(value) >= 4
            and value.lower() not in NOT_SECRET
        )
    )


def _needed(variables: Mapping[str, str], name: str) -> str:
    value = variables.get(name)
    if not value:
        raise UsageError(
            f"{name} is not set", hint="run the Action in GitHub Actions; use promptverdict check elsewhere"
        )
    return value


def _switch(variables: Mapping[str, str], name: str) -> bool:
    value = (variables.get(f"INPUT_{name.upper()}") or "true").strip().lower()
    if value not in {"true", "false"}:
        raise UsageError(f"{value!r} must be true or false", where=name, hint=f"{name}: true")
    return value == "true"
