r"""How a repository calls this gate: changes to it need approval wherever they hide, and nothing else does."""

from pathlib import Path

import pytest

from tests.detect.pullrequests import CONFIG, FILES, PROMPT, codes, detected
from tests.repositories import Link

ROOT = Path(__file__).parents[2]
CI = ".github/workflows/ci.yml"
USES = "runs: {using: composite, steps: [{uses: acme/prompt-verdict@v1}]}\n"
QUIET = "runs: {using: composite, steps: [{run: 'true'}]}\n"
OTHER = "on: push\njobs: {a: {steps: [{run: npm ci}]}}\n"


def steps(*lines):
    listed = "".join(f"      - {line}\n" for line in lines)
    return f"on: pull_request\njobs:\n  gate:\n    steps:\n{listed}"


def found(repository, base, head):
    """The reasons of a pull request, without those about lineages."""
    return codes(detected(repository, head, base=base))


CALLS = ["workflow_changed: needs_review"]


@pytest.mark.parametrize(
    "line",
    [
        r'uses: "acme/prompt\u002dverdict@v1"',
        r'uses: "acme/prompt\x2dverdict@v1"',
        r'"us\u0065s": "acme/p\u0072ompt-verdict@v1"',
        "uses: acme/prompt_verdict@v1",
        "run: python -m prompt_verdict check",
        "run: promptverdict check",
        "run: gh api statuses -f context=Prompt.Verdict",
        "uses: >-\n          acme/prompt-verdict@v1",
        "uses: &a acme/PromptVerdict@v1",
    ],
)
def test_a_workflow_calls_us_however_its_yaml_is_written(repository, line):
    before = steps(line)
    assert found(repository, {CI: before}, {CI: before + "# x\n"}) == CALLS
    assert found(repository, {CI: before}, {CI: OTHER}) == CALLS


@pytest.mark.parametrize("template", sorted((ROOT / "action").glob("workflow*.yml")), ids=lambda path: path.stem)
def test_what_init_writes_is_a_call_of_ours(repository, template):
    before = template.read_text()
    ours = ".github/workflows/prompt-verdict.yml"
    for after in (before.replace("merge_group:", ""), before.replace("uses: prompt-verdict/", "uses: eve/"), None):
        assert found(repository, {ours: before}, {ours: after}) == CALLS


@pytest.mark.parametrize(
    ("workflow", "files", "changed"),
    [
        (steps("uses: ./tools/gate"), {"tools/gate/action.yml": USES}, "tools/gate/action.yml"),
        (steps("uses: ./tools/gate/"), {"tools/gate/action.yaml": USES}, "tools/gate/action.yaml"),
        (
            steps("uses: ./outer"),
            {"outer/action.yml": QUIET.replace("run: 'true'", "uses: ./a/inner"), "a/inner/action.yml": USES},
            "outer/action.yml",
        ),
        (
            steps("uses: ./outer"),
            {"outer/action.yml": QUIET.replace("run: 'true'", "uses: ./a/inner"), "a/inner/action.yml": USES},
            CI,
        ),
        (
            "on: push\njobs: {gate: {uses: ./.github/workflows/shared.yml}}\n",
            {".github/workflows/shared.yml": steps("uses: acme/prompt-verdict@v1")},
            CI,
        ),
        (
            "on: push\njobs: {gate: {uses: acme/shop/.github/workflows/shared.yml@main}}\n",
            {".github/workflows/shared.yml": steps("uses: acme/prompt-verdict@v1")},
            CI,
        ),
        (steps("run: ./ci/gate.sh --all"), {"ci/gate.sh": "exec promptverdict check\n"}, "ci/gate.sh"),
        (steps("run: bash ci/gate.sh"), {"ci/gate.sh": "exec promptverdict check\n"}, CI),
        (steps("run: bash a.sh"), {"a.sh": ". ./b.sh\n", "b.sh": "promptverdict check\n"}, "a.sh"),
        (
            steps("run: ./gate.sh\n        working-directory: ops"),
            {"ops/gate.sh": "promptverdict check\n"},
            "ops/gate.sh",
        ),
        (steps("run: make gate"), {"Makefile": "gate:\n\tpromptverdict check\n"}, "Makefile"),
        (steps("run: python -m ops.gate"), {"ops/gate.py": "import promptverdict\n"}, "ops/gate.py"),
        (steps("run: $GITHUB_WORKSPACE/x.sh"), {"x.sh": "promptverdict check\n"}, "x.sh"),
        (
            steps("uses: ./act"),
            {
                "act/action.yml": "runs: {using: composite, steps: [{run: '${{ github.action_path }}/go.sh'}]}\n",
                "act/go.sh": "promptverdict check\n",
            },
            "act/go.sh",
        ),
        (
            steps("uses: ./act"),
            {"act/action.yml": "runs: {using: node20, main: dist/index.js}\n", "act/dist/index.js": "'prompt-verdict'\n"},
            "act/dist/index.js",
        ),
        (
            steps("uses: actions/checkout@v4\n        with: {path: src}", "uses: ./src/tools/gate"),
            {"tools/gate/action.yml": USES},
            CI,
        ),
        (OTHER, {"tools/gate/action.yml": USES}, "tools/gate/action.yml"),
    ],
)  # fmt: skip
def test_what_a_workflow_uses_is_followed_to_us(repository, workflow, files, changed):
    base = {CI: workflow, **files}
    assert found(repository, base, {changed: base[changed] + "# x\n"}) == CALLS
    assert found(repository, base, {changed: None}) == CALLS
    if changed == CI:
        assert found(repository, {**base, CI: None}, {CI: workflow}) == CALLS


def test_a_link_in_the_place_of_an_action_may_hold_anything(repository):
    base = {CI: steps("uses: ./gate"), "gate": Link("tools/gate")}
    assert found(repository, base, {"gate": Link("tools/other")}) == CALLS


@pytest.mark.parametrize("broken", ["a: [", "a: 1\na: 2\n", "a: !!python/x 1\n"])
def test_a_workflow_that_we_can_not_read_may_call_anything(repository, broken):
    assert found(repository, {CI: broken}, {CI: OTHER}) == CALLS


@pytest.mark.parametrize(
    ("base", "head"),
    [
        ({CI: OTHER}, {CI: OTHER + "# x\n"}),
        ({CI: steps("uses: ./a"), "a/action.yml": QUIET}, {"a/action.yml": QUIET + "# x\n"}),
        ({CI: steps("uses: acme/prompt-verdict@v1", "run: ./t.sh"), "t.sh": "pytest\n"}, {"t.sh": "pytest -q\n"}),
        ({CI: steps("uses: ./a"), "a/action.yml": USES, "a/README.md": "x\n"}, {"a/README.md": "y\n"}),
        ({CI: steps("uses: ./../../a"), "a/action.yml": QUIET}, {"a/action.yml": QUIET + "# x\n"}),
        ({CI: steps("uses: ./a"), "a/action.yml": QUIET.replace("run: 'true'", "uses: ./a")}, {"src/main.py": "x\n"}),
    ],
)
def test_what_does_not_lead_to_us_changes_freely(repository, base, head):
    assert found(repository, base, head) == ["nothing_changed: not_applicable"]


LAX = {f"lax/{path}": text for path, text in FILES.items()} | {"lax/promptverdict.yaml": "mode: inform\n" + CONFIG}
LAX_CHANGE = {"lax/prompts/triage.md": PROMPT + "!"}
GATE = {CI: steps("uses: acme/prompt-verdict@v1")}


@pytest.mark.parametrize(
    ("base", "head", "mode"),
    [
        ({}, {}, "inform"),
        (GATE, {CI: OTHER}, "enforce"),
        ({"tools/gate/action.yml": USES}, {"tools/gate/action.yml": QUIET}, "enforce"),
        ({}, {"svc/promptverdict.yaml": CONFIG}, "enforce"),
        ({}, {"svc/promptverdict.yaml": "mode: inform\n" + CONFIG}, "enforce"),
        ({}, {"prompts/promptverdict.yaml": CONFIG}, "enforce"),
        ({}, {"lax/inner/promptverdict.yaml": CONFIG}, "inform"),
        ({"broken/promptverdict.yaml": "version: 9\n"}, {"broken/promptverdict.yaml": CONFIG}, "enforce"),
        ({"promptverdict.yaml": "mode: inform\n" + CONFIG, **GATE}, {CI: OTHER}, "inform"),
        ({"promptverdict.yaml": "mode: inform\n" + CONFIG}, {"svc/promptverdict.yaml": CONFIG}, "inform"),
        ({"promptverdict.yaml": None, **GATE}, {CI: OTHER}, "inform"),
        ({"promptverdict.yaml": None}, {"svc/promptverdict.yaml": CONFIG}, "enforce"),
    ],
)
def test_one_folder_that_only_informs_speaks_for_itself_alone(repository, base, head, mode):
    """The reasons of the whole pull request are judged by the configurations that they are about."""
    assert detected(repository, {**LAX_CHANGE, **head}, base={**LAX, **base}).mode == mode
