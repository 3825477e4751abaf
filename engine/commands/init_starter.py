"""Makes starter test sets for ``promptverdict init``, from examples in the prompt or to fill in. They gate nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from engine.readers.guess import INPUT
from schemas.prompts import PromptFile, Role

FOLDER = "evals"
FEWEST = 2
"""With fewer examples, the file is a template."""
BLANK = "…"
"""Stands for a text to fill in."""
MOST = 50
"""Most examples that are taken."""
_GIVEN = r"input|text|message|question|q|ticket|review|email|user|example|query|sentence|document|customer"
_WANTED = r"output|answer|a|label|category|class|sentiment|response|assistant|result|intent|expected"
_PAIR = re.compile(
    rf"^[ \t>*#-]*(?:{_GIVEN})(?:[ \t]*\d+)?[*]*[ \t]*:[ \t]*(?P<given>[^\n]{{1,2000}})\n"
    rf"(?:[ \t]*\n)?[ \t>*#-]*(?:{_WANTED})(?:[ \t]*\d+)?[*]*[ \t]*:[ \t]*(?P<wanted>[^\n]{{1,2000}})$",
    re.IGNORECASE | re.MULTILINE,
)
_ARROW = re.compile(
    r'^[ \t>*-]*["“](?P<given>[^"“”\n]{1,2000})["”][ \t]*(?:->|=>|→)[ \t]*(?P<wanted>[^\n]{1,500})$', re.MULTILINE
)
_NOTE = "Written by promptverdict init from {}. It is a draft and gates nothing: correct and complete the cases first."


def starter_path(name: str) -> str:
    """Returns where the starter test set of a lineage goes."""
    return f"{FOLDER}/{name}.draft.jsonl"


def starter_text(prompt: PromptFile, variables: Sequence[str]) -> str:
    """Returns a test set with the prompt's own examples, or with one case to fill in. Its first line says so."""
    name = variables[0] if variables else INPUT
    found = examples_of(prompt) if len(variables) <= 1 else []
    rows: list[dict[str, object]] = [{"inputs": {name: given}, "expected": wanted} for given, wanted in found]
    note = _NOTE.format("the prompt's own examples")
    if not rows:
        rows = [{"inputs": dict.fromkeys(variables or [INPUT], BLANK), "expected": BLANK}]
        note = _NOTE.format("the prompt's variables")
    lines = [{"_meta": {"draft": note}}, *rows]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def examples_of(prompt: PromptFile) -> list[tuple[str, str]]:
    """Returns the pairs of input and answer that a prompt gives as examples: in its text, or as earlier messages."""
    found = [
        (match["given"].strip(" \"'“”"), match["wanted"].strip(" \"'“”."))
        for message in prompt.messages
        for pattern in (_PAIR, _ARROW)
        for match in pattern.finditer(message.content)
    ]
    for given, wanted in zip(prompt.messages, prompt.messages[1:], strict=False):
        if (given.role, wanted.role) == (Role.USER, Role.ASSISTANT):
            found.append((given.content.strip(), wanted.content.strip()))
    complete = [
        pair for pair in dict.fromkeys(found) if all(pair) and not any(sign in text for text in pair for sign in "{}$<")
    ]
    return complete[:MOST] if len(complete) >= FEWEST else []
