"""Minimal edits of test-set files: text in, text out, everything else byte for byte the same. Pure.

``protect`` marks the case at a position of the file's list. ``add`` appends one in the form of its neighbors. Neither
checks its result: bot/commands/patches.py reads it again and compares.
"""


class NoEditError(Exception):
    """The file can't be edited in this way; says why."""
