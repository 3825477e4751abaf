"""Folds texts for comparison: the same for labels, fields and forbidden texts. Also shortens them for display."""

from __future__ import annotations

import json
import re
import unicodedata

from schemas.outcomes import Completion

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\U000e0000-\U000e0fff]"
)
"""Invisible characters. They hide a text from a comparison, but not from a model."""
_INNER_DASHES = re.compile(r"(?<=[^\W_])[-_\u2010]+(?=[^\W_])")
_BLANKS = re.compile(r"[^\S\n]+")
_EDGES = " \t\r\n.,;:!?\"'`*_~()[]{}<>|«»“”„‘’‹›。、！？"
_REASONING_STARTS = ("<think>", "<thinking>", "<reasoning>", "<scratchpad>")
_REASONING_ENDS = ("</think>", "</thinking>", "</reasoning>", "</scratchpad>")


def fold(text: str) -> str:
    """Returns ``text`` without differences of case, Unicode form and invisible characters."""
    if text.isascii():
        return text.lower()
    # Twice, because casefolding may produce text that isn't in normal form.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return INVISIBLE.sub("", folded)


def fold_words(text: str) -> str:
    """Returns ``fold`` with underscores and hyphens inside words as blanks, and runs of blanks as one. Lines are
    kept."""
    return _BLANKS.sub(" ", _INNER_DASHES.sub(" ", fold(text)))


def normalised(text: str) -> str:
    """Returns ``fold_words`` on one line, without punctuation, quotes and markup around it."""
    words = one_line(text)
    # A text of marks only, such as "?!", would otherwise equal every other one.
    return words.strip(_EDGES) or words


def one_line(text: str) -> str:
    """Returns ``fold_words`` on one line."""
    return " ".join(fold_words(text).split())


def contains(text: str, part: str) -> bool:
    """Returns whether ``part`` occurs in ``text``, ignoring case, Unicode form, dashes, line breaks and invisible
    characters."""
    return one_line(part) in one_line(text)


def without_reasoning(text: str) -> str:
    """Returns the text after the last closing tag of a reasoning block; empty if nothing follows, or if a block at the
    start is never closed."""
    if "<" not in text or (text.lstrip().startswith(("{", "[")) and _is_json(text)):
        return text
    end = max(text.rfind(tag) + len(tag) if tag in text else 0 for tag in _REASONING_ENDS)
    if not end and text.lstrip().startswith(_REASONING_STARTS):
        return ""
    return text[end:]


def _is_json(text: str) -> bool:
    """Returns whether ``text`` is JSON, whose strings may hold any tag."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def without_fence(text: str) -> str:
    """Returns the inside of ``text`` if all of it is one Markdown code fence, else ``text``; without outer blanks."""
    stripped = text.strip()
    if not (stripped.startswith("```") and stripped.endswith("```") and "\n" in stripped):
        return stripped
    inside = stripped[stripped.index("\n") : -3]
    return stripped if "```" in inside else inside.strip()


def output_text(completion: Completion) -> str:
    """Returns the text to score: the answer's text, or the arguments of its only tool call if there is not text."""
    if not completion.text.strip() and len(completion.tool_calls) == 1:
        return completion.tool_calls[0].arguments
    return completion.text


def answer_text(completion: Completion) -> str:
    """Returns ``output_text`` without a reasoning block: what a program that calls the model gets."""
    return without_reasoning(output_text(completion))


def calls_text(completion: Completion) -> str:
    """Returns the tool calls as a JSON list of ``{"name": …, "arguments": …}``, or the answer's text if there are
    none."""
    if not completion.tool_calls:
        return without_reasoning(completion.text)
    return json.dumps([{"name": call.name, "arguments": call.arguments} for call in completion.tool_calls])


def whole_text(completion: Completion) -> str:
    """Returns everything that a model wrote, including its tool calls, to search for forbidden texts."""
    earlier = completion.trajectory.steps[:-1] if completion.trajectory else ()
    texts = [*(step.text for step in earlier), completion.text]
    calls = [*(call for step in earlier for call in step.calls), *completion.tool_calls]
    return "\n".join([*texts, *(f"{call.name} {call.arguments}" for call in calls)])


def shown(text: str, limit: int = 80) -> str:
    """Returns ``text`` on one line for a reason: at most ``limit`` characters, and encodable."""
    # Cut before splitting: an answer may have megabytes, and this runs for every score.
    line = " ".join(text[: 4 * limit].split())
    cut = line if len(line) <= limit and len(text) <= 4 * limit else line[: limit - 1] + "…"
    # Half a surrogate pair would fail in files and on the terminal.
    return cut.encode("utf-8", "replace").decode()
