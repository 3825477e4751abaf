"""Smallest edits of test-set files: text in, text out, everything else byte for byte as it was. Pure.

``protect`` marks the case at a position of the file's list, ``add`` appends one written as its neighbours are. Neither
checks its result: bot/commands/patches.py reads it again and compares.
"""


class NoEditError(Exception):
    """This file can't be edited so; says why, and what to write by hand."""
