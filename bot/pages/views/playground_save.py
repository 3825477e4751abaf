"""The last steps of a draft: a pull request in the person's name, or a patch; and their own input as a test case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.github.proposals import Proposal
from bot.pages import addresses
from bot.pages.context import Page, Redirect
from bot.pages.views.crumbs import of_repository
from bot.pages.views.playground import opened_bench, why_not
from bot.pages.views.playground_live import pick_words
from bot.pages.views.raise_case import PLAIN, change_of, proposed_case
from bot.store.values import RunState
from engine.detection.files import below
from engine.playground.draft import own_row
from engine.prompt_edits import NotEditableError
from engine.readers.file_patterns import is_pattern
from engine.test_edits import patches
from schemas.errors import ConfigError, HostError, SourceError, UsageError
from schemas.values import digest_of

if TYPE_CHECKING:
    from pydantic import JsonValue

    from bot.pages.access import Proposer
    from bot.pages.context import Context
    from bot.pages.views.playground import Bench

LONGEST_TITLE = 120


def save(context: Context) -> Page | Redirect | None:
    """Shows the change of the files, and opens a pull request with it."""
    bench = _bench(context)
    if not isinstance(bench, _Refused):
        return None if bench is None else _save_page(context, bench)
    return bench.page


class _Refused:
    """A page that says why nothing can be saved."""

    def __init__(self, page: Page) -> None:
        self.page = page


def _bench(context: Context) -> Bench | _Refused | None:
    """Returns the draft that the address names; ``None`` if the reader has no such draft."""
    repo, lineage_id = context.repository, context.path["lineage"]
    page = context.records.lineage_page(repo.repository_id, lineage_id, context.bounds(0), merged=False)
    if page is None:
        return None
    refusal = why_not(context)
    if not refusal:
        try:
            return opened_bench(context, page)
        except (ConfigError, SourceError, UsageError) as error:
            refusal = f"The prompt can't be opened: {error}."
    here = addresses.lineage(repo.repository_id, lineage_id)
    values = {"refusal": refusal, "back": here, "address": f"{here}/playground"}
    crumbs = (*of_repository(repo), (page.name, here), ("Playground", None))
    return _Refused(Page("playground", f"{page.name}: playground", values, crumbs))


def _save_page(context: Context, bench: Bench) -> Page:
    at = context.repository.repository_id
    proposer = context.visitor.proposer(context.repository)
    values: dict[str, object] = {
        "address": bench.address(at, "/save"), "back": bench.address(at), "github": context.github,
        "may_open": proposer is not None, "branch": bench.branch, "commit": bench.commit, "opened": None,
        "unopened": "", "patches": [], "refusal": "",
        "title_text": context.form.get("title") or _title(bench.page.name),
    }  # fmt: skip
    try:
        changed = bench.opened.edited(bench.edit)
    except NotEditableError as error:
        changed = {}
        values["refusal"] = f"This draft can't be written into the file: {error}. Edit the file by hand."
    else:
        values["refusal"] = "" if changed else "This draft changes nothing."
    values["patches"] = [
        (path, patches.unified(path, bench.opened.files[path].decode(), content.decode()))
        for path, content in changed.items()
    ]
    if proposer is not None and changed and context.form.get("open") == "1":
        values |= _opened(context, bench, proposer, changed)
    crumbs = (
        *of_repository(context.repository),
        (bench.page.name, addresses.lineage(at, bench.page.id)),
        ("Playground", bench.address(at)),
        ("Save", None),
    )
    return Page("playground_save", f"Save the draft of {bench.page.name}", values, crumbs)


def _title(name: str) -> str:
    return f"Edit the prompt {name}" if PLAIN.fullmatch(name) else "Edit a prompt"


def _opened(context: Context, bench: Bench, proposer: Proposer, changed: dict[str, bytes]) -> dict[str, object]:
    """Opens the pull request, or says why there is none."""
    try:
        files = {path: proposer.file(path) for path in changed}
        found = [file for file in files.values() if file is not None]
        if len(found) < len(files) or any(one.data != bench.opened.files[one.path] for one in found):
            return {"unopened": "These files have just changed on the default branch. Reload the page and try again."}
        first, *others = found
        title = " ".join((context.form.get("title") or _title(bench.page.name)).split())[:LONGEST_TITLE]
        digest = digest_of([(one.path, one.blob, digest_of(changed[one.path].decode())) for one in found])[:12]
        wanted = Proposal(
            f"prompt-verdict/draft-{digest}",
            changed[first.path],
            title,
            _body(context, bench),
            more=tuple((one, changed[one.path]) for one in others),
        )
        return {"opened": proposer.open(first, wanted)}
    except HostError as error:
        hint = f" ({error.hint})" if error.hint else ""
        return {"unopened": f"{error.what}{hint}. You can try again: a second try opens no second pull request."}


def _body(context: Context, bench: Bench) -> str:
    """Returns the pull request's text: where it was tried. Nothing of the prompt, which GitHub would interpret."""
    public = context.facts.public_url
    runs = context.records.runs_of_draft(bench.draft.id, 5) if bench.draft else []
    done = [(run, asked) for run, asked in runs if run.state is RunState.DONE]
    lines = [
        "Made in the Prompt Verdict playground. The answers of its runs are stored, so the check doesn't pay again."
    ]
    for run, asked in done if public else ():
        of = "all cases" if pick_words(asked) == "all cases" else "some cases"
        lines.append(f"- [run {run.sequence}]({public}{addresses.run(run.repository_id, run.sequence)}) on {of}")
    return "\n".join(lines)


def _test_file(bench: Bench) -> str | None:
    """Returns the one file with the prompt's cases; ``None`` if there are several."""
    change = bench.opened.change
    if change.config.tests is None:
        return bench.opened.prompt.path
    paths = [below(change.root, path) for path in change.config.test_paths]
    return paths[0] if len(paths) == 1 and not is_pattern(paths[0]) else None


def _row(context: Context, bench: Bench) -> dict[str, JsonValue]:
    """Returns the person's input as a case, in the slice that the form says, or in the first one that there is."""
    tests = bench.opened.change.tests
    row = own_row(bench.edit, tests)
    slices = [case.slices[0] for case in tests.cases if case.slices] if tests is not None else []
    slice_of = context.form.get("slice", slices[0] if slices else "").strip()
    return row | ({"slice": slice_of} if slice_of else {})


def keep(context: Context) -> Page | Redirect | None:
    """Shows the patch that adds the person's own input to the test set, and opens a pull request with it."""
    bench = _bench(context)
    if bench is None or isinstance(bench, _Refused):
        return None if bench is None else bench.page
    at = context.repository.repository_id
    path, row = _test_file(bench), _row(context, bench)
    values: dict[str, object] = {
        "kind": "keep", "back": bench.address(at), "address": bench.address(at, "/keep"), "head": bench.commit,
        "why": "", "command": None, "github": context.github, "patch": None, "refusal": None, "opened": None,
        "unopened": None, "back_text": "Back to the draft", "fields": [],
        "expected": bench.edit.expected, "slices": row.get("slice") or "",
    }  # fmt: skip
    proposer = context.visitor.proposer(context.repository)
    if path is None:
        values["refusal"] = "The test set has several files. Add the case to one of them by hand."
    else:
        data = context.visitor.file(context.repository, path, bench.commit)

        def edit(at_path: str, content: bytes) -> patches.Patch | patches.NoPatch:
            return patches.add(at_path, content, row)

        values |= change_of(path, data, edit)
        if proposer and values["patch"] and context.form.get("open") == "1":
            public = context.facts.public_url
            link = ("The draft in Prompt Verdict", f"{public}{bench.address(at)}") if public else None
            values |= proposed_case(path, "add", edit, proposer, link)
    values["may_open"] = proposer is not None
    crumbs = (
        *of_repository(context.repository),
        (bench.page.name, addresses.lineage(at, bench.page.id)),
        ("Playground", bench.address(at)),
        ("Keep as a case", None),
    )
    return Page("raise", "Keep your input as a test case", values, crumbs)
