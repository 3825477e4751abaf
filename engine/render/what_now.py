"""Says whether a pull request may be merged, and what a reader of the verdict can do now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from engine.gate.hypotheses import CLASS_PREFIX
from engine.render import figures
from engine.render.explanation import guilty_units
from engine.render.result_text import case_groups
from schemas.effects import Effect, EffectResult
from schemas.gate_config import SlicePolicy
from schemas.scorecard import LineageCard, Scorecard
from schemas.use_cases import UseCase
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

NAMED = 3
"""Most slices and ranges of lines that are named."""
KEYS = 2
"""Most settings that are named."""
APPROVE = "comment `/verdict approve <reason>`"


_FAILING = (VerdictStatus.BLOCKED, VerdictStatus.ERROR, VerdictStatus.NEEDS_REVIEW)
_ANSWERS = {
    VerdictStatus.APPROVED: "May be merged.",
    VerdictStatus.BLOCKED: "Don't merge.",
    VerdictStatus.ERROR: "Don't merge yet: the measurement failed.",
    VerdictStatus.NEEDS_REVIEW: "Don't merge without an approval.",
    VerdictStatus.INCONCLUSIVE: "Don't merge yet: the evidence is inconclusive.",
    VerdictStatus.NOT_APPLICABLE: "",
}


def merge_answer(scorecard: Scorecard) -> str:
    """Returns whether the pull request may be merged, in a few words; empty if nothing was to be measured."""
    if scorecard.clearance is not None:
        return _ANSWERS[VerdictStatus.APPROVED]
    if scorecard.passes and scorecard.status is VerdictStatus.INCONCLUSIVE:
        return "May be merged, but the evidence is inconclusive."
    if scorecard.passes and scorecard.status in _FAILING:
        return "The check passes because this repository has `mode: inform`."
    return "Don't merge yet: nothing was measured." if _is_untrusted(scorecard) else _ANSWERS[scorecard.status]


def what_now(scorecard: Scorecard, *, bot: bool = False) -> str:
    """Returns what to do about the verdict, in plain words; empty if there is nothing to do or to say.

    ``bot``: whether the bot answers commands on this pull request.
    """
    if scorecard.clearance is not None:
        return _accepted(scorecard)
    match scorecard.status:
        case VerdictStatus.BLOCKED:
            return _blocked(scorecard, bot=bot)
        case VerdictStatus.ERROR:
            return _error(scorecard, bot=bot)
        case VerdictStatus.NEEDS_REVIEW:
            return _review(scorecard, bot=bot)
        case VerdictStatus.INCONCLUSIVE:
            return _inconclusive(scorecard, bot=bot)
        case VerdictStatus.APPROVED | VerdictStatus.NOT_APPLICABLE:
            return ""


def _accepted(scorecard: Scorecard) -> str:
    by = scorecard.clearance
    assert by is not None
    until = f" until {by.expires_at[:10]}," if by.expires_at else ""
    why = f": {by.reason}" if by.reason else "."
    return f"Accepted by `{by.by}` at `{by.commit[:7]}`,{until} as long as nothing relevant changes{why}"


def _blocked(scorecard: Scorecard, *, bot: bool) -> str:
    cards = [card for card in scorecard.lineages if card.status is VerdictStatus.BLOCKED]
    look = _look_at(cards[0]) if cards else "Fix the problem described above."
    if len(cards) > 1:
        look = f"Begin with `{cards[0].lineage}`: {look[0].lower()}{look[1:]}"
    if scorecard.passes:
        return look
    if bot:
        return f"{look} To accept it as it is, {APPROVE}."
    keys = list(dict.fromkeys(key for card in cards for reason in card.reasons for key in _keys(reason, card)))
    if not keys:
        return look
    more = " and more" if len(keys) > KEYS else ""
    listed = ", ".join(f"`{key}`" for key in keys[:KEYS])
    return (
        f"{look} To accept it as it is, first loosen `gate` on the base branch ({listed}{more}). That weakens every "
        "later check."
    )


def _look_at(card: LineageCard) -> str:
    """Returns which cases and which lines of the prompt to read, and what to change."""
    codes = {reason.code for reason in card.reasons if reason.status is VerdictStatus.BLOCKED}
    if codes <= {ReasonCode.COST, ReasonCode.LATENCY} and codes:
        form = any(reason.code is ReasonCode.FORM_DRIFT for reason in card.reasons)
        also = ", and ask for the earlier answer format" if form else ""
        lines = _changed_lines(card) or f"`{card.prompt}`"
        return f"Shorten the prompt or the answers that it asks for{also}: see {lines}."
    what = _to_read(card)
    changed = "the model or the prompt" if card.baseline_model else "the prompt"
    return f"Read {what}, then change {changed}." if what else f"Change {changed}."


def _to_read(card: LineageCard) -> str:
    """Returns "the 5 cases that got worse and lines 5, 12–16 of `prompts/triage.prompt.yml`"; empty without any."""
    groups = case_groups(card)
    down = [case for case in groups.flaky if (case.change or 0.0) < 0]
    what = [f"the {figures.plural(len(groups.worse), 'case')} that got worse"] if groups.worse else []
    what = what or ([f"the {figures.plural(len(down), 'case')} that may be worse"] if down else [])
    return " and ".join([*what, *filter(None, [_guilty_lines(card) or _changed_lines(card)])])


def _guilty_lines(card: LineageCard) -> str:
    """Returns "lines 12–16 of `prompts/triage.prompt.yml`, which break them"; empty if these lines are not known."""
    guilty = guilty_units(card.blame) if card.blame else ()
    files = {unit.file for unit in guilty if unit.lines}
    # Of several files, the sentence about the guilty parts names each.
    if len(files) != 1:
        return ""
    lines = sorted(unit.lines for unit in guilty if unit.lines)
    return f"{_lines_text(lines)} of `{files.pop()}`, which break them"


def _changed_lines(card: LineageCard) -> str:
    """Returns "lines 5, 12–16 of `prompts/triage.prompt.yml`"; empty if no line of a file is known to differ."""
    if card.diff is None or card.diff.file is None or not card.diff.file_lines:
        return ""
    return f"{_lines_text(card.diff.file_lines)} of `{card.diff.file}`"


def _lines_text(ranges: Sequence[tuple[int, int]]) -> str:
    """Returns ``line 5`` or ``lines 5, 12–16``."""
    more = f" and {len(ranges) - NAMED:,} more" if len(ranges) > NAMED else ""
    one = len(ranges) == 1 and ranges[0][0] == ranges[0][1]
    return f"{'line' if one else 'lines'} {', '.join(map(line_range, ranges[:NAMED]))}{more}"


def line_range(lines: tuple[int, int]) -> str:
    """Returns ``5`` or ``12–16``."""
    first, last = lines
    return f"{first}" if first == last else f"{first}–{last}"


def _keys(reason: Reason, card: LineageCard) -> Iterator[str]:
    """Yields the setting of the gate that a blocking reason is about."""
    if reason.status is not VerdictStatus.BLOCKED:
        return
    match reason.code:
        case ReasonCode.COST:
            # The next twentieth that lets this increase pass.
            enough = "" if reason.estimate is None else f": {ceil(reason.estimate * 20) / 20:.2f}"
            yield f"max_cost_increase{enough}"
        case ReasonCode.LATENCY:
            yield "max_latency_increase"
        case ReasonCode.MUST_PASS | ReasonCode.GUARD if reason.slice:
            yield f"slices.{reason.slice}: {SlicePolicy.WATCH.value}"
        case ReasonCode.FLOOR:
            yield f"floor.slices.{reason.slice}" if reason.slice else "floor.overall"
        case ReasonCode.DROP:
            yield _margin(reason, card)


def _margin(reason: Reason, card: LineageCard) -> str:
    if reason.slice is not None and reason.slice.startswith(CLASS_PREFIX):
        return f"margin.classes.{reason.slice.removeprefix(CLASS_PREFIX)}"
    if reason.slice is not None:
        return f"margin.slices.{reason.slice}"
    if reason.metric in [effect.metric for effect in card.metrics[1:]]:
        return f"margin.{'fields' if card.use_case == UseCase.EXTRACTION else 'metrics'}.{reason.metric}"
    return "margin.overall"


def _reasons(scorecard: Scorecard) -> list[Reason]:
    return [*scorecard.reasons, *(reason for card in scorecard.lineages for reason in card.reasons)]


def _error(scorecard: Scorecard, *, bot: bool) -> str:
    failed = [reason for reason in _reasons(scorecard) if reason.status is VerdictStatus.ERROR]
    fix = next((reason.fix for reason in failed if reason.fix), "")
    said = f"{fix[0].upper()}{fix[1:]}." if fix else "Fix what failed, then run again. Finished answers are kept."
    return f"{said} To run again, comment `/verdict rerun`." if bot else said


def without_fix(text: str, scorecard: Scorecard) -> str:
    """Returns ``text`` without the fixes in parentheses that ``what_now`` repeats."""
    for fix in {reason.fix for reason in _reasons(scorecard) if reason.fix}:
        text = text.replace(f" ({fix})", "")
    return text


def _review(scorecard: Scorecard, *, bot: bool) -> str:
    if scorecard.passes:
        return ""
    if _is_untrusted(scorecard):
        return "Read the fork's changes, then start the run as described above."
    cards = [card for card in scorecard.lineages if card.status is VerdictStatus.NEEDS_REVIEW]
    what = _to_read(cards[0]) if len(cards) == 1 else ""
    also = f", or {APPROVE}" if bot else ""
    return (
        f"{f'Read {what}. ' if what else ''}To accept it, approve `{scorecard.head.sha[:7]}` in a review{also}. "
        "Reviewers need write access and no commit in this pull request; after a bot's commit, two must approve."
    )


def _is_untrusted(scorecard: Scorecard) -> bool:
    return any(reason.code is ReasonCode.UNTRUSTED for reason in scorecard.reasons)


def _inconclusive(scorecard: Scorecard, *, bot: bool) -> str:
    """Returns how many cases of which slices would decide, and whether the check passes without them."""
    cards = [card for card in scorecard.lineages if card.status is VerdictStatus.INCONCLUSIVE]
    wanted = list(dict.fromkeys(_missing(effect, card) for card in cards for effect in _undecided(card)))
    if scorecard.passes:
        passes = f"The check passes{' without them' if wanted else ''}."
    else:
        how = APPROVE if bot else "first set `inconclusive: pass` on the base branch"
        passes = f"To accept it as it is, {how}."
    if not wanted:
        return passes
    more = f", and {len(wanted) - NAMED:,} more" if len(wanted) > NAMED else ""
    return f"To decide, add {'; '.join(wanted[:NAMED])}{more}. {passes}"


def _undecided(card: LineageCard) -> list[Effect]:
    """Returns the effects for which cases are missing: of the reasons' slices, else of all."""
    effects = [*card.slices, *card.metrics[1:], *([card.overall] if card.overall else [])]
    few = [effect for effect in effects if effect.result is EffectResult.TOO_FEW_CASES and effect.more_cases]
    named = {(r.slice, r.metric) for r in card.reasons if r.status is VerdictStatus.INCONCLUSIVE}
    told = [e for e in few if (e.slice, e.metric) in named or (e.slice, None) in named]
    return told or few


def _missing(effect: Effect, card: LineageCard) -> str:
    cases = figures.plural(effect.more_cases or 0, "case")
    where = f"to slice `{effect.slice.removeprefix(CLASS_PREFIX)}` of " if effect.slice else "to "
    where += f"`{card.tests}`" if card.tests else "the test set"
    drop = "" if effect.margin is None else f" (enough to detect a {figures.limit(effect.margin)}-point drop)"
    return f"{cases} {where}{drop}"
