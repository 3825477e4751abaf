"""One round of a conversation: a model edits the prompt as a person asks, and the gate measures the edit on all cases.

The gate's answer is that of a pull request with this edit, so that one makes no further calls.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.improve.asking import LONGEST, ask_request, edited_texts
from engine.improve.conversation import AskReport, Conversation, Round
from engine.improve.judgment import is_short, of_cases
from engine.improve.measuring import measured
from engine.improve.ports import Planning, Ports, planned, reflected
from engine.improve.split import cluster_numbers, split
from engine.improve.target import Target
from engine.improve.texts import Texts, like, problem, with_texts
from engine.patterns.patterns import failing_patterns
from engine.planning.prepared import Prepared
from engine.planning.rendering import job_of, render
from engine.runner.budget import SpendingCap
from schemas.blame import Pattern
from schemas.effects import Answer, CaseEffect
from schemas.errors import BudgetExceeded, UsageError
from schemas.ports import RenderFailure
from schemas.scorecard import Scorecard
from schemas.values import digest_of

HALF = 0.5
"""A case with a lower score fails. Also the share of cases whose patterns a model never learns."""

SHORT = "the budget ran out during the measurement; the same sentence with a higher budget continues"


@dataclass(frozen=True)
class AskTask:
    """A round before its first call."""

    target: Target
    conversation: Conversation
    """The rounds before."""
    asked: str
    whole: Prepared
    """The committed prompt alone on all cases: what one run of each costs."""


def prepare_ask(target: Target, world: Planning, conversation: Conversation | None, asked: str) -> AskTask:
    """Plans a round; spends nothing. ``conversation`` is continued if it is about the same version.

    Raises UsageError for a sentence without a word, or a long one.
    """
    sentence = " ".join(asked.split())
    if not any(character.isalnum() for character in sentence):
        raise UsageError("the sentence has no words", hint='such as: --ask "be stricter about refunds"')
    if len(sentence) > LONGEST:
        raise UsageError(f"the sentence has more than {LONGEST:,} characters", hint="ask for one thing at a time")
    start = _start(target)
    if conversation is None or (conversation.lineage, conversation.start) != (target.change.name, start):
        conversation = Conversation(lineage=target.change.name, start=start)
    whole = of_cases(target.detection, target.change, target.cases)
    prepared = planned(target.pull_request, whole, world)
    return AskTask(target, conversation.before(sentence), sentence, prepared)


async def ask(task: AskTask, world: Planning, ports: Ports, cap: SpendingCap) -> AskReport:
    """Edits and measures. Nothing costs more than ``cap`` allows, not even by one call.

    Raises ProviderError if the reflection model gives no answer, and StoreError.
    """
    target, before = task.target, task.conversation
    texts = {**target.texts, **before.texts}
    request = ask_request(texts, before.rounds, task.asked, target.reflector)
    try:
        answer = await reflected(request, target.reflector, ports, cap, settings=target.change.run)
    except BudgetExceeded as error:
        done = Round(asked=task.asked, texts=before.texts, why=str(error), cost_usd=cap.spent, unfinished=str(error))
        return _report(task, done, cap)
    found = edited_texts(answer, tuple(texts))
    new = {**texts, **{name: like(texts[name], text) for name, text in found.items()}}
    edits = {name: text for name, text in new.items() if text != target.texts[name]}
    why = _why_not(target, texts, new, ports)
    if why:
        return _report(task, Round(asked=task.asked, texts=before.texts, why=why, **_spent(cap)), cap)
    ports.on_line(f"measuring the edit on {len(target.cases)} cases")
    card = await measured(target, edits, target.cases, world, ports, cap=cap, explained=True)
    done = Round(
        asked=task.asked,
        texts=edits,
        card=card,
        patterns=_patterns(target, card),
        unfinished=SHORT if is_short(card) else None,
        **_spent(cap),
    )
    return _report(task, done, cap)


def _start(target: Target) -> str:
    """Returns the digest of everything that a round's measurement compares with."""
    return digest_of(
        [
            target.prompt.digest,
            [pair.candidate.model_dump(mode="json") for pair in target.change.models],
            [case.model_dump(mode="json") for case in target.cases],
        ]
    )


def _spent(cap: SpendingCap) -> dict[str, object]:
    return {"calls": cap.made, "cost_usd": cap.spent}


def _why_not(target: Target, old: Texts, new: Texts, ports: Ports) -> str:
    """Returns why an answer is not a usable edit; empty if it is one."""
    changed = [name for name, text in new.items() if text != old[name]]
    if not changed:
        return "The model changed nothing."
    keep = target.change.config.canaries
    for name in changed:
        # Compared with the committed text: an edit may not lose a variable over several rounds either.
        if (why := problem(target.prompt, target.texts[name], new[name], keep)) is not None:
            return f"The new text of “{name}” can't be used: {why}."
    prompt = with_texts(target.prompt, new)
    results = render(ports.renderer, [job_of(prompt, case) for case in target.cases])
    if any(isinstance(result, RenderFailure) for result in results):
        return "With the new text, the prompt can't be filled in for every case."
    if all(text == target.texts[name] for name, text in new.items()):
        return "The edit restores the committed prompt."
    return ""


def _patterns(target: Target, card: Scorecard) -> tuple[Pattern, ...]:
    """Returns patterns of the cases that a search could show to a model too, and of no others."""
    try:
        shown = split(target.cases, target.change.gate, HALF).shown
    except UsageError:  # too few to tell anything apart
        return ()
    first = next((one for one in card.lineages if one.model == target.change.models[0].name), None)
    effects = {effect.id: effect for effect in first.cases} if first else {}
    known = [case for case in shown if (effect := effects.get(case.id)) and _score(effect) is not None]
    failing = [n for n, case in enumerate(known) if (_score(effects[case.id]) or 0.0) < HALF]
    return failing_patterns(known, failing, clusters=cluster_numbers(known), seed=0)


def _score(effect: CaseEffect) -> float | None:
    known: list[Answer] = [answer for answer in effect.candidate if answer.score is not None]
    count = sum(answer.count for answer in known)
    return sum((answer.score or 0.0) * answer.count for answer in known) / count if count else None


def _report(task: AskTask, done: Round, cap: SpendingCap) -> AskReport:
    target = task.target
    return AskReport(
        lineage=target.change.name,
        model=target.change.models[0].name,
        reflector=target.reflector.model.model,
        prompt=target.prompt.path,
        conversation=task.conversation.with_round(done),
        budget_usd=cap.cap,
    )
