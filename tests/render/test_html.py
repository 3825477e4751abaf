"""The HTML report: one file, nothing from outside, nothing foreign inside, readable by everybody."""

import base64
import hashlib
import re
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import Phase, example, given, settings

from engine.render import html
from engine.render.encode import html_for_logs
from engine.render.html import html_report
from engine.render.limits import REPORT, Limits
from engine.render.links import Links
from engine.render.what_now import without_fix
from schemas.diffs import DiffHunk, DiffLine, PromptDiff
from schemas.effects import Answer, CaseEffect
from schemas.prompts import Finding
from schemas.verdicts import VerdictStatus
from tests.render.scorecards import STATES, TRIAGE_DIFF, blocked, generation, lineage, resume, scorecard, triage
from tests.render.surfaces import hostile_texts, runner_commands
from tests.render.test_ladder import many

CHROMIUM = Path("/usr/bin/chromium")


class Tags(HTMLParser):
    def __init__(self, html: str):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.found if tag == name]


def test_every_state_has_its_verdict_and_its_sentence():
    for state, maker in STATES.items():
        card = maker()
        page = Tags(html_report(card))
        assert without_fix(card.summary, card).replace("`", "") in page.text, state


def test_the_report_is_one_file_that_loads_nothing():
    page = Tags(html_report(blocked()))
    assert not page.of("link")
    assert not page.of("img")
    assert not page.of("iframe")
    assert all("src" not in attrs for _, attrs in page.found)
    assert all(not name.startswith("on") and name != "style" for _, attrs in page.found for name in attrs)
    assert all(str(attrs.get("href")).startswith("#") for attrs in page.of("a"))


def test_the_policy_allows_exactly_our_style_and_our_script():
    html = html_report(blocked())
    policy = Tags(html).of("meta")[1]["content"]
    assert policy.startswith("default-src 'none'")
    for tag in ("style", "script"):
        source = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy


def attacked(text: str):
    diff = PromptDiff(
        path_before=text,
        path_after=text,
        added=1,
        removed=1,
        hunks=(
            DiffHunk(
                lines=(
                    DiffLine(kind="removed", text=text, before=1, after=None, marks=((0, 1),)),
                    DiffLine(kind="added", text=text, before=None, after=1),
                )
            ),
        ),
        settings=((text, text, text),),
    )
    case = CaseEffect(
        id=text,
        slices=(text,),
        expected={text: text},
        baseline=(Answer(text=text, count=1, of=2, score=None),),
        candidate=(Answer(text=text, count=1, of=2, score=None),),
        result="regressed",
        reason=text,
    )
    card = triage()
    card = card.model_copy(
        update={
            "lineage": text,
            "model": text,
            "prompt": text,
            "headline": text,
            "cases": (case,),
            "diff": diff,
            "slices": tuple(effect.model_copy(update={"slice": text}) for effect in card.slices),
            "confusion": card.confusion.model_copy(update={"labels": (text,) * 4, "columns": (text,) * 5}),
            "reasons": tuple(reason.model_copy(update={"sentence": text}) for reason in card.reasons),
            "warnings": (Finding(what=text, where=text, hint=text),),
            "confidence": card.confidence.model_copy(update={"notes": (text,)}),
        }
    )
    return scorecard(title=text[:255], summary=text, lineages=(card,), base={"ref": text, "sha": "a" * 40})


def structure(text: str) -> list[tuple[str, list[str]]]:
    page = Tags(html_report(attacked(text), links=Links(rerun=text)))
    return [
        (tag, sorted(attrs)) for tag, attrs in page.found if tag not in ("code", "wbr", "mark", "i", "ol", "p", "span")
    ]


@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(hostile_texts.filter(lambda text: len(text) > 1 and not text.startswith("http")))
def test_no_text_changes_the_structure_of_the_page(text):
    assert structure(text) == structure("xy")


@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(hostile_texts)
@example("x\n::error::boo\n  ::warning::boo\x0b::error::boo")
@example("##[error]boo #\u00ad#[error]boo ####[[ \u2028::error::boo")
def test_no_text_becomes_a_command_of_the_runner_in_a_log(text):
    assert runner_commands(html_report(attacked(text))) == []


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", " javascript:alert(1)", "data:text/html,x", "//evil.example"]
)
def test_only_web_addresses_become_links(address):
    assert "How to re-run" not in html_report(blocked(), links=Links(rerun=address))
    assert 'href="https://github.com/o/r"' in html_report(blocked(), links=Links(rerun="https://github.com/o/r"))


def test_what_cannot_be_seen_is_written_out():
    html = html_report(attacked("a\u202eb\x1b\u200b"))
    assert not re.search("[\u202e\x1b\u200b]", html)
    assert "⟨U+202E⟩" in html


@pytest.mark.parametrize(
    ("answer", "results", "rows"),
    [
        ('"<&>' * 5_000, {"regressed": 200, "no_change": 800}, 220),
        ("billing", {"regressed": 300, "no_change": 18_700, "not_run": 1_000}, 600),
        ("billing", {"improved": 3, "no_change": 40, "not_run": 957}, 43),
    ],
)
def test_large_test_sets_stay_below_700_kilobytes_and_show_every_case_that_moved(answer, results, rows):
    said = (Answer(text=answer, count=3, of=3, score=0.0),)
    cases = tuple(
        CaseEffect(
            id=f"{result}-{n}", slices=("typical",), expected="x", baseline=said, candidate=said, result=result,
            inputs=(("ticket", "I was charged twice in March, please look into it."),),
        )
        for result, number in results.items() for n in range(number)
    )  # fmt: skip
    html = html_report(scorecard(lineages=(lineage(cases=cases),)))
    assert REPORT.hold(html)
    assert REPORT.characters == 700_000
    assert html.count("<tr data-result") == rows
    assert 'data-result="not_run"' not in html
    assert f"{rows:,} of {len(cases):,}, those that need a look first" in html


@pytest.mark.slow
def test_enormous_scorecards_stay_below_the_limit_and_are_counted():
    html = html_report(many([VerdictStatus.BLOCKED] * 300 + [VerdictStatus.APPROVED] * 200, 60))
    assert REPORT.hold(html)
    assert html.count('<th scope="row"><a href="#l') + html.count('<th scope="row">lineage-') == 500
    assert "Shortened to open quickly" in html


def test_a_long_diff_says_how_much_is_left_out():
    lines = tuple(DiffLine(kind="added", text=f"line {n}", before=None, after=n) for n in range(2_500))
    diff = TRIAGE_DIFF.model_copy(update={"hunks": (DiffHunk(lines=lines),), "omitted": 7})
    assert "… and 507 lines more." in html_report(scorecard(lineages=(lineage(diff=diff),)))


def test_cases_show_their_input_and_the_words_that_changed():
    html = html_report(generation())
    assert "<b>company</b> Riverbend Yoga" in html
    assert "Our <mark>revolutionary</mark> waiting lists" in html
    assert "I <mark>read</mark> that" in html


def test_the_plot_of_cost_and_score_needs_both():
    assert 'id="cost-plot"' in html_report(blocked())
    assert 'id="cost-plot"' not in html_report(scorecard(lineages=(lineage(),)))


def test_many_lineages_are_drawn_as_far_as_they_can_be_told_apart():
    cards = tuple(resume().model_copy(update={"lineage": f"l{n}"}) for n in range(15))
    assert "3 lineages more not drawn" in html_report(scorecard(lineages=cards))


def test_free_models_have_a_cost_axis_too():
    free = resume().cost.model_copy(update={"baseline_per_1000": Decimal(0), "candidate_per_1000": Decimal(0)})
    assert 'id="cost-plot"' in html_report(scorecard(lineages=(resume().model_copy(update={"cost": free}),)))


def test_tables_have_headers_and_controls_have_names():
    page = Tags(html_report(blocked()))
    assert all(attrs.get("scope") in ("col", "row") for attrs in page.of("th"))
    assert all("aria-label" in attrs for tag, attrs in page.found if tag in ("input", "select", "svg"))
    assert page.of("html") == [{"lang": "en"}]
    ids = [attrs["id"] for _, attrs in page.found if "id" in attrs]
    assert len(ids) == len(set(ids))


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1, 2])
def test_colours_are_told_apart_as_wcag_aa_asks(theme):
    css = re.search("<style>(.*?)</style>", html_report(blocked()), re.DOTALL)[1]
    block = list(re.findall(r"\{([^{}]*--paper[^{}]*)\}", css))[theme]
    colour = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    pairs = [(text, ground) for text in ("ink", "soft", "accent") for ground in ("paper", "card", "wash")]
    pairs += [
        (tone, ground) for tone in ("good", "bad", "doubt", "calm") for ground in ("card", "paper", f"{tone}-wash")
    ]
    pairs += [("ink", "good-wash"), ("ink", "bad-wash")]
    for text, ground in pairs:
        light, dark = sorted((luminance(colour[text]), luminance(colour[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


def test_a_limit_too_small_for_anything_still_gives_the_verdict():
    html = html_report(blocked(), Limits(1_000, 1_000))
    assert "Blocked" in html


@pytest.fixture
def page(tmp_path):
    """A page of a real browser, which is over 18 inches wide, and what it complains about."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800}, bypass_csp=True)
        page.problems = []
        page.on("console", lambda message: page.problems.append(message.text))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.show = lambda card: (
            (tmp_path / "report.html").write_text(html_report(card)),
            page.goto((tmp_path / "report.html").as_uri()),
        )
        yield page
        assert page.problems == []
        browser.close()


BROWSER = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")


@pytest.mark.browser
@BROWSER
def test_sorting_filtering_and_the_theme_work_in_a_browser(page):
    page.show(blocked())
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1280, "height": 800})
    rows = page.locator("#l1-table tbody tr:visible")
    tools = page.locator(".tools >> nth=0")
    tools.locator("input").focus()
    page.keyboard.type("inject-03")
    assert rows.count() == 1
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.press("Tab")
    page.keyboard.type("worse")  # the name of a result, in the list that has the focus
    page.keyboard.press("Enter")
    assert (tools.locator("select[name=result]").input_value(), rows.count()) == ("regressed", 5)
    head = page.locator("#l1-table thead button", has_text="Case")
    head.focus()
    page.keyboard.press("Enter")
    assert rows.first.locator("th code").inner_text() == "inject-01"
    page.keyboard.press("Enter")
    assert rows.first.locator("th code").inner_text() == "ticket-01"
    background = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(background)
    page.locator("#theme").click()
    assert page.evaluate(background) != before
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(background) == before, "paper is light, whatever the screen's theme is"


def few_cases(card):
    """The scorecard with a dozen cases of each lineage: more rows are alike, and axe looks at every one."""
    cards = tuple(each.model_copy(update={"cases": each.cases[:12]}) for each in card.lineages)
    return card.model_copy(update={"lineages": cards})


@pytest.mark.browser
@BROWSER
@pytest.mark.parametrize("state", ["blocked", "error"])
@pytest.mark.slow
def test_axe_finds_no_violation_in_either_theme(page, state):
    axe = Path("node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.show(few_cases(STATES[state]()))
        page.locator("details").evaluate_all("all => all.forEach((each) => { each.open = true; })")
        page.evaluate(axe)
        found = page.evaluate("axe.run()")
        problems = [(each["id"], each["nodes"][0]["html"][:200]) for each in found["violations"]]
        assert problems == [], scheme
        assert len(found["passes"]) > 20


def test_a_report_of_many_prompts_is_rendered_few_times(monkeypatch):
    pages = []
    monkeypatch.setattr(html, "html_for_logs", lambda page: pages.append(page) or html_for_logs(page))
    cards = tuple(triage().model_copy(update={"lineage": f"prompt-{n}"}) for n in range(60))
    report = html_report(scorecard(lineages=cards))
    assert REPORT.hold(report)
    # The levels between the two would not fit either.
    assert len(pages) == 2
    assert all(f"prompt-{n}" in report for n in range(60))
