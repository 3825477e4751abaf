"""Who may command what: every cell of (role × action × origin × author)."""

import itertools

import pytest

from bot.approvals.permissions import Action, Origin, Permitted, Refused, at_least, may
from schemas.host import Role

EVERYBODY = {"none", "read", "triage", "write", "maintain", "admin"}
READERS = EVERYBODY - {"none"}
WRITERS = {"write", "maintain", "admin"}
NOBODY: set[str] = set()

# action: who may, for (same repository, somebody else), (same, author), (fork, somebody else), (fork, author)
SPELLED_OUT = {
    "help": (EVERYBODY, EVERYBODY, EVERYBODY, EVERYBODY),
    "explain": (READERS, READERS, READERS, READERS),
    "protect": (READERS, READERS, READERS, READERS),
    "add-case": (READERS, READERS, READERS, READERS),
    "rerun": (WRITERS, WRITERS, WRITERS, WRITERS),
    "approve": (WRITERS, NOBODY, WRITERS, NOBODY),
    "approve-run": (NOBODY, NOBODY, WRITERS, WRITERS),
    "review": (WRITERS, NOBODY, WRITERS, NOBODY),
}
CELLS = list(itertools.product(Role, Action, Origin, (False, True)))


def test_the_table_names_every_action_role_and_origin():
    assert set(SPELLED_OUT) == {action.value for action in Action}
    assert {role.value for role in Role} == EVERYBODY
    assert len(CELLS) == 6 * 8 * 2 * 2


@pytest.mark.parametrize(("role", "action", "origin", "author"), CELLS)
def test_every_cell(role, action, origin, author):
    column = 2 * (origin is Origin.FORK) + author
    decision = may(action, role, origin, author=author)
    if role.value in SPELLED_OUT[action.value][column]:
        assert decision == Permitted()
    else:
        assert isinstance(decision, Refused)
        assert decision.sentence.endswith(".")


def test_a_higher_role_may_all_that_a_lower_one_may():
    for low, high in itertools.combinations(Role, 2):
        assert at_least(high, low)
        assert not at_least(low, high)
        for action, origin, author in itertools.product(Action, Origin, (False, True)):
            if isinstance(may(action, low, origin, author=author), Permitted):
                assert isinstance(may(action, high, origin, author=author), Permitted)


def test_who_has_no_role_is_told_that_it_cant_be_told():
    refused = may(Action.APPROVE, Role.NONE, Origin.FORK, author=True)
    assert refused == Refused(
        sentence="`approve` needs the role write or higher in this repository; yours can't be told."
    )
