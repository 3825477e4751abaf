"""How often the staged pull requests get the verdict that they deserve, over many seeds of the offline model's chance.

    python -m benchmarks.rewording                 the harmless rewording, 100 seeds (about half a minute)
    python -m benchmarks.rewording --all           every staged pull request of one lineage
    python -m benchmarks.rewording --seeds 1000

A seed is the ``seed`` parameter of every request: a draw of its own for both arms. The harmless rewording has to
pass at least 97 times of 100 and to be blocked at most once.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import replace

from benchmarks.staged import Staged
from engine.gate.verdict import SEVERITY, combine, passes

REWORDING = ("reworded-triage", "support-triage")
OTHERS = (
    ("better-triage", "support-triage"),
    ("trusting-triage", "support-triage"),
    ("explained-match", "resume-match"),
    ("looser-gate", "support-triage"),
    ("cheaper-model", "outreach-email"),
    ("quicker-refunds", "support-agent"),
)


def main() -> None:
    """Prints a row for each pull request."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seeds", type=int, default=100)
    arguments.add_argument("--all", action="store_true")
    chosen = arguments.parse_args()
    print(f"{'pull request':<18} {'passes':>6} {'blocked':>7}  calls  seconds  reasons")
    for name, lineage in (REWORDING, *OTHERS) if chosen.all else (REWORDING,):
        staged = Staged(name, lineage)
        started = time.perf_counter()
        decisions = []
        for seed in range(chosen.seeds):
            decision = staged.decide(seed)
            reasons = (*decision.reasons, *staged.drift())
            status = combine(reason.status for reason in reasons)
            ordered = tuple(sorted(reasons, key=lambda reason: SEVERITY.index(reason.status)))
            decisions.append(replace(decision, status=status, reasons=ordered))
        seconds = (time.perf_counter() - started) / chosen.seeds
        passing = sum(passes(decision.status, "pass") for decision in decisions)
        blocked = sum(decision.status.value == "blocked" for decision in decisions)
        calls = sum(decision.cells for decision in decisions) / chosen.seeds
        firsts = Counter(" ".join(filter(None, (d.reasons[0].code, d.reasons[0].slice))) for d in decisions)
        why = ", ".join(f"{reason} {count}" for reason, count in firsts.most_common(3))
        print(f"{name:<18} {passing:>6} {blocked:>7} {calls:>6.0f} {seconds:>8.2f}  {why}", flush=True)


if __name__ == "__main__":
    main()
