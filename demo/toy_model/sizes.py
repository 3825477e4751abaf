"""The two sizes of the offline model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """The parameters of a size."""

    breadth: int
    """Known words of each group of its background."""
    kinship: float
    """Weight of a word that is only related to one in the prompt."""
    attention: float
    """Share of the rules and examples of a prompt that it learns."""
    noise: float
    """Spread of its scores at temperature 1."""
    first_token_s: float
    token_s: float


SIZES = {
    "offline-small": Size(breadth=5, kinship=0.3, attention=0.3, noise=0.55, first_token_s=0.12, token_s=0.004),
    "offline-large": Size(breadth=14, kinship=0.6, attention=1.0, noise=0.3, first_token_s=0.25, token_s=0.012),
}
