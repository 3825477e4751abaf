"""Reads a rubric: YAML with ``dimensions``, each with a description, anchors for grades from 1 to 5, and a weight."""

from __future__ import annotations

from engine.readers.bounded import source_of
from engine.readers.validation import validated
from engine.readers.yaml_nodes import read_yaml
from schemas.errors import ConfigError
from schemas.rubrics import Rubric


def read_rubric(path: str, data: bytes) -> Rubric:
    """Returns the rubric in ``data``. Raises ConfigError with ``path:line:column``."""
    source = source_of(path, data, failure=ConfigError)
    return validated(Rubric, read_yaml(source), source, "the rubric")
