"""Drafts of prompts: what the files are with the edit, and what a run of it measures."""
