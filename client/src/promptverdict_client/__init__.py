"""Reads promoted prompts from a Prompt Verdict hub, and renders them exactly as they were measured."""

from promptverdict_client.errors import LoadError, PromptsError, RenderError, SettingsError, UnknownNameError
from promptverdict_client.prompt import Model, Prompt, Rendered
from promptverdict_client.prompts import Prompts

__all__ = [
    "LoadError",
    "Model",
    "Prompt",
    "Prompts",
    "PromptsError",
    "RenderError",
    "Rendered",
    "SettingsError",
    "UnknownNameError",
]
