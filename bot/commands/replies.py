"""The form of answers: one comment for one command, as Markdown. Everything quoted is hostile and is encoded. Pure."""

from __future__ import annotations

import base64

from engine.render.encode import code, prose, visible
from engine.render.limits import COMMENT
from engine.render.links import link
from engine.render.sections import fold
from engine.test_edits.patches import Patch

ANSWER = "<!-- prompt-verdict-answer"
"""The start of an answer's first line, before the command's comment id. It differs from the scorecard's marker."""
ENOUGH = "The bot acknowledges further commands of yours here, but does not answer them. Ask someone with write access."


def marker(comment_id: int) -> str:
    """Returns the start of the answer to this comment."""
    return f"{ANSWER} {comment_id}"


def answer_body(comment_id: int, author: str, url: str, text: str) -> str:
    """Returns the whole comment: marker, addressee, answer. An answer that GitHub would refuse is left out."""
    start = f"{marker(comment_id)} -->\n{link('Answer', url)} to {code(author)}:\n\n"
    body = f"{start}{text}\n"
    if COMMENT.hold(body):
        return body
    return f"{start}{prose('The answer is too long for a comment: see the report.')}\n"


def said(*sentences: str) -> str:
    """Renders sentences of ours. They may quote untrusted names between backticks."""
    return prose(" ".join(sentences), 2_000)


def patch_text(patch: Patch, what: str, sha: str) -> str:
    """Renders a patch of the head in a form that survives a comment."""
    intro = said(f"{what} It applies to `{sha[:12]}`: on the pull request's branch, run `git apply` and paste it.")
    shown = f'<pre lang="diff">{_exact(patch.text)}</pre>'
    if _survives(patch.text):
        return f"{intro}\n\n{shown}"
    packed = base64.b64encode(patch.text.encode()).decode()
    command = f"<pre>{_exact(f'echo {packed} | base64 -d | git apply')}</pre>"
    why = said(
        "A comment can't carry all characters of this file (line ends or invisible ones). Run this command instead:"
    )
    readable = fold("What it changes", f'<pre lang="diff">{_exact(visible(patch.text, lines=True))}</pre>')
    return f"{said(what)} {said(f'It applies to `{sha[:12]}`.')}\n\n{why}\n\n{command}\n\n{readable}"


def _survives(text: str) -> bool:
    plain = text.replace("\t", "")
    return visible(plain, lines=True) == plain


def _exact(text: str) -> str:
    """Encodes every character as an entity: nothing is Markdown or HTML, and a copy is exact."""
    return "".join(c if c.isalnum() else f"&#{ord(c)};" for c in text)
