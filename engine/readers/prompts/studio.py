"""Reads Studio YAML: ``system_prompt`` and ``user_template`` with ``{var}``. Any other brace is literal."""

from __future__ import annotations

from engine.readers.nodes import Fields
from engine.readers.prompts.parts import YAML_SUFFIXES, Blobs, document, parameters_of, prompt_source, top_level
from schemas.prompts import LIMIT_NAMES, Dialect, Message, Parameters, PromptFile, Role

PARAMETERS = {name: name for name in ("temperature", "max_tokens", "top_p", "top_k", "seed", "stop")}
PARAMETERS |= dict.fromkeys(LIMIT_NAMES, "max_tokens")


class StudioReader:
    """Reads YAML maps with ``system_prompt`` or ``user_template``."""

    name = "studio"

    def recognizes(self, path: str, blobs: Blobs) -> bool:
        """Recognizes the file by content. It also accepts a YAML file that can't be parsed, so that reading reports
        why."""
        if not path.endswith(YAML_SUFFIXES) or path not in blobs:
            return False
        root = top_level(path, blobs)
        return root is None or (
            isinstance(root.value, dict) and not {"system_prompt", "user_template"}.isdisjoint(root.value)
        )

    def read(self, path: str, blobs: Blobs) -> PromptFile:
        """Reads the prompt. Raises SourceError."""
        source = prompt_source(path, blobs)
        fields = Fields(source, document(source), "the prompt file")
        fields.ignore("is_baseline", "version", "created_at", "id")
        system = fields.text("system_prompt")
        user = fields.text("user_template")
        if not user:
            raise source.error(
                "the prompt file has no user_template", fields.node.line, hint='add user_template: "{input}"'
            )
        parts = ((Role.SYSTEM, system), (Role.USER, user))
        prompt = PromptFile(
            path=path,
            format=self.name,
            dialect=Dialect.BRACES,
            messages=tuple(Message(role=role, content=text) for role, text in parts if text),
            name=fields.text("name"),
            description=fields.text("description"),
            model=fields.text("model"),
            parameters=Parameters.model_validate(parameters_of(fields.fields("model_params"), PARAMETERS)),
        )
        fields.report_unknown()
        return prompt.model_copy(update={"unread": source.unread, "warnings": tuple(source.warnings)})
