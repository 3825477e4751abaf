"""The demo: a real repository with pull requests that deserve different verdicts."""
