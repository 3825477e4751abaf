"""The short form of benchmarks.whole_command: memory and CPU of a whole command grow in proportion, and slowly."""

from pathlib import Path

import pytest

from benchmarks.whole_command import CASES, Measured, measure, provider, repository

pytestmark = pytest.mark.slow


def measured(folder: Path, sizes: list[int], model: str) -> Measured:
    folder.mkdir()
    repository(folder / "repository", sizes, model)
    return measure(folder, "check")


def test_a_case_takes_little_memory(tmp_path):
    with provider() as model:
        few, many = (measured(tmp_path / str(size), [size], model).peak_mb for size in (500, 3_500))
    # 3 kB were measured. 20 kB before outcomes were read case by case.
    assert many - few < 3_000 * 0.010


def test_each_prompt_costs_the_same_however_many_there_are(tmp_path):
    model = "{provider: offline, model: offline-small}"
    one, some, many = (measured(tmp_path / str(size), [CASES] * size, model).cpu_s for size in (1, 11, 41))
    assert (many - some) / 30 < 1.5 * (some - one) / 10
