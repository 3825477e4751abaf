"""Verdicts on GitHub: one check run per run, one comment per pull request."""
