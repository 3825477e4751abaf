"""A patch in a form that survives a comment: every copy of it is exact."""

from __future__ import annotations

import base64

from engine.render.encode import prose, visible
from engine.render.sections import fold


def patch_block(patch: str, what: str, sha: str) -> str:
    """Returns a sentence about the patch, how to apply it to the commit ``sha``, and the patch."""
    at = f"It applies to `{sha[:12]}`"
    shown = f'<pre lang="diff">{_exact(patch)}</pre>'
    if (packed := packed_command(patch)) is None:
        return f"{prose(f'{what} {at}: on its branch, run `git apply` and paste it.', 2_000)}\n\n{shown}"
    command = f"<pre>{_exact(packed)}</pre>"
    why = "A comment can't carry all characters of this file (line endings, invisible ones). Run this command instead:"
    readable = fold("What it changes", f'<pre lang="diff">{_exact(visible(patch, lines=True))}</pre>')
    return f"{prose(what, 2_000)} {prose(f'{at}.')}\n\n{prose(why)}\n\n{command}\n\n{readable}"


def packed_command(patch: str) -> str | None:
    """Returns the command that applies a patch of which no copied text is exact; ``None`` if its text is."""
    plain = patch.replace("\t", "")
    if visible(plain, lines=True) == plain:
        return None
    return f"echo {base64.b64encode(patch.encode()).decode()} | base64 -d | git apply"


def _exact(text: str) -> str:
    """Encodes every character as an entity: nothing is Markdown or HTML, and a copy is exact."""
    return "".join(c if c.isalnum() else f"&#{ord(c)};" for c in text)
