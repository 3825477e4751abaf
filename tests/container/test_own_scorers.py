"""Hostile own scorers inside the image, under the engine's own profile: the same attacks as elsewhere."""

import json
from pathlib import Path

import pytest

from tests.hostile import scorer_attacks as attacks

pytestmark = [pytest.mark.container, pytest.mark.slow]


@pytest.mark.parametrize("user", ["0:0", "65532:65532"], ids=["Action", "bot"])
def test_the_image_isolates_own_scorers(image, user):
    folder = Path(attacks.__file__).parent
    said = image.engine.run(
        "run", "--rm", "--network", "host", "--user", user, "--env", "HOME=/tmp", "--volume", f"{folder}:/attacks:ro",
        "--entrypoint", "python", image.tag, "/attacks/scorer_attacks.py",
    )  # fmt: skip
    found = json.loads(said)
    assert {name: tuple(told[::2]) for name, told in found["attacks"].items() if name not in attacks.HARMLESS} == (
        dict.fromkeys(attacks.ATTACKS | attacks.SLOW, (None, attacks.HONEST))
    )
    assert [name for name, words in attacks.ATTACKS.items() if words not in found["attacks"][name][1]] == []
    assert (found["connections"], found["files"], attacks.CANARY in said) == (0, [], False)
