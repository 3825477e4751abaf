"""Renders answers to grade as one self-contained HTML form: no external resource, for people without a terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence

from engine.render.html import page_environment, page_policy, page_source
from schemas.calibration import GRADES
from schemas.rubrics import Rubric, SampleAnswer
from schemas.values import digest_of


def label_form(lineage: str, rubric: Rubric, answers: Sequence[SampleAnswer]) -> str:
    """Returns the form. Its script saves every grade in the browser, and gives the lines of the label file."""
    from markupsafe import Markup

    style = page_source("report.css") + page_source("label_form.css")
    script = page_source("label_form.js")
    rows = [json.dumps(answer.model_dump(mode="json", exclude_defaults=True), ensure_ascii=True) for answer in answers]
    data = {
        # Grades of other answers or dimensions are not this form's.
        "key": f"promptverdict-{digest_of([lineage, list(rubric.dimensions), rows])[:16]}",
        "file": f"{lineage.rpartition('/')[2]}.labels.jsonl",
        "dimensions": list(rubric.dimensions),
        # Whole lines but for their last brace: a browser would write some numbers in another form.
        "rows": [row[:-1] for row in rows],
    }
    return (
        page_environment()
        .get_template("label_form.html.jinja")
        .render(
            lineage=lineage,
            rubric=rubric,
            answers=answers,
            grades=list(reversed(GRADES)),
            texts=[[(name, _text(value)) for name, value in answer.inputs.items()] for answer in answers],
            references=[None if answer.expected is None else _text(answer.expected) for answer in answers],
            data=Markup(_script_safe(json.dumps(data))),  # noqa: S704 - escaped for a script element
            style=style,
            script=script,
            policy=page_policy(style, script),
        )
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)


def _script_safe(text: str) -> str:
    """Returns JSON that can't end its script element or start a comment in it."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
