"""``promptverdict import promptfoo``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from action.cli.folder import Folder
from action.cli.init import WORKFLOW, new_workflow, provider_of
from action.cli.local import CONFIG, open_repository
from action.cli.streams import put
from action.exits import Exit
from engine.commands.init_models import chosen_models
from engine.commands.promptfoo_config import RUBRIC_TEXT, import_cases, import_config
from engine.commands.promptfoo_import import Imported, imported
from engine.readers.config import read_config
from engine.readers.test_files import read_tests
from engine.readers.test_source import GivenFiles
from engine.render.encode import log_line
from engine.render.figures import plural
from schemas.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

NAMES = ("promptfooconfig.yaml", "promptfooconfig.yml", "promptfooconfig.json")
CASES, RUBRIC = "promptverdict.cases.jsonl", "promptverdict.rubric.yaml"


def import_promptfoo(repo: Path, path: str | None, *, dry_run: bool, action: str) -> Exit:
    """Writes configuration, test set and workflow, never over an existing file. The workflow may exist already.

    ``path`` names promptfoo's configuration, ``action`` the repository that releases the Action. Raises UsageError if
    there is no such file, if it has no case or no prompt to import, or if a file to write exists.
    """
    repository = open_repository(repo)
    root = repository.worktree_root()
    folder = Folder(root)
    found = imported(_path(root, folder, path), folder)
    beside = found.path.rpartition("/")[0]
    cases, rubric = (f"{beside}/{name}".lstrip("/") for name in (CASES, RUBRIC))
    fallback = next(iter(chosen_models((), os.environ)[0].values()))
    texts = {CONFIG: import_config(found, cases, rubric, fallback), cases: import_cases(found)}
    if found.judged:
        texts[rubric] = RUBRIC_TEXT
    if not dry_run:
        _refuse_existing(root, texts)
    # What is written must be what was read.
    read_config(CONFIG, texts[CONFIG].encode())
    if found.cases and found.prompts:
        read_tests([cases], GivenFiles({cases: texts[cases].encode()}))
    if not (root / WORKFLOW).exists():
        providers = [model.provider for model in found.models.values()] or [provider_of(fallback)]
        texts[WORKFLOW] = new_workflow(repository, "short", action, providers)
    for line in _said(found):
        sys.stderr.write(log_line(line) + "\n")
    if not found.cases or not found.prompts:
        what = "case" if not found.cases else "prompt"
        raise UsageError(
            f"no {what} can be imported, so nothing was written",
            where=found.path,
            hint="promptverdict init looks for prompts and test sets in all files",
        )
    _write(root, texts, dry_run=dry_run)
    return Exit.PASS


def _refuse_existing(root: Path, names: Iterable[str]) -> None:
    """Raises UsageError if a file exists."""
    for name in names:
        if (root / name).exists():
            raise UsageError(
                f"{name} exists already", hint="move it away, or use --dry-run to see what would be written"
            )


def _write(root: Path, texts: Mapping[str, str], *, dry_run: bool) -> None:
    """Writes the files, or prints them."""
    for name, text in texts.items():
        if dry_run:
            put(f"# --- {name}\n{text}")
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
            sys.stderr.write(f"wrote {name}\n")
    sys.stderr.write(
        "next: run the command without --dry-run to write these files\n"
        if dry_run
        else "next: run promptverdict tests lint, then promptverdict score, which shows today's scores; commit and "
        "merge the files\n"
    )


def _path(root: Path, folder: Folder, path: str | None) -> str:
    """Returns the path of promptfoo's configuration in the repository. Raises UsageError if there is none."""
    if path is None:
        named = next((name for name in NAMES if name in folder), None)
        if named is None:
            raise UsageError("there is no promptfooconfig.yaml here", hint="name the file")
        return named
    given = (root / path) if path in folder else root.cwd() / path
    if not given.is_file() or not given.resolve().is_relative_to(root.resolve()):
        raise UsageError(f"{path} is no file of this repository", hint="check the path")
    return given.resolve().relative_to(root.resolve()).as_posix()


def _said(found: Imported) -> Iterator[str]:
    """Yields what is imported, and every single thing that is not."""
    prompts, models = (", ".join(names) or "none" for names in (found.prompts, found.models))
    yield f"imported: {plural(len(found.cases), 'case')}; prompts: {prompts}; models: {models}"
    if found.noted:
        judge = "the rubric and the judge in the configuration grade" if found.judged else "no judge reads"
        yield f"{judge} the notes of {plural(found.noted, 'case')} (llm-rubric and its like)"
    for finding in found.left_out:
        yield str(finding)
