"""Check runs with annotations and buttons, which only a GitHub App can create."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from adapters.github import answers
from adapters.github.answers import Json, an_object
from adapters.github.calls import Look, three_bytes
from adapters.github.deployments import Deployments
from adapters.github.host import PUBLIC_API, GitHubHost
from adapters.github.markers import REPEATS
from adapters.github.refusals import APP, AnswerLost, NotAccepted
from schemas.host import Annotation, CheckRun, HostedCheck, Sha

if TYPE_CHECKING:
    from github.Auth import Auth
    from requests import Session

T = TypeVar("T")
ANNOTATIONS_A_REQUEST = 50
LEVELS = {"error": "failure", "warning": "warning"}


class AppHost(Deployments, GitHubHost):
    """One repository, as an App's installation sees it. ``app_id``: the App whose checks are ours."""

    def __init__(
        self,
        repository: str,
        auth: Auth,
        *,
        app_id: int,
        login: str,
        api_url: str = PUBLIC_API,
        proxy: str | None = None,
        ca_bundle: str | None = None,
        deadline_s: float = 180.0,
        sleep: Callable[[float], None] = time.sleep,
        renew: Callable[[], None] | None = None,
        session: Session | None = None,
    ) -> None:
        super().__init__(
            repository, auth, api_url=api_url, login=login, proxy=proxy, ca_bundle=ca_bundle, deadline_s=deadline_s,
            sleep=sleep, hints=APP, renew=renew, session=session,
        )  # fmt: skip
        self._app_id = app_id

    def checks(self, sha: Sha, name: str | None = None) -> tuple[HostedCheck, ...]:
        """Returns our check runs on the commit, newest first, superseded ones too. ``name`` selects one name."""
        named = {} if name is None else {"check_name": name}
        rows = self._calls.pages(
            f"{self._at}/commits/{sha}/check-runs", "check_runs", app_id=self._app_id, filter="all", **named
        )
        found = [answers.check(an_object(row)) for row in rows]
        ours = (check for check in found if check.app_id in (self._app_id, None) and name in (None, check.name))
        # By id: ids grow, and times are the same for checks made within one second.
        return tuple(sorted(ours, key=lambda check: check.id, reverse=True))

    def create_check(self, run: CheckRun, look: Look | None = None) -> int:
        """Creates or updates the check run with ``run.external_id``, and returns its id.

        Creates only one, even if answers get lost or a worker dies. ``look`` as for ``update_check``.
        """
        return _accepted(run, lambda one: self._create_check(one, look))

    def _create_check(self, run: CheckRun, look: Look | None) -> int:
        first = run.annotations[:ANNOTATIONS_A_REQUEST]
        body = {**_body(run, first), "name": run.name, "head_sha": run.head_sha, "external_id": run.external_id}
        for left in reversed(range(REPEATS)):
            # Read before each try: an earlier one may have succeeded although its answer was lost.
            there = self.checks(run.head_sha)
            known = next((check for check in there if check.external_id == run.external_id), None)
            if known is not None:
                self._update_check(known.id, run, look)
                return known.id
            try:
                made = answers.check(an_object(self._calls.once("POST", f"{self._at}/check-runs", body, look=look)))
            except AnswerLost:
                if not left:
                    raise
            else:
                self._annotate(made.id, run, made.annotations)
                return made.id
        raise AssertionError("unreachable: the last try returns or raises")

    def update_check(self, number: int, run: CheckRun, look: Look | None = None) -> None:
        """Updates the check run to ``run``. Idempotent. Raises NotFound if the check run is gone.

        Calls ``look`` right before each attempt to write; an exception of it ends the update. If GitHub rejects the
        text, writes the conclusion without it, so that the head doesn't stay in progress.
        """
        _accepted(run, lambda one: self._update_check(number, one, look))

    def _update_check(self, number: int, run: CheckRun, look: Look | None) -> None:
        # Without annotations: GitHub appends them, so those that are there must be counted first.
        answer = self._calls.put("PATCH", f"{self._at}/check-runs/{number}", _body(run, ()), look=look)
        self._annotate(number, run, answers.check(an_object(answer)).annotations)

    def _annotate(self, number: int, run: CheckRun, sent: int) -> None:
        """Adds the missing annotations, fifty at a time. GitHub appends, so a lost answer makes it count them again."""
        path = f"{self._at}/check-runs/{number}"
        lost = 0
        while part := run.annotations[sent : sent + ANNOTATIONS_A_REQUEST]:
            try:
                answer = self._calls.once("PATCH", path, {"output": _output(run, part)})
            except AnswerLost:
                lost += 1
                if lost >= REPEATS:
                    raise
                answer = self._calls.get(path)
            sent = answers.check(an_object(answer)).annotations


def _accepted(run: CheckRun, write: Callable[[CheckRun], T]) -> T:
    """Writes ``run``. If GitHub rejects it, tries again without annotations, then without text."""
    short, why = run.model_copy(update={"annotations": ()}), ""
    # GitHub rejects a whole check for one bad annotation and doesn't say which one.
    for one in (run, short) if run.annotations else (run,):
        try:
            return write(one)
        except NotAccepted as refused:
            why = refused.what
    state = "under way" if run.conclusion is None else run.conclusion.value
    summary = f"GitHub did not take the report ({why.encode('ascii', 'replace').decode()})."
    return write(short.model_copy(update={"title": state, "summary": summary, "text": ""}))


def _body(run: CheckRun, annotations: tuple[Annotation, ...]) -> Json:
    """The fields that creating and updating share. A conclusion makes GitHub set the state to completed."""
    body: Json = {
        "status": "in_progress" if run.conclusion is None else "completed",
        "output": _output(run, annotations),
        "actions": [
            {"label": one.label, "description": one.description, "identifier": one.identifier} for one in run.actions
        ],
    }
    if run.conclusion is not None:
        body["conclusion"] = run.conclusion.value
    if run.details_url is not None:
        body["details_url"] = run.details_url
    return body


def _output(run: CheckRun, annotations: tuple[Annotation, ...]) -> Json:
    output: Json = {"title": three_bytes(run.title), "summary": run.summary, "text": run.text}
    if annotations:
        output["annotations"] = [
            {
                "path": one.path,
                "start_line": one.start_line,
                "end_line": one.end_line,
                "annotation_level": LEVELS[one.level],
                "title": one.title,
                "message": one.message,
            }
            for one in annotations
        ]
    return output
