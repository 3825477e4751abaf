"""Reads ``promptverdict.yaml``. Every mistake that can be found without a call is an error."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence

from engine.readers.answers_config import of_answers
from engine.readers.bounded import did_you_mean, shown, source_of
from engine.readers.field_mistakes import Mistake as _Mistake
from engine.readers.field_mistakes import Place as _Place
from engine.readers.file_patterns import MAX_PATTERN, is_pattern
from engine.readers.nodes import find
from engine.readers.patterns import regex_mistake, schema_mistake
from engine.readers.unapplied import of_gate, of_lineage, of_model
from engine.readers.validation import validated
from engine.readers.yaml_nodes import read_yaml
from evaluators.check_values import variables_in
from evaluators.checks import examine, named
from schemas.check_config import Check
from schemas.config import Config, LineageConfig, ModelConfig
from schemas.errors import ConfigError
from schemas.providers import keys
from schemas.references import Place as Part
from schemas.references import reference_of
from schemas.use_cases import UseCase

MAX_KEY, MAX_KEY_STEPS = 200, 10
"""Characters and steps of a name in a file."""
_RELATIVE = "write it relative to the configuration's folder"
_URL = re.compile(r"(?P<scheme>https?)://(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?(?:/[\w.~/-]*)?")


def read_config(path: str, data: bytes) -> Config:
    """Returns the configuration in ``data``.

    Raises ConfigError with ``path:line:column`` for: unknown keys (with the nearest known one), missing models, regular
    expressions that RE2 refuses, JSON Schemas that are wrong or refer elsewhere, settings without effect, and addresses
    to which a key must not be sent.
    """
    source = source_of(path, data, failure=ConfigError)
    root = read_yaml(source)
    if root.value is None:
        raise source.error("the configuration is empty", hint="start with `version: 1`, or run promptverdict init")
    config = validated(Config, root, source, "the configuration")
    for place, what, hint in _mistakes(config):
        node = find(root, place)
        raise source.error(what, node.line, node.column, hint=hint)
    return config


def _mistakes(config: Config) -> Iterator[_Mistake]:
    for name, model in config.models.items():
        yield from _model_mistakes(("models", name), model)
        yield from of_model(("models", name), model)
    yield from _unknown_models(config, ("defaults", "model"), config.defaults.model)
    for name, lineage in config.lineages.items():
        place: _Place = ("lineages", name)
        yield from _unknown_models(config, (*place, "model"), lineage.model)
        if lineage.model is None and config.defaults.model is None and len(config.models) > 1:
            yield place, f"the lineage {name} has no model", "add model: or defaults: {model: …}"
        if lineage.judge is not None:
            yield from _unknown_models(config, (*place, "judge", "model"), lineage.judge.model)
        yield from _lineage_mistakes(place, name, lineage)
        yield from of_lineage(place, name, lineage, config)
    yield from of_gate(config)


def _unknown_models(config: Config, place: _Place, named: str | tuple[str, ...] | None) -> Iterator[_Mistake]:
    several = isinstance(named, tuple)
    names = named if isinstance(named, tuple) else () if named is None else (named,)
    if several and not names:
        yield place, "the list of models is empty", "name at least one model"
    for index, name in enumerate(names):
        if name not in config.models:
            hint = did_you_mean(name, config.models) if config.models else "add it under models:"
            yield (*place, index) if several else place, f"there is no model {shown(name)}", hint
    if len(set(names)) != len(names):
        yield place, "a model is named twice", "name each model once"


def _model_mistakes(place: _Place, model: ModelConfig) -> Iterator[_Mistake]:
    if model.base_url is not None:
        yield from _url_mistakes((*place, "base_url"), model, model.base_url)
    elif model.spec.key is not None and model.api_key_env not in (None, model.spec.key):
        for other, key in keys().items():
            if model.api_key_env == key:
                yield (
                    (*place, "api_key_env"),
                    f"{key} belongs to {other} and is never sent to {model.provider}",
                    f"remove api_key_env; {model.spec.key} is used",
                )
    if model.spec.key is None and (model.base_url or model.api_key_env):
        key = "base_url" if model.base_url else "api_key_env"
        yield (*place, key), f"the provider {model.provider} makes no network calls", f"remove {key}"
    if model.spec.recorded and model.recording is None:
        yield place, f"the provider {model.provider} needs a recording", "add recording: path/to/file"
    if model.parameters.json_schema is not None:
        schema = model.parameters.json_schema.get("schema", model.parameters.json_schema)
        if (mistake := schema_mistake(schema)) is not None:
            yield (
                (*place, "parameters", "json_schema"),
                f"json_schema is not a usable schema: {mistake}",
                "fix the schema",
            )


def _url_mistakes(place: _Place, model: ModelConfig, base_url: str) -> Iterator[_Mistake]:
    url = _URL.fullmatch(base_url)
    if url is None:
        yield (
            place,
            f"base_url {shown(base_url)} is not a plain http(s) address",
            "write it as https://host/path, without user, query or fragment",
        )
        return
    if url["scheme"] == "http" and not _loopback(url["host"]):
        yield place, "base_url is http, so the key would be sent unencrypted", "use https (http only for 127.0.0.1)"
    if base_url.rstrip("/") in model.spec.own_origins:
        return
    if model.spec.key is not None and model.api_key_env is None:
        yield (
            place,
            f"base_url is not an address of {model.provider}, so {model.spec.key} is not sent there",
            "add api_key_env: NAME_OF_ITS_KEY",
        )
    elif model.api_key_env in keys().values():
        yield (
            (*place[:-1], "api_key_env"),
            f"{model.api_key_env} is sent only to its provider's own address, never to {url['host']}",
            "name the variable with the key of this address",
        )


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _lineage_mistakes(place: _Place, name: str, lineage: LineageConfig) -> Iterator[_Mistake]:
    yield from _path_mistakes(place, lineage)
    yield from of_answers(place, name, lineage)
    if lineage.fields and lineage.use_case != UseCase.EXTRACTION:
        yield (*place, "fields"), f"fields are for extraction, but {name} is {lineage.use_case}", "use_case: extraction"
    if lineage.columns is not None and lineage.tests is None:
        yield (*place, "columns"), f"{name} has columns but no tests", "add tests: with the file of these columns"
    if lineage.rubric is not None and lineage.judge is None:
        yield (*place, "rubric"), f"{name} has a rubric but no judge", "add judge: {model: …}"
    for index, check in enumerate(lineage.checks):
        yield from _check_mistakes((*place, "checks", index), check)
    names = [check.name for check in lineage.checks]
    if len(set(names)) != len(names):
        yield (*place, "checks"), f"two checks of {name} have the same name", "name each check differently"


def _tests_mistakes(place: _Place, written: Sequence[str]) -> Iterator[_Mistake]:
    if not written:
        yield place, "tests names no file", "name a file or a pattern, or remove tests:"
    if len(set(written)) != len(written):
        yield place, "tests names a file twice", "name each file once"
    for index, path in enumerate(written):
        if mistake := path_mistake(path):
            yield (*place, index), f"tests {shown(path)} {mistake}", _RELATIVE
        elif is_pattern(path) and len(path) > MAX_PATTERN:
            yield (*place, index), f"a pattern of more than {MAX_PATTERN} characters", "shorten it"


def _path_mistakes(place: _Place, lineage: LineageConfig) -> Iterator[_Mistake]:
    if lineage.tests is not None:
        yield from _tests_mistakes((*place, "tests"), lineage.test_paths)
    paths: list[tuple[_Place, str | None]] = [
        (("tools",), lineage.tools),
        (("rubric",), lineage.rubric),
        (("scorer",), lineage.own_scorer.file if lineage.own_scorer else None),
        (("judge", "labels"), lineage.judge.labels if lineage.judge else None),
    ]
    if not reference_of(lineage.prompt).places:
        yield (*place, "prompt"), "prompt has neither a system nor a user part", "write {system: …, user: …}"
    for name, prompt in (("prompt", lineage.prompt), ("reference", lineage.reference)):
        for part in reference_of(prompt).places if prompt is not None else ():
            yield from _part_mistakes((*place, name), name, part, lineage)
    for steps, path in paths:
        if path is not None and (mistake := path_mistake(path)):
            yield (*place, *steps), f"{steps[0]} {shown(path)} {mistake}", _RELATIVE


def _part_mistakes(place: _Place, name: str, part: Part, lineage: LineageConfig) -> Iterator[_Mistake]:
    at = (*place, part.role.value) if part.role else place
    if mistake := path_mistake(part.path):
        yield at, f"{name} {shown(part.path)} {mistake}", _RELATIVE
    elif part.key is not None and (mistake := key_mistake(part.key)):
        yield at, f"the name after # in {name} {mistake}", "write it as file#name, with dots between its steps"
    elif name == "prompt" and lineage.tests is None and (part.key is not None or part.role):
        yield place, f"{shown(str(part))} is a part of a file, and holds no test cases", "add tests:"


def _check_mistakes(place: _Place, check: Check) -> Iterator[_Mistake]:
    kinds = [kind for kind, value in check.model_dump(exclude={"name"}).items() if value is not None]
    pattern = check.regex_match or check.not_regex_match
    schema = check.json_schema_valid
    if len(kinds) != 1:
        what = f"{' and '.join(kinds)} together" if kinds else "nothing to check"
        yield place, f"the check {shown(check.name)} has {what}", "give each check exactly one kind"
    elif pattern is not None and not variables_in(pattern) and (mistake := regex_mistake(pattern)):
        yield (*place, kinds[0]), f"RE2 refuses the expression of {shown(check.name)}: {mistake}", "use RE2 syntax"
    elif schema is not None and not variables_in(schema) and (mistake := schema_mistake(schema)):
        yield (*place, kinds[0]), f"json_schema_valid of {shown(check.name)}: {mistake}", "fix the schema"
    else:
        try:
            examine(check, named(check))
        except ConfigError as error:
            yield (*place, kinds[0]), error.what, error.hint or "change it, or remove the check"


def key_mistake(key: str) -> str | None:
    """Returns why ``key`` can't be the name of a constant or a key in a file, in words; ``None`` if it can."""
    steps = key.split(".")
    if not all(steps):
        return "has an empty step"
    if len(key) > MAX_KEY or len(steps) > MAX_KEY_STEPS:
        return "is too long"
    return None if key.isprintable() else "has unprintable characters"


def path_mistake(path: str) -> str | None:
    """Returns why ``path`` can't name a file of the repository, in words, or ``None`` if it can."""
    if not path or path.startswith("/") or re.match(r"[A-Za-z]:", path) or "\\" in path:
        return "is not a relative path with forward slashes"
    if ".." in path.split("/"):
        return "leads out of the folder"
    if not path.isprintable():
        return "has unprintable characters"
    return None
