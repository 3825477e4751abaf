"""What every page keeps to: short sentences, living links, and examples that can be read."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from engine.readers.config import read_config
from tests.docs.prose import report, sentences, words

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [
    README,
    *sorted((ROOT / "docs").glob("*.md")),
    *(
        ROOT / name
        for name in (
            "CHANGELOG.md",
            "CONTRIBUTING.md",
            "SECURITY.md",
            "client/README.md",
            "examples/README.md",
            "tests/README.md",
        )
    ),
]
LONGEST, MEAN = 30, 16
BANNED = re.compile(r"\b(contracts?|suspicious|mend|population|nobody|somebody|whoever)\b", re.IGNORECASE)
"""Names of earlier versions, and actors that are none."""


def named(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_sentences_are_short(page):
    text = page.read_text()
    assert [one for one in sentences(text) if len(words(one)) > LONGEST] == []
    assert report(text)[1] <= MEAN


def test_the_readme_is_one_page():
    text = README.read_text()
    assert len(text.split()) <= 700
    assert len(re.findall(r"(?m)^\* \*\*", text.partition("## ")[0])) == 5


def test_long_sentences_are_found_in_paragraphs_and_lists():
    long = "Long " + " ".join(["word"] * 30) + "."
    text = f"A short one. {long}\n\n* An item (with `two words` of code). {long}\n\n```\n{long}\n```\n\n| {long} |\n|---|\n| a |\n"
    assert [len(words(one)) for one in sentences(text)] == [3, 31, 6, 31]
    assert report(text)[1:] == (71 / 4, 2 / 4)


def anchors(page):
    """GitHub's anchors of a page's headings."""
    heads = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```$", "", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_is_linked_or_shown_is_there(page):
    text = re.sub(r"(?ms)^```.*?^```$", "", page.read_text())
    for link in [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'(?:src|srcset)="([^"]+)"', text)]:
        if "://" in link:
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_and_programs_that_are_named_exist(page):
    if page.name == "CHANGELOG.md":
        return  # names what was
    text = page.read_text()
    folders = "action|adapters|benchmarks|bot|client|docs|engine|evaluators|schemas|tests"
    for path in re.findall(rf"`((?:{folders})/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"python -m (benchmarks\.\w+)", text):
        assert (ROOT / f"{module.replace('.', '/')}.py").exists(), module
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)) <= targets


def test_the_readmes_configuration_has_eight_lines_and_can_be_read():
    (block,) = re.findall(r"```yaml\n(version: 1\n.*?)```", README.read_text(), re.DOTALL)
    assert len(block.splitlines()) == 8
    assert list(read_config("promptverdict.yaml", block.encode()).lineages) == ["triage"]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_banned_word_is_left(page):
    text = re.sub(r"(?ms)^```.*?^```$|`[^`]*`|\]\([^)]*\)", "", page.read_text())
    assert BANNED.findall(text) == []
