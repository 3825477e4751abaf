"""Scores so low that no drop above the margin is possible: "no drop" is then true by construction."""

from __future__ import annotations

from benchmarks.adversarial_cases.attack import GOOD, PROMPT, TICKET, Attack

KIND = "scores that can't fall"
WRONG = GOOD + "when everything: none\n"
FEW = "when Customer 11 : refunds\nwhen Customer 13 : refunds\nwhen Customer 12 : billing\n"

ATTACKS = (
    Attack("both versions fail every case", {PROMPT: "Please. " + WRONG + TICKET}, {PROMPT: WRONG + TICKET}),
    Attack("3 of 120 cases were right, and none is", {PROMPT: WRONG + TICKET}, {PROMPT: WRONG + FEW + TICKET}),
    Attack("3 of 120 cases are right", {PROMPT: "Please. " + WRONG + FEW + TICKET}, {PROMPT: WRONG + FEW + TICKET}),
)
