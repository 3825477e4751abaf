"""The versions of one lineage's prompt: where it lies at each commit, what changed, and what a person has to accept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from engine.detection.commits import Commits
from engine.detection.entries import Entry
from engine.detection.files import FOLDER, REGULAR, Files
from engine.prompt_diff import changed_lines, diff_prompts
from engine.readers.bounded import shown
from engine.readers.prompts import read_prompt
from schemas.config import Floor
from schemas.errors import PromptVerdictError
from schemas.prompts import Finding, PromptFile
from schemas.scorecard import Change, Reason, ReasonCode, VerdictStatus

T = TypeVar("T")


class Versions(NamedTuple):
    """The prompt at three commits. A path is ``None`` where there is nothing, a Finding says why it can't be read."""

    before: str | None
    after: str | None
    baseline: PromptFile | Finding | None
    candidate: PromptFile | Finding | None
    judged_by: PromptFile | Finding | None
    turned: Finding | None
    """Set when the head puts a link or a submodule in place of a file."""

    @property
    def old(self) -> PromptFile | None:
        """The baseline, if it can be read."""
        return self.baseline if isinstance(self.baseline, PromptFile) else None

    @property
    def new(self) -> PromptFile | None:
        """The candidate, if it can be read."""
        return self.candidate if isinstance(self.candidate, PromptFile) else None

    @property
    def judge(self) -> PromptFile | None:
        """The version whose inline evaluators and test data count: base's, else the candidate's."""
        return self.judged_by if isinstance(self.judged_by, PromptFile) else self.new


def attempt(read: Callable[[], T]) -> T | Finding:
    """What ``read`` gives, or why it can't be read."""
    try:
        return read()
    except PromptVerdictError as error:
        return Finding(what=error.what, where=error.where, mend=error.mend)


def approval(code: ReasonCode, sentence: str) -> Reason:
    """A person has to accept this."""
    return Reason(code=code, status=VerdictStatus.NEEDS_APPROVAL, sentence=sentence)


def failure(code: ReasonCode, sentence: str) -> Reason:
    """It can't be measured because of this."""
    return Reason(code=code, status=VerdictStatus.ERROR, sentence=sentence)


def has_floor(floor: Floor) -> bool:
    """Whether base sets a minimum that a new lineage can be held to."""
    return floor.overall is not None or bool(floor.slices)


def path_before(entry: Entry, commits: Commits) -> str | None:
    """Where the prompt lay at the merge base: base may have renamed it since."""
    if commits.ancestor.entry(entry.prompt) is not None:
        return entry.prompt
    return commits.origins.get(entry.prompt)


def versions_of(entry: Entry, commits: Commits) -> Versions:
    """Finds and reads the prompt, followed through renames by content."""
    before = path_before(entry, commits)
    after: str | None = entry.head_prompt if entry.head_prompt != entry.prompt else before or entry.prompt
    if after is not None and commits.head.entry(after) is None:
        after = commits.changes.moves.get(before) if before else None
    entry_after = commits.head.entry(after) if after else None
    is_a_link = entry_after is not None and entry_after.mode not in (*REGULAR, FOLDER)
    was_a_file = before is not None and commits.ancestor.obstacle(before) is None
    return Versions(
        before=before,
        after=after,
        baseline=read_at(commits.ancestor, before),
        candidate=read_at(commits.head, after),
        judged_by=None if entry.new else read_at(commits.base, entry.prompt),
        turned=commits.head.obstacle(after) if after and is_a_link and was_a_file else None,
    )


def read_at(files: Files, path: str | None) -> PromptFile | Finding | None:
    """The prompt at ``path``, ``None`` if nothing is there, or why it can't be read."""
    if path is None or files.entry(path) is None:
        return None
    if obstacle := files.obstacle(path):
        return obstacle
    files.fetch_prompts([path])
    return attempt(lambda: read_prompt(path, files))


def prompt_changes(entry: Entry, versions: Versions) -> Iterator[Change]:
    """What the pull request does to the prompt itself."""
    before, after, old, new = versions.before, versions.after, versions.old, versions.new
    if entry.new:
        yield Change(kind="added", detail="a new lineage", path=entry.prompt)
    elif before is None and after is not None:
        yield Change(kind="added", detail="a new prompt", path=after)
    if after is None:
        if before is not None:
            yield Change(kind="deleted", detail=shown(before), path=before)
        return
    if before is not None and before != after:
        kind = "renamed" if after == entry.head_prompt else "moved_out"
        yield Change(kind=kind, detail=f"{shown(before)} → {shown(after)}", path=after)
    if old and new:
        yield from _content_changes(old, new, after)
    elif before is not None and versions.candidate != versions.baseline:
        detail = str(versions.candidate) if isinstance(versions.candidate, Finding) else "readable again"
        yield Change(kind="prompt", detail=detail, path=after)


def _content_changes(old: PromptFile, new: PromptFile, path: str) -> Iterator[Change]:
    if (old.messages, old.dialect) != (new.messages, new.dialect):
        diff = diff_prompts(old, new)
        lines = f"+{diff.added} −{diff.removed} lines" if diff.added or diff.removed else "roles or template language"
        yield Change(kind="prompt", detail=lines, path=path)
    if old.included != new.included:
        names = sorted(old.included.keys() | new.included.keys())
        changed = [shown(name) for name in names if old.included.get(name) != new.included.get(name)]
        yield Change(kind="partial", detail=", ".join(changed), path=path)
    if old.parameters != new.parameters:
        settings = [setting for setting in diff_prompts(old, new).settings if setting[0] not in ("model", "template")]
        detail = ", ".join(f"{name}: {shown(before)} → {shown(after)}" for name, before, after in settings)
        yield Change(kind="parameters", detail=detail, path=path)
    if old.evaluators != new.evaluators:
        yield Change(kind="policy", detail="the prompt's own evaluators", path=path)


def prompt_reasons(entry: Entry, versions: Versions) -> Iterator[Reason]:
    """What speaks for a verdict already: gone, moved away, unreadable, new, judged differently."""
    before, after, name = versions.before, versions.after, entry.name
    path = shown(after or before or entry.prompt)
    unreviewed = not entry.adopted and not has_floor(entry.config.gate.floor)
    if entry.new and unreviewed:
        yield approval(
            ReasonCode.NEW_LINEAGE,
            f"{name} is a new lineage: its tests are this pull request's own, and no floor is set.",
        )
    elif before is None and after is not None and unreviewed:
        yield approval(ReasonCode.NEW_LINEAGE, f"{name}: {path} is new, there is nothing to compare it with.")
    if after is None:
        if entry.new:
            yield failure(ReasonCode.UNREADABLE, f"{name}: there is no prompt {path}.")
        else:
            yield approval(ReasonCode.DELETED_LINEAGE, f"{name}: the prompt {path} is deleted.")
        return
    if before is not None and after not in (before, entry.head_prompt):
        yield approval(
            ReasonCode.MOVED_OUT, f"{name}: {shown(before)} is now {path}, which the configuration doesn't name."
        )
    if versions.turned:
        yield approval(ReasonCode.MOVED_OUT, f"{name}: {path} was a file, and now {versions.turned.what}.")
    elif isinstance(versions.candidate, Finding):
        yield failure(ReasonCode.UNREADABLE, f"{name}: {versions.candidate}.")
    elif isinstance(versions.baseline, Finding):
        yield approval(ReasonCode.UNREADABLE, f"{name}: the baseline can't be read: {versions.baseline}.")
    old, new = versions.old, versions.new
    if old and new and old.evaluators != new.evaluators and versions.judge is not new:
        yield approval(ReasonCode.POLICY_CHANGED, f"{name}: {path} changes its own evaluators; base's were used.")


def lines_changed(versions: Versions, commits: Commits) -> tuple[tuple[int, int], ...]:
    """The stretches of the candidate's file that differ from the baseline's; none for what isn't one file."""
    before, after = versions.before, versions.after
    if before is None or after is None or before not in commits.ancestor or after not in commits.head:
        return ()
    texts = (
        files[path].decode(errors="replace") for files, path in ((commits.ancestor, before), (commits.head, after))
    )
    return changed_lines(*texts)


def prompt_warnings(entry: Entry, versions: Versions, commits: Commits, base_ref: str) -> Iterator[Finding]:
    """What a person should know about the prompt."""
    before, new = versions.before, versions.new
    if new:
        yield from new.warnings
    if (
        before
        and commits.base is not commits.ancestor
        and not commits.ancestor.same(before, commits.base, entry.prompt)
    ):
        yield Finding(
            what=f"{shown(before)} also changed on {shown(base_ref)} since this branch left it",
            where=shown(entry.prompt),
            mend="merge it into the branch to measure both together; a merge queue does",
        )
    if new and new.model and entry.lineage.model and entry.lineage.model != new.model:
        yield Finding(
            what=f"the prompt names the model {shown(new.model)}, but the configuration's is used",
            where=shown(new.path),
            mend="remove model: from one of them",
        )
