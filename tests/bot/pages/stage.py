"""A database as an organization has it after some weeks: two repositories, versions, models, overrides, small test sets."""

from __future__ import annotations

import hashlib
import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bot.runs.provenance import packed
from bot.store.hub_values import MoveKind, Promotion, PromotionState, TagMove
from bot.store.suggest_values import Suggestion, SuggestionState
from bot.store.values import APPROVE, REVIEW, AuditEntry, Measured, PromptVersion, RepositoryRef, RunKind, RunState
from bot.store.values import TestSetSnapshot as Snapshot
from engine.improve.conversation import AskReport, Conversation, Round
from engine.improve.search_report import Judged, Numbers, SearchReport
from schemas.blame import Pattern
from schemas.case_texts import CaseTexts, Grade, GradedAnswer
from schemas.effects import CaseOutcome, EffectResult
from schemas.experiments import ExperimentRecord
from schemas.gate_config import GateConfig, SlicePolicy
from schemas.hub import HubModel, HubPrompt
from schemas.outcomes import Arm
from schemas.production import SpanFacts
from schemas.prompts import Dialect, Message, Role
from schemas.scorecard import CommitRef, Scorecard
from schemas.verdicts import VerdictStatus
from tests.render.scorecards import approved, blocked, extraction, generation, inconclusive

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SHOP = RepositoryRef(installation_id=7, repository_id=11, full_name="acme/shop")
SECRET = RepositoryRef(installation_id=7, repository_id=12, full_name="acme/secret")


def sha(words: str) -> str:
    return hashlib.sha1(words.encode()).hexdigest()


def version(lineage: str, number: int, text: str = "") -> PromptVersion:
    content = {
        "dialect": "github",
        "messages": [
            {"role": "system", "content": f"You sort tickets of {lineage}.\nAnswer with one label.\n{text}"},
            {"role": "user", "content": "Ticket: {{ ticket }}" + "\nBe short." * (number % 3)},
        ],
        "included": {},
        "parameters": {"temperature": 0.1 * (number % 2)},
    }
    text = json.dumps(content)
    return PromptVersion(
        digest=hashlib.sha256(text.encode()).hexdigest() + str(number), path=f"prompts/{lineage}.md", model="toy-1",
        content=text,
    )  # fmt: skip


def texts_of(card, word: str = ""):
    """Whole texts for every case that the card has."""

    def answer(arm, one):
        grades = (
            Grade(metric="accuracy", value=one.score, answer=one.text[:60], reason=f"the label is read {word}"),
            Grade(metric="clarity", value=None, reason="the judge gave no grade"),
        )
        return GradedAnswer(arm=arm, text=f"{one.text}\nBecause the ticket says so. {word}", grades=grades)

    return packed(
        CaseTexts(
            id=case.id,
            inputs=case.inputs or (("ticket", f"whole text {word}"),),
            answers=(
                *(answer(Arm.BASELINE, one) for one in case.baseline),
                *(answer(Arm.CANDIDATE, one) for one in case.candidate),
            ),
        )
        for case in card.cases
    )


def keep(
    records,
    repo,
    scorecard,
    number,
    *,
    at,
    before=0,
    after=1,
    author="ada",
    word="",
    state=RunState.DONE,
    texts=True,
    on_default=True,
):
    """One run with its verdict. ``before`` and ``after`` number the prompt's versions."""
    head = sha(f"{repo.full_name} {number} {at}")
    run = records.open_run(
        repo, number, head, "main", why="pushed", kind=RunKind.PULL_REQUEST, raise_attempt=False, at=at
    )  # fmt: skip
    records.start(run.id, number, at)
    card = scorecard.model_copy(
        update={"head": CommitRef(ref="topic", sha=head), "base": CommitRef(ref="main", sha=sha("base"))}
    )
    card = Scorecard.model_validate(card.model_dump(warnings=False))
    measured = [
        Measured(
            lineage=one.lineage,
            model=one.model,
            baseline=version(one.lineage, before, word),
            candidate=version(one.lineage, after, word),
            tests=Snapshot(
                digest=f"tests-{one.lineage}", path=one.tests or "tests/x.jsonl", cases=len(one.cases),
                content=json.dumps([{"id": c.id, "inputs": dict(c.inputs)} for c in one.cases[:40]]),
            ),
            record=ExperimentRecord(
                lineage=one.lineage, content_digest="f" * 64, metrics=(), cases=(),
                gate=GateConfig(max_cost_increase=Decimal("0.35"), slices={word or "edge": SlicePolicy.WATCH}),
            ),
            texts=texts_of(one, word) if texts else (),
        )
        for one in card.lineages
    ]  # fmt: skip
    records.keep_verdict(run.id, card, "d" * 64, at=at, measured=measured, author=author, on_default=on_default)
    records.shown(run.id, at + timedelta(minutes=2))
    records.finish(run.id, state, at + timedelta(minutes=2))
    return records.run(run.id)


def fewer(card, same=12):
    """The card with every case that moved, and a few of the others: pages and axe take their time for each row."""

    def some(cases):
        alike = [one.id for one in cases if one.result is CaseOutcome.NO_CHANGE][:same]
        return tuple(one for one in cases if one.result is not CaseOutcome.NO_CHANGE or one.id in alike)

    lineages = tuple(one.model_copy(update={"cases": some(one.cases)}) for one in card.lineages)
    return card.model_copy(update={"lineages": lineages})


def history(records, repo=SHOP, runs=5, word="", now=NOW):
    """Several runs of the triage prompt: versions that were merged, with cases that get better and worse."""
    dice = random.Random(5)
    made = []
    for number in range(runs):
        card = fewer(blocked())
        lineages = tuple(one for one in card.lineages if one.cases)[:2] or card.lineages
        changed = []
        for one in lineages:
            overall = one.overall and one.overall.model_copy(
                update={"candidate": round(0.8 + dice.random() * 0.18, 3), "result": EffectResult.BETTER}
            )
            changed.append(
                one.model_copy(update={"overall": overall, "status": VerdictStatus.APPROVED, "passes": True})
            )
        if number < runs - 1:
            card = card.model_copy(
                update={"lineages": tuple(changed), "status": VerdictStatus.APPROVED, "passes": True,
                        "summary": "No prompt got worse.", "reasons": ()}
            )  # fmt: skip
        at = now - timedelta(days=3 * (runs - number))
        author = ("ada", "grace", "lin")[number % 3]
        made.append(
            keep(records, repo, card, 100 + number, at=at, before=number, after=number + 1, author=author, word=word)
        )
    return made


def on_three_models():
    """The triage prompt on three models: a cheap one that is as good, and a bad one."""
    card = fewer(blocked())
    first = card.lineages[0]

    def on(model, cost, failing):
        cases = tuple(
            one.model_copy(
                update={"candidate": tuple(a.model_copy(update={"score": float(n >= failing)}) for a in one.candidate)}
            )
            for n, one in enumerate(first.cases)
        )
        cost = first.cost.model_copy(update={"candidate_per_1000": Decimal(cost)})
        return first.model_copy(update={"model": model, "cases": cases, "cost": cost})

    lineages = (on("large-1", "4.10", 2), on("small-1", "0.35", 3), on("tiny-1", "0.05", 30))
    return card.model_copy(update={"lineages": lineages})


def hub_version(lineage, number):
    return HubPrompt(
        lineage=lineage, commit=sha(f"version {number}"), path=f"prompts/{lineage}.md", dialect=Dialect.GITHUB,
        messages=(Message(role=Role.SYSTEM, content=f"Sort {{{{ticket}}}}, version {number}."),),
        models=(HubModel(name="small", provider="offline", model="toy-1"),),
    )  # fmt: skip


def tagged(records, now=NOW):
    """Tags of the triage prompt: three moves of production, a promotion that was blocked, and one that waits."""
    lineage = "support-triage"
    versions = [records.keep_version(SHOP, hub_version(lineage, number), now).prompt.digest for number in range(4)]
    moves = (
        ("production", None, 0, MoveKind.FIRST, "", 9),
        ("staging", None, 1, MoveKind.FIRST, "", 8),
        ("production", 0, 1, MoveKind.PROMOTED, "", 6),
        ("production", 1, 0, MoveKind.ROLLBACK, "refunds were answered as billing", 5),
    )
    for tag, before, after, kind, reason, days in moves:
        records.move_tag(
            TagMove(
                repository_id=11, lineage=lineage, tag=tag, from_digest=None if before is None else versions[before],
                to_digest=versions[after], by="mia", role="maintain", kind=kind, reason=reason,
                request=f"staged {tag} {days}", at=now - timedelta(days=days),
            )
        )  # fmt: skip
    for number, state, outcome in (
        (2, PromotionState.BLOCKED, "4 must-pass cases broke."),
        (3, PromotionState.WAITING, ""),
    ):
        asked = Promotion(
            installation_id=7, repository_id=11, lineage=lineage, tag="production", from_digest=versions[0],
            to_digest=versions[number], by="mia", role="maintain", request=f"staged {number}", asked_at=now,
        )  # fmt: skip
        made = records.ask_promotion(SHOP, asked, hub_version(lineage, number))
        if not state.is_open:
            records.end_promotion(made.id, state, outcome, now)


def suggested(records, repo, card, lineage, *, word="Be stricter about refunds", by="mia", now=NOW):
    """A search that found an edit, and then a round of a conversation that is over."""
    pattern = Pattern(
        sentence=f"12 of the 13 failing cases mention “{word}”.", broken=12, of=13, others=0, of_others=9, p=0
    )
    own = Numbers(cases=30, before=0.567, after=1.0)
    judged = Judged(
        own=own, failing=13, fixed=13, texts={"system 1": word}, card=card.lineages[0], p=0.0001, proposed=True, why=""
    )
    search = SearchReport(
        lineage=lineage, model="toy", reflector="editor", prompt="p.prompt.yml", shown=("a",), held_out=("b",),
        never_shown=("c",), edits=4, judged=(judged,), patterns=(pattern,), check=card, patch=f"--- a/p\n+{word}\n",
        calls=137, cost_usd=Decimal("0.015"), budget_usd=Decimal(2),
    )  # fmt: skip
    rounds = Round(
        asked=word, texts={"system 1": word}, card=card, patterns=(pattern,), calls=9, cost_usd=Decimal("0.1")
    )
    conversation = Conversation(lineage=lineage, start="0" * 64, rounds=(rounds,))
    ask = AskReport(lineage=lineage, model="toy", reflector="editor", prompt="p.yml", conversation=conversation)
    for asked, report in (("", search), (word, ask)):
        made = records.ask_suggestion(
            repo,
            Suggestion(
                installation_id=repo.installation_id, repository_id=repo.repository_id, lineage=lineage, sha="a" * 40,
                branch="main", asked=asked, budget_usd=Decimal(2), by=by, role="write", asked_at=now,
                request=f"{repo.repository_id} {bool(asked)}",
            ),
            most_open=2, cap_usd=Decimal(20),
        )  # fmt: skip
        records.end_suggestion(made.id, SuggestionState.DONE, word, now, report=report.model_dump_json())


def in_production(records, now=NOW, word="", lineage="support-triage"):
    """Twelve days of one prompt's calls, with another version and model in between, and calls that name no prompt."""
    dice = random.Random(3)
    spans = []
    for number in range(240):
        start = now - timedelta(hours=number * 1.2, minutes=7)
        fresh = number < 100
        decision = dice.choices(["billing", "technical", "other"], [5, 3, 2 + 2 * fresh])[0]
        failed, deferred = number % 40 == 7, number % 15 == 3
        spans.append(
            SpanFacts(
                trace_id=f"{number + 1:032x}", span_id=f"{1:016x}", started_at=start, calls_model=True,
                ended_at=start + timedelta(seconds=dice.uniform(0.3, 3)),
                lineage=None if number % 30 == 29 else lineage,
                digest=("b" if fresh else "a") * 64, model=f"toy-1-2026{word}" if fresh else "toy-1",
                decision=None if failed or deferred else f"{decision}{word}",
                confidence=None if failed else dice.uniform(0.5, 1), deferred=f"low confidence{word}" if deferred else None,
                input_tokens=500, output_tokens=5, cost_usd=Decimal("0.000125"), finish_reason="stop",
                error="Timeout" if failed else None,
            )
        )  # fmt: skip
    records.write_spans(SHOP.repository_id, spans)


def organization(records, now=NOW):
    """Everything that the pages show."""
    records.installed(7, "acme", now)
    made = history(records, now=now)
    made.append(
        keep(records, SHOP, fewer(generation()), 120, at=now - timedelta(hours=6), before=0, after=1, author="grace")
    )
    made.append(keep(records, SHOP, extraction(), 121, at=now - timedelta(hours=5), before=0, after=1, author="lin"))
    made.append(keep(records, SHOP, inconclusive(), 122, at=now - timedelta(hours=4), before=0, after=1))
    made.append(keep(records, SHOP, on_three_models(), 123, at=now - timedelta(hours=3, minutes=30), before=8, after=9))
    keep(records, SECRET, fewer(blocked()), 3, at=now - timedelta(hours=3), before=0, after=1, author="eve")
    records.open_run(
        SHOP, 130, sha("waiting"), "main", why="pushed", kind=RunKind.PULL_REQUEST, raise_attempt=False, at=now
    )
    records.audit(
        AuditEntry(
            repository_id=11, number=104, by="mia", role="maintain", action=APPROVE,
            reason="support checks these tickets by hand until Friday", content_digest="d" * 64, head_sha=made[4].head_sha,
            at=now - timedelta(days=1), expires_at=now + timedelta(days=6), comment_id=1,
        )
    )  # fmt: skip
    records.audit(
        AuditEntry(
            repository_id=11, number=103, by="eve", role="read", action=APPROVE, permitted=False, reason="please",
            at=now - timedelta(days=2), comment_id=2,
        )
    )  # fmt: skip
    records.audit(
        AuditEntry(
            repository_id=11, number=102, by="mia", role="write", action=REVIEW, head_sha=made[2].head_sha,
            reason="The pull request changes the gate of support-triage.", content_digest="d" * 64,
            at=now - timedelta(days=8), url="https://github.com/acme/shop/pull/102#pullrequestreview-9",
        )
    )  # fmt: skip
    tagged(records, now)
    for repo, card in ((SECRET, blocked()), (SHOP, approved())):
        suggested(records, repo, card, "support-triage", now=now)
    in_production(records, now)
    for repo, days, usd in ((11, 2, "12.40"), (11, 25, "31.75"), (12, 3, "4.20")):
        records.spend(repo, (now - timedelta(days=days)).date(), Decimal(usd))
    return made
