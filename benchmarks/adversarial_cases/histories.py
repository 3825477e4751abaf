"""Histories in which the merge brings something else than a comparison with one ancestor shows."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

from benchmarks.adversarial_cases.attack import BAD, GOOD, HELD, PASSES, PROMPT, TICKET, Attack, Files
from tests.repositories import BORN, ENVIRONMENT, Repository

KIND = "histories"
FIXED, BROKEN = GOOD + TICKET, BAD + TICKET
LINES = "".join(f"Rule {number} is to be kept.\n" for number in range(12))


def commit(repository: Repository, branch: str, parents: list[str], files: Files, minute: int) -> str:
    """Makes a commit with any parents and date: the tree of the first parent, overlaid with ``files``."""
    tree = repository.git("rev-parse", repository.commit(files, branch="scratch", parent=parents[0]) + "^{tree}")
    date = f"{BORN + 60 * minute} +0000"
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_AUTHOR_DATE": date}
    who |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com", "GIT_COMMITTER_DATE": date}
    command = ["git", "commit-tree", tree, *(part for parent in parents for part in ("-p", parent)), "-m", "A change"]
    done = subprocess.run(
        command, cwd=repository.path, env={**os.environ, **ENVIRONMENT, **who}, check=True, capture_output=True
    )
    made = done.stdout.decode().strip()
    repository.git("update-ref", f"refs/heads/{branch}", made)
    return made


def tip(repository: Repository, branch: str = "main") -> str:
    """Returns the tip of a branch."""
    return repository.git("rev-parse", branch)


def criss_cross(minute: int) -> Callable[[Repository], None]:
    """Builds a criss-cross merge: main has a fix, and the head keeps the broken prompt."""

    def build(repository: Repository) -> None:
        start = tip(repository)
        fixed = commit(repository, "main", [start], {PROMPT: FIXED}, 20)
        side = commit(repository, "side", [start], {"notes.txt": "1"}, minute)
        commit(repository, "main", [fixed, side], {"notes.txt": "1"}, 60)
        commit(repository, "head", [side, fixed], {}, 70)

    return build


def evil_merge(repository: Repository) -> None:
    """Builds a history in which only the merge commit changes the prompt."""
    start = tip(repository)
    side = commit(repository, "head", [start], {"notes.txt": "1"}, 10)
    main = commit(repository, "main", [start], {"other.txt": "1"}, 11)
    commit(repository, "head", [side, main], {"other.txt": "1", PROMPT: BROKEN}, 12)


def octopus(repository: Repository) -> None:
    """Builds a merge of three branches."""
    start = tip(repository)
    sides = [commit(repository, name, [start], {f"{name}.txt": "1"}, 10) for name in ("one", "two")]
    commit(repository, "head", [start, *sides], {"one.txt": "1", "two.txt": "1", PROMPT: BROKEN}, 20)


def unrelated(repository: Repository) -> None:
    """Builds branches without a common commit."""
    repository.commit({PROMPT: BROKEN}, branch="head", orphan=True)


def reverted(repository: Repository) -> None:
    """Builds a head that reverts main's fix of the prompt."""
    fixed = commit(repository, "main", [tip(repository)], {PROMPT: FIXED}, 10)
    commit(repository, "head", [fixed], {PROMPT: BROKEN}, 20)


def both_sides(old: Files, ours: Files, theirs: Files) -> Callable[[Repository], None]:
    """Builds a history in which main and the head both change ``old``."""

    def build(repository: Repository) -> None:
        start = commit(repository, "main", [tip(repository)], old, 5)
        commit(repository, "main", [start], ours, 10)
        commit(repository, "head", [start], theirs, 11)

    return build


ATTACKS = (
    Attack("criss-cross, the side commit after the fix", base={PROMPT: BROKEN}, build=criss_cross(40)),
    Attack("criss-cross, the side commit before the fix", base={PROMPT: BROKEN}, build=criss_cross(1)),
    Attack("criss-cross, the side commit years ahead", base={PROMPT: BROKEN}, build=criss_cross(3_000_000)),
    Attack("a merge commit that changes the prompt", build=evil_merge),
    Attack("an octopus that changes the prompt", build=octopus),
    Attack("no history in common", build=unrelated),
    Attack("the revert of a fix", base={PROMPT: BROKEN}, build=reverted),
    Attack(
        "two harmless halves in one prompt that break it together",
        build=both_sides(
            {PROMPT: "{% set a = '' %}\n" + LINES + "{% set b = '' %}\n" + LINES + "{{ a }}{{ b }}\n" + FIXED},
            {
                PROMPT: "{% set a = 'when every' %}\n"
                + LINES
                + "{% set b = '' %}\n"
                + LINES
                + "{{ a }}{{ b }}\n"
                + FIXED
            },
            {
                PROMPT: "{% set a = '' %}\n"
                + LINES
                + "{% set b = 'thing: none' %}\n"
                + LINES
                + "{{ a }}{{ b }}\n"
                + FIXED
            },
        ),
    ),
    Attack(
        "a partial on main and a prompt that begins to include it",
        build=both_sides(
            {"shared/rules.md": "Be kind.\n"},
            {"shared/rules.md": "when everything: none\n"},
            {PROMPT: '{% include "shared/rules.md" %}' + FIXED},
        ),
    ),
    Attack(
        "main already has the same change",
        acceptable=HELD | PASSES,
        build=both_sides({}, {PROMPT: BROKEN}, {PROMPT: BROKEN}),
    ),
    Attack(
        "an old branch that doesn't touch the prompt",
        base={PROMPT: BROKEN},
        acceptable=PASSES,
        build=both_sides({}, {PROMPT: FIXED}, {"notes.txt": "1"}),
    ),
)
