"""Settings of a model beside a prompt that is a key or a constant. They are not read, and a change of them is said."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from engine.readers.bounded import Source, shown

_NAMES = frozenset({
    "deployment", "engine", "frequencypenalty", "generationconfig", "jsonschema", "llm", "llmconfig",
    "maxcompletiontokens", "maxoutputtokens", "maxtokens", "model", "modelconfig", "modelid", "modelkwargs",
    "modelname", "modelparameters", "parameters", "params", "presencepenalty", "provider", "reasoningeffort",
    "responseformat", "seed", "stop", "stopsequences", "temperature", "toolchoice", "tools", "topk", "topp",
})  # fmt: skip
LONGEST = 80
"""A longer text is no setting, whatever its name."""


def is_setting(name: str, value: object) -> bool:
    """Returns whether a key is a model's setting: ``temperature``, ``maxTokens``, ``model_parameters``."""
    known = name.lower().replace("_", "").replace("-", "") in _NAMES
    return known and value is not None and not (isinstance(value, str) and len(value) > LONGEST)


def leave_settings(source: Source, key: str, given: Mapping[str, tuple[int, JsonValue]]) -> None:
    """Notes settings that are not read, and warns of them. ``given`` has the line and the value of each."""
    for name, (_, value) in given.items():
        source.unread[f"{shown(name)} beside {shown(key)}"] = value
    if given:
        names = ", ".join(shown(name) for name in given)
        line = min(line for line, _ in given.values())
        hint = "the configuration names the model and its parameters: models:"
        source.warn(f"{names} beside {shown(key)}: not read", line, hint=hint)
