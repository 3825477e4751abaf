"""The pull request edits what runs the gate: workflows, local actions they use, scripts they call."""

from __future__ import annotations

from benchmarks.adversarial_cases.attack import BAD, CONFIG, PROMPT, TICKET, Attack, config
from tests.repositories import Link

KIND = "workflow edits"
HEAD = "on: pull_request\njobs:\n  gate:\n    runs-on: ubuntu-latest\n    steps:\n"
CALL = "      - uses: acme/prompt-verdict@v1\n"
FLOW = ".github/workflows/prompts.yml"
LOCAL = "      - uses: ./ci/gate\n"
ACTION = "runs:\n  using: composite\n  steps:\n    - uses: acme/prompt-verdict@v1\n"
WEAK = ACTION + "      with: {mode: inform}\n"


def edited(name: str, old: str, new: str | None, path: str = FLOW, **more: str) -> Attack:
    """Changes the file at ``path`` from ``old`` to ``new``. The base also has ``more``."""
    return Attack(name, {path: new}, {path: old, **more})


ATTACKS = (
    edited("goes on after a failure", HEAD + CALL, HEAD + CALL + "        continue-on-error: true\n"),
    edited("is deleted", HEAD + CALL, None),
    edited(
        "runs only for one branch", HEAD + CALL, HEAD.replace("pull_request", "{pull_request: {branches: [x]}}") + CALL
    ),
    edited("another name for us", HEAD + CALL.replace("prompt-verdict", "Prompt_Verdict"), HEAD),
    edited("an escaped name", HEAD + '      - uses: "acme/prompt\\x2dverdict@v1"\n', HEAD),
    edited("a local action outside .github", ACTION, WEAK, "ci/gate/action.yml", **{FLOW: HEAD + LOCAL}),
    edited(
        "a local action's local action",
        ACTION,
        WEAK,
        "ci/inner/action.yaml",
        **{FLOW: HEAD + LOCAL, "ci/gate/action.yml": ACTION.replace("acme/prompt-verdict@v1", "./ci/inner")},
    ),
    edited(
        "a reusable workflow",
        HEAD.replace("pull_request", "workflow_call") + CALL,
        HEAD.replace("pull_request", "workflow_call"),
        ".github/workflows/shared.yml",
        **{FLOW: "on: pull_request\njobs:\n  gate:\n    uses: ./.github/workflows/shared.yml\n"},
    ),
    edited(
        "a script that a step runs",
        "promptverdict check --base main\n",
        "true\n",
        "ci/gate.sh",
        **{FLOW: HEAD + "      - run: sh ci/gate.sh\n"},
    ),
    edited(
        "a target of make",
        "gate:\n\tpromptverdict check\n",
        "gate:\n\ttrue\n",
        "Makefile",
        **{FLOW: HEAD + "      - run: make gate\n"},
    ),
    edited(
        "the command in a step",
        HEAD + "      - run: promptverdict check\n",
        HEAD + "      - run: promptverdict check || true\n",
    ),
    Attack("a link to a workflow", {FLOW: Link("../../other.yml")}, {FLOW: HEAD + CALL, "other.yml": HEAD}),
    Attack(
        "beside a broken prompt in a folder that only informs",
        {FLOW: HEAD, "svc/prompts/triage.md": BAD + TICKET},
        {
            FLOW: HEAD + CALL,
            "svc/promptverdict.yaml": config(more="mode: inform\n"),
            "svc/prompts/triage.md": "Sort.\n" + TICKET,
            "svc/tests/triage.jsonl": "",
        },
    ),
    Attack(
        "beside a configuration that begins to inform",
        {FLOW: HEAD, CONFIG: config(more="mode: inform\n"), PROMPT: BAD + TICKET},
        {FLOW: HEAD + CALL},
    ),
)
