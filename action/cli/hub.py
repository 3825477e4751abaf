"""``promptverdict promote``, ``rollback``, ``tags``, ``pull`` and ``tokens``: the hub from a command line."""

from __future__ import annotations

import json
import os
import re
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from action.cli.local import open_repository
from action.cli.streams import put
from action.exits import Exit
from engine.render.encode import visible
from schemas.errors import HostError, HostUnavailable, SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import JsonValue

    from adapters.hub import Hub
    from schemas.hub import HubPrompt

PAUSE_S = 2.0
"""Seconds between two requests for a promotion's state."""
PATIENCE_S = 3600.0
REMOTE = re.compile(r"[:/]([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+?)(?:\.git)?/?$")
ENDS = {"moved": Exit.PASS, "blocked": Exit.BLOCKED, "failed": Exit.ERROR}
HEADINGS = {"moved": "promoted", "blocked": "not promoted", "failed": "not promoted: no verdict"}


@dataclass(frozen=True)
class HubOptions:
    """Which hub and repository, and how to print."""

    url: str | None
    repository: str | None
    format: str

    @property
    def as_json(self) -> bool:
        """Whether answers are printed as the hub sends them."""
        return self.format == "json"


def promote(options: HubOptions, lineage: str, tag: str, *, source: str | None, wait: bool) -> Exit:
    """Asks for a promotion and waits for its verdict. Raises HostError and UsageError."""
    hub = _managed(options)
    body: dict[str, JsonValue] = {"lineage": lineage, "tag": tag, "request": str(uuid.uuid4())}
    asked = hub.post("/promotions", body if source is None else body | {"source": source})
    if wait:
        asked = _ended(hub, asked)
    state = str(asked.get("state"))
    if options.as_json:
        _print(asked)
    elif state in ENDS:
        put(visible(f"{HEADINGS[state]}: {_named(asked)}. {asked.get('outcome')}") + "\n")
        if state != "moved":
            again = visible(f"promptverdict promote {lineage} {tag} --anyway {asked.get('id')} --reason …")
            put(f"The tag did not move. A maintainer can move it anyway: {again}\n")
    else:
        put(visible(f"asked: {_named(asked)} is promotion {asked.get('id')}") + "\n")
    # Still open: with --wait, no verdict came in time. Without it, none was asked for.
    return ENDS.get(state, Exit.ERROR if wait else Exit.PASS)


def promote_anyway(options: HubOptions, lineage: str, tag: str, promotion: int, reason: str) -> Exit:
    """Moves the tag of a blocked promotion. Raises HostError, and UsageError for a promotion of something else."""
    hub = _managed(options)
    asked = hub.get(f"/promotions/{promotion}")
    if (asked.get("lineage"), asked.get("tag")) != (lineage, tag):
        what = visible(f"promotion {promotion} is {asked.get('lineage')} to {asked.get('tag')}")
        raise UsageError(what, where="--anyway", hint="promote prints the number of a promotion that was blocked")
    body: dict[str, JsonValue] = {"reason": reason, "request": str(uuid.uuid4())}
    return _moved(options, hub.post(f"/promotions/{promotion}/override", body))


def rollback(options: HubOptions, lineage: str, tag: str, *, to: str | None, reason: str) -> Exit:
    """Moves a tag back to a version that it had. Raises HostError."""
    body: dict[str, JsonValue] = {"lineage": lineage, "tag": tag, "reason": reason, "request": str(uuid.uuid4())}
    return _moved(options, _managed(options).post("/rollbacks", body if to is None else body | {"to": to}))


def tags(options: HubOptions, lineage: str | None, *, history: bool) -> Exit:
    """Prints what the tags have, or every move. Raises HostError."""
    query = ({"lineage": lineage} if lineage else {}) | ({"history": "1"} if history else {})
    found = _managed(options).get("/moves", **query)
    moves = found.get("moves")
    if options.as_json or not isinstance(moves, list):
        _print(found)
        return Exit.PASS
    if not moves:
        put("no tag has a version yet; promptverdict promote LINEAGE TAG moves one\n")
    for move in moves:
        if isinstance(move, dict):
            put(_line(move) + "\n")
    return Exit.PASS


def pull(options: HubOptions, tag: str, output: Path) -> Exit:
    """Writes the prompts of a tag to a file, whole or not at all. Raises HostError and UsageError."""
    from adapters.hub import read_prompt_set

    token = os.environ.get("PROMPTVERDICT_TOKEN")
    if not token:
        raise UsageError("no read token", where="PROMPTVERDICT_TOKEN", hint="promptverdict tokens add NAME makes one")
    content = _hub(options, token).prompt_set(tag)
    return _written(options, content, read_prompt_set(content, _repository(options, Path()), tag), output)


def pull_commit(options: HubOptions, repo: Path, commit: str, tag: str, output: Path) -> Exit:
    """Writes the prompts of a commit to a file in the same form, without a hub. Raises SourceError and UsageError."""
    from engine.hub.versions import versions_of
    from engine.pipeline import look
    from schemas.hub import HubEntry, PromptSet
    from schemas.pullrequests import PullRequest, Trust
    from schemas.values import canonical_json

    repository = open_repository(repo)
    sha = repository.resolve(commit)
    alone = PullRequest(base_ref=commit, base_sha=sha, head_ref=commit, head_sha=sha, trust=Trust.OPERATOR)
    found = versions_of(look(repository, alone, alone=True), sha)
    at = repository.committed_at(sha)
    entries = tuple(HubEntry(prompt=prompt, moved_at=at) for prompt in found)
    document = PromptSet(repository=_repository(options, repo), tag=tag, entries=entries).document()
    return _written(options, canonical_json(document), found, output)


def add_token(options: HubOptions, name: str, *, ingest: bool) -> Exit:
    """Makes a token that reads tags, or sends traces, and prints it once. Raises HostError."""
    made = _managed(options).post("/tokens", {"name": name, "kind": "ingest" if ingest else "read"})
    if options.as_json:
        _print(made)
        return Exit.PASS
    number, secret = visible(str(made.get("id"))), visible(str(made.get("token")))
    does = "sends traces for" if ingest else "reads every tag of"
    sys.stderr.write(f"token {number} {does} this repository; it is shown only now\n")
    put(f"{secret}\n")
    return Exit.PASS


def revoke_token(options: HubOptions, number: int) -> Exit:
    """Revokes a token. Raises HostError."""
    _managed(options).delete(f"/tokens/{number}")
    put(f"token {number} is revoked\n")
    return Exit.PASS


def _moved(options: HubOptions, move: Mapping[str, JsonValue]) -> Exit:
    if options.as_json:
        _print(move)
    else:
        put(_line(move) + "\n")
    return Exit.PASS


def _ended(hub: Hub, asked: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """Waits for the result. Ctrl-C ends the waiting, not the promotion."""
    until = time.monotonic() + PATIENCE_S
    number, said = asked.get("id"), None
    if not isinstance(number, int):
        raise HostError("the hub answered no promotion", hint="check that PROMPTVERDICT_HUB is the bot's address")
    while asked.get("state") not in ENDS and time.monotonic() < until:
        if asked.get("state") != said:
            said = asked.get("state")
            sys.stderr.write(f"promotion {number}: {visible(str(said))}\n")
        time.sleep(PAUSE_S)
        # The promotion goes on while the bot restarts or GitHub fails, so its result is worth waiting for.
        with suppress(HostUnavailable):
            asked = hub.get(f"/promotions/{number}")
    return asked


def _written(options: HubOptions, content: bytes, prompts: Sequence[HubPrompt], output: Path) -> Exit:
    whole = output.with_name(f".{output.name}.{uuid.uuid4().hex}")
    try:
        whole.write_bytes(content)
        whole.replace(output)
    except OSError as error:
        whole.unlink(missing_ok=True)
        raise UsageError(
            f"{output} can't be written: {error.strerror}", hint="name a file in a folder that exists"
        ) from error
    names = sorted(prompt.lineage for prompt in prompts)
    if options.as_json:
        _print({"output": str(output), "prompts": list(names)})
    else:
        put(visible(f"{output}: {', '.join(names)}") + "\n")
    return Exit.PASS


def _named(asked: Mapping[str, JsonValue]) -> str:
    return f"{asked.get('lineage')} {str(asked.get('to_digest'))[:12]} to {asked.get('tag')}"


def _line(move: Mapping[str, JsonValue]) -> str:
    before = move.get("from_digest")
    was = f" (was {str(before)[:12]})" if before else ""
    reason = f": {move.get('reason')}" if move.get("reason") else ""
    return visible(
        f"{move.get('lineage')}  {move.get('tag')}  {str(move.get('to_digest'))[:12]}{was}  {move.get('kind')} by "
        f"{move.get('by')} at {str(move.get('at'))[:16]}{reason}"
    )


def _print(document: Mapping[str, JsonValue]) -> None:
    put(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _managed(options: HubOptions) -> Hub:
    """Returns the hub for a person. Raises UsageError without a GitHub token."""
    _require_url(options)  # first: without a hub, a token is of no use
    token = os.environ.get("GH_TOKEN") or os.environ.get("GITHUB_TOKEN")
    if not token:
        raise UsageError("no GitHub token", where="GITHUB_TOKEN", hint="export GITHUB_TOKEN=$(gh auth token)")
    return _hub(options, token)


def _hub(options: HubOptions, token: str) -> Hub:
    from adapters.hub import Hub

    return Hub(_require_url(options), _repository(options, Path()), token)


def _require_url(options: HubOptions) -> str:
    """Returns the hub's address. Raises UsageError without one."""
    if not options.url:
        raise UsageError("no hub is named", where="PROMPTVERDICT_HUB", hint="give --hub https://…, the bot's address")
    return options.url


def _repository(options: HubOptions, folder: Path) -> str:
    """Returns ``owner/name``: as given, of this job, or of the clone's remote. Raises UsageError."""
    given = options.repository or os.environ.get("GITHUB_REPOSITORY")
    if not given:
        try:
            remote = open_repository(folder).remote_url() or ""
        except (SourceError, UsageError):
            remote = ""
        found = REMOTE.search(remote)
        given = found[1] if found else None
    if not given or given.count("/") != 1:
        raise UsageError("no repository is named", where="--repository", hint="give --repository OWNER/NAME")
    return given
