"""Writes the pages as files, for people without a server: the same templates, opened from a folder."""

from __future__ import annotations

import hashlib
import html
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from pydantic import ValidationError
from starlette.routing import compile_path

from bot.pages.access import LocalVisitor
from bot.pages.context import Facts, Page, Site
from bot.pages.resolve import Pagemaker
from bot.pages.routes import ROUTES
from bot.store.values import Measured, RepositoryRef, RunKind, RunState
from engine.pages.render import ICON, page, stylesheet, stylesheet_name
from schemas.errors import UsageError
from schemas.scorecard import Scorecard

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from bot.store.records import Records

MOST_FILES = 20_000
LARGEST_SCORECARD = 256 * 1024 * 1024
PLAIN = re.compile("[A-Za-z0-9/_-]{1,200}")
LIST = "prompt-verdict-pages.txt"
"""Names what an export wrote. A later one with other runs must leave no page of these behind."""
OURS = re.compile(r"[A-Za-z0-9_-]{1,250}\.html|static/[a-z0-9-]{1,60}\.(?:css|svg)")
LINK = re.compile(' href="(/[^"]*)"')
"""Addresses in pages are ours, and encoded, so that a text can't look like one."""
FILTERS = {"result", "slice", "failing", "expected", "baseline_said", "candidate_said", "kind"}
SITE = Site(root="./", home="index.html", note="exported", static=True)


class Export:
    """Follows the links from the first page, and writes each page once."""

    def __init__(self, records: Records, folder: Path, server_url: str, now: datetime) -> None:
        self._maker = Pagemaker(records, Facts(server_url))
        self._folder = folder
        self._now = now
        self._routes = [(compile_path(route.path), route) for route in ROUTES]

    def write(self) -> int:
        """Writes everything, removes what only an earlier export wrote, and returns the number of pages.

        Raises UsageError for a folder with another site.
        """
        earlier = self._earlier()
        static = self._folder / "static"
        static.mkdir(parents=True, exist_ok=True)
        (static / stylesheet_name()).write_text(stylesheet(), encoding="utf-8")
        (static / "icon.svg").write_text(ICON, encoding="utf-8")
        waiting, made = ["/"], {"/"}
        while waiting:
            address = waiting.pop()
            found = self._page(address) or Page(
                "message", "Not found", {"text": "This page is not part of the export.", "address": None}
            )
            text = page(found.template, title=found.title, crumbs=found.crumbs, site=SITE, **found.values)
            for other in dict.fromkeys(_linked(text)):
                if other not in made and len(made) < MOST_FILES:
                    made.add(other)
                    waiting.append(other)
            text = LINK.sub(lambda one: _local(one[1], made), text)
            (self._folder / _file(address)).write_text(text, encoding="utf-8")
        names = {*map(_file, made), f"static/{stylesheet_name()}", "static/icon.svg"}
        for name in earlier - names:
            (self._folder / name).unlink(missing_ok=True)
        (self._folder / LIST).write_text("".join(f"{name}\n" for name in sorted(names)), encoding="utf-8")
        return len(made)

    def _earlier(self) -> set[str]:
        """Returns the files of an earlier export. The folder may hold other files, which stay."""
        try:
            lines = (self._folder / LIST).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            lines = []
        if not lines and (self._folder / "index.html").exists():
            raise UsageError(
                f"{self._folder} already has an index.html of something else",
                where="--output",
                hint="name another folder, or empty it",
            )
        return {name for name in lines if OURS.fullmatch(name)}

    def _page(self, address: str) -> Page | None:
        parts = urlsplit(address)
        for (pattern, _, convertors), route in self._routes:
            if found := pattern.fullmatch(parts.path):
                values = {name: convertors[name].convert(value) for name, value in found.groupdict().items()}
                query = dict(parse_qsl(parts.query))
                made = self._maker.page(route, values, query, visitor=LocalVisitor(), now=self._now)
                return made if isinstance(made, Page) else None
        return None


def _linked(text: str) -> Iterable[str]:
    """Yields the pages that a page links to. Lists with several filters would be too many files."""
    for encoded in LINK.findall(text):
        address = urlsplit(html.unescape(encoded))._replace(fragment="").geturl()
        if sum(name in FILTERS for name, _ in parse_qsl(urlsplit(address).query)) <= 1:
            yield address


def _local(encoded: str, made: Collection[str]) -> str:
    """Returns the link as one to a file; without an address if there is no such file."""
    parts = urlsplit(html.unescape(encoded))
    address = parts._replace(fragment="").geturl()
    anchor = f"#{parts.fragment}" if re.fullmatch("[a-z]+", parts.fragment) else ""
    return f' href="{_file(address)}{anchor}"' if address in made else ""


def _file(address: str) -> str:
    """Returns a page's file name: readable if that is safe, else from a digest."""
    parts = urlsplit(address)
    if address == "/":
        return "index.html"
    digest = hashlib.sha256(address.encode()).hexdigest()[:12]
    name = parts.path.strip("/").replace("/", "-") if PLAIN.fullmatch(parts.path) else f"page-{digest}"
    return f"{name}-{digest}.html" if parts.query else f"{name}.html"


def keep_scorecards(records: Records, paths: Iterable[Path], full_name: str) -> list[datetime]:
    """Stores scorecards of the Action as runs of one repository, in the order of the files' dates.

    ``paths`` are ``scorecard.json`` files, or folders with any number of them. Returns those dates. Raises
    UsageError.
    """
    files = [file for path in paths for file in (sorted(path.rglob("scorecard.json")) if path.is_dir() else [path])]
    dated = sorted(((datetime.fromtimestamp(_modified(file), UTC), file) for file in files), key=lambda one: one[0])
    try:
        repo = RepositoryRef(installation_id=1, repository_id=1, full_name=full_name)
    except ValidationError:
        raise UsageError(f"{full_name!r} is not the name of a repository", hint="write OWNER/NAME") from None
    for number, (at, file) in enumerate(dated, start=1):
        card = _scorecard(file)
        run = records.open_run(
            repo, None, card.head.sha, card.base.ref, why=f"file {number}", kind=RunKind.PULL_REQUEST,
            raise_attempt=True, at=at,
        )  # fmt: skip
        measured = [Measured(lineage=one.lineage, model=one.model) for one in card.lineages]
        records.keep_verdict(run.id, card, "exported", at=at, measured=measured)
        records.finish(run.id, RunState.DONE, at)
    return [at for at, _ in dated]


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError as error:
        raise UsageError(f"{file} can't be read: {error.strerror}") from None


def _scorecard(file: Path) -> Scorecard:
    try:
        if file.stat().st_size > LARGEST_SCORECARD:
            raise UsageError(f"{file} is too large")
        return Scorecard.model_validate_json(file.read_bytes())
    except ValidationError:
        raise UsageError(
            f"{file} is not a scorecard of this version", hint="name the scorecard.json of a run"
        ) from None
