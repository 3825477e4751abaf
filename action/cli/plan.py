"""``promptverdict plan``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing

from action.cli.check import prices, renderer, scorers
from action.cli.local import ComparisonOptions, left_out, local_pull_request, open_repository
from action.cli.streams import put
from action.exits import Exit
from engine.commands.lint import columns_read, files_read
from engine.commands.plan_report import ExperimentReport, PlanReport, plan_report
from engine.pipeline import World, prepare
from engine.render.encode import log_line
from engine.render.figures import plural, usd
from engine.render.result_text import with_model
from engine.render.signs import verdict_words
from schemas.verdicts import Reason, VerdictStatus


def plan(options: ComparisonOptions) -> Exit:
    """Prints what check would run. Raises PromptVerdictError."""
    repository = open_repository(options.repo)
    pull_request = local_pull_request(repository, base=options.base, head=options.head, worktree=options.worktree)
    with closing(renderer()) as sandbox:
        prepared = prepare(pull_request, World(repository, sandbox, prices(), scorers()), only=options.lineages)
    report = plan_report(prepared)
    if options.format == "json":
        put(report.model_dump_json(indent=2) + "\n")
    else:
        put("".join(log_line(line) + "\n" for line in _lines(report)))
        if not report.experiments and (hint := left_out(repository, options.head, worktree=options.worktree)):
            sys.stderr.write(f"{hint}\n")
    reasons = [*report.reasons, *(reason for experiment in report.experiments for reason in experiment.reasons)]
    return Exit.ERROR if any(reason.status is VerdictStatus.ERROR for reason in reasons) else Exit.PASS


def _lines(report: PlanReport) -> Iterator[str]:
    merge_base = report.merge_base[:7] if report.merge_base else "none"
    yield f"base {report.base[:7]} (merge base {merge_base}) -> head {report.head[:7]}"
    for reason in report.reasons:
        yield f"{_outcome(reason)}: {reason.sentence}"
    for experiment in report.experiments:
        yield ""
        yield from _experiment_lines(experiment)
    short = " (too little)" if report.cost_usd > report.budget_usd else ""
    others = "1 other lineage is" if report.unaffected == 1 else f"{report.unaffected} other lineages are"
    if report.experiments:
        yield ""
        yield (
            f"in all about {usd(report.cost_usd)} for one run of every case, at most {usd(report.worst_usd)}; "
            f"the hard cap is {usd(report.budget_usd)}{short}; {others} unaffected"
        )
        if any(arm.calls for experiment in report.experiments for arm in experiment.arms):
            yield "assumed: a token is four bytes, and an answer takes a quarter of its limit, but at most 1,024 tokens"
            yield "stored answers cost nothing; check repeats cases, and stops once the verdict is certain"
    for warning in report.warnings:
        yield f"warning: {warning}"


def _outcome(reason: Reason) -> str:
    return verdict_words(reason.status, (), (reason,))


def _experiment_lines(experiment: ExperimentReport) -> Iterator[str]:
    yield with_model(experiment.lineage, experiment.model)
    if experiment.reading:
        yield f"  {experiment.reading}"
    for change in experiment.changes:
        yield f"  because of {change.kind}: {change.detail}"
    for reason in experiment.reasons:
        yield f"  {_outcome(reason)}: {reason.sentence}"
    if experiment.arms:
        slices = ", ".join(f"{name} {count}" for name, count in experiment.slices.items()) or "none"
        same = f", {experiment.identical} with the same request in both versions" if experiment.identical else ""
        yield f"  {plural(experiment.cases, 'case')}{same} (slices: {slices})"
    if experiment.files:
        yield f"  {files_read(experiment.files)}"
    if experiment.columns:
        yield f"  {columns_read(experiment.columns)}"
    for arm in experiment.arms:
        yield (
            f"  {arm.arm:<9} {arm.model}: {plural(arm.calls, 'call')}, about {arm.input_tokens:,} tokens in and "
            f"{arm.output_tokens:,} out, {usd(arm.cost_usd)} (at most {usd(arm.worst_usd)})"
        )
    if judge := experiment.judge:
        yield (
            f"  judge     {judge.model}: {plural(judge.calls, 'call')}, about {judge.input_tokens:,} tokens in and "
            f"{judge.output_tokens:,} out, {usd(judge.cost_usd)} (at most {usd(judge.worst_usd)})"
        )
    yield from ([f"  scorer    {experiment.scorer}"] if experiment.scorer else [])
    yield from (f"  warning: {warning}" for warning in experiment.warnings)
