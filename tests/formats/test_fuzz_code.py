"""Whatever is in a file of code, what is named in it is read or refused with one line. FUZZ is the number of files."""

import os
from random import Random

import pytest

from tests.formats.hostile_code import SAMPLES, code_file, read_names

FILES = int(os.environ.get("FUZZ", "300"))


@pytest.mark.parametrize("path", SAMPLES)
def test_names_in_hostile_files_are_read_or_refused_with_their_place(path):
    read = [read_names(path, code_file(Random(f"{path} {seed}"), path)) for seed in range(FILES)]
    assert 0.05 < sum(map(bool, read)) / FILES < 0.9


@pytest.mark.parametrize("path", SAMPLES)
def test_the_samples_themselves_are_read(path):
    assert all(read_names(path, sample.encode()) for sample in SAMPLES[path])
