"""The corpus of prompts in other libraries' formats, and what we send for each: for the tests and
benchmarks/formats_reference.py, which asks the libraries themselves.
"""

import json
from pathlib import Path
from typing import NamedTuple

import yaml

from engine.planning.rendering import job_of, render
from engine.readers.prompts import read_prompt
from schemas.errors import SourceError
from schemas.ports import RenderFailure
from schemas.testsets import TestCase

CORPUS = Path(__file__).with_name("corpus")
PATHS = {"prompty": "p.prompty", "promptflow": "p.jinja2", "dotprompt": "p.prompt", "semantic-kernel": "p/skprompt.txt"}
LIBRARIES = {
    "prompty": ("prompty 1", "prompty 2"),
    "promptflow": ("promptflow",),
    "dotprompt": ("dotprompt",),
    "langchain": ("langchain",),
    "semantic-kernel": ("semantic-kernel",),
}
Messages = list[list[str]]


class Case(NamedTuple):
    """One prompt with one case's inputs."""

    format: str
    name: str
    path: str
    files: dict[str, str]
    inputs: dict[str, object]
    libraries: tuple[str, ...]
    why: str | None
    """Why we send something else than one of the libraries."""

    def __str__(self) -> str:
        return f"{self.format}: {self.name}"


def corpus() -> list[Case]:
    """Returns every case."""
    return [
        _case(file.stem, item) for file in sorted(CORPUS.glob("*.yaml")) for item in yaml.safe_load(file.read_text())
    ]


def _case(name: str, item: dict) -> Case:
    path = item.get("path") or PATHS[name]
    files = {path: item["text"], **item.get("files", {})}
    if "config" in item:
        files["p/config.json"] = item["config"]
    versions = item.get("versions")
    libraries = tuple(f"prompty {version}" for version in versions) if versions else LIBRARIES[name]
    if "version" in item:
        libraries = (f"prompty {item['version']}",)
    return Case(name, item["name"], path, files, item["inputs"], libraries, item.get("why"))


def recorded() -> dict[str, dict[str, Messages | str]]:
    """Returns what each library rendered, and what we send where that differs, by case."""
    return json.loads((CORPUS / "rendered.json").read_text())


def ours(renderer, case: Case) -> Messages | str:
    """Returns the messages that we send, or why there are none."""
    blobs = {path: text.encode() for path, text in case.files.items()}
    try:
        prompt = read_prompt(case.path, blobs)
    except SourceError as error:
        return f"error: {error}"
    (sent,) = render(renderer, [job_of(prompt, TestCase(id="a", inputs=case.inputs))])
    if isinstance(sent, RenderFailure):
        return f"error: {sent.message}"
    return [[message.role.value, message.content] for message in sent]


def agree(mine: Messages | str, theirs: Messages | str) -> bool:
    """Returns whether both send the same, or both refuse. Blanks around a message say nothing."""
    if isinstance(mine, str) or isinstance(theirs, str):
        return isinstance(mine, str) and isinstance(theirs, str)
    return [(role, text.strip()) for role, text in mine] == [(role, text.strip()) for role, text in theirs]
