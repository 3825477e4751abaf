"""The pictures of the README: ``python -m benchmarks.pictures [SCORECARD.json]`` (also ``make pictures``).

Without a scorecard the demo's repository is staged and the pull request that raises the average and breaks the
adversarial slice is checked. Chromium photographs its comment, light and dark, in a page that looks as GitHub's does.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt
from playwright.sync_api import Browser, sync_playwright

from engine.render.html import html_report
from engine.render.markdown import markdown
from schemas.scorecard import Scorecard

BRANCH = "triage/trust-the-customer"
LARGEST = 300_000
"""Bytes of a picture."""
SIGN = (
    '<svg width="1em" height="1em" viewBox="0 0 16 16" style="vertical-align:-.12em" stroke-width="2.6" fill="none" '
    'stroke="#fff"><rect width="16" height="16" rx="3" fill="{color}" stroke="none"/><path d="{path}"/></svg>'
)
SIGNS = {"❌": ("#d1242f", "M4 4l8 8M12 4l-8 8"), "✅": ("#1a7f37", "M3.5 8.5l3 3 6-7")}
"""Drawn here: a machine without a font for emoji leaves boxes."""
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


def demo_scorecard() -> Scorecard:
    """Returns the scorecard of a real run on the staged demo."""
    from demo.staging import stage

    with tempfile.TemporaryDirectory() as folder:
        repository, output = Path(folder, "repository"), Path(folder, "output")
        stage(repository)
        program = [sys.executable, "-c", "from action.cli.main import main; main()"]
        where = ["--repo", str(repository), "--output", str(output), "--store", str(Path(folder, "store"))]
        options = ["check", "--base", "main", "--head", BRANCH, *where, "--yes"]
        subprocess.run([*program, *options], check=False, stdout=subprocess.DEVNULL)
        return Scorecard.model_validate_json((output / "scorecard.json").read_bytes())


def comment_page(text: str) -> str:
    """Renders the comment as a page that looks like a pull request's."""
    style = Path(__file__).with_name("github_page.css").read_text()
    body = MarkdownIt("gfm-like", {"html": True}).render(text)
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
        device_scale_factor=1.5 if width > 500 else 1,
    )
    page.set_content(html)
    page.screenshot(path=target, full_page=height is None)
    page.close()
    size = target.stat().st_size
    print(f"{target} {size:,} bytes")
    if height is not None and size > LARGEST:
        raise SystemExit(f"{target} is larger than {LARGEST:,} bytes")


def main() -> None:
    """Writes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scorecard", nargs="?", type=Path)
    parser.add_argument("--output", type=Path, default=Path("docs"))
    parser.add_argument("--all", action="store_true", help="the report and the comment on a phone as well")
    asked = parser.parse_args()
    card = Scorecard.model_validate_json(asked.scorecard.read_bytes()) if asked.scorecard else demo_scorecard()
    asked.output.mkdir(parents=True, exist_ok=True)
    report, comment = html_report(card), comment_page(markdown(card))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            photograph(browser, comment, asked.output / f"comment-{scheme}.png", scheme, 920, 800)
            if asked.all:
                photograph(browser, comment, asked.output / f"comment-{scheme}-phone.png", scheme, 390, None)
                photograph(browser, report, asked.output / f"report-{scheme}.png", scheme, 1200, None)
        browser.close()


if __name__ == "__main__":
    main()
