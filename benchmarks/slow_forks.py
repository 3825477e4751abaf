"""Opens four forks with slow templates, then twenty ordinary pull requests: are those as fast as without the forks?

    make soak
    python -m benchmarks.slow_forks --pulls 4

Runs the pull requests alone first, then the same number beside the forks. The exit code is 1 unless both the last
verdict and the median arrive within twice the time that they take alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

from benchmarks.bot_lab import SLOW, SLOW_CONFIG, Lab, edited, lab

PATIENCE_S = 900.0
CASES = 3000


def measured(made: Lab, name: str, pulls: int) -> list[float]:
    """Seconds until each verdict of so many pull requests that are opened together."""
    began = time.monotonic()
    opened = {}
    for number in range(pulls):
        pull, event = made.whole.scene.open_pull(edited(f"{name} {number}"), branch=f"{name}-{number}")
        opened[pull.head_sha] = None
        made.whole.emit("pull_request", event)
    took: dict[str, float] = {}
    while len(took) < pulls and time.monotonic() < began + PATIENCE_S:
        for sha in opened.keys() - took.keys():
            if made.check(sha).get("conclusion") == "success":
                took[sha] = time.monotonic() - began
        time.sleep(0.01)
    assert len(took) == pulls, f"{pulls - len(took)} of {pulls} got no verdict"
    return sorted(took.values())


def campaign(pulls: int, forks: int) -> dict[str, object]:
    """Raises AssertionError for pull requests that wait for forks."""
    rows = "".join(
        json.dumps({"id": f"s{n}", "inputs": {"ticket": f"t {n}"}, "expected": "billing"}) + "\n" for n in range(CASES)
    )
    with lab() as made:
        bot = made.start()
        made.deliver_to(bot)
        bot.until("working", wait_s=120)
        measured(made, "warm", 1)
        alone = measured(made, "alone", pulls)
        strangers = []
        for number in range(forks):
            files = {"promptverdict.yaml": SLOW_CONFIG, "s.j2": f"{SLOW}{number}", "s.jsonl": rows}
            who = f"stranger{number}"
            pull, event = made.whole.scene.open_pull(files, author=who, branch=f"f{number}", fork=f"{who}/shop")
            strangers.append(pull.head_sha)
            made.whole.emit("pull_request", event)
        end = time.monotonic() + PATIENCE_S
        while not any(made.check(sha) for sha in strangers) and time.monotonic() < end:
            time.sleep(0.01)
        beside = measured(made, "beside", pulls)
        waiting = sum(made.check(sha).get("conclusion") is None for sha in strangers)
        assert all(made.concluded(sha, PATIENCE_S) for sha in strangers), "a fork got no answer"
    figures = {
        "forks_under_way_meanwhile": waiting,
        **{
            f"{name}_s": {"median": round(statistics.median(times), 2), "last": round(times[-1], 2)}
            for name, times in (("alone", alone), ("beside_forks", beside))
        },
    }
    slower = max(beside[-1] / alone[-1], statistics.median(beside) / statistics.median(alone))
    assert slower <= 2, f"{slower:.1f} times as long: {figures}"
    return {"pulls": pulls, "forks": forks, **figures, "times_as_long": round(slower, 2)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pulls", type=int, default=20)
    parser.add_argument("--forks", type=int, default=4)
    given = parser.parse_args()
    print(json.dumps(campaign(given.pulls, given.forks)))
