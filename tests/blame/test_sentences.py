"""What a search found, in words and with its counts."""

import pytest

from engine.blame.search import Found
from engine.blame.sentences import name_of, named
from schemas.blame import Culprit, Elsewhere, Unit, UnitKind


def unit(kind=UnitKind.TEXT, before="Never guess.\n", after="Trust them.\n", **more):
    return Unit(kind=kind, before=before, after=after, **more)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (unit(file="p.md", lines=(3, 3)), "line 3 of `p.md`"),
        (unit(file="p.md", lines=(3, 5)), "lines 3–5 of `p.md`"),
        (unit(after="", file="p.md", lines=(3, 3)), "the text removed at line 3 of `p.md`"),
        (unit(), "the text “Trust them.”"),
        (unit(after=""), "the removed text “Never guess.”"),
        (unit(UnitKind.MESSAGES, after=""), "the removed messages “Never guess.”"),
        (unit(UnitKind.PARAMETER, "0", "1", name="temperature", file="p.md", lines=(2, 2)), "temperature (0 → 1)"),
        (unit(UnitKind.MODEL, "large", "small"), "the model (large → small)"),
        (unit(UnitKind.TEMPLATE), "the template language and its text"),
        (unit(after="x" * 900 + "\n\x07"), f"the text “{'x' * 59}…”"),
    ],
)
def test_a_part_is_named_by_its_lines_or_its_text(one, expected):
    assert name_of(one) == expected


def culprit(*units, back=8, of=8, alone=()):
    return Culprit(units=units, back=back, of=of, alone=alone, candidate=0.1, reverted=1.0, p=0.001)


UNITS = [unit(file="p.md", lines=(n, n)) for n in range(1, 5)]
GAIN = Elsewhere(cases=40, baseline=0.87, candidate=0.95, reverted=0.951, keeps=True)


@pytest.mark.parametrize(
    ("culprits", "either", "elsewhere", "expected"),
    [
        (
            [culprit(2)], False, GAIN,
            ("Reverting line 3 of `p.md` brings back 8 of 8 broken cases and keeps the gain elsewhere: the other cases score "
            "95.1 (+8.1 against the baseline)."),
        ),
        (
            [culprit(2, back=1, of=1)], False, GAIN.model_copy(update={"reverted": 0.80, "keeps": False}),
            ("Reverting line 3 of `p.md` brings back 1 of 1 broken case, but the other cases score 80.0 (-7.0 against the "
            "baseline); with the change they score 95.0."),
        ),
        (
            [culprit(0, back=5), culprit(1, back=3, of=3)], False, None,
            ("Reverting line 1 of `p.md` brings back 5 of 8 broken cases; reverting line 2 of `p.md` brings back 3 of the other "
            "3 broken cases."),
        ),
        (
            [culprit(0, 1, alone=(0, 2))], False, GAIN.model_copy(update={"candidate": 0.87, "reverted": 0.87}),
            ("No single change is guilty: reverting line 1 of `p.md` and line 2 of `p.md` together brings back 8 of 8 broken "
            "cases (each alone: 0 and 2), and the other cases score 87.0 (+0.0 against the baseline)."),
        ),
        (
            [culprit(0), culprit(3, back=7)], True, None,
            "They break the cases only together: reverting line 1 of `p.md` or line 4 of `p.md` brings back 7 of 8 broken cases.",
        ),
    ],
)  # fmt: skip
def test_culprits_are_named_with_their_counts(culprits, either, elsewhere, expected):
    assert named(UNITS, Found(culprits=culprits, either=either), elsewhere) == expected
