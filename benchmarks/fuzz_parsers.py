"""Hostile files through every parser, as many as asked for: ``python -m benchmarks.fuzz_parsers 100000 [parser …]``.

Nothing but a one-line refusal may come out, and nothing may take two seconds. Prints, for each parser, how many files
were read and refused and the slowest one's CPU seconds; ends with 1 and the file's seed at the first defect.
"""

import sys
import time
import traceback
from random import Random

from tests.formats.hostile_files import PARSERS, SAMPLES, hostile_file, survives

LIMIT_S = 2.0


def fuzz(name: str, number: int) -> bool:
    """Returns whether the parser ``name`` handled ``number`` files."""
    read_files, slowest, worst = 0, 0.0, 0
    begin = time.perf_counter()
    for seed in range(number):
        data = hostile_file(Random(f"{name} {seed}"), SAMPLES[name])
        start = time.process_time()
        try:
            read_files += survives(PARSERS[name], data)
        except Exception:  # noqa: BLE001 - whatever it is, it is the defect we look for
            traceback.print_exc()
            print(f"{name}: seed {seed} broke it: {data[:300]!r}")
            return False
        if (took := time.process_time() - start) > slowest:
            slowest, worst = took, seed
    print(
        f"{name:11} {number:,} files, {read_files:,} read, {number - read_files:,} refused, "
        f"slowest {slowest:.2f} s (seed {worst}), {time.perf_counter() - begin:.0f} s in all",
        flush=True,
    )
    return slowest < LIMIT_S


def main() -> int:
    """Runs all parsers and returns the exit code."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    sound = [fuzz(name, number) for name in sys.argv[2:] or PARSERS]
    return 0 if all(sound) else 1


if __name__ == "__main__":
    sys.exit(main())
