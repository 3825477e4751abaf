"""Moves tags to where a file on the default branch says, by the same ways as a person's request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.hub.hub_service import Asker
from bot.telemetry.logs import logger
from engine.hub.tags_file import read_tags_file
from engine.hub.versions import version_of
from engine.readers.config import read_config
from schemas.errors import HostUnavailable, PromptVerdictError, StoreError, UsageError
from schemas.host import Role

if TYPE_CHECKING:
    from adapters.github.app import GitHubApp
    from bot.hub.hub_service import HubService
    from bot.runs.default_branch import DefaultBranch
    from bot.store.records import Records
    from bot.store.values import RepositoryRef
    from schemas.config import TagsConfig
    from schemas.host import Sha

CONFIG = "promptverdict.yaml"

log = logger("hub")


class FollowedFile:
    """Follows the file of each repository that names one. Only a merge to the default branch changes that file."""

    def __init__(self, records: Records, hub: HubService, branch: DefaultBranch, app: GitHubApp) -> None:
        self._records = records
        self._hub = hub
        self._branch = branch
        self._app = app

    def follow(self, repo: RepositoryRef, branch: str, pushed: Sha) -> None:
        """Asks for every move that the file wants, after a push to the default branch. May be repeated.

        A version that a tag had before is a rollback, and any other is a promotion with its verdict. Mistakes in the
        file are logged. Blocks. Raises HostUnavailable and StoreError.
        """
        try:
            # Most pushes concern no tag, so only the configuration is read, from the copy of the repository.
            if self._rules(repo, pushed) is None:
                return
            # The file at the tip: an older push may be delivered again, or late, and must take nothing back.
            sha = self._app.host(repo.installation_id, repo.full_name).branch(branch)
            rules = self._rules(repo, sha)
            if rules is None or rules.follow is None:
                return
            path = rules.follow
            named = self._branch.file(repo, sha, path)
            if named is None:
                raise UsageError("there is no such file", where=path, hint="add it, or correct tags.follow")
            wanted = read_tags_file(path, named)
        except (HostUnavailable, StoreError):
            raise
        except PromptVerdictError as error:
            log.warning("tags not followed", repository=repo.repository_id, why=str(error))
            return
        for tag, prompts in wanted.items():
            for lineage, commit in prompts.items():
                self._move(repo, rules, branch, tag=tag, lineage=lineage, commit=commit)

    def _rules(self, repo: RepositoryRef, sha: Sha) -> TagsConfig | None:
        """Returns the rules of a commit's configuration; ``None`` if it names no file."""
        data = self._branch.file(repo, sha, CONFIG)
        rules = read_config(CONFIG, data).tags if data is not None else None
        return rules if rules is not None and rules.follow is not None else None

    def _move(
        self, repo: RepositoryRef, rules: TagsConfig, branch: str, *, tag: str, lineage: str, commit: Sha
    ) -> None:
        path = rules.follow or ""
        asker = Asker(path, Role.MAINTAIN)
        request = f"file:{repo.repository_id}:{tag}:{lineage}:{commit}"
        try:
            # Anyone who can open a pull request from a fork can bring a commit into GitHub's storage.
            if not self._app.host(repo.installation_id, repo.full_name).contains(branch, commit):
                raise UsageError(f"{commit} is not on {branch}", where=path, hint="name a commit of the default branch")
            then = self._branch.at(repo, commit, lineage)
            version = version_of(next(one for one in then.lineages if one.name == lineage), commit)
            now = self._records.current_move(repo.repository_id, lineage, tag)
            if now is not None and now.to_digest == version.digest:
                return
            self._hub.refuse_immutable(repo, lineage, tag, rules.immutable)
            request = f"{request}:after {now.id if now else 0}"
            if self._records.pointed(repo.repository_id, lineage, tag, version.digest):
                self._hub.rollback(
                    repo, lineage, tag, to=version.digest, reason=f"{path} names {commit[:12]}", asker=asker,
                    request=request,
                )  # fmt: skip
            else:
                self._hub.promote_version(repo, version, tag, asker=asker, request=request)
        except (HostUnavailable, StoreError):
            raise
        except PromptVerdictError as error:
            log.warning("tag not followed", repository=repo.repository_id, tag=tag, lineage=lineage, why=str(error))
