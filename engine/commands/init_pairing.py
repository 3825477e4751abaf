"""Pairs prompts with test sets for ``promptverdict init``, and infers how the answers are scored."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from itertools import chain, count
from posixpath import commonprefix
from typing import NamedTuple

from pydantic import JsonValue

from engine.commands.init_search import CALLED_TESTS, FoundPrompt
from engine.commands.init_use_case import labels_of, use_case_of
from engine.readers.file_patterns import matches
from engine.readers.guess import INPUT
from schemas.errors import SourceError
from schemas.field_config import FieldRule
from schemas.prompts import PromptFile
from schemas.references import PromptParts, reference_of
from schemas.testsets import Columns, TestSet
from schemas.use_cases import UseCase
from schemas.values import Value

_WORDLESS = frozenset({
    "prompt", "prompts", "system", "user", "message", "template", "test", "tests", "case", "eval", "evals", "data",
    "dataset", "input", "inputs", "output", "text", "src", "app", "lib", "config", "example", "golden", "txt",
    "yml", "yaml", "json", "jsonl", "csv", "tsv",
})  # fmt: skip
"""Words in paths and names that don't tell prompts apart."""
_GENERIC = frozenset({
    "content", "data", "date", "description", "email", "id", "input", "name", "text", "title", "type", "url", "user",
    "value",
})  # fmt: skip
"""Names of variables that columns of any table may have."""
_MODEL_BESIDE = ("model beside ", "model_name beside ", "modelName beside ", "model_id beside ", "modelId beside ")
Reread = Callable[[str, Columns], TestSet]
"""Reads a test set again with ``columns``. Raises SourceError."""


class ProposedLineage(Value):
    """A lineage that ``init`` proposes, and why."""

    name: str
    prompt: str | PromptParts
    tests: str | None
    """``None``: the prompt's inline test data, or no test set was found (then ``cases`` is 0)."""
    columns: Columns | None = None
    cases: int
    use_case: str
    labels: tuple[str, ...] = ()
    fields: dict[str, FieldRule] = {}
    inputs: tuple[str, ...] = ()
    """The prompt's variables."""
    scored: bool = False
    """Whether the prompt file has its own evaluators."""
    asserted: bool = False
    """Whether every case has assertions."""
    model: str | None = None
    """The model that the prompt file names, for the prompt or beside it."""
    says_model: bool = False
    """Whether the reader takes the model from the file, so that the configuration needs none."""
    runs_on: str | None = None
    """The entry of ``models:`` that the configuration names; ``None``: the prompt file's, or the default."""
    starter: str | None = None
    """The file of a starter test set that ``init`` writes."""
    why: str
    """One sentence: how the test set and the use case were found, or what is missing."""

    @property
    def gates(self) -> bool:
        """Whether it has cases, and something that scores their answers."""
        return self.cases > 0 and (self.scored or self.asserted or self.use_case != UseCase.GENERATION)


class _Cases(NamedTuple):
    """A test set, and what most of its cases have."""

    tests: TestSet
    inputs: frozenset[str]
    expects: bool
    shapes: Mapping[frozenset[str], int]
    """How many cases have exactly these inputs."""
    prompts: Sequence[str] = ()
    """The paths and patterns of prompts that the test set itself names."""

    def names(self, each: FoundPrompt) -> bool:
        """Returns whether the test set itself names a prompt."""
        return any(matches(pattern, each.prompt.path) for pattern in self.prompts)

    @classmethod
    def of(cls, tests: TestSet, prompts: Sequence[str] = ()) -> _Cases:
        shapes = Counter(frozenset(case.inputs) for case in tests.cases)
        counts: Counter[str] = Counter()
        for shape, having in shapes.items():
            counts.update(dict.fromkeys(shape, having))
        most = len(tests.cases) / 2
        expecting = sum(case.expected is not None for case in tests.cases)
        inputs = frozenset(name for name, having in counts.items() if having > most)
        return cls(tests, inputs, expecting > most, shapes, prompts)


def propose(
    prompts: Sequence[FoundPrompt],
    test_sets: Sequence[TestSet],
    reread: Reread,
    named: Mapping[str, Sequence[str]] | None = None,
) -> tuple[ProposedLineage, ...]:
    """Pairs every prompt with the test set that fits it best.

    ``named`` has the paths and patterns of prompts that a test set itself names, by its path.

    A test set fits if most of its cases have all of the prompt's variables; ``tests lint`` names the others. One input
    of another name fits a single variable if the names of the files have a word in common, or if there is no other
    choice.
    """
    known = [_Cases.of(tests, (named or {}).get(tests.path, ())) for tests in test_sets if tests.cases]
    options = _Options(prompts, known)
    names: set[str] = set()
    lineages = []
    for each in prompts:
        name = free_name(name_of(each.written), names)
        names.add(name)
        if each.prompt.test_data:
            lineages.append(_lineage(name, each, None, "the prompt file has its own testData"))
        else:
            fit = _best(each, options.of(each), reread)
            lineages.append(_lineage(name, each, fit, _miss(each, options.known)))
    return tuple(lineages)


class _Options:
    """The test sets that each prompt may have: those that fit, else those that fit with other names of columns."""

    def __init__(self, prompts: Sequence[FoundPrompt], known: Sequence[_Cases]) -> None:
        self.known = known
        self._fitting = {
            str(each.written): [one for one in known if _fits(each, one) and _belongs(each, one)] for each in prompts
        }
        taken = {one.tests.path for found in self._fitting.values() for one in found}
        free = [one for one in known if one.tests.path not in taken]
        unmatched = [each for each in prompts if len(each.variables) == 1 and not self._fitting[str(each.written)]]
        self._loose = {str(each.written): [one for one in free if _columns(each, one)] for each in unmatched}
        self._lone = self._alone(unmatched)

    def _alone(self, unmatched: Sequence[FoundPrompt]) -> FoundPrompt | None:
        """Returns the one prompt without a test set. Prompts with a variable of their own come first."""
        named = [each for each in unmatched if self._loose[str(each.written)] and each.variables != {INPUT}]
        alone = named or unmatched
        return alone[0] if len(alone) == 1 else None

    def of(self, each: FoundPrompt) -> list[_Cases]:
        fitting, loose = self._fitting[str(each.written)], self._loose.get(str(each.written), [])
        if fitting or (each is self._lone and len(loose) == 1):
            return fitting or loose
        return [one for one in loose if _words(each) & _set_words(one)]


def _fits(each: FoundPrompt, one: _Cases) -> bool:
    having = sum(cases for shape, cases in one.shapes.items() if each.variables <= shape)
    return bool(each.variables) and 2 * having > len(one.tests.cases)


def _belongs(each: FoundPrompt, one: _Cases) -> bool:
    """Returns whether more than common names speak for a test set: another name, or where and how it is kept."""
    if one.names(each) or not each.variables <= _GENERIC or _words(each) & _words_of(one.tests.path):
        return True
    folders = [path.rpartition("/")[0] for path in (each.prompt.path.partition("#")[0], one.tests.path)]
    near = folders[0] == folders[1] != "" or (folders[0] and f"{folders[1]}/".startswith(f"{folders[0]}/"))
    return bool(near or (one.expects and CALLED_TESTS.search(one.tests.path)))


def _best(each: FoundPrompt, options: Sequence[_Cases], reread: Reread) -> tuple[TestSet, Columns | None] | None:
    """Returns the best test set, as it is read with the columns it needs.

    That it names the prompt counts most, then expectations, words in common, the number of cases and near folders.
    """

    def rank(one: _Cases) -> tuple[object, ...]:
        return one.names(each), one.expects, _alike(each, one), len(one.tests.cases), _nearness(each, one)

    for one in sorted(options, key=rank, reverse=True):
        columns = _columns(each, one)
        if columns is None:
            return one.tests, None
        try:
            tests = reread(one.tests.path, columns)
        except SourceError:
            continue
        if _fits(each, _Cases.of(tests)):
            return tests, columns
    return None


def _columns(each: FoundPrompt, one: _Cases) -> Columns | None:
    """Returns the mapping that this prompt needs. ``None`` if the names suffice, or if no mapping is plain."""
    label = None if one.expects else _label_column(each, one)
    if each.variables <= one.inputs:
        return Columns(expected=label) if label else None
    others = one.inputs - {label}
    if len(each.variables) != 1 or len(others) != 1 or not (one.expects or label):
        return None
    (variable,), (column,) = each.variables, others
    return Columns(inputs={variable: column}, expected=label)


def _label_column(each: FoundPrompt, one: _Cases) -> str | None:
    """Returns the one column with labels that the prompt mentions, by its name or by most of its values."""
    text = " ".join(message.content for message in each.prompt.messages).lower()
    found = []
    for name in sorted(one.inputs - each.variables):
        labels = labels_of([case.inputs.get(name) for case in one.tests.cases])
        said = sum(label.lower() in text for label in labels)
        if labels and (re.search(rf"\b{re.escape(name.lower())}\b", text) or 2 * said >= len(labels)):
            found.append(name)
    return found[0] if len(found) == 1 else None


def _miss(each: FoundPrompt, known: Sequence[_Cases]) -> str:
    """Returns why no test set is paired. Names one that is called like the prompt but lacks inputs."""
    if not each.variables:
        return "it takes no input"
    named = [one for one in known if _alike(each, one)]
    if not named:
        return "no test set was found"
    one = max(named, key=lambda one: (_alike(each, one), _nearness(each, one)))
    given = ", ".join(sorted(one.inputs)[:5]) or "no common one"
    lacking = sorted(each.variables - one.inputs)
    if lacking == [INPUT]:
        return f"most cases of {one.tests.path} have no column `{INPUT}` for the user's message (they have {given})"
    wanted = f"{'input' if len(lacking) == 1 else 'inputs'} {', '.join(lacking)}"
    return f"most cases of {one.tests.path} lack the {wanted} (they have {given})"


def _words(each: FoundPrompt) -> frozenset[str]:
    return _words_of(f"{each.written} {' '.join(each.variables - {INPUT})}")


def _set_words(one: _Cases) -> frozenset[str]:
    return _words_of(f"{one.tests.path} {' '.join(one.inputs - {INPUT})}")


@cache
def _words_of(text: str) -> frozenset[str]:
    """Returns the telling words of a path or a name, in the singular."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    return frozenset(word.rstrip("s") for word in re.split(r"[^a-z0-9]+", split.lower()) if len(word) > 2) - _WORDLESS


def _alike(each: FoundPrompt, one: _Cases) -> int:
    """Returns how many words the names have in common."""
    return len(_words(each) & _words_of(one.tests.path))


def _nearness(each: FoundPrompt, one: _Cases) -> tuple[int, str]:
    """Returns how much of their paths is the same. The path itself breaks ties."""
    return len(commonprefix((each.prompt.path, one.tests.path))), one.tests.path


def name_of(written: str | PromptParts) -> str:
    """Returns the word by which people call the prompt: ``triage`` for ``src/prompts.py#TRIAGE_PROMPT``."""
    place = reference_of(written).places[-1]
    key = place.key or ""
    if isinstance(written, PromptParts) and "." in key:
        key = key.rpartition(".")[0]
    folders = place.path.split("/")
    stem = key.lower() if key.isupper() else key or folders[-1].split(".")[0]
    if not key and stem.lower() in ("system", "user", "prompt", "skprompt") and len(folders) > 1:
        stem = stem if folders[-2].lower() in ("prompts", "prompt") else folders[-2]
    short = re.sub(r"(?:^prompts?[_-]+|[_-]*prompts?$|(?<=[a-z])Prompts?$)", "", stem) or stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", short)[:50].strip("-._") or "prompt"


def free_name(name: str, taken: Collection[str]) -> str:
    """Returns ``name``, with a number behind it if it is taken."""
    return next(free for free in chain([name], (f"{name}-{n}" for n in count(2))) if free not in taken)


def _lineage(name: str, each: FoundPrompt, fit: tuple[TestSet, Columns | None] | None, without: str) -> ProposedLineage:
    tests, columns = fit or (None, None)
    expected: list[JsonValue] = [row.get("expected") for row in each.prompt.test_data]
    where = without
    if tests is not None:
        expected = [case.expected for case in tests.cases]
        where = f"the variables are in {tests.path}"
        if columns is not None:
            where = f"{_sentence(columns)} of {tests.path}"
    asserted = bool(tests and all(case.assertions for case in tests.cases))
    use_case, labels, fields, kind = use_case_of(expected)
    if _has_rules(each.prompt):
        use_case, labels, fields, kind = UseCase.GENERATION, (), {}, "its own evaluators score the answers"
    elif asserted and use_case == UseCase.GENERATION:
        kind = "the assertions of its cases score the answers"
    return ProposedLineage(
        name=name,
        prompt=each.written,
        tests=tests.path if tests else None,
        columns=columns,
        cases=len(expected),
        use_case=use_case,
        labels=labels,
        fields=fields,
        inputs=tuple(sorted(each.variables)),
        scored=bool(each.prompt.evaluators),
        model=each.prompt.model or _model_beside(each),
        says_model=each.prompt.model is not None,
        asserted=asserted,
        why=f"{where}; {kind}" if expected else where,
    )


def _has_rules(prompt: PromptFile) -> bool:
    """Returns whether the prompt's file has evaluators that ask no judge."""
    return any(one.judge_prompt is None and one.uses is None for one in prompt.evaluators)


def _model_beside(each: FoundPrompt) -> str | None:
    """Returns the model that is named beside a key or a constant."""
    named = [value for place, value in each.prompt.unread.items() if place.startswith(_MODEL_BESIDE)]
    return next((value for value in named if isinstance(value, str)), None)


def _sentence(columns: Columns) -> str:
    taken = [f"{variable} is {column}" for variable, column in columns.inputs.items()]
    return ", ".join(taken + ([f"the expectation is {columns.expected}"] if columns.expected else []))
