"""Sends many hostile texts through the encoder: ``python -m benchmarks.fuzz_encoder 100000``.

Each text is put into every place of a comment, rendered by a GFM renderer with raw HTML allowed, and parsed. The result
must have the same elements as with a harmless text. Each text is also a log line for the parsers of the Actions runner.
"""

import sys
import time

from hypothesis import HealthCheck, Phase, given, settings

from engine.render.encode import log_line
from tests.render.surfaces import hostile_texts, runner_commands
from tests.render.test_encode import foreign


def main(number: int) -> None:
    """Prints how many texts and lines went through; raises with the smallest text that broke out."""
    counts = {"texts": 0, "characters": 0, "lines": 0}
    options = settings(
        max_examples=number,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )

    @options
    @given(hostile_texts)
    def pages(text: str) -> None:
        counts["texts"] += 1
        counts["characters"] += len(text)
        found = foreign(text)
        assert not found, (text, found)

    @options
    @given(hostile_texts)
    def log(text: str) -> None:
        counts["lines"] += 1
        found = runner_commands(log_line(text))
        assert not found, (text, found)

    start = time.perf_counter()
    pages()
    between = time.perf_counter()
    log()
    end = time.perf_counter()
    texts, characters, lines = counts.values()
    print(f"{texts:,} texts ({characters:,} characters) in 14 places each: nothing foreign, {between - start:.0f} s")
    print(f"{lines:,} log lines: no command, {end - between:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
