"""Minimal edits of test-set files: text in, text out, everything else byte for byte the same. Pure.

``set_*`` gives one case of the list a value for one key. ``add_*`` appends a case in the form of its
neighbors. Neither checks its result: the callers read it again and compare.
"""


class NoEditError(Exception):
    """The file can't be edited in this way; says why."""
