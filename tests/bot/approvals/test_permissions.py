"""Who may use which command: every cell of (role × command × origin × author)."""

import itertools

import pytest

from bot.approvals.permissions import Origin, Permitted, Refused, Rule, at_least, may
from bot.commands.catalog import COMMANDS
from schemas.host import Role

EVERYBODY = {"none", "read", "triage", "write", "maintain", "admin"}
READERS = EVERYBODY - {"none"}
WRITERS = {"write", "maintain", "admin"}
MAINTAINERS = {"maintain", "admin"}
NOBODY: set[str] = set()

# command: who may, for (same repository, somebody else), (same, author), (fork, somebody else), (fork, author)
SPELLED_OUT = {
    "help": (EVERYBODY, EVERYBODY, EVERYBODY, EVERYBODY),
    "explain": (READERS, READERS, READERS, READERS),
    "protect": (READERS, READERS, READERS, READERS),
    "add-case": (READERS, READERS, READERS, READERS),
    "rerun": (WRITERS, WRITERS, WRITERS, WRITERS),
    "blame": (READERS, READERS, READERS, READERS),
    "approve": (WRITERS, NOBODY, WRITERS, NOBODY),
    "approve-run": (NOBODY, NOBODY, WRITERS, WRITERS),
    "promote": (MAINTAINERS,) * 4,
    "promote-anyway": (MAINTAINERS,) * 4,
    "rollback": (MAINTAINERS,) * 4,
    "tags": (READERS,) * 4,
    "suggest": (WRITERS, WRITERS, NOBODY, NOBODY),
    "cancel-suggest": (WRITERS,) * 4,
}
CELLS = list(itertools.product(Role, COMMANDS, Origin, (False, True)))


def test_the_table_names_every_command_and_role():
    assert set(SPELLED_OUT) == {command.verb for command in COMMANDS}
    assert {role.value for role in Role} == EVERYBODY
    assert len(CELLS) == 6 * 14 * 2 * 2


@pytest.mark.parametrize(("role", "command", "origin", "author"), CELLS)
def test_every_cell(role, command, origin, author):
    column = 2 * (origin is Origin.FORK) + author
    decision = may(command.verb, command.rule, role, origin, author=author)
    if role.value in SPELLED_OUT[command.verb][column]:
        assert decision == Permitted()
    else:
        assert isinstance(decision, Refused)
        assert decision.sentence.endswith(".")


def test_a_higher_role_may_all_that_a_lower_one_may():
    for low, high in itertools.combinations(Role, 2):
        assert at_least(high, low)
        assert not at_least(low, high)
        for command, origin, author in itertools.product(COMMANDS, Origin, (False, True)):
            if isinstance(may(command.verb, command.rule, low, origin, author=author), Permitted):
                assert isinstance(may(command.verb, command.rule, high, origin, author=author), Permitted)


def test_who_has_no_role_is_told_that_it_cant_be_read():
    refused = may("approve", Rule(Role.WRITE, author=False), Role.NONE, Origin.FORK, author=True)
    assert refused == Refused(
        sentence="`approve` needs the role write or higher in this repository; your role can't be read."
    )
