"""Golden files: reviewed as diffs, written anew with ``PROMPTVERDICT_UPDATE_GOLDEN=1 pytest tests/render``."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def check_golden(name: str, text: str) -> None:
    """Fails unless ``text`` is what the golden file ``name`` says."""
    path = FOLDER / name
    if os.environ.get("PROMPTVERDICT_UPDATE_GOLDEN"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()
