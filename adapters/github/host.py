"""The pull-request host: what we ask of GitHub and what we write there, each write safe to repeat."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic import JsonValue

from adapters.github.calls import AnswerLost, Calls
from schemas.errors import HostError, NotFound
from schemas.host import Artifact, Comment, CommitState, CommitStatus, HostedPullRequest, Review, ReviewState, Sha

if TYPE_CHECKING:
    from github.Auth import Auth

ACTIONS_LOGIN = "github-actions[bot]"
PUBLIC_API = "https://api.github.com"
REPEATS = 3
CAN_WRITE = {"write", "admin"}
"""GitHub's coarse levels; maintain is shown as write, triage as read."""

Json = dict[str, JsonValue]


class GitHubHost:
    """One repository. Implements ``schemas.ports.PullRequestHost``.

    ``login`` is who we are there: our comments are recognised by it. An answer to a write corrects it (a token of a
    person or of another App).
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
    ) -> None:
        self.repository = repository
        self.login = login
        self._at = f"/repos/{repository}"
        self._calls = Calls(auth, api_url=api_url, proxy=proxy, ca_bundle=ca_bundle, deadline_s=deadline_s, sleep=sleep)

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
        """A host for a ready token (the Actions token, or a person's)."""
        from github import Auth

        return cls(repository, Auth.Token(token), api_url=api_url, proxy=proxy, ca_bundle=ca_bundle)

    def pull_request(self, number: int) -> HostedPullRequest:
        """The pull request as it is now."""
        return _pull(_object(self._calls.get(f"{self._at}/pulls/{number}")))

    def commit(self, name: str) -> Sha:
        """The commit that a branch, a tag or an id names."""
        return _text(_object(self._calls.get(f"{self._at}/commits/{quote(name, safe='/')}")), "sha")

    def pull_requests_of(self, sha: Sha) -> tuple[HostedPullRequest, ...]:
        """Pull requests that have ``sha`` as a commit, newest state, as GitHub lists them."""
        rows = self._calls.pages(f"{self._at}/commits/{sha}/pulls")
        return tuple(_pull(_object(row)) for row in rows)

    def reviews(self, number: int) -> tuple[Review, ...]:
        """Every review, oldest first."""
        rows = map(_object, self._calls.pages(f"{self._at}/pulls/{number}/reviews"))
        return tuple(
            Review(
                reviewer=_login(row.get("user")),
                state=ReviewState(_text(row, "state").lower()),
                commit=_optional(row, "commit_id"),
                submitted_at=_optional(row, "submitted_at") or "",
                url=_optional(row, "html_url") or "",
            )
            for row in rows
        )

    def may_write(self, login: str) -> bool:
        """Whether this person may push, now. Deleted people and refused questions count as no."""
        if not login:
            return False
        try:
            answer = self._calls.get(f"{self._at}/collaborators/{quote(login, safe='')}/permission")
        except HostError:
            return False
        return _object(answer).get("permission") in CAN_WRITE

    def merge_base(self, base: Sha, head: Sha) -> Sha | None:
        """The newest common ancestor; ``None`` when GitHub knows none."""
        try:
            answer = self._calls.get(f"{self._at}/compare/{base}...{head}", per_page=1, page=2)
        except NotFound:
            return None
        return _text(_object(_object(answer).get("merge_base_commit")), "sha")

    def set_status(self, sha: Sha, status: CommitStatus) -> None:
        """Makes ``status`` the newest of its context. After a lost answer it looks before it writes again."""
        body: Json = {"state": status.state.value, "context": status.context, "description": status.description}
        if status.target_url is not None:
            body["target_url"] = status.target_url
        for left in reversed(range(REPEATS)):
            try:
                answer = _object(self._calls.once("POST", f"{self._at}/statuses/{sha}", body))
            except AnswerLost:
                written = self.statuses(sha, status.context)[:1]
                if written and written[0].model_copy(update={"created_at": status.created_at}) == status:
                    return
                if not left:
                    raise
            else:
                self.login = _login(answer.get("creator")) or self.login
                return

    def statuses(self, sha: Sha, context: str) -> tuple[CommitStatus, ...]:
        """The statuses of one context, newest first."""
        rows = map(_object, self._calls.pages(f"{self._at}/commits/{sha}/statuses"))
        return tuple(
            CommitStatus(
                context=context,
                state=CommitState(_text(row, "state")),
                description=(_optional(row, "description") or "")[:140],
                target_url=_optional(row, "target_url"),
                created_at=_optional(row, "created_at"),
            )
            for row in rows
            if row.get("context") == context
        )

    def find_comment(self, number: int, marker: str) -> Comment | None:
        """Our own comment, the oldest if there are several. Every page is read; nobody else's marker counts."""
        return next(iter(self._ours(number, marker)), None)

    def _ours(self, number: int, marker: str) -> list[Comment]:
        rows = map(_object, self._calls.pages(f"{self._at}/issues/{number}/comments"))
        return [_comment(r) for r in rows if _login(r.get("user")) == self.login and _is_marked(r.get("body"), marker)]

    def write_comment(self, number: int, body: str, marker: str, known: Comment | None) -> Comment:
        """Updates ``known`` where it still stands, else makes it anew, exactly once however many answers get lost."""
        if not _is_marked(body, marker):
            raise ValueError("a comment of ours starts with its marker")
        if known is not None:
            try:
                return self._update(known, body)
            except NotFound:
                pass  # somebody deleted it: it comes back
        for left in reversed(range(REPEATS)):
            try:
                answer = _object(self._calls.once("POST", f"{self._at}/issues/{number}/comments", {"body": body}))
            except AnswerLost:
                written = self.find_comment(number, marker)
                if written is not None:
                    return self._update(written, body)
                if not left:
                    raise
            else:
                self.login = _login(answer.get("user")) or self.login
                return self._only(number, body, marker, _comment(answer))
        raise AssertionError("unreachable: the last try returns or raises")

    def _only(self, number: int, body: str, marker: str, made: Comment) -> Comment:
        """What stands where another run of ours made a comment at the same moment: the oldest, with ``body``."""
        try:
            every = {comment.id: comment for comment in (*self._ours(number, marker), made)}
            oldest, *younger = sorted(every)
            for one in younger:
                self._calls.delete(f"{self._at}/issues/comments/{one}")
        except HostError:  # ours stands, or the other run was faster: the next writing finds what is there
            return made
        return made if oldest == made.id else self._update(every[oldest], body)

    def _update(self, comment: Comment, body: str) -> Comment:
        return _comment(_object(self._calls.put("PATCH", f"{self._at}/issues/comments/{comment.id}", {"body": body})))

    def artifacts(self, name: str) -> tuple[Artifact, ...]:
        """Unexpired artifacts of this name, newest first; one page."""
        answer = _object(self._calls.get(f"{self._at}/actions/artifacts", name=name, per_page=100))
        rows = answer.get("artifacts")
        found = [_artifact(_object(row)) for row in (rows if isinstance(rows, list) else [])]
        return tuple(sorted((a for a in found if a is not None), key=lambda a: (a.created_at, a.id), reverse=True))

    def download(self, artifact: Artifact, *, max_bytes: int) -> bytes:
        """The artifact's zip archive, from where GitHub redirects to, without our token."""
        url = self._calls.location(f"{self._at}/actions/artifacts/{artifact.id}/zip")
        return self._calls.fetch(url, max_bytes=max_bytes)


def _object(value: JsonValue) -> Json:
    if not isinstance(value, dict):
        raise HostError("GitHub's answer isn't what its documentation says: an object was expected")
    return value


def _text(row: Json, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise HostError(f"GitHub's answer isn't what its documentation says: «{name}» is missing")
    return value


def _optional(row: Json, name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) else None


def _number(row: Json, name: str) -> int:
    value = row.get(name)
    if not isinstance(value, int):
        raise HostError(f"GitHub's answer isn't what its documentation says: «{name}» is missing")
    return value


def _login(user: JsonValue) -> str:
    """Deleted people have no user: an empty login, which is nobody's."""
    return (_optional(user, "login") or "") if isinstance(user, dict) else ""


def _is_marked(body: JsonValue, marker: str) -> bool:
    """Whether the first line is an HTML comment that starts with the marker: ``<!-- prompt-verdict … -->``."""
    line = body.split("\n", 1)[0].rstrip("\r") if isinstance(body, str) else ""
    return line.startswith(f"{marker} ") and line.endswith(" -->")


def _comment(row: Json) -> Comment:
    return Comment(id=_number(row, "id"), url=_optional(row, "html_url") or "")


def _pull(row: Json) -> HostedPullRequest:
    base, head = _object(row.get("base")), _object(row.get("head"))
    repository = head.get("repo")
    return HostedPullRequest(
        number=_number(row, "number"),
        is_open=row.get("state") == "open",
        merged=row.get("merged_at") is not None,
        author=_login(row.get("user")),
        base_ref=_text(base, "ref"),
        base_sha=_text(base, "sha"),
        head_ref=_text(head, "ref"),
        head_sha=_text(head, "sha"),
        merge_commit_sha=_optional(row, "merge_commit_sha"),
        head_repository=_text(repository, "full_name") if isinstance(repository, dict) else None,
    )


def _artifact(row: Json) -> Artifact | None:
    run = row.get("workflow_run")
    if row.get("expired") or not isinstance(run, dict):
        return None
    return Artifact(
        id=_number(row, "id"),
        name=_text(row, "name"),
        size=_number(row, "size_in_bytes"),
        head_sha=_text(run, "head_sha"),
        same_repository=_number(run, "repository_id") == run.get("head_repository_id"),
        created_at=_optional(row, "created_at") or "",
    )
