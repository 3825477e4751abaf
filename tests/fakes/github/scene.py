"""What people do on GitHub, as one-liners for tests; each gives back the event's payload."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

from tests.fakes.github.git import Files
from tests.fakes.github.routes import check_json, comment_json, pull_json, repository_json, user
from tests.fakes.github.server import FakeGitHub
from tests.fakes.github.state import Json, Pull, Repository, timestamp


class Scene:
    """A repository and the people around it."""

    def __init__(self, github: FakeGitHub, repository: Repository) -> None:
        self.github = github
        self.repository = repository
        self.git = repository.git

    def _payload(self, sender: str, **parts: object) -> Json:
        return {**parts, "repository": repository_json(self.github, self.repository.full_name), "sender": user(sender)}

    def pull_event(self, action: str, pull: Pull, sender: str | None = None, **parts: object) -> Json:
        shown = pull_json(self.github, self.repository, pull)
        return self._payload(sender or pull.author, action=action, number=pull.number, pull_request=shown, **parts)

    def open_pull(
        self,
        files: Files,
        *,
        author: str = "ada",
        branch: str = "change",
        base: str = "main",
        fork: str | None = None,
        by: str | None = None,
        **commit: str,
    ) -> tuple[Pull, Json]:
        """A pull request with one commit on top of ``base``; from ``fork`` (``owner/name``) when given.

        ``by``: who pushed it, if not its author; ``commit``: its ``message`` and who ``wrote`` it (name and address).
        """
        number = max(self.repository.pulls, default=0) + 1
        place = branch if fork is None else f"fork-{number}-{branch}"
        sha = self.git.commit(
            place, files, parents=() if self.git.find(f"refs/heads/{place}") else (self.git.resolve(base),), **commit
        )
        if fork is not None:
            self.git.set_ref(f"refs/heads/{place}", None)
        else:
            self.repository.pushed(branch, None, sha, by or author)
        self.git.set_ref(f"refs/pull/{number}/head", sha)
        pull = Pull(number, "A change", author, base, branch, sha, fork or self.repository.full_name)
        self.repository.pulls[number] = pull
        return pull, self.pull_event("opened", pull)

    def push(self, pull: Pull, files: Files, *, by: str | None = None, **commit: str) -> Json:
        """A further commit on the pull request, by its author or by ``by``; ``commit`` as for ``open_pull``."""
        before = pull.head_sha
        place = f"refs/pull/{pull.number}/push"
        self.git.set_ref(place, before)
        pull.head_sha = self.git.commit(f"push-{pull.number}", files, parents=(before,), **commit)
        self.git.set_ref(place, None)
        self.git.set_ref(f"refs/heads/push-{pull.number}", None)
        self.git.set_ref(f"refs/pull/{pull.number}/head", pull.head_sha)
        if pull.head_repository == self.repository.full_name:
            self.git.set_ref(f"refs/heads/{pull.head_ref}", pull.head_sha)
            self.repository.pushed(pull.head_ref, before, pull.head_sha, by or pull.author)
        return self.pull_event("synchronize", pull, by or pull.author, before=before, after=pull.head_sha)

    def retarget(self, pull: Pull, base: str) -> Json:
        before, pull.base_ref, pull.base_sha = pull.base_ref, base, ""
        changes = {"base": {"ref": {"from": before}, "sha": {"from": self.git.resolve(before)}}}
        return self.pull_event("edited", pull, changes=changes)

    def review(self, pull: Pull, by: str, state: str = "APPROVED", commit: str | None = None) -> Json:
        """A submitted review. A later one of the same person doesn't remove the earlier one from the list."""
        review = {
            "id": self.github.next_id(), "node_id": "PRR_1", "number": pull.number, "user": user(by), "body": "", "state": state,
            "commit_id": commit or pull.head_sha, "submitted_at": timestamp(self.github.clock()), "author_association": "NONE",
            "html_url": f"{self.github.server_url}/{self.repository.full_name}/pull/{pull.number}#pullrequestreview-1",
        }  # fmt: skip
        self.repository.reviews.append(review)
        shown = {**review, "state": state.lower()}
        return self._payload(
            by, action="submitted", review=shown, pull_request=pull_json(self.github, self.repository, pull)
        )

    def comment(self, number: int, by: str, body: str) -> Json:
        now = timestamp(self.github.clock())
        comment = {
            "id": self.github.next_id(),
            "issue": number,
            "author": by,
            "body": body,
            "created_at": now,
            "updated_at": now,
        }
        self.repository.comments.append(comment)
        issue = {
            "number": number,
            "state": "open",
            "pull_request": {"url": "…"},
            "user": user(self.repository.pulls[number].author),
        }
        return self._payload(
            by, action="created", issue=issue, comment=comment_json(self.github, self.repository, comment)
        )

    def _check(self, number: int) -> Json:
        found = next(run for run in self.repository.check_runs if run["id"] == number)
        return check_json(self.github, self.repository, found)

    def rerequest(self, check: int, by: str = "mia") -> Json:
        """Somebody presses GitHub's own “Re-run” of a check run: event ``check_run``."""
        return self._payload(by, action="rerequested", check_run=self._check(check))

    def press(self, check: int, identifier: str, by: str = "mia") -> Json:
        """Somebody presses one of our buttons on a check run: event ``check_run``."""
        parts = {"check_run": self._check(check), "requested_action": {"identifier": identifier}}
        return self._payload(by, action="requested_action", **parts)

    def rerequest_suite(self, pull: Pull, by: str = "mia") -> Json:
        """“Re-run all checks” of a head: event ``check_suite``."""
        suite = {
            "id": self.github.next_id(), "head_sha": pull.head_sha, "head_branch": pull.head_ref, "status": "completed",
            "conclusion": "failure", "pull_requests": [{"number": pull.number}],
        }  # fmt: skip
        return self._payload(by, action="rerequested", check_suite=suite)

    def queue(self, pull: Pull) -> Json:
        """The merge queue takes the pull request in."""
        base = self.git.resolve(pull.base_ref)
        branch = f"gh-readonly-queue/{pull.base_ref}/pr-{pull.number}-{base}"
        head = self.git.merge(branch, base, pull.head_sha, f"Merge pull request #{pull.number}")
        group = {
            "head_sha": head, "head_ref": f"refs/heads/{branch}", "base_sha": base, "base_ref": f"refs/heads/{pull.base_ref}",
            "head_commit": {"id": head, "message": "merge"},
        }  # fmt: skip
        return self._payload("github-merge-queue[bot]", action="checks_requested", merge_group=group)

    def merge(self, pull: Pull) -> Json:
        """Merges into the base branch; the push event of that branch."""
        before = self.git.resolve(pull.base_ref)
        after = self.git.merge(pull.base_ref, before, pull.head_sha, f"Merge pull request #{pull.number}")
        pull.state, pull.merged, pull.merge_commit_sha = "closed", True, after
        return self._payload(pull.author, ref=f"refs/heads/{pull.base_ref}", before=before, after=after, deleted=False)

    def dispatch(self, by: str = "mia", **inputs: str) -> Json:
        named = {name.replace("_", "-"): value for name, value in inputs.items()}
        return self._payload(by, inputs=named, ref="refs/heads/main", workflow=".github/workflows/prompt-verdict.yml")

    def artifact(
        self, name: str, files: Mapping[str, bytes], *, head_sha: str, head_repository_id: int | None = None
    ) -> int:
        """An uploaded artifact of a run on ``head_sha``."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for path, data in files.items():
                archive.writestr(path, data)
        number = self.github.next_id()
        self.repository.archives[number] = buffer.getvalue()
        run = {
            "id": self.github.next_id(), "repository_id": self.repository.id, "head_branch": "change", "head_sha": head_sha,
            "head_repository_id": self.repository.id if head_repository_id is None else head_repository_id,
        }  # fmt: skip
        self.repository.artifacts.append(
            {
                "id": number,
                "node_id": "A_1",
                "name": name,
                "size_in_bytes": len(buffer.getvalue()),
                "expired": False,
                "url": f"{self.github.api_url}/repos/{self.repository.full_name}/actions/artifacts/{number}",
                "archive_download_url": f"{self.github.api_url}/repos/{self.repository.full_name}/actions/artifacts/{number}/zip",
                "created_at": timestamp(self.github.clock()),
                "workflow_run": run,
            }
        )
        return number
