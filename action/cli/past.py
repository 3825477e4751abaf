"""What stored answers tell about a prompt, for ``promptverdict suggest``. Makes no call."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from action.cli.local import default_store
from action.cli.prompt_versions import planned_versions, prompt_versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from action.cli.improving import Opened
    from engine.improve.history import History, Past

VERSIONS = 6
"""Earlier versions that are looked at."""


async def past_of(here: Opened) -> tuple[History, Sequence[Past], Sequence[Mapping[str, float]]]:
    """Returns what stored answers tell, the versions, and the stored scores of each. Raises PromptVerdictError."""
    from adapters.clock import SystemClock
    from adapters.store import open_store
    from engine.improve.history import Past, history, taken_back
    from engine.improve.ports import Ports
    from engine.improve.stored_only import stored_only

    lineage = here.options.lineage
    versions = prompt_versions(here.repository, here.alone.head_sha, lineage, VERSIONS)
    pasts = [Past(one.revision, one.alone, one.change) for one in planned_versions(versions, here.world, lineage)]
    store = open_store(here.options.store or default_store(os.environ))
    clock = SystemClock()
    try:
        ports = Ports(stored_only(clock), store, clock, here.world.renderer)
        found, scores = await history(pasts, ports)
    finally:
        await store.aclose()
    change = next(one for one in here.today.lineages if one.name == lineage)
    if found.losses and change.candidate is not None:
        edited = taken_back(pasts, found.losses[0])
        patch = None if edited is None else here.patch_to(edited, change)
        found = found.model_copy(update={"patch": patch})
    return found, pasts, scores
