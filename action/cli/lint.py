"""``promptverdict tests lint``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from action.cli.folder import Folder
from action.cli.local import open_repository
from action.cli.streams import put
from action.exits import Exit
from engine.commands.lint import columns_read, files_read, lint_tests
from engine.readers.config import read_config
from engine.readers.dialects import variables_of
from engine.readers.guess import settled
from engine.readers.prompts.references import read_reference
from engine.readers.test_files import read_tests
from engine.readers.testsets import inline_test_set
from engine.readers.unverified import without_unverified
from schemas.errors import SourceError, UsageError
from schemas.prompts import Finding
from schemas.references import reference_of

if TYPE_CHECKING:
    from schemas.config import LineageConfig
    from schemas.prompts import PromptFile
    from schemas.testsets import TestSet

CONFIG_NAMES = ("promptverdict.yaml", ".github/promptverdict.yaml")


@dataclass(frozen=True)
class Linted:
    """A test set and its findings. ``cases`` is ``None`` if it can't be read."""

    path: str
    cases: int | None
    findings: tuple[Finding, ...]
    mapping: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """As ``TestSet.mapping``."""
    files: dict[str, int] = field(default_factory=dict)
    """As ``TestSet.counts``."""


def lint(repo: Path, paths: tuple[Path, ...], *, output_format: str) -> Exit:
    """Prints the findings for the test sets on disk. Exits with 1 if there is any.

    Raises UsageError if there is no test set to read.
    """
    found = [_of_file(path) for path in paths] if paths else list(_of_lineages(repo))
    if output_format == "json":
        document = [
            {
                "path": one.path,
                "cases": one.cases,
                "files": one.files,
                "mapping": one.mapping,
                "findings": [finding.model_dump() for finding in one.findings],
            }
            for one in found
        ]
        put(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        from engine.render.encode import log_line
        from engine.render.figures import plural

        for one in found:
            size = "can't be read" if one.cases is None else plural(one.cases, "case")
            said = plural(len(one.findings), "finding") if one.findings else "no finding"
            put(log_line(f"{one.path}: {size}, {said}") + "\n")
            if one.files:
                put(log_line(f"  {files_read(one.files)}") + "\n")
            if one.mapping:
                put(log_line(f"  {columns_read(one.mapping)}") + "\n")
            for finding in one.findings:
                put(log_line(f"  {finding}") + "\n")
    return Exit.BLOCKED if any(one.findings for one in found) else Exit.PASS


def _of_file(path: Path) -> Linted:
    try:
        tests = read_tests([str(path)], Folder(Path()))
    except SourceError as error:
        return Linted(str(path), None, (_finding(error),))
    return Linted(str(path), len(tests.cases), lint_tests(tests), tests.mapping, tests.counts)


def _of_lineages(repo: Path) -> Iterator[Linted]:
    """Reads the test set of every prompt, from its file or inline. An unreadable one does not hide the others."""
    for folder, name, lineage in _lineages(repo):
        prompt: PromptFile | None = None
        unreadable: tuple[Finding, ...] = ()
        try:
            prompt = read_reference(reference_of(lineage.prompt), folder, lineage.template)
        except SourceError as error:
            unreadable = (_finding(error),)
        path = ", ".join(lineage.test_paths) or str(lineage.prompt)
        if prompt is None and not lineage.tests:
            yield Linted(path, None, unreadable)
            continue
        try:
            tests = _tests(folder, name, lineage, prompt)
        except (SourceError, UsageError) as error:
            yield Linted(path, None, (_finding(error), *unreadable))
            continue
        inputs = {name for case in tests.cases for name in case.inputs}
        filled = settled([prompt], inputs, static=lineage.static) if prompt else []
        wanted = frozenset(name for each in filled for name in variables_of(each) if name not in each.defaults)
        findings = (*unreadable, *lint_tests(tests, lineage, variables=wanted))
        yield Linted(path, len(tests.cases), findings, tests.mapping, tests.counts)


def _tests(folder: Folder, name: str, lineage: LineageConfig, prompt: PromptFile | None = None) -> TestSet:
    """Returns the prompt's test set: its files, else the inline cases."""
    if lineage.test_paths:
        return read_tests(lineage.test_paths, folder, lineage.columns, key=f"lineages.{name}.tests")
    return without_unverified(
        inline_test_set(prompt or read_reference(reference_of(lineage.prompt), folder, lineage.template))
    )


def _finding(error: SourceError | UsageError) -> Finding:
    return Finding(what=error.what, where=error.where, hint=error.hint)


def configured_tests(repo: Path, paths: tuple[Path, ...]) -> list[tuple[TestSet, LineageConfig | None]]:
    """Returns the named test sets, else those of the worktree's configuration, including inline ones.

    Raises SourceError for an unreadable one, and UsageError if there is none.
    """
    if paths:
        here = Folder(Path())
        return [(read_tests([str(path)], here), None) for path in paths]
    return [(_tests(folder, name, lineage), lineage) for folder, name, lineage in _lineages(repo)]


def _lineages(repo: Path) -> list[tuple[Folder, str, LineageConfig]]:
    root = open_repository(repo).worktree_root()
    for name in CONFIG_NAMES:
        if (root / name).is_file():
            config = read_config(name, (root / name).read_bytes())
            if not config.lineages:
                raise UsageError(f"{name} has no lineage", hint="add one under lineages:")
            return [(Folder(root), key, lineage) for key, lineage in config.lineages.items()]
    raise UsageError(
        "no test set to check",
        hint="name files, or let promptverdict init write promptverdict.yaml",
    )
