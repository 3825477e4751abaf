"""``/verdict add-case``: the patch that adds a case to a test set."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from functools import partial
from typing import ClassVar, Self

from pydantic import JsonValue

from bot.approvals.permissions import Rule
from bot.commands.arguments import LINEAGE
from bot.commands.case_files import find_test_sets
from bot.commands.command import AskedCommand, Command, CommandSyntaxError, FetchableTree
from bot.commands.replies import patch_text, said
from bot.store.values import KeptVerdict
from engine.readers.bounded import MAX_DEPTH, Source, shown
from engine.readers.cases import case_of
from engine.readers.json_nodes import json_line
from engine.test_edits import patches
from engine.test_edits.patches import NoPatch
from schemas.errors import PromptVerdictError
from schemas.host import Role, Sha

_NEW_CASE = re.compile(rf"(?P<lineage>{LINEAGE}) +(?P<fields>.+)")
_FIELD = re.compile(r"(?P<key>[A-Za-z_][A-Za-z0-9_.-]{0,99})=")
_BARE = re.compile(r"[^\s\"`\[\]{}]+")
_BLANKS = re.compile(" *")
_DECODER = json.JSONDecoder()


class AddCase(Command):
    """Returns the patch that adds a case to a prompt's test set."""

    verb: ClassVar[str] = "add-case"
    arguments: ClassVar[str] = '<lineage> input="…" expected=… slice=… (values as JSON, or one word)'
    meaning: ClassVar[str] = "get the patch that adds a case to a test set"
    rule: ClassVar[Rule] = Rule(Role.READ)

    lineage: str
    case: dict[str, JsonValue]
    """The case as a test set contains it."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a prompt's name and the fields of a case."""
        found = _NEW_CASE.fullmatch(text)
        if found is None:
            raise cls.wrong_usage()
        row = _row(found["fields"])
        try:
            unknown: Counter[str] = Counter()
            # Read as a test set reads it, so that the patch can't contain a case that is refused later.
            case_of(Source("the case", ""), row, None, unknown)
        except PromptVerdictError as error:
            raise CommandSyntaxError(str(error)) from None
        if unknown:
            raise CommandSyntaxError(f"a case has no key “{shown(next(iter(unknown)))}”")
        return cls(lineage=found["lineage"], case=row)

    async def execute(self, asked: AskedCommand) -> str:
        """Reads the head's test set and adds the case."""
        await asked.note()
        kept = await asked.relevant()
        return await asyncio.to_thread(asked.context.read, partial(self.patch, kept, asked.pull.head_sha))

    def patch(self, kept: KeptVerdict | None, head: Sha, source: FetchableTree) -> str:
        """Returns the answer: a patch against ``head``, or why there is none. Raises SourceError."""
        sets = find_test_sets(source, head, kept.scorecard.lineages if kept else (), self.lineage)
        if isinstance(sets, str):
            return sets
        # Of several files, the last: people add new cases there.
        path = sets.paths[self.lineage][-1]
        data = sets.read(path)
        made = patches.add(path, data, self.case) if data is not None else sets.absent(path)
        if isinstance(made, NoPatch):
            return said(made.sentence)
        return patch_text(made, f"This adds the case `{made.case}` to `{path}`.", head)


def _row(text: str) -> dict[str, JsonValue]:
    """Reads ``key=value …``. ``input.name`` and ``expected.name`` are members of ``inputs`` and ``expected``."""
    row: dict[str, JsonValue] = {}
    members: dict[str, dict[str, JsonValue]] = {}
    at = 0
    while at < len(text):
        field = _FIELD.match(text, at)
        if field is None:
            raise CommandSyntaxError(f"expected key=value at “{shown(text[at : at + 20])}”")
        value, end = _value(text, field.end())
        key, dot, name = field["key"].partition(".")
        whole = {"input": "inputs"}.get(key, key) if dot else key
        if dot and key not in ("input", "inputs", "expected"):
            raise CommandSyntaxError(f"only input and expected have members: “{shown(field['key'])}”")
        target, last = (members.setdefault(whole, {}), name) if dot else (row, key)
        if last in target or not last:
            raise CommandSyntaxError(f"“{shown(field['key'])}” is given twice or has no name")
        target[last] = value
        blanks = _BLANKS.match(text, end)
        assert blanks is not None
        # Two values without a blank between them are more likely a typing error than two fields.
        if blanks.end() == end < len(text):
            raise CommandSyntaxError(f"expected a blank at “{shown(text[end : end + 20])}”")
        at = blanks.end()
    for whole, values in members.items():
        if whole in row:
            raise CommandSyntaxError(f"“{whole}” is given both whole and in parts")
        row[whole] = dict(values)
    return row


def _value(text: str, at: int) -> tuple[JsonValue, int]:
    """Reads the value at ``at``: JSON, or a single word, which is text unless it is JSON. Returns it with its end."""
    if text[at : at + 1] in ('"', "[", "{"):
        # Counted before parsing: the decoder recurses and could exhaust the stack.
        if text.count("[", at) + text.count("{", at) > MAX_DEPTH:
            raise CommandSyntaxError("the value is nested too deeply")
        try:
            _, end = _DECODER.raw_decode(text, at)
        except ValueError:
            raise CommandSyntaxError(
                f"not valid JSON at “{shown(text[at : at + 20])}” (plain double quotes?)"
            ) from None
        return _json(text[at:end]), end
    word = _BARE.match(text, at)
    if word is None:
        raise CommandSyntaxError(f"expected a value at “{shown(text[at : at + 20]) or 'the end'}”")
    try:
        return _json(word[0]), word.end()
    except CommandSyntaxError:
        return word[0], word.end()


def _json(text: str) -> JsonValue:
    try:
        return json_line(Source("the value", ""), text, 1)
    except PromptVerdictError as error:
        raise CommandSyntaxError(str(error)) from None
