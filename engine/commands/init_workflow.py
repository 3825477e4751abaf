"""Makes the workflow that ``promptverdict init`` writes, from a template of the package (action/workflow*.yml)."""

from __future__ import annotations

import json
import re

from schemas.errors import UsageError

SHORT_FORM_KEY = "ANTHROPIC_API_KEY"
"""The key in the short form of the template. ``init`` replaces it with the one that is needed."""


def action_name(url: str) -> str:
    """Returns the OWNER/NAME at the end of a repository's address. Raises UsageError if it has none."""
    name = re.fullmatch(r"(?:https://[^/@]+|file://.*)/([A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*?)(?:\.git)?/?", url)
    if name is None:
        raise UsageError(f"{url!r} is not the address of a repository", hint="pass https://HOST/OWNER/NAME")
    return name[1]


def workflow_text(template: str, *, branch: str, action: str, release: str, key: str | None) -> str:
    """Returns the workflow made from a ``template`` of the package (action/workflow*.yml).

    ``branch`` is the default branch, and ``action`` the OWNER/NAME that releases the Action. ``release`` follows ``@``
    in ``uses:`` (a commit with the version as a comment, or a tag). ``key`` is the variable of the one key that the
    short form passes on.
    """
    text = re.sub(r"branches: \[[^]]*\]", lambda _: f"branches: [{json.dumps(branch)}]", template)
    text = re.sub(r"uses: prompt-verdict/prompt-verdict([^@\s]*)@.*", lambda m: f"uses: {action}{m[1]}@{release}", text)
    return text.replace(SHORT_FORM_KEY, key) if key and "secrets: {" in text else text
