"""Chooses the name of our check on a commit. Pure.

GitHub keeps a check with the commit, not with the pull request. A success against one base therefore remains if the
same head is merged into another. So the name that a ruleset requires is only used for bases that the ruleset guards.
For any other base, the name includes that base.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.render.encode import excerpt, visible
from schemas.values import digest_of

NAME = "prompt-verdict"
"""The name that rulesets require."""
LONGEST_BASE = 60
"""Most characters of a branch's name that are shown."""


def check_name(base_ref: str, default_branch: str, requires: Callable[[str], bool]) -> str:
    """Returns the name of the check for a pull request to ``base_ref``.

    ``requires`` returns whether a branch requires ``NAME`` before a merge. It is called only for branches other than
    the default.
    """
    if base_ref == default_branch or requires(base_ref):
        return NAME
    # GitHub refuses characters of four bytes in the short texts of a status.
    shown = "".join(
        letter if ord(letter) < 0x10000 else "?" for letter in visible(excerpt(base_ref, LONGEST_BASE).text)
    )
    # Two long branch names may look alike once they are cut. The digest tells them apart.
    mark = "" if shown == base_ref else f" {digest_of(base_ref)[:8]}"
    return f"{NAME} ({shown}{mark})"


def is_ours(name: str) -> bool:
    """Returns whether a check has one of our names, for any base."""
    return name == NAME or name.startswith(f"{NAME} (")
