"""Writes the title and the summary of a scorecard, and adds details of the run to its reasons.

The gate's own sentences are in engine/gate/reason_text.py.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

from engine.gate import reason_text
from engine.planning.call_cost import causes
from engine.render import figures
from engine.render.signs import verdict_words
from engine.runner.failures import Failures, fix_for
from schemas.config import RunConfig
from schemas.effects import CaseEffect, CostEffect, Effect, EffectResult
from schemas.host import TITLE_LIMIT
from schemas.scorecard import LineageCard
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

SPOKEN = 3
"""Most approved lineages that the summary names."""
QUOTED = 60
"""Most characters of an answer in a sentence."""
NOTEWORTHY = 0.01
"""Smaller changes of the cost are not mentioned."""


def title(status: VerdictStatus, cards: Sequence[LineageCard], reasons: Sequence[Reason]) -> str:
    """Returns one line of plain text: the verdict, and the worst lineage's first reason or what was ruled out."""
    of_worst = [card for card in cards if card.status is status]
    # With a single worst prompt, the title has room for its reason. With several, it lists them.
    if len(of_worst) == 1:
        name = of_worst[0].lineage
        said = _brief(of_worst[0])
        bare = _without_name(said, name)
        detail = said if len(cards) == 1 and bare == said else f"{name}, {bare}"
    elif of_worst:
        detail = _listed([card.lineage for card in of_worst])
    else:
        detail = next((_bare(reason.sentence) for reason in reasons if reason.status is status), "")
    words_of_status = verdict_words(status, cards, reasons)
    if status is VerdictStatus.NOT_APPLICABLE and any(reason.code is ReasonCode.ADOPTION for reason in reasons):
        return words_of_status
    # GitHub shows titles as plain text, so code marks would be visible.
    text = f"{words_of_status}: {detail}".replace("`", "") if detail else words_of_status
    return text if len(text) <= TITLE_LIMIT else text[: TITLE_LIMIT - 1] + "…"


def summary(cards: Sequence[LineageCard], reasons: Sequence[Reason]) -> str:
    """Returns the summary in plain words: a sentence for the pull request, and one for each of the worst lineages."""
    sentences = [reason.sentence for reason in reasons]
    # What isn't measured before the merge has nothing to say.
    others = [card for card in cards if card.status is not VerdictStatus.APPROVED and card.headline]
    approved = _approved_on_each_model(cards)
    # One sentence of the worst lineage: a table lists the others.
    sentences += [_of_card(card) for card in others[:1]]
    if len(others) > 1:
        sentences.append(f"{len(others) - 1:,} more {'is' if len(others) == 2 else 'are'} not approved.")
    if len(approved) == 1 and not others:
        sentences.append(_of_approved(approved[0]))
    elif approved:
        sentences.append(_are_approved(approved))
    if not cards and not reasons:
        sentences.append("No prompt, test set, rubric or configuration changed, so there was nothing to evaluate.")
    return " ".join(sentences)


def _approved_on_each_model(cards: Sequence[LineageCard]) -> list[LineageCard]:
    held = {card.lineage for card in cards if card.status is not VerdictStatus.APPROVED}
    return [card for card in cards if card.lineage not in held]


def _are_approved(cards: Sequence[LineageCard]) -> str:
    names = list(dict.fromkeys(f"`{card.lineage}`" for card in cards))
    listed = _listed(names) if len(names) <= SPOKEN else reason_text.count(len(names), "prompt")
    return f"{listed} {'is' if len(names) == 1 else 'are'} approved."


def explained(
    reasons: Sequence[Reason], cost: CostEffect, cases: Sequence[CaseEffect], labels: Collection[str]
) -> tuple[Reason, ...]:
    """Returns the reasons with details of the whole run: why the cost rose, which label replaced another, and an
    example answer if everything fails."""
    said = {case.id: swap for case in cases if (swap := _swap(case, labels))}
    failure = next((told for case in cases if (told := _failure(case))), "")
    return tuple(_explained(reason, causes(cost.parts), said, failure) for reason in reasons)


def with_cause(reason: Reason, failures: Failures, settings: RunConfig) -> Reason:
    """Returns the reason with the most frequent cause of the missing answers, if it is about them."""
    cause = next(iter(failures.causes()), None)
    if reason.code is not ReasonCode.MISSING_CELLS or cause is None:
        return reason
    fix = fix_for(cause.error, settings)
    return reason.model_copy(update={"sentence": f"{_bare(reason.sentence)}: {cause.said()} ({fix}).", "fix": fix})


def _explained(reason: Reason, why: str, swaps: Mapping[str, str], failure: str) -> Reason:
    sentence = reason.sentence
    if reason.code is ReasonCode.ALWAYS_FAILS and failure:
        sentence = f"{_bare(sentence)} ({failure})."
    if reason.code is ReasonCode.COST and reason.status is VerdictStatus.BLOCKED and why:
        sentence = f"{_bare(sentence)}: {why}."
    elif reason.code in (ReasonCode.MUST_PASS, ReasonCode.GUARD, ReasonCode.FORBIDDEN, ReasonCode.PROTECTED):
        for case in reason.cases[: reason_text.NAMED]:
            if case in swaps:
                # Once only: an id may occur again in the quoted answer.
                sentence = sentence.replace(f"`{case}`", f"`{case}` ({swaps[case]})", 1)
    return reason if sentence == reason.sentence else reason.model_copy(update={"sentence": sentence})


def _swap(case: CaseEffect, labels: Collection[str]) -> str:
    """Returns "billing → refunds", the most frequent answers. Empty if they agree or one isn't a label."""
    most = [max(said, key=lambda answer: answer.count).text for said in (case.baseline, case.candidate) if said]
    if len(most) < 2 or most[0] == most[1] or most[0] not in labels:
        return ""
    return f"{most[0]} → {most[1] if most[1] in labels else 'no label'}"


def _failure(case: CaseEffect) -> str:
    """Returns "`t-7` expects “refunds”, the candidate says “Label: refunds”". Empty for a case without an answer."""
    if not case.candidate:
        return ""
    said = _quoted(max(case.candidate, key=lambda answer: answer.count).text)
    if case.expected is None:
        return f"to `{case.id}` the candidate says {said}"
    expected = case.expected if isinstance(case.expected, str) else json.dumps(case.expected, ensure_ascii=False)
    return f"`{case.id}` expects {_quoted(expected)}, the candidate says {said}"


def _quoted(text: str) -> str:
    """Returns an untrusted text for a sentence: short, on one line, without code marks."""
    # Cut before splitting, because an answer may be very long.
    line = " ".join(text[: 4 * QUOTED].split()).replace("`", "'")
    return f"“{line if len(line) <= QUOTED else line[: QUOTED - 1] + '…'}”"


def _brief(card: LineageCard) -> str:
    """Returns the first reason in a few words, to follow the lineage's name and a comma."""
    shown = next((reason for reason in card.reasons if reason.status is card.status), None)
    if shown is None:
        return _bare(card.headline)
    return _phrase(shown, card) or _bare(shown.sentence)


def _phrase(reason: Reason, card: LineageCard) -> str:
    """Returns a reason in a few words, to follow "but". Empty for reasons that have only their sentence."""
    effect = _effect(reason, card)
    metric = reason.metric if reason.metric in [effect.metric for effect in card.metrics[1:]] else None
    match reason.code:
        case ReasonCode.NO_DROP if effect is not None:
            return (_scored(effect) if _bound(effect) else "") or reason_text.ruled_out(effect, metric).removesuffix(
                " overall"
            )
        case ReasonCode.DROP if effect is not None and reason_text.fell(effect):
            return (
                f"{reason_text.subject(reason.slice, metric)} fell by {figures.points(-(effect.change or 0.0))} points"
            )
        case ReasonCode.MUST_PASS | ReasonCode.GUARD if effect is not None and reason.slice is not None:
            kind = "must-pass" if reason.code is ReasonCode.MUST_PASS else "guarded"
            return reason_text.broke(reason.slice, effect.cases, len(reason.cases), kind)
        case ReasonCode.COST if reason.estimate is not None and reason.margin is not None:
            return f"it costs {figures.percent(reason.estimate)} more"
    return ""


def _effect(reason: Reason, card: LineageCard) -> Effect | None:
    """Returns the effect that a reason is about."""
    overall = [] if card.overall is None else [card.overall]
    for effect in (*overall, *card.slices, *card.metrics):
        if effect.slice == reason.slice and reason.metric in (None, effect.metric):
            return effect
    return None


def _of_card(card: LineageCard) -> str:
    """Returns the summary of a lineage that isn't approved: its first reason, the average, and a changed form."""
    reasons = [reason for reason in card.reasons if reason.status is card.status]
    phrase = _phrase(reasons[0], card) if reasons else ""
    if card.status is not VerdictStatus.BLOCKED or not phrase:
        return f"`{card.lineage}`: {_without_name(card.headline, card.lineage)}"
    more = f" (the first of {len(reasons)} reasons)" if len(reasons) > 1 else ""
    name = f"`{card.lineage}`" if card.baseline_model is None else f"`{card.lineage}` on {card.model}"
    also = _also(card, {reason.code for reason in reasons})
    return " ".join(filter(None, (f"{name}: {phrase}{more}.", _average(card, {r.code for r in reasons}), also)))


def _also(card: LineageCard, told: Collection[ReasonCode]) -> str:
    """Returns the reason for review that a blocking cost must not hide: that the answers' form changed."""
    drifted = [r for r in card.reasons if r.code is ReasonCode.FORM_DRIFT and r.code not in told]
    return drifted[0].sentence if drifted else ""


def _average(card: LineageCard, codes: Collection[ReasonCode]) -> str:
    """Returns what is good on average about a lineage that is blocked anyway. Empty if nothing is."""
    overall = card.overall
    if overall is None or overall.change is None:
        return ""
    if overall.result is EffectResult.BETTER:
        return "On average it is better."
    # A prompt that is blocked for its cost alone is described by its proven result only.
    if overall.result is not EffectResult.WORSE and overall.change > 0 and codes != {ReasonCode.COST}:
        return f"On average it scores {figures.points(overall.change)} points higher, but that is not certain."
    # Without proof in either direction, nothing good is claimed about a blocked prompt.
    return f"On average it {_scored(overall)}." if overall.result is EffectResult.NO_CHANGE else ""


def _of_approved(card: LineageCard) -> str:
    overall = card.overall
    first = card.reasons[0] if card.reasons else None
    if overall is None or overall.change is None or first is None or first.code is not ReasonCode.NO_DROP:
        return f"`{card.lineage}`: {_without_name(card.headline, card.lineage)}"
    if overall.result is EffectResult.BETTER:
        said = f"is better: {figures.change(overall.change)} points"
    elif overall.result is EffectResult.NO_CHANGE:
        said = _scored(overall)
    else:
        return f"`{card.lineage}`: {_without_name(card.headline, card.lineage)}"
    increase = card.cost.increase if card.cost else None
    if increase is not None and abs(increase) >= NOTEWORTHY:
        said += f"{',' if overall.result is EffectResult.BETTER else ''} and costs {'more' if increase > 0 else 'less'}"
    return f"`{card.lineage}` {said}."


def _scored(effect: Effect) -> str:
    """Returns "scores 6.7 points higher (at worst 1.3 lower)", or "is not worse" if the bound is beyond the margin."""
    bound, change = _bound(effect), effect.change
    if not bound or change is None:
        return "is not worse"
    size = figures.points(abs(change))
    same = size == figures.points(0.0)
    return (
        f"scores {'the same' if same else f'{size} points higher' if change > 0 else f'{size} points lower'} ({bound})"
    )


def _bound(effect: Effect) -> str:
    """Returns "at worst 3.0 lower", the one bound of an overall score. Empty if it is beyond the margin."""
    low = effect.interval.low if effect.interval else None
    if low is None or effect.slice is not None or low >= 0 or (effect.margin is not None and -low > effect.margin):
        return ""
    return f"at worst {figures.points(-low)} lower"


def _without_name(sentence: str, lineage: str) -> str:
    """Returns the sentence without the lineage's name at its beginning."""
    return sentence.removeprefix(f"{lineage}: ")


def _bare(sentence: str) -> str:
    return sentence.removesuffix(".")


def _listed(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} and {unique[-1]}"
