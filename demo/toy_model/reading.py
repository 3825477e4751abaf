"""Splits the offline model's messages into instructions, input and the requested form of the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from demo.toy_model.words import sentences
from schemas.prompts import INSTRUCTING, Message, Role

_TAG = re.compile(r"<([A-Za-z][\w-]*)>")
_FENCED = re.compile(r"(\"\"\"|```)\w*\n(.*)\n\1", re.DOTALL)
_HEADED = re.compile(r"^#* ?([A-Z][\wé]*(?: [\wé]+){0,3}):[ \t]*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reading:
    """The parts of a request."""

    instructions: tuple[str, ...]
    """Instructions, equal for all cases of one prompt version."""
    examples: tuple[tuple[str, str], ...]
    """Earlier (user, assistant) turns."""
    inputs: dict[str, str]
    """The parts of the input by their tag or heading, in lower case; ``input`` without either."""
    delimited: bool
    """Whether tags or a fence delimit the input."""

    @property
    def text(self) -> str:
        """The whole input."""
        return "\n".join(self.inputs.values())


def read(messages: Sequence[Message]) -> Reading:
    """Splits the messages. The input is in the last user message, or in the last message if that has none."""
    last = max((i for i, m in enumerate(messages) if m.role is Role.USER), default=len(messages) - 1)
    told = [m.content for m in messages[:last] if m.role in INSTRUCTING]
    turns = [m for m in messages[:last] if m.role not in INSTRUCTING]
    examples = tuple(
        (asked.content, said.content)
        for asked, said in pairwise(turns)
        if asked.role is Role.USER and said.role is Role.ASSISTANT
    )
    content = messages[last].content
    around, inputs, delimited = _split(content, alone=not told)
    return Reading((*told, *around), examples, inputs, delimited)


def _split(content: str, *, alone: bool) -> tuple[tuple[str, ...], dict[str, str], bool]:
    tagged, rest = _tagged(content)
    if tagged:
        around = "\n".join(rest).strip()
        return ((around,) if around else ()), tagged, True
    fenced = _FENCED.search(content)
    if fenced:
        around = (content[: fenced.start()] + content[fenced.end() :]).strip()
        return ((around,) if around else ()), {"input": fenced[2].strip()}, True
    heads = list(_HEADED.finditer(content))
    if alone and heads:  # instructions and input in one text: the input is below the last heading
        heads = heads[-1:]
    if not heads:
        return (), {"input": content.strip()}, False
    inputs: dict[str, str] = {}
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        end = following.start() if following else len(content)
        inputs.setdefault(head[1].lower(), content[head.end() : end].strip())
    around = content[: heads[0].start()].strip()
    return ((around,) if around else ()), inputs, False


def _tagged(content: str) -> tuple[dict[str, str], list[str]]:
    """Returns the text in each pair of tags, up to the last closing one, and the text around them."""
    tagged: dict[str, str] = {}
    rest: list[str] = []
    unclosed: set[str] = set()
    done = at = 0
    while tag := _TAG.search(content, at):
        at = tag.end()
        if tag[1] in unclosed:
            continue
        if (end := content.rfind(f"</{tag[1]}>", at)) < 0:
            unclosed.add(tag[1])
        else:
            tagged[tag[1].lower()] = content[at:end].strip()
            rest.append(content[done : tag.start()])
            done = at = end + len(tag[0]) + 1
    return tagged, [*rest, content[done:]]


class Thinking(Enum):
    """Whether the prompt asks the model to think before it answers."""

    NONE = "none"
    SILENT = "silent"
    BRIEF = "brief"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Manner:
    """What the instructions say about the answer, for any task."""

    guarded: bool
    """Whether to ignore instructions inside the input."""
    deferring: bool
    """Whether to take the input at its word."""
    thinking: Thinking
    terse: bool
    """Whether only the answer is wanted."""
    keys: tuple[str, ...]
    """Keys of the requested JSON object."""


_GUARD = re.compile(
    r"(?=.*\b(ignore|disregard|never|not|don't|untrusted)\b)(?=.*\b(instructions?|commands?|orders?|directions?)\b)"
    r"(?=.*\b(ticket|text|message|customer|inside|within|input|data|r[ée]sum[ée]|notes?|content|it)\b)",
    re.IGNORECASE,
)
_DEFER = re.compile(
    r"(take (the )?(customer|sender|writer)s? at (their|his|her) word"
    r"|(if|when|where) (the |a )?(customer|ticket|sender|message)s?( itself| already| explicitly)? "
    r"(says?|names?|asks? for|tells?|states?|specif\w+|indicates?)\b)",
    re.IGNORECASE,
)
_THINK = re.compile(
    r"\b(step by step|step-by-step|think|reason(?!s? for)|reasoning|explain|explanation|justify|consider)\b",
    re.IGNORECASE,
)
_NO_THINK = re.compile(
    r"\b(no|not|don't|without|never)\b[^.]{0,30}\b(explain|explanation|reasoning|justif\w+)", re.IGNORECASE
)
_SILENT = re.compile(
    r"\b(silently|to yourself|privately|don't show|do not show|internally|without writing)\b", re.IGNORECASE
)
_BRIEF = re.compile(r"\b(briefly|one (short )?(sentence|line)|a few words|in short)\b", re.IGNORECASE)
_TERSE = re.compile(
    r"\b(nothing else|nothing but|no other text|no explanations?)\b"
    r"|\b(only|just|exactly one)\b.*\b(label|category|word|name|json|answer|team)\b|\b(label|category|json)\b.*\bonly\b"
    r"|\b(answer|reply|respond) with (only |just |exactly )?(the|one|a single|its)\b",
    re.IGNORECASE,
)
_KEY = re.compile(r'"(\w+)"\s*:')


def manner(instructions: Sequence[str]) -> Manner:
    """Reads the instructions sentence by sentence."""
    guarded = deferring = terse = False
    thinking = Thinking.NONE
    for text in instructions:
        for sentence in sentences(text):
            guarded = guarded or bool(_GUARD.match(sentence))  # looks ahead to the end
            deferring = deferring or bool(_DEFER.search(sentence))
            terse = terse or bool(_TERSE.search(sentence))
            if _THINK.search(sentence) and not _NO_THINK.search(sentence):
                depth = Thinking.FULL
                if _SILENT.search(sentence):
                    depth = Thinking.SILENT
                elif _BRIEF.search(sentence):
                    depth = Thinking.BRIEF
                if thinking is Thinking.NONE or depth is Thinking.FULL:
                    thinking = depth
    keys = tuple(dict.fromkeys(key for text in instructions for key in _KEY.findall(text)))
    return Manner(guarded, deferring, thinking, terse, keys)


_META = re.compile(
    r"\b(ignore|disregard|forget|override|skip|bypass)\b"
    r".*\b(instructions?|prompt|rules?|above|previous|definitions?|guidelines?|told)\b"
    r"|\byou (are now|must now|must (answer|reply|output|classify|label|set|return|respond|give|rate))\b"
    r"|\b(new|updated|real|actual) (instructions?|rules?|task|policy)\b"
    r"|\bsystem (prompt|message|override|note)\b|^\W*(system|assistant|developer)\s*:"
    r"|\b(answer|reply|respond|output|return) (only |just )?(with|the word|exactly)\b"
    r"|\b(set|give|rate|report) (the |a )?\w*_?score\b"
    r"|\b(classify|label|categori[sz]e|tag|mark|file) (this|it|the ticket|everything)( ticket| message)?\b",
    re.IGNORECASE,
)


def injections(text: str) -> list[str]:
    """Returns sentences of the input that address the model."""
    return [sentence for sentence in sentences(text) if _META.search(sentence)]
