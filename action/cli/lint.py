"""``promptverdict tests lint``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from action.cli.local import open_repository
from action.cli.streams import put
from action.exits import Exit
from engine.lint import lint_tests
from engine.readers.config import read_config
from engine.readers.testsets import read_test_set
from schemas.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.config import LineageConfig
    from schemas.prompts import Finding
    from schemas.testsets import TestSet

CONFIG_NAMES = ("promptverdict.yaml", ".github/promptverdict.yaml")


def lint(repo: Path, paths: tuple[Path, ...], *, output_format: str) -> Exit:
    """Prints what is wrong with the test sets on disk; exit 1 when there is anything.

    Raises SourceError for a test set that can't be read, UsageError when there is none to read.
    """
    found: list[tuple[str, int, tuple[Finding, ...]]] = []
    for tests, lineage in configured_tests(repo, paths):
        found.append((tests.path, len(tests.cases), (*tests.warnings, *lint_tests(tests, lineage))))
    total = sum(len(findings) for _, _, findings in found)
    if output_format == "json":
        document = [
            {"path": path, "cases": cases, "findings": [finding.model_dump() for finding in findings]}
            for path, cases, findings in found
        ]
        put(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        from engine.render.encode import log_line

        for path, cases, findings in found:
            put(log_line(f"{path}: {cases} cases, {len(findings) or 'no'} finding(s)") + "\n")
            for finding in findings:
                put(log_line(f"  {finding}") + "\n")
    return Exit.BLOCKED if total else Exit.PASS


def configured_tests(repo: Path, paths: tuple[Path, ...]) -> list[tuple[TestSet, LineageConfig | None]]:
    """The named test sets, else those of the worktree's configuration. Raises UsageError when there is none."""
    if paths:
        return [(read_test_set(str(path), _bytes(path)), None) for path in paths]
    root = open_repository(repo).worktree_root()
    for name in CONFIG_NAMES:
        if (root / name).is_file():
            config = read_config(name, (root / name).read_bytes())
            return [
                (read_test_set(lineage.tests, _bytes(root / lineage.tests)), lineage)
                for lineage in config.lineages.values()
                if lineage.tests
            ]
    raise UsageError(
        "no test set to look at",
        mend="name files, or write promptverdict.yaml (promptverdict init)",
    )


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise UsageError(f"{path} is not a file", mend="check the path")
    return path.read_bytes()
