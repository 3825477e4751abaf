"""``promptverdict decide``."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from action.cli.streams import put
from action.exits import Exit, exit_of_status
from engine.gate.verdict import passes
from engine.records.kept import record_json
from engine.records.replay import replay
from engine.render.encode import log_line
from schemas.errors import SourceError, UsageError
from schemas.experiments import ExperimentRecord

if TYPE_CHECKING:
    from pathlib import Path


def decide(path: Path, *, output_format: str) -> Exit:
    """Decides a recorded experiment again, offline. Raises UsageError for a file that is not a record."""
    try:
        experiment = ExperimentRecord.model_validate_json(record_json(path.read_bytes()))
    except OSError as error:
        raise UsageError(f"can't be read: {error.strerror}", where=str(path), hint="check the path") from error
    except SourceError as error:
        raise UsageError(error.what, where=str(path), hint="run check again, or copy the file again") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"is not a recorded experiment: {place and f'{place}: '}{first['msg']}",
            where=str(path),
            hint="promptverdict check --output DIR writes them to DIR/experiments",
        ) from error
    decision = replay(experiment)
    if output_format == "json":
        document = {field.name: _plain(getattr(decision, field.name)) for field in dataclasses.fields(decision)}
        put(json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
    else:
        put(log_line(f"{experiment.lineage} · {experiment.model}: {decision.status.value}") + "\n")
        put("".join(log_line(f"  {reason.sentence}") + "\n" for reason in decision.reasons))
        put("This is about the scores alone: check may have had other reasons, which a record doesn't hold.\n")
    return exit_of_status(decision.status, lets_through=passes(decision.status, experiment.gate.inconclusive))


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value
