"""The edit of a suggestion in its file, and the draft pull request with it. Blocks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from adapters.github.proposals import Proposal
from bot.improve.result_text import body_of
from engine.improve.patch import file_edit
from engine.improve.texts import with_texts
from schemas.values import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from adapters.github.proposals import DefaultFile, ProposedPullRequest
    from bot.improve.result_text import Report
    from bot.runs.default_branch import DefaultBranch
    from bot.store.suggest_values import Suggestion
    from bot.store.values import RepositoryRef
    from engine.improve.patch import FileEdit

PLAIN = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,59}")


class Opener(Protocol):
    """Opens pull requests of one repository, as the App or as a person."""

    def file(self, path: str) -> DefaultFile | None:
        """Returns a file of the default branch."""
        ...

    def open(self, file: DefaultFile, wanted: Proposal) -> ProposedPullRequest:
        """Opens the pull request, or finds the one of before."""
        ...


def edit_of(
    branch: DefaultBranch, repo: RepositoryRef, suggestion: Suggestion, texts: Mapping[str, str]
) -> FileEdit | None:
    """Returns the prompt's file with these messages, at the commit of the suggestion; ``None`` if no edit is sure to
    make exactly them. Raises SourceError and HostError."""
    found = branch.at(repo, suggestion.sha, suggestion.lineage)
    change = next(one for one in found.lineages if one.name == suggestion.lineage)
    prompt = change.candidate
    if prompt is None:
        return None
    after, template = with_texts(prompt, texts), change.config.template
    return branch.read_files(repo, suggestion.sha, lambda files: file_edit(files, prompt, after, template))


def opened(suggestion: Suggestion, report: Report, edit: FileEdit, opener: Opener) -> ProposedPullRequest | str:
    """Opens the draft, or finds the one of before. Returns a sentence if there is none: the file has changed since.

    Raises HostError.
    """
    file = opener.file(edit.path)
    if file is None or file.data != edit.before:
        return f"`{edit.path}` has changed on the default branch since the edit was measured. Ask again."
    digest = digest_of([edit.path, file.blob, edit.after.decode()])[:12]
    # The name is any text, and GitHub reads commit messages: it notifies people and closes issues.
    name = f" {suggestion.lineage}" if PLAIN.fullmatch(suggestion.lineage) else ""
    branch = f"prompt-verdict/suggest-{digest}"
    title = f"Edit the prompt{name}"
    return opener.open(file, Proposal(branch, edit.after, title, body_of(suggestion, report), draft=True))
