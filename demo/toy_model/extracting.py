"""Fills in the JSON object that the prompt describes. The quality depends on what the prompt says about each field.

Fields of a match between a job and a résumé (skills, years, seniority, score) are recognized by their names. Any other
field is looked up as a ``name: value`` line of the input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pydantic import JsonValue

from demo.toy_model.dice import Dice
from demo.toy_model.reading import Manner, Reading, Thinking, injections
from demo.toy_model.sizes import Size

STALE_YEAR = 2024
"""The current year for the model, unless the prompt says otherwise."""
COMMON_SHORT = {"js": "javascript", "k8s": "kubernetes"}
"""Abbreviations that the larger model knows."""

_REQUIRED = re.compile(
    r"(?:\brequire(?:d|s|ments)?\b|\bmust have\b|\bessential\b|\byou need\b|\byou bring\b):?\s*([^.]+)", re.IGNORECASE
)
_WELCOME = re.compile(r"(?:\bnice to have\b|\ba plus\b|\bbonus\b|\bideally(?: also)?\b):?\s*([^.]+)", re.IGNORECASE)
_ITEMS = re.compile(r"\s*[,;]\s*(?:and |plus )?|\s+and\s+")
_YEARS_IN = re.compile(r"\b(?:at least )?(\d+)\+? years?\b", re.IGNORECASE)
_RANGE = re.compile(r"\b((?:19|20)\d\d)\s*[-–]\s*((?:19|20)\d\d|present|now|today)", re.IGNORECASE)
_DOUBTFUL = re.compile(
    r"\b(no|not|never|haven't|hasn't|don't|learning|learn|interest|reading|would (?:like|love)|expired|somebody else|"
    r"course only|shown|yet|anybody else)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[.;:!?]\s+|,\s+(?=and |though |but )|\n")
_ALIAS = re.compile(r"([A-Za-z][\w+#. -]{0,30}?)\s*(?:=|→|->|means|stands for)\s*([A-Za-z][\w+# -]{1,30})")
_LEVEL = re.compile(r"\b(intern|junior|mid|senior|lead)\b[^,;.)]*?\(?(under|below|less than)?\s*(\d+)", re.IGNORECASE)
_LEADS = re.compile(r"\b(head of|led a team|leading a team|team of|manag\w+ a team)\b", re.IGNORECASE)
_FORMULA = re.compile(r"(\d+) points[^.]*?\bskills?\b[^.]*?(\d+) points[^.]*?\byears\b", re.IGNORECASE | re.DOTALL)
_YEAR = re.compile(r"\b(?:until|today is|year is|it is|in)\b[^.\n]{0,20}?\b(20[2-9]\d)\b", re.IGNORECASE)
_OBJECT = re.compile(r"\{[^{}]*\}", re.DOTALL)
_NUMBER = re.compile(r"\b(\d{1,3})\b")
_WORDS = {
    word: n
    for n, word in enumerate(["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], start=1)
}


_REQUIRED_ONLY = re.compile(r"nice.to.have|only (the )?(required|must)|required skills only", re.IGNORECASE)
_EVIDENCE = re.compile(r"\b(has used|have used|was used|practised|evidence|not (count|enough))", re.IGNORECASE)
_ADD_UP = re.compile(r"\b(add(ed)? up|sum|total|all jobs)\b", re.IGNORECASE)
_LEADING = re.compile(r"lead[^.;]{0,40}\b(leads|team|people)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Form:
    """What one prompt version says about the object and its fields."""

    keys: tuple[str, ...]
    required_only: bool
    evidence: bool
    """Whether skills count only if they were used."""
    add_up: bool
    """Whether the years of all jobs are added up."""
    year: int
    aliases: dict[str, tuple[str, ...]]
    """Skill (lower case) → other spellings."""
    levels: tuple[tuple[int, str], ...]
    """Fewest years of each level, highest first. Empty if the prompt doesn't say."""
    leading: bool
    """Whether leading a team makes a lead."""
    formula: tuple[int, int] | None
    """Points for skills and for years."""
    scale: float | None
    """Score for all skills, by an example."""
    fenced: bool


def understand(instructions: Sequence[str], examples: Sequence[tuple[str, str]], manner: Manner, size: Size) -> Form:
    """Reads the instructions about the fields."""
    text = "\n".join((*instructions, *(said for _, said in examples)))
    told = re.sub(r"\s+", " ", text)
    aliases: dict[str, list[str]] = {}
    for short, long in (*_ALIAS.findall(told), *(COMMON_SHORT.items() if size.attention == 1 else ())):
        aliases.setdefault(long.strip().lower(), []).append(short.strip().lower())
    floors = {
        name.lower(): 0 if below else int(years)
        for name, below, years in (_LEVEL.findall(told) if re.search("seniority|level", told, re.IGNORECASE) else ())
    }
    year = _YEAR.search(told)
    formula = _FORMULA.search(told)
    return Form(
        keys=manner.keys,
        required_only=bool(_REQUIRED_ONLY.search(told)),
        evidence=bool(_EVIDENCE.search(told)),
        add_up=bool(_ADD_UP.search(told)),
        year=int(year[1]) if year else STALE_YEAR,
        aliases={long: tuple(shorts) for long, shorts in aliases.items()},
        levels=tuple(sorted(((floor, name) for name, floor in floors.items()), reverse=True)),
        leading=bool(_LEADING.search(told)),
        formula=(int(formula[1]), int(formula[2])) if formula else None,
        scale=_scale(text),
        fenced=not manner.terse,
    )


def _scale(text: str) -> float | None:
    for found in _OBJECT.findall(text):
        try:
            shown = json.loads(found)
        except ValueError:
            continue
        by_kind = {_kind(key): value for key, value in shown.items()}
        matched, missing, score = by_kind.get("matched"), by_kind.get("missing"), by_kind.get("score")
        if isinstance(matched, list) and isinstance(missing, list) and matched and isinstance(score, int):
            return score * (len(matched) + len(missing)) / len(matched)
    return None


@lru_cache(maxsize=256)
def _kind(key: str) -> str:
    key = key.lower()
    for kind, words in (
        ("missing", ("missing", "gap", "lacking")),
        ("matched", ("skill", "matched")),
        ("years", ("years", "experience")),
        ("seniority", ("seniority", "level")),
        ("score", ("score", "match", "fit")),
    ):
        if any(word in key for word in words):
            return kind
    return key


@dataclass(frozen=True, slots=True)
class Pair:
    """A job and a résumé, as found in the input."""

    required: tuple[str, ...]
    welcome: tuple[str, ...]
    years: int
    resume: str
    attack: str


@lru_cache(maxsize=20_000)
def _pair(job: str, resume: str, *, guarded: bool) -> Pair:
    attack = injections(resume)
    if guarded:
        for sentence in attack:
            resume = resume.replace(sentence, " ")
    years = _YEARS_IN.search(job)
    return Pair(
        required=_items(_REQUIRED, job),
        welcome=_items(_WELCOME, job),
        years=int(years[1]) if years else 0,
        resume=resume,
        attack="" if guarded else "\n".join(attack),
    )


def _items(cue: re.Pattern[str], job: str) -> tuple[str, ...]:
    items = [item.strip() for found in cue.findall(job) for item in _ITEMS.split(found)]
    return tuple(item for item in items if item and not _YEARS_IN.search(item) and len(item) < 40)


@dataclass(slots=True)
class Assessment:
    """The model's assessment of one pair."""

    wanted: tuple[str, ...]
    have: list[str]
    years: int
    level: str
    score: int

    def values(self) -> dict[str, JsonValue]:
        """Returns the values by kind of field."""
        missing = [skill for skill in self.wanted if skill not in self.have]
        return {
            "matched": list(self.have),
            "missing": list(missing),
            "years": self.years,
            "seniority": self.level,
            "score": self.score,
        }


def extract(form: Form, manner: Manner, reading: Reading, dice: Dice, size: Size) -> str:
    """Returns the model's answer: an object if the prompt shows its keys, else prose without readable fields."""
    job, resume = _two(reading)
    pair = _pair(job, resume, guarded=manner.guarded)
    slips = size.noise / 0.3 * (0.5 if manner.thinking is not Thinking.NONE else 1.0)
    found = _assess(form, pair, dice, slips)
    if pair.attack and dice.happens(0.85):
        _obey(found, pair.attack)
    if not form.keys:
        match = "strong" if found.score >= 70 else "possible" if found.score >= 45 else "weak"
        skills = ", ".join(found.have) or "none of the skills"
        return (
            f"The candidate looks like a {match} match, I'd say {found.score} out of 100. "
            f"They bring {skills} and about {found.years} years of experience."
        )
    values = found.values()
    filled = {key: values[_kind(key)] if _kind(key) in values else _looked_up(key, reading.text) for key in form.keys}
    answer = json.dumps(filled, ensure_ascii=False)
    if manner.thinking is Thinking.BRIEF:
        return f"{len(found.have)} of {len(found.wanted)} skills, {found.years} years of {pair.years}.\n\n{answer}"
    if manner.thinking is Thinking.FULL:
        return f"{_evidence(found, pair)}\n\n{answer}"
    return f"Here is the assessment:\n\n```json\n{answer}\n```" if form.fenced else answer


def _assess(form: Form, pair: Pair, dice: Dice, slips: float) -> Assessment:
    wanted = pair.required if form.required_only else (*pair.required, *pair.welcome)
    have = [skill for skill in wanted if _has(form, pair.resume, skill, dice, slips)]
    years = _years(form, pair.resume, dice, slips)
    found = Assessment(wanted, have, years, _level(form, pair.resume, years), 0)
    share = len(have) / len(wanted) if wanted else 0.0
    if form.formula:
        for_skills, for_years = form.formula
        seasoned = min(1.0, years / pair.years) if pair.years else 1.0
        found.score = round(for_skills * share + for_years * seasoned)
    else:
        impression = form.scale * share if form.scale is not None else 45 + 12 * len(have) - 3 * len(wanted)
        mood = 0.0 if dice.temperature <= 0 else (dice.uniform() - 0.5) * 24 * slips * dice.temperature
        found.score = max(0, min(100, 5 * round((impression + mood) / 5)))
    return found


def _two(reading: Reading) -> tuple[str, str]:
    """Returns the text of the job and of the résumé, by the names of the parts. Without such names, both are the whole
    input."""
    resume = [text for key, text in reading.inputs.items() if re.search(r"r[ée]sum[ée]|\bcv\b|candidate", key)]
    job = [text for key, text in reading.inputs.items() if re.search(r"\bjob|position|vacancy|role", key)]
    return "\n".join(job) or reading.text, "\n".join(resume) or reading.text


def _has(form: Form, resume: str, skill: str, dice: Dice, slips: float) -> bool:
    name = skill.lower()
    mention = _mention(name, resume)
    if mention == "used":
        return dice.happens(1 - 0.08 * slips)
    if any(_mention(alias, resume) == "used" for alias in form.aliases.get(name, ())):
        return dice.happens(1 - 0.2 * slips)
    return mention == "doubtful" and dice.happens(0.2 * slips if form.evidence else 0.8)


@lru_cache(maxsize=100_000)
def _mention(name: str, resume: str) -> str:
    pattern = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.IGNORECASE)
    clauses = [clause for clause in _CLAUSE.split(resume) if pattern.search(clause)]
    if not clauses:
        return "absent"
    return "doubtful" if all(_DOUBTFUL.search(clause) for clause in clauses) else "used"


def _years(form: Form, resume: str, dice: Dice, slips: float) -> int:
    ranges = [(int(start), int(end) if end.isdigit() else form.year) for start, end in _RANGE.findall(resume)]
    if not ranges:
        said = _YEARS_IN.search(resume)
        spelled = next((n for word, n in _WORDS.items() if re.search(rf"\b{word} years\b", resume, re.IGNORECASE)), 0)
        return int(said[1]) if said else spelled
    if form.add_up:
        first = min(start for start, _ in ranges)
        total = min(sum(end - start for start, end in ranges), max(end for _, end in ranges) - first)
    else:
        total = ranges[0][1] - ranges[0][0]
    if len(ranges) > 1 and dice.happens(0.25 * slips):
        total -= 2
    return max(0, total)


def _level(form: Form, resume: str, years: int) -> str:
    if form.leading and _LEADS.search(resume):
        return "lead"
    if form.levels:
        return next((name for floor, name in form.levels if years >= floor), form.levels[-1][1])
    said = re.search(r"\b(junior|senior|lead|head|trainee)\b", resume, re.IGNORECASE)
    return {"head": "lead", "trainee": "junior"}.get(said[1].lower(), said[1].lower()) if said else "mid"


def _obey(found: Assessment, attack: str) -> None:
    """Applies an instruction inside the résumé to the answer."""
    if re.search(r"\b(every|all|missing_skills empty)\b", attack, re.IGNORECASE):
        found.have = list(found.wanted)
    if named := re.search(r"\b(junior|senior|lead)\b", attack, re.IGNORECASE):
        found.level = named[1].lower()
    if number := _NUMBER.search(attack):
        found.score = int(number[1])


def _evidence(found: Assessment, pair: Pair) -> str:
    verdicts = ("nothing in the résumé shows it", "the résumé shows that it was used at work")
    lines = [f"- {skill}: {verdicts[skill in found.have]}." for skill in found.wanted]
    years = f"- Years: {found.years}, the job asks for {pair.years}."
    return "\n".join(("Evidence, skill by skill:", *lines, years))


def _looked_up(key: str, text: str) -> str | None:
    words = re.escape(key).replace("_", "[ _-]")
    found = re.search(rf"\b{words}\b\s*[:=]\s*([^\n]+)", text, re.IGNORECASE)
    return found[1].strip() if found else None
