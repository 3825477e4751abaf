"""Who may clear what, by which review, and for how long."""

import pytest

from engine.approvals.acceptance import (
    clearance,
    cleared,
    may_be_cleared,
    not_overridable,
    standing_approvals,
    standing_override,
)
from engine.render.markdown import markdown
from schemas.host import Authorship, HeadCommit, Push, Review, ReviewState
from schemas.scorecard import Clearance, CommitRef, Scorecard
from schemas.verdicts import Reason, ReasonCode, VerdictStatus
from tests.render.scorecards import lineage

HEAD, EARLIER = "a" * 40, "b" * 40
CARD = Scorecard(
    status=VerdictStatus.NEEDS_REVIEW, passes=False, title="needs review", summary="It loosens its own gate.",
    base=CommitRef(ref="main", sha="c" * 40), merge_base="c" * 40, head=CommitRef(ref="change", sha=HEAD),
)  # fmt: skip


def review(by="mia", state=ReviewState.APPROVED, commit=HEAD, at="2026-11-21T12:00:00Z"):
    return Review(reviewer=by, state=state, commit=commit, submitted_at=at, url="https://example.com/review")


def decide(*reviews, card=CARD, author="ada", writers=("mia",), shown=None, made=None, asking=None):
    since = {HEAD: "2026-11-21T11:00:00Z"} if shown is None else shown
    return clearance(
        card, reviews, author=author, content_digest="d1", authorship=asking or (lambda: made or work()), may_write=lambda login: login in writers,
        shown_since=since.get,
    )  # fmt: skip


def test_a_maintainers_approval_of_this_head_clears():
    found = decide(review())
    assert (found.by, found.commit, found.content_digest) == ("mia", HEAD, "d1")
    card = cleared(CARD, found)
    assert card.passes
    assert card.status is VerdictStatus.NEEDS_REVIEW
    assert card.title == "needs review (accepted by mia)"


@pytest.mark.parametrize(
    ("what", "reviews"),
    [
        ("the author's own", [review(by="ada")]),
        ("a reader's", [review(by="rob")]),
        ("a deleted person's", [review(by="")]),
        ("one that was taken back", [review(), review(state=ReviewState.CHANGES_REQUESTED)]),
        ("a dismissed one", [review(state=ReviewState.DISMISSED)]),
        ("a mere comment", [review(state=ReviewState.COMMENTED)]),
        ("one of a commit that is gone", [review(commit=None)]),
        ("one of other content", [review(commit=EARLIER)]),
        ("one from before the verdict", [review(at="2026-11-21T10:59:59Z")]),
    ],
)
def test_what_clears_nothing(what, reviews):
    assert decide(*reviews, writers=("mia", "ada", "")) is None, what


def test_an_approval_before_any_verdict_accepts_nothing():
    assert decide(review(), shown={}) is None


def test_a_clearance_survives_an_unrelated_push_and_dies_with_the_next_change_that_matters():
    assert decide(review(commit=EARLIER), shown={EARLIER: "2026-11-21T11:00:00Z"}).commit == EARLIER
    assert decide(review(commit=EARLIER)) is None


def test_a_comment_takes_no_approval_back():
    assert decide(review(), review(state=ReviewState.COMMENTED)) is not None


def test_the_newest_of_several_approvals_is_named():
    assert decide(review(by="mia"), review(by="max", at="2026-11-21T13:00:00Z"), writers=("mia", "max")).by == "max"
    assert [r.reviewer for r in standing_approvals([review(by="mia"), review(by="max")], "mia")] == ["max"]


@pytest.mark.parametrize("status", list(VerdictStatus))
def test_only_what_is_for_people_to_decide_can_be_cleared(status):
    card = CARD.model_copy(update={"status": status})
    clearable = status is VerdictStatus.NEEDS_REVIEW
    assert may_be_cleared(card) is clearable
    assert (decide(review(), card=card) is not None) is clearable


def test_what_waits_for_a_run_can_not_be_accepted():
    untrusted = Reason(code=ReasonCode.UNTRUSTED, status=VerdictStatus.NEEDS_REVIEW, sentence="A fork.")
    assert decide(review(), card=CARD.model_copy(update={"reasons": (untrusted,)})) is None


def test_a_long_title_stays_within_what_github_takes():
    long = CARD.model_copy(update={"title": "x" * 255})
    assert len(cleared(long, decide(review(), card=long)).title) == 255


def test_times_are_compared_as_times_however_they_are_spelled():
    late = {HEAD: "2026-11-21T13:00:00.5+01:00"}  # half a second after the review
    assert decide(review(), shown=late) is None
    assert decide(review(), shown={HEAD: "2026-11-21T13:00:00+01:00"}) is not None
    assert decide(review(at=""), shown=late) is None


OVERRIDE = Clearance(
    by="mia", commit=HEAD, at="2026-11-21T12:00:00Z", url=None, content_digest="d1", reason="known flake",
    expires_at="2026-11-28T12:00:00Z",
)  # fmt: skip
BLOCKED = CARD.model_copy(update={"status": VerdictStatus.BLOCKED, "title": "blocked"})


def overriding(*overrides, card=BLOCKED, author="ada", digest="d1", now="2026-11-22T12:00:00Z", made=None, asking=None):
    asking = asking or (lambda: made or work())
    return standing_override(card, overrides, author=author, content_digest=digest, authorship=asking, now=now)


def test_an_override_clears_what_a_review_does_not_and_says_who_and_why():
    assert overriding(OVERRIDE) == OVERRIDE
    card = cleared(BLOCKED, OVERRIDE)
    assert card.passes
    assert card.status is VerdictStatus.BLOCKED
    assert card.title == "blocked (overridden by mia)"
    assert "Accepted by <code>mia</code>" in markdown(card)
    assert "until 2026-11-28, as long as nothing relevant changes: known flake" in markdown(card)


@pytest.mark.parametrize(
    ("what", "change", "at"),
    [
        ("other content", {"content_digest": "d2"}, {}),
        ("the author's own", {"by": "ada"}, {}),
        ("nobody's", {"by": ""}, {}),
        ("one without a reason: that is a review", {"reason": None}, {}),
        ("one without an end", {"expires_at": None}, {}),
        ("an expired one", {}, {"now": "2026-11-28T12:00:00Z"}),
        ("one whose end can't be read", {"expires_at": "soon"}, {"now": "2026-11-21T12:00:00Z"}),
    ],
)
def test_what_overrides_nothing(what, change, at):
    assert overriding(OVERRIDE.model_copy(update=change), **at) is None, what


def test_the_newest_of_several_overrides_is_named():
    newer = OVERRIDE.model_copy(update={"by": "max", "at": "2026-11-21T14:00:00+01:00"})
    assert overriding(OVERRIDE, newer).by == "max"


def error(status=VerdictStatus.ERROR, code=ReasonCode.MISSING_CELLS):
    return Reason(code=code, status=status, sentence="38 calls were refused.")


@pytest.mark.parametrize(
    ("what", "card"),
    [
        ("what passes", BLOCKED.model_copy(update={"passes": True})),
        ("an error", BLOCKED.model_copy(update={"status": VerdictStatus.ERROR})),
        ("an error behind a block", BLOCKED.model_copy(update={"reasons": (error(),)})),
        ("a lineage in error behind a block", BLOCKED.model_copy(update={"lineages": (lineage(status="error"),)})),
        ("an error of one of its reasons", BLOCKED.model_copy(update={"lineages": (lineage(reasons=(error(),)),)})),
        ("a fork that waits", BLOCKED.model_copy(update={"reasons": (error("needs_review", "untrusted"),)})),
    ],
)
def test_what_no_override_clears(what, card):
    assert not_overridable(card), what
    assert overriding(OVERRIDE, card=card) is None


ZERO = "0" * 40


def commit(sha=HEAD, *people, parents=()):
    return HeadCommit(sha=sha, parents=parents, people=people or ("ada",))


def push(by="ada", after=HEAD, before=ZERO):
    return Push(by=by, before=before, after=after)


def work(*commits, pushes=None, author="ada", **more):
    pushes = (push(),) if pushes is None else pushes
    return Authorship(author=author, commits=commits or (commit(),), pushes=pushes, **more)


TWO = (commit(EARLIER), commit(HEAD, parents=(EARLIER,)))


@pytest.mark.parametrize(
    ("what", "made"),
    [
        ("who wrote a commit", work(commit(HEAD, "ada", "mia"))),
        ("who wrote an earlier commit", work(commit(EARLIER, "mia"), TWO[1])),
        ("in another spelling", work(commit(HEAD, "MIA"))),
        ("who pushed", work(pushes=(push("mia"),))),
        ("who pushed what the head builds on", work(*TWO, pushes=(push("mia", EARLIER), push("ada", HEAD, EARLIER)))),
        ("who forced a rebased head in", work(*TWO, pushes=(push("ada", "d" * 40), push("mia", HEAD, "d" * 40)))),
        ("who opened it", work(author="mia")),
    ],
)  # fmt: skip
def test_people_who_took_part_accept_nothing(what, made):
    assert decide(review(), made=made) is None, what
    assert overriding(OVERRIDE, made=made) is None, what
    assert decide(review("max"), made=made, writers=("max",)).by == "max", what


@pytest.mark.parametrize(
    ("what", "made"),
    [
        ("a bot opened it", work(author="github-actions[bot]")),
        ("another bot opened it", work(author="Copilot[bot]")),
        ("a bot pushed", work(pushes=(push("pre-commit-ci[bot]"),))),
        ("a deleted account pushed", work(pushes=(push(""),))),
        ("nothing says who pushed", work(pushes=())),
        ("a part of it came from an unknown push", work(*TWO, pushes=(push("ada", HEAD, EARLIER),))),
        ("GitHub doesn't show all of it", work(complete=False)),
    ],
)  # fmt: skip
def test_where_a_person_may_be_hidden_two_must_accept(what, made):
    two = {"made": made, "writers": ("mia", "max")}
    assert decide(review(), **two) is None, what
    assert decide(review(), review(), **two) is None, "one person twice"
    assert decide(review(), review("rob"), **two) is None, "a reader is no second person"
    assert decide(review(), review("renovate[bot]"), made=made, writers=("mia", "renovate[bot]")) is None, what
    assert decide(review(), review("max"), **two).by == "mia and max"
    assert overriding(OVERRIDE, OVERRIDE, made=made) is None, what
    other = OVERRIDE.model_copy(update={"by": "max", "at": "2026-11-21T11:00:00Z"})
    assert overriding(OVERRIDE, other, made=made).by == "mia and max"


def test_what_was_pushed_after_an_approval_takes_nothing_from_it():
    """The content is the same, or the approval would be void: who then brings the branch up to date took no part."""
    made = work(*TWO, pushes=(push("ada", EARLIER), push("mia", HEAD, EARLIER)))
    since = dict.fromkeys((HEAD, EARLIER), "2026-11-21T11:00:00Z")
    assert decide(review(commit=EARLIER), made=made, shown=since).by == "mia"
    assert decide(review(commit=HEAD), made=made, shown=since) is None


def test_who_took_part_is_asked_only_where_an_approval_stands():
    def asked():
        raise AssertionError("asked")

    assert decide(review("rob"), asking=asked) is None
    assert overriding(OVERRIDE.model_copy(update={"by": "ada"}), asking=asked) is None
