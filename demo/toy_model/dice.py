"""Reproducible randomness: every number follows from the key alone."""

from __future__ import annotations

import hashlib
from math import log


class Dice:
    """Random numbers for one answer, seeded by the request and its repetition, scaled by the temperature."""

    def __init__(self, key: str, temperature: float) -> None:
        """Seeds with ``key``. At ``temperature`` 0 nothing is random."""
        self.temperature = temperature
        self._key = key.encode()
        self._block = 0
        self._numbers: list[float] = []

    def uniform(self) -> float:
        """Returns the next number, strictly between 0 and 1."""
        if not self._numbers:
            # One hash gives sixteen numbers, because most answers need only a few.
            block = hashlib.blake2b(self._key, digest_size=64, salt=self._block.to_bytes(16, "big")).digest()
            self._block += 1
            # Half a step from the ends: the logarithms below need numbers strictly between 0 and 1.
            self._numbers = [(int.from_bytes(block[i : i + 4], "big") + 0.5) / 2**32 for i in range(0, 64, 4)]
        return self._numbers.pop()

    def gumbel(self) -> float:
        """Returns noise that turns an argmax over scores into sampling from their softmax at this temperature."""
        return -log(-log(self.uniform())) * self.temperature

    def happens(self, probability: float) -> bool:
        """Returns whether an event of this probability (at temperature 1) happens. At 0, the likelier outcome does."""
        if self.temperature <= 0 or probability in (0.0, 1.0):
            return probability > 0.5
        # Temperature scales the log odds, as it scales the scores of a softmax.
        odds: float = (probability / (1 - probability)) ** (1 / self.temperature)
        return self.uniform() < odds / (1 + odds)

    def choice(self, options: tuple[str, ...]) -> str:
        """Returns one of ``options``; at temperature 0 the first."""
        if self.temperature <= 0:
            return options[0]
        return options[int(self.uniform() * len(options))]
