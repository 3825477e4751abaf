"""Who may command what: one table, closed by default. Pure.

The role is what GitHub's permission endpoint says at the time, never what a payload says (``author_association`` is a
relationship, not a permission); where it can't be told it is ``none``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from schemas.host import Role
from schemas.values import Value


class Action(StrEnum):
    """What a person may want."""

    HELP = "help"
    EXPLAIN = "explain"
    PROTECT = "protect"
    ADD_CASE = "add-case"
    RERUN = "rerun"
    APPROVE = "approve"
    APPROVE_RUN = "approve-run"
    REVIEW = "review"
    """Accept, by an approving review, what a review may accept."""


class Origin(StrEnum):
    """Where the pull request's head lies."""

    SAME_REPOSITORY = "same repository"
    FORK = "fork"


class Permitted(Value):
    """Yes."""


class Refused(Value):
    """No, and why, in a sentence for whoever asked."""

    sentence: str


@dataclass(frozen=True)
class _Rule:
    """``least``: the lowest role that may. ``author``: whether people who took part may. ``origins``: where."""

    least: Role
    author: bool = True
    origins: frozenset[Origin] = frozenset(Origin)


_TABLE = {
    Action.HELP: _Rule(Role.NONE),
    Action.EXPLAIN: _Rule(Role.READ),
    Action.PROTECT: _Rule(Role.READ),  # a patch in a comment: whoever may commit it decides
    Action.ADD_CASE: _Rule(Role.READ),
    Action.RERUN: _Rule(Role.WRITE),  # it may cost money
    Action.APPROVE: _Rule(Role.WRITE, author=False),
    Action.APPROVE_RUN: _Rule(Role.WRITE, origins=frozenset({Origin.FORK})),
    Action.REVIEW: _Rule(Role.WRITE, author=False),
}
_ORDER = tuple(Role)


def at_least(role: Role, least: Role) -> bool:
    """Whether ``role`` includes what ``least`` may do."""
    return _ORDER.index(role) >= _ORDER.index(least)


def may(action: Action, role: Role, origin: Origin, *, author: bool) -> Permitted | Refused:
    """Whether somebody with ``role`` may do this to a pull request of this ``origin``.

    ``author``: they opened it, committed to it or pushed to it. A person who has no right at all learns only that.
    """
    rule = _TABLE[action]
    if not at_least(role, rule.least):
        needed = f"the role {rule.least.value} or higher in this repository"
        had = "yours can't be told" if role is Role.NONE else f"yours is {role.value}"
        return Refused(sentence=f"`{action.value}` needs {needed}; {had}.")
    if origin not in rule.origins:
        return Refused(sentence="This pull request isn't from a fork: it is measured without an approval.")
    if author and not rule.author:
        took_part = "You opened this pull request, committed to it or pushed to it"
        return Refused(sentence=f"{took_part}: somebody else has to accept it.")
    return Permitted()
