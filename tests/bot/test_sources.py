"""Copies of repositories on disk: kept while they are of use, gone with their repository."""

import os

import pytest

from bot.intents import Place
from bot.sources import Sources

FIRST = Place(installation_id=1, repository_id=11, repository="acme/one")
SECOND = Place(installation_id=1, repository_id=12, repository="acme/two")


class App:
    def token(self, installation_id, repository):
        return "token"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "sources"


def sources(folder, **limits):
    return Sources(folder, App(), "https://github.example", **limits)


def copies(folder):
    return sorted(copy.name for copy in folder.glob("*.git"))


def test_the_copy_of_a_removed_repository_goes_and_the_others_stay(folder):
    made = sources(folder)
    for place in (FIRST, SECOND):
        with made.open(place):
            pass
    made.keep_only({12, 99})
    assert copies(folder) == ["12.git"]
    made.keep_only(())
    assert copies(folder) == []


def test_a_copy_that_is_in_use_goes_the_next_time(folder):
    made = sources(folder)
    with made.open(FIRST):
        made.keep_only(())
        assert copies(folder) == ["11.git"]
    made.keep_only(())
    assert copies(folder) == []


def test_the_copy_that_was_used_longest_ago_goes_when_there_is_too_much(folder):
    with sources(folder).open(FIRST):
        (folder / "11.git" / "objects" / "big").write_bytes(b"x" * 200_000)
    os.utime(folder / "11.git", (0, 0))
    with sources(folder, most_bytes=250_000).open(SECOND):
        (folder / "12.git" / "objects" / "big").write_bytes(b"x" * 100_000)
    assert copies(folder) == ["12.git"]
