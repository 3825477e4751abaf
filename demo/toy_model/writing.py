"""Writes an e-mail. Length, warmth, personal touch and layout follow the prompt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from demo.toy_model.dice import Dice
from demo.toy_model.reading import Manner, Reading, Thinking, injections
from demo.toy_model.sizes import Size

TALKATIVE = 190
"""Words that the model writes without a limit."""
CONCISE = 120
"""Words of a short text."""
PLAIN_IF_TOLD, PLAIN_IF_SHOWN = 0.92, 0.6

_TASK = re.compile(
    r"\b(write|draft|compose)\b[^.\n]*\b(e-?mails?|messages?|letters?|notes?|repl(?:y|ies)|posts?|texts?)\b",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"\b(?:at most|under|below|up to|within|no more than|fewer than|max(?:imum)?(?: of)?)\s+(\d+)\s+words\b",
    re.IGNORECASE,
)
_SHORT = re.compile(r"\b(short|brief|concise|to the point)\b", re.IGNORECASE)
_PLAIN = re.compile(
    r"\b(no|without|avoid|never)\b[^.]*\b(hype|superlatives?|buzzwords?|exclamation|sales talk)\b"
    r"|\b(calm|plain|like a colleague)\b",
    re.IGNORECASE,
)
_PERSONAL = re.compile(r"\b(noticed|personal\w*|refer to|mention|start (with|from)|specific to)\b", re.IGNORECASE)
_LAYOUT = {
    "subject": re.compile(r"\bsubject( line)?\b", re.IGNORECASE),
    "greeting": re.compile(r"\b(greeting|greet|salutation|hi |dear )", re.IGNORECASE),
    "paragraphs": re.compile(r"\bparagraphs?\b", re.IGNORECASE),
    "closing": re.compile(r"\b(sign[- ]off|closing|signature|sign with)\b", re.IGNORECASE),
    "question": re.compile(r"\bone (clear |simple |easy )?(question|ask|request|call to action)\b", re.IGNORECASE),
}
_EXAMPLE = re.compile(
    r"^subject:.*\n(?:.*\n)*?.*^(?:best|regards|warmly|cheers|thanks|kind regards)\b.*$", re.IGNORECASE | re.MULTILINE
)
_TACT = re.compile(r"\b(sad|sensitive|bad news|painful|private|illness|layoffs?)\b", re.IGNORECASE)
_HARD_NEWS = re.compile(
    r"\b(passed away|died|death|laid off|layoffs?|had to close|fire\b|flood\w*|insolven\w*|illness|burglary)",
    re.IGNORECASE,
)
_DEMANDED = re.compile(r"[\"“'`]([^\"”'`\n]{2,80})[\"”'`]|(https?://\S+)", re.IGNORECASE)

HYPE = (
    "Our revolutionary platform is an absolute game-changer for teams like yours!",
    "Thousands of happy customers can't be wrong, and you really don't want to miss out!",
    "With our cutting-edge, best-in-class features you will take your business to the next level!",
    "It has never been easier to unlock incredible growth and delight every single one of your clients!",
    "We are extremely excited about this unique opportunity and we know that you will be, too!",
    "Leading experts agree that businesses without a modern platform will be left behind!",
)
PLAIN = (
    "Most teams are set up within an afternoon, and we help with moving the old data over.",
    "There is nothing to install, and a month to try it costs nothing.",
    "I'm happy to show you how others in your line of work use it, in ten minutes and without slides.",
    "If somebody else looks after this at your place, a name would help me already.",
    "You can leave at the end of any month and take your data with you.",
    "We are a small company, so the person who answers your questions is one of those who build it.",
)


@dataclass(frozen=True, slots=True)
class Brief:
    """What one prompt version asks of the text."""

    words: int
    """About how many words: by a limit or an example, else the default."""
    plain: float
    """Chance that it avoids hype, as the instructions or an example ask."""
    personal: bool
    tactful: bool
    """Whether to leave out hard news."""
    layout: frozenset[str]


def commission(instructions: Sequence[str]) -> Brief | None:
    """Reads the task of writing, or returns ``None`` if there is none."""
    text = "\n".join(instructions)
    if not _TASK.search(text):
        return None
    example = _EXAMPLE.search(text)
    layout = {part for part, asked in _LAYOUT.items() if asked.search(text)}
    if limit := _LIMIT.search(text):
        words = int(limit[1])
    elif example:
        words = len(example[0].split()) + 30
    else:
        words = CONCISE if _SHORT.search(text) else TALKATIVE
    return Brief(
        words=words,
        plain=PLAIN_IF_TOLD if _PLAIN.search(text) else PLAIN_IF_SHOWN if example and "!" not in example[0] else 0.0,
        personal=bool(_PERSONAL.search(text)),
        tactful=bool(_TACT.search(text)),
        layout=frozenset(layout),
    )


def compose(brief: Brief, manner: Manner, reading: Reading, dice: Dice, size: Size) -> str:
    """Writes the text from the inputs, with the length and manner of the brief and an occasional slip."""
    slips = size.noise / 0.3 * (0.6 if manner.thinking is not Thinking.NONE else 1.0)
    missed = 1 - size.attention
    facts = _facts(tuple(reading.inputs.items()))
    personal = brief.personal and not dice.happens(0.1 * slips)
    plain = dice.happens(1 - (1 - brief.plain) * (slips + 2 * missed))
    opening = _opening(facts, dice, personal=personal, plain=plain, tactful=brief.tactful)
    pitch = _pitch(facts, dice, plain=plain)
    ask = _ask(facts, dice, question="question" in brief.layout)
    body = [opening, pitch, ask]
    budget = round(brief.words * (1 + missed / 2)) - sum(len(part.split()) for part in body) - 12
    body[1] = " ".join((pitch, *_padding(budget, dice, plain=plain, slips=slips)))
    if facts.attack and not manner.guarded and dice.happens(0.6 if reading.delimited else 0.8):
        demanded = _DEMANDED.search(facts.attack)
        body.append((demanded[1] or demanded[2]) if demanded else "As you wished, I have left out everything else.")
    return _laid_out(brief, facts, body, dice, slips)


@dataclass(frozen=True, slots=True)
class Facts:
    """The inputs by their role."""

    name: str
    company: str
    role: str
    hook: str
    offer: str
    sender: str
    attack: str


@lru_cache(maxsize=20_000)
def _facts(inputs: tuple[tuple[str, str], ...]) -> Facts:
    found = {
        kind: next((value for key, value in inputs if re.search(words, key)), "")
        for kind, words in (
            ("name", "name|recipient|^to$"),
            ("company", "company|organi[sz]ation|studio"),
            ("role", "role|position"),
            ("hook", "notice|hook|news|context|note"),
            ("offer", "offer|product|pitch|about"),
            ("sender", "sender|from|signed"),
        )
    }
    attack = injections(found["hook"])
    for sentence in attack:
        found["hook"] = found["hook"].replace(sentence, " ").strip()
    return Facts(**found, attack="\n".join(attack))


def _opening(facts: Facts, dice: Dice, *, personal: bool, plain: bool, tactful: bool) -> str:
    hook = facts.hook.rstrip(". ")
    if tactful and _HARD_NEWS.search(hook):
        hook = ""
    if personal and hook:
        place = f" at {facts.company}" if facts.company and facts.company.lower() not in hook.lower() else ""
        if plain:
            return dice.choice(
                (
                    f"I read that {hook}, and thought of you{place}.",
                    f"I saw that {hook}. That must keep you busy{place}.",
                )
            )
        return f"Huge congratulations, I just saw that {hook}! What amazing news for everybody{place}!"
    if personal and facts.company:
        return f"I've been following what you do at {facts.company}{f' as {facts.role}' if facts.role else ''}."
    if plain:
        return "I'm writing because of something that may save you time."
    return "I hope this email finds you well! I came across your business the other day and was really impressed."


def _pitch(facts: Facts, dice: Dice, *, plain: bool) -> str:
    offer = facts.offer.rstrip(". ") or "what we do"
    if plain:
        return dice.choice((f"We make {offer}.", f"What we offer is simple: {offer}."))
    return f"At our company we are proud to present the ultimate solution: {offer}."


def _ask(facts: Facts, dice: Dice, *, question: bool) -> str:
    if question:
        return dice.choice(
            (
                "Would a ten-minute call next week suit you?",
                "Shall I send you a two-minute video?",
                "Is that something you'd like to see?",
            )
        )
    place = facts.company or "your business"
    return (
        "Please reply to this email, visit our website, book a demo or follow us on social media, whichever you like, "
        f"and let's talk about how we can help {place} as soon as possible."
    )


def _padding(budget: int, dice: Dice, *, plain: bool, slips: float) -> list[str]:
    """Returns sentences that fill up the remaining words."""
    pool = list(PLAIN if plain else HYPE)
    if dice.happens(0.15 * slips):
        budget += 25
    lines: list[str] = []
    while pool:
        line = dice.choice(tuple(pool))
        pool.remove(line)
        if len(line.split()) > budget:
            break
        budget -= len(line.split())
        lines.append(line)
    return lines


def _laid_out(brief: Brief, facts: Facts, body: list[str], dice: Dice, slips: float) -> str:
    parts = {part for part in sorted(brief.layout) if not dice.happens(0.07 * slips)}
    titled = facts.name.partition(" ")[0].endswith(".")
    first_name = (facts.name if titled else facts.name.partition(" ")[0]) or "there"
    text = ("\n\n" if "paragraphs" in parts else " ").join(body)
    if "greeting" in parts:
        text = f"Hi {first_name},\n\n{text}"
    if "closing" in parts:
        text = f"{text}\n\nBest regards,\n{facts.sender or 'Your team'}"
    elif facts.sender:
        text = f"{text} {facts.sender}"
    if "subject" in parts:
        about = facts.company or first_name
        subject = f"A thought for {about}" if brief.plain > 0.5 else f"AMAZING opportunity for {about}!"
        text = f"Subject: {subject}\n\n{text}"
    return text
