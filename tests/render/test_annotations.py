"""Annotations on changed prompt lines."""

from engine.render.annotations import Annotation, scorecard_annotations, workflow_command
from schemas.scorecard import Change
from schemas.verdicts import VerdictStatus
from tests.render.scorecards import TRIAGE_DIFF, approved, blocked, lineage, scorecard


def test_a_blocked_lineage_marks_the_first_lines_that_it_changes():
    (note,) = scorecard_annotations(blocked())
    assert (note.level, note.path, note.start_line, note.end_line) == ("error", "prompts/triage.prompt.yml", 5, 5)
    assert note.title == "support-triage · claude-haiku-4-5: blocked"
    assert "Cost rose by 89% per case" in note.message


def test_approved_lineages_are_not_annotated():
    assert scorecard_annotations(approved()) == ()


def test_a_change_without_lines_is_annotated_at_the_start_of_the_file():
    diff = TRIAGE_DIFF.model_copy(update={"file_lines": ()})
    (note,) = scorecard_annotations(scorecard(lineages=(lineage(status=VerdictStatus.NEEDS_REVIEW, diff=diff),)))
    assert (note.level, note.start_line) == ("warning", 1)


def test_a_prompt_that_is_a_part_of_a_file_is_annotated_in_that_file():
    diff = TRIAGE_DIFF.model_copy(
        update={"path_after": "src/p.py#A, b.md", "file": "src/p.py", "file_lines": ((7, 9),)}
    )
    (note,) = scorecard_annotations(scorecard(lineages=(lineage(status=VerdictStatus.BLOCKED, diff=diff),)))
    assert (note.path, note.start_line, note.end_line) == ("src/p.py", 7, 9)
    gone = Change(kind="deleted", detail="src/p.py#A", path="src/p.py")
    card = lineage(status=VerdictStatus.NEEDS_REVIEW, diff=None, prompt="src/p.py#A", changes=(gone,))
    assert [note.path for note in scorecard_annotations(scorecard(lineages=(card,)))] == ["src/p.py"]


def test_at_most_ten_of_a_level_and_the_tenth_counts_the_rest():
    cards = [lineage(lineage=f"l{n}", status=VerdictStatus.BLOCKED) for n in range(13)]
    cards += [lineage(lineage=f"w{n}", status=VerdictStatus.NEEDS_REVIEW) for n in range(10)]
    notes = scorecard_annotations(scorecard(lineages=tuple(cards)))
    assert [note.level for note in notes] == ["error"] * 10 + ["warning"] * 10
    assert notes[9].message.endswith("\n3 more: see the scorecard.")
    assert "more" not in notes[19].message


def test_a_workflow_command_is_one_line_that_nothing_in_it_can_end():
    note = Annotation(
        level="error",
        path="a,b:c\n::x::.md",
        start_line=3,
        end_line=4,
        title="100%, yes: \r",
        message="one\n::stop::50%",
    )
    assert workflow_command(note) == (
        "::error file=a%2Cb%3Ac%0A%3A%3Ax%3A%3A.md,line=3,endLine=4,title=100%25%2C yes%3A %0D::one%0A::stop::50%25"
    )
