"""How often ``promptverdict suggest`` proposes an edit, with scripted models that rewrite a prompt in different ways.

    python -m benchmarks.suggest [--first 0] [--seeds 100] [KIND …]

The prompt lacks one rule, without which a third of the cases fail. ``fixes`` finds the rule and should be proposed.
``memorizes`` lists the answers to what it is shown, ``lengthens`` only adds text, and ``rewords`` changes nothing that
matters while a seventh of all answers err by chance. Those should never be proposed.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.improve import lab

KINDS = {"fixes": 0.04, "memorizes": 0.04, "lengthens": 0.04, "rewords": 0.15}
"""By reflector: the share of answers that err by chance."""


async def one(kind: str, seed: int) -> Any:
    models = lab.Models(getattr(lab, kind), seed, noise=KINDS[kind])
    with tempfile.TemporaryDirectory() as folder:
        return await lab.found_with(models, lab.files(seed), Path(folder, "outcomes.sqlite"))


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("kinds", nargs="*", choices=[[], *KINDS], default=[])
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--seeds", type=int, default=100)
    chosen = options.parse_args()
    print(f"{'reflector':12}{'proposed':>10}{'judged':>8}{'own gain':>10}{'held out':>10}{'s each':>8}")
    for kind in chosen.kinds or KINDS:
        began = time.monotonic()
        found = [await one(kind, seed) for seed in range(chosen.first, chosen.first + chosen.seeds)]
        judged = [each.judged[0] for each in found if each.judged]
        own = [100 * (each.own.after - each.own.before) for each in judged]
        held = [100 * each.card.overall.change for each in judged]
        gains = "".join(f"{sum(of) / len(of):>+10.1f}" if of else f"{'–':>10}" for of in (own, held))
        proposed = f"{sum(each.proposed is not None for each in found)} of {chosen.seeds}"
        print(
            f"{kind:12}{proposed:>10}{len(judged):>8}{gains}{(time.monotonic() - began) / chosen.seeds:>8.1f}",
            flush=True,
        )


if __name__ == "__main__":
    asyncio.run(main())
