"""The HTML form for people without a terminal: one file, nothing from outside, by keyboard and on a phone."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import Phase, example, given, settings

from engine.readers.labels import read_labels
from engine.render.label_form import label_form
from schemas.rubrics import Dimension, Rubric, SampleAnswer
from tests.render.surfaces import hostile_texts
from tests.render.test_html import BROWSER, CHROMIUM, Tags

pytestmark = pytest.mark.slow

RUBRIC = Rubric(
    dimensions={
        "tone": Dimension(description="Whether it is kind.", anchors={5: "kind", 1: "rude"}),
        "form": Dimension(description="Whether it is a letter."),
    }
)
ATTACK = (
    "</script><script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\"> \u2028 \u202e"
)
ANSWERS = [
    SampleAnswer(id="a-1", inputs={"name": "Ann", "n": 9007199254740993, "x": 1.0}, output="Dear Ann,\n\nHello."),
    SampleAnswer(id="a-2", inputs={ATTACK: ATTACK}, expected={"k": [1]}, output=ATTACK * 3),
    SampleAnswer(id="a-3", output="long " * 400 + "w" * 300),
]


def form(answers=ANSWERS):
    return label_form("letters", RUBRIC, answers)


def structure(text):
    return [(tag, sorted(attrs)) for tag, attrs in Tags(form([ANSWERS[0].model_copy(update={"inputs": {text: text}, "expected": text, "output": text})])).found]  # fmt: skip


@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(hostile_texts.filter(bool))
@example(ATTACK)
@example("<!--<script>")
def test_no_text_changes_the_structure_of_the_form_and_the_lines_keep_it(text):
    assert structure(text) == structure("xy")
    answer = SampleAnswer(id="a", inputs={"x": text}, output=text)
    data = json.loads(re.search(r'id="data">(.*?)</script>', form([answer]))[1])
    assert SampleAnswer.model_validate_json(data["rows"][0] + "}") == answer


def test_the_form_is_one_file_that_loads_nothing_and_tells_no_version():
    page = Tags(form())
    assert not page.of("link") + page.of("img") + page.of("iframe")
    assert all("src" not in attrs for _, attrs in page.found)
    assert all(not name.startswith("on") and name != "style" for _, attrs in page.found for name in attrs)
    assert page.of("meta")[1]["content"].startswith("default-src 'none'")
    assert not re.search("baseline|candidate", re.sub("<style>.*?</style>", "", form(), flags=re.DOTALL))
    assert re.search("[\u202e\u2028]", form()) is None


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM))
        yield opened
        opened.close()


@pytest.mark.browser
@BROWSER
def test_a_person_grades_by_keyboard_comes_back_and_sends_the_lines(browser, tmp_path):
    (tmp_path / "form.html").write_text(form(), encoding="utf-8")
    context = browser.new_context(viewport={"width": 390, "height": 800}, accept_downloads=True)
    context.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())
    page = context.new_page()
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text))
    page.goto((tmp_path / "form.html").as_uri())
    assert page.locator("section[data-answer]:visible h2").inner_text() == "Answer 1 of 3"
    page.keyboard.press("4")
    assert page.locator("#next").inner_text() == "Skip"
    page.keyboard.press("2")
    assert (page.locator("#progress").inner_text(), page.locator("#next").inner_text()) == ("1 of 3 graded", "Next")
    graded = page.locator("#lines").input_value()
    page.keyboard.press("1")  # a digit too many, on Next, regrades nothing
    assert page.locator("#lines").input_value() == graded
    page.keyboard.press("Enter")  # Next has the focus
    page.keyboard.press("5")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.reload()  # half-way through an answer
    assert page.locator("section[data-answer]:visible h2").inner_text() == "Answer 2 of 3"
    page.keyboard.press("s")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("section[data-answer]:visible fieldset").last.locator("input[value='2']").focus()
    page.keyboard.press("3")  # out of order: the focus goes to what is still open, not to Next
    assert page.evaluate("document.activeElement.closest('fieldset').querySelector('legend').innerText") == "tone"
    page.locator("section[data-answer]:visible label", has_text="kind").click()
    page.keyboard.press("b")
    page.keyboard.press("b")
    page.locator("section[data-answer]:visible input[value='5']").first.focus()
    page.keyboard.press("ArrowDown")  # a radio group, as everywhere
    page.keyboard.press("ArrowDown")
    with page.expect_download() as waiting:
        page.locator("#download").click()
    assert waiting.value.suggested_filename == "letters.labels.jsonl"
    data = Path(waiting.value.path()).read_bytes()
    found = read_labels("x", data, RUBRIC)
    assert [(one.id, one.grades) for one in found] == [
        ("a-1", {"tone": 3, "form": 2}),
        ("a-2", {"tone": 5}),
        ("a-3", {"tone": 5, "form": 3}),
    ]
    assert [SampleAnswer(**one.model_dump(exclude={"grades"})) for one in found] == ANSWERS
    assert page.locator("#lines").input_value() == data.decode()
    page.locator("#copy").click()
    page.wait_for_function("document.getElementById('copied').textContent")
    assert page.locator("#copied").inner_text() in ("Copied.", "Copy the selected lines.")
    assert (page.title(), problems) == ("Grade answers: letters", [])


@pytest.mark.browser
@BROWSER
def test_axe_finds_no_violation_at_either_width_in_either_theme(browser, tmp_path):
    (tmp_path / "form.html").write_text(form(), encoding="utf-8")
    axe = Path("node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
    for width, scheme in ((390, "light"), (1012, "dark")):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.goto((tmp_path / "form.html").as_uri())
        page.keyboard.press("4")
        page.locator("details").evaluate_all("all => all.forEach((each) => { each.open = true; })")
        page.evaluate(axe)
        found = page.evaluate("axe.run()")
        assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found["violations"]] == []
        assert len(found["passes"]) > 20
        assert page.evaluate("document.documentElement.scrollWidth") <= width
