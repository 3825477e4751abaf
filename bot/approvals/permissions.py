"""Who may use which command. Closed by default. Pure.

The role is what GitHub's permission endpoint says at that time, never a field of a payload: ``author_association`` is a
relationship, not a permission. A role that can't be read is ``none``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from schemas.host import Role
from schemas.values import Value


class Origin(StrEnum):
    """The origin of the pull request's head."""

    SAME_REPOSITORY = "same repository"
    FORK = "fork"


class Permitted(Value):
    """The command may be executed."""


class Refused(Value):
    """The command may not be executed."""

    sentence: str
    """The reason, for the person who asked."""


@dataclass(frozen=True)
class Rule:
    """Who may use a command."""

    least: Role
    """The lowest role that may."""
    author: bool = True
    """Whether people who took part in the pull request may."""
    origins: frozenset[Origin] = frozenset(Origin)
    """The pull requests that it may be used on."""


_ORDER = tuple(Role)
_WRONG_ORIGIN = {
    Origin.SAME_REPOSITORY: "This pull request is not from a fork: it is measured without an approval.",
    Origin.FORK: "This pull request comes from a fork. Use `{}` on a pull request from this repository.",
}


def at_least(role: Role, least: Role) -> bool:
    """Returns whether ``role`` includes all permissions of ``least``."""
    return _ORDER.index(role) >= _ORDER.index(least)


def may(verb: str, rule: Rule, role: Role, origin: Origin, *, author: bool) -> Permitted | Refused:
    """Decides whether a person with ``role`` may use the command ``verb`` on a pull request of this ``origin``.

    ``author``: the person opened it, committed to it or pushed to it. The role is checked first, so that a person
    without rights learns nothing else.
    """
    if not at_least(role, rule.least):
        had = "your role can't be read" if role is Role.NONE else f"yours is {role.value}"
        return Refused(sentence=f"`{verb}` needs the role {rule.least.value} or higher in this repository; {had}.")
    if origin not in rule.origins:
        return Refused(sentence=_WRONG_ORIGIN[origin].format(verb))
    if author and not rule.author:
        took_part = "You opened this pull request, committed to it or pushed to it"
        return Refused(sentence=f"{took_part}. Another person has to approve it.")
    return Permitted()
