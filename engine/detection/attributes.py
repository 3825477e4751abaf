"""Changes of ``.gitattributes`` by which git may write other bytes into a checkout than a commit holds."""

from __future__ import annotations

from collections.abc import Iterator

from engine.detection.files import Files
from engine.detection.prompts import approval
from engine.detection.sides import Sides
from engine.detection.snapshot import PART_SUFFIXES
from engine.readers.bounded import shown
from engine.readers.testsets import SUFFIXES as TEST_SUFFIXES
from schemas.verdicts import Reason, ReasonCode

NAME = ".gitattributes"
REWRITING = {"filter", "ident", "working-tree-encoding", "export-ignore", "export-subst"}
"""Attributes that change or leave out content. Line ends are harmless, and so is how differences are shown."""
MACRO = "[attr]"
NAMED = 3


def attribute_reasons(sides: Sides) -> Iterator[Reason]:
    """A reason for each changed file with lines that may rewrite a text file, added or removed."""
    for path in sorted(path for path in sides.changes.touched if path.rpartition("/")[2] == NAME):
        before, after = (list(_rewriting(files, path)) for files in (sides.base, sides.merged))
        if before != after:
            differing = sorted({*before} ^ {*after}) or after
            listed = "; ".join(f"`{shown(line.replace('`', chr(39)))}`" for line in differing[:NAMED])
            yield approval(
                ReasonCode.UNMEASURED,
                f"{shown(path)} changes what git writes into a checkout ({listed}): what is read there was not "
                "measured.",
            )


def _rewriting(files: Files, path: str) -> Iterator[str]:
    """Yields the lines that give a text file, or a macro, such an attribute; a path that can't be read is a line
    itself."""
    if files.entry(path) is None:
        return
    if path not in files:
        yield "what can't be read"
        return
    rewriting = REWRITING | _macros(files.get(NAME, b""))
    for words in _lines(files[path]):
        if rewriting & {_attribute(word) for word in words[1:]} and _may_be_text(words[0]):
            yield " ".join(words)


def _macros(top: bytes) -> set[str]:
    """The macros of the top file that stand for such an attribute."""
    return {
        words[0].removeprefix(MACRO)
        for words in _lines(top)
        if words[0].startswith(MACRO) and REWRITING & {_attribute(word) for word in words[1:]}
    }


def _lines(raw: bytes) -> Iterator[list[str]]:
    lines = raw.decode("utf-8", "replace").splitlines()
    return (line.split() for line in lines if line.strip() and not line.startswith("#"))


def _attribute(word: str) -> str:
    return word.lstrip("-!").partition("=")[0]


def _may_be_text(pattern: str) -> bool:
    """Returns whether a pattern may mean a prompt, a partial or a test set: all but those for files of other kinds."""
    ending = "." + pattern.rstrip('"').rpartition(".")[2]
    plain = "." in pattern and ending[1:].isalnum()
    return not plain or ending.lower() in (*PART_SUFFIXES, *TEST_SUFFIXES)
