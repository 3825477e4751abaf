"""Suggested edits of a prompt: searched for on some cases, and proven by the gate on cases the search never saw."""
