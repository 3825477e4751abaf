"""Writes how far a judge agrees with people, and what keeps it from gating."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

from engine.render.figures import NONE, count, percent, plural
from schemas.calibration import (
    GRADES,
    MIN_KAPPA,
    MIN_KAPPA_BOUND,
    MIN_PAIRS,
    MIN_WITHIN_ONE,
    Agreement,
    Calibration,
    Condition,
    Interval,
)

USUAL = 2 / 3
"""Share of people's grades that are equal, from which their agreement with a judge can hardly be measured."""
LISTED = 8
"""Most dimensions that a scorecard lists, those that don't gate first."""


def calibration_sentences(found: Calibration) -> Iterator[str]:
    """Yields whether the judge gates, then the agreement and the bias of each dimension."""
    yield (
        "The judge gates: its grades agree with people's."
        if found.calibrated
        else "The judge doesn't gate: its grades are only shown."
    )
    if not found.graded:
        yield f"{ungraded(found)}."
    listed = sorted(found.dimensions.items(), key=lambda each: each[1].sufficient)
    for name, one in listed[:LISTED]:
        yield f"Judge and people on {name}: {'; '.join([_figures(one), *unmet(one)])}."
    if len(listed) > LISTED:
        yield f"{plural(len(listed) - LISTED, 'more dimension')} not listed."


def ungraded(found: Calibration) -> str:
    """Returns "it gave no grades to 12 of the sample answers (why)"."""
    return f"it gave no grades to {found.missing} of the sample answers ({found.problem})"


def grade_text(one: Agreement, grade: float) -> str:
    """Returns a grade, or the preference that it stands for."""
    words: dict[float, str] = {2: "worse", 3: "same", 4: "better"}
    return words.get(grade, count(grade)) if one.compared else count(grade)


def _counted(one: Agreement, number: int) -> str:
    return plural(number, "pair of answers", "pairs of answers") if one.compared else plural(number, "answer")


def _more(one: Agreement, number: int) -> str:
    """Returns how many more answers people have to grade."""
    if not one.compared:
        return plural(number, "more answer")
    return f"both answers to {plural(number, 'more case')}"


def number(value: float | None) -> str:
    """Returns a coefficient or a mean grade with two digits, and a typographic minus."""
    return NONE if value is None else f"{value + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−")


def interval(bounds: Interval | None) -> str:
    """Returns "0.85 … 0.96"."""
    return NONE if bounds is None else " … ".join(map(number, bounds))


def kappa_text(one: Agreement) -> str:
    """Returns "κ 0.91 (0.85 … 0.96)"."""
    if one.kappa is None:
        return "κ unknown"
    return f"κ {number(one.kappa)}" + (f" ({interval(one.kappa_interval)})" if one.kappa_interval else "")


def bias_text(one: Agreement) -> str:
    """Returns "the judge is 0.80 grades stricter (−0.93 … −0.67)"."""
    if one.bias is None:
        return "bias unknown"
    within = f" ({interval(one.bias_interval)})" if one.bias_interval else ""
    if abs(one.bias) < 0.005:
        return f"no bias{within}"
    return f"the judge is {number(abs(one.bias))} grades {_direction(one.bias)}{within}"


def _direction(bias: float) -> str:
    return "stricter" if bias < 0 else "more lenient"


def unmet(one: Agreement) -> Iterator[str]:
    """Yields what keeps the judge from gating on a dimension."""
    for condition in one.unmet:
        match condition:
            case Condition.ANSWERS:
                more = MIN_PAIRS - one.pairs
                unit = ("more pair of answers", "more pairs of answers") if one.compared else ("more answer", None)
                yield f"{plural(more, *unit)} needed"
            case Condition.KAPPA if one.kappa is None:
                if one.pairs:
                    yield "people and the judge give everything the same grade"
            case Condition.KAPPA:
                yield f"κ is below {MIN_KAPPA}"
            # A low κ has a low bound, which says nothing more.
            case Condition.KAPPA_BOUND if Condition.KAPPA not in one.unmet:
                yield f"κ could be below {MIN_KAPPA_BOUND}"
            case Condition.WITHIN_ONE:
                near = "preferences are not opposite" if one.compared else "grades are within one"
                yield f"only {percent(one.within_one)} of the {near}, not {percent(MIN_WITHIN_ONE)}"
            case Condition.BIAS:
                yield "a bias of more than half a grade"


def disagreement(found: Calibration) -> str:
    """Returns the conditions that are not met, of every dimension, as one clause."""
    if not found.graded or all(one.sufficient for one in found.dimensions.values()):
        return ungraded(found)
    lacking = {name: one for name, one in found.dimensions.items() if not one.sufficient}
    return "; ".join(f"{name} has {_figures(one)}: {', '.join(unmet(one))}" for name, one in lacking.items())


def _figures(one: Agreement) -> str:
    found = f"{kappa_text(one)} over {_counted(one, one.pairs)}"
    # Which answer of a pair comes first is arbitrary, so preferences have no bias.
    return found if one.compared else f"{found}, {bias_text(one)}"


def next_steps(found: Calibration, lineage: str) -> list[str]:
    """Returns what to do next, so that the judge gates."""
    if found.calibrated:
        return ["The judge gates. Commit the label file: pull requests are checked with the one on the base branch."]
    if not found.graded:
        return [f"The judge can't gate: {ungraded(found)}."]
    steps = [step for name, one in found.dimensions.items() for step in _steps(name, one, lineage)]
    # The same command helps every dimension, and the largest number of answers is enough for all.
    return list(dict.fromkeys(sorted(steps, key=_is_label)))


def _is_label(step: str) -> bool:
    return " judge label " in step


def _steps(name: str, one: Agreement, lineage: str) -> Iterator[str]:
    label = f"promptverdict judge label {lineage}"
    if Condition.BIAS in one.unmet and one.bias is not None:
        way = _direction(one.bias)
        yield f"Say in the anchors of {name} what earns each grade: the judge is {way} than people."
    elif {Condition.KAPPA, Condition.WITHIN_ONE} & set(one.unmet) and one.kappa is not None:
        yield f"Read the disagreements on {name} ({worst(one)}). Say in its anchors what earns each grade."
    if one.pairs and one.kappa is None:
        yield f"Grade better or worse answers for {name}, for example of an older prompt: {label} --base REF."
    elif Condition.ANSWERS in one.unmet:
        yield f"Grade {_more(one, MIN_PAIRS - one.pairs)}: {label}."
    elif Condition.KAPPA_BOUND in one.unmet and (usual := usual_grade(one)) is not None:
        # With little spread, any number of such answers would leave the agreement uncertain.
        grade, share = usual
        yield (
            f"{percent(share)} of people's grades of {name} are {grade}. Grade better or worse answers, for example of "
            f"an older prompt: {label} --base REF."
        )
    elif Condition.KAPPA_BOUND in one.unmet and Condition.KAPPA not in one.unmet:
        yield f"Grade about {_more(one, more_answers(one))}: {label}."


def usual_grade(one: Agreement) -> tuple[int, float] | None:
    """Returns the grade that people gave to most answers, with its share; ``None`` if their grades are spread."""
    counts = [sum(row) for row in one.confusion]
    most = max(counts, default=0.0)
    return (GRADES[counts.index(most)], most / sum(counts)) if most >= USUAL * sum(counts) > 0 else None


def more_answers(one: Agreement) -> int:
    """Returns about how many more answers lift the bound of κ to its minimum, if κ and its spread stay the same."""
    if one.kappa is None or one.kappa_bound is None or one.kappa <= MIN_KAPPA_BOUND:
        return MIN_PAIRS
    # The standard error falls with the root of the number of answers.
    shrink = (one.kappa - one.kappa_bound) / (one.kappa - MIN_KAPPA_BOUND)
    return max(1, math.ceil(one.pairs * shrink**2) - one.pairs)


def worst(one: Agreement) -> str:
    """Returns the furthest disagreements: answers by id, or the pair of grades that costs most."""
    if one.apart:
        pairs = ((each.id, grade_text(one, each.person), grade_text(one, each.judge)) for each in one.apart)
        return ", ".join(f"{name}: people {person}, judge {judge}" for name, person, judge in pairs)
    cells = [(person, judge) for person, judge in product(GRADES, GRADES) if person != judge]
    cost = {(p, j): one.confusion[p - 1][j - 1] * (p - j) ** 2 for p, j in cells}
    person, judge = max(cost, key=cost.__getitem__)
    given = f"people {grade_text(one, person)}, judge {grade_text(one, judge)}"
    return f"{given}: {count(one.confusion[person - 1][judge - 1])} {'pairs' if one.compared else 'answers'}"
