"""The tables that are deleted with a repository."""

from __future__ import annotations

from bot.store.alert_tables import AlertEpisodes, Alerts, WatchAnswers, Watches
from bot.store.asked_tables import AskedAnswers, AskedRuns, Drafts
from bot.store.hub_tables import HubVersions, MoveDeployments, Promotions, ReadTokens, TagMoves
from bot.store.name_tables import FormerNames
from bot.store.production_tables import ProductionContents, ProductionHours, ProductionSettings, ProductionSpans
from bot.store.suggest_tables import Suggestions
from bot.store.tables import (
    AuditReasons,
    CaseDocuments,
    CaseResults,
    Commands,
    Comments,
    Comparisons,
    Experiments,
    Lineages,
    Outcomes,
    PromptVersions,
    Repositories,
    Runs,
    Table,
    TestSetSnapshots,
    Verdicts,
)

CONTENT: tuple[type[Table], ...] = (
    AskedAnswers, AskedRuns, Drafts, CaseDocuments, CaseResults, Comparisons, Experiments, PromptVersions,
    TestSetSnapshots, Lineages, Verdicts, Runs, Comments, Commands, Outcomes, MoveDeployments, Promotions, ReadTokens,
    ProductionSpans, ProductionHours, ProductionContents, ProductionSettings, Alerts, AlertEpisodes, Watches,
    WatchAnswers, Suggestions, FormerNames, Repositories, AuditReasons, TagMoves, HubVersions,
)  # fmt: skip
"""Every table that belongs to a repository, children first. Triggers let those after it go only after it."""
