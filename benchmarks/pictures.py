"""Pictures of comments in a page that looks as GitHub's does: ``python -m benchmarks.pictures`` (``make pictures``).

It stages the demo's repository, checks the pull request that raises the average and breaks the adversarial slice, and
photographs the comment for the README, light and dark. With ``--all --output FOLDER`` it photographs ten kinds of
comments, at 390 and 1,012 pixels, light and dark, and prints how high each is.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from playwright.sync_api import Browser, sync_playwright

from engine.render.links import Links
from engine.render.markdown import markdown
from schemas.scorecard import Scorecard

BRANCH = "triage/trust-the-customer"
LARGEST = 300_000
"""Bytes of a picture."""
SIGN = (
    '<svg width="1em" height="1em" viewBox="0 0 16 16" style="vertical-align:-.12em" stroke-width="2.6" fill="none" '
    'stroke="#fff"><rect width="16" height="16" rx="3" fill="{color}" stroke="none"/><path d="{path}"/></svg>'
)
SIGNS = {
    "❌": ("#d1242f", "M4 4l8 8M12 4l-8 8"),
    "✅": ("#1a7f37", "M3.5 8.5l3 3 6-7"),
    "🛑": ("#d1242f", "M8 3.5v5.5M8 11.5v1"),
    "🔎": ("#9a6700", "M8 3.5v5.5M8 11.5v1"),
    "⚖️": ("#9a6700", "M4 6.2h8M4 9.8h8"),
    "➖": ("#59636e", "M4 8h8"),
}
"""Drawn here: a machine without a font for emoji leaves boxes."""
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


LINKS = Links(
    report="https://github.com/o/r/actions/runs/1",
    rerun="https://github.com/o/r/actions",
    repository="https://github.com/o/r",
)
WIDTHS = (1012, 390)
REAL = {
    "approved": "triage/customers-own-words",
    "blocked-by-slice": BRANCH,
    "blocked-by-cost": "match/show-the-evidence",
    "needs-review": "gate/less-strict",
    "generation": "outreach/small-model",
}
"""Kinds that a pull request of the demo has."""
MADE = {
    "inconclusive": "inconclusive",
    "error": "error",
    "fork": "fork_static",
    "extraction": "extraction",
    "forty-lineages": "forty",
}
"""Kinds from the scorecards of the tests."""


def demo_scorecards(branches: Iterable[str]) -> Iterator[Scorecard]:
    """Yields the scorecards of real runs on the staged demo."""
    from demo.staging import stage

    with tempfile.TemporaryDirectory() as folder:
        repository, output = Path(folder, "repository"), Path(folder, "output")
        stage(repository)
        program = [sys.executable, "-c", "from action.cli.main import main; main()"]
        where = ["--repo", str(repository), "--output", str(output), "--store", str(Path(folder, "store"))]
        for branch in branches:
            options = ["check", "--base", "main", "--head", branch, *where, "--yes"]
            subprocess.run([*program, *options], check=False, stdout=subprocess.DEVNULL)
            yield Scorecard.model_validate_json((output / "scorecard.json").read_bytes())


def ten_kinds() -> Iterator[tuple[str, Scorecard]]:
    """Yields a scorecard of each kind, with its name."""
    from tests.render import scorecards

    yield from zip(REAL, demo_scorecards(REAL.values()), strict=True)
    yield from ((name, getattr(scorecards, maker)()) for name, maker in MADE.items())


def comment_page(text: str) -> str:
    """Renders the comment as a page that looks like a pull request's."""
    style = Path(__file__).with_name("github_page.css").read_text()
    renderer = MarkdownIt("gfm-like", {"html": True, "breaks": True})
    # As on GitHub, a bare domain is no link.
    assert renderer.linkify is not None
    renderer.linkify.set({"fuzzy_link": False})
    body = renderer.render(text)
    for sign, (color, path) in SIGNS.items():
        body = body.replace(sign, SIGN.format(color=color, path=path))
    who = '<div class="who"><b>prompt-verdict</b><span>bot</span> commented</div>'
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<style>{style}</style><div class="comment">{who}<div class="body">{body}</div></div></html>'
    )


def photograph(browser: Browser, html: str, target: Path, scheme: str, width: int, height: int | None) -> None:
    """Takes one picture, ``height`` pixels high (then at most 300 kB, since it is committed), or as high as the
    page."""
    page = browser.new_page(
        viewport={"width": width, "height": height or 800},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=1.5 if height else 1,
    )
    page.set_content(html)
    page.screenshot(path=target, full_page=height is None)
    high, wide = (page.evaluate(f"document.documentElement.scroll{side}") for side in ("Height", "Width"))
    page.close()
    size = target.stat().st_size
    print(f"{target} {high:,} px high, {size:,} bytes")
    if wide > width:
        raise SystemExit(f"{target} scrolls sideways: {wide:,} of {width:,} px")
    if height is not None and size > LARGEST:
        raise SystemExit(f"{target} is larger than {LARGEST:,} bytes")


def main() -> None:
    """Writes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scorecard", nargs="?", type=Path)
    parser.add_argument("--output", type=Path, help="a folder; docs/ for the README's pictures")
    parser.add_argument("--all", action="store_true", help="ten kinds of comments, on a desktop and on a phone")
    asked = parser.parse_args()
    if asked.all and asked.output is None:
        parser.error("--all needs --output: its forty pictures are not those of the README")
    asked.output = asked.output or Path("docs")
    asked.output.mkdir(parents=True, exist_ok=True)
    if asked.scorecard:
        cards = [("comment", Scorecard.model_validate_json(asked.scorecard.read_bytes()))]
    else:
        cards = list(ten_kinds()) if asked.all else [("comment", next(demo_scorecards([BRANCH])))]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, card in cards:
            comment = comment_page(markdown(card, links=LINKS))
            for scheme in ("light", "dark"):
                if not asked.all:
                    photograph(browser, comment, asked.output / f"{name}-{scheme}.png", scheme, 920, 800)
                    continue
                for width in WIDTHS:
                    photograph(browser, comment, asked.output / f"{name}-{width}-{scheme}.png", scheme, width, None)
        browser.close()


if __name__ == "__main__":
    main()
