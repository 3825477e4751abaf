"""`promptverdict doctor` without a bot: does GitHub keep what the Action says about the present base?"""

import io
import json

import pytest

from bot.operations.doctor.action_rules import action_doctor

CHECK = {"context": "prompt-verdict", "integration_id": 15368}


@pytest.fixture
def repository(github):
    made = github.repository("acme/shop", mia="maintain")
    made.git.commit("main", {"README.md": "hello\n"})
    return made


def found(github, token=None, name="acme/shop"):
    stream = io.StringIO()
    variables = {"GITHUB_TOKEN": token or github.user_token("mia"), "PROMPTVERDICT_API_URL": github.api_url}
    code = action_doctor(variables, stream, name, as_document=True)
    said = json.loads(stream.getvalue())
    assert code == (1 if said["level"] == "problem" else 0)
    return [(one["level"], one["what"]) for one in said["findings"] if one["level"] != "ok"]


@pytest.mark.parametrize("how", [{"up_to_date": True}, {"merge_queue": True}])
def test_a_base_that_is_always_the_present_one_is_in_order(github, repository, how):
    repository.required_checks["main"] = [CHECK]
    vars(repository).update(how)
    assert found(github) == []


@pytest.mark.parametrize(
    ("rules", "protection", "level", "words"),
    [
        ([CHECK], [], "problem", "a success stays"),
        ([{"context": "prompt-verdict"}, {"context": "tests"}], [], "problem", "a success stays"),
        ([], [{"context": "prompt-verdict", "app_id": 15368}], "warning", "doesn't show whether"),
        ([], [], "warning", "doesn't require the status"),
        ([{"context": "tests"}], [], "warning", "doesn't require the status"),
    ],
)
def test_a_green_that_may_be_about_an_old_base_is_found(github, repository, rules, protection, level, words):
    repository.required_checks["main"], repository.protected_checks["main"] = rules, protection
    ((said, what),) = found(github)
    assert said == level
    assert words in what


def test_what_can_not_be_read_is_a_problem(github, repository):
    ((level, _),) = found(github, name="acme/other")
    assert level == "problem"
    ((level, what),) = found(github, token="ghp_unknown")
    assert (level, "token" in what) == ("problem", True)
    assert "ghp_unknown" not in what
