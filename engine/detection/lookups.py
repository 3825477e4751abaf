"""Finds templates that choose their text by the content of an input, as an answer sheet for the test cases would.

In Jinja, it looks for inputs that differ between most cases. They are suspicious if they are compared with a literal of
the template, searched for in one, or used as a key of one. Looking for a word that many cases contain is a rule;
looking for a single case is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from jinja2 import Environment, TemplateSyntaxError, nodes

from engine.detection.quoted import letters
from engine.readers.bounded import shown
from schemas.prompts import Dialect, PromptFile
from schemas.testsets import TestCase
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

KEYWORD = 0.05
"""A word in at least this share of the cases, and in at least three, stands for a kind of input."""
FEWEST = 4
"""With fewer cases, every input looks unique."""
NAMED = 3
PASSES = 5
_SIZES = {"length", "count", "wordcount"}
_MATCHING = {"startswith", "endswith", "find", "rfind", "index", "rindex", "count", "replace", "removeprefix"} | {
    "removesuffix",
    "partition",
    "rpartition",
}
_PICKING = {"selectattr", "rejectattr", "select", "reject", "replace"}


def lookups(old: PromptFile | None, new: PromptFile, cases: Sequence[TestCase]) -> tuple[Reason, ...]:
    """Returns a reason for review if ``new`` chooses by an input's text in places that ``old`` lacks."""
    free = _free_texts(cases)
    # Other dialects only fill in values and can't choose a text.
    if not free or new.dialect is not Dialect.JINJA:
        return ()
    before = Counter(key for key, _ in _picks(old, free, cases)) if old and old.dialect is Dialect.JINJA else Counter()
    found = []
    for key, line in _picks(new, free, cases):
        # A counter and not a set: a second lookup of the same kind is a new one.
        if before[key]:
            before[key] -= 1
        else:
            found.append(line)
    lines = list(dict.fromkeys(found))
    if not lines:
        return ()
    more = len(lines) - NAMED
    shown_lines = "; ".join(f"`{line}`" for line in lines[:NAMED])
    named = f"{shown_lines} and {more} more" if more > 0 else shown_lines
    sentence = (
        f"The template chooses its text by the content of an input ({named}). It may contain the answers to the test "
        "cases, so its answers to other inputs were not measured."
    )
    return (Reason(code=ReasonCode.QUOTED_CASES, status=VerdictStatus.NEEDS_REVIEW, sentence=sentence),)


def _free_texts(cases: Sequence[TestCase]) -> frozenset[str]:
    """Returns the inputs that contain text and differ between more than half of the cases."""
    if len(cases) < FEWEST:
        return frozenset()
    names = {name for case in cases for name in case.inputs}
    values = {name: [case.inputs[name] for case in cases if name in case.inputs] for name in names}
    return frozenset(
        name
        for name, held in values.items()
        if any(isinstance(one, str | list | dict) for one in held)
        and 2 * len(set(map(repr, held))) > len(held)
        and 2 * len({repr(one) for one in held}) > len(held)
    )


def _picks(prompt: PromptFile, free: frozenset[str], cases: Sequence[TestCase]) -> Iterator[tuple[str, str]]:
    """Yields each such place: a key to compare it by, and its line."""
    texts = [*(message.content for message in prompt.messages), *prompt.included.values()]
    environment = Environment(autoescape=False)  # noqa: S701 - parsed, never rendered
    trees = []
    for text in texts:
        try:
            trees.append((text.splitlines(), environment.parse(text)))
        except (TemplateSyntaxError, RecursionError, ValueError):
            return
    reading = _Reading([tree for _, tree in trees], free, cases)
    for lines, tree in trees:
        for node in _all(tree):
            if reading.picks(node):
                line = lines[node.lineno - 1] if 0 < node.lineno <= len(lines) else ""
                yield repr(node), shown(line.strip(), 80).replace("`", "'")


def _all(tree: nodes.Node) -> Iterator[nodes.Node]:
    rest = [tree]
    while rest:
        node = rest.pop()
        yield node
        rest += node.iter_child_nodes()


class _Reading:
    """Tracks which names carry an input's text, and which carry literals of the template."""

    def __init__(self, trees: Iterable[nodes.Template], free: frozenset[str], cases: Sequence[TestCase]) -> None:
        self._inputs = set(free)
        self._written: set[str] = set()
        self._cases = [
            letters(repr([case.inputs[name] for name in sorted(free & case.inputs.keys())])) for case in cases
        ]
        everything = [node for tree in trees for node in _all(tree)]
        # Names may be set from names that are set later in the loop, so the analysis repeats until it is stable in
        # practice.
        for _ in range(PASSES):
            for node in everything:
                self._follow(node)

    def _follow(self, node: nodes.Node) -> None:
        """Follows names that are set, looped over or passed on."""
        if isinstance(node, nodes.Assign):
            self._set(node.target, node.node)
        elif isinstance(node, nodes.For):
            self._set(node.target, node.iter)
        elif isinstance(node, nodes.AssignBlock):
            self._set(node.target, nodes.List([part for part in node.body if isinstance(part, nodes.Output)]))
        elif isinstance(node, nodes.With):
            for target, value in zip(node.targets, node.values, strict=False):
                self._set(target, value)
        elif isinstance(node, nodes.Macro):
            self._inputs |= {argument.name for argument in node.args} if self._inputs else set()

    def _set(self, target: nodes.Node, value: nodes.Node) -> None:
        names = {name.name for name in _all(target) if isinstance(name, nodes.Name | nodes.NSRef)}
        if self._is_input(value):
            self._inputs |= names
        elif self._is_written(value):
            self._written |= names

    def _is_input(self, node: nodes.Node) -> bool:
        return any(isinstance(one, nodes.Name) and one.name in self._inputs for one in _all(node))

    def _is_written(self, node: nodes.Node) -> bool:
        """Returns whether a node contains a literal of the template and nothing of an input."""
        holds = any(
            (isinstance(one, nodes.Const) and one.value not in ("", None, True, False))
            or (isinstance(one, nodes.TemplateData) and one.data.strip())
            or (isinstance(one, nodes.Name) and one.name in self._written)
            for one in _all(node)
        )
        return holds and not self._is_input(node)

    def picks(self, node: nodes.Node) -> bool:
        """Returns whether this node itself chooses by an input's text."""
        if isinstance(node, nodes.Compare):
            return self._compares(node)
        # A literal that is indexed by an input is a table of answers.
        if isinstance(node, nodes.Getitem):
            return self._is_written(node.node) and self._is_input(node.arg)
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
            return self._applies(node, node.node.node, matches=node.node.attr in _MATCHING)
        if isinstance(node, nodes.Filter | nodes.Test) and node.node is not None:
            picking = isinstance(node, nodes.Test) or node.name in _PICKING
            return picking and self._applies(node, node.node, matches=True, equals=isinstance(node, nodes.Test))
        return False

    def _applies(
        self, node: nodes.Call | nodes.Filter | nodes.Test, to: nodes.Node, *, matches: bool, equals: bool = False
    ) -> bool:
        """Returns whether a call, filter or test looks an input up in a literal, or matches one with a literal."""
        given = [*node.args, *(keyword.value for keyword in node.kwargs)]
        if self._is_written(to):
            return any(map(self._is_input, given))
        if not matches or not self._is_input(to):
            return False
        return any(self._is_written(one) and (equals or not self._is_keyword(one)) for one in given)

    def _compares(self, node: nodes.Compare) -> bool:
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        inputs = [side for side in sides if self._is_input(side)]
        if not inputs or not any(map(self._is_written, sides)):
            return False
        kinds = {operand.op for operand in node.ops}
        # Branching by the length of an input is an ordinary rule. Only an exact length can single out a case.
        if all(map(_is_size, inputs)):
            others = [side for side in sides if side not in inputs]
            if kinds <= {"lt", "lteq", "gt", "gteq"} or all(map(_is_one, others)):
                return False
        looked_for = kinds <= {"in", "notin"} and not self._is_input(node.expr)
        return not (looked_for and all(map(self._is_keyword, sides)))

    def _is_keyword(self, node: nodes.Node) -> bool:
        """Returns whether every literal in a node is a word of many cases or only punctuation. Numbers don't count."""
        written = [one.value for one in _all(node) if isinstance(one, nodes.Const)]
        if any(isinstance(one, nodes.Name) and one.name in self._written for one in _all(node)):
            return False
        enough = max(3, KEYWORD * len(self._cases))
        return all(
            isinstance(value, str)
            and (not letters(value) or sum(letters(value) in case for case in self._cases) >= enough)
            for value in written
        )


def _is_one(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) and node.value == 1


def _is_size(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Filter) and node.name in _SIZES
