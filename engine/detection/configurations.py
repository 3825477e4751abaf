"""Configurations of a repository, one for each folder: at the base and after the merge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engine.detection.files import Files, below
from engine.detection.sides import Sides
from engine.readers.bounded import shown
from engine.readers.config import read_config
from schemas.config import Config, Mode
from schemas.errors import ConfigError
from schemas.ports import SourceTree
from schemas.prompts import Finding

NAME = "promptverdict.yaml"
MISNAMED = "promptverdict.yml"


class Place(NamedTuple):
    """One folder's configuration."""

    root: str
    """The folder that the configuration applies to. Empty: the root of the repository."""
    path: str
    """Path of the file at the base, or at the head if it is new."""
    base: Config | None
    head: Config | None
    touched: bool = False
    """Whether the pull request changes it."""
    broken: ConfigError | None = None
    """Why the base's file can't be read."""


def folder_for(path: str) -> str:
    """Returns the folder that the configuration at ``path`` applies to: its own, or the parent of ``.github``."""
    folder = path.rpartition("/")[0]
    return folder.removesuffix(".github").removesuffix("/") if folder.rpartition("/")[2] == ".github" else folder


def find_configurations(tree: SourceTree, sides: Sides) -> tuple[tuple[Place, ...], tuple[Finding, ...]]:
    """Returns every folder with a configuration at the base or the head, sorted, and warnings.

    Raises ConfigError if the head's file can't be read, or if one folder has two configurations. It also raises if the
    base's file can't be read, unless the head fixes it or the pull request doesn't touch the folder.
    """
    # Found in the base only: a configuration that is new in the head shows among the changes.
    found = [entry.path for entry in tree.find(sides.base.commit, [f"**/{NAME}", f"**/{MISNAMED}"])]
    warnings = [
        Finding(
            what=f"this file is ignored, because a configuration must be named {NAME}",
            where=shown(path),
            hint="rename it",
        )
        for path in found
        if path.endswith(MISNAMED)
    ]
    touched = {folder_for(path) for path in sides.changes.touched if path.rpartition("/")[2] == NAME}
    roots = _by_folder(path for path in found if path.endswith(NAME))
    sides.base.fetch(roots.values())
    places = []
    for root in sorted(roots.keys() | touched):
        place = _place(root, roots.get(root), sides, touched=root in touched)
        if place.broken is None or (place.touched and place.head):
            places.append(place)
        # An unreadable configuration must not let its own folder pass. Other folders are not held up by it.
        elif sides.changes.touches(root):
            raise place.broken
        else:
            warnings.append(Finding(what=place.broken.what, where=place.broken.where, hint=place.broken.hint))
    return tuple(places), tuple(warnings)


def _place(root: str, path: str | None, sides: Sides, *, touched: bool) -> Place:
    """Reads the configuration of a folder on both sides; ``path``: base's. Raises ConfigError for a head that can't be
    read."""
    head_path = _there(sides.merged, root) if touched else None
    # A moved file or a changed bit with the same content changes no setting.
    changed = touched and not _same(sides, path, head_path)
    base, broken = None, None
    if path is not None:
        try:
            base = _read(sides.base, path)
        except ConfigError as error:
            broken = error
    head = base
    if changed:
        head = _read(sides.merged, head_path) if head_path else None
    where = path or head_path
    assert where is not None  # touched: one of the sides has it
    return Place(root, where, base, head, changed, broken)


def read_configurations(files: Files) -> dict[str, Config]:
    """Returns every configuration of a tree by the folder that it applies to.

    Raises ConfigError if one can't be read.
    """
    roots = _by_folder(path for path in files.find([f"**/{NAME}"]) if path.endswith(NAME))
    files.fetch(roots.values())
    return {root: _read(files, path) for root, path in roots.items()}


def configuration_around(path: str, places: Sequence[Place]) -> Config:
    """Returns the base's configuration of the innermost folder around ``path``, or the defaults if there is none."""
    around = [place for place in places if place.base and (not place.root or path.startswith(f"{place.root}/"))]
    innermost = max(around, key=lambda place: len(place.root), default=None)
    return (innermost and innermost.base) or Config(version=1)


def mode_of(places: Sequence[Place], concerned: Sequence[Config], *, calling: bool, about: Iterable[str] = ()) -> Mode:
    """Returns ``inform`` if every configuration that judges a part of the pull request says so, else ``enforce``.

    ``concerned`` holds the configurations of its lineages and settings. A configuration that is new in the head is
    judged by the one around it. So is each path in ``about``, the subjects of reasons for the pull request as a whole.
    If the way workflows call this gate changes (``calling``), every configuration counts. An unreadable configuration
    enforces.
    """
    paths = [*about, *(place.path for place in places if place.base is None)]
    judging = [*concerned, *(configuration_around(path, places) for path in paths)]
    if calling:
        judging += [place.base for place in places if place.base] or [Config(version=1)]
    # One enforcing configuration is enough: a lenient folder must not switch off a strict one.
    informs = bool(judging) and all(config.mode is Mode.INFORM for config in judging)
    return Mode.INFORM if informs and not any(place.broken for place in places) else Mode.ENFORCE


def _by_folder(paths: Iterable[str]) -> dict[str, str]:
    roots: dict[str, str] = {}
    for path in sorted(paths):
        other = roots.setdefault(folder_for(path), path)
        # With two files for one folder, a pull request could swap which one counts.
        if other != path:
            raise ConfigError(
                f"{shown(other)} is for the same folder", where=shown(path), hint="keep one of the two files"
            )
    return roots


def _there(files: Files, root: str) -> str | None:
    paths = [below(root, NAME), below(root, f".github/{NAME}")]
    files.fetch(paths)
    return next(iter(_by_folder(path for path in paths if files.entry(path)).values()), None)


def _same(sides: Sides, base: str | None, head: str | None) -> bool:
    if base is None or head is None:
        return base is head
    return sides.base.same(base, sides.merged, head)


def _read(files: Files, path: str) -> Config:
    if obstacle := files.obstacle(path):
        raise ConfigError(obstacle.what, where=obstacle.where, hint=obstacle.hint)
    if path not in files:
        raise ConfigError("this is a folder, not a configuration file", where=shown(path), hint="rename the folder")
    return read_config(path, files[path])
