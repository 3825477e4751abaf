"""People grade answers: the state key by key, the draw of the answers, and the file that loses nothing."""

import json
import os
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action.cli.label_file import LabelFile
from engine.commands.judge_samples import chosen, drawn, sampled
from engine.commands.labeling import Labeling, labeled, merged
from schemas.errors import BudgetExceeded, ConfigError, UsageError
from schemas.outcomes import Arm, CompletionError, ErrorKind, Finish
from schemas.rubrics import Dimension, Rubric, SampleAnswer
from schemas.testsets import TestCase
from tests.run.laboratory import MODEL, PRICE, asked, completion

RUBRIC = Rubric(dimensions={"tone": Dimension(description="?"), "form": Dimension(description="?")})
ANSWERS = [SampleAnswer(id=f"a{n}", inputs={"n": n}, output=f"answer {n}") for n in range(4)]


def pressed(keys, grades=(), answers=ANSWERS):
    """The saved grades, and the state after ``keys``."""
    state = Labeling(answers, RUBRIC, dict(grades))
    saved = {}
    for key in keys:
        if (answer := state.press(key)) is not None:
            saved[answer.id] = answer.grades
    return saved, state


@pytest.mark.parametrize(
    ("keys", "saved", "then"),
    [
        ("", {}, ("a0", "tone")),
        ("4", {"a0": {"tone": 4}}, ("a0", "form")),
        ("45", {"a0": {"tone": 4, "form": 5}}, ("a1", "tone")),
        ("4b3", {"a0": {"tone": 3}}, ("a0", "form")),
        ("45b1", {"a0": {"tone": 4, "form": 1}}, ("a1", "tone")),
        ("45bb", {"a0": {"tone": 4, "form": 5}}, ("a0", "tone")),
        ("b0679x²\n", {}, ("a0", "tone")),
        ("s2", {"a1": {"tone": 2}}, ("a1", "form")),
        ("4s2", {"a0": {"tone": 4}, "a1": {"tone": 2}}, ("a1", "form")),
        ("ssss", {}, None),
        ("4q5", {"a0": {"tone": 4}}, None),
        ("45454545", {f"a{n}": {"tone": 4, "form": 5} for n in range(4)}, None),
    ],
)
def test_each_key_does_what_it_says(keys, saved, then):
    found, state = pressed(keys)
    assert found == saved
    assert (state.question and (state.question.answer.id, state.question.dimension)) == then


def test_an_earlier_session_goes_on_at_the_first_open_grade():
    _, state = pressed("", {"a0": {"tone": 1, "form": 1}, "a1": {"tone": 2}})
    assert (state.question.answer.id, state.question.dimension, state.complete, state.begun) == ("a1", "form", 1, 1)
    saved, state = pressed("3", {"a1": {"tone": 2}, "a2": {"tone": 2, "form": 2}})
    assert saved == {"a0": {"tone": 3}}
    state.press("b")
    assert state.question.grade == 3
    _, state = pressed("34", {"a1": {"tone": 2}})  # a half-graded answer goes on where it ended
    assert (state.question.answer.id, state.question.dimension) == ("a1", "form")


@settings(max_examples=60, deadline=None)
@given(st.text("12345bsx", max_size=40))
def test_whatever_is_pressed_every_grade_is_saved_at_once(keys):
    saved, state = pressed(keys)
    assert saved == {name: given for name, given in state._grades.items() if given}


@dataclass
class Planned:
    """What ``drawn`` reads of a plan."""

    cases: tuple
    arms: dict
    max_steps: int | None = None


def plan(prompt, number=6):
    cases = tuple(TestCase(id=f"c{n}", inputs={"n": n}) for n in range(number))
    requests = [asked(prompt, n) for n in range(number)]
    arm = type(
        "Arm", (), {"requests": requests, "endpoint": (MODEL, PRICE), "stored_as": lambda self, case, rep: rep}
    )()
    return Planned(cases, {Arm.CANDIDATE: arm})


class Answering:
    """The calls of ``sampled``: a store, and a model that says ``reply(request)``."""

    def __init__(self, reply, stored=()):
        self.reply, self.rows, self.asked = reply, dict(stored), []

    async def stored(self, keys):
        return {key: self.rows[key] for key in keys if key in self.rows}

    async def answer(self, request, repetition, endpoint):
        self.asked.append(request.digest)
        said = self.reply(request)
        if isinstance(said, BaseException):
            raise said
        return (said if isinstance(said, CompletionError) else Row(said)), True


@dataclass
class Row:
    completion: object


def text_of(request):
    return completion(f"{request.messages[0].content} {request.messages[1].content}")


async def draw(calls, plans, number=5, seed=1, graded=frozenset()):
    taken, stored = await chosen(drawn(plans, seed), calls, number, graded)
    answered = []
    found = await sampled(taken, stored, calls, lambda: answered.append(1))
    assert len(answered) == (0 if found.stopped else len(calls.asked))  # what the progress counts
    return found


async def test_answers_of_both_versions_come_in_an_order_that_the_seed_fixes():
    both = [plan("old"), plan("new")]
    first = await draw(Answering(text_of), both, 8)
    again = await draw(Answering(text_of), both, 8)
    other = await draw(Answering(text_of), both, 8, seed=2)
    assert first == again
    assert [one.id for one in first.answers] != [one.id for one in other.answers]
    assert {one.output[:3] for one in first.answers} == {"old", "new"}
    assert not any(word in one.model_dump_json(exclude={"output"}) for one in first.answers for word in ("old", "new"))


def test_a_conversation_is_not_sampled_as_if_its_first_step_were_the_answer():
    with pytest.raises(UsageError, match="can't be sampled"):
        drawn([replace(plan("old"), max_steps=10)], 1)


async def test_stored_answers_cost_no_call_and_graded_ones_do_not_come_again():
    draws = drawn([plan("old")], 1)
    rows = {draw.key: Row(text_of(draw.request)) for draw in draws[:3]}
    calls = Answering(text_of, rows)
    found = await draw(calls, [plan("old")], 4)
    assert (len(found.answers), len(calls.asked)) == (4, 1)
    graded = frozenset(one.id for one in found.answers[:2])
    calls = Answering(text_of, rows)
    rest = await draw(calls, [plan("old")], 4, graded=graded)
    assert not graded & {one.id for one in rest.answers}
    assert (len(rest.answers), len(calls.asked)) == (4, 3)


async def test_the_same_answer_of_both_versions_is_graded_once():
    found = await draw(Answering(lambda request: completion("the same")), [plan("old"), plan("new")], 12)
    assert len(found.answers) == 6  # one for each input


@pytest.mark.parametrize(
    ("reply", "answers", "failed", "stopped"),
    [
        (lambda request: completion("x", finish=Finish.LENGTH), 0, 5, False),
        (lambda request: completion("<think>hm</think>  "), 0, 5, False),
        (lambda request: CompletionError(kind=ErrorKind.SERVER, message="down"), 0, 5, False),
        (lambda request: BudgetExceeded("the budget is spent"), 0, 0, True),
        (lambda request: completion("<think>hm</think>half \ud800 a pair"), 5, 0, False),
    ],
    ids=["cut off", "only reasoning", "error", "budget", "surrogate"],
)
async def test_what_can_not_be_graded_is_counted(reply, answers, failed, stopped):
    found = await draw(Answering(reply), [plan("old")])
    assert (len(found.answers), found.failed, found.stopped is not None) == (answers, failed, stopped)
    assert all("think" not in one.output and one.output.encode() for one in found.answers)


def names(folder):
    return [path.name for path in folder.iterdir()]


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]


@pytest.mark.parametrize(
    "before", ["", '{"id": "x", "output": "é", "grades": {"tone": 1}}', '{"id": "x"}\r\nno json\n\n[1]\n']
)
def test_a_saved_grade_keeps_every_other_line(tmp_path, before):
    path = tmp_path / "sub" / "labels.jsonl"
    path.parent.mkdir()
    path.write_bytes(before.encode())
    path.chmod(0o640)
    file = LabelFile(tmp_path, "sub/labels.jsonl")
    for grade in (2, 5):  # the second one replaces the first
        file.save([labeled(ANSWERS[0], {"tone": grade})])
    file.save([labeled(ANSWERS[1], {"tone": 1})])
    assert path.read_bytes().startswith(before.rstrip("\n").encode())
    assert [row["id"] for row in rows(path)][-2:] == ["a0", "a1"]
    assert rows(path)[-2]["grades"] == {"tone": 5}
    assert path.read_bytes().count(b"\n") == before.rstrip("\n").count("\n") + bool(before) + 2
    assert path.stat().st_mode & 0o777 == 0o640
    assert names(path.parent) == ["labels.jsonl"]


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    file = LabelFile(tmp_path, "labels.jsonl")
    file.save([labeled(ANSWERS[0], {"tone": 2})])
    before = (tmp_path / "labels.jsonl").read_bytes()
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        file.save([labeled(ANSWERS[1], {"tone": 2})])
    assert (names(tmp_path), (tmp_path / "labels.jsonl").read_bytes()) == (["labels.jsonl"], before)


def test_a_branch_can_not_name_a_file_outside_the_repository(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link.jsonl").symlink_to(tmp_path / "outside.jsonl")
    for path in ("../outside.jsonl", "link.jsonl"):
        with pytest.raises(UsageError, match="outside the repository"):
            LabelFile(tmp_path / "inside", path)


def test_imported_grades_are_added_and_a_contradiction_is_named():
    mine = [labeled(ANSWERS[0], {"tone": 4}), labeled(ANSWERS[1], {"tone": 1, "form": 1})]
    theirs = [labeled(ANSWERS[0], {"form": 2}), mine[1], labeled(ANSWERS[2], {"tone": 5})]
    news, known = merged(mine, theirs, "form.jsonl")
    assert [(one.id, one.grades) for one in news] == [("a0", {"tone": 4, "form": 2}), ("a2", {"tone": 5})]
    assert known == 1
    with pytest.raises(ConfigError, match=r"form\.jsonl: a0 has 5 for tone, but 4 in the label file"):
        merged(mine, [labeled(ANSWERS[0], {"tone": 5})], "form.jsonl")
    with pytest.raises(ConfigError, match="a0 differs from the one in the label file"):
        merged(mine, [labeled(ANSWERS[0].model_copy(update={"output": "?"}), {"tone": 4})], "form.jsonl")
