"""Rules for publishing a verdict: when, and under which name."""
