"""The short form of benchmarks.whole_command: memory and CPU of a whole command grow in proportion, and slowly."""

from pathlib import Path

import pytest

from benchmarks.throughput import Measured, provider
from benchmarks.whole_command import CASES, OFFLINE, OVER_HTTP, check_or_plan, repository

pytestmark = pytest.mark.slow


def measured(folder: Path, sizes: list[int], model: str) -> Measured:
    folder.mkdir()
    repository(folder / "repository", sizes, model)
    return check_or_plan(folder, "check")


def test_a_case_takes_little_memory(tmp_path):
    with provider(0) as url:
        model = OVER_HTTP.format(url=url)
        few, many = (measured(tmp_path / str(size), [size], model).peak_mb for size in (300, 2_300))
    # About 8 kB, half of it for the outcomes that a small run keeps as objects. It was 20 kB while all were objects.
    assert many - few < 2_000 * 0.013


def test_each_prompt_costs_the_same_however_many_there_are(tmp_path):
    one, some, many = (measured(tmp_path / str(size), [CASES] * size, OFFLINE).cpu_s for size in (1, 6, 21))
    assert (many - some) / 15 < 2 * (some - one) / 5
