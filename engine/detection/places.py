"""Where a prompt lies on either side: its file, its constant, its parts; followed through renames of files."""

from __future__ import annotations

from engine.detection.entries import Entry
from engine.detection.files import Files
from engine.detection.sides import Sides
from engine.readers.bounded import shown
from engine.readers.code.pieces import MissingConstantError
from engine.readers.prompts.references import read_reference
from engine.readers.tools import read_tools
from schemas.errors import PromptVerdictError
from schemas.prompts import Dialect, Finding, PromptFile
from schemas.references import Place, Reference


def read_for(files: Files, reference: Reference | None, entry: Entry, tools: str | None) -> PromptFile | Finding | None:
    """Returns the prompt of a lineage, like ``read_at``, with the definitions of its ``tools`` from their file."""
    prompt = read_at(files, reference, entry.lineage.template)
    if tools is None or not isinstance(prompt, PromptFile):
        return prompt
    if prompt.parameters.tools:
        what = f"the prompt has tools of its own, and the configuration names {shown(tools)}"
        return Finding(what=what, where=shown(prompt.path), hint="keep one of the two")
    if (obstacle := files.obstacle(tools)) is not None:
        return obstacle
    if tools not in files:
        return Finding(what="this file of tools doesn't exist", where=shown(tools), hint="check tools: of the lineage")
    try:
        defined = read_tools(tools, files[tools])
    except PromptVerdictError as error:
        return Finding(what=error.what, where=error.where, hint=error.hint)
    return prompt.model_copy(update={"parameters": prompt.parameters.model_copy(update={"tools": defined})})


def is_there(files: Files, reference: Reference) -> bool:
    """Returns whether any part of a prompt is in a tree, be it one that can't be read."""
    return any(_holds(files, place) for place in reference.places)


def place_after(entry: Entry, sides: Sides) -> Reference | None:
    """Returns where the prompt lies after the merge, followed through renames by content; ``None``: nowhere."""
    named, moved = entry.head_prompt, entry.prompt.moved(sides.changes.moves)
    found = [named] if moved == entry.prompt else [named, moved]
    whole = (each for each in found if all(_holds(sides.merged, place) for place in each.places))
    return next(whole, None) or next((each for each in found if is_there(sides.merged, each)), None)


def _holds(files: Files, place: Place) -> bool:
    if files.obstacle(place.path):
        return True
    if files.entry(place.path) is None:
        return False
    if place.key is None:
        return True
    try:
        read_reference(Reference((place,)), files)
    except MissingConstantError:
        return False
    except PromptVerdictError:
        return True
    return True


def read_at(files: Files, reference: Reference | None, template: Dialect | None = None) -> PromptFile | Finding | None:
    """Returns the prompt at ``reference``, ``None`` if nothing is there, or why it can't be read."""
    if reference is None:
        return None
    if obstacle := next(filter(None, map(files.obstacle, reference.paths)), None):
        return obstacle
    if reference.file is not None and files.entry(reference.file) is None:
        return None
    files.fetch_prompts(reference.paths)
    try:
        return read_reference(reference, files, template)
    except MissingConstantError:
        return None
    except PromptVerdictError as error:
        return Finding(what=error.what, where=error.where, hint=error.hint)
