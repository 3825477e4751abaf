"""Writes the sentence of each of the gate's reasons, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import ParamSpec

from engine.gate.hypotheses import CLASS_PREFIX
from engine.gate.smoke import CASES as SMOKED
from engine.render import figures
from schemas.effects import Effect
from schemas.margins import default_margin
from schemas.verdicts import VerdictStatus

NAMED = 5
"""Most cases that a sentence names."""
SAME = 1e-9
"""Scores that differ by less than this are equal."""
P = ParamSpec("P")


def _sentence(write: Callable[P, str]) -> Callable[P, str]:
    """Adds a capital letter, unless a name comes first, and a full stop."""

    @wraps(write)
    def written(*args: P.args, **kwargs: P.kwargs) -> str:
        text = write(*args, **kwargs)
        return f"{text[0].upper()}{text[1:]}."

    return written


def count(number: int, noun: str) -> str:
    """Returns "1 case" or "4 cases"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def subject(name: str | None, metric: str | None = None) -> str:
    """Returns the subject of a hypothesis: "the overall score", "slice `edge`" or "`date` in slice `edge`"."""
    if name is None:
        return f"`{metric}`" if metric else "the overall score"
    label = name.removeprefix(CLASS_PREFIX)
    place = f"class `{label}`" if name.startswith(CLASS_PREFIX) else f"slice `{name}`"
    return f"`{metric}` in {place}" if metric else place


@_sentence
def drop(effect: Effect, metric: str | None) -> str:
    """Blocked: a mean fell beyond chance."""
    what = subject(effect.slice, metric)
    cases = f"{count(effect.worse, 'case')} scored lower, {effect.better:,} higher"
    change = f"{figures.change(effect.change)}, interval {figures.interval(effect.interval)}"
    if not fell(effect):
        return f"{what} fell significantly in planned runs, and again when re-run. Over all runs: {change}; {cases}"
    return f"{what} fell{_levels(effect)} ({change}): {cases}"


def fell(effect: Effect) -> bool:
    """Returns whether the score fell over all runs, not only in those that the test uses."""
    return effect.change is not None and effect.change < 0


@_sentence
def must_pass(name: str, cases: int, worse: Sequence[str], broken: Sequence[str]) -> str:
    """Blocked: must-pass cases broke, and failed again in fresh runs.

    ``worse`` holds the ids of the slice's ``cases`` that scored lower again; ``broken`` holds those among them that are
    certain.
    """
    listed = broken or worse
    others = len(worse) - len(broken) if broken else 0
    also = f"; {others:,} more {'does' if others == 1 else 'do'} worse than before" if others else ""
    said = broke(name, cases, len(listed), "must-pass", certain=bool(broken))
    again = "and failed again when re-run" if broken else "and did so again when re-run"
    return f"{said}, {again}: {listing(listed)}{also}"


def broke(name: str, cases: int, number: int, kind: str, *, certain: bool = True) -> str:
    """Returns "3 of 21 must-pass cases in `adversarial` broke". ``kind`` is "must-pass" or "guarded"."""
    verb = "broke" if certain else "did worse"
    return f"{number:,} of {cases:,} {kind} {'case' if cases == 1 else 'cases'} in `{name}` {verb}"


def listing(ids: Sequence[str]) -> str:
    """Returns the first five ids and the number of further ones."""
    more = f" and {len(ids) - NAMED:,} more" if len(ids) > NAMED else ""
    return ", ".join(f"`{case}`" for case in ids[:NAMED]) + more


@_sentence
def must_pass_doubt(name: str, broken: int) -> str:
    """Needs review: a must-pass case broke in nearly all fresh runs, but the slice's test is not certain."""
    return f"{count(broken, 'must-pass case')} in `{name}` looked broken again when re-run; too few to block"


@_sentence
def guard(name: str, cases: int, broken: Sequence[str], changed: float | None, status: VerdictStatus) -> str:
    """Guarded cases that broke for good, compared with changes elsewhere: blocked, needs review, or no more than
    elsewhere."""
    elsewhere = "" if changed is None else f"; {figures.percent(changed)} of the other cases changed too"
    more = {VerdictStatus.BLOCKED: "more", VerdictStatus.NEEDS_REVIEW: "perhaps more"}.get(status, "no more")
    others = "any rewording breaks cases" if changed is None else "the other cases"
    said = broke(name, cases, len(broken), "guarded")
    return f"{said}, {more} often than {others}: {', '.join(f'`{case}`' for case in broken)}{elsewhere}"


@_sentence
def forbidden(broken: Sequence[str]) -> str:
    """Needs review: the answer contains text that the case forbids, and the case failed again when re-run."""
    one = len(broken) == 1
    return (
        f"{count(len(broken), 'case')} broke with an answer that contains text "
        f"{'it forbids' if one else 'they forbid'} (`must_not` or `canary`): {listing(broken)}"
    )


@_sentence
def protected(ids: Sequence[str]) -> str:
    """Blocked: protected cases fail."""
    if len(ids) == 1:
        return f"protected case `{ids[0]}` fails in every fresh run; the baseline passes in every one"
    return f"{len(ids):,} protected cases fail in every fresh run; the baseline passes in every one"


@_sentence
def smoke(failed: int) -> str:
    """Blocked: the candidate fails its first cases."""
    return f"{failed} of the first {SMOKED} cases broke, and failed again when re-run. The run stopped there"


@_sentence
def floor(name: str | None, estimate: float, floor: float, *, certain: bool) -> str:
    """Below a floor: blocked if certain, else needs review."""
    if estimate >= floor - SAME:
        return (
            f"{subject(name)} is {figures.points(estimate)} over all runs, but below its floor of "
            f"{figures.limit(floor)} in planned runs, where a missing answer counts 0"
        )
    said = f"{subject(name)} is {figures.points(estimate)}, below its floor of {figures.limit(floor)}"
    return said if certain else f"{said}, but chance is not ruled out"


@_sentence
def floor_unproven(name: str | None, cases: int, floor: float) -> str:
    """Inconclusive: too few cases for the floor."""
    few = f"{count(cases, 'case')} {'is' if cases == 1 else 'are'} too few to show"
    return f"{few} that {subject(name)} holds its floor of {figures.limit(floor)}"


@_sentence
def floor_holds(name: str | None, estimate: float, floor: float) -> str:
    """Approved: a floor that holds."""
    said = f"its floor of {figures.limit(floor)}"
    if estimate < floor - SAME:
        return f"{subject(name)} is {figures.points(estimate)} over all runs, but held {said} in planned runs"
    return f"{subject(name)} is {figures.points(estimate)}, not below {said}"


@_sentence
def watch(name: str | None, broken: int) -> str:
    """Needs review: confirmed breaks in a slice that is too small to decide on."""
    if name is None:
        return f"{count(broken, 'case')} added by this pull request failed with the candidate, and again when re-run"
    broke_again = f"{count(broken, 'case')} of {subject(name)} broke, and failed again when re-run"
    return f"{broke_again}; the slice is too small to block"


@_sentence
def estimated_drop(effect: Effect, metric: str | None) -> str:
    """Needs review: the estimate is beyond the margin, but not for certain."""
    what, margin = subject(effect.slice, metric), effect.margin or 0.0
    unsure = f"but {_cases(effect)} {'is' if effect.cases == 1 else 'are'} too few to be certain"
    if effect.change is None or effect.change > -margin:
        return f"{what} may have fallen by {figures.in_points(margin)} or more, {unsure}"
    fall = figures.points(-effect.change)
    return f"{what} seems to have fallen by {fall} points (margin {figures.limit(margin)}), {unsure}"


@_sentence
def lone_drop(effect: Effect, metric: str | None, alpha: float) -> str:
    """Needs review: significant by itself, but not among all tests of the run."""
    by = f"by {figures.points(-effect.change)} points" if effect.change and fell(effect) else "in planned runs"
    return (
        f"{subject(effect.slice, metric)} seems to have fallen {by}: significant by itself (p ≤ {alpha:.2g}), but not "
        "among all comparisons of this run"
    )


@_sentence
def inconclusive(effect: Effect, metric: str | None) -> str:
    """Inconclusive: the margin can't be certified."""
    more = f"; {effect.more_cases:,} more would" if effect.more_cases else ""
    drop = f"a {figures.limit(effect.margin or 0.0)}-point drop of {subject(effect.slice, metric)}"
    return f"{_cases(effect)} {'is' if effect.cases == 1 else 'are'} too few to detect {drop}{more}"


@_sentence
def no_drop(effect: Effect, metric: str | None) -> str:
    """Approved: the drop that was ruled out, and why a default margin isn't smaller."""
    said = ruled_out(effect, metric)
    return f"{said} (the margin for {count(effect.cases, 'case')})" if adapted(effect) else said


def ruled_out(effect: Effect, metric: str | None) -> str:
    """Returns "no drop over 5 points overall".

    Planned runs certify the margin. If the estimate over all runs contradicts it, the sentence says so.
    """
    place = "overall" if effect.slice is None and metric is None else f"in {subject(effect.slice, metric)}"
    said = f"no drop over {figures.in_points(effect.margin or 0.0)} {place}"
    beyond = effect.change is not None and effect.change < -(effect.margin or 0.0)
    return f"planned runs show {said} (over all runs: {figures.change(effect.change)})" if beyond else said


def _cases(effect: Effect) -> str:
    """Returns "14 cases" or "10 of 14 cases"."""
    return f"{figures.cases(effect)} case{'' if effect.cases == 1 else 's'}"


@_sentence
def always_fails(*, both: bool = True, nearly: bool = False) -> str:
    """Needs review: the candidate, or both arms, score at most the margin. ``nearly``: more than 0."""
    every = "nearly every" if nearly else "every"
    if not both:
        return f"the candidate fails {every} case that ran. Compare `expected` with the answers"
    return f"both versions fail {every} case that ran, so a drop can't be seen. Compare `expected` with the answers"


def adapted(effect: Effect) -> bool:
    """Returns whether a default margin was widened to what the test set can certify."""
    return not effect.margin_written and (effect.margin or 0.0) > default_margin(effect.slice)


@_sentence
def missing_cells(missing: Sequence[int], asked: Sequence[int]) -> str:
    """Error: too many calls gave no usable answer. Arguments are by arm: baseline, candidate."""
    arms = [
        f"{lost:,} of {of:,} {arm} calls"
        for lost, of, arm in zip(missing, asked, ("baseline", "candidate"), strict=True)
        if lost
    ]
    return f"{' and '.join(arms)} gave no usable answer, so there is no verdict"


@_sentence
def missing_doubt(missing: int, test: str) -> str:
    """Error: few cells are missing, but they could hide a regression."""
    they = "it" if missing == 1 else "they"
    said = f"{count(missing, 'call')} gave no usable answer"
    return f"{said}. If {they} failed for the candidate, {test} would block"


@_sentence
def missing_choice(missing: int) -> str:
    """Error: the candidate would be blocked for some possible answers in the missing cells."""
    whose = "its answer" if missing == 1 else "their answers"
    return f"{count(missing, 'call')} gave no usable answer. The verdict depends on {whose}"


@_sentence
def cost(increase: float | None, limit: float) -> str:
    """Blocked: the cost rose beyond its limit."""
    if increase is None:
        return f"calls were free and now cost money (limit {figures.share(limit)})"
    return f"cost rose by {figures.percent(increase)} per case (limit {figures.percent(limit)})"


@_sentence
def cost_uncertain(increase: float | None, limit: float, *, measured: bool) -> str:
    """Inconclusive: the bounds of the cost include the limit, or the cost is unknown."""
    if not measured:
        return f"the cost per case is unknown, so its limit of {figures.share(limit)} can't be checked"
    change = "" if increase is None else f" (estimated {figures.share(increase)})"
    return (
        f"the data can't show whether the change of cost per case{change} is within its limit of {figures.share(limit)}"
    )


@_sentence
def latency(baseline_s: float | None, candidate_s: float | None, limit: float, *, certain: bool) -> str:
    """Blocked if certainly slower than the limit, else inconclusive."""
    if baseline_s is None or candidate_s is None:
        return (
            f"no pair of calls was made side by side, so the latency limit of {figures.share(limit)} can't be checked"
        )
    moved = figures.arrow(figures.seconds(baseline_s), figures.seconds(candidate_s))
    seconds = f"median {moved}, limit {figures.share(limit)}"
    return (
        f"answers are slower than allowed ({seconds})"
        if certain
        else f"the data can't show whether latency is within its limit ({seconds})"
    )


@_sentence
def no_cases(name: str | None) -> str:
    """No cases to judge."""
    if name is None:
        return "the test set has no cases: nothing was measured"
    return f"{subject(name)} is named in the gate's configuration but has no cases: it was not judged"


@_sentence
def no_metric() -> str:
    """Needs review: no metric gates."""
    return (
        "no metric of this prompt can decide, so nothing was measured and it needs a review. A judge decides only "
        "after people's labels show that its grades agree (`judge.labels` in promptverdict.yaml). `string` "
        "evaluators and `checks` need no labels"
    )


@_sentence
def identical() -> str:
    """Approved: both arms send the same requests."""
    return "both versions send exactly the same requests, so nothing can have changed"


@_sentence
def new_lineage(*, floors: bool) -> str:
    """A prompt without a baseline: judged by its floors, or in need of review."""
    if floors:
        return "this prompt is new: it was judged against its floors"
    return (
        "this prompt is new and has nothing to be compared with. "
        "It needs a review, or a floor or reference in the base configuration"
    )


@_sentence
def new_unproven() -> str:
    """Needs review: the base has no version of the prompt, and no floor was shown to hold."""
    return "the base has no version of this prompt, and no floor was shown to hold, so it needs a review"


def _levels(effect: Effect) -> str:
    if effect.baseline is None or effect.candidate is None:
        return ""
    return f" from {figures.points(effect.baseline)} to {figures.points(effect.candidate)}"
