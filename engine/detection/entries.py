"""A lineage as configured at the base and the head."""

from __future__ import annotations

from typing import NamedTuple

from engine.detection.files import below
from schemas.config import Config, LineageConfig
from schemas.detection import PolicyChange
from schemas.references import PromptParts, Reference, reference_of


class Entry(NamedTuple):
    """A lineage as the base configures it, or as the head does if the lineage is new."""

    name: str
    """Unique in the pull request."""
    key: str
    """Its key in the configuration."""
    root: str
    config: Config
    """The base's configuration. In the pull request that installs the gate, the head's."""
    lineage: LineageConfig
    """The settings that judge: the base's, or the head's for a new lineage."""
    head_config: Config
    head_lineage: LineageConfig | None
    """The head's settings. ``None``: the head removes the lineage."""
    policy: tuple[PolicyChange, ...] = ()
    """Changed settings that concern this lineage."""
    new: bool = False
    adopted: bool = False
    """Whether the pull request installs the gate. Its lineages are checked without paid calls."""

    @property
    def prompt(self) -> Reference:
        """Where the prompt lies in the repository at the base."""
        return reference_in(self.root, self.lineage.prompt)

    @property
    def head_prompt(self) -> Reference:
        """Where the prompt lies in the repository at the head."""
        return reference_in(self.root, (self.head_lineage or self.lineage).prompt)

    @property
    def tools(self) -> str | None:
        """The file in the repository with the definitions of its tools."""
        return None if self.lineage.tools is None else below(self.root, self.lineage.tools)

    @property
    def models_changed(self) -> bool:
        """Whether the head's configuration chooses or describes models differently."""
        old, new = self.config, self.head_config
        return (old.models, old.defaults) != (new.models, new.defaults)

    @property
    def test_paths(self) -> tuple[str, ...]:
        """The paths and patterns in the repository of the test sets that the base or the head names for it."""
        sides = (self.lineage, self.head_lineage)
        return tuple(below(self.root, path) for lineage in sides if lineage for path in lineage.test_paths)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every watched path in the repository that the base or the head names for it.

        A reference is not among them: its changes are not measured.
        """
        return tuple(
            below(self.root, path)
            for lineage in (self.lineage, self.head_lineage)
            if lineage
            for path in (
                *reference_of(lineage.prompt).paths,
                *lineage.test_paths,
                lineage.tools,
                lineage.rubric,
                lineage.own_scorer and lineage.own_scorer.file,
                lineage.judge and lineage.judge.labels,
            )
            if path
        )


def reference_in(root: str, prompt: str | PromptParts) -> Reference:
    """Returns where a prompt of the configuration of the folder ``root`` lies in the repository."""
    return reference_of(prompt).with_paths(lambda path: below(root, path))
