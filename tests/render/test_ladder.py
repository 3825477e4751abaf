"""However large the scorecard: what is published fits, failures come first and counts are exact."""

import re
import time
from collections import Counter

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from engine.render.annotations import scorecard_annotations
from engine.render.check_text import check_text
from engine.render.limits import CHECK_FIELD, COMMENT, JOB_SUMMARY, Limits
from engine.render.markdown import markdown
from engine.render.signs import VERDICT_WORDS
from schemas.effects import Answer, CaseEffect
from schemas.prompts import Finding
from schemas.verdicts import Reason, ReasonCode, VerdictStatus
from tests.render.scorecards import blocked, lineage, resume, scorecard, triage
from tests.render.surfaces import hostile_texts, page

MEGABYTE = "<@team|💥>`\n" * 100_000
ORDER = tuple(VerdictStatus)


def big_case(number: int, reading: str, text: str = MEGABYTE) -> CaseEffect:
    said = (Answer(text=text, count=2, of=3, score=0.0), Answer(text=text[1:], count=1, of=3, score=1.0))
    return CaseEffect(
        id=f"case-{number}",
        slices=("typical",),
        expected=text,
        baseline=said,
        candidate=said,
        change=-1.0,
        result=reading,
        reason=text,
    )


def many(statuses: list[VerdictStatus], cases: int, text: str = MEGABYTE):
    effects = tuple(big_case(n, ("regressed", "improved", "no_change")[n % 3], text) for n in range(cases))
    cards = [
        triage().model_copy(
            update={
                "lineage": f"lineage-{n:03}",
                "status": status,
                "cases": effects,
                "reasons": (Reason(code=ReasonCode.DROP, status=status, sentence=text),) * 3,
                "headline": text,
                "warnings": (Finding(what=text),) * 3,
            }
        )
        for n, status in enumerate(sorted(statuses, key=ORDER.index))
    ]
    return scorecard(
        status=cards[0].status, title="t" * 255, summary=text, lineages=tuple(cards), warnings=(Finding(what=text),) * 9
    )


def counted(text: str) -> Counter:
    """Verdicts in the overview: its rows, and what it counts below them."""
    seen = Counter()
    for words in re.findall(r"^\| (?:<code>)?lineage(?! \|).*? \| \S+?&nbsp;([a-z, ]+?) \|", text, re.MULTILINE):
        seen[words] += 1
    rest = re.search(r"([\d,]+) lineages?(?: more)?: (.*)\.$", text, re.MULTILINE)
    if rest:
        found = [
            (int(number.replace(",", "")), words)
            for number, words in re.findall(r"([\d,]+) ((?:[a-z]+ ?)+(?:, [a-z ]+?)?)(?=, \d|$)", rest[2])
        ]
        assert sum(number for number, _ in found) == int(rest[1].replace(",", ""))
        for number, words in found:
            seen[words] += number
    return seen


@settings(max_examples=3, deadline=None, phases=[Phase.generate])
@given(
    statuses=st.sampled_from([1, 2, 7, 40, 150, 500]).flatmap(
        lambda n: st.lists(st.sampled_from(ORDER), min_size=n, max_size=n)
    ),
    cases=st.sampled_from([0, 1, 5, 60]),
)
def test_one_to_five_hundred_lineages_with_megabyte_answers_fit_and_are_counted(statuses, cases):
    card = many(statuses, cases)
    text = markdown(card)
    assert COMMENT.hold(text)
    assert counted(text) == Counter(VERDICT_WORDS[status] for status in statuses)
    worse = len([n for n in range(cases) if n % 3 == 0])
    assert all(int(number) == worse for number in re.findall(r"(\d+) cases? got worse", text))
    check = check_text(card)
    assert CHECK_FIELD.hold(check.summary)
    assert CHECK_FIELD.hold(check.text)


@pytest.mark.parametrize("limit", [8_000, 16_000, 65_536, 200_000])
def test_every_rung_holds_its_limit(limit):
    limits = Limits(limit, limit)
    assert limits.hold(markdown(many([VerdictStatus.BLOCKED] * 30, 30), limits))


def test_a_smaller_limit_never_shows_more():
    card = many([VerdictStatus.BLOCKED] * 12 + [VerdictStatus.APPROVED] * 12, 30)
    sizes = [len(markdown(card, Limits(limit, limit))) for limit in (8_000, 32_000, 65_536, 1_000_000)]
    assert sizes == sorted(sizes)


def test_failures_are_kept_longest():
    text = markdown(many([VerdictStatus.APPROVED] * 400 + [VerdictStatus.BLOCKED] * 3, 40))
    assert len(re.findall(r"^### ❌", text, re.MULTILINE)) == 3
    assert "14 cases got worse" in text


def test_a_shortened_scorecard_says_so():
    assert "shortened to fit" in markdown(many([VerdictStatus.BLOCKED] * 100, 40))
    assert "shortened to fit" not in markdown(blocked())


def test_bytes_count_as_well_as_characters():
    text = markdown(many([VerdictStatus.BLOCKED] * 40, 40, "日本語" * 100_000))
    assert len(text.encode()) <= 65_536


def test_the_job_summary_has_room_for_more():
    card = many([VerdictStatus.BLOCKED] * 20, 60)
    assert len(markdown(card)) < len(markdown(card, JOB_SUMMARY)) <= JOB_SUMMARY.characters


def test_five_hundred_lineages_take_seconds_at_most():
    card = many([VerdictStatus.BLOCKED] * 500, 60)
    start = time.process_time()
    markdown(card)
    assert time.process_time() - start < 5


@settings(max_examples=10, deadline=None, phases=[Phase.generate])
@given(hostile_texts)
def test_a_scorecard_of_hostile_texts_brings_in_nothing_foreign(text):
    def poisoned(value):
        if isinstance(value, str):
            return text or "x"
        if isinstance(value, tuple):
            return tuple(poisoned(item) for item in value)
        if hasattr(value, "model_copy"):
            names = {"sentence", "headline", "text", "reason", "label", "labels", "columns", "slices", "slice", "metric", "metrics", "id", "expected", "lineage", "model", "what", "where", "hint", "notes", "settings", "hunks", "lines", "cases", "classes", "confusion", "baseline", "candidate", "reasons", "warnings", "diff", "confidence"}  # fmt: skip
            known = {name: getattr(value, name) for name in names if hasattr(value, name)}
            return value.model_copy(update={name: poisoned(item) for name, item in known.items()})
        return value

    card = blocked()
    attacked = card.model_copy(
        update={
            "summary": text,
            "title": text,
            "lineages": tuple(map(poisoned, card.lineages)),
            "warnings": (Finding(what=text),),
        }
    )
    made = page(markdown(attacked))
    allowed = {"h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "b", "br", "strong", "ol", "ul", "li", "ins", "del", "sub"}  # fmt: skip
    tags = {tag.removeprefix("/") for tag in made.structure if not tag.startswith("comment")}
    assert tags <= allowed
    assert [tag for tag in made.structure if tag.startswith("comment")] == [f"comment  prompt-verdict {card.head.sha} "]
    assert made.attributes == []
    assert made.extras == ["commit"]  # base and head, in the footer, are meant to be linked
    assert made.structure.count("details") == made.structure.count("/details")
    assert len(scorecard_annotations(attacked)) == 1


def test_an_approved_lineage_is_folded_and_a_blocked_one_is_open():
    text = markdown(blocked())
    assert "### ❌ support-triage" in text
    assert "<details><summary>✅ <b>resume-match" in text


def test_a_lineage_without_anything_measured_still_renders():
    assert "| outreach<br>claude-haiku-4-5 | ✅&nbsp;approved | – | – | – | – |" in markdown(
        scorecard(lineages=(lineage(),))
    )
    assert "9 cases got better" in markdown(scorecard(lineages=(resume(),)))
