"""What our check is called on a commit. Pure.

GitHub keeps a check with the commit, not with the pull request: a success that was measured against one base still
stands there when the same head goes to another. So the name that a ruleset requires is only used for bases that the
ruleset guards; on every other base the name says which base it is about.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.render.encode import excerpt, visible
from schemas.values import digest_of

NAME = "prompt-verdict"
"""What rulesets require."""
LONGEST_BASE = 60
"""Characters of a branch's name that are shown."""


def check_name(base_ref: str, default_branch: str, requires: Callable[[str], bool]) -> str:
    """Returns the name of the check for a pull request to ``base_ref``.

    ``requires`` tells whether a branch can't be merged into without ``NAME``. It is asked only for branches that are
    not the default.
    """
    if base_ref == default_branch or requires(base_ref):
        return NAME
    shown = "".join(
        letter if ord(letter) < 0x10000 else "?" for letter in visible(excerpt(base_ref, LONGEST_BASE).text)
    )
    mark = "" if shown == base_ref else f" {digest_of(base_ref)[:8]}"
    return f"{NAME} ({shown}{mark})"


def is_ours(name: str) -> bool:
    """Returns whether a check is called as ours is, for whatever base."""
    return name == NAME or name.startswith(f"{NAME} (")
