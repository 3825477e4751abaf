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
from engine.render.links import Links
from engine.render.markdown import markdown
from engine.render.signs import VERDICT_WORDS
from schemas.effects import Answer, CaseEffect, CaseMetric
from schemas.prompts import Finding
from schemas.verdicts import Reason, ReasonCode, VerdictStatus
from tests.render.scorecards import (
    BASE,
    HEAD,
    blocked,
    extraction,
    forty,
    generation,
    lineage,
    resume,
    scorecard,
    triage,
)
from tests.render.surfaces import hostile_texts, page

pytestmark = pytest.mark.slow

MEGABYTE = "<@team|💥>`\n" * 100_000
ORDER = tuple(VerdictStatus)


def big_case(number: int, reading: str, text: str = MEGABYTE) -> CaseEffect:
    kind = (None, "field", "dimension", "check")[number % 4]
    said = (Answer(text=text, count=2, of=3, score=0.0), Answer(text=text[1:], count=1, of=3, score=1.0))
    return CaseEffect(
        id=f"case-{number}",
        slices=("typical",),
        expected=text,
        line=number + 1,
        inputs=((text[:400], text[:1_000]), ("ticket", text[:1_000])),
        baseline=said,
        candidate=said,
        change=-1.0,
        result=reading,
        reason=text,
        metrics=(CaseMetric(name=text, kind=kind, expected=text, baseline=text, candidate=text),) if kind else (),
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
    # A single lineage needs no table.
    assert counted(text) == Counter(VERDICT_WORDS[status] for status in statuses if len(statuses) > 1)
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
    sizes = [len(markdown(card, Limits(limit, limit))) for limit in (8_000, 32_000, 65_536, 200_000)]
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
    card = many([VerdictStatus.BLOCKED] * 6, 60)
    assert len(markdown(card)) < len(markdown(card, JOB_SUMMARY)) <= JOB_SUMMARY.characters


def test_five_hundred_lineages_take_seconds_at_most():
    card = many([VerdictStatus.BLOCKED] * 500, 60)
    start = time.process_time()
    markdown(card)
    assert time.process_time() - start < 5


UNTRUSTED = {
    "sentence", "headline", "text", "reason", "label", "labels", "columns", "slices", "slice", "metric", "metrics", "id", "expected", "lineage",
    "model", "what", "where", "hint", "notes", "settings", "hunks", "lines", "cases", "classes", "confusion", "baseline", "candidate", "reasons",
    "warnings", "diff", "confidence", "inputs", "name", "tests", "file", "fix", "swap", "formats", "baseline_model", "by", "clearance",
}  # fmt: skip
"""Names of fields whose texts come from outside, or quote something that does."""
ALLOWED = {"h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "b", "br", "strong", "ol", "ul", "li", "ins", "del", "sub", "blockquote"}  # fmt: skip


def poisoned(value, text):
    """The value with ``text`` in every place that somebody else writes."""
    if isinstance(value, str):
        return text or "x"
    if isinstance(value, tuple):
        return tuple(poisoned(item, text) for item in value)
    if isinstance(value, dict):
        return {poisoned(key, text): item for key, item in value.items()}
    if hasattr(value, "model_copy"):
        known = {name: getattr(value, name) for name in UNTRUSTED if hasattr(value, name)}
        return value.model_copy(update={name: poisoned(item, text) for name, item in known.items()})
    return value


def swapped_and_approved():
    calm = generation().lineages[0].model_copy(update={"status": VerdictStatus.APPROVED})
    return forty().model_copy(update={"lineages": (*forty().lineages[3:12], *[calm] * 2)})


def attacked(card, text):
    lineages = tuple(poisoned(each, text) for each in card.lineages)
    return card.model_copy(
        update={"summary": text, "title": text, "lineages": lineages, "warnings": (Finding(what=text),)}
    )


@settings(max_examples=12, deadline=None, phases=[Phase.generate])
@given(hostile_texts, st.sampled_from((blocked, generation, extraction, swapped_and_approved)))
def test_a_scorecard_of_hostile_texts_brings_in_nothing_foreign(text, maker):
    card = maker()
    hostile = attacked(card, text)
    made = page(markdown(hostile))
    tags = {tag.removeprefix("/") for tag in made.structure if not tag.startswith("comment")}
    assert tags <= ALLOWED
    assert [tag for tag in made.structure if tag.startswith("comment")] == [f"comment  prompt-verdict {card.head.sha} "]
    assert made.attributes == []
    assert made.extras == ["commit"]  # base and head, in the footer, are meant to be linked
    for tag in ("details", "blockquote", "b"):
        assert made.structure.count(tag) == made.structure.count(f"/{tag}")
    assert len(scorecard_annotations(hostile)) == len([each for each in card.lineages if each.status != "approved"])


@settings(max_examples=10, deadline=None, phases=[Phase.generate])
@given(hostile_texts, st.sampled_from((blocked, generation, extraction)))
def test_links_to_files_with_hostile_names_stay_in_the_repository(text, maker):
    home = "https://github.com/o/r"
    made = page(markdown(attacked(maker(), text), links=Links(repository=home)))
    assert made.attributes
    for attribute in made.attributes:
        address = attribute.removeprefix("a href=")
        commit, _, rest = address.removeprefix(f"{home}/blob/").partition("/")
        assert address.startswith(f"{home}/blob/"), attribute
        assert commit in (BASE, HEAD)
        assert re.fullmatch(r"[\w.~/%-]*(\?plain=1#L\d+(-L\d+)?)?", rest, re.ASCII), attribute


def test_two_hundred_broken_cases_keep_the_first_ones_whole_and_count_the_rest():
    cases = tuple(big_case(4 * n, "regressed", f"{n} " + "needle in a very long haystack. " * 200) for n in range(200))
    card = triage().model_copy(update={"cases": cases})
    text = markdown(scorecard(status=card.status, lineages=(card,)))
    assert COMMENT.hold(text)
    assert "200 cases got worse" in text
    assert text.index("case&#45;0") < text.index("case&#45;4") < text.index("<details>")
    first = text[text.index("case&#45;0") : text.index("case&#45;4")]
    assert len(re.findall("needle", first)) > 30  # input, expectation and both answers are long enough to be read
    shown = len(re.findall(r"^<b>\d+\.</b>", text, re.MULTILINE))
    assert 10 < shown < 200
    assert f"… and {200 - shown} cases more" in text


def test_an_approved_lineage_is_folded_and_a_blocked_one_is_open():
    text = markdown(blocked())
    assert "### ❌ support-triage" in text
    assert "<details><summary>✅ <b>resume-match" in text


def test_a_lineage_without_anything_measured_still_renders():
    assert "| outreach<br>claude-haiku-4-5 | ✅&nbsp;approved | – | – | – | – |" in markdown(
        scorecard(lineages=(lineage(), lineage()))
    )
    assert "9 cases got better" in markdown(scorecard(lineages=(resume(),)))
