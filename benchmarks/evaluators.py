"""Compares the evaluators with references that others made.

    pip install autoevals babel rouge-score scikit-learn       (none is a dependency of the project)
    pip download --no-deps --no-binary :all: jsonschema && tar xzf jsonschema-*.tar.gz
    python -m benchmarks.evaluators --suite jsonschema-*/json

The sources of the package jsonschema hold the JSON-Schema-Test-Suite. The tables are kept in
``benchmarks/results/evaluators.md``. Everything is deterministic and takes about a minute.
"""

from __future__ import annotations

import argparse
import random
import re
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.evaluators_checks import against_autoevals, against_the_formats, against_the_suite
from evaluators.classification_report import CaseAnswers, report_by_class
from evaluators.dates import DateStyle, read_date
from evaluators.field_rules import compare_field
from evaluators.label_rules import LabelRules
from evaluators.locales import locale_of
from evaluators.numbers import read_number
from schemas.field_config import FieldKind, FieldRule

RESULTS = Path(__file__).parent / "results" / "evaluators.md"
SETS = 300
"""Random classifications that are compared with scikit-learn."""
LOCALES = (
    "en_US en_GB en_ZA de de_CH fr fr_CH es es_MX it it_CH pt pt_PT nl sv da nb fi pl cs sk hu ro bg ru uk el tr he ar "
    "fa hi ja zh ko vi id th"
)
NUMBERS = ("0", "7", "-5", "0.5", "12.5", "1234", "-1234.5", "98765.432", "1000000", "-1234567.89", "12345678.9")
PAIRS = (
    ("The Beatles", "beatles"),
    ("a cat", "cat"),
    ("U.S.A.", "USA"),
    ("Denver Broncos.", "denver broncos"),
    ("  Saint   Mark ", "saint mark"),
    ('"Imagine"', "imagine"),
    ("Acme, Inc.", "Acme Inc"),
    ("well-known", "well known"),
    ("rock'n'roll", "rocknroll"),
    ("New York (city)", "new york city"),
    ("Paris", "London"),
    ("Paris", "Paris France"),
    ("1,000", "1000"),
    ("3.5", "35"),
    ("3.50", "3.5"),
    ("-5", "5"),
    ("C++", "C"),
    ("Theatre", "atre"),
    ("100%", "100"),
    ("$5", "5"),
    ("and", "a nd"),
    ("Émile", "Emile"),
    ("and/or", "andor"),
    ("What?!", "what"),
)


def question_key(text: str) -> list[str]:
    """Returns a text as DROP normalises it: SQuAD's rules (case, punctuation, articles), with numbers by value."""
    found = []
    for word in re.split(r"[ -]", text.lower()):
        plain = word if _is_number(word) else "".join(sign for sign in word if sign not in string.punctuation)
        if plain and plain not in ("a", "an", "the"):
            found.append(str(float(plain)) if _is_number(plain) else plain)
    return found


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def against_scikit_learn() -> Iterator[tuple[str, ...]]:
    """Yields a row for each figure: how many values were compared, and the largest difference."""
    from sklearn.metrics import cohen_kappa_score, f1_score, precision_recall_fscore_support

    rng, labels = random.Random(7), ("a", "b", "c", "d", "e")
    gaps: dict[str, list[float]] = {}
    for _ in range(SETS):
        known = labels[: rng.randint(2, 5)]
        expected = [rng.choice(known) for _ in range(rng.randint(5, 60))]
        said = [truth if rng.random() < 0.6 else rng.choice((*known, None)) for truth in expected]
        given = [one or "no label" for one in said]
        cases = [CaseAnswers(frozenset([truth]), (one,), (one,)) for truth, one in zip(expected, said, strict=True)]
        report = report_by_class(LabelRules(known), cases)
        figures = {one.name: one.baseline for one in report.figures}
        there = [one.label for one in report.classes if one.baseline_f1 is not None]
        table = precision_recall_fscore_support(expected, given, labels=there, zero_division=0)
        classes = [one for one in report.classes if one.label in there]
        for position, one in enumerate(classes):
            ours = (one.baseline_precision or 0, one.baseline_recall or 0, one.baseline_f1)
            for name, mine, column in zip(("precision", "recall", "F1"), ours, table, strict=False):
                gaps.setdefault(f"{name} by class", []).append(abs((mine or 0) - column[position]))
        pairs = {
            "macro F1": f1_score(expected, given, labels=there, average="macro", zero_division=0),
            "micro F1": f1_score(expected, given, labels=there, average="micro", zero_division=0),
            "kappa": cohen_kappa_score(expected, given),
        }
        for name, theirs in pairs.items():
            mine = figures.get(name)
            if mine is not None and theirs == theirs:
                gaps.setdefault(name, []).append(abs(mine - float(theirs)))
        if None not in said:
            ordinal = report_by_class(LabelRules(known, ordinal=True), cases).figures
            weighted = cohen_kappa_score(expected, given, weights="quadratic", labels=list(known))
            mine = next((one.baseline for one in ordinal if one.name == "weighted kappa"), None)
            if mine is not None and weighted == weighted:
                gaps.setdefault("quadratic weighted kappa", []).append(abs(mine - float(weighted)))
    for name, found in gaps.items():
        yield name, f"{len(found):,}", f"{max(found):.0e}" if max(found) else "0"


def against_normalisation() -> tuple[int, list[str]]:
    """Returns how many pairs agree with SQuAD's and DROP's normalisation, and those that don't."""
    rule = FieldRule(kind=FieldKind.NORMALISED)
    differing = []
    for one, other in PAIRS:
        there, here = question_key(one) == question_key(other), compare_field(rule, one, other).value == 1
        if there is not here:
            words = ("different", "equal")
            differing.append(f"“{one}” and “{other}”: {words[there]} there, {words[here]} here")
    return len(PAIRS) - len(differing), differing


def against_cldr() -> Iterator[tuple[str, ...]]:
    """Yields a row for each locale: numbers and dates that are read, left unread, and read wrongly."""
    for name in LOCALES.split():
        numbers = Counter(_number_results(name))
        dates = Counter(_date_results(name))
        yield name, *(f"{counts[what]:,}" for counts in (numbers, dates) for what in ("read", "unread", "wrong"))


def _number_results(name: str) -> Iterator[str]:
    from babel.numbers import format_decimal, format_percent

    locale = locale_of(name)
    for text in NUMBERS:
        value = Decimal(text)
        percent = value if abs(value) < 100 else Decimal("0.25")
        for written, truth in (
            (format_decimal(value, locale=name), round(value, 3)),
            (format_decimal(value, locale=name, numbering_system="default"), round(value, 3)),
            (format_percent(percent / 100, locale=name, format="#,##0.0%"), round(percent, 1)),
        ):
            found = read_number(written, locale)
            yield "unread" if found is None else "read" if found.value == truth else "wrong"


def _date_results(name: str) -> Iterator[str]:
    from babel.dates import format_date, format_skeleton

    style = DateStyle(locale_of(name))
    for days in range(0, 366, 11):
        day = date(2024, 1, 1) + timedelta(days=days)
        written = [format_date(day, form, locale=name) for form in ("short", "medium", "long", "full")]
        # And in numbers with the whole year, as forms and invoices have it.
        for text in (*written, format_skeleton("yMd", day, locale=name)):
            found = read_date(text, style).day
            yield "unread" if found is None else "read" if found == day else "wrong"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


PAGE = """# The evaluators against references

Made by `python -m benchmarks.evaluators`. Nothing of the references is copied: they are run, or their rules are written
again.

## Classification: scikit-learn

{sets} random classifications with two to five labels, and answers without a label.

{sklearn}

## Normalised texts: SQuAD and DROP

{agree} of {pairs} pairs agree. The others differ on purpose: an article is part of a value, and so is a sign or a mark
inside a word. `kind: number` reads the numbers.

{differing}

## Numbers and dates: CLDR

{locales} locales, written by Babel and read with `locale:`. Wrong: {wrong_numbers} of {numbers:,} numbers and
{wrong_dates} of {dates:,} dates. Unread: {unread_numbers:.1%} of the numbers and {unread_dates:.1%} of the dates. These
are years of two digits, and names of months in languages that are not built in.

{cldr}

## Checks: autoevals and rouge-score

Pairs of texts, of which one is the output. autoevals' `NumericDiff`, `JSONDiff` and `ListContains` grade by degrees,
which no check here does. `rouge_l` differs for words with an underscore, which rouge-score splits.

{autoevals}

promptfoo's deterministic assertions have [a table of their own](promptfoo.md).
"""
SUITE = """
## JSON Schema: the test suite

The suite's required cases. A schema that we would not apply in full is refused with an error, so it never scores an
answer. The differing cases expect that `format` is an annotation, but here it is checked.

{table}

Why schemas are refused, in cases of all drafts:

{refused}

The suite's optional cases of formats, in all drafts:

{formats}
"""


def page(suite: Path | None) -> str:
    """Returns the whole page."""
    cldr = list(against_cldr())
    sums = [sum(int(row[column].replace(",", "")) for row in cldr) for column in range(1, 7)]
    agree, differing = against_normalisation()
    text = PAGE.format(
        autoevals=table(("check", "scorer", "pairs", "agree"), list(against_autoevals())),
        sets=SETS,
        sklearn=table(("figure", "values", "largest difference"), list(against_scikit_learn())),
        agree=agree,
        pairs=len(PAIRS),
        differing="\n".join(f"- {one}" for one in differing),
        locales=len(cldr),
        numbers=sum(sums[:3]),
        dates=sum(sums[3:]),
        wrong_numbers=sums[2],
        wrong_dates=sums[5],
        unread_numbers=sums[1] / sum(sums[:3]),
        unread_dates=sums[4] / sum(sums[3:]),
        cldr=table(("locale", "numbers read", "unread", "wrong", "dates read", "unread", "wrong"), cldr),
    )
    if suite is None:
        return text
    drafts, refused = against_the_suite(suite)
    return text + SUITE.format(
        table=table(("draft", "required cases", "schema refused", "agree", "differ", "which"), drafts),
        refused=table(("the schema has", "cases"), refused),
        formats=table(("format", "cases", "agree"), list(against_the_formats(suite))),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", type=Path, help="the folder of the JSON-Schema-Test-Suite")
    options: Any = parser.parse_args()
    text = page(options.suite)
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
