"""Suggested edits: who may ask for one, the run that makes it, and how it reaches people."""
