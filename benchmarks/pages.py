"""How soon each page answers, and how large it is: ``python -m benchmarks.pages [--postgres URL]``.

A run of 100,000 cases, and a prompt with 10,000 runs. Each page is asked five times by one reader; the median counts.
The goal is one second and 200 kB on two cores.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import insert
from sqlmodel import select

from bot.pages.application import LocalAccess, Pages
from bot.pages.context import Facts
from bot.runs.provenance import packed
from bot.store.records import Records
from bot.store.tables import Comparisons, Experiments, Runs, Verdicts
from bot.store.values import Measured, PromptVersion, RepositoryRef, RunKind, RunState, TestSetSnapshot
from schemas.case_texts import CaseTexts, Grade, GradedAnswer
from schemas.effects import Answer, CaseEffect, CaseOutcome, Confusion, Effect, EffectResult
from schemas.outcomes import Arm
from schemas.scorecard import CommitRef, LineageCard, Scorecard
from schemas.use_cases import UseCase
from schemas.verdicts import VerdictStatus

START = datetime(2026, 1, 1, tzinfo=UTC)
REPO = RepositoryRef(installation_id=1, repository_id=1, full_name="acme/shop")
LABELS = tuple(f"label_{n}" for n in range(20))
SLICES = ("typical", "edge", "adversarial", "known_failure")
GOAL_S, GOAL_BYTES = 1.0, 200_000
TIMES = 5


def case(number: int) -> CaseEffect:
    """One case: one in fifty got worse."""
    label = LABELS[number % len(LABELS)]
    worse = number % 50 == 0
    said = LABELS[(number + 1) % len(LABELS)] if worse else label
    return CaseEffect(
        id=f"ticket-{number:06}", slices=(SLICES[number % len(SLICES)],), expected=label,
        inputs=(("ticket", f"I was charged twice in March for order {number}, please look into it. " * 3),),
        baseline=(Answer(text=label, count=1, of=1, score=1.0),),
        candidate=(Answer(text=said, count=1, of=1, score=0.0 if worse else 1.0),),
        change=-1.0 if worse else 0.0, result=CaseOutcome.REGRESSED if worse else CaseOutcome.NO_CHANGE,
    )  # fmt: skip


def texts(one: CaseEffect) -> CaseTexts:
    """Its whole texts."""
    return CaseTexts(
        id=one.id,
        inputs=one.inputs,
        answers=(graded(Arm.BASELINE, one.baseline[0]), graded(Arm.CANDIDATE, one.candidate[0])),
    )


def graded(arm: Arm, answer: Answer) -> GradedAnswer:
    """One whole answer."""
    grade = Grade(metric="accuracy", value=answer.score, answer=answer.text)
    return GradedAnswer(arm=arm, text=answer.text, grades=(grade,))


def version(number: int) -> PromptVersion:
    """A version of the prompt."""
    message = {"role": "user", "content": f"version {number} of {{{{x}}}}"}
    content = json.dumps({"dialect": "github", "included": {}, "parameters": {}, "messages": [message]})
    return PromptVersion(digest=f"{number:064}", path="p.md", model="toy", content=content)


def scorecard(cases: int) -> Scorecard:
    """A classification with so many cases."""
    effects = [
        Effect(slice=name, metric="accuracy", cases=cases // 4, baseline=0.9, candidate=0.88, change=-0.02,
               interval=None, margin=0.05, result=EffectResult.NO_CHANGE)
        for name in SLICES
    ]  # fmt: skip
    overall = effects[0].model_copy(update={"slice": None, "cases": cases})
    rows = tuple(tuple(float(cases // 400) for _ in range(21)) for _ in LABELS)
    card = LineageCard(
        lineage="triage", model="toy", use_case=UseCase.CLASSIFICATION, prompt="p.md", status=VerdictStatus.BLOCKED,
        passes=False, headline="Cases broke.", overall=overall, slices=tuple(effects),
        cases=tuple(map(case, range(cases))),
        confusion=Confusion(labels=LABELS, columns=(*LABELS, "no label"), baseline=rows, candidate=rows),
    )  # fmt: skip
    return Scorecard(
        status=VerdictStatus.BLOCKED, passes=False, title="blocked", summary="Cases broke.", lineages=(card,),
        base=CommitRef(ref="main", sha="0" * 40), merge_base=None, head=CommitRef(ref="topic", sha="1" * 40),
    )  # fmt: skip


def keep(records: Records, number: int, card: Scorecard) -> int:
    """One run as the bot keeps it; its number."""
    at = START + timedelta(hours=number)
    run = records.open_run(
        REPO, number, f"{number:040x}", "main", why="pushed", kind=RunKind.PULL_REQUEST, raise_attempt=False, at=at
    )
    tests = TestSetSnapshot(digest="t", path="t.jsonl", cases=len(card.lineages[0].cases), content="[]")
    measured = Measured(
        lineage="triage", model="toy", baseline=version(number - 1), candidate=version(number), tests=tests,
        texts=packed(map(texts, card.lineages[0].cases)),
    )  # fmt: skip
    records.keep_verdict(run.id, card, "d" * 64, at=at, measured=[measured], author="ada", on_default=True)
    records.finish(run.id, RunState.DONE, at)
    return run.sequence


def multiply(records: Records, runs: int) -> None:
    """Copies of the first run's figures, as many as the prompt has runs."""
    with records._database.writing() as session:  # noqa: SLF001 - no method makes ten thousand runs
        (run, verdict, experiment) = (
            session.get_one(Runs, 1).model_dump(), session.get_one(Verdicts, 1).model_dump(),
            session.get_one(Experiments, 1).model_dump(),
        )  # fmt: skip
        comparisons = [
            row.model_dump() for row in session.exec(select(Comparisons).where(Comparisons.experiment_id == 1))
        ]
        for start in range(100, 100 + runs, 500):
            numbers = range(start, min(start + 500, 100 + runs))
            session.execute(
                insert(Runs),
                [run | {"sequence": n, "id": f"exp:{n}", "number": n, "head_sha": f"{n:040x}"} for n in numbers],
            )
            session.execute(insert(Verdicts), [verdict | {"run_sequence": n, "scorecard": None} for n in numbers])
            versions = [
                experiment
                | {
                    "id": n,
                    "run_sequence": n,
                    "baseline_digest": f"{n - 1:064}",
                    "candidate_digest": f"{n:064}",
                    "record": None,
                }
                for n in numbers
            ]
            session.execute(insert(Experiments), versions)
            session.execute(insert(Comparisons), [row | {"experiment_id": n} for n in numbers for row in comparisons])


def main() -> int:
    """Prints a line for each page. Returns 1 if one misses the goal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--postgres", metavar="URL", help="an empty database, in place of an SQLite file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        records = Records(given.postgres or f"sqlite:///{Path(folder) / 'bot.db'}")
        records.migrate()
        began = time.perf_counter()
        keep(records, 1, scorecard(100))
        multiply(records, given.runs)
        large = scorecard(given.cases)
        older, run = (keep(records, given.runs + 1_000 + number, large) for number in (2, 3))
        print(f"{given.cases:,} cases in two runs, {given.runs:,} runs: made in {time.perf_counter() - began:.0f} s")
        return measure(records, run, older)


def measure(records: Records, run: int, older: int) -> int:
    """Asks for each page of the large run, and compares it with the older one."""

    class Clock:
        def utc(self) -> datetime:
            return START + timedelta(days=400)

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    Pages(records, LocalAccess(), Facts("https://github.com"), Clock()).add_to(app)
    browser = TestClient(app, base_url="http://localhost:1")
    experiment, other = (records.run_page(1, one).experiments[0] for one in (run, older))
    base, lineage = (
        f"/repositories/1/runs/{run}/experiments/{experiment.id}",
        f"/repositories/1/lineages/{experiment.lineage_id}",
    )
    pages = {
        "home": "/", "repository": "/repositories/1", "runs, further on": "/repositories/1?before=5000",
        "run": f"/repositories/1/runs/{run}", "cases, further on": f"{base}?after=60000",
        "cases of a slice": f"{base}?slice=edge&result=no_change", "cases that fail": f"{base}?failing=1",
        "cases of two labels": f"{base}?expected=label_0&candidate_said=label_1", "case": f"{base}/cases/99",
        "prompt": lineage, "prompt, further on": f"{lineage}?before=5000", "all changes": f"{lineage}?all=1",
        "comparison": f"{lineage}/compare?from={other.id}&to={experiment.id}", "models": f"{lineage}/models",
        "test set": f"{lineage}/tests",
        "cases that never fail": f"{lineage}/tests?kind=never&after=50000", "audit": "/repositories/1/audit",
        "settings": "/repositories/1/settings",
    }  # fmt: skip
    missed = 0
    for name, address in pages.items():
        times = []
        for _ in range(TIMES):
            began = time.perf_counter()
            answer = browser.get(address)
            times.append(time.perf_counter() - began)
            assert answer.status_code == 200, (address, answer.status_code)
        took, size = statistics.median(times), len(answer.content)
        missed += took > GOAL_S or size > GOAL_BYTES
        print(
            f"{name:24} {took:6.2f} s {size / 1000:7.0f} kB{'  missed' if took > GOAL_S or size > GOAL_BYTES else ''}"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
