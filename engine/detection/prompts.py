"""The two versions of a lineage's prompt: their paths, the changes, and the effect of each change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple, TypeVar

from engine.detection.entries import Entry
from engine.detection.files import FOLDER, REGULAR
from engine.detection.harmless import harmless_rule
from engine.detection.models import model_of
from engine.detection.places import is_there, place_after, read_for
from engine.detection.prompt_diff import changed_lines, diff_prompts
from engine.detection.sides import Sides
from engine.detection.snapshot import Difference
from engine.readers.bounded import shown
from engine.readers.dialects import without_comments
from engine.readers.guess import settled
from engine.readers.prompts.github import keeping_unfilled
from schemas.detection import End, Ending
from schemas.errors import PromptVerdictError
from schemas.gate_config import Floor
from schemas.prompts import Finding, PromptFile
from schemas.references import Reference
from schemas.scorecard import Change
from schemas.testsets import TestCase
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

T = TypeVar("T")
ABSENT = object()
ELSEWHERE = "only parts that no lineage names differ"


class Versions(NamedTuple):
    """The prompt at the base and after the merge. ``None`` if nothing is there; a Finding says why it can't be read."""

    before: Reference | None
    after: Reference | None
    baseline: PromptFile | Finding | None
    candidate: PromptFile | Finding | None
    new: bool
    """Whether base has no such lineage."""
    turned: Finding | None
    """Set if the merge replaces a file with a link or a submodule."""

    @property
    def old(self) -> PromptFile | None:
        """The baseline, if it can be read."""
        return self.baseline if isinstance(self.baseline, PromptFile) else None

    @property
    def fresh(self) -> PromptFile | None:
        """The candidate, if it can be read."""
        return self.candidate if isinstance(self.candidate, PromptFile) else None

    @property
    def judge(self) -> PromptFile | None:
        """The version whose inline evaluators and test data count: the base's, or else the candidate's."""
        return self.fresh if self.new or self.old is None else self.old


def attempt(read: Callable[[], T]) -> T | Finding:
    """Returns the result of ``read``, or a finding if it fails."""
    try:
        return read()
    except PromptVerdictError as error:
        return Finding(what=error.what, where=error.where, hint=error.hint)


def approval(code: ReasonCode, sentence: str) -> Reason:
    """Returns a reason for review."""
    return Reason(code=code, status=VerdictStatus.NEEDS_REVIEW, sentence=sentence)


def failure(code: ReasonCode, sentence: str) -> Reason:
    """Returns a reason for an error: measuring is impossible."""
    return Reason(code=code, status=VerdictStatus.ERROR, sentence=sentence)


def has_floor(floor: Floor) -> bool:
    """Returns whether the base sets a minimum for new lineages."""
    return floor.overall is not None or bool(floor.slices)


def versions_of(entry: Entry, sides: Sides, found: Sequence[Difference]) -> Versions:
    """Finds and reads the prompt on both sides.

    ``found`` holds the differences of its files. A file with a merge conflict can't be read.
    """
    # git writes conflict markers into such a file. They must not be measured as a prompt.
    conflict = next((why for each in found if each.path and (why := sides.merged.conflict(each.path))), None)
    before = entry.prompt if is_there(sides.base, entry.prompt) else None
    after = place_after(entry, sides)
    return Versions(
        before=before,
        after=after,
        baseline=read_for(sides.base, before, entry, entry.tools),
        candidate=conflict or read_for(sides.merged, after, entry, _tools_after(entry, sides)),
        new=entry.new,
        turned=_turned(before, after, sides),
    )


def _tools_after(entry: Entry, sides: Sides) -> str | None:
    """Returns the file of the tools after the merge, followed through its rename."""
    tools = entry.tools
    return tools if tools is None or tools in sides.merged else sides.changes.moves.get(tools, tools)


def settled_versions(versions: Versions, cases: Sequence[TestCase], *, static: bool) -> Versions:
    """Returns both versions with their template language settled by the names of the cases' inputs."""
    inputs = frozenset(name for case in cases for name in case.inputs)
    both = [prompt for prompt in (versions.old, versions.fresh) if prompt]
    kept = [keeping_unfilled(prompt, inputs) for prompt in settled(both, inputs, static=static)]
    told = dict(zip(map(id, both), kept, strict=True))
    return versions._replace(
        baseline=told.get(id(versions.baseline), versions.baseline),
        candidate=told.get(id(versions.candidate), versions.candidate),
    )


def _turned(before: Reference | None, after: Reference | None, sides: Sides) -> Finding | None:
    """Returns what the merge puts in place of a file that can be read."""
    for path in after.paths if after else ():
        found = sides.merged.entry(path)
        is_a_link = found is not None and found.mode not in (*REGULAR, FOLDER)
        if is_a_link and before and not any(map(sides.base.obstacle, before.paths)):
            return sides.merged.obstacle(path)
    return None


def prompt_changes(entry: Entry, versions: Versions, found: Sequence[Difference]) -> Iterator[Change]:
    """Yields the changes of the prompt itself. ``found`` holds the differences of its files."""
    before, after, old, new = versions.before, versions.after, versions.old, versions.fresh
    if entry.new:
        yield Change(kind="added", detail="a new lineage", path=_path(entry.prompt, found))
    elif before is None and after is not None:
        yield Change(kind="added", detail="a new prompt", path=_path(after, found))
    if after is None:
        if before is not None:
            yield Change(kind="deleted", detail=_shown(before), path=_path(before, found))
        return
    if before is not None and before != after:
        yield _move(entry, before, after, _path(after, found))
    if old and new:
        yield from _content_changes(old, new, _path(after, found))
    elif before is not None and found:
        detail = "can't be read" if isinstance(versions.candidate, Finding) else "readable again"
        for path in [after.file] if after.file else _paths(found):
            yield Change(kind="prompt", detail=detail, path=path)


def _move(entry: Entry, before: Reference, after: Reference, path: str) -> Change:
    kind: Literal["renamed", "moved_out"] = "renamed" if after == entry.head_prompt else "moved_out"
    return Change(kind=kind, detail=f"{_shown(before)} → {_shown(after)}", path=path)


def _paths(found: Sequence[Difference]) -> list[str]:
    return [difference.path for difference in found]


def _path(reference: Reference, found: Sequence[Difference]) -> str:
    """Returns the file or folder at ``reference``; of several files the first that differs."""
    paths = reference.paths
    return next((path for path in _paths(found) if path in paths), paths[0])


def _shown(reference: Reference) -> str:
    return shown(str(reference))


def _content_changes(old: PromptFile, new: PromptFile, path: str) -> Iterator[Change]:
    if old.text != new.text and (old.included == new.included or old.messages != new.messages):
        diff = diff_prompts(old, new)
        lines = (
            f"+{diff.added} −{diff.removed} lines"
            if diff.added or diff.removed
            else "roles, template language or defaults"
        )
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
    if unread := unread_changes(old, new):
        yield Change(kind="unread", detail=", ".join(unread), path=path)


def unread_changes(old: PromptFile, new: PromptFile) -> tuple[str, ...]:
    """Returns the places with changed values that the format's reader ignores, such as ``tools of the prompt file``."""
    places = sorted(old.unread.keys() | new.unread.keys())
    return tuple(place for place in places if old.unread.get(place, ABSENT) != new.unread.get(place, ABSENT))


def prompt_ends(
    entry: Entry, versions: Versions, found: Sequence[Difference], sides: Sides
) -> Iterator[tuple[End, str, str]]:
    """Yields the effect, path and reason of each difference in the prompt's files.

    Those that end as measured are checked again when the requests are known (engine/planning/change_coverage.py).
    """
    old, new = versions.old, versions.fresh
    if not found:
        return
    if old is None or new is None:
        # Gone, new or unreadable: prompt_reasons reports it. A floor decides on a new prompt.
        end = End.MEASURED if new is not None and versions.baseline is None else End.NEEDS_REVIEW
        yield end, found[0].path, "it is missing or unreadable on one side"
        return
    path = _path(versions.after or entry.prompt, found)
    said = [*_parts_that_differ(entry, old, new)]
    yield from ((end, path, why) for end, why in said)
    for difference in found:
        # A file with a meaningful difference may also have harmless ones. Only the former is reported.
        rule = None if said else harmless_rule(difference, sides) or _elsewhere(difference, versions)
        if rule is not None:
            yield End.HARMLESS, difference.path, rule
        elif not said:
            yield End.NEEDS_REVIEW, difference.path, "the difference is in a part that is not read"


def _elsewhere(difference: Difference, versions: Versions) -> str | None:
    """Returns the rule for a file of which the prompt is only a part, the same on both sides."""
    for side, reference in ((difference.before, versions.before), (difference.after, versions.after)):
        if reference is None or (side is not None and reference.holds_all_of(side.path)):
            return None
    return None if difference.what == "partial" else ELSEWHERE


def _parts_that_differ(entry: Entry, old: PromptFile, new: PromptFile) -> Iterator[tuple[End, str]]:
    if _filled_in(old) != _filled_in(new):
        yield End.MEASURED, "text"
    elif old.messages != new.messages or old.included != new.included:
        yield End.HARMLESS, "only comments of the template differ"
    if old.parameters != new.parameters:
        yield End.MEASURED, "parameters"
    if old.model != new.model:
        if entry.lineage.model:
            yield End.NEEDS_REVIEW, "its model is not used, because the configuration names another"
        else:
            yield End.MEASURED, "model"
    if old.test_data != new.test_data:
        yield End.MEASURED, "test data"
    if old.evaluators != new.evaluators:
        yield End.NEEDS_REVIEW, "its own evaluators differ; the base's were used"
    if unread := unread_changes(old, new):
        yield End.NEEDS_REVIEW, f"the reader of this format ignores {', '.join(unread)}"
    if (old.name, old.description) != (new.name, new.description):
        yield End.HARMLESS, "only its name or description differs, which is never sent"


def _filled_in(prompt: PromptFile) -> tuple[object, ...]:
    return prompt.dialect, prompt.roles, prompt.defaults, without_comments(prompt)


def prompt_reasons(entry: Entry, versions: Versions) -> Iterator[Reason]:
    """Yields reasons known before any call: the prompt is gone, moved, unreadable or new, or its evaluators changed."""
    before, after, name = versions.before, versions.after, entry.name
    path = _shown(after or before or entry.prompt)
    yield from _new_reasons(entry, versions, path)
    if after is None and (entry.new or before is None):
        yield failure(ReasonCode.UNREADABLE, f"{name}: there is no prompt {path}.")
    elif after is None:
        yield approval(ReasonCode.DELETED_LINEAGE, f"{name}: the prompt {path} is deleted.")
    if after is None:
        return
    if before is not None and after not in (before, entry.head_prompt):
        yield approval(
            ReasonCode.MOVED_OUT, f"{name}: {_shown(before)} moved to {path}, which the configuration doesn't name."
        )
    if versions.turned:
        yield approval(ReasonCode.MOVED_OUT, f"{name}: {path} was a file; now {versions.turned.what}.")
    elif isinstance(versions.candidate, Finding):
        yield failure(ReasonCode.UNREADABLE, f"{name}: the candidate prompt can't be read: {versions.candidate}.")
    elif isinstance(versions.baseline, Finding):
        yield approval(ReasonCode.UNREADABLE, f"{name}: the baseline can't be read: {versions.baseline}.")
    if _judges_differently(versions):
        yield approval(ReasonCode.POLICY_CHANGED, f"{name}: {path} changes its own evaluators; base's were used.")


def _judges_differently(versions: Versions) -> bool:
    old, new = versions.old, versions.fresh
    if old is None or new is None or versions.judge is new:
        return False
    return old.evaluators != new.evaluators


def _new_reasons(entry: Entry, versions: Versions, path: str) -> Iterator[Reason]:
    """Yields why a prompt without a baseline needs review, unless a floor of base's judges it."""
    if entry.adopted or has_floor(entry.config.gate.floor):
        return
    if entry.new:
        sentence = f"{entry.name} is a new lineage: its tests are this pull request's own, and no floor is set."
        yield approval(ReasonCode.NEW_LINEAGE, sentence)
    elif versions.before is None and versions.after is not None:
        sentence = f"{entry.name}: {path} is new, there is nothing to compare it with."
        yield approval(ReasonCode.NEW_LINEAGE, sentence)


def unmeasured_reasons(name: str, endings: Sequence[Ending], versions: Versions) -> Iterator[Reason]:
    """Yields a reason for each difference in a prompt's files that can't be measured and has no reason yet."""
    if versions.old is None or versions.fresh is None:
        return
    for ending in endings:
        said = ending.why.startswith("its own evaluators")
        if ending.end is End.NEEDS_REVIEW and ending.what in ("prompt", "partial") and not said:
            sentence = f"{name}: {shown(ending.path)} changed, but was not measured completely: {ending.why}."
            yield approval(ReasonCode.UNMEASURED, sentence)


def lines_changed(versions: Versions, sides: Sides) -> tuple[str | None, tuple[tuple[int, int], ...]]:
    """Returns a file of the candidate, and its line ranges that differ from the baseline's.

    Of several files it is the first whose part of the prompt differs; of a folder, the first that is changed.
    """
    before, after = versions.before, versions.after
    if before is None or after is None:
        return None, ()
    if after.file is None:
        return _lines_of_parts(before, after, versions, sides)
    old_path = versions.old.path if versions.old else before.paths[0]
    new_path = versions.fresh.path if versions.fresh else after.file
    return _lines_of_file(after.file, old_path, new_path, sides)


def _lines_of_parts(
    before: Reference, after: Reference, versions: Versions, sides: Sides
) -> tuple[str, tuple[tuple[int, int], ...]]:
    old_paths = {new.path: old.path for old, new in zip(before.places, after.places, strict=False)}
    olds, news = (prompt.messages if prompt else () for prompt in (versions.old, versions.fresh))
    for number, origin in enumerate(versions.fresh.origins if versions.fresh else ()):
        if olds[number : number + 1] == news[number : number + 1]:
            continue
        inside = [
            (max(first, start), min(last, end))
            for first, last in _stretches(old_paths.get(origin.path, before.paths[0]), origin.path, sides)
            for start, end in origin.lines
            if first <= end and start <= last
        ]
        return origin.path, tuple(inside or [(origin.lines[0][0], origin.lines[0][0])])
    return after.paths[0], ()


def _lines_of_file(named: str, before: str, after: str, sides: Sides) -> tuple[str, tuple[tuple[int, int], ...]]:
    """``before`` and ``after`` are the prompt's paths: of one with two files, their folder, whichever is ``named``."""
    pair = (path for path in (sides.changes.below(after) if after else ()) if path in sides.merged)
    file = min(pair, default=named)
    return file, _stretches(f"{before}{file.removeprefix(after)}", file, sides)


def candidate_texts(versions: Versions, sides: Sides) -> dict[str, str]:
    """Returns the texts of the candidate's files and partials that this pull request changes, by path."""
    paths = (*(versions.after.paths if versions.after else ()), *(versions.fresh.partials if versions.fresh else ()))
    changed = [path for path in paths if path in sides.changes.touched and path in sides.merged]
    return {path: sides.merged[path].decode(errors="replace") for path in changed}


def _stretches(before: str, after: str, sides: Sides) -> tuple[tuple[int, int], ...]:
    if before not in sides.base or after not in sides.merged:
        return ()
    texts = (files[path].decode(errors="replace") for files, path in ((sides.base, before), (sides.merged, after)))
    return changed_lines(*texts)


def prompt_warnings(entry: Entry, versions: Versions) -> Iterator[Finding]:
    """Yields warnings about the prompt."""
    new = versions.fresh
    if new:
        yield from new.warnings
    # A model that can't be asked leaves no choice.
    named = new.model if new and new.model and model_of(new.model, entry.config) else None
    if new and named and entry.lineage.model and entry.lineage.model != named:
        yield Finding(
            what=f"the prompt names the model {shown(named)}, but the configuration's model is used",
            where=shown(new.path),
            hint="remove model: from one of them",
        )
