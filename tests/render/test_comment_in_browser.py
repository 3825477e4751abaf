"""The comment in Chromium, in a page that looks as GitHub's does: nothing is off-screen, and it stays short."""

from pathlib import Path

import pytest

from engine.render.links import Links
from engine.render.markdown import markdown
from tests.render.scorecards import blocked, extraction, forty, generation

CHROMIUM = Path("/usr/bin/chromium")
TWO_SCREENS = 1_800
OFF_SCREEN = """quotes => quotes.filter(
    quote => quote.scrollWidth > quote.clientWidth || quote.querySelector("pre, table")).map(quote => quote.innerText)"""
LINKS = Links(report="https://github.com/o/r/1", rerun="https://github.com/o/r/2", repository="https://github.com/o/r")


def long_mails():
    """E-mails of 60 lines in every answer, and words without a place to break."""
    card = generation().lineages[0]

    def long(answers):
        return tuple(one.model_copy(update={"text": f"{one.text}\n{'w' * 300}\n" + "line\n\n" * 60}) for one in answers)

    cases = tuple(
        case.model_copy(update={"baseline": long(case.baseline), "candidate": long(case.candidate)})
        for case in card.cases
    )
    return generation().model_copy(update={"lineages": (card.model_copy(update={"cases": cases}),)})


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
@pytest.mark.slow
def test_answers_are_on_the_screen_of_a_phone_and_a_comment_has_two_screens():
    from playwright.sync_api import sync_playwright

    from benchmarks.pictures import comment_page

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        for maker in (blocked, generation, long_mails, extraction, forty):
            html = comment_page(markdown(maker(), links=LINKS))
            for width in (390, 1_012):
                page = browser.new_page(viewport={"width": width, "height": 800})
                page.set_content(html)
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (maker, width)
                quotes = page.locator("blockquote:visible")
                assert quotes.count() >= 1
                assert quotes.evaluate_all(OFF_SCREEN) == [], (maker, width)
                if maker in (generation, long_mails) and width > 390:
                    assert page.evaluate("document.documentElement.scrollHeight") <= TWO_SCREENS, maker
                page.close()
        browser.close()
