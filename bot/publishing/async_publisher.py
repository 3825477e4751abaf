"""The publisher for code that runs in the event loop."""

from __future__ import annotations

from bot.blocking import Threaded, in_thread
from bot.publishing.publisher import VerdictPublisher


class AsyncPublisher(Threaded[VerdictPublisher]):
    """``VerdictPublisher`` for code that runs in the event loop."""

    cancel_check = in_thread(VerdictPublisher.cancel_check)
    check_name = in_thread(VerdictPublisher.check_name)
    current = in_thread(VerdictPublisher.current)
    newest_run_id = in_thread(VerdictPublisher.newest_run_id)
    publish = in_thread(VerdictPublisher.publish)
    pull_request = in_thread(VerdictPublisher.pull_request)
    refresh_comment = in_thread(VerdictPublisher.refresh_comment)
    show_failure = in_thread(VerdictPublisher.show_failure)
    show_progress = in_thread(VerdictPublisher.show_progress)
    show_running = in_thread(VerdictPublisher.show_running)
    show_waiting = in_thread(VerdictPublisher.show_waiting)
    start_check = in_thread(VerdictPublisher.start_check)
