"""The demo: a real repository with pull requests that should get different verdicts."""
