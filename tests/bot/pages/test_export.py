"""Pages as files: the same pages, every link leads to a file, and nothing needs a server."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from schemas.config import Mode
from schemas.errors import UsageError
from schemas.scorecard import CommitRef
from tests.bot.pages.stage import sha
from tests.bot.running import ROOT
from tests.render.scorecards import blocked
from tests.render.test_html import Tags, attacked

pytestmark = pytest.mark.slow


def artifact(folder, number, card):
    """What the Action uploads."""
    folder = folder / f"run-{number}"
    folder.mkdir(parents=True)
    cards = tuple(one.model_copy(update={"cases": one.cases[:3]}) for one in card.lineages)
    card = card.model_copy(update={"lineages": cards, "head": CommitRef(ref="topic", sha=sha(str(number)))})
    (folder / "scorecard.json").write_text(json.dumps(card.model_dump(mode="json", warnings=False)))
    os.utime(folder / "scorecard.json", (1_760_000_000 + number, 1_760_000_000 + number))


def exported(tmp_path, *arguments):
    command = [sys.executable, "-m", "action", "pages", "--output", str(tmp_path / "site"), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow
def test_the_actions_runs_become_pages_whose_links_lead_to_files(tmp_path):
    for number, card in enumerate((blocked(), blocked(), attacked("<script>x</script>"))):
        artifact(tmp_path / "artifacts", number, card)
    done = exported(tmp_path, tmp_path / "artifacts", "--repository", "acme/shop")
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d+ pages about 3 runs: .*index\.html", done.stdout)
    site = tmp_path / "site"
    pages = {path.name: path.read_text(encoding="utf-8") for path in site.glob("*.html")}
    said = "".join(pages.values())
    for text in ("I was charged twice in March", "support-triage", "Compare two versions"):
        assert text in said
    assert "acme/shop" in pages["index.html"]
    for name, text in pages.items():
        found = Tags(text)
        assert not found.of("script"), name
        assert not found.of("form"), name
        for _, attributes in found.found:
            for address in (attributes.get("href"), attributes.get("src")):
                parts = urlsplit(html.unescape(address or "#"))
                if parts.scheme:
                    assert address.startswith("https://github.com/acme/shop/"), (name, address)
                elif parts.path:
                    assert (site / parts.path).is_file(), (name, address)


def export_here(tmp_path, card, name="acme/shop"):
    from io import StringIO

    from bot.site import export

    folder = tmp_path / "artifacts"
    shutil.rmtree(folder, ignore_errors=True)
    artifact(folder, 1, card)
    export([folder], tmp_path / "site", name, "https://github.com", StringIO())
    return {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "site").glob("*.html")}


def test_a_later_export_leaves_nothing_of_the_earlier_one_and_nothing_of_others_goes(tmp_path):
    first = blocked()
    before = export_here(tmp_path, first, "acme/shop")
    (tmp_path / "site" / "CNAME").write_text("pages.example.com")
    lineages = tuple(one.model_copy(update={"cases": ()}) for one in first.lineages[:1])
    after = export_here(tmp_path, first.model_copy(update={"lineages": lineages}), "acme/other")
    assert len(after) < len(before)
    assert not any("acme/shop" in text for text in after.values())
    assert (tmp_path / "site" / "CNAME").exists()
    (tmp_path / "site" / "prompt-verdict-pages.txt").write_text("../artifacts/run-1/scorecard.json\nindex.html\n")
    export_here(tmp_path, first)
    assert (tmp_path / "artifacts" / "run-1" / "scorecard.json").exists()
    (tmp_path / "site" / "prompt-verdict-pages.txt").unlink()
    with pytest.raises(UsageError, match="of something else"):
        export_here(tmp_path, first)


def test_a_blocked_run_is_on_the_first_page_in_every_mode(tmp_path):
    card = blocked()
    for mode, passes in ((Mode.INFORM, True), (Mode.ENFORCE, False)):
        shown = export_here(tmp_path, card.model_copy(update={"mode": mode, "passes": passes}))["index.html"]
        first = shown.partition("<h2")[2].partition("<h2")[0]
        assert "blocked" in first, mode
        assert ("the check passes" in first) == passes
        assert "No pull request was blocked" not in shown


@pytest.mark.parametrize(
    ("text", "said"), [("{}", "is not a scorecard of this version"), (None, "no scorecard.json found")]
)
def test_what_is_no_scorecard_is_said(tmp_path, text, said):
    from io import StringIO

    from bot.site import export

    folder = tmp_path / "artifacts"
    folder.mkdir()
    if text is not None:
        (folder / "scorecard.json").write_text(text)
    with pytest.raises(UsageError, match=said):
        export([folder], tmp_path / "site", "acme/shop", "https://github.com", StringIO())
