"""The page that starts an experiment: one prompt of the default branch on several models, with its cost before."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from bot.pages import addresses
from bot.pages.addresses import with_query
from bot.pages.context import Page
from bot.pages.views.crumbs import of_repository
from bot.pages.views.spending import asking, check_caps, known_costs, price_of
from bot.store.values import ExperimentRequest
from engine.readers.config import read_config
from engine.render.figures import usd
from schemas.errors import BudgetExceeded, ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.pages.context import Context
    from bot.store.page_values import LineagePage, SliceCount
    from bot.store.values import Run
    from schemas.config import Config
    from schemas.pricing import Price

CONFIG = "promptverdict.yaml"
MOST_MODELS = 8
LISTED = 40
"""Models and slices in the form."""


@dataclass(frozen=True)
class ModelChoice:
    """A model that the configuration names."""

    name: str
    model: str
    chosen: bool
    price: str
    """USD per million tokens, or why it is unknown. A model without a price can't run."""
    usable: bool
    cost: str
    """For every case."""
    most_usd: Decimal | None = None
    """The most that every case probably costs; ``None``: unknown."""


class _Plan(NamedTuple):
    """What the form offers."""

    commit: str
    branch: str
    models: list[ModelChoice]
    slices: list[SliceCount]
    cases: int


def experiment(context: Context) -> Page | None:
    """Shows the form; after it was sent, the run that it started."""
    repo, lineage_id = context.repository, context.path["lineage"]
    page = context.records.lineage_page(repo.repository_id, lineage_id, context.bounds(0), merged=False)
    if page is None:
        return None
    here = addresses.lineage(repo.repository_id, lineage_id)
    values: dict[str, object] = {
        "plan": None, "refusal": None, "run": None, "wrong": None, "most": MOST_MODELS,
        "slice": context.form.get("slice", ""), "address": f"{here}/experiment", "facts": context.facts,
        "github": context.github,
    }  # fmt: skip
    try:
        plan = _plan(context, page)
        values["plan"] = plan
        if context.form:
            run = _started(context, page, plan)
            run_address = addresses.run(repo.repository_id, run.sequence)
            values |= {"run": run, "run_address": with_query(run_address, {"follow": 1})}
    except (ConfigError, BudgetExceeded) as error:
        values["wrong" if values["plan"] else "refusal"] = f"{error.what}{f' ({error.hint})' if error.hint else ''}."
    crumbs = (*of_repository(repo), (page.name, here), ("Models", f"{here}/models"), ("Experiment", None))
    return Page("experiment", f"{page.name}: experiment on several models", values, crumbs)


def _plan(context: Context, page: LineagePage) -> _Plan:
    """Reads what can be measured. Raises ConfigError, HostError and SignedOut."""
    file = context.visitor.default_file(context.repository, CONFIG)
    if file is None:
        raise ConfigError(f"the default branch has no {CONFIG} at its root")
    config = read_config(CONFIG, file.data)
    if page.name not in config.lineages:
        raise ConfigError(f"{CONFIG} of the default branch names no prompt {page.name}")
    _, newest, _ = context.records.newest_experiment(page.id) or (0, 0, "")
    cases = context.records.case_history(newest).cases
    costs = known_costs(context, page)
    chosen = {name for name in config.models if context.form.get(f"model.{name}") == "on"}
    if not context.form:
        chosen = _configured(config, page.name)
    models = [_choice(name, config, costs, cases, name in chosen) for name in list(config.models)[:LISTED]]
    slices = sorted(context.records.case_slices(newest), key=lambda one: -one.cases)
    return _Plan(file.commit, file.branch, models, slices[:LISTED], cases)


def _configured(config: Config, lineage: str) -> set[str]:
    own = config.lineages[lineage].model or config.defaults.model or ()
    return {own} if isinstance(own, str) else set(own)


def _choice(name: str, config: Config, costs: Mapping[str, Decimal], cases: int, chosen: bool) -> ModelChoice:
    model = config.models[name]
    price = price_of(model)
    if price is None:
        return ModelChoice(name, model.model, False, "no known price; add one in the configuration", False, "")
    shown = f"{usd(price.input)} in, {usd(price.output)} out"
    bounds = _per_1000(name, price, config, costs)
    amounts = [one * cases / 1_000 for one in bounds or ()]
    cost = _range(amounts) if amounts else "unknown"
    return ModelChoice(name, model.model, chosen, shown, True, cost, amounts[-1] if amounts else None)


def _per_1000(name: str, price: Price, config: Config, costs: Mapping[str, Decimal]) -> Sequence[Decimal] | None:
    """Returns the least and the most that 1,000 cases probably cost; ``None`` without a model to go by.

    A model that was measured costs what it cost. Another one costs what the first measured one did, times the ratio of
    their prices: between that of input tokens and that of output tokens. Its answers may be longer, though.
    """
    if name in costs:
        return [costs[name]]
    for known, cost in costs.items():
        other = price_of(config.models[known]) if known in config.models else None
        if other is not None and other.input and other.output:
            return sorted({cost * price.input / other.input, cost * price.output / other.output})
    return None


def _range(amounts: Sequence[Decimal]) -> str:
    first, last = usd(amounts[0]), usd(amounts[-1])
    return f"about {first}" if first == last else f"about {first} to {last}"


def _started(context: Context, page: LineagePage, plan: _Plan) -> Run:
    """Records the request. Raises ConfigError for a form that asks for nothing or for too much, and BudgetExceeded."""
    models = tuple(one.name for one in plan.models if one.chosen and one.usable)
    name = context.form.get("slice", "")
    if not models:
        raise ConfigError("no model is chosen", hint="choose at least one")
    if len(models) > MOST_MODELS:
        raise ConfigError(f"{len(models)} models are chosen, and at most {MOST_MODELS} run together")
    if name and name not in {one.name for one in plan.slices}:
        raise ConfigError(f"the newest run has no slice {name}")
    check_caps(context)
    request = ExperimentRequest(lineage=page.name, models=models, slice=name or None, by=context.visitor.login or "")
    ask = asking(context, _most(plan, models))
    return context.records.ask(context.repository, plan.commit, plan.branch, request, ask, at=context.now)


def _most(plan: _Plan, models: Sequence[str]) -> Decimal | None:
    """Returns the most that the chosen models probably cost together; ``None`` if one of them is unknown."""
    bounds = [one.most_usd for one in plan.models if one.name in models]
    return None if None in bounds else sum((one for one in bounds if one is not None), Decimal(0))
