"""A lineage as it is configured, and whether a pull request can affect it at all."""

from __future__ import annotations

from typing import NamedTuple

from engine.detection.files import below
from schemas.config import Config, LineageConfig
from schemas.detection import PolicyChange


class Entry(NamedTuple):
    """A lineage as base configures it, or the head where it is new there."""

    name: str
    """Unique in the pull request."""
    key: str
    """As the configuration names it."""
    root: str
    config: Config
    """Base's; the head's in the pull request that installs us."""
    lineage: LineageConfig
    """What judges: base's; the head's for a new lineage."""
    head_config: Config
    head_lineage: LineageConfig | None
    """What the head says about it; ``None``: nothing any more."""
    policy: tuple[PolicyChange, ...] = ()
    """Changed settings that concern it."""
    new: bool = False
    adopted: bool = False
    """Of the pull request that installs us: linted, never paid for."""

    @property
    def prompt(self) -> str:
        """The prompt's path in the repository, as base has it."""
        return below(self.root, self.lineage.prompt)

    @property
    def head_prompt(self) -> str:
        """The prompt's path in the repository, as the head has it."""
        return below(self.root, (self.head_lineage or self.lineage).prompt)

    @property
    def models_changed(self) -> bool:
        """Whether the head's configuration chooses or describes models differently."""
        old, new = self.config, self.head_config
        return (old.models, old.defaults) != (new.models, new.defaults)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path in the repository that base or head name for it and that is watched.

        A reference is none of them: nothing measures its changes.
        """
        return tuple(
            below(self.root, path)
            for lineage in (self.lineage, self.head_lineage)
            if lineage
            for path in (
                lineage.prompt,
                lineage.tests,
                lineage.rubric,
                lineage.judge and lineage.judge.labels,
            )
            if path
        )
