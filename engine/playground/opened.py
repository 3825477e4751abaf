"""A prompt as it is committed, opened for editing, and the files that an edit of it writes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.detection.configurations import NAME
from engine.detection.entries import reference_in
from engine.detection.files import below
from engine.detection.models import model_of
from engine.prompt_edits import NotEditableError
from engine.prompt_edits.config_edit import with_model, with_parameter
from engine.prompt_edits.edit import Editing
from engine.prompt_edits.places import ALIASES
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from engine.detection.files import Files
    from engine.playground.draft import DraftEdit
    from schemas.config import Config
    from schemas.detection import Detection, LineageChange
    from schemas.prompts import PromptFile


@dataclass(frozen=True)
class Opened:
    """One prompt of one commit, with the contents of its files."""

    change: LineageChange
    """The prompt compared with nothing: its models, its cases, its gate."""
    config: Config
    config_path: str
    key: str
    """Its name in the configuration."""
    prompt: PromptFile
    """As its file says it, before the cases tell more about it."""
    files: Mapping[str, bytes]
    """The prompt's files and the configuration, by path."""

    @property
    def models(self) -> Sequence[str]:
        """The models that it may run on, by name; the present one first."""
        now = [pair.name for pair in self.change.models]
        return tuple(dict.fromkeys((*now, *self.config.models)))

    @property
    def model(self) -> str | None:
        """The model that it runs on; ``None`` if it runs on several or on none."""
        return self.change.models[0].name if len(self.change.models) == 1 else None

    def parameters(self) -> dict[str, int | float | None]:
        """Returns what is sent today of the parameters that can be edited: the file's, else the model's."""
        sent = self.change.models[0].candidate.parameters if self.change.models else None
        own = self.prompt.parameters
        return {
            name: getattr(own, name) if getattr(own, name) is not None else getattr(sent, name, None)
            for name in ALIASES
        }

    def edited(self, draft: DraftEdit) -> dict[str, bytes]:
        """Returns the whole new contents of the files that the draft changes, by path.

        Raises NotEditableError for the first part of the draft that can't be written safely.
        """
        editing = Editing(
            reference_in(self.change.root, self.change.config.prompt), self.files, self.change.config.template
        )
        config = self.files[self.config_path]
        for index, text in sorted(draft.texts.items()):
            if index >= len(self.prompt.messages):
                raise NotEditableError(f"the prompt no longer has a message {index + 1}")
            editing.set_text(index, text)
        if draft.model is not None and draft.model != self.model:
            config = self._set_model(editing, config, draft.model)
        for name, value in draft.parameters.items():
            if value != self.parameters().get(name):
                config = self._set_parameter(editing, config, draft, name, value)
        changed = dict(editing.changed)
        if config != self.files[self.config_path]:
            changed[self.config_path] = config
        return {path: content for path, content in changed.items() if content != self.files[path]}

    def _set_model(self, editing: Editing, config: bytes, name: str) -> bytes:
        """Names the model where one is named today: in the configuration of this prompt, or in its file."""
        if self.model is None:
            raise NotEditableError("this prompt runs on several models: change them in its configuration")
        if name not in self.config.models:
            raise NotEditableError(f"{self.config_path} doesn't list the model {name}")
        if self.change.config.model is None and editing.prompt.model is not None:
            wanted = self.config.models[name]
            spelled = wanted.model if "/" not in editing.prompt.model else f"{wanted.provider}/{wanted.model}"
            # The id, which other tools read too, unless it means another entry here.
            editing.set_model(spelled if model_of(spelled, self.config) == wanted else name)
            return config
        return with_model(self.config_path, config, self.key, name)

    def _set_parameter(
        self, editing: Editing, config: bytes, draft: DraftEdit, name: str, value: float | None
    ) -> bytes:
        """Sets a parameter in the prompt's file; in the configuration where the file has no place for it."""
        in_file = getattr(editing.prompt.parameters, name) is not None
        model = draft.model or self.model or ""
        if in_file or value is not None:
            try:
                editing.set_parameter(name, value)
            except NotEditableError:
                if in_file or model not in self.config.models:
                    raise
            else:
                return config
        return with_parameter(self.config_path, config, self.key, model, (name, value))


def opened(files: Files, detection: Detection, lineage: str) -> Opened:
    """Opens a prompt of a commit that was read alone. Raises SourceError, and ConfigError for an unknown name."""
    change = next((one for one in detection.lineages if one.name == lineage), None)
    if change is None or change.root not in detection.configs:
        raise ConfigError(f"the default branch has no prompt {lineage}")
    config, path = detection.configs[change.root], below(change.root, NAME)
    key = lineage if lineage in config.lineages else lineage.removeprefix(f"{change.root}/")
    reference = reference_in(change.root, change.config.prompt)
    files.fetch_prompts(reference.paths)
    editing = Editing(reference, files, change.config.template)
    contents = {at: files[at] for at in (*editing.paths, path)}
    return Opened(change, config, path, key, editing.prompt, contents)
