"""Edits of ``promptverdict.yaml``: the model of a prompt, and parameters of a model."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import JsonValue

from engine.prompt_edits import NotEditableError
from engine.prompt_edits.yaml_places import set_at, without_key
from engine.readers.config import read_config
from engine.test_edits import NoEditError
from engine.test_edits.verified import rewritten
from schemas.config import Config
from schemas.errors import PromptVerdictError
from schemas.prompts import Parameters


def with_model(path: str, data: bytes, lineage: str, model: str) -> bytes:
    """Returns the configuration with another model for one prompt. Raises NotEditableError."""
    before = read_config(path, data)
    own = before.lineages[lineage].model_copy(update={"model": model})
    wanted = before.model_copy(update={"lineages": {**before.lineages, lineage: own}})
    return _verified(path, data, wanted, ["lineages", lineage], {"model": model})


def with_parameter(path: str, data: bytes, lineage: str, model: str, given: tuple[str, float | None]) -> bytes:
    """Returns the configuration with another parameter, by our name, of a model that only this prompt uses.

    Raises NotEditableError, also for a model that other prompts use too.
    """
    name, value = given
    before = read_config(path, data)
    if model not in before.models:
        raise NotEditableError(f"{path} doesn't list the model {model}")
    if _has_other_uses(before, lineage, model):
        raise NotEditableError(
            f"the prompt's file has no place for {name}, and other prompts or judges use the model {model} too"
        )
    old = before.models[model]
    others_set = old.parameters.model_dump(exclude_unset=True, exclude={name})
    try:
        parameters = Parameters.model_validate(others_set | ({} if value is None else {name: value}))
    except ValueError:
        raise NotEditableError(f"{name} can't be {value}") from None
    own = old.model_copy(update={"parameters": parameters})
    wanted = before.model_copy(update={"models": {**before.models, model: own}})
    if old.parameters.model_fields_set:
        return _verified(path, data, wanted, ["models", model, "parameters"], {name: value})
    return _verified(path, data, wanted, ["models", model], {"parameters": {name: value}})


def _has_other_uses(config: Config, lineage: str, model: str) -> bool:
    """Returns whether anything but this prompt may run on the model: other prompts, judges, or suggestions."""
    others = (one.model for name, one in config.lineages.items() if name != lineage)
    judges = (one.judge.models for one in config.lineages.values() if one.judge is not None)
    return config.suggest.model == model or any(_may_use(names, model) for names in (*others, *judges))


def _may_use(names: str | tuple[str, ...] | None, model: str) -> bool:
    """Returns whether a prompt may run on the model. One that names none may, by its file or by the default."""
    return names is None or model in ((names,) if isinstance(names, str) else names)


def _verified(path: str, data: bytes, wanted: Config, at: list[str], put: dict[str, JsonValue]) -> bytes:
    """Returns the configuration with one value, if it then reads as exactly ``wanted``."""
    ((key, value),) = put.items()

    def candidates(text: str) -> list[str]:
        if value is None:
            return list(without_key(text, [key]))
        made = set_at(text, at, key, value)
        return [] if made is None else [made]

    for choice in _spellings(data, candidates):
        try:
            if read_config(path, choice) == wanted:
                return choice
        except PromptVerdictError:
            continue
    raise NotEditableError(f"{path} can't be edited safely")


def _spellings(data: bytes, candidates: Callable[[str], list[str]]) -> list[bytes]:
    found: list[str] = []

    def look(text: str) -> str:
        found.extend(candidates(text))
        return text

    try:
        rewritten(data, look)
    except (UnicodeDecodeError, NoEditError):
        return []
    return [rewritten(data, lambda _, each=each: each) for each in found]  # type: ignore[misc]
