"""Finds changes of ``.gitattributes`` that let git write other bytes into a checkout than a commit holds."""

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
"""Attributes that change or leave out content. Attributes for line ends and diffs are harmless."""
MACRO = "[attr]"
NAMED = 3


def attribute_reasons(sides: Sides) -> Iterator[Reason]:
    """Yields a reason for each changed file in which lines that may rewrite a text file were added or removed."""
    for path in sorted(path for path in sides.changes.touched if path.rpartition("/")[2] == NAME):
        before, after = (list(_rewriting(files, path)) for files in (sides.base, sides.merged))
        if before != after:
            # With equal sets only the order differs, and later lines win over earlier ones.
            differing = sorted({*before} ^ {*after}) or after
            listed = "; ".join(f"`{shown(line.replace('`', chr(39)))}`" for line in differing[:NAMED])
            yield approval(
                ReasonCode.UNMEASURED,
                f"{shown(path)} changes what git writes into a checkout ({listed}). That content was not measured.",
            )


def _rewriting(files: Files, path: str) -> Iterator[str]:
    """Yields the lines that give such an attribute to a text file or a macro. An unreadable file yields one line."""
    if files.entry(path) is None:
        return
    if path not in files:
        # One fixed line: two unreadable versions are equal, and a readable version differs from it.
        yield "can't be read"
        return
    # Only the top file may define macros, but any file below may use them.
    rewriting = REWRITING | _macros(files.get(NAME, b""))
    for words in _lines(files[path]):
        if rewriting & {_attribute(word) for word in words[1:]} and _may_be_text(words[0]):
            yield " ".join(words)


def _macros(top: bytes) -> set[str]:
    """Returns the macros of the top file that include such an attribute."""
    return {
        words[0].removeprefix(MACRO)
        for words in _lines(top)
        if words[0].startswith(MACRO) and REWRITING & {_attribute(word) for word in words[1:]}
    }


def _lines(raw: bytes) -> Iterator[list[str]]:
    lines = raw.decode("utf-8", "replace").splitlines()
    return (line.split() for line in lines if line.strip() and not line.startswith("#"))


def _attribute(word: str) -> str:
    # Unsetting an attribute matters as much as setting it, so the sign is dropped.
    return word.lstrip("-!").partition("=")[0]


def _may_be_text(pattern: str) -> bool:
    """Returns whether a pattern may match a prompt, partial or test set. Only plain patterns for other file types
    don't."""
    ending = "." + pattern.rstrip('"').rpartition(".")[2]
    plain = "." in pattern and ending[1:].isalnum()
    return not plain or ending.lower() in (*PART_SUFFIXES, *TEST_SUFFIXES)
