"""Links to pages and to lines of files. Only web addresses that a shell gave become links."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from engine.render.encode import code, entities


@dataclass(frozen=True)
class Links:
    """What only the shell knows: addresses, and whether the bot answers commands. ``None`` is left out."""

    report: str | None = None
    rerun: str | None = None
    repository: str | None = None
    """Address of the repository, for links to lines of its files."""
    bot: bool = False


NO_LINKS = Links()


def link(text: str, address: str | None) -> str:
    """Returns a link, or the bare text if there is no web address."""
    if address is None or not address.startswith(("https://", "http://")):
        return text
    return f'<a href="{entities(address)}">{text}</a>'


@dataclass(frozen=True)
class Files:
    """The files of both commits."""

    repository: str | None
    base_sha: str
    head_sha: str

    def place(self, path: str, lines: tuple[int, int] | None, *, head: bool, text: str | None = None) -> str:
        """Returns ``path:line`` as code, linked if the repository's address is known. ``head``: of the head commit."""
        said = text or (path if lines is None else f"{path}:{lines[0]}")
        shown = code(said, 120)
        if self.repository is None:
            return shown
        # Without `plain`, GitHub renders Markdown and CSV files, which then have no lines to link.
        anchor = "" if lines is None else f"?plain=1#L{lines[0]}" + (f"-L{lines[1]}" if lines[1] > lines[0] else "")
        sha = self.head_sha if head else self.base_sha
        return link(shown, f"{self.repository}/blob/{sha}/{quote(path, errors='replace')}{anchor}")
