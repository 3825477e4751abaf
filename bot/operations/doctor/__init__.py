"""``promptverdict doctor``: examines an installation and says how to fix it."""
