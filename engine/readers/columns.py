"""Maps the keys of a row to those of a case, by the names that people use for inputs and expectations.

A row with the names of schemas/testsets.py is used unchanged. Otherwise the first of ``EXPECTED`` is the expectation,
and every other bare key is an input. ``columns:`` in the configuration overrides both.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from engine.readers.bounded import Source, did_you_mean, nearest, shown
from schemas.testsets import Columns, TestCase

KNOWN = frozenset(TestCase.model_fields) - {"path", "line", "assertions", "threshold"} | {
    "input", "slice", "rubric_notes", "assert",
}  # fmt: skip
"""The keys of a case. ``rubric_notes`` is Studio's name for ``rubric``. ``threshold`` is one beside ``assert``."""
EXPECTED = (
    "expected", "expected_output", "expectedOutput", "ideal", "ground_truth", "reference", "answer", "label",
    "correct_label", "target", "outputs", "output", "completion",
)  # fmt: skip
"""Names of the expectation, in the order of preference."""
INPUTS = ("input", "inputs", "vars")
MAX_UNKNOWN = 50
"""Most different keys in one file. A file with more isn't a test set."""
_EASILY_LOST = ("protected", "verified", "must", "must_not", "expected", "slices", "cluster")
"""Keys whose misspelling would lose a safeguard. It is an error even if any key may be an input."""
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


class ColumnMap:
    """Turns the rows of one file into maps with a case's keys."""

    def __init__(self, source: Source, columns: Columns | None = None) -> None:
        self.source = source
        self.columns = columns
        self.used: dict[str, dict[str, None]] = {"expected": {}, "inputs": {}}
        """The file's own names, by the key of a case that they map to."""
        self._seen: set[str] = set()

    @property
    def mapping(self) -> dict[str, tuple[str, ...]]:
        """Returns the mapping that was found, by the key of a case. Empty if the file uses our own names."""
        own = {"expected": {"expected"}, "inputs": set(INPUTS)}
        return {key: tuple(names) for key, names in self.used.items() if set(names) - own.get(key, {key})}

    def row(self, given: Mapping[str, JsonValue], line: int | None) -> dict[str, JsonValue]:
        """Returns one row with a case's keys. Unknown keys keep their names.

        Raises ``source.failure`` at ``line`` for two keys that disagree about the expectation, a misspelled key, a
        column that the configuration names and the row lacks, and more than 50 different keys.
        """
        if self.columns is None and given.keys() <= KNOWN and not _is_conversation(given.get("input")):
            for key in ("expected",) if "expected" in given else ():
                self.used[key][key] = None
            return dict(given)
        row = _unwrapped(given)
        if self.columns is None:
            row = {_own_name(key, row): value for key, value in row.items()}
        case: dict[str, JsonValue] = {}
        if self.columns is not None:
            self._take_configured(row, case, self.columns, line)
        self._take_conversation(row, case, line)
        self._take_expected(row, case, line)
        if "inputs" not in case:
            self._take_inputs(row, case, line)
        return case | row

    def _take_configured(
        self, row: dict[str, JsonValue], case: dict[str, JsonValue], columns: Columns, line: int | None
    ) -> None:
        if columns.inputs:
            case["inputs"] = {name: self._cell(row, column, line) for name, column in columns.inputs.items()}
            for name, column in columns.inputs.items():
                self._use("inputs", column if column == name else f"{name} = {column}")
        keys = columns.model_dump(exclude={"inputs"}, exclude_none=True)
        for key, key_column in keys.items():
            case[key] = self._cell(row, key_column, line)
            self._use(key, key_column)
        if isinstance(slices := case.get("slices"), str):
            case["slices"] = [part.strip() for part in slices.split(";") if part.strip()]
        for taken in (*columns.inputs.values(), *keys.values()):
            row.pop(taken, None)

    def _cell(self, row: Mapping[str, JsonValue], column: str, line: int | None) -> JsonValue:
        """Returns the value under a key, or under a path of keys: ``outputs.answer``."""
        if column in row:
            return row[column]
        value: JsonValue = dict(row)
        for part in column.split("."):
            if not isinstance(value, dict) or part not in value:
                hint = did_you_mean(column, row)
                raise self.source.error(f"columns names {shown(column)}, which this case lacks", line, hint=hint)
            value = value[part]
        return value

    def _take_conversation(self, row: dict[str, JsonValue], case: dict[str, JsonValue], line: int | None) -> None:
        """Reads ``messages``, and an ``input`` that is a list of messages."""
        for key in ("messages", "input"):
            turns = row.get(key)
            if not isinstance(turns, list) or not _is_conversation(turns) or "inputs" in case:
                continue
            del row[key]
            texts = [(str(turn["role"]), _text(turn["content"])) for turn in turns if isinstance(turn, dict)]
            if key == "messages" and texts[-1][0] == "assistant" and "expected" not in case:
                case["expected"] = texts.pop()[1]
                self._use("expected", "the last assistant message")
            case["inputs"] = self._inputs_of(texts, line)
            self._use("inputs", "the last user message")

    def _inputs_of(self, texts: Sequence[tuple[str, JsonValue]], line: int | None) -> dict[str, JsonValue]:
        """Returns the last message of a conversation as the input, and those before it as its history."""
        turns = [(role, text) for role, text in texts if role not in ("system", "developer")]
        if len(turns) < len(texts):
            self._warn_once("system messages of the cases are ignored: the prompt under test takes their place")
        if not turns or turns[-1][0] != "user":
            raise self.source.error("the last message isn't the user's", line, hint="end it with a user message")
        inputs: dict[str, JsonValue] = {"input": turns[-1][1]}
        if len(turns) > 1:
            inputs["history"] = [{"role": role, "content": text} for role, text in turns[:-1]]
        return inputs

    def _take_expected(self, row: dict[str, JsonValue], case: dict[str, JsonValue], line: int | None) -> None:
        """Reads the expectation, unless it is known already or the configuration names its key."""
        if "assert" in row:
            # Beside promptfoo's assertions, every other column is an input, as it is there.
            case |= {"threshold": row.pop("threshold", None)}
        elif "expected" not in case and not (self.columns and self.columns.expected):
            self._take_first_expected(row, case, line)

    def _take_first_expected(self, row: dict[str, JsonValue], case: dict[str, JsonValue], line: int | None) -> None:
        found = {name: _inner(name, row[name]) for name in EXPECTED if row.get(name) not in (None, "")}
        first = next(iter(found), None)
        for other, value in found.items():
            if first is not None and value != found[first]:
                what = f"{shown(first)} and {shown(other)} both say what is expected, and they disagree"
                raise self.source.error(what, line, hint=f"say which one counts: columns: {{expected: {first}}}")
        for name in EXPECTED:
            if name in row and (name in found or name != "expected"):
                del row[name]
        if first is not None:
            case["expected"] = found[first]
            self._use("expected", first)

    def _take_inputs(self, row: dict[str, JsonValue], case: dict[str, JsonValue], line: int | None) -> None:
        """Reads the inputs. A map of inputs is complete; otherwise every bare key is an input."""
        held = next((name for name in INPUTS if isinstance(row.get(name), dict)), None)
        if held is not None or "inputs" in row:
            if held == "vars":
                case["inputs"] = row.pop("vars")
            self._check_names([key for key in row if key not in KNOWN], row, KNOWN, line)
        else:
            self._take_bare(row, case, line)

    def _take_bare(self, row: dict[str, JsonValue], case: dict[str, JsonValue], line: int | None) -> None:
        bare = [key for key in row if key not in KNOWN and not key.startswith("_")]
        if not bare:
            return
        self._check_names(bare, row, KNOWN if "input" in row else _EASILY_LOST, line)
        names = (["input"] if "input" in row else []) + bare
        case["inputs"] = {name: row.pop(name) for name in names}
        for name in names:
            self._use("inputs", name)

    def _check_names(self, names: list[str], row: Mapping[str, JsonValue], known: object, line: int | None) -> None:
        """Raises for a misspelled key: ``protcted: true`` must not lose a protected case."""
        for name in names:
            if name in self._seen:
                continue
            if len(self._seen) >= MAX_UNKNOWN:
                hint = "known: " + ", ".join(sorted(KNOWN))
                raise self.source.error(f"more than {MAX_UNKNOWN} unknown keys", line, hint=hint)
            self._seen.add(name)
            if (meant := _misspelt(name, row, strict=known is KNOWN)) is not None:
                raise self.source.error(f"unknown key {shown(name)} of a case", line, hint=f"did you mean {meant}?")

    def _use(self, key: str, name: str) -> None:
        self.used.setdefault(key, {})[name] = None

    def _warn_once(self, what: str) -> None:
        if what not in self._seen:
            self._seen.add(what)
            self.source.warn(what)


def _misspelt(name: str, row: Mapping[str, JsonValue], *, strict: bool) -> str | None:
    """Returns the key that ``name`` misspells. ``sourceId`` isn't a misspelling: it is a known word with another
    one."""
    if not strict:
        close = difflib.get_close_matches(
            name.lower(), [key for key in _EASILY_LOST if key not in row], n=1, cutoff=0.8
        )
        return close[0] if close else None
    words = [word.lower() for word in _WORDS.findall(name)]
    # "mustNot" and "must-not" are other spellings of one key, not `must` with another word.
    if (meant := "_".join(words)) in KNOWN - row.keys():
        return meant
    if len(words) > 1 and words[0] in KNOWN:
        # "must_nt" is a misspelt key, not `must` with another word.
        long = [key for key in KNOWN - row.keys() if "_" in key]
        return next(iter(difflib.get_close_matches(name.lower(), long, n=1, cutoff=0.85)), None)
    return nearest(name, KNOWN - row.keys())


def _own_name(key: str, row: Mapping[str, JsonValue]) -> str:
    """Returns ``input`` for ``Input``: a key of ours with other capitals."""
    lower = key.lower()
    return lower if key not in KNOWN and lower in KNOWN | set(EXPECTED) and lower not in row else key


def _unwrapped(row: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Returns the map under ``item``, in which an OpenAI evaluation keeps a case."""
    item = row.get("item")
    return dict(item) if isinstance(item, dict) and row.keys() <= {"item", "sample"} else dict(row)


def _inner(name: str, value: JsonValue) -> JsonValue:
    """Returns the single value of a map of outputs if its name is that of an expectation: LangSmith's form."""
    if name == "expected" or not isinstance(value, dict) or len(value) != 1:
        return value
    ((key, held),) = value.items()
    return held if key in EXPECTED else value


def _is_conversation(value: JsonValue) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(turn, dict) and isinstance(turn.get("role"), str) and "content" in turn for turn in value)
    )


def _text(content: JsonValue) -> JsonValue:
    """Returns a message's text. Parts that are all text are joined."""
    parts = content if isinstance(content, list) else []
    texts = [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return "".join(map(str, texts)) if texts and len(texts) == len(parts) else content
