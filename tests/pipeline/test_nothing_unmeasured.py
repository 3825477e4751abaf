"""Whatever a pull request does to a watched file: no verdict passes unless it was measured, or a named rule explains it.

The provider answers everything right, so that every experiment is approved: what passes here passes because of what was
looked at. ``WATCHED=10000`` runs the long form.
"""

import csv
import json
import os
from contextlib import closing

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from action.cli.check import prices, renderer
from adapters.git.repository import GitRepository
from adapters.scorer.client import IsolatedScorers
from adapters.store import open_store
from engine.pipeline import World, measure, prepare, static
from engine.runner.access import Access
from schemas.errors import PromptVerdictError
from schemas.pullrequests import PullRequest, Trust
from schemas.verdicts import VerdictStatus
from tests.repositories import Repository
from tests.run.laboratory import HandClock, Scripted, completion

EXAMPLES = int(os.environ.get("WATCHED", "25"))
PASSES = (VerdictStatus.APPROVED, VerdictStatus.NOT_APPLICABLE, VerdictStatus.INCONCLUSIVE)
CONFIG = """\
version: 1
models:
  toy: {provider: offline, model: m, price: {input: 1, output: 4}}
defaults: {model: toy}
lineages:
  triage:
    use_case: classification
    prompt: PROMPT
    tests: TESTS
    labels: [billing, refunds]
"""
LINES = [f"Ticket {n} about {('billing', 'refunds')[n % 2]}" for n in range(12)]
PROMPTS = {
    "p/t.prompt.yml": "# Ours.\nname: triage\nmessages:\n  - role: system\n    content: |\n      Sort the tickets.\n"
    "      Say billing or refunds.\n  - role: user\n    content: '{{ticket}}'\nmodelParameters:\n  temperature: 0.5\n"
    "tools: [{type: function}]\n",
    "p/t.md": "---\ndescription: sorts\nparameters: {temperature: 0}\nreasoning: low\n---\n\nSort this ticket.\n\n{{ ticket }}\n",
    "p/t.j2": "{# sorts #}Sort this.\n{% if vip is defined %}Be quick.\n{% endif %}{% include 'p/rules.md' %}\n{{ ticket }}\n",
    "p/t.json": json.dumps([{"role": "system", "content": "Sort."}, {"role": "user", "content": "{{ticket}}", "cache": 1}], indent=1),
    "p/t.yaml": "version: 3\nsystem_prompt: Sort the ticket.\nuser_template: '{ticket}'\nmodel_params: {temperature: 0, effort: low}\n",
    "p/pair": {"p/pair/system.md": "Sort the ticket.\n", "p/pair/user.md": "Ticket: {{ ticket }}\n"},
}  # fmt: skip
RULES = "Two labels only.\n{% if urgent is defined %}Hurry.{% endif %}\n"
TESTS = {
    "t.jsonl": "".join(
        json.dumps({"id": f"c{n}", "inputs": {"ticket": line}, "expected": line.split()[-1], "notes": "ours", "owner": "x"}) + "\n"
        for n, line in enumerate(LINES)
    ),
    "t.csv": "id,input.ticket,expected,notes\n" + "".join(f"c{n},{line},{line.split()[-1]},ours\n" for n, line in enumerate(LINES)),
    "t.yaml": "# cases\n" + "".join(f"- id: c{n}\n  inputs: {{ticket: {line}}}\n  expected: {line.split()[-1]}\n" for n, line in enumerate(LINES)),
}  # fmt: skip
WORKFLOW = (
    "on: pull_request\njobs:\n  gate:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: acme/prompt-verdict@v1\n"
)
WORKFLOW_PATH = ".github/workflows/gate.yml"
PIECES = [b"", b" ", b"\n", b"#", b"x", b"{", b"}", b"{{", b"}}", b"{%", b"%}", b":", b"-", b'"', b"'", b"\r\n", b"\xef\xbb\xbf", b"0", b"|", b"\t",
          b" if vip else ", b"{# x #}", b"\xff", b"\\", b",", b"\ntools: 1\n", b"{% if gold %}bad{% endif %}"]  # fmt: skip


@st.composite
def pull_requests(draw):
    """A repository, and its copy with one or two stretches of one watched file replaced."""
    path = draw(st.sampled_from(sorted(PROMPTS)))
    tests = draw(st.sampled_from(sorted(TESTS)))
    files = PROMPTS[path] if isinstance(PROMPTS[path], dict) else {path: PROMPTS[path]}
    files = {
        **files, tests: TESTS[tests], WORKFLOW_PATH: WORKFLOW,
        "promptverdict.yaml": CONFIG.replace("PROMPT", path).replace("TESTS", tests),
    }  # fmt: skip
    if path == "p/t.j2":
        files["p/rules.md"] = RULES
    victim = draw(st.sampled_from(sorted(files)))
    changed = files[victim].encode()
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(changed)))
        changed = changed[:at] + draw(st.sampled_from(PIECES)) + changed[at + draw(st.integers(0, 3)) :]
    return files, victim, changed


@pytest.fixture(scope="module")
def sandbox():
    with closing(renderer()) as opened:
        yield opened


def right(request, repetition, nth):
    return completion("refunds" if "refunds" in request.messages[-1].content.split("\n")[-1] else "billing")


async def verdict_of(folder, files, head, sandbox):
    repository = Repository(folder / "repository")
    first = repository.commit(files)
    last = repository.commit(head, branch="pr", parent=first)
    pull_request = PullRequest(base_ref="main", base_sha=first, head_ref="pr", head_sha=last, trust=Trust.OPERATOR)
    world = World(GitRepository(repository.path), sandbox, prices(), IsolatedScorers())
    prepared = prepare(pull_request, world)
    if not prepared.runs:
        return static(prepared), prepared
    store = open_store(str(folder / "outcomes.sqlite"))
    clock = HandClock()
    provider = Scripted(right)
    try:
        return await measure(prepared, access=Access(lambda model: provider, clock), store=store, clock=clock), prepared
    finally:
        await store.aclose()


def is_explained(victim, before, after, card, prepared):
    """By rules written here a second time, without the product's readers."""
    old, new = (text.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n") for text in (before, after))
    if old == new:
        return True
    if victim == "promptverdict.yaml":
        return _yaml(old) == _yaml(new) or bool(prepared.detection.policy)
    if victim.startswith("t."):
        return _cases(victim, old) == _cases(victim, new)
    if victim.endswith((".yml", ".yaml", ".json")):
        load = json.loads if victim.endswith(".json") else _yaml
        told = load(old), load(new)
        return _bare(told[0]) == _bare(told[1])
    if victim.endswith(".md") and victim != "p/rules.md":
        parts = [text.split(b"---\n") for text in (old, new)]
        if len(parts[0]) == len(parts[1]) == 3:
            return _bare(_yaml(parts[0][1])) == _bare(_yaml(parts[1][1])) and parts[0][2].strip(b"\n") == parts[1][
                2
            ].strip(b"\n")
        return old.strip(b"\n") == new.strip(b"\n")
    return _uncommented(old).strip(b"\n") == _uncommented(new).strip(b"\n")


def _yaml(text):
    """As libyaml reads it: PyYAML's own scanner refuses some tabs that libyaml takes for blanks."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


def _bare(document):
    return (
        {key: value for key, value in document.items() if key not in ("name", "description")}
        if isinstance(document, dict)
        else document
    )


def _uncommented(text):
    return b"".join(part.split(b"#}", 1)[-1] if number else part for number, part in enumerate(text.split(b"{#")))


def _cases(victim, raw):
    text = raw.decode()
    if victim == "t.csv":
        header, *body = [row for row in csv.reader(text.split("\n")) if row]
        rows = [dict(zip(map(str.strip, header), row, strict=False)) for row in body]
    elif victim == "t.jsonl":
        rows = [json.loads(row) for row in text.split("\n") if row.strip()]
    else:
        rows = _yaml(text)
    names = {"input": "inputs"}
    return {row["id"]: {names.get(key, key): row[key] for key in row if key != "notes"} for row in rows}


def sends_something_else(prepared):
    """Whether an arm sends what the other doesn't, for the same case."""
    plans = [entry.plan for entry in prepared.entries if entry.plan]
    return any(not same for plan in plans for same in plan.identical)


@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(pull_request=pull_requests())
@pytest.mark.slow
def test_no_byte_of_a_watched_file_changes_without_a_trace(pull_request, sandbox, tmp_path_factory):
    import asyncio

    files, victim, changed = pull_request
    if changed == files[victim].encode():
        return
    try:
        card, prepared = asyncio.run(verdict_of(tmp_path_factory.mktemp("r"), files, {victim: changed}, sandbox))
    except PromptVerdictError:
        return  # an error is no pass
    if card.status not in PASSES:
        return
    added = any(entry.change.added_cases for entry in prepared.entries)
    measured = sends_something_else(prepared) or added
    assert measured or is_explained(victim, files[victim].encode(), changed, card, prepared), card.summary


@pytest.mark.parametrize("path", sorted(PROMPTS))
async def test_harmless_changes_are_nothing_to_evaluate(path, sandbox, tmp_path):
    files = PROMPTS[path] if isinstance(PROMPTS[path], dict) else {path: PROMPTS[path]}
    config = CONFIG.replace("PROMPT", path).replace("TESTS", "t.yaml")
    files = {**files, "t.yaml": TESTS["t.yaml"], "p/rules.md": RULES, "promptverdict.yaml": config}
    comment = {"p/t.prompt.yml": "# A comment\n", "p/t.yaml": "# A comment\n", "p/t.j2": "{# A comment #}"}.get(
        path, ""
    )
    head = {
        name: ("\ufeff" + (comment if name == path else "") + text).replace("\n", "\r\n")
        for name, text in files.items()
        if name != "promptverdict.yaml"
    }
    head["promptverdict.yaml"] = "# A comment\n" + config
    card, _ = await verdict_of(tmp_path, files, head, sandbox)
    assert (card.status, card.spending.made) == (VerdictStatus.NOT_APPLICABLE, 0), card.summary
