"""Kills the bot and damages its files: the next run succeeds, or its check and /readyz say what an operator must do.

    make soak
    python -m benchmarks.self_repair --kills 100 --damage all
    python -m benchmarks.self_repair --kills 3 --damage 6

* Kills: the whole process group is killed at random moments, a share of them while a ``git`` runs. After each the bot
  is started again, and the head that was being measured gets its verdict.
* Damage: every file in the data folder, in each of five ways (``benchmarks/damage.py``). Copies of repositories are
  damaged while the bot works; everything else after it was killed, and it is started again.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import time
from collections import Counter
from pathlib import Path

from benchmarks.bot_lab import Lab, edited, lab
from benchmarks.damage import WAYS

PATIENCE_S = 240.0
"""For a verdict, on a machine that others work on."""
LONGEST_LIFE_S = 6.0
INSIDE_GIT = 0.4
"""The share of kills that wait for a git."""


def inside_git(group: int) -> bool:
    """Returns whether a git of this process group runs."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "stat").read_text()
        except OSError:
            continue
        name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
        if name.startswith("git") and int(rest[2]) == group:
            return True
    return False


def kills(number: int, seed: int) -> dict[str, object]:
    """Raises AssertionError where a head gets no verdict afterwards."""
    dice, inside, left = random.Random(seed), 0, Counter[str]()
    with lab() as made:
        pull, event = made.whole.scene.open_pull(edited("first"))
        for turn in range(number):
            bot = made.start()
            made.deliver_to(bot)
            if turn:
                event = made.whole.scene.push(pull, edited(f"push {turn}"))
            if turn % 7 == 3:  # from nothing: the first fetch writes the most
                shutil.rmtree(made.data / "sources", ignore_errors=True)
            made.whole.emit("pull_request", event)
            end = time.monotonic() + dice.uniform(0.0, LONGEST_LIFE_S)
            waits = dice.random() < INSIDE_GIT
            while time.monotonic() < end + (20 if waits else 0):
                if waits and inside_git(bot.process.pid):
                    time.sleep(dice.uniform(0.0, 0.02))
                    break
                time.sleep(0.001)
            inside += inside_git(bot.process.pid)
            made.kill(bot)
            left.update(
                path.name for path in (made.data / "sources").rglob("*.lock") if path.parent != made.data / "sources"
            )
            bot = made.start()
            made.deliver_to(bot)
            assert made.concluded(pull.head_sha, PATIENCE_S), (
                f"kill {turn}: {made.check(pull.head_sha)} {bot.lines[-5:]}"
            )
            made.assert_ready(bot, PATIENCE_S)
            made.kill(bot)
        assert len(made.whole.comments) <= 1
    return {"kills": number, "inside_git": inside, "locks_left_behind": dict(left)}


def outcome(made: Lab, sha: str, patience_s: float) -> str:
    """Returns the result of a head: a verdict, or instructions for an operator. Raises AssertionError for anything
    else."""
    bot = made.start()
    end = time.monotonic() + patience_s
    delivered = False
    while time.monotonic() < end:
        if bot.process.poll() is not None:
            said = bot.process.stderr.read()
            assert "damaged" in said or "failed" in said, said
            assert "(" in said, f"nothing about what to do: {said}"
            return "does not start, and says why"
        if not delivered and any(line["event"] == "listening" for line in bot.lines):
            made.deliver_to(bot)
            delivered = True
        check = made.check(sha)
        if check.get("conclusion") not in (None, "cancelled"):
            text = json.dumps(check["output"])
            if check["conclusion"] == "success":
                made.assert_ready(bot, PATIENCE_S)
                made.kill(bot)
                return "succeeds"
            raise AssertionError(f"{check['conclusion']}: {text[:600]}")
        if check and check["output"]["title"].startswith("waiting for the operator"):
            hint = check["output"]["summary"].partition("What to do: ")[2].partition(";")[0]
            said = made.readiness(bot)
            assert hint, check["output"]
            assert said.startswith("not ready"), said
            assert hint in said, f"{said} but its check: {hint}"
            made.kill(bot)
            return "its check and /readyz say what to do"
        time.sleep(0.05)
    raise AssertionError(f"{made.check(sha)} {made.readiness(bot)} {bot.lines[-5:]}")


def damage(most: int | None, seed: int) -> dict[str, object]:
    """Raises AssertionError for damage that is neither fixed nor told."""
    dice, told = random.Random(seed), Counter[str]()
    with lab() as made:
        bot = made.start()
        made.deliver_to(bot)
        pull, event = made.whole.scene.open_pull(edited("first"))
        made.whole.emit("pull_request", event)
        assert made.concluded(pull.head_sha, PATIENCE_S)
        copies = [path for path in sorted((made.data / "sources").rglob("*")) if path.is_file()]
        tries = [(path.relative_to(made.data), way) for path in copies for way in WAYS]
        for number, (path, way) in enumerate(tries if most is None else dice.sample(tries, most)):
            if (made.data / path).is_file():
                WAYS[way](made.data / path)
            made.whole.emit("pull_request", made.whole.scene.push(pull, edited(f"copy {number}")))
            assert made.concluded(pull.head_sha, PATIENCE_S), f"{path} {way}: {bot.lines[-5:]}"
            assert made.check(pull.head_sha)["conclusion"] == "success", f"{path} {way}: {made.check(pull.head_sha)}"
            told["a copy: succeeds"] += 1
        made.assert_ready(bot, PATIENCE_S)
        made.kill(bot)
        sound = made.folder / "sound"
        shutil.copytree(made.data, sound)
        files = [path.relative_to(sound) for path in sorted(sound.rglob("*")) if path.is_file()]
        files = [path for path in files if path.parts[0] != "sources"]
        tries = [(path, way) for path in files for way in WAYS]
        for number, (path, way) in enumerate(tries if most is None else dice.sample(tries, most)):
            shutil.rmtree(made.data)
            shutil.copytree(sound, made.data)
            WAYS[way](made.data / path)
            event = made.whole.scene.push(pull, edited(f"file {number}"))
            try:
                told[f"{path.parts[0]}: {outcome(made, pull.head_sha, PATIENCE_S)}"] += 1
            except AssertionError as error:
                raise AssertionError(f"{path} {way}: {error}") from None
    return {"damage": sum(told.values()), "outcomes": dict(sorted(told.items()))}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--damage", default="all", help="of how many files each: a number, or all")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(json.dumps(kills(given.kills, given.seed)), flush=True)
    print(json.dumps(damage(None if given.damage == "all" else int(given.damage), given.seed)))
