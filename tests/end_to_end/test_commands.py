"""The commands beside check: what they print, what they write, how they end."""

import csv
import io
import json
import re

import pytest
import yaml

from tests.end_to_end.conftest import CONFIG, PROMPT, cases
from tests.repositories import Repository

REWORDED = PROMPT.replace("You sort support tickets", "You assign support tickets")
PATH = "prompts/triage.prompt.yml"


def files_of(project):
    return {path for path in project.repository.path.rglob("*") if ".git" not in path.parts and path.is_file()}


@pytest.fixture
def adopting(project):
    """A repository that has prompts and test sets in several formats, and nothing of ours."""
    csv = "id,ticket,expected\n" + "".join(f"{n},please help {n},{('yes', 'no')[n % 2]}\n" for n in range(20))
    facts = "".join(
        json.dumps({"id": str(n), "inputs": {"cv": f"Ann {n}"}, "expected": {"name": f"Ann {n}", "age": n}}) + "\n"
        for n in range(8)
    )
    inline = "messages:\n  - {role: user, content: 'Sort {{input}}'}\ntestData:\n  - {input: a, expected: x}\n  - {input: b, expected: y}\n  - {input: c, expected: x}\n  - {input: d, expected: y}\n"
    project.base = project.repository.commit(
        {
            "promptverdict.yaml": None, PATH: None, "tests/triage.jsonl": None,
            "prompts/help.prompt.yml": "messages:\n  - {role: user, content: 'Help? {{ticket}}'}\n",
            "prompts/person.md": "Find the person in {{ cv }}.\n",
            "prompts/inline.prompt.yml": inline,
            "prompts/letter.txt": "Write a letter to {{ addressee }}.\n",
            "tests/help.csv": csv, "tests/person.jsonl": facts, "README.md": "# Hello {{ you }}\n",
        },
        branch="main",
    )  # fmt: skip
    project.repository.checkout("main")
    return project


def test_init_shows_what_it_would_write_and_writes_nothing(adopting):
    before = files_of(adopting)
    ran = adopting.run("init", "--dry-run")
    assert ran.code == 0
    assert "# --- promptverdict.yaml" in ran.out
    assert "# --- .github/workflows/prompt-verdict.yml" in ran.out
    assert files_of(adopting) == before


def test_init_pairs_prompts_with_test_sets_and_what_it_writes_works(adopting):
    ran = adopting.run("init")
    assert ran.code == 0
    written = (adopting.repository.path / "promptverdict.yaml").read_text()
    for lines in (
        'prompt: prompts/help.prompt.yml\n    tests: tests/help.csv  # 20 cases\n    labels: ["no", "yes"]',
        "use_case: extraction\n    prompt: prompts/person.md\n    tests: tests/person.jsonl",
        "use_case: classification\n    prompt: prompts/inline.prompt.yml\n    labels: [x, ",
        "  # letter:  # no test set was found\n  #   use_case: generation\n  #   prompt: prompts/letter.txt\n",
        "age: {kind: number}",
        "provider: offline",
    ):
        assert lines in written
    assert "README" not in written
    assert "  #   tests: evals/letter.draft.jsonl  # a draft that init wrote" in written
    assert '{"inputs": {"addressee": "…"}' in (adopting.repository.path / "evals/letter.draft.jsonl").read_text()
    assert adopting.run("tests", "lint").code in (0, 1)
    workflow = (adopting.repository.path / ".github/workflows/prompt-verdict.yml").read_text()
    assert "uses: prompt-verdict/prompt-verdict/.github/workflows/verdict.yml@v0.1.0\n" in workflow
    assert "no release found" in ran.err


def test_the_pull_request_that_installs_passes(adopting):
    """It has prompts with and without tests, and text that nothing scores."""
    adopting.repository.git("switch", "-qc", "install")
    adopting.run("init")
    adopting.repository.git("add", "-A")
    adopting.repository.git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "Install")
    ran = adopting.check("install", "--base", "main")
    assert (ran.code, ran.card["status"]) == (0, "not_applicable")


@pytest.fixture
def releases(tmp_path):
    """The Action's repository with a plain tag, an annotated one, and names that are no release."""
    made = Repository(tmp_path / "mirror" / "prompt-verdict")
    old = made.commit({"a": "1"})
    new = made.commit({"a": "2"}, parent=old)
    for name in ("v0.9.0", "v0.10.0", "nightly", "v1.0.0-rc1", "v2"):
        made.git("tag", name, old)
    for name in ("v0.10.0", "v0.2.0"):
        made.git("-c", "user.name=a", "-c", "user.email=a@example.com", "tag", "--force", "-a", "-m", "x", name, new)
    return made, new


@pytest.mark.parametrize("form", ["short", "long", "enterprise"])
def test_init_writes_the_default_branch_and_pins_the_newest_release(adopting, releases, form):
    made, newest = releases
    adopting.repository.git("update-ref", "refs/remotes/origin/trunk", adopting.base)
    adopting.repository.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
    url = f"file://{made.path}"
    ran = adopting.run("init", "--dry-run", "--workflow", form, "--action", url, OPENAI_API_KEY="sk-secret")
    workflow = yaml.safe_load(ran.out.partition("# --- .github")[2].partition("\n")[2])
    assert workflow[True]["push"] == {"branches": ["trunk"]}
    job = workflow["jobs"]["measure"]
    uses = [job["uses"]] if form == "short" else [step["uses"] for step in job["steps"] if step.get("id")]
    shared = "/.github/workflows/verdict.yml" if form == "short" else ""
    assert uses == [f"mirror/prompt-verdict{shared}@{newest}"]
    assert f"@{newest} # v0.10.0\n" in ran.out
    assert form != "short" or job["secrets"] == {"OPENAI_API_KEY": "${{ secrets.OPENAI_API_KEY }}"}
    assert "no release found" not in ran.err


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c date",
        "http://example.com/a/b",
        "https:///a/b",
        "https://h/b",
        "https://u@h/a/b",
        "file:///a/b;c",
        "-u/x",
    ],
)
def test_init_takes_no_address_that_is_no_repository(adopting, url):
    ran = adopting.run("init", "--dry-run", "--action", url)
    assert (ran.code, "is not the address of a repository" in ran.err) == (2, True)


def test_init_says_what_keeps_a_test_set_from_its_prompt(adopting):
    """One that can't be read, and one whose inputs have other names; a YAML list is a test set too."""
    listed = "".join(f"- {{inputs: {{addressee: Ann {n}}}, expected: x}}\n" for n in range(4))
    adopting.repository.commit(
        {
            "tests/person.jsonl": '{"id": 1, "cv": }\n',
            "tests/help.csv": "id,title,body,expected\n1,please,now,yes\n",
            "tests/prompts/letter.yaml": listed,
            "promptfooconfig.yaml": "tests:\n  - {vars: {ticket: a}, assert: [{type: javascript, value: 'true'}]}\n",
        },
        branch="main",
    )  # fmt: skip
    adopting.repository.checkout("main")
    ran = adopting.run("init", "--dry-run")
    assert "not gated: tests/person.jsonl:1:17 (not read: " in ran.err
    assert "not gated: promptfooconfig.yaml (not read: no assertion of its cases can be evaluated)" in ran.err
    assert "import promptfoo" not in ran.err  # it can't read them either
    assert "help.prompt.yml (most cases of tests/help.csv lack the input ticket (they have body, title))" in ran.err
    assert "#   tests: tests/prompts/letter.yaml  # 4 cases" in ran.out


PROMPTFOO = """\
prompts: [file://../prompts/capital.txt]
providers: [{id: 'openai:gpt-4o-mini', config: {temperature: 0}}]
tests:
  - {vars: {city: [Paris, Rome]}, assert: [{type: icontains, value: '{{city}}'}, {type: javascript, value: x}]}
  - {vars: {city: Bonn}, assert: [{type: python, value: x}]}
"""


def test_promptfoo_is_imported_and_what_it_writes_works(project, tmp_path):
    project.repository.commit(
        {
            "promptverdict.yaml": None, PATH: None, "tests/triage.jsonl": None,
            "evals/promptfooconfig.yaml": PROMPTFOO, "prompts/capital.txt": "Where is {{city}}?\n",
        },
        branch="main",
    )  # fmt: skip
    project.repository.checkout("main")
    before = files_of(project)
    dry = project.run("import", "promptfoo", "evals/promptfooconfig.yaml", "--dry-run")
    assert (dry.code, files_of(project)) == (0, before)
    assert "# --- promptverdict.yaml" in dry.out
    ran = project.run(
        "import", "promptfoo", "promptfooconfig.yaml", cwd=project.repository.path / "evals", OPENAI_API_KEY="x"
    )
    assert ran.code == 0
    written = {path.relative_to(project.repository.path).as_posix() for path in files_of(project) - before}
    assert written == {"promptverdict.yaml", "evals/promptverdict.cases.jsonl", ".github/workflows/prompt-verdict.yml"}
    for said in (
        "imported: 2 cases; prompts: capital; models: gpt-4o-mini",
        "evals/promptfooconfig.yaml:4: the assertion javascript is not imported (it runs code, which is never done)",
        "evals/promptfooconfig.yaml:5: a case is not imported (it has no assertion that can be evaluated)",
    ):
        assert said in ran.err
    assert project.run("tests", "lint").out.startswith("evals/promptverdict.cases.jsonl: 2 cases")
    config = project.repository.path / "promptverdict.yaml"
    config.write_text(
        config.read_text().replace("provider: openai", "provider: offline").replace("gpt-4o-mini", "offline-small")
    )
    scored = project.run("score", "--worktree", "--yes")
    assert (scored.code, "capital" in scored.out) == (0, True), scored.err
    again = project.run("import", "promptfoo", "evals/promptfooconfig.yaml")
    assert (again.code, "promptverdict.yaml exists already" in again.err) == (2, True)
    assert "no file of this repository" in project.run("import", "promptfoo", tmp_path / "x.yaml").err
    assert "there is no promptfooconfig.yaml here" in project.run("import", "promptfoo").err


@pytest.mark.parametrize(
    ("config", "lacks"),
    [
        ("prompts: [Hello]\nproviders: [openai:gpt-4o]\ntests: []\n", "no case"),
        ("prompts: [file://run.py]\nproviders: [openai:gpt-4o]\ntests: [{vars: {a: b}, assert: [{type: equals, value: c}]}]\n", "no prompt"),
    ],
)  # fmt: skip
def test_an_import_that_would_gate_nothing_writes_nothing(project, config, lacks):
    project.repository.commit({"promptverdict.yaml": None, "promptfooconfig.yaml": config}, branch="main")
    project.repository.checkout("main")
    ran = project.run("import", "promptfoo")
    assert (ran.code, f"{lacks} can be imported, so nothing was written" in ran.err) == (2, True), ran.err
    assert not (project.repository.path / "promptverdict.yaml").exists()


def test_init_never_writes_over_a_file(project):
    project.repository.checkout("main")
    ran = project.run("init")
    assert (ran.code, "promptverdict.yaml exists already" in ran.err) == (2, True)
    assert (project.repository.path / "promptverdict.yaml").read_text() == CONFIG


@pytest.mark.parametrize(("key", "provider"), [("ANTHROPIC_API_KEY", "anthropic"), ("OPENAI_API_KEY", "openai")])
def test_init_takes_the_provider_that_there_is_a_key_for(adopting, key, provider):
    ran = adopting.run("init", "--dry-run", **{key: "sk-secret"})
    assert f"provider: {provider}" in ran.out
    assert "sk-secret" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("model", "provider"), [("openai/gpt-4o", "openai"), ("anthropic/claude-haiku-4-5", "anthropic")]
)
def test_init_takes_the_model_that_a_prompt_names(adopting, model, provider):
    adopting.repository.commit(
        {"prompts/a.prompt.yml": f"model: {model}\nmessages:\n  - {{role: user, content: 'Help? {{{{ticket}}}}'}}\n"},
        branch="main",
        parent=adopting.base,
    )
    adopting.repository.checkout("main")
    out = adopting.run("init", "--dry-run").out
    assert f"provider: {provider}\n    model: {model.partition('/')[2]}" in out


def test_init_in_a_repository_without_prompts_says_so(project):
    project.repository.commit({"promptverdict.yaml": None, PATH: None, "README.md": "x"}, branch="main")
    project.repository.checkout("main")
    ran = project.run("init", "--dry-run")
    assert (ran.code, "no prompt found" in ran.err) == (0, True)
    assert "next: nothing is gated yet: " in project.run("init").err


def test_the_workflow_passes_the_key_of_every_provider(adopting):
    files = {
        f"prompts/{name}.prompt.yml": f"model: {model}\nmessages:\n  - {{role: user, content: 'Help? {{{{ticket}}}}'}}\n"
        for name, model in (("a", "openai/gpt-4o"), ("b", "anthropic/claude-haiku-4-5"))
    }
    adopting.repository.commit(files, branch="main", parent=adopting.base)
    adopting.repository.checkout("main")
    (secrets,) = re.findall(r"secrets: \{(.*)\}\n", adopting.run("init", "--dry-run").out)
    assert sorted(secrets.split(", ")) == [
        f'{key}: "${{{{ secrets.{key} }}}}"' for key in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY")
    ]


def test_diff_shows_both_versions_side_by_side_and_follows_the_rename(project):
    base = project.repository.commit({"NOTES.md": "x"}, branch="main")
    config = CONFIG.replace(PATH, "prompts/sorter.prompt.yml")
    project.repository.commit(
        {PATH: None, "prompts/sorter.prompt.yml": REWORDED, "promptverdict.yaml": config}, branch="pr", parent=base
    )
    ran = project.run("diff", "triage", "main", "pr")
    assert ran.code == 0
    head, *lines = ran.out.splitlines()
    assert [side.strip() for side in head.split("│")] == [PATH, "prompts/sorter.prompt.yml"]
    changed = [line for line in lines if " ~ " in line]
    assert changed[0].startswith("You sort support tickets")
    assert "You assign support tickets" in changed[0]
    assert "…" not in ran.out  # a line that is wider than its column goes on below
    assert "\x1b" not in ran.out
    assert "\x1b[31m" in project.run("diff", "triage", "main", "pr", "--color").out
    assert lines[-1] == "+1 −1 lines"


def test_diff_of_the_head_is_from_the_merge_base(project):
    project.branch("pr", {PATH: REWORDED})
    project.repository.checkout("pr")
    assert "+1 −1 lines" in project.run("diff", PATH).out
    assert "no difference for the model" in project.run("diff", PATH, "pr", "pr").out
    ran = project.run("diff", "trage")
    assert (ran.code, "there are: triage" in ran.err) == (2, True)


def test_diff_shows_added_removed_and_deleted_prompts_and_settings(project):
    longer = PROMPT.replace("  - role: user", "      Be brief.\n  - role: user") + "modelParameters: {temperature: 0}\n"
    shorter = PROMPT.replace("      - billing: invoices, charges, payments, cards\n", "")
    for name, text in (("longer", longer), ("shorter", shorter), ("gone", None)):
        project.branch(name, {PATH: text})
    out = project.run("diff", "triage", "main", "longer").out
    assert "Be brief." in out
    assert "temperature" in out
    assert "−1 lines" in project.run("diff", "triage", "main", "shorter").out
    assert "(not there)" in project.run("diff", "triage", "gone", "main").out


def test_diff_reads_a_folder_pair_and_says_when_there_is_no_common_history(project):
    pair = {"prompts/pair/system.md": "Be kind.\n", "prompts/pair/user.md": "{{ x }}\n"}
    base = project.repository.commit(pair, branch="main")
    project.repository.commit({"prompts/pair/system.md": "Be brief.\n"}, branch="pr", parent=base)
    assert "Be brief." in project.run("diff", "prompts/pair", "main", "pr").out
    project.repository.commit({PATH: PROMPT}, branch="island", parent=None)
    ran = project.run("diff", PATH, "island", "main")
    assert ran.code == 0


def test_lint_says_what_is_wrong_with_the_test_sets(project):
    twice = cases(30) + cases(2).replace("t-00", "again-")
    project.repository.commit(
        {"tests/triage.jsonl": twice.replace('"expected": "billing"', '"expected": "biling"', 1)}, branch="main"
    )
    project.repository.checkout("main")
    ran = project.run("tests", "lint")
    assert ran.code == 1
    assert "biling" in ran.out
    assert "tests/triage.jsonl: 32 cases" in ran.out
    (found,) = json.loads(project.run("tests", "lint", "--format", "json").out)
    assert (found["path"], found["cases"]) == ("tests/triage.jsonl", 32)
    assert found["findings"]


def test_lint_looks_on_where_one_test_set_can_not_be_read(project):
    second = CONFIG.split("lineages:\n")[1].replace("triage", "second")
    third = second.replace("second", "third").replace("    tests: tests/third.jsonl\n", "")
    inline = PROMPT + "testData:\n  - {ticket: a refund, expected: refund}\n"
    project.repository.commit(
        {
            "promptverdict.yaml": CONFIG + second + third, "tests/triage.jsonl": cases(4) + "{broken\n",
            "prompts/second.prompt.yml": PROMPT, "tests/second.jsonl": cases(4).replace('"ticket"', '"tickets"'),
            "prompts/third.prompt.yml": inline,
        },
        branch="main",
    )  # fmt: skip
    project.repository.checkout("main")
    ran = project.run("tests", "lint")
    assert ran.code == 1
    for said in (
        "tests/triage.jsonl: can't be read, 1 finding\n  tests/triage.jsonl:5:2: not valid JSON",
        "tests/second.jsonl:1: 4 cases without the input ticket, which the prompt fills in: t-000, t-001, t-002",
        "(rename tickets: a column input.ticket in CSV, inputs: {ticket: …} elsewhere)",
        "prompts/third.prompt.yml: 1 case",
        "the label refund is not in the set: ",
    ):
        assert said in ran.out, said
    rows = json.loads(project.run("tests", "lint", "--format", "json").out)
    assert [row["cases"] for row in rows] == [None, 4, 1]


def test_a_test_set_of_several_files_is_shown_with_the_place_of_each_case(project):
    rows = cases(40).splitlines(keepends=True)
    first, second = "".join(rows[:30]), "".join(rows[30:]).replace('"expected": "billing"', '"expected": "biling"', 1)
    files = {
        "promptverdict.yaml": CONFIG.replace("tests/triage.jsonl", '["evals/*.jsonl"]'),
        "tests/triage.jsonl": None, "evals/a.jsonl": first, "evals/b.jsonl": second,
    }  # fmt: skip
    project.base = project.repository.commit(files, branch="main")
    project.repository.checkout("main")
    ran = project.run("tests", "lint")
    assert "evals/*.jsonl: 40 cases" in ran.out
    assert "  cases from 2 files: evals/a.jsonl 30, evals/b.jsonl 10" in ran.out
    assert "  evals/b.jsonl:1: the label biling is not in the set: t-030" in ran.out
    (found,) = json.loads(project.run("tests", "lint", "--format", "json").out)
    assert found["files"] == {"evals/a.jsonl": 30, "evals/b.jsonl": 10}
    project.branch("reworded", {PATH: REWORDED})
    planned = project.run("plan", "--head", "reworded")
    assert "evals/b.jsonl:1: case “t-030”: the label “biling” is not in the set" in planned.out
    assert planned.code == 3
    project.branch("fixed", {PATH: REWORDED, "evals/b.jsonl": second.replace("biling", "billing")})
    project.repository.checkout("fixed")
    assert project.run("tests", "lint").out.count("biling") == 0
    project.branch("twice", {"evals/b.jsonl": first[: first.index("\n") + 1]})
    project.repository.checkout("twice")
    assert "two cases have the id t-000 (evals/a.jsonl:1 and evals/b.jsonl:1)" in project.run("tests", "lint").out


def test_lint_says_where_a_prompt_is_what_can_not_be_read(project):
    project.repository.commit({PATH: "messages: 5\n"}, branch="main")
    project.repository.checkout("main")
    ran = project.run("tests", "lint")
    assert (ran.code, f"  {PATH}:1" in ran.out, "60 cases" in ran.out) == (1, True, True)


def test_lint_reports_what_reading_warned_of_once(project, tmp_path):
    path = tmp_path / "cases.jsonl"
    path.write_text("\ufeff" + cases())
    assert project.run("tests", "lint", path).out.count("byte order mark") == 1


def test_lint_of_a_configuration_without_lineages_says_so(project):
    project.repository.commit({"promptverdict.yaml": "version: 1\n"}, branch="main")
    project.repository.checkout("main")
    ran = project.run("tests", "lint")
    assert (ran.code, "promptverdict.yaml has no lineage" in ran.err) == (2, True)
    ran = project.run("score", "--head", "main")
    assert (ran.code, "add one under lineages:" in ran.err) == (2, True)


def test_lint_of_a_file_needs_no_repository(project, tmp_path):
    path = tmp_path / "cases.jsonl"
    path.write_text(cases())
    assert "60 cases" in project.run("tests", "lint", path, cwd=tmp_path).out
    assert project.run("tests", "lint", tmp_path / "nowhere.jsonl").code == 2
    project.repository.commit({"promptverdict.yaml": None}, branch="main")
    project.repository.checkout("main")
    ran = project.run("tests", "lint")
    assert (ran.code, "no test set to check" in ran.err) == (2, True)


def test_power_says_what_a_test_set_can_tell_without_a_run(project):
    project.repository.checkout("main")
    ran = project.run("power")
    assert ran.code == 0
    assert "60 cases" in ran.out
    assert "can rule out a drop of" in ran.out
    (found,) = json.loads(project.run("power", "--format", "json").out)
    assert [row["slice"] for row in found["slices"]] == [None, "typical"]


def test_power_of_a_guarded_slice_is_that_it_is_compared_with_the_other_cases(project, tmp_path):
    path = tmp_path / "cases.jsonl"
    path.write_text(cases(2).replace("typical", "adversarial"))
    out = project.run("power", path).out
    assert "  overall (average): 2 cases can rule out no drop; no drop is certain to be detected" in out
    assert "  adversarial (guard): 2 cases; blocks if its cases break more often than the others\n" in out


def test_the_store_is_counted_exported_and_pruned(project):
    project.branch("pr", {PATH: REWORDED})
    made = project.check("pr").card["spending"]["made"]
    assert json.loads(project.run("store", "stats", "--format", "json").out)["completions"] == made
    assert project.run("store", "stats").out.startswith(f"{made} answers to ")
    rows = [json.loads(line) for line in project.run("store", "export").out.splitlines()]
    assert len(rows) == made
    table = list(csv.DictReader(io.StringIO(project.run("store", "export", "--outcomes").out)))
    assert list(table[0]) == ["set", "prompt", "run", "item", "score", "source"]
    assert (len(table), {row["score"] for row in table} <= {"0.0", "1.0"}) == (made, True)
    assert len({row["prompt"] for row in table}) == 2
    assert project.run("store", "prune", "--older-than-days", "1").out == "0 answers deleted\n"
    assert project.run("store", "prune", "--max-mib", "0").out == f"{made} answers deleted\n"
    assert project.check("pr").card["spending"]["made"] == made


@pytest.mark.parametrize("name", ["config", "tests", "rubric", "scorecard"])
def test_schemas_are_json_schemas(project, name):
    found = json.loads(project.run("schema", name).out)
    assert found["$schema"].startswith("https://json-schema.org/")
    assert project.run("schema", "nonsense").code == 2


def test_decide_refuses_what_is_no_record(project, tmp_path):
    (tmp_path / "x.json").write_text("{}")
    ran = project.run("decide", tmp_path / "x.json")
    assert (ran.code, "is not a recorded experiment" in ran.err) == (2, True)
    assert project.run("decide", tmp_path / "nowhere.json").code == 2
    (tmp_path / "x.json").write_text("version: 1")
    assert "is not a recorded experiment: Invalid JSON" in project.run("decide", tmp_path / "x.json").err


def test_decide_prints_the_verdict_and_its_reasons(project, tmp_path):
    project.branch("pr", {PATH: REWORDED})
    project.check("pr", "--output", str(tmp_path / "out"))
    ran = project.run("decide", tmp_path / "out/experiments/1.json.gz")
    assert ran.code == 0
    assert ran.out.startswith("triage · toy: approved\n  No drop over ")


@pytest.mark.slow
def test_the_demo_gives_every_pull_request_the_verdict_that_it_deserves(project, tmp_path):
    ran = project.run("demo", "--output", tmp_path / "demo", cwd=tmp_path)
    assert ran.code == 0, ran.out[-2000:]
    assert ran.out.count("(expected)") == 7
    assert len(list((tmp_path / "demo").glob("*/report.html"))) == 7
    assert project.run("demo", "--output", tmp_path / "demo", cwd=tmp_path).code == 2


@pytest.mark.parametrize("amount", ["-1", "much", "NaN", "Infinity"])
def test_a_budget_is_an_amount(project, amount):
    ran = project.check("main", "--budget", amount)
    assert (ran.code, "is not an amount in USD" in ran.err) == (2, True)


def test_the_plan_says_why_and_what_is_in_the_way(project):
    project.branch("deleted", {PATH: None})
    ran = project.run("plan", "--head", "deleted")
    assert ran.code == 0
    assert "needs review" in ran.out
    project.branch("docs", {"README.md": "x"})
    assert "nothing to evaluate" in project.run("plan", "--head", "docs").out
