"""The language of commands: the first line of a new comment, in an exact grammar. Pure.

A quotation, a list item, a code block or an indented line starts with something else than ``/verdict``, so that none of
them is a command. Blanks are ASCII blanks; a verb is spelled exactly. What starts like a command and isn't one is
answered with the help and does nothing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Final

from pydantic import JsonValue

from engine.readers.bounded import MAX_DEPTH, Source, shown
from engine.readers.cases import case_of
from engine.readers.json_nodes import json_line
from schemas.errors import PromptVerdictError
from schemas.values import Value

LONGEST_LINE = 4_000
"""Characters of a command. A longer case belongs in the file."""
LONGEST_REASON = 500

_START = re.compile(r"/verdict(?![A-Za-z0-9_/-])")
_FIRST_LINE = re.compile(r"[^\r\n]*")
_VERB = re.compile(r" +([a-z-]+)(?: +([^ ].*))?")
_LINEAGE = r"(?=[^ ]{1,200}(?: |$))(?:\.?[A-Za-z0-9_][A-Za-z0-9._-]*/)*[A-Za-z0-9][A-Za-z0-9._-]*"
"""A configured name, after its folders where two configurations use the same."""
_ONE_LINEAGE = re.compile(_LINEAGE)
_SHA = re.compile(r"[0-9a-f]{40}")
_CASE = re.compile(rf"(?:`(?P<quoted>[^`]{{1,200}})`|(?P<bare>[^\s`]{{1,200}}))(?: +in +(?P<lineage>{_LINEAGE}))?")
_NEW_CASE = re.compile(rf"(?P<lineage>{_LINEAGE}) +(?P<fields>.+)")
_FIELD = re.compile(r"(?P<key>[A-Za-z_][A-Za-z0-9_.-]{0,99})=")
_BARE = re.compile(r"[^\s\"`\[\]{}]+")
_BLANKS = re.compile(" *")
_DECODER = json.JSONDecoder()


class Rerun(Value):
    """Evaluate the head once more."""

    lineage: str | None = None


class Approve(Value):
    """Accept the verdict that is shown, for a reason."""

    reason: str


class ApproveRun(Value):
    """Let a fork's head be measured: exactly this one."""

    sha: str


class Protect(Value):
    """Ask for the patch that marks a case «exactly right, protect it»."""

    case: str
    lineage: str | None = None


class AddCase(Value):
    """Ask for the patch that adds a case to a lineage's test set."""

    lineage: str
    case: dict[str, JsonValue]
    """As a test set writes it."""


class Explain(Value):
    """Ask what both arms said to a case."""

    case: str
    lineage: str | None = None


class Help(Value):
    """The list of commands, and what was wrong with the one that was given."""

    why: str = ""


Command = Rerun | Approve | ApproveRun | Protect | AddCase | Explain

USAGE: Final = {
    "rerun": "rerun [lineage]",
    "approve": "approve <reason>",
    "approve-run": "approve-run <full commit id, 40 digits>",
    "protect": "protect <case> [in <lineage>]",
    "add-case": 'add-case <lineage> input="…" expected=… slice=… (values as JSON, or one word)',
    "explain": "explain <case> [in <lineage>]",
    "help": "help",
}
"""How each command is written, after ``/verdict``."""


class _WrongError(Exception):
    """The grammar was not followed; says how."""


def read_command(body: str) -> Command | Help | None:
    """The command in a comment's text; ``Help`` where it was meant as one and isn't; ``None`` for any other comment."""
    line = _FIRST_LINE.match(body)
    assert line is not None
    text = line[0].rstrip(" \t")
    start = _START.match(text)
    if start is None:
        return None
    try:
        if len(text) > LONGEST_LINE:
            raise _WrongError(f"a command has at most {LONGEST_LINE:,} characters")
        return _command(text[start.end() :])
    except _WrongError as wrong:
        return Help(why=str(wrong))


def _command(text: str) -> Command | Help:
    if not text:
        return Help()
    found = _VERB.fullmatch(text)
    if found is None:
        raise _WrongError("after «/verdict» comes a blank and one of the commands below")
    verb, rest = found[1], found[2] or ""
    if verb not in _READERS:
        raise _WrongError(f"there is no command «{shown(verb)}»")
    return _READERS[verb](rest)


def _wrong(verb: str) -> _WrongError:
    return _WrongError(f"«{verb}» is written: /verdict {USAGE[verb]}")


def _help(rest: str) -> Help:
    if rest:
        raise _wrong("help")
    return Help()


def _rerun(rest: str) -> Rerun:
    if rest and not _ONE_LINEAGE.fullmatch(rest):
        raise _wrong("rerun")
    return Rerun(lineage=rest or None)


def _approve_run(sha: str) -> ApproveRun:
    if not _SHA.fullmatch(sha):
        raise _WrongError("«approve-run» needs the whole commit id: 40 digits, 0-9 and a-f")
    return ApproveRun(sha=sha)


def _protect(rest: str) -> Protect:
    return Protect(**_case(rest, "protect"))


def _explain(rest: str) -> Explain:
    return Explain(**_case(rest, "explain"))


def _approve(reason: str) -> Approve:
    if not any(character.isalnum() for character in reason):
        raise _WrongError("«approve» needs a reason, in words, on the same line")
    if len(reason) > LONGEST_REASON:
        raise _WrongError(f"a reason has at most {LONGEST_REASON} characters")
    return Approve(reason=reason)


def _case(text: str, verb: str) -> dict[str, str | None]:
    found = _CASE.fullmatch(text)
    if found is None:
        raise _WrongError(f"{_wrong(verb)} (a name with blanks goes between backticks)")
    return {"case": found["quoted"] or found["bare"], "lineage": found["lineage"]}


def _add_case(text: str) -> AddCase:
    found = _NEW_CASE.fullmatch(text)
    if found is None:
        raise _wrong("add-case")
    row = _row(found["fields"])
    try:
        unknown: Counter[str] = Counter()
        case_of(Source("the case", ""), row, None, unknown)
    except PromptVerdictError as error:
        raise _WrongError(str(error)) from None
    if unknown:
        raise _WrongError(f"a case has no key «{shown(next(iter(unknown)))}»")
    return AddCase(lineage=found["lineage"], case=row)


def _row(text: str) -> dict[str, JsonValue]:
    """``key=value …`` as a map; ``input.name`` and ``expected.name`` are members of ``inputs`` and ``expected``."""
    row: dict[str, JsonValue] = {}
    members: dict[str, dict[str, JsonValue]] = {}
    at = 0
    while at < len(text):
        field = _FIELD.match(text, at)
        if field is None:
            raise _WrongError(f"a key and = should be at «{shown(text[at : at + 20])}»")
        value, end = _value(text, field.end())
        key, dot, name = field["key"].partition(".")
        whole = {"input": "inputs"}.get(key, key) if dot else key
        if dot and key not in ("input", "inputs", "expected"):
            raise _WrongError(f"only input and expected have members: «{shown(field['key'])}»")
        place, last = (members.setdefault(whole, {}), name) if dot else (row, key)
        if last in place or not last:
            raise _WrongError(f"«{shown(field['key'])}» is there twice or has no name")
        place[last] = value
        blanks = _BLANKS.match(text, end)
        assert blanks is not None
        if blanks.end() == end < len(text):
            raise _WrongError(f"a blank should be at «{shown(text[end : end + 20])}»")
        at = blanks.end()
    for whole, values in members.items():
        if whole in row:
            raise _WrongError(f"«{whole}» is there as a whole and in parts")
        row[whole] = dict(values)
    return row


def _value(text: str, at: int) -> tuple[JsonValue, int]:
    """The value that starts at ``at``, and where it ends: JSON, or a single word, which is text unless it is JSON."""
    if text[at : at + 1] in ('"', "[", "{"):
        if text.count("[", at) + text.count("{", at) > MAX_DEPTH:
            raise _WrongError("the value is nested too deep")
        try:
            _, end = _DECODER.raw_decode(text, at)
        except ValueError:
            raise _WrongError(f"not valid JSON at «{shown(text[at : at + 20])}» (plain double quotes?)") from None
        return _json(text[at:end]), end
    word = _BARE.match(text, at)
    if word is None:
        raise _WrongError(f"a value should be at «{shown(text[at : at + 20]) or 'the end'}»")
    try:
        return _json(word[0]), word.end()
    except _WrongError:
        return word[0], word.end()


def _json(text: str) -> JsonValue:
    try:
        return json_line(Source("the value", ""), text, 1)
    except PromptVerdictError as error:
        raise _WrongError(str(error)) from None


_READERS: Final[dict[str, Callable[[str], Command | Help]]] = {
    "rerun": _rerun,
    "approve": _approve,
    "approve-run": _approve_run,
    "protect": _protect,
    "add-case": _add_case,
    "explain": _explain,
    "help": _help,
}
