"""Shared parts of the layouts: groups of cases, effects in words, changes between classes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from engine.planning.call_cost import causes
from engine.render import figures
from engine.render.calibration_text import calibration_sentences
from engine.render.signs import RESULT_WORDS, VERDICT_WORDS
from schemas.diffs import PromptDiff
from schemas.effects import (
    CaseEffect,
    CaseOutcome,
    ClassFigure,
    Confusion,
    CostEffect,
    Effect,
    EffectResult,
    LatencyEffect,
)
from schemas.gate_config import SlicePolicy
from schemas.scorecard import Confidence, LineageCard
from schemas.verdicts import VerdictStatus

_POLICIES = {
    SlicePolicy.AVERAGE: "",
    SlicePolicy.MUST_PASS: " · must-pass",
    SlicePolicy.GUARD: " · guarded",
    SlicePolicy.WATCH: " · watched",
}
_POLICY_SENTENCES = {
    SlicePolicy.GUARD: "A guarded slice blocks when its passing cases break more often than the others.",
    SlicePolicy.MUST_PASS: "A must-pass slice blocks on any confirmed break.",
    SlicePolicy.WATCH: "A watched slice is shown and never blocks.",
}
_LISTED_WORDS = {EffectResult.TOO_FEW_CASES: "needs review"}
"""Words for slices that are judged case by case, not by their mean."""


@dataclass(frozen=True)
class CaseGroups:
    """The cases of a lineage by result, with the largest change first."""

    worse: tuple[CaseEffect, ...]
    better: tuple[CaseEffect, ...]
    flaky: tuple[CaseEffect, ...]
    missing: tuple[CaseEffect, ...]
    """Cases that were asked, but lack a usable answer in one arm."""
    not_run: tuple[CaseEffect, ...]
    """Cases that did not run."""
    same: tuple[CaseEffect, ...]


def case_groups(card: LineageCard) -> CaseGroups:
    """Groups the cases. Protected cases come first, then the largest changes, then the test set's order.

    Among uncertain changes, drops come first.
    """
    by_reading: dict[str, list[CaseEffect]] = {}
    for case in card.cases:
        by_reading.setdefault(case.result, []).append(case)

    def group(reading: str) -> tuple[CaseEffect, ...]:
        return tuple(sorted(by_reading.get(reading, []), key=lambda c: (not c.protected, -abs(c.change or 0.0))))

    unsure = tuple(sorted(group(CaseOutcome.FLAKY), key=lambda c: (not c.protected, c.change or 0.0)))
    return CaseGroups(
        group(CaseOutcome.REGRESSED),
        group(CaseOutcome.IMPROVED),
        unsure,
        group(CaseOutcome.MISSING),
        group(CaseOutcome.NOT_RUN),
        group(CaseOutcome.NO_CHANGE),
    )


def unsure_title(groups: CaseGroups) -> str:
    """Returns "8 cases changed, but not reliably: 6 down, 1 up, 1 the same on average". These cases make up a change of
    the mean."""
    changes = [case.change or 0.0 for case in groups.flaky]
    down, up = sum(change < 0 for change in changes), sum(change > 0 for change in changes)
    even = len(changes) - down - up
    same = f", {even:,} the same on average" if even else ""
    return f"{figures.plural(len(changes), 'case')} changed, but not reliably: {down:,} down, {up:,} up{same}"


def moves_text(card: LineageCard) -> str:
    """Returns ``13 / 5``: cases that scored higher and lower, as the reasons count them, certain or not."""
    if not card.cases or card.overall is None or card.overall.change is None:
        return figures.NONE
    return f"{card.overall.better:,} / {card.overall.worse:,}"


def unusual_answers(card: LineageCard, groups: CaseGroups) -> list[str]:
    """Returns a sentence for each kind of case without answers to show, and for each unusual finish."""
    said = []
    if groups.not_run:
        number = figures.plural(len(groups.not_run), "case")
        certain = card.status in (VerdictStatus.BLOCKED, VerdictStatus.APPROVED)
        said.append(f"{number} not run: the verdict was already certain." if certain else f"{number} did not run.")
    if groups.missing:
        said.append(f"{figures.plural(len(groups.missing), 'case')} could not be measured in both versions.")
    for name, (before, after) in sorted(card.finishes.items()):
        if before or after:
            said.append(f"{name.capitalize()} answers: {before:,} → {after:,}.")
    return said


def interval_text(effect: Effect) -> str:
    """Returns the interval of an effect's change, or why there is none."""
    unknown = effect.interval is None or (effect.interval.low is None and effect.interval.high is None)
    early = effect.result in (EffectResult.NOT_RUN, EffectResult.WORSE)
    return "stopped early" if unknown and early else figures.interval(effect.interval)


def change_text(effect: Effect | None) -> str:
    """Returns ``+4.0 (+0.9 … +7.1)``: a change always has its interval."""
    if effect is None or effect.change is None:
        return figures.NONE
    return f"{figures.change(effect.change)} ({interval_text(effect)})"


def effect_result(effect: Effect) -> str:
    """Returns an effect in words: ``no drop over 5 points``, ``worse · guarded``, or, if cases are missing, ``too few
    cases: 90 more would detect a 10-point drop``."""
    if effect.result is EffectResult.NOT_RUN and effect.compared:
        return "not decided"
    unclear = effect.result is EffectResult.NO_CHANGE and effect.change
    words = "no clear change" if unclear else RESULT_WORDS[effect.result]
    return _of_mean(effect, words) if effect.policy is SlicePolicy.AVERAGE else _by_case(effect, words)


def _by_case(effect: Effect, words: str) -> str:
    """Returns the words for a slice that is judged case by case. Some of its cases may break while others rise."""
    rose = effect.result is EffectResult.WORSE and (effect.change or 0.0) >= 0
    return f"{'cases broke' if rose else _LISTED_WORDS.get(effect.result, words)}{_POLICIES[effect.policy]}"


def _of_mean(effect: Effect, words: str) -> str:
    few = effect.result is EffectResult.TOO_FEW_CASES
    if effect.baseline == effect.candidate == 0 and (few or effect.result is EffectResult.NO_CHANGE):
        return "both fail every case"
    if effect.result is EffectResult.NO_CHANGE and effect.margin is not None:
        return f"no drop over {figures.in_points(effect.margin)}"
    if few and effect.more_cases is not None:
        drop = "tell" if effect.margin is None else f"detect a {figures.limit(effect.margin)}-point drop"
        return f"{words}: {effect.more_cases:,} more would {drop}"
    return words


def expected_text(expected: JsonValue) -> str:
    """Returns a case's expectation as text: a label unchanged, anything else as compact JSON."""
    return expected if isinstance(expected, str) else json.dumps(expected, ensure_ascii=False)


def class_figures_text(class_figures: Sequence[ClassFigure]) -> str:
    """Returns the figures over all classes in one sentence: shares as points, kappa and costs as numbers."""
    said = [
        f"{one.name} {figures.arrow(_figure(one.name, one.baseline), _figure(one.name, one.candidate))}"
        for one in class_figures
    ]
    sentence = " · ".join(said)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _figure(name: str, value: float | None) -> str:
    if value is None or not name.endswith(("kappa", "cost")):
        return figures.points(value)
    return f"{value:.2f}".replace("-", "−")


@dataclass(frozen=True)
class LabelMove:
    """One cell of the confusion matrix that changed."""

    expected: str
    said: str
    before: str
    after: str
    size: float


def score_text(case: CaseEffect) -> str:
    """Returns the mean scores of both arms' answers: ``87.5 → 56.3``."""
    means = []
    for answers in (case.baseline, case.candidate):
        known = [(answer.score, answer.count) for answer in answers if answer.score is not None]
        total = sum(count for _, count in known)
        means.append(sum(score * count for score, count in known) / total if total else None)
    return figures.arrow(*map(figures.points, means))


def label_moves(confusion: Confusion) -> list[LabelMove]:
    """Returns the cells that changed, the largest change first."""
    moves = [
        LabelMove(label, column, figures.count(before), figures.count(after), abs(after - before))
        for label, was, now in zip(confusion.labels, confusion.baseline, confusion.candidate, strict=True)
        for column, before, after in zip(confusion.columns, was, now, strict=True)
        if figures.count(before) != figures.count(after)
    ]
    return sorted(moves, key=lambda move: (-move.size, move.expected, move.said))


def confidence_sentences(confidence: Confidence, latency: LatencyEffect | None) -> list[str]:
    """Returns sentences about repetitions, flip rate, detectable drops, corrections, judge agreement and latency."""
    checkpoints = figures.plural(confidence.looks, "checkpoint")
    repetitions = f"{confidence.repetitions:.1f} runs"
    said = [f"{checkpoints} (where the run may stop early), {repetitions} of each case per arm on average."]
    if confidence.flip_rate is not None:
        said.append(f"Identical runs give different results in {figures.percent(confidence.flip_rate)} of cases.")
    if confidence.can_rule_out is not None:
        drop = figures.points(confidence.can_rule_out)
        said.append(f"This run rules out a drop of more than {drop} points overall.")
    if confidence.hypotheses:
        tested = f"{figures.plural(confidence.hypotheses, 'comparison')} tested together"
        if confidence.alpha is not None:
            tested += f": at most {figures.percent(confidence.alpha)} of pull requests that change nothing are blocked"
        said.append(f"{tested}.")
    if confidence.judge_agreement is not None:
        agreement = figures.percent(confidence.judge_agreement)
        said.append(f"The judge agrees with people in {agreement} of the labeled answers.")
    if confidence.judge is not None:
        said.extend(calibration_sentences(confidence.judge))
    if latency and latency.pairs:
        moved = figures.arrow(figures.seconds(latency.baseline_s), figures.seconds(latency.candidate_s))
        said.append(f"Median latency {moved} over {figures.plural(latency.pairs, 'fresh pair')}.")
    return said


def policy_sentences(effects: Iterable[Effect]) -> list[str]:
    """Returns what each policy in the table means."""
    found = {effect.policy for effect in effects}
    return [sentence for policy, sentence in _POLICY_SENTENCES.items() if policy in found]


def trend_sentence(card: LineageCard) -> str:
    """Returns "Last 4 merged changes: score ▁▃█▅ 71.2 → 80.1; …": empty without at least two of them."""
    if len(card.trend) < 2:
        return ""
    parts = []
    scores = [point.score for point in card.trend if point.score is not None]
    if len(scores) > 1:
        moved = figures.arrow(figures.points(scores[0]), figures.points(scores[-1]))
        parts.append(f"score {figures.sparkline(scores)} {moved}")
    costs = [point.cost_per_1000 for point in card.trend if point.cost_per_1000 is not None]
    if len(costs) > 1:
        moved = figures.arrow(figures.usd(costs[0]), figures.usd(costs[-1]))
        parts.append(f"cost per 1,000 {figures.sparkline([float(cost) for cost in costs])} {moved}")
    counted = Counter(point.verdict for point in card.trend)
    parts.append(", ".join(f"{number} {VERDICT_WORDS[verdict]}" for verdict, number in counted.items()))
    return f"Last {len(card.trend)} merged changes: {'; '.join(parts)}."


def cost_sentence(cost: CostEffect) -> str:
    """Returns how the cost changed and why: "Each case costs 18% more: the prompt is 131 tokens longer …". Empty if it
    didn't."""
    why = causes(cost.parts)
    if not why or cost.increase is None or abs(cost.increase) < 0.005:
        return ""
    return f"Each case costs {figures.percent(abs(cost.increase))} {'more' if cost.increase > 0 else 'less'}: {why}."


def diff_title(diff: PromptDiff) -> str:
    """Returns ``Prompt diff: +6 −1 lines, +412 tokens``. If no line changes, names the settings that do: ``Settings:
    model``."""
    if not diff.added and not diff.removed:
        named = ", ".join(name for name, _, _ in diff.settings[:5])
        return f"Settings: {named}" if named else "Prompt diff: no line"
    lines = f"Prompt diff: +{diff.added:,} −{diff.removed:,} lines"
    if diff.tokens_before is None or diff.tokens_after is None:
        return lines
    return f"{lines}, {figures.tokens(diff.tokens_after - diff.tokens_before)} tokens"


def with_model(lineage: str, model: str) -> str:
    """Returns ``triage · haiku``, or the lineage alone where no model is known: its prompt can't be read."""
    return f"{lineage} · {model}" if model else lineage


def swapped(card: LineageCard) -> str:
    """Returns ``offline-large → offline-small`` if the pull request swaps the model, else the model's name."""
    if not card.baseline_model or card.baseline_model == card.model:
        return card.model
    return figures.arrow(card.baseline_model, card.model)
