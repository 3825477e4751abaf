"""``engine.detection.sides``: the changes that paths, patterns and folders stand for."""

from hypothesis import given
from hypothesis import strategies as st

from engine.detection.sides import Changes
from engine.detection.snapshot import differences
from engine.readers.file_patterns import is_pattern, matches
from schemas.trees import TreeChange, TreeEntry

STEPS = ["a", "b", "a0", "a.md", "b.md", "a-b"]
paths = st.lists(st.sampled_from(STEPS), min_size=1, max_size=4).map("/".join)
patterns = st.lists(st.sampled_from([*STEPS, "*", "**", "?", "*.md", "a*"]), min_size=1, max_size=4).map("/".join)
folders = paths.map(lambda path: f"{path}/")


def entry(path: str | None, blob: str) -> TreeEntry | None:
    return None if path is None else TreeEntry(path=path, mode="100644", blob=blob)


changes = st.lists(st.tuples(st.none() | paths, paths)).map(
    lambda pairs: Changes([TreeChange(before=entry(old, "1"), after=entry(new, "2")) for old, new in pairs])
)


@given(changes, st.lists(patterns))
def test_the_index_finds_what_a_search_of_all_changes_finds(found, watched):
    named = {path for path in found.touched if any(matches(one, path) for one in watched)}
    assert found.named(watched) == named
    assert list(found.of(named)) == [change for change in found.all if not named.isdisjoint(change.paths)]


@given(changes, paths)
def test_what_is_below_a_folder_starts_with_its_path(found, folder):
    assert list(found.below(folder)) == sorted(path for path in found.touched if path.startswith(f"{folder}/"))


@given(changes, st.lists(patterns | folders))
def test_the_differences_of_a_lineage_are_those_that_its_files_patterns_and_folders_stand_for(found, watched):
    def stands_for(one: str, path: str) -> bool:
        if one.endswith("/"):
            return path.startswith(one) and path.endswith(".md")
        return matches(one, path) if is_pattern(one) else one == path

    expected = [
        (change.before, change.after)
        for change in found.all
        if any(stands_for(one, path) for one in watched for path in change.paths)
    ]
    assert [each[1:] for each in differences(dict.fromkeys(watched, "prompt"), found)] == expected
