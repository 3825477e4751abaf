"""benchmarks/recorded.py: the files that it reads, and the pull requests that it makes of them."""

import numpy as np
import pytest

from benchmarks import recorded


@pytest.fixture
def rewordings(tmp_path):
    """Four prompts on 200 items; the first two are equally good, the third loses ten points."""
    rng = np.random.default_rng(1)
    rows = np.repeat((rng.random(200) < 0.8)[None].astype(np.uint8), 4, axis=0)
    passing, failing = np.flatnonzero(rows[0]), np.flatnonzero(1 - rows[0])
    rows[1, passing[:8]], rows[1, failing[:8]] = 0, 1
    rows[2, passing[:20]] = 0
    path = tmp_path / "prompts.npz"
    np.savez(path, model=rows, **{"model sources": np.arange(200) // 4})
    return path


def test_rows_are_prompts_or_runs_of_one(rewordings):
    (prompts,) = recorded.load(rewordings, repeats=False)
    (runs,) = recorded.load(rewordings, repeats=True)
    assert ([len(p) for p in prompts.prompts], [len(p) for p in runs.prompts]) == ([1, 1, 1, 1], [4])
    assert len(prompts.sources) == 200


def test_a_table_of_ones_own_runs_holds_both_kinds(tmp_path):
    lines = ["set,prompt,run,item,score,source"]
    lines += [
        f"triage,{prompt},{run},{item},{int(item % 5 > 0)}.0,k{item % 3}"
        for prompt in "ab"
        for run in (0, 1)
        for item in range(40)
    ]
    lines.append("triage,a,1000,3,1.0,k0")  # a case that was run again: no run of the set
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    (mine,) = recorded.load(tmp_path / "mine.csv", repeats=False)
    assert [runs.shape for runs in mine.prompts] == [(2, 40), (2, 40)]
    assert mine.prompts[0].mean() == 0.8
    assert mine.sources[4] == "k1"


@pytest.mark.parametrize("values", [np.zeros(3), np.full((2, 3), 2.0)])
def test_what_is_no_table_of_scores_is_refused(tmp_path, values):
    np.savez(tmp_path / "x.npz", bad=values)
    with pytest.raises(ValueError, match="bad: not a table"):
        recorded.load(tmp_path / "x.npz", repeats=False)


def test_pairs_are_of_equal_quality_or_differ_by_what_is_asked_for(rewordings):
    (recording,) = recorded.load(rewordings, repeats=False)
    rng = np.random.default_rng(2)
    neutral = recorded.reworded(recording, 100, rng)
    assert abs(float((neutral.new - neutral.old).mean())) < 0.1
    assert [neutral.slices.count(name) for name in ("typical", "edge", "known_failure", "adversarial")] == [
        60,
        20,
        10,
        10,
    ]
    dropped = recorded.reworded(recording, 200, rng, between=recorded.DROP)
    assert float((dropped.new - dropped.old).mean()) == pytest.approx(-0.1)
    broken = recorded.reworded(recording, 100, rng, slice_drop=0.3)
    inside = np.array(broken.slices) == "adversarial"
    assert broken.rows[1][0, inside].sum() <= 7
    assert recorded.reworded(recording, 201, rng) is None
    assert recorded.same_prompt(recording, 100, rng) is None


def test_the_table_counts_what_became_of_the_pull_requests(rewordings):
    (runs,) = recorded.load(rewordings, repeats=True)
    found = recorded.run((runs, recorded.CASES[0], 30, 2))
    assert (found[:3], sum(found[3].values())) == (("model", "same prompt", 30), 2)
    lines = recorded.table([found], by_set=True).splitlines()
    assert lines[2].startswith("| model | same prompt | 30 | 2 | ")
    assert recorded.interval(0, 100) == "0.0 (0.0-3.7)"
    assert recorded.interval(5, 10) == "50.0 (23.7-76.3)"
