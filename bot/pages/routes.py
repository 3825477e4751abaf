"""The routes of the pages. Every route answers 404 for a repository that the reader has no access to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from bot.pages.access import Role
from bot.pages.views.alerts import alerts
from bot.pages.views.case import case
from bot.pages.views.compare import compare
from bot.pages.views.experiment import experiment
from bot.pages.views.home import home, organization
from bot.pages.views.improve import improve, suggestion
from bot.pages.views.lineage import lineage
from bot.pages.views.models import models
from bot.pages.views.new_case import new_case
from bot.pages.views.playground import playground
from bot.pages.views.playground_save import keep, save
from bot.pages.views.production import production
from bot.pages.views.raise_case import add, protect
from bot.pages.views.repository import audit, repository
from bot.pages.views.run import run
from bot.pages.views.settings import settings
from bot.pages.views.tags import tags
from bot.pages.views.tests import tests

if TYPE_CHECKING:
    from bot.pages.context import Context, Page, Redirect

REPOSITORY = "/repositories/{repository:int}"
RUN = f"{REPOSITORY}/runs/{{run:int}}"
EXPERIMENT = f"{RUN}/experiments/{{experiment:int}}"
CASE = f"{EXPERIMENT}/cases/{{position:int}}"
LINEAGE = f"{REPOSITORY}/lineages/{{lineage:int}}"


class PageRoute(NamedTuple):
    """One page. ``view`` returns ``None`` for something that doesn't exist."""

    path: str
    view: Callable[[Context], Page | Redirect | None]
    role: Role = Role.READ
    form: bool = False
    """Whether the page also takes a form."""


ROUTES = (
    PageRoute("/", home),
    PageRoute("/organizations/{owner}", organization),
    PageRoute(REPOSITORY, repository),
    PageRoute(f"{REPOSITORY}/audit", audit),
    PageRoute(f"{REPOSITORY}/alerts", alerts, form=True),
    PageRoute(f"{REPOSITORY}/settings", settings),
    PageRoute(f"{REPOSITORY}/production", production),
    PageRoute(RUN, run, form=True),
    PageRoute(EXPERIMENT, run),
    PageRoute(CASE, case),
    PageRoute(f"{CASE}/protect", protect, form=True),
    PageRoute(f"{CASE}/add", add, form=True),
    PageRoute(LINEAGE, lineage),
    PageRoute(f"{LINEAGE}/compare", compare),
    PageRoute(f"{LINEAGE}/models", models),
    PageRoute(f"{LINEAGE}/tests", tests),
    PageRoute(f"{LINEAGE}/new-case", new_case, form=True),
    PageRoute(f"{LINEAGE}/experiment", experiment, role=Role.WRITE, form=True),
    PageRoute(f"{LINEAGE}/playground", playground, form=True),
    PageRoute(f"{LINEAGE}/playground/save", save, form=True),
    PageRoute(f"{LINEAGE}/playground/keep", keep, form=True),
    PageRoute(f"{LINEAGE}/tags", tags, form=True),
    PageRoute(f"{LINEAGE}/improve", improve, role=Role.WRITE, form=True),
    PageRoute(f"{REPOSITORY}/suggestions/{{suggestion:int}}", suggestion, form=True),
    PageRoute(f"{LINEAGE}/production", production),
)
