"""Makes the workflow that ``promptverdict init`` writes, from a template of the package (action/workflow*.yml)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from schemas.errors import UsageError


def action_name(url: str) -> str:
    """Returns the OWNER/NAME at the end of a repository's address. Raises UsageError if it has none."""
    name = re.fullmatch(r"(?:https://[^/@]+|file://.*)/([A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*?)(?:\.git)?/?", url)
    if name is None:
        raise UsageError(f"{url!r} is not the address of a repository", hint="pass https://HOST/OWNER/NAME")
    return name[1]


def workflow_text(template: str, *, branch: str, action: str, release: str, keys: Sequence[str]) -> str:
    """Returns the workflow made from a ``template`` of the package (action/workflow*.yml).

    ``branch`` is the default branch, and ``action`` the OWNER/NAME that releases the Action. ``release`` follows ``@``
    in ``uses:`` (a commit with the version as a comment, or a tag). ``keys`` are the variables of the keys that
    the short form passes on; without any, it names the template's.
    """
    text = re.sub(r"branches: \[[^]]*\]", lambda _: f"branches: [{json.dumps(branch)}]", template)
    text = re.sub(r"uses: prompt-verdict/prompt-verdict([^@\s]*)@.*", lambda m: f"uses: {action}{m[1]}@{release}", text)
    passed = ", ".join(f'{key}: "${{{{ secrets.{key} }}}}"' for key in keys)
    return re.sub(r"secrets: \{.*\}", lambda _: f"secrets: {{{passed}}}", text) if passed else text
