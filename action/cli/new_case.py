"""``promptverdict tests add``: turns a failure into a case of the test set."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from action.cli.test_file import TestFile, file_for_new, lineage_in
from action.exits import Exit
from schemas.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pydantic import JsonValue

    from action.cli.test_file import LocalLineage
    from schemas.testsets import TestSet


@dataclass(frozen=True)
class NewCaseOptions:
    """The options of the command. Exactly one of ``given``, ``sets`` and ``trace`` has the inputs."""

    repo: Path
    lineage: str
    given: str | None
    """The only input, or a JSON map of several."""
    sets: Mapping[str, str]
    """Inputs by name."""
    trace: tuple[str, str] | None
    """The path and the text of an export in OTLP/JSON."""
    span: str | None
    expected: str | None
    slices: Sequence[str]
    same_as: str | None
    mask: bool
    write: bool


def new_case(options: NewCaseOptions) -> Exit:
    """Prints the patch that adds the case, or writes it. Raises PromptVerdictError."""
    found = lineage_in(options.repo, options.lineage)
    tests = found.tests
    from engine.new_cases.draft import check_label, draft, expected_value
    from engine.new_cases.masking import UNSEEN
    from engine.render.encode import log_line
    from engine.test_edits.patches import add

    inputs = _inputs(options, found)
    text = options.expected
    if text is None and options.same_as is None:
        text = _asked("What should the answer have been? ") or None
    expected = None if text is None else expected_value(text, tests.cases)
    if expected is None and options.same_as is None and any(case.expected is not None for case in tests.cases):
        raise UsageError("the case has no expectation", hint="--expected TEXT says what the answer should have been")
    check_label(expected, found.change.config)
    slices = options.slices or _slice(inputs, tests)
    made = draft(inputs, expected=expected, slices=slices, same_as=options.same_as, mask=options.mask)
    if made.masked:
        sys.stderr.write(log_line(f"masked: {made.masked}. {UNSEEN}.") + "\n")
    file = TestFile(found.root, file_for_new(tests))
    others = (*tests.cases, *tests.unverified)
    patch = add(file.name, file.data(), made.row, columns=found.change.config.columns, others=others)
    file.apply(patch, "added 1 case", write=options.write)
    return Exit.PASS


def _inputs(options: NewCaseOptions, local: LocalLineage) -> dict[str, JsonValue]:
    from engine.new_cases.draft import input_names, inputs_of, json_or_text

    if options.trace is not None:
        from action.cli.trace_input import inputs_from

        return inputs_from(local, *options.trace, options.span)
    if options.given is not None:
        return inputs_of(options.given, input_names(local.tests))
    texts = {name for case in local.tests.cases for name, value in case.inputs.items() if isinstance(value, str)}
    return {name: text if name in texts else json_or_text(text) for name, text in options.sets.items()}


def _slice(inputs: Mapping[str, JsonValue], tests: TestSet) -> list[str]:
    """Returns the slice that the person confirms. Without a terminal, the suggestion is only shown."""
    from engine.new_cases.draft import suggested_slice
    from engine.render.encode import log_line

    found = suggested_slice(inputs, tests)
    if found is None:
        return [name] if (name := _asked("Its slice, if any: ")) else []
    why = log_line(f"suggested slice: {found.slice} ({found.source}: {found.why})")
    answer = _asked(f"{why}\nIts slice [{log_line(found.slice)}], or - for none: ")
    if answer is None:
        sys.stderr.write(f"{why}. The case has no slice yet; set one with --slice.\n")
        return []
    return [] if answer == "-" else [answer or found.slice]


def _asked(question: str) -> str | None:
    """Returns what the person types; ``None`` without a terminal."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()
