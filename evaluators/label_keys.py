"""The words and JSON keys that announce a label, such as ``category``."""

from __future__ import annotations

import re

from pydantic import JsonValue

from evaluators.label_words import REJECTED_KEY
from evaluators.text import fold, one_line

_RANKED_KEYS = (
    *("label", "labels", "category", "categories", "class", "classes", "classification", "answer", "answers"),
    *("prediction", "decision", "choice", "verdict", "intent", "intents", "topic", "topics", "tag", "tags", "type"),
    *("sentiment", "queue", "route", "priority", "severity", "result", "output", "grade", "rating", "score"),
    *("kategorie", "klasse", "antwort", "ergebnis", "catégorie", "classe", "réponse", "étiquette", "résultat"),
    *("categoría", "clase", "respuesta", "etiqueta", "resultado"),
)
"""Words that announce an answer, the clearest first."""
ANSWER_KEYS = frozenset(_RANKED_KEYS)
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def label_key(label: str) -> str:
    """Returns the spelling by which labels are compared. Equal keys are the same label."""
    return one_line(label)


def camel_key(text: str) -> str:
    """Returns the key of a text in camel case, such as ``finalLabel``."""
    return label_key(CAMEL.sub(" ", text))


def has_answer_key(value: JsonValue) -> bool:
    """Returns whether a map has a key that announces a label."""
    return isinstance(value, dict) and any(map(_is_json_key, value))


def rejects_labels(value: JsonValue) -> bool:
    """Returns whether a map has keys that reject labels, and none that states them."""
    keys = [camel_key(key[:80]) for key in value] if isinstance(value, dict) else []
    return any(map(REJECTED_KEY.search, keys)) and not any(map(is_answer_key, keys))


def _is_json_key(key: str) -> bool:
    return is_answer_key(camel_key(key[:80]))


def is_answer_key(words: str) -> bool:
    """Returns whether the words announce a label, and don't reject it."""
    return bool(ANSWER_KEYS & set(re.findall(r"[^\W_]+", words))) and not REJECTED_KEY.search(words)


def stated_texts(value: JsonValue) -> list[str]:
    """Returns the texts that a JSON answer states as its label or labels."""
    if isinstance(value, dict):
        by_key = {fold(key[:80]): item for key, item in value.items()}
        # The clearest key wins: `label` beside `score` states the answer.
        for key in _RANKED_KEYS:
            if key in by_key:
                return stated_texts(by_key[key])
        # A tool call.
        if isinstance(arguments := by_key.get("arguments"), dict):
            return stated_texts(arguments)
        return [text for key, item in value.items() if _is_json_key(key) for text in stated_texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in stated_texts(item)]
    # Labels such as "true" and "false" are compared as text.
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [] if value is None else [str(value)]
