"""The whole gate of a prompt as rows of the settings page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.render.figures import NONE, limit
from schemas import margins
from schemas.gate_config import GateConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = tuple[str, str, str]
DEFAULT = "default"
FILE = "promptverdict.yaml: gate.{}"
MOST_NAMES = 40
"""Rows of one map, such as margins of slices."""


def _points(value: object) -> str:
    return f"{limit(float(str(value)))} points"


def _margin(value: object) -> str:
    automatic = f"automatic: what the cases can rule out, at most {limit(margins.WIDEST)} points"
    return automatic if value is None else _points(value)


def _share(value: object) -> str:
    return "not limited" if value is None else f"{Decimal(str(value)):.0%}"


def _floor(value: object) -> str:
    return NONE if value is None else _points(value)


def _word(value: object) -> str:
    return NONE if value is None else str(value).replace("_", "-")


SETTINGS: Sequence[tuple[str, str, Callable[[object], str]]] = (
    ("mode", "Sequential or fixed", _word),
    ("repetitions", "Runs of a case, if fixed", _word),
    ("margin.overall", "Largest drop of all cases", _margin),
    ("margin.slice", "Largest drop of a slice", _margin),
    ("margin.slices", "Largest drop of slice {}", _points),
    ("margin.metrics", "Largest drop of metric {}", _points),
    ("margin.classes", "Largest drop of label {}", _points),
    ("margin.fields", "Largest drop of field {}", _points),
    ("adversarial", "Slice adversarial", _word),
    ("slices", "Slice {}", _word),
    ("max_cost_increase", "Cost may rise by", _share),
    ("latency", "Latency", _word),
    ("max_latency_increase", "Median latency may rise by, if it gates", _share),
    ("floor.overall", "Least score of all cases", _floor),
    ("floor.slices", "Least score of slice {}", _points),
    ("inconclusive", "An inconclusive verdict", _word),
)
"""Key, name and form of every setting of ``GateConfig``. A map has ``{}`` in its name, and a row for each entry."""


def gate_rows(gate: GateConfig) -> Iterator[Row]:
    """Yields every setting: name, value, and where it comes from.

    A value that is written, but equals the default, is shown as the default.
    """
    default = GateConfig()
    for key, name, form in SETTINGS:
        value, usual = _at(gate, key), _at(default, key)
        if isinstance(value, Mapping):
            names = list(value)[:MOST_NAMES]
            yield from ((name.format(one), form(value[one]), FILE.format(f"{key}.{one}")) for one in names)
        else:
            source = DEFAULT if value == usual else FILE.format(key)
            # The default of this one depends on nothing else, but is decided elsewhere.
            shown = "guard" if key == "adversarial" and value is None else form(value)
            yield name, shown, source


def _at(gate: GateConfig, key: str) -> object:
    value: object = gate
    for part in key.split("."):
        value = getattr(value, part)
    return value
