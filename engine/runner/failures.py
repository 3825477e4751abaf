"""Counts failed calls by host and cause, and says how to fix each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.readers.bounded import shown
from schemas.config import RunConfig
from schemas.errors import ProviderError
from schemas.outcomes import Arm, Completion, CompletionError, ErrorKind, EvaluatorFailure, Outcome
from schemas.prompts import Finding

RUN_AGAIN = "run again; finished answers are kept and not paid for twice"
FIXES = {
    ErrorKind.RATE_LIMITED: f"lower run.max_concurrency, or raise the key's rate limit or run.deadline_s; {RUN_AGAIN}",
    ErrorKind.QUOTA: f"the account's credit or quota is used up; raise it, then {RUN_AGAIN}",
    ErrorKind.TIMEOUT: "the call timed out; lower run.max_concurrency{concurrency} or raise run.timeout_s{timeout}",
    ErrorKind.SERVER: f"look at the provider's status page or the server's log, then {RUN_AGAIN}",
    ErrorKind.TRANSPORT: "check base_url and the network; behind a proxy, set PROMPTVERDICT_PROXY, and"
    " PROMPTVERDICT_CA_BUNDLE if it has its own certificates",
    ErrorKind.MALFORMED: "check that base_url is the API's address (it often ends in /v1) and that no proxy answers"
    " instead",
    ErrorKind.BAD_REQUEST: "correct the model's name or parameters, or shorten the case",
    ErrorKind.AUTHENTICATION: "check the key in the environment variable that the model's api_key_env names, and that"
    " it may use this model",
    ErrorKind.REDIRECT: "set base_url to the final address; requests with a key don't follow redirects",
    ErrorKind.UNPRICED: "add what is missing to the model's `price` in promptverdict.yaml; the answers are kept",
}
"""The fix for each kind of error, unless the error has its own."""
SCORER_FIX = "this is a bug in Prompt Verdict; please report the answer"
SHOWN = 200
"""Most characters of a provider's message in a sentence."""
_VARYING = re.compile(r"“[^”]*”|[0-9a-f]*[0-9][0-9a-f-]*")
"""Quoted texts, ids and counts, in which messages with the same cause differ."""


def host_of(origin: str) -> str:
    """Returns the host of an origin, such as ``api.example.com`` or ``127.0.0.1:8080``. Without a host, returns the
    origin."""
    return origin.partition("://")[2].partition("/")[0] or origin


def fix_for(error: CompletionError, settings: RunConfig | None = None) -> str:
    """Returns the fix for an error. ``settings`` provide the values that it quotes."""
    if error.hint:
        return error.hint
    return FIXES.get(error.kind, RUN_AGAIN).format(
        concurrency=f" (now {settings.max_concurrency})" if settings else "",
        timeout=f" (now {settings.timeout_s:g})" if settings else "",
    )


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause: host, kind, the first message, and the count."""

    count: int
    host: str
    judge: bool
    error: CompletionError
    case: str = ""
    """The id of the first case, if an own scorer failed and no call."""

    def said(self) -> str:
        """Returns a sentence such as "40 calls to 127.0.0.1:9 failed (transport): connection refused"."""
        message = self.error.message.rstrip(". ")
        short = message if len(message) <= SHOWN else message[: SHOWN - 1] + "…"
        if self.case:
            answers = "1 answer" if self.count == 1 else f"{self.count:,} answers"
            return f"{answers} could not be scored, the first in case “{shown(self.case)}”: {short}"
        host = f"the judge at {self.host}" if self.judge else self.host
        calls = f"{self.count:,} {'call' if self.count == 1 else 'calls'} to {host}"
        return f"{calls} failed ({self.error.kind.value.replace('_', ' ')}): {short}"


class Failures:
    """Failed calls by cause."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, bool, ErrorKind, str]] = Counter()
        self._first: dict[tuple[str, bool, ErrorKind, str], tuple[CompletionError, str]] = {}

    def add(self, host: str, error: CompletionError, *, judge: bool = False, case: str = "") -> None:
        """Counts one failure; ``case``: of an own scorer. Calls that this run cancelled are left out."""
        # A cancelled call says nothing about its provider, and would hide the reason why the run stopped.
        if error.kind is ErrorKind.CANCELLED:
            return
        # The status code stays in the key: a 401 and a 500 with the same text have different fixes.
        status, rest = error.message[:4], error.message[4:]
        key = (host, judge, error.kind, status + _VARYING.sub("#", rest.lower()))
        self._counts[key] += 1
        # The first message stands for all of its cause: they differ only in ids and counts.
        self._first.setdefault(key, (error, case))

    def causes(self) -> list[Cause]:
        """Returns the causes, the most frequent first."""
        return [Cause(n, key[0], key[1], *self._first[key]) for key, n in self._counts.most_common()]

    def said(self, settings: RunConfig | None = None) -> str:
        """Returns «; 40 calls to … failed …: … (the fix)» of the most frequent cause; empty if no call failed."""
        cause = next(iter(self.causes()), None)
        return "" if cause is None else f"; {cause.said()} ({fix_for(cause.error, settings)})"


def unreached_judge(error: CompletionError, origin: str, settings: RunConfig, times: int = 1) -> ProviderError:
    """Returns why a judge can't be used: ``times`` calls failed like this."""
    return ProviderError(Cause(times, host_of(origin), True, error).said(), hint=fix_for(error, settings))


def lost(outcomes: Iterable[Outcome], origins: Mapping[Arm, str], judge: str) -> Failures:
    """Returns the cells without an answer or a score, by cause.

    ``origins`` holds the origins of the arms' models, and ``judge`` the hosts of the judges.
    """
    found = Failures()
    for outcome in outcomes:
        if not isinstance(outcome.result, Completion):
            found.add(host_of(origins[outcome.cell.arm]), outcome.result)
            continue
        failed = next((score for score in outcome.scores if isinstance(score, EvaluatorFailure)), None)
        if failed is None:
            continue
        # Only the failure of a judge has a kind. Without one, a scorer failed: the team's own, or one of ours.
        kind, judged = failed.kind or ErrorKind.MALFORMED, failed.kind is not None
        hint = failed.hint or ("" if judged else SCORER_FIX)
        error = CompletionError(kind=kind, message=failed.message, hint=hint)
        host = judge if judged else host_of(origins[outcome.cell.arm])
        found.add(host, error, judge=judged, case=failed.case)
    return found


def findings(failures: Failures, settings: RunConfig | None) -> tuple[Finding, ...]:
    """Returns a warning for each cause."""
    return tuple(Finding(what=cause.said(), hint=fix_for(cause.error, settings)) for cause in failures.causes())
