"""The records for code that runs in the event loop."""

from __future__ import annotations

from bot.blocking import Threaded, in_thread
from bot.store.records import Records


class AsyncRecords(Threaded[Records]):
    """``Records`` with awaitable methods. Each is a transaction of its own and raises StoreError."""

    migrate = in_thread(Records.migrate)
    # deliveries
    claim = in_thread(Records.claim)
    give_back = in_thread(Records.give_back)
    handled = in_thread(Records.handled)
    known_deliveries = in_thread(Records.known_deliveries)
    receive = in_thread(Records.receive)
    retry = in_thread(Records.retry)
    # installations and repositories
    covered = in_thread(Records.covered)
    installations = in_thread(Records.installations)
    installed = in_thread(Records.installed)
    repositories = in_thread(Records.repositories)
    repositories_removed = in_thread(Records.repositories_removed)
    repository = in_thread(Records.repository)
    suspended = in_thread(Records.suspended)
    suspended_installations = in_thread(Records.suspended_installations)
    uninstalled = in_thread(Records.uninstalled)
    # runs and verdicts
    current_run = in_thread(Records.current_run)
    digest = in_thread(Records.digest)
    finish = in_thread(Records.finish)
    is_base = in_thread(Records.is_base)
    keep_verdict = in_thread(Records.keep_verdict)
    note_progress = in_thread(Records.note_progress)
    older_runs = in_thread(Records.older_runs)
    open_run = in_thread(Records.open_run)
    open_runs = in_thread(Records.open_runs)
    open_runs_of = in_thread(Records.open_runs_of)
    run = in_thread(Records.run)
    repository_by_id = in_thread(Records.repository_by_id)
    runs_of_head = in_thread(Records.runs_of_head)
    start = in_thread(Records.start)
    shown = in_thread(Records.shown)
    verdict = in_thread(Records.verdict)
    verdicts_of_head = in_thread(Records.verdicts_of_head)
    verdicts_shown = in_thread(Records.verdicts_shown)
    # approvals and commands
    approved_head = in_thread(Records.approved_head)
    audit = in_thread(Records.audit)
    audit_log = in_thread(Records.audit_log)
    audited = in_thread(Records.audited)
    begin_command = in_thread(Records.begin_command)
    end_command = in_thread(Records.end_command)
    overrides = in_thread(Records.overrides)
    # what people ask for on pages
    add_answers = in_thread(Records.add_answers)
    asked_run = in_thread(Records.asked_run)
    asked_to_start = in_thread(Records.asked_to_start)
    answers_after = in_thread(Records.answers_after)
    note_asked = in_thread(Records.note_asked)
    settle = in_thread(Records.settle)
    # the hub
    end_promotion = in_thread(Records.end_promotion)
    hub_version = in_thread(Records.hub_version)
    open_promotions = in_thread(Records.open_promotions)
    promotion_of_run = in_thread(Records.promotion_of_run)
    reported = in_thread(Records.reported)
    start_promotion = in_thread(Records.start_promotion)
    tags = in_thread(Records.tags)
    unreported_moves = in_thread(Records.unreported_moves)
    # suggested edits
    end_suggestion = in_thread(Records.end_suggestion)
    open_suggestions = in_thread(Records.open_suggestions)
    start_suggestion = in_thread(Records.start_suggestion)
    suggestion = in_thread(Records.suggestion)
    suggestion_is_open = in_thread(Records.suggestion_is_open)
    suggestion_of_run = in_thread(Records.suggestion_of_run)
    suggestion_opened = in_thread(Records.suggestion_opened)
    suggestion_spends = in_thread(Records.suggestion_spends)
    # alerts
    episode_told = in_thread(Records.episode_told)
    due_watches = in_thread(Records.due_watches)
    keep_watched = in_thread(Records.keep_watched)
    take_turn = in_thread(Records.take_turn)
    watch_goes_on = in_thread(Records.watch_goes_on)
    watch_of_run = in_thread(Records.watch_of_run)
    untold_episodes = in_thread(Records.untold_episodes)
    # workers, money, retention
    dead_slots = in_thread(Records.dead_slots)
    first_slot = in_thread(Records.first_slot)
    forget_slot = in_thread(Records.forget_slot)
    heartbeat = in_thread(Records.heartbeat)
    orphaned_outcomes = in_thread(Records.orphaned_outcomes)
    outcomes_deleted = in_thread(Records.outcomes_deleted)
    prune = in_thread(Records.prune)
    spend = in_thread(Records.spend)
    use_outcomes = in_thread(Records.use_outcomes)
