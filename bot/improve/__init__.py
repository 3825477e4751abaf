"""Suggested edits: who can ask for one, the run that makes it, and how people get it."""
