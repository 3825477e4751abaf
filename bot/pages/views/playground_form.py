"""The playground's form: a draft as fields, and the fields as a draft."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.pages.views.spending import known_costs, price_of
from engine.pages.render import typed, untyped
from engine.playground.draft import DraftEdit, Pick
from engine.playground.estimate import Estimate, estimate, of_history, per_case, worst_call
from engine.prompt_edits.edit import like
from engine.readers.dialects import names_in
from engine.render.figures import usd
from schemas.errors import ConfigError
from schemas.values import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.pages.context import Context
    from bot.store.page_values import KeptVersion, LineagePage
    from engine.playground.opened import Opened

PARAMETERS = ("temperature", "max_tokens", "top_p")
"""The parameters in the form."""
WHOLE = ("max_tokens",)
LISTED = 200
"""Cases and slices in the form."""
MOST_INPUTS = 12
ROLES = {
    "system": "System message",
    "developer": "Developer message",
    "user": "User message",
    "assistant": "Example answer",
}


@dataclass(frozen=True)
class MessageField:
    """One message in the form."""

    index: int
    label: str
    text: str
    edited: bool
    mark: str
    """Of the committed text."""
    moved: bool = False
    """Whether the committed text has changed since the draft replaced it."""


@dataclass(frozen=True)
class ModelOption:
    """A model in the form."""

    name: str
    text: str
    usable: bool


def edit_of(opened: Opened, form: Mapping[str, str], kept: DraftEdit | None = None) -> DraftEdit:
    """Reads the form of the draft that was ``kept`` before. What equals the prompt as it is, is no edit.

    Nor is what equals the prompt as the page showed it (``seen.``): the branch may have moved since, and a field that
    the person left alone must not undo that. Raises ConfigError for a number that is none.
    """
    texts = _texts(opened, form)
    model = None if form.get("model") == form.get("seen.model") else form.get("model")
    pick = form.get("pick", "")
    chosen = Pick(pick) if pick in tuple(Pick) else Pick.ALL
    name = {Pick.SLICE: form.get("slice", ""), Pick.CASE: form.get("case", "")}.get(chosen, "")
    known = kept.before if kept is not None else {}
    return DraftEdit(
        texts=texts,
        before={
            index: known.get(index) or form.get(f"seen.text.{index}") or mark_of(opened.prompt.messages[index].content)
            for index in texts
        },
        model=None if model == opened.model else model or None,
        parameters=_parameters(opened, form),
        pick=chosen,
        name=name[:500],
        inputs={one: form.get(f"input.{one}", "") for one in inputs_of(opened)},
        expected=form.get("expected", ""),
        page=form.get("page", "")[:64],
    )


def _texts(opened: Opened, form: Mapping[str, str]) -> dict[int, str]:
    found = {}
    for index, message in enumerate(opened.prompt.messages):
        given = form.get(f"text.{index}")
        if given is not None and mark_of(given) not in (form.get(f"seen.text.{index}"), mark_of(message.content)):
            text = like(message.content, untyped(message.content, given))
            if text != message.content:
                found[index] = text
    return found


def _parameters(opened: Opened, form: Mapping[str, str]) -> dict[str, int | float | None]:
    now, found = opened.parameters(), {}
    for name in PARAMETERS:
        field = f"parameter.{name}"
        if field not in form or form[field] == form.get(f"seen.{field}"):
            continue
        if (value := _number(name, form[field])) != now.get(name):
            found[name] = value
    return found


def mark_of(text: str) -> str:
    """Returns a digest of a text. It is the same for the text as its field shows it and sends it back."""
    from html import unescape

    return digest_of(unescape(str(typed(text))))[:16]


def _number(name: str, text: str) -> int | float | None:
    text = text.strip().replace(",", ".")
    if not text:
        return None
    try:
        value = int(text) if name in WHOLE else float(text)
    except ValueError:
        raise ConfigError(f"{name} is {text[:40]!r}, not a number", hint="leave it empty for the default") from None
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def from_version(opened: Opened, version: KeptVersion) -> DraftEdit:
    """Returns the draft that makes an earlier version of the prompt as it is now, as far as it still fits."""
    try:
        content = json.loads(version.content)
        kept = [str(one["content"]) for one in content["messages"]]
        given = content.get("parameters") or {}
    except (ValueError, KeyError, TypeError):
        return DraftEdit()
    own = opened.prompt.messages
    texts = {
        index: like(own[index].content, text)
        for index, text in enumerate(kept[: len(own)])
        if like(own[index].content, text) != own[index].content
    }
    now = opened.parameters()
    changed = {name: given[name] for name in PARAMETERS if name in given and given[name] != now.get(name)}
    names = [name for name in opened.models if name in opened.config.models]
    model = next((name for name in names if opened.config.models[name].model == version.model), None)
    return DraftEdit(texts=texts, parameters=changed, model=None if model == opened.model else model)


def inputs_of(opened: Opened) -> list[str]:
    """Returns the names of the inputs of a case: those that the cases have, else those that the prompt names."""
    tests = opened.change.tests
    names: dict[str, None] = {}
    for case in (tests.cases if tests else ())[:100]:
        names |= dict.fromkeys(case.inputs)
    if not names:
        for message in opened.prompt.messages:
            names |= dict.fromkeys(names_in(message.content, opened.prompt.dialect))
    return list(names)[:MOST_INPUTS]


def fields(context: Context, page: LineagePage, opened: Opened, edit: DraftEdit) -> dict[str, object]:
    """Returns the values of the form."""
    sent = opened.parameters()
    now = {**sent, **edit.parameters}
    tests = opened.change.tests
    cases = tests.cases if tests else ()
    slices: dict[str, int] = {}
    for case in cases:
        for name in case.slices:
            slices[name] = slices.get(name, 0) + 1
    messages = [
        MessageField(
            index,
            _label(opened, index),
            edit.texts.get(index, message.content),
            index in edit.texts,
            mark := mark_of(message.content),
            index in edit.texts and edit.before.get(index, mark) != mark,
        )
        for index, message in enumerate(opened.prompt.messages)
    ]
    return {
        "messages": messages,
        "models": _models(opened),
        "model": edit.model or opened.model,
        "committed_model": opened.model,
        "parameters": [(name, name.replace("_", " "), now.get(name), sent.get(name)) for name in PARAMETERS],
        "changed": [name for name in PARAMETERS if name in edit.parameters],
        "pick": edit.pick.value,
        "name": edit.name,
        "total": len(cases),
        "slices": sorted(slices.items(), key=lambda one: -one[1])[:LISTED],
        "cases": [case.id for case in cases[:LISTED]],
        "inputs": [(name, edit.inputs.get(name, "")) for name in inputs_of(opened)],
        "expected": edit.expected,
        "estimates": _estimates(context, page, opened, edit),
    }


def _label(opened: Opened, index: int) -> str:
    """Returns the name of a message: its role, with a number where several have that role."""
    role = opened.prompt.messages[index].role
    same = [n for n, one in enumerate(opened.prompt.messages) if one.role is role]
    return ROLES[role.value] + (f" {same.index(index) + 1}" if len(same) > 1 else "")


def _models(opened: Opened) -> list[ModelOption]:
    options = []
    for name in opened.models[:LISTED]:
        model = opened.config.models.get(name)
        if model is None:  # the provider's own, which the prompt's file names
            options.append(ModelOption(name, name, True))
            continue
        price = price_of(model)
        cost = (
            "no known price" if price is None else f"{usd(price.input)} in, {usd(price.output)} out per million tokens"
        )
        options.append(ModelOption(name, f"{name} ({cost})", price is not None))
    return options


def estimate_of(context: Context, page: LineagePage, opened: Opened, edit: DraftEdit) -> Estimate | None:
    """Returns the cost of a run before it, on all of its models; ``None`` if a price is unknown."""
    costs = known_costs(context, page)
    names = (pair.name for pair in opened.change.models)
    pairs = [(edit.model, opened.model)] if edit.model is not None else [(name, name) for name in names]
    found = [_estimate(opened, edit, *pair, costs) for pair in pairs]
    known = [one for one in found if one is not None]
    if not known or len(known) < len(found):
        return None
    return Estimate(
        known[0].cases,
        sum((one.least_usd for one in known), Decimal(0)),
        sum((one.most_usd for one in known), Decimal(0)),
        max(one.call_usd for one in known),
    )


def _estimate(
    opened: Opened, edit: DraftEdit, name: str, before: str | None, costs: Mapping[str, Decimal]
) -> Estimate | None:
    """Returns the cost on one model. ``before`` is the model of the committed version."""
    change, sent = opened.change, opened.parameters()
    models = {pair.name: pair.candidate for pair in change.models} | dict(opened.config.models)
    prices = [
        None if model is None else price_of(model)
        for model in (models.get(name), models.get(before or ""), *change.judges)
    ]
    known = [one for one in prices if one is not None]
    if len(known) < len(prices):
        return None
    price, old_price, *judges = known
    messages = [
        message.model_copy(update={"content": edit.texts.get(index, message.content)})
        for index, message in enumerate(opened.prompt.messages)
    ]
    cases = change.tests.cases if change.tests else ()
    inputs = [edit.inputs] if edit.pick is Pick.OWN else [case.inputs for case in cases]
    limit = {**sent, **edit.parameters}.get("max_tokens")
    own = per_case(messages, inputs, price, limit)
    # History knows the answers' lengths. The draft's text may be longer or shorter than the measured one.
    grown = own - per_case(opened.prompt.messages, inputs, price, limit)
    each = max(of_history(costs[name]) + grown, own / 4) if name in costs else own
    was = per_case(opened.prompt.messages, inputs, old_price, sent.get("max_tokens"))
    old = of_history(costs[before]) if before is not None and before in costs else was
    repeated = count(opened, edit) * max(change.gate.repetitions, 1)
    return estimate(repeated, each, old, judges, worst_call(messages, inputs, known, limit))


def _estimates(
    context: Context, page: LineagePage, opened: Opened, edit: DraftEdit
) -> list[tuple[str, Estimate | None]]:
    """Returns the costs of the picked cases, of all, and of one."""
    picks = {edit.pick: edit.name, Pick.ALL: "", Pick.CASE: ""} if opened.change.tests else {Pick.OWN: ""}
    named = [edit.model_copy(update={"pick": pick, "name": name}) for pick, name in picks.items()]
    words = {Pick.ALL: "All cases", Pick.SLICE: f"Slice {edit.name}", Pick.CASE: "One case", Pick.OWN: "My own input"}
    return [(words[one.pick], estimate_of(context, page, opened, one)) for one in named]


def count(opened: Opened, edit: DraftEdit) -> int:
    """Returns how many cases a run has."""
    cases = opened.change.tests.cases if opened.change.tests else ()
    if edit.pick in (Pick.CASE, Pick.OWN):
        return 1
    return len(cases) if edit.pick is Pick.ALL else sum(edit.name in case.slices for case in cases)
