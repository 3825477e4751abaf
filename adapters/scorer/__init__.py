"""Own scorers: a team's code, run in isolation."""

TRUST = "PROMPTVERDICT_TRUST_SCORERS"
"""The operator's switch: ``1`` runs own scorers without isolation where the system has none."""
