"""The playground: edit a prompt in a form, run it on committed cases, and see what the gate would say."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.pages import addresses
from bot.pages.access import Role
from bot.pages.addresses import with_query
from bot.pages.context import Page, Redirect
from bot.pages.views.crumbs import of_repository
from bot.pages.views.playground_form import edit_of, estimate_of, fields, from_version
from bot.pages.views.playground_live import live_values, pick_words
from bot.pages.views.spending import asking, check_caps
from bot.store.values import ExperimentRequest
from engine.improve.asking import LONGEST as LONGEST_SENTENCE
from engine.playground.draft import DraftEdit, Pick
from engine.prompt_edits import NotEditableError
from schemas.errors import BudgetExceeded, ConfigError, SourceError, UsageError

if TYPE_CHECKING:
    from bot.pages.context import Context
    from bot.store.asked_values import AskedRun, Draft
    from bot.store.page_values import LineagePage
    from bot.store.values import Run
    from engine.playground.opened import Opened

FOLLOW_S = 3
RUNS = 8
"""Runs of a draft that are listed."""
DRAFTS = 20
LONGEST = 400_000
"""Characters of a draft."""
ROLE_NAMES = {Role.NONE: "no", Role.READ: "read", Role.WRITE: "write", Role.MAINTAIN: "maintain"}


@dataclass(frozen=True)
class RunLine:
    """A run in the list."""

    run: Run
    asked: AskedRun
    words: str
    show: str
    against: str


@dataclass(frozen=True)
class Bench:
    """A prompt in the playground: the committed version and the draft."""

    page: LineagePage
    branch: str
    commit: str
    opened: Opened
    draft: Draft | None
    edit: DraftEdit

    def address(self, repository_id: int, below: str = "", **query: int | str | None) -> str:
        """Returns the playground's address with this draft, or that of a page ``below`` it."""
        base = f"{addresses.lineage(repository_id, self.page.id)}/playground{below}"
        return with_query(base, {"draft": self.draft.id if self.draft else None, **query})


def why_not(context: Context) -> str:
    """Returns why this reader can run nothing; empty if they can."""
    role = context.visitor.role(context.repository)
    if context.visitor.login is None or context.branch is None:
        return "This site is read-only: it has no sign-in, so runs can't be charged to a person."
    if role < Role.WRITE:
        return (
            f"You have {ROLE_NAMES[role]} access to {context.repository.full_name}. Drafts and runs need write access, "
            "because they spend the operator's money. A maintainer of the repository can grant it on GitHub."
        )
    return ""


def opened_bench(context: Context, page: LineagePage) -> Bench | None:
    """Reads the prompt and the draft that the request names. Returns ``None`` for a draft that isn't the reader's.

    Raises ConfigError, SourceError, UsageError and HostError.
    """
    assert context.branch is not None
    branch, commit, opened = context.branch.open(context.repository, page.name)
    number = context.form.get("draft") or context.query.get("draft") or ""
    draft = None
    if number:
        known = context.records.draft(int(number), context.visitor.login or "") if _is_number(number) else None
        if known is None or known.lineage_id != page.id:
            return None
        draft = known
    edit = DraftEdit.model_validate_json(draft.document) if draft else _started_from(context, page, opened)
    return Bench(page, branch, commit, opened, draft, edit)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _started_from(context: Context, page: LineagePage, opened: Opened) -> DraftEdit:
    """Returns the draft of the version that the address names: of an experiment's candidate."""
    number = context.number("from")
    at = context.repository.repository_id
    rows = context.records.experiment_rows(at, page.id, (number,)) if number is not None else {}
    version = rows[number].version_id if number in rows else None
    kept = context.records.versions(at, page.id, [version]) if version is not None else []
    return from_version(opened, kept[0]) if kept else DraftEdit()


def playground(context: Context) -> Page | Redirect | None:
    """Shows the draft with its newest run, and does what the form asks for."""
    repo, lineage_id = context.repository, context.path["lineage"]
    page = context.records.lineage_page(repo.repository_id, lineage_id, context.bounds(0), merged=False)
    if page is None:
        return None
    here = addresses.lineage(repo.repository_id, lineage_id)
    crumbs = (*of_repository(repo), (page.name, here), ("Playground", None))
    title = f"{page.name}: playground"
    refusal, bench = why_not(context), None
    if not refusal:
        try:
            bench = opened_bench(context, page)
        except (ConfigError, SourceError, UsageError) as error:
            refusal = f"The prompt can't be opened: {error}."
        else:
            if bench is None:
                return None
    if bench is None:
        return Page("playground", title, {"refusal": refusal, "back": here, "address": f"{here}/playground"}, crumbs)
    wrong = ""
    if context.form:
        try:
            return _done(context, bench)
        except (ConfigError, BudgetExceeded, NotEditableError) as error:
            hint = getattr(error, "hint", "")
            wrong = f"{getattr(error, 'what', error)}{f' ({hint})' if hint else ''}."
            bench = _as_typed(context, bench)
    token = secrets.token_urlsafe(16)
    values = {
        "refusal": "",
        "wrong": wrong,
        "back": here,
        "request": token,
        "longest": LONGEST_SENTENCE,
        "address": f"{here}/playground",
    } | _values(context, bench)
    refresh_s = FOLLOW_S if values["follows"] else None
    again = str(values.pop("again"))
    return Page("playground", title, values, crumbs, refresh_s=refresh_s, refresh_to=again, scripted=True)


def _as_typed(context: Context, bench: Bench) -> Bench:
    """Returns the bench with the form as it was sent, as far as it can be read."""
    try:
        edit = edit_of(bench.opened, context.form, bench.edit)
    except ConfigError:
        form = {name: text for name, text in context.form.items() if not name.startswith("parameter.")}
        edit = edit_of(bench.opened, form, bench.edit)
    return Bench(bench.page, bench.branch, bench.commit, bench.opened, bench.draft, edit)


def _done(context: Context, bench: Bench) -> Redirect:
    """Does what the form asks for. Raises ConfigError, BudgetExceeded and NotEditableError."""
    at = context.repository.repository_id
    action = context.form.get("action", "save")
    if action == "cancel":
        run = next((one for one, _ in _runs(context, bench) if str(one.sequence) == context.form.get("run")), None)
        if run is not None:
            context.records.cancel(run.id, context.now)
        return Redirect(bench.address(at, run=run.sequence if run else None) + "#run")
    edit = edit_of(bench.opened, context.form, bench.edit)
    _check_other_pages(context, bench, edit)
    document = edit.model_dump_json()
    if len(document) > LONGEST:
        raise ConfigError(f"the draft has more than {LONGEST:,} characters", hint="shorten it, or your own input")
    by = context.visitor.login or ""
    if bench.draft is None:
        number = context.records.keep_draft(at, bench.page.id, by, document, context.now)
    else:
        number = bench.draft.id
        context.records.change_draft(number, by, document, context.now)
    if action == "save":
        return Redirect(bench.address(at, draft=number))
    if action == "pull":
        return Redirect(bench.address(at, "/save", draft=number))
    run = _started(context, bench, edit, number)
    return Redirect(bench.address(at, draft=number, run=run.sequence) + "#run")


def _check_other_pages(context: Context, bench: Bench, edit: DraftEdit) -> None:
    """Raises ConfigError if another page has changed the draft since this one was loaded. A second try replaces it."""
    loaded = context.form.get("changed")
    if bench.draft is None or not loaded or bench.edit.page == edit.page:
        return
    if loaded != bench.draft.changed_at.isoformat():
        raise ConfigError(
            "this draft has been changed in another tab or browser since this page was loaded",
            hint="your version is below: send it again to replace the other one",
        )


def _started(context: Context, bench: Bench, edit: DraftEdit, draft: int) -> Run:
    """Asks for the run. Raises ConfigError, BudgetExceeded and NotEditableError."""
    if not bench.opened.edited(edit):
        raise ConfigError("this draft changes nothing", hint="edit the prompt, the model or a parameter first")
    if edit.pick is not Pick.OWN and bench.opened.change.tests is None:
        raise ConfigError("the prompt has no test set", hint="try your own input")
    if edit.pick is Pick.OWN and not any(text.strip() for text in edit.inputs.values()):
        raise ConfigError("your own input is empty", hint="enter an input for the prompt")
    if not bench.opened.change.models:
        raise ConfigError("the prompt has no model", hint="name one in promptverdict.yaml")
    check_caps(context)
    most = estimate_of(context, bench.page, bench.opened, edit)
    ask = asking(context, most.most_usd, most.call_usd) if most is not None else asking(context, None)
    model = edit.model or bench.opened.model
    request = ExperimentRequest(
        lineage=bench.page.name,
        models=(model,) if model else tuple(pair.name for pair in bench.opened.change.models),
        by=ask.by,
    )
    ask = ask.model_copy(update={"draft_id": draft, "document": edit.model_dump_json(exclude={"page"})})
    return context.records.ask(context.repository, bench.commit, bench.branch, request, ask, at=context.now)


def _runs(context: Context, bench: Bench) -> list[tuple[Run, AskedRun]]:
    return context.records.runs_of_draft(bench.draft.id, RUNS) if bench.draft else []


def _values(context: Context, bench: Bench) -> dict[str, object]:
    at, login = context.repository.repository_id, context.visitor.login or ""
    runs = _runs(context, bench)
    wanted, other = context.number("run"), context.number("with")
    shown = next((pair for pair in runs if wanted in (None, pair[0].sequence)), None)
    values: dict[str, object] = {
        "bench": bench,
        "github": context.github,
        "branch": bench.branch,
        "commit": bench.commit,
        "draft": bench.draft,
        "edits": bench.edit.edits,
        "drafts": [] if bench.draft else context.records.drafts(bench.page.id, login, DRAFTS),
        "facts": context.facts,
        "left": _left(context),
        "save": bench.address(at, "/save"),
        "keep": bench.address(at, "/keep"),
        "form": fields(context, bench.page, bench.opened, bench.edit),
        "live": None,
        "runs": [],
        "follows": False,
        "again": "",
    }
    if shown is None:
        return values
    now = shown[0].sequence
    times = context.number("follow") or 0
    follows = shown[0].state.is_open and times > 0
    # A stream has no third column, so it waits for the end.
    known = other in {run.sequence for run, _ in runs} and not shown[0].state.is_open
    return values | {
        "live": live_values(context, *shown, other if known else None),
        "runs": [
            RunLine(
                run,
                asked,
                pick_words(asked),
                bench.address(at, run=run.sequence) + "#run",
                f"{bench.address(at, run=now)}&with={run.sequence}#run",
            )
            for run, asked in runs
        ],
        "events": bench.address(at, "/events", run=now),
        "follow": bench.address(at, run=now, follow=None if follows else 1) + "#run",
        "follows": follows,
        "again": bench.address(at, run=now, follow=times + 1) + "#run" if follows else "",
    }


def _left(context: Context) -> Decimal | None:
    """Returns what the reader may still spend today; ``None`` without a cap."""
    cap = context.facts.person_usd
    if cap is None:
        return None
    return max(cap - context.records.person_usd(context.visitor.login or "", context.now.date()), Decimal(0))
