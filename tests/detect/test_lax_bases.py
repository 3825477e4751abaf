"""A success on another branch counts for the default branch too: the base may not be laxer than it."""

import pytest

from adapters.git.repository import GitRepository
from engine.detection.detect import detect
from schemas.config import Mode
from schemas.pullrequests import PullRequest, Trust
from tests.detect.pullrequests import CONFIG, FILES, PROMPT, codes

STRICT = CONFIG + "gate: {margin: {overall: 0.03}, inconclusive: block}\n"
SECOND = "  second: {use_case: generation, prompt: prompts/second.md, tests: tests/triage.jsonl}\n"
SAME = ["nothing_changed: not_applicable"]


def against(repository, base, *, main=STRICT, head=None, counts=True):
    """What is detected for a pull request to ``release``, whose files are ``base``, beside ``main``."""
    start = repository.commit({**FILES, "promptverdict.yaml": main})
    tip = repository.commit(base, branch="release", parent=start)
    top = repository.commit(head or {"notes.txt": "x"}, branch="feature", parent=tip)
    tree = GitRepository(repository.path)
    asked = PullRequest(
        base_ref="release", base_sha=tip, head_ref="feature", head_sha=top, trust=Trust.SAME_REPOSITORY,
        default_ref="main" if counts else None, default_sha=start if counts else None,
    )  # fmt: skip
    return detect(tree, asked, tree.merge(tip, top))


LAXER = {
    "another mode": (STRICT + "mode: inform\n", "mode: enforce → inform"),
    "a wider margin": (STRICT.replace("0.03", "0.2"), "gate.margin.overall: 0.03 → 0.2"),
    "inconclusive passes": (STRICT.replace(", inconclusive: block", ""), "gate.inconclusive: block → pass"),
    "other labels": (STRICT.replace("refunds]", "refunds, other]"), "lineages.triage.labels:"),
    "a lineage less": (STRICT.replace("  triage:", "  other:").replace("triage.md", "x.md"), "no longer gated"),
    "no configuration": (None, "no configuration for the repository"),
}


@pytest.mark.parametrize("kind", LAXER)
@pytest.mark.parametrize(
    "head", [{"notes.txt": "x"}, {"prompts/triage.md": "Please. " + PROMPT}], ids=["notes", "prompt"]
)
def test_a_base_that_is_laxer_is_named_and_held(repository, kind, head):
    config, said = LAXER[kind]
    found = against(repository, {"promptverdict.yaml": config}, head=head)
    reason = found.reasons[0]
    assert codes(found)[0] == "policy_changed: needs_review"
    assert reason.sentence.startswith("This success would also count for main, but release has a laxer")
    assert said in reason.sentence
    assert found.mode is Mode.ENFORCE


@pytest.mark.parametrize(
    ("base", "main", "counts"),
    [
        ({"README.md": "x"}, STRICT, True),
        ({"promptverdict.yaml": STRICT.replace("0.03", "0.01")}, STRICT, True),
        ({"promptverdict.yaml": STRICT + "mode: inform\n"}, STRICT, False),
        ({"promptverdict.yaml": STRICT.replace("0.03", "0.2") + "mode: inform\n"}, STRICT + "mode: inform\n", True),
        ({"promptverdict.yaml": CONFIG}, CONFIG + SECOND, True),
    ],
    ids=["the same", "stricter", "counts for itself alone", "main only informs", "a prompt that is not there yet"],
)
def test_another_base_is_left_alone(repository, base, main, counts):
    assert codes(against(repository, base, main=main, counts=counts)) == SAME


def test_the_base_is_named_where_nothing_differs_either(repository):
    start = repository.commit({**FILES, "promptverdict.yaml": STRICT})
    lax = repository.commit({"promptverdict.yaml": STRICT + "mode: inform\n"}, branch="release", parent=start)
    tree = GitRepository(repository.path)
    asked = PullRequest(
        base_ref="release", base_sha=lax, head_ref="x", head_sha=lax, trust=Trust.SAME_REPOSITORY,
        default_ref="main", default_sha=start,
    )  # fmt: skip
    found = detect(tree, asked, tree.merge(lax, lax))
    assert (codes(found), found.mode) == (["policy_changed: needs_review"], Mode.ENFORCE)
