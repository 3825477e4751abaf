"""Runs: which are wanted, the queue that executes them, and what one execution does."""
