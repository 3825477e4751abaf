"""``/verdict suggest`` from the comment to the draft pull request, with everything real but GitHub and the models."""

from decimal import Decimal

import pytest

from bot.store.suggest_values import SuggestionState
from tests.bot.improve_stage import Shop
from tests.fakes.github import FakeGitHub
from tests.improve import lab
from tests.improve.lab import CANARY, RULE, Models

pytestmark = pytest.mark.slow


@pytest.fixture
def github(tmp_path):
    with FakeGitHub(tmp_path / "github") as fake:
        yield fake


@pytest.fixture
def shop(github, tmp_path):
    made = Shop(github, tmp_path / "data", Models(lab.fixes))
    with made.whole.web(), made.working():
        yield made
    made.whole.records.close()
    assert github.violations == []


def test_a_comment_becomes_a_draft_whose_check_makes_no_call(shop):
    pull = shop.pull()
    assert "for at most $2.00" in shop.asks_on(pull.number, "suggest triage")
    said = shop.result(1)
    draft = next(one for one in shop.repository.pulls.values() if one.head_ref.startswith("prompt-verdict/suggest-"))
    assert (draft.draft, draft.author, draft.base_ref) == (True, "prompt-verdict[bot]", "main")
    assert shop.file(draft.head_sha) == shop.file("main").replace("  - role: user", f"      {RULE}\n  - role: user")
    assert f"/acme/shop/pull/{draft.number}" in said
    assert "| the search's own figure | cases that it never saw" in said
    assert CANARY not in "".join(request.model_dump_json() for request in shop.models.reflected)
    asked = shop.calls
    shop.whole.emit("pull_request", shop.whole.scene.pull_event("opened", draft))
    shop.whole.until(lambda: shop.whole.conclusions(draft.head_sha) == ["success"])
    assert shop.calls == asked, "its scorecard was paid for"
    assert shop.whole.records.suggestion(1).state is SuggestionState.DONE


def test_a_merged_change_that_lost_cases_is_an_input_of_the_search(github, tmp_path):
    shop = Shop(github, tmp_path / "data", Models(lab.fixes))
    ruled = lab.PROMPT.replace("money back, returns\n", f"money back, returns\n      {RULE}\n")
    # Without cases that block at once, so that the check runs more of the others.
    rows = [line for line in lab.files()["cases.jsonl"].splitlines(keepends=True) if CANARY not in line]
    files = {"triage.prompt.yml": ruled, "cases.jsonl": "".join(rows)}
    shop.repository.git.commit("main", files, parents=("main",))
    with shop.whole.web(), shop.working():
        for number, text in enumerate((lab.PROMPT, lab.PROMPT.replace("hurry", "rush"))):
            pull, opened = shop.whole.scene.open_pull({"triage.prompt.yml": text}, branch=f"change-{number}")
            shop.whole.emit("pull_request", opened)
            shop.whole.until(lambda sha=pull.head_sha: all(shop.whole.conclusions(sha) or [None]), 120)
            if not number:
                shop.whole.emit("push", shop.whole.scene.merge(pull))
        shop.asks_on(pull.number, "suggest")
        shop.result(1)
    sent = shop.models.reflected[0].messages[0].content
    assert "This change of the prompt made answers worse" in sent
    assert f"<part>{RULE}" in sent
    shop.whole.records.close()


def test_where_the_app_may_not_write_the_answer_is_a_patch(github, tmp_path):
    shop = Shop(github, tmp_path / "data", Models(lab.fixes), writes=False)
    with shop.whole.web(), shop.working():
        pull = shop.pull()
        shop.asks_on(pull.number, "suggest")
        said = shop.result(1)
    assert "could not open a pull request here" in said
    assert f"+      {RULE}\n" in said
    assert (len(shop.repository.pulls), shop.repository.git.find("refs/heads/prompt-verdict")) == (1, None)
    (kept,) = shop.whole.records.suggestions(shop.repository.id)
    assert kept.spent_usd == shop.models.cost > 0
    shop.whole.records.close()


def test_nothing_found_is_an_answer_with_its_cost(github, tmp_path):
    shop = Shop(github, tmp_path / "data", Models(lab.memorizes))
    with shop.whole.web(), shop.working():
        pull = shop.pull()
        shop.asks_on(pull.number, "suggest triage --budget 1.50")
        said = shop.result(1)
        assert "Nothing to propose for <code>triage</code>" in said
        assert "of at most $1.50" in said
        assert len(shop.repository.pulls) == 1
    shop.whole.records.close()


def test_the_budget_of_a_comment_is_never_exceeded_by_one_call(github, tmp_path):
    shop = Shop(github, tmp_path / "data", Models(lab.memorizes))
    with shop.whole.web(), shop.working():
        pull = shop.pull()
        for number, asked in enumerate(("0.05", "0.08"), 1):  # every call counts a tenth of a cent at least
            shop.asks_on(pull.number, f"suggest --budget {asked}")
            said = shop.result(number)
            assert number > 1 or "Unfinished" in said
        assert shop.models.cost <= Decimal("0.05") + Decimal("0.08")
        assert max(shop.models.provider.tries.values()) == 1, "the second goes on from the stored answers"
    shop.whole.records.close()


def test_who_may_not_ask_and_what_may_not_be_asked_for(github, tmp_path):
    shop = Shop(github, tmp_path / "data", Models(lab.fixes))
    with shop.whole.web(), shop.working():
        raised = lab.CONFIG + "suggest: {budget_usd: 90.00, model: editor}\n"
        pull, opened = shop.whole.scene.open_pull({"promptverdict.yaml": raised})
        fork, of_a_fork = shop.whole.scene.open_pull({"README.md": "y"}, fork="eve/shop", by="eve")
        for event in (opened, of_a_fork):
            shop.whole.emit("pull_request", event)
        assert "needs the role write" in shop.asks_on(pull.number, "suggest", by="rob")
        assert "comes from a fork" in shop.asks_on(fork.number, "suggest")
        assert "allows $2.00 for a suggestion" in shop.asks_on(pull.number, "suggest --budget 3")
        assert "has no prompt triag" in shop.asks_on(pull.number, "suggest triag")
        assert "No search is running" in shop.asks_on(pull.number, "cancel-suggest")
        assert shop.whole.records.suggestions(shop.repository.id) == []
        shop.repository.git.commit("main", {"promptverdict.yaml": lab.CONFIG}, parents=("main",))
        assert "suggested edits are off" in shop.asks_on(pull.number, "suggest")
        assert shop.models.reflected == []
    shop.whole.records.close()


def test_a_search_that_is_cancelled_ends_its_calls_within_a_second(github, tmp_path):
    shop = Shop(github, tmp_path / "data", Models(lab.memorizes, takes_s=0.2))
    with shop.whole.web(), shop.working():
        pull = shop.pull()
        shop.asks_on(pull.number, "suggest")
        shop.whole.until(lambda: shop.calls > 40)
        assert "Cancelled: 1" in shop.asks_on(pull.number, "cancel-suggest triage")
        assert "ada cancelled it" in shop.result(1)
        assert shop.models.provider.under_way == 0, "the result comes after the last call"
        asked = shop.calls
        shop.whole.quiet()
        assert shop.calls == asked
        assert shop.whole.records.suggestion(1).state is SuggestionState.CANCELLED
    shop.whole.records.close()
