"""Sorts a text into one of the prompt's labels, by the words that the prompt connects with each."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from demo.toy_model.dice import Dice
from demo.toy_model.reading import Manner, Reading, Thinking, injections
from demo.toy_model.sizes import Size
from demo.toy_model.words import kin, sentences, stems

NAME_WEIGHT, DEFINITION_WEIGHT, EXCEPTION_WEIGHT, RULE_WEIGHT, EXAMPLE_WEIGHT = 1.8, 1.0, -0.4, 0.9, 0.5
CEILING = 2.2
"""Largest weight of one word for one label, however often the prompt says it."""
OBEDIENCE, OBEDIENCE_DELIMITED, DEFERENCE = 1.2, 0.3, 1.0
"""How strongly a request inside the input counts: unguarded; unguarded, but between delimiters; with a prompt that says
to take the input at its word."""
FALLBACK_WEIGHT = 0.4
ASKING, TELLING = 1.5, 0.85
"""Weights for a model that was told to think: of words in sentences with a request, and of the others."""

_BULLET = re.compile(
    r"^[ \t]*(?:[-*•]|\d+[.)])\s+[`*_\"']*([a-z][\w /-]{1,30}?)[`*_\"']*\s*(?::|—|–|=| - )\s*"
    r"(.+(?:\n[ \t]{2,}[^\s*•-].*)*)",
    re.MULTILINE,
)
_ITEM = r"[`\"']?\b(?!(?:or|and|as|into|of|either|between)\b)[a-z][\w-]+(?: (?!(?:or|and)\b)[a-z][\w-]+)?[`\"']?"
_LIST = re.compile(rf"({_ITEM}(?:, {_ITEM})*),? (?:or|and) ({_ITEM})|({_ITEM}(?:, {_ITEM}){{2,}})")
_LIST_CUE = re.compile(
    r"\b(classif\w*|categor\w*|labels?|choose|pick|sort|route|teams?|queues?|one of)\b", re.IGNORECASE
)
_PAIR = re.compile(
    r"^[ \t#*]*(?:ticket|input|message|example|customer|text|email)[ \t]*\d*[*]*:[ \t]*(?P<said>.+?)\n[ \t*]*"
    r"(?:label|output|category|answer|team|class)[*]*:[ \t]*(?P<label>[^\n]+)",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_ARROW = re.compile(r"^[ \t*-]*[\"“](?P<said>.+?)[\"”][ \t]*(?:→|->|=>|:)[ \t]*(?P<label>[^\n]+)", re.MULTILINE)
_RULE = re.compile(r"\b(if|when|whenever|where|as soon as|once)\b", re.IGNORECASE)
_CONCESSION = re.compile(
    r"\b(even|although|though|however|rather than|instead of|no matter|regardless)\b.*", re.IGNORECASE | re.DOTALL
)
_EXCEPT = re.compile(r"\b(not|never|except|unless|excluding)\b[^.;,)]*", re.IGNORECASE)
_DOUBT = re.compile(
    r"\b(in doubt|unsure|not sure|unclear|nothing (else )?fits|none (of them )?fits|otherwise)\b", re.IGNORECASE
)
_ASK = re.compile(
    r"\?|\b(please|want|need|would like|can you|could you|can i|how do|help me|i'd like|asking|request)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    r"\b(?:with|word|exactly|only|output|say)\b[^\n\"“'`]{0,40}[\"“'`]([^\"”'`\n]{2,60})[\"”'`]", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Sorter:
    """What the model learned about the labels from one prompt version."""

    labels: tuple[str, ...]
    weights: dict[str, tuple[float, ...]]
    """For each stem: its evidence for each label, relative to the mean of all labels."""
    fallback: int | None
    """The label if nothing fits."""
    names: re.Pattern[str]
    """Finds label names in a text."""

    def mentioned(self, text: str) -> int | None:
        """Returns the label that ``text`` names last."""
        found = self.names.findall(text)
        return self.labels.index(found[-1]) if found and found[-1] in self.labels else self._spelled(found)

    def _spelled(self, found: list[str]) -> int | None:
        plain = [_plain(label) for label in self.labels]
        return plain.index(_plain(found[-1])) if found else None


def _plain(name: str) -> str:
    return re.sub(r"[ _-]", "", name.lower())


def learn(instructions: Sequence[str], examples: Sequence[tuple[str, str]], size: Size) -> Sorter:
    """Learns labels, definitions, rules and examples from the instructions, as far as a model of this size can."""
    text = "\n".join(instructions)
    definitions = {name.strip(): meaning for name, meaning in _BULLET.findall(text)}
    labels = tuple(definitions) if len(definitions) > 1 else _listed(text)
    spellings = "|".join(re.escape(label).replace("_", "[ _-]").replace(r"\ ", "[ _-]") for label in labels)
    sorter = Sorter(labels, {}, None, re.compile(rf"\b({spellings})\b" if labels else r"(?!)", re.IGNORECASE))
    lexicons = [_defined(label, definitions.get(label, "")) for label in labels]
    for lexicon in lexicons:
        _add_kin(lexicon, size)
    said = [(match["said"], match["label"]) for pattern in (_PAIR, _ARROW) for match in pattern.finditer(text)]
    for example, answer in (*said, *examples):
        if (label := sorter.mentioned(answer)) is not None:
            _add(lexicons[label], example, EXAMPLE_WEIGHT * size.attention)
    fallback = _add_rules(sorter, lexicons, _PAIR.sub("", text), size)
    return Sorter(labels, _contrast(lexicons), fallback, sorter.names)


def _listed(text: str) -> tuple[str, ...]:
    for line in text.split("\n"):
        if _LIST_CUE.search(line) and (match := _LIST.search(line)):
            names = [name.strip("`\"' ") for part in match.groups() if part for name in part.split(", ")]
            return tuple(dict.fromkeys(names))
    return ()


Lexicon = defaultdict[str, float]


def _add(lexicon: Lexicon, text: str, weight: float) -> None:
    # Once per text: repeating a word doesn't teach more.
    for word in set(stems(text)):
        lexicon[word] += weight


def _defined(label: str, meaning: str) -> Lexicon:
    lexicon: Lexicon = defaultdict(float)
    words = re.split("[ _-]", label)
    _add(lexicon, " ".join(words), NAME_WEIGHT / len(words))
    _add(lexicon, _EXCEPT.sub(" ", meaning), DEFINITION_WEIGHT)
    for exception in _EXCEPT.finditer(meaning):
        _add(lexicon, exception[0], EXCEPTION_WEIGHT)
    return lexicon


def _add_kin(lexicon: Lexicon, size: Size) -> None:
    known = kin(size.breadth)
    for word, weight in list(lexicon.items()):
        for other in known.get(word, ()):
            lexicon[other] = max(lexicon[other], min(1.0, weight) * size.kinship)


def _add_rules(sorter: Sorter, lexicons: list[Lexicon], text: str, size: Size) -> int | None:
    fallback = None
    for sentence in sentences(text):
        label = sorter.mentioned(_EXCEPT.sub(" ", sentence))
        rule = _RULE.search(sentence)
        if label is None or _BULLET.match(sentence):
            continue
        if _DOUBT.search(sentence):
            fallback = label
        elif rule:
            condition = sorter.names.sub(" ", _CONCESSION.sub(" ", sentence[rule.end() :]))
            _add(lexicons[label], condition, RULE_WEIGHT * size.attention)
    return fallback


def _contrast(lexicons: list[Lexicon]) -> dict[str, tuple[float, ...]]:
    weights = {}
    for word in {word for lexicon in lexicons for word in lexicon}:
        # Relative to the mean: a word that speaks for every label decides nothing.
        row = [max(-CEILING, min(CEILING, lexicon.get(word, 0.0))) for lexicon in lexicons]
        mean = sum(row) / len(row)
        weights[word] = tuple(value - mean for value in row)
    return weights


@lru_cache(maxsize=20_000)
def _evidence(text: str) -> tuple[tuple[bool, tuple[str, ...]], ...]:
    """Returns, for each sentence, whether it asks for something, and its stems."""
    return tuple((bool(_ASK.search(sentence)), stems(sentence)) for sentence in sentences(text))


@lru_cache(maxsize=20_000)
def _attack(text: str) -> tuple[str, str]:
    """Returns the input without the sentences that address the model, and those sentences."""
    found = injections(text)
    rest = text
    for sentence in found:
        rest = rest.replace(sentence, " ")
    return rest, "\n".join(found)


def classify(sorter: Sorter, manner: Manner, reading: Reading, dice: Dice, size: Size) -> str:
    """Returns the model's answer to one input."""
    text = reading.text
    if not sorter.labels:
        return (
            f"This looks like a message about {', '.join(stems(text)[:3]) or 'nothing in particular'}. How can I help?"
        )
    rest, attack = _attack(text)
    words = _heard(rest if manner.guarded else text, focus=manner.thinking is not Thinking.NONE)
    scores = _scores(sorter, words)
    if not manner.guarded:
        pull = OBEDIENCE_DELIMITED if reading.delimited else OBEDIENCE
        wanted = sorter.mentioned(attack)
        if wanted is not None:
            scores[wanted] += pull
        elif (quoted := _QUOTED.search(attack)) and dice.happens(0.8 if pull == OBEDIENCE else 0.45):
            return quoted[1]
        elif manner.deferring and (wanted := sorter.mentioned(text)) is not None:
            scores[wanted] += DEFERENCE
    if dice.temperature > 0:
        scores = [score + size.noise * dice.gumbel() for score in scores]
    return _phrased(sorter, manner, scores, words, dice)


def _scores(sorter: Sorter, words: Mapping[str, float]) -> list[float]:
    scores = [0.0] * len(sorter.labels)
    for word, weight in words.items():
        for i, value in enumerate(sorter.weights.get(word, ())):
            scores[i] += weight * value
    if sorter.fallback is not None:
        scores[sorter.fallback] += FALLBACK_WEIGHT
    return scores


def _heard(text: str, *, focus: bool) -> dict[str, float]:
    words: dict[str, float] = {}
    for asks, found in _evidence(text):
        weight = (ASKING if asks else TELLING) if focus else 1.0
        for word in found:
            words[word] = max(words.get(word, 0.0), weight)
    return words


def _phrased(sorter: Sorter, manner: Manner, scores: list[float], words: dict[str, float], dice: Dice) -> str:
    ranked = sorted(range(len(scores)), key=lambda i: -scores[i])
    first = sorter.labels[ranked[0]]
    second = sorter.labels[ranked[1]] if len(ranked) > 1 else first
    bare = json.dumps({manner.keys[0]: first}) if manner.keys else first
    if manner.thinking in (Thinking.BRIEF, Thinking.FULL):
        telling = [word for word in words if sorter.weights.get(word, (0.0,) * len(scores))[ranked[0]] > 0][:4]
        return "\n".join((*_thoughts(manner, first, second, telling or ["nothing specific"], dice), f"Label: {bare}"))
    if manner.terse or manner.keys:
        return bare
    close = len(ranked) > 1 and scores[ranked[0]] - scores[ranked[1]] < 0.3
    doubt = f" It could also concern {second.replace('_', ' ')}." if close else ""
    opening = dice.choice(("This ticket is about", "I would put this under", "This one belongs to"))
    return f"{opening} {first.replace('_', ' ')}.{doubt}"


def _thoughts(manner: Manner, first: str, second: str, telling: list[str], dice: Dice) -> list[str]:
    if manner.thinking is Thinking.BRIEF:
        return [f"The message turns on {', '.join(telling[:2])}."]
    lines = [
        f"1. What the customer describes: the message mentions {', '.join(telling)}.",
        f"2. What the customer wants: the sentences that ask for something point to {first}.",
        f"3. The nearest alternative is {second}; what would speak for it is weaker or belongs to the background.",
    ]
    if dice.happens(0.5):
        lines.append(f"4. Nothing else changes the picture, so {first} stays the best fit among the available labels.")
    return [*lines, ""]
