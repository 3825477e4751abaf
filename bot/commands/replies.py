"""The form of answers: one comment for one command, as Markdown. Everything quoted is hostile and is encoded. Pure."""

from __future__ import annotations

from engine.render.encode import code, prose
from engine.render.limits import COMMENT
from engine.render.links import link
from engine.render.patch_block import patch_block
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
    return patch_block(patch.text, what, sha)
