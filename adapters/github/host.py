"""The pull-request host: our reads from GitHub and our writes, each of which can be repeated safely."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic import JsonValue

from adapters.github import answers
from adapters.github.answers import Json, an_object, optional, text
from adapters.github.authorship import read_authorship
from adapters.github.calls import Calls, Look, three_bytes
from adapters.github.issues import Issues
from adapters.github.markers import REPEATS, is_marked
from adapters.github.refusals import ACTION, AnswerLost, NotAccepted, TokenHints
from schemas.errors import HostError, NotFound
from schemas.host import (
    Artifact,
    Authorship,
    Comment,
    CommitState,
    CommitStatus,
    HostedPullRequest,
    RequiredCheck,
    Review,
    ReviewState,
    Role,
    Sha,
)

if TYPE_CHECKING:
    from github.Auth import Auth
    from requests import Session

ACTIONS_LOGIN = "github-actions[bot]"
PUBLIC_API = "https://api.github.com"
CAN_WRITE = {"write", "admin"}
"""GitHub's coarse permission levels. It shows maintain as write, and triage as read."""


class GitHubHost(Issues):
    """One repository. Implements ``schemas.ports.PullRequestHost``.

    Our comments are recognized by ``login``. The answer to a write corrects it, for the token of a person or of another
    App.
    """

    def __init__(
        self,
        repository: str,
        auth: Auth,
        *,
        api_url: str = PUBLIC_API,
        login: str = ACTIONS_LOGIN,
        proxy: str | None = None,
        ca_bundle: str | None = None,
        deadline_s: float = 180.0,
        sleep: Callable[[float], None] = time.sleep,
        hints: TokenHints = ACTION,
        renew: Callable[[], None] | None = None,
        session: Session | None = None,
    ) -> None:
        self.repository = repository
        self.login = login
        self._at = f"/repos/{repository}"
        self._calls = Calls(
            auth, api_url=api_url, proxy=proxy, ca_bundle=ca_bundle, deadline_s=deadline_s, sleep=sleep,
            hints=hints, renew=renew, session=session,
        )  # fmt: skip

    @classmethod
    def with_token(
        cls,
        repository: str,
        token: str,
        *,
        api_url: str = PUBLIC_API,
        proxy: str | None = None,
        ca_bundle: str | None = None,
    ) -> GitHubHost:
        """Returns a host for an existing token (of Actions, or of a person)."""
        from github import Auth

        return cls(repository, Auth.Token(token), api_url=api_url, proxy=proxy, ca_bundle=ca_bundle)

    def pull_request(self, number: int) -> HostedPullRequest:
        """Returns the current state of the pull request."""
        return answers.pull_request(an_object(self._calls.get(f"{self._at}/pulls/{number}")))

    def default_branch(self) -> str:
        """Returns the name of the default branch."""
        return text(an_object(self._calls.get(self._at)), "default_branch")

    def commit(self, name: str) -> Sha:
        """Returns the commit of a branch, a tag or an id."""
        return text(an_object(self._calls.get(f"{self._at}/commits/{quote(name, safe='/')}")), "sha")

    def branch(self, name: str) -> Sha:
        """Returns the tip of a branch, never of a tag of the same name. Raises NotFound."""
        answer = an_object(self._calls.get(f"{self._at}/git/ref/heads/{quote(name, safe='/')}"))
        return text(an_object(answer.get("object")), "sha")

    def contains(self, branch: str, sha: Sha) -> bool:
        """Returns whether a commit is on a branch."""
        try:
            answer = an_object(self._calls.get(f"{self._at}/compare/{quote(branch, safe='')}...{sha}", per_page=1))
        except NotFound:
            return False
        return text(answer, "status") in ("identical", "behind")

    def open_pull_requests(self, base: str | None = None) -> tuple[HostedPullRequest, ...]:
        """Returns every open pull request, or those to one branch, newest first."""
        to = {} if base is None else {"base": base}
        rows = self._calls.pages(f"{self._at}/pulls", state="open", **to)
        return tuple(answers.pull_request(an_object(row)) for row in rows)

    def pull_requests_of(self, sha: Sha) -> tuple[HostedPullRequest, ...]:
        """Returns the pull requests with the commit ``sha``, in their newest state, as GitHub lists them."""
        rows = self._calls.pages(f"{self._at}/commits/{sha}/pulls")
        return tuple(answers.pull_request(an_object(row)) for row in rows)

    def reviews(self, number: int) -> tuple[Review, ...]:
        """Returns every review, oldest first."""
        rows = map(an_object, self._calls.pages(f"{self._at}/pulls/{number}/reviews"))
        return tuple(
            Review(
                reviewer=answers.login(row.get("user")),
                state=ReviewState(text(row, "state").lower()),
                commit=optional(row, "commit_id"),
                submitted_at=optional(row, "submitted_at") or "",
                url=optional(row, "html_url") or "",
            )
            for row in rows
        )

    def authorship(self, number: int) -> Authorship:
        """Returns who opened, committed to and pushed to this pull request."""
        return read_authorship(self._calls, self._at, number)

    def may_write(self, login: str) -> bool:
        """Returns whether this person may push now. False for deleted people, and if GitHub doesn't tell."""
        if not login:
            return False
        try:
            answer = self._calls.get(f"{self._at}/collaborators/{quote(login, safe='')}/permission")
        except HostError:
            return False
        return an_object(answer).get("permission") in CAN_WRITE

    def role(self, login: str) -> Role:
        """Returns the current role of this person in the repository. Unknown people have no role.

        Raises HostError if GitHub can't be asked.
        """
        if not login:
            return Role.NONE
        try:
            answer = self._calls.get(f"{self._at}/collaborators/{quote(login, safe='')}/permission")
        except NotFound:
            return Role.NONE
        return answers.role(an_object(answer))

    def set_status(self, sha: Sha, status: CommitStatus) -> None:
        """Makes ``status`` the newest of its context. After a lost answer, it reads before it writes again.

        If GitHub rejects the text or the link, writes the state without them, so that the head doesn't stay pending.
        """
        status = status.model_copy(update={"description": three_bytes(status.description)})
        plain = status.model_copy(update={"description": f"{status.state.value}: see the job"})
        for one in (status, plain):
            try:
                self._set_status(sha, one)
            # GitHub rejects some texts without saying which. A status without text is better than a pending check.
            except NotAccepted:
                continue
            return
        self._set_status(sha, plain.model_copy(update={"target_url": None}))

    def _set_status(self, sha: Sha, status: CommitStatus) -> None:
        body: Json = {"state": status.state.value, "context": status.context, "description": status.description}
        if status.target_url is not None:
            body["target_url"] = status.target_url
        for left in reversed(range(REPEATS)):
            try:
                answer = an_object(self._calls.once("POST", f"{self._at}/statuses/{sha}", body))
            except AnswerLost:
                written = [one for one in self.statuses(sha, status.context) if one.context == status.context]
                # The write had arrived, and only its answer was lost. A second one would be a duplicate.
                if written and written[0].model_copy(update={"created_at": status.created_at}) == status:
                    return
                if not left:
                    raise
            else:
                # Learned from the answer: a token doesn't tell whose it is, and our comments are found by it.
                self.login = answers.login(answer.get("creator")) or self.login
                return

    def statuses(self, sha: Sha, context: str) -> tuple[CommitStatus, ...]:
        """Returns the statuses of one context, and of those with a base added (``context (base)``), newest first."""
        rows = map(an_object, self._calls.pages(f"{self._at}/commits/{sha}/statuses"))
        return tuple(
            CommitStatus(
                context=text(row, "context"),
                state=CommitState(text(row, "state")),
                description=(optional(row, "description") or "")[:140],
                target_url=optional(row, "target_url"),
                created_at=optional(row, "created_at"),
            )
            for row in rows
            if _is_of(row.get("context"), context)
        )

    def find_comment(self, number: int, marker: str) -> Comment | None:
        """Returns our own comment, the oldest of several. Reads every page. A marker in another author's comment
        doesn't count."""
        return next(iter(self._ours(number, marker)), None)

    def _ours(self, number: int, marker: str) -> list[Comment]:
        rows = map(an_object, self._calls.pages(f"{self._at}/issues/{number}/comments"))
        return [
            answers.comment(r)
            for r in rows
            if answers.login(r.get("user")) == self.login and is_marked(r.get("body"), marker)
        ]

    def write_comment(
        self, number: int, body: str, marker: str, known: Comment | None, look: Look | None = None
    ) -> Comment:
        """Updates ``known`` if it still exists, else creates a comment. Creates only one, even if answers get lost.

        ``look`` is called right before each attempt to write. Its exceptions end the writing.
        """
        # Without its marker, the next run wouldn't find the comment and would write another.
        if not is_marked(body, marker):
            raise ValueError("our comments start with their marker")
        if known is not None:
            try:
                return self._update(known, body, look)
            except NotFound:
                pass  # it was deleted meanwhile, so create it again
        for left in reversed(range(REPEATS)):
            try:
                answer = an_object(
                    self._calls.once("POST", f"{self._at}/issues/{number}/comments", {"body": body}, look=look)
                )
            except AnswerLost:
                written = self.find_comment(number, marker)
                if written is not None:
                    return self._update(written, body, look)
                if not left:
                    raise
            else:
                self.login = answers.login(answer.get("user")) or self.login
                return self._only(number, body, marker, answers.comment(answer))
        raise AssertionError("unreachable: the last try returns or raises")

    def comment(self, number: int, body: str, marker: str) -> Comment:
        """Returns our comment with this marker, and creates it if there is none. An existing one is not changed.

        The marker names what is answered, so that each question is answered once.
        """
        return self.find_comment(number, marker) or self.write_comment(number, body, marker, None)

    def react(self, comment_id: int, content: str) -> None:
        """Adds a reaction such as ``eyes`` to a comment. Idempotent."""
        self._calls.put("POST", f"{self._at}/issues/comments/{comment_id}/reactions", {"content": content})

    def _only(self, number: int, body: str, marker: str, made: Comment) -> Comment:
        """Returns the oldest comment, with ``body``, if another run of ours created one at the same moment. Deletes the
        others."""
        try:
            every = {comment.id: comment for comment in (*self._ours(number, marker), made)}
            oldest, *younger = sorted(every)
            for one in younger:
                self._calls.delete(f"{self._at}/issues/comments/{one}")
        except HostError:  # ours stays, or the other run was faster; the next write finds the result
            return made
        return made if oldest == made.id else self._update(every[oldest], body)

    def _update(self, comment: Comment, body: str, look: Look | None = None) -> Comment:
        path = f"{self._at}/issues/comments/{comment.id}"
        return answers.comment(an_object(self._calls.put("PATCH", path, {"body": body}, look=look)))

    def required_checks(self, branch: str) -> tuple[RequiredCheck, ...]:
        """Returns the checks that the branch requires, by rulesets and by classic protection."""
        where = quote(branch, safe="")
        found: list[RequiredCheck] = []
        rules = [an_object(rule) for rule in self._calls.pages(f"{self._at}/rules/branches/{where}")]
        queued = any(rule.get("type") == "merge_queue" for rule in rules)
        for rule in rules:
            if rule.get("type") == "required_status_checks":
                parameters = an_object(rule.get("parameters"))
                strict = parameters.get("strict_required_status_checks_policy") is True
                found += [
                    check.model_copy(update={"up_to_date": strict, "queued": queued})
                    for check in _required(parameters.get("required_status_checks"), "integration_id")
                ]
        try:
            # Readable without administration rights, unlike the endpoint of the protection itself.
            shown = an_object(self._calls.get(f"{self._at}/branches/{where}"))
        except NotFound:
            return tuple(found)
        protection = shown.get("protection")
        classic = protection.get("required_status_checks") if isinstance(protection, dict) else None
        return (*found, *_required(classic.get("checks") if isinstance(classic, dict) else None, "app_id"))

    def artifacts(self, name: str) -> tuple[Artifact, ...]:
        """Returns unexpired artifacts of this name, newest first; one page."""
        answer = an_object(self._calls.get(f"{self._at}/actions/artifacts", name=name, per_page=100))
        rows = answer.get("artifacts")
        found = [answers.artifact(an_object(row)) for row in (rows if isinstance(rows, list) else [])]
        return tuple(sorted((a for a in found if a is not None), key=lambda a: (a.created_at, a.id), reverse=True))

    def download(self, artifact: Artifact, *, max_bytes: int) -> bytes:
        """Returns the artifact's zip archive. Follows GitHub's redirect without our token."""
        url = self._calls.location(f"{self._at}/actions/artifacts/{artifact.id}/zip")
        return self._calls.fetch(url, max_bytes=max_bytes)


def _is_of(found: JsonValue, context: str) -> bool:
    return isinstance(found, str) and (found == context or found.startswith(f"{context} ("))


def _required(rows: object, owner: str) -> list[RequiredCheck]:
    found = []
    for row in map(an_object, rows if isinstance(rows, list) else []):
        name, app = optional(row, "context"), row.get(owner)
        if name is not None:
            found.append(RequiredCheck(name=name, app_id=app if isinstance(app, int) and app > 0 else None))
    return found
